"""Runs llama.cpp's library on tiny models of many architectures, and measures what its rotary operator does in each layer.

As llama_cpp_rotary_inside.py, whose way to measure it is; the files grow by what the library asks for.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import llama_cpp_rotary_inside as rotary
import numpy as np
from llama_cpp_grown_files import grown
from llama_cpp_library import Refused, ffi, library, library_path
from llama_cpp_processes import answer_by_processes

_MODES = {0: "norm", 2: "neox", 8: "mrope", 40: "imrope"}  # ggml/include/ggml.h, GGML_ROPE_TYPE_*


class Watched(rotary.Watched):
    """With the mode and the sections of each operator.

    Attributes
    ----------
    told : dict of str to dict
        By the name of the tensor.
    layers : dict of str to int
        The layer of each: what is not named by one comes after what is.
    """

    def __init__(self, ggml: Any) -> None:
        super().__init__(ggml)
        self.told: dict[str, dict[str, Any]] = {}
        self.layers: dict[str, int] = {}
        self._layer = 0

    def look(self, address: int, before: bool) -> None:
        """Called before and after each operator."""
        super().look(address, before)
        tensor = rotary._GGML.cast("struct ggml_tensor *", address)
        name = rotary._GGML.string(self._ggml.ggml_get_name(tensor)).decode()
        named = re.search(r"-(\d+)(?: |$)", name)
        self._layer = int(named[1]) if named else self._layer
        if rotary._GGML.string(self._ggml.ggml_op_desc(tensor)) == b"ROPE" and not before:
            self.layers[name] = self._layer
            numbers = list(tensor.op_params)
            found = {"mode": _MODES[numbers[2]]}
            self.told[name] = found | ({"sections": numbers[11:15]} if "mrope" in found["mode"] else {})


def _layers(watched: Watched, count: int) -> list[dict[str, Any] | None]:
    """Of each layer, whose queries and keys turn alike; None where nothing turns."""
    found: list[dict[str, Any] | None] = [None] * count
    for name, (before, after, part) in watched.turned.items():
        layer = watched.layers[name]
        if "indexer" in name or layer >= count:
            continue
        one = rotary._rotation(before, after, part) | watched.told[name] | {"head_dim": before.shape[-1]}
        other = found[layer]
        if other is not None and not _same(one, other):
            raise RuntimeError("queries and keys are not turned alike")
        found[layer] = one
    return found


def _of_one(asked: dict[str, Any]) -> dict[str, Any]:
    """What the library does with a file and flags."""
    llama = library()
    lines: list[str] = []
    keep = ffi.callback(
        "ggml_log_callback", lambda level, text, _: lines.append(ffi.string(text).decode(errors="replace"))
    )
    llama.llama_log_set(keep, ffi.NULL)
    llama.llama_backend_init()

    def load(path: Path) -> tuple[Any, str]:
        lines.clear()
        model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        return None if model == ffi.NULL else model, " ".join(line.strip() for line in lines if "error loading" in line)

    with tempfile.TemporaryDirectory() as folder:
        model, values = grown(Path(folder) / "model.gguf", asked["gguf"], asked["also"], load)
        watched = Watched(rotary._GGML.dlopen(library_path()))
        problems: list[BaseException] = []
        callback = ffi.callback(
            "ggml_backend_sched_eval_callback",
            lambda tensor, before, _: watched.look(int(ffi.cast("intptr_t", tensor)), before) is None,
            onerror=lambda kind, error, trace: problems.append(error),
        )
        context = rotary._context(llama, model, asked, callback)
        decoded = rotary._decode(llama, context)
    if problems:
        raise problems[0]
    if not decoded:
        raise Refused("it does not run the file")
    own = {key.partition(".")[2]: value for key, value in values.items()}
    count = own["block_count"] - own.get("nextn_predict_layers", 0)
    found: dict[str, Any] = {"grown": {key: value for key, value in values.items() if key not in asked["gguf"]}}
    layers = _layers(watched, count)
    if any(layer is not None and "sections" in layer for layer in layers):
        _sections(llama, context, watched, own["embedding_length"], layers)
        if problems:
            raise problems[0]
    found["layers"] = _shortened(layers)
    if "attention.key_length_mla" in own:
        (scale,) = set(watched.softmax)
        found["k"] = rotary._rounded(scale * own["attention.key_length_mla"] ** 0.5)
    return found


def _sections(llama: Any, context: Any, watched: Watched, width: int, layers: list[dict[str, Any] | None]) -> None:
    """By which of a token's four positions each pair turns: one after the other is there, the others are 0."""
    count = len(rotary._POSITIONS)
    for layer in layers:
        if layer is not None:
            layer["section"] = ["-"] * len(layer["inv_freq"])
    for section, letter in enumerate("thwe"):
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        watched.turned.clear()
        batch = llama.llama_batch_init(count, width, 1)
        positions = ffi.new("int32_t[]", 4 * count)
        batch.n_tokens, batch.pos = count, positions
        numbers = np.random.default_rng(2).normal(size=count * width).astype(np.float32)
        ffi.memmove(batch.embd, numbers.tobytes(), numbers.nbytes)
        for i, position in enumerate(rotary._POSITIONS):
            positions[section * count + i] = position
            batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = 1, i, 1
        if llama.llama_decode(context, batch) != 0:
            raise Refused("it does not run embeddings")
        for name, (before, after, part) in watched.turned.items():
            layer = layers[watched.layers[name]]
            if layer is None:
                continue
            for pair, frequency in enumerate(rotary._rotation(before, after, part)["inv_freq"]):
                if frequency > 1e-10:
                    layer["section"][pair] = letter
    for layer in layers:
        if layer is not None:
            layer["section"] = "".join(layer["section"])


def _same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    sizes = [(layer["head_dim"], len(layer["inv_freq"]), layer["mode"]) for layer in (one, other)]
    if sizes[0] != sizes[1] or one["layout"] != other["layout"]:
        return False
    numbers = [[*layer["inv_freq"], layer["m"]] for layer in (one, other)]
    return np.allclose(*numbers, rtol=1e-5, atol=1e-10)  # pairs that stand still are measured as almost 0


def _shortened(layers: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Those that differ, and which of them each layer is."""
    different: list[dict[str, Any] | None] = []
    which = []
    for layer in layers:
        for number, other in enumerate(different):
            if _same(layer, other):
                which.append(number)
                break
        else:
            which.append(len(different))
            different.append(layer)
    return {"different": different, "which": which}


if __name__ == "__main__":
    answer_by_processes(__file__, _of_one)
