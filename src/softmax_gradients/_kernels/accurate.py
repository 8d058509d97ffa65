"""Softmax, its logarithm, the loss and its gradient, rounded as little as possible.

Each function works on rows, class axis last, of any number of axes. Logits are read
once into `Scaled`: (z - max z)/T and what its rounding dropped.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._inputs import Array
from .compensated import finite_or_zero, two_difference, two_quotient

# A power of two, so that a product with it is exact.
LIFT = 2.0**128

# Above this a weight times the lifted exponentials might overflow.
LARGE = 1e200


def at_least_double(logits: Array) -> np.dtype[Any]:
    """Return the type in which logits are computed with: float64 or wider."""
    return np.result_type(logits, np.float64)


class Scaled(NamedTuple):
    """(z - max z)/T along the last axis, in float64 or wider, and its error.

    The entries of `values` are at most 0, and 0 at the maximum. To add `error`
    undoes their rounding.
    """

    values: Array
    error: Array


def scaled_logits(logits: Array, temperature: float) -> Scaled:
    """Return (z - max z)/T along the last axis, class axis contiguous.

    The maximum is subtracted before the division, so a small T cannot overflow
    the largest logit. For complex logits the maximum is by real part. A row that
    lies contiguous in memory is summed in pairs, which rounds less.
    """
    wide = np.ascontiguousarray(logits, at_least_double(logits))
    largest = np.argmax(wide.real, axis=-1, keepdims=True)
    # A gap too large for a float is -inf here, and then q = 0.
    with np.errstate(over="ignore", invalid="ignore"):
        gaps, gap_error = two_difference(
            wide, np.take_along_axis(wide, largest, axis=-1)
        )
        values, error = two_quotient(gaps, temperature)
        error = finite_or_zero(error + gap_error / temperature)
    if np.iscomplexobj(wide):  # the quotient of -inf + 0j by a number is NaN
        values = np.where(np.isneginf(wide.real), -np.inf, values)
    return Scaled(values, error)


def exponentials(scaled: Scaled) -> Array:
    """Return 2^128 e^((z - max z)/T): the largest of each row is 2^128.

    An error d of the exponent x is made good by e^(x + d) = e^x (1 + d). The power
    of two rounds nothing and cancels in every fraction; it leaves room below, so
    that results near the smallest float are rounded to its few digits only once.
    """
    values, error = scaled
    factor: Array | float = LIFT
    deep = values.real < -600
    if deep.any():  # e^x would underflow, and x + 700 is exact
        values = np.where(deep, values + 700, values)
        factor = np.where(deep, LIFT * np.exp(-700), LIFT)
    terms = np.exp(values)
    terms += terms * error
    return terms * factor


def probabilities(scaled: Scaled) -> Array:
    """Return q along the last axis."""
    terms = exponentials(scaled)
    return terms / (LIFT + sum_without_largest(terms))


def log_probabilities(scaled: Scaled) -> Array:
    """Return log q along the last axis.

    The largest exponential is 1: log(1 + the others) keeps the others' digits.
    """
    others = sum_without_largest(exponentials(scaled)) / LIFT
    return scaled.values - np.log1p(others)


def divide_by_temperature(values: Array, temperature: Array | float) -> Array:
    """Return values / T, infinite where that is too large for a float."""
    with np.errstate(over="ignore"):
        return values / temperature


def rounded_like(values: Any, logits: Array) -> Any:
    """Return `values` in the precision of the logits, rounded for the first time."""
    if values.dtype == logits.dtype:
        return values
    with np.errstate(over="ignore"):  # too large for a float32 is infinite
        return values.astype(logits.dtype, copy=False)


def sum_without_largest(values: Array) -> Array:
    """Return the sum along the last axis without the largest entry, kept as (..., 1).

    Small entries are added up before they meet a large one: that rounds less.
    """
    others = values.copy()
    largest = np.argmax(values.real, axis=-1, keepdims=True)
    np.put_along_axis(others, largest, 0, axis=-1)
    return others.sum(axis=-1, keepdims=True)


def sum_of_others(values: Array) -> Array:
    """Return, for each entry along the last axis, the sum of all the other entries.

    The entries are nonnegative. The total minus the entry is accurate for every
    entry but the largest, where it may cancel: there the others are added up.
    """
    largest = np.argmax(values.real, axis=-1, keepdims=True)
    without_largest = sum_without_largest(values)
    total = without_largest + np.take_along_axis(values, largest, axis=-1)
    others = total - values
    np.put_along_axis(others, largest, without_largest, axis=-1)
    return others


def times_jacobian(probs: Array, vector: Array) -> Array:
    """Return (diag q - q q^T) times `vector` along the last axis, in O(C)."""
    mean = (probs * vector).sum(axis=-1, keepdims=True)
    return probs * (vector - mean)


def row_losses(scaled: Scaled, weights: Array) -> Array:
    """Return -sum t log q for each row."""
    # 0 * inf, which counts as 0, is NaN at first; too large a loss is inf.
    with np.errstate(invalid="ignore", over="ignore"):
        terms = -weights * log_probabilities(scaled)
        return np.where(weights == 0, 0, terms).sum(axis=-1)


def row_gradients(scaled: Scaled, weights: Array, temperature: float = 1.0) -> Array:
    """Return (q sum(t) - t)/T for each row; without the T, T times dL/dz.

    With e_k the exponentials and S their sum, S times q_k sum(t) - t_k is

        e_k * (sum of the other t) - t_k * (sum of the other e).

    Both sides are products of nonnegative numbers, and for a class index one of
    them is zero: then nothing cancels.
    """
    if weights.max(initial=0) > LARGE:  # a power of two less, and more again
        smaller = row_gradients(scaled, weights / LIFT**2, temperature)
        return divide_by_temperature(smaller, LIFT**-2)
    terms = exponentials(scaled)
    total = LIFT + sum_without_largest(terms)
    difference = terms * sum_of_others(weights) - weights * sum_of_others(terms)
    flat = _nearly_uniform(scaled, weights)
    if flat.any():
        near = np.where(flat, scaled.values, 0)
        lifted = LIFT * flat_difference(near, weights)
        difference = np.where(flat, lifted, difference)
    if temperature < 1:  # the quotient by S alone might underflow
        return divide_by_temperature(difference, total * temperature)
    return difference / total / temperature


def temperature_derivatives(scaled: Scaled, weights: Array) -> Array:
    """Return T dL/dT of each row; NaN where a class that has weight has q = 0."""
    lost = (np.isneginf(scaled.values.real) & (weights != 0)).any(axis=-1)
    gradient = row_gradients(scaled, weights)
    derivatives = -(gradient * zero_if_masked(scaled.values)).sum(axis=-1)
    return np.where(lost, np.nan, derivatives)


def _nearly_uniform(scaled: Scaled, weights: Array) -> Array:
    """Say of each row whether all its q are near one another, and all its t too."""
    mean = weights.mean(axis=-1, keepdims=True)
    near = (scaled.values.real >= -2) & (abs(weights - mean) <= mean / 2)
    return near.all(axis=-1, keepdims=True)


def _sums(values: Array) -> Array:
    """Return the sums along the last axis, kept as (..., 1)."""
    return values.sum(axis=-1, keepdims=True)


def flat_difference(
    exponents: Array, weights: Array, sums: Callable[[Array], Array] = _sums
) -> Array:
    """Return e_k * sum(t) - t_k * sum(e) where e and t are nearly uniform.

    Write e_k = 1 + m + a_k and t_k = c + b_k, with m the mean of e - 1 and c that of
    t, up to rounding. What e and t have in common cancels, and there remains

        (1 + m) (sum(b) - C b_k) + a_k * sum(t) - t_k * sum(a).

    At a high temperature all of a and b is tiny, and known to its last digit: e - 1
    by expm1, and b because a difference of numbers within a factor of two is exact.
    `sums` adds up the entries of each row.
    """
    excess, classes = np.expm1(exponents), weights.shape[-1]
    mean, mean_weight = sums(excess) / classes, sums(weights) / classes
    apart, apart_weight = excess - mean, weights - mean_weight
    rest = sums(apart_weight)
    difference = (1 + mean) * (rest - classes * apart_weight)
    difference += apart * (classes * mean_weight + rest)
    difference -= weights * sums(apart)
    return difference


def covariance(probs: Array, first: Array, second: Array) -> Array:
    """Return the covariance under `probs` of two arrays that may be masked."""
    first, second = zero_if_masked(first), zero_if_masked(second)
    mean = (probs * second).sum(axis=-1, keepdims=True)
    return (times_jacobian(probs, first) * (second - mean)).sum(axis=-1)


def zero_if_masked(scaled: Array) -> Array:
    """Return scaled logits with 0 for -inf: a masked class has no weight anyway."""
    return np.where(np.isneginf(scaled.real), 0, scaled)
