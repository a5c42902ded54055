"""Runs mlx-lm's own rotary modules, within an environment that has it.

A module is only called: what it does to unit vectors at growing offsets tells its frequencies, to about 1e-6.
"""

from typing import Any

import mlx.core as mx
import numpy as np
from inside import answer, measured
from mlx_lm.models.rope_utils import initialize_rope


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The module that mlx-lm makes of a rope dict, measured."""
    half = asked["dim"] // 2
    module = initialize_rope(
        asked["dim"], asked["base"], False, scaling_config=rope, max_position_embeddings=asked["max_position"]
    )
    vector = mx.array(np.concatenate([np.ones(half), np.zeros(half)]).astype(np.float32)[None, None, None])

    def turned(position: int) -> tuple[Any, Any]:
        found = np.array(module(vector, offset=position)).reshape(-1)
        return found[:half], found[half:]

    frequencies, length = measured(turned, 18)
    return {"inv_freq": frequencies, "m": length}


answer(run, "mlx-lm", "mlx")
