"""Runs llama.cpp's library on GGUF files that are written here, and measures what its rotary operator does, within an
environment that has it.

One batch of tokens, each in a sequence of its own at a position of its own, is decoded; what goes into the graph's ROPE operators
and what comes out is read while it runs. Each case has a process of its own: a file may make the library abort.
"""

import shlex
import tempfile
from pathlib import Path
from typing import Any

import cffi
import numpy as np
from inside import measured
from llama_cpp_files import write_model
from llama_cpp_library import FLOAT32, Refused, default_context, ffi, library, library_path
from llama_cpp_processes import answer_by_processes

_POSITIONS = [2**power for power in range(18)]
# What a flag sets in the parameters of a context: ggml-org/llama.cpp, common/arg.cpp.
_METHODS = {"none": 0, "linear": 1, "yarn": 2}
_FLAGS: dict[str, tuple[str, Any]] = {
    "--rope-scaling": ("rope_scaling_type", _METHODS.__getitem__),
    "--rope-scale": ("rope_freq_scale", lambda word: 1 / float(word)),
    "--rope-freq-scale": ("rope_freq_scale", float),
    "--rope-freq-base": ("rope_freq_base", float),
    "--yarn-orig-ctx": ("yarn_orig_ctx", int),
    "--yarn-ext-factor": ("yarn_ext_factor", float),
    "--yarn-attn-factor": ("yarn_attn_factor", float),
    "--yarn-beta-fast": ("yarn_beta_fast", float),
    "--yarn-beta-slow": ("yarn_beta_slow", float),
}

# The head of ggml's tensor (ggml/include/ggml.h), which is compared with what its functions say.
_GGML = cffi.FFI()
_GGML.cdef("""
struct ggml_tensor {
    int type;
    void * buffer;
    int64_t ne[4];
    size_t nb[4];
    int op;
    int32_t op_params[16];
    int32_t flags;
    struct ggml_tensor * src[10];
    struct ggml_tensor * view_src;
    size_t view_offs;
    void * data;
    char name[64];
};
const char * ggml_op_desc(const struct ggml_tensor * tensor);
const char * ggml_get_name(const struct ggml_tensor * tensor);
void * ggml_get_data(const struct ggml_tensor * tensor);
""")


class Watched:
    """What operators of a graph took and made.

    Attributes
    ----------
    turned : dict of str to (array, array, int)
        By the name of the tensor: before and after, (tokens, heads, elements), and how many elements turn.
    softmax : list of float
        What the logits are multiplied by.
    """

    def __init__(self, ggml: Any) -> None:
        self._ggml = ggml
        self._before: dict[int, np.ndarray] = {}
        self.turned: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}
        self.softmax: list[float] = []

    def look(self, address: int, before: bool) -> None:
        """Called before and after each operator."""
        tensor = _GGML.cast("struct ggml_tensor *", address)
        kind = _GGML.string(self._ggml.ggml_op_desc(tensor)).decode()
        name = _GGML.string(self._ggml.ggml_get_name(tensor)).decode()
        if kind == "SOFT_MAX" and before and name.startswith("kq_"):  # experts have one, too
            self.softmax.append(float(np.frombuffer(_GGML.buffer(tensor.op_params), np.float32)[0]))
        if kind != "ROPE":
            return
        if before:
            self._before[address] = self._elements(tensor.src[0])
        else:
            self.turned[name] = (self._before[address], self._elements(tensor), tensor.op_params[1])

    def _elements(self, tensor: Any) -> np.ndarray:
        if tensor.type != FLOAT32 or tensor.data != self._ggml.ggml_get_data(tensor):
            raise RuntimeError("the structure of a tensor is another than was declared")
        elements, heads, tokens = tensor.ne[0], tensor.ne[1], tensor.ne[2]
        step, across, along = tensor.nb[0], tensor.nb[1], tensor.nb[2]
        size = (elements - 1) * step + (heads - 1) * across + (tokens - 1) * along + 4
        data = np.frombuffer(_GGML.buffer(tensor.data, size), np.float32)
        shape, strides = (tokens, heads, elements), (along, across, step)
        return np.lib.stride_tricks.as_strided(data, shape, strides).astype(np.float64)


def _context(llama: Any, model: Any, asked: dict[str, Any], callback: Any) -> Any:
    wanted = default_context(llama)
    wanted.n_ctx, wanted.n_batch, wanted.n_ubatch, wanted.n_seq_max = asked["n_ctx"], 64, 64, len(_POSITIONS)
    wanted.kv_unified = True  # one length for all sequences
    wanted.cb_eval = callback
    words = shlex.split(asked["flags"])
    for flag, word in zip(words[::2], words[1::2], strict=True):
        name, read = _FLAGS[flag]
        setattr(wanted, name, read(word))
    context = llama.llama_init_from_model(model, wanted)
    if context == ffi.NULL:
        raise Refused("it makes no context")
    return context


def _decode(llama: Any, context: Any) -> bool:
    """One batch of all positions; whether it is run."""
    batch = llama.llama_batch_init(len(_POSITIONS), 0, 1)
    batch.n_tokens = len(_POSITIONS)
    for i, position in enumerate(_POSITIONS):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = i, position, 1, i, 1
    return bool(llama.llama_decode(context, batch) == 0)


def _rotation(before: np.ndarray, after: np.ndarray, part: int) -> dict[str, Any]:
    """Frequencies, their factor, and which elements make a pair: those that all heads turn, and lengthen, alike."""
    for layout, first, second in (
        ("halves", slice(0, part // 2), slice(part // 2, part)),
        ("interleaved", slice(0, part, 2), slice(1, part, 2)),
    ):
        z, turned = (one[..., first] + 1j * one[..., second] for one in (before, after))
        ratio = (turned * z.conj()).sum(axis=1) / (abs(z) ** 2).sum(axis=1)
        m = abs(ratio).mean()
        if abs(turned - ratio[:, None] * z).max() > 1e-4 * abs(turned).max() or abs(abs(ratio) / m - 1).max() > 1e-4:
            continue
        if not np.array_equal(before[..., part:], after[..., part:]):
            raise RuntimeError("elements beyond the rotary ones change")
        by_position = {position: (one.real, one.imag) for position, one in zip(_POSITIONS, ratio, strict=True)}
        frequencies, _ = measured(by_position.__getitem__, len(_POSITIONS))
        return {"layout": layout, "inv_freq": [_rounded(value) for value in frequencies], "m": _rounded(m)}
    raise RuntimeError("what the operator does is no rotation")


def _rounded(value: float) -> float:
    """Digits that are no noise of the measurement."""
    return float(f"{value:.8g}")


def _layers(turned: dict[str, tuple[np.ndarray, np.ndarray, int]]) -> list[dict[str, Any]]:
    """Of each layer, whose queries and keys turn alike."""
    found: dict[int, list[dict[str, Any]]] = {}
    for name, one in turned.items():
        found.setdefault(int(name.rpartition("-")[2]), []).append(_rotation(*one))
    for ofs in found.values():
        for other in ofs[1:]:
            if not _alike(ofs[0], other):
                raise RuntimeError("queries and keys are not turned alike")
    return [found[layer][0] for layer in sorted(found)]


def _alike(a: dict[str, Any], b: dict[str, Any]) -> bool:
    close = np.allclose([*a["inv_freq"], a["m"]], [*b["inv_freq"], b["m"]], rtol=1e-5, atol=0)
    return a["layout"] == b["layout"] and close


def _of_one(asked: dict[str, Any]) -> dict[str, Any]:
    """What the library does with a file and flags."""
    llama = library()
    lines: list[str] = []

    def told(level: int, text: Any, _: Any) -> None:
        lines.append(ffi.string(text).decode(errors="replace"))

    keep = ffi.callback("ggml_log_callback", told)
    llama.llama_log_set(keep, ffi.NULL)
    llama.llama_backend_init()
    watched = Watched(_GGML.dlopen(library_path()))

    def look(tensor: Any, before: bool, _: Any) -> bool:
        watched.look(int(ffi.cast("intptr_t", tensor)), before)
        return True

    problems: list[BaseException] = []
    callback = ffi.callback(
        "ggml_backend_sched_eval_callback", look, onerror=lambda kind, error, trace: problems.append(error)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_model(path, asked["gguf"])
        model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
    if model == ffi.NULL:
        raise Refused(" ".join(line.strip() for line in lines if "error loading" in line))
    length = llama.llama_model_n_ctx_train(model)
    context = _context(llama, model, asked, callback)
    found: dict[str, Any] = {"n_ctx_train": [length, llama.llama_model_n_ctx_train(model)]}
    decoded = _decode(llama, context)
    if problems:  # they do not pass through the library by themselves
        raise problems[0]
    if not decoded:
        raise Refused("it does not run the file")
    layers = _layers(watched.turned)
    found |= layers[0]
    if not all(_alike(layers[0], layer) for layer in layers):
        found["layers"] = layers
    (scale,) = set(watched.softmax)
    if scale != 1:  # 1: the queries were scaled before
        own = {key.partition(".")[2]: value for key, value in asked["gguf"].items()}
        found["k"] = _rounded(scale * own.get("attention.key_length_mla", own["attention.key_length"]) ** 0.5)
    return found


if __name__ == "__main__":
    answer_by_processes(__file__, _of_one)
