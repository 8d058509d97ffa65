"""What rounding drops from a difference and from a quotient, recovered exactly.

A computed exponent x of size 700 is off by up to 6e-14, and then e^x has lost three
digits. The two functions here return a rounded result together with the error of
the rounding; `accurate.exponentials` then corrects e^x by that error. Nothing else
in the package needs them, except the difference of two nearly equal logits.

Both hold for float64 where nothing overflows. Where an operand or the result is
infinite the error is NaN or infinite: `finite_or_zero` drops it.
"""

import math

import numpy as np

from .._inputs import Array

# Veltkamp's constant: it splits the 53 bits of a float64 into 26 and 26, and a sign.
SPLITTER = 2.0**27 + 1


def two_difference(left: Array, right: Array) -> tuple[Array, Array]:
    """Return left - right rounded, and the error: their sum is left - right exactly.

    Knuth's algorithm, of additions only (The Art of Computer Programming, volume 2,
    section 4.2.2, theorem B): `moved` is what was effectively subtracted from
    `left`, and each operand is compared with what became of it.
    """
    difference = left - right
    moved = difference - left
    error = (left - (difference - moved)) - (right + moved)
    return difference, error


def two_quotient(dividend: Array, divisor: float) -> tuple[Array, Array]:
    """Return dividend / divisor rounded, and what the rounding dropped from it.

    What was dropped is (dividend - quotient * divisor) / divisor. The product is
    taken in four parts, each without rounding, from halves of the two factors'
    digits (Dekker, "A floating-point technique for extending the available
    precision", Numerische Mathematik 18, 1971).
    """
    # Both times the same power of two: no rounding, and no overflow of a product.
    mantissa, exponent = math.frexp(divisor)
    scale = 2.0 ** -min(max(exponent, -1000), 1000)
    dividend, divisor = dividend * scale, divisor * scale
    quotient = dividend / divisor
    if mantissa == 0.5:  # a power of two
        return quotient, np.zeros_like(quotient)
    high, low = _halves(quotient)
    divisor_high, divisor_low = _halves(divisor)
    rest = dividend - high * divisor_high
    rest -= high * divisor_low
    rest -= low * divisor_high
    rest -= low * divisor_low
    return quotient, rest / divisor


def finite_or_zero(error: Array) -> Array:
    """Return `error`, with 0 where an infinite operand made it NaN or infinite."""
    finite = np.isfinite(error)
    return error if finite.all() else np.where(finite, error, 0)


def _halves(value: Array | float) -> tuple[Array | float, Array | float]:
    """Return two numbers of at most 26 bits whose sum is `value` (Veltkamp)."""
    product = SPLITTER * value
    high = product - (product - value)
    return high, value - high
