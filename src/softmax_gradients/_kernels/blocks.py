"""Working through a batch a few rows at a time, while they are in the cache."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from .._inputs import Array
from .exponentials import Look, Maker, Temperature, Terms
from .scratch import Scratch, in_type
from .sums import ROWS, SHORT_ROW, Chosen, Layout

# A block of half a megabyte and its temporary arrays stay in the cache.
BLOCK_BYTES = 2**19

# NumPy's default buffer holds 8192 entries. An operand with one entry a row, as in
# matrix * column, is then copied out to the length of the row before it is used; rows
# longer than the buffer are multiplied by the one number.
SHORT_BUFFER = 128
LONG_ROW = 128

# About so many rows, and columns of them, are looked at to choose a way for all.
SAMPLED_ROWS, SAMPLED_COLUMNS = 64, 1024

# Of so many rows of a first block one is tried. An attempt ends when so many rows more
# than half of those that were tried did not come out right.
TRIED, CREDIT = 16, 3


class Kept(threading.local):
    """A thread's arrays for temporary results, which stay from call to call.

    They are some megabytes at most. New ones would come from the system without their
    pages, which takes a small batch longer than to compute with them.
    """

    def __init__(self) -> None:
        self._free = [(Scratch(BLOCK_BYTES), Scratch(BLOCK_BYTES))]

    @contextmanager
    def borrowed(self, row_bytes: int) -> Iterator[Sequence[Scratch]]:
        """Give them, or new ones for long rows or where a call interrupts another."""
        if row_bytes > BLOCK_BYTES or not self._free:
            size = max(row_bytes, BLOCK_BYTES)
            yield Scratch(size), Scratch(size)
            return
        pair = self._free.pop()
        try:
            yield pair
        finally:
            self._free.append(pair)


kept = Kept()


class Batch(NamedTuple):
    """T, and room for the results, with N rows each."""

    temperature: Temperature
    matrix: Array | None = None
    by_row: Array | None = None


class Attempt(NamedTuple):
    """A kernel, and what it is called with.

    That is the terms of each of the `logits`, made in the way that belongs to it, the
    `others`, and the batch's `by_row` unless that is None, for some rows. It leaves its
    result of shape (N, C) in the place of the first exponentials, and returns which
    rows came out right.
    """

    kernel: Callable[..., Array]
    ways: Sequence[Callable[[Look, Temperature, str], Maker | None]]
    logits: tuple[Array, ...]
    others: tuple[Array, ...] = ()
    char: str = "d"  # the type that is computed in
    layout: Layout = ROWS  # of what the kernel is called with
    is_optional: bool = False  # what it cannot do, another attempt can, more slowly


def fill(attempts: Sequence[Attempt], batch: Batch) -> Array:
    """Fill the batch's results, and return the indices of the rows that are left.

    Rows that did not come out right are left for the next attempt. An optional one ends
    where it helps with less than half of the rows, and is tried on a few rows first.
    """
    count, classes = attempts[0].logits[0].shape
    waiting: list[Chosen] = [slice(0, count)] if count else []
    # errstate also restores the size of the buffer, whatever happens in here.
    with np.errstate(all="ignore"):
        if classes >= LONG_ROW:
            np.setbufsize(SHORT_BUFFER)
        with kept.borrowed(8 * classes) as scratch:
            for attempt in attempts:
                if not waiting:
                    break
                found = (
                    make(_look(array, waiting), batch.temperature, attempt.char)
                    for make, array in zip(attempt.ways, attempt.logits, strict=True)
                )
                makers = [maker for maker in found if maker is not None]
                if len(makers) == len(attempt.logits):
                    waiting = _run_all(attempt, makers, batch, waiting, scratch)
    left = [_indices(rows) for rows in waiting]
    return np.concatenate(left) if left else np.empty(0, np.intp)


def _run_all(
    attempt: Attempt,
    makers: Sequence[Maker],
    batch: Batch,
    waiting: Sequence[Chosen],
    scratch: Sequence[Scratch],
) -> list[Chosen]:
    """Run the kernel on all rows that are waiting, and return those that are left."""
    classes = attempt.logits[0].shape[1]
    blocks = _blocks(waiting, classes * np.dtype(attempt.char).itemsize)
    failed: list[Chosen] = []
    tried = done = 0
    if attempt.is_optional:
        few = _indices(blocks[0])[::TRIED]
        if len(few) > CREDIT:
            tried, done = len(few), _count(_run(attempt, makers, batch, few, scratch))
    for rows in blocks:
        if attempt.is_optional and 2 * done + CREDIT < tried:
            failed.append(rows)
            continue
        good = _run(attempt, makers, batch, rows, scratch)
        found = _count(good)
        tried, done = tried + len(good), done + found
        if found == 0:
            failed.append(rows)
        elif found < len(good):
            failed.append(_indices(rows)[~good])
    return failed


def _blocks(parts: Sequence[Chosen], row_bytes: int) -> list[Chosen]:
    """Return the rows of all parts in blocks; those given by their indices are joined.

    Slices stay slices, which can be read and written without a copy.
    """
    blocks: list[Chosen] = []
    loose: list[Array] = []
    for part in parts:
        if isinstance(part, slice):
            blocks += row_slices(part.stop - part.start, row_bytes, part.start)
        else:
            loose.append(part)
    if loose:
        rows = np.concatenate(loose)
        blocks += [rows[block] for block in row_slices(len(rows), row_bytes)]
    return blocks


def _look(logits: Array, parts: Sequence[Chosen]) -> Look:
    """Look at some rows, and at all short ones for the least logit."""
    rows: Chosen
    if len(parts) == 1 and isinstance(parts[0], slice):
        rows = parts[0]
        step = (rows.stop - rows.start) // SAMPLED_ROWS + 1
        few = logits[rows.start : rows.stop : step]
    else:
        rows = np.concatenate([_indices(part) for part in parts])
        few = logits[rows[:: len(rows) // SAMPLED_ROWS + 1]]
    is_short = logits.shape[1] <= SHORT_ROW
    few = few[:, :: logits.shape[1] // SAMPLED_COLUMNS + 1]
    least = (logits[rows] if is_short else few).min()
    return Look(few.max(axis=-1), float(least), logits.dtype.char)


def _indices(rows: Chosen) -> Array:
    """Return the indices of the rows."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def _count(good: Array) -> int:
    """Return how many rows are good."""
    return int(np.count_nonzero(good))


def row_slices(count: int, row_bytes: int, start: int = 0) -> list[slice]:
    """Return slices that cut `count` rows, from `start` on, into blocks."""
    step, stop = max(1, BLOCK_BYTES // row_bytes), start + count
    return [slice(at, min(at + step, stop)) for at in range(start, stop, step)]


def _run(
    attempt: Attempt,
    makers: Sequence[Maker],
    batch: Batch,
    chosen: Chosen,
    scratch: Sequence[Scratch],
) -> Array:
    """Run the kernel on the chosen rows, and return which of them came out right."""
    matrix, by_row, dtype = batch.matrix, batch.by_row, np.dtype(attempt.char)
    in_columns, target = attempt.layout.in_columns, None
    if matrix is not None and isinstance(chosen, slice) and matrix.dtype == dtype:
        target = None if in_columns else matrix[chosen]
    terms: list[Terms] = []
    for make, logits, own in zip(makers, attempt.logits, scratch, strict=False):
        some = logits[chosen]
        if in_columns:
            columns = own.like(some.T, "in columns", dtype.char)
            columns[...] = some.T
            some = columns
        out = own.like(some, "exponentials", dtype.char)
        if target is not None and not terms:
            out = target
        terms.append(make(some, out, own))
    values = terms[0].values
    others = [in_type(array[chosen], dtype, scratch[1]) for array in attempt.others]
    rows = [] if by_row is None else [by_row[chosen]]
    good = attempt.kernel(*terms, *others, *rows)
    if matrix is not None and target is None:
        matrix[chosen] = values.T if in_columns else values
    if by_row is not None and not isinstance(chosen, slice):
        by_row[chosen] = rows[0]
    return good
