"""What JAX adds: products that XLA may not contract, and positions that must not be truncated."""

from typing import Any

from yarncore.namespaces import Array, Namespace


def rounded_product(xp: Namespace, a: Array, b: Array) -> Array:
    """a * b, rounded by itself.

    XLA fuses a product into the sum that follows, in one rounding, where it compiles both together: the result would
    depend on what is jitted. A select between the two keeps them apart; NaN goes through it as NaN.
    """
    return xp.where(a == a, a * b, a)


def bounded_product(xp: Namespace, a: Array, b: Array) -> Array:
    """a * b below 1e30, rounded by itself: where the compiler can prove that `a` is no NaN, a select is no wall."""
    return xp.minimum(a * b, 1e30)


def check_position_range(least: int, greatest: int) -> None:
    """Refuse positions that JAX would cut to 32 bits without a word."""
    if least < -(2**31) or greatest >= 2**31:
        raise ValueError(
            f"positions reach from {least} to {greatest}, and JAX has 32-bit integers unless jax_enable_x64 is set; "
            "positions within int32 are expected"
        )


def check_float_positions(array: Any) -> None:
    """Refuse floating positions that float32 does not hold."""
    if (array.astype("float32") != array).any():
        raise ValueError("positions are not exact in float32, which JAX computes in unless jax_enable_x64 is set")
