"""How fast is it? Every table of this folder about speed, in one process, and a picture of them.

Run: python benchmarks/how_fast_is_it.py [--save run.json] [--draw speed.svg]
     python benchmarks/how_fast_is_it.py --from run.json --draw speed.svg
Five minutes on two cores; drawing needs matplotlib.
"""

import argparse
import json
from pathlib import Path

import do_shapes_matter
import how_does_time_grow
import how_much_faster_than_peers
import how_near_is_memory_bandwidth
import what_does_one_call_cost

import yarncore as yc

from shared.interleaved import machine, memory_choices, print_table


def without_avx512(tokens=8192):
    """Rows of the first table at 8192 tokens with AVX2 alone, where the machine has more."""
    best = yc._core.instruction_set()
    if best != "avx512":
        return []
    yc._core.use_instruction_set("avx2")
    try:
        rows = how_near_is_memory_bandwidth.table(
            [(name, tokens, None) for name in how_near_is_memory_bandwidth.DTYPES]
        )
    finally:
        yc._core.use_instruction_set(best)
    return [[f"AVX2: {row[0]}", *row[1:]] for row in rows]


def run():
    """Title, columns and rows of every table; each is printed as soon as it is there."""
    near, peers, call = how_near_is_memory_bandwidth, how_much_faster_than_peers, what_does_one_call_cost
    shapes, growth = do_shapes_matter, how_does_time_grow
    parts = [
        (near.TITLE, near.COLUMNS, lambda: near.table() + without_avx512()),
        (call.TITLE, call.COLUMNS, call.table),
        (peers.TITLE, peers.COLUMNS, peers.table),
        (shapes.TITLE, shapes.COLUMNS, shapes.table),
        (growth.TITLE, growth.COLUMNS, growth.table),
        (growth.OTHER_TITLE, growth.OTHER_COLUMNS, growth.other_table),
    ]
    tables = []
    for title, columns, rows in parts:
        tables.append({"title": title, "columns": columns, "rows": rows()})
        print_table(title, columns, tables[-1]["rows"])
    print(*memory_choices(), sep="\n")
    return {"machine": machine(), "memory_choices": memory_choices(), "tables": tables}


def _ratio(cell):
    return float(cell.removesuffix(" x").rpartition(" ")[2])


def draw(saved, target):
    """Two panels: the multiple of the limit by length, and the time of others by length."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.fonttype"] = "none"  # letters, not their outlines
    tables = {table["title"]: table for table in saved["tables"]}
    growth = tables[how_does_time_grow.TITLE]
    peers = tables[how_much_faster_than_peers.TITLE]
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    tokens = [int(row[0]) for row in growth["rows"]]
    for n, name in enumerate(growth["columns"][1:], 1):
        left.plot(tokens, [_ratio(row[n]) for row in growth["rows"]], marker="o", label=name)
    left.axhline(1, color="gray", linewidth=1)
    left.annotate("the same bytes, only scaled", (tokens[0], 1), (2, 3), textcoords="offset points", color="gray")
    left.set(xscale="log", ylim=(0, None), xlabel="tokens", title="in place: time / limit")
    rows = [row for row in peers["rows"] if row[0].startswith("float32")]
    lengths = [int(row[0].split()[1]) for row in rows]
    for n, name in enumerate(peers["columns"][3:], 3):
        if all(row[n] != "unmeasured" for row in rows):
            right.plot(lengths, [_ratio(row[n]) for row in rows], marker="o", label=name)
    right.axhline(1, color="gray", linewidth=1)
    right.set(xscale="log", yscale="log", xlabel="tokens", title="float32: time of others / ours in place")
    for axes in (left, right):
        axes.legend(fontsize=8, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(saved["machine"], fontsize=8, color="gray")
    figure.savefig(target)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the run as JSON")
    parser.add_argument("--from", type=Path, dest="saved", metavar="FILE", help="measure nothing: take a saved run")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw it; .svg, .png or .pdf")
    options = parser.parse_args()
    saved = json.loads(options.saved.read_text()) if options.saved else run()
    if options.save:
        options.save.write_text(json.dumps(saved, indent=1) + "\n")
    if options.draw:
        draw(saved, options.draw)


if __name__ == "__main__":
    main()
