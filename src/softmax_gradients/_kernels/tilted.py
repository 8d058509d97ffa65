"""KL(p || q) and its gradient with the exponentials of p alone, for a block of rows.

Let d_j be (z_j - v_j)/T, less its mean: sum_j p_j d_j = 0. Then q is p, tilted by e^d:

    q_j = p_j e^(d_j) / (1 + A),   A = sum_j p_j (e^(d_j) - 1 - d_j),
    KL = log(1 + A),
    T dKL/dz_j = q_j - p_j = p_j (E_j - M) / (1 + M),   E_j = e^(d_j) - 1,

with M = sum_j p_j E_j, which is A but for what rounding left of the mean. The terms of
A are not negative, and no two numbers are subtracted that are nearly equal: A is
accurate however near q is to p.

What the rounding of d changes in A is at most some eps times

    J = sum_j p_j E_j d_j,

whose terms are not negative either. J/A is 2 where d is small, and large where q has
its weight in classes where p has little. Long rows where that is so are for the other
kernel here or for `divergence`. For short rows what rounding dropped from d is found:

    e^(d + c) - 1 = E + (E + 1) c,   e^(d + c) - 1 - (d + c) = (E - d) + E c + c^2/2.
"""

import math
from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .compensated import rest_of_quotient, two_difference
from .excess import excess_of_exponentials
from .exponentials import MASKED, Terms
from .sums import ROWS, Layout, column


class Limits(NamedTuple):
    """Where the digits of float64 suffice for the results."""

    # How many times as large as (1 + A) log(1 + A) J may be. The two are equal to
    # sum q d and KL, times 1 + A.
    slope: float
    # Up to this d J need not be looked at (J/A is at most 3.6), nor the largest q - p.
    d: float
    # e^d - 1 - d is found as a difference where KL is above this: half a unit in the
    # last place of d is lost in each term, 4 eps if all were lost to the same side. In
    # long rows that no class dominates they are not.
    divergence: float
    divergence_of_many: float
    # q - p is found from a larger M only where no digit of d is missing.
    tilt: float
    # A mean of (z - v)/T above so many sqrt(2 KL) took digits from z - v.
    mean: float
    # What q - p loses, subtracted as it stands, is small beside its largest entry, if
    # that is at least this share of the largest probability.
    difference: float


LIMITS = Limits(3.0, 3.0, 0.05, 0.01, 0.1, 4.0, 0.5)
# For float32, which half the digits are enough for.
LIMITS_TO_SPARE = Limits(1e6, 1e6, 1e-12, 1e-12, 1e300, 1e5, 1e-6)

# Exponentials of rounded gaps do for a large difference q - p where the mean gap is at
# most the one, and for a difference that is found from p where it is at most the other.
LARGEST_MEAN_GAP = 8.0
SMALL_MEAN_GAP = 2.0

# Up to this d its rounding shows in no result.
LITTLE = 1.0

# e^d - 1 - d is found as a difference in long rows whose largest p is below so many KL.
LARGEST_SHARE = 2.5

# A mean of (z - v)/T above this, taken from d, leaves some digits of itself: KL is
# log(1 + M) less what is left.
SMALL_MEAN = 0.1

# What is left of the mean shows in q - p where M is below this.
SMALL_SUM = 1e-6

# What is left of the mean after d was centred, and taken from it at last, is not
# squared: that is below the last digits of KL if it is below so many sqrt(2 KL).
LARGEST_REST = 2e-9

# The logarithm of how many KL e^d may be: p has an absolute error of 2^-1075.
LARGEST_FACTOR = 700.0

# Squares of d below this lose digits.
LEAST_DIVERGENCE = 1e-280


class TiltedTeacher:
    """The kernel for `factor` KL and, unless that is not wanted, `slope` (q - p)."""

    def __init__(
        self, factor: float, slope: float, layout: Layout, *, gradient: bool = True
    ) -> None:
        self.factor = factor
        self.slope = slope
        self.layout = layout
        self.gradient = gradient

    def __call__(
        self, teacher: Terms, student: Terms, losses: Array | None = None
    ) -> Array:
        values, layout = teacher.values, self.layout
        tilt = Tilt(teacher, student, layout.sums(values), layout)
        good = teacher.are_good(tilt.totals)
        # In a sure row all of q - p is as small as the other classes' p.
        good &= teacher.have_small_gaps(tilt.totals, SMALL_MEAN_GAP, beside_others=True)
        if (
            student.has_masks
            and not tilt.d.min() > 0.1 * MASKED / tilt.temperature.value
        ):
            lost = (student.logits < MASKED) & (values > 0)
            good &= layout.sums(lost.astype(values.dtype)) == 0
        if losses is not None:
            good &= tilt.write_divergences(self.factor, losses)
        if self.gradient:
            good &= tilt.write_gradients(self.slope)
        return good


class Subtracted:
    """The kernel for `slope` (q - p) where that is large, for long rows, and for KL.

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
            place, totals = terms.largest_and_sums()
            places.append(place)
            sums.append(totals)
        student_sums, teacher_sums = sums
        good = student.are_good(student_sums) & teacher.are_good(teacher_sums)
        good &= student.have_small_gaps(student_sums, LARGEST_MEAN_GAP)
        good &= teacher.have_small_gaps(teacher_sums, LARGEST_MEAN_GAP)
        if losses is not None:
            tilt = Tilt(teacher, student, teacher_sums, ROWS)
            good &= tilt.write_divergences(self.factor, losses)
        q *= column(self.slope / student_sums, q)
        p *= column(self.slope / teacher_sums, p)
        most = [each.reshape(-1)[at] for each, at in zip((q, p), places, strict=True)]
        q -= p
        largest = np.maximum(*(abs(q.reshape(-1)[at]) for at in places))
        return good & (largest >= _limits(teacher).difference * np.maximum(*most))


def _limits(terms: Terms) -> Limits:
    """Return the limits for the type of the results."""
    return LIMITS_TO_SPARE if terms.can_spare else LIMITS


class Tilt:
    """What makes the student's probabilities of the teacher's, for a block of rows."""

    def __init__(
        self, teacher: Terms, student: Terms, totals: Array, layout: Layout
    ) -> None:
        self.values = teacher.values
        self.totals = totals
        self.layout = layout
        self.limits = _limits(teacher)
        self.is_exact = layout.in_columns and not teacher.can_spare
        # What the compensated exponentials needed the first two rooms for is done.
        self.scratch = scratch = teacher.scratch
        z, v = student.logits, teacher.logits
        if teacher.has_masks or student.has_masks:
            z = np.maximum(z, MASKED, out=scratch.like(z, "z"))
            v = np.maximum(v, MASKED, out=scratch.like(v, "v"))
        self.logits, self.temperature = (z, v), teacher.temperature
        self.d = d = np.subtract(z, v, out=scratch.like(z, "first"))
        self.room = scratch.like(d, "third")
        self.excess = scratch.like(d, "second")
        self.removed = self._mean(d)
        d -= layout.spread(self.removed)
        d *= 1 / self.temperature.value
        self.means = self.removed / self.temperature.value
        # A row that is out of range makes this NaN: then no other row may go unlooked
        # at, so that each of these comparisons is of what would let it.
        self.largest = float(d.max())
        self.dropped: Array | None = None
        if self.is_exact and not self.largest <= LITTLE:
            self.dropped = self._find_dropped()
        np.expm1(d, out=self.excess)

    def _find_dropped(self) -> Array:
        """Return what d lacks to be (z - v)/T less what was removed."""
        one, two, three, four, five, six = (
            self.scratch.like(self.d, name)
            for name in ("second", "third", "near", "square", "fifth", "sixth")
        )
        gaps, first = two_difference(*self.logits, (one, two, three, four))
        gaps, second = two_difference(gaps, self.removed, (five, two, three, six))
        rooms = (one, two, three, six)
        first += second
        if self.temperature.is_exact:
            return np.multiply(first, 1 / self.temperature.value, out=six)
        rest = rest_of_quotient(gaps, self.d, self.temperature.value, rooms)
        rest += first
        rest /= self.temperature.value
        return rest

    def _mean(self, of: Array) -> Array:
        """Return the sums of p times something."""
        return self.layout.dots(self.values, of, self.room) / self.totals

    def _centre_again(self) -> Array:
        """Take from what was dropped what was left of the mean, and return that."""
        if self.dropped is None:
            return np.zeros_like(self.totals)
        left = self._mean(self.d) + self._mean(self.dropped)
        self.dropped -= self.layout.spread(left)
        return left

    def write_divergences(self, factor: float, losses: Array) -> Array:
        """Write `factor` KL, and return which rows came out right."""
        d, excess, room = self.d, self.excess, self.room
        left = self._centre_again()
        differences = np.subtract(excess, d, out=room)
        if self.dropped is not None:
            differences += self.dropped * (excess + self.dropped / 2)
        sums = self._mean(differences)
        few = self._lack_digits(sums)
        if len(few):
            take = self.layout.take
            terms = excess_of_exponentials(
                take(d, few), take(excess, few), self.scratch
            )
            if self.dropped is not None:
                dropped = take(self.dropped, few)
                terms += dropped * (take(excess, few) + dropped / 2)
            terms *= take(self.values, few)
            sums[few] = self.layout.sums(terms) / self.totals[few]
        divergences = np.log1p(sums)
        if self.dropped is None and not abs(self.means).max() <= SMALL_MEAN:
            divergences -= self._mean(d) * sums / (1 + sums)
        good = self._keep_digits(divergences)
        good &= abs(left) <= LARGEST_REST * np.sqrt(2 * divergences)
        if self.dropped is None and not self.largest <= self.limits.d:
            terms = np.multiply(self.values, excess, out=room)
            slopes = self.layout.dots(terms, d, room) / self.totals
            good &= slopes <= self.limits.slope * (1 + sums) * divergences
        np.multiply(divergences, factor, out=losses)
        return good

    def write_gradients(self, slope: float) -> Array:
        """Turn the exponentials into `slope` (q - p), and return which are right."""
        sums = self.layout.products(self.values, self.excess, self.room) / self.totals
        good = self._keep_digits(np.log1p(sums))
        is_large = sums > self.limits.tilt
        if not self.is_exact:
            good &= ~is_large
            if not self.largest <= self.limits.d:
                good &= self.layout.largest(self.d) <= self.limits.d
        elif self.dropped is not None or is_large.any():
            sums, left = self._corrected_sums(sums, is_large)
            is_centred = abs(left) <= LARGEST_REST * np.sqrt(2 * abs(sums))
            good &= is_centred | (sums >= SMALL_SUM)
        self.excess -= self.layout.spread(sums)
        self.values *= self.excess
        self.values *= self.layout.spread(slope / (self.totals * (1 + sums)))
        return good

    def _corrected_sums(self, sums: Array, is_large: Array) -> tuple[Array, Array]:
        """Return M with the digits that d dropped, and near 0 where it was large.

        And what was left of the mean of d before.
        """
        if self.dropped is None:
            self.dropped = self._find_dropped()
            np.expm1(self.d, out=self.excess)
        has_small, left = not sums.min() >= SMALL_SUM, np.zeros_like(sums)
        if has_small:
            left = self._centre_again()
        if has_small or not is_large.any():
            sums = self._correct(self.dropped)
        if is_large.any():  # E - M would cancel where q is near p
            self._shift(np.log1p(sums), self.dropped)
            sums = self._correct(self.dropped)
        return sums, left

    def _correct(self, dropped: Array) -> Array:
        """Add to E the digits of d that were dropped, and return M."""
        more = np.add(self.excess, 1, out=self.room)
        more *= dropped
        self.excess += more
        return self._mean(self.excess)

    def _shift(self, shifts: Array, dropped: Array) -> None:
        """Take one number of each row from d, and keep what that drops."""
        rooms = [
            self.scratch.like(self.d, name)
            for name in ("fifth", "near", "square", "seventh")
        ]
        self.d, more = two_difference(self.d, shifts, rooms)
        dropped += more
        np.expm1(self.d, out=self.excess)

    def _keep_digits(self, divergences: Array) -> Array:
        """Say of which rows z - v and the squares of d have their digits."""
        good = (divergences > LEAST_DIVERGENCE) & (divergences < np.inf)
        # A p below the normal numbers has few digits, and e^d may be large.
        least = math.log(max(divergences.min(), LEAST_DIVERGENCE))
        if not self.largest <= LARGEST_FACTOR + least:
            near = np.log(np.maximum(divergences, LEAST_DIVERGENCE))
            good &= self.layout.largest(self.d) <= LARGEST_FACTOR + near
        if self.dropped is None:
            good &= abs(self.means) <= self.limits.mean * np.sqrt(2 * divergences)
        return good

    def _lack_digits(self, sums: Array) -> Array:
        """Return in which rows e^d - 1 - d, as a difference, has too few digits."""
        few = sums < self.limits.divergence
        if not self.layout.in_columns and few.any():
            shares = self.layout.largest(self.values) / self.totals
            few &= sums < np.maximum(
                self.limits.divergence_of_many, shares / LARGEST_SHARE
            )
        return np.flatnonzero(few)
