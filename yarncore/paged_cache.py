"""Keys in the slots of a paged cache: appending new ones, and moving stored ones."""

from typing import Any

import numpy as np

from yarncore._arguments import integer
from yarncore.backends.native.plain_call import attempt_append, attempt_move
from yarncore.backends.paged import carry_out
from yarncore.frameworks.expressions import namespace_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, is_numpy, of
from yarncore.request.appending import append_request
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.request.moving import move_request
from yarncore.rotation.rotation import Rotation
from yarncore.turns.record import RotationRecord


def append_(
    rotation: Rotation,
    q: Array | None,
    k: Array,
    v: Array | None,
    positions: Any,
    *,
    key_cache: Array,
    slots: Any,
    value_cache: Array | None = None,
    heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
    out: Array | None = None,
) -> Array | None:
    """Rotate new keys straight into the slots of a paged cache, their values beside them, and the queries.

    One pass, without a temporary, on NumPy arrays and plain torch tensors.

    Parameters
    ----------
    rotation : Rotation
        Such as rope.at(length).
    q : array, shape (*tokens, query heads, head_dim), or None
        None: there are no queries to rotate.
    k : array, shape (*tokens, heads, head_dim)
        float64, float32, bfloat16 or float16, not rotated yet. It is left as it is.
    v : array, shape (*tokens, value heads, value dim), or None
        Of any dtype: its bits are copied.
    positions : None, int, or array of int or float
        Of the tokens, as for Rope.rotate.
    key_cache : array, shape (blocks, block size, heads, head_dim), keyword-only
        Of the dtype of `k`, with any number of token axes and any strides: another order of axes is given as a view.
    slots : integers, one for each token, of shape (tokens,) or that of the token axes, keyword-only
        Unique indices into the flattened token axes of the caches, block * block size + place in the block. At -1 nothing
        is written, as engines pad; the query of such a token is rotated none the less. On a GPU, beside the caches, they
        are not read: there any out of range is skipped, and which token stays of those that share a slot is undefined.
    value_cache : array, shape (blocks, block size, value heads, value dim), keyword-only
        Given where `v` is.
    heads_axis : int or None, keyword-only
        Of all arrays alike, as for Rope.rotate.
    out : array, keyword-only
        Where the rotated queries go; may be `q` itself. None: a fresh array.

    Returns
    -------
    array, or None
        The rotated queries.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted; nothing has been written then.
    BackendUnavailable
        Where the framework's arrays cannot be written by index.

    Examples
    --------
    >>> import numpy as np
    >>> import yarncore as yc
    >>> rotation = yc.Rope(head_dim=8).at()
    >>> key_cache, value_cache = np.zeros((2, 3, 4, 16, 2, 8), dtype=np.float32)[:, 0]
    >>> q, k, v = np.ones((3, 5, 2, 8), dtype=np.float32)
    >>> block_table = np.array([2, 0])
    >>> positions = np.arange(14, 19)
    >>> slots = block_table[positions // 16] * 16 + positions % 16
    >>> q = yc.append_(rotation, q, k, v, positions, key_cache=key_cache, value_cache=value_cache, slots=slots)
    >>> bool((key_cache[2, 14] == q[0]).all() and (key_cache[0, 2] == q[4]).all())
    True
    """
    record = _record_of("rotation", rotation)
    done = attempt_append(record, q, k, v, positions, key_cache, value_cache, slots, heads_axis, out)
    if done is not None:
        return None if q is None else done
    request = append_request(
        record, q, k, v, positions, key_cache=key_cache, value_cache=value_cache, slots=slots, heads_axis=heads_axis, out=out
    )  # fmt: skip
    rotated = carry_out(request)[0]
    if q is None or out is not None:
        return out
    axis = request.given_heads_axis
    return rotated if axis in (None, -2) else namespace_of(rotated).moveaxis(rotated, -2, axis)


def move_(
    keys: Array,
    source: Any,
    target: Any,
    rotation: Rotation,
    *,
    by: Any = 0,
    new: Rotation | None = None,
    positions: Any = None,
    into: Array | None = None,
    values: Array | None = None,
    values_into: Array | None = None,
    heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
) -> Array:
    """Move stored keys from slots to slots, turned on the way to another position, another scale, or both at once.

    One pass, without a temporary, on NumPy arrays and plain torch tensors, unless a token is written to a slot that
    another one is read from.

    Parameters
    ----------
    keys : array, shape (blocks, block size, heads, head_dim)
        A pool of keys that are rotated; any number of token axes, any strides.
    source, target : integers, shape (n,)
        Indices into the flattened token axes, block * block size + place in the block: the key at source[i] goes to
        target[i]. -1 in either: nothing is done. Targets are unique; a source may be named more than once. Within one
        pool they may meet in any way, as chains, rings, or exchanges: all are read as they were before the call; where a
        token is written to what another one is read from, a temporary of n keys is taken. On a GPU, beside the keys,
        they are not read: there any out of range is skipped.
    rotation : Rotation
        Under which the keys were rotated.
    by : int, or integers of shape (n,) or (n, heads), keyword-only
        Tokens to move by, or a shape that broadcasts to these: the keys then are what they would be at position + by.
        With sections: one number for each first, (sections,), (sections, n) or (sections, n, heads).
    new : Rotation, keyword-only
        Under which they are to be rotated then; None: the same.
    positions : int, or integers as for `by`, keyword-only
        Where `new` is given: the positions under which the keys were rotated, before the move.
    into : array, keyword-only
        Another pool, of the dtype and the heads of `keys`, which `target` indexes; None: `keys` itself.
    values, values_into : array, keyword-only
        The pools of the values, of any dtype: they move along, and their bits are copied. `values_into` is given where
        `values` and `into` are.
    heads_axis : int or None, keyword-only
        Of all arrays alike; -2 where it is not given. None: no axis of heads, as of MLA's rotated slice,
        cache[..., 512:].

    Returns
    -------
    array
        `into`, or `keys`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted; nothing has been written then.
    BackendUnavailable
        Where the framework's arrays cannot be written by index.

    Notes
    -----
    A move by 0 under one scale leaves every bit. Each rotation of 16-bit keys rounds once: by position and scale
    together that is one rounding, not two.

    Examples
    --------
    >>> import numpy as np
    >>> import yarncore as yc
    >>> rotation = yc.Rope(head_dim=8).at()
    >>> x = np.random.default_rng(0).standard_normal((5, 1, 8))
    >>> keys = np.zeros((3, 4, 1, 8))
    >>> keys.reshape(12, 1, 8)[:5] = rotation.rotate(x, None, np.arange(5))
    >>> yc.move_(keys, [2, 3, 4], [8, 9, 10], rotation, by=-2) is keys
    True
    >>> bool(np.allclose(keys[2, :3], rotation.rotate(x[2:], None, np.arange(3))))
    True
    """
    _record_of("rotation", rotation)
    if new is None and positions is None:
        shift = rotation.without_factor()._record
        if attempt_move(shift, keys, source, target, by, into, values, values_into, heads_axis):
            return keys if into is None else into
    terms = _terms(rotation, new, by, positions)
    request = move_request(
        terms, keys, source, target, into=into, values=values, values_into=values_into, heads_axis=heads_axis
    )
    carry_out(request)
    return keys if into is None else into


def _record_of(name: str, rotation: Any) -> RotationRecord:
    if not isinstance(rotation, Rotation):
        raise TypeError(f"{name} is {rotation!r}; a Rotation is expected, such as rope.at(length)")
    return rotation._record


def _terms(rotation: Rotation, new: Rotation | None, by: Any, positions: Any) -> list[tuple[str, Any, RotationRecord]]:
    """What moves keys: from the positions they have to another scale, then by some tokens under that."""
    scale, terms = rotation if new is None else new, []
    if new is None and positions is not None:
        raise TypeError("positions are given and new is not: under one scale, only `by` counts")
    if new is not None:
        _record_of("new", new)
        if positions is None:
            raise TypeError("positions is missing: under `new`, a key turns by the position it was rotated at")
        record = (new.for_keys() @ rotation.for_keys().inverse)._record
        terms.append(("positions", _numbers("positions", positions, record), record))
    shift = scale.without_factor()._record
    moved = _numbers("by", by, shift)
    if not (terms and is_numpy(moved) and not moved.any()):
        terms.append(("by", moved, shift))
    return terms


def _numbers(name: str, given: Any, record: RotationRecord) -> Array:
    """Integers as an array, its first axis that of the sections where there are sections."""
    if not is_array(given):
        given = np.asarray(given) if isinstance(given, (list, tuple, range)) else np.asarray(integer(name, given))
    if not of(given).is_integer(given):
        raise TypeError(f"{name} has dtype {given.dtype}; integers are expected")
    sections = record.position_axes
    if sections and given.shape[:1] != sections:
        raise ValueError(
            f"{name} has shape {tuple(given.shape)}; with sections an array of shape ({sections[0]}, ...) is expected"
        )
    return given.reshape((*given.shape, 1)) if len(given.shape) == len(sections) else given
