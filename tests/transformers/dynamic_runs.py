"""The same calls on two models, and the logits of every one of them."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch

PROMPT = 10
STEPS_CROSSED = 3  # 16, 32 and 64, with 60 tokens after the prompt


@contextlib.contextmanager
def logits_of(model: Any) -> Iterator[list[torch.Tensor]]:
    """The logits of each forward, while it is open."""
    seen: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda module, args, output: seen.append(output.logits.detach().clone()))
    try:
        yield seen
    finally:
        hook.remove()


def tokens(rows: int, count: int, seed: int = 1) -> torch.Tensor:
    """Random token ids that are no special ones."""
    return torch.randint(3, 96, (rows, count), generator=torch.Generator().manual_seed(seed))


def left_padded(lengths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Prompts of different lengths, their ends aligned."""
    longest = max(lengths)
    ids, mask = (
        torch.zeros(len(lengths), longest, dtype=torch.long),
        torch.zeros(len(lengths), longest, dtype=torch.long),
    )
    for row, length in enumerate(lengths):
        ids[row, -length:] = tokens(1, length, seed=row + 5)[0]
        mask[row, -length:] = 1
    return {"input_ids": ids, "attention_mask": mask}


def prefill(model: Any, cache: Any, draft: Any) -> None:
    """A prompt that is beyond two steps at once, and a chunk that crosses the third."""
    ids = tokens(2, 40)
    model(input_ids=ids, cache=cache, use_cache=True)
    model(input_ids=tokens(2, 30, seed=2), cache=cache, use_cache=True)


def decode(model: Any, cache: Any, draft: Any) -> None:
    """Token by token across three steps."""
    _generate(model, cache, input_ids=tokens(1, PROMPT), max_new_tokens=60)


def padded(model: Any, cache: Any, draft: Any) -> None:
    """Three lengths, which take the same steps at different tokens."""
    _generate(model, cache, **left_padded((4, 11, 19)), max_new_tokens=50)


def beam(model: Any, cache: Any, draft: Any) -> None:
    """Beams that are reordered, of prompts that take steps at different tokens."""
    _generate(model, cache, **left_padded((6, 12)), max_new_tokens=30, num_beams=3)


def assisted(model: Any, cache: Any, draft: Any) -> None:
    """Drafts that cross steps and are taken back."""
    _generate(model, cache, input_ids=tokens(1, PROMPT), max_new_tokens=40, assistant_model=draft)


SCENARIOS: dict[str, Callable[[Any, Any, Any], None]] = {
    "prefill": prefill,
    "decode": decode,
    "padded": padded,
    "beam": beam,
    "assisted": assisted,
}


def drafting(model: Any) -> Any:
    """A model with nearly its weights: some of its drafts are kept and some are not."""
    made = copy.deepcopy(model)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    made.generation_config.num_assistant_tokens = 5
    made.generation_config.num_assistant_tokens_schedule = "constant"
    made.generation_config.assistant_confidence_threshold = 0.0
    return made


def _generate(model: Any, cache: Any, **given: Any) -> torch.Tensor:
    given.setdefault("attention_mask", torch.ones_like(given["input_ids"]))
    return model.generate(**given, cache=cache, do_sample=False, use_cache=True, pad_token_id=0)
