"""The second derivative of the cross-entropy, in the logits and in the weights."""

import math

import numpy as np
from numpy.typing import ArrayLike

from ._inputs import (
    Array,
    Reduction,
    as_inputs,
    as_logits,
    as_same_shape,
    as_temperature,
    restore_axis,
)
from ._kernels.accurate import divide_by_temperature, sum_of_others
from ._reductions import row_divisor
from ._signatures import keywords_named
from ._softmax import softmax, softmax_jacobian, softmax_jvp


@keywords_named
def cross_entropy_hessian(
    logits: ArrayLike, *, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return the Hessian of the cross-entropy in the logits, for sum(t) = 1.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    T the `temperature` and q = softmax(z/T). The result H has the shape of z
    without the class axis, followed by (C, C), one matrix for each row's own loss.
    It does not depend on the targets t as long as they sum to one; multiply it by
    sum(t) if they do not.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    hessian : ndarray, shape (..., C, C)
        H, symmetric and positive semidefinite; H times the ones vector is 0.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, T is not
        positive and finite, or `axis` is not an axis.

    Notes
    -----
    .. math:: H = \frac{\operatorname{diag}(q) - q q^\top}{T^2}

    The gradient is (q - t)/T, so its derivative is the Jacobian of q over T.

    References
    ----------
    D. Boehning, "Multinomial logistic regression algorithm", Annals of the
    Institute of Statistical Mathematics 44, 1992.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.cross_entropy_hessian([-1.0, -1.0, 1.0], temperature=2.0).round(4)
    array([[ 0.0418, -0.0112, -0.0305],
           [-0.0112,  0.0418, -0.0305],
           [-0.0305, -0.0305,  0.0611]])
    """
    scores = as_logits(logits, axis=axis)
    temperature = as_temperature(temperature, scores.dtype)
    return divide_by_temperature(
        softmax_jacobian(scores, temperature=temperature), temperature
    )


@keywords_named
def cross_entropy_hvp(
    logits: ArrayLike, vector: ArrayLike, *, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return the Hessian of the cross-entropy times a vector, for sum(t) = 1.

    Let z denote the `logits` and u the `vector`, both of shape (..., C) with the C
    classes along `axis`, T the `temperature` and q = softmax(z/T). The result H u
    has the shape of z; H, as `cross_entropy_hessian` returns it, is never formed.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    vector : array_like, shape (..., C)
        u, finite.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    product : ndarray, shape (..., C)
        H u, in O(C) operations per row. Multiply it by sum(t) if that is not one.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, `vector` has
        another shape or is not finite, T is not positive and finite, or `axis` is not
        an axis.

    Notes
    -----
    .. math:: H u = \frac{q \odot (u - \langle q, u\rangle)}{T^2}

    References
    ----------
    B. A. Pearlmutter, "Fast exact multiplication by the Hessian", Neural
    Computation 6, 1994.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> z, u = [-1.0, -1.0, 1.0], [1.0, 0.0, 2.0]
    >>> sg.cross_entropy_hvp(z, u, temperature=2.0).round(4)
    array([-0.0193, -0.0723,  0.0916])
    """
    scores = as_logits(logits, axis=axis)
    direction = as_same_shape(vector, scores, "vector", axis)
    temperature = as_temperature(temperature, scores.dtype)
    product = softmax_jvp(scores, direction, temperature=temperature)
    return restore_axis(divide_by_temperature(product, temperature), axis)


@keywords_named
def fisher_information(
    logits: ArrayLike, *, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return the Fisher information of the logits, from its definition.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    T the `temperature` and q = softmax(z/T). For a label y the score is the
    gradient of log q_y in z. The result F is the mean of the scores' outer
    products over labels y drawn from q. It equals `cross_entropy_hessian`, which
    is cheaper; this function is there to check that.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    information : ndarray, shape (..., C, C)
        F, in O(C^3) operations per row.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, T is not
        positive and finite, or `axis` is not an axis.

    Notes
    -----
    With e_y the unit vector of class y,

    .. math::
        F = \sum_{y=1}^{C} q_y\, s_y s_y^\top, \qquad
        s_y = \frac{\partial \log q_y}{\partial z} = \frac{e_y - q}{T}

    References
    ----------
    J. Martens, "New insights and perspectives on the natural gradient method",
    Journal of Machine Learning Research 21, 2020.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.fisher_information([-1.0, -1.0, 1.0], temperature=2.0).round(4)
    array([[ 0.0418, -0.0112, -0.0305],
           [-0.0112,  0.0418, -0.0305],
           [-0.0305, -0.0305,  0.0611]])
    """
    scores = as_logits(logits, axis=axis)
    temperature = as_temperature(temperature, scores.dtype)
    probs = softmax(scores, temperature=temperature)
    classes = np.arange(probs.shape[-1])
    # Row y holds T s_y = e_y - q; 1 - q_y is taken as the sum of the others.
    label_scores = np.repeat(-probs[..., np.newaxis, :], classes.size, axis=-2)
    label_scores[..., classes, classes] = sum_of_others(probs)
    weighted = probs[..., :, np.newaxis] * label_scores
    information = np.swapaxes(label_scores, -1, -2) @ weighted
    information = divide_by_temperature(information, temperature)
    return divide_by_temperature(information, temperature)


@keywords_named
def linear_gauss_newton(
    logits: ArrayLike,
    inputs: ArrayLike,
    *,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Return the Gauss-Newton matrix of a linear classifier's weights.

    Let x denote the `inputs` of shape (..., d), z = W x + b the `logits` of shape
    (..., C) with the classes last, T the `temperature` and q = softmax(z/T). The
    result G has one row and one column for each entry of W, in the order of
    ``weights.ravel()``. The logits are linear in W, so G is the Hessian of the
    cross-entropy in W, for targets that sum to one. Append a feature that is 1 to
    the inputs to include the bias.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        z = ``inputs @ weights.T + bias``.
    inputs : array_like, shape (..., d)
        x, one row of features for each row of logits.
    temperature : float, default 1.0
        T > 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        The matrix of the mean of the rows' losses, of their sum, or of each one.

    Returns
    -------
    matrix : ndarray, shape (C d, C d)
        G, symmetric and positive semidefinite, preceded by the shape (...) of the
        batch for "none".

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class; `inputs` is not
        finite or does not have one row for each row of logits; T is not positive and
        finite; the reduction is not one of the three, or a mean has no rows.

    Notes
    -----
    For one row, with the Kronecker product,

    .. math::
        G = H \otimes x x^\top, \qquad
        G_{(ka)(lb)} = \frac{q_k(\delta_{kl} - q_l)}{T^2}\, x_a x_b

    where H is the Hessian in the logits. Adding one vector of d numbers to all the
    rows of W moves no probability, so G sends it to 0: the rank of G is at most
    (C - 1) d.

    References
    ----------
    D. Boehning, "Multinomial logistic regression algorithm", Annals of the
    Institute of Statistical Mathematics 44, 1992.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.linear_gauss_newton([0.0, 0.0], [1.0, 2.0])
    array([[ 0.25,  0.5 , -0.25, -0.5 ],
           [ 0.5 ,  1.  , -0.5 , -1.  ],
           [-0.25, -0.5 ,  0.25,  0.5 ],
           [-0.5 , -1.  ,  0.5 ,  1.  ]])
    """
    scores = as_logits(logits)
    features = as_inputs(inputs, scores)
    hessians = cross_entropy_hessian(scores, temperature=temperature)
    divisor = row_divisor(reduction, scores)
    batch, classes, size = scores.shape[:-1], scores.shape[-1], features.shape[-1]
    shape = (classes * size, classes * size)
    if reduction == "none":
        blocks = np.einsum("...kl,...a,...b->...kalb", hessians, features, features)
        return blocks.reshape(*batch, *shape)
    rows = math.prod(batch)
    hessians = hessians.reshape(rows, classes, classes)
    features = features.reshape(rows, size)
    total = np.empty((classes, size, classes, size), hessians.dtype)
    # One pair of classes at a time: all at once would take (N, C, C, d) numbers.
    for row, column in np.ndindex(classes, classes):
        weights = hessians[:, row, column]
        total[row, :, column, :] = (weights * features.T) @ features
    return total.reshape(shape) / divisor
