"""e^(z/T) for a block of rows at any T, with as few passes over it as digits allow.

An exponent s = z/T of size 30 is rounded by up to 2^-49, and so is e^s, relatively:
eight times what a float can tell apart. Where T is a power of two, s is exact. Else
let s be z/T rounded to a grid, the multiples of 2^-27, and T = T_h + T_l with T_h of 14
bits. Then

    T e^(z/T) = e^s (T + r),    r = z - s T = (z - s T_h) - s T_l,

up to e^s r^2 / (2 T), where |r/T| is at most 2^-28. Below 2^12 s has 39 bits, so that
s T_h is exact, and so is its difference from z, which is near it; what the roundings
after that change in r/T is far below the last digit of 1. The factor T cancels in every
quotient. For float32 the grid is 2^-11, T_h has 6 bits, and s is below 2^7.

Rows whose exponentials leave the range of floats are *shifted*: a whole number is
subtracted from s, which leaves it on the grid.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .scratch import Scratch, in_type
from .sums import (
    column,
    gaps_to,
    index_of_largest,
    inner_products,
    row_dots,
    row_sums,
    sums_of_others,
)

# How many bits T_h has, and what rounds to the grid when it is added and subtracted.
HEAD_BITS = {"f": 6, "d": 14}
TO_GRID = {"f": 1.5 * 2.0**12, "d": 1.5 * 2.0**25}

# Up to here s T_h is exact. Far beyond, r is anything, beside an exponential of 0.
EXACT = {"f": 2.0**7, "d": 2.0**12}

# Where a shifted row has its largest exponent, and how far below it logits matter: a
# quotient of e^-800 by 1 is no float. Rows with a larger exponent are not taken.
PEAK, DEPTH, FARTHEST = 340.0, 800.0, 3000.0

# Rows whose largest exponent is outside are not worth an exponential without a shift.
LOWEST, HIGHEST = -20.0, {"f": 30.0, "d": PEAK}

# In place of the logit -inf, where it is multiplied with 0.
MASKED = -1e200

# A row that adds up to less might lose products with its exponentials to underflow.
ALWAYS = 1e-20


class Temperature(NamedTuple):
    """T = T_h + T_l, and whether z/T rounds."""

    value: float
    head: float
    rest: float
    is_exact: bool  # z/T does not round, or by less than the results can show


class Terms(NamedTuple):
    """The exponentials of a block, each row of them with a factor c > 0."""

    logits: Array
    values: Array  # c e^(z/T)
    log_factor: Array | float  # log c, for each row or for all
    temperature: Temperature
    least: float  # where a row adds up to less, digits may be lost
    scratch: Scratch
    is_shifted: bool = False
    has_masks: bool = False  # some logits are -inf or far below, as far as was looked
    can_spare: bool = False  # the logits are float32, and their results
    gaps: Array | None = None  # (z - z_k)/T below the largest z_k, if that was rounded

    def are_good(self, totals: Array, others: Array | None = None) -> Array:
        """Say of each row's sum whether all its digits hold. A NaN's do not.

        So too of the sum of all the others but one, where that is a result.
        """
        narrow = self.values.dtype.char == "f"
        good = (totals >= self.least) & (totals < (1e20 if narrow else 1e200))
        if others is None or self.is_shifted:
            return good
        return good & (others > (1e-30 if narrow else 1e-280))

    def sums(self) -> Array:
        """Return the sums of the rows.

        Where z/T rounds there are fewer digits to spare: then the largest meets the sum
        of the others last.
        """
        if self.temperature.is_exact and not self.is_shifted:
            return row_sums(self.values)
        return self.largest_and_sums()[1]

    def largest_and_sums(self) -> tuple[Array, Array]:
        """Return where in the flattened block the rows' largest exponentials are.

        And the sums of the rows, the largest added last.
        """
        largest = index_of_largest(self.values)
        if self.can_spare:
            return largest, row_sums(self.values)
        at_largest, others = sums_of_others(self.values, largest)
        return largest, others + at_largest

    def have_small_gaps(
        self, totals: Array, limit: float, *, beside_others: bool = False
    ) -> Array | bool:
        """Say in which rows the mean gap sum q |g| is at most the limit.

        Where one class has nearly all the weight, that can be asked of the others too:
        their mean gap is then at most three times the limit. The entropy of q, at most
        log C, is the mean gap of all plus log(sum e^g).
        """
        if self.gaps is None:
            return True
        small = np.log(totals) >= math.log(self.values.shape[-1]) - limit
        if small.all():
            return small
        room = self.scratch.like(self.values, "products")
        products = inner_products(row_dots, self.values, self.gaps, room)
        weights = np.minimum(totals, 3 * (totals - 1)) if beside_others else totals
        return -products <= limit * weights

    def divide(self, divisors: Array) -> None:
        """Divide each row by a number, in place.

        A product with the reciprocal is rounded twice, a quotient once but later.
        """
        values = self.values
        values *= column(1 / divisors, values)


def split(temperature: float, char: str) -> Temperature:
    """Return T and its parts, for logits of the type of that character."""
    mantissa, exponent = math.frexp(temperature)
    bits = HEAD_BITS[char]
    head = math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits)
    return Temperature(temperature, head, temperature - head, mantissa == 0.5)


# What writes the exponentials of a block into an array.
Maker = Callable[[Array, Array, Scratch], Terms]


class Look(NamedTuple):
    """What is seen of some rows before a way is chosen for all."""

    peaks: Array
    least: float
    char: str  # the type of the logits


def direct(look: Look, temperature: Temperature, char: str) -> Maker | None:
    """Return what makes terms of rows like these; None says that most need a shift."""
    value = temperature.value
    outside = (look.peaks > HIGHEST[char] * value) | (look.peaks < LOWEST * value)
    if 2 * np.count_nonzero(outside) > len(outside):
        return None
    can_spare = look.char != char
    if can_spare:  # float32 needs no more digits than z/T has in float64
        temperature = temperature._replace(is_exact=True)
    has_masks = look.least < -EXACT[char] * value
    return partial(_direct_terms, temperature, has_masks=has_masks, can_spare=can_spare)


def shifted(look: Look, temperature: Temperature, char: str) -> Maker:
    """Return what makes terms in float64, with a shift."""
    return partial(_shifted_terms, temperature)


def uncorrected(look: Look, temperature: Temperature, char: str) -> Maker:
    """Return what makes terms of gaps, for results that need their digits row by row.

    An entry of q is then off by some eps q |g|, and all of a row by the mean of |g|.
    """
    return partial(_uncorrected_terms, temperature)


def untaken(look: Look, temperature: Temperature, char: str) -> Maker:
    """Return what makes room for a kernel that takes exponentials of its own."""
    return partial(_no_terms, temperature, has_masks=look.least == -np.inf)


def _direct_terms(
    temperature: Temperature,
    logits: Array,
    out: Array,
    scratch: Scratch,
    *,
    has_masks: bool,
    can_spare: bool,
) -> Terms:
    """Write the exponentials into `out`."""
    wide, value = in_type(logits, out.dtype, scratch), temperature.value
    # e^s may be below the normal numbers, and is divided by the sum times T.
    least, log_factor = 0.5 * max(1, 1 / value), 0.0
    exponents = wide if value == 1 else np.multiply(wide, 1 / value, out=out)
    if temperature.is_exact:
        np.exp(exponents, out=out)
    else:
        _compensated(wide, out, temperature, scratch, has_masks=has_masks)
        least, log_factor = least * value, math.log(value)
    terms = Terms(wide, out, log_factor, temperature, least, scratch)
    return terms._replace(has_masks=has_masks, can_spare=can_spare)


def _uncorrected_terms(
    temperature: Temperature, logits: Array, out: Array, scratch: Scratch
) -> Terms:
    """Write e^((z - z_k)/T) into `out`, with k the class of the largest logit."""
    largest, gaps = take_gaps(logits, temperature, scratch.like(logits, "gaps"))
    np.exp(gaps, out=out)
    log_factor = -logits.reshape(-1)[largest] / temperature.value
    return Terms(logits, out, log_factor, temperature, 1.0, scratch, gaps=gaps)


def take_gaps(
    logits: Array, temperature: Temperature, out: Array
) -> tuple[Array, Array]:
    """Return where in the flattened block the largest z_k stand, and (z - z_k)/T."""
    largest = index_of_largest(logits)
    gaps = gaps_to(logits, largest, out)
    gaps *= 1 / temperature.value
    return largest, gaps


def _no_terms(
    temperature: Temperature,
    logits: Array,
    out: Array,
    scratch: Scratch,
    *,
    has_masks: bool,
) -> Terms:
    """Return the logits in the type of `out`, and that."""
    wide = in_type(logits, out.dtype, scratch)
    return Terms(wide, out, 0.0, temperature, 0.0, scratch, has_masks=has_masks)


def _shifted_terms(
    temperature: Temperature, logits: Array, out: Array, scratch: Scratch
) -> Terms:
    """Write the exponentials into `out`, in float64, the largest near e^340.

    Rows that are too far away, or hold NaN or +inf, or -inf alone, become NaN.
    """
    wide, value = in_type(logits, out.dtype, scratch), temperature.value
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


def _compensated(
    logits: Array,
    exponents: Array,
    temperature: Temperature,
    scratch: Scratch,
    shifts: Array | None = None,
    *,
    has_masks: bool = False,
) -> None:
    """Turn the exponents z/T into T e^(z/T - shift), in place, where T rounds z/T."""
    to_grid = TO_GRID[exponents.dtype.char]
    exponents += to_grid
    exponents -= to_grid
    rest = scratch.like(exponents, "first")
    np.multiply(exponents, temperature.head, out=rest)
    np.subtract(logits, rest, out=rest)
    if temperature.rest:
        product = scratch.like(exponents, "second")
        rest -= np.multiply(exponents, temperature.rest, out=product)
    rest += temperature.value
    if has_masks:  # -inf - -inf, or less than -T
        np.fmax(rest, 0, out=rest)
    if shifts is not None:
        exponents -= column(shifts, exponents)
    np.exp(exponents, out=exponents)
    exponents *= rest
