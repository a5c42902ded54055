"""onnxruntime-genai 0.18.0: its builders' tables were made (tests/engines/records, tests/goldens/engines_executed.json).

The builder of Llama has llama3 alone and turns everything else into plain RoPE without a word; those of Qwen3 and Mistral
have yarn and linear. Other builders were not run.
"""

from yarncore.configs.engines.engine import NotRun, RopeKeys, Shape, as_advertised, rope_type_first
from yarncore.configs.model_ropes import Evidence
from yarncore.scaling import Llama3, PositionInterpolation, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "genai"
VERSION = "0.18.0"
EVIDENCE = Evidence("run", "onnxruntime-genai 0.18.0, models/builder.py, its table of cos and sin")

_LLAMA, _OTHERS = ("llama",), ("mistral", "qwen3")
_NEED_FACTOR = ("linear", "dynamic", "yarn")

kind = rope_type_first
served = as_advertised


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What the builder of the model's type makes of a rope_type."""
    if kind == "default":
        return None
    if shape.model_type in _LLAMA:
        return _of_llama(kind, keys, shape)
    if shape.model_type not in _OTHERS:
        raise NotRun(
            f"{keys.where}: the builder of model_type {shape.model_type!r} was not run; those of llama, mistral and qwen3 were"
        )
    if kind == "linear":
        return PositionInterpolation(keys.required("factor", "the builder fails without it"))
    if kind == "yarn":
        return _yarn(keys, shape)
    raise keys.error(keys.spelled("rope_type", "type"), "yarn or linear, which this builder has,")


def _of_llama(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    if kind != "llama3":
        if kind in _NEED_FACTOR:
            keys.required("factor", "transformers reads the file for the builder, and fails without it")
        keys.changed(keys.spelled("rope_type", "type"), "this builder makes plain RoPE of it, without a word")
        keys.seen.update(keys.mapping)
        return None
    low, high = (keys.required(f"{end}_freq_factor", "the builder fails without it", 0) for end in ("low", "high"))
    factor = keys.required("factor", "the builder fails without it")
    return Llama3(factor, keys.original_length(shape), low_freq_factor=low, high_freq_factor=high)


def _yarn(keys: RopeKeys, shape: Shape) -> Scaling:
    factor, original = keys.required("factor", "the builder fails without it"), keys.original_length(shape)
    if keys.number("partial_rotary_factor", above=0) not in (None, 1):
        raise keys.error("partial_rotary_factor", "1, since the builder fails on a part of the head with yarn,")
    betas = {key: keys.number(key, above=0) for key in ("beta_fast", "beta_slow")}
    for key, value in betas.items():
        if value is None:
            raise keys.missing(key, "the builder divides by zero without it")
    fast, slow = betas["beta_fast"] or 0.0, betas["beta_slow"] or 0.0
    if fast == slow:
        raise keys.error("beta_fast", "another number than beta_slow, since the builder stops on equal ones,")
    if keys.flag("truncate") is not False:
        keys.changed("truncate", "the bounds of the ramp are never rounded")
    keys.ignored("attention_factor", "the builder does not read it")
    mscale, all_dim = (
        keys.number("mscale", at_least=0, below=2**53),
        keys.number("mscale_all_dim", at_least=0, below=2**53),
    )
    both = bool(mscale) and bool(all_dim)
    if mscale and not both:
        keys.changed("mscale", "alone it is the factor of cos and sin itself")
    return YaRN(
        factor,
        original,
        beta_fast=fast,
        beta_slow=slow,
        truncate=False,
        attention_factor=mscale if mscale and not both else None,
        mscale=mscale if both else None,
        mscale_all_dim=all_dim if both else None,
    )
