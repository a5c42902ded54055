"""A method of one module that calls other functions than its class does: a copy with globals of its own.

Replacing a function in its modeling file would change every model of the family in the process. The copy is kept by the
instance, in the place of the method; it is rebuilt from the class wherever the module is copied or unpickled.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

import torch


class RedirectedMethod:
    """Stands in the place of a method of one module.

    Parameters
    ----------
    module : Module
    name : str
        Of the method of its class.
    functions : mapping of str to callable
        What the method finds under these global names.
    redirected : function, optional
        The copy, where another module of the class has it already.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        name: str,
        functions: Mapping[str, Callable[..., Any]],
        redirected: Callable[..., Any] | None = None,
    ) -> None:
        self.module = module
        self.name = name
        self.functions = functions
        self.redirected = redirected or with_globals(getattr(type(module), name), functions)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.redirected(self.module, *args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        signature = inspect.signature(getattr(type(self.module), self.name))
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    def __reduce__(self) -> tuple[Any, ...]:
        return RedirectedMethod, (self.module, self.name, self.functions)


def with_globals(function: Any, functions: Mapping[str, Any]) -> Any:
    """A copy of a function, and of its decorators, that finds other functions under global names.

    Raises
    ------
    TypeError
        Where a decorator does not hold what it wraps as decorators made by functools.wraps do.
    """
    wrapped = getattr(function, "__wrapped__", None)
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{function!r} is no function")
    if wrapped is None:
        names = {**function.__globals__, **functions}
        del names["__name__"]  # torch.compile would look for what the function calls in the module of that name
        return _copy(function, names, function.__closure__)
    inner = with_globals(wrapped, functions)
    cells = function.__closure__ or ()
    if not any(cell.cell_contents is wrapped for cell in cells):
        raise TypeError(f"{function.__qualname__} is decorated by something that holds it in no closure")
    closure = tuple(types.CellType(inner) if cell.cell_contents is wrapped else cell for cell in cells)
    outer = _copy(function, function.__globals__, closure)
    outer.__wrapped__ = inner
    return outer


def _copy(function: types.FunctionType, names: dict[str, Any], closure: Any) -> Any:
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, closure)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__dict__.update(function.__dict__)
    copy.__qualname__, copy.__module__, copy.__doc__ = function.__qualname__, function.__module__, function.__doc__
    return copy


def global_names(function: Any) -> set[str]:
    """The names that a function, its decorators aside, may look up among its globals."""
    function = inspect.unwrap(function)
    return _names(function.__code__) if isinstance(function, types.FunctionType) else set()


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def globals_of(function: Any) -> dict[str, Any]:
    """The globals of a function, its decorators aside."""
    function = inspect.unwrap(function)
    return function.__globals__ if isinstance(function, types.FunctionType) else {}
