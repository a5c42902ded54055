"""The grid of depth and length, from lm-eval's records of each sample."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_Z = 1.959963984540054  # of the normal distribution: 95 % lie within


@dataclass(frozen=True, slots=True)
class Cell:
    """What was retrieved at one depth and length.

    Attributes
    ----------
    score : float
        The sum of the samples' scores, each from 0 to 1.
    samples : int
    """

    score: float
    samples: int

    @property
    def share(self) -> float:
        """The mean score."""
        return self.score / self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of Wilson's interval for the share: it neither leaves 0 to 1 nor collapses where all samples agree."""
        n, p = self.samples, self.share
        centre, spread = p + _Z**2 / (2 * n), _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        # At p = 0 and 1 one end is exact, but for rounding.
        low = 0.0 if p == 0 else (centre - spread) / (1 + _Z**2 / n)
        high = 1.0 if p == 1 else (centre + spread) / (1 + _Z**2 / n)
        return low, high


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells by (length, depth).

    Attributes
    ----------
    lengths, depths : tuple
        Rising.
    cells : mapping of (int, float) to Cell
    """

    lengths: tuple[int, ...]
    depths: tuple[float, ...]
    cells: Mapping[tuple[int, float], Cell]

    @classmethod
    def of(cls, samples: Iterable[Mapping[str, Any]], metric: str = "asked") -> "Grid":
        """From the `samples` of a task in what lm-eval's `simple_evaluate(..., log_samples=True)` returns.

        Parameters
        ----------
        samples : iterable of mapping
            `results["samples"]["yarncore_passkey"]`, or the lines of a `samples_*.jsonl` that lm-eval wrote.
        metric : str
            "asked", whether the needle at the cell's depth was retrieved, or "found", the share of all answers.
        """
        scores: dict[tuple[int, float], list[float]] = {}
        for sample in samples:
            document = sample["doc"]
            scores.setdefault((int(document["length"]), float(document["depth"])), []).append(float(sample[metric]))
        if not scores:
            raise ValueError("samples is empty: a grid needs at least one record")
        cells = {place: Cell(sum(each), len(each)) for place, each in sorted(scores.items())}
        return cls(tuple(sorted({length for length, _ in cells})), tuple(sorted({depth for _, depth in cells})), cells)

    def at_length(self, length: int) -> Cell:
        """All depths of a length together."""
        cells = [cell for (each, _), cell in self.cells.items() if each == length]
        if not cells:
            raise ValueError(f"length is {length}; one of {', '.join(map(str, self.lengths))} is expected")
        return Cell(sum(cell.score for cell in cells), sum(cell.samples for cell in cells))

    def as_list(self) -> list[dict[str, Any]]:
        """For JSON: one mapping a cell."""
        return [
            {
                "length": length,
                "depth": depth,
                "share": cell.share,
                "interval": list(cell.interval),
                "score": cell.score,
                "samples": cell.samples,
            }
            for (length, depth), cell in self.cells.items()
        ]
