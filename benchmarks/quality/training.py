"""Small RoPE language models of transformers' Llama class: trained by step, the same whenever it is stopped and resumed."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from corpus import VOCABULARY, Corpus
from lookup import weave


@dataclass(frozen=True)
class Recipe:
    """All that decides a trained model, but the corpus."""

    seed: int = 0
    steps: int = 400
    batch: int = 32
    length: int = 256
    layers: int = 4
    hidden: int = 128
    heads: int = 2
    intermediate: int = 344
    initial: float = (
        0.08  # 1 / sqrt(hidden): with transformers' 0.02 attention begins so flat that lookups are learned late
    )
    base: float = 10_000.0
    learning_rate: float = 2e-3  # AdamW's, of embeddings, norms and the head
    matrix_rate: float = 0.02  # Muon's, of the layers' matrices
    with_lookups: float = 0.5
    short_share: float = 0.3  # of the steps read short rows, every one with lookups: looking up is learned there first
    short_length: int = 48
    dtype: str = "float32"

    @property
    def tokens(self) -> int:
        return self.steps * self.batch * self.length

    def at(self, step: int) -> "Recipe":
        """What the rows of a step follow: short ones in the beginning, of as many tokens together."""
        if step >= self.short_share * self.steps:
            return self
        rows = self.batch * self.length // self.short_length
        return replace(self, batch=rows, length=self.short_length, with_lookups=1.0)

    def key(self, corpus: Corpus) -> str:
        return hashlib.sha256(json.dumps([asdict(self), corpus.digest]).encode()).hexdigest()[:16]


def new_model(recipe: Recipe) -> LlamaForCausalLM:
    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=recipe.hidden, intermediate_size=recipe.intermediate,
            num_hidden_layers=recipe.layers, num_attention_heads=recipe.heads, num_key_value_heads=recipe.heads,
            max_position_embeddings=recipe.length, rope_parameters={"rope_type": "default", "rope_theta": recipe.base},
            initializer_range=recipe.initial, bos_token_id=None, eos_token_id=None,
        )
    )  # fmt: skip


def batch_of(corpus: Corpus, recipe: Recipe, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and the weights of their tokens as targets: they follow from the seed and the step alone."""
    draw = np.random.default_rng((recipe.seed, step))
    sizes = np.array([len(file) for file in corpus.train], float)
    rows = np.empty((recipe.batch, recipe.length), np.uint8)
    weights = np.ones((recipe.batch, recipe.length), np.float32)
    for n, file in enumerate(draw.choice(len(sizes), recipe.batch, p=sizes / sizes.sum())):
        content = corpus.train[file]
        start = int(draw.integers(0, max(len(content) - recipe.length, 0) + 1))
        piece = content[start : start + recipe.length]
        rows[n] = np.resize(piece, recipe.length)
        if draw.random() < recipe.with_lookups:
            weave(draw, rows[n], weights[n])
    return torch.from_numpy(rows.astype(np.int64)), torch.from_numpy(weights)


def rate(recipe: Recipe, step: int) -> float:
    """The share of the learning rates: warm-up over 50 steps (or an eighth), flat to 60 %, then linearly to 5 %."""
    warm, flat = min(50, recipe.steps // 8 + 1), 0.6 * recipe.steps
    if step < warm:
        return (step + 1) / warm
    left = max(0.0, (step - flat) / (recipe.steps - flat))
    return 1 - 0.95 * left


def optimizers_of(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for the rest. With AdamW alone, lookups were not learned within 2,000 steps."""
    matrices = [parameter for parameter in model.model.layers.parameters() if parameter.ndim == 2]
    held = {id(parameter) for parameter in matrices}
    others = [parameter for parameter in model.parameters() if id(parameter) not in held]
    return [
        torch.optim.Muon(matrices, lr=recipe.matrix_rate, weight_decay=0.1),
        torch.optim.AdamW(others, lr=recipe.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def weighted_loss(
    model: torch.nn.Module, rows: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and that of the lookups' answers alone."""
    rows, weights = rows.to(model.device), weights.to(model.device)
    logits = model(input_ids=rows, use_cache=False).logits[:, :-1]
    each = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), rows[:, 1:].flatten(), reduction="none")
    share = weights[:, 1:].flatten()
    answers = share > 1
    return (each * share).sum() / share.sum(), (each * answers).sum().detach() / answers.sum().clamp(min=1)


def train(
    corpus: Corpus,
    recipe: Recipe,
    cache: Path,
    told: Callable[[str], None],
    compiled: bool = False,
    save_every: int = 50,
    device: str = "cpu",
) -> tuple[LlamaForCausalLM, list[dict[str, float]]]:
    """Train, or go on, or read what was trained; returns the model and its curve of losses."""
    path = cache / f"{recipe.key(corpus)}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    model = new_model(recipe).to(device)
    optimizers = optimizers_of(model, recipe)
    peaks = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    step, curve = 0, []
    if path.exists():
        held = torch.load(path, map_location=device)
        model.load_state_dict(held["model"])
        for optimizer, state in zip(optimizers, held["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        step, curve = held["step"], held["curve"]
    model.train()
    run = torch.compile(model, dynamic=False) if compiled else model
    started, first = time.monotonic(), step
    while step < recipe.steps:
        rows, weights = batch_of(corpus, recipe.at(step), step)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * rate(recipe, step)
        with torch.autocast(device, torch.bfloat16, enabled=recipe.dtype == "bfloat16"):
            loss, answers = weighted_loss(run, rows, weights)
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is {loss.item()} at step {step} of seed {recipe.seed}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
        step += 1
        if step % 10 == 0 or step == recipe.steps:
            curve.append({"tokens": step * recipe.batch * recipe.length, "loss": loss.item(), "lookup": answers.item()})
            left = (time.monotonic() - started) / (step - first) * (recipe.steps - step)
            told(
                f"seed {recipe.seed} step {step}/{recipe.steps}: loss {loss.item():.3f}, lookups {answers.item():.3f}, "
                f"{left:.0f} s left"
            )
        if step % save_every == 0 or step == recipe.steps:
            states = [optimizer.state_dict() for optimizer in optimizers]
            _write({"model": model.state_dict(), "optimizers": states, "step": step, "curve": curve}, path)
    return model.eval(), curve


def fastest(corpus: Corpus, recipe: Recipe, device: str, told: Callable[[str], None]) -> tuple[str, bool, float]:
    """The dtype and whether to compile that train fastest here, and its tokens a second: a trial of a few steps each."""
    rates = {}
    for dtype, compiled in ((dtype, compiled) for dtype in ("float32", "bfloat16") for compiled in (False, True)):
        model = new_model(recipe).to(device).train()
        run = torch.compile(model) if compiled else model
        seconds = []
        for step in range(4):
            rows, weights = batch_of(corpus, recipe, step)
            started = time.monotonic()
            with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
                loss, _ = weighted_loss(run, rows, weights)
            loss.backward()
            loss.item()
            seconds.append(time.monotonic() - started)
        rates[dtype, compiled] = recipe.batch * recipe.length / min(seconds[1:])
        told(f"{dtype}{', compiled' if compiled else ''}: {rates[dtype, compiled]:,.0f} tokens a second")
    best = max(rates, key=rates.__getitem__)
    return (*best, rates[best])


def _write(held: dict[str, object], path: Path) -> None:
    beside = path.with_suffix(".part")
    torch.save(held, beside)
    beside.replace(path)
