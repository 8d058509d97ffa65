"""The cross-entropy and its gradient, for a block of rows.

With e_k the exponentials and S their sum, for a class index y

    L = log(1 + sum_{j != y} e_j / e_y),
    dL/dz_k = e_k / (S T) for k != y,    dL/dz_y = -sum_{j != y} e_j / (S T),

and for weights t, with k the class of the largest exponential,

    L = sum_j t_j (z_k - z_j)/T + sum_j t_j log(1 + sum_{j != k} e_j / e_k),
    dL/dz_j = (q_j sum(t) - t_j) / T.

The sums are of nonnegative numbers, so nothing cancels in them. For the derivative in
T logits are counted from the largest, as d_j = z_j - z_k. For a class index, and for
weights, it is

    dL/dT = (d_y - sum_j q_j d_j) / T^2,    dL/dT = -sum_j d_j (dL/dz_j) / T.
"""

from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .accurate import flat_difference
from .exponentials import MASKED, Terms
from .sums import (
    Chosen,
    column,
    flat_index,
    gaps_to,
    index_of_largest,
    inner_products,
    row_dots,
    row_products,
    row_sums,
    sums_of_others,
)

# A quotient by less than this is taken as a difference of logarithms.
SMALL = 1e-30

# A row is sure where the largest exponential is above the sum of the others, and its
# class has more than this share of the weight.
SURE_WEIGHT = 0.25

# Exponentials and weights are called even where the mean of the other exponentials is
# above this share of the largest, and where the mean square of the weights is below
# this multiple of their mean's square.
EVEN_TERMS = 0.36
EVEN_WEIGHTS = 1.2


class Labels:
    """The kernel for class indices y. Gradients are divided by T and the `divisor`."""

    def __init__(self, divisor: float = 1, *, gradient: bool = True) -> None:
        self.divisor = divisor
        self.gradient = gradient

    def __call__(
        self, terms: Terms, labels: Array, losses: Array | None = None
    ) -> Array:
        values = terms.values
        entries, target = values.reshape(-1), flat_index(labels, values)
        at_target = entries[target].astype(np.float64, copy=False)
        entries[target] = 0
        others = terms.sums()
        totals = at_target + others
        if losses is not None:
            losses[...] = np.log1p(others / at_target)
            is_small = at_target < SMALL * others
            if np.count_nonzero(is_small):
                small = np.flatnonzero(is_small)
                logits, y = terms.logits[small], labels[small]
                gaps = logits.max(axis=-1) - logits[np.arange(len(small)), y]
                peaks = values[small].max(axis=-1)
                losses[small] = gaps / terms.temperature.value
                losses[small] += np.log(others[small] / peaks)
        if self.gradient:
            entries[target] = -others
            unit = terms.temperature.value * self.divisor
            terms.divide(totals * unit)
        return terms.are_good(totals, others)


class Sums(NamedTuple):
    """What the entries of each row add up to; k is its largest exponential."""

    largest: Array  # the index of e_k in the flattened block
    total: Array  # the e_j
    ratio: Array  # e_j / e_k, without e_k
    weight: Array  # t_j
    is_sure: Array  # whether e_k and t_k are large shares

    def peaks(self, terms: Terms) -> Array:
        """Return z_k as float64."""
        peaks: Array = terms.logits.reshape(-1)[self.largest]
        return peaks.astype(np.float64, copy=False)


class Weights:
    """The kernel for weights t. Gradients are divided by T and the `divisor`."""

    def __init__(self, divisor: float = 1, *, gradient: bool = True) -> None:
        self.divisor = divisor
        self.gradient = gradient

    def __call__(
        self, terms: Terms, weights: Array, losses: Array | None = None
    ) -> Array:
        temperature = terms.temperature.value
        good, sums = add_up(terms, weights, index_of_largest(terms.values))
        if losses is not None:
            losses[...] = _distances(terms, weights, sums) / temperature
            losses += sums.weight * np.log1p(sums.ratio)
            good &= np.isfinite(losses)
        if self.gradient:
            subtract_weights(terms, weights, sums, temperature * self.divisor)
        return good


def add_up(terms: Terms, weights: Array, largest: Array) -> tuple[Array, Sums]:
    """Return which rows are valid and keep their digits, and the sums."""
    at_largest, others = sums_of_others(terms.values, largest)
    total, weight = at_largest + others, row_sums(weights)
    good = terms.are_good(total, others) & (weight < np.inf)
    if not weights.min() >= 0:
        good[...] = False
    ratio = others / at_largest
    is_sure = ratio < 1
    if np.count_nonzero(is_sure):
        is_sure &= weights.reshape(-1)[largest] > SURE_WEIGHT * weight
    return good, Sums(largest, total, ratio, weight, is_sure)


def _distances(terms: Terms, weights: Array, sums: Sums) -> Array:
    """Return sum t_j (z_k - z_j) for each row.

    z_k times the sum of t, minus the inner product of t and z, is one pass where the
    sum over differences is two. It is good enough where neither is large beside their
    difference.
    """
    room = terms.scratch.like(weights, "products")
    peaks = sums.peaks(terms)
    at_peak = sums.weight * peaks
    distances: Array = at_peak - row_dots(weights, terms.logits, room)
    good = (at_peak <= 1.5 * distances) & (at_peak >= -0.25 * distances)
    if np.count_nonzero(good) < len(good):
        doubtful = np.flatnonzero(~good)
        t = weights.take(doubtful, axis=0)
        gaps = peaks[doubtful, np.newaxis] - terms.logits.take(doubtful, axis=0)
        if not gaps.max() < np.inf:  # a masked class without weight is 0 * inf
            np.copyto(gaps, 0, where=t == 0)
        distances[doubtful] = row_dots(t, gaps, gaps)
    return distances


def subtract_weights(terms: Terms, weights: Array, sums: Sums, unit: float) -> None:
    """Turn the exponentials into (q sum(t) - t) / unit."""
    values = terms.values
    # The unit, divided by last, spares a pass; first where a quotient might underflow.
    first = min(1, unit)
    values *= column(sums.weight / (sums.total * first), values)
    values -= weights if first == 1 else weights / first
    if unit > 1:
        values *= 1 / unit
    # In a sure row the largest entry may cancel; but all of them add up to 0.
    if np.count_nonzero(sums.is_sure):
        sure = np.flatnonzero(sums.is_sure)
        entries, largest = values.reshape(-1), sums.largest[sure]
        entries[largest] = 0
        entries[largest] = -row_sums(values.take(sure, axis=0))
    # Where q and t are both even, they cancel.
    is_even = sums.ratio >= EVEN_TERMS * (weights.shape[-1] - 1)
    count = np.count_nonzero(is_even)
    if count:
        some = np.flatnonzero(is_even) if 2 * count < len(is_even) else slice(None)
        _mend_even(terms, weights, sums, unit, some)


def _mend_even(
    terms: Terms, weights: Array, sums: Sums, unit: float, chosen: Chosen
) -> None:
    """Write those of the chosen rows again where the weights are even."""
    t = weights[chosen]
    room = terms.scratch.like(t, "products")
    squares = weights.shape[-1] * row_dots(t, t, room)
    uneven = (squares > EVEN_WEIGHTS * sums.weight[chosen] ** 2) & (squares < np.inf)
    if uneven.all():
        return
    rows = np.arange(len(weights))[chosen][~uneven]
    gaps = terms.logits.take(rows, axis=0) - sums.peaks(terms)[rows, np.newaxis]
    gaps /= terms.temperature.value
    t = weights.take(rows, axis=0).astype(np.float64, copy=False)
    difference = flat_difference(gaps, t, lambda rows: column(row_sums(rows), t))
    difference /= column((1 + sums.ratio[rows]) * unit, difference)
    terms.values[rows] = difference


def temperature_derivative(terms: Terms, targets: Array, derivatives: Array) -> Array:
    """Write dL/dT for class indices or weights."""
    values = terms.values
    room, gaps = (terms.scratch.like(values, name) for name in ("products", "rest"))
    if targets.ndim == 1:
        largest, totals = terms.largest_and_sums()
        good = terms.are_good(totals)
        gaps_to(terms.logits, largest, gaps)
        at_target = gaps.reshape(-1)[flat_index(targets, values)]
        derivatives[...] = (
            at_target - inner_products(row_products, values, gaps, room) / totals
        )
    else:
        good, sums = add_up(terms, targets, index_of_largest(values))
        subtract_weights(terms, targets, sums, 1.0)
        gaps_to(terms.logits, sums.largest, gaps)
        derivatives[...] = -inner_products(row_products, values, gaps, room)
    derivatives /= terms.temperature.value**2
    return good & np.isfinite(derivatives)


def distillation_temperature_derivative(
    student: Terms, teacher: Terms, derivatives: Array
) -> Array:
    """Add Cov_p(v, z)/T^3 to dL/dT against the targets p = softmax(v/T)."""
    probs, temperature = teacher.values, teacher.temperature.value
    totals = row_sums(probs)
    probs *= column(1 / totals, probs)
    good = temperature_derivative(student, probs, derivatives)
    good &= teacher.are_good(totals)
    z, v = _finite_gaps(student, "z"), _finite_gaps(teacher, "v")
    room = student.scratch.like(probs, "products")
    for gaps in (z, v):
        gaps -= column(row_products(probs, gaps, room), gaps)
    v *= probs
    derivatives += row_products(z, v, room) / temperature**3
    return good & np.isfinite(derivatives)


def _finite_gaps(terms: Terms, name: str) -> Array:
    """Return z - max z, with a finite number for a masked class, whose q is 0."""
    room = terms.scratch.like(terms.values, name)
    gaps = gaps_to(terms.logits, index_of_largest(terms.logits), room)
    if gaps.min() == -np.inf:
        np.maximum(gaps, MASKED, out=gaps)
    return gaps
