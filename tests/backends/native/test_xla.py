"""The extension called by XLA: its own bits, under jit, backwards and under vmap; and the interface it was written to."""

import os
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import yarncore as yc

ROPE = yc.Rope(16, rotary_dim=12, rotary_start=3, scaling=yc.YaRN(4.0, 64))
STEPPED = yc.Rope(16, scaling=yc.DynamicYaRN(64, steps="doubling"))
DTYPES = {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16}


def pair(rng, dtype=np.float32, heads_axis=-2):
    shapes = ((2, 5, heads, 16) if heads_axis == -2 else (2, heads, 5, 16) for heads in (4, 2))
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def all_same(results, expected):
    for y, e in zip(results, expected, strict=True):
        assert isinstance(y, jax.Array)
        assert y.dtype == e.dtype
        assert np.array_equal(np.asarray(y), e)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("heads_axis", [-2, -3])
def test_the_bits_of_the_extension(name, interleaved, heads_axis, rng):
    rope = yc.Rope(16, rotary_dim=12, rotary_start=3, interleaved=interleaved, scaling=yc.YaRN(4.0, 64))
    arrays = pair(rng, DTYPES[name], heads_axis)
    given = [jnp.asarray(x) for x in arrays]
    places = rng.integers(-(2**31) + 1, 2**31, (2, 5))
    for positions in (None, 7, [[3], [9]], places, jnp.asarray(places, jnp.int32), np.arange(5) / 4):
        on_host = np.asarray(positions) if isinstance(positions, jax.Array) else positions
        expected = rope.rotate(*arrays, on_host, heads_axis=heads_axis)
        all_same(rope.rotate(*given, positions, heads_axis=heads_axis, backend="native"), expected)
        jitted = jax.jit(lambda q, k, p=positions: rope.rotate(q, k, p, heads_axis=heads_axis, backend="native"))
        all_same(jitted(*given), expected)
        assert [np.array_equal(x, y) for x, y in zip(given, arrays, strict=True)] == [True, True]


def test_lengths_of_rows_sections_and_float64(rng):
    q, k = pair(rng)
    lengths = np.array([[64], [10**6]])
    expected = STEPPED.rotate(q, k, 9, heads_axis=-2, length=lengths)
    all_same(
        STEPPED.rotate(jnp.asarray(q), jnp.asarray(k), 9, heads_axis=-2, length=lengths, backend="native"), expected
    )
    traced = jax.jit(lambda q, k, n: STEPPED.rotate(q, k, 9, heads_axis=-2, length=n, backend="native"))
    all_same(traced(q, k, jnp.asarray(lengths, jnp.int32)), expected)
    sectioned = yc.Rope(16, sections=(3, 3, 2))
    positions = rng.integers(0, 999, (3, 2, 5))
    y = sectioned.rotate(jnp.asarray(q), None, positions, heads_axis=-2, backend="native")
    all_same([y], [sectioned.rotate(q, None, positions, heads_axis=-2)])
    with jax.enable_x64(True):
        x, far = q.astype(np.float64), rng.integers(0, 2**62, (2, 5))
        all_same(
            [ROPE.rotate(jnp.asarray(x), None, far, heads_axis=-2, backend="native")],
            [ROPE.rotate(x, None, far, heads_axis=-2)],
        )


def test_backwards_twice_and_forwards_in_words(rng):
    x, g = (jnp.asarray(rng.standard_normal((2, 5, 4, 16)), jnp.float32) for _ in range(2))

    def rotate(t):
        return ROPE.rotate(t, None, 7, heads_axis=-2, backend="native")

    pulled = jax.jit(lambda x, g: jax.vjp(rotate, x)[1](g)[0])(x, g)
    all_same([pulled], [ROPE.at().adjoint.rotate(np.asarray(g), None, 7, heads_axis=-2)])
    again = jax.grad(lambda g: (jax.vjp(rotate, x)[1](g)[0] * x).sum())(g)
    all_same([again], [np.asarray(rotate(x))])
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(rotate, (x,), (g,))


def test_vmap_over_arrays_and_positions(rng):
    x = jnp.asarray(rng.standard_normal((3, 5, 4, 16)), jnp.float32)
    positions = jnp.asarray(rng.integers(0, 999, (3, 5)), jnp.int32)
    for axes in ((0, 0), (0, None)):
        given = positions if axes[1] == 0 else positions[0]
        mapped = jax.jit(jax.vmap(lambda t, p: ROPE.rotate(t, None, p, backend="native"), axes))(x, given)
        all_same([mapped], [ROPE.rotate(np.asarray(x), None, np.asarray(given))])
    sectioned = yc.Rope(16, sections=(3, 3, 2))
    many = jnp.stack([positions, positions + 1, positions * 2], axis=1)
    mapped = jax.vmap(lambda t, p: sectioned.rotate(t, None, p, backend="native"))(x, many)
    all_same([mapped], [sectioned.rotate(np.asarray(x), None, np.moveaxis(np.asarray(many), 1, 0))])


def test_what_is_left_to_the_generic_road(rng):
    q = jnp.asarray(pair(rng)[0])
    continuous = yc.Rope(16, scaling=yc.DynamicYaRN(64))
    with pytest.raises(yc.BackendUnavailable, match="frequencies are traced"):
        jax.jit(lambda q, n: continuous.rotate(q, None, 9, heads_axis=-2, length=n, backend="native"))(q, 100)
    with pytest.raises(ValueError, match="beyond int32"):
        ROPE.rotate(q, None, 2**40, heads_axis=-2, backend="native")
    assert yc.backend_for(q).name == "generic"
    assert 'backend="native"' in yc.backend_for(q).faster
    empty = ROPE.rotate(q[:0], None, 3, heads_axis=-2, backend="native")
    assert empty.shape == (0, 5, 4, 16)


CHECK = """
#include "xla/ffi/api/c_api.h"
#include "{sources}/jax/ffi_abi.h"
#include "{sources}/array_view.h"
namespace ours = yarncore::jax;
#define SAME(a, b, member_a, member_b) static_assert(offsetof(a, member_a) == offsetof(b, member_b), #a);
SAME(XLA_FFI_Extension_Base, ours::Extension, next, next)
SAME(XLA_FFI_Api_Version, ours::ApiVersion, minor_version, minor_version)
SAME(XLA_FFI_Metadata, ours::Metadata, api_version, api_version)
SAME(XLA_FFI_Metadata, ours::Metadata, traits, traits)
SAME(XLA_FFI_Metadata_Extension, ours::MetadataExtension, metadata, metadata)
SAME(XLA_FFI_Error_Create_Args, ours::ErrorArguments, errc, code)
SAME(XLA_FFI_Api, ours::Api, XLA_FFI_Error_Create, create_error)
SAME(XLA_FFI_Buffer, ours::Buffer, data, data)
SAME(XLA_FFI_Buffer, ours::Buffer, dims, dims)
SAME(XLA_FFI_Args, ours::Buffers, args, buffers)
SAME(XLA_FFI_Rets, ours::Buffers, rets, buffers)
SAME(XLA_FFI_ByteSpan, ours::Name, len, length)
SAME(XLA_FFI_Array, ours::ArrayAttribute, data, data)
SAME(XLA_FFI_Attrs, ours::Attributes, attrs, attributes)
SAME(XLA_FFI_CallFrame, ours::CallFrame, args, arguments)
SAME(XLA_FFI_CallFrame, ours::CallFrame, rets, results)
SAME(XLA_FFI_CallFrame, ours::CallFrame, attrs, attributes)
static_assert(XLA_FFI_API_MAJOR == ours::major_version, "");
static_assert(XLA_FFI_Extension_Metadata == ours::metadata_extension, "");
static_assert(XLA_FFI_Error_Code_INVALID_ARGUMENT == ours::invalid_argument, "");
static_assert(XLA_FFI_AttrType_ARRAY == 1 && XLA_FFI_ArgType_BUFFER == 1, "");
static_assert(int(XLA_FFI_DataType_U8) == ours::u8 && int(XLA_FFI_DataType_S64) == ours::s64, "");
static_assert(int(XLA_FFI_DataType_U32) == ours::u32 && int(XLA_FFI_DataType_F64) == ours::f64, "");
#define ELEMENT(xla_name, name) static_assert(XLA_FFI_DataType_##xla_name == yarncore::info_of(yarncore::ElementType::name).xla, #name);
ELEMENT(F64, float64) ELEMENT(F32, float32) ELEMENT(BF16, bfloat16) ELEMENT(F16, float16)
#define POSITION(xla_name, name) \\
  static_assert(XLA_FFI_DataType_##xla_name == yarncore::position_kinds[int(yarncore::PositionKind::name)].xla, #name);
POSITION(S8, int8) POSITION(S16, int16) POSITION(S32, int32) POSITION(S64, int64) POSITION(F32, float32)
POSITION(U8, uint8) POSITION(U16, uint16) POSITION(U32, uint32) POSITION(U64, uint64) POSITION(F64, float64)
"""


def test_our_declarations_are_those_of_the_installed_xla(tmp_path):
    sources = Path(__file__).parents[3] / "csrc"
    source = tmp_path / "check.cpp"
    source.write_text(CHECK.format(sources=sources))
    run = subprocess.run(
        [os.environ.get("CXX", "g++"), "-std=c++17", "-fsyntax-only", f"-I{jax.ffi.include_dir()}", source],
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
