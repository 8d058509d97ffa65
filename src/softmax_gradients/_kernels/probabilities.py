"""Softmax, its logarithm and products with their Jacobians, for a block of rows."""

import numpy as np

from .._inputs import Array
from .exponentials import Terms
from .sums import (
    column,
    gaps_to,
    index_of_largest,
    row_products,
    row_sums,
    sums_of_others,
)

# A cotangent beyond this might overflow when it is multiplied with an exponential.
HUGE = 1e100


def softmax(terms: Terms) -> Array:
    """Turn the exponentials into q = e / S."""
    totals = terms.sums()
    terms.divide(totals)
    return terms.are_good(totals)


def log_softmax(terms: Terms) -> Array:
    """Turn the exponentials into log q = (z - z_k)/T - log(1 + sum of e_j/e_k).

    Here k is the class of the largest logit. Both terms are at most zero.
    """
    logits, values = terms.logits, terms.values
    largest = index_of_largest(logits)
    at_largest, others = sums_of_others(values, largest)
    gaps_to(logits, largest, values)
    _divide(values, terms.temperature.value)
    values -= column(np.log1p(others / at_largest), values)
    return terms.are_good(at_largest + others, others)


def jacobian_product(terms: Terms, vector: Array) -> Array:
    """Turn the exponentials into J u = q (u - q.u) / T, for the `vector` u."""
    values = terms.values
    totals = row_sums(values)
    room = terms.scratch.like(values, "products")
    mean = row_products(values, vector, room) / totals
    values *= np.subtract(vector, column(mean, values), out=room)
    values *= column(1 / (totals * terms.temperature.value), values)
    return terms.are_good(totals) & _are_moderate(terms, vector, mean)


def log_softmax_vjp(terms: Terms, vector: Array) -> Array:
    """Turn the exponentials into (g - q sum(g)) / T, for the `vector` g."""
    values = terms.values
    totals, sums = row_sums(values), row_sums(vector)
    values *= column(-sums / totals, values)
    values += vector
    _divide(values, terms.temperature.value)
    return terms.are_good(totals) & _are_moderate(terms, vector, sums)


def _divide(values: Array, temperature: float) -> None:
    """Divide the values by T, in place. The reciprocal is rounded, but sooner."""
    if temperature != 1:
        values *= 1 / temperature


def _are_moderate(terms: Terms, vector: Array, sums: Array) -> Array | bool:
    """Say whether products with an exponential cannot overflow, nor are they NaN.

    With a cotangent of float32 only infinity and NaN matter, which the sums show.
    """
    if terms.can_spare:
        return np.isfinite(sums)
    return bool(vector.min() > -HUGE and vector.max() < HUGE)
