"""What a compiled model leaves its graph for."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def outside_graphs(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Run a function as it is, between two graphs: it reads lengths on the host, and keeps what it knows beside a cache.

    Without a cache (use_cache=False) none is called while a graph is made, so that one graph holds the whole.
    """
    apart: Callable[_Given, _Result] = torch.compiler.disable(
        function, reason="lengths and caches are followed on the host; without a cache one graph holds the whole"
    )
    return apart
