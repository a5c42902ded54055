"""transformers computes norms, softmax and logits for sampling in float32 whatever the model is; here it does not."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch


@contextlib.contextmanager
def whole_float64() -> Iterator[None]:
    """float64 stays float64: its conversions to float32 do nothing, so that errors are those of the rotation alone."""
    to, to_float, softmax = torch.Tensor.to, torch.Tensor.float, torch.nn.functional.softmax

    def stays(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if x.dtype == torch.float64 and torch.float32 in (*args, kwargs.get("dtype")):
            return x.clone() if kwargs.get("copy") else x
        return to(x, *args, **kwargs)

    def wide_softmax(x: torch.Tensor, *args: Any, dtype: Any = None, **kwargs: Any) -> torch.Tensor:
        return softmax(x, *args, dtype=None if x.dtype == torch.float64 else dtype, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "to", stays)
        patch.setattr(torch.Tensor, "float", lambda x: x if x.dtype == torch.float64 else to_float(x))
        patch.setattr(torch.nn.functional, "softmax", wide_softmax)
        yield
