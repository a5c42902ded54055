"""mlx-lm 0.32.2: initialize_rope was run on every type, and DeepSeek's attention built (tests/goldens/engines_executed.json)."""

from collections.abc import Callable
from typing import Any

from yarncore.configs.engines.engine import RopeKeys, Shape, as_advertised, t
from yarncore.configs.model_ropes import Evidence
from yarncore.scaling import DynamicNTK, Llama3, LongRoPE, PositionInterpolation, Proportional, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "mlx-lm"
VERSION = "0.32.2"
EVIDENCE = Evidence("run", "mlx-lm 0.32.2, mlx_lm/models/rope_utils.py, initialize_rope")

_UNREAD = ("attention_factor", "attn_factor", "extrapolation_factor", "finetuned")

served = as_advertised  # no length is checked; max_position_embeddings is what there is to say


def kind(keys: RopeKeys) -> str:
    """type before rope_type."""
    return keys.type_of("type", "rope_type")


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What the engine computes for a rope_type."""
    method = _METHODS.get(kind)
    if method is None:
        raise keys.error(keys.spelled("type", "rope_type"), "a type that mlx-lm knows")
    found: Scaling | None = method(keys, shape)
    return found


def _plain(keys: RopeKeys, shape: Shape) -> None:
    return None


def _several_positions(keys: RopeKeys, shape: Shape) -> None:
    for key in ("factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"):
        keys.ignored(key, "mrope is plain RoPE there")


def _yarn(keys: RopeKeys, shape: Shape) -> Scaling:
    """Each of mscale and mscale_all_dim counts on its own: 1 and 0 where absent."""
    factor = keys.required("factor", "mlx-lm fails without it")
    original = keys.original_length(shape, otherwise=4096)
    mscale, all_dim = (
        keys.number("mscale", at_least=0, below=2**53),
        keys.number("mscale_all_dim", at_least=0, below=2**53),
    )
    if (mscale is None) != (all_dim is None):
        keys.changed("mscale" if all_dim is None else "mscale_all_dim", "alone it counts, too")
    mscale, all_dim = 1.0 if mscale is None else mscale, all_dim or 0.0
    for key in _UNREAD:
        keys.ignored(key, f"the factor is {t(factor, mscale) / t(factor, all_dim):.6g}")
    if keys.flag("truncate") is False:
        keys.ignored("truncate", "the bounds of the ramp are always rounded")
    return YaRN(
        factor,
        original,
        beta_fast=keys.beta("beta_fast"),
        beta_slow=keys.beta("beta_slow"),
        mscale=mscale,
        mscale_all_dim=all_dim,
        softmax_mscale=all_dim if shape.latent and all_dim else None,
    )


def _linear(keys: RopeKeys, shape: Shape) -> Scaling:
    return PositionInterpolation(keys.required("factor", "mlx-lm fails without it"))


def _dynamic(keys: RopeKeys, shape: Shape) -> Scaling:
    factor = keys.required("factor", "mlx-lm fails without it")
    if shape.max_position is None:
        raise keys.missing("original_max_position_embeddings", "max_position_embeddings, from which the method counts")
    keys.ignored("original_max_position_embeddings", "the method counts from max_position_embeddings")
    return DynamicNTK(shape.max_position, factor)


def _llama3(keys: RopeKeys, shape: Shape) -> Scaling:
    low, high = (keys.required(f"{end}_freq_factor", "mlx-lm fails without it", 0) for end in ("low", "high"))
    factor = keys.required("factor", "mlx-lm fails without it")
    return Llama3(factor, keys.original_length(shape), low_freq_factor=low, high_freq_factor=high)


def _longrope(keys: RopeKeys, shape: Shape) -> Scaling:
    long = keys.numbers("long_factor")
    if long is None:
        raise keys.missing("long_factor", "mlx-lm fails without it")
    keys.numbers("short_factor")
    keys.ignored("short_factor", "the long list is taken at every length")
    for key in ("factor", "attention_factor", "short_mscale", "long_mscale"):
        keys.ignored(key, "mlx-lm takes max_position_embeddings / original_max_position_embeddings")
    original = keys.original_length(shape)
    factor = max(1.0, (shape.max_position or original) / original)
    return LongRoPE(short_factor=long, long_factor=long, original_length=original, factor=factor)


def _proportional(keys: RopeKeys, shape: Shape) -> Scaling:
    return Proportional(keys.number("partial_rotary_factor", above=0) or 1.0, keys.number("factor", at_least=1) or 1.0)


_METHODS: dict[str, Callable[[RopeKeys, Shape], Any]] = {
    "default": _plain,
    "mrope": _several_positions,
    "yarn": _yarn,
    "deepseek_yarn": _yarn,
    "telechat3-yarn": _yarn,
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "longrope": _longrope,
    "proportional": _proportional,
}
