"""What JAX adds: products that XLA may not contract."""

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
