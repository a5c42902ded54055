"""A slice of the head anywhere, turned either way: what a Rope and a Rotation of it are, and what they become."""

import copy
import dataclasses
import importlib
import json
import pickle

import numpy as np
import pytest
import torch
from rich.console import Console

import yarncore as yc
from yarncore.__main__ import main
from yarncore.reference import rotate_reference
from yarncore.reports.check import check
from yarncore.reports.description import describe
from yarncore.reports.show import _summary
from yarncore.turns.record import RotationRecord

YARN = yc.YaRN(4.0, 64)
MLA = yc.Rope(48, rotary_dim=16, rotary_start=32, interleaved=True, scaling=YARN)
DYNAMIC = yc.Rope(20, rotary_dim=8, rotary_start=8, scaling=yc.DynamicYaRN(64))
ROPES = [
    MLA, DYNAMIC, yc.Rope(48, rotary_start=32), yc.Rope(16, reversed=True),
    yc.Rope(16, sections=(2, 1, 1), rotary_dim=8, rotary_start=4, reversed=True),
]  # fmt: skip


@pytest.mark.parametrize("rope", ROPES, ids=repr)
def test_repr_evaluates_and_pickles_and_copies_are_equal(rope):
    assert eval(repr(rope), vars(yc) | {}) == rope
    assert pickle.loads(pickle.dumps(rope)) == copy.deepcopy(rope) == rope
    rotation = rope.at(100)
    assert eval(repr(rotation), vars(yc) | {}) == rotation
    for other in (pickle.loads(pickle.dumps(rotation)), copy.deepcopy(rotation)):
        assert other == rotation
        assert hash(other) == hash(rotation)
        assert other.id == rotation.id


def test_the_repr_names_only_what_is_not_usual():
    assert repr(yc.Rope(48, rotary_start=32)) == "Rope(head_dim=48, rotary_start=32)"
    assert repr(yc.Rope(16, reversed=True)) == "Rope(head_dim=16, reversed=True)"
    assert "rotary" not in repr(yc.Rope(16))
    rotation = yc.Rotation([1.0, 0.5], 1.5, head_dim=9, rotary_start=5)
    assert repr(rotation).endswith("interleaved=False, rotary_start=5)")
    assert eval(repr(rotation), vars(yc) | {}) == rotation


def test_what_turns_other_elements_or_the_other_way_is_another_rotation():
    others = [yc.Rope(16, rotary_dim=8, rotary_start=start, reversed=r) for start in (0, 4, 8) for r in (False, True)]
    assert len(set(others)) == len({rope.at() for rope in others}) == len({rope.at().id for rope in others}) == 6


def test_the_sign_of_frequencies_is_the_way():
    rope = yc.Rope(16, scaling=YARN, reversed=True)
    theta = rope.inverse_frequencies
    assert (theta < 0).all()
    assert rope.at() == yc.Rotation(theta, rope.at().attention_factor, head_dim=16)
    assert rope.at() == yc.Rope(16, scaling=YARN).at().adjoint


def test_pickles_of_before_there_were_slices_load():
    rope = yc.Rope(16, 1e4, YARN, 12, True, None, "contiguous")
    assert rope == yc.Rope(16, scaling=YARN, rotary_dim=12, interleaved=True)
    rotation = yc.Rope(16, sections=(2, 3, 3)).at()
    function, (record, *rest) = rotation.__reduce__()
    fields = ("turns", "rows", "lengths_shape", "conjugate", "interleaved", "head_dim", "pair_section", "sections")
    assert function(RotationRecord(*(getattr(record, name) for name in fields)), *rest) == rotation


@pytest.mark.parametrize("rope", ROPES, ids=repr)
def test_the_rope_of_the_slice_turns_the_slice_alone(rope, rng):
    x = rng.standard_normal((2, 5, 3, rope.head_dim))
    positions = rng.integers(-50, 5000, (2, 5) if rope.sections is None else (3, 2, 5))
    where = slice(rope.rotary_start, rope.rotary_start + rope.rotary_dim)
    whole = rope.rotate(x, None, positions, length=100)
    alone = rope.of_slice()
    assert (alone.head_dim, alone.rotary_start) == (rope.rotary_dim, 0)
    assert np.array_equal(alone.rotate(x[..., where], None, positions, length=100), whole[..., where])
    assert alone.at(100) == rope.at(100).of_slice()
    assert rope.at([[50], [100]]).of_slice() == alone.at([[50], [100]])
    assert alone.of_slice() == alone
    assert eval(repr(rope.at(100).of_slice()), vars(yc) | {}) == alone.at(100)


def test_keys_that_a_model_stores_as_halves_turn_in_halves(rng):
    """transformers de-interleaves q and k of DeepSeek, turns halves, and stores them so."""
    stored_order = [*range(0, 16, 2), *range(1, 16, 2)]
    rope, positions = MLA.of_slice(), rng.integers(0, 5000, (2, 5))
    x = rng.standard_normal((2, 5, 1, 16))
    stored = rope.rotate(x, None, positions)[..., stored_order]
    assert np.array_equal(rope.in_halves().rotate(x[..., stored_order], None, positions), stored)
    old, new = rope.at(), yc.Rope(16, interleaved=True, scaling=yc.YaRN(8.0, 64)).at()
    moved = yc.rerotate_(stored.copy(), positions, old.in_halves(), new.in_halves())
    assert np.allclose(moved, new.rotate(x, None, positions)[..., stored_order], rtol=0, atol=1e-13)
    assert rope.at().in_halves() == rope.in_halves().at()
    assert eval(repr(rope.at().in_halves()), vars(yc) | {}) == rope.in_halves().at()


def test_only_the_slice_of_a_cache_is_re_rotated_and_moved(rng):
    keys = rng.standard_normal((2, 5, 3, 20)).astype(np.float32)
    positions = rng.integers(0, 5000, (2, 5))
    for change in (
        lambda k, rope: yc.rerotate_(k, positions, rope.at(100), rope.at(1000)),
        lambda k, rope: yc.rerotate_(k, positions[0], rope.at(100), rope.at(1000), slots=[7, 0, 3, -1, 9]),
        lambda k, rope: yc.shift_(k, -7, rope.at(100)),
    ):
        expected = keys.copy()
        expected[..., 8:16] = change(np.ascontiguousarray(keys[..., 8:16]), DYNAMIC.of_slice())
        assert np.array_equal(change(keys.copy(), DYNAMIC), expected)


def test_an_output_of_attention_is_turned_back_in_its_slice(rng):
    x, positions = rng.standard_normal((2, 5, 3, 48)), rng.integers(0, 5000, (2, 5))
    back = MLA.at().inverse.rotate(MLA.rotate(x, None, positions), None, positions)
    assert np.allclose(back, x, rtol=0, atol=1e-14)
    assert np.array_equal(back[..., :32], x[..., :32])


def test_slices_in_different_places_do_not_compose_and_their_temperature_does_not_move():
    with pytest.raises(ValueError, match="rotary_start is 32 and 0"):
        MLA.at() @ yc.Rope(16, interleaved=True).at().inverse
    with pytest.raises(ValueError, match="only 16 of 48 elements turn"):
        MLA.at().temperature_in("softmax")
    with pytest.raises(ValueError, match="only 2 of the elements turn"):
        yc.Rotation([1.0], rotary_start=1).temperature_in("softmax")


def test_cos_and_sin_are_those_of_the_slice():
    for mine, alone in zip(MLA.cos_sin([3, 70]), MLA.of_slice().cos_sin([3, 70]), strict=True):
        assert np.array_equal(mine, alone)


def test_heads_that_do_not_hold_the_slice_are_refused():
    with pytest.raises(ValueError, match="at least rotary_start \\+ rotary_dim=6 is expected"):
        yc.Rotation([1.0], rotary_start=4).rotate(np.ones((2, 5)), None, None, heads_axis=None)


def test_a_rotation_of_any_head_dim_has_a_slice(rng):
    rotation = yc.Rotation([1.0, 0.1], 1.5, rotary_start=3)
    for head_dim in (7, 8, 40):
        x = rng.standard_normal((6, head_dim))
        reference = rotate_reference(x, np.arange(6), rotation.inverse_frequencies, 1.5, rotary_start=3)
        assert np.allclose(rotation.rotate(x, None, None, heads_axis=None), reference, rtol=0, atol=1e-14)


def test_show_names_the_slice_and_the_way(tmp_path, capsys):
    nanochat = {"model_type": "nanochat", "hidden_size": 512, "num_attention_heads": 8, "rope_theta": 1e4}
    nanochat["max_position_embeddings"] = 2048
    console = Console(width=200)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(nanochat))
    assert main(["show", str(path)]) == 0
    assert "64 elements, backwards" in capsys.readouterr().out
    assert main(["show", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["reversed"], told["rotary_start"]) == (True, 0)
    assert told["check"]["error"] <= 4 * 2.0**-24
    assert {row["multiplier"] for row in told["pairs"]} == {1.0}
    description = describe(path)
    sliced = dataclasses.replace(description, rope=MLA, rotation=MLA.at())
    with console.capture() as captured:
        console.print(_summary(sliced))
    assert "16 of them turn from element 32 on" in captured.get()
    assert check(sliced).error <= 4 * 2.0**-24


def of_transformers(model, name):
    return getattr(importlib.import_module(f"transformers.models.{model}.modeling_{model}"), name)


def test_transformers_stores_the_keys_of_deepseek_v3_in_halves():
    rope = yc.Rope(16, interleaved=True, scaling=YARN)
    k, positions = torch.randn(2, 1, 5, 16), torch.randint(0, 500, (2, 5))
    cos, sin = (torch.cat([table, table], -1) for table in rope.cos_sin(positions))
    stored = of_transformers("deepseek_v3", "apply_rotary_pos_emb_interleave")(k, k, cos, sin)[1]
    order = [*range(0, 16, 2), *range(1, 16, 2)]
    mine = rope.in_halves().rotate(k[..., order], None, positions, heads_axis=-3)
    assert torch.allclose(mine, stored, rtol=1e-6, atol=1e-6)


def test_transformers_turns_the_end_of_the_heads_of_deepseek_v4_and_outputs_back():
    rope = yc.Rope(48, rotary_start=32, interleaved=True, scaling=YARN)
    rotate = of_transformers("deepseek_v4", "apply_rotary_pos_emb")
    q, positions = torch.randn(2, 3, 5, 48), torch.randint(0, 500, (2, 5))
    cos, sin = rope.cos_sin(positions)
    assert torch.allclose(rope.rotate(q, None, positions, heads_axis=-3), rotate(q, cos, sin), rtol=1e-6, atol=1e-6)
    back = rope.at().adjoint.rotate(q, None, positions, heads_axis=-3)
    assert torch.allclose(back, rotate(q, cos, -sin), rtol=1e-6, atol=1e-6)
