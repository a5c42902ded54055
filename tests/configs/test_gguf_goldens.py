"""What llama.cpp computed from its own files when it was run, and what from_config reads from their key-values."""

import warnings

import numpy as np
import pytest
from golden_files import records

import yarncore as yc

# Tensors of the runs, which the records name in words: those of phi3 and of llama.
SHORT = [1.0 + 0.01 * i for i in range(32)]
LONG = [1.0 + 0.5 * i for i in range(32)]
RECORDS = [
    record
    for record in records("engines_executed")
    if record["engine"] == "ggml-org/llama.cpp"
    and "gguf" in record["input"]
    and not record["name"].startswith("llama-server")
]
FROM_FILES = [record for record in RECORDS if not record["input"]["flags"]]
REFUSED = {
    "llama.cpp: qwen3, yarn with factor below 1": r"rope\.scaling\.factor is 0\.5",
    "llama.cpp: qwen3, type name llama.cpp does not know": r"rope\.scaling\.type is 'dynamic'; one of none, linear, yarn, longrope",
    "llama.cpp: llama, yarn, rope.dimension_count half of the head": "dimension_count is 32; 64, the length of a head",
    "llama.cpp: llama, rope_freqs tensor and yarn together": "ramp on the divided frequencies",
    "llama.cpp: deepseek2, A in the file, key rope.scaling.attn_factor": "takes it twice",
}


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
        values |= {"rope_factors_short.weight": SHORT, "rope_factors_long.weight": LONG}
    if "rope_freqs tensor" in record["name"]:
        values["rope_freqs.weight"] = list(np.linspace(1, 8, 32))
    return values


def read(values, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", yc.ConfigWarning)
        return yc.from_config(values, **options)


def assert_computes(rope, record, length=None):
    rotation = rope.at(length)
    # ggml multiplies one frequency by another pair after pair, in float32
    np.testing.assert_allclose(rotation.inverse_frequencies, record["inv_freq"], rtol=6e-6)
    assert rotation.attention_factor == pytest.approx(record["m"], rel=1e-6)
    if record.get("k") is not None:
        assert rotation.softmax_scale_factor == pytest.approx(record["k"], rel=1e-6)
    assert rope.rotary_dim == record["rotary_dim"]
    assert rope.interleaved is (record["layout"] == "interleaved")


@pytest.mark.parametrize("record", [r for r in FROM_FILES if r["name"] not in REFUSED], ids=lambda r: r["name"])
def test_a_file_is_read_as_llama_cpp_ran_it(record):
    # the list of divisors follows the context there, and was not given a longer one where it is 512
    context = -(-record["input"]["n_ctx"] // 256) * 256
    rope = read(key_values(record))
    assert_computes(rope, record, context if isinstance(rope.scaling, yc.LongRoPE) else None)


@pytest.mark.parametrize("name", REFUSED)
def test_what_llama_cpp_refuses_or_no_scaling_says_is_refused_by_name(name):
    (record,) = [record for record in RECORDS if record["name"] == name]
    with pytest.raises(yc.ConfigError, match=REFUSED[name]):
        read(key_values(record))


@pytest.mark.parametrize("record", [r for r in FROM_FILES if r["name"] not in REFUSED], ids=lambda r: r["name"])
def test_what_is_written_over_a_plain_file_is_read_back_the_same(record):
    values = key_values(record)
    rope = read(values)
    tensors = {key: value for key, value in values.items() if key.endswith(".weight")}
    plain = {key: value for key, value in values.items() if ".rope.scal" not in key and key not in tensors}
    if tensors:
        with pytest.raises(yc.ConfigError, match="in tensors"):
            yc.to_config(rope, "gguf", config=plain)
        return
    changes = yc.to_config(rope, "gguf", config=plain)
    written = plain | {key: value for key, value in changes.items() if value is not None}
    again = read(written)
    assert again.scaling == rope.scaling or type(again.scaling) is type(rope.scaling)
    assert yc.to_config(again, "gguf", config=written) == {}
