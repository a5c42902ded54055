"""Tables of turns where the arrays live that are turned by them."""

from yarncore.frameworks.expressions import constant, has_64_bits
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import of
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import word_dtype


def table_beside(xp: Namespace, turns: TurnsTable, like: Array) -> tuple[Array, Array]:
    """The words, (rows, 5, pairs), and the factors, (rows,), where `like` lives."""
    kept = of(like).kept_beside(like, (turns.words_int64, turns.factors_float64), turns.copies.generic)
    if kept is not None:
        return kept[0], kept[1]
    wide = has_64_bits(xp)
    words = constant(xp, turns.words_int64 if wide else turns.words, word_dtype(xp), like=like)
    return words, constant(xp, turns.factors_float64, xp.float64 if wide else xp.float32, like=like)
