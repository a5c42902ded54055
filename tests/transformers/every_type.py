"""Extends a small model with random weights of every type that rotates, and compares it with the untouched model.

python tests/transformers/every_type.py --write      # run every type, write tests/transformers/every_type.json and the page
python tests/transformers/every_type.py llama phi    # run some, print what they do
"""

import argparse
import copy
import inspect
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

import torch
import transformers
from every_type_page import page
from inputs import inputs_of
from rotary_classes import RotaryModel, text_models
from running import NotRun, make
from spellings import config_from
from tiny import tiny_config

import yarncore as yc
from yarncore.transformers import extend, restore

TABLE = Path(__file__).with_name("every_type.json")
PAGE = Path(__file__).parents[2] / "docs" / "extended_models.md"
ROWS = ("plain", "cache", "restored", "yarn")
TOKENS, FIRST = 40, 25
ORIGINAL, FACTOR = 16, 4.0
# float32 against float32 with angles rounded otherwise, through layers of random weights, over the largest output
NOISE = 1e-4
# Whose own float32 is farther from their float64.
NOISIER = {"diffusion_gemma_text": 5, "embedding_gemma2_text": 5}
# What a rope dict says beside its method.
KEPT = ("rope_theta", "partial_rotary_factor", "llama_4_scaling_beta")
# Where the keys that make a model small make one that is none.
KEYS: dict[str, dict[str, Any]] = {"glm4_moe": {"head_dim": 64}, "qwen4_exp_text": {"head_dim": 128}}
# What a model is given beside tokens, or in their place.
BESIDE: dict[str, Callable[[Any], dict[str, Any]]] = {
    "csm_depth_decoder_model": lambda config: {
        "input_ids": torch.arange(7)[None],
        "backbone_last_hidden_state": _random(1, config.backbone_hidden_size),
    },
    "dia_decoder": lambda config: {"encoder_hidden_states": _random(1, 7, config.cross_hidden_size)},
}


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def rows_of(model_type: str, rotary: RotaryModel) -> dict[str, str]:
    """What a type does: each row is "equal", or why not, in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            config = tiny_config(config_from(model_type, rotary), KEYS.get(model_type))
            model = weighted(make(rotary, config))
            inputs = inputs_for(model, config)
            before = outputs(model, inputs)
            if not torch.equal(before, outputs(model, inputs)):
                raise NotRun("its outputs are not finite, or others each time")
        except Exception as error:
            return {"rotation": "", **dict.fromkeys(ROWS, f"not built: {said(error)}")}
        try:
            report = extend(model)
        except Exception as error:
            return {"rotation": "", **dict.fromkeys(ROWS, f"refused: {said(error)}")}
        rows = {"rotation": report.rotation}
        for name, row in (("plain", _plain), ("cache", _cache), ("restored", _restored), ("yarn", _yarn)):
            try:
                rows[name] = row(model, inputs, before, rotary, config)
            except Exception as error:
                rows[name] = f"raises: {said(error)}"
        return rows


def said(error: Exception) -> str:
    text = " ".join(str(error).split())[:240]
    return text if isinstance(error, NotRun) else f"{type(error).__name__}: {text}"


@torch.no_grad()
def weighted(model: torch.nn.Module) -> torch.nn.Module:
    """Weights large enough that a wrong rotation shows."""
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        if parameter.ndim >= 2:
            parameter.normal_(0, parameter.shape[-1] ** -0.5, generator=generator)
    return model


def inputs_for(model: torch.nn.Module, config: Any) -> dict[str, Any]:
    """What the model is run with: as many tokens as fit more than the original length."""
    inputs = inputs_of(model, config) | BESIDE.get(config.model_type, lambda config: {})(config)
    ids = inputs.get("input_ids")
    if ids is not None and ids.ndim == 2 and set(inputs) == {"input_ids"}:
        most = min(90, getattr(config.get_text_config(), "vocab_size", 90) - 1)
        inputs["input_ids"] = torch.randint(5, most, (1, TOKENS), generator=torch.Generator().manual_seed(4))
    return inputs


@torch.no_grad()
def outputs(model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
    return model(**inputs)[0]


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    if ours.shape != theirs.shape or not bool(torch.isfinite(theirs).all()):
        raise NotRun("its outputs are not finite, or of another shape")
    return float((ours - theirs).abs().max() / theirs.abs().max())


def compared(ours: torch.Tensor, wanted: torch.Tensor, model_type: str) -> str:
    found = difference(ours, wanted)
    return "equal" if found <= NOISE * NOISIER.get(model_type, 1) else f"differs: {found:.1e}"


def _plain(model: Any, inputs: Any, before: Any, rotary: Any, config: Any) -> str:
    return compared(outputs(model, inputs), before, config.model_type)


def _cache(model: Any, inputs: Any, before: Any, rotary: Any, config: Any) -> str:
    """A cache that the extended model has filled, read by the untouched one."""
    ids = inputs.get("input_ids")
    if set(inputs) != {"input_ids"} or ids.shape[-1] != TOKENS:
        return "not tried: it takes more than tokens"
    mixed = in_three_calls(model, ids, restore)
    if isinstance(mixed, str):
        return f"not tried: {mixed}"
    wanted = in_three_calls(model, ids, lambda model: None)
    extend(model)
    found = difference(mixed, wanted)
    return "equal" if found <= 4 * NOISE else f"differs: {found:.1e}"


@torch.no_grad()
def in_three_calls(model: Any, ids: torch.Tensor, between: Any) -> torch.Tensor | str:
    """A prompt, more of it, and a token; something is done before the last."""
    key = next(
        (key for key in ("cache", "past_key_values") if key in inspect.signature(model.forward).parameters), None
    )
    if key is None:
        return "it takes no cache"
    first = model(ids[:, :FIRST], use_cache=True)
    if not isinstance(first, dict) or first.get(key) is None:
        return "it returns no cache"
    middle = model(ids[:, FIRST:-1], use_cache=True, **{key: first[key]})
    between(model)
    return model(ids[:, -1:], use_cache=True, **{key: middle[key]})[0]


def _restored(model: Any, inputs: Any, before: Any, rotary: Any, config: Any) -> str:
    restore(model)
    return "equal" if torch.equal(outputs(model, inputs), before) else "differs"


def _yarn(model: Any, inputs: Any, before: Any, rotary: Any, config: Any) -> str:
    if not getattr(config, "rope_parameters", None):
        return "no YaRN: its configuration has no rope dict"
    try:
        theirs = with_ropes(_yarn_of, int(ORIGINAL * FACTOR), model, rotary, config)
        wanted = outputs(theirs, inputs)
        read = {name: rope.scaling for name, rope in yc.ropes_from_config(theirs.config).items() if rope is not None}
    except Exception as error:
        return f"no YaRN: {said(error)}"
    try:
        ours = with_ropes(_plain_of, ORIGINAL, model, rotary, config)
        yc.ropes_from_config(ours.config)
        plain = outputs(ours, inputs)
    except Exception as error:
        return f"no plain rope beside its own, which the first row has: {said(error)}"
    if difference(plain, wanted) <= NOISE:
        return "no YaRN: it makes no difference in transformers"
    if not any(read.values()):  # read as if the class ignored it, which version 4's keys make it do
        read = dict.fromkeys(read, yc.YaRN(FACTOR, ORIGINAL))
    extend(ours, read)
    return compared(outputs(ours, inputs), wanted, config.model_type)


def with_ropes(change: Any, length: int, model: Any, rotary: Any, config: Any) -> Any:
    """A model of the same weights, each rope dict of its configuration changed."""
    made = copy.deepcopy(config)
    ropes = made.rope_parameters
    by_label = all(value is None or isinstance(value, dict) for value in ropes.values())
    made.rope_parameters = {name: change(rope) for name, rope in ropes.items()} if by_label else change(ropes)
    made.max_position_embeddings = length
    if "original_max_position_embeddings" in made.to_dict():
        made.original_max_position_embeddings = ORIGINAL
    if made.to_dict().get("head_dim", 0) is None and not hasattr(made, "qk_rope_head_dim"):
        made.head_dim = made.hidden_size // made.num_attention_heads  # transformers' YaRN reads no other rule
    built = make(rotary, made)
    built.load_state_dict(model.state_dict())
    return built


def _plain_of(rope: Any) -> Any:
    if rope is None or rope.get("rope_type") == "proportional":
        return rope
    kept = {key: value for key, value in rope.items() if key in KEPT or key.startswith("mrope")}
    if "llama_4_scaling_beta" in kept:
        kept["original_max_position_embeddings"] = ORIGINAL
    return {**kept, "rope_type": "default"}


def _yarn_of(rope: Any) -> Any:
    if rope is None or rope.get("rope_type") == "proportional":
        return rope
    yarn = {"rope_type": "yarn", "factor": FACTOR, "original_max_position_embeddings": ORIGINAL}
    return _plain_of(rope) | yarn


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("types", nargs="*")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    table: dict[str, Any] = {"transformers": transformers.__version__, "torch": torch.__version__, "types": {}}
    for model_type, rotary in text_models().items():
        if not arguments.types or model_type in arguments.types:
            table["types"][model_type] = rows = rows_of(model_type, rotary)
            print(model_type, *(f"{name}: {row}" for name, row in rows.items()), sep="; ", flush=True)
    if arguments.write and arguments.types:
        table["types"] = dict(sorted((json.loads(TABLE.read_text())["types"] | table["types"]).items()))
    if arguments.write:
        TABLE.write_text(json.dumps(table, indent=1) + "\n")
        PAGE.write_text(page(table))
    rows = [row for rows in table["types"].values() for row in rows.values()]
    return int(any(row.startswith(("differs", "raises")) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
