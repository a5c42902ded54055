"""The goals, what became of them, and all of a run for a reader."""

# Name, what is judged (a column of the rows that fit), how it must compare, and where.
GOALS = [
    ("in place, S >= 4096: share of a scale pass", "share_of_scale", ">=", 0.92, lambda r: r["tokens"] >= 4096),
    ("out of place, S >= 4096: share of a copy", "share_of_copy", ">=", 0.92, lambda r: r["tokens"] >= 4096),
    ("interleaved / half-split, S >= 4096", "interleaved", "<=", 1.03, lambda r: r["tokens"] >= 4096 and r["type"] != "float32"),
    ("64 sequences of one token: / gather-copy, captured", "over_gather", "<=", 1.15, lambda r: r["shape"] == [64, 1]),
    ("times of transformers, eager", "eager", ">=", 5.0, lambda r: True),
    ("times of transformers, compiled", "compiled", ">=", 1.5, lambda r: True),
    ("times of a fused Triton kernel with a table", "triton", ">=", 1.0, lambda r: True),
]  # fmt: skip


def judge(rows):
    """One verdict a goal: its worst row. A goal without a row is unmeasured, never reached."""
    verdicts = []
    for name, column, sense, bound, fits in GOALS:
        values = [(row[column], row) for row in rows if column in row and fits(row)]
        if not values:
            verdicts.append({"goal": name, "bound": f"{sense} {bound}", "verdict": "unmeasured"})
            continue
        worst, row = (min if sense == ">=" else max)(values, key=lambda pair: pair[0])
        reached = worst >= bound if sense == ">=" else worst <= bound
        where = f"{row['backend']} {row['type']} {row['shape']}"
        verdicts.append(
            {"goal": name, "bound": f"{sense} {bound}", "worst": round(worst, 3), "where": where,
             "verdict": "reached" if reached else "MISSED"}
        )  # fmt: skip
    return verdicts


def text_of(report):
    """All of it for a reader."""
    lines = [f"{key}: {value}" for key, value in report["machine"].items()]
    lines += [
        "",
        *(f"{name}: {result.get('summary', result['status'])}" for name, result in report["tests"].items()),
        "",
    ]
    columns = [
        "share_of_scale",
        "share_of_copy",
        "interleaved",
        "over_gather",
        "triton",
        "eager",
        "compiled",
        "compiled_captured",
    ]
    lines.append(f"{'backend, type, (batch, seq)':<34}{'time':>12}{'TB/s':>8}" + "".join(f"{c:>18}" for c in columns))
    for row in report["rows"]:
        name = f"{row['backend']} {row['type']} {tuple(row['shape'])}"
        cells = (f"{row[c]:.3f}" if c in row else "-" for c in columns)
        lines.append(
            f"{name:<34}{row['seconds'] * 1e6:>9,.1f} us{row['bandwidth'] / 1e12:>8.2f}"
            + "".join(f"{c:>18}" for c in cells)
        )
    lines += ["", "left out: " + (", ".join(map(str, report["missing"])) or "nothing"), ""]
    for verdict in report["verdicts"]:
        found = f"{verdict['worst']} ({verdict['where']})" if "worst" in verdict else ""
        lines.append(f"{verdict['verdict']:<11} {verdict['goal']} {verdict['bound']}  {found}")
    return "\n".join(lines) + "\n"
