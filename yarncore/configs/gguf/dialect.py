"""The key-values of a GGUF file -> ModelRopes: what llama.cpp computes with that file and no flags."""

from collections.abc import Callable, Mapping
from typing import Any

from yarncore.configs.gguf.architecture import Architecture
from yarncore.configs.gguf.architectures import ARCHITECTURES
from yarncore.configs.gguf.layers import Layers, layers_of
from yarncore.configs.gguf.ropes import largest, ropes_of
from yarncore.configs.gguf.scaling import Settings
from yarncore.configs.huggingface.query_scales import warn_of_the_rest
from yarncore.configs.keys import FlatKeys, Keys, warn
from yarncore.configs.model_ropes import FULL, ModelRopes
from yarncore.configs.source import Source
from yarncore.configs.target_length import target_length
from yarncore.errors import ConfigError
from yarncore.query_scale import LogSteps, QueryScale
from yarncore.scaling import YaRN

NAME = "gguf"
SIGNS: tuple[str, ...] = ("general.architecture",)
CHANGES_A_MODEL = False
TENSORS = ("rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight")


def recognises(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping holds the key-values of a GGUF file."""
    return "general.architecture" in mapping


def read(source: Source, strict: bool) -> ModelRopes:
    """All that the key-values of a file tell of its rotary embedding."""
    found = read_as_changed(source.mapping, source.where, strict)
    rope, context = found[main_type(found)], found.advertised_length
    target = None if rope is None or not isinstance(rope.scaling, YaRN) else target_length(rope.scaling)
    if target is not None and context is not None and context < target:
        warn(
            f"{source.where}: {found.model_type}.context_length: llama-server serves {context} tokens a slot, and the scaling is "
            f"made for {target}",
            finding=True,
        )
    return found


def main_type(found: ModelRopes) -> str:
    """The layer type whose scaling the keys rope.scaling are: of layers without windows, if these turn."""
    turning = [name for name, rope in found.items() if rope is not None]
    return FULL if FULL in turning else next(iter(turning or found))


def read_as_changed(
    mapping: Mapping[str, Any],
    where: str,
    strict: bool,
    change: Callable[[Settings], Settings] = lambda settings: settings,
    base: float | None = None,
) -> ModelRopes:
    """What the key-values of a file and a command line tell together.

    Parameters
    ----------
    change : callable
        What a command line makes of the file's settings.
    base : float, optional
        Of a command line, in the place of the file's.

    Raises
    ------
    ConfigError
        Naming file, key, what it holds and what is accepted.
    """
    name = FlatKeys(mapping, where).raw("general.architecture")
    architecture = ARCHITECTURES.get(name) if isinstance(name, str) else None
    if architecture is None:
        raise ConfigError(
            f"{where}: general.architecture is {name!r}: which elements make a pair there, and which layers turn, is not known "
            f"here; known are {', '.join(sorted(ARCHITECTURES))}"
        )
    keys = keys_of(mapping, where, name)
    layers = layers_of(keys, architecture)
    if architecture.interleaved is None or layers.still >= set(layers.windowed):
        return ModelRopes(dict.fromkeys(layers.windowed), layers.names, architecture.evidence, name, where)
    ropes = ropes_of(keys, architecture, layers, change, base)
    _report_unread(keys, strict)
    heads = largest(keys, "attention.head_count") or 1
    beside = _beside(keys, architecture, ropes)
    return ModelRopes(
        ropes,
        layers.names,
        architecture.evidence,
        model_type=name,
        where=where,
        heads=heads,
        key_heads=1 if architecture.softmax else largest(keys, "attention.head_count_kv") or heads,
        query_elements_beside=beside,
        advertised_length=keys.length("context_length"),
        one_for_all=architecture.windows is None
        or (architecture.windows.turn != "plain" and architecture.windows.scaled),
        query_scales=_of_still_layers(architecture, layers),
    )


def _beside(keys: Keys, architecture: Architecture, ropes: Mapping[str, Any]) -> int:
    """Elements of a query that no Rope sees."""
    if not architecture.part_of_head:
        return 0
    (rope,) = ropes.values()
    whole = keys.count("attention.key_length_mla") or keys.count("attention.key_length") or rope.head_dim
    beside = int(whole - rope.head_dim)
    if rope.query_scale is not None and beside:
        warn_of_the_rest(keys.where, beside)
    return beside


def _of_still_layers(architecture: Architecture, layers: Layers) -> dict[str, QueryScale]:
    """What multiplies the queries of layers that do not turn: constants of llama.cpp, src/models/llama4.cpp."""
    if not architecture.still_temperature or not any(layers.windowed.values()):
        return {}
    return {name: LogSteps(0.1, 8192, offset=1) for name in layers.windowed if name in layers.still}


def keys_of(mapping: Mapping[str, Any], where: str, architecture: str) -> Keys:
    """The keys of an architecture without its name, and the tensors of divisors under their own."""
    prefix = f"{architecture}."
    own = {key[len(prefix) :]: value for key, value in mapping.items() if str(key).startswith(prefix)}
    return FlatKeys(own | {name: mapping[name] for name in TENSORS if name in mapping}, where, architecture)


def _report_unread(keys: Keys, strict: bool) -> None:
    unread = {key: value for key, value in keys.mapping.items() if key.startswith("rope.") and key not in keys.seen}
    FlatKeys(unread, keys.where, keys.path).report_unread(strict, ("rope.scaling.finetuned",))
