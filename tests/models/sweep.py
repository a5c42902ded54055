"""Reads every rotary model type of transformers in several spellings and compares with its running model.

python tests/models/sweep.py                 what sweep.json lacks
python tests/models/sweep.py --anew          everything
python tests/models/sweep.py llama glm       only these rows anew, and what sweep.json lacks
python tests/models/sweep.py --minutes 5     no longer than that; what was not reached is said
python tests/models/sweep.py --pages         only docs/models.md, from sweep.json
"""

import argparse
import json
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from compared import difference
from refused import REFUSED
from rotary_classes import RotaryModel, text_models
from running import NotRun, run
from spellings import OLD, SAME_MODEL, SPELLINGS, config_from, spelled
from sweep_page import page
from tiny import tiny_config
from towers import handed, seen_tower, tower_difference, towers

import yarncore as yc

TABLE = Path(__file__).with_name("sweep.json")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
LENGTH = 64
NOT_REACHED = "not built: this run did not reach it"
_SECONDS = 25


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """NotRun for what takes longer."""

    def stop(*_: Any) -> None:
        raise NotRun(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)  # of this process's own time: others may use the machine
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def rows_of(model_type: str, rotary: RotaryModel) -> dict[str, str]:
    """The outcome of each spelling: equal, refused: why, differs: where, no module: why, or not built: why."""
    rows: dict[str, str] = {}
    try:
        with at_most(_SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for spelling, found in _outcomes(model_type, rotary):
                rows[spelling] = found
    except Exception as error:
        for spelling in SPELLINGS:
            rows.setdefault(spelling, _without_model(model_type, rotary, spelling) or f"not built: {_said(error)}")
    return rows


def _without_model(model_type: str, rotary: RotaryModel, spelling: str) -> str | None:
    """Where no model ran: that its own makes nothing that rotates, or that the reader refuses its type by name."""
    config = config_from(model_type, rotary)()
    if not _has_module(rotary, config):
        return f"no module: of its own configuration {rotary.model_class} makes no {rotary.rotary_class}"
    if model_type not in REFUSED:
        return None
    try:
        yc.ropes_from_config(spelled(spelling, config))
    except ValueError as error:
        return f"refused: {' '.join(str(error).split())}"
    return None


def _has_module(rotary: RotaryModel, config: Any) -> bool:
    """Whether the model of a configuration is made with its rotary class; one that is not made is taken to be."""
    try:
        with torch.device("meta"):
            model = rotary.model()(config)
    except Exception:
        return True
    return any(type(module).__name__ == rotary.rotary_class for module in model.modules())


def _outcomes(model_type: str, rotary: RotaryModel) -> Iterator[tuple[str, str]]:
    config = tiny_config(config_from(model_type, rotary))
    layers = run(rotary, config, LENGTH)
    for spelling in SAME_MODEL:
        yield spelling, outcome(spelled(spelling, config), layers, None, None)
    usual: Any = None
    usual_ropes: Any = None
    for spelling in OLD:
        try:
            source = spelled(spelling, config)
            layers = run(rotary, type(config).from_dict(json.loads(json.dumps(source))), LENGTH)
        except NotRun as error:
            if "more than" in str(error):
                raise
            yield spelling, f"not built: {_said(error)}"
            continue
        except Exception as error:
            yield spelling, f"not built: its configuration raises {_said(error)}"
            continue
        yield spelling, outcome(source, layers, usual, usual_ropes)
        if usual is None:
            usual, usual_ropes = layers, _read(source)


def _read(source: Any) -> Any:
    try:
        return yc.ropes_from_config(source)
    except ValueError:
        return None


def outcome(source: Any, layers: Any, usual: Any, usual_ropes: Any) -> str:
    """What is read of a configuration beside the layers of its model that ran: equal, refused: why, or differs: where."""
    try:
        ropes = yc.ropes_from_config(source)
    except ValueError as error:
        return f"refused: {' '.join(str(error).split())}"
    found = difference(ropes, layers, usual, usual_ropes, LENGTH)
    return f"differs: {found}" if found else "equal"


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    return text if isinstance(error, NotRun) else f"{type(error).__name__}: {text}"


def evidence_of(model_type: str, rotary: RotaryModel) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return yc.ropes_from_config(tiny_config(config_from(model_type, rotary)).to_dict()).evidence.kind
        except Exception:
            return ""


def tower_outcome(tower: RotaryModel) -> str:
    """Of a vision tower's own configuration: equal, refused: why, or differs: where."""
    config = tower.config()()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ropes = yc.ropes_from_config(config.to_dict())
        except ValueError as error:
            return f"refused: {' '.join(str(error).split())}"
    found = tower_difference(ropes, seen_tower(tower, config), handed(tower))
    return f"differs: {found}" if found else "equal"


def sweep(table: dict[str, Any], minutes: float) -> None:
    """Fills a table, in place, as far as the time goes."""
    start = time.monotonic()
    for model_type, rotary in text_models().items():
        old = table["types"].get(model_type)
        if old and NOT_REACHED not in old["rows"].values():
            continue
        if time.monotonic() - start > 60 * minutes:
            rows, evidence = dict.fromkeys(SPELLINGS, NOT_REACHED), ""
        else:
            rows, evidence = rows_of(model_type, rotary), evidence_of(model_type, rotary)
        table["types"][model_type] = {"source": rotary.source, "evidence": evidence, "rows": rows}
        print(model_type, sorted({found.split(":")[0] for found in rows.values()}), file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--pages", action="store_true")
    parser.add_argument("types", nargs="*")
    arguments = parser.parse_args()
    unknown = set(arguments.types) - {*text_models(), *towers()}
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no model of transformers {transformers.__version__} that rotates")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    table: dict[str, Any] = {**versions, "types": {}}
    if TABLE.exists() and not arguments.anew:
        table = json.loads(TABLE.read_text())
        if {key: table[key] for key in versions} != versions:
            parser.error("sweep.json was made with other versions: --anew")
    if not arguments.pages:
        table["types"] = {name: entry for name, entry in table["types"].items() if name not in arguments.types}
        sweep(table, arguments.minutes)
        table["types"] = dict(sorted(table["types"].items()))
        table["towers"] = {name: tower_outcome(tower) for name, tower in towers().items()}
        TABLE.write_text(json.dumps(table, indent=1) + "\n")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(table))
    every = [row for entry in table["types"].values() for row in entry["rows"].values()]
    return int(any(found.startswith("differs") for found in [*every, *table["towers"].values()]))


if __name__ == "__main__":
    sys.exit(main())
