"""Perplexity by length, with sliding windows, and loss by absolute position: forwards of a transformers model.

lm-eval's rolling windows are disjoint and give one sum a document, so it can say neither. Every length and every scaling is
asked for the same target tokens, with other context: differences are of the context alone.
"""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

STRIDE = 256
"""Tokens between two windows, S of the YaRN paper."""
_CHUNK = 4096  # rows of logits that are made float32 at a time


@dataclass(frozen=True, slots=True)
class Document:
    """A text as tokens, without those that a tokenizer adds.

    Attributes
    ----------
    name : str
    tokens : tensor of int, (length,)
    start : int or None
        The token that the tokenizer puts before a text: it stands in the place of each window's first.
    """

    name: str
    tokens: torch.Tensor
    start: int | None = None

    @classmethod
    def of(cls, name: str, text: str, tokenizer: Any) -> "Document":
        """From a text."""
        tokens = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        first = tokenizer("a", verbose=False).input_ids[0]
        return cls(name, torch.tensor(tokens), first if first == tokenizer.bos_token_id else None)

    def window(self, begin: int, end: int) -> torch.Tensor:
        """Tokens begin to end, (1, end - begin)."""
        tokens = self.tokens[begin:end].clone()
        if self.start is not None:
            tokens[0] = self.start
        return tokens[None]


@dataclass(frozen=True, slots=True)
class Windows:
    """Which windows are scored: for each end and each length, the last `stride` tokens before the end.

    The ends begin at the longest length and are `stride` apart, so that each target has, at each length, a whole window.

    Attributes
    ----------
    lengths : tuple of int
    stride : int
    most : int
        Windows of one length in one document, at most.
    """

    lengths: tuple[int, ...]
    stride: int = STRIDE
    most: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.stride < min(self.lengths):
            raise ValueError(
                f"stride is {self.stride}; 1 to {min(self.lengths) - 1}, below the shortest length, is expected"
            )
        if self.most < 1:
            raise ValueError(f"windows is {self.most}; at least 1 is expected")

    def long_enough(self, documents: Sequence[Document]) -> list[Document]:
        """The documents that have a window of the longest length.

        Raises
        ------
        ValueError
            Where there is none.
        """
        found = [document for document in documents if len(document.tokens) >= max(self.lengths)]
        if not found:
            most = max((len(document.tokens) for document in documents), default=0)
            raise ValueError(
                f"the longest text has {most:,} tokens, and perplexity at length {max(self.lengths):,} needs a text of as many"
            )
        return found

    def ends(self, document: Document) -> range:
        """Where the windows of a document end."""
        ends = range(max(self.lengths), len(document.tokens) + 1, self.stride)
        return ends[: self.most]

    def each(self, documents: Sequence[Document]) -> Iterator[tuple[Document, int, int]]:
        """Document, length and end of every window, the longest first."""
        for length in sorted(self.lengths, reverse=True):
            for document in documents:
                for end in self.ends(document):
                    yield document, length, end


def target_losses(model: Any, window: torch.Tensor, targets: int) -> torch.Tensor:
    """-log p of the last tokens of a window, in nats, float32, (targets,).

    Parameters
    ----------
    model
        A causal language model of transformers.
    window : tensor of int, (1, length)
    targets : int
        Below the window's length: a first token has nothing that predicts it.
    """
    kept: dict[str, Any] = {"logits_to_keep": targets + 1} if _keeps_logits(model) else {}
    with torch.inference_mode():
        logits = model(input_ids=window.to(model.device), use_cache=False, **kept).logits[0, -targets - 1 : -1]
        wanted = window[0, -targets:].to(logits.device)
        return torch.cat(
            [
                torch.nn.functional.cross_entropy(
                    logits[n : n + _CHUNK].float(), wanted[n : n + _CHUNK], reduction="none"
                )
                for n in range(0, targets, _CHUNK)
            ]
        ).cpu()


def _keeps_logits(model: Any) -> bool:
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def window_loss(model: Any, document: Document, length: int, end: int, stride: int) -> float:
    """The sum of the losses of the last tokens of one window.

    Raises
    ------
    ValueError
        Where it is no finite number; the sentence says where.
    """
    total = float(target_losses(model, document.window(end - length, end), stride).double().sum())
    if not math.isfinite(total):
        raise ValueError(
            f"the loss is {total} in {document.name}, window of {length:,} tokens that ends at token {end:,}"
        )
    return total


def perplexities(losses: Mapping[tuple[str, int, int], float], stride: int) -> dict[int, float]:
    """Perplexity by length, from the sums of windows by (document, length, end)."""
    by_length: dict[int, list[float]] = {}
    for (_, length, _), loss in losses.items():
        by_length.setdefault(length, []).append(loss)
    return {length: math.exp(sum(each) / (len(each) * stride)) for length, each in sorted(by_length.items())}


def position_losses(model: Any, document: Document, length: int, bucket: int) -> list[tuple[int, int, float]]:
    """The loss by absolute position, from one forward over a document's beginning.

    Returns
    -------
    list of (int, int, float)
        Of each bucket of positions: its first position that is predicted, one behind its last, and the sum of losses in nats.
    """
    losses = target_losses(model, document.window(0, length), length - 1).double()
    found = []
    for begin in range(0, length, bucket):
        first, behind = max(begin, 1), min(begin + bucket, length)
        if first < behind:
            total = float(losses[first - 1 : behind - 1].sum())
            if not math.isfinite(total):
                raise ValueError(
                    f"the loss is {total} in {document.name} between positions {first:,} and {behind - 1:,}"
                )
            found.append((first, behind, total))
    return found
