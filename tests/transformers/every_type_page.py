"""docs/extended_models.md, from the table."""

from typing import Any

_HEAD = """# Models that were extended

Written by `python tests/transformers/every_type.py --write`; do not edit. A small model with random weights of each type that
rotates in transformers {version} (torch {torch}) is given to `yarncore.transformers.extend` and compared with the untouched
model, output by output, to 1e-4 of the largest (float32; another rotation differs by 0.1 and more).

- *plain*: with its own scaling; *cache*: a cache that the extended model filled is read on by the restored one; *restored*: the
  bits of before; *YaRN*: s = 4 at 40 tokens over an original length of 16, against a model that transformers made with YaRN.
- **equal**: nothing differs. **refused**: `extend` raises, and says why. **no YaRN**: transformers makes none of this type, or it
  makes no difference there. **not tried**: no cache, or more than tokens is needed. **not built**: there is no model to compare.

"""


def page(table: dict[str, Any]) -> str:
    types = table["types"]
    names = list(next(iter(types.values())))
    lines = ["| " + " | ".join(["type", *names, "why"]) + " |", "|" + " --- |" * (len(names) + 2)]
    for model_type, rows in types.items():
        why = {reason: None for row in rows.values() if (reason := row.partition(": ")[2])}
        cells = [f"`{model_type}`", *(row.partition(":")[0] for row in rows.values()), "; ".join(map(_cell, why))]
        lines.append("| " + " | ".join(cells) + " |")
    fused = sum(rows["rotation"] == "fused" for rows in types.values())
    extended = sum(bool(rows["rotation"]) for rows in types.values())
    refused = sum(rows["plain"].startswith("refused") for rows in types.values())
    yarn = sum(rows["yarn"] == "equal" for rows in types.values())
    count = (
        f"{len(types)} types: {extended} extended, {fused} of them by the fused rotation; {yarn} have YaRN in transformers and "
        f"equal it; {refused} refused; {len(types) - extended - refused} not built.\n\n"
    )
    return _HEAD.format(version=table["transformers"], torch=table["torch"]) + count + "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    short = text if len(text) <= 160 else text[:157] + "..."
    return short.replace("|", "\\|").replace("<", "&lt;")
