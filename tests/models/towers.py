"""The rotary modules of vision towers, which turn by the row and the column of a patch: run by themselves, as classes are.

A tower's rotation needs no weights, so that no model is made: its rotary module gives cosines and sines for positions of
ours, and the function of its own file that rotates is given unit vectors.
"""

import ast
import inspect
from functools import cache
from pathlib import Path
from typing import Any

import torch
from observed import ROTATES
from pairs import SeenRotation, seen_rotation
from rotary_classes import RotaryModel, rotary_models
from running import NotRun

# (row, column) of each token: still, one down, one to the right, and both.
POSITIONS = torch.tensor([[0, 0], [1, 0], [0, 1], [3, 5]])
_OTHER_BASE = 54321.0


@cache
def towers() -> dict[str, RotaryModel]:
    """Type of the configuration -> the tower whose rotary module is axial by its class."""
    found: dict[str, RotaryModel] = {}
    for rotary in rotary_models():
        config_class = rotary.config()
        if getattr(config_class, "default_rope_type", None) == "axial" and "RotaryEmbedding" in rotary.rotary_class:
            found.setdefault(config_class.model_type, rotary)
    return dict(sorted(found.items()))


def seen_tower(tower: RotaryModel, config: Any) -> SeenRotation:
    """What a tower's own module and function do to a head.

    Raises
    ------
    NotRun
        Where the module is not made, or what it does is no rotation.
    """
    try:
        rotary = getattr(tower.modeling(), tower.rotary_class)(config)
        cos, sin = (table.reshape(len(POSITIONS), -1) for table in rotary(torch.zeros(1), POSITIONS))
        maps = _applied(_function(tower), cos, sin)
    except Exception as error:
        raise NotRun(f"its rotary module raises {type(error).__name__}: {' '.join(str(error).split())}") from error
    try:
        return seen_rotation(maps.double().numpy(), 0, [1, 2])
    except ValueError as error:
        raise NotRun(f"what it does to a head is no rotation: {error}") from None


def _function(tower: RotaryModel) -> Any:
    """The function that the tower's attention rotates with."""
    tree = ast.parse(Path(inspect.getfile(tower.model())).read_text())
    names = {
        call.func.id: None
        for node in tree.body
        if isinstance(node, ast.ClassDef) and _of_tower(node.name) and "Attention" in node.name
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and ROTATES.match(call.func.id)
    }
    if len(names) != 1:
        raise NotRun(f"its attention calls {', '.join(names) or 'no function that rotates'}")
    return getattr(tower.modeling(), next(iter(names)))


def _of_tower(name: str) -> bool:
    return any(word in name for word in ("Vision", "ViT", "Video", "MLCD", "Pixtral"))


def _applied(function: Any, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """(tokens, outputs, inputs): unit vectors in the place of heads."""
    dim = cos.shape[-1] if "repeat" not in inspect.getsource(function) else 2 * cos.shape[-1]
    units = torch.eye(dim)
    if "unsqueeze_dim" in inspect.signature(function).parameters:  # (batch, heads, tokens, dim)
        heads = units[None, :, None].expand(1, dim, len(cos), dim)
        out = function(heads, heads, cos[None], sin[None])[0][0].transpose(0, 1)
    else:  # (tokens, heads, dim)
        heads = units[None].expand(len(cos), dim, dim)
        out = function(heads, heads, cos, sin)[0]
    return out.transpose(1, 2)


def tower_difference(rope: Any, seen: SeenRotation) -> str | None:
    """The first difference between a Rope that was read and what a tower does, in words; None where there is none."""
    half = rope.rotary_dim // 2
    shape = (rope.head_dim, rope.section_order, rope.sections)
    if shape != (seen.dim, "axial", (half // 2, half // 2)):
        return f"{shape} is read, {seen.dim} elements are turned"
    for i, (pair, frequency) in enumerate(zip(seen.pairs, rope.at().inverse_frequencies, strict=True)):
        places = (2 * i, 2 * i + 1) if rope.interleaved else (i, i + half)
        if (pair.first, pair.second, pair.section) != (*places, int(i >= half // 2)):
            return f"pair {places} is read, {pair} is seen"
        if abs(pair.radians - frequency) > 3e-6 * frequency:
            return f"pair {places} turns by {frequency} as read, by {pair.radians} as seen"
    return None


def row_of_tower(tower: RotaryModel) -> dict[str, Any]:
    """All that the reader is told of a tower.

    Raises
    ------
    NotRun
    """
    config_class = tower.config()
    usual = config_class()
    seen = seen_tower(tower, usual)
    row: dict[str, Any] = {"source": tower.source}
    order = _order(seen)
    if order is not None:
        return {**row, "refuse": order}
    head = _head(tower, seen.dim)
    if "refuse" in head:
        return {**row, **head}
    row["pairs"] = seen.layout
    row["ropes"] = {"": dict(sorted(usual.rope_parameters.items()))}
    row["sections"] = {"keys": [], "order": "axial"}
    if config_class.from_dict({"rope_theta": _OTHER_BASE}).rope_parameters["rope_theta"] != _OTHER_BASE:
        row["base_keys"] = {"": []}
    return {**row, **head}


def _order(seen: SeenRotation) -> str | None:
    """What a Rope cannot say of the order of pairs; None where it can."""
    sections, half = list(seen.sections), len(seen.pairs) // 2
    if seen.layout not in ("half", "interleaved"):
        return f"its pairs are {seen.layout}, which no Rope has for sections"
    if sections == [0] * half + [1] * half:
        rows, columns = seen.frequencies[:half], seen.frequencies[half:]
        if torch.allclose(torch.tensor(rows), torch.tensor(columns), rtol=1e-6, atol=0):
            return None
        return "rows and columns share one series of frequencies, every other one each, in an order that no section_order says"
    named = "".join(map(str, sections[:4]))
    return f"its pairs turn by rows (0) and columns (1) in the order {named}..., which no section_order says"


def _head(tower: RotaryModel, dim: int) -> dict[str, Any]:
    """Which keys make a head's length: one that is it, or a width and a number of heads."""
    config_class = tower.config()
    usual = config_class().to_dict()
    longer, shorter = [], []
    for key in sorted(key for key, value in usual.items() if type(value) is int and value > 1):
        try:
            other = seen_tower(tower, config_class.from_dict({key: 2 * usual[key]})).dim
        except Exception:  # a value that the class has no such tower for
            continue
        if other != dim:
            (longer if other == 2 * dim else shorter).append(key)
    if longer == ["head_dim"]:
        return {"head_dim": {"": {"default": dim, "keys": ["head_dim"]}}}
    if len(longer) != 1 or len(shorter) != 1:
        raise NotRun(f"its heads are longer by {longer} and shorter by {shorter}")
    width, heads = longer[0], shorter[0]
    length = usual[width] // usual[heads]
    if length != dim:
        return {
            "refuse": f"rows and columns turn {dim} of the {length} elements of a head; what turns the others was not seen"
        }
    return {
        "defaults": {width: usual[width], heads: usual[heads]},
        "head_dim": {"": {"default": [width, heads], "keys": []}},
    }
