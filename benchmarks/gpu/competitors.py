"""On a GPU: the limits, built by nvcc, and what others do. Imported where there is a GPU."""

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path

import torch

CODES = {torch.float32: 4, torch.bfloat16: 2, torch.float16: 3}


@functools.cache
def passes():
    """The library of passes.cu."""
    path = f"{tempfile.mkdtemp()}/passes.so"
    source = Path(__file__).with_name("passes.cu")
    subprocess.run(
        ["nvcc", "-O3", "-std=c++17", "-arch=native", "-shared", "-Xcompiler", "-fPIC", source, "-o", path], check=True
    )
    return ctypes.CDLL(path)


def _stream():
    return ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)


def _pointer(x):
    return ctypes.c_void_p(x.data_ptr())


def scale(*tensors):
    """Each tensor times a number, in place."""
    for x in tensors:
        assert passes().scale(_pointer(x), ctypes.c_int64(x.nbytes // 16), CODES[x.dtype], _stream()) == 0


def copy(*pairs):
    """Each tensor into another one."""
    for x, y in pairs:
        assert passes().copy(_pointer(x), _pointer(y), ctypes.c_int64(x.nbytes // 16), _stream()) == 0


def gather(q, k, positions, parts):
    """Positions (tokens,) read, then q and k of each token (tokens, heads, dim) read and written."""
    tokens = positions.numel()
    of_q, of_k = (x.nbytes // 16 // tokens for x in (q, k))
    assert passes().gather(_pointer(q), _pointer(k), _pointer(positions), tokens, of_q, of_k, parts, _stream()) == 0


try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

if triton is not None:

    @triton.jit
    def _turn_by_table(x, c, s, token, HEADS: tl.constexpr, WIDE: tl.constexpr, HALF: tl.constexpr):
        head = tl.arange(0, WIDE)[:, None]
        at = x + token * HEADS * 2 * HALF + head * 2 * HALF + tl.arange(0, HALF)[None, :]
        inside = head < HEADS
        first, second = tl.load(at, inside).to(tl.float32), tl.load(at + HALF, inside).to(tl.float32)
        tl.store(at, (first * c - second * s).to(x.dtype.element_ty), inside)
        tl.store(at + HALF, (second * c + first * s).to(x.dtype.element_ty), inside)

    @triton.jit
    def _rope_by_table(
        q, k, cos, sin, Q: tl.constexpr, K: tl.constexpr, WIDE_Q: tl.constexpr, WIDE_K: tl.constexpr, HALF: tl.constexpr
    ):
        token = tl.program_id(0).to(tl.int64)
        pair = tl.arange(0, HALF)
        c = tl.load(cos + token * HALF + pair).to(tl.float32)[None, :]
        s = tl.load(sin + token * HALF + pair).to(tl.float32)[None, :]
        _turn_by_table(q, c, s, token, Q, WIDE_Q, HALF)
        _turn_by_table(k, c, s, token, K, WIDE_K, HALF)


def fused_triton(q, k, cos, sin):
    """One launch for q and k of (tokens, heads, dim), in place, by tables (tokens, dim / 2): as Liger and flash-attn do."""
    tokens, heads, dim = q.shape
    wide = [triton.next_power_of_2(n) for n in (heads, k.shape[1])]
    _rope_by_table[(tokens,)](q, k, cos, sin, heads, k.shape[1], *wide, dim // 2, num_warps=4)


def rotate_half(q, k, cos, sin):
    """transformers' apply_rotary_pos_emb in words of our own: q, k (batch, heads, seq, dim), tables (batch, seq, dim)."""
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)

    def rotated(x):
        half = x.shape[-1] // 2
        return x * cos + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sin

    return rotated(q), rotated(k)


@functools.cache
def compiled_rotate_half():
    """The same under torch.compile."""
    torch._dynamo.config.recompile_limit = 64  # 0 and 1 are compiled apart
    return torch.compile(apply_of_transformers(), dynamic=True)


def apply_of_transformers():
    """transformers' own function where it is installed."""
    try:
        from transformers.models.llama.modeling_llama import apply_rotary_pos_emb
    except ImportError:
        return rotate_half
    return apply_rotary_pos_emb
