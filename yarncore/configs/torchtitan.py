"""torchtitan's ComplexRoPE.Config and CosSinRoPE.Config: their fields, under the name of the class.

torchtitan 0.3.0 was run (both classes; tests/goldens/engines_executed.json), and commit b5bcd76c66d0acb1a08b176d9639425bc55e0b2a
of torchtitan/models/common/rope.py, which says max_context_length for max_seq_len. The rotation is pure: the factor of the
logits, (0.1 mscale ln s + 1)^2, is that of its DeepSeek-V3 and gpt-oss, whose code was read.
"""

from collections.abc import Mapping
from typing import Any

from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import FULL, Evidence, ModelRopes
from yarncore.configs.nearest import Vocabulary, nearest
from yarncore.configs.own_words import made, read_back, served, yarn_of
from yarncore.configs.source import Source
from yarncore.configs.writing import WriteRequest
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import Llama3, NTKByParts
from yarncore.scaling.scaling import Scaling

NAME = "torchtitan"
SIGNS: tuple[str, ...] = ("CosSinRoPE.Config", "ComplexRoPE.Config")
CHANGES_A_MODEL = False

_WHOSE = "torchtitan"
_EVIDENCE = Evidence("run", "torchtitan 0.3.0, torchtitan/models/common/rope.py")
_METHODS = ("none", "yarn", "llama")
_LENGTHS = ("max_seq_len", "max_context_length")


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping holds the fields of one of the two classes."""
    return any(sign in mapping for sign in SIGNS)


def read(source: Source, strict: bool) -> ModelRopes:
    """All that the fields tell; the class decides which elements make a pair."""
    name = next((sign for sign in SIGNS if isinstance(source.mapping.get(sign), Mapping)), None)
    if name is None:
        raise ConfigError(f"{source.where}: none of {', '.join(SIGNS)} is there with its fields")
    keys = Keys(source.mapping[name], source.where, name)
    dim, base = keys.count("dim", least=2), keys.number("theta", above=1)
    for key, value in (("dim", dim), ("theta", base)):
        if value is None:
            raise keys.missing(key, "torchtitan's classes need it")
    rope = made(source.where, dim, base, _scaling(keys, name), None, name == SIGNS[1])
    length = next((keys.length(key) for key in _LENGTHS if keys.has(key)), None)
    keys.report_unread(strict)
    return ModelRopes({FULL: rope}, (), _EVIDENCE, where=source.where, advertised_length=length)


def _scaling(keys: Keys, name: str) -> Scaling | None:
    method = keys.word("scaling", _METHODS) or "none"
    llama = {key: keys.number(key, above=0) for key in ("scaling_factor", "low_freq_factor", "high_freq_factor")}
    of_llama = keys.length("original_max_position_embeddings") or 8192
    factor, original = keys.number("rope_factor", above=0), keys.length("original_seq_len")
    betas = {
        "beta_fast": keys.number("beta_fast", above=0) or 32.0,
        "beta_slow": keys.number("beta_slow", above=0) or 1.0,
    }
    truncate, mscale = keys.flag("truncate"), keys.number("mscale", at_least=0, below=2**53)
    if method == "llama":
        if name == SIGNS[0]:
            raise keys.error("scaling", "yarn or none, since CosSinRoPE refuses llama,")
        ends = {key: value for key, value in llama.items() if value is not None and key != "scaling_factor"}
        try:
            return Llama3(llama["scaling_factor"] or 8.0, of_llama, **ends)
        except ValueError as error:
            raise ConfigError(f"{keys.where}: {error}") from None
    if method == "none":
        return None
    if llama["scaling_factor"] is not None:
        warn(f"{keys.name('scaling_factor')}: with yarn torchtitan reads rope_factor alone", finding=True)
    if factor is None or factor <= 1:
        return None
    on_logits = 1.0 if mscale is None else mscale
    return yarn_of(
        keys.where,
        factor,
        original or 4096,
        truncate=True if truncate is None else truncate,
        mscale=on_logits,
        mscale_all_dim=on_logits,
        softmax_mscale=on_logits,
        **betas,
    )


def write(request: WriteRequest) -> dict[str, Any]:
    """The fields of the class whose pairs are those of the Rope."""
    rope = request.only_rope("the classes have one for all layers")
    scaling, given_up = _nearest(rope, request.length)
    fields: dict[str, Any] = {"dim": rope.head_dim, "theta": rope.base}
    length = served(request, scaling)
    if length is not None:
        fields["max_seq_len"] = length
    fields |= _fields(scaling)
    result = {SIGNS[1] if rope.interleaved else SIGNS[0]: fields}
    read_back(request, read, result, rope, given_up, _WHOSE)
    return result


def _nearest(rope: Rope, length: int | None) -> tuple[Scaling | None, str]:
    if rope.scaling is None:
        return None, ""
    scaling, given_up = nearest(rope.scaling, length, Vocabulary("a scale that follows the length"))
    if not isinstance(scaling, (NTKByParts, Llama3)):
        raise ConfigError(f"{_WHOSE} has yarn and llama; {type(scaling).__name__} cannot be written")
    return scaling, given_up


def _fields(scaling: Scaling | None) -> dict[str, Any]:
    if isinstance(scaling, Llama3):
        return {
            "scaling": "llama",
            "scaling_factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_length,
        }
    if not isinstance(scaling, NTKByParts):
        return {}
    fields = {
        "scaling": "yarn",
        "rope_factor": scaling.factor,
        "beta_fast": scaling.beta_fast,
        "beta_slow": scaling.beta_slow,
        "truncate": scaling.truncate,
        "original_seq_len": scaling.original_length,
    }
    mscale = getattr(scaling, "softmax_mscale", None)
    return fields if mscale == 1 else fields | {"mscale": mscale or 0.0}
