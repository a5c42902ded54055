"""What was done to a model, to be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yarncore.rope.rope import Rope


@dataclass(frozen=True, slots=True)
class Report:
    """What `extend` found and did.

    Attributes
    ----------
    model : str
        The class and the type of its language model.
    evidence : str
        What the facts about that type rest on.
    original_length : int or None
        The length that it was trained for, in tokens; None where nothing tells and nothing needs it.
    original_from : str
        Where that was found.
    target_length : int or None
        The length that it is extended to; None: no end is set.
    factor : float or None
        s = target / original length, where it is one number.
    method : str
        The scaling; "plain RoPE" where there is none.
    ropes : mapping of layer type to Rope
        What the layers rotate by now; None where they do not.
    before : mapping of layer type to Rope
        What they rotated by.
    temperature : float
        What the method multiplies the logits by, at the target length.
    temperature_in : str
        Who applies it: "cos_sin", by the rotation of q and k (its square root on each); "softmax", by attention's scaling,
        which was rewritten; "cos_sin and softmax"; "nobody", where it is 1.
    rotation : str
        "fused": by yarncore's kernels; or why the model gets tables of cos and sin.
    layers : int
        Modules that rotate.
    cache_bytes : int or None
        Of keys and values of one sequence of the target length, in the model's dtype.
    saved_as : str
        What save_pretrained writes: "config.json", which plain transformers reads; or "yarncore.json" beside a config.json
        that says what it said before.
    """

    model: str
    evidence: str
    original_length: int | None
    original_from: str
    target_length: int | None
    factor: float | None
    method: str
    ropes: Mapping[str, Rope | None]
    before: Mapping[str, Rope | None]
    temperature: float
    temperature_in: str
    rotation: str
    layers: int
    cache_bytes: int | None
    saved_as: str

    def __str__(self) -> str:
        rows = [
            ("model", f"{self.model}; evidence: {self.evidence}"),
            ("original length", f"{_tokens(self.original_length)}, {self.original_from}"),
            ("target length", _tokens(self.target_length) + (f", s = {self.factor:g}" if self.factor else "")),
            ("method", self.method),
            ("temperature", f"{self.temperature:.6g}, applied in {self.temperature_in}"),
            ("rotation", f"{self.rotation}, in {self.layers} modules"),
            (
                "cache",
                "unknown" if self.cache_bytes is None else f"{self.cache_bytes:,} bytes a sequence at the target",
            ),
            ("saved as", self.saved_as),
        ]
        rows += [
            (f"layers: {name}", "no rotation" if rope is None else repr(rope)) for name, rope in self.ropes.items()
        ]
        return "\n".join(f"{name:<16} {value}" for name, value in rows)


def _tokens(length: Any) -> str:
    return "unknown" if length is None else f"{length:,} tokens"
