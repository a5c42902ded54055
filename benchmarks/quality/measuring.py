"""What a model predicts and retrieves under a scaling, through `yarncore.transformers.extend`, on targets that never change."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from yarncore.evaluate.scaled_model import scaled

from corpus import Corpus
from lookup import Difficulty, question

_TOKENS = 16_384  # of a forward


@dataclass(frozen=True)
class Windows:
    """Ends in held-out files; the targets are the `targets` tokens before each, at every length."""

    texts: tuple[np.ndarray, ...]
    targets: int

    def at(self, length: int) -> torch.Tensor:
        """The last `length` tokens of each, (windows, length)."""
        return torch.from_numpy(np.stack([text[-length:] for text in self.texts]).astype(np.int64))


def windows_of(corpus: Corpus, longest: int, targets: int, count: int, reported: bool) -> Windows:
    """Some windows of held-out files, each inside one file; those that are reported and those that choose share no file."""
    long_enough = [file for file in corpus.held_out if len(file) >= longest]
    files = long_enough[0::2] if reported else long_enough[1::2]
    if not files:
        raise ValueError(f"no held-out file has {longest:,} bytes")
    draw = np.random.default_rng(int(reported))
    texts = []
    for n in range(count):
        file = files[n % len(files)]
        end = int(draw.integers(longest, len(file) + 1))
        texts.append(file[end - longest : end])
    return Windows(tuple(texts), targets)


def losses(model: Any, rows: torch.Tensor, targets: int) -> np.ndarray:
    """The mean loss of each row's last tokens, in nats a byte, (rows,)."""
    found = []
    with torch.inference_mode():
        for part in rows.split(max(1, _TOKENS // rows.shape[1])):
            logits = (
                model(input_ids=part.to(model.device), use_cache=False, logits_to_keep=targets + 1).logits[:, :-1].cpu()
            )
            wanted = part[:, -targets:]
            each = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), wanted.flatten(), reduction="none")
            found.append(each.view(len(part), targets).double().mean(1))
    whole = torch.cat(found).numpy()
    if not np.isfinite(whole).all():
        raise ValueError(f"a loss at length {rows.shape[1]} is no number")
    return whole


def losses_under(model: Any, scaling: str, windows: Windows, lengths: list[int]) -> dict[int, np.ndarray]:
    """Losses of each window by length."""
    with scaled(model, scaling):
        return {length: losses(model, windows.at(length), windows.targets) for length in lengths}


def questions(windows: Windows, length: int, difficulty: Difficulty, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """A question in each window, with its depth, which goes evenly from 0 to 1."""
    depths = np.linspace(0, 1, len(windows.texts))
    draw = np.random.default_rng((seed, length))
    rows = [
        question(draw, text[-length:], depth, difficulty)[0] for text, depth in zip(windows.texts, depths, strict=True)
    ]
    return torch.from_numpy(np.stack(rows).astype(np.int64)), depths


def retrieved(model: Any, rows: torch.Tensor) -> np.ndarray:
    """Whether both symbols of the answer are the likeliest, row by row."""
    found = []
    with torch.inference_mode():
        for part in rows.split(max(1, _TOKENS // rows.shape[1])):
            likeliest = (
                model(input_ids=part.to(model.device), use_cache=False, logits_to_keep=4).logits[:, :2].argmax(-1).cpu()
            )
            found.append((likeliest == part[:, -3:-1]).all(1))
    return torch.cat(found).numpy()


def retrieved_under(
    model: Any, scaling: str, windows: Windows, lengths: list[int], difficulty: Difficulty, seed: int
) -> dict[int, np.ndarray]:
    """What is retrieved in each window by length."""
    with scaled(model, scaling):
        return {length: retrieved(model, questions(windows, length, difficulty, seed)[0]) for length in lengths}
