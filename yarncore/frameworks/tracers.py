"""What tracers of torch make of Python's own: numbers that are tensors, and proxies that are nothing yet."""

import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def constant_in_a_trace(function: Function) -> Function:
    """Mark what torch.compile is to call while it traces, with constants, holding the result as one.

    As torch.compiler.assume_constant_result does, which would have to import torch. Its arguments must be letters and
    numbers: those are guarded, so that another value compiles anew.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def dynamo_traces() -> bool:
    """Whether Python itself is traced, by torch.compile or a strict export: then no number of ours can be computed."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.compiler.is_dynamo_compiling())


def refuse_proxy(x: object) -> None:
    """Raise TypeError for what torch.fx.symbolic_trace calls with: it has no dtype and no shape that could be checked."""
    fx = sys.modules.get("torch.fx")
    if fx is not None and isinstance(x, fx.Proxy):
        raise TypeError(
            f"torch.fx.symbolic_trace gives {x!r}, a Proxy without dtype and shape; make the call a leaf: torch.fx.wrap a "
            "function of your module that calls it, or name yarncore.torch.RotaryEmbedding in Tracer.is_leaf_module; or use "
            "torch.export, which needs no leaf"
        )


def extents_may_be_compared() -> AbstractContextManager[Any]:
    """For checks of shapes: TorchScript's tracer makes an extent a tensor, and warns wherever one is compared."""
    torch = sys.modules.get("torch")
    if torch is None or torch.compiler.is_compiling() or not torch.jit.is_tracing():
        return nullcontext()
    return warnings.catch_warnings(action="ignore", category=torch.jit.TracerWarning)
