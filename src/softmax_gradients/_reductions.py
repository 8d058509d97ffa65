"""How the losses and gradients of a batch's rows become one result."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MEAN_SUM_NONE = ("mean", "sum", "none")


def check_reduction(reduction: str, allowed: tuple[str, ...] = MEAN_SUM_NONE) -> None:
    """Raise a ValueError unless `reduction` is one of the names in `allowed`."""
    if reduction not in allowed:
        names = ", ".join(repr(name) for name in allowed)
        raise ValueError(f"reduction must be one of {names}, got {reduction!r}")


def row_divisor(reduction: str, logits: Array) -> int:
    """Return what each row's loss and gradient is divided by.

    That is the number of rows N for "mean" and "batchmean", and 1 for "sum" and
    "none". `logits` has its class axis last.
    """
    if reduction not in ("mean", "batchmean"):
        return 1
    rows = math.prod(logits.shape[:-1])
    if rows == 0:
        raise ValueError(
            f"reduction={reduction!r} needs at least one row, got logits of shape "
            f"{logits.shape} (class axis last); 'sum' and 'none' take an empty batch"
        )
    return rows


def reduce_losses(losses: Array, reduction: str, divisor: int) -> Any:
    """Return the rows' losses as they are ("none") or their sum over `divisor`."""
    if reduction == "none":
        return losses
    with np.errstate(over="ignore"):  # a sum too large for a float is inf
        return losses.sum() / divisor
