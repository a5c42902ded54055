"""Cached keys brought to other scales, and unrotated ones rotated as they are read."""

from typing import Any

import torch

from yarncore.transformers.dynamic.location import Location
from yarncore.transformers.dynamic.one_forward import Forward
from yarncore.transformers.dynamic.record import CacheRecord, CacheUnusable, LayerRecord
from yarncore.transformers.dynamic.scales import Scales


def bring_to(
    forward: Forward, record: CacheRecord, layer: Any, known: LayerRecord, scales: Scales, lengths: tuple[int, ...]
) -> None:
    """Turn the keys of one layer, in place, until its rows are at these canonical lengths of these scales."""
    filled = _filled(record, layer)
    if filled:
        before = known.lengths
        assert before is not None
        # Every turn is looked up before a key is touched: where there is none, nothing has been written.
        turns = [scales.turn(new, known.scales, old) for new, old in zip(lengths, before, strict=True)]
        keys = known.location.of(layer.keys, layer.values)[:, :, :filled]
        positions = record.positions()[..., -filled:].to(keys.device)
        alike = len(set(zip(before, lengths, strict=True))) == 1
        spans = [slice(None)] if alike else [slice(row, row + 1) for row in range(len(turns))]
        known.lengths = None
        for span, turn in zip(spans, turns, strict=False):
            if turn is not None:
                key = (None if alike else span.start, filled, keys.device)
                forward.prepared(turn, key, positions[..., span, :]).rotate_(keys[span], None, heads_axis=-3)
    known.scales, known.lengths = scales, lengths


def _filled(record: CacheRecord, layer: Any) -> int:
    """How many slots of a layer hold keys: the last tokens that were seen, in order, from the first slot on."""
    if not record.tokens or not layer.is_initialized:
        return 0
    slots = int(layer.keys.shape[-2])
    filled = min(record.tokens, slots)
    # What grows by concatenation holds every token, or, where it slides, no more than were seen.
    if not hasattr(layer, "max_cache_len") and (slots != filled or (not layer.is_sliding and slots < record.tokens)):
        raise CacheUnusable(
            f"a layer of the cache holds {slots} tokens where {record.tokens} were written through the model: it was "
            "changed by other means than reorder_cache, crop, batch_select_indices, batch_repeat_interleave and reset"
        )
    return filled


def read(
    location: Location,
    keys: torch.Tensor,
    values: torch.Tensor,
    positions: torch.Tensor,
    scales: Scales,
    lengths: tuple[int, ...],
) -> tuple[torch.Tensor, torch.Tensor]:
    """keys and values as attention needs them, of what is stored unrotated."""
    stored = location.of(keys, values)
    slots = stored.shape[-2]
    positions = positions[..., -slots:].to(stored.device)
    if positions.shape[-1] < slots:  # a static cache that is not full yet: what is beyond is masked
        positions = torch.nn.functional.pad(positions, (0, slots - positions.shape[-1]))
    turned = scales.at_rows(lengths).rotate(stored, None, positions, heads_axis=-3)
    return location.replaced(keys, values, turned)
