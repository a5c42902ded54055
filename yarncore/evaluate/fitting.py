"""The temperature and the ramp's thresholds of YaRN, fitted to a model on held-out texts, as the paper chose them for Llama."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from yarncore.evaluate.perplexity import Document, Windows, window_loss
from yarncore.scaling import NTKByParts, YaRN
from yarncore.transformers import extend, restore

Value = TypeVar("Value")
_RESAMPLED = 1000  # of the windows, for the interval
_CLEAR = 2.0  # standard errors of a paired difference


@dataclass(frozen=True, slots=True)
class Point(Generic[Value]):
    """What was measured at one value.

    Attributes
    ----------
    value
    loss : float
        The mean over windows, in nats a token.
    above_best, error : float
        How much that is above the best value that was measured, over the same windows, and the standard error of this difference.
    """

    value: Value
    loss: float
    above_best: float
    error: float


@dataclass(frozen=True, slots=True)
class Fit(Generic[Value]):
    """A recommendation, and what it rests on.

    Attributes
    ----------
    best
        The recommendation.
    interval : tuple
        Where it may lie. Of an attention factor: 95 % of what the same fit gives on resampled windows. Of thresholds: the
        extremes of those that are not clearly worse than the best, by two standard errors.
    curve : tuple of Point
        In rising order of the values.
    length, windows : int
        Tokens of a window, and how many there were.
    at_an_end : bool
        Whether the best is the first or the last value that was tried: the optimum may lie beyond.
    """

    best: Value
    interval: tuple[Value, Value]
    curve: tuple[Point[Value], ...]
    length: int
    windows: int
    at_an_end: bool


def fit_attention_factor(
    model: Any,
    texts: Sequence[Any] | Mapping[str, str],
    scaling: YaRN,
    *,
    tokenizer: Any = None,
    length: int | None = None,
    factors: Sequence[float] | None = None,
    stride: int = 256,
    windows: int = 8,
) -> Fit[float]:
    """The attention factor under which a model predicts held-out texts best, without a fine-tune (arXiv:2309.00071v2, A.2).

    Parameters
    ----------
    model
        A causal language model of transformers; it is as before afterwards.
    texts : sequence of 1-d integer arrays, or mapping of name to text
        Of at least `length` tokens each; shorter ones are left out. Texts as words need the tokenizer.
    scaling : YaRN
        Whose attention factor is fitted.
    tokenizer : optional, keyword-only
    length : int, optional, keyword-only
        Of the windows; s L by default.
    factors : sequence of float, optional, keyword-only
        Tried; 0.1 ln s + 1 and three on either side by default, 0.05 apart.
    stride, windows : int, keyword-only
        Tokens scored at the end of each window, and how many windows of a text, at most.

    Returns
    -------
    Fit
        The best lies between the factors that were tried: on the parabola through the three around the lowest.
    """
    if not isinstance(scaling, YaRN):
        raise TypeError(f"scaling is {scaling!r}; a YaRN is expected")
    centre = 0.1 * math.log(scaling.factor) + 1
    tried = sorted(centre + 0.05 * n for n in range(-3, 4)) if factors is None else sorted(set(map(float, factors)))
    if len(tried) < 3:
        raise ValueError(f"factors has {len(tried)} values; at least 3 are expected")
    losses, used = _losses(
        model, texts, tokenizer, scaling, [dataclasses.replace(scaling, attention_factor=each) for each in tried],
        length, stride, windows,
    )  # fmt: skip
    places = np.array(tried)
    best = _lowest(places, losses.mean(1))
    draw = np.random.default_rng(0)
    again = [
        _lowest(places, losses[:, draw.integers(0, losses.shape[1], losses.shape[1])].mean(1))
        for _ in range(_RESAMPLED)
    ]
    low, high = np.quantile(again, (0.025, 0.975))
    at_an_end = int(losses.mean(1).argmin()) in (0, len(tried) - 1)
    return Fit(best, (float(low), float(high)), _curve(tried, losses), used, losses.shape[1], at_an_end)


def fit_thresholds(
    model: Any,
    texts: Sequence[Any] | Mapping[str, str],
    scaling: NTKByParts,
    *,
    tokenizer: Any = None,
    length: int | None = None,
    beta_fast: Sequence[float] = (8.0, 16.0, 32.0, 64.0),
    beta_slow: Sequence[float] = (0.5, 1.0, 2.0),
    stride: int = 256,
    windows: int = 8,
) -> Fit[tuple[float, float]]:
    """The thresholds (beta_fast, beta_slow) of the ramp under which a model predicts held-out texts best.

    Parameters
    ----------
    scaling : NTKByParts or YaRN
        Whose thresholds are fitted.
    beta_fast, beta_slow : sequence of float, keyword-only
        Tried in every pair whose first is above its second.
    model, texts, tokenizer, length, stride, windows
        As for fit_attention_factor.

    Returns
    -------
    Fit
        The best of the pairs that were tried.
    """
    if not isinstance(scaling, NTKByParts):
        raise TypeError(f"scaling is {scaling!r}; a YaRN or NTKByParts is expected")
    tried = sorted((float(fast), float(slow)) for fast, slow in itertools.product(beta_fast, beta_slow) if fast > slow)
    if not tried:
        raise ValueError(
            f"beta_fast is {beta_fast!r}, beta_slow {beta_slow!r}; a pair with the first above the second is expected"
        )
    losses, used = _losses(
        model, texts, tokenizer, scaling, [dataclasses.replace(scaling, beta_fast=fast, beta_slow=slow) for fast, slow in tried],
        length, stride, windows,
    )  # fmt: skip
    curve = _curve(tried, losses)
    near = [point.value for point in curve if point.above_best <= _CLEAR * point.error]
    interval = ((min(f for f, _ in near), min(s for _, s in near)), (max(f for f, _ in near), max(s for _, s in near)))
    best = tried[int(losses.mean(1).argmin())]
    at_an_end = best[0] in (min(beta_fast), max(beta_fast)) or best[1] in (min(beta_slow), max(beta_slow))
    return Fit(best, interval, curve, used, losses.shape[1], at_an_end)


def _losses(
    model: Any, texts: Any, tokenizer: Any, scaling: NTKByParts, tried: Sequence[NTKByParts],
    length: int | None, stride: int, windows: int,
) -> tuple[np.ndarray[Any, Any], int]:  # fmt: skip
    """Mean losses a token, (values, windows), and the windows' length."""
    used = length or math.floor(scaling.factor * scaling.original_length)
    asked = Windows((used,), stride, windows)
    documents = asked.long_enough(_documents(texts, tokenizer))
    places = [(document, end) for document in documents for end in asked.ends(document)]

    def under(one: NTKByParts) -> list[float]:
        extend(model, one, original_length=one.original_length, replace=True)
        try:
            return [window_loss(model, document, used, end, stride) / stride for document, end in places]
        finally:
            restore(model)

    return np.array([under(one) for one in tried]), used


def _documents(texts: Any, tokenizer: Any) -> list[Document]:
    import torch

    if isinstance(texts, Mapping):
        if tokenizer is None:
            raise TypeError("tokenizer is missing: texts are words, which it makes tokens of")
        return [Document.of(name, text, tokenizer) for name, text in texts.items()]
    return [Document(f"text {n}", torch.as_tensor(tokens)) for n, tokens in enumerate(texts)]


def _curve(values: Sequence[Value], losses: np.ndarray[Any, Any]) -> tuple[Point[Value], ...]:
    above = losses - losses[losses.mean(1).argmin()]
    count = losses.shape[1]
    errors = above.std(1, ddof=1) / math.sqrt(count) if count > 1 else np.full(len(above), math.inf)
    rows = zip(values, losses.mean(1), above.mean(1), errors, strict=True)
    return tuple(Point(value, float(loss), float(more), float(error)) for value, loss, more, error in rows)


def _lowest(places: np.ndarray[Any, Any], means: np.ndarray[Any, Any]) -> float:
    """Where the parabola through the lowest point and its neighbours is lowest; the point itself at an end."""
    n = int(means.argmin())
    if n in (0, len(places) - 1):
        return float(places[n])
    second, first, _ = np.polyfit(places[n - 1 : n + 2] - places[n], means[n - 1 : n + 2], 2)
    return float(places[n] - first / (2 * second)) if second > 0 else float(places[n])
