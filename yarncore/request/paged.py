"""Tokens on their way out of and into the slots of pools: what a backend receives of append_ and move_."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from yarncore.frameworks.expressions import constant, device_argument, namespace_of
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, is_numpy, of
from yarncore.request.heads import token_shape_of
from yarncore.request.overlap import overlap, repeats_memory
from yarncore.request.positions import PlacedPositions
from yarncore.turns.record import RotationRecord


@dataclass(slots=True)
class Transfer:
    """An array that tokens are read from, and one that they are written to.

    Attributes
    ----------
    source : array
    target : array or None
        None: a fresh one like `source`.
    names : pair of str
        What the caller calls the two.
    turns : bool
        Whether tokens are turned on the way; else they are copied, bit for bit.
    from_slots, to_slots : bool
        Whether the slots say where the tokens lie; else they lie on the axes of the grid.
    """

    source: Array
    target: Array | None
    names: tuple[str, str]
    turns: bool
    from_slots: bool
    to_slots: bool

    @property
    def arrays(self) -> list[Array]:
        """What is read or written."""
        return [self.source] if self.target is None else [self.source, self.target]


@dataclass(slots=True)
class Term:
    """A rotation at positions of its own, which broadcast against the grid."""

    positions: PlacedPositions
    record: RotationRecord


@dataclass(slots=True)
class PagedRequest:
    """One call, checked. After this nothing can fail for a reason the caller caused.

    Attributes
    ----------
    transfers : list of Transfer
        Those that turn first.
    heads_axis : -2 or None
        Of all arrays.
    grid : tuple of int
        The shape of the tokens that are on their way.
    terms : list of Term
        The rotation of those that turn; two are done one after the other.
    source_slots, target_slots : integer array, shape (tokens,), or None
        Flattened token indices of the grid's tokens in C order, -1 where one stays behind. In NumPy, as int64 and checked,
        unless they live where the arrays do and cannot be read without waiting.
    in_one_pool : bool
        Whether what is written may be what another token is still to be read from.
    given_heads_axis : int or None
        Of the arrays as the caller knows them.
    """

    transfers: list[Transfer]
    heads_axis: int | None
    grid: tuple[int, ...]
    terms: list[Term]
    source_slots: Any = None
    target_slots: Any = None
    in_one_pool: bool = False
    given_heads_axis: int | None = None

    @property
    def arrays(self) -> list[Array]:
        """All that is read or written."""
        return [x for transfer in self.transfers for x in transfer.arrays]

    @property
    def tokens(self) -> int:
        """How many tokens are on their way."""
        return math.prod(self.grid)

    def pool_shape(self, x: Array) -> tuple[int, ...]:
        """The token axes of a pool, which slots index."""
        return token_shape_of(x, self.heads_axis)

    def reads_what_it_writes(self) -> bool | None:
        """Whether a token is written to where another one is read; None where that cannot be known."""
        if not self.in_one_pool:
            return False
        if not (is_numpy(self.source_slots) and is_numpy(self.target_slots)):
            return None
        moves = (self.source_slots >= 0) & (self.target_slots >= 0)
        source, target = self.source_slots[moves], self.target_slots[moves]
        written = np.zeros(int(target.max(initial=-1)) + 1, dtype=bool)
        written[target] = True
        elsewhere = source[(source != target) & (source < written.size)]
        return bool(written[elsewhere].any())

    def read_before(self) -> "PagedRequest":
        """The same with every token that slots name read already, into fresh arrays: then the order does not matter."""
        if self.source_slots is None:
            return self
        stays = self.source_slots < 0
        if is_numpy(self.target_slots) and not is_numpy(stays):
            xp = namespace_of(stays)
            target = constant(xp, self.target_slots, xp.int64, like=stays)
        else:
            target = self.target_slots
        if is_numpy(stays) and not is_numpy(target):
            xp = namespace_of(target)
            stays = constant(xp, stays, xp.bool, like=target)
        target = np.where(stays, -1, target) if is_numpy(target) else namespace_of(target).where(stays, -1, target)
        transfers = [replace(t, source=self._taken(t.source), from_slots=False) for t in self.transfers]
        return replace(self, transfers=transfers, source_slots=None, target_slots=target, in_one_pool=False)

    def _taken(self, pool: Array) -> Array:
        """The tokens of a pool in the order of the grid; any token where one stays behind."""
        shape, slots = self.pool_shape(pool), self.source_slots
        rest = tuple(pool.shape[len(shape) :])
        xp = namespace_of(pool)
        if 0 in shape:  # all stay behind
            return xp.zeros((*self.grid, *rest), dtype=pool.dtype, **device_argument(xp, pool))
        if is_numpy(slots):
            index = of(pool).at_index(pool, np.unravel_index(np.maximum(slots, 0), shape))
        else:
            index = unravelled(xp.where(slots < 0, 0, slots), shape)
        return xp.reshape(pool[index], (*self.grid, *rest))


def unravelled(slots: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
    """Flattened indices as one index for each axis."""
    index = []
    for extent in reversed(shape):
        index.append(slots % extent)
        slots = slots // extent
    return tuple(reversed(index))


def heads_last(x: Array, axis: int | None) -> Array:
    """A view with the axis of heads next to the last."""
    return x if axis in (None, -2) else namespace_of(x).moveaxis(x, axis, -2)


def normal(transfer: Transfer, axis: int | None) -> Transfer:
    """The same memory as a backend receives it: heads next to the last, values of a dtype that can be indexed."""
    source, *target = (heads_last(x if transfer.turns else of(x).indexable(x), axis) for x in transfer.arrays)
    return replace(transfer, source=source, target=target[0] if target else None)


def check_carried(name: str, x: Any, name_of_keys: str, keys: Array, axis: int | None) -> None:
    """Raise TypeError or ValueError where an array cannot hold the values of some keys: any dtype, as many tokens."""
    if not is_array(x) or isinstance(x, np.generic):
        raise TypeError(f"{name} is {x!r} ({type(x).__name__}); an array is expected")
    of(x).check(name, x)
    check_beside(name, x, name_of_keys, keys)
    if len(x.shape) != len(keys.shape) or token_shape_of(x, axis) != token_shape_of(keys, axis):
        raise ValueError(
            f"{name} has shape {tuple(x.shape)} and {name_of_keys} {tuple(keys.shape)}; with heads_axis={axis} they must agree in "
            "all axes but the heads (and the last)"
        )


def check_beside(name: str, x: Array, name_of_other: str, other: Array) -> None:
    """Raise TypeError or ValueError where arrays are of different frameworks, or on different devices."""
    if of(x).name != of(other).name:
        raise TypeError(
            f"{name} is an array of {of(x).name} and {name_of_other} of {of(other).name}; both of the same framework are expected"
        )
    if of(x).device(x) != of(other).device(other):
        raise ValueError(
            f"{name} is on {of(x).device(x)} and {name_of_other} on {of(other).device(other)}; the same device is expected"
        )


def check_pool(name: str, pool: Any, name_of_tokens: str, tokens: Array, axis: int | None) -> None:
    """Raise TypeError or ValueError where tokens like those of an array cannot be written to slots of `pool`."""
    if not is_array(pool) or isinstance(pool, np.generic):
        raise TypeError(f"{name} is {pool!r} ({type(pool).__name__}); an array is expected")
    of(pool).check(name, pool)
    check_beside(name, pool, name_of_tokens, tokens)
    of(pool).check_writable(name, pool)
    if pool.dtype != tokens.dtype:
        raise ValueError(
            f"{name} has dtype {pool.dtype} and {name_of_tokens} {tokens.dtype}; the same dtype is expected"
        )
    needed = 2 if axis is None else max(3, -axis)
    if len(pool.shape) < needed:
        raise ValueError(
            f"{name} has shape {tuple(pool.shape)}; with heads_axis={axis} at least {needed} axes are expected: of tokens, "
            f"{'' if axis is None else 'of heads '}and of elements"
        )
    for what, place in (("heads", axis), ("elements of a head", -1)):
        if place is not None and pool.shape[place] != tokens.shape[place]:
            raise ValueError(
                f"{name} has shape {tuple(pool.shape)} and {name_of_tokens} {tuple(tokens.shape)}; as many {what} are expected: "
                f"axis {place} is {pool.shape[place]} and {tokens.shape[place]}"
            )


def checked_transfers(transfers: list[Transfer]) -> list[Transfer]:
    """The transfers, after ValueError where writing one target would change another array, or the same twice."""
    layouts = [tuple(of(x).layout(x) for x in transfer.arrays) for transfer in transfers]
    for n, (transfer, own) in enumerate(zip(transfers, layouts, strict=True)):
        if transfer.target is None:
            continue
        target, name = own[1], transfer.names[1]
        if target is not None and repeats_memory(target):
            raise ValueError(
                f"{name} has overlapping memory (an expanded or sliding view?): it cannot be written in place"
            )
        for m, (other, places) in enumerate(zip(transfers, layouts, strict=True)):
            for place, layout in enumerate(places):
                in_place = n == m and layout == target
                seen = place == 1 and m <= n
                if target is None or layout is None or in_place or seen:
                    continue
                if overlap(target, layout):
                    raise ValueError(f"{name} overlaps {other.names[place]} in memory; other memory is expected")
    return transfers
