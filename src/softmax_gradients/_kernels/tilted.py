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

from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .excess import excess_of_exponentials
from .exponentials import Chosen, Terms
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

# What q - p loses is small beside its largest entry, if that is at least this share of
# the largest probability.
LARGE_DIFFERENCE = 0.5
LARGE_DIFFERENCE_OF_FEW = 0.8

# Squares of d below this lose digits.
LEAST_DIVERGENCE = 1e-280


class TiltedTeacher:
    """The kernel for `factor` KL and, unless that is not wanted, `slope` (q - p)."""

    def __init__(self, factor: float, slope: float, *, gradient: bool = True) -> None:
        self.factor = factor
        self.slope = slope
        self.gradient = gradient

    def __call__(
        self, teacher: Terms, student: Terms, losses: Array | None = None
    ) -> Array:
        values, totals = teacher.values, row_sums(teacher.values)
        good = teacher.are_good(totals)
        tilt = _tilt(teacher, student, totals)
        if losses is not None:
            good &= _write_divergences(teacher, totals, tilt, self.factor, losses)
        else:
            good &= _keep_digits(tilt, np.log1p(tilt.sums))
        if not self.gradient:
            return good
        if tilt.largest > MODERATE:
            good &= tilt.d.max(axis=-1) <= MODERATE
        excess = tilt.excess
        excess -= column(tilt.sums, excess)
        values *= excess
        values *= column(self.slope / (totals * (1 + tilt.sums)), values)
        return good


class Subtracted:
    """The kernel for `slope` (q - p) where that is large, and `factor` KL.

    It is subtracted as it stands: what q and p have lost is small beside the largest
    difference.
    """

    def __init__(self, factor: float, slope: float) -> None:
        self.factor = factor
        self.slope = slope

    def __call__(
        self, student: Terms, teacher: Terms, losses: Array | None = None
    ) -> Array:
        q, p = student.values, teacher.values
        places, sums = [], []
        for terms in (student, teacher):
            largest, totals = terms.largest_and_sums()
            places.append(largest)
            sums.append(totals)
        student_sums, teacher_sums = sums
        good = student.are_good(student_sums) & teacher.are_good(teacher_sums)
        if losses is not None:
            tilt = _tilt(teacher, student, teacher_sums)
            good &= _write_divergences(teacher, teacher_sums, tilt, self.factor, losses)
        q *= column(self.slope / student_sums, q)
        p *= column(self.slope / teacher_sums, p)
        most = [each.reshape(-1)[at] for each, at in zip((q, p), places, strict=True)]
        q -= p
        differences = [abs(q.reshape(-1)[at]) for at in places]
        is_long = q.shape[-1] > SHORT_ROW
        share = LARGE_DIFFERENCE if is_long else LARGE_DIFFERENCE_OF_FEW
        return good & (np.maximum(*differences) >= share * np.maximum(*most))


class Tilt(NamedTuple):
    """d and e^d - 1 of some rows, and what belongs to them."""

    d: Array
    excess: Array  # E
    sums: Array  # M
    means: Array  # the means of (z - v)/T that were taken from it
    largest: float  # the largest d of all


def _tilt(teacher: Terms, student: Terms, totals: Array) -> Tilt:
    """Return the tilt of the teacher's probabilities that makes them the student's."""
    # What compensated exponentials needed the first rooms for is done.
    scratch, z, v = teacher.scratch, student.logits, teacher.logits
    if teacher.has_masks or student.has_masks:
        z = np.maximum(z, MASKED, out=scratch.like(z, "z"))
        v = np.maximum(v, MASKED, out=scratch.like(v, "v"))
    d = np.subtract(z, v, out=scratch.like(z, "first"))
    room = scratch.like(d, "third")
    means = row_dots(teacher.values, d, room) / totals
    d -= column(means, d)
    d *= 1 / teacher.temperature.value
    excess = np.expm1(d, out=scratch.like(d, "second"))
    sums = row_dots(teacher.values, excess, room) / totals
    return Tilt(d, excess, sums, means / teacher.temperature.value, float(d.max()))


def _write_divergences(
    teacher: Terms, totals: Array, tilt: Tilt, factor: float, losses: Array
) -> Array:
    """Write `factor` KL, and return which rows came out right."""
    d, excess, values = tilt.d, tilt.excess, teacher.values
    room = teacher.scratch.like(d, "third")
    np.subtract(excess, d, out=room)
    excess_sums = row_dots(values, room, room) / totals
    few = _without_digits(teacher, totals, excess_sums)
    if len(few):
        rows: Chosen = few if 2 * len(few) < len(totals) else slice(None)
        terms = excess_of_exponentials(d[rows], excess[rows], teacher.scratch)
        terms *= values[rows]
        excess_sums[rows] = row_sums(terms) / totals[rows]
    divergences = np.log1p(excess_sums)
    good = _keep_digits(tilt, divergences)
    if tilt.largest > MODERATE:
        np.multiply(values, excess, out=room)
        slopes = row_dots(room, d, room) / totals
        good &= slopes <= LARGEST_SLOPE * (1 + excess_sums) * divergences
    np.multiply(divergences, factor, out=losses)
    return good


def _keep_digits(tilt: Tilt, divergences: Array) -> Array:
    """Say of which rows z - v and the squares of d have their digits."""
    near = abs(tilt.means) <= LARGEST_MEAN * np.sqrt(2 * divergences)
    return near & (divergences > LEAST_DIVERGENCE)


def _without_digits(teacher: Terms, totals: Array, excess_sums: Array) -> Array:
    """Return the rows whose e^d - 1 - d, as a difference, have too few digits."""
    few = excess_sums < LARGE_DIVERGENCE
    if teacher.values.shape[-1] > SHORT_ROW and few.any():
        largest = teacher.values.max(axis=-1) / totals
        few &= excess_sums < np.maximum(
            LARGE_DIVERGENCE_OF_MANY, largest / LARGEST_SHARE
        )
    return np.flatnonzero(few)
