"""Products that a compiler must not contract: where XLA fuses a product into a sum, there is only one rounding."""

from collections.abc import Callable

from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import of_namespace

Product = Callable[[Namespace, Array, Array], Array]


def product_of(xp: Namespace) -> Product:
    """a * b, rounded by itself: the result must not depend on what is jitted."""
    return _kept_apart if of_namespace(xp).contracts else _plain


def bounded_product_of(xp: Namespace) -> Product:
    """a * b below 1e30, rounded by itself: where the compiler can prove that `a` is no NaN, a select is no wall."""
    return bounded if of_namespace(xp).contracts else _plain


def bounded(xp: Namespace, a: Array, b: Array) -> Array:
    """a * b below 1e30, rounded by itself, with a wall in every framework."""
    return xp.minimum(a * b, 1e30)


def _plain(xp: Namespace, a: Array, b: Array) -> Array:
    return a * b


def _kept_apart(xp: Namespace, a: Array, b: Array) -> Array:
    """A select between the product and the sum keeps them apart; NaN goes through it as NaN."""
    return xp.where(a == a, a * b, a)
