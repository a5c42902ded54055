"""yarncore doctor: a diagnosis, printed for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from yarncore.reports.diagnosis import Diagnosis, Row, diagnose
from yarncore.reports.machine_readable import machine_readable
from yarncore.reports.quoted import quoted


def doctor(
    source: Any,
    engines: list[str],
    config: Any,
    format: str | None,
    length: int | None,
    as_json: bool,
    console: Console,
) -> int:
    """Print what engines make of a configuration; returns how many findings there are that decide."""
    diagnosis = diagnose(source, engines, config, format, length)
    if as_json:
        print(machine_readable("doctor", diagnosis.as_dict()))
        return diagnosis.findings
    console.print(f"[bold]{quoted(diagnosis.where)}[/], format {diagnosis.format}")
    for row in diagnosis.rows:
        if row.decides:
            _told(row, console)
    others = [row for row in diagnosis.rows if not row.decides]
    if others:
        console.print(_table(others))
    console.print(_verdict(diagnosis))
    return diagnosis.findings


def _told(row: Row, console: Console) -> None:
    console.print(
        f"\n[bold]{row.engine} {row.version}[/]{'' if row.verified else ' (unverified: another version was run)'}"
    )
    for name, method in row.method.items():
        factor, softmax = row.attention_factor[name], row.softmax_factor[name]
        console.print(f"  {quoted(name)}: {quoted(method)}")
        console.print(f"    factor of cos and sin {factor:.6g}, of the logits {softmax:.6g}")
    if row.served is not None:
        console.print(f"  serves {row.served:,} tokens when nothing is asked for")
    for key, fate in row.keys.items():
        colour = "dim" if fate == "used" else "yellow"
        console.print(f"  [{colour}]{quoted(key)}: {quoted(fate)}[/]")
    for words in row.findings:
        console.print(f"  [red]finding:[/] {quoted(words)}")
    if row.remedy:
        console.print(f"  [green]to write:[/] {quoted(row.remedy)}")
    for words in row.notes:
        console.print(f"  note: {quoted(words)}")


def _table(rows: list[Row]) -> Table:
    table = Table(title="\nOther engines, as they were run", title_justify="left")
    for name in ("engine", "serves", "what it makes of the file"):
        table.add_column(name, justify="right" if name == "serves" else "left", overflow="fold")
    for row in rows:
        words = "; ".join(row.findings or row.notes) or "the same"
        served = "-" if row.served is None else f"{row.served:,}"
        table.add_row(f"{row.engine} {row.version}", served, quoted(words))
    return table


def _verdict(diagnosis: Diagnosis) -> str:
    if not diagnosis.findings:
        return "\n[green]no findings[/]"
    return f"\n[red]{diagnosis.findings} finding{'s' if diagnosis.findings > 1 else ''}[/]"
