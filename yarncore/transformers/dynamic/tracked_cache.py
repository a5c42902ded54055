"""A cache of transformers that knows under which scales its keys are written."""

import functools
from typing import Any

import torch
from transformers import cache_utils

from yarncore.transformers.dynamic.location import locate
from yarncore.transformers.dynamic.one_forward import Forward, Rotated
from yarncore.transformers.dynamic.outside_graphs import outside_graphs
from yarncore.transformers.dynamic.record import CacheRecord, CacheUnusable, Keys, LayerRecord
from yarncore.transformers.dynamic.turning import bring_to, read

# Whose slots are known to hold the last tokens in order, unquantised.
_LAYERS = (
    cache_utils.DynamicLayer,
    cache_utils.DynamicSlidingWindowLayer,
    cache_utils.StaticLayer,
    cache_utils.StaticSlidingWindowLayer,
    cache_utils.LinearAttentionLayer,
    cache_utils.LinearAttentionAndFullAttentionLayer,
    cache_utils.LinearAttentionAndSlidingWindowAttentionLayer,
    cache_utils.LinearAttentionAndStaticFullAttentionLayer,
    cache_utils.LinearAttentionAndStaticSlidingWindowAttentionLayer,
    cache_utils.DummyLayer,
)


class Tracked:
    """What a cache does besides, once it is tracked: mixed into its class by `track`."""

    layers: list[Any]
    _record: CacheRecord
    _forward: Forward | None

    @outside_graphs
    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring the layer's keys to the scales of this forward, then add the new ones."""
        forward = self._forward
        if forward is None:
            raise CacheUnusable(
                "the cache holds keys whose scale follows the length, and this model, or this call, knows nothing of it; "
                "yarncore.transformers.release(cache) brings them to the model as it was before extend"
            )
        taken = forward.take()
        if taken is None and layer_idx in self._record.layers:
            raise CacheUnusable(
                "the cache holds keys of a model that is extended, and is given keys of another rotation; "
                "yarncore.transformers.release(cache) brings it to the model as it was before extend"
            )
        known = None if taken is None else self._prepared(forward, layer_idx, taken, key_states, value_states)
        self._record.unfinished = True
        keys, values = super().update(key_states, value_states, layer_idx, *args, **kwargs)  # type: ignore[misc]
        if taken is None or known is None or self._record.strategy == "rerotated":
            return keys, values
        positions = taken.followed.positions
        if self._record.tokens:
            positions = torch.cat((self._record.positions(), positions), dim=-1)
        return read(known.location, keys, values, positions, taken.scales, taken.followed.lengths)

    def _prepared(
        self,
        forward: Forward,
        layer_idx: int,
        rotated: Rotated,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
    ) -> LayerRecord:
        record, scales, lengths = self._record, rotated.scales, rotated.followed.lengths
        known = record.layers.get(layer_idx)
        if known is None:
            location = locate(rotated.candidates, key_states, value_states)
            known = LayerRecord(scales, rotated.before, location, lengths)
            if record.adopted:
                known.scales, known.lengths = rotated.before, tuple(map(rotated.before.canonical, record.lengths))
            record.layers[layer_idx] = known
        if record.strategy == "unrotated":
            known.scales, known.lengths = scales, lengths
        elif known.lengths != lengths or known.scales is not scales:
            layer = self.layers[layer_idx]
            bring_to(forward, record, layer, known, scales, lengths)
        known.before = rotated.before
        return known

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Reorder the rows."""
        super().reorder_cache(beam_idx)  # type: ignore[misc]
        self._record.take_rows(beam_idx)

    def batch_select_indices(self, indices: Any) -> None:
        """Keep some rows."""
        super().batch_select_indices(indices)  # type: ignore[misc]
        self._record.take_rows(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row."""
        super().batch_repeat_interleave(repeats)  # type: ignore[misc]
        rows = torch.arange(len(self._record.lengths))
        self._record.take_rows(rows.repeat_interleave(repeats))

    def crop(self, tokens_to_remove: int) -> None:
        """Drop the last tokens."""
        super().crop(tokens_to_remove)  # type: ignore[misc]
        self._record.crop(abs(tokens_to_remove))

    def reset(self) -> None:
        """Drop all tokens."""
        super().reset()  # type: ignore[misc]
        self._record.clear()
        self._forward = None

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # Its class is made as it runs, and not found by name.
        return _restored, (plain_class(self),), self.__dict__ | {"_forward": None}


@functools.cache
def _tracked_class(cache_class: type) -> type:
    return type(cache_class.__name__, (Tracked, cache_class), {"__module__": cache_class.__module__})


def plain_class(cache: Tracked) -> Any:
    """The class that a cache had before it was tracked."""
    return type(cache).__mro__[2]


def _restored(cache_class: type) -> Any:
    return object.__new__(_tracked_class(cache_class))


def track(cache: Any, strategy: Keys) -> CacheRecord:
    """Have a cache know its scales, from its first token on; one that does already is left as it is.

    Raises
    ------
    TypeError
        For what is no cache of transformers, or has layers that store keys otherwise (quantised ones).
    CacheUnusable
        For one that was filled without this, or under the other strategy.
    """
    if isinstance(cache, Tracked):
        record = cache._record
        record.check_usable()
        if not record.tokens and any(map(_tokens, cache.layers)):
            raise CacheUnusable("the cache was filled by another model than the one that follows it")
        if record.strategy != strategy and record.tokens:
            raise CacheUnusable(
                f'the cache holds {record.strategy} keys and the model is extended with keys="{strategy}"'
            )
        record.strategy = strategy
        return record
    check_kind(cache)
    if any(map(_tokens, cache.layers)):
        raise CacheUnusable(
            "the cache was filled before it was followed: positions and scale of its keys are not known. "
            "yarncore.transformers.adopt(cache, positions) tells them"
        )
    return begin_record(cache, strategy)


def begin_record(cache: Any, strategy: Keys) -> CacheRecord:
    """Have a cache know its scales from now on.

    Raises
    ------
    TypeError
        For what is no cache of transformers, or has layers that store keys otherwise (quantised ones).
    """
    check_kind(cache)
    record = cache._record = CacheRecord(strategy)
    cache._forward = None
    kind: Any = type(cache)
    cache.__class__ = _tracked_class(kind)
    return record


def check_kind(cache: Any) -> None:
    """Raise TypeError for what is no cache of a decoder, or has layers that store keys otherwise (quantised ones)."""
    if not isinstance(cache, cache_utils.Cache) or isinstance(cache, cache_utils.EncoderDecoderCache):
        raise TypeError(f"the cache is a {type(cache).__name__}; a Cache of transformers for a decoder is expected")
    kinds = {type(layer) for layer in cache.layers}
    if cache.layer_class_to_replicate is not None:
        kinds.add(cache.layer_class_to_replicate)
    if strange := sorted(kind.__name__ for kind in kinds - set(_LAYERS)):
        raise TypeError(
            f"the cache has layers of type {', '.join(strange)}: their keys cannot be brought to another scale. Dynamic, "
            "sliding and static layers are accepted; for others use a scaling that does not look at the length"
        )


def _tokens(layer: Any) -> int:
    return int(layer.get_seq_length()) if isinstance(layer, cache_utils.CacheLayerMixin) and layer.is_initialized else 0
