"""GGUF files: small whole ones as converters write them, and parts to make wrong ones of."""

import struct

import gguf
import numpy as np


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
