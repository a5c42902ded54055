"""A function that rotates q and k -> Identification: asked with unit vectors."""

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from yarncore._arguments import integer
from yarncore.frameworks.expressions import constant, namespace_of
from yarncore.frameworks.known import is_array
from yarncore.identification.cos_sin import NOISE, checked_positions, of_tables
from yarncore.identification.fit import Floats
from yarncore.identification.identified import Identification
from yarncore.identification.measured import NoRotationError
from yarncore.identification.stored import as_float64, stored_type

_ZERO = 1e-6
_TOKENS = 128
_FEWEST_TOKENS = 32
_ELEMENTS = 2**22  # of what a function is asked with, one unit vector a head


class Probed(NamedTuple):
    """What a function does to unit vectors.

    Attributes
    ----------
    cos, sin : float64 arrays, shape (positions, pairs)
    interleaved : bool
    start : int
        The first element that turns.
    turning : int
        Elements that turn.
    reordered : bool
        The results are in another order than what was given.
    """

    cos: Floats
    sin: Floats
    interleaved: bool
    start: int
    turning: int
    reordered: bool


def of_function(
    function: Callable[..., Any], head_dim: Any = 128, heads_axis: Any = -2, positions: Any = None, like: Any = None
) -> Identification:
    """What a function of (q, k, positions), or of (q, k) at positions 0, 1, 2, ..., rotates by.

    Raises
    ------
    TypeError, ValueError
        Where what it returns is no rotation of what it was given.
    """
    dim = integer("head_dim", head_dim)
    if heads_axis not in (-2, -3):
        raise ValueError(f"heads_axis is {heads_axis!r}; -2 or -3 is expected")
    if dim < 2 or dim % 2:
        raise ValueError(f"head_dim is {dim}; an even integer >= 2 is expected")
    at = (
        np.arange(max(_FEWEST_TOKENS, min(_TOKENS, _ELEMENTS // dim**2)))
        if positions is None
        else _whole("positions", positions)
    )
    if 0 not in at:
        at = np.concatenate([[0], at])
    checked_positions(at, len(at))
    results = _called(function, dim, heads_axis, at, like)
    stored, notes = stored_type(np.concatenate([each[each != 0] for each in results])), []
    factors = [_factors(result, at) for result in results]
    for n, each in enumerate(factors):
        if each is not None:
            results[n] = results[n] / each[:, None, None]
            notes.append(f"{'qk'[n]} is multiplied by its position, from {each.min():.6g} to {each.max():.6g} times")
    first = _probed(results[0], at)
    of_k = [_of_k(first, result, at, max(1e-5, 4 * NOISE[stored])) for result in results[1:]]
    of_k += ["it is multiplied by its position" for each in factors[1:] if each is not None]
    if first.reordered:
        notes.append("results come out in another order than q and k went in: pairs (2i, 2i+1) as (i, i + half)")
    if first.turning < dim:
        notes.append(f"{first.turning} of {dim} elements turn, from element {first.start} on")
    found = of_tables(first.cos, first.sin, at, interleaved=first.interleaved, notes=notes, stored=stored)
    return replace(
        found, layout=None, same_for_k=not any(of_k), of_k=next(filter(None, of_k), ""), rotary_start=first.start,
        scales_queries=factors[0] is not None, reordered=first.reordered,
    )  # fmt: skip


def _factors(result: Floats, at: Any) -> Floats | None:
    """By what whole heads are multiplied at each position more than at 0, where that is not 1; None where it is."""
    sizes = _sizes(result, at)
    factors = np.median(sizes, axis=1)
    if (factors == 0).any():
        return None
    allowed = 4 * NOISE[stored_type(result)]
    whole = np.abs(sizes / factors[:, None] - 1).max() <= allowed
    return factors if whole and np.abs(factors - 1).max() > allowed else None


def _sizes(result: Floats, at: Any) -> Floats:
    """The lengths of what unit vectors became, of those at position 0: shape (positions, dim)."""
    lengths = np.linalg.norm(result, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = lengths / lengths[int(np.flatnonzero(at == 0)[0])]
    return np.asarray(np.nan_to_num(ratios, nan=1.0))


def scale_at(function: Callable[..., Any], positions: list[int], dim: int, heads_axis: int, like: Any) -> Floats:
    """By what queries are multiplied at positions, of which the first is 0, more than there."""
    at = np.array(positions, dtype=np.int64)
    return np.asarray(np.median(_sizes(_called(function, dim, heads_axis, at, like)[0], at), axis=1))


def _whole(name: str, positions: Any) -> Any:
    at = as_float64(name, positions).reshape(-1)
    if (at != np.floor(at)).any() or (np.abs(at) >= 2**53).any():
        raise ValueError(f"{name} has fractions, or entries beyond 2^53; whole numbers are expected for a function")
    return at.astype(np.int64)


def _of_k(q: Probed, result: Floats, at: Any, allowed: float) -> str:
    """How k turns otherwise than q, in words; empty where it does not."""
    try:
        k = _probed(result, at)
    except NoRotationError as error:
        return str(error).replace("of q", "of k")
    if (k.interleaved, k.start, k.turning) != (q.interleaved, q.start, q.turning):
        return "other pairs of it turn"
    of_k, of_q = (float(np.median(np.abs(each.cos + 1j * each.sin))) for each in (k, q))
    ratio = of_k / of_q
    differ = max(float(np.abs(of_k - ratio * of_q).max()) for of_k, of_q in ((k.cos, q.cos), (k.sin, q.sin)))
    if differ > allowed:
        return "it turns by other angles"
    return f"its amplitude is {of_k:.6g}, that of q {of_q:.6g}" if abs(ratio - 1) > allowed else ""


def _called(function: Callable[..., Any], dim: int, heads_axis: int, at: Any, like: Any) -> list[Floats]:
    """q and k of unit vectors, one a head: results of shape (positions, dim given, dim returned)."""
    unit = np.broadcast_to(np.eye(dim, dtype=np.float32), (1, len(at), dim, dim))
    given = np.ascontiguousarray(unit if heads_axis == -2 else np.swapaxes(unit, 1, 2))
    if is_array(like):
        xp = namespace_of(like)
        q, k, where = (
            constant(xp, given, like.dtype, like),
            constant(xp, given, like.dtype, like),
            constant(xp, at, xp.int64, like),
        )
    else:
        q, k, where = given, given.copy(), at
    returned = function(q, k, where) if takes_positions(function) else function(q, k)
    returned = returned if isinstance(returned, (tuple, list)) else (returned,)
    if not returned:
        raise ValueError("the function returned nothing; q, or q and k, are expected")
    results = []
    for name, result in zip(("q", "k"), returned, strict=False):
        array = as_float64(f"the function's {name}", result)
        if array.shape != given.shape:
            raise ValueError(
                f"the function returned {name} of shape {array.shape} for {given.shape}; the same is expected"
            )
        results.append((array if heads_axis == -2 else np.swapaxes(array, 1, 2))[0])
    return results


def takes_positions(function: Callable[..., Any]) -> bool:
    """Whether it is asked with (q, k, positions), not with (q, k)."""
    return _parameters(function) != 2


def _parameters(function: Callable[..., Any]) -> int:
    """How many arguments by position a function must or may have; 3 where it does not tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 3
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [each for each in parameters if each.kind in kinds]
    required = [each for each in named if each.default is inspect.Parameter.empty]
    return (
        3
        if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
        else max(len(required), min(len(named), 3))
    )


def _probed(results: Floats, at: Any) -> Probed:
    """Which pairs turn by what, of matrices that were given the unit matrix."""
    dim = results.shape[1]
    still = results[int(np.flatnonzero(at == 0)[0])]
    order, unmoved = np.abs(still).argmax(axis=1), np.arange(dim)
    if len(set(order.tolist())) != dim or (np.abs(still) > _ZERO * np.abs(still).max()).sum() != dim:
        given, home, order = results, _turned_back(results, still), unmoved
    else:  # [p, i, j]: how much of what was element j's place comes from element i
        given = home = results if (order == unmoved).all() else results[:, :, order]
    largest = np.abs(home).max(axis=0)
    np.fill_diagonal(largest, 0.0)
    # Slow pairs hardly turn: where nothing else is there, any number is a turn.
    noise = 0.0 if ((largest > 0).sum(axis=1) <= 1).all() else _ZERO
    partner, moves = largest.argmax(axis=1), largest.max(axis=1) > noise
    if not moves.any():
        raise NoRotationError("no element of q turns at these positions; give others, or what rotates")
    inside = np.flatnonzero(moves)
    if (partner[partner[inside]] != inside).any() or ((largest > noise).sum(axis=1) > 1).any():
        raise NoRotationError("elements of q do not turn in pairs")
    firsts = np.array([i for i in inside.tolist() if i < partner[i]])
    distance = partner[firsts] - firsts
    interleaved = bool((distance == 1).all() and len(firsts) > 1) or bool(
        len(firsts) == 1 and dim > 2 and distance[0] == 1
    )
    if not interleaved and len(set(distance.tolist())) > 1:
        raise NoRotationError(
            f"partners are {sorted(set(distance.tolist()))} elements apart; 1 or always the same is expected"
        )
    start = int(firsts[0])
    turning = 2 * len(firsts) if interleaved else 2 * int(distance[0])
    if not interleaved:  # pairs of frequency 0 stand between the halves
        firsts = np.arange(start, start + int(distance[0]))
        partner = partner.copy()
        partner[firsts] = firsts + int(distance[0])
    cos, sin = given[:, firsts, firsts], given[:, firsts, partner[firsts]]
    if np.abs(given[:, partner[firsts], firsts] + sin).max() > 1e-5:
        raise NoRotationError("partners do not turn by one angle: x0 cos - x1 sin and x1 cos + x0 sin are expected")
    return Probed(cos, sin, interleaved, start, turning, bool((order != unmoved).any()))


def _turned_back(results: Floats, still: Floats) -> Floats:
    """The results of a function that turns at position 0 already, without that turn."""
    size = float(np.abs(np.diagonal(still @ still.T)).mean())
    if size == 0 or np.abs(still @ still.T - size * np.eye(len(still))).max() > 1e-2 * size:
        raise NoRotationError(
            "at position 0 an element of q comes out as several; a rotation only keeps or reorders them"
        )
    back = results @ still.T / math.sqrt(size)
    back[np.abs(back) < 10 * _ZERO] = 0.0  # what rounding has left
    return np.asarray(back)
