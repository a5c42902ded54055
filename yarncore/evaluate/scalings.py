"""Scalings as they are typed: yarn:4, dynamic-yarn, yarn:4,beta_fast=2,beta_slow=0.5."""

from dataclasses import fields
from typing import Any

from yarncore import scaling
from yarncore._arguments import did_you_mean
from yarncore.errors import ConfigError
from yarncore.scaling.scaling import Scaling

AS_IS = "as-is"
"""The model as its configuration says, nothing of it replaced."""

NAMES: dict[str, Any] = {
    "plain": None,
    "pi": scaling.PositionInterpolation,
    "ntk": scaling.NTKAware,
    "ntk-by-parts": scaling.NTKByParts,
    "yarn": scaling.YaRN,
    "dynamic-pi": scaling.DynamicPositionInterpolation,
    "dynamic-ntk": scaling.DynamicNTK,
    "dynamic-yarn": scaling.DynamicYaRN,
}


def parse_scaling(typed: str, original_length: int) -> Scaling | None:
    """A scaling of a name, a factor behind a colon where it has one, and options: `yarn:4,beta_fast=16`.

    Parameters
    ----------
    typed : str
    original_length : int
        L, where the scaling needs it and the text does not give it.

    Raises
    ------
    ConfigError
        Where it cannot be read; the sentence says what is accepted.
    """
    head, *options = typed.split(",")
    name, colon, factor = head.partition(":")
    if name not in NAMES:
        raise ConfigError(
            f"scaling is {typed!r}; {AS_IS}, {', '.join(NAMES)} are known, as in yarn:4 or dynamic-yarn{did_you_mean(name, NAMES)}"
        )
    kind = NAMES[name]
    if kind is None:
        if colon or options:
            raise ConfigError(f"scaling is {typed!r}; plain takes neither a factor nor options")
        return None
    known = {field.name for field in fields(kind)}
    given: dict[str, Any] = {"original_length": original_length} if "original_length" in known else {}
    if colon:
        given["factor"] = _value(typed, factor)
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or key not in known:
            raise ConfigError(
                f"scaling is {typed!r}: {option!r} is none of {', '.join(f'{each}=...' for each in sorted(known))}"
                f"{did_you_mean(key, known)}"
            )
        given[key] = _value(typed, value)
    if "factor" in known and "factor" not in given:
        if name != "dynamic-ntk":
            raise ConfigError(f"scaling is {typed!r}; a factor is expected, as in {name}:4")
        given["factor"] = 1.0
    if "factor" in given and "factor" not in known:
        raise ConfigError(f"scaling is {typed!r}; {name} takes no factor: its scale follows the length")
    made: Scaling = kind(**given)
    return made


def _value(typed: str, text: str) -> Any:
    words: dict[str, Any] = {"true": True, "false": False, "none": None}
    words |= {word: word for word in ("doubling", "dimension", "rotations")}
    if text in words:
        return words[text]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    raise ConfigError(f"scaling is {typed!r}: {text!r} is no number and none of {', '.join(words)}")
