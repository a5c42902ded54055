"""Which elements of a head make a pair, and by which of a token's positions each pair turns."""

from collections.abc import Sequence
from typing import Any

from yarncore.configs.huggingface.facts import Facts
from yarncore.configs.keys import Keys
from yarncore.errors import ConfigError

_KEYS_OF_UNKNOWN_TYPES = ("rope_interleave", "rope_interleaved", "rotary_emb_interleaved", "rotary_interleaved")


def interleaved(config: Keys, facts: Facts) -> bool:
    """Whether pairs are (2i, 2i+1)."""
    if facts.evidence.kind == "none":
        key = config.agreeing(*_KEYS_OF_UNKNOWN_TYPES)
        return key is not None and bool(config.flag(key))
    if isinstance(facts.pairs, str):
        return facts.pairs == "interleaved"
    given = config.flag(facts.pairs["key"])
    word = "absent" if given is None else str(given).lower()
    return bool(facts.pairs[word] == "interleaved")


def sections(config: Keys, rope: Keys, facts: Facts, pairs: int) -> tuple[tuple[int, ...] | None, Any]:
    """How many pairs turn by each of a token's positions, and their order; None where a token has one position.

    Raises
    ------
    ConfigError
        Where the file has sections whose order is not known.
    """
    keys = ("mrope_section",) if facts.sections is None else tuple(facts.sections.get("keys", ("mrope_section",)))
    if facts.sections is not None and not keys:  # the class decides alone: each position has as many pairs
        return _equal(config, facts.sections["positions"], pairs), facts.sections["order"]
    key = rope.agreeing(*keys)
    listed = rope.raw(key) if key else _default(config, facts, pairs)
    by_key = rope.flag("mrope_interleaved")
    again = rope.flag("interleaved") if by_key is not None else None  # Qwen3-Omni's files have both
    if again not in (None, by_key):
        raise rope.error("interleaved", f"{str(by_key).lower()}, as mrope_interleaved has it,")
    if listed is None:
        return None, "contiguous"
    whole = isinstance(listed, (list, tuple)) and all(
        isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in listed
    )
    if key is None and sum(listed) != pairs:
        raise rope.missing(keys[0], f"its class has {listed}, whose sum is not rotary_dim / 2 = {pairs}")
    key = key or keys[0]
    if not whole or sum(listed) != pairs:
        raise rope.error(key, f"a list of whole numbers >= 0 whose sum is rotary_dim / 2 = {pairs}")
    order = None if facts.sections is None else facts.sections["order"]
    _check_time(config, facts, listed[-1])
    if order is None and by_key is None:
        raise rope.error(key, "no sections, since the order that this model type gives them is not known,")
    if by_key is not None:
        if order is not None and by_key != (order == "interleaved"):
            raise rope.error("mrope_interleaved", f"{str(order == 'interleaved').lower()}, as this model type has it,")
        order = "interleaved" if by_key else "contiguous"
    if order == "time_last":  # the file lists height, width, time; positions are time, height, width
        listed = [listed[-1], *listed[:-1]]
    return tuple(listed), order


def _equal(config: Keys, positions: Sequence[str], pairs: int) -> tuple[int, ...]:
    count = len(positions)
    if pairs % count:
        raise ConfigError(
            f"{config.where}: rotary_dim is {2 * pairs}; a multiple of {2 * count} is expected, for {' and '.join(positions)} turn "
            "as many pairs each"
        )
    return (pairs // count,) * count


def _time_key(facts: Facts) -> str | None:
    """The key beside the rope dict that says how many pairs turn by time; height and width share the rest alike."""
    return None if facts.sections is None else facts.sections.get("time_key")


def _default(config: Keys, facts: Facts, pairs: int) -> Any:
    """The sections where the rope dict has none: of the class, or from the pairs of time."""
    if facts.sections is None:
        return None
    key = _time_key(facts)
    if key is None:
        return facts.sections.get("default")
    time = config.count(key, least=0)
    time = facts.sections["time"] if time is None else time
    if time > pairs or (pairs - time) % 2:
        raise config.error(key, f"a number that leaves an even number of {pairs} pairs")
    return [(pairs - time) // 2, (pairs - time) // 2, time]


def _check_time(config: Keys, facts: Facts, listed: int) -> None:
    """The same told twice must agree."""
    key = _time_key(facts)
    if key is None:
        return
    if config.raw("rope_3d") is False:
        raise config.error("rope_3d", "true, as this model type's code has it,")
    time = config.count(key, least=0)
    if time is not None and time != listed:
        raise config.error(key, f"{listed}, as mrope_section has it,")
