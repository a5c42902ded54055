"""Carrying out a rotation: check, choose a backend, rotate; and cos and sin by the same road."""

from typing import Any

import numpy as np

from yarncore.arguments import is_number
from yarncore.backends.choice import choose
from yarncore.backends.short_cut import attempt
from yarncore.element_types import element_type
from yarncore.namespaces import Array, device_argument, extents_may_be_compared, is_array, namespace_of
from yarncore.positions import broadcast_shape
from yarncore.request import make_request
from yarncore.turning import Turning

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "<required>"})()
"""Default of an argument that must be given, so that its absence gets a sentence of its own."""


def run(
    turning: Turning,
    q: Array,
    k: Array | None,
    positions: Any,
    *,
    heads_axis: Any,
    out: Any = None,
    in_place: bool = False,
    backend: str | None = None,
    slots: Any = None,
    names: tuple[str, str] = ("q", "k"),
) -> Any:
    """Check, choose a backend, rotate: one array in, one array out; two in, two out."""
    if positions is REQUIRED:
        hint = ""
        if is_array(k) and element_type(k) is None:
            hint = "; for one array they come third: rotate(q, None, positions)"
        raise TypeError(f"positions is required (None means 0, 1, 2, ... along the last token axis){hint}")
    if backend is None and slots is None:
        done = attempt(turning, q, k, positions, heads_axis, in_place, out)
        if done is not None:
            return done
    with extents_may_be_compared():
        request = make_request(
            turning, q, k, positions, heads_axis=heads_axis, out=out, in_place=in_place, slots=slots, names=names
        )
    results = choose(request, backend).rotate(request)
    return results[0] if k is None else tuple(results)


def cos_sin(turning: Turning, positions: Any, dtype: Any) -> tuple[Array, Array]:
    """cos and sin as the rotation of (1, 0): the one primitive, so that they are what rotate uses."""
    if positions is None:
        raise TypeError(
            "positions is None; an integer, a list or an array is expected: there is no tensor to count along"
        )
    if is_number(positions) and not is_array(positions):
        positions = np.asarray(positions)
    given = (
        positions if is_array(positions) else np.asarray(positions if len(positions) else np.zeros(0, dtype=np.int64))
    )
    xp = namespace_of(given)
    if dtype is None:
        dtype = _default_float(xp)
    leading = 0 if turning.pair_section is None else 1
    grid = tuple(given.shape[leading:])
    if turning.lengths_shape:
        with extents_may_be_compared():
            grid = broadcast_shape(grid, turning.lengths_shape)
    one_token = len(given.shape) == 0 and not grid
    if len(given.shape) == 0:
        given = xp.reshape(given, (1,))  # one token: a 0-d integer would be read as an offset
        grid = grid or (1,)
    pairs = turning.turns.pairs
    unit = xp.zeros((*grid, 2, pairs), dtype=dtype, **device_argument(xp, given))
    ones = xp.ones_like(unit[..., :1, :])
    unit = xp.reshape(xp.concat([ones, unit[..., 1:, :]], axis=-2), (*grid, 2 * pairs))
    plain = turning.changed(interleaved=False, head_dim=None)
    turned = run(plain, unit, None, given, heads_axis=None)
    turned = turned[0, ...] if one_token else turned
    return turned[..., :pairs], turned[..., pairs:]


def _default_float(xp: Any) -> Any:
    if getattr(xp, "__name__", "").endswith("torch"):
        import torch

        return torch.get_default_dtype()
    return xp.asarray(1.0).dtype
