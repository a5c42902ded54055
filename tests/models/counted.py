"""Positions that a model counts by itself, in a function that makes angles of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class InPlaceOfCounts(TorchFunctionMode):
    """While it is entered, a sum of ones along rows (axis 0) or columns (axis 1) of a grid gives our positions instead.

    `positions`: (2, tokens), the row and the column of each token, one row of the grid after the other.
    """

    def __init__(self, positions: torch.Tensor) -> None:
        super().__init__()
        self.positions = positions

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is not torch.Tensor.cumsum:
            return result
        grid, axis = args
        if not torch.equal(grid, torch.ones_like(grid)):
            raise ValueError("what is summed is no grid of ones")
        return self.positions[axis].reshape(grid.shape).to(grid.dtype)
