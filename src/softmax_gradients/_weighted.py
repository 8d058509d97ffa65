"""The cross-entropy of rows that are smoothed, weighted or left out.

Every option leaves the cross-entropy itself alone and changes what it is given:

    label smoothing, class weights   change the targets t of a row,
    sample weights, ignored rows     are a number by which a row's loss is multiplied.

A mean is the sum of the rows' weighted losses over the sum of the rows' weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import _kernels
from ._inputs import (
    Array,
    Loss,
    as_class_weights,
    as_fraction,
    as_kept_targets,
    as_logits,
    as_sample_weights,
    as_targets,
    as_temperature,
    check_choice,
    require_finite_sums,
    restore_axis,
    shown,
)
from ._kernels.accurate import at_least_double, rounded_like
from ._reductions import row_divisor
from .label_smoothing import smooth_labels


def are_defaults(
    label_smoothing: float,
    class_weights: ArrayLike | None,
    sample_weights: ArrayLike | None,
    ignore_index: int | None,
    allow_negative_weights: bool,
) -> bool:
    """Say whether no option is used; other values are read, and may be refused."""
    return (
        class_weights is None
        and sample_weights is None
        and ignore_index is None
        and allow_negative_weights is False
        and type(label_smoothing) is float
        and label_smoothing == 0
    )


class Options(NamedTuple):
    """What the cross-entropy and its gradient take for smoothing and weights."""

    label_smoothing: float
    class_weights: ArrayLike | None
    sample_weights: ArrayLike | None
    ignore_index: int | None
    allow_negative_weights: bool


class Weights(NamedTuple):
    """What the options make of the targets, and of each row."""

    targets: Array  # class indices, or t times the class weights
    factors: Array  # by what a row's loss is multiplied
    weights: Array  # what a row counts for in the divisor of a mean


class WeightedRows(NamedTuple):
    """A batch to which the options have been applied, the class axis last."""

    logits: Array  # in float64 or wider, so that results are rounded once
    targets: Array
    factors: Array
    temperature: float
    reduction: str
    given: Array  # the logits in the precision of the results
    axis: int

    def loss(self) -> Loss:
        """Return the reduced loss.

        Raises
        ------
        ValueError
            If infinite terms of both signs are added.
        """
        rows = _product(self.factors, self._linear_in_targets(_row_losses))
        with np.errstate(over="ignore", invalid="ignore"):
            loss = rows[()] if self.reduction == "none" else rows.sum()
        if np.isnan(loss).any():
            raise ValueError(
                "logits must not mask a class of positive and a class of negative "
                f"weight: the loss would be inf - inf, got {shown(self.given)}"
            )
        rounded: Loss = rounded_like(loss, self.given)
        return rounded

    def gradient(self) -> Array:
        """Return the gradient of the reduced loss, with the class axis of the user."""
        rows = self._linear_in_targets(_row_gradients)
        gradient = _product(self.factors[..., np.newaxis], rows)
        return restore_axis(rounded_like(gradient, self.given), self.axis)

    def _linear_in_targets(
        self, function: Callable[[Array, Array, float], Array]
    ) -> Array:
        """Return a function of the targets that is linear in them.

        The kernels add up nonnegative numbers: negative weights are given apart.
        """
        targets, temperature = self.targets, self.temperature
        if targets.ndim < self.logits.ndim or targets.min(initial=0) >= 0:
            return function(self.logits, targets, temperature)
        positive = function(self.logits, np.maximum(targets, 0), temperature)
        negative = function(self.logits, np.maximum(-targets, 0), temperature)
        with np.errstate(invalid="ignore"):
            return positive - negative


def read_weighted_rows(
    logits: ArrayLike,
    targets: ArrayLike,
    temperature: float,
    reduction: str,
    axis: int,
    options: Options,
) -> WeightedRows:
    """Return the batch with the options applied to it; all arguments are checked."""
    given = as_logits(logits, axis=axis)
    wide = given.astype(at_least_double(given), copy=False)
    weights = _read_weights(targets, wide, axis, options)
    temperature = as_temperature(temperature, given.dtype)
    factors = weights.factors
    row_divisor(reduction, given)  # refuses an unknown name, and a mean of no rows
    if reduction == "mean":
        factors = factors / _sum_of_weights(weights.weights)
    return WeightedRows(
        wide, weights.targets, factors, temperature, reduction, given, axis
    )


def _read_weights(
    targets: ArrayLike, logits: Array, axis: int, options: Options
) -> Weights:
    """Return what the options make of the targets and of each row."""
    signed = options.allow_negative_weights
    check_choice(signed, (True, False), "allow_negative_weights")
    epsilon = as_fraction(options.label_smoothing, "label_smoothing")
    classes = logits.shape[-1]
    kept, ignored = as_kept_targets(targets, logits, options.ignore_index)
    answers = as_targets(kept, logits, axis, allow_negative=signed)
    has_labels = answers.ndim < logits.ndim
    factors = np.where(ignored, 0.0, np.ones(logits.shape[:-1]))
    if options.sample_weights is not None:
        factors = factors * as_sample_weights(options.sample_weights, logits, signed)
    weights = factors
    class_weights = np.ones(classes)
    if options.class_weights is not None:
        class_weights = as_class_weights(options.class_weights, classes, signed)
    if has_labels:
        with np.errstate(over="ignore"):
            weights = factors * class_weights[answers]
        if epsilon == 0:
            return Weights(answers, weights, weights)
        answers = smooth_labels(answers, classes, epsilon)
    else:
        answers = (1 - epsilon) * answers + epsilon / classes
    with np.errstate(over="ignore"):
        answers = answers * class_weights
    require_finite_sums(answers, "targets times class_weights")
    return Weights(answers, factors, weights)


def _sum_of_weights(weights: Array) -> Any:
    """Return the divisor of a mean, or say why there is none."""
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not 0 < total < np.inf or weights.min() < 0:
        raise ValueError(
            "reduction='mean' needs rows whose weights are not negative and have a "
            "positive, finite sum (a row that ignore_index marks has the weight 0), "
            f"got weights {shown(weights.tolist())}; 'sum' and 'none' take any"
        )
    return total


def _product(weights: Array, values: Array) -> Array:
    """Return weights times values, where a weight of 0 makes 0 of inf too."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(weights == 0, 0, weights * values)


def _row_losses(logits: Array, targets: Array, temperature: float) -> Array:
    """Return -sum t log q for each row."""
    return _kernels.cross_entropy(logits, targets, temperature)


def _row_gradients(logits: Array, targets: Array, temperature: float) -> Array:
    """Return (q sum(t) - t)/T for each row."""
    return _kernels.cross_entropy_gradient(logits, targets, temperature, divisor=1)
