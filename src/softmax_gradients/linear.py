"""The gradients of a linear classifier, from its logits or without all of them."""

import math
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._cross_entropy import cross_entropy_gradient
from ._inputs import (
    Array,
    Reduction,
    as_count,
    as_inputs,
    as_logits,
    as_targets,
    as_temperature,
    as_unchecked_targets,
    read_layer,
)
from ._kernels import cross_entropy_rows_and_gradient
from ._kernels.accurate import at_least_double, rounded_like
from ._reductions import batch_divisor, reduce_losses
from ._signatures import keywords_named

# How many logits a chunk has: 32 MB of float64. The weights' gradient is added to once
# for each chunk, so that with much smaller ones this would take most of the time.
CHUNK = 2**22

# How many entries of the weights' gradient are added to at once: 2 MB of float64.
PRODUCT = 2**18


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


class LinearLayerGradients(NamedTuple):
    """The gradients of a linear layer, by `linear_cross_entropy_value_and_gradient`.

    Attributes
    ----------
    inputs : numpy.ndarray
        dL/dx, of shape (..., d).
    weights : numpy.ndarray
        dL/dW, of shape (C, d).
    bias : numpy.ndarray or None
        dL/db, of shape (C,), if there is a bias.
    """

    inputs: Array
    weights: Array
    bias: Array | None


@keywords_named
def linear_cross_entropy_value_and_gradient(
    inputs: ArrayLike,
    weights: ArrayLike,
    targets: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    temperature: float = 1.0,
    reduction: Literal["mean", "sum"] = "mean",
    chunk_rows: int | None = None,
) -> tuple[Any, LinearLayerGradients]:
    r"""Return L and dL/dx, dL/dW, dL/db for z = W x + b, without holding all logits.

    Let x denote the `inputs` of shape (..., d), W the `weights` of shape (C, d), b
    the `bias` of shape (C,), z the logits W x + b of shape (..., C), t the `targets`
    as probabilities of the shape of z, and T the `temperature`. A class index y
    stands for t = e_y. L is the cross-entropy of q = softmax(z/T). A few rows of
    logits are made at a time, used and overwritten.

    Parameters
    ----------
    inputs : array_like, shape (..., d)
        x, one row of features for each row of targets.
    weights : array_like, shape (C, d)
        W, one row for each class.
    targets : array_like, shape (...) of integers, or shape (..., C)
        Class indices y from 0 to C - 1, or nonnegative weights t, which are as many
        as the logits.
    bias : array_like, shape (C,), optional
        b; -inf masks a class.
    temperature : float, default 1.0
        T > 0.
    reduction : {"mean", "sum"}, default "mean"
        The mean of the rows' losses, or their sum.
    chunk_rows : int, optional
        How many rows of logits are in memory at a time; if it is not given, so many
        that there are about four million logits. The results differ only by rounding.

    Returns
    -------
    loss : scalar
        In the precision of `inputs` and `weights` together.
    gradients : LinearLayerGradients
        `.inputs` of shape (..., d), `.weights` of shape (C, d), and `.bias` of shape
        (C,), or None if there is no bias.

    Raises
    ------
    ValueError
        If `inputs` or `weights` are not finite, real and of fitting shapes; `bias`
        has another shape, holds NaN or +inf, or only -inf; a logit of a row overflows;
        the targets have another shape, are negative or not finite, are integers of
        the logits' shape that are not one-hot, or hold an index out of range; T is not
        positive and finite; `chunk_rows` is not an integer of at least 1; a mean has
        no rows; or the reduction is not one of the two: for "none", the gradient
        depends on what comes after the rows' losses.

    Notes
    -----
    With g = dL/dz, of which row n needs row n of z only,

    .. math::
        g_n = \frac{q_n \sum_j t_{nj} - t_n}{N T}, \qquad
        \frac{\partial L}{\partial x_n} = W^\top g_n, \qquad
        \frac{\partial L}{\partial W} = \sum_n g_n x_n^\top, \qquad
        \frac{\partial L}{\partial b} = \sum_n g_n

    for "mean", and without the N for "sum". The two sums run over the chunks.

    References
    ----------
    E. Wijmans, B. Huval, A. Hertzberg, V. Koltun and P. Krähenbühl, "Cut your losses
    in large-vocabulary language models", ICLR 2025.

    Examples
    --------
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> weights = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    >>> loss, gradients = sg.linear_cross_entropy_value_and_gradient(
    ...     [[0.0, 0.0], [0.0, np.log(2.0)]], weights, [0, 2], chunk_rows=1
    ... )
    >>> round(float(loss), 7)  # (log 3 + log 5/2)/2
    1.0074515
    >>> gradients.inputs.round(4)
    array([[-0.1667,  0.3333],
           [-0.2   , -0.1   ]])
    """
    layer = read_layer(inputs, weights, bias)
    *batch, size = layer.inputs.shape
    classes = len(layer.weights)
    # Only its shape and its type are read: so many logits are never in memory.
    pattern = np.broadcast_to(layer.weights.dtype.type(0), (*batch, classes))
    answers = as_unchecked_targets(targets, pattern, -1)
    temperature = as_temperature(temperature, pattern.dtype)
    divisor = batch_divisor(reduction, pattern)
    step = max(1, CHUNK // classes)
    if chunk_rows is not None:
        step = as_count(chunk_rows, "chunk_rows")
    count = math.prod(batch)
    rows = layer.inputs.reshape(count, size)
    answers = answers.reshape(count, *answers.shape[len(batch) :])
    room = np.empty((2, min(step, count), classes), pattern.dtype)
    losses = np.empty(count, at_least_double(pattern))
    gradients = LinearLayerGradients(
        inputs=np.empty_like(rows),
        weights=np.zeros_like(layer.weights),
        bias=None if layer.bias is None else np.zeros_like(layer.bias),
    )
    for start in range(0, count, step):
        some = slice(start, start + step)
        logits, slopes = room[:, : len(rows[some])]
        with np.errstate(over="ignore", invalid="ignore"):  # see the check
            np.matmul(rows[some], layer.weights.T, out=logits)
            if layer.bias is not None:
                logits += layer.bias
        check = partial(_check_chunk, targets, pattern, logits, start)
        losses[some], _ = cross_entropy_rows_and_gradient(
            logits, answers[some], temperature, divisor, slopes, check
        )
        np.matmul(slopes, layer.weights, out=gradients.inputs[some])
        _add_products(gradients.weights, slopes, rows[some])
        if gradients.bias is not None:
            gradients.bias[...] += slopes.sum(axis=0)
    loss = rounded_like(reduce_losses(losses, reduction, divisor), pattern)
    return loss, gradients._replace(inputs=gradients.inputs.reshape(*batch, size))


def _check_chunk(
    targets: ArrayLike, pattern: Array, logits: Array, first_row: int
) -> None:
    """Raise a ValueError if the targets, or logits of a chunk, cannot be used."""
    as_targets(targets, pattern)
    peaks = logits.max(axis=-1)
    bad = np.flatnonzero(~np.isfinite(peaks))
    if len(bad):
        raise ValueError(
            "inputs and weights must have products whose largest, in each row, is "
            f"finite in {logits.dtype}, got {peaks[bad[0]]} in row {first_row + bad[0]}"
        )


def _add_products(sums: Array, slopes: Array, inputs: Array) -> None:
    """Add slopes^T inputs to the sums, some classes at a time."""
    step = max(1, PRODUCT // max(1, inputs.shape[-1]))
    for start in range(0, len(sums), step):
        some = slice(start, start + step)
        sums[some] += slopes[:, some].T @ inputs
