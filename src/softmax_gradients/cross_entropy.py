"""The cross-entropy of softmax, and its gradients in the logits and in T."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._inputs import (
    Array,
    as_logits,
    as_logits_like,
    as_temperature,
    as_weights,
    restore_axis,
)
from ._reductions import check_reduction, reduce_losses, row_divisor
from .softmax import (
    divide_by_temperature,
    log_probabilities,
    probabilities,
    scaled_logits,
    sum_of_others,
    times_jacobian,
)


def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    temperature: float = 1.0,
    *,
    reduction: str = "mean",
    axis: int = -1,
) -> Any:
    r"""Return the cross-entropy L = -sum_j t_j log q_j of q = softmax(z/T).

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    t the `targets` as probabilities of the same shape, and T the `temperature`.
    A class index y stands for t = e_y: then L = -log q_y.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    targets : array_like, shape (...) of integers, or shape (..., C)
        Class indices y from 0 to C - 1, or nonnegative weights t. The weights
        need not sum to one.
    temperature : float, default 1.0
        T > 0. It softens q only; targets are used as they are.
    reduction : {"mean", "sum", "none"}, default "mean"
        The mean of the rows' losses, their sum, or one loss a row.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    loss : scalar, or ndarray of shape (...) for "none"
        In the precision of the logits. It is inf where a masked class has weight.

    Raises
    ------
    ValueError
        As `softmax`, or if the targets have another shape, hold NaN, a negative
        number or an index out of range, or the mean of an empty batch is asked.

    Notes
    -----
    .. math:: L = -\sum_{j=1}^{C} t_j \log q_j

    A weight of 0 on a class of probability 0 counts as 0.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press, 2016,
    section 6.2.2.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> round(float(sg.cross_entropy([-1.0, -1.0, 1.0], 1)), 7)
    2.2395448
    >>> round(float(sg.cross_entropy([-1.0, -1.0, 1.0], [0.0, 1.0, 0.0])), 7)
    2.2395448
    """
    check_reduction(reduction)
    scores = as_logits(logits, axis=axis)
    weights = as_weights(targets, scores, axis)
    scaled = scaled_logits(scores, as_temperature(temperature, scores.dtype))
    divisor = row_divisor(reduction, scores)
    return reduce_losses(row_losses(scaled, weights), reduction, divisor)


def cross_entropy_gradient(
    logits: ArrayLike,
    targets: ArrayLike,
    temperature: float = 1.0,
    *,
    reduction: str = "mean",
    axis: int = -1,
) -> Array:
    r"""Return dL/dz for the cross-entropy L of q = softmax(z/T) against t.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    t the `targets` as probabilities of the same shape, and T the `temperature`.
    The result has the shape of z. A class index y stands for t = e_y.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    targets : array_like, shape (...) of integers, or shape (..., C)
        Class indices y from 0 to C - 1, or nonnegative weights t. The weights
        need not sum to one.
    temperature : float, default 1.0
        T > 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        Which loss is differentiated: for "mean" each row is divided by the number
        of rows; "sum" and "none" give the same array.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    gradient : ndarray, shape (..., C)
        In the precision of the logits. Each row sums to zero.

    Raises
    ------
    ValueError
        As `cross_entropy`.

    Notes
    -----
    .. math::
        \frac{\partial L}{\partial z_k}
        = \frac{q_k \sum_j t_j - t_k}{T}
        = \frac{1}{T}\Bigl(q_k \sum_{j \ne k} t_j - t_k \sum_{j \ne k} q_j\Bigr)

    and (q - t)/T where the targets sum to one. The second form is computed: on a
    confident, correct class index it keeps the digits that q_y - 1 loses.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press, 2016,
    section 6.2.2.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.cross_entropy_gradient([-1.0, -1.0, 1.0], 1).round(8)
    array([ 0.10650698, -0.89349302,  0.78698604])
    """
    check_reduction(reduction)
    scores = as_logits(logits, axis=axis)
    weights = as_weights(targets, scores, axis)
    temperature = as_temperature(temperature, scores.dtype)
    scaled = scaled_logits(scores, temperature)
    gradient = divide_by_temperature(row_gradients(scaled, weights), temperature)
    return restore_axis(gradient / row_divisor(reduction, scores), axis)


def cross_entropy_value_and_gradient(
    logits: ArrayLike,
    targets: ArrayLike,
    temperature: float = 1.0,
    *,
    reduction: str = "mean",
    axis: int = -1,
    out: Array | None = None,
) -> tuple[Any, Array]:
    r"""Return the cross-entropy and its gradient in the logits.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    t the `targets` as probabilities of the same shape, and T the `temperature`.
    The result is the pair of `cross_entropy` and `cross_entropy_gradient`.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    targets : array_like, shape (...) of integers, or shape (..., C)
        Class indices y from 0 to C - 1, or nonnegative weights t.
    temperature : float, default 1.0
        T > 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        The mean of the rows' losses, their sum, or one loss a row.
    axis : int, default -1
        The axis of the classes.
    out : ndarray, optional
        Where to write the gradient: an array of the logits' shape and precision.

    Returns
    -------
    loss : scalar, or ndarray of shape (...) for "none"
    gradient : ndarray, shape (..., C)
        `out`, if it was given.

    Raises
    ------
    ValueError
        As `cross_entropy`, or if `out` has another shape or type.

    Notes
    -----
    .. math::
        L = -\sum_{j=1}^{C} t_j \log q_j, \qquad
        \frac{\partial L}{\partial z_k} = \frac{q_k \sum_j t_j - t_k}{T}

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press, 2016,
    section 6.2.2.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> loss, gradient = sg.cross_entropy_value_and_gradient([-1.0, -1.0, 1.0], 1)
    >>> round(float(loss), 7), gradient.round(4)
    (2.2395448, array([ 0.1065, -0.8935,  0.787 ]))
    """
    check_reduction(reduction)
    scores = as_logits(logits, axis=axis)
    weights = as_weights(targets, scores, axis)
    temperature = as_temperature(temperature, scores.dtype)
    scaled = scaled_logits(scores, temperature)
    divisor = row_divisor(reduction, scores)
    loss = reduce_losses(row_losses(scaled, weights), reduction, divisor)
    gradient = divide_by_temperature(row_gradients(scaled, weights), temperature)
    gradient = restore_axis(gradient, axis)
    if out is None:
        return loss, gradient / divisor
    _check_out(out, gradient)
    return loss, np.divide(gradient, divisor, out=out)


def cross_entropy_temperature_gradient(
    logits: ArrayLike,
    targets: ArrayLike | None = None,
    temperature: float = 1.0,
    *,
    teacher_logits: ArrayLike | None = None,
    reduction: str = "mean",
    axis: int = -1,
) -> Any:
    r"""Return dL/dT for the cross-entropy L of q = softmax(z/T).

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    t the `targets` as probabilities of the same shape, T the `temperature` and v
    the `teacher_logits` of the shape of z. Either t is given, and does not depend
    on T, or v is given: then t is p = softmax(v/T) at the same T.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    targets : array_like, shape (...) of integers, or shape (..., C), optional
        Class indices y, or nonnegative weights t, fixed as T moves.
    temperature : float, default 1.0
        T > 0.
    teacher_logits : array_like, shape (..., C), optional
        v; L is then the cross-entropy against softmax(v/T), not the
        Kullback-Leibler divergence from it.
    reduction : {"mean", "sum", "none"}, default "mean"
        The mean of the rows' derivatives, their sum, or one a row.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    derivative : scalar, or ndarray of shape (...) for "none"

    Raises
    ------
    ValueError
        As `cross_entropy`, unless exactly one of `targets` and `teacher_logits` is
        given, or if a class that has weight is masked, or so far below the largest
        logit that L is infinite.

    Notes
    -----
    L depends on z and T through z/T only, so T dL/dT = -<z, dL/dz>:

    .. math::
        \frac{\partial L}{\partial T}
        = \frac{\langle t, z\rangle - \sum_j t_j\,\langle q, z\rangle}{T^2}

    Against p = softmax(v/T) the targets move too, which adds Cov_p(v, z)/T^3. For
    KL(p || q), subtract Var_p(v)/T^3 as well.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern
    neural networks", ICML 2017, for the use of this derivative.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> d = sg.cross_entropy_temperature_gradient([-1.0, -1.0, 1.0], 1, 2.0)
    >>> round(float(d), 6)
    -0.288058
    """
    check_reduction(reduction)
    scores = as_logits(logits, axis=axis)
    temperature = as_temperature(temperature, scores.dtype)
    if targets is not None and teacher_logits is None:
        weights = as_weights(targets, scores, axis)
    elif targets is None and teacher_logits is not None:
        teacher = as_logits_like(teacher_logits, scores, "teacher_logits", axis)
        teacher_scaled = scaled_logits(teacher, temperature)
        weights = probabilities(teacher_scaled)
    else:
        raise ValueError(
            "exactly one of targets and teacher_logits must be given, "
            f"got targets={targets!r} and teacher_logits={teacher_logits!r}"
        )
    scaled = scaled_logits(scores, temperature)
    if (np.isneginf(scaled.real) & (weights != 0)).any():
        raise ValueError(
            "logits must not mask a class that has weight, or leave it too far "
            f"below the largest for a finite loss, got {logits!r}"
        )
    gradient = row_gradients(scaled, weights)
    derivatives = -(gradient * _zero_if_masked(scaled)).sum(axis=-1)
    if teacher_logits is not None:
        derivatives += _covariance(weights, teacher_scaled, scaled)
    derivatives = divide_by_temperature(derivatives, temperature)
    return reduce_losses(derivatives, reduction, row_divisor(reduction, scores))


def row_losses(scaled: Array, weights: Array) -> Array:
    """Return -sum t log q for each row, from scaled logits whose maximum is 0."""
    # 0 * inf, which counts as 0, is NaN at first; too large a loss is inf.
    with np.errstate(invalid="ignore", over="ignore"):
        terms = -weights * log_probabilities(scaled)
        return np.where(weights == 0, 0, terms).sum(axis=-1)


def row_gradients(scaled: Array, weights: Array) -> Array:
    """Return T dL/dz = q sum(t) - t, from scaled logits whose maximum is 0.

    Computed as q_k * (sum of the other t) - t_k * (sum of the other q). The two
    sides are products of nonnegative numbers, and for a class index one of them
    is zero: then nothing cancels.
    """
    probs = probabilities(scaled)
    return probs * sum_of_others(weights) - weights * sum_of_others(probs)


def _covariance(probs: Array, first: Array, second: Array) -> Array:
    """Return the covariance under `probs` of two arrays that may be masked."""
    first, second = _zero_if_masked(first), _zero_if_masked(second)
    mean = (probs * second).sum(axis=-1, keepdims=True)
    return (times_jacobian(probs, first) * (second - mean)).sum(axis=-1)


def _zero_if_masked(scaled: Array) -> Array:
    """Return scaled logits with 0 for -inf: a masked class has no weight anyway."""
    return np.where(np.isneginf(scaled.real), 0, scaled)


def _check_out(out: Any, gradient: Array) -> None:
    """Raise a ValueError unless `gradient` can be written to `out`."""
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an ndarray, got {type(out).__name__}")
    if out.shape != gradient.shape or out.dtype != gradient.dtype:
        raise ValueError(
            f"out must have shape {gradient.shape} and type {gradient.dtype}, "
            f"got shape {out.shape} and type {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out must be writeable, got a read-only array")
