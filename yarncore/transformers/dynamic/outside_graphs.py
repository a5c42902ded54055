"""What a compiled model leaves its graph for."""

import functools
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

    @functools.wraps(function)
    def call(*given: _Given.args, **named: _Given.kwargs) -> _Result:
        # Asked first, since a function that the compiler leaves alone costs 10 us a call more, compiled or not.
        return apart(*given, **named) if torch.compiler.is_compiling() else function(*given, **named)

    return call
