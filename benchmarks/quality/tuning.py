"""A short fine-tune of a trained model under a scaling, at a longer length."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from yarncore.evaluate.scaled_model import scaled

from corpus import Corpus
from training import Recipe, batch_of, weighted_loss

TUNED_ROWS = 8  # of a step


def fine_tune(
    model: LlamaForCausalLM,
    corpus: Corpus,
    recipe: Recipe,
    scaling: str,
    length: int,
    steps: int,
    path: Path,
    told: Callable[[str], None],
    batch: int = TUNED_ROWS,
    learning_rate: float = 5e-4,
) -> LlamaForCausalLM:
    """A copy of the model, trained for some steps under the scaling; read again where it was tuned before."""
    tuned = copy.deepcopy(model)
    if path.exists():
        tuned.load_state_dict(torch.load(path))
        return tuned.eval()
    rows_of = replace(recipe, length=length, batch=batch, seed=recipe.seed + 1_000_000)
    optimizer = torch.optim.AdamW(tuned.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    with scaled(tuned.train(), scaling):
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * min(1.0, (step + 1) / 5) * (1 - step / steps)
            loss, _ = weighted_loss(tuned, *batch_of(corpus, rows_of, step))
            if not torch.isfinite(loss):
                raise ValueError(f"the loss is {loss.item()} at step {step} of the fine-tune under {scaling}")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(tuned.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            told(f"fine-tune {scaling} at {length}: step {step + 1}/{steps}, loss {loss.item():.3f}")
    beside = path.with_suffix(".part")
    torch.save(tuned.state_dict(), beside)
    beside.replace(path)
    return tuned.eval()
