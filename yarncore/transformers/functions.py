"""A model's rotation function, and ours that stands in for it: found by what the function does to small arrays."""

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from yarncore.rope.rope import Rope
from yarncore.transformers.handed import Handed, ropes_by_shape

# The arguments that come from the rotary module, each of which Handed comes in.
_TABLES = ("cos", "sin", "freqs_cis")
_UNSQUEEZE = "unsqueeze_dim"
_BATCH, _HEADS, _TOKENS = 2, 3, 4
_EQUAL = 1e-4  # some functions compute in float32; another rotation differs by 0.1 and more at these positions


@dataclass(frozen=True, slots=True)
class RotationFunction:
    """Stands in for a function that rotates by cos and sin, and rotates by what Handed says.

    Attributes
    ----------
    parameters : tuple of str
        Of the function, in order.
    arrays : tuple of str
        Those that are rotated; one or two.
    pair : bool
        It returns a pair even where there is nothing in the place of k.
    interleaved : bool
        The pairs of what it is given.
    into_halves : bool
        Its results have the other layout: pairs (2i, 2i+1) come out as (i, i + half), as transformers caches them.
    heads_axis : int or None
        None: unsqueeze_dim tells.
    unsqueeze_dim : int
        Where the call does not say.
    """

    parameters: tuple[str, ...]
    arrays: tuple[str, ...]
    pair: bool
    interleaved: bool
    into_halves: bool
    heads_axis: int | None
    unsqueeze_dim: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = dict(zip(self.parameters, args, strict=False))
        given.update(kwargs)
        handed = given["freqs_cis"] if "freqs_cis" in given else given["sin"]  # the one that a model may negate
        q = given[self.arrays[0]]
        k = given.get(self.arrays[1]) if len(self.arrays) > 1 else None
        axis = self.heads_axis
        if axis is None:  # cos is (batch, seq, dim): an axis put in at 1 is that of (batch, heads, seq, dim)
            axis = -3 if given.get(_UNSQUEEZE, self.unsqueeze_dim) == 1 else -2
        turned = self._turned(handed, q, k, axis)
        return (turned, None) if self.pair and k is None else turned

    def _turned(self, handed: Handed, q: torch.Tensor, k: torch.Tensor | None, axis: int) -> Any:
        if not self.into_halves:
            return handed.rotate(q, k, axis, self.interleaved, fresh=True)
        return handed.rotate(_in_halves(q), None if k is None else _in_halves(k), axis, False, fresh=True)


def _in_halves(x: torch.Tensor) -> torch.Tensor:
    """Pairs (2i, 2i+1) put at (i, i + half), in memory of its own."""
    return x.unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2).contiguous()


def takes_tables(function: Any) -> bool:
    """Whether something is a function that rotates by cos and sin, or by one array of both, as its parameters have it."""
    call = function.forward if isinstance(function, torch.nn.Module) else function
    return isinstance(call, (types.FunctionType, types.MethodType)) and _takes_tables(call)


@functools.lru_cache(maxsize=4096)
def _takes_tables(call: Any) -> bool:
    names = set(inspect.signature(call).parameters)
    return {"cos", "sin"} <= names or "freqs_cis" in names


@functools.lru_cache(maxsize=256)
def standing_in_for(function: Callable[..., Any], rope: Rope) -> RotationFunction | None:
    """Ours for a rotation function of a model, or None where none does what the function does.

    Each that ours can be is tried on small arrays, on the CPU, in float64, with the tables in each arrangement that models
    have: what is returned gave the very results of the function. The Rope is one without scaling.
    """
    call: Any = function.forward if isinstance(function, torch.nn.Module) else function
    parameters = tuple(inspect.signature(call).parameters)
    if "cos" in parameters:
        first_table = min(parameters.index("cos"), parameters.index("sin"))
    else:
        first_table = parameters.index("freqs_cis")
    arrays = parameters[:first_table]
    if not 1 <= len(arrays) <= 2:
        return None
    ropes = ropes_by_shape(rope)
    for width in dict.fromkeys((rope.head_dim, rope.rotary_dim)):
        for ours in _candidates(call, parameters, arrays):
            if (width, ours.interleaved) in ropes and _agrees(call, ours, ropes, width):
                return dataclasses.replace(ours, pair=_pairs_without_k(call, ours, width))
    return None


def _candidates(call: Any, parameters: tuple[str, ...], arrays: tuple[str, ...]) -> Iterator[RotationFunction]:
    unsqueeze = inspect.signature(call).parameters.get(_UNSQUEEZE)
    default = 1 if unsqueeze is None or unsqueeze.default is inspect.Parameter.empty else int(unsqueeze.default)
    for axis in (-3, -2) if unsqueeze is None else (None,):
        for interleaved, into_halves in ((False, False), (True, False), (True, True)):
            yield RotationFunction(parameters, arrays, False, interleaved, into_halves, axis, default)


def _agrees(call: Any, ours: RotationFunction, ropes: Mapping[tuple[int, bool], Rope], width: int) -> bool:
    """Whether ours does what theirs does, with the tables in any of the arrangements of models."""
    axis = ours.heads_axis or (-3 if ours.unsqueeze_dim == 1 else -2)
    shape = (_BATCH, _HEADS, _TOKENS, width) if axis == -3 else (_BATCH, _TOKENS, _HEADS, width)
    generator = torch.Generator(device="cpu").manual_seed(1)
    given = [torch.randn(shape, dtype=torch.float64, device="cpu", generator=generator) for _ in ours.arrays]
    rope = next(iter(ropes.values()))
    positions = torch.arange(1, 1 + _BATCH * _TOKENS, device="cpu").reshape(_BATCH, _TOKENS)
    if rope.sections is not None:
        positions = torch.stack([positions + 2 * section for section in range(len(rope.sections))])
    handed = Handed(ropes, positions, None)
    arrays = dict(zip(ours.arrays, given, strict=True))
    copies = {name: x.clone() for name, x in arrays.items()}
    mine = ours(**copies, **dict.fromkeys(set(_TABLES) & set(ours.parameters), handed))
    cos, sin = tables_of_models(rope).cos_sin(positions, dtype=torch.float64)
    for cos_, sin_ in ARRANGEMENTS.values():
        tables = {"cos": cos_(cos, sin), "sin": sin_(cos, sin), "freqs_cis": cos_(cos, sin)}
        try:
            theirs = call(**arrays, **{name: tables[name] for name in tables if name in ours.parameters})
        except (RuntimeError, IndexError, TypeError, ValueError):
            continue
        if _equal(mine, theirs):
            return True
    return False


def tables_of_models(rope: Rope) -> Rope:
    """The Rope whose cos and sin a model's module makes: where its pairs turn the other way, its function does that."""
    return dataclasses.replace(rope, reversed=False)


def _pairs_without_k(call: Any, ours: RotationFunction, width: int) -> bool:
    """Whether theirs returns a pair where it is given nothing to rotate but q."""
    if len(ours.arrays) == 1:
        return False
    x = torch.zeros(1, 1, 1, width, device="cpu")
    try:
        found = call(x, None, cos=x[0], sin=x[0])
    except (AttributeError, TypeError, RuntimeError):
        return False
    return isinstance(found, tuple)


def _equal(mine: Any, theirs: Any) -> bool:
    if not isinstance(mine, tuple):
        mine, theirs = (mine,), (theirs,)
    if not isinstance(theirs, tuple) or len(mine) != len(theirs):
        return False
    pairs = list(zip(mine, theirs, strict=True))
    return all(a.shape == b.shape and bool((a - b.double()).abs().max() < _EQUAL) for a, b in pairs)


def _repeated(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x], dim=-1)


def _twice(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, dim=-1)


# How models arrange cos and sin of (..., pairs) elements: two functions of both, for the first and the second table.
ARRANGEMENTS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "halves repeated": (lambda cos, sin: _repeated(cos), lambda cos, sin: _repeated(sin)),
    "each twice": (lambda cos, sin: _twice(cos), lambda cos, sin: _twice(sin)),
    "pairs": (lambda cos, sin: cos, lambda cos, sin: sin),
    "complex": (lambda cos, sin: torch.complex(cos, sin), lambda cos, sin: sin),
}
