"""GGUF files of tiny random models, made of their key-values: float32, a few heads, a few layers. NumPy and gguf are needed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np


def write_model(path: Path, values: Mapping[str, Any]) -> None:
    """A file with these key-values; those that end in .weight are tensors."""
    architecture = values["general.architecture"]
    writer = gguf.GGUFWriter(str(path), architecture)
    for key, value in values.items():
        if key.endswith(".weight"):
            writer.add_tensor(key, np.array(value, dtype=np.float32))
        elif key != "general.architecture":
            {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[
                type(value)
            ](key, value)
    writer.add_tokenizer_model("none")
    random = np.random.default_rng(1)
    for name, shape in _shapes(architecture, {key.partition(".")[2]: value for key, value in values.items()}):
        weight = np.ones(shape) if name.endswith("norm.weight") else random.normal(0, 0.15, shape)
        writer.add_tensor(name, weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shapes(architecture: str, of: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the weights, rows first."""
    width, words = of["embedding_length"], of["vocab_size"]
    yield "token_embd.weight", (words, width)
    yield "output_norm.weight", (width,)
    yield "output.weight", (words, width)
    for layer in range(of["block_count"]):
        for name, shape in (_attention(architecture, of) | _feed_forward(architecture, of)).items():
            yield f"blk.{layer}.{name}", shape


def _attention(architecture: str, of: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    width, heads, key_heads = of["embedding_length"], of["attention.head_count"], of["attention.head_count_kv"]
    head = of.get("attention.key_length", width // heads)
    norm = {"attn_norm.weight": (width,)}
    if architecture == "deepseek2":
        rank, value_rank, turning = (
            of["attention.q_lora_rank"],
            of["attention.kv_lora_rank"],
            of["rope.dimension_count"],
        )
        whole, values = of["attention.key_length_mla"], of["attention.value_length_mla"]
        return norm | {
            "attn_q_a.weight": (rank, width), "attn_q_a_norm.weight": (rank,), "attn_q_b.weight": (heads * whole, rank),
            "attn_kv_a_mqa.weight": (value_rank + turning, width), "attn_kv_a_norm.weight": (value_rank,),
            "attn_k_b.weight": (heads, value_rank, whole - turning), "attn_v_b.weight": (heads, values, value_rank),
            "attn_output.weight": (width, heads * values),
        }  # fmt: skip
    if architecture == "phi3":
        return norm | {
            "attn_qkv.weight": ((heads + 2 * key_heads) * head, width),
            "attn_output.weight": (width, heads * head),
        }
    found = norm | {
        "attn_q.weight": (heads * head, width), "attn_k.weight": (key_heads * head, width),
        "attn_v.weight": (key_heads * head, width), "attn_output.weight": (width, heads * head),
    }  # fmt: skip
    if architecture == "qwen3":
        found |= {"attn_q_norm.weight": (head,), "attn_k_norm.weight": (head,)}
    if architecture == "gpt-oss":
        found |= {
            name.replace(".weight", ".bias"): shape[:1] for name, shape in found.items() if name != "attn_norm.weight"
        }
        found |= {"attn_sinks.weight": (heads,)}
    return found


def _feed_forward(architecture: str, of: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    width, hidden = of["embedding_length"], of["feed_forward_length"]
    if architecture == "gpt-oss":
        experts, hidden = of["expert_count"], of["expert_feed_forward_length"]
        outputs = {"ffn_gate_exps": hidden, "ffn_up_exps": hidden, "ffn_down_exps": width}
        found: dict[str, tuple[int, ...]] = {
            "post_attention_norm.weight": (width,), "ffn_gate_inp.weight": (experts, width), "ffn_gate_inp.bias": (experts,),
        }  # fmt: skip
        for name, rows in outputs.items():
            columns = hidden if rows == width else width
            found |= {f"{name}.weight": (experts, rows, columns), f"{name}.bias": (experts, rows)}
        return found
    norm = {"ffn_norm.weight": (width,), "ffn_down.weight": (width, hidden)}
    if architecture == "phi3":
        return norm | {"ffn_up.weight": (2 * hidden, width)}
    return norm | {"ffn_gate.weight": (hidden, width), "ffn_up.weight": (hidden, width)}
