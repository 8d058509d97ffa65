"""The loss and its gradient for a few numbers, in plain Python.

A call of NumPy costs about a microsecond, as much as 20 exponentials of Python's own:
below a hundred logits most of the time would go into calls.
"""

import math
from typing import Any

import numpy as np

from .._inputs import Array
from .exponentials import HIGHEST

# Up to here plain Python is faster than the calls of NumPy.
FEW = 128

# Up to here the exponent z/T may be rounded: e^(z/T) is off by 2^-52 at most.
PLAIN = 4.0

# All is computed in float64 and rounded to float32 where the logits are float32. A
# quotient of numbers above this neither overflows nor loses digits.
SMALLEST = 1e-100


def few_value_and_gradient(
    logits: Array, labels: Array, temperature: float, divisor: int, reduction: str
) -> tuple[Any, Array] | None:
    """Return loss and gradient as `cross_entropy_value_and_gradient` does, or None.

    `logits` has the shape (..., C) and `labels` (...), and `divisor` is what the
    `reduction` divides by. None says that other code must do it: there are invalid
    logits, a label out of range, an exponential near the ends of the range, or
    exponents z/T that would have to be compensated.
    """
    classes = logits.shape[-1]
    limit = PLAIN
    if math.frexp(temperature)[0] == 0.5:  # a power of two: z/T does not round
        limit = HIGHEST["d"]
    highest = limit * temperature
    losses: list[float] = []
    gradient: list[float] = []
    rows = logits.reshape(-1, classes).tolist()
    for row, label in zip(rows, labels.reshape(-1).tolist(), strict=True):
        if not (max(row) <= highest and min(row) >= -highest and 0 <= label < classes):
            return None
        exponentials = [math.exp(value / temperature) for value in row]
        target, exponentials[label] = exponentials[label], 0.0
        others = math.fsum(exponentials)
        if not (target > SMALLEST and others > SMALLEST):  # a NaN is not either
            return None
        factor = 1 / ((target + others) * temperature * divisor)
        exponentials[label] = -others
        losses.append(math.log1p(others / target))
        gradient += [factor * value for value in exponentials]
    reduced: Any = math.fsum(losses) / divisor
    if reduction == "none":
        reduced = np.reshape(losses, labels.shape)
    rounded = np.array(gradient, logits.dtype).reshape(logits.shape)
    return logits.dtype.type(reduced), rounded
