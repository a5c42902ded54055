"""What other projects compute, where one of the scalings says the same: each record, with its own parameters."""

import numpy as np
import pytest
from golden_files import records

import yarncore as yc

# What no scaling here covers, and why; everything else is compared.
NOT_COVERED = {
    "jquesnelle Part-NTK": "the predecessor of NTK-by-parts, two other ramps",
    "jquesnelle YaRN, extrapolation_factor": "a weight on the kept part, used by no checkpoint",
    "vLLM ntk": "divides even the fastest pair; not the published method",
    "vLLM dynamic s=4 L=4096, text of one stored version": "lacks a factor; plain RoPE",
    "vLLM dynamic s=16 L=8192, text of one stored version": "lacks a factor; plain RoPE",
    "ggml rope op alone, ext_factor 0.5": "a weight on the kept part, used by no checkpoint",
    "ONNX": "a rotation by a table, no frequencies of its own",
}


def covered():
    return [r for r in records("engines") if not any(r["name"].startswith(prefix) for prefix in NOT_COVERED)]


def temperature(s, mscale):
    return 0.1 * mscale * np.log(s) + 1 if s > 1 else 1.0


def yarn(record, base, factor, length, fast, slow, truncate=True):
    """YaRN with that engine's ramp and its amplitude: the temperature's place is checked on its own below."""
    scaling = yc.YaRN(
        factor, length, beta_fast=fast, beta_slow=slow, truncate=truncate, attention_factor=record["amplitude"]
    )
    return yc.Rope(record["rotary_dim"], base, scaling).at()


def jquesnelle(record, c):
    dim, base = c["dim"], c["base"]
    if "Dynamic-YaRN" in record["name"]:
        seen = max(c.get("lengths_seen_in_order", [c["max_position_embeddings"]]))
        return yc.Rope(dim, base, yc.DynamicYaRN(c["original_max_position_embeddings"])).at(seen)
    if "alpha" in c:
        return yc.Rope(dim, base, yc.NTKAware(c["alpha"])).at()
    if c.get("ntk") is False:
        scaling = yc.DynamicPositionInterpolation(c["max_position_embeddings"])
        return yc.Rope(dim, base, scaling).at(c["seq_len"])
    if "ntk" in c:
        return yc.Rope(dim, base, yc.DynamicNTK(c["max_position_embeddings"], c["ntk"])).at(c["seq_len"])
    return yc.Rope(dim, base, yc.YaRN(c["scale"], c["original_max_position_embeddings"],
                                     beta_fast=c["beta_fast"], beta_slow=c["beta_slow"])).at()  # fmt: skip


def deepseek(record, c):
    if c["max_seq_len"] <= c["original_seq_len"]:
        return yc.Rope(record["rotary_dim"], c["rope_theta"]).at()
    scaling = yc.YaRN(
        c["rope_factor"], c["original_seq_len"], beta_fast=c["beta_fast"], beta_slow=c["beta_slow"],
        attention_factor=1.0, softmax_mscale=c["mscale"],
    )  # fmt: skip
    return yc.Rope(record["rotary_dim"], c["rope_theta"], scaling).at()


def gpt_oss(record, c):
    scaling = yc.YaRN(
        c["rope_scaling_factor"], c["initial_context_length"], beta_fast=c["rope_ntk_beta"],
        beta_slow=c["rope_ntk_alpha"], truncate=False,
    )  # fmt: skip
    return yc.Rope(record["rotary_dim"], c["rope_theta"], scaling).at()


def megatron(record, c):
    mla = "softmax" in (record["temperature_placement"] or "") and record["softmax_scale_factor"] != 1
    scaling = yc.YaRN(
        c["scaling_factor"], c["original_max_position_embeddings"], beta_fast=c["beta_fast"],
        beta_slow=c["beta_slow"], truncate=c["correction_range_round_to_int"],
        **({"mscale": c["mscale"], "mscale_all_dim": c["mscale_all_dim"]}
           if None not in (c["mscale"], c["mscale_all_dim"]) else {}),
        softmax_mscale=c["mscale_all_dim"] if mla else None,
    )  # fmt: skip
    return yc.Rope(record["rotary_dim"], c["rotary_base"], scaling).at()


def torchtitan(record, c):
    fast, slow = c["beta_fast"], c["beta_slow"]
    if fast < slow:  # the earlier class had the names the other way round
        fast, slow = slow, fast
    truncate = c.get("truncate", "before the two classes" not in record["name"])
    return yarn(record, c["theta"], c["rope_factor"], c["original_seq_len"], fast, slow, truncate)


def hugging_face_style(record, c):
    """vLLM, SGLang and mlx-lm, which read the dict of config.json."""
    rope = c.get("rope_scaling") or c.get("rope_parameters") or c
    kind = rope.get("rope_type") or rope.get("type")
    base = c.get("base") or c.get("rope_theta") or rope.get("rope_theta")
    dim = record["rotary_dim"]
    length = rope.get("original_max_position_embeddings")
    if kind == "llama3":
        scaling = yc.Llama3(
            rope["factor"], length, low_freq_factor=rope["low_freq_factor"], high_freq_factor=rope["high_freq_factor"]
        )
        return yc.Rope(dim, base, scaling).at()
    if kind == "longrope":
        scaling = yc.LongRoPE(
            short_factor=rope["short_factor"], long_factor=rope["long_factor"], original_length=length,
            factor=c["max_position_embeddings"] / length,
        )  # fmt: skip
        return yc.Rope(dim, base, scaling).at(length + 1)
    if kind == "proportional":
        return yc.Rope(dim, base, yc.Proportional(rope["partial_rotary_factor"])).at()
    if kind == "dynamic":
        length = c["max_position_embeddings"]
        return yc.Rope(dim, base, yc.DynamicNTK(length, rope["factor"])).at(int(rope["factor"] * length))
    return yarn(record, base, rope["factor"], length, rope.get("beta_fast", 32), rope.get("beta_slow", 1),
                (rope.get("truncate", True) and "truncate" not in record["cannot_express"]) or
                ("truncate" in record["cannot_express"]))  # fmt: skip


def ggml(record, c):
    op = c["op"]
    g = c.get("gguf", {})
    length = op["n_ctx_orig"]
    base = g.get("rope.freq_base", op.get("freq_base"))
    fast = g.get("rope.scaling.yarn_beta_fast", op.get("beta_fast"))
    slow = g.get("rope.scaling.yarn_beta_slow", op.get("beta_slow"))
    factor = 1 / op["freq_scale"]
    if op["ext_factor"] == 0:
        return yc.Rope(record["rotary_dim"], base, yc.PositionInterpolation(factor)).at()
    return yarn(record, base, factor, length, fast, slow)


def lucidrains(record, c):
    base = c.get("theta", 10000) * c.get("theta_rescale_factor", 1.0) ** (c["dim"] / (c["dim"] - 2))
    scaling = yc.PositionInterpolation(c["interpolate_factor"]) if "interpolate_factor" in c else None
    return yc.Rope(c["dim"], base, scaling).at()


READERS = {
    "jquesnelle/yarn": jquesnelle,
    "deepseek-ai/DeepSeek-V3": deepseek,
    "openai/gpt-oss": gpt_oss,
    "NVIDIA/Megatron-LM": megatron,
    "pytorch/torchtitan": torchtitan,
    "ml-explore/mlx-lm": hugging_face_style,
    "vllm-project/vllm": hugging_face_style,
    "sgl-project/sglang": hugging_face_style,
    "ggml-org/llama.cpp": ggml,
    "lucidrains/rotary-embedding-torch": lucidrains,
}

# ggml multiplies theta by b^(-2/d) pair after pair in float32: 2e-6 at the last pair. gpt-oss computes its ramp in
# float32: an error of 2^-24 in a weight is s = 32 times as much of a frequency at the ramp's end.
TOLERANCES = {"ggml-org/llama.cpp": 5e-6, "openai/gpt-oss": 32 * 2**-24 + 1e-6}


@pytest.mark.parametrize("record", covered(), ids=lambda r: r["name"])
def test_record(record):
    rotation = READERS[record["engine"]](record, record["config"])
    theirs = np.array([0.0 if value is None else value for value in record["inv_freq"]])
    ours = rotation.inverse_frequencies
    assert ours.shape == theirs.shape
    tolerance = TOLERANCES.get(record["engine"], 1e-6)
    assert np.all(np.abs(ours - theirs) <= tolerance * np.abs(theirs))
    assert rotation.attention_factor == pytest.approx(record["amplitude"], rel=2e-7)


def test_most_records_are_covered():
    assert len(covered()) >= len(records("engines")) - 13


@pytest.mark.parametrize("record", [r for r in covered() if r["softmax_scale_factor"] != 1], ids=lambda r: r["name"])
def test_softmax_factor_is_t_squared(record):
    """Every engine's softmax factor is t(s, M)^2 for the M of its own key: softmax_mscale says which."""
    c = record["config"]
    flat = {**c, **(c.get("rope_scaling") or {}), **(c.get("gguf") or {})}
    factor = (
        flat.get("rope_factor") or flat.get("scaling_factor") or flat.get("factor") or flat.get("rope.scaling.factor")
    )
    known = [0.5, 0.707, 1.0, 1.2]
    scalings = [yc.YaRN(factor, 4096, softmax_mscale=mscale) for mscale in known]
    ours = [yc.Rope(64, scaling=scaling).at().softmax_scale_factor for scaling in scalings]
    assert min(abs(value - record["softmax_scale_factor"]) for value in ours) < 2e-7 * record["softmax_scale_factor"]
