"""A gradient by the weights, f(W, X, y, reg), seen as one by the logits."""

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._inputs import Array


def inputs_of(rows: int) -> Array:
    """Return inputs X of shape (N, N) that can be inverted, and are no identity."""
    ones = np.arange(rows)
    return np.eye(rows) + 0.3 * np.cos(1.0 + ones[:, np.newaxis] + 2.0 * ones)


@dataclass(frozen=True)
class ThroughInputs:
    """The gradient by the logits Z = X W of a function f(W, X, y, reg), or f(W, X, y).

    Of several results the one of the shape of W counts. W is X^-1 Z, and what comes
    back is turned into the gradient by Z with X^-T. There is no regularisation.
    """

    function: Any

    def __call__(self, logits: Array, targets: Any) -> Any:
        """Return the gradient, or all results if none has the shape of W."""
        x = inputs_of(len(logits))
        parts = self.results(x, logits, targets)
        for part in parts:
            if np.shape(part) == logits.shape:
                return np.linalg.solve(x.T, np.asarray(part))
        return parts

    def loss(self, logits: Array, targets: Any) -> Any:
        """Return the results of another shape: the loss, if there is one."""
        parts = self.results(inputs_of(len(logits)), logits, targets)
        return tuple(part for part in parts if np.shape(part) != logits.shape)

    def results(self, x: Array, logits: Array, targets: Any) -> tuple[Any, ...]:
        """Return all results at the weights that give the logits."""
        takes_reg = len(inspect.signature(self.function).parameters) > 3
        weights = np.linalg.solve(x, logits)
        given = (weights, x, targets, 0.0) if takes_reg else (weights, x, targets)
        result = self.function(*given)
        return tuple(result) if isinstance(result, tuple | list) else (result,)
