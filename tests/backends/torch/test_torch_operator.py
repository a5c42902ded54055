"""The operator that torch.compile keeps as one node: right, compiled once, and absent from what is exported."""

import io
import subprocess
import sys

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

import yarncore as yc

ROPE = yc.Rope(16, rotary_dim=12, scaling=yc.YaRN(4.0, 64))
STEPPED = yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling"))
SLICE = yc.Rope(16, rotary_start=5, rotary_dim=8, interleaved=True, reversed=True)
SECTIONED = yc.Rope(16, sections=(2, 3, 3))
SCALED = yc.Rope(16, rotary_dim=12, query_scale=yc.LogSteps(0.5, 8))


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def pair(tokens, dtype=torch.float32, batch=2):
    return tuple(torch.randn(batch, tokens, heads, 16).to(dtype) for heads in (4, 2))


def targets(graph_module):
    return {str(node.target) for node in graph_module.graph.nodes if node.op == "call_function"}


CALLS = {
    "positions": lambda q, k, n: ROPE.rotate(q, k, torch.arange(q.shape[1]) + n, heads_axis=-2),
    "a slice": lambda q, k, n: SLICE.rotate(q, k, torch.arange(q.shape[1]) + n, heads_axis=-2),
    "scaled queries": lambda q, k, n: SCALED.rotate(q, k, torch.arange(q.shape[1]) + n, heads_axis=-2),
    "counted": lambda q, k, n: ROPE.rotate(q, k, None, heads_axis=-2),
    "stepped lengths of rows": lambda q, k, n: STEPPED.rotate(q, k, None, heads_axis=-2, length=n),
    "sections": lambda q, k, n: SECTIONED.rotate(q, k, torch.arange(q.shape[1]).expand(3, 2, -1), heads_axis=-2),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_once_for_twenty_lengths_with_the_bits_of_eager(name, dtype):
    graphs = []

    def backend(module, inputs):
        graphs.append(targets(module))
        return module

    counter = CompileCounterWithBackend(backend)
    call = CALLS[name]
    compiled = torch.compile(call, fullgraph=True, dynamic=True, backend=counter)
    for n in range(20):
        q, k = pair(3 + 7 * n, dtype)
        lengths = torch.tensor([[60 + 50 * n], [10 + 90 * n]], dtype=torch.int32)
        for y, expected in zip(compiled(q, k, lengths), call(q, k, lengths), strict=True):
            assert torch.equal(y, expected)
    assert counter.frame_count == 1
    assert any("yarncore.rotate" in target for target in graphs[0])


@pytest.mark.parametrize(
    "scaling", [yc.YaRN(4.0, 64), yc.DynamicYaRN(64), yc.DynamicYaRN(64, steps="doubling")], ids=repr
)
@pytest.mark.parametrize("given", ["int", "shape"])
def test_lengths_that_are_symbols_are_not_compiled_in(scaling, given):
    rope = yc.Rope(16, scaling=scaling)

    def call(q, k, n):
        return rope.rotate(q, k, None, heads_axis=-2, length=n if given == "int" else q.shape[1])

    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(call, fullgraph=True, dynamic=True, backend=counter)
    for n in range(20):
        q, k = pair(40 + 7 * n)
        for y, expected in zip(compiled(q, k, 50 + 9 * n), call(q, k, 50 + 9 * n), strict=True):
            assert torch.allclose(y, expected, rtol=1e-5, atol=1e-5)
        if n == 0:
            first = counter.frame_count  # 2 where Dynamo begins anew within the first call
        assert counter.frame_count == first <= 2
    with pytest.raises(Exception, match="length is"):
        compiled(q, k, 0) if given == "int" else rope.rotate(q, k, None, heads_axis=-2, length=0)


@pytest.mark.parametrize("scaling", [yc.DynamicYaRN(64), yc.DynamicYaRN(64, steps="doubling")], ids=repr)
def test_the_length_may_be_read_from_the_positions_inside(scaling):
    rope = yc.Rope(16, scaling=scaling)

    def call(q, positions):
        return rope.rotate(q, None, positions, heads_axis=-2, length=int(positions.max()) + 1)

    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(call, fullgraph=True, backend=counter)
    q = pair(5)[0]
    for last in (63, 64, 200, 5000):
        positions = torch.arange(last - 4, last + 1)
        assert torch.allclose(compiled(q, positions), call(q, positions), rtol=1e-5, atol=1e-5)
    assert counter.frame_count == 1


def test_the_first_call_of_a_process_may_be_a_compiled_one():
    program = """
import torch, yarncore as yc
rope = yc.Rope(16)
torch.compile(lambda q: rope.rotate(q, None, 3, heads_axis=-2), fullgraph=True, backend="eager")(torch.ones(1, 2, 3, 16))
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_compiled_by_inductor_with_gradients_and_in_inference_mode():
    compiled = torch.compile(CALLS["positions"], fullgraph=True, dynamic=True)
    gradients = []
    q, k = pair(6)
    n = torch.zeros(1, dtype=torch.int64)
    for function in (compiled, CALLS["positions"]):
        leaves = [x.clone().requires_grad_() for x in (q, k)]
        y, z = function(*leaves, n)
        (y.sum() + (z**2).sum()).backward()
        gradients.append([x.grad for x in leaves])
    for ours, expected in zip(*gradients, strict=True):
        assert torch.allclose(ours, expected, rtol=1e-6, atol=1e-6)
    with torch.inference_mode():
        q, k = pair(5)
        assert torch.equal(compiled(q, k, n)[0], CALLS["positions"](q, k, n)[0])


def test_in_place_inside_a_compiled_function():
    def function(x):
        y = x * 2
        ROPE.rotate_(y, None, 3, heads_axis=-2)
        return y

    x = pair(5)[0]
    assert torch.equal(torch.compile(function, fullgraph=True, dynamic=True)(x), function(x))


def test_q_and_k_of_the_same_memory_are_refused_inside_too():
    function = torch.compile(lambda x: ROPE.rotate_(x, x, 3, heads_axis=-2), backend="eager")
    with pytest.raises(Exception, match="same memory"):
        function(pair(5)[0])


def test_opcheck():
    import yarncore.backends.torch.operator

    assert yarncore.backends.torch.operator
    text = ROPE.at()._record.turns.text
    q, k = pair(5)
    strided = torch.randn(2, 4, 5, 16).transpose(1, 2)
    for arrays in ([q, k], [strided], [q.clone().requires_grad_(), k]):
        for positions in (None, torch.arange(5)):
            for start, scale, query in ((0, "", None), (4, yc.LogSteps(0.1, 2).letters, True)):
                arguments = (arrays, positions, 0, None, None, text, 1, False, True, -2, start, scale, query)
                torch.library.opcheck(torch.ops.yarncore.rotate.default, arguments)


def test_transforms_of_a_compiled_function():
    x = torch.randn(3, 2, 5, 4, 16)
    positions = torch.randint(0, 90, (3, 2, 5))

    def function(x, p):
        return torch.func.vmap(lambda t, p: ROPE.rotate(t, None, p, heads_axis=-2))(x, p)

    assert torch.equal(torch.compile(function, fullgraph=True)(x, positions), function(x, positions))


def test_an_exported_graph_holds_standard_operators_only():
    class Block(torch.nn.Module):
        def forward(self, q, k, positions):
            return ROPE.rotate(q, k, positions, heads_axis=-2)

    q, k = pair(6)
    tokens = torch.export.Dim("tokens", min=2, max=4096)
    positions = torch.arange(6) + 1_000_000
    program = torch.export.export(
        Block(), (q, k, positions), dynamic_shapes=({1: tokens}, {1: tokens}, {0: tokens}), strict=False
    )
    assert not any("yarncore" in target for target in targets(program.graph_module))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    q, k = pair(9)
    positions = torch.arange(9) + 1_000_000
    loaded = torch.export.load(file).module()
    for y, expected in zip(loaded(q, k, positions), ROPE.rotate(q, k, positions, heads_axis=-2), strict=True):
        assert torch.allclose(y, expected, rtol=2.0**-22, atol=2.0**-22)


def test_wrong_shapes_are_told_inside_too():
    q, k = pair(5)
    wrong = {
        r"positions has shape \(4,\)": (q, k, torch.arange(4)),
        "must agree in all axes": (q, k[:, :3], torch.arange(5)),
        "head_dim=16 is expected": (q[..., :15], k, torch.arange(5)),
        "positions has dtype torch.bool": (q, k, torch.arange(5) > 2),
        "heads_axis=-5": (q, None, torch.arange(5)),
    }
    for words, arguments in wrong.items():
        axis = -5 if "heads_axis" in words else -2
        function = torch.compile(lambda q, k, p, axis=axis: ROPE.rotate(q, k, p, heads_axis=axis), backend="aot_eager")
        with pytest.raises(Exception, match=words):
            function(*arguments)
