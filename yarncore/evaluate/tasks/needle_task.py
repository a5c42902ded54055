"""What lm-eval asks of the tasks in this folder: their documents, and a document's score."""

from functools import cache
from typing import Any

import datasets
import transformers

from yarncore.evaluate.prompts import REPEATED, haystack_of, rows
from yarncore.evaluate.request import checked_depths, checked_lengths
from yarncore.evaluate.texts import read_texts

# Where backends put the model's name: vLLM and HF `pretrained`, servers `model`. A tokenizer of its own comes first.
_TOKENIZER_KEYS = ("tokenizer", "pretrained", "model")


@cache
def _loaded(name: str) -> Any:
    return transformers.AutoTokenizer.from_pretrained(name)


def _tokenizer(metadata: dict[str, Any]) -> Any:
    given = next((metadata[key] for key in _TOKENIZER_KEYS if metadata.get(key) is not None), None)
    if given is None:
        raise ValueError(
            'the tasks of needles make prompts of exact lengths and need a tokenizer: --metadata \'{"tokenizer": "FOLDER"}\''
        )
    return _loaded(given) if isinstance(given, str) else given


def documents(
    *,
    kind: str,
    generated: int,
    lengths: Any = (4096,),
    depths: Any = (0.0, 0.25, 0.5, 0.75, 1.0),
    samples: int = 1,
    seed: int = 0,
    haystack: str | None = None,
    **metadata: Any,
) -> dict[str, datasets.Dataset]:
    """The documents of a task: one for each length, depth and sample, made from the seed."""
    tokenizer = _tokenizer(metadata)
    filler = REPEATED if haystack is None else haystack_of(read_texts(haystack))
    made = rows(
        kind, checked_lengths(lengths), checked_depths(depths), samples, seed, generated, filler,
        lambda text: len(tokenizer(text, verbose=False).input_ids),
    )  # fmt: skip
    return {"test": datasets.Dataset.from_list(list(made))}


def score(document: dict[str, Any], responses: list[str]) -> dict[str, float]:
    """`asked`: 1 where the response names what is asked at this depth; `found`: which share of all answers it names (RULER)."""
    (response,) = responses
    said = response.lower()
    named = [answer.lower() in said for answer in document["answers"]]
    return {"asked": float(document["asked"].lower() in said), "found": sum(named) / len(named)}
