"""A scaling as it is typed is the one that it names, and what cannot be read is an error that says what can."""

import pytest

import yarncore as yc
from yarncore.evaluate.scalings import parse_scaling


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("plain", None),
        ("pi:2", yc.PositionInterpolation(2)),
        ("ntk:4", yc.NTKAware(4)),
        ("ntk-by-parts:4", yc.NTKByParts(4, 512)),
        ("yarn:4", yc.YaRN(4, 512)),
        (
            "yarn:2.5,beta_fast=2,beta_slow=0.5,truncate=false",
            yc.YaRN(2.5, 512, beta_fast=2, beta_slow=0.5, truncate=False),
        ),
        ("yarn:4,original_length=256,attention_factor=1", yc.YaRN(4, 256, attention_factor=1)),
        ("dynamic-pi", yc.DynamicPositionInterpolation(512)),
        ("dynamic-ntk", yc.DynamicNTK(512, 1)),
        ("dynamic-ntk:2", yc.DynamicNTK(512, 2)),
        ("dynamic-yarn,steps=doubling,max_factor=8", yc.DynamicYaRN(512, steps="doubling", max_factor=8)),
    ],
)
def test_it_is_the_scaling_that_it_names(typed, meant):
    assert parse_scaling(typed, 512) == meant


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("yam:4", "yam:4.*; as-is, plain, pi, ntk, ntk-by-parts, yarn"),
        ("yarn", "a factor is expected, as in yarn:4"),
        ("yarn:four", "'four' is no number"),
        ("yarn:0.5", "factor"),
        ("yarn:4,gamma=2", "'gamma=2' is none of attention_factor="),
        ("plain:4", "plain takes neither"),
        ("dynamic-yarn:4", "takes no factor"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_what_can(typed, says):
    with pytest.raises(ValueError, match=says):
        parse_scaling(typed, 512)
