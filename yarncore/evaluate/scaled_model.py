"""A model under a scaling, for as long as it is evaluated."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from yarncore._version import __version__
from yarncore.configs.dialects import ropes_from_config
from yarncore.evaluate.scalings import AS_IS, parse_scaling
from yarncore.rope.rope import Rope
from yarncore.transformers import extend, restore


@dataclass(frozen=True, slots=True)
class Rotated:
    """By what q and k are rotated.

    Attributes
    ----------
    ropes : tuple of Rope
        Each once.
    by : str
        Whose code does it: the same Rope has other roundings in another's.
    """

    ropes: tuple[Rope, ...]
    by: str


@contextlib.contextmanager
def scaled(model: Any, typed: str, original_length: int | None = None) -> Iterator["Rotated"]:
    """The model under a scaling as it is typed; afterwards it is as before.

    Parameters
    ----------
    model
        Of transformers, not extended.
    typed : str
        `as-is` leaves it to transformers and its configuration.
    original_length : int, optional
        L; the configuration's by default.
    """
    ropes = ropes_from_config(model.config)
    if typed == AS_IS:
        yield Rotated(_different(ropes.values()), f"transformers {transformers.__version__}")
        return
    scaling = parse_scaling(typed, length_of(model, original_length))
    wanted = (
        dict.fromkeys((name for name, rope in ropes.items() if rope is not None), None) if scaling is None else scaling
    )
    # steps=None: the scaling as it is typed, which may ask for steps itself.
    report = extend(model, wanted, original_length=original_length, replace=True, steps=None)
    try:
        yield Rotated(_different(report.ropes.values()), f"yarncore {__version__}, {report.rotation}")
    finally:
        restore(model)


def check_reach(model: Any, longest: int) -> None:
    """Ask a model for the last position of the longest prompt alone, so that a table that ends before it is an error now.

    Raises
    ------
    ValueError
        Where the model has no such position.
    """
    last = torch.tensor([[longest - 1]], device=model.device)
    try:
        with torch.inference_mode():
            model(input_ids=torch.zeros_like(last), position_ids=last, use_cache=False)
    except (IndexError, RuntimeError) as error:
        raise ValueError(
            f"lengths go to {longest:,} tokens and {type(model).__name__} has no position {longest - 1:,}: its table of "
            f"positions is fixed ({str(error).splitlines()[0]})"
        ) from error


def length_of(model: Any, original_length: int | None = None) -> int:
    """The tokens that a model was trained for, as `extend` finds them."""
    found = extend(model, original_length=original_length).original_length
    restore(model)
    if found is None:
        raise ValueError(
            "the configuration does not say how many tokens the model was trained for; give --original-length"
        )
    return found


def _different(ropes: Any) -> tuple[Rope, ...]:
    return tuple(dict.fromkeys(rope for rope in ropes if rope is not None))
