"""A whole evaluation: a model under several scalings, needles and perplexities, kept as they come so that it resumes."""

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from yarncore.evaluate.harness import EqualLengths, Needles, quiet, record_of
from yarncore.evaluate.identity import key_of, ropes_digest, texts_digest, tokenizer_digest, versions, weights_digest
from yarncore.evaluate.kept import KeptLosses
from yarncore.evaluate.perplexity import Document, Windows, perplexities, position_losses, window_loss
from yarncore.evaluate.progress import Progress
from yarncore.evaluate.scaled_model import scaled


@dataclass(frozen=True, slots=True)
class Perplexity:
    """What is asked of texts.

    Attributes
    ----------
    texts : dict of str to str
        By name.
    windows : Windows
    """

    texts: dict[str, str]
    windows: Windows


class Evaluation:
    """A model and what it is asked.

    Parameters
    ----------
    model, tokenizer
        Of transformers.
    folder : Path
        Where answers and losses are kept: another call with the same folder goes on where this one was stopped.
    needles : Needles, optional
    perplexity : Perplexity, optional
    batch_size : int
    original_length : int, optional
        L; the configuration's by default.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        folder: Path,
        *,
        needles: Needles | None = None,
        perplexity: Perplexity | None = None,
        batch_size: int = 1,
        original_length: int | None = None,
    ) -> None:
        self.original_length = original_length
        self.model, self.tokenizer, self.folder = model, tokenizer, folder
        self.needles, self.perplexity, self.batch_size = needles, perplexity, batch_size
        self.documents: list[Document] = []
        if perplexity is not None:
            every = [Document.of(name, text, tokenizer) for name, text in perplexity.texts.items()]
            self.documents = perplexity.windows.long_enough(every)
        self.identity = {
            "weights": weights_digest(model),
            "tokenizer": tokenizer_digest(tokenizer),
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": model.device.type,
            "attention": model.config._attn_implementation,
            "versions": versions(),
        }

    @property
    def tokens(self) -> int:
        """That one scaling sends through the model."""
        asked = 0 if self.needles is None else self.needles.tokens
        if self.perplexity is None:
            return asked
        windows = self.perplexity.windows
        slid = sum(length for _, length, _ in windows.each(self.documents))
        return asked + slid + max(windows.lengths) * len(self.documents)

    def run(self, scalings: Sequence[str], progress: Progress) -> list[dict[str, Any]]:
        """Everything that is asked, under each scaling in turn; for JSON."""
        return [self._under(scaling, progress) for scaling in scalings]

    def _under(self, scaling: str, progress: Progress) -> dict[str, Any]:
        with scaled(self.model, scaling, self.original_length) as rotated:
            started = time.monotonic()
            rope_id = ropes_digest(rotated.ropes)
            identity = self.identity | {"ropes": rope_id, "rotated by": rotated.by}
            found: dict[str, Any] = {
                "scaling": scaling,
                "ropes": [repr(rope) for rope in rotated.ropes],
                "rope_id": rope_id,
                "rotated_by": rotated.by,
            }
            if self.needles is not None:
                found |= self._needles(self.needles, self.folder / f"needles-{key_of(identity)}", scaling, progress)
            if self.perplexity is not None:
                found |= self._perplexity(self.perplexity, identity, scaling, progress)
            return found | {"seconds": time.monotonic() - started}

    def _needles(self, needles: Needles, cache: Path, scaling: str, progress: Progress) -> dict[str, Any]:
        todo = needles.tokens

        def told(tokens: int, left: int, what: str) -> None:
            nonlocal todo
            progress.skip(todo - left - tokens)  # what the cache answered
            todo = left
            progress.advance(tokens, f"{scaling}: {what}")

        longest = max(document["length"] for each in needles.documents.values() for document in each)
        with quiet():
            model = EqualLengths(self.model, self.tokenizer, longest, self.batch_size, told)
        results = needles.run(model, cache)
        progress.skip(todo)
        grids = {metric: needles.grids(results, metric) for metric in ("asked", "found")}
        return {
            "needles": {
                kind: {metric: each[kind].as_list() for metric, each in grids.items()} for kind in needles.kinds
            },
            "lm_eval": record_of(results),
        }

    def _perplexity(
        self, asked: Perplexity, identity: dict[str, Any], scaling: str, progress: Progress
    ) -> dict[str, Any]:
        windows = asked.windows
        identity = identity | {"texts": texts_digest(asked.texts), "stride": windows.stride}
        with KeptLosses(self.folder / f"losses-{key_of(identity)}.jsonl") as kept:

            def one(kind: str, document: Document, length: int, end: int, compute: Callable[[], Any]) -> Any:
                place = (kind, document.name, length, end)
                if place in kept:
                    progress.skip(length)
                    return kept[place]
                kept[place] = computed = compute()
                progress.advance(length, f"{scaling}: {kind} at {length:,} tokens of {document.name}")
                return computed

            slid = {
                (document.name, length, end): one(
                    "perplexity", document, length, end,
                    partial(window_loss, self.model, document, length, end, windows.stride),
                )
                for document, length, end in windows.each(self.documents)
            }  # fmt: skip
            longest = max(windows.lengths)
            passes = [
                one(
                    "loss by position", document, longest, longest,
                    partial(position_losses, self.model, document, longest, windows.stride),
                )
                for document in self.documents
            ]  # fmt: skip
        counts = {length: sum(1 for _, each, _ in slid if each == length) for length in windows.lengths}
        return {
            "perplexity": [
                {
                    "length": length,
                    "perplexity": value,
                    "windows": counts[length],
                    "targets": counts[length] * windows.stride,
                }
                for length, value in perplexities(slid, windows.stride).items()
            ],
            "positions": _by_position(passes),
        }


def _by_position(passes: list[list[Any]]) -> list[dict[str, Any]]:
    """The mean over documents of the loss in each bucket of positions."""
    return [
        {
            "first": buckets[0][0],
            "behind": buckets[0][1],
            "loss": sum(loss for _, _, loss in buckets) / (len(buckets) * (buckets[0][1] - buckets[0][0])),
        }
        for buckets in zip(*passes, strict=True)
    ]


def described(evaluation: Evaluation, runs: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
    """The report for JSON: what was asked, of what, where, and what was found."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": platform.processor() or platform.machine(), "system": platform.platform()},
        "identity": evaluation.identity,
        "model": {
            "type": evaluation.model.config.model_type,
            "parameters": sum(parameter.numel() for parameter in evaluation.model.parameters()),
        },
        "asked": asked,
        "runs": runs,
    }


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write JSON beside the file and then in its place, so that no half a report is ever there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(report, indent=1))
    beside.replace(path)
