"""Distillation: Kullback-Leibler divergence, its gradients, the limit of large T."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from . import _kernels
from ._inputs import (
    Array,
    DistillationReduction,
    Loss,
    UncheckedPair,
    as_fraction,
    as_targets,
    check_choice,
    read_unchecked_pair,
    restore_axis,
)
from ._kernels import Scale
from ._kernels.accurate import rounded_like
from ._reductions import hard_reduction, reduce_losses, row_divisor, soft_divisor
from ._signatures import keywords_named


@keywords_named
def kl_divergence(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    *,
    temperature: float = 1.0,
    reduction: DistillationReduction = "batchmean",
    axis: int = -1,
) -> Loss:
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
        the number of rows N, over N C, over 1, or one divergence per row.
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
        If a logit of either is NaN or +inf, a row is all -inf, there is no class, the
        shapes differ; T is not positive and finite; `axis` is not an axis; the
        reduction is not one of the four, or a mean has no rows.

    Notes
    -----
    .. math:: \mathrm{KL}(p \,\|\, q) = \sum_j p_j \log\frac{p_j}{q_j}
        = \sum_j p_j \bigl(e^{\delta_j} - 1 - \delta_j\bigr),
        \qquad \delta_j = \log\frac{q_j}{p_j}

    A class with p_j = 0 counts as 0 in the first sum, and as q_j in the second, which
    is computed: it adds q_j - p_j, which is 0 in total, and then no term is negative,
    so nothing cancels. The cross-entropy of q against p is KL(p || q) plus the
    entropy of p, which does not depend on z.

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural
    network", arXiv:1503.02531, 2015.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> z, v = [2.0, 0.5, -1.0], [1.0, 2.5, -2.0]
    >>> round(float(sg.kl_divergence(z, v, temperature=2.0)), 6)
    0.272677
    """
    pair = read_unchecked_pair(student_logits, teacher_logits, temperature, axis)
    return rounded_like(_divergence(pair, reduction), pair.logits)


@keywords_named
def kl_divergence_gradient(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    *,
    temperature: float = 1.0,
    reduction: DistillationReduction = "batchmean",
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
        If a logit of either is NaN or +inf, a row is all -inf, there is no class, the
        shapes differ; T is not positive and finite; `axis` is not an axis; the
        reduction is not one of the four, or a mean has no rows.

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
    >>> z, v = [2.0, 0.5, -1.0], [1.0, 2.5, -2.0]
    >>> sg.kl_divergence_gradient(z, v, temperature=2.0).round(4)
    array([ 0.1452, -0.1776,  0.0324])
    """
    pair = read_unchecked_pair(student_logits, teacher_logits, temperature, axis)
    scale = _soft_scale(pair, reduction, 1.0, temperature_squared=False)
    gradient = _kernels.kl_divergence_gradient(*pair, scale)
    return restore_axis(gradient, axis)


@keywords_named
def distillation_loss(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    temperature: float = 1.0,
    alpha: float | None = None,
    temperature_squared: bool = True,
    reduction: DistillationReduction = "batchmean",
    axis: int = -1,
) -> Loss:
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
        N C, by 1, or left as one value per row; the hard part by N, N, 1 and 1.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    loss : scalar, or ndarray of shape (...) for "none"
        In the precision of the student's logits.

    Raises
    ------
    ValueError
        If a logit of either is NaN or +inf, a row is all -inf, there is no class, the
        shapes differ; the labels have another shape, are negative or not finite, or
        hold an index out of range; T is not positive and finite; alpha is not from 0 to
        1; `axis` is not an axis; the reduction is not one of the four, or a mean has no
        rows.

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
    >>> z, v = [2.0, 0.5, -1.0], [1.0, 2.5, -2.0]
    >>> loss = sg.distillation_loss(z, v, labels=1, temperature=2.0)
    >>> round(float(loss), 6)
    1.41601
    """
    pair, answers, weight = _read(
        student_logits, teacher_logits, labels, temperature, alpha, axis
    )
    factor = pair.temperature if temperature_squared else 1.0
    loss = _weighted(weight, _divergence(pair, reduction, factor))
    if answers is not None:
        hard = hard_reduction(reduction)
        losses = _kernels.cross_entropy(pair.logits, answers, 1.0)
        divisor = row_divisor(hard, pair.logits)
        loss = loss + _weighted(1 - weight, reduce_losses(losses[()], hard, divisor))
    return rounded_like(loss, pair.logits)


@keywords_named
def distillation_loss_gradient(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    temperature: float = 1.0,
    alpha: float | None = None,
    temperature_squared: bool = True,
    reduction: DistillationReduction = "batchmean",
    axis: int = -1,
    with_respect_to: Literal["student", "teacher"] = "student",
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
        If a logit of either is NaN or +inf, a row is all -inf, there is no class, the
        shapes differ; the labels have another shape, are negative or not finite, or
        hold an index out of range; T is not positive and finite; alpha is not from 0 to
        1; `with_respect_to` is another name, or is "teacher" where the student masks a
        class to which the teacher gives weight, so that the loss is infinite; `axis` is
        not an axis; the reduction is not one of the four, or a mean has no rows.

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
    ...     [2.0, 0.5, -1.0], [1.0, 2.5, -2.0], labels=1, temperature=2.0
    ... ).round(4)
    array([ 0.6832, -0.7676,  0.0844])
    """
    check_choice(with_respect_to, ("student", "teacher"), "with_respect_to")
    pair, answers, weight = _read(
        student_logits, teacher_logits, labels, temperature, alpha, axis
    )
    scale = _soft_scale(pair, reduction, weight, temperature_squared)
    if with_respect_to == "teacher":
        gradient = _kernels.teacher_gradient(*pair, scale)
        return restore_axis(gradient, axis)
    gradient = _kernels.kl_divergence_gradient(*pair, scale)
    if answers is not None:
        divisor = row_divisor(hard_reduction(reduction), pair.logits)
        hard = _kernels.cross_entropy_gradient(pair.logits, answers, 1.0, divisor)
        hard *= 1 - weight
        gradient += hard
    return restore_axis(gradient, axis)


@keywords_named
def distillation_value_and_gradient(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    temperature: float = 1.0,
    alpha: float | None = None,
    temperature_squared: bool = True,
    reduction: DistillationReduction = "batchmean",
    axis: int = -1,
) -> tuple[Loss, Array]:
    r"""Return `distillation_loss` and its gradient in the student's logits.

    Let z denote the `student_logits` and v the `teacher_logits`, both of shape
    (..., C) with the C classes along `axis`, T the `temperature`,
    q = softmax(z/T), p = softmax(v/T) and H the cross-entropy of softmax(z), at
    temperature 1, against the `labels` t. What the two functions share is computed
    once.

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
        Whether the soft part has the factor T^2.
    reduction : {"batchmean", "mean", "sum", "none"}, default "batchmean"
        As in `distillation_loss`.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    loss : scalar, or ndarray of shape (...) for "none"
    gradient : ndarray, shape (..., C)
        In the precision of the student's logits. Each row sums to zero.

    Raises
    ------
    ValueError
        As `distillation_loss`.

    Notes
    -----
    .. math::
        L = \alpha\,T^2\,\mathrm{KL}(p \,\|\, q) + (1 - \alpha)\,H, \qquad
        \frac{\partial L}{\partial z} = \alpha\,T\,(q - p)
        + (1 - \alpha)\bigl(\operatorname{softmax}(z)
        \textstyle\sum_j t_j - t\bigr)

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural
    network", arXiv:1503.02531, 2015, section 2.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> loss, gradient = sg.distillation_value_and_gradient(
    ...     [2.0, 0.5, -1.0], [1.0, 2.5, -2.0], labels=1, temperature=2.0
    ... )
    >>> round(float(loss), 6), gradient.round(4)
    (1.41601, array([ 0.6832, -0.7676,  0.0844]))
    """
    pair, answers, weight = _read(
        student_logits, teacher_logits, labels, temperature, alpha, axis
    )
    factor = pair.temperature if temperature_squared else 1.0
    scale = _soft_scale(pair, reduction, weight, temperature_squared)
    losses, gradient = _kernels.kl_divergence_value_and_gradient(*pair, factor, scale)
    divisor = soft_divisor(reduction, pair.logits)
    loss = _weighted(weight, reduce_losses(losses[()], reduction, divisor))
    if answers is not None:
        hard = hard_reduction(reduction)
        divisor = row_divisor(hard, pair.logits)
        hard_loss, hard_gradient = _kernels.cross_entropy_value_and_gradient(
            pair.logits, answers, 1.0, hard, divisor
        )
        loss = loss + _weighted(1 - weight, hard_loss)
        hard_gradient *= 1 - weight
        gradient += hard_gradient
    return rounded_like(loss, pair.logits), restore_axis(gradient, axis)


def _read(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    labels: ArrayLike | None,
    temperature: float,
    alpha: float | None,
    axis: int,
) -> tuple[UncheckedPair, Array | None, float]:
    """Return the logits and T, the labels or weights t, and alpha or its default."""
    weight = 1.0 if labels is None else 0.5
    if alpha is not None:
        weight = as_fraction(alpha, "alpha")
    pair = read_unchecked_pair(student_logits, teacher_logits, temperature, axis)
    if labels is None:
        return pair, None, weight
    return pair, as_targets(labels, pair.logits, axis, "labels"), weight


def _weighted(weight: float, loss: Any) -> Any:
    """Return a part of the loss times its weight: 0 if that is 0, and the loss inf."""
    return loss * weight if weight else np.zeros_like(loss)


def _soft_scale(
    pair: UncheckedPair, reduction: str, weight: float, temperature_squared: bool
) -> Scale:
    """Return by what q - p is multiplied and divided: alpha T^2 / (T divisor)."""
    divisor = soft_divisor(reduction, pair.logits)
    if temperature_squared:
        return Scale(weight * pair.temperature, divisor)
    return Scale(weight, divisor, pair.temperature)


def _divergence(pair: UncheckedPair, reduction: str, factor: float = 1.0) -> Any:
    """Return factor^2 KL(p || q), reduced, in float64."""
    divisor = soft_divisor(reduction, pair.logits)
    losses = _kernels.kl_divergence(*pair, factor)
    return reduce_losses(losses[()], reduction, divisor)
