"""Distillation: Kullback-Leibler divergence, its gradients, the limit of large T."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._blocks import fill_rows
from ._compensated import finite_or_zero, two_difference
from ._inputs import (
    Array,
    as_logits,
    as_logits_like,
    as_temperature,
    restore_axis,
)
from ._reductions import check_reduction, reduce_losses, row_divisor
from .cross_entropy import cross_entropy, cross_entropy_gradient
from .softmax import (
    at_least_double,
    log_probabilities,
    probabilities,
    rounded_like,
    scaled_logits,
    times_jacobian,
)

REDUCTIONS = ("batchmean", "mean", "sum", "none")


def kl_divergence(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    temperature: float = 1.0,
    *,
    reduction: str = "batchmean",
    axis: int = -1,
) -> Any:
    r"""Return KL(p || q) of the student's q = softmax(z/T) from p = softmax(v/T).

    Let z denote the `student_logits` and v the `teacher_logits`, both of shape
    (..., C) with the C classes along `axis`, and T the `temperature`.

    Parameters
    ----------
    student_logits : array_like, shape (..., C)
        z; -inf masks a class.
    teacher_logits : array_like, shape (..., C)
        v; -inf masks a class.
    temperature : float, default 1.0
        T > 0, for both.
    reduction : {"batchmean", "mean", "sum", "none"}, default "batchmean"
        The names of PyTorch's KLDivLoss: the sum of the rows' divergences over
        the number of rows N, over N C, over 1, or one divergence a row.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    divergence : scalar, or ndarray of shape (...) for "none"
        In the precision of the student's logits. It is inf where the student
        masks a class to which the teacher gives weight.

    Raises
    ------
    ValueError
        As `softmax`, for either logits, or if their shapes differ, or the
        reduction is not one of the four.

    Notes
    -----
    .. math:: \mathrm{KL}(p \,\|\, q) = \sum_{j=1}^{C} p_j \log\frac{p_j}{q_j}
        = \sum_{j=1}^{C} p_j \bigl(e^{\delta_j} - 1 - \delta_j\bigr),
        \qquad \delta_j = \log\frac{q_j}{p_j}

    A class with p_j = 0 counts as 0 in the first sum. The second sum is computed:
    it adds p_j (q_j/p_j - 1), which is 0 in total, and then no term is negative,
    so nothing cancels. The cross-entropy of q against p is KL(p || q) plus the
    entropy of p, which does not depend on z.

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural
    network", arXiv:1503.02531, 2015.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> round(float(sg.kl_divergence([2.0, 0.5, -1.0], [1.0, 2.5, -2.0], 2.0)), 6)
    0.272677
    """
    check_reduction(reduction, REDUCTIONS)
    pair = _read_pair(student_logits, teacher_logits, temperature, axis)
    return rounded_like(_divergence(pair, reduction), pair.logits)


def distillation_gradient(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    temperature: float = 1.0,
    *,
    reduction: str = "batchmean",
    axis: int = -1,
) -> Array:
    r"""Return dKL(p || q)/dz = (q - p)/T, without the factor T^2 of the loss.

    Let z denote the `student_logits` and v the `teacher_logits`, both of shape
    (..., C) with the C classes along `axis`, T the `temperature`,
    q = softmax(z/T) and p = softmax(v/T). The result has the shape of z.

    Parameters
    ----------
    student_logits : array_like, shape (..., C)
        z; -inf masks a class.
    teacher_logits : array_like, shape (..., C)
        v; -inf masks a class.
    temperature : float, default 1.0
        T > 0, for both.
    reduction : {"batchmean", "mean", "sum", "none"}, default "batchmean"
        Which divergence is differentiated, as in `kl_divergence`: "batchmean"
        divides by the number of rows N, "mean" by N C, the others by 1.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    gradient : ndarray, shape (..., C)
        In the precision of the student's logits. Each row sums to zero.

    Raises
    ------
    ValueError
        As `kl_divergence`.

    Notes
    -----
    .. math:: \frac{\partial\,\mathrm{KL}(p \,\|\, q)}{\partial z_i}
        = \frac{q_i - p_i}{T}

    The cross-entropy of q against p has the same gradient in z. Where q is close
    to p, at a high temperature or a well trained student, the difference is taken
    as :math:`p_i (e^{\delta_i} - 1)` with :math:`\delta_i = \log(q_i/p_i)`, which
    keeps the digits that the subtraction loses.

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural
    network", arXiv:1503.02531, 2015, equation 2.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.distillation_gradient([2.0, 0.5, -1.0], [1.0, 2.5, -2.0], 2.0).round(4)
    array([ 0.1452, -0.1776,  0.0324])
    """
    check_reduction(reduction, REDUCTIONS)
    pair = _read_pair(student_logits, teacher_logits, temperature, axis)
    gradient = _gradient(pair, reduction, _row_gradients) / pair.temperature
    return restore_axis(rounded_like(gradient, pair.logits), axis)


def distillation_loss(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    labels: ArrayLike | None = None,
    temperature: float = 1.0,
    *,
    alpha: float | None = None,
    temperature_squared: bool = True,
    reduction: str = "batchmean",
    axis: int = -1,
) -> Any:
    r"""Return alpha T^2 KL(p || q) + (1 - alpha) H, with H the loss on labels.

    Let z denote the `student_logits` and v the `teacher_logits`, both of shape
    (..., C) with the C classes along `axis`, T the `temperature`,
    q = softmax(z/T), p = softmax(v/T) and H the cross-entropy of softmax(z), at
    temperature 1, against the `labels`.

    Parameters
    ----------
    student_logits : array_like, shape (..., C)
        z; -inf masks a class.
    teacher_logits : array_like, shape (..., C)
        v; -inf masks a class.
    labels : array_like, shape (...) of integers, or shape (..., C), optional
        Targets of the hard part H. Without them there is no hard part.
    temperature : float, default 1.0
        T > 0, for the soft part only.
    alpha : float, optional
        The weight of the soft part, from 0 to 1: by default 0.5 with labels and 1
        without.
    temperature_squared : bool, default True
        False leaves out the factor T^2. Then the soft part's gradient shrinks
        like 1/T^2 beside the hard part's as T grows.
    reduction : {"batchmean", "mean", "sum", "none"}, default "batchmean"
        As PyTorch's losses: the soft part is divided by the number of rows N, by
        N C, by 1, or left as one value a row; the hard part by N, N, 1 and 1.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    loss : scalar, or ndarray of shape (...) for "none"
        In the precision of the student's logits.

    Raises
    ------
    ValueError
        As `kl_divergence` and `cross_entropy`, or if alpha is not in [0, 1].

    Notes
    -----
    .. math:: \alpha\,T^2\,\mathrm{KL}(p \,\|\, q) + (1 - \alpha)\,H

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural
    network", arXiv:1503.02531, 2015, section 2.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> loss = sg.distillation_loss([2.0, 0.5, -1.0], [1.0, 2.5, -2.0], 1, 2.0)
    >>> round(float(loss), 6)
    1.41601
    """
    check_reduction(reduction, REDUCTIONS)
    weight = _soft_weight(alpha, labels)
    pair = _read_pair(student_logits, teacher_logits, temperature, axis)
    factor = pair.temperature if temperature_squared else 1.0
    soft = rounded_like(_divergence(pair, reduction, factor), pair.logits)
    if labels is None:
        return weight * soft
    hard = cross_entropy(
        student_logits, labels, reduction=_hard_reduction(reduction), axis=axis
    )
    return weight * soft + (1 - weight) * hard


def distillation_loss_gradient(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    labels: ArrayLike | None = None,
    temperature: float = 1.0,
    *,
    alpha: float | None = None,
    temperature_squared: bool = True,
    reduction: str = "batchmean",
    axis: int = -1,
    with_respect_to: str = "student",
) -> Array:
    r"""Return the gradient of `distillation_loss`, alpha and T^2 included.

    Let z denote the `student_logits` and v the `teacher_logits`, both of shape
    (..., C) with the C classes along `axis`, T the `temperature`,
    q = softmax(z/T), p = softmax(v/T) and t the `labels` as probabilities. The
    result has the shape of z.

    Parameters
    ----------
    student_logits : array_like, shape (..., C)
        z; -inf masks a class.
    teacher_logits : array_like, shape (..., C)
        v; -inf masks a class.
    labels : array_like, shape (...) of integers, or shape (..., C), optional
        Targets of the hard part. Without them there is no hard part.
    temperature : float, default 1.0
        T > 0, for the soft part only.
    alpha : float, optional
        The weight of the soft part: by default 0.5 with labels and 1 without.
    temperature_squared : bool, default True
        Whether the loss has the factor T^2.
    reduction : {"batchmean", "mean", "sum", "none"}, default "batchmean"
        As in `distillation_loss`.
    axis : int, default -1
        The axis of the classes.
    with_respect_to : {"student", "teacher"}, default "student"
        Whose logits are moved. A teacher that is trained too, or was not detached
        by mistake, gets the second gradient.

    Returns
    -------
    gradient : ndarray, shape (..., C)
        In the precision of the student's logits. Each row sums to zero.

    Raises
    ------
    ValueError
        As `distillation_loss`, or if `with_respect_to` is another name, or if it
        is "teacher" and the student masks a class to which the teacher gives
        weight: the loss is then infinite.

    Notes
    -----
    For the student and for the teacher, before the reduction,

    .. math::
        \alpha T (q - p) + (1 - \alpha)\bigl(\operatorname{softmax}(z)
        \textstyle\sum_j t_j - t\bigr),
        \qquad
        \alpha T\, p \odot \Bigl(\log\frac pq - \mathrm{KL}(p \,\|\, q)\Bigr)

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural
    network", arXiv:1503.02531, 2015, section 2.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.distillation_loss_gradient(
    ...     [2.0, 0.5, -1.0], [1.0, 2.5, -2.0], 1, 2.0
    ... ).round(4)
    array([ 0.6832, -0.7676,  0.0844])
    """
    check_reduction(reduction, REDUCTIONS)
    weight = _soft_weight(alpha, labels)
    if with_respect_to not in ("student", "teacher"):
        raise ValueError(
            f"with_respect_to must be 'student' or 'teacher', got {with_respect_to!r}"
        )
    pair = _read_pair(student_logits, teacher_logits, temperature, axis)
    rows = _row_gradients if with_respect_to == "student" else _teacher_row_gradients
    # The factor T^2 of the loss over the T of the derivative.
    factor = pair.temperature if temperature_squared else 1 / pair.temperature
    soft = _gradient(pair, reduction, rows) * (weight * factor)
    soft = restore_axis(rounded_like(soft, pair.logits), axis)
    if labels is None or with_respect_to == "teacher":
        return soft
    hard = cross_entropy_gradient(
        student_logits, labels, reduction=_hard_reduction(reduction), axis=axis
    )
    return soft + (1 - weight) * hard


def high_temperature_limit(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    temperature: float = 1.0,
    *,
    order: int = 1,
    axis: int = -1,
) -> Array:
    r"""Return what (q - p)/T tends to as T grows: (z~ - v~)/(C T^2).

    Let z denote the `logits` and v the `teacher_logits`, both of shape (..., C)
    with the C classes along `axis`, T the `temperature`, z~ and v~ the logits
    minus their means over the classes, and q = softmax(z/T), p = softmax(v/T).
    The result has the shape of z.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        z, finite.
    teacher_logits : array_like, shape (..., C)
        v, finite.
    temperature : float, default 1.0
        T > 0.
    order : {1, 2}, default 1
        How many terms of the series in 1/T.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    limit : ndarray, shape (..., C)
        In the precision of the logits. Each row sums to zero.

    Raises
    ------
    ValueError
        If a logit is not finite (a masked class has no such limit), the shapes
        differ, T is not positive and finite, or the order is neither 1 nor 2.

    Notes
    -----
    With Var the variance over the classes (divided by C),

    .. math::
        \frac{q_i - p_i}{T} = \frac{\tilde z_i - \tilde v_i}{C T^2}
        + \frac{\tilde z_i^2 - \operatorname{Var} z
        - \tilde v_i^2 + \operatorname{Var} v}{2 C T^3} + O(T^{-4})

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural
    network", arXiv:1503.02531, 2015, equation 4, which assumes zero means.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.high_temperature_limit([2.0, 0.5, -1.0], [1.0, 2.5, -2.0], 10.0).round(4)
    array([ 0.0033, -0.0067,  0.0033])
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    scores, teacher, temperature = _finite_pair(
        logits, teacher_logits, temperature, axis
    )
    classes = scores.shape[-1]
    # Centring z - v, not z and v apart, keeps the digits of a small difference.
    softened = _centred(scores - teacher) / temperature
    limit = softened / classes / temperature
    if order == 2:
        # x^2 - y^2 = (x - y)(x + y), for the centred logits x of z and y of v.
        total = (_centred(scores) + _centred(teacher)) / temperature
        limit += _centred(softened * total) / (2 * classes) / temperature
    return restore_axis(limit, axis)


def high_temperature_error_bound(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    temperature: float = 1.0,
    *,
    axis: int = -1,
) -> Array:
    r"""Return a bound on the error of `high_temperature_limit`, one for each row.

    Let z denote the `logits` and v the `teacher_logits`, both of shape (..., C)
    with the C classes along `axis`, T the `temperature`, and R_x the largest
    entry of x minus the smallest. The result has the shape of z without the class
    axis.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        z, finite.
    teacher_logits : array_like, shape (..., C)
        v, finite.
    temperature : float, default 1.0
        T > 0, large or not.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    bound : ndarray, shape (...)
        In the precision of the logits.

    Raises
    ------
    ValueError
        As `high_temperature_limit`.

    Notes
    -----
    .. math::
        \max_i \Bigl|\frac{q_i - p_i}{T}
        - \frac{\tilde z_i - \tilde v_i}{C T^2}\Bigr|
        \le \frac{\min\{R_z^2 + R_v^2,\; R_{z-v}(R_z + R_v)\}}{12\sqrt3\,T^3}

    The chapter on the high-temperature limit proves it. It bounds the error of
    the formula, not the rounding error of either side.

    References
    ----------
    The book's chapter "The high-temperature limit".

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> z, v = [2.0, 0.5, -1.0], [1.0, 2.5, -2.0]
    >>> bound = sg.high_temperature_error_bound(z, v, 10.0)
    >>> exact = sg.distillation_gradient(z, v, 10.0)
    >>> bool(abs(exact - sg.high_temperature_limit(z, v, 10.0)).max() <= bound)
    True
    """
    scores, teacher, temperature = _finite_pair(
        logits, teacher_logits, temperature, axis
    )
    range_z, range_v = _range(scores) / temperature, _range(teacher) / temperature
    separate = range_z**2 + range_v**2
    together = _range(scores - teacher) / temperature * (range_z + range_v)
    return np.minimum(separate, together) / (12 * math.sqrt(3)) / temperature


class _Pair(NamedTuple):
    """The logits of a student and of its teacher, class axis last, and T."""

    logits: Array
    teacher: Array
    temperature: float


class _Comparison(NamedTuple):
    """A student beside a teacher: p, q - p and log(q/p) of some rows."""

    teacher_probs: Array
    difference: Array
    log_ratio: Array


def _divergence(pair: _Pair, reduction: str, factor: float = 1.0) -> Any:
    """Return factor^2 KL(p || q), reduced, in float64."""
    divisor = _divisor(reduction, pair.logits)

    def rows(logits: Array, teacher: Array) -> Array:
        return _row_divergences(_compare(logits, teacher, pair.temperature), factor)

    losses = np.empty(pair.logits.shape[:-1], at_least_double(pair.logits))
    fill_rows(losses, rows, pair.logits, pair.teacher)
    return reduce_losses(losses[()], reduction, divisor)


def _gradient(
    pair: _Pair, reduction: str, row_gradients: Callable[[_Comparison], Array]
) -> Array:
    """Return T times the gradient of KL(p || q), reduced, in float64."""
    divisor = _divisor(reduction, pair.logits)

    def rows(logits: Array, teacher: Array) -> Array:
        return row_gradients(_compare(logits, teacher, pair.temperature)) / divisor

    gradient = np.empty(pair.logits.shape, at_least_double(pair.logits))
    return fill_rows(gradient, rows, pair.logits, pair.teacher)


def _compare(logits: Array, teacher: Array, temperature: float) -> _Comparison:
    """Return p, q - p and log(q/p) of some rows.

    Let d be (z - v)/T minus a number that is the same for all classes, and
    M = sum_j p_j (e^(d_j) - 1). Then log(q_i/p_i) = d_i - log(1 + M). Where q_i is
    near p_i this keeps the digits that log q_i - log p_i loses, provided that d is
    about as small as log(q/p): it is counted from a class k that has much weight in
    both p and q.
    """
    wide = at_least_double(logits)
    logits, teacher = logits.astype(wide), teacher.astype(wide)
    scaled, scaled_teacher = (scaled_logits(x, temperature) for x in (logits, teacher))
    probs, teacher_probs = probabilities(scaled), probabilities(scaled_teacher)
    shared = np.argmax(np.minimum(probs, teacher_probs), axis=-1, keepdims=True)
    # Infinite logits give NaN, and a q or p of 0 an infinite ratio: see below.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        # z - v may be a large constant plus little. The constant cancels, and what
        # the subtraction dropped counts.
        gap, dropped = two_difference(logits, teacher)
        ratio = _entry(probs, shared) / _entry(teacher_probs, shared)
        # Count from d_k = 0 if q_k is near p_k, and from d_k = log(q_k/p_k) if not.
        ratio_left = np.where(np.abs(np.log(ratio)) <= 1, ratio, 1)
        start = np.log(ratio / ratio_left)
        rest = finite_or_zero(dropped - _entry(dropped, shared))
        d = (gap - _entry(gap, shared) + rest) / temperature + start
        d = np.where(np.isneginf(logits) & np.isneginf(teacher), 0, d)
        # p e^d, where d is not small, is q times 1 + M, and that is p_k/q_k or 1.
        terms = _excess(teacher_probs, d, probs / ratio_left)
        log_ratio = d - np.log1p(terms.sum(axis=-1, keepdims=True))
        counted = np.isfinite(start + _entry(gap, shared))
        if not counted.all():  # no class has both q > 0 and p > 0
            far = log_probabilities(scaled) - log_probabilities(scaled_teacher)
            log_ratio = np.where(counted, log_ratio, far)
            log_ratio = np.where(np.isnan(log_ratio), 0, log_ratio)
    return _Comparison(
        teacher_probs, _excess(teacher_probs, log_ratio, probs), log_ratio
    )


def _excess(probs: Array, exponent: Array, product: Array) -> Array:
    """Return p (e^x - 1); where |x| > 1, from `product`, which is p e^x."""
    close = np.abs(exponent) <= 1
    near = probs * np.expm1(np.where(close, exponent, 0))
    return np.where(close, near, product - probs)


def _entry(values: Array, index: Array) -> Array:
    """Return one entry of each row along the last axis, kept as (..., 1)."""
    return np.take_along_axis(values, index, axis=-1)


def _counted_from_largest(values: Array, probs: Array) -> Array:
    """Return the values minus the one in the class of largest probability."""
    largest = np.argmax(probs, axis=-1, keepdims=True)
    return values - np.take_along_axis(values, largest, axis=-1)


def _finite_pair(
    logits: ArrayLike, teacher_logits: ArrayLike, temperature: float, axis: int
) -> _Pair:
    """Return both logits, all finite and class axis last, and T."""
    pair = _read_pair(logits, teacher_logits, temperature, axis, "logits")
    for array, name in zip(pair[:2], ("logits", "teacher_logits"), strict=True):
        if np.isneginf(array).any():
            raise ValueError(
                f"{name} must be finite, got -inf: a masked class has no "
                "high-temperature limit"
            )
    return pair


def _read_pair(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    temperature: float,
    axis: int,
    name: str = "student_logits",
) -> _Pair:
    """Return both logits in the precision of the first, class axis last, and T."""
    scores = as_logits(logits, name, axis)
    if np.iscomplexobj(scores):
        raise ValueError(f"{name} must be real, got an array of {scores.dtype}")
    teacher = as_logits_like(teacher_logits, scores, "teacher_logits", axis)
    return _Pair(scores, teacher, as_temperature(temperature, scores.dtype))


def _divisor(reduction: str, logits: Array) -> int:
    """Return N for "batchmean", N C for "mean" and 1 for "sum" and "none"."""
    divisor = row_divisor(reduction, logits)
    return divisor * logits.shape[-1] if reduction == "mean" else divisor


def _hard_reduction(reduction: str) -> str:
    """Return the name under which `cross_entropy` knows the reduction."""
    return "mean" if reduction == "batchmean" else reduction


def _soft_weight(alpha: float | None, labels: ArrayLike | None) -> float:
    """Return alpha, or its default: 0.5 where there is a hard part, else 1."""
    if alpha is None:
        return 1.0 if labels is None else 0.5
    value = np.asarray(alpha)
    if value.ndim != 0 or value.dtype.kind not in "iuf" or not 0 <= value <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha!r}")
    return float(alpha)


def _row_gradients(pair: _Comparison) -> Array:
    """Return T dKL/dz = q - p for each row."""
    return pair.difference


def _teacher_row_gradients(pair: _Comparison) -> Array:
    """Return T dKL/dv = p (log(p/q) - KL) for each row."""
    weighted = pair.teacher_probs > 0
    log_ratio = np.where(weighted, pair.log_ratio, 0)
    if np.isneginf(log_ratio).any():
        raise ValueError(
            "student_logits must not mask (-inf) a class to which the teacher gives "
            "weight: the loss is infinite there, and has no gradient"
        )
    # The Jacobian ignores a shift. This one keeps the mean small where p is sharp.
    shifted = _counted_from_largest(log_ratio, pair.teacher_probs)
    return times_jacobian(pair.teacher_probs, -shifted)


def _row_divergences(pair: _Comparison, factor: float = 1.0) -> Array:
    """Return KL(p || q) times factor^2, for each row.

    The terms are p (e^x - 1 - x) = q - p - p x, with x = log(q/p). A factor T goes
    to x before x is squared, so that T^2 KL does not underflow where KL does.
    """
    close = np.abs(pair.log_ratio) <= 1
    x = np.where(close, pair.log_ratio, 0)
    near = pair.teacher_probs * (factor * x) ** 2 * _square_free_part(x)
    with np.errstate(invalid="ignore", over="ignore"):  # p = 0 times log(q/p) = inf
        product = pair.teacher_probs * pair.log_ratio
        product = np.where(pair.teacher_probs == 0, 0, product)
        far = (pair.difference - product) * factor * factor
    return np.where(close, near, far).sum(axis=-1)


def _square_free_part(x: Array) -> Array:
    """Return (e^x - 1 - x)/x^2 for |x| <= 1, by its series.

    That is 1/2 (1 + x/3 (1 + x/4 (1 + ...))); 2/20! is below the rounding error.
    """
    nested = np.ones_like(x)
    for divisor in range(20, 2, -1):
        nested = 1 + x / divisor * nested
    return nested / 2


def _centred(values: Array) -> Array:
    """Return the values minus their mean along the last axis."""
    return values - values.mean(axis=-1, keepdims=True)


def _range(values: Array) -> Array:
    """Return the largest minus the smallest value along the last axis."""
    return values.max(axis=-1) - values.min(axis=-1)
