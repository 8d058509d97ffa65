"""e^(z/T) for a block of rows at any T, with as few passes over it as digits allow.

An exponent s = z/T of size 4 is rounded by up to 2^-52, and so is e^s, relatively. That
is what is allowed here: the *plain* exponential is taken of s up to 4, and of any s
where T is a power of two, since then s is exact. Elsewhere the exponential is
*compensated*. Let s be z/T rounded to a multiple of 2^-27, and T = T_h + T_l with
T_h of 14 bits. Then

    T e^(z/T) = e^s (T + r),    r = z - s T = (z - s T_h) - s T_l,

up to r^2/T, which is below 2^-56 T. The factor T cancels in every quotient. For
|s| <= 2^12, s has at most 39 bits, so that s T_h, of 53 bits, is exact. What follows it
is below 2^-2 T, and the two roundings there are below a quarter of that of T + r.

Rows whose exponentials leave the range of floats are *shifted*: a whole number is
subtracted from s. Both are multiples of 2^-27 and below 2^13, so that this is exact.
"""

import math
from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .sums import column

# Up to here an exponent may be rounded.
PLAIN = 4.0

# Adding and subtracting this rounds to a multiple of 2^-27.
TO_GRID = 1.5 * 2.0**25
HEAD_BITS = 14

# Where a shifted row has its largest exponent, and how far below it logits matter: a
# quotient of e^-800 by 1 is no float. Rows with a larger exponent are not taken.
PEAK, DEPTH, FARTHEST = 340.0, 800.0, 3000.0

# Rows whose largest exponent is outside are not worth an exponential without a shift.
LOWEST, HIGHEST = -20.0, {"f": 30.0, "d": PEAK}

# Above this e^s is a normal number, and so is T e^s for all T that are taken.
NORMAL = -600.0

# A row that adds up to less might lose products with its exponentials to underflow.
ALWAYS = 1e-20


class Temperature(NamedTuple):
    """T = T_h + T_l, its logarithm, and whether z/T rounds."""

    value: float
    head: float
    rest: float
    logarithm: float
    is_exact: bool  # T is a power of two


class Terms(NamedTuple):
    """The exponentials of a block, each row of them with a factor c > 0."""

    logits: Array
    values: Array  # c e^(z/T)
    log_factor: Array | float  # log c, one a row or one for all
    temperature: Temperature
    least: float  # where a row adds up to less, digits may be lost
    is_shifted: bool = False

    def are_good(self, totals: Array, others: Array | None = None) -> Array:
        """Say of each row's sum whether all its digits hold. A NaN's do not.

        So too of the sum of all the others but one, where that is a result.
        """
        narrow = self.values.dtype.char == "f"
        good = (totals >= self.least) & (totals < (1e20 if narrow else 1e200))
        if others is None or self.is_shifted:
            return good
        return good & (others > (1e-30 if narrow else 1e-280))


def split(temperature: float) -> Temperature:
    """Return T and its parts."""
    mantissa, exponent = math.frexp(temperature)
    head = math.ldexp(round(math.ldexp(mantissa, HEAD_BITS)), exponent - HEAD_BITS)
    logarithm, is_exact = math.log(temperature), mantissa == 0.5
    return Temperature(temperature, head, temperature - head, logarithm, is_exact)


def direct_terms(logits: Array, temperature: Temperature, out: Array) -> Terms | None:
    """Write the exponentials into `out`; None says that most rows need a shift."""
    value, char = temperature.value, out.dtype.char
    peaks = logits[::16].max(axis=-1)  # of some rows
    outside = (peaks > HIGHEST[char] * value) | (peaks < LOWEST * value)
    if 2 * np.count_nonzero(outside) > len(peaks):
        return None
    if temperature.is_exact:
        exponents = logits if value == 1 else np.multiply(logits, 1 / value, out=out)
        np.exp(exponents, out=out)
        # e^s may be below the normal numbers, and is divided by the sum times T.
        return Terms(logits, out, 0.0, temperature, 0.5 * max(1, 1 / value))
    exponents = np.divide(logits, value, out=out)
    if _are_near(exponents):
        np.exp(exponents, out=out)
        return Terms(logits, out, 0.0, temperature, ALWAYS)
    if char == "f":
        return None
    is_normal = exponents.min() > NORMAL
    least = ALWAYS if is_normal else max(value, 1 / value)
    _compensated(logits, exponents, temperature, None)
    return Terms(logits, out, temperature.logarithm, temperature, least)


def shifted_terms(logits: Array, temperature: Temperature, out: Array) -> Terms:
    """Write the exponentials into `out`, in float64, the largest near e^340.

    The exponentials of float32 need no more digits than z/T has in float64. Rows that
    are too far away, or hold NaN or +inf, or -inf alone, become NaN.
    """
    wide = np.asarray(logits, np.float64)
    peaks = wide.max(axis=-1)
    shifts = np.rint(peaks / temperature.value)
    shifts[~(abs(shifts) <= FARTHEST)] = np.nan
    shifts -= PEAK
    floor = peaks - DEPTH * temperature.value
    finite = np.maximum(wide, column(floor, wide))
    exponents = np.divide(finite, temperature.value, out=out)
    if logits.dtype.char == "f":
        exponents -= column(shifts, exponents)
        np.exp(exponents, out=out)
        return Terms(wide, out, -shifts, temperature, ALWAYS, True)
    _compensated(finite, exponents, temperature, shifts)
    factor = temperature.logarithm - shifts
    return Terms(wide, out, factor, temperature, ALWAYS, True)


def _are_near(exponents: Array) -> bool:
    """Say whether all exponents but those of masked classes are at most 4 in size."""
    if not exponents.max() <= PLAIN:
        return False
    lowest = exponents.min()
    if lowest == -np.inf:
        low = np.count_nonzero(exponents < -PLAIN)
        return bool(low == np.count_nonzero(exponents == -np.inf))
    return bool(lowest >= -PLAIN)


def _compensated(
    logits: Array, exponents: Array, temperature: Temperature, shifts: Array | None
) -> None:
    """Turn the exponents z/T into T e^(z/T - shift), in place."""
    exponents += TO_GRID
    exponents -= TO_GRID
    product = exponents * temperature.head
    factors = np.subtract(logits, product, out=product)
    if temperature.rest:
        factors -= exponents * temperature.rest
    factors += temperature.value
    if shifts is not None:
        exponents -= column(shifts, exponents)
    np.exp(exponents, out=exponents)
    # A masked class has the exponential 0, but -inf - -inf for a factor.
    exponents *= np.fmax(factors, 0, out=factors)
