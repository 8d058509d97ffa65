"""What rounding drops from a difference and from a quotient, recovered exactly.

A computed exponent x of size 700 is off by up to 6e-14, and then e^x has lost three
digits. The functions here return a rounded result together with the error of
the rounding; `accurate.exponentials` then corrects e^x by that error. Besides, the
differences of nearly equal logits need them (`two_softmaxes`, `divergence`, `tilted`).

Both hold for float64 where nothing overflows. Where an operand or the result is
infinite the error is NaN or infinite: `finite_or_zero` drops it.
"""

import math
from collections.abc import Sequence

import numpy as np

from .._inputs import Array

# Four arrays to write into, or none.
Rooms = Sequence[Array] | tuple[None, None, None, None]
NEW: Rooms = (None, None, None, None)

# Veltkamp's constant: it splits the 53 bits of a float64 into 26 and 26, and a sign.
SPLITTER = 2.0**27 + 1


def two_difference(
    left: Array, right: Array, rooms: Rooms = NEW
) -> tuple[Array, Array]:
    """Return left - right rounded, and the error: their sum is left - right exactly.

    Knuth's algorithm, of additions only (The Art of Computer Programming, volume 2,
    section 4.2.2, theorem B): `moved` is what was effectively subtracted from
    `left`, and each operand is compared with what became of it.
    """
    difference = np.subtract(left, right, out=rooms[0])
    moved = np.subtract(difference, left, out=rooms[1])
    kept = np.subtract(difference, moved, out=rooms[2])
    error = np.subtract(left, kept, out=rooms[3])
    moved += right
    error -= moved
    return difference, error


def two_quotient(dividend: Array, divisor: float) -> tuple[Array, Array]:
    """Return dividend / divisor rounded, and what the rounding dropped from it.

    What was dropped is (dividend - quotient * divisor) / divisor.
    """
    # Both times the same power of two: no rounding, and no overflow of a product.
    mantissa, exponent = math.frexp(divisor)
    scale = 2.0 ** -min(max(exponent, -1000), 1000)
    dividend, divisor = dividend * scale, divisor * scale
    quotient = dividend / divisor
    if mantissa == 0.5:  # a power of two
        return quotient, np.zeros_like(quotient)
    return quotient, rest_of_quotient(dividend, quotient, divisor) / divisor


def rest_of_quotient(
    dividend: Array, quotient: Array, divisor: float, rooms: Rooms = NEW
) -> Array:
    """Return dividend - quotient * divisor, for a quotient that is rounded.

    The product is taken in four parts, each without rounding, from halves of the two
    factors' digits (Dekker, "A floating-point technique for extending the available
    precision", Numerische Mathematik 18, 1971).
    """
    high = np.multiply(quotient, SPLITTER, out=rooms[0])
    low = np.subtract(high, quotient, out=rooms[1])
    high -= low
    np.subtract(quotient, high, out=low)
    divisor_high, divisor_low = _halves(divisor)
    part = np.multiply(high, divisor_high, out=rooms[2])
    rest = np.subtract(dividend, part, out=rooms[3])
    rest -= np.multiply(high, divisor_low, out=part)
    rest -= np.multiply(low, divisor_high, out=part)
    rest -= np.multiply(low, divisor_low, out=part)
    return rest


def finite_or_zero(error: Array) -> Array:
    """Return `error`, with 0 where an infinite operand made it NaN or infinite."""
    finite = np.isfinite(error)
    return error if finite.all() else np.where(finite, error, 0)


def _halves(value: float) -> tuple[float, float]:
    """Return two numbers of at most 26 bits whose sum is `value` (Veltkamp)."""
    product = SPLITTER * value
    high = product - (product - value)
    return high, value - high
