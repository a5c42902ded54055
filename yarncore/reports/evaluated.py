"""yarncore evaluate: what was found, as a table."""

from typing import Any

from rich.table import Table


def tables(report: dict[str, Any]) -> list[Table]:
    """Retrieval by length and perplexity by length, a row for each scaling."""
    runs = report["runs"]
    made = []
    for kind in dict.fromkeys(kind for run in runs for kind in run.get("needles", {})):
        made.append(_retrieval(kind, runs))
    if any("perplexity" in run for run in runs):
        made.append(_by_length("perplexity by length", runs, "perplexity", lambda point: f"{point['perplexity']:,.4g}"))
    return made


def _retrieval(kind: str, runs: list[dict[str, Any]]) -> Table:
    lengths = sorted({cell["length"] for run in runs for cell in run["needles"][kind]["asked"]})
    table = Table(title=f"{kind.replace('_', '-')}: retrieved, over all depths", title_justify="left")
    table.add_column("scaling", overflow="fold")
    for length in lengths:
        table.add_column(f"{length:,}", justify="right")
    for run in runs:
        cells = run["needles"][kind]["asked"]
        shares = []
        for length in lengths:
            here = [cell for cell in cells if cell["length"] == length]
            shares.append(f"{sum(cell['score'] for cell in here) / sum(cell['samples'] for cell in here):.0%}")
        table.add_row(run["scaling"], *shares)
    return table


def _by_length(title: str, runs: list[dict[str, Any]], key: str, told: Any) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("scaling", overflow="fold")
    for length in sorted({point["length"] for run in runs for point in run.get(key, ())}):
        table.add_column(f"{length:,}", justify="right")
    for run in runs:
        table.add_row(run["scaling"], *(told(point) for point in run.get(key, ())))
    return table
