"""What an array is and which namespace computes with it, without importing a framework the user has not imported."""

import importlib
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import array_api_compat
import numpy as np

Array = Any
Namespace = Any


def is_torch(x: object) -> bool:
    """Whether `x` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def is_jax(x: object) -> bool:
    """Whether `x` is a JAX array or tracer."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(x, jax.Array)


def is_numpy(x: object) -> bool:
    """Whether `x` is a NumPy array or NumPy scalar."""
    return isinstance(x, (np.ndarray, np.generic))


def is_array(x: object) -> bool:
    """Whether `x` is an array of any framework that is known or speaks the array API."""
    if is_numpy(x) or is_torch(x):
        return True
    refuse_proxy(x)
    return not isinstance(x, (int, float, str, list, tuple, type(None))) and bool(array_api_compat.is_array_api_obj(x))


def refuse_proxy(x: object) -> None:
    """Raise TypeError for what torch.fx.symbolic_trace calls with: it has no dtype and no shape that could be checked."""
    fx = sys.modules.get("torch.fx")
    if fx is not None and isinstance(x, fx.Proxy):
        raise TypeError(
            f"torch.fx.symbolic_trace gives {x!r}, a Proxy without dtype and shape; make the call a leaf: torch.fx.wrap a "
            "function of your module that calls it, or name yarncore.torch.RotaryEmbedding in Tracer.is_leaf_module; or use "
            "torch.export, which needs no leaf"
        )


def framework_of(x: object) -> str:
    """The name of the framework of an array: numpy, torch, jax, dask, array_api_strict ..."""
    if is_numpy(x):
        return "numpy"
    if is_torch(x):
        return "torch"
    return "jax" if is_jax(x) else type(x).__module__.partition(".")[0]


def namespace_of(x: Array) -> Namespace:
    """The array-API namespace of one array."""
    if is_torch(x):
        import array_api_compat.torch as torch_namespace

        return torch_namespace
    return array_api_compat.array_namespace(x)


def checked_namespace(xp: Any) -> Namespace:
    """`xp` as an array-API namespace: torch, cupy and dask.array themselves are exchanged for their adapters.

    Raises
    ------
    TypeError
        Where it is no namespace.
    """
    name = getattr(xp, "__name__", "")
    if name in ("numpy", "torch", "cupy", "dask.array"):
        return importlib.import_module(f"array_api_compat.{name}")
    if not all(hasattr(xp, needed) for needed in ("asarray", "where", "float32", "expand_dims")):
        raise TypeError(f"xp is {xp!r}; an array-API namespace, such as numpy, torch or jax.numpy, is expected")
    return xp


def is_numpy_namespace(xp: Namespace) -> bool:
    """Whether `xp` is NumPy or its adapter."""
    return getattr(xp, "__name__", "") in ("numpy", "array_api_compat.numpy")


def is_jax_namespace(xp: Namespace) -> bool:
    """Whether `xp` is jax.numpy."""
    return getattr(xp, "__name__", "").startswith("jax")


def is_mlx_namespace(xp: Namespace) -> bool:
    """Whether `xp` is mlx.core."""
    return getattr(xp, "__name__", "").startswith("mlx")


def has_64_bits(xp: Namespace) -> bool:
    """Whether `xp` computes with int64 and float64. JAX does only when told to, MLX not on its GPU."""
    if is_mlx_namespace(xp):
        return False
    if not is_jax_namespace(xp):
        return hasattr(xp, "float64") and hasattr(xp, "int64")
    import jax

    return bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined,unused-ignore]


def widest_float(xp: Namespace) -> Any:
    """The most exact floating dtype of `xp`."""
    return xp.float64 if has_64_bits(xp) else xp.float32


def is_integer_dtype(x: Array) -> bool:
    """Whether an array holds integers (bool is none)."""
    if is_torch(x):
        return not (x.dtype.is_floating_point or x.dtype.is_complex or str(x.dtype) == "torch.bool")
    if is_numpy(x):
        return x.dtype.kind in "iu"
    return bool(namespace_of(x).isdtype(x.dtype, "integral"))


def device_argument(xp: Namespace, like: Array | None) -> dict[str, Any]:
    """device=... for a creation function of `xp`: where `like` lives. Nothing for JAX and MLX, which place arrays."""
    if like is None or is_jax_namespace(xp) or is_mlx_namespace(xp):
        return {}
    return {"device": like.device if is_torch(like) else array_api_compat.device(like)}


def device_of(x: object) -> Any:
    """The device of an array of a framework that never moves arrays by itself: torch, CuPy; None for others."""
    return x.device if is_torch(x) or framework_of(x) == "cupy" else None  # type: ignore[attr-defined]


def constant(xp: Namespace, value: Any, dtype: Any, like: Array | None = None) -> Array:
    """A host value as an array of `xp`, on the device of `like`. Copied: ours are read-only, which torch warns of."""
    if isinstance(value, np.ndarray):
        value = value.copy()
    elif isinstance(value, (int, float)) and like is not None and is_torch(like) and like.device.type != "cpu":
        return xp.full((), value, dtype=dtype, device=like.device)  # filled there: nothing is copied from the host
    return xp.asarray(value, dtype=dtype, **device_argument(xp, like))


def symbol_as_array(value: Any, like: Array) -> Any:
    """An integer that torch traces as a 0-d array, where `like` lives: its value must not be compiled in.

    As a number it would be, and every length would be compiled anew.
    """
    if not is_torch(like):
        return value
    torch = sys.modules["torch"]
    if not torch.compiler.is_compiling() or isinstance(value, bool) or not isinstance(value, (int, torch.SymInt)):
        return value
    if value < 1:
        raise ValueError(f"length is {value}; a number of tokens >= 1 is expected")
    return torch.full((), value, dtype=torch.int64, device=like.device)


def take_rows(xp: Namespace, table: Array, rows: Array) -> Array:
    """The rows of a table that indices of any shape name: shape (*rows.shape, *table.shape[1:])."""
    if not is_jax_namespace(xp):
        return xp.reshape(xp.take(table, xp.reshape(rows, (-1,)), axis=0), (*rows.shape, *table.shape[1:]))
    import jax

    # Over meshes with explicit axes a gather must be told that its result is cut as its indices are.
    sharding = jax.typeof(rows).sharding  # type: ignore[attr-defined,unused-ignore]
    spec = jax.sharding.PartitionSpec(*sharding.spec, *(None,) * (len(table.shape) - 1))
    wanted = None if sharding.mesh.empty or not sharding.mesh.are_all_axes_explicit else sharding.update(spec=spec)
    return table.at[rows].get(mode="promise_in_bounds", out_sharding=wanted)


def is_virtual(x: Array) -> bool:
    """Whether a torch tensor stands for another: it is compiled or traced, a subclass, or wrapped by a transform."""
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or type(x) not in (torch.Tensor, torch.nn.Parameter):
        return True
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(x))


def is_watched() -> bool:
    """Whether a tracer or a mode of torch may record what is done to plain tensors: then no value may be read from them,
    and their memory must not be touched past the dispatcher.
    """
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling():
        return False  # it sees through Python itself
    return bool(torch.jit.is_tracing() or torch._C._len_torch_dispatch_stack() or function_mode_watches())


def function_mode_watches() -> bool:
    """Whether a function mode of torch is active that may want to see what is done; a default device does not."""
    torch = sys.modules["torch"]
    stack = [torch._C._get_function_stack_at(place) for place in range(torch._C._len_torch_function_stack())]
    return any(type(mode) is not torch.utils._device.DeviceContext for mode in stack)


def extents_may_be_compared() -> AbstractContextManager[Any]:
    """For checks of shapes: TorchScript's tracer makes an extent a tensor, and warns wherever one is compared."""
    torch = sys.modules.get("torch")
    if torch is None or torch.compiler.is_compiling() or not torch.jit.is_tracing():
        return nullcontext()
    return warnings.catch_warnings(action="ignore", category=torch.jit.TracerWarning)


def is_traced(x: object) -> bool:
    """Whether the values of an array cannot be read now: a tracer, a fake or meta tensor, or one on another device.

    Reading from a device would wait for it, so arrays that live there count as not readable too.
    """
    if is_numpy(x):
        return False
    if is_torch(x):
        return x.device.type != "cpu" or is_virtual(x) or is_watched()  # type: ignore[attr-defined]
    if is_jax(x):
        if isinstance(x, sys.modules["jax"].core.Tracer):
            return True
        array: Any = x
        return any(device.platform != "cpu" for device in array.devices())
    return framework_of(x) != "array_api_strict"
