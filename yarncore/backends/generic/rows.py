"""Rows of cos and sin in array-API expressions: positions times turns, exactly, then a short polynomial.

The same steps as csrc/rotation_math.h: integer phases, the nearest quarter turn split off, the polynomial. In int64 and
float64 where the framework has them; else (JAX by default) in uint32 and pairs of float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from yarncore.backends.generic.products import bounded, bounded_product_of
from yarncore.backends.generic.tables import table_beside
from yarncore.frameworks.expressions import constant, device_argument, has_64_bits, take_rows
from yarncore.frameworks.framework import Array, Namespace
from yarncore.frameworks.known import is_numpy, of, of_namespace
from yarncore.frameworks.tracers import extents_may_be_compared
from yarncore.request.positions import PlacedPositions
from yarncore.request.request import RotationRequest
from yarncore.turns.given import GivenTables
from yarncore.turns.table import TurnsTable
from yarncore.turns.traced import TracedTurns, word_dtype

_MASK = 0xFFFFFFFF
_EIGHTH_TURN = 1 << 29
_TWO_PI = 6.283185307179586
_UNIT_64 = _TWO_PI * 2.0**-64  # radians of the lowest of 64 bits of phase

# sin x = x + x z Q(z), cos x = 1 - z/2 + z^2 P(z), z = x^2, |x| <= pi/4: Chebyshev fits in 50 digits, relative errors
# 1.3e-17 and 5e-19 (float64), 1.3e-8 and 8e-10 (float32).
_SIN_64 = (
    -0.16666666666666666,
    0.008333333333330948,
    -0.00019841269836758574,
    2.755731610255244e-06,
    -2.5051131845003624e-08,
    1.5918129294866608e-10,
)
_COS_64 = (
    0.041666666666666664,
    -0.0013888888888887398,
    2.480158729876569e-05,
    -2.7557317271729793e-07,
    2.08761462684032e-09,
    -1.1382632425521717e-11,
)
_SIN_32 = (-0.1666666466231438, 0.008332748270629749, -0.00019587890880412386)
_COS_32 = (0.04166666465950221, -0.0013888303035894866, 2.4547942085071572e-05)


class Rows(NamedTuple):
    """What every token is turned by. All may have fewer axes than the tokens, and axes of 1, where they broadcast.

    Attributes
    ----------
    cos, sin : arrays, shape (*grid, pairs)
    identity : array of bool, shape (*grid, 1)
        Where the rotation changes nothing.
    scale : array, shape (*grid, 1), or None
        What multiplies the elements that do not turn: of queries that are scaled. It is in cos and sin already.
    """

    cos: Array
    sin: Array
    identity: Array
    scale: Array | None = None

    def each(self, change: Callable[[Array], Array]) -> "Rows":
        """The rows with every array changed."""
        return Rows(*(None if array is None else change(array) for array in self))

    def taken(self, xp: Namespace, tokens: Array) -> "Rows":
        """Those of some tokens, of an only axis."""
        return self.each(lambda row: xp.take(row, tokens, axis=0))


def rows_of(xp: Namespace, request: RotationRequest, grid: tuple[int, ...]) -> Rows:
    """The rows of what request.record turns."""
    if isinstance(request.record.turns, GivenTables):
        return _rows_of_tables(xp, request, request.record.turns)
    prepared = request.prepared
    if prepared is None or not prepared.may_be_kept(8 if has_64_bits(xp) else 4):
        return _made_rows(xp, request, grid)
    like = request.inputs[0]
    record = request.record
    key = (
        "generic",
        of(like).device(like),
        of(like).makes_apart(),
        has_64_bits(xp),
        record.conjugate,
        record.query_scale,
    )
    if key not in prepared.kept:
        alone = replace(request, positions=PlacedPositions(prepared.array), token_shape=prepared.grid)
        rows = _made_rows(xp, alone, prepared.grid)
        if any(of(row).is_virtual(row) for row in rows if row is not None):
            return rows
        prepared.kept[key] = rows
    return prepared.kept[key]  # type: ignore[no-any-return]


def _rows_of_tables(xp: Namespace, request: RotationRequest, tables: GivenTables) -> Rows:
    """What the caller gave; a row that turns nothing leaves every bit."""
    like = request.inputs[0]
    cos, sin = (
        constant(xp, table, table.dtype, like=like) if is_numpy(table) and not is_numpy(like) else table
        for table in (tables.cos, tables.sin)
    )
    sin = -sin if request.record.conjugate else sin
    identity = xp.logical_and(xp.all(cos == 1, axis=-1, keepdims=True), xp.all(sin == 0, axis=-1, keepdims=True))
    return Rows(cos, sin, identity)


def _made_rows(xp: Namespace, request: RotationRequest, grid: tuple[int, ...]) -> Rows:
    record = request.record
    like = request.inputs[0]
    words, factors = _words_and_factors(xp, request, like)
    positions = positions_of(xp, request, grid, like)
    magnitude, negative, at_zero = _position_words(xp, positions)
    section = None if record.pair_section is None else constant(xp, record.pair_section, xp.int32, like=like)
    origin = xp.expand_dims(at_zero if section is None else xp.all(at_zero, axis=0), axis=-1)
    magnitude = {place: _of_each_pair(xp, word, section) for place, word in magnitude.items()}
    negative = _of_each_pair(xp, negative, section)
    phase = _phase(xp, magnitude, words)
    cos, sin = (_cos_sin_64 if has_64_bits(xp) else _cos_sin_32)(xp, phase)
    sin = xp.where(xp.logical_not(negative) if record.conjugate else negative, -sin, sin)
    factors, scale = xp.expand_dims(factors, axis=-1), None
    product = bounded_product_of(xp)
    if record.query_scale is not None:
        scale = xp.expand_dims(record.query_scale.factors(xp, positions), axis=-1)
        factors, origin = product(xp, factors, scale), xp.logical_and(origin, scale == 1.0)
    return Rows(product(xp, cos, factors), product(xp, sin, factors), xp.logical_and(origin, factors == 1.0), scale)


def _of_each_pair(xp: Namespace, values: Array, section: Array | None) -> Array:
    """Values of the tokens with an axis more that meets the pairs; with sections, each pair takes its section's."""
    if section is None:
        return xp.expand_dims(values, axis=-1)
    chosen = xp.expand_dims(values[0, ...], axis=-1)
    for number in range(1, values.shape[0]):  # a choice, not a gather: it fuses, and shards without rules
        chosen = xp.where(section == number, xp.expand_dims(values[number, ...], axis=-1), chosen)
    return chosen


def _words_and_factors(xp: Namespace, request: RotationRequest, like: Array) -> tuple[list[Array], Array]:
    """The words of turns, each of a shape (..., pairs) that broadcasts against the tokens, and the factors (...)."""
    record = request.record
    turns = record.turns
    if isinstance(turns, TracedTurns):
        return turns.words, turns.factors
    assert isinstance(turns, TurnsTable)
    table, factors = table_beside(xp, turns, like)
    if record.rows is None:
        return [table[0, word, :] for word in range(5)], factors[0]
    rows = record.rows if not is_numpy(record.rows) else constant(xp, record.rows, xp.int32, like=like)
    picked = take_rows(xp, table, rows)
    return [picked[..., word, :] for word in range(5)], take_rows(xp, factors, rows)


def _position_words(xp: Namespace, array: Array) -> tuple[dict[int, Array], Array, Array]:
    """|position| as 32-bit words by their place (0 the units, -1 the first of the fraction), its sign, and position == 0."""
    if not of(array).is_integer(array):
        return _fractional_words(xp, array)
    return _integer_words(xp, array)


def positions_of(xp: Namespace, request: RotationRequest, grid: tuple[int, ...], like: Array) -> Array:
    """The positions as an array of `xp`, which broadcasts against the token axes."""
    positions = request.positions
    if positions.array is not None:
        return _host_positions(xp, positions.array, like) if is_numpy(positions.array) else positions.array
    signed = xp.int64 if has_64_bits(xp) else xp.int32
    count = request.token_shape[-1] if request.token_shape else 1
    if request.slots is None:
        with extents_may_be_compared():
            index = xp.arange(count, dtype=signed, **device_argument(xp, like))
    elif is_numpy(request.slots):
        index = constant(xp, request.slots % count, signed, like=like)
    else:
        index = xp.astype(request.slots % count, signed)
    offset = positions.offset
    if not isinstance(offset, int):
        offset = xp.astype(offset, signed)
    elif not has_64_bits(xp):
        _check_position_range(xp, offset, offset + max(count - 1, 0))
    array = index + offset
    return array if grid else xp.reshape(array, ())


def _host_positions(xp: Namespace, array: Any, like: Array) -> Array:
    """NumPy positions in the framework of x, without losing a bit."""
    if array.dtype.kind == "f":
        real = xp.float64 if has_64_bits(xp) else xp.float32
        if not has_64_bits(xp) and (array.astype("float32") != array).any():
            raise ValueError(f"positions are not exact in float32, which {_narrow(xp)}")
        return constant(xp, array, real, like=like)
    if not has_64_bits(xp):
        if array.size:
            _check_position_range(xp, int(array.min()), int(array.max()))
        return constant(xp, array.astype("int32"), xp.int32, like=like)
    if array.dtype.kind == "u" and array.dtype.itemsize == 8:
        return constant(xp, array, xp.uint64, like=like)
    return constant(xp, array.astype("int64"), xp.int64, like=like)


def _narrow(xp: Namespace) -> str:
    if of_namespace(xp).name == "jax":
        return "JAX computes in unless jax_enable_x64 is set"
    return f"{xp.__name__.partition('.')[0]} computes in"


def _check_position_range(xp: Namespace, least: int, greatest: int) -> None:
    """Refuse positions that a framework would cut to 32 bits without a word."""
    if least < -(2**31) or greatest >= 2**31:
        raise ValueError(
            f"positions reach from {least} to {greatest}, beyond int32, which {_narrow(xp)}; positions within it are expected"
        )


def _integer_words(xp: Namespace, array: Array) -> tuple[dict[int, Array], Array, Array]:
    unsigned = of(array).dtype_name(array).startswith("uint")
    if not has_64_bits(xp):
        bits = xp.astype(array, xp.uint32)
        negative = bits != bits if unsigned else array < 0
        # Two's complement: the magnitude of a negative int32, -2^31 included, is 0 - bits modulo 2^32.
        magnitude = xp.where(negative, xp.zeros_like(bits) - bits, bits)
        return {0: magnitude}, negative, magnitude == 0
    bits = xp.astype(array, xp.int64)  # uint64 wraps: the same 64 bits
    negative = bits != bits if unsigned else bits < 0
    magnitude = xp.where(negative, -bits, bits)
    return {0: magnitude & _MASK, 1: (magnitude >> 32) & _MASK}, negative, magnitude == 0


def _fractional_words(xp: Namespace, array: Array) -> tuple[dict[int, Array], Array, Array]:
    """Words of a floating position: exact from 2^-64 up to 2^63 (2^-32 to 2^31 without 64-bit types)."""
    real = xp.float64 if has_64_bits(xp) else xp.float32
    value = xp.abs(xp.astype(array, real))
    whole = xp.floor(value)
    fraction = (value - whole) * 4294967296.0
    first = xp.floor(fraction)
    dtype = word_dtype(xp)
    words = {-1: xp.astype(first, dtype)}
    if has_64_bits(xp):
        units = xp.astype(whole, xp.int64)
        words |= {-2: xp.astype((fraction - first) * 4294967296.0, dtype), 0: units & _MASK, 1: (units >> 32) & _MASK}
    else:
        words[0] = xp.astype(whole, dtype)
    return words, array < 0, array == 0


def _phase(xp: Namespace, magnitude: dict[int, Array], words: list[Array]) -> list[Array]:
    """The top three words of |position| * turns mod 1, the highest first: schoolbook multiplication in columns."""
    multiply = _multiply_in_64 if has_64_bits(xp) else _multiply_in_32
    columns: dict[int, list[Array]] = {}
    for place, digit in magnitude.items():
        for word, turns in enumerate(words):
            column = place + word
            if column > 3 or column < -1:
                continue
            low, high = multiply(xp, digit, turns)
            columns.setdefault(column, []).append(low)
            columns.setdefault(column + 1, []).append(high)
    carry: list[Array] = []
    total: dict[int, Array] = {}
    for column in range(min(columns), 4):
        terms = columns.get(column, []) + carry
        total[column], carry = _add(xp, terms)
    return [total[3], total[2], total[1]]


def _multiply_in_64(xp: Namespace, a: Array, b: Array) -> tuple[Array, Array]:
    product = a * b  # wraps where it passes 2^63; the 64 bits are right
    return product & _MASK, (product >> 32) & _MASK


def _multiply_in_32(xp: Namespace, a: Array, b: Array) -> tuple[Array, Array]:
    a0, a1, b0, b1 = a & 0xFFFF, a >> 16, b & 0xFFFF, b >> 16
    middle = a1 * b0 + ((a0 * b0) >> 16)
    upper = a0 * b1 + (middle & 0xFFFF)
    return a * b, a1 * b1 + (middle >> 16) + (upper >> 16)


def _add(xp: Namespace, terms: list[Array]) -> tuple[Array, list[Array]]:
    """The sum of words modulo 2^32, and the carries."""
    if has_64_bits(xp):
        total = sum(terms[1:], terms[0])
        return total & _MASK, [total >> 32]
    total, carries = terms[0], []
    for term in terms[1:]:
        total = total + term
        carries.append(xp.astype(total < term, xp.uint32))
    return total, carries


def _by_quarter(xp: Namespace, quarter: Array, cos: Array, sin: Array) -> tuple[Array, Array]:
    """Quarter 0: (c, s), 1: (-s, c), 2: (-c, -s), 3: (s, -c)."""
    odd = (quarter & 1) == 1
    c, s = xp.where(odd, sin, cos), xp.where(odd, cos, sin)
    return xp.where(((quarter + 1) & 2) == 2, -c, c), xp.where((quarter & 2) == 2, -s, s)


def _horner(product: Any, xp: Namespace, z: Array, coefficients: Sequence[Any]) -> Array:
    total = product(xp, z, coefficients[-1]) + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        total = product(xp, total, z) + coefficient
    return total


def _cos_sin_64(xp: Namespace, phase: list[Array]) -> tuple[Array, Array]:
    high, middle, low = phase
    shifted = high + _EIGHTH_TURN
    rest = xp.astype((shifted & ((1 << 30) - 1)) - _EIGHTH_TURN, xp.float64) * 4294967296.0 + xp.astype(
        middle, xp.float64
    )
    # As arrays: torch's ONNX exporter rounds a Python float to float32, whatever it meets.
    sin_terms, cos_terms, (unit,) = (
        [constant(xp, value, xp.float64, like=high) for value in values] for values in (_SIN_64, _COS_64, (_UNIT_64,))
    )
    x = (rest + xp.astype(low, xp.float64) * 2.0**-32) * unit
    product = bounded_product_of(xp)
    z = product(xp, x, x)
    sin = x + product(xp, x, product(xp, z, _horner(product, xp, z, sin_terms)))
    cos = (1.0 - 0.5 * z) + product(xp, product(xp, z, z), _horner(product, xp, z, cos_terms))
    return _by_quarter(xp, shifted >> 30, cos, sin)


def _cos_sin_32(xp: Namespace, phase: list[Array]) -> tuple[Array, Array]:
    """In float32: the angle as a sum of two floats, so that only the results are rounded."""
    high, middle, _ = phase
    shifted = high + _EIGHTH_TURN
    rest = xp.astype(shifted & ((1 << 30) - 1), xp.int32) - _EIGHTH_TURN
    unit = _TWO_PI * 2.0**-14  # radians of 2^18 of the 30 bits
    unit_high = round(unit * 2**22) / 2**22  # 12 bits: its product with the 12 bits of `coarse` is exact
    product = bounded
    coarse = xp.astype(rest >> 18, xp.float32)
    fine_bits = (xp.astype(rest & ((1 << 18) - 1), xp.uint32) << 14) | (middle >> 18)
    fine = xp.astype(fine_bits, xp.float32) * 2.0**-32
    head = coarse * unit_high
    tail = product(xp, coarse, unit - unit_high) + product(xp, fine, unit)
    x = head + tail
    x_error = tail - (x - head)
    z = product(xp, x, x)
    half = 0.5 * z
    sin = x + (x_error + product(xp, x, product(xp, z, _horner(product, xp, z, _SIN_32))))
    near_one = 1.0 - half
    correction = product(xp, product(xp, z, z), _horner(product, xp, z, _COS_32)) - product(xp, x, x_error)
    cos = near_one + (((1.0 - near_one) - half) + correction)
    return _by_quarter(xp, xp.astype(shifted >> 30, xp.int32), cos, sin)
