"""Two softmaxes beside each other: q - p, log(q/p) and their divergence, row by row."""

from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .accurate import (
    at_least_double,
    log_probabilities,
    probabilities,
    scaled_logits,
    times_jacobian,
)
from .compensated import finite_or_zero, two_difference

# A smaller q or p may have lost digits.
LEAST_WEIGHT = 1e-290


class Comparison(NamedTuple):
    """A student beside a teacher: p, q - p and log(q/p) of some rows."""

    teacher_probs: Array
    difference: Array
    log_ratio: Array


def compare(logits: Array, teacher: Array, temperature: float) -> Comparison:
    """Return p, q - p and log(q/p) of some rows.

    Let d be (z - v)/T minus a number that is the same for all classes, and
    M = sum_j p_j (e^(d_j) - 1). Then log(q_i/p_i) = d_i - log(1 + M). Where q_i is
    near p_i this keeps the digits that log q_i - log p_i loses, provided that d is
    about as small as log(q/p): it is counted from a class k that has much weight in
    both p and q.
    """
    wide = at_least_double(logits)
    logits, teacher = logits.astype(wide), teacher.astype(wide)
    scaled, scaled_teacher = (scaled_logits(x, temperature) for x in (logits, teacher))
    probs, teacher_probs = probabilities(scaled), probabilities(scaled_teacher)
    shared = np.argmax(np.minimum(probs, teacher_probs), axis=-1, keepdims=True)
    # Infinite logits give NaN, and a q or p of 0 an infinite ratio: see below.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        # z - v may be a large constant plus little. The constant cancels, and what
        # the subtraction dropped counts.
        gap, dropped = two_difference(logits, teacher)
        ratio = _entry(probs, shared) / _entry(teacher_probs, shared)
        # Count from d_k = 0 if q_k is near p_k, and from d_k = log(q_k/p_k) if not.
        ratio_left = np.where(np.abs(np.log(ratio)) <= 1, ratio, 1)
        start = np.log(ratio / ratio_left)
        rest = finite_or_zero(dropped - _entry(dropped, shared))
        d = (gap - _entry(gap, shared) + rest) / temperature + start
        d = np.where(np.isneginf(logits) & np.isneginf(teacher), 0, d)
        # p e^d, where d is not small, is q times 1 + M, and that is p_k/q_k or 1.
        terms = _excess(teacher_probs, d, probs / ratio_left)
        log_ratio = d - np.log1p(terms.sum(axis=-1, keepdims=True))
        weight = np.minimum(_entry(probs, shared), _entry(teacher_probs, shared))
        counted = np.isfinite(start + _entry(gap, shared)) & (weight > LEAST_WEIGHT)
        if not counted.all():  # no class has weight in both q and p
            far = log_probabilities(scaled) - log_probabilities(scaled_teacher)
            log_ratio = np.where(counted, log_ratio, far)
            log_ratio = np.where(np.isnan(log_ratio), 0, log_ratio)
    return Comparison(
        teacher_probs, _excess(teacher_probs, log_ratio, probs), log_ratio
    )


def _excess(probs: Array, exponent: Array, product: Array) -> Array:
    """Return p (e^x - 1); where |x| > 1, from `product`, which is p e^x."""
    close = np.abs(exponent) <= 1
    near = probs * np.expm1(np.where(close, exponent, 0))
    return np.where(close, near, product - probs)


def _entry(values: Array, index: Array) -> Array:
    """Return one entry of each row along the last axis, kept as (..., 1)."""
    return np.take_along_axis(values, index, axis=-1)


def _counted_from_largest(values: Array, probs: Array) -> Array:
    """Return the values minus the one in the class of largest probability."""
    largest = np.argmax(probs, axis=-1, keepdims=True)
    return values - np.take_along_axis(values, largest, axis=-1)


def teacher_gradients(pair: Comparison) -> Array:
    """Return T dKL/dv = p (log(p/q) - KL) for each row."""
    weighted = pair.teacher_probs > 0
    log_ratio = np.where(weighted, pair.log_ratio, 0)
    if np.isneginf(log_ratio).any():
        raise ValueError(
            "student_logits must not mask (-inf) a class to which the teacher gives "
            "weight: the loss is infinite there, and has no gradient"
        )
    # The Jacobian ignores a shift. This one keeps the mean small where p is sharp.
    shifted = _counted_from_largest(log_ratio, pair.teacher_probs)
    return times_jacobian(pair.teacher_probs, -shifted)


def divergences(pair: Comparison, factor: float = 1.0) -> Array:
    """Return KL(p || q) times factor^2, for each row.

    The terms are p (e^x - 1 - x) = q - p - p x, with x = log(q/p). A factor T goes
    to x before x is squared, so that T^2 KL does not underflow where KL does.
    """
    close = np.abs(pair.log_ratio) <= 1
    x = np.where(close, pair.log_ratio, 0)
    near = pair.teacher_probs * (factor * x) ** 2 * _square_free_part(x)
    with np.errstate(invalid="ignore", over="ignore"):  # p = 0 times log(q/p) = inf
        product = pair.teacher_probs * pair.log_ratio
        product = np.where(pair.teacher_probs == 0, 0, product)
        far = (pair.difference - product) * factor * factor
    return np.where(close, near, far).sum(axis=-1)


def _square_free_part(x: Array) -> Array:
    """Return (e^x - 1 - x)/x^2 for |x| <= 1, by its series.

    That is 1/2 (1 + x/3 (1 + x/4 (1 + ...))); 2/20! is below the rounding error.
    """
    nested = np.ones_like(x)
    for divisor in range(20, 2, -1):
        nested = 1 + x / divisor * nested
    return nested / 2
