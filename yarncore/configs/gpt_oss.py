"""gpt-oss's own config.json: openai/gpt-oss, gpt_oss/torch/model.py, commit 7b583341fe16729127f6d5b94a7b09ccae97e1a1 (executed).

The bounds of the ramp are never rounded; rope_ntk_beta is beta_fast, rope_ntk_alpha beta_slow; the factor is 0.1 ln s + 1.
"""

import math
from collections.abc import Mapping
from typing import Any

from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import FULL, Evidence, ModelRopes
from yarncore.configs.nearest import Vocabulary
from yarncore.configs.own_words import made, nearest_yarn, read_back, report_unread, to_be_changed, yarn_of
from yarncore.configs.source import Source
from yarncore.configs.writing import WriteRequest
from yarncore.errors import ConfigError
from yarncore.scaling import NTKByParts
from yarncore.scaling.scaling import Scaling

NAME = "gpt-oss"
SIGNS: tuple[str, ...] = ("rope_ntk_alpha", "rope_ntk_beta", "rope_scaling_factor")
CHANGES_A_MODEL = False

_WHOSE = "gpt-oss's own code"
_EVIDENCE = Evidence("run", "openai/gpt-oss, gpt_oss/torch/model.py, commit 7b583341fe16729127f6d5b94a7b09ccae97e1a1")
_VOCABULARY = Vocabulary("a scale that follows the length", truncate=False)
# The defaults of ModelConfig.
_DEFAULTS = {
    "head_dim": 64,
    "rope_theta": 150000.0,
    "initial_context_length": 4096,
    "rope_scaling_factor": 32.0,
    "rope_ntk_alpha": 1.0,
    "rope_ntk_beta": 32.0,
}


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping is gpt-oss's original configuration."""
    return any(key in mapping for key in SIGNS) and "model_type" not in mapping


def read(source: Source, strict: bool) -> ModelRopes:
    """All that the configuration tells; what it leaves out has the default of the class, which is said."""
    keys = Keys(source.mapping, source.where, "", _DEFAULTS)
    absent = [key for key in _DEFAULTS if not keys.has(key)]
    if absent:
        said = ", ".join(f"{key} {_DEFAULTS[key]:g}" for key in absent)
        warn(f"{source.where}: the defaults of ModelConfig are taken for {said}")
    dim, base = keys.count("head_dim", least=2) or 0, keys.number("rope_theta", above=1) or 0.0
    original = keys.length("initial_context_length") or 0
    factor = keys.number("rope_scaling_factor", above=0) or 0.0
    rope = made(source.where, dim, base, _scaling(keys, dim, base, original, factor))
    report_unread(keys, strict)
    heads = keys.count("num_attention_heads") or 1
    return ModelRopes(
        {FULL: rope},
        (FULL,) * (keys.layers("num_hidden_layers") or 0),
        _EVIDENCE,
        where=source.where,
        heads=heads,
        key_heads=keys.count("num_key_value_heads") or heads,
        advertised_length=round(original * max(1.0, factor)),
    )


def _scaling(keys: Keys, dim: int, base: float, original: int, factor: float) -> Scaling | None:
    fast, slow = keys.number("rope_ntk_beta", above=0) or 0.0, keys.number("rope_ntk_alpha", above=0) or 0.0
    if factor <= 1:
        return None
    low, high = (dim / 2 * math.log(original / (beta * 2 * math.pi)) / math.log(base) for beta in (fast, slow))
    if not 0 < low < high < dim / 2 - 1:
        raise ConfigError(
            f"{keys.where}: the ramp lies between the pairs {low:.4g} and {high:.4g}; gpt-oss's own code stops unless "
            f"0 < low < high < {dim // 2 - 1}"
        )
    return yarn_of(keys.where, factor, original, beta_fast=fast, beta_slow=slow, truncate=False)


def write(request: WriteRequest) -> dict[str, Any]:
    """A configuration that gpt-oss's code reads as the same rotation: the keys alone, or the whole of the given one."""
    result = to_be_changed(request, recognises, _WHOSE)
    rope = request.only_rope("its configuration has one for all layers")
    scaling, given_up = nearest_yarn(rope, request.length, _VOCABULARY, _WHOSE)
    result |= {"head_dim": rope.head_dim, "rope_theta": rope.base, "rope_scaling_factor": 1.0}
    if isinstance(scaling, NTKByParts):
        result |= {
            "initial_context_length": scaling.original_length,
            "rope_scaling_factor": scaling.factor,
            "rope_ntk_alpha": scaling.beta_slow,
            "rope_ntk_beta": scaling.beta_fast,
        }
    read_back(request, read, result, rope, given_up, _WHOSE)
    return result
