"""What each layer keeps is what transformers' own cache says of every type of model, and bytes are counted once."""

import pytest
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import yarncore as yc
from yarncore.configs.kv_cache import CacheLayer, cache_bytes

KEYS_AND_VALUES = {"DynamicLayer", "DynamicSlidingWindowLayer", "DummyLayer"}


def theirs(config):
    """Tokens that each layer of transformers' cache keeps, None: all; None in the place of the list: other layers too."""
    layers = transformers.DynamicCache(config=config).layers
    if {type(layer).__name__ for layer in layers} - KEYS_AND_VALUES:
        return None
    windows = [getattr(layer, "sliding_window", None) for layer in layers if type(layer).__name__ != "DummyLayer"]
    return [None if window is None else window - 1 for window in windows]


@pytest.mark.filterwarnings("ignore")
def test_every_type_of_model_keeps_what_transformers_caches():
    compared, told = 0, 0
    for name in CONFIG_MAPPING:
        try:
            config = CONFIG_MAPPING[name]()
            found = yc.ropes_from_config(config, strict=False)
            layers = theirs(config)
        except Exception:  # not to be made without arguments, without layers, or refused by name
            continue
        # A vision tower reads an image at once: it has no cache, whatever transformers would make for it.
        if any(rope is not None and rope.section_order != "axial" for rope in found.values()):
            compared += 1
            assert [layer.tokens for layer in found.cache_layers] in (layers or [], []), name
            told += bool(found.cache_layers) == bool(layers)
    assert compared > 200 and told > compared - 12, (told, compared)


@pytest.mark.filterwarnings("ignore::yarncore.ConfigWarning")
@pytest.mark.parametrize(
    ("config", "layers"),
    [
        # Qwen2.5 as published: a window that is switched off.
        ({"model_type": "qwen2", "hidden_size": 3584, "num_attention_heads": 28, "num_key_value_heads": 4, "num_hidden_layers": 2,
          "sliding_window": 131072, "use_sliding_window": False, "rope_theta": 1e6}, [CacheLayer(2 * 4 * 128)] * 2),
        ({"model_type": "mistral", "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 1,
          "sliding_window": 4096, "rope_theta": 1e4}, [CacheLayer(2 * 8 * 128, 4095)]),
        # 512 elements of the latent and 64 that are rotated.
        ({"model_type": "deepseek_v3", "hidden_size": 7168, "num_attention_heads": 128, "num_key_value_heads": 128,
          "num_hidden_layers": 1, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "kv_lora_rank": 512,
          "rope_theta": 1e4}, [CacheLayer(576)]),
        # Nothing says how many layers there are.
        ({"model_type": "llama", "hidden_size": 256, "num_attention_heads": 4, "rope_theta": 1e4}, []),
    ],
)  # fmt: skip
def test_a_token_costs_its_keys_and_values(config, layers):
    assert list(yc.ropes_from_config(config).cache_layers) == layers


def test_bytes_stop_growing_at_a_window():
    layers = [CacheLayer(10), CacheLayer(10, 99)]
    assert [cache_bytes(layers, length, 2) for length in (50, 100, 200)] == [2000, 20 * (100 + 99), 20 * (200 + 99)]
    assert cache_bytes(layers, None, 2) is None
    assert cache_bytes([], 100, 2) is None
