"""The short cut of plain calls against the checked road, on random calls, right and wrong ones.

Where it answers, the checks would have let the call through and its bits are theirs, in all of the memory around; where it
declines, nothing was written.
"""

import collections
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import yarncore as yc
from yarncore.backends.choice import choose
from yarncore.backends.native.plain_call import short_cut_of
from yarncore.backends.native.torch_tensors import register_once
from yarncore.request.heads import AUTOMATIC_HEADS_AXIS
from yarncore.request.request import make_request

REGION = 4096  # elements between arrays that do not share memory; the widest array here spans less than a half of it
ROTATIONS = {
    "plain": yc.Rope(8).at(),
    "partial, interleaved, backwards": yc.Rope(8, rotary_dim=4, interleaved=True, scaling=yc.YaRN(4.0, 32))
    .at()
    .inverse,
    "of any head_dim": yc.Rotation([1.0, 0.3, -0.1, 0.01], 1.5),
    "a slice in the middle": yc.Rope(8, rotary_dim=4, rotary_start=3, reversed=True).at(),
    "sections": yc.Rope(8, sections=(2, 1, 1), section_order="interleaved").at(),
    "scaled queries": yc.Rope(8, rotary_dim=4, rotary_start=2, query_scale=yc.LogSteps(0.5, 3)).at(),
    "a row of steps": yc.Rope(8, scaling=yc.DynamicYaRN(64, steps="doubling")).at([300]),
    "a row a token": yc.Rope(8, scaling=yc.DynamicYaRN(64)).at([70, 300, 7]),
}
SELDOM = {"a row a token"}  # its last axis of tokens must have 3 of them
DTYPES = {
    "numpy": [np.float32, np.float64, np.float16, ml_dtypes.bfloat16],
    "torch": [torch.float32, torch.float64, torch.float16, torch.bfloat16],
}
WRONG_DTYPES = {"numpy": [np.int32, np.complex64, np.dtype(">f4")], "torch": [torch.int32, torch.complex64]}
FLAGS = {"numpy": ["read-only", "memmap"], "torch": ["requires grad", "negated", "inference", "subclass", "parameter"]}


class Subclass(torch.Tensor):
    pass


@dataclass(frozen=True)
class Layout:
    """Where an array lies in the memory of a call, in elements."""

    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: Any
    flag: str | None

    def place(self, framework: str, memory: np.ndarray) -> Any:
        if framework == "numpy":
            dtype = np.dtype(self.dtype)
            strides = [stride * dtype.itemsize for stride in self.strides]
            x = np.ndarray(self.shape, dtype, memory, self.offset * dtype.itemsize, strides)
            x.flags.writeable = self.flag != "read-only"
            return x.view(np.memmap) if self.flag == "memmap" else x
        with torch.inference_mode() if self.flag == "inference" else nullcontext():
            x = torch.from_numpy(memory).view(self.dtype).as_strided(self.shape, self.strides, self.offset)
        if self.flag == "requires grad" and self.dtype.is_floating_point:
            x.requires_grad_()
        wrap = {"negated": torch._neg_view, "subclass": lambda x: x.as_subclass(Subclass),
                "parameter": lambda x: torch.nn.Parameter(x, requires_grad=False)}  # fmt: skip
        return wrap.get(self.flag, lambda x: x)(x)


@dataclass(frozen=True)
class Call:
    rotation: str
    framework: str
    arrays: tuple[Layout, ...]
    outputs: Any  # "in place", "the inputs", None, or layouts
    out_is_list: bool
    positions: Any
    heads_axis: Any
    grad: bool
    query: Any

    def arguments(self, memory: np.ndarray) -> tuple[Any, ...]:
        """q, k, positions, heads_axis, in_place, out, query: made anew in this memory."""
        inputs = [layout.place(self.framework, memory) for layout in self.arrays]
        out = None
        if self.outputs == "the inputs":
            out = inputs
        elif isinstance(self.outputs, tuple):
            out = [layout.place(self.framework, memory) for layout in self.outputs]
        if out is not None:
            out = (out if self.out_is_list else tuple(out)) if len(out) != 1 else out[0]
        q, k = (*inputs, None)[:2]
        return q, k, self.positions, self.heads_axis, self.outputs == "in place", out, self.query


def seldom(draw, usual, unusual, one_in=12):
    """The usual value, or one of the unusual ones."""
    return draw(st.sampled_from(unusual)) if draw(st.integers(1, one_in)) == one_in else usual


@st.composite
def layouts(draw, framework, region, shape, dtype):
    """An array of a shape, its axes in any order in memory, with gaps, running backwards, or repeating memory."""
    order = draw(st.permutations(range(len(shape)))) if draw(st.booleans()) else range(len(shape))[::-1]
    strides, step = [0] * len(shape), seldom(draw, 1, [2])
    for axis in order:
        strides[axis] = step
        step *= max(shape[axis], 1)
    offset = region * REGION
    if shape and seldom(draw, False, [True]):
        strides[draw(st.integers(0, len(shape) - 1))] = draw(st.sampled_from([0, 1, 4, 8]))
    if shape and framework == "numpy" and seldom(draw, False, [True], 6):
        axis = draw(st.integers(0, len(shape) - 1))
        offset += strides[axis] * max(shape[axis] - 1, 0)
        strides[axis] = -strides[axis]
    flag = seldom(draw, None, FLAGS[framework], 8)
    return Layout(offset, shape, tuple(strides), seldom(draw, dtype, WRONG_DTYPES[framework], 40), flag)


@st.composite
def positions_for(draw, framework, tokens, sections):
    kind = seldom(draw, draw(st.sampled_from(["array", "array", "int", "None"])), ["0-d", "list"], 8)
    if kind == "None":
        return None
    if kind == "int":
        return seldom(draw, draw(st.integers(-9, 2**40)), [2**61, 2**63 - 2, 2**63 - 1, -(2**63), 2**70, True, 0.5], 3)
    if kind == "0-d":
        return np.array(7) if framework == "numpy" or draw(st.booleans()) else torch.tensor(7)
    shape = tokens[draw(st.integers(0, len(tokens))) :] if draw(st.booleans()) else tokens
    shape = tuple(seldom(draw, n, [1, 1, n + 1], 6) for n in shape)
    if sections > 1:
        shape = (seldom(draw, sections, [1, 2, 4]), *(1,) * (len(tokens) - len(shape)), *shape)
    shape = seldom(draw, shape, [(3,), (2, 3), ()])
    rng = np.random.default_rng(len(shape))
    dtype = seldom(
        draw,
        draw(st.sampled_from([np.int64, np.int32])),
        [np.uint8, np.uint64, np.int16, np.float32, np.float64, ">i8", "?"],
        4,
    )
    values = rng.integers(0, 200, shape).astype(dtype)
    if values.ndim and draw(st.booleans()):
        values = np.ascontiguousarray(values.T).T
    if kind == "list":
        return values.tolist()
    native = values.dtype.isnative and values.dtype not in (np.uint64,)
    return torch.from_numpy(values) if native and framework == "torch" and draw(st.booleans()) else values


@st.composite
def outputs_for(draw, framework, arrays):
    kind = draw(st.sampled_from(["in place", "in place", "the inputs", "none", "none", "others", "others", "near"]))
    if kind in ("in place", "the inputs"):
        return kind
    if kind == "none":
        return None
    made = []
    for n, like in enumerate(arrays):
        shape = seldom(draw, like.shape, [like.shape[::-1], like.shape[1:]])
        region = 2 + n if kind == "others" else draw(st.integers(0, 3))
        made.append(draw(layouts(framework, region, shape, seldom(draw, like.dtype, DTYPES[framework]))))
    return tuple(seldom(draw, made, [made[:1], made * 2]))


@st.composite
def calls(draw):
    framework = draw(st.sampled_from(["numpy", "torch"]))
    name = draw(st.sampled_from(sorted(ROTATIONS)))
    tokens = seldom(draw, tuple(draw(st.lists(st.integers(1, 3), max_size=3))), [(2, 0), (1, 1, 2, 1, 2, 1, 1, 1)])
    heads_axis = seldom(draw, draw(st.sampled_from([None, -2, AUTOMATIC_HEADS_AXIS])), [-3, 0, 1, 5, -1, 1.0, True], 6)
    dtype, arrays = draw(st.sampled_from(DTYPES[framework])), []
    for n in range(draw(st.integers(1, 2))):
        head_dim = seldom(draw, 8, [10, 6, 4])
        axes = [*seldom(draw, tokens, [(2, 3), (3,), ()], 20), head_dim]
        if heads_axis is not None:
            place = {-3: max(len(axes) - 2, 0), 0: 0, 1: min(1, len(axes) - 1)}.get(heads_axis, len(axes) - 1)
            axes.insert(place, draw(st.integers(1, 3)))
        region = seldom(draw, n, [0])
        arrays.append(draw(layouts(framework, region, tuple(axes), seldom(draw, dtype, DTYPES[framework], 30))))
    sections = ROTATIONS[name]._record.sections
    return Call(
        name, framework, tuple(arrays), draw(outputs_for(framework, arrays)), draw(st.booleans()),
        draw(positions_for(framework, tokens, sections)), heads_axis, draw(st.booleans()),
        seldom(draw, draw(st.sampled_from([None, None, True, False])), [1, "yes"]),
    )  # fmt: skip


def described(x):
    """What must agree of a result: type, dtype, shape, strides, bits, and whether it is recorded."""
    if isinstance(x, torch.Tensor):
        bits = x.detach().resolve_neg().contiguous().view(torch.uint8).numpy().tobytes() if x.numel() else b""
        return type(x), x.dtype, tuple(x.shape), x.stride(), bits, x.requires_grad
    return type(x), x.dtype, x.shape, x.strides, x.tobytes()


def versions(arguments):
    q, k, *_, out, _ = arguments
    arrays = [q, k, *(out if isinstance(out, (tuple, list)) else [out])]
    return [x._version for x in arrays if isinstance(x, torch.Tensor) and not x.is_inference()]


def checked_request(record, q, k, positions, heads_axis, in_place, out, query):
    return make_request(record, q, k, positions, heads_axis=heads_axis, out=out, in_place=in_place, query=query)


def test_whenever_the_short_cut_answers_the_checked_road_agrees():
    register_once()
    seen = collections.Counter()
    start = np.random.default_rng(0).standard_normal(4 * REGION).view(np.uint8)

    @settings(max_examples=30 * settings.default.max_examples, suppress_health_check=list(HealthCheck))
    @given(calls())
    def attempt(call):
        record = ROTATIONS[call.rotation]._record
        short, checked = start.copy(), start.copy()
        arguments = call.arguments(short)
        with torch.set_grad_enabled(call.grad):
            before = versions(arguments)
            results = short_cut_of(record).attempt(*arguments)
            if results is None:
                assert np.array_equal(short, start)
                assert versions(arguments) == before
                seen["declined"] += 1
                try:
                    checked_request(record, *call.arguments(checked))
                except (TypeError, ValueError):
                    seen["refused in words"] += 1
                return
            seen[call.framework] += 1
            seen[call.rotation] += 1
            seen["written" if call.outputs else "fresh"] += 1
            others = call.arguments(checked)
            request = checked_request(record, *others)
            expected = choose(request, None).rotate(request)
        results = list(results) if isinstance(results, tuple) else [results]
        assert [described(x) for x in results] == [described(x) for x in expected]
        assert np.array_equal(short, checked)
        assert versions(arguments) == versions(others)

    attempt()
    total = seen["declined"] + seen["numpy"] + seen["torch"]
    for what in ("numpy", "torch", "fresh", "written", "refused in words", *ROTATIONS):
        assert seen[what] >= total / (300 if what in SELDOM else 60), f"{what}: {seen}"
    assert total / 5 <= seen["declined"] <= total * 4 / 5, seen
