"""What llama.cpp computed from its own files when it was run, and what from_config reads from their key-values."""

import warnings

import numpy as np
import pytest
from gguf_files import GOLDEN_FILES, key_values

import yarncore as yc

FROM_FILES = [record for record in GOLDEN_FILES if not record["input"]["flags"]]
REFUSED = {
    "llama.cpp: qwen3, yarn with factor below 1": r"rope\.scaling\.factor is 0\.5",
    "llama.cpp: qwen3, type name llama.cpp does not know": r"rope\.scaling\.type is 'dynamic'; one of none, linear, yarn, longrope",
    "llama.cpp: llama, yarn, rope.dimension_count half of the head": "dimension_count is 32; 64, the length of a head",
    "llama.cpp: llama, rope_freqs tensor and yarn together": "ramp on the divided frequencies",
    "llama.cpp: deepseek2, A in the file, key rope.scaling.attn_factor": "takes it twice",
}


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
    (record,) = [record for record in GOLDEN_FILES if record["name"] == name]
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
