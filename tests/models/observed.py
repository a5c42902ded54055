"""What the layers of a model do to queries and keys: seen by running it, with its own rotation functions watched."""

import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from counted import InPlaceOfCounts

# The functions of a modeling file that rotate, and which of their arguments are rotated.
ROTATES = re.compile(r"^_?(vision_)?apply_(rotary|multidimensional)_")
_ROTATED = frozenset(["q", "k", "v", "x", "xq", "xk", "tensor", "query", "key", "hidden_states"])
# Modules that choose what attention looks at; their rotation never reaches a score.
_BESIDE = ("Indexer", "Compressor")
_LAYER = re.compile(r"(?:^|\.)(\d+)(?:\.|$)")
_INNER = re.compile(r"self_attn\.([01])\b")


@dataclass(frozen=True, slots=True)
class RotationCall:
    """One call of a rotation function: what it does to each unit vector, at each position.

    Attributes
    ----------
    module : str
        The class of the module that called.
    own_positions : bool
        The rotary module takes no positions: tokens stand where they stand.
    maps : list of Tensor
        For each array that it rotates: (positions, outputs, inputs).
    """

    layer: int | None
    module: str
    function: str
    own_positions: bool
    maps: list[torch.Tensor]


@dataclass(frozen=True, slots=True)
class AttentionCall:
    """One call of an attention function: its softmax factor and how long its queries are."""

    layer: int | None
    module: str
    scaling: float | None
    query_dim: int


@dataclass(slots=True)
class Seen:
    """All that was seen while a model ran once."""

    rotations: list[RotationCall] = field(default_factory=list)
    attentions: list[AttentionCall] = field(default_factory=list)
    output: Any = None


class Watch:
    """Watches the rotation functions of all modeling files that a model is made of, while it runs."""

    def __init__(self, model: torch.nn.Module, positions: torch.Tensor, frozen: bool = False) -> None:
        self.model = model
        self.positions = positions  # (tokens,) or (sections, tokens)
        self.frozen = frozen  # True: nothing is rotated
        self.seen = Seen()
        self._stack: list[str] = []
        self._cycles: list[int] = []
        self._inside = False
        self._placed = False
        self._tokens = positions.shape[-1]
        self._paths = {module: path for path, module in model.named_modules()}
        self._of_encoder = _layers_of_encoder(model)

    @contextmanager
    def watching(self) -> Iterator[None]:
        replaced: list[tuple[Any, str, Any]] = []
        handles = []
        try:
            for module in self._modeling_files():
                for name, function in list(vars(module).items()):
                    if callable(function) and ROTATES.match(name):
                        replaced.append((module, name, function))
                        setattr(module, name, self._rotation(name, function))
                    elif name == "get_patches_center_coordinates":
                        replaced.append((module, name, function))
                        setattr(module, name, self._centres)
                    elif name == "compute_embeddings":
                        replaced.append((module, name, function))
                        setattr(module, name, self._counted(function))
                    elif callable(function) and name == "eager_attention_forward":
                        replaced.append((module, name, function))
                        setattr(module, name, self._attention(function))
            for module, path in self._paths.items():
                handles.append(module.register_forward_pre_hook(self._enter(path), with_kwargs=True))
                handles.append(module.register_forward_hook(self._leave, always_call=True))
                if "Rotary" in type(module).__name__:
                    handles.append(module.register_forward_pre_hook(self._at_positions, with_kwargs=True))
            yield
        finally:
            for module, name, function in replaced:
                setattr(module, name, function)
            for handle in handles:
                handle.remove()

    def _modeling_files(self) -> list[Any]:
        names = {type(module).__module__ for module in self.model.modules()}
        return [sys.modules[name] for name in sorted(names) if ".models." in name and "modeling_" in name]

    def _enter(self, path: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
            self._stack.append(path)
            self._cycles.append(kwargs.get("cycle_offset", 0))

        return hook

    def _leave(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        self._stack.pop()
        self._cycles.pop()

    def _layer(self) -> int | None:
        for path in reversed(self._stack):
            found = _LAYER.search(path)
            if found:
                inner = _INNER.search(path)  # longcat_flash: two attentions in a layer
                cycle = max(self._cycles)  # hrm_text: layers run several times over, each time as another
                cycle += self._of_encoder if path.startswith("decoder.") else 0
                return cycle + int(found[1]) if inner is None else 2 * int(found[1]) + int(inner[1])
        return None

    def _at_positions(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Puts our positions in the place of those that the rotary module is called with."""
        names = list(inspect.signature(module.forward).parameters)
        if "position_ids" not in names:
            return None
        at = names.index("position_ids")
        own = args[at] if at < len(args) else kwargs["position_ids"]
        if not isinstance(own, torch.Tensor) or own.shape[-1] != self.positions.shape[-1]:
            return None
        ours = self.positions
        if own.ndim == 3:
            ours = (ours if ours.ndim == 2 else ours.expand(own.shape[0], -1))[:, None]
        elif ours.ndim == 2:
            ours = ours[:1]
        ours = ours[: own.shape[0]] if own.ndim == 3 else ours
        ours = ours.expand(own.shape).to(own.dtype)
        self._placed = True
        if at < len(args):
            return (*args[:at], ours, *args[at + 1 :]), kwargs
        return args, {**kwargs, "position_ids": ours}

    def _centres(self, rows: int, columns: int, dtype: torch.dtype, device: Any) -> torch.Tensor:
        """Our positions in the place of the coordinates of patches, which DINOv3's module takes times 2 pi.

        Before the patches is one token that stands still; what patches there are too many stand where the last one does.
        """
        self._placed = True
        self._tokens = 1 + rows * columns
        order = torch.arange(1, self._tokens).clamp(max=self.positions.shape[-1] - 1)
        return (self.positions[:2, order].T.double() / (2 * math.pi)).to(dtype)

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function that makes EfficientLoFTR's angles, with our positions where it counts rows and columns."""

        def watched(*args: Any) -> Any:
            self._placed = True
            with InPlaceOfCounts(self.positions[:2]):
                return function.__wrapped__(*args)  # type: ignore[attr-defined]  # what it made before is kept beside it

        return watched

    def _rotation(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function.forward if isinstance(function, torch.nn.Module) else function)

        def watched(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            rotated = [
                key
                for key, value in bound.arguments.items()
                if key in _ROTATED and isinstance(value, torch.Tensor) and value.is_floating_point()
            ]
            self._inside = True
            try:
                if not self.frozen:
                    if self._reaches_attention():
                        self._note(name, function, bound, rotated)
                    return function(*args, **kwargs)
                result = function(*args, **kwargs)
                kept = [bound.arguments[key] for key in rotated]
                return (*kept, *result[len(kept) :]) if isinstance(result, tuple) else kept[0]
            finally:
                self._inside = False

        return watched

    def _reaches_attention(self) -> bool:
        return not any(word in self._caller() for word in _BESIDE)

    def _caller(self) -> str:
        return type(self.model.get_submodule(self._stack[-1] if self._stack else "")).__name__

    def _note(self, name: str, function: Any, bound: inspect.BoundArguments, rotated: Sequence[str]) -> None:
        arguments = _of_one(bound.arguments, bound.arguments[rotated[0]].shape[0])
        for key in rotated:
            arguments[key] = _unit_vectors(arguments[key])
        again = inspect.BoundArguments(bound.signature, arguments)  # type: ignore[arg-type]
        result = function(*again.args, **again.kwargs)
        outputs = result if isinstance(result, tuple) else (result,)
        maps = [_map(output, bound.arguments[key], self._tokens) for key, output in zip(rotated, outputs, strict=False)]
        maps = [one[: self.positions.shape[-1]] for one in maps]
        self.seen.rotations.append(RotationCall(self._layer(), self._caller(), name, not self._placed, maps))

    def _attention(self, function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)

        def watched(*args: Any, **kwargs: Any) -> Any:
            arguments = signature.bind(*args, **kwargs).arguments
            scaling = arguments.get("scaling")
            query = arguments.get("query")
            if scaling is None:
                scaling = getattr(arguments.get("module"), "scaling", None)
            if isinstance(query, torch.Tensor):
                scaling = float(scaling) if isinstance(scaling, (int, float)) else None
                module = type(arguments["module"]).__name__
                self.seen.attentions.append(AttentionCall(self._layer(), module, scaling, query.shape[-1]))
            return function(*args, **kwargs)

        return watched


def _layers_of_encoder(model: torch.nn.Module) -> int:
    """How many layers come before those of a decoder, in a model of both."""
    both = [getattr(getattr(model, part, None), "layers", None) for part in ("encoder", "decoder")]
    return 0 if None in both else len(both[0])


def _of_one(arguments: Mapping[str, Any], batch: int) -> dict[str, Any]:
    """The arguments for the first of a batch, where what the others are turned by is the same."""
    found = dict(arguments)
    for key, value in arguments.items() if batch > 1 else ():
        if isinstance(value, torch.Tensor) and value.ndim > 1 and value.shape[0] == batch:
            if key not in _ROTATED and not torch.equal(value, value[:1].expand_as(value)):
                raise ValueError(f"{key} differs from one of the batch to the next")
            found[key] = value[:1]
    return found


def _unit_vectors(x: torch.Tensor) -> torch.Tensor:
    """Every unit vector, along the axis of the batch, in the place of each token and head of x."""
    if x.shape[0] != 1:
        raise ValueError(
            f"a rotation function was given an array of shape {tuple(x.shape)}; a batch of one is expected"
        )
    dim = x.shape[-1]
    units = torch.eye(dim, dtype=x.dtype).reshape(dim, *[1] * (x.ndim - 2), dim)
    return units.expand(dim, *x.shape[1:]).contiguous()


def _map(output: torch.Tensor, given: torch.Tensor, tokens: int) -> torch.Tensor:
    """(unit vectors, ..., outputs) as (positions, outputs, inputs); every head must be turned alike."""
    axes = [axis for axis in range(1, given.ndim - 1) if given.shape[axis] == tokens]
    if len(axes) != 1:
        raise ValueError(f"no single axis of {tokens} tokens in {tuple(given.shape)}")
    turned = output.movedim(axes[0], 1).double()  # (inputs, tokens, ..., outputs)
    turned = turned.reshape(turned.shape[0], tokens, -1, turned.shape[-1])
    if not torch.equal(turned, turned[:, :, :1].expand_as(turned)):
        raise ValueError("the heads are turned differently")
    return turned[:, :, 0].permute(1, 2, 0)


def observe(model: torch.nn.Module, positions: torch.Tensor, inputs: dict[str, Any], frozen: bool = False) -> Seen:
    """Runs a model with its rotary modules at the given positions, and tells what was seen."""
    watch = Watch(model, positions, frozen)
    with torch.no_grad(), watch.watching():
        watch.seen.output = model(**inputs)
    return watch.seen
