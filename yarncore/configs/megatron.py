"""Megatron's flags, or the fields of its configuration object of the same names.

Megatron-Core 0.16.1 was run (YarnRotaryEmbedding, RotaryEmbedding, the softmax factor of latent attention;
tests/goldens/engines_executed.json). The factor of YaRN in a GPT (yarn_rotary_scaling_factor), yarn_mscale and
yarn_mscale_all_dim have no flag there: they are fields that one sets on the object.
"""

import math
from collections.abc import Mapping
from typing import Any

from yarncore.configs.containers.arguments import is_command_line, typed
from yarncore.configs.keys import Keys, warn
from yarncore.configs.model_ropes import FULL, Evidence, ModelRopes
from yarncore.configs.nearest import Vocabulary, nearest
from yarncore.configs.own_words import made, read_back, yarn_of
from yarncore.configs.source import Source, load
from yarncore.configs.typed_keys import TypedKeys
from yarncore.configs.writing import WriteRequest
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
from yarncore.scaling import Llama3, NTKByParts, PositionInterpolation
from yarncore.scaling.scaling import Scaling

NAME = "megatron"
SIGNS: tuple[str, ...] = ("--position-embedding-type", "--rotary-base", "position_embedding_type")
CHANGES_A_MODEL = False

_WHOSE = "Megatron"
_EVIDENCE = Evidence("run", "Megatron-Core 0.16.1, megatron/core/models/common/embeddings")
_INTERPOLATION = "rotary_seq_len_interpolation_factor"
_CONCERN = ("rotary", "rope", "yarn", "mscale", "position_embedding", "beta_")
_IRRELEVANT = ("rope_fusion", "apply_rope_fusion", "no_rope_fusion", "no_rope_freq")


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether flags or fields are Megatron's."""
    return any(sign in mapping for sign in SIGNS) and "model_type" not in mapping


def read(source: Source, strict: bool) -> ModelRopes:
    """All that flags or fields tell."""
    keys = _fields(source)
    latent = keys.flag("multi_latent_attention") or False
    kind = keys.word("position_embedding_type", ("rope", "yarn", "learned_absolute", "none")) or (
        "rope" if latent else ""
    )
    if kind in ("learned_absolute", "none"):
        return ModelRopes({FULL: None}, (), _EVIDENCE, where=source.where)
    rope = _latent(keys) if latent else _ordinary(keys, kind)
    left = {key: value for key, value in keys.mapping.items() if key.startswith(_CONCERN) and key not in keys.seen}
    Keys(left, source.where).report_unread(strict, _IRRELEVANT)
    heads = keys.count("num_attention_heads") or 1
    return ModelRopes(
        {FULL: rope},
        (FULL,) * (keys.layers("num_layers") or 0),
        _EVIDENCE,
        where=source.where,
        heads=heads,
        key_heads=1 if latent else keys.count("num_query_groups") or heads,
        query_elements_beside=keys.count("qk_head_dim", least=0) or 128 if latent else 0,
        advertised_length=keys.length("max_position_embeddings"),
    )


def _fields(source: Source) -> Keys:
    """Flags under the names of the fields that they set."""
    if not is_command_line(source.mapping):
        return Keys(source.mapping, source.where)
    flags = TypedKeys(source.mapping, source.where).mapping
    fields: dict[str, Any] = {}
    for flag, value in flags.items():
        name = flag.lstrip("-").replace("-", "_")
        off = name.removeprefix("no_")
        fields[off if off != name and value is True else name] = False if off != name and value is True else value
    return Keys(fields, source.where)


def _ordinary(keys: Keys, kind: str) -> Rope:
    base = keys.number("rotary_base", above=1) or 10_000.0
    dim = keys.count("kv_channels")
    width, heads = keys.count("hidden_size"), keys.count("num_attention_heads")
    if dim is None and (width is None or heads is None or width % heads):
        raise keys.missing("kv_channels", "neither it nor hidden_size and num_attention_heads say how long a head is")
    dim = dim or (width or 0) // (heads or 1)
    part, interpolation = keys.number("rotary_percent", above=0) or 1.0, keys.number(_INTERPOLATION, at_least=1)
    interleaved = keys.flag("rotary_interleaved") or False
    llama3 = keys.flag("use_rope_scaling") or False
    factor = keys.number("rope_scaling_factor", at_least=1) or 8.0
    if kind == "yarn":
        if interleaved:
            raise keys.error("rotary_interleaved", "false, since Megatron's YaRN has no interleaved pairs,")
        for key, given in (("rotary_percent", part != 1), (_INTERPOLATION, interpolation not in (None, 1))):
            if given:
                warn(f"{keys.name(key)}: Megatron's YaRN does not read it: all kv_channels turn", finding=True)
        return made(keys.where, dim, base, _yarn(keys))
    if llama3 and interpolation not in (None, 1):
        raise ConfigError(f"{keys.where}: use_rope_scaling and {_INTERPOLATION} together are two scalings at once")
    scaling: Scaling | None = Llama3(factor, 8192) if llama3 else None
    if interpolation not in (None, 1):
        scaling = PositionInterpolation(interpolation or 1.0)
    return made(keys.where, dim, base, scaling, int(dim * part), interleaved)


def _yarn(keys: Keys) -> Scaling:
    factor = keys.number("yarn_rotary_scaling_factor", at_least=1)
    original = keys.length("yarn_original_max_position_embeddings")
    if factor is None:
        raise keys.missing(
            "yarn_rotary_scaling_factor", "it has no flag in Megatron-Core 0.16.1: set it on the configuration object"
        )
    if original is None:
        raise keys.missing("yarn_original_max_position_embeddings", "the trained length, in tokens")
    rounded = keys.flag("yarn_correction_range_round_to_int")
    mscale, all_dim = (
        keys.number("yarn_mscale", at_least=0, below=2**53),
        keys.number("yarn_mscale_all_dim", at_least=0, below=2**53),
    )
    both = mscale is not None and all_dim is not None  # 0 counts
    return yarn_of(
        keys.where,
        factor,
        original,
        beta_fast=keys.number("yarn_beta_fast", above=0) or 32.0,
        beta_slow=keys.number("yarn_beta_slow", above=0) or 1.0,
        truncate=True if rounded is None else rounded,
        mscale=mscale if both else None,
        mscale_all_dim=all_dim if both else None,
    )


def _latent(keys: Keys) -> Rope:
    """Latent attention: 40, 4096, mscale 1 and mscale_all_dim 0 are the class's; t(s, mscale_all_dim)^2 on the logits."""
    base, dim = keys.number("rotary_base", above=1) or 10_000.0, keys.count("qk_pos_emb_head_dim") or 64
    kind = keys.word("rope_type", ("rope", "yarn")) or "yarn"
    factor = keys.number("rotary_scaling_factor", at_least=1) or 40.0
    original = keys.length("original_max_position_embeddings") or 4096
    mscale, all_dim = (
        keys.number("mscale", at_least=0, below=2**53),
        keys.number("mscale_all_dim", at_least=0, below=2**53),
    )
    fast, slow = keys.number("beta_fast", above=0) or 32.0, keys.number("beta_slow", above=0) or 1.0
    if kind == "rope":
        return made(keys.where, dim, base)
    scaling = yarn_of(
        keys.where,
        factor,
        original,
        beta_fast=fast,
        beta_slow=slow,
        mscale=1.0 if mscale is None else mscale,
        mscale_all_dim=all_dim or 0.0,
        softmax_mscale=all_dim or None,
    )
    return made(keys.where, dim, base, scaling)


def write(request: WriteRequest) -> list[str]:
    """Flags; where YaRN of a GPT needs fields that have none, a ConfigError says which.

    Raises
    ------
    ConfigError
        Also for what Megatron cannot express.
    """
    rope = request.only_rope("flags are for all layers")
    scaling, given_up = _nearest(rope, request.length)
    flags, switches = _flags(rope, scaling)
    if request.length is not None:
        flags["--max-position-embeddings"] = request.length
    arguments = [*typed(flags), *switches]
    read_back(request, read, load(arguments).mapping, rope, given_up, _WHOSE)
    return arguments


def _nearest(rope: Rope, length: int | None) -> tuple[Scaling | None, str]:
    if rope.scaling is None:
        return None, ""
    scaling, given_up = nearest(rope.scaling, length, Vocabulary("a scale that follows the length"))
    if not isinstance(scaling, (NTKByParts, Llama3, PositionInterpolation)):
        raise ConfigError(f"{_WHOSE} has yarn, llama3 and linear; {type(scaling).__name__} cannot be written")
    return scaling, given_up


def _flags(rope: Rope, scaling: Scaling | None) -> tuple[dict[str, float | str], list[str]]:
    if isinstance(scaling, NTKByParts):
        return _flags_of_yarn(rope, scaling)
    flags: dict[str, float | str] = {
        "--position-embedding-type": "rope",
        "--rotary-base": rope.base,
        "--kv-channels": rope.head_dim,
    }
    if rope.rotary_dim < rope.head_dim:
        flags["--rotary-percent"] = rope.rotary_dim / rope.head_dim
    switches = ["--rotary-interleaved"] if rope.interleaved else []
    if isinstance(scaling, PositionInterpolation):
        flags["--rotary-seq-len-interpolation-factor"] = scaling.factor
    if isinstance(scaling, Llama3):
        flags["--rope-scaling-factor"] = scaling.factor
        switches.append("--use-rope-scaling")
    return flags, switches


def _flags_of_yarn(rope: Rope, scaling: NTKByParts) -> tuple[dict[str, float | str], list[str]]:
    mscale = getattr(scaling, "softmax_mscale", None)
    pure = math.isclose(float(rope.at().attention_factor), 1.0)
    if mscale is None and not pure:
        raise ConfigError(
            f"{_WHOSE} has no flag for the factor of YaRN in a GPT; set yarn_rotary_scaling_factor={scaling.factor:g}, "
            f"yarn_original_max_position_embeddings={scaling.original_length}, yarn_beta_fast={scaling.beta_fast:g}, "
            f"yarn_beta_slow={scaling.beta_slow:g}, yarn_mscale=None, yarn_mscale_all_dim=None and "
            f"yarn_correction_range_round_to_int={scaling.truncate} on its configuration object, and position_embedding_type='yarn'"
        )
    flags: dict[str, float | str] = {
        "--rope-type": "yarn",
        "--rotary-base": rope.base,
        "--qk-pos-emb-head-dim": rope.head_dim,
        "--rotary-scaling-factor": scaling.factor,
        "--original-max-position-embeddings": scaling.original_length,
        "--beta-fast": scaling.beta_fast,
        "--beta-slow": scaling.beta_slow,
        "--mscale": mscale or 0.0,
        "--mscale-all-dim": mscale or 0.0,
    }
    return flags, ["--multi-latent-attention"]
