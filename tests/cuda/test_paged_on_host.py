"""append_ and move_ by the GPU's kernel, every block and thread of it on the host: the bits of the extension."""

import numpy as np
import pytest
import torch
from host_backend import HostBackend

import yarncore as yc
from yarncore.backends import paged
from yarncore.request.paged import PagedRequest

ROPE = yc.Rope(64, scaling=yc.DynamicYaRN(64, steps="doubling"), rotary_dim=48)
OLD, NEW = ROPE.at(100), ROPE.at(400)
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.fixture
def both(monkeypatch):
    """Carries out a call twice, on copies of the tensors, and compares what it wrote; counts the kernel's launches."""
    host, native = HostBackend(), paged.BACKENDS

    def run(call, *arrays, launches=1):
        results = []
        for backends in (native, (host,)):
            monkeypatch.setattr(paged, "BACKENDS", backends)
            copies = [x.clone() for x in arrays]
            returned = call(*copies)
            results.append([*copies, *([returned] if isinstance(returned, torch.Tensor) else [])])
        for a, b in zip(*results, strict=True):
            assert torch.equal(bits(a), bits(b))
        assert host.launches == launches, host.launches
        assert any(not torch.equal(bits(a), bits(x)) for a, x in zip(results[0], arrays, strict=False))
        host.launches = 0

    monkeypatch.setattr(paged, "_one_after_the_other", None)  # no other road may answer
    monkeypatch.setattr("yarncore.paged_cache.attempt_append", lambda *arguments: None)
    return run


def bits(x):
    return x.contiguous().view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()])


def tensor(*shape, dtype=torch.float32):
    return torch.randn(shape).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("values", [torch.bfloat16, torch.uint8, torch.float64, torch.float8_e4m3fn])
@pytest.mark.parametrize("axis", [-2, -3])
def test_append(dtype, values, axis, both):
    slots = torch.tensor([3, 19, -1, 0, 7, 4, 21, 22])

    def call(q, k, v, keys, vs):
        return yc.append_(
            NEW, q, k, v, torch.arange(8) - 3, key_cache=keys, value_cache=vs, slots=slots, heads_axis=axis
        )

    def shaped(heads, dim, *grid):
        return (*grid, heads, dim) if axis == -2 else (*grid[:-1], heads, grid[-1], dim)

    both(
        call, tensor(*shaped(6, 64, 8), dtype=dtype), tensor(*shaped(2, 64, 8), dtype=dtype),
        tensor(*shaped(3, 24, 8)).to(values), tensor(*shaped(2, 64, 6, 4), dtype=dtype), tensor(*shaped(3, 24, 6, 4)).to(values),
    )  # fmt: skip


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_addresses_that_are_not_aligned_and_keys_alone(offset, both):
    def call(k, keys):
        part = keys.reshape(-1)[offset : offset + 12 * 2 * 64].view(3, 4, 2, 64)
        yc.append_(OLD, None, k, None, 2**40, key_cache=part, slots=[11, 0, 5], heads_axis=-2)

    both(call, tensor(3, 2, 64, dtype=torch.bfloat16), tensor(12 * 2 * 64 + 8, dtype=torch.bfloat16))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("by", [0, 7, [1, -2, 3, 0, 5], np.array([[1, -2]]), np.arange(10).reshape(5, 2)], ids=str)
@pytest.mark.parametrize("scaled", [False, True])
def test_move(dtype, by, scaled, both):
    source, target = torch.tensor([7, -1, 0, 19, 3]), torch.tensor([0, 2, 4, 17, -1])
    more = {"new": NEW, "positions": torch.tensor([5, 6, 0, 2**35, 8])} if scaled else {}

    def call(keys, into, values, values_into):
        yc.move_(keys, source, target, OLD, by=by, into=into, values=values, values_into=values_into, **more)

    pool, values = tensor(5, 4, 2, 64, dtype=dtype), tensor(5, 4, 2, 8, dtype=torch.float16)
    both(call, pool, tensor(4, 6, 2, 64, dtype=dtype), values, tensor(4, 6, 2, 8, dtype=torch.float16))


def test_within_one_pool_what_is_read_and_what_is_written_may_meet(both):
    def call(keys, values):
        yc.move_(keys, [0, 1, 2, 9], [1, 2, 0, 9], OLD, by=3, values=values)

    both(call, tensor(3, 4, 2, 64), tensor(3, 4, 2, 4))


def test_slots_that_cannot_be_read_are_moved_through_a_temporary(both, monkeypatch):
    monkeypatch.setattr(PagedRequest, "reads_what_it_writes", lambda self: None)

    def call(keys):
        yc.move_(keys, [0, -1, 2, 9], [1, 5, 0, 9], OLD, by=3)

    both(call, tensor(3, 4, 2, 64))


def test_slots_out_of_range_on_a_device_are_skipped(both, monkeypatch):
    host = HostBackend()
    monkeypatch.setattr(paged, "BACKENDS", (host,))
    checked = yc.paged_cache.move_request

    def unread(*arguments, **options):
        request = checked(*arguments, **options)
        request.source_slots, request.target_slots = torch.tensor([0, 99, 2, -7, 3]), torch.tensor([5, 6, 12, 8, 9])
        request.in_one_pool = False
        return request

    monkeypatch.setattr("yarncore.paged_cache.move_request", unread)
    keys, into = tensor(3, 4, 2, 64), tensor(3, 4, 2, 64)
    expected = into.clone().reshape(12, 2, 64)
    expected[[5, 9]] = keys.reshape(12, 2, 64)[[0, 3]]
    yc.move_(keys, [0] * 5, range(5), OLD, into=into)
    assert torch.equal(into.reshape(12, 2, 64), expected)
    assert host.launches == 1


def test_sections_lengths_and_many_pairs(both):
    sectioned = yc.Rope(16, sections=(4, 2, 2))
    by = torch.tensor([[1, 2, 3], [0, -5, 0], [7, 0, 0]])

    def move(keys):
        yc.move_(keys, [0, 1, 2], [9, 8, 7], sectioned.at(), by=by)
        yc.move_(
            keys,
            [9, 8, 7],
            [3, 4, 5],
            sectioned.at(),
            by=by,
            new=yc.Rope(16, base=50.0, sections=(4, 2, 2)).at(),
            positions=by + 9,
        )

    both(move, tensor(3, 4, 2, 16), launches=2)
    lengths = np.array([100, 400, 70])

    def rows(keys, k):
        yc.move_(keys, [0, 1, 2], [9, 8, 7], ROPE.at(lengths), by=3, new=ROPE.at(lengths * 2), positions=[1, 2, 3])
        yc.move_(keys, [0, 1, 2], [9, 8, 7], ROPE.at(lengths), by=[[3, 4], [5, 6], [7, 8]])
        yc.append_(ROPE.at(lengths), None, k, None, 5, key_cache=keys, slots=[1, 2, 3])

    both(rows, tensor(3, 4, 2, 64), tensor(3, 2, 64), launches=3)
    wide = yc.Rope(600)

    def many(keys):
        yc.move_(keys, [0, 1, 2], [5, 4, 3], wide.at(), by=7, new=yc.Rope(600, base=50.0).at(), positions=-3)

    both(many, tensor(2, 3, 1, 600))


def test_interleaved_slices_without_heads_and_two_types(both):
    rope = yc.Rope(8, interleaved=True)

    def mla(latent):
        yc.move_(latent[..., 16:], [1, 2], [9, 10], rope.at(), by=7, values=latent[..., :16], heads_axis=None)

    both(mla, tensor(3, 4, 24, dtype=torch.bfloat16))

    def mixed(q, k, keys):
        return yc.append_(OLD, q, k, None, 3, key_cache=keys, slots=[0, 1])

    both(
        mixed,
        tensor(2, 4, 64),
        tensor(2, 2, 64, dtype=torch.float16),
        tensor(3, 4, 2, 64, dtype=torch.float16),
        launches=2,
    )


def test_values_that_make_up_no_whole_access_go_another_way(monkeypatch):
    host = HostBackend()
    monkeypatch.setattr(paged, "BACKENDS", (host,))
    keys, values = tensor(3, 4, 2, 64), torch.randint(0, 99, (3, 4, 2, 5), dtype=torch.uint8)
    before = values.clone()
    yc.move_(keys, [0], [1], OLD, values=values)
    assert torch.equal(values[0, 1], before[0, 0])
    assert host.launches == 0
