"""Megatron-Core 0.16.1, if its classes were given the numbers of a config.json: RotaryEmbedding and YarnRotaryEmbedding were run
(tests/engines/records), what latent attention passes to the latter, and multiplies its logits by, was read in
megatron/core/transformer/multi_latent_attention.py of the same version. It reads no config.json itself.
"""

from yarncore.configs.engines.engine import RopeKeys, Shape, as_advertised, rope_type_first, t
from yarncore.configs.model_ropes import Evidence
from yarncore.scaling import Llama3, PositionInterpolation, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "megatron"
VERSION = "0.16.1"
EVIDENCE = Evidence("run", "Megatron-Core 0.16.1, megatron/core/models/common/embeddings")

# What _apply_scaling of RotaryEmbedding always takes.
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}

kind = rope_type_first
served = as_advertised  # no length is checked


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What its classes compute with the same numbers."""
    if kind == "default":
        return None
    if kind == "linear":
        return PositionInterpolation(keys.required("factor", "seq_len_interpolation_factor"))
    if kind == "llama3":
        return _llama3(keys)
    if kind == "yarn":
        return _yarn(keys, shape)
    raise keys.error(keys.spelled("rope_type", "type"), "linear, llama3 or yarn, which Megatron has,")


def _llama3(keys: RopeKeys) -> Scaling:
    factor = keys.required("factor", "rope_scaling_factor")
    for key, always in _LLAMA3.items():
        given = keys.number(key, at_least=0)
        if given is not None and given != always:
            keys.changed(key, f"it is always {always:g}")
    return Llama3(factor, 8192)


def _yarn(keys: RopeKeys, shape: Shape) -> Scaling:
    if shape.partial:
        raise keys.error(
            "rope_type", "another type, since YaRN turns all of a head there, and this model a part of it,"
        )
    factor = keys.number("factor", at_least=1, below=2**53)
    if factor is None:
        keys.changed("factor", "missing: 1 is taken, which is plain RoPE")
        factor = 1.0
    mscale, all_dim = (keys.number(key, at_least=0, below=2**53) for key in ("mscale", "mscale_all_dim"))
    if shape.latent:  # the fields of its configuration are 1 and 0 where nothing is said
        mscale, all_dim = 1.0 if mscale is None else mscale, all_dim or 0.0
    both = mscale is not None and all_dim is not None  # 0 counts
    if not both:
        keys.ignored("mscale" if all_dim is None else "mscale_all_dim", "alone it is passed over, as in transformers")
    m = t(factor, mscale or 0.0) / t(factor, all_dim or 0.0) if both else t(factor, 1.0)
    for key in ("attention_factor", "attn_factor"):
        keys.ignored(key, f"the factor is {m:.6g}")
    truncate = keys.flag("truncate")
    if shape.latent and truncate is False:
        keys.ignored("truncate", "latent attention always rounds the bounds of the ramp")
    return YaRN(
        factor,
        keys.original_length(shape, otherwise=4096),
        beta_fast=keys.beta("beta_fast"),
        beta_slow=keys.beta("beta_slow"),
        truncate=truncate is not False or shape.latent,
        mscale=mscale if both else None,
        mscale_all_dim=all_dim if both else None,
        softmax_mscale=all_dim or None if shape.latent else None,
    )
