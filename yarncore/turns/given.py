"""Tables of cos and sin that the caller made, in the place of turns."""

from dataclasses import dataclass

from yarncore.frameworks.framework import Array
from yarncore.frameworks.tracers import extents_may_be_compared


@dataclass(frozen=True, eq=False, slots=True)
class GivenTables:
    """One row of cos and sin for each token, as they are: a factor may be in them, and nothing is known of positions.

    Attributes
    ----------
    cos, sin : arrays, shape (..., pairs)
        Of the framework of what is turned, or of NumPy; the leading axes broadcast against the tokens.
    """

    cos: Array
    sin: Array

    @property
    def pairs(self) -> int:
        """How many pairs turn."""
        with extents_may_be_compared():
            return int(self.cos.shape[-1])
