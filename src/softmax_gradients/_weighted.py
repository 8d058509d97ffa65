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
    Check,
    Loss,
    as_class_weights,
    as_fraction,
    as_kept_targets,
    as_logits,
    as_sample_weights,
    as_targets,
    as_temperature,
    as_unchecked_logits,
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

    logits: Array
    targets: Array
    factors: Array
    temperature: float
    reduction: str
    axis: int
    check: Check
    given: Array  # the logits in the precision of the results

    def loss(self) -> Loss:
        """Return the reduced loss.

        Raises
        ------
        ValueError
            If infinite terms of both signs are added.
        """
        rows = self._linear_in_targets(_row_losses)[0]
        return self._reduced(rows)

    def gradient(self) -> Array:
        """Return the gradient of the reduced loss, with the class axis of the user."""
        rows = self._linear_in_targets(_row_gradients)[0]
        return restore_axis(self._scaled(rows), self.axis)

    def value_and_gradient(self, room: Array | None = None) -> tuple[Loss, Array]:
        """Return both, and the gradient with the class axis last.

        It is in the `room` where that can be. Raises as `loss`.
        """
        if self._is_signed() or self.logits is not self.given:
            room = None  # it is filled once, in the precision of the result

        def both(
            logits: Array, targets: Array, temperature: float, check: Check
        ) -> tuple[Array, Array]:
            return _kernels.cross_entropy_rows_and_gradient(
                logits, targets, temperature, 1, room, check
            )

        losses, rows = self._linear_in_targets(both)
        return self._reduced(losses), self._scaled(rows)

    def _reduced(self, losses: Array) -> Loss:
        """Return the loss of rows whose own losses are given, without their weights."""
        rows = np.where(self.factors == 0, 0, losses)
        with np.errstate(over="ignore", invalid="ignore"):
            rows = self.factors * rows
            loss = rows[()] if self.reduction == "none" else rows.sum()
        if np.isnan(loss).any():
            raise ValueError(
                "logits must not mask a class of positive and a class of negative "
                f"weight: the loss would be inf - inf, got {shown(self.given)}"
            )
        rounded: Loss = rounded_like(loss, self.given)
        return rounded

    def _scaled(self, gradients: Array) -> Array:
        """Return the rows' gradients times their weights, in place."""
        factors = self.factors.astype(gradients.real.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            gradients *= factors[..., np.newaxis]
        # Infinite gradients, as of the smallest T, times 0 are NaN.
        gradients[self.factors == 0] = 0
        rounded: Array = rounded_like(gradients, self.given)
        return rounded

    def _is_signed(self) -> bool:
        """Say whether some targets are negative weights."""
        has_labels = self.targets.ndim < self.logits.ndim
        return not has_labels and bool(self.targets.min(initial=0) < 0)

    def _linear_in_targets(
        self, function: Callable[..., tuple[Array, ...]]
    ) -> tuple[Array, ...]:
        """Return what a function gives whose results are linear in the targets.

        The kernels add up nonnegative numbers: negative weights are given apart.
        """
        if not self._is_signed():
            return function(self.logits, self.targets, self.temperature, self.check)
        positive, negative = (
            function(self.logits, part, self.temperature, self.check)
            for part in (np.maximum(self.targets, 0), np.maximum(-self.targets, 0))
        )
        with np.errstate(invalid="ignore"):
            return tuple(p - n for p, n in zip(positive, negative, strict=True))


def read_weighted_rows(
    logits: ArrayLike,
    targets: ArrayLike,
    temperature: float,
    reduction: str,
    axis: int,
    options: Options,
) -> WeightedRows:
    """Return the batch with the options applied to it.

    All arguments are checked but the logits, which the kernels do.
    """
    scores = as_unchecked_logits(logits, axis)
    weights = _read_weights(targets, scores, axis, options)
    temperature = as_temperature(temperature, scores.dtype)
    factors = weights.factors
    row_divisor(reduction, scores)  # refuses an unknown name, and a mean of no rows
    if reduction == "mean":
        factors = factors / _sum_of_weights(weights.weights)
    wide = scores
    if weights.targets.ndim == scores.ndim:
        # q sum(t) - t may cancel: the weights are to be as exact as their product.
        wide = scores.astype(at_least_double(scores), copy=False)
    return WeightedRows(
        wide,
        weights.targets,
        factors,
        temperature,
        reduction,
        axis,
        lambda: as_logits(logits, axis=axis),
        scores,
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
    # Read in the precision in which they are multiplied.
    wide = np.broadcast_to(np.zeros((), at_least_double(logits)), logits.shape)
    answers = as_targets(kept, wide, axis, allow_negative=signed)
    has_labels = answers.ndim < logits.ndim
    factors = np.where(ignored, 0.0, 1.0)
    if options.sample_weights is not None:
        factors = factors * as_sample_weights(options.sample_weights, logits, signed)
    weights = factors
    class_weights = None
    if options.class_weights is not None:
        class_weights = as_class_weights(options.class_weights, classes, signed)
    if has_labels:
        if class_weights is not None:
            with np.errstate(over="ignore"):
                weights = factors * class_weights[answers]
        if epsilon == 0:
            return Weights(answers, weights, weights)
        answers = smooth_labels(answers, classes, epsilon)
    elif epsilon > 0:
        answers = (1 - epsilon) * answers + epsilon / classes
    if class_weights is not None:
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


def _row_losses(
    logits: Array, targets: Array, temperature: float, check: Check
) -> tuple[Array]:
    """Return -sum t log q for each row."""
    return (_kernels.cross_entropy(logits, targets, temperature, check),)


def _row_gradients(
    logits: Array, targets: Array, temperature: float, check: Check
) -> tuple[Array]:
    """Return (q sum(t) - t)/T for each row."""
    return (_kernels.cross_entropy_gradient(logits, targets, temperature, 1, check),)
