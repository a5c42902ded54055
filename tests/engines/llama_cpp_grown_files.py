"""GGUF files of tiny random models of any architecture: they grow by what llama.cpp says it misses, until it loads them.

So nothing here knows the tensors of an architecture. NumPy, gguf and the library are needed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from llama_cpp_library import Refused

# What a file is asked for is there; numbers that have nothing to do with a rotary embedding.
_ASKED_FOR: dict[str, Any] = {
    "attention.indexer.head_count": 2, "attention.indexer.key_length": 64, "attention.indexer.top_k": 8,
    "attention.kv_lora_rank": 32, "attention.q_lora_rank": 48, "attention.value_length_swa": 32, "embedding_length_per_layer_input": 32,
    "expert_feed_forward_length": 96, "expert_gating_func": 1, "expert_weights_scale": 1.0, "interleave_moe_layer_step": 1,
    "logit_scale": 1.0, "shortconv.l_cache": 3, "ssm.conv_kernel": 4, "ssm.group_count": 2, "ssm.inner_size": 128,
    "ssm.state_size": 32, "ssm.time_step_rank": 4, "swiglu_clamp_exp": 1.0, "attention.clamp_kqv": 1.0,
    "expert_group_scale": 1.0, "expert_shared_count": 1, "embedding_scale": 1.0, "residual_scale": 1.0,
}  # fmt: skip
# Of Apertus, without the name of the architecture.
_WITHOUT_NAME = {f"xielu.{name}": 1.0 for name in ("alpha_n", "alpha_p", "beta", "eps")}
_TENSOR = re.compile(r"tensor '([^']+)' not found")
_SHAPE = re.compile(r"tensor '([^']+)' has wrong shape; expected\s+([\d, ]+), got")
_KEY = re.compile(r"key not found in model: (\S+)")
_MOST = 2000


def write_file(path: Path, values: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A file with these key-values, those that end in .weight being tensors, and random tensors of these shapes."""
    writer = gguf.GGUFWriter(str(path), values["general.architecture"])
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    for key, value in values.items():
        if key.endswith(".weight"):
            writer.add_tensor(key, np.array(value, dtype=np.float32))
        elif isinstance(value, list):
            writer.add_array(key, value)
        elif key != "general.architecture":
            add[type(value)](key, value)
    writer.add_tokenizer_model("none")
    random = np.random.default_rng(1)
    for name, shape in shapes.items():
        weight = np.ones(shape) if "norm" in name else random.normal(0, 0.15, shape)
        writer.add_tensor(name, weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def grown(
    path: Path, values: Mapping[str, Any], also: Sequence[str], load: Callable[[Path], tuple[Any, str]]
) -> tuple[Any, dict[str, Any]]:
    """A model that was loaded, and the key-values of its file.

    Parameters
    ----------
    also : sequence of str
        Tensors that the library does not ask for, and cannot do without.
    load : callable
        Takes a file; returns the model, None where it is refused, and what was said.

    Raises
    ------
    Refused
        Where what is missing is none of what is known here.
    """
    for alike in (True, False):
        try:
            return _grown(path, dict(values), also, load, alike)
        except _WrongGuess:
            continue
    raise Refused("it has more tensors than it asked for")


class _WrongGuess(Exception):
    """Layers are not alike."""


def _grown(
    path: Path, values: dict[str, Any], also: Sequence[str], load: Callable[[Path], tuple[Any, str]], alike: bool
) -> tuple[Any, dict[str, Any]]:
    architecture = values["general.architecture"]
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (values[f"{architecture}.vocab_size"], values[f"{architecture}.embedding_length"])
    }
    shapes |= dict.fromkeys(also, (1,))
    for _ in range(_MOST):
        write_file(path, values, shapes)
        model, said = load(path)
        if model is not None:
            return model, values
        if "wrong number of tensors" in said and alike:
            raise _WrongGuess
        if tensor := _TENSOR.search(said):
            shapes |= _as_before(tensor[1], shapes) if alike else {}
            shapes.setdefault(tensor[1], (1,))
        elif shape := _SHAPE.search(said):
            columns_first = [int(size) for size in shape[2].split(",")]
            while len(columns_first) > 1 and columns_first[-1] == 1:
                columns_first.pop()
            shapes[shape[1]] = tuple(reversed(columns_first))
        else:
            key = _KEY.search(said)
            known = _WITHOUT_NAME | {f"{architecture}.{name}": value for name, value in _ASKED_FOR.items()}
            if key is None or key[1] not in known:
                raise Refused(said)
            values[key[1]] = known[key[1]]
    raise Refused(f"after {_MOST} tensors and keys it is not loaded")


def _as_before(name: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The tensors of a layer as those of the one before it: a guess that saves most of the loads."""
    block = re.fullmatch(r"blk\.(\d+)\..*", name)
    if block is None or block[1] == "0":
        return {}
    before, own = f"blk.{int(block[1]) - 1}.", f"blk.{block[1]}."
    return {own + one.removeprefix(before): shape for one, shape in shapes.items() if one.startswith(before)}
