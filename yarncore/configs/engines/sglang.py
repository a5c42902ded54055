"""SGLang 0.5.23: get_rope was run on every type (tests/goldens/engines_executed.json)."""

from collections.abc import Callable, Mapping
from typing import Any

from yarncore.configs.engines.engine import RopeKeys, Served, Shape, rope_type_first, stretched, t
from yarncore.configs.keys import Keys
from yarncore.configs.model_ropes import Evidence
from yarncore.errors import ConfigError
from yarncore.scaling import Llama3, LongRoPE, NTKAware, PositionInterpolation, Proportional, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "sglang"
VERSION = "0.5.23"
EVIDENCE = Evidence("run", "SGLang 0.5.23, python/sglang/srt/layers/rotary_embedding.py, get_rope; ModelConfig")

LENGTHS = ("max_sequence_length", "seq_length", "max_seq_len", "model_max_length", "max_position_embeddings")

kind = rope_type_first


def served(model: Keys, ropes: Mapping[str, RopeKeys], advertised: int | None) -> Served:
    """The first of five keys, times the factor of one dict for all layers that has no original length.

    SGLang 0.5.23, python/sglang/srt/utils/hf_transformers/common.py, get_context_length. transformers has put an original
    length into the dicts of YaRN and LongRoPE before.
    """
    given = {key: model.length(key) for key in LENGTHS} | {LENGTHS[-1]: advertised}
    key = next((key for key in LENGTHS if given[key] is not None), LENGTHS[-1])
    longest, rope = given[key], ropes.get("")
    if longest is not None and rope is not None and kind(rope) not in ("yarn", "longrope", "llama3"):
        told = "original_max_position_embeddings" in rope.mapping
        longest = longest if told else stretched(longest, rope.mapping.get("factor"))
    return Served(longest, longest, key)


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What the engine computes for a rope_type."""
    method = _METHODS.get(kind)
    if method is None:
        raise keys.error(keys.spelled("rope_type", "type"), "a type that SGLang knows")
    found: Scaling | None = method(keys, shape)
    return found


def _plain(keys: RopeKeys, shape: Shape) -> None:
    return None


def _yarn(keys: RopeKeys, shape: Shape) -> Scaling:
    if shape.latent:
        return _of_deepseek(keys, shape)
    factor = _factor(keys)
    original = keys.original_length(shape)
    mscale, all_dim = (
        keys.number("mscale", at_least=0, below=2**53),
        keys.number("mscale_all_dim", at_least=0, below=2**53),
    )
    both = mscale is not None and all_dim is not None
    if both and keys.has("mrope_section"):
        raise keys.error("mscale", "none beside mrope_section, which SGLang fails on,")
    for key in ("attention_factor", "apply_yarn_scaling", "finetuned"):
        keys.ignored(key, "SGLang does not read it here")
    if both and mscale and not all_dim:
        keys.changed("mscale_all_dim", "0 counts: the factor is t(s, mscale)")
    m = t(factor, mscale or 0.0) / t(factor, all_dim or 0.0) if both else t(factor, 1.0)
    multiplier = _multiplier(keys)
    _check_extrapolation(keys)
    return YaRN(
        factor,
        original,
        beta_fast=keys.beta("beta_fast"),
        beta_slow=keys.beta("beta_slow"),
        truncate=_truncate(keys),
        attention_factor=None if multiplier == 1 else m * multiplier,
        mscale=mscale if both else None,
        mscale_all_dim=all_dim if both else None,
    )


def _of_deepseek(keys: RopeKeys, shape: Shape) -> Scaling:
    """m = t(s, M) / t(s, A), M = 1 and A = 0 where absent, times attn_factor; t(s, A)^2 on the logits of latent attention."""
    factor, original = _factor(keys), keys.original_length(shape)
    mscale, all_dim = (
        keys.number("mscale", at_least=0, below=2**53),
        keys.number("mscale_all_dim", at_least=0, below=2**53),
    )
    mscale, all_dim = 1.0 if mscale is None else mscale, all_dim or 0.0
    keys.ignored("attention_factor", "SGLang does not read it")
    if keys.flag("truncate") is False:
        keys.ignored("truncate", "the bounds of the ramp are always rounded")
    _check_extrapolation(keys)
    multiplier = _multiplier(keys)
    off = [key for key in ("apply_yarn_scaling", "apply_scale") if keys.flag(key) is False]
    if off and shape.latent:
        keys.changed(off[0], "false takes the factor from the logits")
    m = t(factor, mscale) / t(factor, all_dim)
    return YaRN(
        factor,
        original,
        beta_fast=keys.beta("beta_fast"),
        beta_slow=keys.beta("beta_slow"),
        attention_factor=None if multiplier == 1 else m * multiplier,
        mscale=mscale,
        mscale_all_dim=all_dim,
        softmax_mscale=all_dim if shape.latent and all_dim and not off else None,
    )


def _factor(keys: RopeKeys) -> float:
    # get_rope alone takes 1; the transformers 5.19.0 that reads the file for it refuses one without.
    return keys.required("factor", "SGLang fails without it, and on null")


def _multiplier(keys: RopeKeys) -> float:
    multiplier = keys.number("attn_factor", above=0)
    if multiplier not in (None, 1):
        keys.changed("attn_factor", "multiplies the factor of cos and sin")
    return multiplier or 1.0


def _truncate(keys: RopeKeys) -> bool:
    if "truncate" in keys.mapping and keys.raw("truncate") is None:
        keys.changed("truncate", "null means false: the bounds are not rounded")
        return False
    truncate = keys.flag("truncate")
    return True if truncate is None else truncate


def _check_extrapolation(keys: RopeKeys) -> None:
    if keys.number("extrapolation_factor", at_least=0) not in (None, 1):
        raise keys.error(
            "extrapolation_factor", "1, since SGLang multiplies the ramp by it, which no scaling here says,"
        )


def _linear(keys: RopeKeys, shape: Shape) -> Scaling:
    factor = keys.required("factor", "SGLang fails without it")
    if isinstance(keys.raw("factor"), int):
        raise keys.error("factor", f"{factor:.1f}, since SGLang fails on a whole number without a point,")
    return PositionInterpolation(factor)


def _dynamic(keys: RopeKeys, shape: Shape) -> Scaling:
    alpha = keys.number("alpha", at_least=1)
    keys.seen.update(("beta_fast", "beta_slow", "mscale", "mscale_all_dim"))
    factor = keys.number("factor", at_least=1)
    if alpha is not None:
        return NTKAware(alpha)
    if factor is None:
        raise keys.missing("factor", "SGLang fails without it")
    keys.changed("rope_type", f"one base for every length, that of {factor:g} times max_position_embeddings")
    return NTKAware(factor * factor - factor + 1)


def _llama3(keys: RopeKeys, shape: Shape) -> Scaling:
    given = {
        "low_freq_factor": keys.number("low_freq_factor", above=0),
        "high_freq_factor": keys.number("high_freq_factor", above=0),
    }
    for key, value in given.items():
        if value is None:
            keys.changed(key, "missing: Llama 3.1's is taken")
    ends = {key: value for key, value in given.items() if value is not None}
    return Llama3(keys.required("factor", "SGLang fails without it"), keys.original_length(shape), **ends)


def _longrope(keys: RopeKeys, shape: Shape) -> Scaling:
    short, long = keys.numbers("short_factor"), keys.numbers("long_factor")
    if short is None or long is None:
        raise keys.missing("short_factor" if short is None else "long_factor", "SGLang fails without it")
    original = keys.original_length(shape)
    for key in ("factor", "attention_factor"):
        keys.ignored(key, "SGLang takes max_position_embeddings / original_max_position_embeddings")
    own = {key: keys.number(key, above=0) for key in ("short_mscale", "long_mscale")}
    if len(set(own.values())) > 1:
        raise ConfigError(
            f"{keys.name('short_mscale')} and long_mscale differ; one number for both is what a scaling here says"
        )
    keys.changed(
        "long_factor",
        f"from a position of {original + 1} on: a sequence of {original + 1} tokens still has the short one",
    )
    factor = max(1.0, (shape.max_position or original) / original)
    return LongRoPE(
        short_factor=short,
        long_factor=long,
        original_length=original,
        factor=factor,
        attention_factor=own["long_mscale"],
    )


def _proportional(keys: RopeKeys, shape: Shape) -> Scaling:
    keys.ignored("factor", "SGLang divides nothing by it")
    return Proportional(keys.number("partial_rotary_factor", above=0) or 1.0)


_METHODS: dict[str, Callable[[RopeKeys, Shape], Any]] = {
    "default": _plain,
    "mrope": _plain,
    "yarn": _yarn,
    "deepseek_yarn": _of_deepseek,
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "longrope": _longrope,
    "proportional": _proportional,
}
