"""The short cut for plain calls, where the extension checks the arguments itself.

It does the work, or declines without a word and with nothing written; then the call goes through request.py, which
explains or finds another way. So the rules and their sentences stand there once, and a token costs little.
"""

import sys
from typing import Any

import numpy as np

from yarncore.backends.native import native_turns
from yarncore.namespaces import is_numpy
from yarncore.turning import Turning
from yarncore.turns import TurnsTable


def attempt(turning: Turning, q: Any, k: Any, positions: Any, heads_axis: Any, in_place: bool, out: Any) -> Any:
    """The results of a plain call: the arrays themselves when in place, `out`, or fresh ones. None: declined."""
    if type(q) is np.ndarray:
        short_cut = _prepare(turning) if turning.short_cut is None else turning.short_cut
        targets = _targets(q, k, in_place, out)
        done = targets and short_cut and short_cut.rotate(q, k, *targets, positions, heads_axis, None)
        return (targets if k is not None else targets[0]) if done and targets else None
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(q, torch.Tensor) or torch.compiler.is_compiling():
        return None
    return _attempt_torch(turning, q, k, positions, heads_axis, in_place, out)


def _targets(q: Any, k: Any, in_place: bool, out: Any) -> tuple[Any, Any] | None:
    if in_place:
        return q, k
    if out is not None:
        return _pair(out, k)
    if q.dtype.hasobject or not (k is None or type(k) is np.ndarray):
        return None
    return np.empty_like(q), None if k is None else np.empty_like(k)


def _pair(out: Any, k: Any) -> tuple[Any, Any] | None:
    """`out` as one target for q and one for k; None where it is not as many."""
    if k is None:
        return None if isinstance(out, (tuple, list)) else (out, None)
    return (out[0], out[1]) if isinstance(out, (tuple, list)) and len(out) == 2 else None


def _prepare(turning: Turning) -> Any:
    """The extension's object for a rotation with one row and one position a token; False for any other."""
    table = turning.turns
    plain = isinstance(table, TurnsTable) and turning.rows is None and turning.pair_section is None
    native = native_turns(table) if plain and isinstance(table, TurnsTable) else None
    if native is None:
        turning.short_cut = False
    else:
        from yarncore._core import ShortCut

        head_dim = -1 if turning.head_dim is None else turning.head_dim
        turning.short_cut = ShortCut(native, head_dim, turning.interleaved, turning.conjugate)
    return turning.short_cut


def _attempt_torch(turning: Turning, q: Any, k: Any, positions: Any, heads_axis: Any, in_place: bool, out: Any) -> Any:
    import torch

    from yarncore.backends.torch import as_numpy, bump_version, memory_is_plain

    short_cut = _prepare(turning) if turning.short_cut is None else turning.short_cut
    if not short_cut or not memory_is_plain(q, in_place) or not (k is None or memory_is_plain(k, in_place)):
        return None
    if isinstance(positions, torch.Tensor):
        if positions.dtype not in (torch.int32, torch.int64) or not memory_is_plain(positions, False):
            return None
        positions = positions.numpy()
    elif not (positions is None or type(positions) is int or is_numpy(positions)):
        return None
    if k is not None and k.dtype != q.dtype:
        return None
    if in_place:
        results: Any = (q, k)
    elif out is not None:
        results = _pair(out, k)
        if results is None or not all(
            memory_is_plain(y, True) and y.dtype == q.dtype for y in results if y is not None
        ):
            return None
    else:
        results = torch.empty_like(q), None if k is None else torch.empty_like(k)
    sources = [None if x is None else as_numpy(x) for x in (q, k)]
    targets = sources if in_place else [None if y is None else as_numpy(y) for y in results]
    # NumPy sees 16-bit elements as uint16: only their name says which they are.
    name = "bfloat16" if q.dtype == torch.bfloat16 else "float16" if q.dtype == torch.float16 else None
    if not short_cut.rotate(*sources, *targets, positions, heads_axis, name):
        return None
    if in_place or out is not None:
        for y in results:
            if y is not None:
                bump_version(y)
    return results if k is not None else results[0]
