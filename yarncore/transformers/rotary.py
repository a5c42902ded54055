"""The module that stands in the place of a model's rotary module."""

from collections.abc import Mapping
from typing import Any

import torch

from yarncore.rope.rope import Rope
from yarncore.transformers.dynamic.following import Following
from yarncore.transformers.dynamic.one_forward import Followed
from yarncore.transformers.functions import ARRANGEMENTS, tables_of_models
from yarncore.transformers.handed import Handed, ropes_by_shape

# What an instance of every module may have, and ours has of its own.
_OWN = ("forward", "training")


class RotaryModule(torch.nn.Module):  # type: ignore[misc]
    """Called once in a forward pass with the positions, as the module that it replaces; makes no table.

    Parameters
    ----------
    replaced : Module
        Moves and changes its type with the model, so that it can be put back.
    ropes : mapping of layer type to Rope
        "" where the model does not tell its rotary module which layers it is called for.
    following : Following, optional
        For scalings that look at the length.
    """

    def __init__(
        self, replaced: torch.nn.Module, ropes: Mapping[str, Rope], following: Following | None = None
    ) -> None:
        super().__init__()
        # Some models look at what their rotary module keeps: its configuration, its layer types.
        kept = {name: value for name, value in vars(replaced).items() if name not in _OWN and not name.startswith("_")}
        self.__dict__.update(kept)
        self.replaced = replaced
        self.ropes = dict(ropes)
        self.by_shape = {label: ropes_by_shape(rope) for label, rope in ropes.items()}
        self.following = following

    def lengths(self, rope: Rope, positions: torch.Tensor) -> torch.Tensor | None:
        """The length of each row's sequence, (batch, 1), for scalings that look at it: what its positions reach."""
        if rope.scaling is None or not rope.scaling.needs_length:
            return None
        if rope.sections is not None:
            positions = positions.amax(0)
        return positions.amax(-1, keepdim=True) + 1

    def placed(self, rope: Rope, position_ids: torch.Tensor) -> torch.Tensor:
        """The positions with an axis of sections where the rope has sections: text stands at the same in each."""
        if rope.sections is not None and position_ids.ndim == 2:
            return position_ids[None].expand(len(rope.sections), -1, -1)
        return position_ids

    def handed(self, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str) -> Handed | Followed:
        """What the layers of a type get."""
        rope = self.ropes[layer_type]
        positions = self.placed(rope, position_ids)
        if self.following is not None:
            followed = self.following.followed(layer_type, positions, x.shape[0])
            if followed is not None:
                return followed
        return Handed(self.by_shape[layer_type], positions, self.lengths(rope, positions))

    def extra_repr(self) -> str:
        """The Ropes."""
        return ", ".join(f"{label}: {rope!r}" if label else repr(rope) for label, rope in self.ropes.items())


class HandingPair(RotaryModule):
    """In the place of a module that returns cos and sin."""

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str = "") -> Any:
        """Twice what is handed, since the layers take it apart."""
        handed = self.handed(x, position_ids, layer_type)
        return handed, handed


class HandingOne(RotaryModule):
    """In the place of a module that returns one complex array."""

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str = "") -> Any:
        """What is handed."""
        return self.handed(x, position_ids, layer_type)


class Tables(RotaryModule):
    """In the place of a module whose model looks into cos and sin: tables, with exact phases.

    Parameters
    ----------
    arrangement : str
        One of ARRANGEMENTS, as the replaced module has it.
    sin_first : bool
    """

    def __init__(
        self, replaced: torch.nn.Module, ropes: Mapping[str, Rope], arrangement: str, sin_first: bool = False
    ) -> None:
        super().__init__(replaced, ropes)
        self.arrangement = arrangement
        self.sin_first = sin_first

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str = "") -> Any:
        """cos and sin in the dtype of x, or one complex array."""
        rope = self.ropes[layer_type]
        positions = self.placed(rope, position_ids)
        exact = torch.float64 if x.dtype == torch.float64 else torch.float32
        cos, sin = tables_of_models(rope).cos_sin(positions, length=self.lengths(rope, positions), dtype=exact)
        of_cos, of_sin = ARRANGEMENTS[self.arrangement]
        if self.arrangement == "complex":
            return of_cos(cos, sin)
        tables = of_cos(cos, sin).to(x.dtype), of_sin(cos, sin).to(x.dtype)
        return tables[::-1] if self.sin_first else tables
