"""Whoever records what is computed, records the rotation: its graph is right for other values and other positions.

The traced program runs on what it was not traced with; what it must give is what the extension gives for NumPy arrays.
"""

import io

import dask.array
import jax
import mlx.core as mx
import numpy as np
import onnxruntime
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

import yarncore as yc
from yarncore.torch import RotaryEmbedding

OLD = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch says so of TorchScript

ROPE = yc.Rope(16, rotary_dim=12, rotary_start=3, scaling=yc.YaRN(4.0, 64))
STEPPED = yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling"))
CONTINUOUS = yc.Rope(16, interleaved=True, scaling=yc.DynamicYaRN(64))
SECTIONS = yc.Rope(16, sections=(3, 3, 2))
MODULE = RotaryEmbedding(ROPE, heads_axis=-2)

PROGRAMS = {
    "positions": lambda q, k, p: ROPE.rotate(q, k, p),
    "fractions": lambda q, k, p: ROPE.rotate(q, None, p / 4),
    "an offset": lambda q, k, p: ROPE.rotate(q, k, p[0], heads_axis=-2),
    "an int": lambda q, k, p: ROPE.rotate(q, k, 70, heads_axis=-2),
    "counted": lambda q, k, p: ROPE.rotate(q, k, None, heads_axis=-2),
    "a list": lambda q, k, p: ROPE.rotate(q, k, [3, 1, 4, 1, 5]),
    "stepped": lambda q, k, p: STEPPED.rotate(q, k, p, length=p[-1] + 1),
    "stepped, a length each": lambda q, k, p: STEPPED.rotate(q, k, p, length=p + 70),
    "continuous": lambda q, k, p: CONTINUOUS.rotate(q, k, p, length=p[-1] + 1),
    "continuous, a length each": lambda q, k, p: CONTINUOUS.rotate(q, k, p, length=p + 70),
    "cos and sin": lambda q, k, p: ROPE.cos_sin(p),
    "cos and sin of one": lambda q, k, p: ROPE.cos_sin(p[2]),
    "cos and sin, stepped": lambda q, k, p: STEPPED.cos_sin(p, length=p + 70),
    "own frequencies": lambda q, k, p: yc.Rotation(1 / (p[:4] + 1.5), head_dim=16).rotate(q, k, p),
    "inverse": lambda q, k, p: ROPE.at().inverse.rotate(q, k, p),
}
LAZY = [name for name in PROGRAMS if name not in ("an offset", "stepped", "continuous", "cos and sin of one")
        and "each" not in name and "cos" not in name]  # Dask must know offsets and lengths  # fmt: skip


def arguments(seed, batch=2):
    rng = np.random.default_rng(seed)
    q, k = (rng.standard_normal((batch, 5, heads, 16), dtype=np.float32) for heads in (4, 2))
    return q, k, np.sort(rng.integers(1, 10_000, 5, dtype=np.int32))


def arrays(result):
    return [np.asarray(x) for x in (result if isinstance(result, (tuple, list)) else [result])]


def assert_right(name, traced, convert, others=((1, 2), (2, 2)), narrow=False):
    """The traced program, on other arguments than it was traced with."""
    exact = not (narrow and "continuous" in name)  # there frequencies are those of the framework's float32
    for seed, batch in others:
        given = arguments(seed, batch)
        results, expected = arrays(traced(*map(convert, given))), arrays(PROGRAMS[name](*given))
        assert len(results) == len(expected)
        for y, e in zip(results, expected, strict=True):
            assert y.shape == e.shape
            assert np.max(np.abs(y - e)) <= (2.0**-21 if exact else 2.0**-10) * max(np.max(np.abs(e)), 1)


@pytest.mark.parametrize("name", PROGRAMS)
def test_torchscript_s_tracer(name):
    traced = torch.jit.trace(PROGRAMS[name], tuple(map(torch.from_numpy, arguments(0))))
    assert_right(name, traced, torch.from_numpy, [(1, 2), (2, 3)])


@OLD
def test_torchscript_s_tracer_of_the_module():
    traced = torch.jit.trace(MODULE, tuple(map(torch.from_numpy, arguments(0))))
    assert_right("positions", traced, torch.from_numpy, [(1, 2), (2, 3)])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_torchscript_s_tracer_with_other_dtypes(dtype):
    q, k, p = map(torch.from_numpy, arguments(0))
    traced = torch.jit.trace(PROGRAMS["positions"], (q.to(dtype), k.to(dtype), p))
    q, k, p = map(torch.from_numpy, arguments(1))
    for y, e in zip(traced(q.to(dtype), k.to(dtype), p), ROPE.rotate(q.to(dtype), k.to(dtype), p), strict=True):
        assert torch.equal(y, e)


def test_torchscript_s_tracer_with_sections():
    def program(q, p):
        return SECTIONS.rotate(q, None, p, heads_axis=-2)

    first, other = (torch.from_numpy(arguments(seed)[0]) for seed in (0, 1))
    traced = torch.jit.trace(program, (first, torch.randint(0, 999, (3, 2, 5))))
    positions = torch.randint(0, 999, (3, 2, 5))
    assert torch.equal(traced(other, positions), program(other, positions))


class Program(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        self.run = PROGRAMS[name]

    def forward(self, q, k, p):
        return self.run(q, k, p)


@OLD
@pytest.mark.parametrize("name", [*PROGRAMS, "module"])
def test_the_legacy_onnx_exporter(name):
    model, name = (MODULE, "positions") if name == "module" else (Program(name), name)
    names, file = ("q", "k", "p"), io.BytesIO()
    torch.onnx.export(
        model, tuple(map(torch.from_numpy, arguments(0))), file, dynamo=False, input_names=list(names),
        dynamic_axes={"q": {0: "batch"}, "k": {0: "batch"}},
    )  # fmt: skip
    session = onnxruntime.InferenceSession(file.getvalue())

    def traced(*given):
        named = dict(zip(names, given, strict=True))
        return session.run(None, {x.name: named[x.name] for x in session.get_inputs()})

    assert_right(name, traced, np.asarray, [(1, 2), (2, 3)])


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("pre_dispatch", [False, True])
def test_make_fx(name, pre_dispatch):
    traced = make_fx(PROGRAMS[name], pre_dispatch=pre_dispatch)(*map(torch.from_numpy, arguments(0)))
    assert_right(name, traced, torch.from_numpy, [(1, 2)])


@pytest.mark.parametrize("name", ["positions", "an offset", "a list", "stepped"])
@pytest.mark.parametrize("pre_dispatch", [False, True])
@pytest.mark.parametrize("mode", ["fake", "symbolic"])
def test_make_fx_of_stand_ins(name, mode, pre_dispatch):
    given = tuple(map(torch.from_numpy, arguments(0)))
    traced = make_fx(PROGRAMS[name], tracing_mode=mode, pre_dispatch=pre_dispatch)(*given)
    assert_right(name, traced, torch.from_numpy, [(1, 2), (2, 3)] if mode == "symbolic" else [(1, 2)])


@pytest.mark.parametrize("pre_dispatch", [False, True])
@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx_of_calls_in_place(mode, pre_dispatch):
    def program(q, k, p):
        return (
            ROPE.rotate_(q, k, p),
            yc.shift_(k, p, ROPE.at(), heads_axis=-2),
            ROPE.rotate(q, None, p, out=torch.empty_like(q)),
        )

    given = tuple(map(torch.from_numpy, arguments(0)))
    traced = make_fx(program, tracing_mode=mode, pre_dispatch=pre_dispatch)(*given)
    one, other = (tuple(map(torch.from_numpy, arguments(1))) for _ in range(2))
    traced(*one)
    program(*other)
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


def test_make_fx_of_slots_that_would_be_read():
    keys = torch.ones(6, 4, 16)
    with pytest.raises(yc.BackendUnavailable, match="slots"):
        make_fx(lambda x, slots: yc.shift_(x, 3, ROPE.at(), slots=slots))(keys, torch.tensor([1, 2]))
    assert torch.equal(keys, torch.ones(6, 4, 16))


@torch.fx.wrap
def a_leaf(q, k, p):
    return ROPE.rotate(q, k, p)


def test_fx_with_a_function_as_leaf():
    traced = torch.fx.symbolic_trace(lambda q, k, p: a_leaf(q * 1, k, p))
    assert_right("positions", traced, torch.from_numpy)


def test_fx_with_the_module_as_leaf():
    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, RotaryEmbedding) or super().is_leaf_module(module, name)

    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rotary = MODULE

        def forward(self, q, k, p):
            return self.rotary(q * 1, k, p)

    model = Attention()
    traced = torch.fx.GraphModule(model, Tracer().trace(model))
    assert_right("positions", traced, torch.from_numpy)


@pytest.mark.parametrize(
    "program",
    [
        lambda x: ROPE.rotate(x, None, 3, heads_axis=None),
        lambda x: ROPE.rotate_(x, None, 3, heads_axis=None),
        lambda x: ROPE.rotate(torch.ones(2, 16), None, x, heads_axis=None),
        lambda x: STEPPED.rotate(torch.ones(2, 16), None, 3, heads_axis=None, length=x),
        lambda x: ROPE.cos_sin(x),
        lambda x: STEPPED.at(x),
        lambda x: yc.Rotation(x),
        lambda x: yc.shift_(x, 3, ROPE.at()),
        lambda x: yc.packed_positions(x, 5),
        RotaryEmbedding(ROPE),
    ],
)
def test_fx_without_a_leaf_is_told_how(program):
    with pytest.raises(TypeError, match=r"torch\.fx\.wrap .*\.is_leaf_module; or use torch\.export"):
        torch.fx.symbolic_trace(program)


def test_functorch_maps_over_values_and_positions():
    q, _, p = arguments(1)
    q, p = torch.from_numpy(q), torch.stack([torch.from_numpy(p), torch.from_numpy(p) * 3])
    mapped = torch.func.vmap(lambda q, p: ROPE.rotate(q, None, p))(q, p)
    assert torch.equal(mapped, torch.stack([ROPE.rotate(one, None, at) for one, at in zip(q, p, strict=True)]))


def test_functorch_differentiates():
    q, _, p = map(torch.from_numpy, arguments(1))
    gradient = torch.func.grad(lambda q, p: (ROPE.rotate(q, None, p) * torch.sin(q)).sum())(q, p)
    turned_back = ROPE.at().adjoint.rotate(torch.sin(q), None, p)
    expected = ROPE.rotate(q, None, p) * torch.cos(q) + turned_back
    assert torch.allclose(gradient, expected, atol=1e-5)


class Recorded(TorchDispatchMode):
    """Holds every operation and plays it again on others."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.calls.append((function, args, kwargs or {}, result))
        return result

    def play(self, places):
        """The last result, with some tensors in the places of others."""

        def place(x):
            return [place(y) for y in x] if isinstance(x, (list, tuple)) else places.get(id(x), x)

        for function, args, kwargs, result in self.calls:
            places[id(result)] = function(*place(args), **{name: place(value) for name, value in kwargs.items()})
        return places[id(result)]


@pytest.mark.parametrize("name", ["positions", "an offset", "stepped", "continuous"])
def test_a_dispatch_mode(name):
    def program(*given):
        return PROGRAMS[name](*given)[-1]

    given, others = (tuple(map(torch.from_numpy, arguments(seed))) for seed in (0, 1))
    with torch.inference_mode(), Recorded() as recorded:  # else autograd puts views of its own between
        program(*given)
    result = recorded.play({id(x): y for x, y in zip(given, others, strict=True)})
    assert torch.allclose(result, program(*others), rtol=0, atol=1e-6)


def test_a_function_mode():
    seen = []

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    q, _, p = map(torch.from_numpy, arguments(1))
    with Mode():
        y = ROPE.rotate(q, None, p)
    assert len(seen) > 10
    assert torch.equal(y, ROPE.rotate(q, None, p))


def test_a_default_device_is_no_mode_that_watches():
    with torch.device("cpu"):
        assert yc.backend_for(torch.ones(2, 16)).name == "native"


@pytest.mark.parametrize("name", PROGRAMS)
def test_jax(name):
    traced = jax.jit(PROGRAMS[name])
    traced(*map(jax.numpy.asarray, arguments(0)))
    assert_right(name, traced, jax.numpy.asarray, narrow=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_mlx(name):
    traced = mx.compile(PROGRAMS[name])
    traced(*map(mx.array, arguments(0)))
    assert_right(name, traced, mx.array, narrow=True)


@pytest.mark.parametrize("name", LAZY)
def test_dask(name):
    """Dask has no program to be traced: its graph is rebuilt with each call, computed later."""
    assert_right(
        name, PROGRAMS[name], lambda x: dask.array.from_array(x, chunks=(1, *x.shape[1:]) if x.ndim > 1 else 2)
    )


IN_PLACE = {
    "rotate_": lambda q, k, p: ROPE.rotate_(q, k, p),
    "rotate_ by array operations": lambda q, k, p: ROPE.rotate_(q, k, p, backend="generic"),
    "rotate_ of a rotation": lambda q, k, p: ROPE.at().rotate_(q, None, p),
    "out": lambda q, k, p: ROPE.rotate(q, k, p, out=(q, k)),
    "shift_": lambda q, k, p: yc.shift_(q, 3, ROPE.at()),
    "shift_ of slots": lambda q, k, p: yc.shift_(q, 3, ROPE.at(), slots=[1, 2]),
    "rerotate_": lambda q, k, p: yc.rerotate_(q, p, STEPPED.at(64), STEPPED.at(128)),
}


TORCHSCRIPT = {
    "torch.jit.trace": lambda model, given: torch.jit.trace(model, given, check_trace=False),
    "torch.onnx.export": lambda model, given: torch.onnx.export(model, given, io.BytesIO(), dynamo=False),
}


@OLD
@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("how", TORCHSCRIPT)
def test_what_is_written_under_torchscript_s_tracer_is_refused_in_words(name, how):
    given = tuple(map(torch.from_numpy, arguments(0)))
    before = [x.clone() for x in given]

    class Model(torch.nn.Module):
        def forward(self, q, k, p):
            return IN_PLACE[name](q, k, p)

    with pytest.raises(ValueError, match=r"cannot be written while torch\.jit\.trace"):
        TORCHSCRIPT[how](Model(), given)
    assert all(torch.equal(x, y) for x, y in zip(given, before, strict=True))
