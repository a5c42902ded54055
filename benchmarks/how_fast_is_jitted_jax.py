"""Under jax.jit on the CPU: ours, exact, beside the usual float32 angles, cos and sin.

All make their cos and sin inside. "called" is the extension, called by XLA: backend="native".
Run: python benchmarks/how_fast_is_jitted_jax.py
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shared.interleaved import medians, microseconds, print_table
from shared.workload import DIM, HEADS, KEY_HEADS, ROPE


def arrays(tokens, dtype):
    rng = np.random.default_rng(0)
    q, k = (jnp.asarray(rng.standard_normal((1, tokens, heads, DIM)), dtype) for heads in (HEADS, KEY_HEADS))
    return q, k, jnp.arange(tokens, dtype=jnp.int32)


@jax.jit
def ours(q, k, positions):
    return ROPE.rotate(q, k, positions, heads_axis=-2)


@jax.jit
def called(q, k, positions):
    return ROPE.rotate(q, k, positions, heads_axis=-2, backend="native")


INVERSE_FREQUENCIES = np.float32(ROPE.at().inverse_frequencies)


@jax.jit
def usual(q, k, positions):
    angles = positions[:, None, None].astype(jnp.float32) * INVERSE_FREQUENCIES
    angles = jnp.concatenate([angles, angles], -1)
    cos, sin = jnp.cos(angles).astype(q.dtype), jnp.sin(angles).astype(q.dtype)

    def rotate_half(x):
        first, second = jnp.split(x, 2, -1)
        return jnp.concatenate([-second, first], -1)

    return q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin


def table(seconds=2.0):
    """Rows of the table."""
    rows = []
    for name in ("float32", "bfloat16"):
        for tokens in (1, 512, 4096):
            given = arrays(tokens, name)
            times = medians(
                {f.__name__: lambda f=f, given=given: jax.block_until_ready(f(*given)) for f in (ours, called, usual)},
                seconds,
            )
            mine, call, other = (times[f.__name__][0] for f in (ours, called, usual))
            cells = (
                microseconds(mine),
                microseconds(call),
                microseconds(other),
                f"{other / mine:.2f} x",
                f"{other / call:.2f} x",
            )
            rows.append([f"{name}, {tokens} tokens", *cells])
    return rows


TITLE = "jax.jit, q of 32 heads and k of 8, of 128 elements"
COLUMNS = ["", "ours", "called", "usual cos and sin", "usual / ours", "usual / called"]


@pytest.mark.parametrize("function", [ours, called, usual], ids=["ours", "called", "usual"])
def test_jitted(benchmark, function):
    given = arrays(512, "float32")
    benchmark(lambda: jax.block_until_ready(function(*given)))


if __name__ == "__main__":
    print_table(TITLE, COLUMNS, table())
