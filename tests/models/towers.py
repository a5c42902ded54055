"""The rotary modules of vision towers, which turn by the row and the column of a patch: run by themselves, as classes are.

A tower's rotation needs no weights, so that no model is made: its rotary module gives cosines and sines for positions of
ours, and the function of its own file that rotates is given unit vectors.
"""

import ast
import inspect
import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from observed import ROTATES
from pairs import SeenRotation, seen_rotation
from read_in_class import HANDED
from rotary_classes import RotaryModel, rotary_models
from running import NotRun

_OTHER_BASE = 54321.0
_AGREE = {"hidden_size": ("adapter_in_dim",)}


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
    """What a tower's own module and function do to a head; sections are the positions that its model hands the module.

    Raises
    ------
    NotRun
        Where the module is not made, or what it does is no rotation.
    """
    count = len(handed(tower))
    positions = _positions(count)
    try:
        rotary = getattr(tower.modeling(), tower.rotary_class)(config)
        cos, sin = (table.reshape(len(positions), -1) for table in rotary(torch.zeros(1), _as_taken(tower, positions)))
        maps = [applied(function, cos, sin, positions) for function in _functions(tower)]
    except Exception as error:
        raise NotRun(f"its rotary module raises {type(error).__name__}: {' '.join(str(error).split())}") from error
    if any(not torch.equal(one, maps[0]) for one in maps):
        raise NotRun("its attentions rotate in two ways")
    try:
        return seen_rotation(maps[0].double().numpy(), 0, range(1, count + 1))
    except ValueError as error:
        raise NotRun(f"what it does to a head is no rotation: {error}") from None


def handed(tower: RotaryModel) -> tuple[str, ...]:
    """What the positions are that the tower's model hands its rotary module, in their order."""
    return HANDED.get(tower.config().model_type, ("row", "column"))


def _positions(count: int) -> torch.Tensor:
    """(tokens, positions): still, one step in each, and all different."""
    return torch.cat([torch.zeros(1, count), torch.eye(count), torch.tensor([[3, 5, 7][:count]])]).long()


def _as_taken(tower: RotaryModel, positions: torch.Tensor) -> torch.Tensor:
    """With an axis of pictures before them, where the module takes several at once."""
    source = inspect.getsource(getattr(tower.modeling(), tower.rotary_class).recomposition_frequencies)
    return positions[None] if "[:, :, 0]" in source else positions


def _functions(tower: RotaryModel) -> list[Any]:
    """The functions that the tower's attentions rotate with."""
    tree = ast.parse(Path(inspect.getfile(tower.model())).read_text())
    names = {
        call.func.id: None
        for node in tree.body
        if isinstance(node, ast.ClassDef) and _of_tower(node.name) and "Attention" in node.name
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and ROTATES.match(call.func.id)
    }
    if not names:
        raise NotRun("its attention calls no function that rotates")
    return [getattr(tower.modeling(), name) for name in names]


def _of_tower(name: str) -> bool:
    return any(word in name for word in ("Vision", "ViT", "Video", "MLCD", "Pixtral"))


def applied(function: Any, cos: torch.Tensor, sin: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """(tokens, outputs, inputs): unit vectors in the place of heads.

    Some functions repeat what they are given for both elements of a pair, so that a head is twice as long; and the axis of
    tokens is before that of heads, or behind it: what does not fit the function raises.
    """
    tokens = len(cos)
    given = {"cos": cos, "sin": sin, "cos_k": cos, "sin_k": sin, "position_ids": positions[None]}
    parameters = inspect.signature(function).parameters
    errors = []
    for dim, tokens_first, batched in itertools.product(
        (cos.shape[-1], 2 * cos.shape[-1]), (True, False), (False, True)
    ):
        units = torch.eye(dim)
        heads = units[None].expand(tokens, dim, dim) if tokens_first else units[:, None].expand(dim, tokens, dim)
        taken = {"q": heads, "k": heads, "x": heads, **given}
        if batched:
            taken = {name: value if name == "position_ids" else value[None] for name, value in taken.items()}
        taken["unsqueeze_dim"] = (1 if tokens_first else 0) + batched
        try:
            out = function(**{name: value for name, value in taken.items() if name in parameters})
        except (RuntimeError, ValueError) as error:
            errors.append(str(error))
            continue
        outputs = out if isinstance(out, tuple) else (out,)
        if any(not torch.equal(one, outputs[0]) for one in outputs):
            raise NotRun("its queries and its keys are turned differently")
        turned = outputs[0][0] if batched else outputs[0]
        return (turned if tokens_first else turned.transpose(0, 1)).transpose(1, 2)
    raise ValueError("; ".join(errors))


def tower_difference(ropes: Any, seen: SeenRotation, names: Sequence[str]) -> str | None:
    """The first difference between what was read and what a tower does, in words; None where there is none.

    `names`: what the sections are that were seen.
    """
    rope = ropes.one()
    half, count = rope.rotary_dim // 2, len(names)
    if (rope.rotary_dim, rope.sections) != (seen.dim, (half // count,) * count):
        return f"{rope.rotary_dim} elements in {rope.sections} are read, {seen.dim} elements are turned"
    if sorted(ropes.positions) != sorted(names):
        return f"positions are read as {ropes.positions}, and handed as {names}"
    dealt = rope.section_order == "axial_interleaved"
    for i, (pair, frequency) in enumerate(zip(seen.pairs, rope.at().inverse_frequencies, strict=True)):
        places = (2 * i, 2 * i + 1) if rope.interleaved else (i, i + half)
        name = ropes.positions[i % count if dealt else i * count // half]
        if (pair.first, pair.second) != places or names[pair.section or 0] != name:
            return f"pair {places} by {name} is read, {pair} is seen"
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
    sections = _sections(seen, handed(tower))
    if isinstance(sections, str):
        return {**row, "refuse": sections}
    row["pairs"] = seen.layout
    row["ropes"] = {"": dict(sorted(usual.rope_parameters.items()))}
    row["sections"] = sections
    if config_class.from_dict({"rope_theta": _OTHER_BASE}).rope_parameters["rope_theta"] != _OTHER_BASE:
        row["base_keys"] = {"": []}
    return {**row, **_head(tower, seen)}


def _sections(seen: SeenRotation, names: Sequence[str]) -> dict[str, Any] | str:
    """The order of the pairs and of the positions that they turn by; or what a Rope cannot say of it."""
    step = {"half": len(seen.pairs), "interleaved": 1}.get(seen.layout)
    if {pair.second - pair.first for pair in seen.pairs} != {step}:
        return "its pairs are (i, i + n) within each of the parts that turn by rows and by columns, which no Rope says"
    turned = [section or 0 for section in seen.sections]
    occurring = list(dict.fromkeys(turned))
    sections = [occurring.index(section) for section in turned]
    count, each = len(occurring), len(sections) // len(occurring)
    series = torch.tensor(
        [[f for f, of in zip(seen.frequencies, sections, strict=True) if of == n] for n in range(count)]
    )
    own = torch.allclose(series, series[:1].expand_as(series), rtol=1e-6, atol=0)
    ratios = torch.diff(series.T.flatten().log())
    shared = torch.allclose(ratios, ratios[:1].expand_as(ratios), rtol=1e-4, atol=0)
    contiguous, dealt = [i // each for i in range(len(sections))], [i % count for i in range(len(sections))]
    orders = {"axial": own and sections == contiguous, "axial_interleaved": own and sections == dealt}
    orders["grouped"] = shared and sections == contiguous
    order = next((name for name, found in orders.items() if found), None)
    if order is None or count != len(names):
        return (
            f"its pairs turn by positions in the order {''.join(map(str, turned[:4]))}..., which no section_order says"
        )
    return {"keys": [], "order": order, "positions": [names[section] for section in occurring]}


def twice(usual: Mapping[str, Any], key: str) -> dict[str, int]:
    """The double of a number, and of what its class has agree with it."""
    return {name: 2 * usual[name] for name in (key, *_AGREE.get(key, ())) if name in usual}


def _head(tower: RotaryModel, seen: SeenRotation) -> dict[str, Any]:
    """Which keys make a head's length: one that is it, or a width and what it is divided by."""
    config_class = tower.config()
    usual = config_class().to_dict()
    changed: dict[str, int] = {}
    for key in sorted(key for key, value in usual.items() if type(value) is int and value > 0):
        try:
            changed[key] = seen_tower(tower, config_class.from_dict(twice(usual, key))).dim
        except Exception:  # a value that the class has no such tower for
            continue
    longer = [key for key, dim in changed.items() if dim > seen.dim and key != "head_dim"]
    shorter = [key for key, dim in changed.items() if dim < seen.dim]
    own = ["head_dim"] if changed.get("head_dim", 0) > seen.dim else []
    if own and not longer:
        return {"head_dim": {"": {"default": usual["head_dim"], "keys": own}}}
    if len(longer) != 1 or not shorter:
        raise NotRun(f"its heads are longer by {longer} and shorter by {shorter}")
    length = usual[longer[0]] // math.prod(usual[key] for key in shorter)
    row: dict[str, Any] = {
        "defaults": {key: usual[key] for key in (*longer, *shorter)},
        "head_dim": {"": {"default": [*longer, *shorter], "keys": own}},
    }
    if length == seen.dim:
        return row
    count = len(set(seen.sections))
    if seen.dim != 2 * count * (length // (2 * count)):
        return {"refuse": f"{seen.dim} of the {length} elements of a head turn, by a rule that was not seen"}
    return {**row, "rotary_dim": {"keys": [], "default": "equal sections"}}
