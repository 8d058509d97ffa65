"""The loss and its gradient for a few numbers, in plain Python.

A call of NumPy costs about a microsecond, as much as 20 exponentials of Python's own:
below a hundred logits most of the time would go into calls.
"""

import math
from typing import Any

import numpy as np

from ._inputs import Array

# Up to here plain Python is faster than the calls of NumPy.
FEW = 128

# Where e^z and its sums keep all their digits, in float64; the results are rounded to
# float32 where the logits are float32.
HIGHEST = 460.0
SMALLEST = 1e-100


def few_value_and_gradient(
    logits: Array, labels: Array, temperature: float, divisor: int, reduction: str
) -> tuple[Any, Array] | None:
    """Return loss and gradient as `cross_entropy_value_and_gradient` does, or None.

    `logits` has the shape (..., C), `labels`, integers, has (...), and `divisor` is
    what the `reduction` divides by. None says that other code must do it: there are
    too many logits, invalid ones, a label out of range, an exponential near the ends
    of the range, or a T by which z/T would round.
    """
    classes = logits.shape[-1]
    known = logits.dtype.char in "fd" and math.frexp(temperature)[0] == 0.5
    if not (known and 0 < logits.size <= FEW):
        return None
    highest, inverse = HIGHEST * temperature, 1 / temperature
    losses: list[float] = []
    gradient: list[float] = []
    rows = logits.reshape(-1, classes).tolist()
    for row, label in zip(rows, labels.reshape(-1).tolist(), strict=True):
        if not (max(row) < highest and 0 <= label < classes):
            return None
        exponentials = [math.exp(value * inverse) for value in row]
        target, exponentials[label] = exponentials[label], 0.0
        others = math.fsum(exponentials)
        if not (target > SMALLEST and others > SMALLEST):  # a NaN is not either
            return None
        factor = inverse / ((target + others) * divisor)
        exponentials[label] = -others
        losses.append(math.log1p(others / target))
        gradient += [factor * value for value in exponentials]
    reduced: Any = math.fsum(losses) / divisor
    if reduction == "none":
        reduced = np.reshape(losses, labels.shape)
    rounded = np.array(gradient, logits.dtype).reshape(logits.shape)
    return logits.dtype.type(reduced), rounded
