"""The goldens, parsed once."""

import functools
import json
from pathlib import Path


@functools.cache
def golden(name):
    return json.loads((Path(__file__).parent / "goldens" / f"{name}.json").read_text())


def records(name):
    return golden(name)["records"]
