"""The cross-entropy and its gradient, for a block of rows.

With e_k the exponentials and S their sum, for a class index y

    L = log(1 + sum_{j != y} e_j / e_y),
    dL/dz_k = e_k / (S T) for k != y,    dL/dz_y = -sum_{j != y} e_j / (S T),

and for weights t, with k the class of the largest exponential,

    L = sum_j t_j (z_k - z_j)/T + sum_j t_j log(1 + sum_{j != k} e_j / e_k),
    dL/dz_j = (q_j sum(t) - t_j) / T.

The sums are of nonnegative numbers, so nothing cancels in them.
"""

from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .accurate import flat_difference
from .exponentials import Terms
from .sums import any_in_row, column, flat_index, row_products, row_sums

# A quotient by less than this is taken as a difference of logarithms.
SMALL = 1e-30

# In place of the logit -inf, where it is multiplied with 0.
MASKED = -1e200


class Labels:
    """The kernel for class indices y. Gradients are divided by T and the `divisor`."""

    def __init__(self, divisor: float = 1, *, gradient: bool = True) -> None:
        self.divisor = divisor
        self.gradient = gradient

    def __call__(
        self, terms: Terms, labels: Array, losses: Array | None = None
    ) -> Array:
        losses = np.empty(len(labels)) if losses is None else losses
        values = terms.values
        entries, target = values.reshape(-1), flat_index(labels, values)
        at_target = entries[target].astype(np.float64, copy=False)
        entries[target] = 0
        others = terms.sums(values)
        totals = at_target + others
        losses[...] = np.log1p(others / at_target)
        is_small = at_target < SMALL * others
        if np.count_nonzero(is_small):
            small = np.flatnonzero(is_small)
            logits = terms.logits[small]
            gaps = logits.max(axis=-1) - logits[np.arange(len(small)), labels[small]]
            peaks = values[small].max(axis=-1)
            losses[small] = gaps / terms.temperature.value
            losses[small] += np.log(others[small] / peaks)
        if self.gradient:
            entries[target] = -others
            unit = terms.temperature.value * self.divisor
            terms.divide(totals * unit)
        return terms.are_good(totals, others)


class WeightSums(NamedTuple):
    """What the entries of each row add up to; k is its largest exponential."""

    largest: Array  # the index of e_k in the flattened block
    at_largest: Array  # e_k
    others: Array  # the other e_j
    weight: Array  # t_j
    product: Array  # t_j z_j
    peak: Array  # z_k


class Weights:
    """The kernel for weights t. Gradients are divided by T and the `divisor`."""

    def __init__(self, divisor: float = 1, *, gradient: bool = True) -> None:
        self.divisor = divisor
        self.gradient = gradient

    def __call__(
        self, terms: Terms, weights: Array, losses: Array | None = None
    ) -> Array:
        losses = np.empty(len(weights)) if losses is None else losses
        temperature = terms.temperature.value
        logits, sums = _add_up(terms, weights)
        distances = _distances(logits, weights, sums)
        losses[...] = distances / temperature
        losses += sums.weight * np.log1p(sums.others / sums.at_largest)
        totals = sums.at_largest + sums.others
        good = terms.are_good(totals, sums.others) & np.isfinite(losses)
        if self.gradient:
            unit = temperature * self.divisor
            _subtract_weights(terms, weights, sums, unit)
            _mend_uniform(terms, weights, sums, unit)
        return good


def _add_up(terms: Terms, weights: Array) -> tuple[Array, WeightSums]:
    """Return the logits, where they matter, and the sums; NaN refuses a row."""
    logits, values = terms.logits, terms.values
    entries = values.reshape(-1)
    largest = flat_index(values.argmax(axis=-1), values)
    at_largest = entries[largest]
    entries[largest] = 0
    others = row_sums(values)
    entries[largest] = at_largest
    room = terms.scratch.like(values, "products")
    weight, product = row_sums(weights), row_products(weights, logits, room)
    if np.isnan(product).any():  # a masked class without weight is 0 * -inf
        masked = logits == -np.inf
        lost = np.multiply(weights, masked, out=room).any(axis=-1)
        logits = terms.scratch.like(values, "unmasked")
        np.maximum(terms.logits, MASKED, out=logits)
        product = row_products(weights, logits, room)
        product[lost] = np.nan
    if not weights.min() >= 0:
        product[...] = np.nan
    peak = logits.reshape(-1)[largest]
    return logits, WeightSums(largest, at_largest, others, weight, product, peak)


def _distances(logits: Array, weights: Array, sums: WeightSums) -> Array:
    """Return sum t_j (z_k - z_j) for each row.

    z_k times the sum of t, minus the inner product of t and z, is one pass where the
    sum over differences is two. It is good enough where it is not small beside what
    it is the difference of.
    """
    at_peak = sums.weight * sums.peak
    distances: Array = at_peak - sums.product
    doubtful = np.flatnonzero(abs(at_peak) > 1.5 * distances)
    if len(doubtful):
        gaps = sums.peak[doubtful, np.newaxis] - logits[doubtful]
        distances[doubtful] = row_sums(weights[doubtful] * gaps)
    return distances


def _subtract_weights(
    terms: Terms, weights: Array, sums: WeightSums, unit: float
) -> None:
    """Turn the exponentials into (q sum(t) - t) / unit."""
    values = terms.values
    total = sums.at_largest + sums.others
    # The unit, divided by last, spares a pass; first where a quotient might underflow.
    first = min(1, unit)
    values *= column(sums.weight / (total * first), values)
    values -= weights if first == 1 else weights / first
    if unit > 1:
        values *= 1 / unit
    # Where q is above one half, q sum(t) - t may cancel; a row of gradients sums to 0.
    sure = np.flatnonzero(sums.at_largest > sums.others)
    if len(sure):
        entries, largest = values.reshape(-1), sums.largest[sure]
        entries[largest] = 0
        entries[largest] = -row_sums(values[sure])


def _mend_uniform(terms: Terms, weights: Array, sums: WeightSums, unit: float) -> None:
    """Write the gradients of rows where q and t are so uniform that they cancel.

    That is, where all exponentials are within a factor of e of one another.
    """
    classes, temperature = weights.shape[-1], terms.temperature.value
    even = np.flatnonzero(2.8 * sums.others >= (classes - 1) * sums.at_largest)
    gaps = terms.logits[even].astype(np.float64, copy=False)
    gaps -= sums.peak[even, np.newaxis]
    t = weights[even].astype(np.float64, copy=False)
    apart = any_in_row(gaps < -1.1 * temperature)
    apart |= any_in_row(t > 1.6 / classes * sums.weight[even, np.newaxis])
    if apart.all():
        return
    if apart.any():
        even, gaps, t = even[~apart], gaps[~apart], t[~apart]
    gaps /= temperature
    totals = 1 + sums.others[even] / sums.at_largest[even]
    difference = flat_difference(gaps, t)
    difference /= column(totals * unit, difference)
    terms.values[even] = difference


class TemperatureDerivative:
    """The kernel for dL/dT = -<z, dL/dz>/T, with `kernel` for the gradient dL/dz."""

    def __init__(self, kernel: Labels | Weights) -> None:
        self.kernel = kernel

    def __call__(self, terms: Terms, targets: Array, derivatives: Array) -> Array:
        losses = np.empty(len(derivatives))
        good = self.kernel(terms, targets, losses) & np.isfinite(losses)
        gaps = _gaps_below_largest(terms, "gaps")
        derivatives[...] = -row_products(terms.values, gaps, gaps)
        derivatives /= terms.temperature.value**2
        return good


def distillation_temperature_derivative(
    student: Terms, teacher: Terms, derivatives: Array
) -> Array:
    """Add Cov_p(v, z)/T^3 to dL/dT against the targets p = softmax(v/T)."""
    probs, temperature = teacher.values, teacher.temperature.value
    totals = row_sums(probs)
    probs *= column(1 / totals, probs)
    kernel = TemperatureDerivative(Weights(1 / temperature))
    good = kernel(student, probs, derivatives) & teacher.are_good(totals)
    z, v = _gaps_below_largest(student, "z"), _gaps_below_largest(teacher, "v")
    room = student.scratch.like(probs, "products")
    for gaps in (z, v):
        gaps -= column(row_products(probs, gaps, room), gaps)
    v *= probs
    derivatives += row_products(z, v, room) / temperature**3
    return good


def _gaps_below_largest(terms: Terms, name: str) -> Array:
    """Return z - max z, with a finite number for a masked class, whose q is 0."""
    peaks = terms.logits.max(axis=-1)
    gaps = terms.scratch.like(terms.values, name)
    np.subtract(terms.logits, column(peaks, gaps), out=gaps)
    return np.maximum(gaps, MASKED, out=gaps)
