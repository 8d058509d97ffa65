"""How the losses and gradients of a batch's rows become one result."""

import math
from typing import Any, get_args

import numpy as np

from ._inputs import Array, DistillationReduction, Reduction, check_choice

REDUCTIONS: tuple[str, ...] = get_args(Reduction)
BATCH_REDUCTIONS = ("mean", "sum")
DISTILLATION_REDUCTIONS: tuple[str, ...] = get_args(DistillationReduction)


def row_divisor(reduction: str, logits: Array) -> int:
    """Return what the sum of the rows' cross-entropies is divided by.

    That is the number of rows N for "mean", and 1 for "sum" and "none". `logits`
    has its class axis last.
    """
    if not (isinstance(reduction, str) and reduction in REDUCTIONS):
        check_choice(reduction, REDUCTIONS, "reduction")
    return _rows(reduction, logits) if reduction == "mean" else 1


def batch_divisor(reduction: str, logits: Array) -> int:
    """Return what `row_divisor` does, where a batch has to have one loss."""
    if isinstance(reduction, str) and reduction == "none":
        raise ValueError(
            "reduction must be 'mean' or 'sum', got 'none': gradients that are made "
            "together with the losses cannot know what each row's loss is multiplied "
            "by afterwards; linear_gradients gives them row by row, from the logits"
        )
    check_choice(reduction, BATCH_REDUCTIONS, "reduction")
    return row_divisor(reduction, logits)


def soft_divisor(reduction: str, logits: Array) -> int:
    """Return what the sum of the rows' divergences is divided by.

    The names are those of PyTorch's KLDivLoss: N for "batchmean", N C for "mean",
    and 1 for "sum" and "none".
    """
    check_choice(reduction, DISTILLATION_REDUCTIONS, "reduction")
    if reduction == "batchmean":
        return _rows(reduction, logits)
    if reduction == "mean":
        return _rows(reduction, logits) * logits.shape[-1]
    return 1


def hard_reduction(reduction: DistillationReduction) -> Reduction:
    """Return the name that the cross-entropy of the labels has for a reduction."""
    return "mean" if reduction == "batchmean" else reduction


def reduce_losses(losses: Array, reduction: str, divisor: int) -> Any:
    """Return the rows' losses as they are ("none") or their sum over `divisor`."""
    if reduction == "none":
        return losses
    with np.errstate(over="ignore"):  # a sum too large for a float is inf
        return losses.sum() / divisor


def _rows(reduction: str, logits: Array) -> int:
    """Return the number of rows N, or say that a mean needs one."""
    rows = math.prod(logits.shape[:-1])
    if rows == 0:
        raise ValueError(
            f"reduction={reduction!r} needs at least one row, got logits of shape "
            f"{logits.shape} (class axis last); 'sum' and 'none' take an empty batch"
        )
    return rows
