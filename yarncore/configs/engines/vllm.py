"""vLLM 0.33.0: get_rope and DeepseekV2Attention were run on every type (tests/goldens/engines_executed.json)."""

from collections.abc import Callable, Mapping
from typing import Any

from yarncore.configs.engines.engine import RopeKeys, Served, Shape, stretched, t
from yarncore.configs.keys import Keys
from yarncore.configs.model_ropes import Evidence
from yarncore.errors import ConfigError
from yarncore.scaling import Llama3, LongRoPE, NTKAware, PositionInterpolation, Proportional, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "vllm"
VERSION = "0.33.0"
EVIDENCE = Evidence("run", "vLLM 0.33.0, vllm/model_executor/layers/rotary_embedding, get_rope; ModelConfig")

LENGTHS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length", "max_target_positions",
    "max_sequence_length", "max_seq_length", "seq_len",
)  # fmt: skip
# max_position_embeddings is the extended length with these.
_EXTENDED = ("longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling", "telechat3-yarn")
_UNREAD = ("attn_factor", "extrapolation_factor", "apply_yarn_scaling", "finetuned", "beta")


def kind(keys: RopeKeys) -> str:
    """rope_type; vLLM's configuration code rewrites older names, and refuses two that disagree."""
    old, new = keys.raw("type"), keys.raw("rope_type")
    if old is not None and new is not None and old != new:
        raise ConfigError(f"{keys.name('rope_type')} is {new!r} and type is {old!r}; vLLM refuses them")
    found = keys.type_of("rope_type", "type")
    return "longrope" if found == "su" else found


def served(model: Keys, ropes: Mapping[str, RopeKeys], advertised: int | None) -> Served:
    """model_max_length, else the least of some keys, times the factor of all but YaRN, Llama 3 and LongRoPE.

    vLLM 0.33.0, vllm/transformers_utils/model_arch_config_convertor.py, derive_max_model_len_and_key, and
    vllm/config/model.py, _get_and_verify_max_len. model_max_length of a tokenizer_config.json counts for pooling models of
    absolute positions alone.
    """
    given = {key: model.length(key) for key in LENGTHS} | {LENGTHS[0]: advertised}
    known = {key: value for key, value in given.items() if value is not None}
    if not known:
        return Served(None, None)
    key = "model_max_length" if "model_max_length" in known else min(known, key=known.__getitem__)
    factor = None
    for rope in ropes.values():
        factor = factor if kind(rope) in _EXTENDED else rope.mapping.get("factor", factor)
    longest = stretched(known[key], None if "gemma3" in str(model.raw("model_type")) else factor)
    original = model.length("original_max_position_embeddings")
    at_first = original is not None and any(kind(rope) == "longrope" for rope in ropes.values())
    return Served(longest, original if at_first else longest, key)


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What the engine computes for a rope_type."""
    method = _METHODS.get(kind)
    if method is None:
        raise keys.error(keys.spelled("rope_type", "type"), "a type that vLLM knows")
    found: Scaling | None = method(keys, shape)
    return found


def _plain(keys: RopeKeys, shape: Shape) -> None:
    return None


def _several_positions(keys: RopeKeys, shape: Shape) -> None:
    if not keys.has("mrope_section"):
        raise keys.missing("mrope_section", "vLLM fails on mrope without it")


def _yarn(keys: RopeKeys, shape: Shape) -> Scaling:
    for key in _UNREAD:
        keys.ignored(key, "vLLM does not read it")
    for key in ("beta_fast", "beta_slow"):
        if key in keys.mapping and not keys.has(key):
            raise keys.error(key, "a number, since vLLM fails on null,")
    if shape.latent:
        return _of_deepseek(keys, shape)
    factor, original = keys.required("factor", "vLLM fails without it"), keys.original_length(shape)
    m = keys.number("attention_factor", above=0)
    mscale, all_dim = (
        keys.number("mscale", at_least=0, below=2**53),
        keys.number("mscale_all_dim", at_least=0, below=2**53),
    )
    both = bool(mscale) and bool(all_dim)
    if m is None and not both and (mscale or all_dim):
        keys.ignored("mscale" if mscale else "mscale_all_dim", "alone it is passed over, as in transformers")
    if keys.has("mrope_section"):
        keys.changed("original_max_position_embeddings", f"the ramp of M-RoPE is made with {4 * original}")
        original *= 4
    truncate = keys.flag("truncate")
    return YaRN(
        factor,
        original,
        beta_fast=keys.beta("beta_fast"),
        beta_slow=keys.beta("beta_slow"),
        truncate=True if truncate is None else truncate,
        attention_factor=m,
        mscale=mscale if both else None,
        mscale_all_dim=all_dim if both else None,
    )


def _of_deepseek(keys: RopeKeys, shape: Shape) -> Scaling:
    """m = t(s, M) / t(s, A) with M = 1 and A = 0 where absent; t(s, A)^2 on the logits of latent attention."""
    factor, original = keys.required("factor", "vLLM fails without it"), keys.original_length(shape)
    mscale, all_dim = (
        keys.number("mscale", at_least=0, below=2**53),
        keys.number("mscale_all_dim", at_least=0, below=2**53),
    )
    mscale, all_dim = 1.0 if mscale is None else mscale, all_dim or 0.0
    given = keys.number("attention_factor", above=0)
    if given == 1 and shape.latent:
        keys.changed("attention_factor", "1.0 takes the factor from the logits, and nothing else")
    elif given is not None:
        keys.ignored("attention_factor", f"the factor is {t(factor, mscale) / t(factor, all_dim):.6g}")
    if keys.flag("truncate") is False:
        keys.ignored("truncate", "the bounds of the ramp are always rounded")
    return YaRN(
        factor,
        original,
        beta_fast=keys.beta("beta_fast"),
        beta_slow=keys.beta("beta_slow"),
        mscale=mscale,
        mscale_all_dim=all_dim,
        softmax_mscale=all_dim if shape.latent and all_dim and given != 1 else None,
    )


def _telechat(keys: RopeKeys, shape: Shape) -> Scaling:
    factor = keys.required("factor", "vLLM fails without it")
    return YaRN(
        factor,
        keys.original_length(shape),
        beta_fast=keys.beta("beta_fast"),
        beta_slow=keys.beta("beta_slow"),
        attention_factor=t(factor, 0.7),  # 0.07 ln s + 1
    )


def _linear(keys: RopeKeys, shape: Shape) -> Scaling:
    factor = keys.required("factor", "vLLM fails without it")
    if isinstance(keys.raw("factor"), int):
        raise keys.error("factor", f"{factor:.1f}, since vLLM fails on a whole number without a point,")
    return PositionInterpolation(factor)


def _dynamic(keys: RopeKeys, shape: Shape) -> Scaling | None:
    alpha, factor = keys.number("alpha", at_least=1), keys.number("factor", at_least=1)
    keys.ignored("original_max_position_embeddings", "the dynamic method of vLLM does not read it")
    if alpha is not None:
        keys.seen.update(("beta_fast", "beta_slow", "mscale", "mscale_all_dim"))
        return NTKAware(alpha)
    if factor is None:
        raise keys.missing("factor", "vLLM wants it or alpha")
    trained = keys.length("max_trained_positions")
    if trained is None or shape.max_position is None:
        keys.changed("rope_type", "without max_trained_positions the base stays what it is: plain RoPE")
        return None
    return NTKAware(max(1.0, factor * shape.max_position / trained - (factor - 1)))


def _llama3(keys: RopeKeys, shape: Shape) -> Scaling:
    low, high = (keys.required(f"{end}_freq_factor", "vLLM fails without it", 0) for end in ("low", "high"))
    return Llama3(
        keys.required("factor", "vLLM fails without it"),
        keys.original_length(shape),
        low_freq_factor=low,
        high_freq_factor=high,
    )


def _longrope(keys: RopeKeys, shape: Shape) -> Scaling:
    """One list for all lengths: the long one where more than L tokens are to be served."""
    short, long = keys.numbers("short_factor"), keys.numbers("long_factor")
    if short is None or long is None:
        raise keys.missing("short_factor" if short is None else "long_factor", "vLLM fails without it")
    original = keys.original_length(shape)
    for key in ("factor", "attention_factor"):
        keys.ignored(key, "vLLM takes max_position_embeddings / original_max_position_embeddings")
    served = shape.served or shape.max_position or original
    chosen = long if served > original else short
    m = keys.number("long_mscale" if served > original else "short_mscale", above=0)
    keys.seen.update(("long_mscale", "short_mscale"))
    keys.changed(
        "long_factor" if served > original else "short_factor", f"for every position, since {served} tokens are served"
    )
    factor = max(1.0, (shape.max_position or original) / original)
    return LongRoPE(
        short_factor=chosen, long_factor=chosen, original_length=original, factor=factor, attention_factor=m
    )


def _proportional(keys: RopeKeys, shape: Shape) -> Scaling:
    keys.ignored("factor", "vLLM divides nothing by it")
    return Proportional(keys.number("partial_rotary_factor", above=0) or 1.0)


def _ntk(keys: RopeKeys, shape: Shape) -> Scaling:
    raise keys.error(
        "rope_type", "a method that a scaling here says: vLLM divides pair i by factor^((2i + 2) / rotary_dim),"
    )


_METHODS: dict[str, Callable[[RopeKeys, Shape], Any]] = {
    "default": _plain,
    "mrope": _several_positions,
    "yarn": _yarn,
    "deepseek_yarn": _of_deepseek,
    "deepseek_llama_scaling": _of_deepseek,
    "telechat3-yarn": _telechat,
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "longrope": _longrope,
    "proportional": _proportional,
    "ntk": _ntk,
}
