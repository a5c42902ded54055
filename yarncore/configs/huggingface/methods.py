"""rope_type -> scaling: which keys each method of transformers reads, and what they mean.

Source: transformers 5.24.0, modeling_rope_utils.py. To add a method: a function and a row in METHODS.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from yarncore.configs.huggingface.facts import Facts
from yarncore.configs.keys import Keys, warn
from yarncore.errors import ConfigError
from yarncore.scaling import (
    DynamicNTK,
    Llama3,
    LongRoPE,
    NTKAware,
    PositionInterpolation,
    Proportional,
    YaRN,
)
from yarncore.scaling.scaling import Scaling
from yarncore.scaling.yarn import temperature


@dataclass(frozen=True, slots=True)
class Model:
    """What a method has to know of the model beside its own dict."""

    config: Keys
    facts: Facts
    pairs: int

    @property
    def advertised_length(self) -> int | None:
        """max_position_embeddings, under the name that the file has for it."""
        keys = (*self.facts.length_keys, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
        return next((self.config.length(key) for key in keys if self.config.has(key)), None)

    def maximum(self, why: str) -> int:
        """The advertised length, or that of the class; an error says what it is needed for."""
        length = self.advertised_length or self.config.length("max_position_embeddings")
        if length is None:
            raise self.config.missing("max_position_embeddings", why)
        if self.advertised_length is None:
            warn(f"{self.config.name('max_position_embeddings')} is missing; that of its class is {length}")
        return length


def _factor(rope: Keys) -> float:
    factor = rope.number("factor", at_least=1, below=2**53)
    if factor is None:
        raise rope.missing("factor", "how far the context is stretched, a number >= 1")
    return factor


def _original_length(rope: Keys, model: Model) -> int:
    """L: beside the dict (Phi-3) or inside it, else max_position_embeddings as transformers takes it."""
    outside = model.config.length("original_max_position_embeddings")
    inside = rope.length("original_max_position_embeddings")
    if outside is not None and inside is not None and outside != inside:
        raise ConfigError(
            f"{rope.name('original_max_position_embeddings')} is {inside} and "
            f"{model.config.name('original_max_position_embeddings')} is {outside}; they must agree"
        )
    original = outside if outside is not None else inside
    maximum = model.advertised_length
    if original is None:
        original = model.maximum("it stands in for original_max_position_embeddings, which is missing too")
        warn(
            f"{rope.name('original_max_position_embeddings')} is missing; transformers takes max_position_embeddings = "
            f"{original}, which need not be the trained length",
            finding=True,
        )
    elif maximum is not None and original > maximum:
        raise ConfigError(
            f"{rope.name('original_max_position_embeddings')} is {original} and max_position_embeddings is {maximum}; a "
            "model is not trained on more than it advertises"
        )
    return original


def _check_target(rope: Keys, model: Model, factor: float, original: int) -> None:
    maximum = model.advertised_length
    if maximum is None or maximum == factor * original:
        return
    if maximum == original:
        warn(
            f"{rope.name('factor')} is {factor:g}, but max_position_embeddings is still {maximum}, the original length: "
            f"engines will not go on to {factor * original:g}",
            finding=True,
        )
    else:
        warn(
            f"{rope.name('factor')} is {factor:g} and original_max_position_embeddings {original}, but their product "
            f"{factor * original:g} is not max_position_embeddings = {maximum}",
            finding=True,
        )


def _plain(rope: Keys, model: Model) -> None:
    return None


def _linear(rope: Keys, model: Model) -> Scaling:
    return PositionInterpolation(_factor(rope))


def _dynamic(rope: Keys, model: Model) -> Scaling:
    alpha = rope.number("alpha", at_least=1)
    if alpha is not None:
        if not model.facts.alpha:
            raise rope.error("alpha", "no alpha with a model_type that is not known to read it")
        rope.seen.update(("factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"))  # written, never read, there
        return NTKAware(alpha)
    return DynamicNTK(model.maximum("the dynamic method counts from it"), _factor(rope))


def _yarn(rope: Keys, model: Model) -> Scaling:
    if "short_factor" in rope.mapping:  # early Phi-3 files call LongRoPE yarn
        return _longrope(rope, model)
    original = _original_length(rope, model)
    factor = rope.number("factor", at_least=1)
    if factor is None:
        if "factor" not in rope.mapping:
            _factor(rope)
        factor = model.maximum("it gives the factor, which is null") / original
        warn(f"{rope.name('factor')} is null; transformers takes max_position_embeddings / {original} = {factor:g}")
    else:
        _check_target(rope, model, factor, original)
    mscale, all_dim = (
        rope.number("mscale", at_least=0, below=2**53),
        rope.number("mscale_all_dim", at_least=0, below=2**53),
    )
    attention_factor = rope.number("attention_factor", above=0)
    ratio = bool(mscale) and bool(all_dim)  # transformers: 0 counts as absent
    if attention_factor is None and bool(mscale) != bool(all_dim):
        given = "mscale" if mscale else "mscale_all_dim"
        warn(f"{rope.name(given)} is given alone: transformers ignores it and uses 0.1 ln s + 1", finding=True)
    on_softmax = all_dim if model.facts.softmax_mscale and all_dim else None
    beta_fast, beta_slow = rope.number("beta_fast", at_least=0) or 32.0, rope.number("beta_slow", at_least=0) or 1.0
    if beta_fast < beta_slow:
        raise ConfigError(
            f"{rope.name('beta_fast')} is {beta_fast:g} and beta_slow is {beta_slow:g}; beta_fast >= beta_slow is expected "
            "(exchanged?)"
        )
    truncate = rope.flag("truncate")
    _warn_of_attention_multiplier(rope)
    return YaRN(
        factor=factor,
        original_length=original,
        beta_fast=beta_fast,
        beta_slow=beta_slow,
        truncate=True if truncate is None else truncate,
        attention_factor=attention_factor,
        mscale=mscale if ratio else None,
        mscale_all_dim=all_dim if ratio else None,
        softmax_mscale=on_softmax,
    )


def _telechat(rope: Keys, model: Model) -> Scaling:
    """TeleChat3: YaRN whose attention factor is 0.07 ln s + 1 (vLLM 0.33.0, run; mlx-lm takes YaRN's own 0.1)."""
    for key in ("attention_factor", "mscale", "mscale_all_dim", "short_factor"):
        if rope.has(key):
            raise rope.error(key, "none beside telechat3-yarn, which has an attention factor of its own,")
    scaling = _yarn(rope, model)
    assert isinstance(scaling, YaRN)
    return replace(scaling, attention_factor=float(temperature(np.float64(scaling.factor), 0.7, np)))


def _warn_of_attention_multiplier(rope: Keys) -> None:
    multiplier = rope.number("attn_factor", above=0)
    if multiplier not in (None, 1):
        warn(
            f"{rope.name('attn_factor')} is {multiplier:g}: transformers does not read it, nor is it read here; engines that do "
            "multiply the attention factor by it",
            finding=True,
        )


def _longrope(rope: Keys, model: Model) -> Scaling:
    short, long = rope.numbers("short_factor"), rope.numbers("long_factor")
    for key, values in (("short_factor", short), ("long_factor", long)):
        if values is None:
            raise rope.missing(key, f"a list of rotary_dim / 2 = {model.pairs} numbers")
        if len(values) != model.pairs:
            raise ConfigError(
                f"{rope.name(key)} has {len(values)} entries; rotary_dim / 2 = {model.pairs} are expected"
            )
    original = _original_length(rope, model)
    factor = rope.number("factor", at_least=1)
    if factor is None:
        factor = max(1.0, model.maximum("it gives the longest length") / original)
    attention_factor = rope.number("attention_factor", above=0)
    short_mscale, long_mscale = rope.number("short_mscale", above=0), rope.number("long_mscale", above=0)
    if short_mscale is not None or long_mscale is not None:
        if short_mscale != long_mscale or (attention_factor is not None and attention_factor != long_mscale):
            raise ConfigError(
                f"{rope.name('short_mscale')} is {short_mscale!r} and long_mscale {long_mscale!r}; one number for both, and "
                "the same as attention_factor, is expected"
            )
        attention_factor = long_mscale
    assert short is not None
    assert long is not None
    return LongRoPE(
        short_factor=short, long_factor=long, original_length=original, factor=factor, attention_factor=attention_factor
    )


def _llama3(rope: Keys, model: Model) -> Scaling:
    low, high = rope.number("low_freq_factor", above=0), rope.number("high_freq_factor", above=0)
    for key, value in (("low_freq_factor", low), ("high_freq_factor", high)):
        if value is None:
            raise rope.missing(key, "a number of turns within the original length")
    assert low is not None
    assert high is not None
    if low > high:
        raise ConfigError(
            f"{rope.name('low_freq_factor')} is {low:g} and high_freq_factor {high:g}; low <= high is expected"
        )
    factor, original = _factor(rope), _original_length(rope, model)
    return Llama3(factor, original, low_freq_factor=low, high_freq_factor=high)


def _proportional(rope: Keys, model: Model) -> Scaling:
    part = rope.number("partial_rotary_factor", above=0)
    if part is None and model.facts.rotary_dim["keys"]:  # a part under another name, which the method does not read
        raise rope.missing("partial_rotary_factor", "how much of a head turns")
    return Proportional(1.0 if part is None else part, rope.number("factor", at_least=1) or 1.0)


METHODS: dict[str, Callable[[Keys, Model], Scaling | None]] = {
    "default": _plain,
    "linear": _linear,
    "dynamic": _dynamic,
    "yarn": _yarn,
    "longrope": _longrope,
    "llama3": _llama3,
    "proportional": _proportional,
    "axial": _plain,  # sections with a series each, not another frequency
    # Other names of the same methods, in older files and in other engines' overrides.
    "mrope": _plain,
    "su": _longrope,
    "deepseek_yarn": _yarn,
    "telechat3-yarn": _telechat,
}

# vllm-project/vllm, vllm/model_executor/layers/rotary_embedding/ntk_scaling_rope.py; the files' own code was not read.
NOT_EXPRESSIBLE = {
    "ntk": "engines read it as the base times factor with all frequencies divided by factor^(2 / rotary_dim), which no scaling "
    "here says yet (NTKAware is another method)",
}

# Classes that raise for any other type (transformers 5.24.0, models/phi3/configuration_phi3.py and
# models/phi4_multimodal/configuration_phi4_multimodal.py, where su and yarn are names of longrope).
TAKES_ONLY = dict.fromkeys(("phi3", "phi4_multimodal"), ("default", "longrope", "su", "yarn"))

# Keys that stand in rope dicts and change nothing in any version of transformers.
IRRELEVANT = frozenset(["finetuned"])
