"""What is known of a cache beside its tensors: positions, lengths, and the scales under which keys are written."""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from yarncore.transformers.dynamic.location import Location
from yarncore.transformers.dynamic.scales import Scales

Keys = Literal["rerotated", "unrotated"]


class CacheUnusable(ValueError):
    """A cache whose keys are not, or may not be, under one scale a row."""


@dataclass
class LayerRecord:
    """Of one layer that caches rotated keys.

    Attributes
    ----------
    scales : Scales
        Of the Rope under which its keys are written.
    before : Scales
        Of the Rope that the model had before it was extended.
    location : Location
        Which part of its tensors that is.
    lengths : tuple of int, or None
        The canonical length of each row under which its keys are rotated. None while they are being turned.
    """

    scales: Scales
    before: Scales
    location: Location
    lengths: tuple[int, ...] | None


@dataclass
class CacheRecord:
    """Of one cache.

    Attributes
    ----------
    strategy : "rerotated" or "unrotated"
        How its keys are stored.
    layers : dict of layer index to LayerRecord
    lengths : tuple of int
        Of each row: its largest position + 1.
    tokens : int
        How many tokens of a row it has seen, without those cropped.
    unusable : str or None
        Why it may not be read.
    unfinished : bool
        A forward has begun to write to its layers and has not ended.
    adopted : bool
        Layers that are not among `layers` yet hold keys of the model as it was before it was extended.
    """

    strategy: Keys
    layers: dict[int, LayerRecord] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()
    tokens: int = 0
    unusable: str | None = None
    unfinished: bool = False
    adopted: bool = False
    _chunks: list[torch.Tensor] = field(default_factory=list)

    def positions(self) -> torch.Tensor:
        """Of all tokens, shape (rows, tokens) or (sections, rows, tokens)."""
        if len(self._chunks) > 1:
            self._chunks = [torch.cat(self._chunks, dim=-1)]
        return self._chunks[0]

    def append(self, positions: torch.Tensor, lengths: tuple[int, ...]) -> None:
        """Take note of tokens that all layers have now."""
        self.unfinished = False
        self._chunks.append(positions)
        self.tokens += positions.shape[-1]
        self.lengths = lengths

    def check_usable(self) -> None:
        """Raise CacheUnusable where the keys cannot be trusted."""
        if self.unfinished:
            self.unusable = "a forward that wrote to it was interrupted, so that some of its layers have more tokens"
        elif self.unusable is None and any(layer.lengths is None for layer in self.layers.values()):
            self.unusable = "re-rotating its keys was interrupted within a layer"
        if self.unusable is not None:
            raise CacheUnusable(
                f"the cache is unusable: {self.unusable}. Call cache.reset() and begin with the whole prompt"
            )

    # What happens to a cache

    def take_rows(self, index: Any) -> None:
        """Rows chosen, reordered or repeated, as `tensor[index]` has them."""
        if not self.lengths:
            return
        rows = torch.arange(len(self.lengths))[index.cpu() if isinstance(index, torch.Tensor) else index].tolist()
        self.lengths = tuple(self.lengths[row] for row in rows)
        for layer in self.layers.values():
            if layer.lengths is not None:
                layer.lengths = tuple(layer.lengths[row] for row in rows)
        positions = self.positions()
        self._chunks = [positions.index_select(-2, torch.tensor(rows, device=positions.device))]

    def crop(self, tokens: int) -> None:
        """The last tokens are gone."""
        if not tokens or not self.tokens:
            return
        if tokens >= self.tokens:
            self.clear()
            return
        self._chunks = [self.positions()[..., :-tokens]]
        self.tokens -= tokens
        self.lengths = lengths_of(self._chunks[0])

    def clear(self) -> None:
        """Nothing is cached."""
        self.layers, self.lengths, self.tokens, self._chunks = {}, (), 0, []
        self.unusable, self.unfinished, self.adopted = None, False, False


def lengths_of(positions: torch.Tensor) -> tuple[int, ...]:
    """The largest position + 1 of each row, read on the host; positions (rows, tokens) or (sections, rows, tokens)."""
    largest = positions.amax(dim=-1) if positions.shape[-1] > 1 else positions[..., 0]
    if largest.ndim > 1:
        largest = largest.amax(dim=0)
    return tuple(max(1, position + 1) for position in largest.tolist())
