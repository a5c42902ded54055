"""The rotary embedding of each layer type in a GGUF file."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from yarncore.configs.gguf.architecture import Architecture
from yarncore.configs.gguf.layers import Layers
from yarncore.configs.gguf.scaling import Settings, check_unscaled, scaling_of, settings_of
from yarncore.configs.keys import Keys, warn
from yarncore.errors import ConfigError
from yarncore.query_scale import LogSteps
from yarncore.rope.rope import Rope

_BASE, _WINDOW_BASE, _SECTIONS = "rope.freq_base", "rope.freq_base_swa", "rope.dimension_sections"
_TURNING, _WINDOW_TURNING = "rope.dimension_count", "rope.dimension_count_swa"
_LENGTH, _WINDOW_LENGTH = "attention.key_length", "attention.key_length_swa"


class _Turn(NamedTuple):
    """By what layers of a type turn."""

    settings: Settings
    base: float
    plain: bool = False
    divided: bool = True


def ropes_of(
    keys: Keys, architecture: Architecture, layers: Layers, change: Callable[[Settings], Settings], base: float | None
) -> dict[str, Rope | None]:
    """Layer type -> Rope, or None where layers do not turn.

    Parameters
    ----------
    change : callable
        What a command line makes of the file's settings.
    base : float or None
        Of a command line.

    Raises
    ------
    ConfigError
        Where llama.cpp does what no Rope says, or does not load the file.
    """
    by_file = settings_of(keys, architecture, context_length(keys))
    own = _base(keys, architecture)
    full = _Turn(change(by_file), base or own)
    ropes: dict[str, Rope | None] = {}
    for name, windowed in layers.windowed.items():
        turn = _of_windows(keys, architecture, full, by_file, own) if windowed else full
        ropes[name] = None if name in layers.still else _rope(keys, architecture, windowed, turn, turn != full)
    if architecture.windows is not None:  # read by the loader, whether there are windows or not
        keys.seen.update((_WINDOW_BASE, _WINDOW_TURNING))
    return ropes


def context_length(keys: Keys) -> int:
    """The file's length, which llama.cpp requires."""
    length = keys.length("context_length")
    if length is None:
        raise keys.missing("context_length", "llama.cpp does not load a file without it")
    return length


def largest(keys: Keys, key: str) -> int | None:
    """A number, or the largest of one for each layer."""
    value = keys.raw(key)
    if isinstance(value, (list, tuple)) and value and all(type(one) is int and one >= 0 for one in value):
        return max(value) or None
    return keys.count(key)


def _base(keys: Keys, architecture: Architecture) -> float:
    base = keys.number(_BASE, above=1)
    if base is None:
        warn(f"{keys.name(_BASE)} is missing; llama.cpp takes 10000")
        base = 10_000.0
    if architecture.reads_alpha:  # llama.cpp, src/models/hunyuan-vl.cpp
        alpha, dim = keys.number("rope.scaling.alpha", at_least=0), _dimensions(keys, architecture, False)[0]
        if alpha:
            base *= alpha ** (dim / (dim - 2))
    return base


def _of_windows(keys: Keys, architecture: Architecture, full: _Turn, by_file: Settings, own: float) -> _Turn:
    """By what layers with a window turn."""
    windows = architecture.windows
    base = keys.number(_WINDOW_BASE, above=1)
    if windows is None:
        return full
    if not windows.reads_base:
        if base not in (None, own):
            warn(
                f"{keys.name(_WINDOW_BASE)} is {base:g}: llama.cpp does not use it for this architecture", finding=True
            )
        return full._replace(plain=windows.turn == "plain")
    base = base or windows.base or own
    if windows.turn == "plain":
        return full._replace(base=base, plain=True)
    factor = by_file.file_factor if windows.scaled else 1.0
    return _Turn(dataclasses.replace(full.settings, factor=factor), base, divided=windows.divided)


def _rope(keys: Keys, architecture: Architecture, windowed: bool, turn: _Turn, apart: bool) -> Rope:
    head_dim, rotary_dim = _dimensions(keys, architecture, windowed)
    try:
        scaling = None
        if apart and turn.settings.factor == 1 and not turn.plain:
            check_unscaled(keys, turn.settings)
        elif not turn.plain:
            scaling = scaling_of(keys, architecture, rotary_dim // 2, context_length(keys), turn.settings, turn.divided)
        sections = _sections(keys, architecture, rotary_dim // 2)
        return Rope(
            head_dim,
            turn.base,
            scaling,
            rotary_dim,
            interleaved=bool(architecture.interleaved) and sections is None,
            sections=sections,
            section_order="contiguous" if sections is None else architecture.sections or "contiguous",
            query_scale=_temperature(keys, architecture),
        )
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{keys.where}: {error}") from None


def _dimensions(keys: Keys, architecture: Architecture, windowed: bool) -> tuple[int, int]:
    """Elements of a head, or of its rotary slice, and how many of them turn."""
    turning = keys.count(_TURNING)
    if architecture.part_of_head:
        if turning is None:
            raise keys.missing(_TURNING, "how many elements of a head turn")
        return turning, turning
    head = _head_dim(keys, turning)
    if architecture.whole_head and turning not in (None, head):
        raise keys.error(_TURNING, f"{head}, the length of a head, or llama.cpp does not load the file:")
    turning = head if turning is None else turning
    its_head, its_turning = keys.count(_WINDOW_LENGTH) or head, keys.count(_WINDOW_TURNING) or turning
    if architecture.sizes_by_window and windowed:
        return its_head, its_turning
    if not architecture.sizes_by_window and (its_head, its_turning) != (head, turning):
        key = _WINDOW_LENGTH if its_head != head else _WINDOW_TURNING
        raise keys.error(key, "the number of the other layers (what else llama.cpp does there, is not known here)")
    return head, turning // 2 if architecture.half_turns else turning


def _head_dim(keys: Keys, turning: int | None) -> int:
    head = keys.count(_LENGTH)
    if head is not None:
        return head
    width, number = keys.count("embedding_length"), largest(keys, "attention.head_count")
    if width is not None and number is not None and width % number == 0:
        return width // number
    if turning is None:
        raise keys.missing(_LENGTH, "nothing says how long a head is")
    return turning


def _sections(keys: Keys, architecture: Architecture, pairs: int) -> tuple[int, ...] | None:
    """How many pairs turn by each of a token's positions; None where a token has one.

    llama.cpp, ggml/src/ggml-cpu/ops.cpp, ggml_mrope_cache_init: four counts, of which the fourth is of a position that text has
    not.
    """
    if architecture.sections is None:
        if architecture.ignores_sections:
            keys.seen.add(_SECTIONS)
        return None
    value = keys.raw(_SECTIONS)
    if value is None:
        if architecture.needs_sections:
            raise keys.missing(_SECTIONS, "llama.cpp does not load a file without it")
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 4 or not all(type(n) is int and n >= 0 for n in value):
        raise keys.error(_SECTIONS, "a list of four numbers of pairs")
    if not architecture.needs_sections and not (value[0] and value[1]):
        return None
    counts = tuple(value[:3])
    if value[3] or sum(counts) != pairs:
        raise keys.error(_SECTIONS, f"three numbers of pairs whose sum is {pairs}, and 0,")
    if architecture.sections == "interleaved":
        left = [str(pair) for pair in range(pairs) if pair >= 3 * counts[pair % 3]]
        if left:
            warn(
                f"{keys.name(_SECTIONS)} is {list(value)!r}: llama.cpp lets pairs {', '.join(left)}, which cannot be dealt out in "
                "turn, stand still; here they turn by the first position, as in transformers",
                finding=True,
            )
    return counts


def _temperature(keys: Keys, architecture: Architecture) -> LogSteps | None:
    """What multiplies queries by their position (llama.cpp, src/llama-graph.cpp, llm_graph_input_attn_temp)."""
    if architecture.temperature is None:
        return None
    scale = keys.number("attention.temperature_scale", at_least=0, below=2**53)
    if not scale:
        return None
    if architecture.temperature == "original":
        return LogSteps(scale, keys.length("rope.scaling.original_context_length") or context_length(keys))
    length = keys.length("attention.temperature_length")
    if length is None:
        raise keys.missing("attention.temperature_length", "attention.temperature_scale counts from it")
    return LogSteps(scale, length)
