"""Model types whose code is not in transformers 5.24, or serves other files: what their own code does, by hand.

Each row holds the fields of facts.Facts, and the repository, file and commit of the code that was read. `when`: only for
files in which each key has one of these values; the first row that fits is taken, before what was run.
"""

from typing import Any

CITED: dict[str, tuple[dict[str, Any], ...]] = {}

# The type of the language model within a larger one, where transformers does not know the larger one.
CITED_COMPOSITES: dict[str, str] = {}
