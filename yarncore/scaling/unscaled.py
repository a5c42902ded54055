"""Unscaled inverse frequencies: the series that every scaling starts from."""

import decimal
import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yarncore.frameworks.framework import Array
from yarncore.scaling.scaling import Scaling


@functools.lru_cache(maxsize=64)
def unscaled_inverse_frequencies(base: float, rotary_dim: int) -> npt.NDArray[np.float64]:
    """theta_i = base^(-2i / rotary_dim), i < rotary_dim / 2 (Su et al., arXiv:2104.09864), each the nearest float64.

    In decimals of 40 digits: a power of NumPy differs in the last bit from one platform to the next, and so would
    Rotation.id.
    """
    with decimal.localcontext() as context:
        context.prec = 40
        log_base = decimal.Decimal(base).ln()
        theta = [(log_base * (-2 * i) / rotary_dim).exp() for i in range(rotary_dim // 2)]
    array = np.array([float(value) for value in theta])
    array.flags.writeable = False
    return array


class Series(NamedTuple):
    """A series of unscaled inverse frequencies, and what its scaling computed of them once."""

    unscaled: npt.NDArray[np.float64]
    precomputed: Array | None

    @classmethod
    def of(cls, base: float, pairs: int, scaling: Scaling | None) -> "Series":
        unscaled = unscaled_inverse_frequencies(base, 2 * pairs)
        return cls(unscaled, None if scaling is None else scaling.precompute(unscaled))
