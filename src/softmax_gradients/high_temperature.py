"""What (q - p)/T tends to as the temperature grows, and a bound on the error."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ._inputs import Array, LogitPair, check_choice, read_logit_pair, restore_axis
from ._kernels.accurate import at_least_double
from ._kernels.compensated import finite_or_zero, two_difference
from ._signatures import keywords_named


@keywords_named
def high_temperature_limit(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    *,
    temperature: float = 1.0,
    order: Literal[1, 2] = 1,
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
    >>> z, v = [2.0, 0.5, -1.0], [1.0, 2.5, -2.0]
    >>> sg.high_temperature_limit(z, v, temperature=10.0).round(4)
    array([ 0.0033, -0.0067,  0.0033])
    """
    check_choice(order, (1, 2), "order")
    scores, teacher, temperature = _finite_pair(
        logits, teacher_logits, temperature, axis
    )
    classes = scores.shape[-1]
    # Too large for a float is infinite, too small is 0.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        # Centring z - v, not z and v apart, keeps the digits of a small difference.
        softened = _centred(scores - teacher) / temperature
        limit = softened / classes / temperature
        if order == 2:
            # x^2 - y^2 = (x - y)(x + y), for the centred logits x of z and y of v.
            total = (_centred(scores) + _centred(teacher)) / temperature
            limit += _centred(softened * total) / (2 * classes) / temperature
    return restore_axis(limit, axis)


@keywords_named
def high_temperature_error_bound(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    *,
    temperature: float = 1.0,
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
        If a logit of either is not finite, there is no class, the shapes differ, T is
        not positive and finite, or `axis` is not an axis.

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
    >>> bound = sg.high_temperature_error_bound(z, v, temperature=10.0)
    >>> exact = sg.kl_divergence_gradient(z, v, temperature=10.0)
    >>> limit = sg.high_temperature_limit(z, v, temperature=10.0)
    >>> bool(abs(exact - limit).max() <= bound)
    True
    """
    scores, teacher, temperature = _finite_pair(
        logits, teacher_logits, temperature, axis
    )
    # In float32 a difference of the logits could round away, and the bound with it.
    wide = at_least_double(scores)
    z, v = scores.astype(wide), teacher.astype(wide)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        range_z, range_v = _range(z) / temperature, _range(v) / temperature
        separate = range_z**2 + range_v**2
        together = _range_of_difference(z, v) / temperature * (range_z + range_v)
        # An infinite range times a range of 0 is NaN, and bounds nothing.
        least = np.fmin(separate, together)
        bound = least / (12 * math.sqrt(3)) / temperature
    return _rounded_up(bound, scores)


def _finite_pair(
    logits: ArrayLike, teacher_logits: ArrayLike, temperature: float, axis: int
) -> LogitPair:
    """Return both logits, all finite and class axis last, and T."""
    pair = read_logit_pair(logits, teacher_logits, temperature, axis, "logits")
    for array, name in zip(pair[:2], ("logits", "teacher_logits"), strict=True):
        if np.isneginf(array).any():
            raise ValueError(
                f"{name} must be finite, got -inf: a masked class has no "
                "high-temperature limit"
            )
    return pair


def _centred(values: Array) -> Array:
    """Return the values minus their mean along the last axis."""
    return values - values.mean(axis=-1, keepdims=True)


def _range_of_difference(left: Array, right: Array) -> Array:
    """Return the range of left - right, also where the subtraction rounds it away.

    What it rounds away counts for at most the two largest errors.
    """
    difference, error = two_difference(left, right)
    error = finite_or_zero(error)
    return _range(difference) + 2 * abs(error).max(axis=-1)


def _rounded_up(bound: Array, logits: Array) -> Array:
    """Return a bound in the precision of the logits, never below what it was.

    The arithmetic above rounds at most a dozen times.
    """
    with np.errstate(over="ignore", under="ignore"):
        safe = bound * (1 + 16 * np.finfo(bound.dtype).eps)
        rounded = safe.astype(logits.dtype)
        low = rounded < safe
        above = np.nextafter(rounded, logits.dtype.type(np.inf))
    return np.where(low, above, rounded)


def _range(values: Array) -> Array:
    """Return the largest minus the smallest value along the last axis."""
    return values.max(axis=-1) - values.min(axis=-1)
