"""Where a cache has the keys that were rotated."""

from typing import NamedTuple

import torch


class Location(NamedTuple):
    """A slice of one of a layer's two tensors.

    Attributes
    ----------
    tensor : "keys" or "values"
        Latent attention as transformers caches it has its rotated keys in `values`.
    start, stop : int
        Elements of the last axis.
    """

    tensor: str
    start: int
    stop: int

    def of(self, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """A view of the rotated keys, shape (batch, heads, tokens, stop - start)."""
        whole = keys if self.tensor == "keys" else values
        return whole[..., self.start : self.stop]

    def replaced(
        self, keys: torch.Tensor, values: torch.Tensor, turned: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """keys and values with the slice replaced, written into neither."""
        whole = keys if self.tensor == "keys" else values
        if turned.shape[-1] != whole.shape[-1]:
            turned = torch.cat((whole[..., : self.start], turned, whole[..., self.stop :]), dim=-1)
        return (turned, values) if self.tensor == "keys" else (keys, turned)


def locate(candidates: list[torch.Tensor], keys: torch.Tensor, values: torch.Tensor) -> Location:
    """Find which candidate reaches the cache, and where: by its values, so that nothing is assumed about the model.

    Parameters
    ----------
    candidates : list of tensor, shape (batch, heads, tokens, width)
        What the rotary function gave back in this layer.
    keys, values : tensor
        What the layer is about to cache.

    Raises
    ------
    ValueError
        Where none does: something changed the keys after their rotation, and turning them would not be the same.
    """
    for name, whole in (("keys", keys), ("values", values)):
        for candidate in candidates:
            width = candidate.shape[-1]
            for start in {0, whole.shape[-1] - width}:
                if start >= 0 and _same(candidate, whole[..., start : start + width]):
                    return Location(name, start, start + width)
    shapes = ", ".join(str(tuple(candidate.shape)) for candidate in candidates)
    raise ValueError(
        f"the rotated keys {shapes} are not in what the layer caches, keys {tuple(keys.shape)} and values "
        f"{tuple(values.shape)}: it changes them after their rotation, and cached keys could not be brought to another "
        "scale. Use a scaling that does not look at the length"
    )


def _same(rotated: torch.Tensor, cached: torch.Tensor) -> bool:
    """Whether the last token has the same values; one rotated head may serve all."""
    if rotated.ndim != 4 or cached.ndim != 4 or rotated.shape[1] not in (1, cached.shape[1]):
        return False
    if (rotated.shape[0], rotated.shape[2]) != (cached.shape[0], cached.shape[2]) or rotated.dtype != cached.dtype:
        return False
    if rotated.data_ptr() == cached.data_ptr() and rotated.stride() == cached.stride():
        return True
    a, b = rotated[:, :, -1:], cached[:, :, -1:]
    return bool(((a == b) | ((a != a) & (b != b))).all())
