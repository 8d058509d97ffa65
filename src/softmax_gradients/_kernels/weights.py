"""The part of the fused kernel that is for weights t, not for class indices.

The gradient is q sum(t) - t, a difference, and the loss needs the inner product of t
and z. Each function here does its work for some rows of a batch; `fused` calls them.
"""

import numpy as np

from .._inputs import Array
from .sums import (
    Rows,
    blocks,
    column,
    largest_and_others,
    row_products,
    row_sums,
)


def finish_weights(exponentials: Array, rows: Rows, sums: Array) -> None:
    """Turn exponentials into gradients, in place, and fill the `sums`: for weights."""
    logits, weights, temperature, divisor = rows
    # First what reads the logits, which are in the cache, and brings the weights there.
    sums[3] = row_products(weights, logits)
    sums[2] = row_sums(weights) if weights.min() >= 0 else np.nan
    largest, sums[0], sums[1] = largest_and_others(exponentials)
    total = sums[0] + sums[1]
    sums[4] = logits.reshape(-1)[largest]

    # The unit, divided by last, spares a pass; first where a quotient might underflow.
    unit = temperature * divisor
    first = min(1, unit)
    exponentials *= column(sums[2] / (total * first), exponentials)
    exponentials -= weights if first == 1 else weights / first
    if unit > 1:
        exponentials *= 1 / unit

    # Where q is above one half, q sum(t) - t may cancel; a row of gradients sums to 0.
    sure = np.flatnonzero(sums[0] > sums[1])
    if len(sure):
        entries = exponentials.reshape(-1)
        entries[largest[sure]] = 0
        entries[largest[sure]] = -row_sums(exponentials[sure])


def weight_losses(rows: Rows, sums: Array) -> Array:
    """Return the losses for weights; a NaN among its `sums` refuses a row."""
    sums[0, ~_can_subtract(rows, sums)] = np.nan
    distances = _distances(rows, *sums[2:])
    return distances / rows.temperature + sums[2] * np.log1p(sums[1] / sums[0])


def _distances(rows: Rows, weight: Array, products: Array, peaks: Array) -> Array:
    """Return sum t_j (z_k - z_j) for each row, where `peaks` holds its largest z_k.

    z_k times the sum of t, minus the inner product of t and z, is one pass where the
    sum over differences is two. It is good enough where it is not small beside what
    it is the difference of.
    """
    at_peak = weight * peaks
    distances = at_peak - products
    doubtful = np.flatnonzero(~(abs(at_peak) <= 1.5 * distances))
    for block in blocks(rows, len(doubtful)):
        some = rows.take(doubtful[block])
        gaps = peaks[doubtful[block], np.newaxis] - some.logits
        gaps[some.targets == 0] = 0  # a masked class without weight: 0 * inf is 0
        distances[doubtful[block]] = row_products(some.targets, gaps)
    return distances


def _can_subtract(rows: Rows, sums: Array) -> Array:
    """Say of each row of weights whether q sum(t) - t keeps its digits.

    Where both q and t are nearly uniform it loses them, and a plain function knows
    how to avoid that. Then all exponentials are within a factor of e of one another.
    """
    classes = rows.targets.shape[-1]
    even = np.flatnonzero(2.8 * sums[1] >= (classes - 1) * sums[0])
    logits, weights = rows.logits[even], rows.targets[even]
    spread = logits.max(axis=-1) - logits.min(axis=-1)
    uniform = weights.max(axis=-1) <= 1.6 * weights.mean(axis=-1)
    can = np.isfinite(sums[2])
    can[even[uniform & (spread <= 1.1 * rows.temperature)]] = False
    return can
