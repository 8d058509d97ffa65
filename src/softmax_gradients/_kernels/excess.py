"""e^d - 1 - d, by which e^d exceeds its tangent, with its digits where d is small."""

import math

import numpy as np

from .._inputs import Array
from .scratch import Scratch

# B_2n/(2n)! for n = 1, 2, ..., with Bernoulli's numbers B_2n.
BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66]
BERNOULLI += [-691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330]
COEFFICIENTS = [b / math.factorial(2 * n) for n, b in enumerate(BERNOULLI, 1)]


def excess_of_exponentials(d: Array, excess: Array, scratch: Scratch) -> Array:
    """Return e^d - 1 - d for |d| <= 1 and, as a difference, for other d.

    With E = e^d - 1 that is d E (1/d - 1/E), and 1/d - 1/E is Bernoulli's series
    1/2 - d (B_2/2! + d^2 (B_4/4! + ...)).
    """
    x = np.clip(d, -1, 1, out=scratch.like(d, "near"))
    square = np.multiply(x, x, out=scratch.like(d, "square"))
    series = scratch.like(d, "third")
    largest = math.sqrt(square.max())
    count = _terms_needed(largest if largest < 1 else 1.0)  # also for NaN
    series[...] = COEFFICIENTS[count - 1]
    for coefficient in reversed(COEFFICIENTS[: count - 1]):
        series *= square
        series += coefficient
    series *= x
    np.subtract(0.5, series, out=series)
    series *= x
    series *= excess
    if not abs(x).max() < 1:
        np.subtract(excess, d, out=series, where=x != d)
    return series


def _terms_needed(largest: float) -> int:
    """Return of how many terms the series is, up to the largest |d|.

    B_2n/(2n)! is about 2/(2 pi)^2n in size. What is left out is below 2^-55 times 1/2.
    """
    ratio = max(largest, 1e-3) / (2 * math.pi)
    needed = math.ceil(math.log(2**-56 * ratio, ratio) / 2 - 1)
    return min(needed, len(COEFFICIENTS))
