"""JAX under jit, with a length that is traced."""

import jax
import jax.numpy as jnp

import yarncore as yc

rope = yc.Rope(128, scaling=yc.DynamicYaRN(original_length=4096, steps="doubling"))
q, k = jnp.ones((1, 7, 32, 128)), jnp.ones((1, 7, 8, 128))
rotate = jax.jit(lambda q, k, positions, length: rope.rotate(q, k, positions, heads_axis=-2, length=length))
q2, k2 = rotate(q, k, jnp.arange(7), 10_000)
