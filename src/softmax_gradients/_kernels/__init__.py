"""Not public: the arithmetic. Arguments are checked, and the class axis is the last.

Each function here is the one entrance to its result. It chooses between two ways:
`blocks.fill` runs a kernel over blocks of rows in a processor's cache; what it leaves,
and what it cannot take (complex and extended precision, T or logits near the ends of
the floats' range), goes to `accurate` and `two_softmaxes`, which are slower.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._inputs import Array
from . import accurate, two_softmaxes
from .blocks import Batch, fill, row_slices
from .divergence import Divergence, TeacherGradient
from .exponentials import split
from .few import FEW, few_value_and_gradient
from .losses import Labels, TemperatureDerivative, Weights
from .probabilities import jacobian_product, log_softmax, softmax
from .probabilities import log_softmax_vjp as _log_softmax_vjp

# The largest T and 1/T that the kernels take.
EXTREME_TEMPERATURE = 2.0**20


def probabilities(logits: Array, temperature: float) -> Array:
    """Return q = softmax(z/T)."""

    def carefully(some: Array) -> Array:
        return accurate.probabilities(accurate.scaled_logits(some, temperature))

    result = np.empty(logits.shape, logits.dtype)
    return _matrix(softmax, carefully, (logits,), (), temperature, result, narrow=True)


def log_probabilities(logits: Array, temperature: float) -> Array:
    """Return log q."""

    def carefully(some: Array) -> Array:
        return accurate.log_probabilities(accurate.scaled_logits(some, temperature))

    result = np.empty(logits.shape, logits.dtype)
    return _matrix(log_softmax, carefully, (logits,), (), temperature, result)


def jacobian_times(logits: Array, vector: Array, temperature: float) -> Array:
    """Return J u, which is J^T u too, for the `vector` u."""

    def carefully(some: Array, factors: Array) -> Array:
        probs = accurate.probabilities(accurate.scaled_logits(some, temperature))
        return accurate.times_jacobian(probs, factors) / temperature

    result = np.empty(logits.shape, logits.dtype)
    arrays = (logits,), (vector,)
    return _matrix(jacobian_product, carefully, *arrays, temperature, result)


def log_softmax_vjp(logits: Array, vector: Array, temperature: float) -> Array:
    """Return (g - q sum(g))/T for the `vector` g."""

    def carefully(some: Array, factors: Array) -> Array:
        probs = accurate.probabilities(accurate.scaled_logits(some, temperature))
        return (factors - probs * factors.sum(axis=-1, keepdims=True)) / temperature

    result = np.empty(logits.shape, logits.dtype)
    arrays = (logits,), (vector,)
    return _matrix(_log_softmax_vjp, carefully, *arrays, temperature, result)


def losses(logits: Array, targets: Array, temperature: float) -> Array:
    """Return -sum t log q for each row, in float64 or wider."""
