"""A slow reference of scalings that follow the length, with a cache: nothing here imports yarncore.

Keys are cached unrotated, with their positions, and rotated anew whenever they are read, at the scale that their row
has then. cos and sin are the formulas of the papers in float64. Layers that slide keep every key; the mask hides them.
"""

import contextlib
import functools
import math
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


@dataclass(frozen=True)
class Amplitudes:
    """What goes with the frequencies: on cos and sin, and on the logits."""

    attention: float = 1.0
    softmax: float = 1.0


def unscaled(base: float, dim: int) -> torch.Tensor:
    """theta_i = base^(-2i/d)."""
    return base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)


def doubling(length: int, original: int) -> float:
    """s rounded up to a power of two."""
    return 2.0 ** max(0, math.ceil(math.log2(length / original)))


@dataclass(frozen=True)
class DynamicYaRN:
    """arXiv:2309.00071v2, with the ramp of its released code: linear in the index of the dimension."""

    base: float
    dim: int
    original: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    deepseek: bool = False  # no factor on cos and sin, its square on the logits

    def __call__(self, length: int) -> tuple[torch.Tensor, Amplitudes]:
        theta, s = unscaled(self.base, self.dim), doubling(length, self.original)
        if s <= 1:
            return theta, Amplitudes()

        def dimension(turns: float) -> float:
            return self.dim * math.log(self.original / (turns * 2 * math.pi)) / (2 * math.log(self.base))

        low, high = dimension(self.beta_fast), dimension(self.beta_slow)
        if self.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, self.dim - 1)
        index = torch.arange(self.dim // 2, dtype=torch.float64)
        interpolated = ((index - low) / ((high - low) or 0.001)).clamp(0, 1)
        t = 0.1 * math.log(s) + 1
        amplitudes = Amplitudes(softmax=t * t) if self.deepseek else Amplitudes(attention=t)
        return theta * (1 - interpolated) + theta / s * interpolated, amplitudes


@dataclass(frozen=True)
class DynamicNTK:
    """base * (factor l / L - (factor - 1))^(d / (d - 2)), for l > L."""

    base: float
    dim: int
    original: int
    factor: float

    def __call__(self, length: int) -> tuple[torch.Tensor, Amplitudes]:
        ratio = max(length, self.original) / self.original
        alpha = self.factor * ratio - (self.factor - 1)
        return unscaled(self.base * alpha ** (self.dim / (self.dim - 2)), self.dim), Amplitudes()


@dataclass(frozen=True)
class LongRoPE:
    """A list of divisors up to L and another beyond."""

    base: float
    dim: int
    original: int
    factor: float
    short: tuple[float, ...]
    long: tuple[float, ...]

    def __call__(self, length: int) -> tuple[torch.Tensor, Amplitudes]:
        divisors = torch.tensor(self.long if length > self.original else self.short, dtype=torch.float64)
        attention = math.sqrt(1 + math.log(self.factor) / math.log(self.original))
        return unscaled(self.base, self.dim) / divisors, Amplitudes(attention)


@dataclass(frozen=True)
class Plain:
    """No scaling."""

    base: float
    dim: int

    def __call__(self, length: int) -> tuple[torch.Tensor, Amplitudes]:
        return unscaled(self.base, self.dim), Amplitudes()


Method = Callable[[int], tuple[torch.Tensor, Amplitudes]]


def section_of(pairs: int, sections: tuple[int, ...] | None, interleaved: bool) -> list[int]:
    """Which of a token's positions turns each pair."""
    if sections is None:
        return [0] * pairs
    if not interleaved:
        return [section for section, count in enumerate(sections) for _ in range(count)]
    of = [0] * pairs
    for section in (1, 2):
        for pair in range(section, 3 * sections[section], 3):
            of[pair] = section
    return of


@dataclass
class Rotary:
    """One layer type's: a method, and how its positions are laid out."""

    method: Method
    sections: tuple[int, ...] | None = None
    sections_interleaved: bool = False

    def turned(self, x: torch.Tensor, positions: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """x (rows, heads, tokens, dim), its first elements rotated in halves, each row at its own length."""
        rows = []
        for row, length in enumerate(lengths):
            theta, amplitudes = self.method(length)
            of = section_of(len(theta), self.sections, self.sections_interleaved)
            position = positions[:, row] if self.sections else positions[None, row]
            phase = torch.stack([position[section].double() for section in of], dim=-1) * theta
            cos, sin = (f(phase) * amplitudes.attention for f in (torch.cos, torch.sin))
            half = len(theta)
            a, b, rest = x[row, ..., :half].double(), x[row, ..., half : 2 * half].double(), x[row, ..., 2 * half :]
            rows.append(torch.cat(((a * cos - b * sin).to(x), (b * cos + a * sin).to(x), rest), dim=-1))
        return torch.stack(rows)


class SlowLayer(DynamicLayer):
    """Unrotated keys and their positions."""

    def __init__(self, in_values: bool) -> None:
        super().__init__()
        self.in_values = in_values
        self.positions: torch.Tensor | None = None
        self.pending: Any = None  # (rotary, positions) of the call that comes, None for a layer without rotation

    @property
    def lengths(self) -> list[int]:
        largest = self.positions.amax(dim=-1)
        return ((largest.amax(dim=0) if largest.ndim > 1 else largest) + 1).clamp(min=1).tolist()

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        keys, values = super().update(key_states, value_states)
        if self.pending is None:
            return keys, values
        (rotary, positions), self.pending = self.pending, None
        self.positions = positions if self.positions is None else torch.cat((self.positions, positions), dim=-1)
        lengths = [max(pair) for pair in zip(self.lengths, self.longest, strict=True)]
        if self.in_values:
            return keys, rotary.turned(values, self.positions, lengths)
        return rotary.turned(keys, self.positions, lengths), values

    longest: list[int]

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        super().reorder_cache(beam_idx)
        self.positions = self.positions.index_select(-2, beam_idx)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        super().batch_select_indices(indices)
        self.positions = self.positions[..., indices, :]

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self.positions = self.positions.repeat_interleave(repeats, dim=-2)

    def crop(self, tokens_to_remove: int) -> None:
        super().crop(tokens_to_remove)
        if tokens_to_remove:
            self.positions = self.positions[..., :tokens_to_remove]

    def activate_past_recording(self) -> None:
        """It keeps every key as it is."""


class Reference:
    """A model of transformers whose rotation and cache are these. Its modeling file is changed while it runs."""

    def __init__(self, model: Any, decoder: Any, rotaries: dict[Any, Rotary], functions: tuple[str, ...]) -> None:
        self.model = model
        self.decoder = decoder
        self.rotaries = rotaries
        self.functions = functions
        self.cache: Any = None
        self.lengths: list[int] = []

    def new_cache(self) -> Cache:
        """An empty one for this model."""
        latent = hasattr(self.decoder.config, "kv_lora_rank")
        layers = [SlowLayer(latent) for _ in range(self.decoder.config.num_hidden_layers)]
        self.cache = Cache(layers=layers)
        return self.cache

    def _rotary_forward(self, module: Any, x: torch.Tensor, position_ids: torch.Tensor, layer_type: Any = None) -> Any:
        rows = x.shape[0]
        positions = position_ids.expand(*position_ids.shape[:-2], rows, position_ids.shape[-1])
        largest = positions.amax(dim=-1)
        new = ((largest.amax(dim=0) if largest.ndim > 1 else largest) + 1).clamp(min=1).tolist()
        cached = [layer.lengths for layer in getattr(self.cache, "layers", []) if layer.positions is not None]
        self.lengths = [max(lengths) for lengths in zip(new, *cached, strict=True)]
        return self.rotaries[layer_type], positions

    def _apply(self, own: Any, q: torch.Tensor, k: torch.Tensor, rotary: Any, positions: Any, **how: Any) -> Any:
        if not isinstance(rotary, Rotary):  # another model of this file, such as one that drafts
            return own(q, k, rotary, positions, **how)
        if "interleave" in own.__name__:  # transformers leaves halves behind
            q, k = (torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1) for x in (q, k))
        q = rotary.turned(q, positions, self.lengths)
        if self.cache is None:
            return q, rotary.turned(k, positions, self.lengths)
        for layer in self.cache.layers:
            layer.pending, layer.longest = (rotary, positions), self.lengths
        return q, k

    def _on_logits(self, module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        rotary = next(iter(self.rotaries.values()))
        factors = [rotary.method(length)[1].softmax for length in self.lengths]
        return output * torch.tensor(factors, dtype=output.dtype)[:, None, None]

    def _before(self, decoder: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("cache") is None and kwargs.get("use_cache"):  # Phi-3 begins anew where its lists change
            kwargs["cache"] = self.new_cache()
        return args, kwargs

    @contextlib.contextmanager
    def running(self) -> Iterator[Any]:
        """The model, while its modeling file calls these functions."""
        modeling = sys.modules[type(self.decoder).__module__]
        before = {name: getattr(modeling, name) for name in self.functions}
        rotary = self.decoder.rotary_emb
        hooks = [
            module.register_forward_hook(self._on_logits)
            for name, module in self.decoder.named_modules()
            if name.endswith(("q_b_proj",))
        ]
        hooks.append(self.decoder.register_forward_pre_hook(self._before, with_kwargs=True))
        try:
            for name in self.functions:
                setattr(modeling, name, functools.partial(self._apply, before[name]))
            rotary.forward = types.MethodType(lambda module, *a, **k: self._rotary_forward(module, *a, **k), rotary)
            yield self.model
        finally:
            for name, function in before.items():
                setattr(modeling, name, function)
            del rotary.forward
            for hook in hooks:
                hook.remove()
