"""What multiplies queries by their position, as types of models spell it: a part of a Rope, or of layers without one."""

from collections.abc import Mapping
from typing import Any

from yarncore.configs.keys import Keys, warn
from yarncore.query_scale import LogN, LogSteps, QueryScale
from yarncore.rope.rope import Rope

BETA = "llama_4_scaling_beta"
ORIGINAL = "original_max_position_embeddings"
# transformers 5.24.0, modeling_ministral3.py and modeling_mistral4.py: run (tests/query_scale). Others read no such key.
IN_ROPE_DICTS = ("ministral3", "mistral4")
# transformers 5.24.0, modeling_llama4.py: run (tests/query_scale).
ON_LAYERS_WITHOUT_ROTATION = ("llama4_text", "llama4")
# QwenLM/Qwen-Audio, modeling_qwen.py, commit 0b0e882e9a7661a627a77b6d804da64e05fff7a1: read, not run.
LOG_N = ("qwen",)


def of_rope(config: Keys, rope: Keys) -> QueryScale | None:
    """That of the layers which turn by a rope dict."""
    return _log_steps(config, rope) or _log_n(config)


def warn_of_the_rest(where: str, beside: int) -> None:
    """A ConfigWarning of elements of a query that no Rope sees."""
    warn(
        f"{where}: whole queries are multiplied by their position, and the Rope sees a slice of them: the other {beside} elements "
        "are to be multiplied by rope.query_scale.at(positions)"
    )


def _log_steps(config: Keys, rope: Keys) -> QueryScale | None:
    beta = rope.number(BETA, at_least=0)
    if not beta:
        return None
    model_type = config.lookup("model_type")
    if model_type is not None and model_type not in IN_ROPE_DICTS:
        warn(
            f"{rope.name(BETA)} is {beta:g}: models of type {model_type!r} do not read it, nor is it read here; those of "
            f"type {' and '.join(IN_ROPE_DICTS)} multiply queries by it"
        )
        return None
    original = rope.length(ORIGINAL)
    if original is None:
        raise rope.missing(ORIGINAL, f"{BETA} counts from it")
    return LogSteps(beta, original)


def _log_n(config: Keys) -> QueryScale | None:
    if not config.raw("use_logn_attn"):
        return None
    if config.lookup("model_type") not in LOG_N or not config.has("seq_length"):
        warn(
            f"{config.name('use_logn_attn')} is true: the model multiplies each query beyond its trained length by "
            "ln(position) / ln(length), and which length that is, is not known; query_scale=LogN(length) says so"
        )
        return None
    return LogN(config.length("seq_length") or 0)


def words_of(rope: Rope, config: Keys, own_has: bool) -> dict[str, Any]:
    """What a rope dict says of a Rope's query scale, in models of a type that has words for it.

    Parameters
    ----------
    own_has : bool
        The dict that is changed said something of it: where there is none now, it must say so.
    """
    if config.lookup("model_type") not in IN_ROPE_DICTS:
        return {}
    scale = rope.query_scale
    if isinstance(scale, LogSteps) and not scale.offset:
        return {BETA: scale.beta, ORIGINAL: scale.original_length}
    return {BETA: 0.0} if own_has else {}


def of_still_layers(config: Keys, ropes: Mapping[str, object]) -> dict[str, QueryScale]:
    """Layer type -> that of its queries, of layers without rotation."""
    tuning = config.raw("attn_temperature_tuning")
    if tuning is not None and not isinstance(tuning, int):  # Llama 4's own files have 4
        raise config.error("attn_temperature_tuning", "true or false")
    if tuning is None and config.lookup("model_type") in ON_LAYERS_WITHOUT_ROTATION:
        tuning = True  # the class's default
    beta, floor = config.number("attn_scale", at_least=0), config.length("floor_scale")
    beta = 0.1 if beta is None else beta
    if not tuning or not beta:
        return {}
    scale = LogSteps(beta, floor or 8192, offset=1)
    if config.lookup("model_type") not in ON_LAYERS_WITHOUT_ROTATION:
        warn(
            f"{config.name('attn_temperature_tuning')} is true: in models of type llama4_text layers without rotation multiply "
            f"queries by {scale}, and what those of type {config.lookup('model_type')!r} do is not known"
        )
        return {}
    return {name: scale for name, rope in ropes.items() if rope is None}
