"""Numbers as people write them: which of those that a table leaves open is meant."""

import math
from collections.abc import Iterator

# What configurations of published models have; the rest is ordered by its digits.
LENGTHS = tuple(
    sorted({2**n for n in range(8, 25)} | {3 * 2**n for n in range(9, 18)} | {5 * 2**n for n in range(13, 16)}
           | {n * 1000 for n in (1, 2, 4, 8, 16, 32, 64, 100, 128, 200, 256, 1000)})
)  # fmt: skip
BASES = (
    10_000.0, 500_000.0, 1_000_000.0, 150_000.0, 5_000_000.0, 10_000_000.0, 50_000.0, 100_000.0, 8_000_000.0, 25_000.0,
    160_000.0, 1_000.0, 100.0, 2_000_000.0, 3_000_000.0, 250_000.0, 100_000_000.0, 11_158_840.0,
)  # fmt: skip
BETAS = (
    (32.0, 1.0), (1.0, 1.0), (64.0, 1.0), (16.0, 1.0), (8.0, 1.0), (4.0, 1.0), (128.0, 1.0), (64.0, 2.0), (128.0, 2.0),
    (128.0, 4.0), (32.0, 2.0), (32.0, 4.0), (16.0, 2.0), (48.0, 1.0), (24.0, 1.0),
)  # fmt: skip
# Of ramps whose end no pair reaches, with one pair within: nothing tells more.
OPEN_FACTORS = (4.0, 2.0, 8.0, 16.0, 32.0, 40.0, 64.0, 10.0, 3.0, 5.0, 6.0, 12.0, 20.0, 24.0, 48.0, 128.0)
# From where to where a parameter is one that somebody wrote, and no accident of fitting.
WRITTEN = {
    "base": (2.0, 1e15), "factor": (1.0, 1e4), "original_length": (8, 2**40), "beta_fast": (2.0**-6, 2.0**14),
    "beta_slow": (2.0**-10, 2.0**12), "high_freq_factor": (2.0**-6, 2.0**14), "low_freq_factor": (2.0**-10, 2.0**12),
}  # fmt: skip
LLAMA3_FACTORS = ((1.0, 4.0), (1.0, 1.0), (1.0, 32.0), (1.0, 2.0), (1.0, 8.0), (1.0, 16.0), (2.0, 8.0))


def digits(value: float) -> int:
    """How many digits it takes to write a number, in decimals or times a power of two: 40960 is 5 * 2^13, one digit."""
    decimal = (
        repr(abs(float(value))).partition("e")[0].replace(".", "").strip("0")
    )  # all of them: 1e5 is not its neighbour
    mantissa, exponent = math.frexp(abs(value))
    while mantissa != int(mantissa) and mantissa < 2**53:
        mantissa, exponent = 2 * mantissa, exponent - 1
    binary = str(int(mantissa)) if exponent >= -2 else decimal  # quarters are written so, 2^-20 is not
    return min(max(len(decimal), 1), len(binary) + 1 if len(binary) > 1 else 1)


def rounded(value: float, most: int = 12) -> Iterator[float]:
    """A number with ever more digits, then itself: whole powers of two among those with few."""
    seen: set[float] = set()
    if value > 0:
        power = 2.0 ** round(math.log2(value))
        if abs(power - value) < 0.01 * value:
            seen.add(power)
            yield power
    for count in range(1, most + 1):
        short = float(f"{value:.{count - 1}e}")
        if short not in seen:
            seen.add(short)
            yield short
    if value not in seen:
        yield value


def simplest(low: float, high: float) -> float:
    """The number of the fewest digits between two: a power of two before others of as many."""
    middle = math.sqrt(low * high) if low > 0 and math.isfinite(high) else low or high
    if not math.isfinite(middle):
        middle = low
    if 0 < low <= (power := 2.0 ** math.floor(math.log2(high) if math.isfinite(high) else math.log2(low) + 1)) <= high:
        return power
    for value in rounded(middle):
        if low <= value <= high:
            return value
    return middle


def whole_numbers(low: float, high: float) -> list[int]:
    """The standard lengths from low to high, or else the whole number of the fewest digits there, or none."""
    found = [length for length in LENGTHS if low <= length <= high]
    if found or math.floor(high) < math.ceil(low):
        return found
    for step in (10**n for n in range(int(math.log10(max(high, 1))) + 1, -1, -1)):
        value = math.ceil(max(low, 1) / step) * step
        if value <= high:
            return [value]
    return []
