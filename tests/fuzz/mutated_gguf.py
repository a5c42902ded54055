"""GGUF files, mutated by what they are made of: counts, lengths, types, key-values, arrays, tensors, byte order, truncation."""

import random
import struct
from dataclasses import dataclass, field
from typing import Any

from gguf_files import GOLDEN_FILES, key_values

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_COUNTS = (0, 1, 2, 3, 255, 2**16, 2**20, 2**31, 2**32, 2**53, 2**62, 2**63, 2**64 - 1)
_VALUES = (
    0, 1, 2, 3, 63, 64, 127, 255, 4096, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63, -1, -(2**31), 0.0, -0.0, 0.5, 1e-30, 1e30, 4.0,
    float("nan"), float("inf"), True, False, "", "yarn", "linear", "none", "longrope", "dynamic", "qwen3", "x" * 2000, "a\0b", [],
    [0], [1, 2, 3], [2] * 1000, [1.5] * 3, ["a", "b"], [True], ["x"] * 5000,
)  # fmt: skip
_KEYS = (
    "rope.freq_base", "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length", "rope.scale_linear",
    "rope.scaling.attn_factor", "rope.scaling.yarn_log_multiplier", "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor", "rope.dimension_count", "rope.dimension_sections",
    "attention.key_length", "attention.head_count", "attention.head_count_kv", "attention.key_length_mla", "embedding_length",
    "block_count", "context_length", "rope.freq_base_swa",
)  # fmt: skip
_BEYOND = ("general.alignment", "general.architecture", "split.no", "split.count", "", "\xe9", "k" * 1100)


@dataclass
class Entry:
    """A key-value; what is not None lies about what stands there."""

    key: bytes
    value: Any
    kind: int | None = None
    key_length: int | None = None
    length: int | None = None
    inner: int | None = None


@dataclass
class Tensor:
    """A tensor's description, and float32 data."""

    name: bytes
    data: list[float]
    shape: list[int] | None = None
    axes: int | None = None
    kind: int = 0
    offset: int | None = None


@dataclass
class File:
    """A GGUF file in parts; a count that is not None lies."""

    entries: list[Entry]
    tensors: list[Tensor]
    magic: bytes = b"GGUF"
    version: int = 3
    keys: int | None = None
    tensor_count: int | None = None
    order: str = "<"
    alignment: int = 32
    cut: float = 1.0
    damaged: list[tuple[float, int]] = field(default_factory=list)


def seeds() -> list[dict[str, Any]]:
    """The key-values of files that llama.cpp ran, with a vocabulary and what else converters write."""
    more = {
        "general.name": "seed", "general.alignment": 32, "tokenizer.ggml.tokens": ["a", "b", "c"] * 20,
        "tokenizer.ggml.scores": [0.5] * 60, "tokenizer.ggml.token_type": [1] * 60, "tokenizer.chat_template": "{" * 3000,
    }  # fmt: skip
    return [key_values(record) | more for record in GOLDEN_FILES]


def mutated(seed: dict[str, Any], generator: random.Random) -> File:
    """A file with one to three things changed."""
    entries = [Entry(key.encode(), value) for key, value in seed.items() if not key.endswith(".weight")]
    tensors = [Tensor(key.encode(), list(value)) for key, value in seed.items() if key.endswith(".weight")]
    file = File(entries, [*tensors, Tensor(b"token_embd.weight", [0.0] * 16)])
    for _ in range(generator.randint(1, 3)):
        how = generator.choices((_a_value, _the_keys, _a_type, _a_length, _a_tensor, _the_frame), (50, 25, 5, 3, 8, 5))[
            0
        ]
        how(file, generator)
    return file


def _a_value(file: File, generator: random.Random) -> None:
    entry = _one(file, generator)
    if isinstance(entry.value, float) and generator.random() < 0.5:
        entry.value = entry.value * generator.choice((-1.0, 0.5, 2.0, 1e6, 1e-6))
    elif type(entry.value) is int and generator.random() < 0.5:
        entry.value = max(0, entry.value + generator.choice((-1, 1, entry.value, 2**20)))
    else:
        entry.value = generator.choice(_VALUES)


def _the_keys(file: File, generator: random.Random) -> None:
    how, entry = generator.random(), _one(file, generator)
    if how < 0.25:
        file.entries.remove(entry)
    elif how < 0.3:
        file.entries.append(Entry(entry.key, entry.value))
    elif how < 0.9:
        architecture = next((one.value for one in file.entries if one.key == b"general.architecture"), "llama")
        name = f"{architecture}.{generator.choice(_KEYS)}" if how < 0.85 else generator.choice(_BEYOND)
        file.entries = [one for one in file.entries if one.key != name.encode() or how > 0.87]
        value = generator.choice(_VALUES) if generator.random() < 0.5 else generator.choice((4, 2.0, 4096, "yarn", 1e6))
        file.entries.append(Entry(name.encode(), value))
    else:
        entry.key = generator.choice((entry.key[:-1], entry.key + b"\xff", entry.key.upper(), entry.key + b"\0"))


def _a_type(file: File, generator: random.Random) -> None:
    entry = _one(file, generator)
    if generator.random() < 0.3 and isinstance(entry.value, list):
        entry.inner = generator.choice((*_NUMBERS, _STRING, _ARRAY, 13, 2**31))
    else:
        entry.kind = generator.choice((*_NUMBERS, _STRING, _ARRAY, 13, 99, 2**31))
    if generator.random() < 0.3:
        entry.value, entry.kind = [[1]] * generator.choice((1, 3, 2000)), None
        for _ in range(generator.randint(0, 6)):
            entry.value = [entry.value]


def _a_length(file: File, generator: random.Random) -> None:
    entry = _one(file, generator)
    if generator.random() < 0.4:
        entry.key_length = generator.choice(_COUNTS)
    else:
        entry.length = generator.choice(_COUNTS)


def _a_tensor(file: File, generator: random.Random) -> None:
    how, tensor = generator.random(), generator.choice(file.tensors)
    if how < 0.3:
        name = generator.choice(("rope_freqs", "rope_factors_short", "rope_factors_long"))
        number = generator.choice((1.0, 8.0, 0.5, 0.0, -1.0, float("nan"), float("inf")))
        file.tensors.append(Tensor(f"{name}.weight".encode(), [number] * generator.choice((0, 1, 31, 32, 64))))
    elif how < 0.5:
        tensor.shape = generator.choice(([], [0], [32, 1], [2**63], [2**32, 2**32], [1] * 9, [len(tensor.data)]))
    elif how < 0.65:
        tensor.offset = generator.choice((*_COUNTS, 31))
    elif how < 0.8:
        tensor.kind = generator.choice((1, 2, 30, 2**32 - 1))
    elif how < 0.85:
        tensor.axes = generator.choice((0, 2, 9, 2**31))
    elif how < 0.95:
        tensor.data = [generator.choice((1.0, 0.0, 1e30, float("nan"))) for _ in tensor.data]
    else:
        file.tensors.append(Tensor(tensor.name, tensor.data))


def _the_frame(file: File, generator: random.Random) -> None:
    how = generator.random()
    if how < 0.1:
        file.magic = generator.choice((b"GGML", b"FUGG", b"\0\0\0\0", b"GG"))
    elif how < 0.3:
        file.version = generator.choice((0, 1, 2, 4, 99, 2**31, 3 << 24))
    elif how < 0.4:
        file.keys = generator.choice((*_COUNTS, len(file.entries) - 1, len(file.entries) + 1))
    elif how < 0.5:
        file.tensor_count = generator.choice((*_COUNTS, len(file.tensors) - 1))
    elif how < 0.6:
        file.order = ">"
    elif how < 0.7:
        file.alignment = generator.choice((1, 8, 64, 4096))
    elif how < 0.85:
        file.cut = generator.random()
    else:
        file.damaged = [(generator.random(), generator.randrange(256)) for _ in range(generator.randint(1, 4))]


def _one(file: File, generator: random.Random) -> Entry:
    """A key-value, more often one that concerns the rotation."""
    concerned = [entry for entry in file.entries if b"." in entry.key and not entry.key.startswith((b"tok", b"gen"))]
    if not file.entries:
        file.entries.append(Entry(b"general.architecture", "llama"))
    return generator.choice(concerned if concerned and generator.random() < 0.7 else file.entries)


def written(file: File) -> bytes:
    """The bytes of a file, with its lies."""
    order = file.order
    parts = [file.magic, struct.pack(order + "I", file.version)]
    for said, there in ((file.tensor_count, file.tensors), (file.keys, file.entries)):
        parts.append(struct.pack(order + "Q", len(there) if said is None else said))
    for entry in file.entries:
        kind, raw = _value(entry.value, entry, order)
        parts.append(_text(entry.key, order, entry.key_length))
        parts.append(struct.pack(order + "I", kind if entry.kind is None else entry.kind) + raw)
    data = b""
    for tensor in file.tensors:
        shape = [len(tensor.data)] if tensor.shape is None else tensor.shape
        parts.append(_text(tensor.name, order))
        parts.append(struct.pack(order + "I", len(shape) if tensor.axes is None else tensor.axes))
        parts.append(struct.pack(f"{order}{len(shape)}Q", *shape))
        parts.append(struct.pack(order + "IQ", tensor.kind, len(data) if tensor.offset is None else tensor.offset))
        data += struct.pack(f"{order}{len(tensor.data)}f", *tensor.data)
        data += bytes(-len(data) % file.alignment)
    whole = bytearray(b"".join(parts))
    whole += bytes(-len(whole) % file.alignment) + data
    for at, byte in file.damaged:
        whole[int(at * len(whole))] = byte
    return bytes(whole[: int(file.cut * len(whole)) if file.cut < 1 else None])


def _text(raw: bytes, order: str, said: int | None = None) -> bytes:
    return struct.pack(order + "Q", len(raw) if said is None else said) + raw


def _value(value: Any, entry: Entry, order: str, outermost: bool = True) -> tuple[int, bytes]:
    """The type and the bytes of a value as converters write it."""
    said = entry.length if outermost else None
    if isinstance(value, str):
        return _STRING, _text(value.encode("utf-8", "surrogatepass"), order, said)
    if isinstance(value, list):
        inner, raws = 4, []
        for one in value:
            inner, raw = _value(one, entry, order, False)
            raws.append(raw)
        if outermost and entry.inner is not None:
            inner = entry.inner
        return _ARRAY, struct.pack(order + "IQ", inner, len(value) if said is None else said) + b"".join(raws)
    kind = 7 if isinstance(value, bool) else 6 if isinstance(value, float) else 4
    if kind == 4 and not 0 <= value < 2**32:
        kind = 11 if value < 2**63 else 10
    if kind == 6 and abs(value) > 3e38:
        value = float("inf") if value > 0 else -float("inf")
    elif kind in (10, 11):
        value = max(-(2**63), min(value, 2**64 - 1))
    return kind, struct.pack(order + _NUMBERS[kind], value)
