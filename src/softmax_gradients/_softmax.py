"""Softmax, its Jacobian, and products with the Jacobian that never form it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from . import _kernels
from ._inputs import (
    Array,
    as_logits,
    as_same_shape,
    as_temperature,
    as_unchecked_like,
    as_unchecked_logits,
    restore_axis,
)
from ._kernels.accurate import (
    divide_by_temperature,
    probabilities,
    rounded_like,
    scaled_logits,
    sum_of_others,
)
from ._signatures import keywords_named


@keywords_named
def softmax(logits: ArrayLike, *, temperature: float = 1.0, axis: int = -1) -> Array:
    r"""Return the probabilities q = softmax(z/T).

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    and T the `temperature`. The result q has the shape of z.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z. A logit of -inf masks its class: its probability is 0.
    temperature : float, default 1.0
        T > 0. A large T flattens q, a small T sharpens it.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    probs : ndarray, shape (..., C)
        q, with sum 1 along `axis`, in the precision of the logits.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, T is not
        positive and finite, or `axis` is not an axis.

    Notes
    -----
    .. math:: q_i = \frac{e^{z_i/T}}{\sum_j e^{z_j/T}}

    Where an exponential would leave the range of floats, a number is subtracted from
    all exponents of the row first. That changes no q_i, since the factor cancels in
    the fraction.

    References
    ----------
    J. S. Bridle, "Probabilistic interpretation of feedforward classification
    network outputs", in Neurocomputing, Springer, 1990.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.softmax([-1.0, -1.0, 1.0]).round(8)
    array([0.10650698, 0.10650698, 0.78698604])
    """
    scores = as_unchecked_logits(logits, axis)
    temperature = as_temperature(temperature, scores.dtype)
    probs = _kernels.softmax(scores, temperature, lambda: as_logits(logits, axis=axis))
    return restore_axis(probs, axis)


@keywords_named
def log_softmax(
    logits: ArrayLike, *, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return log q for q = softmax(z/T), also where q itself underflows to 0.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    and T the `temperature`. The result has the shape of z.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z. A masked class (-inf) has log-probability -inf.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    log_probs : ndarray, shape (..., C)
        log q, in the precision of the logits.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, T is not
        positive and finite, or `axis` is not an axis.

    Notes
    -----
    With k the class of the largest logit,

    .. math::
        \log q_i = \frac{z_i - z_k}{T}
        - \log\Bigl(1 + \sum_{j \ne k} e^{(z_j - z_k)/T}\Bigr)

    Both terms are at most zero, so nothing cancels.

    References
    ----------
    P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the
    log-sum-exp and softmax functions", IMA J. Numer. Anal. 41, 2021.

    Examples
    --------
    The middle entry is -log(1 + e^-200), which ``np.log(q)`` rounds to 0.

    >>> import softmax_gradients as sg
    >>> sg.log_softmax([0.0, 200.0, -1000.0])
    array([-2.00000000e+02, -1.38389653e-87, -1.20000000e+03])
    """
    scores = as_unchecked_logits(logits, axis)
    temperature = as_temperature(temperature, scores.dtype)
    log_probs = _kernels.log_softmax(
        scores, temperature, lambda: as_logits(logits, axis=axis)
    )
    return restore_axis(log_probs, axis)


@keywords_named
def softmax_jacobian(
    logits: ArrayLike, *, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return the Jacobian of softmax, J_ij = dq_i/dz_j.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    T the `temperature` and q = softmax(z/T). The result J has the shape of z
    without the class axis, followed by (C, C): row i is the output, column j the
    input.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z. The row and the column of a masked class (-inf) are 0.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    jacobian : ndarray, shape (..., C, C)
        J, symmetric, positive semidefinite, with zero row and column sums.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, T is not
        positive and finite, or `axis` is not an axis.

    Notes
    -----
    .. math::
        J_{ij} = \frac{q_i(\delta_{ij} - q_j)}{T},
        \qquad J = \frac{\operatorname{diag}(q) - q q^\top}{T}

    On the diagonal 1 - q_i is taken as the sum of the other probabilities, which
    keeps its digits when q_i is close to 1.

    References
    ----------
    C. M. Bishop, Pattern Recognition and Machine Learning, Springer, 2006,
    equation 4.106.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.softmax_jacobian([-1.0, -1.0, 1.0]).round(3)
    array([[ 0.095, -0.011, -0.084],
           [-0.011,  0.095, -0.084],
           [-0.084, -0.084,  0.168]])
    """
    scores = as_logits(logits, axis=axis)
    temperature = as_temperature(temperature, scores.dtype)
    probs = probabilities(scaled_logits(scores, temperature))
    jacobian = -probs[..., :, np.newaxis] * probs[..., np.newaxis, :]
    diagonal = np.arange(probs.shape[-1])
    jacobian[..., diagonal, diagonal] = probs * sum_of_others(probs)
    return rounded_like(divide_by_temperature(jacobian, temperature), scores)


@keywords_named
def softmax_jvp(
    logits: ArrayLike, tangent: ArrayLike, *, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return J u: how softmax moves when the logits move along u.

    Let z denote the `logits` and u the `tangent`, both of shape (..., C) with the
    C classes along `axis`, T the `temperature`, q = softmax(z/T) and J its
    Jacobian. The result has the shape of z; J is never formed.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z.
    tangent : array_like, shape (..., C)
        The direction u, finite.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    product : ndarray, shape (..., C)
        J u, in O(C) operations per row.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, `tangent` has
        another shape or is not finite, T is not positive and finite, or `axis` is not
        an axis.

    Notes
    -----
    .. math:: J u = \frac{q \odot (u - \langle q, u\rangle)}{T}

    References
    ----------
    A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM, 2008,
    chapter 3.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.softmax_jvp([-1.0, -1.0, 1.0], [1.0, 0.0, 2.0]).round(4)
    array([-0.0725, -0.179 ,  0.2515])
    """
    return _product(
        _kernels.jacobian_product, logits, tangent, "tangent", temperature, axis
    )


@keywords_named
def softmax_vjp(
    logits: ArrayLike, cotangent: ArrayLike, *, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return J^T g: the gradient with respect to z from the one with respect to q.

    Let z denote the `logits` and g the `cotangent` dL/dq, both of shape (..., C)
    with the C classes along `axis`, T the `temperature`, q = softmax(z/T) and J
    its Jacobian. The result dL/dz has the shape of z; J is never formed.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z.
    cotangent : array_like, shape (..., C)
        g = dL/dq, finite.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    product : ndarray, shape (..., C)
        J^T g, in O(C) operations per row.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, `cotangent` has
        another shape or is not finite, T is not positive and finite, or `axis` is not
        an axis.

    Notes
    -----
    .. math:: J^\top g = \frac{q \odot (g - \langle q, g\rangle)}{T}

    J is symmetric, so this is `softmax_jvp` by another name. Both names stay,
    because the two products differ for log-softmax: see `log_softmax_vjp`.

    References
    ----------
    A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM, 2008,
    chapter 3.

    Examples
    --------
    The cotangent -t/q of the cross-entropy gives q - t.

    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> targets, probs = np.array([0.0, 1.0, 0.0]), sg.softmax([-1.0, -1.0, 1.0])
    >>> sg.softmax_vjp([-1.0, -1.0, 1.0], -targets / probs).round(8)
    array([ 0.10650698, -0.89349302,  0.78698604])
    """
    return _product(
        _kernels.jacobian_product, logits, cotangent, "cotangent", temperature, axis
    )


@keywords_named
def log_softmax_vjp(
    logits: ArrayLike, cotangent: ArrayLike, *, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return the gradient with respect to z from the one with respect to log q.

    Let z denote the `logits` and g the `cotangent` dL/d(log q), both of shape
    (..., C) with the C classes along `axis`, T the `temperature` and
    q = softmax(z/T). The result dL/dz has the shape of z.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z.
    cotangent : array_like, shape (..., C)
        g = dL/d(log q), finite.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    product : ndarray, shape (..., C)
        In O(C) operations per row.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class, `cotangent` has
        another shape or is not finite, T is not positive and finite, or `axis` is not
        an axis.

    Notes
    -----
    The Jacobian of log-softmax is (I - 1 q^T)/T. It is not symmetric, so its
    transpose matters here:

    .. math::
        \frac{(I - q \mathbf 1^\top)\,g}{T} = \frac{g - q \sum_j g_j}{T}

    References
    ----------
    A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM, 2008,
    chapter 3.

    Examples
    --------
    The cotangent -t of the cross-entropy gives q - t.

    >>> import softmax_gradients as sg
    >>> sg.log_softmax_vjp([-1.0, -1.0, 1.0], [0.0, -1.0, 0.0]).round(8)
    array([ 0.10650698, -0.89349302,  0.78698604])
    """
    return _product(
        _kernels.log_softmax_vjp, logits, cotangent, "cotangent", temperature, axis
    )


def _product(
    kernel: Callable[..., Array],
    logits: ArrayLike,
    vector: ArrayLike,
    name: str,
    temperature: float,
    axis: int,
) -> Array:
    """Return a Jacobian times a vector, by the kernel; `name` is for errors."""
    scores = as_unchecked_logits(logits, axis)
    factors = as_unchecked_like(vector, scores, name, axis)
    temperature = as_temperature(temperature, scores.dtype)

    def check() -> None:
        as_same_shape(vector, as_logits(logits, axis=axis), name, axis)

    return restore_axis(kernel(scores, factors, temperature, check), axis)
