"""What is drawn: a rotary embedding under a name, with the lengths that belong to it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from yarncore.rope.regimes import lengths_of
from yarncore.rope.rope import Rope


@dataclass(frozen=True, slots=True)
class Drawn:
    """A rotary embedding in a picture.

    Attributes
    ----------
    label : str
    rope : Rope
    original_length, target_length : int
        L, and the tokens that are to be read.
    """

    label: str
    rope: Rope
    original_length: int
    target_length: int

    @property
    def factor(self) -> float | None:
        """The scaling's own s; None where it is not one number."""
        return lengths_of(self.rope, self.target_length)[2]

    @property
    def bounds(self) -> tuple[float, ...]:
        """Turns within L between which its ramp lies; none where it has no ramp."""
        names = ("beta_slow", "beta_fast", "low_freq_factor", "high_freq_factor")
        return tuple(float(getattr(self.rope.scaling, name)) for name in names if hasattr(self.rope.scaling, name))

    @property
    def before(self) -> npt.NDArray[np.float64]:
        """Radians per token of each pair without scaling."""
        return _speeds(replace(self.rope, scaling=None), None)

    @property
    def after(self) -> npt.NDArray[np.float64]:
        """Radians per token of each pair at the target length."""
        return _speeds(self.rope, self.target_length)


def _speeds(rope: Rope, length: int | None) -> npt.NDArray[np.float64]:
    theta: npt.NDArray[np.float64] = np.abs(rope.at(length).inverse_frequencies)
    return theta
