"""What append_ and move_ refuse: which argument, what was given, what is accepted; nothing has been written then."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import yarncore as yc

ROTATION = yc.Rope(8).at()
WIDER = yc.Rope(8, base=500.0).at()
SECTIONED = yc.Rope(8, sections=(2, 2)).at()


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def read_only(*shape):
    x = zeros(*shape)
    x.flags.writeable = False
    return x


FUSED = zeros(3, 2, 4, 2, 8)
APPEND = {
    "rotation": (yc.Rope(8), TypeError, "rotation is Rope.*Rotation is expected"),
    "q of integers": ({"q": zeros(4, 2, 8, dtype=np.int64)}, TypeError, "q has dtype int64"),
    "q of other tokens": ({"q": zeros(3, 2, 8)}, ValueError, "must agree"),
    "k missing": ({"k": None}, TypeError, "k is None"),
    "k of another head": ({"k": zeros(4, 2, 6), "q": None}, ValueError, "k has shape.*at least|head_dim"),
    "k of more heads": ({"k": zeros(4, 3, 8)}, ValueError, "key_cache has shape.*as many heads.* 2 and 3"),
    "k of another type": ({"k": zeros(4, 2, 8, dtype=np.float16), "q": None}, ValueError, "key_cache has dtype float32 and k float16"),
    "k of another framework": ({"k": torch.zeros(4, 2, 8), "q": None}, TypeError, "key_cache is an array of numpy and k of torch"),
    "v without a cache": ({"value_cache": None}, TypeError, "v is given and value_cache is not"),
    "a cache without v": ({"v": None}, TypeError, "value_cache is given and v is not"),
    "v no array": ({"v": 3}, TypeError, r"v is 3 \(int\)"),
    "v of other tokens": ({"v": zeros(5, 2, 3)}, ValueError, "v has shape.*must agree"),
    "v of another framework": ({"v": torch.zeros(4, 2, 3)}, TypeError, "v is an array of torch and k of numpy"),
    "v of another type": ({"v": zeros(4, 2, 3, dtype=np.float64)}, ValueError, "value_cache has dtype float32 and v float64"),
    "v of another width": ({"v": zeros(4, 2, 4)}, ValueError, "elements of a head.* 3 and 4"),
    "positions of another shape": ({"positions": np.arange(3)}, ValueError, "positions has shape"),
    "positions of text": ({"positions": "1"}, TypeError, "positions is '1'"),
    "key_cache no array": ({"key_cache": [1.0]}, TypeError, r"key_cache is \[1.0\]"),
    "key_cache read-only": ({"key_cache": read_only(3, 4, 2, 8)}, ValueError, "key_cache is read-only"),
    "key_cache without tokens": ({"key_cache": zeros(2, 8)}, ValueError, "key_cache has shape.*at least 3 axes"),
    "key_cache repeated": ({"key_cache": np.lib.stride_tricks.as_strided(zeros(4, 2, 8), (3, 4, 2, 8), (0, 64, 32, 4))}, ValueError, "key_cache has overlapping memory"),
    "value_cache of other blocks": ({"value_cache": zeros(2, 4, 2, 3)}, ValueError, "value_cache has shape.*key_cache"),
    "value_cache read-only": ({"value_cache": read_only(3, 4, 2, 3)}, ValueError, "value_cache is read-only"),
    "one cache for both": ({"key_cache": FUSED[:, 0], "value_cache": FUSED[:, 0], "v": zeros(4, 2, 8)}, ValueError, "key_cache overlaps value_cache"),
    "slots missing": ({"slots": None}, TypeError, "slots has dtype object"),
    "slots too few": ({"slots": [1, 2]}, ValueError, "slots names 2 slots, but k has the tokens"),
    "slots of another shape": ({"slots": [[0, 1], [2, 3]]}, ValueError, r"slots has shape \(2, 2\)"),
    "slots out of range": ({"slots": [0, 1, 2, 12]}, ValueError, r"slots has entries outside of -1 ... 11"),
    "slots below": ({"slots": [0, 1, 2, -2]}, ValueError, r"slots has entries outside of -1 ... 11"),
    "slots twice": ({"slots": [0, 1, 2, 1]}, ValueError, "slots names a token twice: it would be written twice"),
    "slots of floats": ({"slots": [0.0, 1.0, 2.0, 3.0]}, TypeError, "slots has dtype float64"),
    "heads_axis": ({"heads_axis": -1}, ValueError, "heads_axis=-1 is the last axis"),
    "out without q": ({"q": None, "out": zeros(4, 2, 8)}, TypeError, "out is where q goes"),
    "out of another shape": ({"out": zeros(4, 3, 8)}, ValueError, r"out\[0\] has shape"),
    "out read-only": ({"out": read_only(4, 2, 8)}, ValueError, "out is read-only"),
    "out two": ({"out": (zeros(4, 2, 8),) * 2}, ValueError, "out holds 2 arrays for 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", APPEND)
def test_append_says_what_is_wrong_and_writes_nothing(name):
    changes, error, says = APPEND[name]
    rotation = ROTATION
    if not isinstance(changes, dict):
        rotation, changes = changes, {}
    arguments = {
        "q": np.ones((4, 2, 8), np.float32), "k": np.ones((4, 2, 8), np.float32), "v": np.ones((4, 2, 3), np.float32),
        "positions": np.arange(4), "key_cache": zeros(3, 4, 2, 8), "value_cache": zeros(3, 4, 2, 3), "slots": [0, 5, 11, -1],
    } | changes  # fmt: skip
    with pytest.raises(error, match=says):
        yc.append_(rotation, **arguments)
    for written in ("key_cache", "value_cache"):
        if isinstance(arguments[written], np.ndarray):
            assert not arguments[written].any()


MOVE = {
    "keys no array": ({"keys": 1}, TypeError, r"keys is 1 \(int\)"),
    "keys of integers": ({"keys": zeros(3, 4, 2, 8, dtype=np.int32)}, TypeError, "keys has dtype int32"),
    "keys of another head": ({"keys": zeros(3, 4, 2, 6)}, ValueError, "keys has shape"),
    "keys read-only": ({"keys": read_only(3, 4, 2, 8)}, ValueError, "keys is read-only"),
    "source of floats": ({"source": [0.5, 1.0]}, TypeError, "source has dtype float64"),
    "source out of range": ({"source": [0, 12]}, ValueError, "source has entries outside of -1 ... 11"),
    "source of two axes": ({"source": [[0, 1]]}, ValueError, r"source has shape \(1, 2\)"),
    "source missing": ({"source": None}, TypeError, "source has dtype object"),
    "target out of range": ({"target": [-2, 1]}, ValueError, "target has entries outside of -1 ... 11"),
    "target twice": ({"target": [3, 3]}, ValueError, "target names a token twice: it would be written twice"),
    "target of another number": ({"target": [3]}, ValueError, "source names 2 slots and target 1"),
    "rotation a Rope": ({"rotation": yc.Rope(8)}, TypeError, "rotation is Rope"),
    "by a float": ({"by": 1.5}, TypeError, "by is 1.5"),
    "by a bool": ({"by": True}, TypeError, "by is True"),
    "by None": ({"by": None}, TypeError, "by is None"),
    "by of floats": ({"by": np.ones(2)}, TypeError, "by has dtype float64"),
    "by of another shape": ({"by": [1, 2, 3]}, ValueError, r"by has shape \(3,\); \(2,\), with a number for each token"),
    "by of other heads": ({"by": np.ones((2, 3), int)}, ValueError, r"by has shape \(2, 3\); \(2, 2\)"),
    "by of three axes": ({"by": np.ones((2, 2, 1), int)}, ValueError, r"by has shape \(2, 2, 1\)"),
    "by without sections": ({"rotation": SECTIONED, "by": 1}, ValueError, r"by has shape \(\); with sections"),
    "new a Rope": ({"new": yc.Rope(8), "positions": 0}, TypeError, "new is Rope"),
    "new of another width": ({"new": yc.Rope(8, rotary_dim=4).at(), "positions": 0}, ValueError, "rotary_dim"),
    "new without positions": ({"new": WIDER}, TypeError, "positions is missing"),
    "positions without new": ({"positions": 3}, TypeError, "positions are given and new is not"),
    "positions of floats": ({"new": WIDER, "positions": [0.5, 1.0]}, TypeError, "positions has dtype float64"),
    "positions of another shape": ({"new": WIDER, "positions": [1, 2, 3]}, ValueError, r"positions has shape \(3,\)"),
    "into of another type": ({"into": zeros(3, 4, 2, 8, dtype=np.float64), "values": None}, ValueError, "into has dtype float64 and keys float32"),
    "into of more heads": ({"into": zeros(3, 4, 3, 8), "values": None}, ValueError, "into has shape.*as many heads"),
    "into overlapping": ({"keys": FUSED[:2, 0], "into": FUSED[1:, 0], "values": None}, ValueError, "into overlaps keys"),
    "into read-only": ({"into": read_only(3, 4, 2, 8), "values": None}, ValueError, "into is read-only"),
    "into alone": ({"into": zeros(3, 4, 2, 8)}, TypeError, "values_into is not given"),
    "values_into alone": ({"values_into": zeros(3, 4, 2, 3)}, TypeError, "values_into is given and into is not"),
    "values_into without values": ({"into": zeros(3, 4, 2, 8), "values": None, "values_into": zeros(3, 4, 2, 3)}, TypeError, "values_into is given and values is not"),
    "values of other blocks": ({"values": zeros(2, 4, 2, 3)}, ValueError, "values has shape.*keys"),
    "values read-only": ({"values": read_only(3, 4, 2, 3)}, ValueError, "values is read-only"),
    "values_into of another type": ({"into": zeros(3, 4, 2, 8), "values_into": zeros(3, 4, 2, 3, dtype=np.int32)}, ValueError, "values_into has dtype int32"),
    "values of other heads where heads differ": ({"values": zeros(3, 4, 1, 3), "by": [[1, 2]]}, ValueError, "values has shape.*as many heads as keys"),
    "heads_axis": ({"heads_axis": 9}, ValueError, "heads_axis=9 needs at least"),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVE)
def test_move_says_what_is_wrong_and_writes_nothing(name):
    changes, error, says = MOVE[name]
    arguments = {
        "keys": np.ones((3, 4, 2, 8), np.float32), "source": [0, 1], "target": [5, 6], "rotation": ROTATION,
        "values": np.ones((3, 4, 2, 3), np.float32), "by": 3,
    } | changes  # fmt: skip
    before = {name: x.copy() for name, x in arguments.items() if isinstance(x, np.ndarray)}
    with pytest.raises(error, match=says):
        yc.move_(**arguments)
    for name, x in before.items():
        assert np.array_equal(arguments[name], x)


def test_what_is_immutable_is_said_to_be():
    cache, x = jnp.zeros((3, 4, 2, 8)), jnp.ones((2, 2, 8))
    with pytest.raises(TypeError, match="key_cache is an array of jax, which is immutable"):
        yc.append_(ROTATION, None, x, None, 0, key_cache=cache, slots=[0, 1])
    with pytest.raises(TypeError, match="keys is an array of jax, which is immutable"):
        yc.move_(cache, [0], [1], ROTATION, by=1)


def test_arrays_that_take_no_index_are_said_to():
    import array_api_strict as strict

    cache = strict.zeros((3, 4, 2, 8), dtype=strict.float32)
    with pytest.raises(yc.BackendUnavailable, match="slots need an array that can be written in place"):
        yc.move_(cache, [0], [1], ROTATION, by=1)


def test_a_leaf_that_requires_grad_is_refused_and_what_is_recorded_has_its_gradient():
    leaf = torch.zeros(3, 4, 2, 8, requires_grad=True)
    with pytest.raises(ValueError, match="key_cache is a leaf that requires grad"):
        yc.append_(ROTATION, None, torch.ones(2, 2, 8), None, 0, key_cache=leaf, slots=[0, 1])
    with pytest.raises(ValueError, match="keys is a leaf that requires grad"):
        yc.move_(leaf, [0], [1], ROTATION)
    k = torch.ones(2, 2, 8, requires_grad=True)
    cache = torch.zeros(3, 4, 2, 8)
    yc.append_(ROTATION, None, k, None, 5, key_cache=cache, slots=[3, -1])
    weight = torch.arange(16.0).reshape(2, 8)
    (cache[0, 3] * weight).sum().backward()
    expected = ROTATION.adjoint.rotate(weight, None, np.full(2, 5), heads_axis=None)
    assert torch.allclose(k.grad[0], expected)
    assert not k.grad[1].any()


def test_a_cache_that_a_backward_pass_has_saved_is_marked_as_changed():
    cache, weight = torch.ones(3, 4, 2, 8), torch.ones(3, 4, 2, 8, requires_grad=True)
    loss = (cache * weight).sum()
    yc.move_(cache, [0], [1], ROTATION, by=1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_tokens_of_an_empty_call_and_pools_without_blocks():
    cache, k = np.ones((3, 4, 2, 8), np.float32), np.ones((0, 2, 8), np.float32)
    assert yc.append_(ROTATION, k, k, None, None, key_cache=cache, slots=[]).shape == (0, 2, 8)
    assert yc.move_(cache, [], [], ROTATION, by=3) is cache
    empty = np.ones((0, 4, 2, 8), np.float32)
    yc.move_(cache, [-1, 3], [2, -1], ROTATION, by=3)
    yc.move_(empty, [-1], [-1], ROTATION, by=3)
    yc.append_(ROTATION, None, np.ones((1, 2, 8), np.float32), None, 0, key_cache=empty, slots=[-1])
    assert (cache == 1).all()
