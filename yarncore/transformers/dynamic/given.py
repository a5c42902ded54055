"""Caches that come from a model as it was before `extend`, and go back to it."""

from typing import Any

import torch

from yarncore.transformers.dynamic.one_forward import Forward
from yarncore.transformers.dynamic.record import CacheUnusable, lengths_of
from yarncore.transformers.dynamic.tracked_cache import Tracked, begin_record, check_kind, plain_class
from yarncore.transformers.dynamic.turning import bring_to


def adopt(cache: Any, positions: torch.Tensor | None = None) -> None:
    """Say that a filled cache was written by a model as it was before `extend`.

    Its keys are then brought to the scale of their rows when the extended model first reads them.

    Parameters
    ----------
    cache : Cache of transformers
    positions : integer tensor, shape (rows, tokens) or (sections, rows, tokens), optional
        Of the tokens in it, padding included; None: 0, 1, 2, ... in each row, as without padding.

    Raises
    ------
    TypeError, ValueError
        For layers whose keys cannot be turned, a cache that is followed already, and positions of another shape.
    """
    if isinstance(cache, Tracked):
        raise ValueError("the cache is followed already: its positions and scales are known")
    check_kind(cache)
    tokens = int(cache.get_seq_length())
    rows = next((layer.keys.shape[0] for layer in cache.layers if tokens and layer.keys is not None), 0)
    if positions is None:
        positions = torch.arange(tokens).expand(rows, tokens)
    if tuple(positions.shape[-2:]) != (rows, tokens):
        raise ValueError(f"positions has shape {tuple(positions.shape)}; (..., {rows}, {tokens}) is expected")
    record = begin_record(cache, "rerotated")
    if tokens:
        record.append(positions, lengths_of(positions))
        record.adopted = True


def release(cache: Any) -> None:
    """Bring a cache to the model as it was before `extend`, and follow it no longer: to be used after `restore`.

    Raises
    ------
    TypeError, ValueError
        For a cache that is not followed, holds unrotated keys, or is unusable.
    """
    if not isinstance(cache, Tracked):
        raise TypeError(f"the cache is a {type(cache).__name__} that is not followed: there is nothing to release")
    record = cache._record
    record.check_usable()
    if record.strategy == "unrotated" and record.tokens:
        raise CacheUnusable("the cache holds unrotated keys, which no model of transformers reads")
    forward = Forward(record)
    for index, known in record.layers.items():
        lengths = tuple(map(known.before.canonical, record.lengths))
        bring_to(forward, record, cache.layers[index], known, known.before, lengths)
    cache.__class__ = plain_class(cache)
    del cache._record, cache._forward
