"""What --json prints: one document, which names its form and the version of that form."""

import json
import math
from collections.abc import Mapping
from typing import Any

# A form keeps its version while keys are only added; one that goes, or means something else, is a new version.
_VERSIONS = {
    "compare": 1, "doctor": 1, "error": 1, "evaluate": 1, "identify": 1, "plan": 1, "plot": 1, "show": 1, "verify": 1,
}  # fmt: skip


def machine_readable(command: str, content: Mapping[str, Any]) -> str:
    """A document of a command; a number that JSON has no word for (infinity, NaN) is null."""
    document = {"schema": f"yarncore/{command}/{_VERSIONS[command]}"} | dict(content)
    return json.dumps(_finite(document), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
