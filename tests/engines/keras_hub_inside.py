"""Runs KerasHub's own RotaryEmbedding layer, within an environment that has it: it is only called, and measured.

The layer is given the numbers of a config.json under its own names; KerasHub's converters are not run.
"""

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from inside import alone, answer, measured

alone("keras_hub", "keras_hub.src", "keras_hub.src.layers", "keras_hub.src.layers.modeling")

from keras_hub.src.layers.modeling.rotary_embedding import RotaryEmbedding  # noqa: E402

_NAMES = {"factor": "scaling_factor"}
_METHODS = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor", "beta_fast", "beta_slow", "original_max_position_embeddings", "truncate"),
}


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The layer with the numbers of a rope dict, measured."""
    kind = rope.get("rope_type", rope.get("type"))
    settings: dict[str, Any] = {_NAMES.get(key, key): rope[key] for key in _METHODS[kind] if key in rope}
    if kind != "default":
        settings["rope_type"] = kind
    layer = RotaryEmbedding(max_wavelength=asked["base"], **settings)
    half = asked["dim"] // 2
    vector = np.concatenate([np.ones(half), np.zeros(half)]).astype(np.float32)[None, None]

    def turned(position: int) -> tuple[Any, Any]:
        found = keras.ops.convert_to_numpy(layer(vector, start_index=position)).reshape(-1)
        return found[:half], found[half:]

    frequencies, length = measured(turned, 18)
    return {"settings": settings, "inv_freq": frequencies, "m": length}


answer(run, "keras-hub", "keras", "torch")
