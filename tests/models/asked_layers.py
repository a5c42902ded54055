"""Which layers turn, and of which type each is: asked by long configurations, and by models with other keys."""

import re
from collections.abc import Mapping
from typing import Any

from asked import Asked, still
from running import LayerRun

_OF_STILLNESS = re.compile(r"nope|no_rope|position_embedding_type|use_mem_rope|use_rotary|^alibi$|use_rope")
_OF_A_PERIOD = re.compile(r"pattern$|interval$|every_n_layers$|layer_group_size$")
_OF_CODES = re.compile(r"compress_ratios$|layer_pattern$")
_CODES = range(257)
_LONG = 48
_COUNTS = ("num_hidden_layers", "n_layer", "n_layers")


def layers(asked: Asked) -> dict[str, Any]:
    """The fields of Facts that tell layers."""
    flags = _layer_flags(asked)
    turned = asked.usual
    if flags:
        turned = asked.run({flags["key"]: [1] * len(asked.usual)})
    names = _still_types(turned)
    types = _layer_types(asked)
    if types is not None and names.issuperset(types["period"]):
        types = None  # no attention at all: this tells nothing of the layers of a file that has some
    return {
        "layer_types": types,
        "layer_codes": _layer_codes(asked),
        "layer_flags": flags,
        "still": sorted(names),
        "still_while": _still_while(asked, names),
        "rotates_while": {} if flags else _rotates_while(asked),
    }


def never_turns(asked: Asked) -> bool:
    """Whether no layer turns, and its class has no key that could change that."""
    return len(still(asked.usual)) == len(asked.usual) and not any(
        key in asked.defaults for key in asked.keys(_OF_STILLNESS)
    )


def _still_types(run: tuple[LayerRun, ...]) -> set[str]:
    turning = {layer.layer_type for layer in run if layer.rotation is not None}
    return {layer.layer_type for layer in run} - turning


def _still_while(asked: Asked, names: set[str]) -> str | None:
    """A window without which the layers that stand still turn."""
    if not names or not asked.defaults.get("sliding_window"):
        return None
    given = {"sliding_window": None, "layer_types": [min(names)] * len(asked.usual)}
    without = asked.tried(given)
    return "sliding_window" if without is not None and not still(without) else None


def _rotates_while(asked: Asked) -> dict[str, list[Any]]:
    """Keys with another value of which nothing turns."""
    found = {}
    for key in asked.keys(_OF_STILLNESS):
        usual = asked.defaults.get(key)
        for other in [not usual] if isinstance(usual, bool) else ["nope", "rope"] if isinstance(usual, str) else []:
            run = asked.tried({key: other})
            if run is not None and len(still(run)) == len(run) > len(still(asked.usual)):
                found[key] = [usual]
    return found


def _layer_flags(asked: Asked) -> dict[str, Any] | None:
    """A key with one entry a layer that says whether it turns, and the interval of those that do not."""
    count = len(asked.usual)
    for key in asked.keys(_OF_STILLNESS):
        if not isinstance(asked.defaults.get(key), list):
            continue
        run = asked.tried({key: [0] + [1] * (count - 1)})
        if run is None or still(run) != [0]:
            continue
        found: dict[str, Any] = {"key": key, "interval": _interval(asked, key, {})}
        for other in asked.keys(_OF_STILLNESS):
            if isinstance(asked.defaults_of_class().get(other), int) and _interval(asked, key, {other: 3}) == 3:
                found["interval_key"] = other
        return dict(sorted(found.items()))
    return None


def _interval(asked: Asked, key: str, given: Mapping[str, Any]) -> int | None:
    """n, where every n-th layer of a long configuration is flagged 0."""
    flags = getattr(_long(asked, given), key, None)
    found = flags.index(0) + 1 if flags and 0 in flags else None
    return found if found and flags == [int((i + 1) % found != 0) for i in range(len(flags))] else None


def _layer_types(asked: Asked) -> dict[str, Any] | None:
    """The types of a long model's layers where its file lists none; None where all are full attention."""
    types = _types(asked, {}, _LONG)
    if types is None or set(types) == {"full_attention"}:
        return None
    first, period = _period(types[:-1])
    found: dict[str, Any] = {"period": period} | ({"first": first} if first else {})
    if any(_ends_otherwise(_types(asked, {}, count), first, period) for count in range(_LONG, _LONG + len(period))):
        found["last"] = types[-1]
    for key in asked.keys(_OF_A_PERIOD):
        other = _types(asked, {key: 3}, _LONG)
        if other is not None and other != types and _period(other[:-1])[1] == [period[0]] * 2 + [period[-1]]:
            found["period_key"] = key
    return dict(sorted(found.items()))


def _layer_codes(asked: Asked) -> dict[str, Any] | None:
    """A key that lists a number for each layer in the place of its type, and what each number means."""
    for key in asked.keys(_OF_CODES):
        found = {}
        for code in _CODES:
            config = _long(asked, {key: [code] * _LONG})
            types = set(getattr(config, "layer_types", None) or ())
            if len(types) == 1:
                found[str(code)] = types.pop()
        if len(set(found.values())) > 1:
            return {"key": key, "names": found}
    return None


def _ends_otherwise(types: list[str] | None, first: list[str], period: list[str]) -> bool:
    """Whether the last layer is not the one whose turn it is."""
    return types is not None and types[-1] != period[(len(types) - 1 - len(first)) % len(period)]


def _types(asked: Asked, given: Mapping[str, Any], count: int) -> list[str] | None:
    types = getattr(_long(asked, given, count), "layer_types", None)
    return list(types) if types and len(types) == count else None


def _long(asked: Asked, given: Mapping[str, Any], count: int = _LONG) -> Any:
    key = next((key for key in _COUNTS if key in asked.defaults), None)
    return None if key is None else asked.made({key: count, **given})


def _period(types: list[str]) -> tuple[list[str], list[str]]:
    """The shortest beginning and period that make a list."""
    for total in range(1, len(types) + 1):
        for begin in range(total):
            length = total - begin
            if all(types[i] == types[i - length] for i in range(begin + length, len(types))):
                return types[:begin], types[begin:total]
    return types, []
