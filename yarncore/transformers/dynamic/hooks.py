"""What runs before and after a decoder's forward, so that its rotary module knows lengths and its cache their scales."""

import inspect
import threading
from typing import Any

import torch
from transformers import DynamicCache

from yarncore.transformers.dynamic.one_forward import Forward
from yarncore.transformers.dynamic.outside_graphs import outside_graphs
from yarncore.transformers.dynamic.record import CacheRecord, Keys
from yarncore.transformers.dynamic.tracked_cache import track

_NAMES = ("cache", "past_key_values", "layer_past")


class CacheFollower:
    """Follows the cache of one decoder.

    Parameters
    ----------
    strategy : "rerotated" or "unrotated"
        rerotated: cached keys are rotated, and turned when a row takes a step. unrotated: they are rotated as they are
        read, in every forward.
    """

    def __init__(self, strategy: Keys = "rerotated") -> None:
        self.strategy: Keys = strategy
        self._thread = threading.local()

    @property
    def forward(self) -> Forward:
        """The one that runs in this thread; outside of any, one without a cache."""
        current = getattr(self._thread, "forward", None)
        return Forward(None) if current is None else current

    def before(self, decoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Find the cache, or make the one that the decoder would make, and begin."""
        self._thread.forward = None
        cache = _argument(decoder, args, kwargs, *_NAMES)
        if cache is None and _makes_cache(decoder, args, kwargs):
            cache = kwargs["cache"] = DynamicCache(config=decoder.config)
        if cache is None:
            self._thread.forward = Forward(None)
            return args, kwargs
        self._begin(cache)
        return args, kwargs

    @outside_graphs
    def _begin(self, cache: Any) -> None:
        record = track(cache, self.strategy)
        cache._forward = self._thread.forward = Forward(record)
        self._thread.cache = cache

    def after(self, decoder: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Take note of the tokens that every layer has now."""
        forward: Forward | None = self._thread.forward
        self._thread.forward = None
        if forward is not None and forward.record is not None:
            self._end(forward, forward.record)

    @outside_graphs
    def _end(self, forward: Forward, record: CacheRecord) -> None:
        cache, self._thread.cache = self._thread.cache, None
        cache._forward = None
        if forward.positions is not None:
            record.append(forward.positions, forward.lengths)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_thread"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._thread = threading.local()


class Hooks:
    """A change of a decoder that can be made and undone: a follower's hooks on it."""

    def __init__(self, decoder: torch.nn.Module, follower: CacheFollower) -> None:
        self.decoder = decoder
        self.follower = follower
        self._handles: list[Any] = []

    def make(self) -> None:
        """Hook it."""
        self._handles = [
            self.decoder.register_forward_pre_hook(self.follower.before, with_kwargs=True),
            self.decoder.register_forward_hook(self.follower.after, with_kwargs=True),
        ]

    def undo(self) -> None:
        """Unhook it."""
        for handle in self._handles:
            handle.remove()
        self._handles = []


def _argument(decoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *names: str) -> Any:
    """What was given under one of these names, by name or by place; None: nothing."""
    given = next((kwargs[name] for name in names if kwargs.get(name) is not None), None)
    if given is not None or not args:
        return given
    placed = dict(zip(inspect.signature(decoder.forward).parameters, args, strict=False))
    return next((placed[name] for name in names if placed.get(name) is not None), None)


def _makes_cache(decoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    use_cache = _argument(decoder, args, kwargs, "use_cache")
    if use_cache is None:
        use_cache = getattr(decoder.config, "use_cache", False)
    checkpointed = getattr(decoder, "gradient_checkpointing", False) and decoder.training and torch.is_grad_enabled()
    return bool(use_cache) and not checkpointed
