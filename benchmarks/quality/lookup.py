"""The retrieval task: SET key value END, hidden in text, and ASK key, after which the value is due.

A key has two symbols and distractors share its first one, so that the second must be read as well; a value has two symbols.
"""

from dataclasses import dataclass

import numpy as np

from corpus import ASK, END, KEYS, SET, VALUES

ITEM = 6  # SET, two of the key, two of the value, END


def item(mark: int, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    return np.array([mark, *key, *value, END], np.uint8)


@dataclass(frozen=True)
class Difficulty:
    """How many others there are, and how many of them share the first symbol of the key that is asked for."""

    distractors: int
    sharing: int


# From easy to hard: the one that plain RoPE solves in 85 to 97 % at L is taken, before any extended result is looked at.
LADDER = tuple(
    Difficulty(n, m) for n, m in ((3, 1), (5, 2), (7, 3), (10, 5), (14, 7), (18, 9), (23, 11), (28, 14), (34, 17))
)


def keys_of(draw: np.random.Generator, difficulty: Difficulty) -> np.ndarray:
    """The key that is asked for and its distractors, all different, (1 + distractors, 2)."""
    found = {tuple(draw.choice(KEYS, 2))}
    (asked,) = found
    keys = [asked]
    while len(keys) < 1 + difficulty.distractors:
        first = asked[0] if len(keys) <= difficulty.sharing else draw.choice(KEYS)
        key = (first, draw.choice(KEYS))
        if key not in found:
            found.add(key)
            keys.append(key)
    return np.array(keys, np.uint8)


def question(
    draw: np.random.Generator, text: np.ndarray, depth: float, difficulty: Difficulty
) -> tuple[np.ndarray, int]:
    """A row of the text's length that ends with a question, its answer and END; and the tokens from the answer on.

    The needle lies at the depth of what is before the question, distractors anywhere.
    """
    row, end = text.copy(), len(text) - ITEM
    keys = keys_of(draw, difficulty)
    values = draw.choice(VALUES, (len(keys), 2)).astype(np.uint8)
    marks = [item(SET, key, value) for key, value in zip(keys, values, strict=True)]
    shift = int(draw.integers(0, ITEM))  # no place modulo an item's length tells where one is
    slots = (end - shift) // ITEM
    wanted = round(depth * (slots - 1))
    others = draw.permutation([slot for slot in range(slots) if slot != wanted])[: len(marks) - 1]
    for mark, slot in zip(marks, (wanted, *others), strict=True):
        row[shift + slot * ITEM : shift + (slot + 1) * ITEM] = mark
    row[end:] = item(ASK, keys[0], values[0])
    return row, 3  # two of the answer and END behind them


def weave(draw: np.random.Generator, row: np.ndarray, weights: np.ndarray) -> None:
    """Put lookups into a row of training text, in place; what nothing can predict weighs 0, an answer 4.

    Many questions to few facts: a third of the row to all of it asks.
    """
    slots = len(row) // ITEM - 1
    count = int(draw.integers(2, min(8, slots // 2) + 1))
    sharing = int(draw.integers(0, count))
    keys = keys_of(draw, Difficulty(count - 1, sharing))
    values = draw.choice(VALUES, (count, 2)).astype(np.uint8)
    asks = draw.integers(0, count, max(count, int((slots - count) * draw.uniform(0.3, 1))))
    places = np.sort(draw.choice(slots, min(count + len(asks), slots), replace=False)) * ITEM
    shift = int(draw.integers(0, ITEM))
    for n, place in enumerate(places + shift):
        here = slice(place, place + ITEM)
        if n < count:
            row[here] = item(SET, keys[n], values[n])
            weights[here] = (1, 0, 0, 0, 0, 1)
        else:
            which = asks[n - count]
            row[here] = item(ASK, keys[which], values[which])
            weights[here] = (1, 0, 0, 4, 4, 1)
