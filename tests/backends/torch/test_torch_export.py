"""What is exported stands alone: a .pt2 where yarncore cannot be imported, an .onnx in onnxruntime, the numbers of eager."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import yarncore as yc

FAR = 1_000_000
STATIC = yc.Rope(16, rotary_dim=12, rotary_start=3, scaling=yc.YaRN(4.0, 64))
MODELS = {
    "static": (STATIC, False),
    "interleaved": (yc.Rope(16, interleaved=True, scaling=yc.Llama3(8.0, 64)), False),
    "stepped": (yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling")), True),
    "continuous": (yc.Rope(16, scaling=yc.DynamicYaRN(64, max_factor=50_000.1)), True),
    "dynamic ntk": (yc.Rope(16, scaling=yc.DynamicNTK(64, 1.7)), True),
    "longrope": (
        yc.Rope(16, scaling=yc.LongRoPE(short_factor=[1.1] * 8, long_factor=[3.3] * 8, original_length=64, factor=7)),
        True,
    ),
}

CONTINUOUS = ("continuous", "dynamic ntk")  # their log and power are the runtime's


class Block(torch.nn.Module):
    def __init__(self, rope):
        super().__init__()
        self.rope = rope

    def forward(self, q, k, positions, length=None):
        return self.rope.rotate(q, k, positions, heads_axis=-2, length=length)


def arguments(tokens, dtype, dynamic):
    q, k = (torch.randn(2, tokens, heads, 16).to(dtype) for heads in (4, 2))
    positions = torch.arange(tokens) + FAR
    return (q, k, positions, (positions[-1:] + 1)) if dynamic else (q, k, positions)


def dynamic_shapes(dynamic):
    tokens = torch.export.Dim("tokens", min=2, max=4096)
    return ({1: tokens}, {1: tokens}, {0: tokens}, {}) if dynamic else ({1: tokens}, {1: tokens}, {0: tokens})


def within_two_ulp(y, expected):
    """Of float32, where cancellation leaves the result small: of the larger of the two products."""
    y, expected = np.asarray(y, np.float64), np.asarray(expected, np.float64)
    pairs = np.abs(expected).max(axis=-1, keepdims=True)
    return np.all(np.abs(y - expected) <= 2 * np.spacing(np.maximum(np.abs(expected), pairs / 8).astype(np.float32)))


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "yarncore":
            raise ImportError("blocked")
sys.meta_path.insert(0, Blocked())
import torch
for folder in sys.argv[1:]:
    program = torch.export.load(f"{folder}/rope.pt2").module()
    torch.save(program(*torch.load(f"{folder}/given")), f"{folder}/results")
assert not any(name.startswith("yarncore") for name in sys.modules)
"""


def test_a_pt2_runs_where_yarncore_cannot_be_imported(tmp_path):
    calls = {}
    for name, (rope, dynamic) in MODELS.items():
        folder = tmp_path / name
        folder.mkdir()
        program = torch.export.export(
            Block(rope), arguments(6, torch.float32, dynamic), dynamic_shapes=dynamic_shapes(dynamic), strict=False
        )
        operators = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
        assert all(operator.startswith(("aten.", "<built-in", "_operator")) for operator in operators), operators
        torch.export.save(program, folder / "rope.pt2")
        calls[folder] = rope, arguments(9, torch.float32, dynamic)
        torch.save(calls[folder][1], folder / "given")
    run = subprocess.run([sys.executable, "-c", BLOCKED, *calls], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    for folder, (rope, given) in calls.items():
        for y, expected in zip(torch.load(folder / "results"), Block(rope)(*given), strict=True):
            assert torch.equal(y, expected) or (folder.name in CONTINUOUS and within_two_ulp(y, expected))


@pytest.mark.filterwarnings("ignore")  # of the exporter, about itself
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("static", torch.float16),
        ("interleaved", torch.float32),
        ("continuous", torch.float32),
        ("dynamic ntk", torch.float32),
    ],
)
def test_onnxruntime_gives_what_eager_gives(name, dtype, tmp_path):
    # The exporter rounds Python floats to float32: every constant of a formula must reach it as an array.
    rope, dynamic = MODELS[name]
    program = torch.onnx.export(
        Block(rope).eval(),
        arguments(6, dtype, dynamic),
        dynamo=True,
        dynamic_shapes=dynamic_shapes(dynamic),
        verbose=False,
    )
    program.save(str(tmp_path / "rope.onnx"))
    assert {node.domain for node in onnx.load(tmp_path / "rope.onnx").graph.node} == {""}
    session = onnxruntime.InferenceSession(str(tmp_path / "rope.onnx"))
    given = arguments(9, dtype, dynamic)
    names = [one.name for one in session.get_inputs()]
    results = session.run(None, dict(zip(names, (x.numpy() for x in given), strict=True)))
    for y, expected in zip(results, Block(rope)(*given), strict=True):
        assert y.dtype == expected.numpy().dtype
        assert np.array_equal(y, expected) or (name in CONTINUOUS and within_two_ulp(y, expected))
