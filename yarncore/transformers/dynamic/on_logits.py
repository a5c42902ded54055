"""A temperature that goes with the logits and with the length of each row: the queries carry it."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from yarncore.transformers.dynamic.one_forward import Followed, latest
from yarncore.transformers.dynamic.outside_graphs import outside_graphs

NAME = "ALL_ATTENTION_FUNCTIONS"
"""Under which modeling files look up what computes attention."""


class CarriedByQueries:
    """Stands in the place of transformers' attention functions: each multiplies its queries first.

    Attention takes one number for all rows (`scaling`), and rows may be at different lengths.
    """

    def get_interface(self, implementation: str, default: Callable[..., Any]) -> Callable[..., Any]:
        """The attention function of that name, with queries multiplied."""
        return functools.partial(_attend, ALL_ATTENTION_FUNCTIONS.get_interface(implementation, default))

    def __getattr__(self, name: str) -> Any:
        return getattr(ALL_ATTENTION_FUNCTIONS, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return CarriedByQueries, ()


def _attend(attention: Callable[..., Any], module: Any, query: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    followed = latest()
    if followed is not None:
        query = _carrying(query, followed)
    return attention(module, query, *args, **kwargs)


@outside_graphs
def _carrying(query: torch.Tensor, followed: Followed) -> torch.Tensor:
    """Each row by its factor, rounded once; as it is where all are 1, so that short rows are those of plain RoPE."""
    factors = followed.on_logits()
    if np.all(np.equal(factors, 1.0)):
        return query
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    of_rows = torch.as_tensor(factors, dtype=wide, device=query.device).reshape(-1, 1, 1, 1)
    return (query * of_rows).to(query.dtype)
