"""verify: does this rotate as a Rope says, and if not, why?"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from yarncore.identification.causes import cause_of, cause_of_base
from yarncore.identification.fit import TOLERANCE, Floats, of_a_weight
from yarncore.identification.identified import Identification
from yarncore.identification.measured import NoRotationError
from yarncore.identification.queries import not_seen, of_query_scale
from yarncore.identification.recognition import identify, tables_in
from yarncore.identification.rows import wrong_rows
from yarncore.rope.rope import Rope
from yarncore.rotation.rotation import Rotation
from yarncore.scaling.unscaled import unscaled_inverse_frequencies

_OF_AN_AMPLITUDE = {"bfloat16": 2.0**-8, "float16": 2.0**-10}
_LENGTH = 4096  # tokens over which a difference is told where the scaling has no length


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether something rotates as a Rope says; true where it does.

    Attributes
    ----------
    matches : bool
    reasons : tuple of str
        Why not.
    notes : tuple of str
        What is no other rotation, but should be known: how its angles were made, the layout of its tables.
    """

    matches: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.matches

    def __str__(self) -> str:
        first = "matches" if self.matches else "does not match"
        return "\n".join(
            [first, *(f"  reason: {each}" for each in self.reasons), *(f"  note: {each}" for each in self.notes)]
        )

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def verify(
    x: Any, rope: Rope | Rotation | Mapping[str, Rope | None], *, length: int | None = None, **how: Any
) -> Verification:
    """Whether inverse frequencies, tables, a function or a model rotate as a Rope says.

    Parameters
    ----------
    x, positions, head_dim, heads_axis, like : as for `identify`
    rope : Rope, Rotation, or mapping of layer type to Rope
        A mapping, as ropes_from_config returns it, for models whose layers differ.
    length : int, optional, keyword-only
        For scalings that look at it.

    Returns
    -------
    Verification
        Frequencies may differ by 1e-6 of themselves, as float32 has it. A table of float32 angles matches, with a note of their
        error; positions or frequencies that were rounded to 16 bits do not.

    Raises
    ------
    TypeError, ValueError
        As for `identify`.

    Examples
    --------
    >>> import yarncore as yc
    >>> rope = yc.Rope(128, 1e4, yc.YaRN(16, 4096))
    >>> bool(yc.verify(rope.inverse_frequencies, rope))
    True
    >>> bool(yc.verify(yc.Rope(128).inverse_frequencies, rope))
    False
    """
    _check_rope(rope)
    if isinstance(rope, (Rope, Rotation)):
        how.setdefault("head_dim", rope.head_dim)
    try:
        found = identify(x, **how)
    except NoRotationError as error:
        return Verification(False, (str(error),), ())
    if isinstance(found, Identification):
        one = _single(rope)
        verified = _verified(found, one, length)
        told = of_query_scale(x, found, one.query_scale, how)
        reasons, notes = (*verified.reasons, *told[0]), (*verified.notes, *told[1])
        if reasons and not found.readings:
            reasons = (*_of_rows(x, how.get("positions"), _rotation(one, length)), *reasons)
        return Verification(not reasons, reasons, notes)
    parts = {name: _verified(each, _of_layer(rope, name), length) for name, each in found.items()}
    reasons = tuple(f"{name}: {reason}" for name, part in parts.items() for reason in part.reasons)
    notes = tuple(f"{name}: {note}" for name, part in parts.items() for note in part.notes)
    scales = {_of_layer(rope, name).query_scale for name in found}
    notes += tuple(not_seen(scale) for scale in scales if scale is not None)
    return Verification(not reasons, reasons, notes)


def _rotation(rope: Rope | Rotation, length: int | None) -> Rotation:
    return rope.at(length) if isinstance(rope, Rope) else rope


def _of_rows(x: Any, positions: Any, rotation: Rotation) -> list[str]:
    tables = tables_in(x)
    words = None if tables is None else wrong_rows(*tables, positions, np.abs(rotation.inverse_frequencies))
    return [] if words is None else [words]


def _check_rope(rope: Any) -> None:
    expected = "a Rope, a Rotation, or a mapping of layer type to Rope is expected"
    if not isinstance(rope, (Rope, Rotation, Mapping)):
        raise TypeError(f"rope is {type(rope).__name__}; {expected}")
    for name, each in rope.items() if isinstance(rope, Mapping) else ():
        if each is not None and not isinstance(each, Rope):
            raise TypeError(f"rope has {type(each).__name__} for {name!r}; a Rope or None is expected")


def _single(rope: Any) -> Rope | Rotation:
    if not isinstance(rope, Mapping):
        found: Rope | Rotation = rope
        return found
    different = {each for each in rope.values() if each is not None}
    if len(different) != 1:
        raise ValueError(
            f"rope has {len(different)} different Ropes, of {', '.join(rope)}; one is expected for what is no model"
        )
    only: Rope = different.pop()
    return only


def _of_layer(rope: Any, name: str) -> Rope | Rotation:
    label = name.rpartition(":")[2]
    if isinstance(rope, Mapping) and rope.get(label) is not None:
        found: Rope | Rotation = rope[label]
        return found
    return _single(rope)


def _verified(found: Identification, rope: Rope | Rotation, length: int | None) -> Verification:
    rotation = _rotation(rope, length)
    reasons = [*_of_frequencies(found, rope, rotation), *_of_amplitude(found, rotation), *_of_pairs(found, rope)]
    reasons += found.roundings
    if found.position_shift:
        reasons.append(f"positions are wrong: {found.shift_in_words}")
    if not found.same_for_k:
        reasons.append(f"k is rotated otherwise than q: {found.of_k}")
    notes = [found.phase_in_words] if found.phase_in_words else []
    if found.reordered:
        notes.append("results come out in another order than q and k went in: products of q and k are the same")
    if found.layout is not None:
        notes.append(f'the tables are laid out as layout="{found.layout}" of rotate_by')
    if found.phase == "float32-recurrence":
        notes.append("its angles are a float32 recurrence, as ggml makes them: yarncore.engines.cos_sin makes the same")
    elif found.phase == "float32-product":
        notes.append(
            "its angles are float32 products, as most engines make them: yarncore.engines.cos_sin makes the same"
        )
    return Verification(not reasons, tuple(reasons), tuple(notes))


def _of_frequencies(found: Identification, rope: Rope | Rotation, rotation: Rotation) -> list[str]:
    theirs, ours = np.array(found.inverse_frequencies), np.abs(rotation.inverse_frequencies)
    if found.interleaved and not ours[len(theirs) :].any():
        ours = ours[: len(theirs)]  # pairs that stand still at the end are none that a function shows
    if not theirs.any():
        return ["nothing turns: all positions are 0, or all angles are"]
    cause = cause_of(theirs, ours, getattr(getattr(rope, "scaling", None), "factor", None))
    cause = cause or (found.rope and isinstance(rope, Rope) and cause_of_base(found.rope.base, rope.base)) or None
    causes = [cause] if cause else []
    if theirs.shape != ours.shape:
        return [
            *causes,
            f"it has {len(theirs)} frequencies, {len(ours)} are expected (rotary_dim {rotation.rotary_dim})",
            *_instead(found),
        ]
    allowed = _allowed(found, rope, ours)
    wrong = np.flatnonzero(np.abs(theirs - ours) > allowed)
    if not wrong.size or (found.frequency_type and found.rope is not None and _same_ropes(found.rope, ours)):
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(ours[wrong] != 0, np.abs(theirs[wrong] / ours[wrong] - 1), math.inf)
    worst = int(wrong[np.argmax(relative)])
    length = getattr(getattr(rope, "scaling", None), "original_length", None) or _LENGTH
    off = abs(theirs[worst] - ours[worst]) * length
    ratio = (
        f"{theirs[worst] / ours[worst]:.6g} times the one expected"
        if ours[worst]
        else f"{theirs[worst]:.4g} where 0 is expected"
    )
    return [
        *causes,
        *(note for note in found.notes if "exchanged" in note),
        f"{len(wrong)} of {len(ours)} frequencies differ ({_ranges(wrong)}): worst that of pair {worst}, {ratio}; at position "
        f"{length} its angle is off by {off:.4g} radians",
        *_instead(found),
    ]


def _allowed(found: Identification, rope: Rope | Rotation, ours: Floats) -> Floats:
    """float32's noise, also of a ramp's weights; ggml's drift where it is a recurrence; a 16-bit table's own rounding."""
    allowed = TOLERANCE * ours
    if found.readings and "recurrence" in found.readings[0].note:
        allowed = 8 * allowed
    if found.measured_to is not None:
        allowed = np.maximum(allowed, np.array(found.measured_to))
    if (
        isinstance(rope, Rope)
        and rope.scaling is not None
        and rope.section_order in ("contiguous", "interleaved", "time_last")
    ):
        theta = unscaled_inverse_frequencies(rope.base, rope.rotary_dim)
        kept = rope.scaling.precompute(theta)
        if kept is not None:
            allowed = allowed + of_a_weight(kept, theta / ours) * ours
    return np.asarray(allowed)


def _same_ropes(rope: Rope, ours: Floats) -> bool:
    theirs = rope.inverse_frequencies
    return bool(theirs.shape == ours.shape and np.allclose(theirs, ours, rtol=TOLERANCE, atol=0))


def _ranges(pairs: Any) -> str:
    """Pairs 3 to 9, 12."""
    runs = np.split(pairs, np.flatnonzero(np.diff(pairs) > 1) + 1)
    words = [f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs[:4]]
    return "pairs " + ", ".join(words) + (", ..." if len(runs) > 4 else "")


def _instead(found: Identification) -> list[str]:
    if found.readings:
        return [f"it is {found.readings[0]}"]
    nearest = "" if found.nearest is None else f"; nearest is {found.nearest}, off by up to {found.nearest.error:.2g}"
    return [f"it is no method that is known{nearest}"]


def _of_amplitude(found: Identification, rotation: Rotation) -> list[str]:
    theirs, ours = found.attention_factor, float(rotation.attention_factor)
    if theirs is None or abs(theirs / ours - 1) <= _OF_AN_AMPLITUDE.get(found.stored, TOLERANCE):
        return []
    words = f"cos and sin have the amplitude {theirs:.7g}, {ours:.7g} is expected"
    tolerance = _OF_AN_AMPLITUDE.get(found.stored, TOLERANCE)
    for value, cause in (
        (1.0, "the temperature is missing, unless it is in the softmax"),
        (ours**2, "the temperature is applied twice"),
        (math.sqrt(ours), "the root of the temperature is applied, as where q or k alone should have it"),
        (1 / ours, "it is divided by the temperature"),
        (float(rotation.softmax_scale_factor), "that is the factor of the softmax scale, where it belongs"),
        (math.sqrt(float(rotation.softmax_scale_factor)), "it has the temperature that the softmax scale has"),
    ):
        if abs(theirs / value - 1) <= tolerance and value != ours:
            return [f"{words}: {cause}"]
    return [f"{words}: a temperature that should not be there" if ours == 1 else words]


def _of_pairs(found: Identification, rope: Rope | Rotation) -> list[str]:
    reasons = []
    layouts = {True: "(2i, 2i+1)", False: "(i, i + half)"}
    if found.interleaved is not None and found.interleaved != rope.interleaved:
        reasons.append(f"pairs are {layouts[found.interleaved]}, {layouts[rope.interleaved]} are expected")
    start = getattr(rope, "rotary_start", 0)
    if found.rotary_start is not None and not found.reordered and found.rotary_start != start:
        reasons.append(f"elements turn from element {found.rotary_start} on, from {start} on is expected")
    turns_back = found.backwards
    expected = bool(getattr(rope, "reversed", False)) and found.interleaved is not None
    if turns_back != expected:
        where = "it turns" if found.interleaved is not None else "sin is negated: the table turns"
        reasons.append(
            f"{where} by {'minus ' if turns_back else ''}the position, {'minus ' if expected else ''}the position is expected"
        )
    return reasons
