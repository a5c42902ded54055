"""identify on inverse frequencies: goldens of others, parameters at random under float32 noise, unknown tables."""

import random

import numpy as np
import pytest
import torch
from golden_files import records

import yarncore as yc
from yarncore.identification import readings
from yarncore.identification.standard import digits

# Tables of which no family is the origin: 'none' is the right answer.
UNKNOWN = (
    "jquesnelle Part-NTK",  # two ramps multiplied
    "llama.cpp: llama, rope_freqs tensor",  # divisors that the test of llama.cpp invented
    "llama.cpp: phi3, rope_factors tensors, yarn by flags on top",  # nobody's method
    "vLLM: ntk, mixed_b",  # a power of a power
)


def goldens():
    seen = {}
    for name in ("hf", "engines", "engines_executed"):
        for record in records(name):
            if record.get("inv_freq"):
                seen.setdefault(tuple(0.0 if each is None else each for each in record["inv_freq"]), record["name"])
    return [pytest.param(table, name, id=name) for table, name in seen.items()]


def reproduces(found, table, tolerance=1e-6):
    """Whether every Rope that is named makes the table; within a ramp an engine's float32 weights count as well."""
    table = np.array(table)
    for reading in found.readings:
        if reading.rope is None:
            assert reading.error <= tolerance
            continue
        theta, scaling = yc.Rope(2 * len(table), reading.rope.base).inverse_frequencies, reading.rope.scaling
        allowed = tolerance * table
        if isinstance(scaling, (yc.NTKByParts, yc.Llama3)):
            kept = scaling.precompute(theta)
            allowed = allowed + np.where((kept > 0) & (kept < 1), 2.0**-23 * theta, 0)
        if "recurrence" in reading.note:  # made anew by it; llama.cpp's tables were measured by cosines, to 2e-6
            allowed = allowed + tolerance * table
            ours = yc.engines.angles(reading.rope, [1], phase="float32-recurrence")[0]
        else:
            ours = reading.rope.inverse_frequencies
        assert (np.abs(ours - table) <= allowed).all(), reading
    return bool(found.readings)


@pytest.mark.parametrize(("table", "name"), goldens())
def test_a_golden_is_reproduced_by_every_reading(table, name):
    found = yc.identify(np.array(table))
    assert reproduces(found, table) != name.startswith(UNKNOWN)
    if not found.readings:
        assert found.method == "none" and found.rope is None
        assert found.nearest.error > 1e-3 and found.nearest.miss > 1


def random_scaling(draw):
    s, length = (
        draw.choice([2.0, 8.0, 40.0, draw.uniform(1.2, 64)]),
        draw.choice([4096, 32768, draw.randrange(512, 200_000)]),
    )
    fast, slow = draw.choice([(32, 1), (64, 1), (draw.uniform(5, 100), draw.uniform(0.5, 4))])
    return draw.choice([
        None, yc.PositionInterpolation(s), yc.NTKAware(s), yc.Proportional(draw.choice([0.25, 0.5]), draw.choice([1.0, s])),
        yc.YaRN(s, length, beta_fast=fast, beta_slow=slow), yc.YaRN(s, length, beta_fast=1, beta_slow=1),
        yc.YaRN(s, length, beta_fast=fast, beta_slow=slow, truncate=False),
        yc.YaRN(s, length, beta_fast=fast, beta_slow=slow, ramp="rotations"),
        yc.Llama3(s, length, high_freq_factor=draw.choice([4, 8, 32])),
    ])  # fmt: skip


@pytest.mark.parametrize("seed", range(24))
def test_parameters_at_random_are_found_under_float32_noise(seed):
    draw, noise = random.Random(seed), np.random.default_rng(seed)
    dim, base = (
        draw.choice([32, 64, 80, 128, 256]),
        draw.choice([1e4, 5e5, round(10 ** draw.uniform(3, 8)), 10 ** draw.uniform(3, 8)]),
    )
    rope = yc.Rope(dim, base, random_scaling(draw))
    table = (rope.inverse_frequencies * (1 + noise.uniform(-1.2e-7, 1.2e-7, dim // 2))).astype(np.float32)
    found = yc.identify(table)
    assert reproduces(found, table)
    # What is named is the Rope within what the noise and the shortening of numbers leave open.
    assert any(
        np.allclose(one.rope.inverse_frequencies, rope.inverse_frequencies, rtol=2e-6, atol=0) for one in found.readings
    )


STANDARD = {
    "Llama 2": yc.Rope(128),
    "Llama 3": yc.Rope(128, 5e5, yc.Llama3(8.0, 8192)),
    "Llama 3.2": yc.Rope(64, 5e5, yc.Llama3(32.0, 8192)),
    "Llama 2 YaRN": yc.Rope(128, 1e4, yc.YaRN(16.0, 4096)),
    "Qwen 3": yc.Rope(128, 1e6, yc.YaRN(4.0, 32768)),
    "gpt-oss": yc.Rope(64, 150_000, yc.YaRN(32.0, 4096, truncate=False)),
    "DeepSeek": yc.Rope(64, 1e4, yc.YaRN(40.0, 4096)),
    "Kimi K2": yc.Rope(64, 5e4, yc.YaRN(32.0, 4096, beta_fast=1, beta_slow=1)),
    "Gemma 3": yc.Rope(256, 1e6, yc.PositionInterpolation(8.0)),
    "Gemma 4": yc.Rope(512, 1e6, yc.Proportional(0.25)),
    "Hunyuan": yc.Rope(128, 1e4, yc.NTKAware(1000.0)),
}


@pytest.mark.parametrize("name", STANDARD)
def test_the_reading_with_standard_values_comes_first(name):
    found = yc.identify(STANDARD[name].inverse_frequencies.astype(np.float32))
    assert found.rope == STANDARD[name]


def test_readings_that_are_one_table_are_all_listed():
    twice = yc.Rope(128, 1e4, yc.YaRN(16.0, 8192, beta_fast=64, beta_slow=2))
    found = yc.identify(STANDARD["Llama 2 YaRN"].inverse_frequencies)
    assert twice in [one.rope for one in found.readings]
    assert "NTKByParts" in [one.method for one in found.readings]
    scout = yc.identify(
        yc.Rope(128, 5e5, yc.Llama3(16.0, 8192, low_freq_factor=1, high_freq_factor=1)).inverse_frequencies
    )
    assert yc.Rope(128, 5e5, yc.YaRN(16.0, 8192, beta_fast=1, beta_slow=1)) in [one.rope for one in scout.readings]
    llama = [one.rope.scaling for one in yc.identify(STANDARD["Llama 3"].inverse_frequencies).readings]
    assert yc.YaRN(8.0, 8192, beta_fast=4, beta_slow=1, ramp="rotations") in llama
    another_base = yc.identify(yc.Rope(64, 1e4, yc.NTKAware(8.0)).inverse_frequencies)
    assert [one.method for one in another_base.readings] == ["NTKAware", "plain"]
    assert any("another base" in note for note in another_base.notes)


@pytest.mark.parametrize("factor", [1.0001, 1.5])
@pytest.mark.parametrize("pair", [0, 35, 63])
def test_one_wrong_frequency_makes_a_table_unknown_and_the_nearest_is_told(factor, pair):
    table = STANDARD["Llama 2 YaRN"].inverse_frequencies.copy()
    table[pair] *= factor
    found = yc.identify(table)
    assert found.method == "none" and not found.readings
    assert 0 < found.nearest.error < 10


@pytest.mark.parametrize("seed", range(6))
def test_a_table_of_chance_is_none(seed):
    table = np.sort(np.exp(np.random.default_rng(seed).uniform(-12, 0, 64)))[::-1]
    assert yc.identify(table).method == "none"


def test_a_learned_longrope_is_none_and_named_when_it_is_asked_for():
    divisors = np.exp(np.sort(np.random.default_rng(3).uniform(0, 4, 48)))
    table = yc.Rope(96, 1e4).inverse_frequencies / divisors
    assert yc.identify(table).method == "none"
    asked = yc.identify(table, method="LongRoPE", base=1e4)
    assert asked.method == "LongRoPE" and f"{divisors[5]:.6g}" in str(asked)
    written = yc.identify((yc.Rope(96, 1e4).inverse_frequencies / np.round(divisors, 2)).astype(np.float32))
    assert written.readings[0].method.startswith("LongRoPE of base 10000, divisors [")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", STANDARD)
def test_frequencies_of_a_model_that_was_cast_are_told_with_their_rounding(name, dtype):
    found = yc.identify(torch.tensor(STANDARD[name].inverse_frequencies).to(dtype))
    assert found.rope == STANDARD[name]
    assert found.stored == str(dtype).removeprefix("torch.")
    assert found.frequency_type == found.stored and found.stored in found.roundings[0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("seed", range(8))
def test_what_16_bits_hold_of_no_method_is_none(seed, dtype):
    draw = np.random.default_rng(seed)
    theta = STANDARD["Llama 2 YaRN"].inverse_frequencies
    for table in (
        theta * (1 + 0.02 * draw.normal(size=64)),
        draw.permutation(theta),
        np.sort(draw.uniform(0.01, 1, 64))[::-1],
    ):
        assert yc.identify(torch.tensor(table.copy()).to(dtype)).method == "none"


def test_frequencies_too_small_for_float16_are_no_partial_rotation():
    rope = yc.Rope(128, 1e9)
    table = rope.inverse_frequencies.astype(np.float16)
    assert (table == 0).any() and yc.identify(table).rope == rope
    cos, sin = (part.astype(np.float16) for part in rope.cos_sin(np.arange(8), dtype=np.float32))
    assert (sin[:, -1] == 0).all() and yc.verify((cos, sin), rope)


@pytest.mark.parametrize("name", ["Llama 2", "Llama 2 YaRN", "Qwen 3", "Llama 3", "Gemma 3"])
def test_the_recurrence_of_ggml_is_recognised_in_frequencies(name):
    found = yc.identify(yc.engines.angles(STANDARD[name], [1], phase="float32-recurrence")[0])
    assert found.rope == STANDARD[name]


@pytest.mark.parametrize("seed", range(3))
def test_an_odd_base_is_not_taken_for_the_recurrence_of_a_round_one(seed):
    rope = yc.Rope(96, 269_999_135.66, yc.PositionInterpolation(8.0))
    noise = 1 + np.random.default_rng(seed).uniform(-1.2e-7, 1.2e-7, 48)
    found = yc.identify((rope.inverse_frequencies * noise).astype(np.float32))
    assert found.rope.base == pytest.approx(269_999_135.66, rel=1e-6) and "recurrence" not in str(found)


def test_ramps_that_no_scaling_has_are_named_in_words():
    litgpt = next(r for r in records("engines_executed") if r["name"] == "litgpt: yarn")
    found = yc.identify(litgpt["inv_freq"])
    assert found.rope is None and found.method.startswith("reversed ramp (litgpt): base 10000, factor 4")
    half = next(r for r in records("engines") if "ext_factor 0.5" in r["name"])
    assert yc.identify(half["inv_freq"]).method.startswith("YaRN with extrapolation factor 0.5")
    ntk = next(r for r in records("engines") if r["name"] == "vLLM ntk s=4 base 10000")
    assert "vLLM's ntk of base 10000 and factor 4" in yc.identify(ntk["inv_freq"]).readings[0].note


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (3, TypeError, "x is int; inverse frequencies, a pair of tables"),
        ("abc", TypeError, "x is str"),
        ([], TypeError, "x is list"),
        (np.array([1.0, np.nan]), ValueError, "not finite"),
        (np.array([1.0, -0.5]), ValueError, "negative"),
        (np.array([True, False]), TypeError, "dtype bool"),
        (np.zeros((0,)), ValueError, "shape"),
        (np.geomspace(1, 1e-6, 100_000), ValueError, "of up to 2048 pairs"),
        (torch.empty(4, device="meta"), TypeError, "x is a tensor on meta"),
        (torch.eye(4).to_sparse(), TypeError, "layout torch.sparse_coo; a dense one"),
    ],
)
def test_what_is_no_table_is_told(x, error, words):
    with pytest.raises(error, match=words):
        yc.identify(x)


@pytest.mark.parametrize(
    "x", [[1.0, 5e-324], np.full(32, 1e308), 1e300 * yc.Rope(64).inverse_frequencies, np.full(4, 1e-300)]
)
def test_numbers_beyond_float32_are_no_method_and_overflow_nowhere(x):
    assert yc.identify(x).method == "none"


@pytest.mark.parametrize("scaling", [None, yc.YaRN(8.0, 2048), yc.Proportional(0.75)], ids=repr)
@pytest.mark.parametrize("base", [1e5, 3e5, 7e6])
def test_a_base_of_exact_frequencies_is_not_the_next_double(scaling, base):
    rope = yc.Rope(128, base, scaling)
    assert yc.identify(rope.inverse_frequencies).rope == rope


def test_twice_as_many_pairs_as_any_head_has_are_identified():
    assert yc.identify(yc.Rope(1024, 1e6, yc.YaRN(4.0, 32768)).inverse_frequencies).rope.scaling == yc.YaRN(4.0, 32768)


@pytest.mark.parametrize("level", [1.0, 0.5, 1e-3])
@pytest.mark.parametrize("pairs", [2, 4, 32])
def test_a_constant_table_is_none_and_what_is_nearest_is_not_near(level, pairs):
    noise = 1 + np.random.default_rng(pairs).uniform(-6e-8, 6e-8, pairs)
    for table in (np.full(pairs, level), level * noise):
        found = yc.identify(table)
        assert found.method == "none" and 0.1 < found.nearest.error < 1


def test_what_falls_more_than_any_base_or_rises_or_has_holes_has_an_honest_nearest():
    theta = yc.Rope(64).inverse_frequencies
    for table in (
        theta**5,
        theta[::-1],
        np.where(np.arange(32) % 7, theta, 0),
        np.random.default_rng(1).permutation(theta),
    ):
        found = yc.identify(table)
        assert found.method == "none" and found.nearest.error >= 1


@pytest.mark.parametrize("name", ["plain", "PI", "step"])
@pytest.mark.parametrize("pair", [3, 40, 63])
def test_equal_divisors_with_one_that_differs_are_no_longrope(name, pair):
    scaling = {"plain": None, "PI": yc.PositionInterpolation(4.0), "step": yc.YaRN(8.0, 4096, beta_fast=1)}[name]
    table = yc.Rope(128, 1e4, scaling).inverse_frequencies.copy()
    table[pair] /= 1.0001
    assert yc.identify(table).method == "none"


NEAR_MISSES = {
    "averaged": lambda a, b, draw: (a + b) / 2,
    "shuffled": lambda a, b, draw: draw.permutation(a),
    "noise of 1e-4": lambda a, b, draw: a * (1 + 1e-4 * draw.normal(size=len(a))),
    "four decimals": lambda a, b, draw: np.maximum(np.round(a, 4), 1e-4),
    "from 1 down": lambda a, b, draw: np.concatenate([[1.0], np.sort(draw.uniform(1e-5, 1, len(a) - 1))[::-1]]),
    "linear": lambda a, b, draw: np.linspace(1, 0.01, len(a)),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("miss", NEAR_MISSES)
def test_near_misses_are_none_with_a_nearest(miss, seed):
    draw = np.random.default_rng(seed)
    dim = (16, 32, 64, 128)[seed]
    a = yc.Rope(dim, 1e6, random_scaling(random.Random(seed))).at(8192).inverse_frequencies
    b = yc.Rope(dim, 2e6, yc.YaRN(4.0, 16384)).inverse_frequencies
    found = yc.identify(NEAR_MISSES[miss](a, b, draw))
    assert found.method == "none" and found.nearest.error > 1e-6


# No pair of these is divided by s.
OPEN = (
    yc.Rope(64, 1e4, yc.YaRN(8.0, 2**20)),
    yc.Rope(32, 100, yc.YaRN(4.0, 4096)),
    yc.Rope(128, 1e4, yc.YaRN(40.0, 131072)),
    yc.Rope(64, 1e4, yc.YaRN(4.0, 131072, truncate=False)),
    yc.Rope(16, 150_000, yc.YaRN(16.0, 2**19, truncate=False)),
    yc.Rope(64, 1e4, yc.Llama3(8.0, 131072)),
    yc.Rope(32, 1e4, yc.Llama3(40.0, 131072)),
)


@pytest.mark.parametrize("rope", OPEN, ids=repr)
def test_a_factor_that_no_pair_is_divided_by_is_said_to_be_open_and_no_long_number_is_invented(rope):
    table = rope.inverse_frequencies.astype(np.float32)
    found = yc.identify(table)
    assert found.rope == rope and reproduces(found, table)
    assert any(note.startswith("no pair is divided by the whole factor") for note in found.notes)
    assert len(found.readings) <= 12
    for reading in found.readings:
        assert digits(reading.rope.scaling.factor) <= 2 and digits(reading.rope.scaling.original_length) <= 2, reading
    reached = yc.identify(STANDARD["DeepSeek"].inverse_frequencies)
    assert not any("no pair is divided" in note for note in reached.notes)


@pytest.mark.parametrize("truncate", [True, False])
def test_of_two_thresholds_the_slow_one_is_taken_for_the_tuned_one(truncate):
    rope = yc.Rope(128, 1e4, yc.YaRN(16.0, 4096, beta_slow=2, truncate=truncate))
    assert yc.identify(rope.inverse_frequencies).rope == rope


def test_numbers_that_were_fitted_one_for_each_pair_are_no_method():
    few = yc.identify(
        yc.Rope(8, 1e4, yc.YaRN(32.0, 4096, beta_fast=93.269, beta_slow=3.2943, truncate=False)).inverse_frequencies
    )
    assert few.method == "none" and few.nearest.error < 1e-6
    assert any("as many numbers as they tell" in note for note in few.notes)
    last = STANDARD["Llama 2"].inverse_frequencies.copy()
    last[-1] /= 1.0001  # YaRN of s = 1.0001, whose ramp is a step before the last pair
    assert yc.identify(last).method == "none"


def test_frequencies_in_turns_are_told():
    found = yc.identify(yc.Rope(128).inverse_frequencies / (2 * np.pi))
    assert "turns a token, where radians are expected" in found.readings[0].note


@pytest.mark.parametrize("dim", [4, 6, 8])
def test_few_pairs_that_many_settings_fit_cost_few_ropes(dim, monkeypatch):
    made, rope = [], yc.Rope(dim, 150_000, yc.YaRN(16.0, 293_244))
    monkeypatch.setattr(readings, "Rope", lambda *given: made.append(given) or yc.Rope(*given))
    yc.identify(rope.inverse_frequencies.astype(np.float32))
    assert len(made) <= 150


def test_too_few_pairs_determine_nothing():
    one = yc.identify([0.5, 0.0, 0.0])
    assert one.method == "none" and one.nearest.error == 1 and "whatever the base" in str(one)
    assert yc.identify([1.0]).method == "none"
    assert yc.identify([0.0, 0.0]).notes == ("nothing turns",)
    assert yc.identify([1.0, 0.0, 0.5]).method == "none"
