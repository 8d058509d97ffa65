"""Working through a batch a few rows at a time, while they are in the cache."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._inputs import Array
from .exponentials import (
    Chosen,
    Scratch,
    Temperature,
    Terms,
    direct_terms,
    shifted_terms,
)

# Half a megabyte of float64: a block and its temporary arrays stay in the cache.
BLOCK = 2**16

# NumPy's default buffer holds 8192 entries. An operand with one entry a row, as in
# matrix * column, is then copied out to the length of the row before it is used; rows
# longer than the buffer are multiplied by the one number.
SHORT_BUFFER = 128
LONG_ROW = 128


class Batch(NamedTuple):
    """Arguments and room for the results, all with N rows.

    A kernel is called with the exponentials of each of the `logits`, the `others`, and
    `by_row` unless that is None, for some rows. It leaves its result of shape (N, C) in
    the place of the first exponentials, and returns which rows came out right.
    """

    temperature: Temperature
    logits: tuple[Array, ...]
    others: tuple[Array, ...] = ()
    matrix: Array | None = None
    by_row: Array | None = None


def fill(kernel: Callable[..., Array], batch: Batch, *, narrow: bool = False) -> Array:
    """Fill the batch's results, and return the indices of the rows that are left.

    The rows are tried as they are, and those that did not come out right again with
    their exponentials shifted. What is left is invalid, or for `accurate`. Logits in
    float32 are computed with in float64 unless the kernel may be `narrow`.
    """
    logits = batch.logits[0]
    double = logits.dtype.char == "d"
    again: list[Chosen] = []
    left: list[Array] = []
    # errstate also restores the size of the buffer, whatever happens in here.
    with np.errstate(all="ignore"):
        if logits.shape[1] >= LONG_ROW:
            np.setbufsize(SHORT_BUFFER)
        blocks = row_slices(*logits.shape)
        size = max((logits[block].size for block in blocks[:1]), default=0)
        scratch = [Scratch(size) for _ in batch.logits]
        for block in blocks:
            if not (double or narrow):
                again.append(block)
                continue
            good = _attempt(kernel, batch, block, direct_terms, scratch)
            if not good.any():
                again.append(block)
            elif not good.all():
                again.append(block.start + np.flatnonzero(~good))
        for chosen in again:
            good = _attempt(kernel, batch, chosen, shifted_terms, scratch)
            left.append(np.arange(len(logits))[chosen][~good])
    return np.concatenate(left) if left else np.empty(0, np.intp)


def row_slices(count: int, classes: int) -> list[slice]:
    """Return slices that cut `count` rows into blocks."""
    step = max(1, BLOCK // classes)
    return [slice(start, start + step) for start in range(0, count, step)]


def _attempt(
    kernel: Callable[..., Array],
    batch: Batch,
    chosen: Chosen,
    exponentials: Callable[[Array, Temperature, Array, Scratch], Terms | None],
    scratch: list[Scratch],
) -> Array:
    """Run the kernel on the chosen rows, and return which of them came out right."""
    matrix, by_row = batch.matrix, batch.by_row
    dtype = np.dtype("d")
    if exponentials is direct_terms:
        dtype = batch.logits[0].dtype
    target = None
    if matrix is not None and isinstance(chosen, slice) and matrix.dtype == dtype:
        target = matrix[chosen]
    terms: list[Terms] = []
    for logits, own in zip(batch.logits, scratch, strict=True):
        some = logits[chosen]
        out = own.like(some, "exponentials", dtype.char)
        if target is not None and not terms:
            out = target
        found = exponentials(some, batch.temperature, out, own)
        if found is None:
            return np.zeros(len(some), bool)
        terms.append(found)
    values = terms[0].values
    others = [_in_type(array[chosen], dtype, scratch[0]) for array in batch.others]
    rows = [] if by_row is None else [by_row[chosen]]
    good = kernel(*terms, *others, *rows)
    if matrix is not None and target is None:
        matrix[chosen] = values
    if by_row is not None and not isinstance(chosen, slice):
        by_row[chosen] = rows[0]
    return good


def _in_type(array: Array, dtype: np.dtype[Any], scratch: Scratch) -> Array:
    """Return weights or a vector in the exponentials' type, and labels as they are."""
    if array.dtype.kind != "f" or array.dtype == dtype:
        return array
    room = scratch.like(array, "argument", dtype.char)
    room[...] = array
    return room
