"""DeepSeek's own ModelArgs as JSON: deepseek-ai/DeepSeek-V3, inference/model.py, commit
9b4e9788e4a3a731f7567338ed15d3ec549ce03b (executed, precompute_freqs_cis; MLA.softmax_scale read).

Nothing is scaled unless max_seq_len exceeds original_seq_len: there, the length that is served changes the model. mscale is
what mscale_all_dim is elsewhere: cos and sin carry no factor, the logits (0.1 mscale ln s + 1)^2.
"""

from collections.abc import Mapping
from typing import Any

from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import FULL, Evidence, ModelRopes
from yarncore.configs.nearest import Vocabulary
from yarncore.configs.own_words import made, nearest_yarn, read_back, report_unread, served, to_be_changed, yarn_of
from yarncore.configs.source import Source
from yarncore.configs.writing import WriteRequest
from yarncore.scaling import NTKByParts
from yarncore.scaling.scaling import Scaling

NAME = "deepseek"
SIGNS: tuple[str, ...] = ("original_seq_len", "inter_dim", "rope_factor")
CHANGES_A_MODEL = False

_WHOSE = "DeepSeek's inference code"
_EVIDENCE = Evidence(
    "run", "deepseek-ai/DeepSeek-V3, inference/model.py, commit 9b4e9788e4a3a731f7567338ed15d3ec549ce03b"
)
_VOCABULARY = Vocabulary("a scale that follows the length", truncate=True)
# The defaults of ModelArgs.
_DEFAULTS = {
    "max_seq_len": 16384,
    "original_seq_len": 4096,
    "rope_theta": 10000.0,
    "rope_factor": 40.0,
    "beta_fast": 32,
    "beta_slow": 1,
    "mscale": 1.0,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "n_heads": 16,
}


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping holds ModelArgs."""
    return any(key in mapping for key in SIGNS) and "model_type" not in mapping and "scaling" not in mapping


def read(source: Source, strict: bool) -> ModelRopes:
    """All that ModelArgs tell; what they leave out has the default of the class, which is said."""
    keys = Keys(source.mapping, source.where, "", _DEFAULTS)
    absent = [key for key in list(_DEFAULTS)[:8] if not keys.has(key)]
    if absent:
        said = ", ".join(f"{key} {_DEFAULTS[key]:g}" for key in absent)
        warn(f"{source.where}: the defaults of ModelArgs are taken for {said}")
    served_length = keys.length("max_seq_len") or 0
    rope = made(
        source.where,
        keys.count("qk_rope_head_dim", least=2),
        keys.number("rope_theta", above=1),
        _scaling(keys, served_length),
        None,
        True,
    )
    report_unread(keys, strict)
    return ModelRopes(
        {FULL: rope},
        (FULL,) * (keys.layers("n_layers") or 0),
        _EVIDENCE,
        where=source.where,
        heads=keys.count("n_heads") or 1,
        query_elements_beside=keys.count("qk_nope_head_dim", least=0) or 0,
        advertised_length=served_length,
    )


def _scaling(keys: Keys, served_length: int) -> Scaling | None:
    original = keys.length("original_seq_len") or 0
    factor, mscale = keys.number("rope_factor", at_least=1), keys.number("mscale", at_least=0, below=2**53)
    betas = {
        "beta_fast": keys.number("beta_fast", above=0) or 0.0,
        "beta_slow": keys.number("beta_slow", above=0) or 0.0,
    }
    if served_length <= original:
        return None
    return yarn_of(keys.where, factor, original, mscale=mscale, mscale_all_dim=mscale, softmax_mscale=mscale, **betas)


def write(request: WriteRequest) -> dict[str, Any]:
    """ModelArgs that DeepSeek's code reads as the same rotation: the keys alone, or the whole of those given."""
    result = to_be_changed(request, recognises, _WHOSE)
    rope = request.only_rope("ModelArgs have one for all layers")
    scaling, given_up = nearest_yarn(rope, request.length, _VOCABULARY, _WHOSE)
    result |= {"qk_rope_head_dim": rope.head_dim, "rope_theta": rope.base}
    length = served(request, scaling)
    if isinstance(scaling, NTKByParts):
        result |= {
            "original_seq_len": scaling.original_length,
            "rope_factor": scaling.factor,
            "beta_fast": scaling.beta_fast,
            "beta_slow": scaling.beta_slow,
            "mscale": getattr(scaling, "softmax_mscale", None) or 0.0,
        }
    else:  # nothing is scaled up to original_seq_len
        length = length or int(result.get("max_seq_len", _DEFAULTS["max_seq_len"]))
        result["original_seq_len"] = length
    if length is not None:
        result["max_seq_len"] = length
    read_back(request, read, result, rope, given_up, _WHOSE)
    return result
