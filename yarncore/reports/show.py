"""yarncore show: a description and a check, printed for people."""

import math
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from yarncore.reports.check import RotationCheck, check
from yarncore.reports.description import Description, describe
from yarncore.reports.machine_readable import machine_readable
from yarncore.reports.quoted import quoted

_COLOURS = {"kept": "green", "blended": "yellow", "interpolated": "red", "stretched": "red", "still": "dim"}


def show(
    source: Any, layer_type: str | None, length: int | None, strict: bool, as_json: bool, console: Console
) -> None:
    """Describe a configuration, rotate q and k of its model's shape, and print both."""
    description = describe(source, layer_type, length, strict)
    checked = check(description)
    if as_json:
        print(machine_readable("show", description.as_dict() | {"check": asdict(checked)}))
        return
    console.print(_summary(description))
    console.print(_pairs(description))
    console.print(_checked(description, checked))


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _summary(description: Description) -> Table:
    rope, rotation = description.rope, description.rotation
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    layout = "interleaved pairs (2i, 2i+1)" if rope.interleaved else f"pairs (i, i+{rope.rotary_dim // 2})"
    part = "" if rope.rotary_dim == rope.head_dim else f", {rope.rotary_dim} of them turn"
    part += f" from element {rope.rotary_start} on" if rope.rotary_start else ""
    part += ", backwards" if rope.reversed else ""
    part += f", split into {description.split_into} heads behind the rotation" if description.split_into > 1 else ""
    softmax, scale = rotation.softmax_scale_factor, rotation.softmax_scale(description.query_dim)
    for name, text in (
        ("model", quoted(description.model)),
        ("evidence", str(description.evidence)),
        ("method", f"{quoted(description.method)}, base {rope.base:,.0f}"),
        ("s", _number(description.factor)),
        ("L (original)", f"{_number(description.original_length)} tokens"),
        ("target", f"{_number(description.target_length)} tokens"),
        ("heads", f"{description.heads} of q, {description.key_heads} of k, {rope.head_dim} elements{part}; {layout}"),
        ("attention factor", f"{rotation.attention_factor:.10g}  (on cos and sin: applied by rotate)"),
        ("softmax factor", f"{softmax:.10g}  (on the logits: attention's scale is {scale:.10g})"),
        *([("query scale", _query_scale(description))] if rope.query_scale else []),
        *((f"query scale of {name} layers", f"{scale}  (they do not rotate: no Rope applies it)")
          for name, scale in description.still_query_scales.items()),
        ("rotation id", rotation.id),
    ):  # fmt: skip
        table.add_row(name, text)
    return table


def _query_scale(description: Description) -> str:
    scale, last = description.rope.query_scale, (description.target_length or 1) - 1
    assert scale is not None
    return f"{scale}: {scale.at(last):.10g} at position {last:,}  (on q alone: applied by rotate)"


def _pairs(description: Description) -> Table:
    table = Table(title="What happens to each pair", title_justify="left")
    for name in ("pair", "wavelength (tokens)", "turns within L", "regime", "multiplier"):
        table.add_column(name, justify="left" if name == "regime" else "right")
    for row in description.pairs:
        colour = _COLOURS[row.regime]
        table.add_row(
            str(row.pair),
            _number(row.wavelength),
            _number(row.turns),
            f"[{colour}]{row.regime}[/]",
            f"{row.multiplier:.6f}",
        )
    return table


def _checked(description: Description, checked: RotationCheck) -> str:
    first, last = checked.positions
    return (
        f"[bold]q and k rotated at positions {first:,} to {last:,}[/], float32, against 50-digit arithmetic:\n"
        f"  worst error {checked.error:.1e} of the pair's length; with float32 angles, as usual, it is {checked.usual_error:.1e}\n"
        f"  {checked.tokens:,} tokens in place take {checked.seconds * 1e3:.2f} ms "
        f"({checked.seconds / checked.tokens * 1e9:.0f} ns a token, up to {checked.threads} threads)"
    )
