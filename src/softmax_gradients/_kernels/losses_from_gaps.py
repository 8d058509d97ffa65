"""The loss of weights, and dL/dT, without compensated exponentials, for long rows.

As in `gaps`, with g_j = (z_j - z_k)/T, where z_k is the largest logit, R the sum of the
other e^g, D and M the means of |g| and g under q,

    L = sum(t) log(1 + R) - sum_j t_j g_j,    dL/dT = (g_y - M)/T.

Each g is rounded three times, so that R is off by some eps D, and an entry of q by some
eps q |g|. That is small beside the largest entry of the row, and so beside the largest
term of the gradient, (q sum(t) - t)/T. It need not be beside 1 - q_k = R/(1 + R), nor
beside a small loss. Such rows are left for the compensated exponentials.
"""

import numpy as np

from .._inputs import Array
from .exponentials import MASKED, Terms, take_gaps
from .losses import Sums, Weights, add_up, subtract_weights
from .sums import flat_index, inner_products, row_dots, row_products, row_sums

# How many times as large as what its error is measured by sum(t) D may be.
LARGEST_MEAN_GAP = 2.0

# How many times as large as g_y and M the variance of g may be.
LARGEST_VARIANCE = 6.0


class WeightsFromGaps(Weights):
    """The kernel for weights t. Gradients are divided by T and the `divisor`."""

    def __call__(
        self, terms: Terms, weights: Array, losses: Array | None = None
    ) -> Array:
        largest, gaps = take_gaps(terms.logits, terms.temperature, terms.values)
        if losses is not None:
            room = terms.scratch.like(gaps, "products")
            losses[...] = -inner_products(row_dots, weights, gaps, room)
        np.exp(gaps, out=terms.values)
        good, sums = add_up(terms, weights, largest)
        sizes: Array | float = np.inf
        if losses is not None:
            losses += sums.weight * np.log1p(sums.ratio)
            good &= np.isfinite(losses)
            sizes = losses
        if self.gradient:
            sizes = np.minimum(sizes, _sizes(weights, sums))
        good &= _have_digits(terms, sums, sizes)
        if self.gradient:
            unit = terms.temperature.value * self.divisor
            subtract_weights(terms, weights, sums, unit)
        return good


def _sizes(weights: Array, sums: Sums) -> Array:
    """Return what the error of R is measured by, in the gradient of each row.

    In rows that are not sure it is small beside the largest entry.
    """
    sizes = np.full(len(weights), np.inf)
    if np.count_nonzero(sums.is_sure):
        weight, at_largest = sums.weight, weights.reshape(-1)[sums.largest]
        size = np.maximum(weight - at_largest, at_largest * np.log1p(sums.ratio))
        sizes[sums.is_sure] = size[sums.is_sure]
    return sizes


def _have_digits(terms: Terms, sums: Sums, sizes: Array | float) -> Array:
    """Say in which rows sum(t) D is not large beside the sizes."""
    largest = np.asarray(LARGEST_MEAN_GAP * sizes)
    # x log(1/x) is concave, so D is at most what it is if the others are all equal.
    others = terms.values.shape[-1] - 1
    most = sums.ratio / (1 + sums.ratio) * np.log(others / sums.ratio)
    good: Array = sums.weight * most <= largest
    if np.count_nonzero(good) < len(good):
        rows = np.flatnonzero(~good)
        values = terms.values.take(rows, axis=0)
        gaps = sums.peaks(terms)[rows, np.newaxis] - terms.logits.take(rows, axis=0)
        room = np.empty_like(gaps)
        means = inner_products(row_dots, values, gaps, room) / sums.total[rows]
        means /= terms.temperature.value
        good[rows] = sums.weight[rows] * means <= largest[rows]
    return good


def temperature_derivative(terms: Terms, targets: Array, derivatives: Array) -> Array:
    """Write dL/dT for class indices or weights.

    For a class index some eps of the variance of g under q are lost.
    """
    values, temperature = terms.values, terms.temperature.value
    room, gaps = (terms.scratch.like(values, name) for name in ("products", "rest"))
    largest, _ = take_gaps(terms.logits, terms.temperature, gaps)
    np.exp(gaps, out=values)
    if targets.ndim == 1:
        values.reshape(-1)[largest] = 0
        totals = 1 + row_sums(values)
        at_target = gaps.reshape(-1)[flat_index(targets, gaps)]
        if terms.has_masks:  # their products with 0 count as 0
            np.maximum(gaps, MASKED, out=gaps)
        values *= gaps
        means = row_sums(values) / totals
        variances = row_dots(values, gaps, room) / totals - means**2
        derivatives[...] = at_target - means
        good = variances <= LARGEST_VARIANCE * (abs(at_target) + abs(means))
    else:
        good, sums = add_up(terms, targets, largest)
        good &= _have_digits(terms, sums, _sizes(targets, sums))
        subtract_weights(terms, targets, sums, 1.0)
        derivatives[...] = -inner_products(row_products, values, gaps, room)
    derivatives /= temperature
    return good & np.isfinite(derivatives)
