"""The key-values of a GGUF file -> ModelRopes: what llama.cpp computes with that file and no flags."""

from collections.abc import Callable, Mapping
from typing import Any

from yarncore.configs.gguf.architectures import ARCHITECTURES, Architecture
from yarncore.configs.gguf.scaling import Settings, scaling_of, settings_of
from yarncore.configs.keys import FlatKeys, Keys, warn
from yarncore.configs.model_ropes import FULL, ModelRopes
from yarncore.configs.source import Source
from yarncore.configs.target_length import target_length
from yarncore.errors import ConfigError
from yarncore.rope.rope import Rope
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
    rope, context = found[FULL], found.advertised_length
    target = None if rope is None or not isinstance(rope.scaling, YaRN) else target_length(rope.scaling)
    if target is not None and context is not None and context < target:
        warn(
            f"{source.where}: {found.model_type}.context_length: llama-server serves {context} tokens a slot, and the scaling is "
            f"made for {target}",
            finding=True,
        )
    return found


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
    layers = (FULL,) * (keys.layers("block_count") or 0)
    if architecture.interleaved is None:
        return ModelRopes({FULL: None}, layers, architecture.evidence, name, where)
    rope = _rope(keys, architecture, change, base)
    _report_unread(keys, strict)
    heads = _largest(keys, "attention.head_count") or 1
    whole = keys.count("attention.key_length_mla") or keys.count("attention.key_length") or rope.head_dim
    return ModelRopes(
        {FULL: rope},
        layers,
        architecture.evidence,
        model_type=name,
        where=where,
        heads=heads,
        key_heads=1 if architecture.softmax else _largest(keys, "attention.head_count_kv") or heads,
        query_elements_beside=whole - rope.head_dim if architecture.softmax else 0,
        advertised_length=keys.length("context_length"),
    )


def keys_of(mapping: Mapping[str, Any], where: str, architecture: str) -> Keys:
    """The keys of an architecture without its name, and the tensors of divisors under their own."""
    prefix = f"{architecture}."
    own = {key[len(prefix) :]: value for key, value in mapping.items() if str(key).startswith(prefix)}
    return FlatKeys(own | {name: mapping[name] for name in TENSORS if name in mapping}, where, architecture)


def context_length(keys: Keys) -> int:
    """The file's length, which llama.cpp requires."""
    length = keys.length("context_length")
    if length is None:
        raise keys.missing("context_length", "llama.cpp does not load a file without it")
    return length


def _rope(keys: Keys, architecture: Architecture, change: Callable[[Settings], Settings], base: float | None) -> Rope:
    context = context_length(keys)
    head_dim, rotary_dim = _dimensions(keys, architecture)
    now = change(settings_of(keys, architecture, context))
    own = keys.number("rope.freq_base", above=1)
    given = base or own
    if given is None:
        warn(f"{keys.name('rope.freq_base')} is missing; llama.cpp takes 10000")
    try:
        scaling = scaling_of(keys, architecture, rotary_dim // 2, context, now)
        return Rope(head_dim, given or 10_000.0, scaling, rotary_dim, bool(architecture.interleaved))
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{keys.where}: {error}") from None


def _dimensions(keys: Keys, architecture: Architecture) -> tuple[int, int]:
    """Elements of a head, or of its rotary slice, and how many of them turn."""
    turning = keys.count("rope.dimension_count")
    if architecture.softmax:
        if turning is None:
            raise keys.missing("rope.dimension_count", "how many elements of a head turn")
        return turning, turning
    head = keys.count("attention.key_length")
    if head is None:
        width, number = keys.count("embedding_length"), _largest(keys, "attention.head_count")
        if width is None or number is None or width % number:
            if turning is None:
                raise keys.missing("attention.key_length", "nothing says how long a head is")
            head = turning
        else:
            head = width // number
    if architecture.whole_head and turning not in (None, head):
        raise keys.error("rope.dimension_count", f"{head}, the length of a head, or llama.cpp does not load the file:")
    return head, head if turning is None else turning


def _largest(keys: Keys, key: str) -> int | None:
    """A number, or the largest of one for each layer."""
    value = keys.raw(key)
    if isinstance(value, (list, tuple)) and value and all(type(one) is int and one >= 0 for one in value):
        return max(value) or None
    return keys.count(key)


def _report_unread(keys: Keys, strict: bool) -> None:
    unread = {key: value for key, value in keys.mapping.items() if key.startswith("rope.") and key not in keys.seen}
    FlatKeys(unread, keys.where, keys.path).report_unread(strict, ("rope.scaling.finetuned",))
