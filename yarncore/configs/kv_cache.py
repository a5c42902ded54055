"""How much memory the keys and values of one sequence take."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheLayer:
    """What one layer keeps.

    Attributes
    ----------
    elements : int
        Of a token's keys and values together, or of its latent (MLA).
    tokens : int or None
        The most that are kept, where the layer looks at a window or a chunk; None: all.
    """

    elements: int
    tokens: int | None = None


def cache_bytes(layers: Sequence[CacheLayer], length: int | None, element_size: int) -> int | None:
    """Bytes of the cache of one sequence.

    Parameters
    ----------
    layers : sequence of CacheLayer
        Empty where it is not known what the layers keep.
    length : int or None
        Tokens; None where no end is set.
    element_size : int
        Bytes of an element.

    Returns
    -------
    int or None
        None where layers or length are not known.
    """
    if length is None or not layers:
        return None
    elements = sum(layer.elements * (length if layer.tokens is None else min(length, layer.tokens)) for layer in layers)
    return elements * element_size
