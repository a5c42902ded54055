"""Query scales by themselves: their numbers, what they refuse, and that models' own functions say the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scales import FROM_ONE, LOG_N, SCALES, STEPS, factors
from transformers.models.ministral3.modeling_ministral3 import get_llama_4_attn_scale as of_ministral3
from transformers.models.mistral4.modeling_mistral4 import get_llama_4_attn_scale as of_mistral4

import yarncore as yc
from yarncore.query_scale.query_scale import joined, of_letters

POSITIONS = np.array([-7, 0, 1, 46, 47, 48, 62, 63, 64, 65, 127, 128, 4095, 4096, 10**6, 2**31 - 1])


@pytest.mark.parametrize("scale", SCALES, ids=repr)
class TestNumbers:
    def test_are_the_formula_s(self, scale):
        # a logarithm is within an ulp, and the rest rounds twice
        assert np.allclose(scale.at(POSITIONS), factors(scale, POSITIONS), rtol=4 * 2.0**-53, atol=0)

    def test_are_the_same_in_every_framework(self, scale, xp):
        made = scale.at(xp.asarray(POSITIONS))
        assert np.allclose(np.asarray(made), scale.at(POSITIONS), rtol=4 * 2.0**-53, atol=0)

    def test_without_64_bits_are_right_to_float32(self, scale):
        with jax.enable_x64(False):
            made = np.asarray(scale.at(jnp.asarray(POSITIONS.astype(np.int32))))
        assert made.dtype == np.float32
        assert np.allclose(made, factors(scale, POSITIONS), rtol=4 * 2.0**-24, atol=0)

    def test_of_one_position_are_a_float(self, scale):
        assert type(scale.at(5000)) is float
        assert scale.at(5000) == scale.at([5000])[0]
        assert scale.at(63.5) == scale.at([63.5])[0]

    def test_are_at_fractions_what_they_are_at_the_whole_number_before_it_where_they_are_steps(self, scale):
        if scale is LOG_N:
            assert scale.at(63.5) == pytest.approx(np.log(64.5) / np.log(64))
        else:
            assert scale.at(POSITIONS[1:] + 0.5).tolist() == scale.at(POSITIONS[1:]).tolist()

    def test_of_the_inverse_undo_them(self, scale):
        assert np.allclose(scale.inverse.at(POSITIONS) * scale.at(POSITIONS), 1, rtol=2.0**-52, atol=0)
        assert scale.inverse.inverse == scale

    def test_survive_letters_repr_and_hash(self, scale):
        for one in (scale, scale.inverse):
            assert of_letters(one.letters) == one
        assert eval(repr(scale), vars(yc)) == scale
        assert len({scale, eval(repr(scale), vars(yc))}) == 1


@pytest.mark.parametrize("function", [of_ministral3, of_mistral4])
def test_log_steps_are_what_ministral_3_and_mistral_4_compute(function):
    # Below 2^24: they divide in float32. Their scale has float32's rounding.
    positions = torch.tensor([[0, 1, 16383, 16384, 32767, 32768, 65536, 262143]])
    theirs = function(positions, 0.1, 16384)[0, 0, :, 0]
    ours = yc.LogSteps(0.1, 16384).at(positions[0])
    assert theirs.dtype == torch.float32
    assert torch.allclose(theirs.double(), ours, rtol=2.0**-23, atol=0)


def test_that_no_scale_comes_of_no_letters():
    assert of_letters("") is None


def test_joining_is_adding_nothing_or_undoing():
    assert joined(None, STEPS) == joined(STEPS, None) == STEPS
    assert joined(STEPS, STEPS.inverse) is joined(STEPS.inverse, STEPS) is None
    for other in (STEPS, FROM_ONE, FROM_ONE.inverse):
        with pytest.raises(ValueError, match="for_keys"):
            joined(STEPS, other)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: yc.LogSteps(0, 64), ValueError, "beta is 0; a finite number > 0"),
        (lambda: yc.LogSteps(-0.1, 64), ValueError, "beta is -0.1"),
        (lambda: yc.LogSteps(float("nan"), 64), ValueError, "beta is nan"),
        (lambda: yc.LogSteps("0.1", 64), TypeError, "beta is '0.1'"),
        (lambda: yc.LogSteps(True, 64), TypeError, "beta is True"),
        (lambda: yc.LogSteps(0.1, 0), ValueError, "original_length is 0"),
        (lambda: yc.LogSteps(0.1, 64.5), ValueError, "original_length is 64.5"),
        (lambda: yc.LogSteps(0.1, 64, -1), ValueError, "offset is -1"),
        (lambda: yc.LogSteps(0.1, 64, 2**31), ValueError, "offset is 2147483648"),
        (lambda: yc.LogSteps(0.1, 64, 1.0), TypeError, "offset is 1.0"),
        (lambda: yc.LogN(1), ValueError, "original_length is 1; a number of tokens >= 2"),
        (lambda: yc.LogN("64"), TypeError, "original_length is '64'"),
        (lambda: STEPS.at("5"), TypeError, "positions has dtype"),
        (lambda: STEPS.at(np.array([True])), TypeError, "positions has dtype bool"),
        (lambda: STEPS.at(float("nan")), ValueError, "positions has NaN or infinite entries"),
        (lambda: LOG_N.at(np.array([1.0, np.nan])), ValueError, "positions has NaN or infinite entries"),
        (lambda: STEPS.inverse.at(torch.tensor([np.inf])), ValueError, "positions has NaN or infinite entries"),
        (lambda: yc.Rope(8, query_scale=0.1), TypeError, "query_scale is 0.1; None, LogSteps"),
        (lambda: yc.Rope(8, sections=(2, 1, 1), query_scale=STEPS), ValueError, "several positions"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.parametrize("scale", SCALES, ids=repr)
def test_of_a_traced_nan_is_nan(scale):
    made = np.asarray(jax.jit(scale.at)(jnp.asarray([np.nan, 0.0, 63.5])))
    assert np.isnan(made[0]) and np.allclose(made[1:], scale.at([0.0, 63.5]), rtol=4 * np.finfo(made.dtype).eps, atol=0)
