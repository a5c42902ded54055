"""How far a model really reads: needles by depth and length, perplexity by length and by position.

Needles run in lm-evaluation-harness, on every model that it drives: `TASKS` is the folder for its `--include_path`. Its
records become a `Grid`. Perplexities are forwards of transformers models. `yarncore evaluate` does all of it.
"""

from pathlib import Path

from yarncore.evaluate.grid import Cell, Grid

TASKS = Path(__file__).with_name("tasks")
"""The folder of lm-eval's tasks: `lm_eval --include_path`, or `TaskManager(include_path=...)`."""

__all__ = ["TASKS", "Cell", "Grid"]
