"""The loss and its gradient together, a block of rows at a time, near np.exp's speed.

Every method must read each logit and exponentiate it: that costs one call of np.exp.
What is saved here is the rest.

- A block of rows is finished while it is in the processor's cache.
- The exponentials are written into the result and turned into the gradient there.
- They are taken of the logits as they are. A shift by the largest logit costs two
  passes and rounds the exponent. Where a sum is out of range, exp(z/2) is squared.

`fused_rows` says which rows it left: those where a plain function does better.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._inputs import Array, as_logits, as_targets
from .sums import Rows, blocks, column, flat_index, largest_and_others, row_sums
from .weights import finish_weights, weight_losses

# NumPy's default buffer holds 8192 entries. An operand with one entry a row, as in
# matrix * column, is then copied out to the length of the row before it is used; rows
# longer than the buffer are multiplied by the one number.
SHORT_BUFFER = 128
LONG_ROW = 128

# Fewer entries than this are not worth the digits that q sum(t) - t loses where q and t
# are close: with weights, a small batch is left to the plain functions.
SMALL_BATCH = 2**12

# No power of two outside this range is a temperature in use.
EXTREME_TEMPERATURE = 2.0**20


class Range(NamedTuple):
    """Where sums of exp(z/T) keep all their digits."""

    total: float  # the sum of a row stays below this, and at least 1/2
    others: float  # the sum without the largest, or without the target, above this
    highest: float  # z/T above this leaves no hope for the sum
    lowest: float  # below this np.exp is slow


RANGES = {
    "f": Range(1e20, 1e-30, highest=46, lowest=-np.inf),
    "d": Range(1e200, 1e-280, highest=460, lowest=-708),
}

# Below this a target's exponential has lost digits, or a quotient by it may overflow.
TARGET = 1e-30

# Where the largest z/2T of a row is in this range, exp(z/2T) is a normal number for all
# z that matter. Where it is not, the nearest whole number can be subtracted exactly.
LOWEST_HALF, HIGHEST_HALF = -300, 700


def unchecked_logits(logits: ArrayLike, axis: int) -> Array:
    """Return `logits` with the class axis last, as `as_logits`, but check later.

    Invalid entries show in the sums of their rows: `fused_rows` leaves such rows.
    """
    if type(logits) is np.ndarray:  # a masked array has more to be checked
        last = logits.size > 0 and type(axis) is int and axis in (-1, logits.ndim - 1)
        if last and logits.dtype.char in RANGES:
            return np.asarray(logits)
    return as_logits(logits, axis=axis)


def unchecked_targets(targets: ArrayLike, logits: Array, axis: int) -> Array:
    """Return `targets` as `as_targets` does, but check their values later."""
    if type(targets) is np.ndarray:
        last = axis in (-1, logits.ndim - 1) and targets.dtype == logits.dtype
        if last and targets.shape == logits.shape:
            return np.asarray(targets)
        if targets.dtype.kind in "iu" and targets.shape == logits.shape[:-1]:
            return np.asarray(targets)
    return as_targets(targets, logits, axis)


def scales_exactly(temperature: float) -> bool:
    """Say whether z/T is z with another exponent: T is a power of two."""
    return math.frexp(temperature)[0] == 0.5


def fused_rows(
    logits: Array,
    targets: Array,
    temperature: float,
    divisor: int,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    r"""Return losses and gradients row by row, and which rows were left.

    Let z denote the `logits` of shape (..., C), t the `targets` of that shape or
    class indices y of shape (...), T the `temperature` and q = softmax(z/T).

    Parameters
    ----------
    logits : ndarray, shape (..., C)
        Scores z, from `unchecked_logits`.
    targets : ndarray, shape (...) of integers, or shape (..., C)
        Class indices y or weights t, from `unchecked_targets`.
    temperature : float
        T > 0.
    divisor : int
        By what the gradient is divided besides T: N for the mean loss.
    out : ndarray, shape (..., C), optional
        Room for the gradient, in the precision of the logits. It is used if it is
        contiguous and overlaps neither the logits nor the targets.

    Returns
    -------
    losses : ndarray, shape (...)
        -sum t log q, in float64 or wider.
    gradient : ndarray, shape (..., C)
        (q sum(t) - t) / (T `divisor`); `out`, if that could be used.
    left : ndarray of bool, shape (...)
        Rows whose loss and gradient are still to be computed, or refused: invalid
        logits or targets, a T that is not a power of two (z/T would round), logits
        and targets so uniform that q sum(t) - t cancels, and types other than
        float32 and float64.

    Notes
    -----
    With e_k = exp(z_k/T) and S their sum, for a class index y

    .. math::
        L = \log\Bigl(1 + \sum_{j \ne y} e_j / e_y\Bigr), \qquad
        \frac{\partial L}{\partial z_k} = \frac{e_k}{S\,T} \ (k \ne y), \qquad
        \frac{\partial L}{\partial z_y} = -\sum_{j \ne y} \frac{e_j}{S\,T},

    and for weights t, with k the class of the largest logit,

    .. math:: L = \sum_j t_j \frac{z_k - z_j}{T}
        + \sum_j t_j \, \log\Bigl(1 + \sum_{j \ne k} e_j / e_k\Bigr).

    All sums are of nonnegative numbers, so nothing cancels.
    """
    classes, shape = logits.shape[-1], logits.shape[:-1]
    if out is None or not _is_usable(out, logits, targets):
        out = np.empty(logits.shape, logits.dtype)
    losses = np.empty(shape, np.result_type(logits, np.float64))
    if not _is_for_the_kernel(logits, targets, temperature):
        return losses, out, np.ones(shape, bool)
    rows = Rows(
        np.ascontiguousarray(logits).reshape(-1, classes),
        np.ascontiguousarray(targets).reshape(-1, *targets.shape[len(shape) :]),
        temperature,
        divisor,
    )
    flat = losses.reshape(-1), out.reshape(-1, classes)
    if rows.targets.ndim == 1:
        rows = rows._replace(targets=as_targets(rows.targets, rows.logits))
    # errstate also restores the size of the buffer, whatever happens in here.
    with np.errstate(all="ignore"):
        if classes >= LONG_ROW:
            np.setbufsize(SHORT_BUFFER)
        again: list[Any] = []
        if _is_hopeless(rows):
            left = np.ones(len(rows.logits), bool)
            again += blocks(rows, len(left))
        else:
            left = ~_fill_directly(rows, *flat)
            if np.count_nonzero(left):
                chosen = np.flatnonzero(left)
                again += [chosen[block] for block in blocks(rows, len(chosen))]
        for some in again:
            _fill_from_squares(rows, *flat, left, some)
    return losses, out, left.reshape(shape)


def _is_for_the_kernel(logits: Array, targets: Array, temperature: float) -> bool:
    """Say whether the kernel does as well as the plain functions."""
    extreme = max(temperature, 1 / temperature) > EXTREME_TEMPERATURE
    fewest = SMALL_BATCH if targets.ndim == logits.ndim else 1
    usual = scales_exactly(temperature) and not extreme and logits.size >= fewest
    return logits.dtype.char in RANGES and usual


def _is_usable(out: Array, *inputs: Array) -> bool:
    """Say whether results can be written to `out` before all inputs are read."""
    shared = any(np.may_share_memory(out, array) for array in inputs)
    return out.flags.c_contiguous and not shared


def _fill_directly(rows: Rows, losses: Array, gradient: Array) -> Array:
    """Fill all rows from exp(z/T) as it is; say which of them came out right."""
    sums = _empty_sums(rows)
    finish = _finish_labels if rows.targets.ndim == 1 else finish_weights
    for block in blocks(rows, len(rows.logits)):
        some, exponentials = rows.take(block), gradient[block]
        exponents = some.logits
        if rows.temperature != 1:
            exponents = np.multiply(exponents, 1 / rows.temperature, out=exponentials)
        np.exp(exponents, out=exponentials)
        finish(exponentials, some, sums[:, block])
    if rows.targets.ndim == 1:

        def exponents_at(chosen: Array) -> Array:
            return rows.logits[chosen, rows.targets[chosen]] / rows.temperature

        losses[...] = _label_losses(sums, exponents_at)
    else:
        losses[...] = weight_losses(rows, sums)
    limits = RANGES[gradient.dtype.char]
    others, total = sums[1], sums[0] + sums[1]
    return (total >= 0.5) & (total < limits.total) & (others > limits.others)


def _is_hopeless(rows: Rows) -> bool:
    """Say whether exp(z/T) would be wasted on most rows, by a look at a few."""
    sample = rows.logits[:: 1 + len(rows.logits) // 16, :1000]
    limits = RANGES[sample.dtype.char]
    too_high = sample > limits.highest * rows.temperature
    too_low = sample < limits.lowest * rows.temperature
    outside = np.count_nonzero((too_high | too_low).any(axis=-1))
    return 2 * int(outside) > len(sample)


def _fill_from_squares(
    rows: Rows, losses: Array, gradient: Array, left: Array, chosen: slice | Array
) -> None:
    """Fill the chosen rows from the squares of exp(z/2T), in float64.

    Half an exponent is exact, and its exponential is in range where exp(z/T) is not.
    Even where it is not, a shift by a whole number c is exact for all that matter: the
    halves are then at least 256 in size, and z/2T - c is smaller than they are or than
    512, so that it needs no digit beyond theirs.

    A power of two, which cancels in every quotient, takes the largest square of a row
    to about 2^400: there a result near the smallest float comes from squares that are
    not small yet. Logits more than 760 T below the largest belong to results of 0:
    np.exp and the products need not go where they are slow.
    """
    some = rows.take(chosen)
    halves = np.multiply(some.logits, 0.5 / rows.temperature, dtype=np.float64)
    peaks = halves.max(axis=-1)
    outside = (peaks < LOWEST_HALF) | (peaks > HIGHEST_HALF)
    if outside.any():
        shift = np.where(outside, np.rint(peaks), 0)
        halves -= shift[:, np.newaxis]
        peaks -= shift
    powers = 200 - np.rint(peaks / math.log(2))
    if rows.targets.ndim == 1:
        targets = flat_index(some.targets, halves)
        exponents: Array = 2 * (halves.reshape(-1)[targets] + powers * math.log(2))
    np.maximum(halves, (peaks - 380)[:, np.newaxis], out=halves)
    np.exp(halves, out=halves)
    halves *= np.exp2(powers)[:, np.newaxis]
    squares = np.square(halves, out=halves)
    sums = _empty_sums(some)
    if rows.targets.ndim == 1:
        # A square has been rounded more often than an exponential.
        _finish_labels(squares, some, sums, careful=True)
        losses[chosen] = _label_losses(sums, lambda rows: exponents[rows])
    else:
        finish_weights(squares, some, sums)
        losses[chosen] = weight_losses(some, sums)
    gradient[chosen] = squares
    left[chosen] = np.isnan(sums[0] + sums[1])  # as they are for an infinite peak


def _empty_sums(rows: Rows) -> Array:
    """Return room for what the entries of each row add up to.

    One entry k is set apart: the target of a class index, the largest for weights.
    The sums are e_k and the other e_j; for weights also t_j and t_j z_j, and then z_k.
    """
    return np.empty((2 if rows.targets.ndim == 1 else 5, len(rows.logits)))


def _label_losses(sums: Array, exponents: Callable[[Array], Array]) -> Array:
    """Return log(1 + others / target); `exponents` of rows are their log target."""
    losses = np.log1p(sums[1] / sums[0])
    is_small = sums[0] < TARGET
    if np.count_nonzero(is_small):  # the quotient may overflow, or its divisor be 0
        small = np.flatnonzero(is_small)
        losses[small] = np.log(sums[0, small] + sums[1, small]) - exponents(small)
    return losses


def _finish_labels(
    exponentials: Array, rows: Rows, sums: Array, *, careful: bool = False
) -> None:
    """Turn exponentials into gradients, in place, and fill the `sums`: for labels.

    With care it takes longer and rounds less: the largest meets the sum of the others
    last, and a quotient is rounded once, a product with the reciprocal twice.
    """
    entries, target = exponentials.reshape(-1), flat_index(rows.targets, exponentials)
    sums[0] = at_target = entries[target]
    entries[target] = 0
    if careful:
        others = np.add(*largest_and_others(exponentials)[1:])
    else:
        others = row_sums(exponentials)
    sums[1] = others
    entries[target] = -others
    divisors = (at_target + others) * (rows.temperature * rows.divisor)
    if careful:
        exponentials /= column(divisors, exponentials)
    else:
        exponentials *= column(1 / divisors, exponentials)
