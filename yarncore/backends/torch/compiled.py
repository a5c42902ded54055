"""The short cut for plain calls that torch.compile traces.

Every function that Dynamo looks into costs a guard in every call of what it compiles. So little is looked into here: the
checks run in the operator's fake kernel, once, while it is traced.
"""

from typing import Any

import torch

from yarncore.frameworks.torch import takes_operator
from yarncore.turns.record import RotationRecord
from yarncore.turns.table import TurnsTable


def rotate_while_compiled(record: RotationRecord, q: Any, k: Any, positions: Any, heads_axis: Any, query: Any) -> Any:
    """The results of a plain call by the operator; None: it is not plain."""
    plain = (
        takes_operator(q)
        and (k is None or takes_operator(k))
        and type(positions) is torch.Tensor
        and type(heads_axis) is int
        and heads_axis < 0
        and record.rows is None
        and record.pair_section is None
        and (query is None or type(query) is bool)
        and not (record.query_scale is not None and query is None and k is None)
    )
    if not plain or q.ndim < 1 or positions.ndim < 1 or positions.requires_grad:
        return None
    if not isinstance(record.turns, TurnsTable):
        return None
    text = record.turns.text
    for x in (q, k):
        if x is not None and record.head_dim is not None and x.shape[-1] != record.head_dim:
            return None
    from yarncore.backends.torch import operator  # registers it

    results = operator.ROTATE(
        [q] if k is None else [q, k],
        positions,
        0,
        None,
        None,
        text,
        1,
        record.conjugate,
        record.interleaved,
        heads_axis,
        record.rotary_start,
        record.query_letters,
        query,
    )
    return results[0] if k is None else (results[0], results[1])
