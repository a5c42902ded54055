"""What each layer keeps of a token, and for how long, as transformers' own cache does (5.24.0, cache_utils.py,
`get_layer_types_and_kwargs`, `DynamicSlidingWindowLayer`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from yarncore.configs.huggingface.dimensions import Heads, is_sliced
from yarncore.configs.huggingface.facts import Facts
from yarncore.configs.huggingface.layers import LayerNames
from yarncore.configs.keys import Keys
from yarncore.configs.kv_cache import CacheLayer
from yarncore.configs.model_ropes import FULL
from yarncore.rope.rope import Rope

# Types whose layers keep something else than their names say: two attentions a layer; states in the place of keys; nothing, for
# all is seen at once (the same version, configuration_longcat_flash.py, configuration_recurrent_gemma.py, configuration_bamba.py,
# modeling_efficientloftr.py).
_OTHERWISE = frozenset(["longcat_flash", "recurrent_gemma", "bamba", "efficientloftr"])
_NOTHING = frozenset(["moe", "mlp"])
_WINDOWS = {"sliding_attention": "sliding_window", "chunked_attention": "attention_chunk_size"}


def cache_layers(
    config: Keys, facts: Facts, layers: LayerNames, ropes: Sequence[Rope | None], shape: Heads
) -> tuple[CacheLayer, ...]:
    """One entry for each layer that keeps something; empty where the file does not tell, or a layer keeps something else.

    Parameters
    ----------
    ropes : sequence of Rope or None
        Of each layer; empty where they are not told.
    """
    turning = [rope for rope in ropes if rope is not None]
    names = _names(config, layers)
    if not turning or len(names) != len(ropes) or str(config.lookup("model_type")) in _OTHERWISE:
        return ()
    found, own = [], _own_windows(config)
    for n, (name, rope) in enumerate(zip(names, ropes, strict=True)):
        if name in _NOTHING:
            continue
        if name != FULL and name not in _WINDOWS:  # a state, or keys that are compressed
            return ()
        tokens = None
        if name in _WINDOWS:
            window = own.get(n, config.lookup(_WINDOWS[name]))
            if type(window) is not int or window < 1:
                return ()
            tokens = window - 1  # beside the token that is looked from
        found.append(CacheLayer(_elements(config, facts, rope or turning[0], shape), tokens))
    return tuple(found)


def _own_windows(config: Keys) -> dict[int, Any]:
    """Windows of single layers, by their number: NeoMME's (the same version, configuration_neomme.py)."""
    given = config.lookup("per_layer_config")
    if not isinstance(given, Mapping):
        return {}
    return {
        int(n): keys["sliding_window"]
        for n, keys in given.items()
        if str(n).isdecimal() and isinstance(keys, Mapping) and "sliding_window" in keys
    }


def _names(config: Keys, layers: LayerNames) -> tuple[str, ...]:
    """The type of each layer that keeps keys of its own; where nothing says that layers differ, a window is that of all."""
    if not layers.all:
        return ()
    names = layers.names
    if not layers.known and config.lookup("use_sliding_window") is not False:
        window = next((name for name, key in _WINDOWS.items() if config.has(key)), None)
        names = names if window is None else (window,) * len(names)
    shared = config.lookup("num_kv_shared_layers")
    return (*names[: len(names) - shared], *["mlp"] * shared) if type(shared) is int and shared > 0 else names


def _elements(config: Keys, facts: Facts, rope: Rope, shape: Heads) -> int:
    latent = config.lookup("kv_lora_rank")
    if is_sliced(config, facts) and type(latent) is int and shape.query_elements_beside:
        return latent + rope.head_dim
    values = config.lookup("v_head_dim")
    return shape.of_keys * (rope.head_dim + (values if type(values) is int and values > 0 else rope.head_dim))
