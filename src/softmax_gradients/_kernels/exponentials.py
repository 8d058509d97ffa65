"""e^(z/T) for a block of rows at any T, with as few passes over it as digits allow.

An exponent s = z/T of size 4 is rounded by up to 2^-52, and so is e^s, relatively. That
is what is allowed here: the *plain* exponential is taken of s up to 4, and of any s
where T is a power of two, since then s is exact. Elsewhere the exponential is
*compensated*. Let s be z/T with the last 14 of its 53 bits cleared, and T = T_h + T_l
with T_h of 14 bits. Then

    T e^(z/T) = e^s (T + r),    r = z - s T = (z - s T_h) - s T_l,

up to e^s r^2 / (2 T), where |r/T| is below 2^-38 |s|. s T_h, of 39 + 14 bits, is exact,
and so is its difference from z, which is near it; what the roundings after that change
in r/T is far below the last digit of 1. The factor T cancels in every quotient.

Rows whose exponentials leave the range of floats are *shifted*: a whole number is
subtracted from s, which is then z/T rounded to a multiple of 2^-27. Both are below
2^12, so that s T_h and the subtraction are exact, and |r/T| is at most 2^-28.
"""

import math
from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .compensated import two_quotient
from .sums import column, flat_index, row_sums

# Up to here an exponent may be rounded. A float32's exponential is less accurate.
PLAIN = {"f": 1.0, "d": 4.0}

# Where at most one in so many is larger, those few are corrected one by one.
FEW_FAR = 150

# How many bits T_h has, and s does without.
HEAD_BITS = 14
WITHOUT_LAST_BITS = np.int64(-(2**HEAD_BITS))

# Adding and subtracting this rounds to a multiple of 2^-27.
TO_GRID = 1.5 * 2.0**25

# Where a shifted row has its largest exponent, and how far below it logits matter: a
# quotient of e^-800 by 1 is no float. Rows with a larger exponent are not taken.
PEAK, DEPTH, FARTHEST = 340.0, 800.0, 3000.0

# Rows whose largest exponent is outside are not worth an exponential without a shift.
LOWEST, HIGHEST = -20.0, {"f": 30.0, "d": PEAK}

# Every so many rows one is looked at first, to choose a way for the block.
SAMPLED = 16

Chosen = slice | Array

# A row that adds up to less might lose products with its exponentials to underflow.
ALWAYS = 1e-20


class Scratch:
    """Arrays of a block's size by name, allocated once.

    The pages of a new array cost more time than to compute with it.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._arrays: dict[str, Array] = {}

    def like(self, block: Array, name: str, dtype: str | None = None) -> Array:
        """Return room of the shape of `block`, and of its type unless one is given."""
        array = self._arrays.get(name)
        if array is None:
            array = self._arrays[name] = np.empty(self._size)
        room = array.view(dtype or block.dtype)[: block.size]
        return room.reshape(block.shape)


class Temperature(NamedTuple):
    """T = T_h + T_l, and whether z/T rounds."""

    value: float
    head: float
    rest: float
    is_exact: bool  # T is a power of two


class Terms(NamedTuple):
    """The exponentials of a block, each row of them with a factor c > 0."""

    logits: Array
    values: Array  # c e^(z/T)
    log_factor: Array | float  # log c, for each row or for all
    temperature: Temperature
    least: float  # where a row adds up to less, digits may be lost
    scratch: Scratch
    is_shifted: bool = False
    is_plain: bool = False  # z/T was rounded, and there are fewer digits to spare

    def chosen(self, rows: Chosen) -> "Terms":
        """Return the terms of some of the rows."""
        log_factor = self.log_factor
        if isinstance(log_factor, np.ndarray):
            log_factor = log_factor[rows]
        values, scratch = self.values[rows], self.scratch
        if values.base is None:  # others may still be in use
            scratch = Scratch(values.size)
        return self._replace(
            logits=self.logits[rows],
            values=values,
            log_factor=log_factor,
            scratch=scratch,
        )

    def are_good(self, totals: Array, others: Array | None = None) -> Array:
        """Say of each row's sum whether all its digits hold. A NaN's do not.

        So too of the sum of all the others but one, where that is a result.
        """
        narrow = self.values.dtype.char == "f"
        good = (totals >= self.least) & (totals < (1e20 if narrow else 1e200))
        if others is None or self.is_shifted:
            return good
        return good & (others > (1e-30 if narrow else 1e-280))

    def sums(self, values: Array) -> Array:
        """Return the sums of the rows of some of the exponentials.

        Where z/T rounds there are fewer digits to spare: then the largest meets the sum
        of the others last.
        """
        if self.temperature.is_exact and not self.is_shifted:
            return row_sums(values)
        entries = values.reshape(-1)
        largest = flat_index(values.argmax(axis=-1), values)
        at_largest = entries[largest]
        entries[largest] = 0
        sums = row_sums(values) + at_largest
        entries[largest] = at_largest
        return sums

    def divide(self, divisors: Array) -> None:
        """Divide each row by a number, in place.

        A quotient is rounded once, a product with the reciprocal twice but sooner.
        """
        values = self.values
        if not self.is_plain:
            values *= column(1 / divisors, values)
        else:
            values /= column(divisors, values)


def split(temperature: float) -> Temperature:
    """Return T and its parts."""
    mantissa, exponent = math.frexp(temperature)
    head = math.ldexp(round(math.ldexp(mantissa, HEAD_BITS)), exponent - HEAD_BITS)
    return Temperature(temperature, head, temperature - head, mantissa == 0.5)


def direct_terms(
    logits: Array, temperature: Temperature, out: Array, scratch: Scratch
) -> Terms | None:
    """Write the exponentials into `out`; None says that most rows need a shift."""
    value, char = temperature.value, out.dtype.char
    sample = logits[::SAMPLED]
    peaks = sample.max(axis=-1)
    outside = (peaks > HIGHEST[char] * value) | (peaks < LOWEST * value)
    if 2 * np.count_nonzero(outside) > len(peaks):
        return None
    # e^s may be below the normal numbers, and is divided by the sum times T.
    least = 0.5 * max(1, 1 / value)
    if temperature.is_exact:
        exponents = logits if value == 1 else np.multiply(logits, 1 / value, out=out)
        np.exp(exponents, out=out)
        return Terms(logits, out, 0.0, temperature, least, scratch)
    limit = PLAIN[char] * value
    if len(_far(abs(sample), limit)) * FEW_FAR <= sample.size:
        far = _far(np.abs(logits, out=out), limit)
        if len(far) * FEW_FAR <= out.size and not (char == "f" and len(far)):
            np.divide(logits, value, out=out)
            np.exp(out, out=out)
            if len(far):
                _correct(out, logits, far, value)
            return Terms(logits, out, 0.0, temperature, ALWAYS, scratch, is_plain=True)
    if char == "f":
        return None
    np.multiply(logits, 1 / value, out=out)
    _compensated(logits, out, temperature, scratch, masked=sample.min() == -np.inf)
    return Terms(logits, out, math.log(value), temperature, least * value, scratch)


def shifted_terms(
    logits: Array, temperature: Temperature, out: Array, scratch: Scratch
) -> Terms:
    """Write the exponentials into `out`, in float64, the largest near e^340.

    The exponentials of float32 need no more digits than z/T has in float64. Rows that
    are too far away, or hold NaN or +inf, or -inf alone, become NaN.
    """
    wide, value = logits, temperature.value
    if logits.dtype != out.dtype:
        wide = scratch.like(out, "logits")
        wide[...] = logits
    peaks = wide.max(axis=-1)
    shifts = np.rint(peaks / value)
    shifts[~(abs(shifts) <= FARTHEST)] = np.nan
    shifts -= PEAK
    floor = peaks - DEPTH * value
    finite = np.maximum(wide, column(floor, wide), out=scratch.like(wide, "finite"))
    np.multiply(finite, 1 / value, out=out)
    log_factor = -shifts
    if wide is logits:
        _compensated(finite, out, temperature, scratch, shifts)
        log_factor += math.log(value)
    else:
        out -= column(shifts, out)
        np.exp(out, out=out)
    return Terms(wide, out, log_factor, temperature, ALWAYS, scratch, True)


def _far(sizes: Array, limit: float) -> Array:
    """Return the flat indices of what is above the limit, but for masked classes."""
    far = np.flatnonzero(sizes > limit)
    return far[sizes.reshape(-1)[far] < np.inf]


def _correct(
    exponentials: Array, logits: Array, far: Array, temperature: float
) -> None:
    """Correct a few exponentials of rounded s = z/T: e^(s + d) is e^s (1 + d)."""
    _, error = two_quotient(logits.reshape(-1)[far], temperature)
    exponentials.reshape(-1)[far] *= 1 + error


def _compensated(
    logits: Array,
    exponents: Array,
    temperature: Temperature,
    scratch: Scratch,
    shifts: Array | None = None,
    *,
    masked: bool = False,
) -> None:
    """Turn the exponents z/T into T e^(z/T - shift), in place, where T rounds z/T."""
    if shifts is None:
        bits = exponents.view(np.int64)
        bits &= WITHOUT_LAST_BITS
    else:
        exponents += TO_GRID
        exponents -= TO_GRID
    rest = scratch.like(exponents, "rest")
    np.multiply(exponents, temperature.head, out=rest)
    np.subtract(logits, rest, out=rest)
    if temperature.rest:
        product = scratch.like(exponents, "product")
        rest -= np.multiply(exponents, temperature.rest, out=product)
    rest += temperature.value
    if masked:  # -inf - -inf, beside an exponential of 0
        np.fmax(rest, 0, out=rest)
    if shifts is not None:
        exponents -= column(shifts, exponents)
    np.exp(exponents, out=exponents)
    exponents *= rest
