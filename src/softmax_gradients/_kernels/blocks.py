"""Working through a batch a few rows at a time, while they are in the cache."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .exponentials import SAMPLED_ROWS, Chosen, Scratch, Temperature, Terms, in_type

# Half a megabyte of float64: a block and its temporary arrays stay in the cache.
BLOCK = 2**16

# NumPy's default buffer holds 8192 entries. An operand with one entry a row, as in
# matrix * column, is then copied out to the length of the row before it is used; rows
# longer than the buffer are multiplied by the one number.
SHORT_BUFFER = 128
LONG_ROW = 128


class Batch(NamedTuple):
    """T, and room for the results, with N rows each."""

    temperature: Temperature
    matrix: Array | None = None
    by_row: Array | None = None


class Attempt(NamedTuple):
    """A kernel, and what it is called with.

    That is the terms of each of the `logits`, the `others`, and the batch's `by_row`
    unless that is None, for some rows. It leaves its result of shape (N, C) in the
    place of the first exponentials, and returns which rows came out right.
    """

    kernel: Callable[..., Array]
    exponentials: Callable[[Array, Temperature, Array, Scratch], Terms | None]
    logits: tuple[Array, ...]
    others: tuple[Array, ...] = ()
    char: str = "d"  # the type that is computed in
    is_optional: bool = False  # what it cannot do, another attempt can, more slowly


def fill(attempts: Sequence[Attempt], batch: Batch) -> Array:
    """Fill the batch's results, and return the indices of the rows that are left.

    Rows that did not come out right are left for the next attempt. One that is optional
    ends where it helps with less than half of a block, and is tried on a few rows.
    """
    shape = attempts[0].logits[0].shape
    waiting: list[Chosen] = [*row_slices(*shape)]
    everyone = np.arange(shape[0])
    # errstate also restores the size of the buffer, whatever happens in here.
    with np.errstate(all="ignore"):
        if shape[1] >= LONG_ROW:
            np.setbufsize(SHORT_BUFFER)
        size = max((everyone[rows].size for rows in waiting[:1]), default=0) * shape[1]
        scratch = [Scratch(size), Scratch(size)]
        for attempt in attempts:
            failed: list[Chosen] = []
            helps = True
            if attempt.is_optional:
                some = everyone[waiting[0]][::SAMPLED_ROWS] if waiting else everyone
                if len(some) > 1:
                    helps = _is_most(_run(attempt, batch, some, scratch))
            for rows in waiting:
                if not helps:
                    failed.append(rows)
                    continue
                good = _run(attempt, batch, rows, scratch)
                helps = not attempt.is_optional or _is_most(good)
                if not good.any():
                    failed.append(rows)
                elif not good.all():
                    failed.append(everyone[rows][~good])
            waiting = _joined(failed, shape[1])
    left = [everyone[rows] for rows in waiting]
    return np.concatenate(left) if left else np.empty(0, np.intp)


def _joined(parts: list[Chosen], classes: int) -> list[Chosen]:
    """Return the parts, with those that are indices of rows joined to blocks."""
    whole = [part for part in parts if isinstance(part, slice)]
    loose = [part for part in parts if not isinstance(part, slice)]
    if not loose:
        return [*whole]
    rows = np.concatenate(loose)
    return [*whole, *(rows[block] for block in row_slices(len(rows), classes))]


def _is_most(good: Array) -> bool:
    """Say whether it is at least half of them."""
    return bool(2 * np.count_nonzero(good) >= len(good))


def row_slices(count: int, classes: int) -> list[slice]:
    """Return slices that cut `count` rows into blocks."""
    step = max(1, BLOCK // classes)
    return [slice(start, start + step) for start in range(0, count, step)]


def _run(
    attempt: Attempt, batch: Batch, chosen: Chosen, scratch: list[Scratch]
) -> Array:
    """Run the kernel on the chosen rows, and return which of them came out right."""
    matrix, by_row, dtype = batch.matrix, batch.by_row, np.dtype(attempt.char)
    target = None
    if matrix is not None and isinstance(chosen, slice) and matrix.dtype == dtype:
        target = matrix[chosen]
    terms: list[Terms] = []
    for logits, own in zip(attempt.logits, scratch, strict=False):
        some = logits[chosen]
        out = own.like(some, "exponentials", dtype.char)
        if target is not None and not terms:
            out = target
        found = attempt.exponentials(some, batch.temperature, out, own)
        if found is None:
            return np.zeros(len(some), bool)
        terms.append(found)
    values = terms[0].values
    others = [in_type(array[chosen], dtype, scratch[1]) for array in attempt.others]
    rows = [] if by_row is None else [by_row[chosen]]
    good = attempt.kernel(*terms, *others, *rows)
    if matrix is not None and target is None:
        matrix[chosen] = values
    if by_row is not None and not isinstance(chosen, slice):
        by_row[chosen] = rows[0]
    return good
