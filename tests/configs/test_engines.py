"""What engines computed from rope dicts when they were run, and what is said here that they compute."""

import numpy as np
import pytest
from golden_files import records

import yarncore as yc
from yarncore.configs.engines import sglang, vllm
from yarncore.configs.engines.engine import RopeKeys, Shape

pytestmark = pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
ENGINES = {"vllm-project/vllm": vllm, "sgl-project/sglang": sglang}
GET_ROPE = [
    record for record in records("engines_executed")
    if record["engine"] in ENGINES and {"head_size", "max_position"} <= set(record["input"])
    and "positions_factor" not in record["name"]  # the run changed the engine
]  # fmt: skip
# The engine computes something, and no scaling here says it.
NOT_SAID = {
    "vLLM: ntk": "a method that a scaling here says",
    "vLLM: ntk, mixed_b": "a method that a scaling here says",
    "vLLM: yarn, factor below 1": "factor",
    "SGLang: yarn, factor below 1": "factor",
    "SGLang: yarn, no factor": "factor is missing",  # get_rope alone takes 1; no config.json gets there (tests/engines/records)
    "SGLang: yarn, extrapolation_factor = 0.5": "extrapolation_factor",
    "SGLang: deepseek_yarn {'extrapolation_factor': 0.5}": "extrapolation_factor",
    "SGLang: longrope, short_mscale long_mscale": "short_mscale and long_mscale differ",
}


def rope_dict(record):
    given = record["input"]
    return given.get("rope_parameters", given.get("rope_scaling")) or {}


def computed(record):
    given, rope = record["input"], rope_dict(record)
    engine = ENGINES[record["engine"]]
    keys = RopeKeys(rope, "config", "rope_parameters")
    kind = engine.kind(keys)
    dim = record.get("rotary_dim") or len(record.get("inv_freq", [0])) * 2 or given["head_size"]
    shape = Shape(dim, False, given["max_position"], given.get("max_model_len"))
    base = rope.get("rope_theta", 10000.0) if record["engine"].startswith("vllm") else given["base"]
    return yc.Rope(dim, base, engine.scaling(kind, keys, shape)), keys


@pytest.mark.parametrize("record", [
    r for r in GET_ROPE if "error" not in r and r["name"] not in NOT_SAID and "dual_chunk" not in str(r["input"])
], ids=lambda r: r["name"])  # fmt: skip
def test_an_engine_computes_what_is_said(record):
    rope, _ = computed(record)
    length = 4 * record["input"]["max_position"] if isinstance(rope.scaling, yc.LongRoPE) else None
    rotation = rope.at(length)
    np.testing.assert_allclose(rotation.inverse_frequencies, record["inv_freq"], rtol=6e-6, atol=0)
    assert rotation.attention_factor == pytest.approx(record["m"], rel=1e-6)


@pytest.mark.parametrize(
    "record",
    [
        r
        for r in GET_ROPE
        if "error" in r and "dual_chunk" not in str(r["input"])  # which needs CUDA there
    ],
    ids=lambda r: r["name"],
)
def test_where_an_engine_fails_it_is_an_error(record):
    if record["name"] == "vLLM: yarn, no original_max_position_embeddings":
        return  # get_rope alone; transformers fills it in before (see the configurations)
    with pytest.raises(yc.ConfigError):
        computed(record)


@pytest.mark.parametrize("record", [r for r in GET_ROPE if r["name"] in NOT_SAID], ids=lambda r: r["name"])
def test_what_no_scaling_says_is_refused_by_name(record):
    with pytest.raises(yc.ConfigError, match=NOT_SAID[record["name"]]):
        computed(record)
