"""Keys that are stored rotated: bringing them to another scale, and moving them."""

import math
import warnings
from typing import Any

import numpy as np

from yarncore._arguments import integer
from yarncore.backends.carry_out import run
from yarncore.errors import ConfigWarning
from yarncore.frameworks.expressions import constant, device_argument, namespace_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, is_numpy, of
from yarncore.frameworks.tracers import constant_in_a_trace, extents_may_be_compared
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.request.tensors import check_array, element_type
from yarncore.rotation.rotation import Rotation

_NAMES = ("keys", "keys")


def rerotate_(
    keys: Array,
    positions: Any,
    old: Rotation,
    new: Rotation,
    *,
    heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
    slots: Any = None,
) -> Array:
    """Turn stored keys, rotated under `old`, into keys rotated under `new`, in place: one pass of new @ old.inverse.

    Parameters
    ----------
    keys : array, shape (..., head_dim)
        Contiguous or paged, (blocks, block size, heads, dim). Of shape (0,), as a cache of transformers begins: nothing
        is done.
    positions : None, int, or array of int or float
        The positions under which the keys were rotated. With `slots`: an array has those of the slots; a count still goes
        along the last token axis, of which the slots are a part.
    old, new : Rotation
    heads_axis : int or None, keyword-only
        As for Rope.rotate.
    slots : integers, shape (n,), optional, keyword-only
        Unique indices into the flattened token axes; only these keys are turned. -1 is skipped. Slots on a GPU, beside
        the keys, are not read: there any that is out of range is skipped, and one named twice is turned twice.

    Returns
    -------
    array
        `keys`.

    Raises
    ------
    TypeError, ValueError
        As for rotate_; for slots out of range or named twice; and where `old` and `new` do not fit each other.

    Warns
    -----
    ConfigWarning
        For 16-bit keys under a scaling whose scale changes with every token: each re-rotation rounds, and many
        small ones wear the keys away (8 % after 100). Use steps="doubling".

    Notes
    -----
    The result equals a cache of unrotated keys rotated on read. It does not equal recomputing the prompt, whose
    deeper hidden states belong to the old scale.

    Inside torch.compile `old` and `new` may be made outside, or inside from an int; each other pair is compiled anew. Of
    lengths that are tensors a scaling with steps makes one graph for all. There, write `rerotate_`, or
    `new.after(old.inverse)`: the compiler does not look into `@`.
    """
    check_array("keys", keys)
    for name, rotation in (("old", old), ("new", new)):
        if not isinstance(rotation, Rotation):
            raise TypeError(f"{name} is {rotation!r}; a Rotation is expected, such as rope.at(length)")
    record = new.for_keys().after(old.for_keys().inverse)._record
    if _holds_nothing_yet(keys) and slots is None:
        return keys
    if (old._continuous or new._continuous) and element_type(keys) not in ("float64", "float32"):
        _warn_of_wear(str(element_type(keys)))
    return run(record, keys, None, positions, heads_axis=heads_axis, in_place=True, slots=slots, names=_NAMES)


@constant_in_a_trace  # which then warns while it traces
def _warn_of_wear(kind: str) -> bool:
    warnings.warn(
        f're-rotating {kind} keys under a scale that changes with every token wears them away; use steps="doubling"',
        ConfigWarning,
        stacklevel=3,
    )
    return True


def _holds_nothing_yet(keys: Array) -> bool:
    """Whether keys are a cache before its first token as transformers makes it, torch.tensor([]): it has no axes yet."""
    return len(keys.shape) == 1 and keys.shape[0] == 0


def shift_(
    keys: Array, by: Any, rotation: Rotation, *, heads_axis: int | None = AUTOMATIC_HEADS_AXIS, slots: Any = None
) -> Array:
    """Move stored keys by `by` tokens, in place: they then are what they would be at position + by.

    Parameters
    ----------
    keys : array, shape (..., head_dim)
        Rotated under `rotation`.
    by : int, or integers that broadcast against the token axes
        0 leaves every bit. With sections: one number for each section first, (sections, ...).
    rotation : Rotation
        Its factor is in the keys already and is not applied again.
    heads_axis, slots : as for rerotate_

    Returns
    -------
    array
        `keys`.

    Raises
    ------
    TypeError, ValueError
        As for rerotate_.
    """
    check_array("keys", keys)
    if not isinstance(rotation, Rotation):
        raise TypeError(f"rotation is {rotation!r}; a Rotation is expected, such as rope.at(length)")
    record = rotation.without_factor()._record
    sections = record.position_axes
    if sections and (not is_array(by) or by.shape[:1] != sections):
        raise ValueError(f"by is {by!r}; with sections an array of shape ({sections[0]}, ...) is expected")
    if isinstance(by, (list, tuple)):
        by = np.asarray(by)
    elif not is_array(by):
        by = of(keys).symbol_as_array("by", integer("by", by), keys)
        by = by if is_array(by) else np.asarray([by])
    if len(by.shape) == 0:
        by = namespace_of(by).reshape(by, (1,))
    if not of(by).is_traced(by) and not of(by).is_integer(by):
        raise TypeError(f"by has dtype {by.dtype}; integers are expected")
    if _holds_nothing_yet(keys) and slots is None:
        return keys
    automatic = heads_axis is AUTOMATIC_HEADS_AXIS
    axis = heads_axis
    different = math.prod(by.shape) > math.prod(sections)
    if automatic and len(keys.shape) >= 4 and slots is None and different:
        raise ValueError("heads_axis must be given when keys of 4 or more axes move by different numbers of tokens")
    if automatic:
        axis = -2
    dimensions = len(keys.shape)
    tokens = dimensions - (1 if axis is None else 2)
    if sections and slots is None and len(by.shape) == 1:
        by = by.reshape((*sections, *(1,) * tokens))
    elif slots is None and tokens == 0:
        by = by.reshape(())
    return run(record, keys, None, by, heads_axis=axis, in_place=True, slots=slots, names=_NAMES)


def packed_positions(cu_seqlens: Array, total: int, offsets: Array | None = None) -> Array:
    """Positions of packed sequences: 0, 1, 2, ... anew in each, without reading from a device.

    Parameters
    ----------
    cu_seqlens : integer array, shape (sequences + 1,)
        Cumulative lengths, from 0 on, as attention kernels for variable lengths take them.
    total : int
        How many tokens the packed array has. Tokens beyond cu_seqlens[-1] continue the last sequence.
    offsets : integer array, shape (sequences,), optional
        The position of each sequence's first token, such as the length of its cache.

    Returns
    -------
    integer array, shape (total,)
        In the framework, dtype and device of cu_seqlens.

    Raises
    ------
    TypeError, ValueError
        For other dtypes and shapes; where the values can be read, also unless they rise from 0.
    """
    if isinstance(cu_seqlens, (list, tuple)):
        cu_seqlens = np.asarray(cu_seqlens)
    if not is_array(cu_seqlens) or not of(cu_seqlens).is_integer(cu_seqlens):
        raise TypeError(f"cu_seqlens is {cu_seqlens!r}; an array of integers is expected")
    count = integer("total", total)
    if not 0 <= count < 2**48:
        raise ValueError(f"total is {total!r}; an integer >= 0 and < 2^48 is expected")
    with extents_may_be_compared():
        if len(cu_seqlens.shape) != 1 or cu_seqlens.shape[0] < 2:
            raise ValueError(
                f"cu_seqlens has shape {tuple(cu_seqlens.shape)}; (sequences + 1,) with a sequence is expected"
            )
    xp = namespace_of(cu_seqlens)
    if not of(cu_seqlens).is_traced(cu_seqlens):
        rising = bool(xp.all(cu_seqlens[1:] >= cu_seqlens[:-1]))
        if int(cu_seqlens[0]) != 0 or not rising or int(cu_seqlens[-1]) > count:
            raise ValueError(
                f"cu_seqlens is {cu_seqlens!r}; numbers that rise from 0 to at most total = {count} are expected"
            )
    sequences = cu_seqlens.shape[0] - 1
    device = device_argument(xp, cu_seqlens)
    index = xp.arange(count, dtype=cu_seqlens.dtype, **device)
    sequence = xp.searchsorted(cu_seqlens[1:], index, side="right")
    sequence = xp.minimum(sequence, xp.full_like(sequence, sequences - 1))
    positions = index - xp.take(cu_seqlens[:-1], sequence, axis=0)
    if offsets is None:
        return positions
    if isinstance(offsets, (list, tuple)):
        offsets = np.asarray(offsets)
    if not is_array(offsets) or not of(offsets).is_integer(offsets):
        raise TypeError(f"offsets is {offsets!r}; an array of integers is expected")
    if is_numpy(offsets):
        offsets = constant(xp, offsets, cu_seqlens.dtype, like=cu_seqlens)
    with extents_may_be_compared():
        if tuple(offsets.shape) != (sequences,):
            raise ValueError(
                f"offsets has shape {tuple(offsets.shape)}; ({sequences},), one for each sequence, is expected"
            )
    return positions + xp.take(xp.astype(offsets, cu_seqlens.dtype), sequence, axis=0)
