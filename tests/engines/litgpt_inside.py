"""Runs litgpt's own table, within an environment that has it: a model of one layer is built, and its table measured.

litgpt reads no config.json: its rope_adjustments are given the numbers of one under its own names.
"""

from typing import Any

from inside import alone, answer, measured

alone("litgpt", "litgpt.scripts")  # the former loads the trainer, and with it all of lightning's

from litgpt.config import Config  # noqa: E402
from litgpt.model import GPT  # noqa: E402

_NAMES = {"original_max_position_embeddings": "original_max_seq_len"}
_METHODS = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "yarn": (
        "factor", "beta_fast", "beta_slow", "original_max_position_embeddings", "mscale", "mscale_all_dim", "truncate",
        "attention_factor",
    ),
}  # fmt: skip


def run(rope: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The table of a model whose rope_adjustments have the numbers of a rope dict."""
    kind = rope.get("rope_type", rope.get("type"))
    adjustments = {_NAMES.get(key, key): rope[key] for key in _METHODS[kind] if key in rope}
    if kind == "yarn":  # what makes it YaRN there
        adjustments = {"beta_fast": 32.0, "beta_slow": 1.0} | adjustments
    config = Config(
        n_layer=1, n_head=2, n_embd=2 * asked["dim"], block_size=asked["max_position"], padded_vocab_size=8,
        rope_base=int(asked["base"]), rotary_percentage=1.0, rope_adjustments=adjustments or None,
    )  # fmt: skip
    model = GPT(config)
    half = asked["dim"] // 2
    frequencies, length = measured(lambda at: (model.cos[at][:half].numpy(), model.sin[at][:half].numpy()), 14)
    return {"settings": adjustments, "inv_freq": frequencies, "m": length}


answer(run, "litgpt", "torch")
