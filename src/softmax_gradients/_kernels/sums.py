"""Sums over the rows of a block that keep their digits."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._inputs import Array

# Which rows: from one to another, or of these indices.
Chosen = slice | Array

# Up to here a product with a vector of ones adds up the rows fastest. It adds from left
# to right, which rounds more than NumPy's sum in pairs: too much for longer rows.
SHORT_ROW = 64
SHORT_COLUMN = 16

# A dot product adds up in a few partial sums: of longer pieces of a row it rounds more
# than NumPy's sum in pairs. OpenBLAS gives more than 10000 entries to threads, which
# wait for one another longer than it takes.
PIECE, LONG_PIECE = 256, 512


def row_sums(values: Array) -> Array:
    """Return the sums of the rows, as float64."""
    classes, char = values.shape[-1], values.dtype.char
    if classes <= SHORT_ROW:
        sums: Array = values @ _ones(classes, char)
    elif char == "f":
        sums = _dots(values, _ones(classes, char), PIECE)
    else:
        sums = values.sum(axis=-1)
    return sums.astype(np.float64, copy=False)


def row_products(left: Array, right: Array, room: Array) -> Array:
    """Return the inner products of the rows, as float64.

    The products of short rows are left in `room`.
    """
    if left.shape[-1] <= SHORT_ROW:
        return row_sums(np.multiply(left, right, out=room))
    return _dots(left, right, PIECE).astype(np.float64, copy=False)


def row_dots(left: Array, right: Array, room: Array) -> Array:
    """Return the inner products as above, of long rows to a few digits less, sooner."""
    if left.shape[-1] <= SHORT_ROW:
        return row_products(left, right, room)
    return _dots(left, right, LONG_PIECE).astype(np.float64, copy=False)


def _dots(left: Array, right: Array, piece: int) -> Array:
    """Return the inner products along the last axis, in pieces where it is long."""
    classes = left.shape[-1]
    if classes <= piece:
        dots: Array = np.vecdot(left, right)
        return dots
    whole = classes // piece * piece
    pieces = (
        array[..., :whole].reshape(*array.shape[:-1], -1, piece)
        for array in (left, right)
    )
    dots = np.vecdot(left[..., whole:], right[..., whole:])
    return dots + np.vecdot(*pieces).sum(axis=-1, dtype=np.float64)


@lru_cache(maxsize=8)
def _ones(count: int, char: str) -> Array:
    """Return a vector of ones, with which a product is a sum."""
    return np.ones(count, char)


def column_sums(values: Array) -> Array:
    """Return the sums of the columns; of long ones in pairs, which rounds less."""
    if len(values) <= SHORT_COLUMN:
        sums: Array = np.add.reduce(values, axis=0)
        return sums
    half = len(values) // 2
    return column_sums(values[:half]) + column_sums(values[half:])


def any_in_row(condition: Array) -> Array:
    """Say of each row whether the condition holds anywhere in it."""
    if condition.shape[-1] <= SHORT_ROW:
        return row_sums(condition.astype("d")) > 0
    return np.logical_or.reduce(condition, axis=-1)


def column(values: Array, like: Array) -> Array:
    """Return one value per row as a column in the precision of `like`."""
    return values.astype(like.dtype, copy=False)[:, np.newaxis]


def flat_index(classes: Array, rows: Array) -> Array:
    """Return where in the flattened `rows` one class of each row stands."""
    return np.arange(0, rows.size, rows.shape[-1]) + classes


def index_of_largest(rows: Array) -> Array:
    """Return where in the flattened block the largest entry of each row stands."""
    return flat_index(rows.argmax(axis=-1), rows)


def sums_of_others(rows: Array, places: Array) -> tuple[Array, Array]:
    """Return one entry of each row, and the sum of the row without it."""
    entries = rows.reshape(-1)
    apart = entries[places]
    entries[places] = 0
    sums = row_sums(rows)
    entries[places] = apart
    return apart, sums


def gaps_to(rows: Array, places: Array, out: Array) -> Array:
    """Return the rows minus one of their entries, in `out`."""
    return np.subtract(rows, column(rows.reshape(-1)[places], out), out=out)


def inner_products(
    add_up: Callable[[Array, Array, Array], Array],
    factors: Array,
    gaps: Array,
    room: Array,
) -> Array:
    """Return the inner products of the rows, where 0 times -inf counts as 0."""
    products = add_up(factors, gaps, room)
    is_lost = np.isnan(products)
    if np.count_nonzero(is_lost):
        rows = np.flatnonzero(is_lost)
        factors, gaps = factors.take(rows, axis=0), gaps.take(rows, axis=0)
        np.copyto(gaps, 0, where=factors == 0)
        products[rows] = add_up(factors, gaps, gaps)
    return products


class Layout(NamedTuple):
    """Where the classes of a block are: in rows, or one below the other in columns.

    In columns NumPy adds up and compares short rows sooner, all at once.
    """

    in_columns: bool

    def sums(self, values: Array) -> Array:
        """Return the sums over the classes."""
        if self.in_columns:
            return column_sums(values)
        return row_sums(values)

    def dots(self, left: Array, right: Array, room: Array) -> Array:
        """Return the sums of the products over the classes, in rows as `row_dots`."""
        if self.in_columns:
            return self.sums(np.multiply(left, right, out=room))
        return row_dots(left, right, room)

    def products(self, left: Array, right: Array, room: Array) -> Array:
        """Return the sums of the products over the classes, in rows more slowly."""
        if self.in_columns:
            return self.dots(left, right, room)
        return row_products(left, right, room)

    def spread(self, values: Array) -> Array:
        """Return one value per row so that it meets all the row's classes."""
        return values if self.in_columns else values[:, np.newaxis]

    def take(self, values: Array, rows: Array) -> Array:
        """Return some of the rows."""
        return values[:, rows] if self.in_columns else values[rows]

    def largest(self, values: Array) -> Array:
        """Return the largest of the values over the classes."""
        largest: Array = values.max(axis=0 if self.in_columns else -1)
        return largest


ROWS, COLUMNS = Layout(in_columns=False), Layout(in_columns=True)
