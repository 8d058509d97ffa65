"""Working through a batch a few rows at a time."""

from collections.abc import Callable

import numpy as np

from .._inputs import Array

# 256 KB of float64: a block and its temporary arrays stay in a processor's cache.
BLOCK = 2**15


def row_slices(count: int, classes: int, entries: int) -> list[slice]:
    """Return slices that cut `count` rows into blocks of at most about `entries`."""
    step = max(1, entries // classes)
    return [slice(start, start + step) for start in range(0, count, step)]


def fill_rows(result: Array, function: Callable[..., Array], *arrays: Array) -> Array:
    """Fill `result` with function(rows of each array), a block of rows at a time.

    Each array has the shape (..., C), and `result` has it too, or has (...). What
    `function` returns is rounded to the precision of `result`.
    """
    shape = arrays[0].shape
    flat = [array.reshape(-1, shape[-1]) for array in arrays]
    rows = result.reshape(-1, *result.shape[len(shape) - 1 :])
    with np.errstate(over="ignore"):  # too large for a float32 is infinite
        for block in row_slices(len(rows), shape[-1], BLOCK):
            rows[block] = function(*(array[block] for array in flat))
    return result
