"""verify: a match, or the reasons why not."""

import re

import numpy as np
import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

import yarncore as yc

YARN = yc.Rope(128, 1e4, yc.YaRN(16.0, 4096))


def tables(rope, factor=1.0, positions=None, **how):
    at = np.arange(600) if positions is None else positions
    return tuple(factor * table for table in yc.engines.cos_sin(rope, at, **how))


MATCHES = {
    "frequencies": YARN.inverse_frequencies,
    "in float32": YARN.inverse_frequencies.astype(np.float32),
    "other betas of the same table": yc.Rope(
        128, 1e4, yc.YaRN(16.0, 8192, beta_fast=64, beta_slow=2)
    ).inverse_frequencies,
    "tables": tables(YARN),
    "ggml's tables": tables(YARN, phase="float32-recurrence"),
    "exact tables": YARN.cos_sin(np.arange(600), dtype=np.float32),
    "a function": lambda q, k, p: YARN.rotate(q, k, p, heads_axis=-2),
    "a Rotation": YARN.at(),
}


@pytest.mark.parametrize("name", MATCHES)
def test_what_rotates_so_matches(name):
    found = yc.verify(MATCHES[name], YARN)
    assert found and found.matches and not found.reasons, str(found)


DIFFERS = {
    "the ramp was not rounded": (yc.Rope(128, 1e4, yc.YaRN(16.0, 4096, truncate=False)).inverse_frequencies, "25 of 64 frequencies differ \\(pairs 21 to 45\\)"),
    "told what it is": (yc.Rope(128, 1e4).inverse_frequencies, "it is Rope\\(head_dim=128\\)"),
    "another number of pairs": (yc.Rope(64).inverse_frequencies, "it has 32 frequencies, 64 are expected"),
    "nothing known": (YARN.inverse_frequencies * np.linspace(1, 1.1, 64) ** 2, "no method that is known; nearest"),
    "without a temperature": (tables(yc.Rope(128, 1e4, yc.NTKByParts(16.0, 4096))), "the temperature is missing"),
    "temperature twice": (tables(YARN, YARN.at().attention_factor), "applied twice"),
    "another amplitude": (tables(YARN, 1.1), "amplitude 1.40"),
    "negated": ((tables(YARN)[0], -tables(YARN)[1]), "sin is negated"),
    "bfloat16 positions": (tables(YARN, position_type="bfloat16"), "positions were rounded to bfloat16"),
    "interleaved": (lambda q, k, p: yc.Rope(128, 1e4, YARN.scaling, interleaved=True).rotate(q, k, p, heads_axis=-2), "pairs are \\(2i, 2i\\+1\\)"),
    "backwards": (lambda q, k, p: yc.Rope(128, 1e4, YARN.scaling, reversed=True).rotate(q, k, p, heads_axis=-2), "minus the position"),
    "k by another factor": (lambda q, k, p: YARN.rotate(q, 2 * k, p, heads_axis=-2), "k is rotated otherwise"),
    "cast": (torch.tensor(YARN.inverse_frequencies).bfloat16(), "rounded to bfloat16"),
}  # fmt: skip


PLAIN = yc.Rope(128)
AT = np.arange(600)


def turning(q_factor=1.0, k_factor=1.0, rope=YARN, positions=lambda p: p):
    def rotate(q, k, p):
        q, k = rope.rotate(q, k, positions(np.asarray(p)), heads_axis=-2)
        return q_factor * q, k_factor * k

    return rotate


# What was given, what is expected, and what the reasons must say.
MISTAKES = {
    "positions counted from 1": (tables(YARN, positions=AT + 1), YARN, "turns by position p \\+ 1 where p is given"),
    "rows that begin elsewhere": (tables(YARN, positions=AT + 500), YARN, "turns by position p \\+ 500"),
    "the same of a function": (turning(positions=lambda p: p + 1), YARN, "turns by position p \\+ 1"),
    "left padding": (tables(YARN, positions=np.maximum(AT - 10, 0)), YARN, "rows 0 to 4 are those of positions 0, 0, 0, 0, 0, of 0, 1, 2"),
    "positions that wrap": (tables(YARN, positions=AT % 64), YARN, "those of positions 62, 63, 0, 1, 2, 3, of 62, 63, 64"),
    "nothing turns": (tables(YARN, positions=0 * AT), YARN, "nothing turns"),
    "positions doubled": (turning(positions=lambda p: 2 * p), YARN, "2 times the one expected: positions are doubled"),
    "rotated twice": (lambda q, k, p: turning()(*turning()(q, k, p), p), YARN, "or it rotates twice"),
    "cos and sin exchanged": (tables(YARN)[::-1], YARN, "are they exchanged"),
    "temperature on cos alone": ((tables(YARN)[0], tables(YARN, 1 / YARN.at().attention_factor)[1]), YARN, "cos has the amplitude 1.27726 and sin 1"),
    "temperature on q alone": (turning(k_factor=1 / YARN.at().attention_factor), YARN, "k is rotated otherwise than q: its amplitude is 1, that of q 1.27726"),
    "k does not turn": (lambda q, k, p: (turning()(q, k, p)[0], k), YARN, "no element of k turns"),
    "q does not turn": (lambda q, k, p: (q, turning()(q, k, p)[1]), YARN, "no element of q turns"),
    "the root of the temperature": (tables(YARN, YARN.at().attention_factor ** -0.5), YARN, "the root of the temperature"),
    "a temperature too much": (tables(YARN), yc.Rope(128, 1e4, yc.NTKByParts(16.0, 4096)), "a temperature that should not be there"),
    "turns": (YARN.inverse_frequencies / (2 * np.pi), YARN, "turns a token, where radians"),
    "degrees": (YARN.inverse_frequencies * (180 / np.pi), YARN, "degrees a token"),
    "wavelengths": (2 * np.pi / YARN.inverse_frequencies, YARN, "wavelengths in tokens"),
    "not inverse": (1 / PLAIN.inverse_frequencies, PLAIN, "one divided by the one expected"),
    "the base's root": (yc.Rope(128, 100).inverse_frequencies, PLAIN, "square root of the one expected"),
    "the base's root, scaled": (yc.Rope(128, 100, YARN.scaling).inverse_frequencies, YARN, "its base 100 is the square root of 10000"),
    "the base's square": (yc.Rope(128, 1e8).inverse_frequencies, PLAIN, "square of the one expected"),
    "multiplied by the factor": (4 * PLAIN.inverse_frequencies, yc.Rope(128, 1e4, yc.PositionInterpolation(4.0)), "multiplied by the factor 4, where it divides"),
    "in reverse": (YARN.inverse_frequencies[::-1], YARN, "in reverse order"),
    "in another order": (np.random.default_rng(0).permutation(YARN.inverse_frequencies), YARN, "in another order"),
    "one for each element": (np.repeat(YARN.inverse_frequencies, 2), YARN, "twice, side by side"),
    "one for each half": (np.tile(YARN.inverse_frequencies, 2), YARN, "twice, one row after the other"),
}  # fmt: skip


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    "rope", [(64, 1e6, yc.Proportional(0.25)), (256, 1e6, yc.YaRN(496.0, 2048, truncate=False))], ids=["still", "slow"]
)
def test_pairs_that_stand_or_hardly_turn_at_the_end_are_no_fewer_pairs(rope, interleaved):
    rope = yc.Rope(*rope, interleaved=interleaved)
    found = yc.verify(turning(rope=rope), rope, positions=np.arange(8))
    assert found, str(found)
    assert not yc.verify(turning(rope=rope), yc.Rope(rope.head_dim, 2e6, rope.scaling, interleaved=interleaved))


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_is_named(name):
    x, rope, words = MISTAKES[name]
    found = yc.verify(x, rope)
    assert not found
    assert any(re.search(words, reason) for reason in found.reasons), str(found)


@pytest.mark.parametrize("positions", [AT + 7, AT + 4096, AT - 300])
def test_rows_of_other_positions_are_identified_as_such(positions):
    found = yc.identify(yc.engines.cos_sin(YARN, positions))
    assert found.rope == YARN and found.position_shift == positions[0]
    assert "where p is given" in str(found)
    assert yc.identify(yc.engines.cos_sin(YARN, positions), positions=positions).position_shift == 0


@pytest.mark.parametrize("name", DIFFERS)
def test_what_rotates_otherwise_is_told_why(name):
    x, words = DIFFERS[name]
    found = yc.verify(x, YARN)
    assert not found
    assert any(re.search(words, reason) for reason in found.reasons), str(found)


def test_a_reversed_rope_is_one_whose_function_turns_back_and_whose_tables_do_not():
    back = yc.Rope(64, 1e4, reversed=True)
    assert yc.verify(lambda q, k, p: back.rotate(q, k, p, heads_axis=-2), back)
    assert yc.verify(tables(yc.Rope(64)), back)


def test_scalings_that_look_at_the_length_are_compared_at_one():
    dynamic = yc.Rope(64, 1e4, yc.DynamicYaRN(4096))
    twice = yc.Rope(64, 1e4, yc.YaRN(2.0, 4096)).inverse_frequencies
    assert yc.verify(twice, dynamic, length=8192)
    assert not yc.verify(twice, dynamic, length=4096)


def test_a_live_module_is_compared_with_its_configuration():
    parameters = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32768}
    config = LlamaConfig(head_dim=64, hidden_size=128, num_attention_heads=2, max_position_embeddings=131072, rope_parameters=parameters)  # fmt: skip
    module = LlamaRotaryEmbedding(config)
    assert yc.verify(module, yc.from_config(config))
    assert yc.verify(module, yc.ropes_from_config(config))
    other = yc.verify(module, yc.Rope(64, 1e6))
    assert not other and other.reasons[0].startswith("LlamaRotaryEmbedding: ")


def test_only_a_rope_can_be_expected():
    with pytest.raises(TypeError, match="rope is str"):
        yc.verify([1.0, 0.1, 0.01], "yarn")
    with pytest.raises(ValueError, match="2 different Ropes, of full, sliding"):
        yc.verify([1.0, 0.1, 0.01], {"full": yc.Rope(6), "sliding": yc.Rope(6, 1e6)})
    with pytest.raises(TypeError, match="rope has str for 'full'; a Rope or None"):
        yc.verify([1.0, 0.1, 0.01], {"full": "yarn"})


SCALE = yc.LogSteps(beta=0.1, original_length=16)
SCALED = yc.Rope(64, 1e4, yc.YaRN(4.0, 4096), query_scale=SCALE)
UNSCALED = yc.Rope(64, 1e4, yc.YaRN(4.0, 4096))


def function_of(rope):
    return lambda q, k, p: rope.rotate(q, k, p, heads_axis=-2)


@pytest.mark.parametrize(
    "scale", [SCALE, yc.LogSteps(0.1, 8192), yc.LogSteps(0.3, 8192, offset=1), yc.LogN(2048)], ids=repr
)
def test_queries_are_looked_at_where_their_scale_begins(scale):
    rope = yc.Rope(64, 1e4, UNSCALED.scaling, query_scale=scale)
    found = yc.verify(function_of(rope), rope)
    assert found and not any("query" in note or "queries" in note for note in found.notes), str(found)
    assert yc.verify(function_of(rope.at()), rope.at())
    other = yc.verify(function_of(UNSCALED), rope)
    assert len(other.reasons) == 1 and "are multiplied by 1, by 1." in other.reasons[0], str(other)


def test_queries_that_are_multiplied_and_should_not_be_are_a_reason():
    found = yc.identify(function_of(SCALED), head_dim=64)
    assert found.rope == UNSCALED and found.scales_queries and found.same_for_k
    assert any("from 1 to 1.20" in note for note in found.notes), found.notes
    (reason,) = yc.verify(function_of(SCALED), UNSCALED).reasons
    assert "q is multiplied by its position" in reason
    both = yc.verify(lambda q, k, p: SCALED.rotate(q, k, p, heads_axis=-2, query=True), SCALED)
    assert both.reasons == ("k is rotated otherwise than q: it is multiplied by its position",)


def test_a_scale_that_does_not_show_is_a_note():
    long = yc.Rope(64, 1e4, UNSCALED.scaling, query_scale=yc.LogSteps(0.1, 8192))
    for x in (UNSCALED.inverse_frequencies, UNSCALED.cos_sin(np.arange(64))):
        found = yc.verify(x, long)
        assert found and any("does not show here" in note for note in found.notes)
    near = yc.verify(function_of(UNSCALED), long, positions=np.arange(64))
    assert near and any("up to 63: it was not seen" in note for note in near.notes)
    assert not yc.verify(function_of(UNSCALED), SCALED, positions=np.arange(64))
    of_two = yc.verify(lambda q, k: UNSCALED.rotate(q, k, None, heads_axis=-2), long)
    assert of_two and any("up to 127: it was not seen" in note for note in of_two.notes)


def test_another_part_of_the_head_is_a_reason():
    there, here = (yc.Rope(64, 1e4, rotary_dim=16, rotary_start=start) for start in (8, 0))
    (reason,) = yc.verify(function_of(there), here).reasons
    assert "from element 8 on, from 0 on is expected" in reason
    assert yc.verify(function_of(there), there) and yc.verify(function_of(there.at()), there.at())


def test_another_order_of_the_elements_is_a_note():
    def reordering(q, k, p):
        halves = [np.concatenate([x[..., 0::2], x[..., 1::2]], -1) for x in (q, k)]
        return yc.Rope(64).rotate(*halves, p, heads_axis=-2)

    found = yc.verify(reordering, yc.Rope(64, interleaved=True))
    assert found and any("another order" in note for note in found.notes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("expected", [UNSCALED, SCALED], ids=["plain", "scaled"])
def test_a_function_in_16_bits_matches_as_far_as_these_tell(dtype, expected):
    like = torch.zeros(1, dtype=dtype)
    found = yc.verify(function_of(expected), expected, like=like)
    assert found, str(found)
    other = yc.verify(function_of(SCALED if expected is UNSCALED else UNSCALED), expected, like=like)
    assert len(other.reasons) == 1, str(other)
