"""Keys that look as if they concerned the rotation, and what is known of them.

Each is read, or says once more what is read and must agree, or decides the number and is an error where nobody reads it
(also with strict=False), or is known to change nothing here. What looks like one and is none of these is not understood.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from yarncore.configs.huggingface.facts import Facts
from yarncore.configs.keys import Keys, warn
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import Proportional

_LOOKS_LIKE_ONE = re.compile(
    r"(?<!p)rope|rotary|yarn|mscale|(^|_)ntk|partial_rot|position_interp|theta|(^|_)nope(_|$)|alibi|base_freq"
)

# Other words for the base, for the part that turns, and for the layout of pairs.
_BASES = (
    "rope_theta", "rotary_emb_base", "rope_base", "rotary_base", "rotary_embedding_base", "theta", "global_rope_theta",
    "local_rope_theta", "rope_local_base_freq", "rope_local_theta", "swa_rope_theta", "compress_rope_theta",
    "sliding_rope_theta", "full_rope_theta",
)  # fmt: skip
_PARTS = (
    "partial_rotary_factor", "rotary_pct", "rope_pct", "rotary_percent", "rope_percent", "rotary_emb_fraction",
    "swa_partial_rotary_factor", "partial_rotary_factors",
)  # fmt: skip
_DIMS = ("rotary_dim", "attn_rotary_emb", "rotary_emb_dim", "rotary_ndims")
_HEAD_DIMS = ("head_dim", "kv_channels", "attention_head_dim", "head_size")
_INTERLEAVED = (
    "rope_interleave",
    "rope_interleaved",
    "rotary_emb_interleaved",
    "rotary_interleaved",
    "use_interleaved_rope",
)

# Keys that decide the number, with the values that leave it as it is.
_DECIDE: dict[str, tuple[Any, ...]] = {
    "rope_type": ("default",),
    "rope_ratio": (1,),
    "rotary_emb_scale_base": (),
    "rotary_scaling_factor": (1,),
    "rope_scaling_factor": (1,),
    "rope_condense_ratio": (1,),
    "rope_3d": (False,),
    "use_mrope": (False,),
    "freq_allocation": (),
    "use_dynamic_ntk": (False,),
    "rope_scaling_layers": (),
    "layer_rope_theta": (),
    "alibi": (False,),
    "attn_config.alibi": (False,),
    "use_alibi": (False,),
    "use_rope": (True,),
    "rope": (True,),
    "use_rotary_pos_emb": (True,),
    "use_rotary": (True,),
    "rotary": (True,),
    "use_rotary_embedding": (True,),
    "mla_use_nope": (False,),
    "use_nope": (False,),
    "use_mem_rope": (True,),
    "no_rope_layers": (),
    "no_rope_layer_interval": (),
    "nope_layer_interval": (),
    "rope_percentage": (1,),
}
_POSITIONS = ("position_embedding_type", "position_embeddings_type", "pos_emb_type", "positional_embedding")

# Keys that are read elsewhere, or that concern something else: an indexer, a vision tower, a predicted token's layer.
_CHANGE_NOTHING = frozenset(
    [
        "rope_scaling", "rope_parameters", "qk_rope_head_dim", "qk_nope_head_dim", "swa_qk_rope_head_dim",
        "swa_qk_nope_head_dim", "yarn_only_types", "indexer_rope_interleave", "rope_theta_mtp", "rope_fused",
        "apply_rope_fusion", "use_fused_rope", "use_rope_scaling_in_indexer",
        # SAM's: a dropout, and the grids that positions are counted on.
        "memory_attention_rope_dropout", "memory_attention_rope_feat_sizes", "memory_attention_rope_k_sizes",
    ]
)  # fmt: skip


def check_unread(config: Keys, facts: Facts, strict: bool) -> None:
    """Raise for keys that decide the number and that nobody read; report what looks like such a key.

    Raises
    ------
    ConfigError
        Naming the key.
    """
    for key, harmless in _DECIDE.items():
        if key in config.seen:
            continue
        value = config.lookup(key)
        if value is not None and value not in harmless and not _lists_all_layers(config, key, value):
            raise _decides(config, key)
    _check_positions(config, facts)
    known = {*_BASES, *_PARTS, *_DIMS, *_INTERLEAVED, *_DECIDE, *_POSITIONS, *_CHANGE_NOTHING}
    suspicious = {
        key: value
        for key, value in config.mapping.items()
        if _LOOKS_LIKE_ONE.search(str(key)) and key not in known and key not in config.seen
    }
    Keys(suspicious, config.where, config.path).report_unread(strict)


def _decides(config: Keys, key: str) -> ConfigError:
    return ConfigError(
        f"{config.name(key)} is {config.lookup(key)!r}: such a key decides how a model rotates, and what it does in one of "
        f"model_type {config.raw('model_type')!r} is not known here"
    )


def _lists_all_layers(config: Keys, key: str, value: Any) -> bool:
    return key == "rope_scaling_layers" and value == list(range(config.layers("num_hidden_layers") or 0))


def _check_positions(config: Keys, facts: Facts) -> None:
    """A word for the kind of positions must be one for rotation, or one that files inherit from BERT's and nothing reads."""
    for key in _POSITIONS:
        value = config.lookup(key)
        if key in config.seen or value is None or re.search("rope|rotary", str(value)):
            continue
        if value != "absolute" or facts.evidence.kind != "run":
            raise _decides(config, key)
        warn(f"{config.name(key)} is 'absolute', which this model type does not read: its module rotates all the same")


def check_stated(config: Keys, facts: Facts, ropes: Iterable[Rope], sliced: bool) -> None:
    """Raise where a key that nobody read says something else than what was read.

    Raises
    ------
    ConfigError
        Naming the key, what it says and what was read.
    """
    every = list(ropes)
    _warn_of_unread(config, facts, every)
    times = 1.0 if facts.base_times is None else config.number(facts.base_times, above=0) or 1.0
    _compare(config, _BASES, "base", every, lambda rope, value: rope.base == value * times, lambda rope: rope.base)
    _compare(
        config, _INTERLEAVED, "interleaved pairs", every,
        lambda rope, value: rope.interleaved == bool(value), lambda rope: rope.interleaved,
    )  # fmt: skip
    if sliced:  # what is said of whole heads does not hold for the slice
        return
    _compare(
        config, _HEAD_DIMS, "head_dim", every, lambda rope, value: rope.head_dim == value, lambda rope: rope.head_dim
    )
    if any(isinstance(rope.scaling, Proportional) for rope in every):
        return
    _compare(
        config, _DIMS, "rotary_dim", every, lambda rope, value: rope.rotary_dim == value, lambda rope: rope.rotary_dim
    )
    _compare(
        config, _PARTS, "rotary_dim", every,
        lambda rope, value: rope.rotary_dim == int(rope.head_dim * value), lambda rope: rope.rotary_dim,
    )  # fmt: skip


def _warn_of_unread(config: Keys, facts: Facts, ropes: list[Rope]) -> None:
    """A ConfigWarning for each number of elements that turn that the class writes into its files and does not read."""
    config.seen.update(facts.unread)
    for key in facts.unread:
        value = config.lookup(key)
        if key in _DIMS and value is not None and any(rope.rotary_dim != value for rope in ropes):
            dims = " and ".join(dict.fromkeys(str(rope.rotary_dim) for rope in ropes))
            warn(
                f"{config.name(key)} is {value!r}, which model_type {config.raw('model_type')!r} does not read: its module turns "
                f"{dims} elements of a head; partial_rotary_factor is what it reads",
                finding=True,
            )


def _compare(
    config: Keys,
    keys: Iterable[str],
    what: str,
    ropes: list[Rope],
    agrees: Callable[[Rope, Any], bool],
    read: Callable[[Rope], Any],
) -> None:
    for key in keys:
        value = config.lookup(key)
        if value is None or key in config.seen:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        for one in values:
            number = isinstance(one, (int, float)) and abs(one) <= sys.float_info.max  # integers may be larger
            if not number or not any(agrees(rope, one) for rope in ropes):
                listed = " and ".join(dict.fromkeys(str(read(rope)) for rope in ropes))
                raise ConfigError(
                    f"{config.name(key)} is {one!r}, which model_type {config.raw('model_type')!r} is not known to read, and what "
                    f"was read makes {what} {listed}; they must agree"
                )


def warn_of_attention(config: Keys) -> None:
    """ConfigWarnings of what attention does beside the rotation."""
    dual = config.raw("dual_chunk_attention_config")
    if dual:
        chunk = dual.get("chunk_size") if isinstance(dual, Mapping) else None
        warn(
            f"{config.name('dual_chunk_attention_config')} is set: engines that read it rotate q and k by positions within "
            f"chunks of {chunk} tokens, with other queries for the chunk before and for those before that; the Rope here is "
            "that of ordinary attention"
        )
