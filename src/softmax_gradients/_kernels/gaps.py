"""Logarithms of probabilities from the gaps to the largest logit, for a block of rows.

Where z/T rounds, e^(z/T) takes six passes more, or eight (`exponentials`). With k the
class of the largest logit, the logarithms

    log q_j = g_j - log(1 + R),   g_j = (z_j - z_k)/T,   R = sum_{j != k} e^(g_j)

need the gaps g themselves, and can often do with e^g as it is found. It is rounded
three times, by at most eps/2 of it. With D the mean gap,

    D = sum_j q_j |g_j|,   log(1 + R) is off by at most 3/2 eps D,

and by a small part of it in a long row, where the roundings are of either sign. Only
where D is large beside the logarithm, and one class has nearly all the weight, are
digits lost. Such rows are left for the compensated exponentials. The entropy of q is
D + log(1 + R) and at most log C: where log(1 + R) is large, D need not be added up.
"""

import math
from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .exponentials import Terms, take_gaps
from .sums import column, flat_index, inner_products, row_dots, sums_of_others

# How many times as large as a logarithm D may be.
LARGEST_MEAN_GAP = 4.0


class Sums(NamedTuple):
    """e^g, and what they add up to without the largest of each row: R, log(1 + R)."""

    exponentials: Array
    others: Array
    log_totals: Array


def log_softmax(terms: Terms) -> Array:
    """Write log q in the place of the exponentials."""
    gaps, sums = _add_up(terms)
    good = _have_digits(terms, sums, sums.log_totals)
    gaps -= column(sums.log_totals, gaps)
    return good


def label_losses(terms: Terms, labels: Array, losses: Array) -> Array:
    """Write -log q_y for the class index y of each row."""
    gaps, sums = _add_up(terms)
    at_label = gaps.reshape(-1)[flat_index(labels, gaps)]
    np.subtract(sums.log_totals, at_label, out=losses)
    # Beside a logit of +inf, which is to be refused, the others' losses are infinite.
    return _have_digits(terms, sums, losses) & np.isfinite(losses)


def _add_up(terms: Terms) -> tuple[Array, Sums]:
    """Write the gaps in the place of the exponentials; return them and the sums."""
    largest, gaps = take_gaps(terms.logits, terms.temperature, terms.values)
    exponentials = np.exp(gaps, out=terms.scratch.like(gaps, "exponentials of gaps"))
    _, others = sums_of_others(exponentials, largest)
    return gaps, Sums(exponentials, others, np.log1p(others))


def _have_digits(terms: Terms, sums: Sums, sizes: Array) -> Array:
    """Say in which rows D is not large beside logarithms of these sizes."""
    gaps, exponentials = terms.values, sums.exponentials
    good: Array = LARGEST_MEAN_GAP * sizes + sums.log_totals >= math.log(gaps.shape[-1])
    if not good.all():
        room = terms.scratch.like(gaps, "products")
        weighted = inner_products(row_dots, exponentials, gaps, room)
        good = -weighted <= LARGEST_MEAN_GAP * (1 + sums.others) * sizes
    return good
