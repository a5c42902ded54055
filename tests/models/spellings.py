"""One configuration in the spellings that a file may have."""

import json
import tempfile
from pathlib import Path
from typing import Any

from rotary_classes import RotaryModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

# Spellings of the very model that the configuration makes.
SAME_MODEL = ("object", "to_dict", "file")
_SCALINGS: dict[str, dict[str, Any]] = {
    "4 yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096},
    "4 llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 4096,
    },
    "4 linear": {"rope_type": "linear", "factor": 4.0},
    "4 dynamic": {"rope_type": "dynamic", "factor": 4.0},
}
# Version 4's keys make a model of their own: what their class does with them is part of what is compared.
OLD = ("4", *_SCALINGS)
SPELLINGS = (*SAME_MODEL, *OLD)
# Below the length of the run, so that the dynamic method does something.
_SHORT = 32
_BASE = 20_000.0


def config_from(model_type: str, rotary: RotaryModel) -> Any:
    """The configuration class; where types share a model, each type's own."""
    own = rotary.config()
    return own if own.model_type == model_type else CONFIG_MAPPING[model_type]


def spelled(spelling: str, config: Any) -> Any:
    if spelling == "object":
        return config
    if spelling == "to_dict":
        return config.to_dict()
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        file = json.loads((Path(folder) / "config.json").read_text())
    return file if spelling == "file" else _version_4(file, spelling)


def _version_4(file: dict[str, Any], spelling: str) -> dict[str, Any]:
    """Base and part beside the dict, and the scaling in rope_scaling."""
    rope = file.pop("rope_parameters", None) or {}
    if any(value is None or isinstance(value, dict) for value in rope.values()):
        rope = {}  # version 4 had no dicts by layer type: the class's own say the rest
    file.pop("rope_theta", None)
    file["rope_theta"] = float(rope.get("rope_theta", _BASE))
    if "partial_rotary_factor" in rope:
        file["partial_rotary_factor"] = rope["partial_rotary_factor"]
    kept = {key: value for key, value in rope.items() if key.startswith("mrope")}
    scaling = _SCALINGS.get(spelling)
    if scaling:
        file["max_position_embeddings"] = _SHORT if spelling == "4 dynamic" else 4 * 4096
        file["rope_scaling"] = {**scaling, **kept}
    elif kept or rope.get("rope_type", "default") != "default":
        others = {
            key: value for key, value in rope.items() if key not in ("rope_theta", "rope_type", "partial_rotary_factor")
        }
        file["rope_scaling"] = {"rope_type": rope.get("rope_type", "default"), **others}
    return file
