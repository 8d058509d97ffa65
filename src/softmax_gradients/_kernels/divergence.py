"""KL(p || q) of two softmaxes and its gradients, for any rows: see `tilted` for most.

With x_j = log(q_j/p_j), that is (z_j - v_j)/T up to a number that all classes share,

    T dKL/dz_j = q_j - p_j = p_j (e^(x_j) - 1),
    KL = sum_j p_j (e^(x_j) - 1 - x_j),
    T dKL/dv_j = p_j (-x_j - KL).

The shared number is first taken from the two sums of exponentials, which leaves it
off by some 1e-16, too much where x is small. But q and p both sum to one, so

    M = sum_j p_j (e^(x_j) - 1)

is 0, and what is found instead is the error: x - log(1 + M) is log(q/p). The sum KL
hardly depends on the shared number: its derivative is M.
"""

import math
from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .compensated import two_difference
from .excess import excess_of_exponentials
from .exponentials import MASKED, Terms
from .scratch import Scratch
from .sums import any_in_row, column, index_of_largest, row_products, row_sums

# e^x - 1 - x is taken as a difference where |x| is above this.
CLOSE = 0.5

# p (e^x - 1) is taken from q where x is above this.
FAR = 1.5

# Rows with a smaller divergence need that difference in another way.
SMALL_DIVERGENCE = 0.3

# A larger one may be due to few classes.
LARGE_DIVERGENCE = 100.0

# A divergence below the one, or a sum M above the other, asks for more care.
NEARLY_EQUAL = 1e-14
LARGE_ERROR = 1e-15

# Squares of x below this lose digits.
LEAST_DIVERGENCE = 1e-280


class Pair(NamedTuple):
    """p, q - p and log(q/p) of some rows, and KL(p || q)."""

    teacher_probs: Array
    difference: Array
    log_ratio: Array
    divergences: Array


class Divergence:
    """The kernel for `factor` KL and, unless that is not wanted, `slope` (q - p)."""

    def __init__(self, factor: float, slope: float, *, gradient: bool = True) -> None:
        self.factor = factor
        self.slope = slope
        self.gradient = gradient

    def __call__(
        self, student: Terms, teacher: Terms, losses: Array | None = None
    ) -> Array:
        good, pair = _compare(student, teacher)
        if self.gradient:
            np.multiply(pair.difference, self.slope, out=student.values)
        if losses is not None:
            np.multiply(pair.divergences, self.factor, out=losses)
        return good


class TeacherGradient:
    """The kernel for `slope` p (log(p/q) - KL)."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def __call__(self, student: Terms, teacher: Terms) -> Array:
        good, (probs, room, log_ratio, divergences) = _compare(student, teacher)
        # A shift changes nothing. This one keeps the mean small where p is sharp.
        largest = index_of_largest(probs)
        at_largest = log_ratio.reshape(-1)[largest]
        values = np.subtract(column(at_largest, log_ratio), log_ratio, out=log_ratio)
        values -= column(row_products(probs, values, room), values)
        values *= probs
        np.multiply(values, self.slope, out=student.values)
        return good & np.isfinite(divergences)


def _count_masked(student: Terms, p: Array, divergences: Array) -> None:
    """Make a divergence infinite where the student masks what has weight."""
    masked = (student.logits == -np.inf) & (p > 0)
    divergences[any_in_row(masked)] = np.inf


def _compare(student: Terms, teacher: Terms) -> tuple[Array, Pair]:
    """Return which rows came out right, and the pair."""
    q, p = student.values, teacher.values
    student_sums = student.sums()
    teacher_sums = teacher.sums()
    factors = np.subtract(teacher.log_factor, student.log_factor)
    shared = np.log(teacher_sums / student_sums) - factors
    student.divide(student_sums)
    teacher.divide(teacher_sums)
    temperature, scratch = student.temperature.value, student.scratch
    z, v = _unmasked(student), _unmasked(teacher)
    log_ratio = np.subtract(z, v, out=scratch.like(p, "ratio"))
    log_ratio += column(shared * temperature, log_ratio)
    log_ratio /= temperature
    pair, error = _with_differences(q, p, log_ratio, scratch)
    divergences = pair.divergences
    # z - v was rounded before a large shared number went, and 1 + M is not 1.
    # Nor is it small beside a divergence that a masked class makes infinite.
    rough = abs(shared) > 4 * np.sqrt(2 * np.minimum(divergences, LARGE_DIVERGENCE))
    rough |= (abs(error) > LARGE_ERROR) | (divergences < NEARLY_EQUAL)
    rows = np.flatnonzero(rough)
    if len(rows):
        x = _refined(q[rows], p[rows], log_ratio[rows], z[rows], v[rows], temperature)
        some, _ = _with_differences(q[rows], p[rows], x, Scratch(x.nbytes))
        pair.difference[rows], log_ratio[rows] = some.difference, x
        divergences[rows] = some.divergences
    good = student.are_good(student_sums) & teacher.are_good(teacher_sums)
    good &= divergences > LEAST_DIVERGENCE
    if student.logits.min() == -np.inf:
        _count_masked(student, p, divergences)
        # Beside masks, logits below the number for them were taken for it.
        far = (student.logits < MASKED) & (student.logits > -np.inf)
        good &= ~any_in_row(far)
    return good, pair


def _unmasked(terms: Terms) -> Array:
    """Return the logits with a finite number for -inf."""
    if terms.logits.min() > -np.inf:
        return terms.logits
    room = terms.scratch.like(terms.values, "unmasked")
    return np.maximum(terms.logits, MASKED, out=room)


def _refined(
    q: Array, p: Array, rough: Array, z: Array, v: Array, temperature: float
) -> Array:
    """Return log(q/p) with the digits that a large shared number, or a sure p, took.

    Let d be (z - v)/T minus a number that is the same for all classes, and
    M = sum_j p_j (e^(d_j) - 1). Then log(q_i/p_i) = d_i - log(1 + M), and all digits
    hold if d is about as small as log(q/p): it is counted from a class k that has much
    weight in both p and q.
    """
    weight = np.minimum(q, p)
    k = index_of_largest(weight)
    ratio = q.reshape(-1)[k] / p.reshape(-1)[k]
    # Count from d_k = 0 if q_k is near p_k, and from d_k = log(q_k/p_k) if not.
    near = abs(np.log(ratio)) <= 1
    rest, start = np.where(near, ratio, 1), np.where(near, 0, np.log(ratio))
    d, dropped = two_difference(z, v)
    d -= column(d.reshape(-1)[k], d)
    d += dropped - column(dropped.reshape(-1)[k], d)
    d /= temperature
    d += column(start, d)
    terms = np.expm1(d)
    terms *= p
    np.subtract(q / column(rest, q), p, out=terms, where=d > FAR)
    d -= column(np.log1p(row_sums(terms)), d)
    # Without such a class the divergence is large, and hides what was dropped.
    return np.where(column(weight.reshape(-1)[k], d) > 1e-200, d, rough)


def _with_differences(
    q: Array, p: Array, log_ratio: Array, scratch: Scratch
) -> tuple[Pair, Array]:
    """Return the pair, q - p corrected by the error M of the log-ratio, and M."""
    difference = np.minimum(log_ratio, FAR, out=scratch.like(p, "difference"))
    np.expm1(difference, out=difference)
    difference *= p
    room = scratch.like(p, "products")
    if not log_ratio.max() <= FAR:
        # e^x multiplies the rounding error of x. Above, q - p e^(3/2) is added.
        np.multiply(p, -math.exp(FAR), out=room)
        room += q
        difference += np.maximum(room, 0, out=room)
    error = row_sums(difference)
    # With M not yet subtracted: see the first lines of this module.
    np.subtract(difference, np.multiply(p, log_ratio, out=room), out=room)
    divergences = row_sums(room)
    if not divergences.min() >= SMALL_DIVERGENCE:  # NaN comes from rows out of range
        close = scratch.like(p, "close")
        np.clip(log_ratio, -CLOSE, CLOSE, out=close)
        exponentials = np.expm1(close, out=scratch.like(p, "first"))
        series = excess_of_exponentials(close, exponentials, scratch)
        series *= p
        np.copyto(room, series, where=close == log_ratio)
        divergences = row_sums(room)
    difference -= np.multiply(p, column(error, p), out=room)
    return Pair(p, difference, log_ratio, divergences), error
