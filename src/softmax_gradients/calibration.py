"""One temperature for a trained classifier, and how far its confidence is off."""

import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._inputs import (
    Array,
    as_count,
    as_real_logits,
    as_targets,
    as_weights,
    shown,
)
from ._signatures import keywords_named
from ._softmax import softmax

# Newton's steps shrink quadratically: after one this small the error is rounding.
_SMALLEST_STEP = 1e-12


class Reliability(NamedTuple):
    """The filled bins of a reliability diagram, as `reliability` returns them.

    Attributes
    ----------
    counts : numpy.ndarray
        How many rows each filled bin holds.
    confidences : numpy.ndarray
        The mean of their largest probabilities.
    accuracies : numpy.ndarray
        The share of them whose largest logit is that of the label.
    """

    counts: Array
    confidences: Array
    accuracies: Array


@keywords_named
def fit_temperature(logits: ArrayLike, targets: ArrayLike, *, axis: int = -1) -> float:
    r"""Return the temperature T at which the cross-entropy of softmax(z/T) is least.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    and t the `targets` as probabilities of the same shape. A class index y stands
    for t = e_y. Use rows that the classifier was not trained on.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    targets : array_like, shape (...) of integers, or shape (..., C)
        Class indices y from 0 to C - 1, or nonnegative weights t. The weights
        need not sum to one.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    temperature : float
        The only T > 0 at which the loss is least.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, the targets have another shape,
        are negative, not finite or an index out of range, a masked class has weight,
        or no finite T > 0 is best: see the notes.

    Warns
    -----
    UserWarning
        If all rows of `logits` are nonnegative and sum to one: they are probably
        probabilities, and T would be that of another model. Their logarithms are
        logits.

    Notes
    -----
    In :math:`\beta = 1/T` the loss, summed over the rows, is convex:

    .. math::
        L'(\beta) = \sum_{\text{rows}} \Bigl( \langle q, z\rangle \sum_j t_j
        - \langle t, z\rangle \Bigr), \qquad
        L''(\beta) = \sum_{\text{rows}} \operatorname{Var}_q(z) \sum_j t_j

    Its derivative rises from :math:`L'(0)`, where q is uniform, to
    :math:`L'(\infty)`, where all of q is on the largest logits. The minimum is at a
    finite :math:`\beta > 0` if and only if :math:`L'(0) < 0 < L'(\infty)`. It is at
    :math:`\beta \le 0` if the targets do not favour the larger logits, and at
    infinity if every row has all its weight on its largest logits.

    Newton's step is taken if it stays between the bounds found so far, at most
    doubles :math:`\beta`, and the step before it halved the slope; else the interval
    is halved.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern
    neural networks", ICML 2017.

    Examples
    --------
    Right three times out of four, with logits that claim more.

    >>> import softmax_gradients as sg
    >>> round(sg.fit_temperature([[5.0, 0.0]] * 4, [0, 0, 0, 1]), 4)
    4.5512
    """
    scores = as_real_logits(logits, axis=axis).astype(np.float64)
    weights = as_weights(targets, scores, axis)
    _warn_of_probabilities(scores)
    masked = np.isneginf(scores)
    if (masked & (weights != 0)).any():
        raise ValueError(f"targets must not weigh a masked class, got {shown(targets)}")
    # A shift of a row changes nothing, so its largest logit may be 0.
    with np.errstate(over="ignore"):
        gaps = np.where(masked, 0, scores - scores.max(axis=-1, keepdims=True))
    if not np.isfinite(gaps).all():
        raise ValueError(f"logits must have finite differences, got {shown(logits)}")
    scale = np.abs(gaps).max(initial=0)
    if not (weights * gaps).any():
        raise ValueError(
            "targets must have weight on a logit that is not the largest of its row, "
            "or the loss is least as T goes to 0; got none"
        )
    gaps /= scale
    row_weights = weights.sum(axis=-1)
    target_slope = (weights * gaps).sum()

    def derivatives(inverse: float) -> tuple[float, float]:
        """Return L' and L'' in the unit 1/scale, at 1/T = `inverse`/scale."""
        exponentials = np.where(masked, 0, np.exp(inverse * gaps))
        probs = exponentials / exponentials.sum(axis=-1, keepdims=True)
        means = (probs * gaps).sum(axis=-1, keepdims=True)
        variances = (probs * (gaps - means) ** 2).sum(axis=-1)
        slope = (row_weights * means[..., 0]).sum() - target_slope
        return float(slope), float((row_weights * variances).sum())

    if derivatives(0.0)[0] >= 0:
        raise ValueError(
            "targets must favour the larger logits, or the loss is least at "
            f"T = infinity or at a negative T, got {shown(targets)}"
        )
    lower, upper = 0.0, math.inf
    inverse, last_slope = 1.0, math.inf
    while True:
        slope, curvature = derivatives(inverse)
        lower, upper = (inverse, upper) if slope < 0 else (lower, inverse)
        ceiling = min(upper, 2 * inverse)
        guess = inverse - slope / curvature if curvature > 0 else math.inf
        if not lower <= guess <= ceiling or abs(slope) > last_slope / 2:
            guess = (lower + ceiling) / 2
        if abs(guess - inverse) <= _SMALLEST_STEP * inverse:
            return float(scale / guess)
        inverse, last_slope = guess, abs(slope)


@keywords_named
def reliability(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    temperature: float = 1.0,
    bins: int = 15,
    axis: int = -1,
) -> Reliability:
    r"""Return how often a classifier is right, by how confident it is.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`, y
    the `labels`, T the `temperature` and q = softmax(z/T). A row's confidence is
    the largest of its probabilities; the row is right if its largest logit, the
    first one if there are several, is that of y. With B `bins`, bin b = 1, ..., B
    holds the confidences in ((b - 1)/B, b/B].

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    labels : array_like, shape (...) of integers
        Class indices y from 0 to C - 1.
    temperature : float, default 1.0
        T > 0.
    bins : int, default 15
        B, bins of equal width.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    bins : Reliability
        `.counts`, `.confidences` and `.accuracies`: the number of rows, their mean
        confidence and the share that is right, for each bin that is not empty.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class; `labels` are
        not class indices of the logits' shape without the class axis; T is not positive
        and finite; `bins` is not a positive integer; or `axis` is not an axis.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern
    neural networks", ICML 2017.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> logits = [[0.1, 0.0], [3.0, 0.0], [0.0, 3.0]]
    >>> sg.reliability(logits, [1, 0, 1], bins=2).counts
    array([3])
    """
    scores = as_real_logits(logits, axis=axis)
    classes = as_targets(labels, scores, axis, "labels")
    if classes.ndim == scores.ndim:
        raise ValueError(
            f"labels must be class indices of shape {scores.shape[:-1]}, "
            f"got shape {np.shape(labels)}"
        )
    bins = as_count(bins, "bins")
    confidence = softmax(scores, temperature=temperature).max(axis=-1).ravel()
    # Not the argmax of q: unequal logits can round to equal probabilities.
    right = (scores.argmax(axis=-1) == classes).ravel()
    # Only the filled bins take memory, however many there are.
    number = np.minimum(np.ceil(confidence * bins), bins)
    _, position, counts = np.unique(number, return_inverse=True, return_counts=True)
    return Reliability(
        counts=counts,
        confidences=np.bincount(position, weights=confidence) / counts,
        accuracies=np.bincount(position, weights=right) / counts,
    )


@keywords_named
def expected_calibration_error(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    temperature: float = 1.0,
    bins: int = 15,
    axis: int = -1,
) -> float:
    r"""Return the mean gap between confidence and accuracy over the bins.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`, y
    the `labels`, T the `temperature` and q = softmax(z/T). The bins are those of
    `reliability`.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    labels : array_like, shape (...) of integers
        Class indices y from 0 to C - 1.
    temperature : float, default 1.0
        T > 0.
    bins : int, default 15
        The number of bins of equal width. It changes the result: merging two bins
        never raises it, and a bin of few rows has a gap by chance.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    error : float
        From 0 to 1.

    Raises
    ------
    ValueError
        If there is no row; a logit is NaN or +inf, a row is all -inf, there is no
        class; `labels` are not class indices of the logits' shape without the class
        axis; T is not positive and finite; `bins` is not a positive integer; or `axis`
        is not an axis.

    Notes
    -----
    With :math:`n_b` of the N rows in bin b,

    .. math::
        \mathrm{ECE} = \sum_b \frac{n_b}{N}\,
        \lvert \mathrm{accuracy}_b - \mathrm{confidence}_b \rvert

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern
    neural networks", ICML 2017.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> error = sg.expected_calibration_error([[5.0, 0.0]] * 4, [0, 0, 0, 1])
    >>> round(error, 4)
    0.2433
    """
    filled = reliability(logits, labels, temperature=temperature, bins=bins, axis=axis)
    rows = filled.counts.sum()
    if rows == 0:
        raise ValueError(f"logits must have at least one row, got {shown(logits)}")
    gaps = np.abs(filled.accuracies - filled.confidences)
    return float((filled.counts * gaps).sum() / rows)


def _warn_of_probabilities(scores: Array) -> None:
    """Warn where what was given as logits looks like saved probabilities."""
    if scores.size and (scores >= 0).all():
        sums = scores.sum(axis=-1)
        if (abs(sums - 1) <= 1e-3).all():
            warnings.warn(
                "all rows of logits are nonnegative and sum to one, as probabilities "
                "do: pass their logarithms, which are logits",
                stacklevel=4,
            )
