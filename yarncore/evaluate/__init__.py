"""How far a model really reads: needles by depth and length, perplexity by length and by position.

Needles run in lm-evaluation-harness, on every model that it drives: `TASKS` is the folder for its `--include_path`. Its
records become a `Grid`. Perplexities are forwards of transformers models. `yarncore evaluate` does all of it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from yarncore.evaluate.grid import Cell, Grid

if TYPE_CHECKING:
    from yarncore.evaluate.fitting import Fit, fit_attention_factor, fit_thresholds

TASKS = Path(__file__).with_name("tasks")
"""The folder of lm-eval's tasks: `lm_eval --include_path`, or `TaskManager(include_path=...)`."""

__all__ = ["TASKS", "Cell", "Fit", "Grid", "fit_attention_factor", "fit_thresholds"]


def __getattr__(name: str) -> Any:
    # What needs torch and transformers is imported when it is asked for: grids of records need neither.
    if name in ("Fit", "fit_attention_factor", "fit_thresholds"):
        from yarncore.evaluate import fitting

        return getattr(fitting, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
