"""Two settings beside each other, key by key and number by number."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from yarncore._arguments import integer
from yarncore.configs.difference import difference
from yarncore.reports.compared_side import Side, sides
from yarncore.rope.regimes import lengths_of
from yarncore.rope.rope import Rope
from yarncore.scaling import DynamicYaRN, NTKByParts


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One thing that both sides have.

    Attributes
    ----------
    name : str
    a, b : str
    """

    name: str
    a: str
    b: str

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return self.a != self.b


@dataclasses.dataclass(frozen=True, slots=True)
class LayerComparison:
    """The layers of one type on both sides.

    Attributes
    ----------
    rows : tuple of Row
    difference : str
        What differs, in numbers; "" where both compute the same.
    length : int or None
        At which both are looked at.
    positions : tuple of int
    radians : array of float64, shape (positions, pairs), or None
        By how much b's angle is larger than a's; None where other elements turn.
    """

    rows: tuple[Row, ...]
    difference: str
    length: int | None
    positions: tuple[int, ...]
    radians: npt.NDArray[np.float64] | None

    def worst(self) -> tuple[tuple[int, int, float], ...]:
        """Position, pair and radians of the largest difference at each position."""
        if self.radians is None:
            return ()
        pairs = np.argmax(np.abs(self.radians), axis=1)
        return tuple(
            (position, int(pair), float(row[pair]))
            for position, pair, row in zip(self.positions, pairs, self.radians, strict=True)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Two settings.

    Attributes
    ----------
    a, b : str
        What they are called.
    formats : pair of str
    length : Row
        What each side advertises.
    layers : dict of layer type to LayerComparison
    missing : tuple of str
        Layers that only one side rotates.
    keys : tuple of (path, a, b)
        Keys whose values differ, where both are files of one format; None: not there.
    """

    a: str
    b: str
    formats: tuple[str, str]
    length: Row
    layers: dict[str, LayerComparison]
    missing: tuple[str, ...]
    keys: tuple[tuple[str, Any, Any], ...]

    @property
    def same(self) -> bool:
        """Whether both compute the same numbers, and advertise the same length."""
        return not (any(layer.difference for layer in self.layers.values()) or self.missing or self.length.differs)

    def as_dict(self) -> dict[str, Any]:
        """For machines: plain values under stable names."""
        return {
            "a": self.a,
            "b": self.b,
            "formats": list(self.formats),
            "same": self.same,
            "length": dataclasses.asdict(self.length) | {"differs": self.length.differs},
            "layers": {name: _layer_as_dict(layer) for name, layer in self.layers.items()},
            "missing": list(self.missing),
            "keys": [{"key": key, "a": _plain(a), "b": _plain(b)} for key, a, b in self.keys],
        }


def _layer_as_dict(layer: LayerComparison) -> dict[str, Any]:
    return {
        "rows": [dataclasses.asdict(row) | {"differs": row.differs} for row in layer.rows],
        "difference": layer.difference,
        "length": layer.length,
        "positions": list(layer.positions),
        "radians": None if layer.radians is None else layer.radians.tolist(),
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def compare(a: Any, b: Any, *, positions: Sequence[int] | None = None, config: Any = None) -> Comparison:
    """Compare two settings, key by key and number by number.

    Parameters
    ----------
    a, b : mapping, path, command line or transformers configuration
        As for from_config, in any format; or a scaling as it is typed, such as "yarn:4" or "ntk:8", which is put on the other
        side's model.
    positions : sequence of int, optional, keyword-only
        Where angles are compared; None: at the end of the original length, and of the longest that either side reaches.
    config : mapping, path or transformers configuration, optional, keyword-only
        The model's own configuration, for command lines; None: the other side.

    Returns
    -------
    Comparison
        `same`: both compute the same numbers, and advertise the same length.

    Raises
    ------
    ConfigError, TypeError, ValueError, OSError
        Where a side cannot be read.
    """
    asked = None if positions is None else tuple(integer("a position of positions", one) for one in positions)
    if asked == ():
        raise ValueError("positions is empty; at least one is expected")
    for one in asked or ():
        if not -(2**63) <= one < 2**64:
            raise ValueError(f"a position of positions has {one.bit_length()} bits; an integer of 64 bits is expected")
    first, second = sides(a, b, config)
    pairs = _pairs(first, second)
    layers = {
        name: _layers(one, other, first, second, asked)
        for name, (one, other) in pairs.items()
        if one is not None and other is not None
    }
    missing = tuple(name for name, (one, other) in pairs.items() if (one is None) is not (other is None))
    return Comparison(
        first.name,
        second.name,
        (first.format, second.format),
        Row("advertised length", *(_number(side.ropes.advertised_length) for side in (first, second))),
        layers,
        missing,
        tuple(_keys(first, second)),
    )


def _pairs(first: Side, second: Side) -> dict[str, tuple[Rope | None, Rope | None]]:
    """The Ropes of each layer on both sides, alike ones once; by layer type where one side does not tell its layers."""
    one, other = first.ropes, second.ropes
    if one.layers and len(one.layers) == len(other.layers):
        names = [a if a == b else f"{a} / {b}" for a, b in zip(one.layer_types, other.layer_types, strict=True)]
        found = dict(zip(names, zip(one.layers, other.layers, strict=True), strict=True))
    elif len(set(one.values())) == len(set(other.values())) == 1:  # formats have names of their own
        found = {"": (next(iter(one.values())), next(iter(other.values())))}
    else:
        found = {name: (one.get(name), other.get(name)) for name in dict.fromkeys([*one, *other])}
    alike: dict[tuple[Rope | None, Rope | None], list[str]] = {}
    for name, pair in found.items():
        alike.setdefault(pair, []).append(name)
    return {"all layers" if len(alike) == 1 else ", ".join(named): pair for pair, named in alike.items()}


def _layers(a: Rope, b: Rope, first: Side, second: Side, asked: tuple[int, ...] | None) -> LayerComparison:
    spans = [lengths_of(rope, side.ropes.advertised_length) for rope, side in ((a, first), (b, second))]
    ends = [length for span in spans for length in span[:2] if length]
    longest = max(ends, default=None)
    positions = asked or tuple(sorted({min(ends) - 1, max(ends) - 1})) if ends or asked else (4095,)
    differs = difference(a, b)
    radians = None
    if not differs.layout:
        theta = b.at(longest).inverse_frequencies - a.at(longest).inverse_frequencies
        radians = np.asarray(positions, dtype=np.float64)[:, None] * theta
    told = zip(_told(a, spans[0], longest), _told(b, spans[1], longest), strict=True)
    rows = tuple(Row(name, one, other) for (name, one), (_, other) in told)
    words = [str(differs)] if differs else []
    if a.query_scale != b.query_scale:
        words.append(f"queries are multiplied by {b.query_scale!r} in place of {a.query_scale!r}")
    return LayerComparison(rows, "; ".join(words), longest, positions, radians)


def _told(
    rope: Rope, span: tuple[int | None, int | None, float | None], length: int | None
) -> Iterator[tuple[str, str]]:
    """What is told of one side, under the same names on both."""
    rotation = rope.at(length)
    yield "method", "plain RoPE" if rope.scaling is None else type(rope.scaling).__name__
    yield "base", f"{rope.base:.10g}"
    yield "s", "1" if rope.scaling is None else "-" if span[2] is None else f"{span[2]:.10g}"
    yield "L", _number(None if rope.scaling is None else span[0])
    yield "ramp", _ramp(rope)
    yield "factor of cos and sin", f"{rotation.attention_factor:.10g}"
    yield "factor of the logits", f"{rotation.softmax_scale_factor:.10g}"
    yield "factor of queries", "1" if rope.query_scale is None else repr(rope.query_scale)
    yield "elements", _elements(rope)
    yield "rotation id", rotation.id


def _ramp(rope: Rope) -> str:
    scaling = rope.scaling
    if not isinstance(scaling, (NTKByParts, DynamicYaRN)):
        return "-"
    rounded = "rounded" if scaling.truncate else "not rounded"
    return f"{scaling.beta_fast:g} to {scaling.beta_slow:g} turns, by {scaling.ramp}, {rounded}"


def _elements(rope: Rope) -> str:
    pairs = "pairs (2i, 2i+1)" if rope.interleaved else f"pairs (i, i+{rope.rotary_dim // 2})"
    part = "" if rope.rotary_dim == rope.head_dim else f", {rope.rotary_dim} turn from {rope.rotary_start} on"
    sections = "" if rope.sections is None else f", sections {rope.sections} {rope.section_order}"
    return f"{rope.head_dim}{part}, {pairs}{sections}{', backwards' if rope.reversed else ''}"


def _number(length: int | None) -> str:
    return "-" if length is None else f"{length:,}"


def _keys(first: Side, second: Side) -> Iterator[tuple[str, Any, Any]]:
    if first.keys is None or second.keys is None or first.format != second.format:
        return
    for key in dict.fromkeys([*first.keys, *second.keys]):
        a, b = first.keys.get(key), second.keys.get(key)
        if a != b:
            yield key, a, b
