"""yarncore compare: a comparison, printed for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from yarncore.reports.comparison import Comparison, LayerComparison, Row
from yarncore.reports.quoted import quoted

_MOST_KEYS = 40


def print_comparison(found: Comparison, console: Console) -> None:
    """Print both sides, what differs, and the verdict."""
    console.print(f"[bold]A[/] {quoted(found.a)}, format {found.formats[0]}")
    console.print(f"[bold]B[/] {quoted(found.b)}, format {found.formats[1]}")
    if found.keys:
        console.print(_keys(found))
    for name, layer in found.layers.items():
        console.print(_rows(name, layer, found.length))
        if layer.difference:
            console.print(f"B instead of A: {quoted(layer.difference)}")
        for position, pair, radians in layer.worst() if layer.difference else ():
            console.print(f"  at position {position:,} pair {pair} is {radians:+.6g} radians away, the farthest")
    for name in found.missing:
        console.print(f"only one of them rotates: {quoted(name)}")
    console.print(_verdict(found))


def _keys(found: Comparison) -> Table:
    table = Table(title="\nKeys that differ", title_justify="left")
    for name in ("key", "A", "B"):
        table.add_column(name, overflow="fold")
    for key, a, b in found.keys[:_MOST_KEYS]:
        table.add_row(quoted(key), quoted(_short(a)), quoted(_short(b)))
    if len(found.keys) > _MOST_KEYS:
        table.add_row(f"and {len(found.keys) - _MOST_KEYS} more", "", "")
    return table


def _short(value: Any) -> str:
    text = "" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _rows(name: str, layer: LayerComparison, length: Row) -> Table:
    at = "" if layer.length is None else f", at {layer.length:,} tokens"
    table = Table(title=f"\n{name}{at}", title_justify="left")
    for column in ("", "A", "", "B"):
        table.add_column(column, overflow="fold")
    for row in (*layer.rows, length):
        sign, style = ("!=", "yellow") if row.differs else ("=", "")
        table.add_row(row.name, quoted(row.a), sign, quoted(row.b), style=style)
    return table


def _verdict(found: Comparison) -> str:
    if found.same:
        return "\n[green]the same numbers, and the same length[/]"
    if any(layer.difference for layer in found.layers.values()) or found.missing:
        return "\n[red]different numbers[/]"
    return "\n[red]the same numbers, and another length[/]"
