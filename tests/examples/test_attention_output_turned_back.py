"""examples/attention_output_turned_back.py: what DeepSeek-V4 does with values that were turned as keys."""

import runpy

import pytest
import torch
from documents import ROOT
from transformers.models.deepseek_v4.modeling_deepseek_v4 import apply_rotary_pos_emb


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(ROOT / "examples" / "attention_output_turned_back.py"))


def test_turned_back_the_output_depends_on_distances_alone(example):
    assert (example["turned_back"] - example["meant"]).abs().max() < 1e-13
    assert (example["turned_back"] - example["moved"]).abs().max() < 1e-13


def test_otherwise_it_depends_on_positions(example):
    q, x, positions = (example[name] for name in ("q", "x", "positions"))
    weights, rotated = example["weights_of"](q, x, positions)
    weights_moved, rotated_moved = example["weights_of"](q, x, positions + 500_000)
    assert (weights - weights_moved).abs().max() < 1e-13
    assert (weights @ rotated - weights_moved @ rotated_moved).abs().max() > 0.1


def test_it_is_what_the_function_of_transformers_does_with_minus_sin(example):
    q, x, positions, rope = (example[name] for name in ("q", "x", "positions", "rope"))
    weights, rotated = example["weights_of"](q, x, positions)
    cos, sin = rope.cos_sin(positions[None], dtype=torch.float64)
    theirs = apply_rotary_pos_emb((weights @ rotated)[None].float(), cos.float(), -sin.float())[0]
    assert (theirs - example["turned_back"]).abs().max() < 1e-5
    assert rope.at().inverse == rope.at().adjoint
