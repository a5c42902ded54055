"""What only a GPU can show. Not collected by default: run by benchmarks/gpu/run.py, or pytest tests/cuda/on_gpu.py.

The reference is the extension on the CPU, whose bits the kernel is to give.
"""

import itertools

import numpy as np
import pytest
import torch
from positions_of_torch import POSITIONS

import yarncore as yc
from yarncore.backends.gpu.built_kernel import NativeCudaBackend
from yarncore.backends.gpu.run_time_kernel import CupyBackend

assert torch.cuda.is_available(), "these tests need an NVIDIA GPU and a torch that sees it"

UNAVAILABLE = {"native": NativeCudaBackend().why_unavailable(), "cupy": CupyBackend().why_unavailable()}
KERNELS = [name for name, reason in UNAVAILABLE.items() if reason is None]
assert KERNELS, f"neither the extension nor CuPy brings a kernel: {UNAVAILABLE}"
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
ROPE = yc.Rope(64, scaling=yc.YaRN(4.0, 64))
STEPPED = yc.Rope(64, scaling=yc.DynamicYaRN(64, steps="doubling"))

kernels = pytest.mark.parametrize("backend", KERNELS)


@pytest.fixture(autouse=True)
def _no_error_is_left():
    torch.manual_seed(0)
    yield
    torch.cuda.synchronize()


def tensor(*shape, dtype=torch.float32):
    return torch.randn(shape).to(dtype).cuda()


def same(y, expected):
    assert y.dtype == expected.dtype
    assert torch.equal(torch.nan_to_num(y.cpu()), torch.nan_to_num(expected.cpu()))
    assert torch.equal(y.cpu().isnan(), expected.cpu().isnan())


def all_same(results, expected):
    for y, e in zip(results, expected, strict=True):
        same(y, e)


@kernels
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interleaved", [False, True])
def test_the_bits_of_the_cpu_over_layouts_widths_and_tails(backend, dtype, interleaved):
    for (pairs, rest), offset in itertools.product(((64, 0), (32, 64), (40, 16), (10, 4), (6, 3), (1, 0)), (0, 2, 1)):
        dim = 2 * pairs + rest
        rotation = yc.Rotation(1e4 ** -np.linspace(0, 1, pairs), 1.1, head_dim=dim, interleaved=interleaved)
        for shape, axis in (((2, 3, 5, dim), -2), ((2, 5, 3, dim), -3), ((7, dim), None)):
            whole = torch.randn(int(np.prod(shape)) + 16).to(dtype)
            q = whole[offset : offset + int(np.prod(shape))].view(shape)
            on_gpu = whole.cuda()[offset : offset + q.numel()].view(shape)
            k, k_on_gpu = q[..., :1, :, :] if axis == -3 else q, on_gpu[..., :1, :, :] if axis == -3 else on_gpu
            k, k_on_gpu = k.clone(), k_on_gpu.clone()
            tokens = shape[:-1] if axis is None else (2, 3)
            positions = torch.randint(-(2**40), 2**40, tokens)
            expected = rotation.rotate(q, k, positions, heads_axis=axis)
            all_same(rotation.rotate(on_gpu, k_on_gpu, positions.cuda(), heads_axis=axis, backend=backend), expected)
            rotation.rotate_(on_gpu, k_on_gpu, positions.cuda(), heads_axis=axis, backend=backend)
            all_same((on_gpu, k_on_gpu), expected)


@kernels
@pytest.mark.parametrize("name", POSITIONS)
def test_positions(backend, name):
    q, k = tensor(2, 6, 4, 64, dtype=torch.bfloat16), tensor(2, 6, 2, 64, dtype=torch.bfloat16)
    given = POSITIONS[name]
    q[0, 0, 0, :3] = torch.tensor([torch.nan, torch.inf, -0.0])
    expected = ROPE.rotate(q.cpu(), k.cpu(), given, heads_axis=-2)
    on_gpu = given.cuda() if isinstance(given, torch.Tensor) else given
    all_same(ROPE.rotate(q, k, on_gpu, heads_axis=-2, backend=backend), expected)


@kernels
def test_views(backend):
    fused = tensor(2, 6, 14, 64, dtype=torch.float16)
    apart = tensor(2, 6, 4, 128)
    for q, k in ((fused[:, :, :8], fused[:, :, 8:10]), (apart[..., ::2], apart[..., 1::2])):
        expected = ROPE.rotate(q.cpu(), k.cpu(), 9, heads_axis=-2)
        all_same(ROPE.rotate(q, k, 9, heads_axis=-2, backend=backend), expected)
        ROPE.rotate_(q, k, 9, heads_axis=-2, backend=backend)
        all_same((q, k), expected)
    cache = torch.zeros(2, 4, 20, 64, device="cuda")
    x = tensor(2, 4, 5, 64)
    ROPE.rotate(x, None, 9, heads_axis=-3, out=cache[:, :, 7:12], backend=backend)
    same(cache[:, :, 7:12], ROPE.rotate(x.cpu(), None, 9, heads_axis=-3))
    assert not cache[:, :, :7].any()
    assert not cache[:, :, 12:].any()


@kernels
def test_sections(backend):
    rope = yc.Rope(64, sections=(16, 8, 8))
    q, positions = tensor(2, 5, 3, 64), torch.randint(0, 10**6, (3, 2, 5))
    expected = rope.rotate(q.cpu(), None, positions, heads_axis=-2)
    same(rope.rotate(q, None, positions.cuda(), heads_axis=-2, backend=backend), expected)


@kernels
def test_lengths_on_the_device_and_cached_keys(backend):
    q, lengths = tensor(3, 6, 4, 64), torch.tensor([[64], [100], [10**6]])
    expected = STEPPED.rotate(q.cpu(), None, None, heads_axis=-2, length=lengths)
    same(STEPPED.rotate(q, None, None, heads_axis=-2, length=lengths.cuda(), backend=backend), expected)
    old, new = STEPPED.at(100), STEPPED.at(1000)
    keys, slots, positions = tensor(6, 4, 2, 64), torch.tensor([9, -1, 3, 23]), torch.tensor([5, 6, 7, 8])
    expected = keys.cpu()
    yc.rerotate_(expected, positions, old, new, slots=slots)
    yc.rerotate_(keys, positions.cuda(), old, new, slots=slots.cuda())
    same(keys, expected)
    yc.shift_(expected, -5, new)
    yc.shift_(keys, -5, new)
    same(keys, expected)


@kernels
def test_gradients(backend):
    q, k = (tensor(2, 6, n, 64).requires_grad_() for n in (4, 2))
    positions = torch.arange(6, device="cuda") + 100
    y, z = ROPE.rotate(q, k, positions, heads_axis=-2, backend=backend)
    first = torch.autograd.grad((y**2).sum() + z.sum(), [q, k], create_graph=True)
    second = torch.autograd.grad(first[0].sum(), q)[0]
    adjoint = ROPE.at().adjoint
    same(first[0], adjoint.rotate((2 * y).detach().cpu(), None, positions.cpu(), heads_axis=-2))
    same(first[1], adjoint.rotate(torch.ones_like(k).cpu(), None, positions.cpu(), heads_axis=-2))
    assert torch.allclose(second, 2 * torch.full_like(q, ROPE.at().attention_factor ** 2), rtol=1e-5)
    before = torch.cuda.memory_allocated()
    y = ROPE.rotate(q, None, positions, heads_axis=-2, backend=backend)
    assert torch.cuda.memory_allocated() - before <= y.nbytes + 4096  # nothing of q is saved


@kernels
def test_nothing_is_allocated_and_nobody_waits(backend):
    q, k, positions = tensor(2, 60, 4, 64), tensor(2, 60, 2, 64), torch.arange(60, device="cuda")
    ROPE.rotate_(q, k, positions, heads_axis=-2, backend=backend)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    torch.cuda.set_sync_debug_mode("error")
    try:
        ROPE.rotate_(q, k, positions, heads_axis=-2, backend=backend)
        ROPE.rotate_(q, k, 7, heads_axis=-2, backend=backend)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.cuda.max_memory_allocated() == before


@kernels
def test_streams_do_not_meet(backend):
    streams = [torch.cuda.Stream() for _ in range(8)]
    tensors = [tensor(1, 500, 4, 64) for _ in streams]
    rotations = [yc.Rope(64, base=1e4 + n).at() for n in range(8)]
    expected = [x.cpu() for x in tensors]
    torch.cuda.synchronize()
    for turn in range(20):
        for stream, x, rotation in zip(streams, tensors, rotations, strict=True):
            with torch.cuda.stream(stream):
                rotation.rotate_(x, None, 100 * turn, heads_axis=-2, backend=backend)
    torch.cuda.synchronize()
    for x, e, rotation in zip(tensors, expected, rotations, strict=True):
        for turn in range(20):
            rotation.rotate_(e, None, 100 * turn, heads_axis=-2)
        same(x, e)


@kernels
def test_what_is_freed_at_once_is_not_lost(backend):
    for _ in range(50):
        x = tensor(1, 300, 4, 64)
        y = ROPE.rotate(x, None, torch.arange(300, device="cuda") + 5, heads_axis=-2, backend=backend)
        expected = ROPE.rotate(x.cpu(), None, 5, heads_axis=-2)
        del x
        torch.full((1, 300, 4, 64), 7.0, device="cuda")
        same(y, expected)


@kernels
def test_a_captured_graph_follows_the_scale(backend):
    q, k = tensor(3, 1, 8, 64, dtype=torch.bfloat16), tensor(3, 1, 2, 64, dtype=torch.bfloat16)
    positions = torch.zeros(3, 1, dtype=torch.int64, device="cuda")
    out = torch.empty_like(q), torch.empty_like(k)

    def step():
        STEPPED.rotate(q, k, positions, heads_axis=-2, length=positions + 1, out=out, backend=backend)

    step()  # the table of steps is copied before the capture
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    for new in ([[3], [63], [64]], [[127], [128], [5]], [[1000], [10**6], [10**9]]):
        positions.copy_(torch.tensor(new))
        q.normal_()
        graph.replay()
        expected = STEPPED.rotate(q.cpu(), k.cpu(), torch.tensor(new), heads_axis=-2, length=torch.tensor(new) + 1)
        all_same(out, expected)


def test_the_generic_road_is_captured_too():
    q, positions = tensor(3, 5, 8, 64), torch.arange(5, device="cuda")
    ROPE.rotate(q, None, positions, heads_axis=-2, backend="generic")
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = ROPE.rotate(q, None, positions, heads_axis=-2, backend="generic")
    positions += 1000
    graph.replay()
    assert torch.allclose(y.cpu(), ROPE.rotate(q.cpu(), None, positions.cpu(), heads_axis=-2), rtol=0, atol=1e-6)


@kernels
def test_a_capture_refuses_what_it_cannot_record(backend):
    q = tensor(3, 1, 8, 64)
    ROPE.rotate_(q, None, 3, heads_axis=-2, backend=backend)
    graph = torch.cuda.CUDAGraph()
    with pytest.raises(ValueError, match="graph is being captured"), torch.cuda.graph(graph):
        ROPE.rotate_(q, None, [[1], [2], [3]], heads_axis=-2, backend=backend)
    torch.cuda.synchronize()
    same(ROPE.rotate(q, None, 3, heads_axis=-2, backend=backend), ROPE.rotate(q.cpu(), None, 3, heads_axis=-2))


@kernels
def test_more_than_2_31_elements(backend):
    tokens = 2**31 // (32 * 128) + 100
    if torch.cuda.mem_get_info()[0] < 3 * tokens * 32 * 128 * 2:
        pytest.skip("the GPU has too little memory for that")
    rope = yc.Rope(128)
    x = torch.zeros(1, tokens, 32, 128, dtype=torch.bfloat16, device="cuda")
    some = [0, 1, tokens // 2, tokens - 2, tokens - 1]
    x[0, some] = torch.randn(5, 32, 128, dtype=torch.bfloat16).cuda()
    expected = rope.rotate(x[0, some].cpu(), None, some, heads_axis=-2)
    same(rope.rotate(x, None, None, heads_axis=-2, backend=backend)[0, some], expected)
    rope.rotate_(x, None, torch.arange(tokens, device="cuda"), heads_axis=-2, backend=backend)
    same(x[0, some], expected)


@kernels
def test_bad_input_is_refused(backend):
    q = tensor(2, 5, 4, 64)
    with pytest.raises(ValueError, match="positions is on cpu"):
        ROPE.rotate(q, None, torch.arange(5), heads_axis=-2, backend=backend)
    with pytest.raises(ValueError, match=r"q is on cuda.* and k on cpu"):
        ROPE.rotate(q, q.cpu(), 3, heads_axis=-2, backend=backend)
    with pytest.raises(ValueError, match="overlapping memory"):
        ROPE.rotate_(tensor(64).expand(5, 64), None, 3, heads_axis=None, backend=backend)
    with pytest.raises(yc.BackendUnavailable, match="float64"):
        ROPE.rotate(q.double(), None, 3, heads_axis=-2, backend=backend)
    assert ROPE.rotate(tensor(0, 5, 4, 64), None, 3, heads_axis=-2, backend=backend).shape == (0, 5, 4, 64)
    same(ROPE.rotate(q, None, 3, heads_axis=-2, backend=backend), ROPE.rotate(q.cpu(), None, 3, heads_axis=-2))


def test_the_roads_agree_and_the_fastest_is_chosen():
    q = tensor(2, 5, 4, 64)
    assert yc.backend_for(q).name == KERNELS[0]
    generic = ROPE.rotate(q, None, 10**6, heads_axis=-2, backend="generic")
    for backend in KERNELS:
        assert torch.allclose(ROPE.rotate(q, None, 10**6, heads_axis=-2, backend=backend), generic, rtol=0, atol=1e-6)


@kernels
def test_every_device(backend):
    for n in range(torch.cuda.device_count()):
        q = torch.randn(2, 5, 4, 64, device=f"cuda:{n}")
        lengths = torch.tensor([[64], [1000]], device=f"cuda:{n}")
        with torch.cuda.device(0):
            same(ROPE.rotate(q, None, 3, heads_axis=-2, backend=backend), ROPE.rotate(q.cpu(), None, 3, heads_axis=-2))
            y = STEPPED.rotate(q, None, 3, heads_axis=-2, length=lengths, backend=backend)
            same(y, STEPPED.rotate(q.cpu(), None, 3, heads_axis=-2, length=lengths.cpu()))


def test_under_torch_compile_inductor_fuses_the_array_operations():
    q = tensor(2, 5, 4, 64)
    compiled = torch.compile(lambda x: ROPE.rotate(x, None, 10**6, heads_axis=-2), fullgraph=True)
    assert torch.allclose(compiled(q), ROPE.rotate(q, None, 10**6, heads_axis=-2), rtol=0, atol=1e-5)


@kernels
def test_arrays_of_cupy(backend):
    if UNAVAILABLE["cupy"] is not None:
        pytest.skip(UNAVAILABLE["cupy"])
    import cupy

    x = np.random.default_rng(0).standard_normal((2, 5, 4, 64), dtype=np.float32)
    q = cupy.asarray(x)
    y = ROPE.rotate(q, None, cupy.arange(5) + 9, heads_axis=-2, backend=backend)
    assert isinstance(y, cupy.ndarray)
    assert np.array_equal(y.get(), ROPE.rotate(x, None, 9, heads_axis=-2))
    with cupy.cuda.Stream(non_blocking=True) as stream:
        ROPE.rotate_(q, None, 9, heads_axis=-2, backend=backend)
        stream.synchronize()
    assert np.array_equal(q.get(), ROPE.rotate(x, None, 9, heads_axis=-2))
    with pytest.raises(ValueError, match="overlapping memory"):
        ROPE.rotate_(cupy.broadcast_to(cupy.ones(64), (5, 64)), None, 3, heads_axis=None, backend=backend)
