"""A gradient by the weights, f(W, X, y, reg), seen as one by the logits."""

from typing import Any

import numpy as np

from .._inputs import Array


def inputs_of(rows: int) -> Array:
    """Return inputs X of shape (N, N) that can be inverted, and are no identity."""
    ones = np.arange(rows)
    return np.eye(rows) + 0.3 * np.cos(1.0 + ones[:, np.newaxis] + 2.0 * ones)


def through_identity(function: Any) -> Any:
    """Return the gradient by the logits Z = X W of a function f(W, X, y, reg).

    Of several results the one of the shape of W counts. W is X^-1 Z, and what comes
    back is turned into the gradient by Z with X^-T. There is no regularisation.
    """

    def gradient(logits: Array, targets: Any) -> Any:
        x = inputs_of(len(logits))
        weights = np.linalg.solve(x, logits)
        result = function(weights, x, targets, 0.0)
        parts = result if isinstance(result, tuple | list) else (result,)
        for part in parts:
            if np.shape(part) == weights.shape:
                return np.linalg.solve(x.T, np.asarray(part))
        return result

    return gradient
