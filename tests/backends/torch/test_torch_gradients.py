"""Gradients of torch: against finite differences, the generic road, and the adjoint rotation; nothing is saved."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacrev, jvp, vmap

import yarncore as yc

ROPE = yc.Rope(8, rotary_dim=6, rotary_start=1, scaling=yc.YaRN(4.0, 64))
FACTOR = ROPE.at().attention_factor
SECTIONED = yc.Rope(8, sections=(1, 1, 2), interleaved=True)
POSITIONS = torch.tensor([[0, 5, 9], [3, 100, 7]])


def turned(x, positions=POSITIONS):
    return ROPE.rotate(x, None, positions, heads_axis=-2)


@pytest.fixture
def x():
    return torch.randn(2, 3, 2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("positions", [POSITIONS, POSITIONS.numpy(), POSITIONS.double() / 4, 7, None], ids=str)
def test_gradcheck_of_every_order_and_mode(x, positions):
    x.requires_grad_()

    def function(t):
        return turned(t, positions)

    assert torch.autograd.gradcheck(function, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, x)


def test_gradcheck_with_sections_and_with_lengths(x):
    x.requires_grad_()
    positions = torch.randint(0, 50, (3, 2, 3))
    assert torch.autograd.gradcheck(lambda t: SECTIONED.rotate(t, None, positions, heads_axis=-2), x)
    rope = yc.Rope(8, scaling=yc.DynamicYaRN(64))
    lengths = torch.tensor([[64], [300]])
    assert torch.autograd.gradcheck(lambda t: rope.rotate(t, None, POSITIONS, heads_axis=-2, length=lengths), x)


@pytest.mark.parametrize("which", ["q", "k", "both"])
def test_gradients_of_q_and_k_are_those_of_the_adjoint(which):
    q, k = torch.randn(1, 5, 4, 8), torch.randn(1, 5, 2, 8)
    q.requires_grad_(which != "k")
    k.requires_grad_(which != "q")
    q2, k2 = ROPE.rotate(q, k, None, heads_axis=-2)
    gradients = torch.randn_like(q2), torch.randn_like(k2)
    (q2 * gradients[0]).sum().add((k2 * gradients[1]).sum()).backward()
    for x, gradient in zip((q, k), gradients, strict=True):
        assert (x.grad is not None) == x.requires_grad
        if x.requires_grad:
            assert torch.equal(x.grad, ROPE.at().adjoint.rotate(gradient, None, None, heads_axis=-2))


def test_nothing_but_positions_is_saved_for_backward(x):
    saved = []
    x.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        turned(x).sum().backward()
    assert all(not t.is_floating_point() for t in saved)
    assert sum(t.untyped_storage().nbytes() for t in saved) <= POSITIONS.untyped_storage().nbytes()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_values_and_gradients_are_those_of_the_generic_road(dtype):
    x = torch.randn(2, 3, 2, 8).to(dtype)
    results = []
    for backend in ("native", "generic"):
        leaf = x.clone().requires_grad_()
        y = ROPE.rotate(leaf, None, POSITIONS, heads_axis=-2, backend=backend)
        y.float().square().sum().backward()
        results.append((y.detach(), leaf.grad))
    unit = torch.finfo(dtype).eps
    assert torch.equal(results[0][0], results[1][0])
    # The generic road rounds x0 c and x1 s of a 16-bit gradient one by one; ours once.
    assert torch.allclose(results[0][1], results[1][1], rtol=4 * unit, atol=4 * unit)


def test_an_expanded_gradient_and_a_transposed_input(x):
    x.requires_grad_()
    turned(x.transpose(0, 0).transpose(1, 1)).sum().backward()  # the gradient of sum has stride 0
    ones = ROPE.at().adjoint.rotate(torch.ones_like(x), None, POSITIONS, heads_axis=-2)
    assert torch.equal(x.grad, ones)


def test_in_place_on_what_is_no_leaf_is_recorded(x):
    x.requires_grad_()
    y = x * 2
    assert ROPE.rotate_(y, None, POSITIONS, heads_axis=-2) is y
    (y**2).sum().backward()
    expected = 8 * x.detach()
    expected[..., 1:7] *= FACTOR**2
    assert torch.allclose(x.grad, expected)


def test_rotating_what_was_saved_makes_backward_raise(x):
    x.requires_grad_()
    y = x * 2
    z = (y**2).sum()
    ROPE.rotate_(y, None, POSITIONS, heads_axis=-2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_a_leaf_in_place_is_refused_before_anything_is_written(x):
    x.requires_grad_()
    before = x.detach().clone()
    with pytest.raises(ValueError, match="leaf"):
        ROPE.rotate_(x, None, POSITIONS, heads_axis=-2)
    assert torch.equal(x.detach(), before)
    with torch.no_grad():
        version = x._version
        ROPE.rotate_(x, None, POSITIONS, heads_axis=-2)
        assert x._version > version


def test_functional_transforms(x):
    many = torch.stack([x, x + 1, x * 2])
    each = torch.stack([turned(t) for t in many])
    assert torch.equal(vmap(turned)(many), each)
    assert torch.equal(vmap(turned, in_dims=1, out_dims=1)(many.movedim(0, 1)), each.movedim(0, 1))
    positions = torch.randint(0, 500, (3, 2, 3))
    each = torch.stack([turned(t, p) for t, p in zip(many, positions, strict=True)])
    assert torch.equal(vmap(turned)(many, positions), each)
    each = torch.stack([turned(x, p) for p in positions])
    assert torch.equal(vmap(turned, in_dims=(None, 0))(x, positions), each)
    lone = torch.stack([turned(x, p[:1]) for p in positions])  # positions with fewer axes than tokens
    assert torch.equal(vmap(lambda p: turned(x, p[:1]))(positions), lone)

    def energy(t):
        return (turned(t) ** 2).sum()

    expected = 2 * x
    expected[..., 1:7] *= FACTOR**2
    assert torch.allclose(grad(energy)(x), expected)
    assert torch.allclose(vmap(grad(energy))(many)[0], expected)
    value, tangent = jvp(turned, (x,), (x + 1,))
    assert torch.equal(value, turned(x))
    assert torch.equal(tangent, turned(x + 1))
    second = hessian(energy)(x).reshape(x.numel(), x.numel())
    assert torch.allclose(second, torch.diag(expected.flatten() / x.flatten()))
    assert jacrev(turned)(x).shape == (*x.shape, *x.shape)


def test_in_place_inside_a_transform(x):
    def doubled(t):
        y = t * 2
        return ROPE.rotate_(y, None, POSITIONS, heads_axis=-2)

    many = torch.stack([x, x + 1])
    assert torch.equal(vmap(doubled)(many), torch.stack([doubled(t) for t in many]))
    expected = torch.ones_like(x) * 2
    expected = ROPE.at().adjoint.rotate(expected, None, POSITIONS, heads_axis=-2)
    assert torch.allclose(grad(lambda t: doubled(t).sum())(x), expected)


def test_forward_mode(x):
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, x + 1)
        value, tangent = forward_ad.unpack_dual(turned(dual))
    assert torch.equal(value, turned(x))
    assert torch.equal(tangent, turned(x + 1))


def test_checkpointing_and_autocast(x):
    from torch.utils.checkpoint import checkpoint

    x.requires_grad_()
    checkpoint(turned, x, use_reentrant=False).sum().backward()
    assert torch.equal(x.grad, ROPE.at().adjoint.rotate(torch.ones_like(x), None, POSITIONS, heads_axis=-2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert turned(x).dtype == torch.float64
        assert turned(x.float()).dtype == torch.float32


def test_batched_gradients_of_the_old_kind_are_refused_in_words(x):
    x.requires_grad_()
    with pytest.raises(NotImplementedError, match=r"torch\.func\.jacrev"):
        torch.autograd.grad(turned(x), x, torch.ones(2, *x.shape), is_grads_batched=True)


def test_out_receives_the_gradient(x):
    x.requires_grad_()
    out = torch.empty_like(x)
    ROPE.rotate(x, None, POSITIONS, heads_axis=-2, out=out)
    out.sum().backward()
    assert x.grad is not None
