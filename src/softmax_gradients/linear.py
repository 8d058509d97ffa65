"""The gradients of a linear classifier's weights and bias."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._cross_entropy import cross_entropy_gradient
from ._inputs import Array, Reduction, as_inputs, as_logits
from ._signatures import keywords_named


class LinearGradients(NamedTuple):
    """The gradients of a linear classifier, as `linear_gradients` returns them.

    Attributes
    ----------
    weights : numpy.ndarray
        dL/dW, of shape (C, d), or (..., C, d) for the reduction "none".
    bias : numpy.ndarray
        dL/db, of shape (C,), or (..., C) for the reduction "none".
    """

    weights: Array
    bias: Array


@keywords_named
def linear_gradients(
    logits: ArrayLike,
    targets: ArrayLike,
    inputs: ArrayLike,
    *,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
) -> LinearGradients:
    r"""Return dL/dW and dL/db for the cross-entropy L of z = W x + b.

    Let x denote the `inputs` of shape (..., d), z the `logits` W x + b of shape
    (..., C) with the classes last, t the `targets` as probabilities of the shape
    of z, and T the `temperature`. W has shape (C, d) and b shape (C,). A class
    index y stands for t = e_y.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        z = ``inputs @ weights.T + bias``.
    targets : array_like, shape (...) of integers, or shape (..., C)
        Class indices y from 0 to C - 1, or nonnegative weights t.
    inputs : array_like, shape (..., d)
        x, one row of features for each row of logits.
    temperature : float, default 1.0
        T > 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        Which loss is differentiated: the mean of the rows' losses, their sum, or
        each row's own.

    Returns
    -------
    gradients : LinearGradients
        `.weights` of shape (C, d) and `.bias` of shape (C,), each preceded by the
        shape (...) of the batch for "none".

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class; the targets
        have another shape, are negative or not finite, are integers of the logits'
        shape that are not one-hot, or hold an index out of range; `inputs` is not
        finite or does not have one row for each row of logits; T is not positive and
        finite; the reduction is not one of the three, or a mean has no rows.

    Notes
    -----
    For one row,

    .. math::
        \frac{\partial L}{\partial W}
        = \frac{1}{T}\bigl(q \textstyle\sum_j t_j - t\bigr)\,x^\top, \qquad
        \frac{\partial L}{\partial W_{ka}} = \frac{(q_k - \delta_{ky})\,x_a}{T}

    where the second form is for a class index y. The rows' outer products are
    added up by one matrix product.

    References
    ----------
    C. M. Bishop, Pattern Recognition and Machine Learning, Springer, 2006,
    equation 4.109.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> gradients = sg.linear_gradients([-1.0, -1.0, 1.0], 1, [2.0, -1.0])
    >>> gradients.weights.round(4)
    array([[ 0.213 , -0.1065],
           [-1.787 ,  0.8935],
           [ 1.574 , -0.787 ]])
    """
    scores = as_logits(logits)
    features = as_inputs(inputs, scores)
    per_row = cross_entropy_gradient(
        scores, targets, temperature=temperature, reduction=reduction
    )
    if reduction == "none":
        outer = per_row[..., :, np.newaxis] * features[..., np.newaxis, :]
        return LinearGradients(weights=outer, bias=per_row)
    batch = tuple(range(scores.ndim - 1))
    weights = np.tensordot(per_row, features, axes=(batch, batch))
    return LinearGradients(weights=weights, bias=per_row.sum(axis=batch))
