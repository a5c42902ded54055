"""Runs mlx-lm's own rotary modules, within an environment that has it: cases on the standard input, what they do on the output.

A module is only called: what it does to unit vectors at growing offsets tells its frequencies, to about 1e-6.
"""

import importlib.metadata
import json
import math
import sys
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.rope_utils import initialize_rope


def measured(module: Any, dim: int) -> tuple[list[float], float]:
    """Frequencies in radians per token, and the length that a unit vector has afterwards."""
    half = dim // 2
    vector = mx.array(np.concatenate([np.ones(half), np.zeros(half)]).astype(np.float32)[None, None, None])
    frequencies = None
    length = 1.0
    for power in range(18):
        turned = np.array(module(vector, offset=2**power)).reshape(-1).astype(np.float64)
        angle = np.arctan2(turned[half:], turned[:half])
        if frequencies is None:
            length = float(np.hypot(turned[0], turned[half]))
            frequencies = angle
            continue
        expected = frequencies * 2**power
        frequencies = (angle + 2 * math.pi * np.round((expected - angle) / (2 * math.pi))) / 2**power
    assert frequencies is not None
    return [float(value) for value in frequencies], length


def main() -> None:
    asked = json.load(sys.stdin)
    records = []
    for name, rope in asked["cases"].items():
        record: dict[str, Any] = {"name": name, "rope": rope}
        try:
            module = initialize_rope(
                asked["dim"], asked["base"], False, scaling_config=rope, max_position_embeddings=asked["max_position"]
            )
            record["inv_freq"], record["m"] = measured(module, asked["dim"])
        except Exception as error:  # whatever it raises is what it does
            record["error"] = f"{type(error).__name__}: {error}"
        records.append(record)
    versions = {name: importlib.metadata.version(name) for name in ("mlx-lm", "mlx")}
    json.dump({"versions": versions, "records": records}, sys.stdout)


main()
