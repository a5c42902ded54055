"""The nearest scaling that a reader has words for, and what was given up on the way, in words."""

from dataclasses import dataclass, replace

from yarncore.configs.target_length import static
from yarncore.scaling import NTKByParts
from yarncore.scaling.scaling import Scaling


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a reader of configurations can be told of a ramp.

    Attributes
    ----------
    follows_length : str
        Why a scale that follows the length cannot be told.
    truncate : bool or None
        None: either; else the one that it has.
    betas : tuple of float or None
        None: any; else those that it has.
    """

    follows_length: str
    truncate: bool | None = None
    betas: tuple[float, float] | None = None


def nearest(scaling: Scaling, length: int | None, vocabulary: Vocabulary) -> tuple[Scaling, str]:
    """The nearest scaling, and what was given up; "" where nothing was.

    Parameters
    ----------
    length : int or None
        Tokens to be served, for scalings that do not end by themselves.

    Raises
    ------
    ConfigError
        Where such a scaling is not told its length.
    """
    near, given_up = static(scaling, length), []
    if type(near) is not type(scaling):
        given_up.append(vocabulary.follows_length)
    if isinstance(near, NTKByParts):
        if near.ramp == "rotations":
            near = replace(near, ramp="dimension")
            given_up.append("ramp='rotations' (its ramp is linear in the pair's index)")
        if vocabulary.truncate not in (None, near.truncate):
            near = replace(near, truncate=vocabulary.truncate)
            given_up.append(
                f"truncate={not vocabulary.truncate} (the bounds of its ramp are "
                f"{'always' if vocabulary.truncate else 'never'} rounded)"
            )
        if vocabulary.betas not in (None, (near.beta_fast, near.beta_slow)):
            assert vocabulary.betas is not None
            given_up.append(f"beta_fast={near.beta_fast:g} and beta_slow={near.beta_slow:g}")
            near = replace(near, beta_fast=vocabulary.betas[0], beta_slow=vocabulary.betas[1])
    return near, " and ".join(given_up)
