"""docs/models.md, from the table of the sweep."""

from typing import Any

_HEAD = """# Models of transformers

Written by `python tests/models/sweep.py --pages`; do not edit. Each type of model whose class in transformers {version}
rotates, read by `yarncore.ropes_from_config` in several spellings, and compared, layer by layer, with a small model of that
class with random weights that ran (torch {torch}): frequencies within 3e-6, factor within 1e-6, pairs, sections, and the
softmax factor of a scaled model relative to the model without scaling.

Spellings: `object`, the configuration object; `to_dict`, its dict; `file`, what `save_pretrained` writes; `4`, version 4's
keys (`rope_theta`, `rope_scaling`); `4 yarn` and so on, version 4's keys with that scaling put in.

- **equal**: nothing differs.
- **refused**: the reader raises, and says why.
- **differs**: the reader says something else than the model does.
- **no module**: the model of the type's own configuration is made without a rotary module, so that nothing turns.
- **not built**: there is no model to compare with, because transformers makes none of such a file, because what it does is
  no rotation that the sweep can see, or because the run did not reach it.

Evidence, as the reader gives it: *run*, the facts of the type were found by running its class; *cited*, read in code that is
named; *none*, the file's keys stand alone. Empty: the file is refused, or no model was built.

```
python tests/models/sweep.py          # run what tests/models/sweep.json lacks
python tests/models/sweep.py --anew   # run everything
python tests/models/facts.py --check  # run every model and compare the reader's table of facts with what it does
python tests/models/random_dicts.py   # rope dicts drawn at random in the files of all types, read and run
```

"""


def page(table: dict[str, Any]) -> str:
    types = table["types"]
    names = list(next(iter(types.values()))["rows"])
    counts: dict[str, int] = {}
    lines = [
        "| " + " | ".join(["type", "evidence", *names, "why"]) + " |",
        "|" + " --- |" * (len(names) + 3),
    ]
    for model_type, entry in types.items():
        words = [entry["rows"][name].split(":")[0] for name in names]
        for word in words:
            counts[word] = counts.get(word, 0) + 1
        why = {reason: None for row in entry["rows"].values() if (reason := row.partition(": ")[2])}
        cells = [f"`{model_type}`", entry["evidence"], *words, "; ".join(map(_cell, why))]
        lines.append("| " + " | ".join(cells) + " |")
    total = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    head = _HEAD.format(version=table["transformers"], torch=table["torch"])
    head += f"{len(types)} types, {sum(counts.values())} rows: {total}.\n\n{_by_type(types)}"
    return head + "\n".join(lines) + "\n" + _towers(table["towers"])


def _by_type(types: dict[str, Any]) -> str:
    """The groups of types, by their own file: equal, and with names and reasons the others."""
    groups: dict[str, dict[str, str]] = {"equal": {}, "refused": {}, "no module": {}, "not built": {}}
    for name, entry in types.items():
        rows = [entry["rows"][spelling] for spelling in ("object", "to_dict", "file")]
        word, _, why = next((row for row in rows if row != "equal"), "equal").partition(": ")
        groups[word][name] = why.removeprefix("config: ").removeprefix(f"model_type '{name}': ")
    with_module = len(types) - len(groups["no module"])
    equal = len(groups["equal"])
    lines = [
        f"By type, each by the spellings of its own file: of {len(types)} types {with_module} have a rotary module, and {equal} of",
        f"these, {100 * equal / with_module:.1f} %, are equal.\n",
        *_group("refused by name", groups["refused"]),
        *_group("without a rotary module", groups["no module"]),
        *_group("not built: neither equal nor refused", groups["not built"]),
    ]
    return "\n".join(lines) + "\n"


def _group(title: str, reasons: dict[str, str]) -> list[str]:
    if not reasons:
        return [f"Types {title}: none.\n"]
    rows = [f"| `{name}` | {_cell(why)} |" for name, why in reasons.items()]
    return [f"| {len(reasons)} {title} | why |", "| --- | --- |", *rows, ""]


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _towers(towers: dict[str, str]) -> str:
    """Vision towers: what their own rotary modules do, which need no model to be run."""
    equal = [name for name, outcome in towers.items() if outcome == "equal"]
    lines = [
        "\n## Vision towers\n",
        "Tokens of a picture turn by their row and their column. transformers names this the type `axial`, which is the default of",
        "the classes below. Each tower's own rotary module and functions were run; a tower that is read is a `Rope` with a",
        "section for each of a token's positions, and `ropes_from_config(...).positions` says what they are: row and column for",
        "most, in this order or the other, or numbers in a unit of the model's own.\n",
        f"{len(equal)} of {len(towers)} are equal: {_names(equal)}.\n",
        "| refused | why |",
        "| --- | --- |",
        *(f"| `{name}` | {_cell(why.partition(': ')[2])} |" for name, why in towers.items() if name not in equal),
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    short = text if len(text) <= 240 else text[:237] + "..."
    return short.replace("|", "\\|").replace("<", "&lt;")
