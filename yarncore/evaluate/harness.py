"""Needles run in lm-eval: a model of transformers behind its interface, and a run that resumes."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CachingLM
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from yarncore.evaluate.grid import Grid
from yarncore.evaluate.needles import KINDS

TASKS = Path(__file__).with_name("tasks")


class EqualLengths(HFLM):  # type: ignore[misc]
    """lm-eval's HFLM, for which a batch has prompts of one length, and a prompt that is too long is an error.

    Nothing is padded, so that a scaling that follows the length sees each row's own; and nothing is cut: HFLM cuts a
    prompt from the left without failing, and with it the needle at depth 0.

    Parameters
    ----------
    model, tokenizer
        Of transformers.
    longest : int
        Tokens of the longest prompt together with those that are generated.
    batch_size : int
    told : callable, optional
        Called after each batch with its tokens, those of the batches that are left, and what was done.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        longest: int,
        batch_size: int = 1,
        told: Callable[[int, int, str], None] | None = None,
    ) -> None:
        super().__init__(pretrained=model, tokenizer=tokenizer, max_length=longest, batch_size=batch_size)
        self._told = told

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = True) -> list[str]:
        """The answers, made in batches of equal lengths, the longest first."""
        places: dict[tuple[int, str], list[int]] = {}
        for n, request in enumerate(requests):
            places.setdefault((self._length(request), str(request.args[1])), []).append(n)
        answers: dict[int, str] = {}
        left = sum(length * len(same) for (length, _), same in places.items())
        for (length, _), same in sorted(places.items(), reverse=True):
            for start in range(0, len(same), self.batch_size):
                batch = same[start : start + self.batch_size]
                with torch.inference_mode():
                    answers |= zip(batch, super().generate_until([requests[n] for n in batch], True), strict=True)
                left -= length * len(batch)
                if self._told:
                    self._told(length * len(batch), left, f"needles at {length:,} tokens")
        return [answers[n] for n in range(len(requests))]

    def _length(self, request: Instance) -> int:
        prompt, how = request.args
        length = len(self.tok_encode(prompt)) + int(how["max_gen_toks"])
        if length > self.max_length:
            raise ValueError(
                f"a prompt has {length} tokens with those to be generated, and {self.max_length} are allowed: it would be cut"
            )
        return length


class Needles:
    """lm-eval's tasks with their documents made for one tokenizer, to be run on any number of models.

    Making them is what finds a length or a text that cannot be served: nothing has run then.

    Parameters
    ----------
    kinds : sequence of str
        Of yarncore.evaluate.needles.KINDS.
    tokenizer
        Of transformers, or the folder of one.
    lengths, depths : sequence
    samples, seed : int
        Prompts a cell, and what they are made from.
    haystack : str or Path, optional
        A file or folder of texts; without it sentences are repeated.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        tokenizer: Any,
        lengths: Sequence[int],
        depths: Sequence[float],
        *,
        samples: int = 1,
        seed: int = 0,
        haystack: str | Path | None = None,
    ) -> None:
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown or not kinds:
            raise ValueError(f"needles is {list(kinds)}; one or more of {', '.join(KINDS)} are expected")
        if samples < 1:
            raise ValueError(f"samples is {samples}; at least 1 is expected")
        self.kinds = tuple(kinds)
        metadata = {
            "tokenizer": tokenizer,
            "lengths": list(lengths),
            "depths": list(depths),
            "samples": samples,
            "seed": seed,
            "haystack": None if haystack is None else str(haystack),
        }
        with quiet():
            manager = TaskManager(include_path=str(TASKS), include_defaults=False, metadata=metadata)
            self._loaded = manager.load([f"yarncore_{kind}" for kind in kinds])

    @property
    def documents(self) -> dict[str, list[dict[str, Any]]]:
        """Those of each kind, as they are asked."""
        return {kind: list(self._loaded["tasks"][f"yarncore_{kind}"].dataset["test"]) for kind in self.kinds}

    @property
    def tokens(self) -> int:
        """Of all prompts together, with those that are generated."""
        return sum(document["length"] for documents in self.documents.values() for document in documents)

    def run(self, model: LM, cache: Path | None = None) -> dict[str, Any]:
        """Ask a model; returns what lm-eval's `evaluate` returns, with the records of samples.

        Parameters
        ----------
        model : lm_eval.api.model.LM
            EqualLengths, or any other of lm-eval's.
        cache : Path, optional
            Where answers are kept, so that a run that was stopped goes on. lm-eval's key is the request alone: the path must
            tell models, scalings and dtypes apart.
        """
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            model = CachingLM(model, str(cache))
        with quiet():
            results: dict[str, Any] = evaluate(model, self._loaded, bootstrap_iters=0, log_samples=True)
        return results

    def grids(self, results: dict[str, Any], metric: str = "asked") -> dict[str, Grid]:
        """The grid of each kind, from what `run` returned."""
        return {kind: Grid.of(results["samples"][f"yarncore_{kind}"], metric) for kind in self.kinds}


def record_of(results: dict[str, Any]) -> dict[str, Any]:
    """lm-eval's own record, for JSON: without the prompts, which follow from the seed, and without the tokenizer as an object."""
    kept = ("doc_id", "doc_hash", "prompt_hash", "filtered_resps", "asked", "found")
    samples = {
        task: [
            {key: sample[key] for key in kept}
            | {key: value for key, value in sample["doc"].items() if key not in ("input", "kind", "generated")}
            for sample in each
        ]
        for task, each in results["samples"].items()
    }
    return {
        "results": results["results"],
        "versions": results["versions"],
        "n-samples": results["n-samples"],
        "samples": samples,
    }


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """lm-eval tells at length what it does: its errors alone are kept, and no bars beside our own."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "transformers", "datasets")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
