"""The length that a model was trained for, and where that was found."""

from dataclasses import dataclass
from typing import NamedTuple

from yarncore.configs.model_ropes import ModelRopes


class Cited(NamedTuple):
    """A checkpoint whose file advertises more than it was trained for, by what singles it out, and who says so.

    Attributes
    ----------
    model_type : str
    advertised : int
        max_position_embeddings.
    tokens : int
        What it was trained for.
    source : str
    base, heads, kept : float, (heads of q, heads of k), tokens that the cache of a layer keeps
        That the file must have, too; None where any will do.
    """

    model_type: str
    advertised: int
    tokens: int
    source: str
    base: float | None = None
    heads: tuple[int, int] | None = None
    kept: int | None = None

    def is_of(self, found: ModelRopes, advertised: int | None) -> bool:
        """Whether a configuration is that of this checkpoint, or of one that was fine-tuned from it with the same keys."""
        bases = {rope.base for rope in found.values() if rope is not None}
        kept = {layer.tokens for layer in found.cache_layers}
        return (
            (found.model_type, advertised) == (self.model_type, self.advertised)
            and self.base in (None, *bases)
            and self.heads in (None, (found.heads, found.key_heads))
            and self.kept in (None, *kept)
        )


_QWEN3 = "QwenLM/Qwen3, docs/source/inference/transformers.md, commit da3e64585a954e58a7e722c5299089dcf95b17de"
# Version 0.1 alone has this base and a window, of 4096 with the token itself; mistralai/Mistral-7B-v0.2 and later have 1e6 and
# none, and were trained for 32768.
_MISTRAL = (
    'huggingface/transformers, docs/source/en/model_doc/mistral.md, commit 058a04a3e543f8fb897de7df0cef78839311f2c1: "Trained with '
    '8k context length"'
)
_DEEPSEEK_V3 = (
    "deepseek-ai/DeepSeek-V3, inference/model.py (original_seq_len), commit 9b4e9788e4a3a731f7567338ed15d3ec549ce03b"
)
_CITED = (
    Cited("qwen3", 40960, 32768, _QWEN3),
    Cited("qwen3_moe", 40960, 32768, _QWEN3),
    Cited("deepseek_v3", 163840, 4096, _DEEPSEEK_V3),
    Cited("mistral", 32768, 8192, _MISTRAL, base=10_000.0, heads=(32, 8), kept=4095),
)


@dataclass(frozen=True, slots=True)
class Length:
    """L, and where it was found.

    Attributes
    ----------
    tokens : int or None
        None where nothing tells.
    whence : str
        In words.
    stated : bool
        Somebody said that it is the original length: the caller, the file or who is cited.
    """

    tokens: int | None
    whence: str
    stated: bool


def original_length(found: ModelRopes, given: int | None = None, advertised: int | None = None) -> Length:
    """The length that a model was trained for: as given, else the file's own, else a cited one, else what it advertises.

    Parameters
    ----------
    given : int, optional
        What the caller says.
    advertised : int, optional
        max_position_embeddings, where it is known from elsewhere than the file.
    """
    longest = found.advertised_length or advertised
    if given is not None:
        return Length(given, "as given", True)
    if found.original_length is not None:
        return Length(found.original_length, "the configuration's own original_max_position_embeddings", True)
    counted = {getattr(rope.scaling, "original_length", None) for rope in found.values() if rope is not None} - {None}
    if len(counted) == 1 and counted != {longest}:
        return Length(counted.pop(), "what the configuration's own scaling counts from", True)
    for cited in _CITED:
        if cited.is_of(found, longest):
            words = f"what {found.model_type} of {longest} was trained for, cited from {cited.source}"
            return Length(cited.tokens, words, True)
    return Length(longest, "max_position_embeddings, since the configuration has no original length of its own", False)
