"""The loss and its gradient together, a block of rows at a time, near np.exp's speed.

Every method must read each logit and exponentiate it: that costs one call of np.exp.
What is saved here is the rest.

- A block of rows is finished while it is in the processor's cache.
- The exponentials are written into the result and turned into the gradient there.
- They are taken of the logits as they are. A shift by the largest logit costs two
  passes and rounds the exponent; only rows whose sum is out of range need it.

`fused_rows` says which rows it left: those where a plain function does better.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._compensated import finite_or_zero, two_difference
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

# The same for an inner product, which adds up 16 or more partial sums side by side.
LONG_PRODUCT = 1024

# Fewer entries than this are not worth the digits that q sum(t) - t loses where q and t
# are close: with weights, a small batch is left to the plain functions.
SMALL_BATCH = 2**12

# No power of two outside this range is a temperature in use.
EXTREME_TEMPERATURE = 2.0**20


class Range(NamedTuple):
    """Where sums of unshifted exponentials keep all their digits."""

    total: float  # the sum of a row stays below this, and at least 1/2
    others: float  # the sum without the largest, or without the target, above this
    target: float  # below this, log(sum / target's exponential) needs a difference


RANGES = {"f": Range(1e20, 1e-30, 1e-10), "d": Range(1e200, 1e-280, 1e-100)}


class Rows(NamedTuple):
    """Some rows of a batch, and what their gradients are divided by."""

    logits: Array
    targets: Array
    temperature: float
    divisor: int

    def take(self, chosen: Any) -> "Rows":
        """Return the chosen rows."""
        return self._replace(logits=self.logits[chosen], targets=self.targets[chosen])


def unchecked_logits(logits: ArrayLike, axis: int) -> Array:
    """Return `logits` with the class axis last, as `as_logits`, but check later.

    Invalid entries show in the sums of their rows: `fused_rows` leaves such rows.
    """
    known = isinstance(logits, np.ndarray) and logits.dtype.char in RANGES
    array = np.asarray(logits) if known else np.empty(0)
    if array.size and axis in (-1, array.ndim - 1):
        return array
    return as_logits(logits, axis=axis)


def unchecked_targets(targets: ArrayLike, logits: Array, axis: int) -> Array:
    """Return `targets` as `as_targets` does, but check probabilities later."""
    known = isinstance(targets, np.ndarray) and targets.dtype == logits.dtype
    array = np.asarray(targets) if known else np.empty(0)
    if array.shape == logits.shape and axis in (-1, logits.ndim - 1):
        return array
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
    targets : ndarray, shape (...) of integers in range, or shape (..., C)
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
    classes = logits.shape[-1]
    shape, width = logits.shape[:-1], targets.shape[logits.ndim - 1 :]
    if out is None or not _is_usable(out, logits, targets):
        out = np.empty(logits.shape, logits.dtype)
    losses = np.empty(shape, np.result_type(logits, np.float64))
    left = np.ones(shape, bool)
    power_of_two = math.frexp(temperature)[0] == 0.5
    extreme = max(temperature, 1 / temperature) > EXTREME_TEMPERATURE
    small = targets.ndim == logits.ndim and logits.size < SMALL_BATCH
    if logits.dtype.char not in RANGES or extreme or not power_of_two or small:
        return losses, out, left
    rows = Rows(
        np.ascontiguousarray(logits).reshape(-1, classes),
        np.ascontiguousarray(targets).reshape(-1, *width),
        temperature,
        divisor,
    )
    flat = losses.reshape(-1), out.reshape(-1, classes)
    # errstate also restores the size of the buffer, whatever happens in here.
    with np.errstate(all="ignore"):
        if classes >= LONG_ROW:
            np.setbufsize(SHORT_BUFFER)
        left = ~_fill_unshifted(rows, *flat)
        chosen = np.flatnonzero(left)
        for block in _blocks(rows, len(chosen)):
            _fill_shifted(rows, *flat, left, chosen[block])
    return losses, out, left.reshape(shape)


def _is_usable(out: Array, *inputs: Array) -> bool:
    """Say whether results can be written to `out` before all inputs are read."""
    shared = any(np.may_share_memory(out, array) for array in inputs)
    return out.flags.c_contiguous and not shared


def _blocks(rows: Rows, count: int) -> list[slice]:
    """Return slices that cut `count` rows into blocks that fit the cache."""
    arrays = 1 if rows.targets.ndim == 1 else 2  # weights are read as well
    step = max(1, BLOCK_BYTES // (arrays * rows.logits.shape[1] * rows.logits.itemsize))
    return [slice(start, start + step) for start in range(0, count, step)]


def _fill_unshifted(rows: Rows, losses: Array, gradient: Array) -> Array:
    """Fill all rows from exp(z/T) as it is; say which of them came out right."""
    count = len(rows.logits)
    blocks = _blocks(rows, count)
    sums = _empty_sums(rows, count)
    room = np.empty_like(gradient[blocks[0]]) if rows.targets.ndim == 2 else None
    for block in blocks:
        some, exponentials = rows.take(block), gradient[block]
        exponents = some.logits
        if rows.temperature != 1:
            exponents = np.multiply(exponents, 1 / rows.temperature, out=exponentials)
        np.exp(exponents, out=exponentials)
        _finish(exponentials, some, sums[:, block], room)
    losses[...] = _losses(sums, rows, gradient)
    limits = RANGES[gradient.dtype.char]
    others, total = sums[1], sums[0] + sums[1]
    in_range = (total >= 0.5) & (total < limits.total) & (others > limits.others)
    return in_range & ~np.isnan(losses)


def _fill_shifted(
    rows: Rows, losses: Array, gradient: Array, left: Array, chosen: Array
) -> None:
    """Fill the chosen rows from shifted exponentials in float64."""
    some = rows.take(chosen)
    some = some._replace(logits=some.logits.astype(np.float64))
    sums = _empty_sums(some, len(chosen))
    exponentials = _shifted_exponentials(some.logits / rows.temperature)
    _finish(exponentials, some, sums, None)
    losses[chosen] = _losses(sums, some, exponentials)
    gradient[chosen] = exponentials
    total = sums[0] + sums[1]  # about e^300, unless the shift was too coarse
    in_range = (total > 1e80) & (total < np.inf)
    left[chosen] = ~in_range | np.isnan(losses[chosen])


def _shifted_exponentials(values: Array) -> Array:
    """Return exp(x - c) for the rows x of `values`, where c is max x - 300, rounded.

    The factor exp(-c) cancels in every quotient. With the largest at e^300, results
    near the smallest float come from exponentials that are not small yet, and what
    is below e^-700 belongs to a result of 0: np.exp need not go there, where it is
    slow. The error of the subtraction is made good as in `softmax.exponentials`.
    """
    shift = values.max(axis=-1, keepdims=True) - 300
    exponents, error = two_difference(values, shift)
    np.maximum(exponents, -700, out=exponents)
    exponentials = np.exp(exponents, out=exponents)
    exponentials += exponentials * finite_or_zero(error)
    return exponentials


def _empty_sums(rows: Rows, count: int) -> Array:
    """Return room for what the entries of each row add up to.

    One entry k is set apart: the target of a class index, the largest for weights.
    The sums are e_k and the other e_j; for weights also t_j, and t_j (z_k - z_j).
    """
    return np.empty((2 if rows.targets.ndim == 1 else 4, count))


def _losses(sums: Array, rows: Rows, gradient: Array) -> Array:
    """Return the rows' losses; one is NaN where its row is refused."""
    logits, labels, temperature, divisor = rows
    ratios = np.log1p(sums[1] / sums[0])
    if len(sums) == 4:
        _, _, weight, distance = sums
        losses = distance / temperature + weight * ratios
        return np.where(_can_subtract(rows, sums), losses, np.nan)
    losses = ratios
    small = np.flatnonzero(sums[0] < RANGES[gradient.dtype.char].target)
    if small.size:  # the quotient may overflow, or its divisor be 0
        at_target = logits[small, labels[small]].astype(np.float64)
        gaps = logits[small].max(axis=-1) - at_target
        largest = gradient[small].max(axis=-1) * (temperature * divisor)
        losses[small] = gaps / temperature - np.log(largest)
    return losses


def _finish(exponentials: Array, rows: Rows, sums: Array, room: Array | None) -> None:
    """Turn exponentials into gradients, in place, and fill the `sums` of the rows."""
    if rows.targets.ndim == 1:
        _finish_labels(exponentials, rows, sums)
    else:
        _finish_weights(exponentials, rows, sums, room)


def _finish_labels(exponentials: Array, rows: Rows, sums: Array) -> None:
    """Do the work of `_finish` for class indices y."""
    entries, target = exponentials.reshape(-1), _flat_index(rows.targets, exponentials)
    sums[0] = entries[target]
    entries[target] = 0
    sums[1] = others = _row_sums(exponentials)
    entries[target] = -others
    divisors = (sums[0] + others) * (rows.temperature * rows.divisor)
    exponentials *= _column(1 / divisors, exponentials)


def _finish_weights(
    exponentials: Array, rows: Rows, sums: Array, room: Array | None
) -> None:
    """Do the work of `_finish` for weights t."""
    logits, weights, temperature, divisor = rows
    entries = exponentials.reshape(-1)
    largest = _flat_index(exponentials.argmax(axis=-1), exponentials)
    sums[0] = at_largest = entries[largest]
    entries[largest] = 0
    sums[1] = others = _row_sums(exponentials)
    entries[largest] = at_largest
    sums[2] = weight = _row_sums(weights) if weights.min() >= 0 else np.nan

    gaps = None if room is None else room[: len(weights)]
    gaps = np.subtract(logits.reshape(-1)[largest][:, np.newaxis], logits, out=gaps)
    sums[3] = _row_products(weights, gaps)
    if np.isnan(sums[3]).any():  # a masked class without weight: 0 * inf is 0
        np.subtract(logits.max(axis=-1, keepdims=True), logits, out=gaps)
        gaps[weights == 0] = 0
        sums[3] = _row_products(weights, gaps)

    unit = temperature * divisor
    exponentials *= _column(weight / ((sums[0] + others) * unit), exponentials)
    exponentials -= np.multiply(weights, 1 / unit, out=gaps)
    sure = np.flatnonzero(at_largest > others)
    if sure.size:  # q sum(t) - t may cancel, and a gradient's row sums to zero
        largest = largest[sure]
        entries[largest] = 0
        entries[largest] = -_row_sums(exponentials[sure])


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


def _row_products(left: Array, right: Array) -> Array:
    """Return the inner products of the rows, in float64, and maybe spoil `right`."""
    if left.shape[-1] <= LONG_PRODUCT:
        return np.vecdot(left, right).astype(np.float64, copy=False)
    return _row_sums(np.multiply(left, right, out=right))


def _row_sums(values: Array) -> Array:
    """Return the sums of the rows, in float64."""
    classes = values.shape[-1]
    if classes <= SHORT_ROW:
        sums: Array = values @ np.ones(classes, values.dtype)
    else:
        sums = np.add.reduce(values, axis=-1)
    return sums.astype(np.float64, copy=False)


def _column(values: Array, like: Array) -> Array:
    """Return one value a row as a column in the precision of `like`."""
    return values.astype(like.dtype, copy=False)[:, np.newaxis]
