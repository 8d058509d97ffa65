"""Sums over the rows of a block that keep their digits."""

from typing import NamedTuple

import numpy as np

from .._inputs import Array

# Up to here a product with a vector of ones adds up the rows fastest. It adds from left
# to right, which rounds more than NumPy's sum in pairs: too much for longer rows.
SHORT_ROW = 64
SHORT_COLUMN = 8
ONES = {char: np.ones(SHORT_ROW, char) for char in "fd"}


def row_sums(values: Array) -> Array:
    """Return the sums of the rows, as float64."""
    classes = values.shape[-1]
    if classes <= SHORT_ROW:
        sums: Array = values @ ONES[values.dtype.char][:classes]
    else:
        sums = values.sum(axis=-1)
    return sums.astype(np.float64, copy=False)


def row_products(left: Array, right: Array, room: Array) -> Array:
    """Return the inner products of the rows, as float64; `room` holds the terms."""
    return row_sums(np.multiply(left, right, out=room))


def row_dots(left: Array, right: Array, room: Array) -> Array:
    """Return the inner products as above, of long rows to a few digits less, sooner."""
    if left.shape[-1] <= SHORT_ROW:
        return row_products(left, right, room)
    return np.vecdot(left, right).astype(np.float64, copy=False)


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
        """Return the sums of the products over the classes."""
        if self.in_columns:
            return self.sums(np.multiply(left, right, out=room))
        return row_dots(left, right, room)

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
