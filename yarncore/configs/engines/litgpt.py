"""litgpt 0.5.13, if its rope_adjustments were given the numbers of a config.json: GPT.rope_cache was run
(tests/engines/records, tests/goldens/engines_executed.json). It reads no config.json itself.
"""

from yarncore.configs.engines.engine import RopeKeys, Shape, as_advertised, rope_type_first
from yarncore.configs.model_ropes import Evidence
from yarncore.errors import ConfigError
from yarncore.scaling import Llama3, PositionInterpolation
from yarncore.scaling.scaling import Scaling

NAME = "litgpt"
VERSION = "0.5.13"
EVIDENCE = Evidence("run", "litgpt 0.5.13, litgpt/model.py, build_rope_cache")

kind = rope_type_first
served = as_advertised  # block_size, which one sets


def scaling(kind: str, keys: RopeKeys, shape: Shape) -> Scaling | None:
    """What it computes with the same numbers."""
    if kind == "default":
        return None
    factor = keys.required("factor", "litgpt fails without it")
    if kind == "linear":
        return PositionInterpolation(factor)
    if kind == "llama3":
        low, high = (keys.required(f"{end}_freq_factor", "litgpt fails without it", 0) for end in ("low", "high"))
        return Llama3(factor, keys.original_length(shape), low_freq_factor=low, high_freq_factor=high)
    if kind == "yarn":
        raise ConfigError(
            f"{keys.where}: litgpt's YaRN has its ramp the wrong way round, fast pairs divided by {factor:g} and slow ones kept, "
            "and no temperature unless mscale is set"
        )
    raise keys.error(keys.spelled("rope_type", "type"), "linear, llama3 or yarn, which litgpt has,")
