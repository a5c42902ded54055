"""Rotating by tables of cos and sin that another program made."""

from typing import Any, Literal

from yarncore._arguments import boolean, one_of
from yarncore.backends.carry_out import run
from yarncore.frameworks.framework import Array
from yarncore.frameworks.known import is_array, of
from yarncore.frameworks.tracers import extents_may_be_compared
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.request.tensors import element_type
from yarncore.turns.given import GivenTables
from yarncore.turns.record import RotationRecord

TableLayout = Literal["half", "repeated", "pairs"]
_LAYOUTS = ("half", "repeated", "pairs")


def rotate_by(
    q: Array,
    k: Array | None,
    cos: Array,
    sin: Array,
    *,
    heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
    layout: TableLayout = "half",
    interleaved: bool | None = None,
    out: Any = None,
    backend: str | None = None,
) -> Any:
    """Rotate q and k by given tables of cos and sin, as flash-attn, ONNX, Liger or transformers take them.

    Each number of the tables is used as it stands, widened or rounded to float32 (float64 for float64 arrays): a float32
    phase in it stays what it is. Where positions are known, Rope.rotate is exact and needs no tables.

    Parameters
    ----------
    q, k, heads_axis, out, backend : as for Rope.rotate
        Elements beyond the 2 * pairs that the tables turn pass through.
    cos, sin : arrays, shape (..., pairs) or (..., 2 * pairs)
        float64, float32, bfloat16 or float16, of the framework of q or NumPy. The leading axes broadcast against the token
        axes: (seq, pairs), or (batch, seq, pairs).
    layout : "half", "repeated" or "pairs"
        How the tables are laid out. "half": one number a pair (flash-attn, ONNX, gpt-oss, vLLM). "repeated": all pairs and
        then again, cat([c, c]) (transformers, Liger). "pairs": each number twice in turn, as interleaved rotations of
        x-transformers and GLM have it. Of two copies the first is read.
    interleaved : bool, optional
        Pairs (2i, 2i+1) of q and k instead of (i, i + pairs). None: True where layout is "pairs".

    Returns
    -------
    array, or pair of arrays

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted; also where a table requires a gradient: the rotation is
        not differentiated with respect to it.

    Notes
    -----
    x_0 cos - x_1 sin and x_1 cos + x_0 sin, each product rounded (arXiv:2104.09864, eq. 34). A token whose row is cos 1 and
    sin 0 throughout keeps every bit.

    Examples
    --------
    >>> import numpy as np
    >>> x, angle = np.ones((3, 2, 4), dtype=np.float32), np.zeros((3, 2))
    >>> bool((rotate_by(x, None, np.cos(angle), np.sin(angle)) == x).all())
    True
    """
    record = _record(q, cos, sin, layout, interleaved)
    return run(record, q, k, 0, heads_axis=heads_axis, out=out, backend=backend)


def rotate_by_(
    q: Array,
    k: Array | None,
    cos: Array,
    sin: Array,
    *,
    heads_axis: int | None = AUTOMATIC_HEADS_AXIS,
    layout: TableLayout = "half",
    interleaved: bool | None = None,
    backend: str | None = None,
) -> Any:
    """Rotate q and k by given tables in place; returns the arrays it was given. Parameters as for rotate_by.

    Raises
    ------
    TypeError, ValueError
        As for rotate_by and Rope.rotate_. Nothing has been written then.
    """
    record = _record(q, cos, sin, layout, interleaved)
    return run(record, q, k, 0, heads_axis=heads_axis, in_place=True, backend=backend)


def _record(q: Array, cos: Array, sin: Array, layout: Any, interleaved: Any) -> RotationRecord:
    one_of("layout", layout, _LAYOUTS)
    in_pairs = layout == "pairs" if interleaved is None else boolean("interleaved", interleaved)
    for name, table in (("cos", cos), ("sin", sin)):
        _check_table(name, table)
    with extents_may_be_compared():
        width = cos.shape[-1]
        if sin.shape[-1] != width:
            raise ValueError(f"cos has {width} numbers a token and sin {sin.shape[-1]}; as many are expected")
        if layout != "half" and width % 2:
            raise ValueError(
                f"cos has {width} numbers a token; layout={layout!r} has each twice: an even number is expected"
            )
        if not width:
            raise ValueError(f"cos has shape {tuple(cos.shape)}; (..., pairs) with at least one pair is expected")
    if layout != "half":
        part = slice(0, width // 2) if layout == "repeated" else slice(0, None, 2)
        cos, sin = cos[..., part], sin[..., part]
    return RotationRecord(GivenTables(cos, sin), None, (), False, in_pairs, None, None, 1)


def _check_table(name: str, table: Any) -> None:
    if not is_array(table):
        raise TypeError(f"{name} is {table!r} ({type(table).__name__}); an array of cosines or sines is expected")
    if element_type(table) is None:
        raise TypeError(f"{name} has dtype {table.dtype}; float64, float32, bfloat16 or float16 is expected")
    if len(table.shape) == 0:
        raise ValueError(f"{name} has shape (); (..., pairs) is expected")
    of(table).check_positions(table, name)
