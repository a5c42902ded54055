"""Runs llama.cpp's library on GGUF files, within an environment that has it: tokens in, the logits of every position out.

The library is that of a package of binaries; its functions are declared by another package, made of the header of one build
before. What the defaults are is compared with what the header says, so that a structure that changed in between is noticed.
"""

import json
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cffi
import numpy as np
from llama_cpp_py_sync._cffi_bindings import ffi

_FLOAT32, _NO_FLASH_ATTENTION, _FROM_MODEL = 0, 0, -1


def library() -> Any:
    """The C functions of llama.cpp."""
    spec = find_spec("xllamacpp")
    assert spec is not None
    assert spec.origin is not None
    (path,) = Path(spec.origin).parent.glob("*.so")
    return ffi.dlopen(str(path), cffi.FFI.RTLD_LAZY if hasattr(cffi.FFI, "RTLD_LAZY") else 1)


def logits(llama: Any, path: str, tokens: list[int]) -> np.ndarray:
    """What the model in a file says after each token."""
    model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
    if model == ffi.NULL:
        raise RuntimeError(f"llama.cpp does not load {path}")
    wanted = llama.llama_context_default_params()
    if (wanted.n_ctx, wanted.rope_scaling_type, wanted.yarn_beta_fast) != (512, _FROM_MODEL, -1):
        raise RuntimeError("the structure of the context's parameters is another than was declared")
    wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = 1024
    wanted.n_threads = wanted.n_threads_batch = 1
    wanted.type_k = wanted.type_v = _FLOAT32
    wanted.flash_attn_type = _NO_FLASH_ATTENTION
    context = llama.llama_init_from_model(model, wanted)
    batch = llama.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, 1
    if llama.llama_decode(context, batch) != 0:
        raise RuntimeError(f"llama.cpp does not run {path}")
    words = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    found = np.frombuffer(ffi.buffer(llama.llama_get_logits(context), 4 * words * len(tokens)), np.float32).copy()
    llama.llama_free(context)
    llama.llama_model_free(model)
    return found.reshape(len(tokens), words)


def main() -> None:
    asked = json.load(sys.stdin)
    llama = library()
    silent = ffi.callback("ggml_log_callback", lambda *_: None)
    llama.llama_log_set(silent, ffi.NULL)
    llama.llama_backend_init()
    for path in asked["files"]:
        np.save(path + ".npy", logits(llama, path, asked["tokens"]))
    versions = {name: version(name) for name in ("xllamacpp", "llama-cpp-py-sync")}
    json.dump({"versions": versions}, sys.stdout)


main()
