"""GGUF files: small whole ones as converters write them, and parts to make wrong ones of."""

import struct

import gguf
import numpy as np
from golden_files import records

# Tensors of the runs, which the records name in words: those of phi3 and of llama.
_SHORT = [1.0 + 0.01 * i for i in range(32)]
_LONG = [1.0 + 0.5 * i for i in range(32)]
# What llama.cpp did with files, with flags or without.
GOLDEN_FILES = [
    record
    for record in records("engines_executed")
    if record["engine"] == "ggml-org/llama.cpp"
    and "gguf" in record["input"]
    and not record["name"].startswith("llama-server")
]


def write_model(path, *, architecture="qwen3", tensors=(), words=("a", "b"), **more):
    """A small file as converters write it: shape, rotation, vocabulary, weights."""
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_context_length(32768)
    writer.add_block_count(2)
    writer.add_head_count(8)
    writer.add_head_count_kv(2)
    writer.add_key_length(64)
    writer.add_rope_freq_base(1e6)
    writer.add_token_list(list(words))
    writer.add_token_scores([0.5] * len(words))
    for key, value in more.items():
        getattr(writer, f"add_{key}")(value)
    for name, data in tensors:
        writer.add_tensor(name, data)
    writer.add_tensor("token_embd.weight", np.arange(24, dtype=np.float32).reshape(2, 12))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def header(*, version=3, tensors=0, keys=0, body=b""):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body


def text(value):
    return struct.pack("<Q", len(value)) + value


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def key_values(record):
    """The key-values of a record's file, with those of its shape, which the records leave out."""
    architecture = record["architecture"]
    shape = {
        f"{architecture}.attention.head_count": 2,
        f"{architecture}.block_count": 2,
        f"{architecture}.context_length": 4096,
    }
    if architecture == "deepseek2":
        shape[f"{architecture}.rope.dimension_count"] = record["head_dim"]
        shape[f"{architecture}.attention.key_length"] = 32 + record["head_dim"]
    else:
        shape[f"{architecture}.attention.key_length"] = record["head_dim"]
    values = {"general.architecture": architecture} | shape | record["input"]["gguf"]
    if "rope_factors tensors" in record["name"]:
        values |= {"rope_factors_short.weight": _SHORT, "rope_factors_long.weight": _LONG}
    if "rope_freqs tensor" in record["name"]:
        values["rope_freqs.weight"] = list(np.linspace(1, 8, 32))
    return values
