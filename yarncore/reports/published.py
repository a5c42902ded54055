"""What others published about extending a model: budgets of fine-tuning, and what a static scale costs short prompts.

References beside a plan, not predictions for another model.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """A fine-tune that was published.

    Attributes
    ----------
    model : str
    factor : float
        s.
    original_length : int
        L.
    steps : int
        Those of this stage; a second stage begins where the first ended.
    rows, row_length : int or None
        Of a step, and tokens in a row; None where it is not told.
    learning_rate : float
    source : str
    """

    model: str
    factor: float
    original_length: int
    steps: int
    rows: int | None
    row_length: int
    learning_rate: float
    source: str

    @property
    def tokens(self) -> int | None:
        """Of all steps; None where the rows of one are not told."""
        return None if self.rows is None else self.steps * self.rows * self.row_length


_PAPER = "Peng et al., arXiv:2309.00071, section 4.1"
BUDGETS = (
    Budget("Llama 2 7B and 13B", 16.0, 4096, 400, 64, 65536, 2e-5, _PAPER),
    Budget("Llama 2 7B and 13B, from the checkpoint of s = 16", 32.0, 4096, 200, 64, 65536, 2e-5, _PAPER),
)


@dataclass(frozen=True, slots=True)
class ShortCost:
    """A perplexity inside the original length, under two scales.

    Attributes
    ----------
    factor, perplexity : pair of float
        The smaller scale and the larger one.
    length : int
        Tokens.
    what, source : str
    """

    factor: tuple[float, float]
    perplexity: tuple[float, float]
    length: int
    what: str
    source: str

    @property
    def share(self) -> float:
        """By how much the larger scale is worse."""
        return self.perplexity[1] / self.perplexity[0] - 1


SHORT_COST = ShortCost(
    (16.0, 32.0),
    (3.689, 3.752),
    4096,
    "fine-tuned Llama 2 7B, Proof-pile",
    "jquesnelle/yarn, data/proofpile-long-small.csv",
)
