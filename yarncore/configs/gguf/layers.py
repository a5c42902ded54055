"""The type of each layer in a GGUF file: which look at a window, and which turn."""

from dataclasses import dataclass

from yarncore.configs.gguf.architecture import Architecture, Still
from yarncore.configs.huggingface.layers import NO_ROPE
from yarncore.configs.keys import Keys
from yarncore.configs.model_ropes import FULL

_WINDOW, _PATTERN = "attention.sliding_window", "attention.sliding_window_pattern"


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of a model.

    Attributes
    ----------
    names : tuple of str
        The type of each; empty where the file does not tell how many there are.
    windowed : dict of str to bool
        Type -> whether it looks at a window.
    still : frozenset of str
        Types that do not turn.
    """

    names: tuple[str, ...]
    windowed: dict[str, bool]
    still: frozenset[str]


def layers_of(keys: Keys, architecture: Architecture) -> Layers:
    """The type of each layer, by the keys of a file and what its architecture makes of them.

    Raises
    ------
    ConfigError
        Where the file leaves out what llama.cpp does not load it without.
    """
    blocks = keys.layers("block_count")
    if blocks is None:
        types = _of_count(keys, architecture, _one_period(keys, architecture))
        return Layers((), types.windowed, types.still)
    ahead = keys.count("nextn_predict_layers", least=0) or 0
    if ahead > blocks:
        raise keys.error("nextn_predict_layers", f"a number of layers, at most block_count = {blocks},")
    return _of_count(keys, architecture, blocks - ahead)  # the last ones predict further tokens, beside the model


def _one_period(keys: Keys, architecture: Architecture) -> int:
    """So many layers that each type is among them."""
    windows = architecture.windows
    others = (architecture.still, architecture.recurrent, architecture.only_with_layers)
    if any(one is not None for one in others) or (windows is not None and windows.block_count is not None):
        raise keys.missing("block_count", "llama.cpp does not load a file without it")
    if windows is None:
        return 1
    value = keys.lookup(_PATTERN)
    return len(value) if isinstance(value, (list, tuple)) else keys.layers(_PATTERN) or windows.period or 1


def _of_count(keys: Keys, architecture: Architecture, count: int) -> Layers:
    windowed = _windowed(keys, architecture, count)
    turn = _turning(keys, architecture, count, windowed)
    recurrent = _recurrent(keys, architecture, count)
    names = _names(architecture, windowed, turn, recurrent)
    still = {name for name, turns, without in zip(names, turn, recurrent, strict=True) if without or not turns}
    return Layers(tuple(names), dict(zip(names, windowed, strict=True)) or {FULL: False}, frozenset(still))


def _all_turn(keys: Keys, architecture: Architecture) -> bool:
    if not architecture.can_be_still:
        return True
    return keys.flag("rope.scaling.finetuned") is not False


def _has_windows(keys: Keys, architecture: Architecture, count: int) -> bool:
    windows = architecture.windows
    if windows is None or windows.block_count not in (None, count):
        return False
    size = keys.count(_WINDOW, least=0)
    if windows.on == "always" or (size is None and windows.on == "unless 0") or size:
        return True
    if windows.needed:
        raise keys.error(_WINDOW, "a number of tokens > 0 (llama.cpp stops at such a model without windows)")
    return False


def _windowed(keys: Keys, architecture: Architecture, count: int) -> list[bool]:
    """Which layers look at a window."""
    windows = architecture.windows
    if windows is None or not _has_windows(keys, architecture, count):
        keys.seen.add(_PATTERN)
        return [False] * count
    if isinstance(keys.lookup(_PATTERN), (list, tuple)):
        listed = _flags(keys, _PATTERN)[:count]
        return listed + [False] * (count - len(listed))
    if windows.period is None:
        raise keys.error(_PATTERN, "a list with an entry for each layer")
    period = keys.count(_PATTERN, least=0)
    period = windows.period if period is None else period
    full = 0 if windows.full_first else period - 1
    return [period == 0 or layer % period != full for layer in range(count)]


def _turning(keys: Keys, architecture: Architecture, count: int, windowed: list[bool]) -> list[bool]:
    """Which layers turn."""
    windows, with_windows = architecture.windows, _has_windows(keys, architecture, count)
    turn = [_all_turn(keys, architecture)] * count
    if architecture.only_with_layers not in (None, count):
        turn = [False] * count
    if windows is not None and windows.full_still and with_windows:
        turn = list(windowed)
    if architecture.still is not None:
        turn = [not _is_still(architecture.still, layer, with_windows) for layer in range(count)]
    if architecture.rope_pattern and keys.has("attention.rope_pattern"):
        listed = _flags(keys, "attention.rope_pattern")[:count]
        turn = listed + [True] * (count - len(listed))
    if architecture.leading_dense_turn:
        dense = keys.count("leading_dense_block_count", least=0) or 0
        turn = [turns or layer < dense for layer, turns in enumerate(turn)]
    return turn


def _is_still(still: Still, layer: int, with_windows: bool) -> bool:
    if not with_windows and not still.without_windows:
        return False
    return (layer if still.first else layer + 1) % still.every == 0


def _recurrent(keys: Keys, architecture: Architecture, count: int) -> list[bool]:
    """Which layers have no attention."""
    if architecture.recurrent is None:
        return [False] * count
    if architecture.recurrent != "linear_attention":
        heads = keys.raw("attention.head_count_kv")
        listed = isinstance(heads, (list, tuple))
        if listed and len(heads) < count:
            raise keys.error("attention.head_count_kv", f"a list of {count} numbers")
        return [listed and heads[layer] == 0 for layer in range(count)]
    if keys.has("attention.recurrent_layers"):
        value = keys.lookup("attention.recurrent_layers")
        if not isinstance(value, (list, tuple)):
            return [bool(keys.count("attention.recurrent_layers", least=0))] * count
        found = _flags(keys, "attention.recurrent_layers")
        if len(found) < count:
            raise keys.error("attention.recurrent_layers", f"a list of {count} entries")
        return found[:count]
    interval = keys.count("full_attention_interval") or 4
    return [(layer + 1) % interval != 0 for layer in range(count)]


def _flags(keys: Keys, key: str) -> list[bool]:
    value = keys.raw(key)
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, int) and one >= 0 for one in value):
        raise keys.error(key, "a list of true and false")
    return [bool(one) for one in value]


def _names(architecture: Architecture, windowed: list[bool], turn: list[bool], recurrent: list[bool]) -> list[str]:
    """Types of layers, by the names of transformers where it has such layers."""
    window_name = FULL if architecture.windows is None else architecture.windows.name
    mixed = any(
        turns and not window and not without for window, turns, without in zip(windowed, turn, recurrent, strict=True)
    )
    names = []
    for window, turns, without in zip(windowed, turn, recurrent, strict=True):
        if without:
            names.append(str(architecture.recurrent))
        elif window:
            names.append(window_name if turns else f"{window_name}_{NO_ROPE}")
        else:
            names.append(NO_ROPE if mixed and not turns else FULL)
    return names
