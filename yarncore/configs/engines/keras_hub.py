"""KerasHub 0.32.0, if its RotaryEmbedding layer were given the numbers of a config.json: the layer was run
(tests/engines/records, tests/goldens/engines_executed.json). Its converters were not.
"""

from yarncore.configs.engines.engine import RopeKeys, Shape, as_advertised, rope_type_first
from yarncore.configs.model_ropes import Evidence
from yarncore.scaling import PositionInterpolation, YaRN
from yarncore.scaling.scaling import Scaling

NAME = "keras-hub"
VERSION = "0.32.0"
EVIDENCE = Evidence("run", "KerasHub 0.32.0, keras_hub/layers, RotaryEmbedding")

kind = rope_type_first
served = as_advertised  # no length is checked


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What the layer computes with the same numbers."""
    if kind == "default":
        return None
    factor = keys.number("factor", at_least=1, below=2**53)
    if factor is None:
        keys.changed("factor", "missing: 1 is taken, which is plain RoPE")
        factor = 1.0
    if kind == "linear":
        return PositionInterpolation(factor)
    if kind == "dynamic":
        if shape.rotary_dim <= 2:
            raise keys.error("rope_type", "another type, since the layer divides by rotary_dim - 2 = 0,")
        keys.changed("rope_type", "every frequency is divided by one number: linear scaling")
        return PositionInterpolation(factor ** (shape.rotary_dim / (shape.rotary_dim - 2)))
    if kind == "yarn":
        return _yarn(keys, shape, factor)
    raise keys.error(keys.spelled("rope_type", "type"), "linear, dynamic or yarn, which the layer has,")


def _yarn(keys: RopeKeys, shape: Shape, factor: float) -> Scaling:
    for key in ("attention_factor", "attn_factor", "mscale", "mscale_all_dim"):
        keys.ignored(key, "the factor is 0.1 ln s + 1")
    truncate = keys.flag("truncate")
    return YaRN(
        factor,
        keys.original_length(shape, otherwise=4096),
        beta_fast=keys.beta("beta_fast"),
        beta_slow=keys.beta("beta_slow"),
        truncate=True if truncate is None else truncate,
    )
