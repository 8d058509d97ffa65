"""KL(p || q) of two softmaxes and its gradients, for a block of rows.

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
from .exponentials import Scratch, Terms
from .losses import MASKED
from .sums import column, flat_index, row_products, row_sums

# e^x - 1 - x is taken as a difference where |x| is above this.
CLOSE = 0.5

# p (e^x - 1) is taken from q where x is above this.
FAR = 2.0

# Rows with a smaller divergence need that difference in another way.
SMALL_DIVERGENCE = 0.3

# A divergence below the one, or a sum M above the other, asks for more care.
NEARLY_EQUAL = 1e-14
LARGE_ERROR = 1e-15

# Squares of x below this lose digits.
LEAST_DIVERGENCE = 1e-280

# 1/2!, 1/3!, ...: the next, over 2^15, is below the last digit of 1/2.
COEFFICIENTS = [1 / math.factorial(n) for n in range(2, 16)]


class Pair(NamedTuple):
    """p, q - p and log(q/p) of some rows."""

    teacher_probs: Array
    difference: Array
    log_ratio: Array


class Divergence:
    """The kernel for `factor` KL and `slope` (q - p)."""

    def __init__(self, factor: float = 1, slope: float = 1) -> None:
        self.factor = factor
        self.slope = slope

    def __call__(
        self, student: Terms, teacher: Terms, losses: Array | None = None
    ) -> Array:
        losses = np.empty(len(student.logits)) if losses is None else losses
        good, pair = _compare(student, teacher, losses)
        np.multiply(pair.difference, self.slope, out=student.values)
        good &= losses > LEAST_DIVERGENCE
        losses *= self.factor
        return good


class TeacherGradient:
    """The kernel for `slope` p (log(p/q) - KL)."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def __call__(self, student: Terms, teacher: Terms) -> Array:
        losses = np.empty(len(student.logits))
        good, (probs, _, log_ratio) = _compare(student, teacher, losses)
        # A shift changes nothing. This one keeps the mean small where p is sharp.
        largest = probs.argmax(axis=-1)
        at_largest = log_ratio[np.arange(len(largest)), largest]
        values = np.subtract(column(at_largest, log_ratio), log_ratio, out=log_ratio)
        room = student.scratch.like(values, "products")
        values -= column(row_products(probs, values, room), values)
        values *= probs
        np.multiply(values, self.slope, out=student.values)
        return good & (losses > LEAST_DIVERGENCE) & np.isfinite(losses)


def _compare(student: Terms, teacher: Terms, divergences: Array) -> tuple[Array, Pair]:
    """Return which rows came out right, and the pair; fill the divergences."""
    q, p = student.values, teacher.values
    student_sums, teacher_sums = row_sums(q), row_sums(p)
    q *= column(1 / student_sums, q)
    p *= column(1 / teacher_sums, p)
    factors = np.subtract(teacher.log_factor, student.log_factor)
    shared = np.log(teacher_sums / student_sums) - factors
    temperature, scratch = student.temperature.value, student.scratch
    z, v = (_unmasked(terms, name) for terms, name in ((student, "z"), (teacher, "v")))
    log_ratio = np.subtract(z, v, out=scratch.like(p, "ratio"))
    log_ratio += column(shared * temperature, log_ratio)
    log_ratio /= temperature
    pair, error = _with_differences(q, p, log_ratio, scratch)
    divergences[...] = _divergences(pair, scratch)
    rough = abs(shared) > 8 * np.sqrt(2 * divergences)
    rough |= (abs(error) > LARGE_ERROR) | (divergences < NEARLY_EQUAL)
    rows = np.flatnonzero(rough)
    if len(rows):
        room = Scratch(z[rows].size)
        x = _refined(q[rows], p[rows], log_ratio[rows], z[rows], v[rows], temperature)
        refined, _ = _with_differences(q[rows], p[rows], x, room)
        log_ratio[rows], pair.difference[rows] = x, refined.difference
        divergences[rows] = _divergences(refined, room)
    if student.logits.min() == -np.inf:
        masked = (student.logits == -np.inf) & (p > 0)
        divergences[masked.any(axis=-1)] = np.inf
    good = student.are_good(student_sums) & teacher.are_good(teacher_sums)
    return good, pair


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
    k = flat_index(weight.argmax(axis=-1), p)
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


def _unmasked(terms: Terms, name: str) -> Array:
    """Return the logits with a finite number for -inf."""
    if terms.logits.min() > -np.inf:
        return terms.logits
    return np.maximum(terms.logits, MASKED, out=terms.scratch.like(terms.values, name))


def _with_differences(
    q: Array, p: Array, log_ratio: Array, scratch: Scratch
) -> tuple[Pair, Array]:
    """Return the pair, q - p corrected by the error M of the log-ratio, and M."""
    difference = np.minimum(log_ratio, FAR, out=scratch.like(p, "difference"))
    np.expm1(difference, out=difference)
    difference *= p
    # e^x multiplies the rounding error of x by x: above x = 2, q - p e^2 is added.
    beyond = np.multiply(p, -math.exp(FAR), out=scratch.like(p, "products"))
    beyond += q
    difference += np.maximum(beyond, 0, out=beyond)
    error = row_sums(difference)
    product = scratch.like(p, "products")
    difference -= np.multiply(p, column(error, p), out=product)
    return Pair(p, difference, log_ratio), error


def _divergences(pair: Pair, scratch: Scratch) -> Array:
    """Return sum_j p_j (e^(x_j) - 1 - x_j) for each row."""
    probs, difference, log_ratio = pair
    terms = scratch.like(probs, "products")
    np.multiply(probs, log_ratio, out=terms)
    np.subtract(difference, terms, out=terms)
    divergences = row_sums(terms)
    if divergences.min() < SMALL_DIVERGENCE:
        # (e^x - 1 - x) = x^2/2 (1 + x/3 (1 + x/4 (...))), up to |x| = 1/2.
        close = scratch.like(probs, "close")
        np.clip(log_ratio, -CLOSE, CLOSE, out=close)
        series = scratch.like(probs, "series")
        series[...] = COEFFICIENTS[-1]
        for coefficient in COEFFICIENTS[-2::-1]:
            series *= close
            series += coefficient
        series *= close
        series *= close
        series *= probs
        np.copyto(terms, series, where=close == log_ratio)
        divergences = row_sums(terms)
    return divergences
