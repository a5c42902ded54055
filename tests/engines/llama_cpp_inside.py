"""Runs llama.cpp's library on GGUF files, within an environment that has it: tokens in, the logits of every position out."""

import json
import sys
from typing import Any

import numpy as np
from llama_cpp_library import default_context, ffi, library, versions


def logits(llama: Any, path: str, tokens: list[int]) -> np.ndarray:
    """What the model in a file says after each token."""
    model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
    if model == ffi.NULL:
        raise RuntimeError(f"llama.cpp does not load {path}")
    wanted = default_context(llama)
    wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = 1024
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
    json.dump({"versions": versions()}, sys.stdout)


main()
