"""A live module of torch -> Identification of each rotary module within it."""

import copy
import inspect
from collections.abc import Iterator
from typing import Any

import torch

from yarncore.identification.cos_sin import of_tables
from yarncore.identification.frequencies import of_frequencies
from yarncore.identification.identified import Identification
from yarncore.identification.stored import as_float64

_TOKENS = 256
_NUMBERS = "inv_freq"


def of_model(model: torch.nn.Module) -> dict[str, Identification]:
    """By the module's path, and the layer type after a colon where it has several.

    Each is asked for its cos and sin at positions 0 to 255; one that cannot be called so is read. The model is not changed.

    Raises
    ------
    ValueError
        Where there is no rotary module.
    """
    found: dict[str, Identification] = {}
    for path, module in model.named_modules():
        numbers = {name: buffer for name, buffer in module._buffers.items() if buffer is not None and _NUMBERS in name}
        if not numbers or (any("original" in name for name in numbers) and len(numbers) == 1):
            continue
        for label in _labels(module, numbers):
            found[":".join(part for part in (path, label) if part) or type(module).__name__] = _identified(
                module, label
            )
    if not found:
        raise ValueError(
            f"{type(model).__name__} has no module with inverse frequencies (a buffer {_NUMBERS}); give its rotation function, "
            "or its tables"
        )
    return found


def _labels(module: torch.nn.Module, numbers: dict[str, Any]) -> list[str]:
    """The layer types of a module that keeps several series."""
    labels = [name.removesuffix(f"_{_NUMBERS}") for name in numbers if name.endswith(f"_{_NUMBERS}")]
    return [label for label in labels if "original" not in label] or [""]


def _identified(module: torch.nn.Module, label: str) -> Identification:
    tables = _tables(module, label)
    if tables is not None:
        return of_tables(*tables)
    prefix = f"{label}_" if label else ""
    theta = as_float64(_NUMBERS, getattr(module, f"{prefix}{_NUMBERS}"))
    factor = getattr(module, f"{prefix}attention_scaling", None)
    note = "its frequencies were read: it could not be called with (x, position_ids)"
    return of_frequencies(theta, None, None if factor is None else float(factor), notes=[note])


def _tables(module: torch.nn.Module, label: str) -> tuple[Any, Any] | None:
    """cos and sin of small positions, asked of a copy: a dynamic method changes the module that is called."""
    if "position_ids" not in inspect.signature(module.forward).parameters:
        return None
    twin = copy.copy(module)
    buffers = {name: None if each is None else each.detach().clone() for name, each in module._buffers.items()}
    twin.__dict__["_buffers"] = buffers
    device = next(each.device for each in buffers.values() if each is not None)
    if device.type == "meta":
        return None
    x, positions = torch.zeros(1, _TOKENS, 8, device=device), torch.arange(_TOKENS, device=device)[None]
    for given in _givens(x, positions, label):
        try:
            with torch.no_grad():
                returned = twin(*given[0], **given[1])
        except (AttributeError, KeyError, RuntimeError, TypeError, IndexError):
            continue
        if isinstance(returned, torch.Tensor) and returned.is_complex():
            return returned.real[0], returned.imag[0]
        if isinstance(returned, tuple) and len(returned) == 2 and all(part.ndim >= 2 for part in returned):
            cos, sin = (part.reshape(-1, *part.shape[-2:])[0] for part in returned)
            return cos, sin
    return None


def _givens(x: torch.Tensor, positions: torch.Tensor, label: str) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    named = {"layer_type": label} if label else {}
    yield (x, positions), named
    yield (x, positions.expand(3, 1, -1)), named  # one row for each section
