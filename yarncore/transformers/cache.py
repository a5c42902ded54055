"""How much memory the keys and values of one sequence take."""

from typing import Any

import torch
import transformers

from yarncore.configs.model_ropes import ModelRopes


def cache_bytes(config: Any, found: ModelRopes, length: int | None, dtype: torch.dtype) -> int | None:
    """Bytes of the cache of one sequence, by the layers that transformers' own cache has for a configuration.

    None where the length is not known, or a layer keeps something else than keys and values.
    """
    if length is None:
        return None
    layers = transformers.DynamicCache(config=config).layers
    if not layers or not all(isinstance(layer, transformers.cache_utils.DynamicLayer) for layer in layers):
        return None
    elements = 0
    for index, layer in enumerate(layers):
        window = getattr(layer, "sliding_window", None)
        tokens = length if window is None else min(length, window - 1)
        elements += tokens * _elements_a_token(config, found, index)
    return int(elements * dtype.itemsize)


def _elements_a_token(config: Any, found: ModelRopes, index: int) -> int:
    """Of keys and values in one layer."""
    latent = getattr(config, "kv_lora_rank", None)
    ropes = [rope for rope in found.values() if rope is not None]
    own = found.layers[index] if index < len(found.layers) else None
    rope = own or ropes[0]
    if latent and found.query_elements_beside:
        return int(latent) + rope.head_dim
    return 2 * found.key_heads * rope.head_dim
