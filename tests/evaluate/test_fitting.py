"""A planted optimum is found: texts that a model wrote under one temperature are predicted best under the same."""

import dataclasses

import pytest
import torch
from tiny_models import tiny_llama
from tokenizers_in_code import bytes_tokenizer

import yarncore as yc
from yarncore.evaluate.fitting import fit_attention_factor, fit_thresholds
from yarncore.transformers import extend, restore

LENGTH = 256
YARN = yc.YaRN(4.0, 64)


@pytest.fixture(scope="module")
def model():
    """Sharp attention, so that its temperature and its frequencies matter."""
    made = tiny_llama(max_position_embeddings=64, hidden_size=64, num_key_value_heads=2)
    with torch.no_grad():
        for layer in made.model.layers:
            layer.self_attn.q_proj.weight *= 2
    return made


def written_under(model, scaling, count=24):
    """Texts that the model writes, each token drawn from what it predicts: no other scaling predicts them better, on average."""
    torch.manual_seed(5)
    extend(model, scaling)
    try:
        with torch.no_grad():
            return list(
                model.generate(
                    input_ids=torch.randint(0, 256, (count, 1)), do_sample=True, top_k=0, top_p=1.0, temperature=1.0,
                    min_new_tokens=LENGTH - 1, max_new_tokens=LENGTH - 1,
                )
            )  # fmt: skip
    finally:
        restore(model)


@pytest.mark.parametrize("planted", [1.0, 1.3])
def test_a_planted_attention_factor_is_found(model, planted):
    texts = written_under(model, dataclasses.replace(YARN, attention_factor=planted))
    before = [parameter.clone() for parameter in model.parameters()]
    fit = fit_attention_factor(
        model, texts, YARN, factors=[0.8 + 0.1 * n for n in range(8)], stride=LENGTH - 1, windows=1
    )
    # A hundredth for the parabola, which is not quite the curve between factors 0.1 apart.
    assert fit.interval[0] - 0.01 <= planted <= fit.interval[1] + 0.01
    assert fit.best == pytest.approx(planted, abs=0.05)
    assert fit.interval[1] - fit.interval[0] < 0.2
    assert not fit.at_an_end
    assert (fit.length, fit.windows) == (256, 24)
    assert [point.value for point in fit.curve] == sorted(point.value for point in fit.curve)
    assert min(point.above_best for point in fit.curve) == 0
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    with pytest.raises(ValueError, match="not extended"):
        restore(model)


@pytest.mark.parametrize("planted", [(8.0, 1.0), (2.0, 0.5)])
def test_planted_thresholds_are_found(model, planted):
    texts = written_under(model, dataclasses.replace(YARN, beta_fast=planted[0], beta_slow=planted[1]))
    fit = fit_thresholds(
        model, texts, YARN, beta_fast=(1, 2, 8, 32), beta_slow=(0.25, 0.5, 1, 2), stride=LENGTH - 1, windows=1
    )
    assert fit.best == planted
    low, high = fit.interval
    assert low[0] <= planted[0] <= high[0]
    assert low[1] <= planted[1] <= high[1]
    assert (2.0, 2.0) not in [point.value for point in fit.curve]


def test_texts_may_be_words(model):
    text = "".join(f"{n} comes before {n + 1}. " for n in range(40))
    fit = fit_attention_factor(
        model, {"numbers": text, "short": "no"}, YARN, tokenizer=bytes_tokenizer(), stride=64, windows=3
    )
    assert fit.windows == 3
    assert [point.value for point in fit.curve] == pytest.approx([1.1386294361119891 + 0.05 * n for n in range(-3, 4)])


@pytest.mark.parametrize(
    ("call", "raised", "says"),
    [
        (
            lambda m: fit_attention_factor(m, [torch.zeros(300, dtype=torch.long)], yc.NTKAware(4)),
            TypeError,
            "a YaRN is expected",
        ),
        (
            lambda m: fit_thresholds(m, [torch.zeros(300, dtype=torch.long)], yc.NTKAware(4)),
            TypeError,
            "a YaRN or NTKByParts",
        ),
        (lambda m: fit_attention_factor(m, {"a": "b"}, YARN), ValueError, "stride is 256; 1 to 255"),
        (lambda m: fit_attention_factor(m, {"a": "b"}, YARN, stride=8), TypeError, "tokenizer is missing"),
        (
            lambda m: fit_attention_factor(m, [torch.zeros(30, dtype=torch.long)], YARN, stride=8),
            ValueError,
            "longest text has 30 tokens",
        ),
        (
            lambda m: fit_attention_factor(m, [torch.zeros(300, dtype=torch.long)], YARN, factors=[1, 1.1]),
            ValueError,
            "at least 3",
        ),
        (
            lambda m: fit_thresholds(m, [torch.zeros(300, dtype=torch.long)], YARN, beta_fast=[1], beta_slow=[1]),
            ValueError,
            "a pair",
        ),
    ],
)
def test_what_cannot_be_fitted_is_an_error(model, call, raised, says):
    with pytest.raises(raised, match=says):
        call(model)
