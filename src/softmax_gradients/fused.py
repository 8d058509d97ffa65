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

from ._inputs import Array, as_logits, as_targets

# Half a megabyte: a block and its temporary arrays stay in a processor's cache.
BLOCK_BYTES = 2**19

# NumPy's default buffer holds 8192 entries. An operand with one entry a row, as in
# matrix * column, is then copied out to the length of the row before it is used; rows
# longer than the buffer are multiplied by the one number.
SHORT_BUFFER = 128
LONG_ROW = 128

# Up to here a product with a vector of ones adds up the rows fastest. It adds from left
# to right, which rounds more than NumPy's sum in pairs: too much for longer rows.
SHORT_ROW = 64

# An inner product adds up partial sums side by side and is twice as fast as NumPy's
# sum. What does not fill the last 32 is added one by one to the result: if that is more
# than a few it is kept apart, and longer rows are cut into runs, to round no more than
# NumPy's sum.
LONGEST_RUN = 1024
SIDE_BY_SIDE = 32
FEW_LEFT_OVER = 8
ONES = {char: np.ones(LONGEST_RUN, char) for char in "fd"}

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


class Rows(NamedTuple):
    """Some rows of a batch, and what their gradients are divided by."""

    logits: Array
    targets: Array
    temperature: float
    divisor: int

    def take(self, chosen: Any) -> "Rows":
        """Return the chosen rows."""
        logits, targets, temperature, divisor = self
        return Rows(logits[chosen], targets[chosen], temperature, divisor)


def unchecked_logits(logits: ArrayLike, axis: int) -> Array:
    """Return `logits` with the class axis last, as `as_logits`, but check later.

    Invalid entries show in the sums of their rows: `fused_rows` leaves such rows.
    """
    if isinstance(logits, np.ndarray):
        last = logits.size > 0 and axis in (-1, logits.ndim - 1)
        if last and logits.dtype.char in RANGES:
            return np.asarray(logits)
    return as_logits(logits, axis=axis)


def unchecked_targets(targets: ArrayLike, logits: Array, axis: int) -> Array:
    """Return `targets` as `as_targets` does, but check their values later."""
    if isinstance(targets, np.ndarray):
        last = axis in (-1, logits.ndim - 1) and targets.dtype == logits.dtype
        if last and targets.shape == logits.shape:
            return np.asarray(targets)
        if targets.dtype.kind in "iu" and targets.shape == logits.shape[:-1]:
            return np.asarray(targets)
    return as_targets(targets, logits, axis)


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
            again += _blocks(rows, len(left))
        else:
            left = ~_fill_directly(rows, *flat)
            if np.count_nonzero(left):
                chosen = np.flatnonzero(left)
                again += [chosen[block] for block in _blocks(rows, len(chosen))]
        for some in again:
            _fill_from_squares(rows, *flat, left, some)
    return losses, out, left.reshape(shape)


def _is_for_the_kernel(logits: Array, targets: Array, temperature: float) -> bool:
    """Say whether the kernel does as well as the plain functions."""
    power_of_two = math.frexp(temperature)[0] == 0.5
    extreme = max(temperature, 1 / temperature) > EXTREME_TEMPERATURE
    fewest = SMALL_BATCH if targets.ndim == logits.ndim else 1
    usual = power_of_two and not extreme and logits.size >= fewest
    return logits.dtype.char in RANGES and usual


def _is_usable(out: Array, *inputs: Array) -> bool:
    """Say whether results can be written to `out` before all inputs are read."""
    shared = any(np.may_share_memory(out, array) for array in inputs)
    return out.flags.c_contiguous and not shared


def _blocks(rows: Rows, count: int) -> list[slice]:
    """Return slices that cut `count` rows into blocks that fit the cache."""
    step = max(1, BLOCK_BYTES // (rows.logits.shape[1] * rows.logits.itemsize))
    return [slice(start, start + step) for start in range(0, count, step)]


def _fill_directly(rows: Rows, losses: Array, gradient: Array) -> Array:
    """Fill all rows from exp(z/T) as it is; say which of them came out right."""
    sums = _empty_sums(rows)
    finish = _finish_labels if rows.targets.ndim == 1 else _finish_weights
    for block in _blocks(rows, len(rows.logits)):
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
        losses[...] = _weight_losses(rows, sums)
        _mend_sure_rows(rows, sums, gradient)
    limits = RANGES[gradient.dtype.char]
    others, total = sums[1], sums[0] + sums[1]
    return (total >= 0.5) & (total < limits.total) & (others > limits.others)


def _is_hopeless(rows: Rows) -> bool:
    """Say whether exp(z/T) would be wasted on most rows, by a look at a few."""
    sample = rows.logits[:: 1 + len(rows.logits) // 16, :1000]
    limits = RANGES[sample.dtype.char]
    too_high = sample.max(axis=-1) > limits.highest * rows.temperature
    too_low = sample.min(axis=-1) < limits.lowest * rows.temperature
    return 2 * int(np.count_nonzero(too_high | too_low)) > len(sample)


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
        targets = _flat_index(some.targets, halves)
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
        _finish_weights(squares, some, sums)
        losses[chosen] = _weight_losses(some, sums)
        _mend_sure_rows(some, sums, squares)
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


def _weight_losses(rows: Rows, sums: Array) -> Array:
    """Return the losses for weights; a NaN among its `sums` refuses a row."""
    sums[0, ~_can_subtract(rows, sums)] = np.nan
    distances = _distances(rows, *sums[2:])
    return distances / rows.temperature + sums[2] * np.log1p(sums[1] / sums[0])


def _finish_labels(
    exponentials: Array, rows: Rows, sums: Array, *, careful: bool = False
) -> None:
    """Turn exponentials into gradients, in place, and fill the `sums`: for labels.

    With care it takes longer and rounds less: the largest meets the sum of the others
    last, and a quotient is rounded once, a product with the reciprocal twice.
    """
    entries, target = exponentials.reshape(-1), _flat_index(rows.targets, exponentials)
    sums[0] = at_target = entries[target]
    entries[target] = 0
    if careful:
        others = np.add(*_largest_and_others(exponentials)[1:])
    else:
        others = _row_sums(exponentials)
    sums[1] = others
    entries[target] = -others
    divisors = (at_target + others) * (rows.temperature * rows.divisor)
    if careful:
        exponentials /= _column(divisors, exponentials)
    else:
        exponentials *= _column(1 / divisors, exponentials)


def _finish_weights(exponentials: Array, rows: Rows, sums: Array) -> None:
    """Turn exponentials into gradients, in place, and fill the `sums`: for weights."""
    logits, weights, temperature, divisor = rows
    largest, sums[0], sums[1] = _largest_and_others(exponentials)
    total = sums[0] + sums[1]
    sums[2] = _row_sums(weights) if weights.min() >= 0 else np.nan
    sums[3] = _row_products(weights, logits)
    sums[4] = logits.reshape(-1)[largest]

    # The unit, divided by last, spares a pass; first where a quotient might underflow.
    unit = temperature * divisor
    first = min(1, unit)
    exponentials *= _column(sums[2] / (total * first), exponentials)
    exponentials -= weights if first == 1 else weights / first
    if unit > 1:
        exponentials *= 1 / unit


def _mend_sure_rows(rows: Rows, sums: Array, gradient: Array) -> None:
    """Compute the entry of the largest q anew where q is above one half.

    There q sum(t) - t may cancel, and a row of the gradient sums to zero.
    """
    sure = np.flatnonzero(sums[0] > sums[1])
    for block in _blocks(rows, len(sure)):
        some = gradient[sure[block]]
        largest = _flat_index(rows.logits[sure[block]].argmax(axis=-1), some)
        entries = some.reshape(-1)
        entries[largest] = 0
        entries[largest] = -_row_sums(some)
        gradient[sure[block]] = some


def _distances(rows: Rows, weight: Array, products: Array, peaks: Array) -> Array:
    """Return sum t_j (z_k - z_j) for each row, where `peaks` holds its largest z_k.

    z_k times the sum of t, minus the inner product of t and z, is one pass where the
    sum over differences is two. It is good enough where it is not small beside what
    it is the difference of.
    """
    at_peak = weight * peaks
    distances = at_peak - products
    doubtful = np.flatnonzero(~(abs(at_peak) <= 1.5 * distances))
    for block in _blocks(rows, len(doubtful)):
        some = rows.take(doubtful[block])
        gaps = peaks[doubtful[block], np.newaxis] - some.logits
        gaps[some.targets == 0] = 0  # a masked class without weight: 0 * inf is 0
        distances[doubtful[block]] = _row_products(some.targets, gaps)
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


def _flat_index(classes: Array, rows: Array) -> Array:
    """Return where in the flattened `rows` one class of each row stands."""
    return np.arange(0, rows.size, rows.shape[-1]) + classes


def _largest_and_others(values: Array) -> tuple[Array, Array, Array]:
    """Return each row's largest value, after its index, and the sum of the others.

    The index is that in the flattened `values`.
    """
    entries = values.reshape(-1)
    where = _flat_index(values.argmax(axis=-1), values)
    largest = entries[where]
    entries[where] = 0
    others = _row_sums(values)
    entries[where] = largest
    return where, largest, others


def _row_sums(values: Array) -> Array:
    """Return the sums of the rows, in float64."""
    classes = values.shape[-1]
    if classes <= SHORT_ROW:
        sums: Array = values @ ONES[values.dtype.char][:classes]
        return sums.astype(np.float64, copy=False)
    return _row_products(values, None)


def _row_products(left: Array, right: Array | None) -> Array:
    """Return the inner products of the rows, in float64; None stands for ones."""
    count, classes = left.shape
    if classes <= LONGEST_RUN and classes % SIDE_BY_SIDE <= FEW_LEFT_OVER:
        right = ONES[left.dtype.char][:classes] if right is None else right
        return np.vecdot(left, right).astype(np.float64, copy=False)
    length = min(classes // SIDE_BY_SIDE * SIDE_BY_SIDE, LONGEST_RUN) or classes
    runs = classes // length
    whole, shape = runs * length, (count, runs, length)
    if right is None:
        factors, rest = ONES[left.dtype.char][:length], None
    else:
        factors, rest = right[:, :whole].reshape(shape), right[:, whole:]
    products = np.vecdot(left[:, :whole].reshape(shape), factors)
    sums: Array = np.add.reduce(products, axis=-1, dtype=np.float64)
    if whole < classes:
        sums += _row_products(left[:, whole:], rest)
    return sums


def _column(values: Array, like: Array) -> Array:
    """Return one value a row as a column in the precision of `like`."""
    return values.astype(like.dtype, copy=False)[:, np.newaxis]
