"""What the extension is told, by those who have checked it and by those who have not."""

import numpy as np
import pytest

import yarncore as yc
from yarncore import _core
from yarncore.backends.native.extension import native_turns
from yarncore.request.tensors import ROTATABLE
from yarncore.rope.sections import checked_sections


def turns_of(pairs=4):
    words = np.zeros((1, 5, pairs), np.uint32)
    words[0, 3] = 2**20 * np.arange(1, pairs + 1)
    return _core.Turns(words, np.ones(1))


def call(**changes):
    x = np.ones((2, 3, 8), np.float32)
    arguments = {
        "turns": turns_of(), "inputs": [x], "outputs": [x.copy()], "types": ["float32"], "heads_axis": 1,
        "rotary_start": 0, "interleaved": False, "conjugate": False, "rows": None, "positions": None, "offset": 5, "pair_section": None,
        "slots": None,
    }  # fmt: skip
    return _core.Call(**arguments | changes)


def test_a_call_keeps_its_arrays_alive():
    x = np.arange(48, dtype=np.float32).reshape(2, 3, 8)
    expected = np.empty_like(x)
    _core.rotate(call(inputs=[x], outputs=[expected]))
    out = np.empty_like(x)
    later = call(inputs=[x.copy()], outputs=[out], turns=turns_of())
    junk = [np.full((2, 3, 8), n, np.float32) for n in range(50)]
    _core.rotate(later)
    assert np.array_equal(out, expected)
    assert not np.array_equal(out, x)
    assert len(junk) == 50


X = np.ones((2, 3, 8), np.float32)
READ_ONLY = np.ones((2, 3, 8), np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs": [X, X, X]}, "one or two arrays"),
        ({"types": []}, "one or two arrays"),
        ({"inputs": [np.ones(())], "outputs": [np.ones(())], "heads_axis": None}, "heads_axis"),
        ({"heads_axis": 2}, "heads_axis"),
        ({"heads_axis": -1}, "heads_axis"),
        ({"inputs": [np.ones((1,) * 9)]}, "too many axes"),
        ({"types": ["float16"]}, "item size"),
        ({"types": ["int32"]}, "elements that are not turned"),
        ({"outputs": [X[:1]]}, "shape"),
        ({"outputs": [X.astype(float)]}, "elements"),
        ({"outputs": [READ_ONLY]}, "read-only"),
        ({"inputs": [X, X[:1]], "outputs": [X, X[:1]], "types": ["float32"] * 2}, "tokens"),
        ({"inputs": [X, X[0]], "outputs": [X, X[0]], "types": ["float32"] * 2}, "number of axes"),
        ({"turns": turns_of(5)}, "head_dim"),
        ({"rotary_start": 1}, "head_dim"),
        ({"rotary_start": -1}, "head_dim"),
        ({"rotary_start": 2**62}, "head_dim"),
        ({"positions": np.zeros((2, 2), np.int64)}, "number of axes"),
        ({"positions": np.zeros(3, np.int64)}, "shape"),
        ({"positions": np.zeros(2, "M8[s]")}, "dtype"),
        ({"positions": np.zeros(2, ">i4")}, "dtype"),
        ({"rows": np.zeros(2, np.int64)}, "int32"),
        ({"slots": np.array([0, 2])}, "slot is out of range"),
        ({"slots": np.array([0, -2])}, "slot is out of range"),
        ({"slots": np.array([0, 0, 1, 0])[::2]}, "contiguous"),
        ({"slots": np.array([0], np.int32)}, "int64"),
        ({"pair_section": np.zeros(3, np.uint8)}, "one byte a pair"),
        ({"pair_section": np.full(4, 2, np.uint8), "positions": np.zeros((2, 2), np.int64)}, "more sections"),
        ({"pair_section": np.zeros(4, np.uint8), "positions": np.zeros(2, np.int64)}, "one more axis"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_refused_before_memory_is_touched(changes, says):
    with pytest.raises(ValueError, match=says):
        call(**changes)


def test_the_arrays_of_a_device_are_not_read_here():
    address = (0, "f4", (2, 3, 8), (96, 32, 4))
    with pytest.raises(ValueError, match="turned there"):
        _core.rotate(call(inputs=[address], outputs=[address]))


def test_the_short_cut_counts_sections_without_pairs():
    pair_section = np.array([0, 0, 1, 1], np.uint8)
    short_cut = _core.ShortCut(turns_of(), -1, False, False, pair_section, 3, None, 0, None)
    x = np.ones((2, 3, 8), np.float32)
    assert short_cut.attempt(x, None, np.zeros((2, 2), np.int64), -2, False, None, None) is None
    assert short_cut.attempt(x, None, np.zeros((3, 2), np.int64), -2, False, None, None) is not None
    with pytest.raises(RuntimeError, match="more sections than said"):
        _core.ShortCut(turns_of(), -1, False, False, pair_section, 1, None, 0, None)


@pytest.mark.parametrize("positions", [None, 7])
def test_a_count_is_the_same_for_every_section(positions):
    sectioned, plain = yc.Rope(8, sections=(2, 2)).at(), yc.Rope(8).at()
    x = np.linspace(0, 1, 48, dtype=np.float32).reshape(2, 3, 8)
    short_cut = _core.ShortCut(
        native_turns(sectioned._record.turns), -1, False, False, sectioned._record.pair_section, 2, None, 0, None
    )
    assert np.array_equal(
        short_cut.attempt(x, None, positions, -2, False, None, None), plain.rotate(x, None, positions)
    )


def test_package_and_extension_agree_on_element_types_and_sections():
    assert _core.element_types == ROTATABLE
    assert checked_sections((1,) * _core.max_sections, _core.max_sections)
    with pytest.raises(ValueError, match="integers"):
        checked_sections((1,) * (_core.max_sections + 1), _core.max_sections + 1)
