"""What was read of a golden is written and read again: in its own format, and in every other that can express it."""

import functools
import json

import pytest
from gguf_files import GOLDEN_FILES, key_values
from golden_files import golden, records

import yarncore as yc
from yarncore.configs.difference import difference

pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
QWEN3 = {
    "model_type": "qwen3", "head_dim": 64, "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2, "rope_theta": 1e6,
    "max_position_embeddings": 40960,
}  # fmt: skip


def sources():
    """Every golden that is a configuration by itself, with the format that it is in."""
    for name in ("hf", "published"):
        for record in golden(name)["records"]:
            yield "huggingface", f"{name}: {record.get('name') or record.get('model')}", record["config"]
    own = {"openai/gpt-oss": "gpt-oss", "deepseek-ai/DeepSeek-V3": "deepseek"}
    for record in records("engines"):
        if record["engine"] in own:
            yield own[record["engine"]], record["name"], record["config"]
        elif record["engine"] == "NVIDIA/Megatron-LM" and record["config"].get("flags"):
            yield (
                "megatron",
                record["name"],
                [str(word) for flag in record["config"]["flags"] for word in flag.split(" ")],
            )
    for record in records("engines_executed"):
        if record["engine"] == "torchtitan":
            yield "torchtitan", record["name"], record["input"]
        elif "params_json" in record["input"]:
            yield "mistral", record["name"], record["input"]["params_json"]
    for record in GOLDEN_FILES:
        if not record["input"]["flags"]:
            yield "gguf", record["name"], key_values(record)


@functools.cache
def read():
    """Those that are read, with their Ropes: the others are refused, as tests of their formats say."""
    found = []
    for format, name, source in sources():
        try:
            found.append((format, name, source, yc.ropes_from_config(source, format=format)))
        except yc.ConfigError:
            continue
    return found


def again(format, source, written):
    if format == "gguf":
        written = {key: value for key, value in {**source, **written}.items() if value is not None}
    elif format in ("vllm", "sglang", "llama.cpp"):
        return yc.ropes_from_config(written, format=format, config=source)
    return yc.ropes_from_config(written, format=format)


# Writers that put the rotation into the configuration that is there.
INTO = ("huggingface", "gguf", "llama.cpp", "vllm", "sglang", "mlx-lm", "genai")
# What is read and cannot be written there, and why.
NOT_WRITTEN = {
    "Megatron, mscale .707, mscale_all_dim 0": "no flag for the factor of YaRN in a GPT",
    "llama.cpp: phi3, rope_factors tensors, yarn": "in tensors",
}
# Written in other words, which are the same numbers.
OTHER_WORDS = {"published: Hunyuan-7B / Hy-MT2-7B"}  # alpha as the base that it makes


@pytest.mark.parametrize("format", ["huggingface", "gpt-oss", "deepseek", "megatron", "torchtitan", "mistral", "gguf"])
def test_what_was_read_is_written_in_its_own_format_and_read_again(format):
    tried = [one for one in read() if one[0] == format]
    assert tried
    for _, name, source, ropes in tried:
        asked = ropes if format == "huggingface" else ropes.one()
        config = source if format in INTO else None
        if name in NOT_WRITTEN:
            with pytest.raises(yc.ConfigError, match=NOT_WRITTEN[name]):
                yc.to_config(asked, format, config=config)
            continue
        written = yc.to_config(asked, format, config=config)
        back = again(format, source, json.loads(json.dumps(written)))
        for layer_type, rope in ropes.items():
            assert not difference(rope, back[layer_type]), name
            assert back[layer_type] == rope or name in OTHER_WORDS, name


@pytest.mark.parametrize("format", yc.FORMATS)
def test_a_rope_of_any_golden_that_another_format_takes_is_the_same_when_it_is_read_there(format):
    """What cannot be expressed is refused with a reason; what is written without a word is the same rotation."""
    ropes = {rope for *_, found in read() for rope in found.values() if rope is not None and rope.sections is None}
    plain = key_values(
        next(r for r in GOLDEN_FILES if r["architecture"] == "qwen3" and "yarn" not in str(r["input"]["gguf"]))
    )
    taken = 0
    for rope in sorted(ropes, key=repr):
        config = QWEN3 | {"head_dim": rope.head_dim}
        if format in ("gguf", "llama.cpp"):
            config = {key: rope.head_dim if key.endswith("key_length") else value for key, value in plain.items()}
        try:
            written = yc.to_config(rope, format, config=config if format in INTO else None)
        except yc.ConfigError:
            continue
        taken += 1
        back = again(format, config, written).one()
        assert not difference(rope, back, float32=format == "gguf"), (rope, back)
    assert taken >= 5, (format, taken, len(ropes))
