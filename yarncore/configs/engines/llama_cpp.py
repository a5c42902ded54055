"""llama.cpp with a file that its converter made of a config.json: convert_hf_to_gguf b11434 and the library b11739 and b11549 were
run (tests/goldens/engines_executed.json, tests/engines/records).

The converter drops what GGUF has no key for, and writes temperature and betas under keys that most loaders ignore.
"""

from collections.abc import Callable
from typing import Any

from yarncore.configs.engines.engine import NotRun, RopeKeys, Shape, as_advertised, rope_type_first
from yarncore.configs.model_ropes import Evidence
from yarncore.scaling import Llama3, LongRoPE, PositionInterpolation, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "llama.cpp"
VERSION = "b11739"
EVIDENCE = Evidence("run", "convert_hf_to_gguf b11434, then llama.cpp b11739")

# Whose classes in the converter write llama3 as a tensor of divisors; for those after them it was not run in the library.
_LLAMA = ("llama", "mistral", "mixtral")
_LLAMA_UNRUN = ("apertus", "arcee", "exaone4", "smollm3")
# Whose classes write the two lists of LongRoPE, and no other scaling.
_PHI3 = ("phi3", "phimoe")
_LONGROPE_UNRUN = ("minicpm", "minicpm3")

kind = rope_type_first
served = as_advertised  # context_length, which the converter makes max_position_embeddings


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What a converted file makes llama.cpp compute."""
    method = _phi3 if shape.model_type in _PHI3 and kind != "default" else _METHODS.get(kind, _lost)
    found: Scaling | None = method(keys, shape)
    return found


def _plain(keys: RopeKeys, shape: Shape) -> None:
    return None


def _lost(keys: RopeKeys, shape: Shape) -> None:
    keys.changed(keys.spelled("rope_type", "type"), "the converter makes plain RoPE of it")
    keys.seen.update(keys.mapping)


def _yarn(keys: RopeKeys, shape: Shape) -> Scaling | None:
    factor = keys.number("factor", at_least=1)
    if factor is None:
        _lost(keys, shape)
        return None
    original = keys.original_length(shape)
    betas = (keys.beta("beta_fast"), keys.beta("beta_slow"))
    reads_betas = shape.model_type in ("mistral3", "ministral3")
    if betas != (32.0, 1.0) and not reads_betas:
        keys.ignored("beta_fast", "they are written under keys that the loader does not read: 32 and 1")
        betas = (32.0, 1.0)
    for key in ("attention_factor", "attn_factor"):
        keys.ignored(key, "it is written under a key that has no effect: 0.1 ln s + 1")
    if keys.flag("truncate") is False:
        keys.ignored("truncate", "the bounds of the ramp are always rounded")
    mscale, all_dim = (
        keys.number("mscale", at_least=0, below=2**53),
        keys.number("mscale_all_dim", at_least=0, below=2**53),
    )
    if shape.latent:
        if not all_dim:
            keys.changed(
                "mscale_all_dim", "0 or missing: the temperature counts in cos and sin, and again in the logits"
            )
            return YaRN(factor, original, softmax_mscale=1.0)
        return YaRN(factor, original, mscale=all_dim, mscale_all_dim=all_dim, softmax_mscale=all_dim)
    if mscale and all_dim:
        keys.ignored("mscale", "it and mscale_all_dim are lost: 0.1 ln s + 1")
    return YaRN(factor, original, beta_fast=betas[0], beta_slow=betas[1])


def _linear(keys: RopeKeys, shape: Shape) -> Scaling | None:
    factor = keys.number("factor", at_least=1, below=2**53)
    if factor is None:
        _lost(keys, shape)
        return None
    return PositionInterpolation(factor)


def _llama3(keys: RopeKeys, shape: Shape) -> Scaling | None:
    if shape.model_type in _LLAMA_UNRUN:
        raise NotRun(
            f"the converter writes divisors of llama3 for {shape.model_type!r}; whether the library takes them was not run"
        )
    if shape.model_type not in _LLAMA:
        _lost(keys, shape)
        return None
    numbers = (keys.number(f"{end}_freq_factor", above=0) for end in ("low", "high"))
    low, high = (given or default for given, default in zip(numbers, (1.0, 4.0), strict=True))
    factor = keys.number("factor", at_least=1, below=2**53) or 8.0
    original = keys.length("original_max_position_embeddings") or 8192
    return Llama3(factor, original, low_freq_factor=low, high_freq_factor=high)


def _longrope(keys: RopeKeys, shape: Shape) -> None:
    if shape.model_type in _LONGROPE_UNRUN:
        raise NotRun(f"what the converter makes of LongRoPE for model_type {shape.model_type!r} was not run")
    _lost(keys, shape)


def _phi3(keys: RopeKeys, shape: Shape) -> Scaling | None:
    """Divisors as tensors; one list for all positions of a context, the long one where it is longer than L."""
    original = keys.length("original_max_position_embeddings")
    if original is None:
        raise keys.missing("original_max_position_embeddings", "the converter fails without it")
    short, long = keys.numbers("short_factor"), keys.numbers("long_factor")
    if long is None:
        _lost(keys, shape)
        return None
    if short is None:
        raise keys.missing("short_factor", "the converter fails without it")
    for key in ("factor", "attention_factor", "short_mscale", "long_mscale"):
        keys.ignored(key, "the converter takes max_position_embeddings / original_max_position_embeddings")
    context = shape.served or shape.max_position or original
    chosen = long if -(-context // 256) * 256 > original else short
    keys.changed(
        "long_factor" if chosen is long else "short_factor", f"for every position of a context of {context} tokens"
    )
    factor = max(1.0, (shape.max_position or original) / original)
    return LongRoPE(short_factor=chosen, long_factor=chosen, original_length=original, factor=factor)


_METHODS: dict[str, Callable[[RopeKeys, Shape], Any]] = {
    "default": _plain,
    "yarn": _yarn,
    "linear": _linear,
    "llama3": _llama3,
    "longrope": _longrope,
}
