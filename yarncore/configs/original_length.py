"""The length that a model was trained for, and where that was found."""

from dataclasses import dataclass

from yarncore.configs.model_ropes import ModelRopes

# Checkpoints whose file advertises more than they were trained for: (model type, what it advertises) -> tokens, and who says so.
_QWEN3 = (
    32768,
    "QwenLM/Qwen3, docs/source/inference/transformers.md, commit da3e64585a954e58a7e722c5299089dcf95b17de",
)
_DEEPSEEK_V3 = (
    4096,
    "deepseek-ai/DeepSeek-V3, inference/model.py (original_seq_len), commit 9b4e9788e4a3a731f7567338ed15d3ec549ce03b",
)
_CITED: dict[tuple[str, int], tuple[int, str]] = {
    ("qwen3", 40960): _QWEN3,
    ("qwen3_moe", 40960): _QWEN3,
    ("deepseek_v3", 163840): _DEEPSEEK_V3,
}


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
    cited = _CITED.get((found.model_type, longest or 0))
    if cited is not None:
        tokens, source = cited
        return Length(tokens, f"what {found.model_type} of {longest} was trained for, cited from {source}", True)
    return Length(longest, "max_position_embeddings, since the configuration has no original length of its own", False)
