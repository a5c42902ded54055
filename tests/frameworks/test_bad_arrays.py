"""What each framework lets through and must not be taken for plain memory.

Each case is a right result or a clear error, and an error leaves every byte as it was.
"""

import dask.array
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

import yarncore as yc

ROPE = yc.Rope(8, scaling=yc.YaRN(4.0, 64))
X = torch.arange(32.0).reshape(4, 8) / 7
TURNED = ROPE.rotate(X, None, 3, heads_axis=None)


def turned(x, backend=None):
    return ROPE.rotate(x, None, 3, heads_axis=None, backend=backend)


def turned_in_place(x):
    return ROPE.rotate_(x, None, 3, heads_axis=None)


def emptied(offset=0):
    whole = torch.ones(4 + offset, 8)
    view = whole[offset:]
    whole.untyped_storage().resize_(0)
    return view


def jagged():
    return torch.nested.nested_tensor([X, X[:2]], layout=torch.jagged)


class Subclass(torch.Tensor):
    pass


REFUSED = {
    "sparse": (lambda: X.to_sparse(), TypeError, "layout torch.sparse_coo"),
    "sparse rows": (lambda: X.to_sparse_csr(), TypeError, "layout torch.sparse_csr"),
    "mkldnn": (lambda: X.to_mkldnn(), TypeError, "layout torch._mkldnn"),
    "quantized": (lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8), TypeError, "quantized"),
    "nested": (lambda: torch.nested.nested_tensor([X, X[:2]]), TypeError, r"rotate q.values\(\)"),
    "jagged": (jagged, TypeError, r"rotate q.values\(\)"),
    "masked": (lambda: torch.masked.masked_tensor(X, X > 0), TypeError, "mask would be lost"),
    "complex": (lambda: X.to(torch.complex64), TypeError, "complex64"),
    "conjugated": (lambda: X.to(torch.complex64).conj(), TypeError, "complex64"),
    "float8": (lambda: X.to(torch.float8_e4m3fn), TypeError, "float8"),
    "bool": (lambda: X > 0, TypeError, "torch.bool"),
    "emptied": (emptied, ValueError, "resized to 0 bytes"),
    "emptied, a view": (lambda: emptied(1000), ValueError, "resized to 0 bytes"),
    "emptied leaf": (lambda: emptied().requires_grad_(), ValueError, "resized to 0 bytes|requires grad"),
    "Dask, head cut": (lambda: dask.array.ones((4, 8), chunks=(4, 4)), (TypeError, ValueError), "chunk|immutable"),
}


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("call", [turned, turned_in_place])
def test_refused(name, call):
    make, error, words = REFUSED[name]
    x = make()
    with pytest.raises(error, match=words):
        call(x)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nn.Parameter(X),
        lambda: X.clone().share_memory_(),
        lambda: X.expand(1, 4, 8)[0],
        lambda: X.t().contiguous().t(),
        lambda: torch.view_as_complex(torch.stack([X, -X], -1)).conj().imag,
        lambda: X.as_subclass(Subclass),
    ],
    ids=["parameter", "shared", "expanded", "transposed", "negative bit", "subclass"],
)
def test_right(make):
    x = make()
    y = turned(x)
    assert np.array_equal(y.detach().resolve_neg().numpy(), TURNED.numpy())
    assert isinstance(y, Subclass) == isinstance(x, Subclass)


def test_inference_tensors_out_of_place():
    with torch.inference_mode():
        x = X.clone()
    assert torch.equal(turned(x), TURNED)
    leaf = X.clone().requires_grad_()
    y = ROPE.rotate(x, leaf, 3, heads_axis=None)[1]
    y.sum().backward()
    assert torch.equal(leaf.grad, ROPE.at().adjoint.rotate(torch.ones_like(X), None, 3, heads_axis=None))


def test_in_place_on_what_is_not_a_leaf():
    leaf = X.clone().requires_grad_()
    y = leaf * 2
    assert turned_in_place(y) is y
    y.sum().backward()
    assert torch.equal(leaf.grad, 2 * ROPE.at().adjoint.rotate(torch.ones_like(X), None, 3, heads_axis=None))


@pytest.mark.parametrize("positions", [3, "tensor"])
def test_meta_and_fake_tensors_have_shapes_and_no_values(positions):
    for x, mode in (
        (X.to("meta"), None),
        (FakeTensorMode().from_tensor(X), "inside"),
        (FakeTensorMode().from_tensor(X), None),
    ):
        given = positions if positions == 3 else torch.empty_like(x[:, 0]).long()
        if mode:
            with x.fake_mode:
                y, z = ROPE.rotate(x, None, given, heads_axis=None), turned_in_place(x)
        else:
            y, z = ROPE.rotate(x, None, given, heads_axis=None), turned_in_place(x)
        assert (type(y), y.shape, y.dtype, y.device) == (type(x), x.shape, x.dtype, x.device)
        assert z is x


def test_transforms_in_place_are_right_and_tangents_never_silently_zero():
    tangent = torch.flip(X, (0,))
    value, pushed = torch.func.jvp(lambda x: turned_in_place(x * 1), (X,), (tangent,))
    assert torch.equal(value, TURNED)
    assert torch.equal(pushed, turned(tangent))
    assert torch.equal(torch.func.vmap(lambda x: turned_in_place(x * 1))(X[None])[0], TURNED)
    g = torch.func.grad(lambda x: turned_in_place(x * 1).sum())(X)
    assert torch.equal(g, ROPE.at().adjoint.rotate(torch.ones_like(X), None, 3, heads_axis=None))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(X.clone(), tangent)
        assert torch.equal(torch.autograd.forward_ad.unpack_dual(turned(dual)).tangent, turned(tangent))


@pytest.mark.parametrize("backend", [None, "generic"])
def test_no_setting_of_torch_changes_a_number(backend):
    settings = {
        "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
        "default device": lambda: torch.device("meta"),
        "inference mode": torch.inference_mode,
    }
    for name, setting in settings.items():
        with setting():
            y = turned(X, backend)
            z = ROPE.rotate(X.clone().requires_grad_(), None, 3, heads_axis=None, backend=backend)
        assert torch.equal(y, TURNED), name
        assert torch.equal(z, TURNED), name
        assert y.dtype == torch.float32
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.equal(turned(X, backend), TURNED)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(False)


def test_emptied_positions():
    positions = torch.arange(4)
    positions.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match=r"positions .*resized to 0 bytes"):
        ROPE.rotate(X, None, positions, heads_axis=None)


def test_a_namespace_without_a_function_that_is_needed():
    import types

    import array_api_strict as strict

    namespace = types.SimpleNamespace(
        **{name: getattr(strict, name) for name in dir(strict) if name not in ("where", "take")}
    )
    namespace.__name__ = "half_an_array_api"

    class Array:
        dtype, shape, device, ndim = strict.float32, (4, 8), "cpu", 2

        def __array_namespace__(self, api_version=None):
            return namespace

        def to_device(self, device, stream=None):
            return self

    with pytest.raises(yc.BackendUnavailable, match="namespace half_an_array_api has no where, take"):
        ROPE.rotate(Array(), None, 3, heads_axis=None)


FOUR = (4, 8)
MIXED_RIGHT = {
    "torch, NumPy positions": (X, np.arange(4) + 3),
    "torch, a list": (X, [3, 4, 5, 6]),
    "torch, a range": (X, range(3, 7)),
    "torch, int8 positions": (X, torch.arange(3, 7, dtype=torch.int8)),
    "NumPy, a list": (X.numpy(), [3, 4, 5, 6]),
    "JAX, NumPy positions": (jnp.asarray(X.numpy()), np.arange(4) + 3),
    "JAX, a list": (jnp.asarray(X.numpy()), [3, 4, 5, 6]),
}
MIXED_WRONG = {
    "NumPy, torch positions": (X.numpy(), None, torch.arange(4), TypeError, "positions is an array of torch and q of numpy"),
    "torch, JAX positions": (X, None, jnp.arange(4), TypeError, "positions is an array of jax and q of torch"),
    "JAX, torch positions": (jnp.ones(FOUR), None, torch.arange(4), TypeError, "positions is an array of torch and q of jax"),
    "NumPy, Dask positions": (X.numpy(), None, dask.array.arange(4), TypeError, "positions is an array of dask"),
    "q of torch, k of NumPy": (X, X.numpy(), 3, TypeError, "q is an array of torch and k of numpy"),
    "q of NumPy, k of JAX": (X.numpy(), jnp.ones(FOUR), 3, TypeError, "q is an array of numpy and k of jax"),
    "q and k on two devices": (X, X.to("meta"), 3, ValueError, "q is on cpu and k on meta"),
    "positions elsewhere": (X.to("meta"), None, torch.arange(4), ValueError, "positions is on cpu and q on meta"),
    "differentiable positions": (X, None, torch.arange(4.0, requires_grad=True), TypeError, "positions requires grad"),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED_RIGHT)
def test_mixed_calls_that_are_right(name):
    x, positions = MIXED_RIGHT[name]
    expected = ROPE.rotate(X.numpy(), None, np.arange(4) + 3, heads_axis=None)
    y = ROPE.rotate(x, None, positions, heads_axis=None)
    assert type(y) is type(x)
    assert np.allclose(np.asarray(y), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", MIXED_WRONG)
def test_mixed_calls_that_are_refused(name):
    q, k, positions, error, words = MIXED_WRONG[name]
    with pytest.raises(error, match=words):
        ROPE.rotate(q, k, positions, heads_axis=None)


def test_q_and_k_of_different_dtypes():
    q, k = ROPE.rotate(X, X.to(torch.bfloat16), 3, heads_axis=None)
    assert (q.dtype, k.dtype) == (torch.float32, torch.bfloat16)
    assert torch.equal(q, TURNED)
    assert torch.equal(k, turned(X.to(torch.bfloat16)))


@pytest.mark.parametrize("steps", [None, "doubling"])
def test_a_length_that_one_framework_traces_is_none_for_another(steps):
    rope, x = yc.Rope(8, scaling=yc.DynamicYaRN(64, steps=steps)), np.ones((4, 8), dtype=np.float32)
    with pytest.raises(TypeError, match=r"length, .* is an array of jax and q of numpy"):
        jax.jit(lambda length: rope.rotate(x, None, 3, heads_axis=None, length=length))(300)
    turned = rope.rotate(x, None, 3, heads_axis=None, length=300)
    for length in (jnp.asarray(300), torch.tensor(300)):
        assert np.array_equal(rope.rotate(x, None, 3, heads_axis=None, length=length), turned)
