"""Prompts of an exact number of tokens: a question, and as much haystack as is left."""

import random
import re
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

from yarncore.evaluate.needles import KINDS, SENTENCES, Question

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_TRIES = 24  # corrections of the haystack's length by the tokens that are missing; five are usual
_NEAR = 160  # characters around the best length that are then tried one by one
_WORDS = 6  # and before them so many that end a word
_PADS = ("", "\n", ".")  # a token more, where the length of a word steps over the number


@dataclass(frozen=True, slots=True)
class Haystack:
    """A text to hide something in; `endless` where it is repeated as often as needed."""

    text: str
    endless: bool

    def beginning(self, characters: int) -> str:
        """Its first characters; fewer where it ends."""
        repeats = -(-characters // len(self.text)) if self.endless else 1
        return (self.text * repeats)[:characters]

    @property
    def characters(self) -> float:
        """How many there are."""
        return float("inf") if self.endless else len(self.text)


REPEATED = Haystack(SENTENCES, True)


def haystack_of(texts: dict[str, str]) -> Haystack:
    """One text of several, all white space made single spaces."""
    return Haystack(" ".join(" ".join(text.split()) for text in texts.values()), False)


def compose(question: Question, filler: str, pad: str = "") -> tuple[str, int]:
    """The prompt, and where in it (in characters) the needle of the grid's depth begins; the pad ends the haystack.

    A fact stands between two sentences: at the boundary nearest to its depth in the filler.
    """
    bounds = [0, *(found.end() for found in _SENTENCE_END.finditer(filler)), len(filler)]
    pieces, at, needle, done = [question.opening, "\n"], len(question.opening) + 1, 0, 0
    for n, fact in sorted(enumerate(question.facts), key=lambda each: (each[1].depth, each[0])):
        bound = _nearest(bounds, fact.depth * len(filler))
        before = filler[done:bound]
        space = " " if before and not before[-1].isspace() else ""
        at += len(before) + len(space)
        needle = at if n == 0 else needle
        pieces += [before, space, fact.text, " "]
        at, done = at + len(fact.text) + 1, bound
    return "".join((*pieces, filler[done:].rstrip(), pad, "\n", question.closing)), needle


def _nearest(bounds: list[int], place: float) -> int:
    after = bisect(bounds, place)
    return min(bounds[max(after - 1, 0) : after + 1], key=lambda bound: abs(bound - place))


def fit(question: Question, haystack: Haystack, tokens: int, count: Callable[[str], int]) -> tuple[str, int]:
    """A prompt of exactly so many tokens, and where its needle begins, in characters.

    The haystack is cut between words where that hits the number, else within one: a character more is mostly no token more
    or one, and so is a line's end or full stop behind the haystack.

    Raises
    ------
    ValueError
        Where the question alone is longer, the text is too short, or no cut hits the number.
    """
    least = count(compose(question, "")[0])
    if least > tokens:
        raise ValueError(f"the question alone takes {least} tokens, and {tokens} are left for the prompt")
    sample = haystack.beginning(4000)
    per_token = len(sample) / max(count(sample), 1)
    characters, found = _approach(question, haystack, tokens - least, per_token, tokens, count)
    if found == tokens:
        return compose(question, haystack.beginning(characters))
    if characters >= haystack.characters and found < tokens:
        raise ValueError(f"the text of the haystack ends after {found} tokens of a prompt that needs {tokens}")
    for near, pad in _cuts(haystack, characters):
        prompt, needle = compose(question, haystack.beginning(near), pad)
        if count(prompt) == tokens:
            return prompt, needle
    raise ValueError(f"no cut of the haystack makes a prompt of {tokens} tokens with this tokenizer")


def _approach(
    question: Question, haystack: Haystack, room: int, per_token: float, tokens: int, count: Callable[[str], int]
) -> tuple[int, int]:
    """Characters of the haystack that come nearest to the number, and the tokens that they make."""
    characters, best = round(room * per_token), (0, -1)
    for _ in range(_TRIES):
        characters = int(min(max(characters, 0), haystack.characters))
        found = count(compose(question, haystack.beginning(characters))[0])
        if abs(tokens - found) >= abs(tokens - best[1]) and best[1] >= 0:
            break
        best = (characters, found)
        if found == tokens:
            break
        characters += round((tokens - found) * per_token) or (1 if found < tokens else -1)
    return best


def _cuts(haystack: Haystack, around: int) -> Iterator[tuple[int, str]]:
    """Lengths near one, the nearest first, and what is put behind: first those that end a word, then all."""
    last = int(min(around + _NEAR, haystack.characters))
    near = sorted(range(max(around - _NEAR, 0), last + 1), key=lambda each: abs(each - around))
    text = haystack.beginning(last + 1)
    ends = [
        each for each in near if each and (each >= len(text) or text[each].isspace()) and not text[each - 1].isspace()
    ]
    return chain(product(ends[:_WORDS], _PADS), product(near, _PADS))


def rows(
    kind: str,
    lengths: Sequence[int],
    depths: Sequence[float],
    samples: int,
    seed: int,
    generated: int,
    haystack: Haystack,
    count: Callable[[str], int],
) -> Iterator[dict[str, Any]]:
    """One document of a task for each length, depth and sample.

    Parameters
    ----------
    kind : str
        One of KINDS.
    lengths : sequence of int
        Tokens of a prompt together with those that are generated.
    depths : sequence of float
        0 is the haystack's beginning, 1 its end.
    samples, seed : int
        Prompts a cell; what they are follows from the seed, the kind and the cell.
    generated : int
        Tokens that the model may generate.
    haystack : Haystack
    count : callable
        Tokens of a text, with those that the tokenizer adds.
    """
    for length in lengths:
        for depth in depths:
            for sample in range(samples):
                question = KINDS[kind](random.Random(f"{seed}/{kind}/{length}/{depth}/{sample}"), depth)
                try:
                    prompt, needle = fit(question, haystack, length - generated, count)
                except ValueError as error:
                    raise ValueError(f"{kind} at length {length}, {generated} of it generated: {error}") from None
                yield {
                    "input": prompt,
                    "answers": list(question.answers),
                    "asked": question.asked,
                    "kind": kind,
                    "length": length,
                    "depth": depth,
                    "sample": sample,
                    "tokens_before_needle": count(prompt[:needle]),
                    "generated": generated,
                }
