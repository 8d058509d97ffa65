"""KL(p || q) and its gradient with the exponentials of p alone, for a block of rows.

Let d_j be (z_j - v_j)/T, less its mean: sum_j p_j d_j = 0. Then q is p, tilted by e^d:

    q_j = p_j e^(d_j) / (1 + F),   F = sum_j p_j (e^(d_j) - 1 - d_j),
    KL = log(1 + F),
    T dKL/dz_j = q_j - p_j = p_j (E_j - M) / (1 + M),   E_j = e^(d_j) - 1,

with M = sum_j p_j E_j, which is F but for what rounding left of the mean. The terms of
F are not negative, and no two numbers are subtracted that are nearly equal: F is
accurate however near q is to p. What the rounding of d changes in it is at most some
eps times

    J = sum_j p_j E_j d_j,

whose terms are not negative either. J/F is 2 where d is small, and large where q has
its weight in classes where p has little. Such rows are for `divergence`.
"""

import math

import numpy as np

from .._inputs import Array
from .exponentials import Chosen, Scratch, Terms
from .losses import MASKED
from .sums import SHORT_ROW, column, row_dots, row_sums

# How many times as large as (1 + F) log(1 + F) J may be. The two are equal to sum q d
# and KL, times 1 + F.
LARGEST_SLOPE = 3.0

# Up to here J need not be looked at: J/F is at most 3.6.
MODERATE = 3.0

# e^d - 1 - d is found as a difference where KL is above this: half a unit in the last
# place of d is lost in each term, 4 eps if all were lost to the same side. In long rows
# that no class dominates they are not.
LARGE_DIVERGENCE = 0.05
LARGE_DIVERGENCE_OF_MANY = 0.01
LARGEST_SHARE = 2.5

# A mean of (z - v)/T above so many sqrt(2 KL) took digits from z - v.
LARGEST_MEAN = 4.0

# Squares of d below this lose digits.
LEAST_DIVERGENCE = 1e-280

# B_2n/(2n)! for n = 1, 2, ..., with Bernoulli's numbers B_2n.
BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66]
BERNOULLI += [-691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330]
COEFFICIENTS = [b / math.factorial(2 * n) for n, b in enumerate(BERNOULLI, 1)]


class TiltedTeacher:
    """The kernel for `factor` KL and, unless that is not wanted, `slope` (q - p)."""

    def __init__(self, factor: float, slope: float, *, gradient: bool = True) -> None:
        self.factor = factor
        self.slope = slope
        self.gradient = gradient

    def __call__(
        self, teacher: Terms, student: Terms, losses: Array | None = None
    ) -> Array:
        values, scratch = teacher.values, teacher.scratch
        totals = row_sums(values)
        d, means = _centred(teacher, student, totals)
        excess = np.expm1(d, out=scratch.like(d, "excess"))
        room = scratch.like(d, "products")
        tilts = excess_sums = row_dots(values, excess, room) / totals
        if losses is not None:
            np.subtract(excess, d, out=room)
            excess_sums = row_dots(values, room, room) / totals
            few = _without_digits(teacher, totals, excess_sums)
            if len(few):
                rows: Chosen = few if 2 * len(few) < len(totals) else slice(None)
                terms = _excess_of_exponentials(d[rows], excess[rows], scratch)
                terms *= values[rows]
                excess_sums[rows] = row_sums(terms) / totals[rows]
        divergences = np.log1p(excess_sums)
        good = teacher.are_good(totals) & (divergences > LEAST_DIVERGENCE)
        good &= abs(means) <= LARGEST_MEAN * np.sqrt(2 * divergences)
        if d.max() > MODERATE:
            if self.gradient:
                good &= d.max(axis=-1) <= MODERATE
            else:
                excess *= values
                slopes = row_dots(excess, d, room) / totals
                good &= slopes <= LARGEST_SLOPE * (1 + excess_sums) * divergences
        if self.gradient:
            excess -= column(tilts, excess)
            values *= excess
            values *= column(self.slope / (totals * (1 + tilts)), values)
        if losses is not None:
            np.multiply(divergences, self.factor, out=losses)
        return good


def _centred(teacher: Terms, student: Terms, totals: Array) -> tuple[Array, Array]:
    """Return d, and the mean of (z - v)/T that was taken from it."""
    scratch, z, v = teacher.scratch, student.logits, teacher.logits
    if teacher.has_masks or student.has_masks:
        z = np.maximum(z, MASKED, out=scratch.like(z, "z"))
        v = np.maximum(v, MASKED, out=scratch.like(v, "v"))
    d = np.subtract(z, v, out=scratch.like(z, "d"))
    means = row_dots(teacher.values, d, scratch.like(d, "products")) / totals
    d -= column(means, d)
    d *= 1 / teacher.temperature.value
    return d, means / teacher.temperature.value


def _without_digits(teacher: Terms, totals: Array, excess_sums: Array) -> Array:
    """Return the rows whose e^d - 1 - d, as a difference, have too few digits."""
    few = excess_sums < LARGE_DIVERGENCE
    if teacher.values.shape[-1] > SHORT_ROW and few.any():
        largest = teacher.values.max(axis=-1) / totals
        few &= excess_sums < np.maximum(
            LARGE_DIVERGENCE_OF_MANY, largest / LARGEST_SHARE
        )
    return np.flatnonzero(few)


def _excess_of_exponentials(d: Array, excess: Array, scratch: Scratch) -> Array:
    """Return e^d - 1 - d for |d| <= 1 and, as a difference, for other d.

    With E = e^d - 1 that is d E (1/d - 1/E), and 1/d - 1/E is Bernoulli's series
    1/2 - d (B_2/2! + d^2 (B_4/4! + ...)).
    """
    x = np.clip(d, -1, 1, out=scratch.like(d, "near"))
    square = np.multiply(x, x, out=scratch.like(d, "square"))
    series = scratch.like(d, "series")
    count = _terms_needed(math.sqrt(square.max()))
    series[...] = COEFFICIENTS[count - 1]
    for coefficient in COEFFICIENTS[count - 2 :: -1]:
        series *= square
        series += coefficient
    series *= x
    np.subtract(0.5, series, out=series)
    series *= x
    series *= excess
    if count == len(COEFFICIENTS):
        np.subtract(excess, d, out=series, where=x != d)
    return series


def _terms_needed(largest: float) -> int:
    """Return of how many terms the series is, up to the largest |d|.

    B_2n/(2n)! is about 2/(2 pi)^2n in size. What is left out is below 2^-55 times 1/2.
    """
    if not largest < 1:
        return len(COEFFICIENTS)
    ratio = max(largest, 1e-3) / (2 * math.pi)
    return max(1, math.ceil(math.log(2**-56 * ratio, ratio) / 2 - 1))
