"""The cross-entropy of softmax, and its gradients in the logits and in T."""

import numpy as np
from numpy.typing import ArrayLike

from . import _kernels
from ._inputs import (
    Array,
    Check,
    Loss,
    Reduction,
    as_logits,
    as_logits_like,
    as_targets,
    as_temperature,
    as_unchecked_logits,
    as_unchecked_targets,
    check_out,
    class_axis_last,
    restore_axis,
    shown,
)
from ._kernels.accurate import rounded_like
from ._reductions import reduce_losses, row_divisor
from ._signatures import keywords_named
from ._weighted import Options, WeightedRows, are_defaults, read_weighted_rows


@keywords_named
def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    axis: int = -1,
    label_smoothing: float = 0.0,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    allow_negative_weights: bool = False,
) -> Loss:
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
        The mean of the rows' losses, their sum, or one loss per row. The mean is
        weighted; see the notes.
    axis : int, default -1
        The axis of the classes.
    label_smoothing : float, default 0.0
        A number eps from 0 to 1: t becomes (1 - eps) t + eps/C, also for the e_y of
        a class index.
    class_weights : array_like, shape (C,), optional
        Nonnegative weights w: t_j becomes w_j t_j, after the smoothing.
    sample_weights : array_like, shape (...), optional
        Nonnegative weights s, by which the rows' losses are multiplied.
    ignore_index : int, optional
        Rows with this label, such as -100, have the loss 0 and the gradient 0 and
        count in no mean. Only with class indices.
    allow_negative_weights : bool, default False
        Whether targets, class weights and sample weights may be negative, as the
        advantages of REINFORCE are.

    Returns
    -------
    loss : scalar, or ndarray of shape (...) for "none"
        In the precision of the logits. It is inf where a masked class has weight.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class; the targets
        have another shape, are negative or not finite, are integers of the logits'
        shape that are not one-hot, or hold an index out of range; T is not positive and
        finite; `axis` is not an axis; the reduction is not one of the three, or a mean
        has no rows; the smoothing is not from 0 to 1; weights have another shape, are
        not finite, or are negative without `allow_negative_weights`; `ignore_index` is
        no integer, or the targets are no class indices; the rows' weights in a mean
        are negative or have no positive, finite sum; or infinite losses of both signs
        are added.

    Notes
    -----
    .. math:: L = -\sum_j t_j \log q_j

    A weight of 0 on a class of probability 0 counts as 0.

    The mean is the sum of the rows' weighted losses over the sum of the rows' weights,
    where the weight of a row is its sample weight s (1 if there is none) times, for a
    label y, the class weight w_y (1 if there is none), and 0 if the row is ignored.
    With L_n the loss of row n, class weights included:

    .. math::
        \bar L = \frac{\sum_n s_n L_n}{\sum_n s_n w_{y_n}}
        \quad\text{(labels)}, \qquad
        \bar L = \frac{\sum_n s_n L_n}{\sum_n s_n}
        \quad\text{(targets)}

    So class weights enter the divisor for labels, smoothed or not, and do not enter
    it for targets given as weights. PyTorch's CrossEntropyLoss has the same rule, also
    where its users found it odd. Class weights multiply the smoothed targets, so they
    change where the loss is smallest
    (`pytorch/pytorch#104776 <https://github.com/pytorch/pytorch/issues/104776>`__).
    An ignored row counts in no part of a smoothed loss, nor in its divisor, as in
    PyTorch since two faults were repaired
    (`pytorch/pytorch#73205 <https://github.com/pytorch/pytorch/issues/73205>`__ and
    `pytorch/pytorch#69339 <https://github.com/pytorch/pytorch/issues/69339>`__).
    Where PyTorch has a mean of NaN, because no weight is left, there is a ValueError.

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

    Equal logits of two classes have the loss log 2. The row between them is left
    out, and the labels 0 and 1 weigh 1 and 3:

    >>> logits, labels = [[0.0, 0.0], [5.0, 0.0], [0.0, 0.0]], [0, -100, 1]
    >>> weights = {"class_weights": [1.0, 3.0], "ignore_index": -100}
    >>> sg.cross_entropy(logits, labels, reduction="none", **weights).round(7)
    array([0.6931472, 0.       , 2.0794415])
    >>> round(float(sg.cross_entropy(logits, labels, **weights)), 7)
    0.6931472
    """
    options = (
        label_smoothing,
        class_weights,
        sample_weights,
        ignore_index,
        allow_negative_weights,
    )
    if not are_defaults(*options):
        rows = read_weighted_rows(
            logits, targets, temperature, reduction, axis, Options(*options)
        )
        return rows.loss()
    scores = as_unchecked_logits(logits, axis)
    answers = as_unchecked_targets(targets, scores, axis)
    temperature = as_temperature(temperature, scores.dtype)
    divisor = row_divisor(reduction, scores)
    check = _check_of(logits, targets, axis)
    losses = _kernels.cross_entropy(scores, answers, temperature, check)
    return rounded_like(reduce_losses(losses[()], reduction, divisor), scores)


@keywords_named
def cross_entropy_gradient(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    axis: int = -1,
    label_smoothing: float = 0.0,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    allow_negative_weights: bool = False,
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
        of rows, or by the sum of their weights, as in `cross_entropy`; "sum" and
        "none" give the same array.
    axis : int, default -1
        The axis of the classes.
    label_smoothing : float, default 0.0
        A number eps from 0 to 1: t becomes (1 - eps) t + eps/C, also for the e_y of
        a class index.
    class_weights : array_like, shape (C,), optional
        Nonnegative weights w: t_j becomes w_j t_j, after the smoothing.
    sample_weights : array_like, shape (...), optional
        Nonnegative weights s, by which the rows' losses are multiplied.
    ignore_index : int, optional
        Rows with this label, such as -100, have the loss 0 and the gradient 0 and
        count in no mean. Only with class indices.
    allow_negative_weights : bool, default False
        Whether targets, class weights and sample weights may be negative, as the
        advantages of REINFORCE are.

    Returns
    -------
    gradient : ndarray, shape (..., C)
        In the precision of the logits. Each row sums to zero.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class; the targets
        have another shape, are negative or not finite, are integers of the logits'
        shape that are not one-hot, or hold an index out of range; T is not positive and
        finite; `axis` is not an axis; the reduction is not one of the three, or a mean
        has no rows; the smoothing is not from 0 to 1; weights have another shape, are
        not finite, or are negative without `allow_negative_weights`; `ignore_index` is
        no integer, or the targets are no class indices; or the rows' weights in a mean
        are negative or have no positive, finite sum.

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
    >>> sg.cross_entropy_gradient([0.0, 0.0], 1, label_smoothing=0.2)
    array([ 0.4, -0.4])
    """
    options = (
        label_smoothing,
        class_weights,
        sample_weights,
        ignore_index,
        allow_negative_weights,
    )
    if not are_defaults(*options):
        rows = read_weighted_rows(
            logits, targets, temperature, reduction, axis, Options(*options)
        )
        return rows.gradient()
    scores = as_unchecked_logits(logits, axis)
    answers = as_unchecked_targets(targets, scores, axis)
    temperature = as_temperature(temperature, scores.dtype)
    divisor = row_divisor(reduction, scores)
    check = _check_of(logits, targets, axis)
    gradient = _kernels.cross_entropy_gradient(
        scores, answers, temperature, divisor, check
    )
    return restore_axis(gradient, axis)


@keywords_named
def cross_entropy_value_and_gradient(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
    axis: int = -1,
    label_smoothing: float = 0.0,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    allow_negative_weights: bool = False,
    out: Array | None = None,
) -> tuple[Loss, Array]:
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
        The mean of the rows' losses, their sum, or one loss per row. The mean is
        weighted, as in `cross_entropy`.
    axis : int, default -1
        The axis of the classes.
    label_smoothing : float, default 0.0
        A number eps from 0 to 1: t becomes (1 - eps) t + eps/C, also for the e_y of
        a class index.
    class_weights : array_like, shape (C,), optional
        Nonnegative weights w: t_j becomes w_j t_j, after the smoothing.
    sample_weights : array_like, shape (...), optional
        Nonnegative weights s, by which the rows' losses are multiplied.
    ignore_index : int, optional
        Rows with this label, such as -100, have the loss 0 and the gradient 0 and
        count in no mean. Only with class indices.
    allow_negative_weights : bool, default False
        Whether targets, class weights and sample weights may be negative, as the
        advantages of REINFORCE are.
    out : ndarray, optional
        Where to write the gradient: an array of the logits' shape and precision,
        which may be the logits. Invalid logits or targets may be found only when
        part of another `out` is written.

    Returns
    -------
    loss : scalar, or ndarray of shape (...) for "none"
    gradient : ndarray, shape (..., C)
        `out`, if it was given.

    Raises
    ------
    ValueError
        If a logit is NaN or +inf, a row is all -inf, there is no class; the targets
        have another shape, are negative or not finite, are integers of the logits'
        shape that are not one-hot, or hold an index out of range; T is not positive and
        finite; `axis` is not an axis; the reduction is not one of the three, or a mean
        has no rows; the smoothing is not from 0 to 1; weights have another shape, are
        not finite, or are negative without `allow_negative_weights`; `ignore_index` is
        no integer, or the targets are no class indices; the rows' weights in a mean
        are negative or have no positive, finite sum; infinite losses of both signs are
        added; or `out` is not a writeable array of the logits' shape and precision.

    Notes
    -----
    .. math::
        L = -\sum_j t_j \log q_j, \qquad
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
    options = (
        label_smoothing,
        class_weights,
        sample_weights,
        ignore_index,
        allow_negative_weights,
    )
    if not are_defaults(*options):
        rows = read_weighted_rows(
            logits, targets, temperature, reduction, axis, Options(*options)
        )
        return _written_to(out, rows)
    scores = as_unchecked_logits(logits, axis)
    answers = as_unchecked_targets(targets, scores, axis)
    temperature = as_temperature(temperature, scores.dtype)
    divisor = row_divisor(reduction, scores)
    room = None
    if out is not None:
        check_out(out, restore_axis(scores, axis))
        room = class_axis_last(out, axis)
    check = _check_of(logits, targets, axis)
    loss, gradient = _kernels.cross_entropy_value_and_gradient(
        scores, answers, temperature, reduction, divisor, room, check
    )
    if out is None or room is None:
        return loss, gradient if axis == -1 else restore_axis(gradient, axis)
    if gradient is not room:
        room[...] = gradient
    return loss, out


@keywords_named
def cross_entropy_temperature_gradient(
    logits: ArrayLike,
    targets: ArrayLike | None = None,
    *,
    temperature: float = 1.0,
    teacher_logits: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis: int = -1,
) -> Loss:
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
        The mean of the rows' derivatives, their sum, or one per row.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    derivative : scalar, or ndarray of shape (...) for "none"

    Raises
    ------
    ValueError
        If not exactly one of `targets` and `teacher_logits` is given; a class that has
        weight is masked, or so far below the largest logit that L is infinite; a logit
        is NaN or +inf, a row is all -inf, there is no class; the targets have another
        shape, are negative or not finite, are integers of the logits' shape that are
        not one-hot, or hold an index out of range; T is not positive and finite; `axis`
        is not an axis; the reduction is not one of the three, or a mean has no rows.

    Notes
    -----
    L depends on z and T only through z/T, so T dL/dT = -<z, dL/dz>:

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
    >>> d = sg.cross_entropy_temperature_gradient([-1.0, -1.0, 1.0], 1, temperature=2.0)
    >>> round(float(d), 6)
    -0.288058
    """
    scores = as_unchecked_logits(logits, axis)
    temperature = as_temperature(temperature, scores.dtype)
    divisor = row_divisor(reduction, scores)
    if targets is not None and teacher_logits is None:
        answers = as_unchecked_targets(targets, scores, axis)
        check = _check_of(logits, targets, axis)
        derivatives = _kernels.temperature_derivatives(
            scores, answers, temperature, check
        )
    elif targets is None and teacher_logits is not None:
        teacher = as_logits_like(teacher_logits, scores, "teacher_logits", axis)
        derivatives = _kernels.distillation_temperature_derivatives(
            scores, teacher, temperature, lambda: as_logits(logits, axis=axis)
        )
    else:
        raise ValueError(
            "exactly one of targets and teacher_logits must be given, "
            f"got targets={shown(targets)} and teacher_logits={shown(teacher_logits)}"
        )
    if np.isnan(derivatives).any():
        raise ValueError(
            "logits must not mask a class that has weight, or leave it too far "
            f"below the largest for a finite loss, got {shown(logits)}"
        )
    return rounded_like(reduce_losses(derivatives, reduction, divisor), scores)


def _check_of(logits: ArrayLike, targets: ArrayLike, axis: int) -> Check:
    """Return the check of logits and targets that were read unchecked."""
    return lambda: as_targets(targets, as_logits(logits, axis=axis), axis)


def _written_to(out: Array | None, rows: WeightedRows) -> tuple[Loss, Array]:
    """Return the loss and the gradient, which is in `out` if that was given."""
    room = None
    if out is not None:
        check_out(out, restore_axis(rows.given, rows.axis))
        room = class_axis_last(out, rows.axis)
    loss, gradient = rows.value_and_gradient(room)
    if out is None or room is None:
        return loss, restore_axis(gradient, rows.axis)
    if gradient is not room:
        room[...] = gradient
    return loss, out
