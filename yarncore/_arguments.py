"""Checks of single arguments: the sentence that a wrong one gets stands here once."""

import difflib
import math
import operator
from collections.abc import Iterable
from typing import Any

_LARGEST_LENGTH = 2**53


def is_number(value: object) -> bool:
    """Whether a value is a concrete Python or NumPy number (and no bool)."""
    return (not isinstance(value, bool) and not hasattr(value, "shape") and isinstance(value, (int, float))) or (
        type(value).__module__ == "numpy"
        and getattr(value, "shape", None) == ()
        and getattr(getattr(value, "dtype", None), "kind", "") in "iuf"
    )


def real_number(
    name: str, value: Any, *, at_least: float | None = None, above: float | None = None, below: float | None = None
) -> Any:
    """`value` as a finite float within the bounds. A traced array is passed on: its value is not known yet."""
    if not is_number(value):
        if getattr(value, "shape", None) == () and not type(value).__module__.startswith("numpy"):
            return value
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); a number is expected")
    wanted = "a finite number"
    if at_least is not None:
        wanted += f" >= {at_least:g}"
    if above is not None:
        wanted += f" > {above:g}"
    if below is not None:
        wanted += f" and < {below:g}"
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large for float64; {wanted} is expected") from None
    out_of_bounds = (
        (at_least is not None and number < at_least)
        or (above is not None and number <= above)
        or (below is not None and number >= below)
    )
    if not math.isfinite(number) or out_of_bounds:
        raise ValueError(f"{name} is {value!r}; {wanted} is expected")
    return number


def integer(name: str, value: Any) -> int:
    """`value` as an int; NumPy integers are accepted, bool and float are not."""
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value!r} (bool); an integer is expected")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); an integer is expected") from None


def whole_number(name: str, value: Any, *, at_least: int = 1, noun: str = "number") -> int:
    """`value` as an int, at_least <= value < 2^53; a float is accepted if it is integral."""
    if not is_number(value):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); a {noun} is expected")
    if value != value or value in (math.inf, -math.inf) or value != int(value):
        raise ValueError(f"{name} is {value!r}; a whole {noun} is expected")
    if not at_least <= value < _LARGEST_LENGTH:
        raise ValueError(f"{name} is {value!r}; a {noun} >= {at_least} and < 2^53 is expected")
    return int(value)


def token_count(name: str, value: Any) -> int:
    """`value` as a number of tokens, 1 <= value < 2^53; a float is accepted if it is integral."""
    return whole_number(name, value, noun="number of tokens")


def stretch(name: str, value: Any) -> Any:
    """`value` as s, by which lengths are stretched: 1 <= s < 2^53, so that no product of the two overflows."""
    return real_number(name, value, at_least=1, below=_LARGEST_LENGTH)


def boolean(name: str, value: Any) -> bool:
    """`value` if it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); True or False is expected")
    return value


def one_of(name: str, value: Any, accepted: tuple[str, ...]) -> str:
    """`value` if it is one of the accepted words."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); one of {', '.join(accepted)} is expected")
    if value not in accepted:
        raise ValueError(
            f"{name} is {value!r}; one of {', '.join(accepted)} is expected{did_you_mean(value, accepted)}"
        )
    return value


def did_you_mean(given: str, words: Iterable[str]) -> str:
    """The end of a sentence that names the word which was nearly written; "" where there is none."""
    near = difflib.get_close_matches(given.lower(), list(words), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""
