"""Rows of logits, cut into blocks, and sums over them that keep their digits."""

from typing import Any, NamedTuple

import numpy as np

from .._inputs import Array
from .blocks import row_slices

# Half a megabyte: a block and its temporary arrays stay in a processor's cache.
BLOCK_BYTES = 2**19

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


def blocks(rows: Rows, count: int) -> list[slice]:
    """Return slices that cut `count` rows into blocks that fit the cache."""
    entries = BLOCK_BYTES // rows.logits.itemsize
    return row_slices(count, rows.logits.shape[1], entries)


def flat_index(classes: Array, rows: Array) -> Array:
    """Return where in the flattened `rows` one class of each row stands."""
    return np.arange(0, rows.size, rows.shape[-1]) + classes


def largest_and_others(values: Array) -> tuple[Array, Array, Array]:
    """Return each row's largest value, after its index, and the sum of the others.

    The index is that in the flattened `values`.
    """
    entries = values.reshape(-1)
    where = flat_index(values.argmax(axis=-1), values)
    largest = entries[where]
    entries[where] = 0
    others = row_sums(values)
    entries[where] = largest
    return where, largest, others


def row_sums(values: Array) -> Array:
    """Return the sums of the rows, in float64."""
    classes = values.shape[-1]
    if classes <= SHORT_ROW:
        sums: Array = values @ ONES[values.dtype.char][:classes]
        return sums.astype(np.float64, copy=False)
    return row_products(values, None)


def row_products(left: Array, right: Array | None) -> Array:
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
        sums += row_products(left[:, whole:], rest)
    return sums


def column(values: Array, like: Array) -> Array:
    """Return one value a row as a column in the precision of `like`."""
    return values.astype(like.dtype, copy=False)[:, np.newaxis]
