"""Types whose running model does something else than the reader says; their files are refused until it says the same.

What differs was seen by sweep.py; facts.py puts these reasons into the table that the reader has.
"""

from typing import Any

REFUSED = {
    "hunyuan_vl_text": "what its model does to a head is no rotation pair by pair where a token's positions differ",
    "moonshine": "its encoder and its decoder have heads and layers of their own, under keys that are not read yet",
}


def with_refusals(types: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
    """The rows of the types that have a source, with the reasons put in; a type without facts has a row of its reason alone."""
    refused = {
        name: {**types.get(name, {"source": source}), "refuse": REFUSED[name]}
        for name, source in sources.items()
        if name in REFUSED
    }
    return {**types, **refused}
