"""Three independent ways to check a derivative against the function itself."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._inputs import Array, as_point, as_step, shown
from ._signatures import keywords_named

Function = Callable[[Array], ArrayLike]


class TaylorTest(NamedTuple):
    """How fast the Taylor remainder vanishes, as `taylor_test` returns it.

    Attributes
    ----------
    order : float
        The slope of log r against log h between the largest and the smallest step.
    steps : numpy.ndarray
        The steps h.
    remainders : numpy.ndarray
        The remainders r, one for each step.
    """

    order: float
    steps: Array
    remainders: Array


@keywords_named
def finite_difference(
    function: Function, point: ArrayLike, *, step: float = 6e-6
) -> Array:
    r"""Return the derivative of a function by central differences.

    Let f denote the `function`, x the `point` and h the `step`. The result D has
    the shape of f(x) followed by the shape of x: D[..., k] is the derivative of
    f(x) with respect to x[k].

    Parameters
    ----------
    function : callable
        Takes an array of the shape of x and returns a number or an array.
    point : array_like
        x, a real array. It is computed in float64: in float32 the rounding error
        of f divided by h can be larger than the derivative.
    step : float, default 6e-6
        h. The default is near the cube root of the float64 rounding unit, where
        the error of the formula, of order h^2, meets the rounding error, of
        order 1e-16/h.

    Returns
    -------
    derivative : ndarray, shape (value shape) + (point shape)

    Raises
    ------
    ValueError
        If `point` is not real and finite, or `step` is not positive and finite or
        is lost when it is added to the point.

    Notes
    -----
    .. math:: D_k = \frac{f(x + h e_k) - f(x - h e_k)}{2h}

    The distance 2h is taken between the two points after they were rounded. One
    entry is moved at a time. To move all logits together would show nothing:
    softmax does not change.

    References
    ----------
    J. R. R. A. Martins, P. Sturdza and J. J. Alonso, "The complex-step derivative
    approximation", ACM Trans. Math. Softw. 29, 2003.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> loss = lambda z: sg.cross_entropy(z, 1)
    >>> sg.finite_difference(loss, [-1., -1., 1.]).round(8)
    array([ 0.10650698, -0.89349302,  0.78698604])
    """
    x = as_point(point)
    step = as_step(step)

    def difference(entry: tuple[int, ...]) -> Array:
        above, below = x.copy(), x.copy()
        above[entry] += step
        below[entry] -= step
        distance = above[entry] - below[entry]
        if distance == 0:
            raise ValueError(
                f"step must be large enough to change {x[entry]}, got {step!r}"
            )
        # A copy: a function may return the same buffer each time.
        value_above = np.array(function(above))
        return np.asarray((value_above - np.asarray(function(below))) / distance)

    columns = [difference(entry) for entry in np.ndindex(x.shape)]
    return _join_columns(columns, x.shape)


@keywords_named
def complex_step(
    function: Function, point: ArrayLike, *, step: float = 1e-100
) -> Array:
    r"""Return the derivative of an analytic function by a step along the i-axis.

    Let f denote the `function`, x the `point` and h the `step`. The result D has
    the shape of f(x) followed by the shape of x, as for `finite_difference`.

    Parameters
    ----------
    function : callable
        Takes a complex array of the shape of x and computes with complex numbers
        throughout. `softmax`, `log_softmax` and `cross_entropy` do.
    point : array_like
        x, a real array.
    step : float, default 1e-100
        h. No difference is taken, so nothing cancels and h can be tiny.

    Returns
    -------
    derivative : ndarray, shape (value shape) + (point shape)
        Accurate to rounding error.

    Raises
    ------
    ValueError
        If `point` is not real and finite, or `step` is not positive and finite,
        or the function returned a real value (it dropped the imaginary part).

    Notes
    -----
    .. math:: D_k = \frac{\operatorname{Im} f(x + i h e_k)}{h}

    References
    ----------
    W. Squire and G. Trapp, "Using complex variables to estimate derivatives of
    real functions", SIAM Review 40, 1998.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.complex_step(lambda z: sg.cross_entropy(z, 1), [-1., -1., 1.]).round(8)
    array([ 0.10650698, -0.89349302,  0.78698604])
    """
    x = as_point(point)
    step = as_step(step)

    def moved(entry: tuple[int, ...]) -> Array:
        there = x.astype(complex)
        there[entry] += step * 1j
        value = np.asarray(function(there))
        if not np.iscomplexobj(value):
            raise ValueError(
                "function must return complex values for a complex point, "
                f"got {value.dtype}"
            )
        return value

    columns = [moved(entry).imag / step for entry in np.ndindex(x.shape)]
    return _join_columns(columns, x.shape)


@keywords_named
def taylor_test(
    function: Function,
    gradient: Function,
    point: ArrayLike,
    *,
    direction: ArrayLike | None = None,
    steps: ArrayLike = (1e-1, 1e-2, 1e-3),
) -> TaylorTest:
    r"""Measure the order at which the first-order Taylor remainder vanishes.

    Let f denote the `function`, g the `gradient` that is claimed for it, x the
    `point`, d the `direction` and h each of the `steps`. The order is about 2
    when g is the gradient of f and about 1 when it is not.

    Parameters
    ----------
    function : callable
        f, from an array of the shape of x to one number.
    gradient : callable
        g, from an array of the shape of x to one of the same shape.
    point : array_like
        x, a real array.
    direction : array_like, optional
        d, of the shape of x. By default a fixed random direction. A direction of
        equal entries shows nothing for softmax, and one along which the second
        derivative is zero gives an order above 2.
    steps : array_like, default (1e-1, 1e-2, 1e-3)
        h, decreasing. Below about 1e-6 rounding hides the remainder.

    Returns
    -------
    result : TaylorTest
        `.order`, the slope of log r against log h between the largest and the
        smallest step, with `.steps` h and `.remainders` r. The order is infinite
        if a remainder is exactly zero.

    Raises
    ------
    ValueError
        If `point` or `direction` is not real and finite, their shapes differ, or
        there are fewer than two positive decreasing steps. Also if `function` does
        not return one finite number, or `gradient` another shape than x.

    Notes
    -----
    .. math:: r(h) = |f(x + h d) - f(x) - h \langle g(x), d\rangle|

    References
    ----------
    A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM, 2008.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> loss = lambda z: sg.cross_entropy(z, 1)
    >>> right = lambda z: sg.cross_entropy_gradient(z, 1)
    >>> round(sg.taylor_test(loss, right, [-1.0, -1.0, 1.0]).order, 1)
    2.0
    """
    x = as_point(point)
    if direction is None:
        d = np.random.default_rng(0).standard_normal(x.shape)
    else:
        d = as_point(direction, "direction")
        if d.shape != x.shape:
            raise ValueError(
                f"direction must have the point's shape {x.shape}, got {d.shape}"
            )
    h = as_point(steps, "steps")
    decreasing = h.ndim == 1 and h.size >= 2 and (np.diff(h) < 0).all()
    if not (decreasing and (h > 0).all()):
        raise ValueError(
            "steps must be at least two positive decreasing numbers, "
            f"got {shown(steps)}"
        )
    claimed = np.asarray(gradient(x))
    if claimed.shape != x.shape:
        raise ValueError(
            f"gradient must return the point's shape {x.shape}, got {claimed.shape}"
        )
    start, slope = _number(function(x)), float((claimed * d).sum())
    remainders = np.array(
        [abs(_number(function(x + k * d)) - start - k * slope) for k in h]
    )
    if not np.isfinite(remainders).all():
        raise ValueError(
            "function and gradient must be finite near the point, "
            f"got remainders {remainders}"
        )
    if (remainders == 0).any():
        order = np.inf
    else:
        order = np.log(remainders[0] / remainders[-1]) / np.log(h[0] / h[-1])
    return TaylorTest(float(order), h, remainders)


def _number(value: ArrayLike) -> float:
    """Return the value of a function as a float, or raise a ValueError."""
    array = np.asarray(value)
    if array.ndim != 0:
        raise ValueError(
            f"function must return one number, got an array of shape {array.shape}"
        )
    return float(array)


def _join_columns(columns: list[Array], shape: tuple[int, ...]) -> Array:
    """Put the derivatives with respect to single entries along trailing axes."""
    joined = np.stack(columns, axis=-1)
    return joined.reshape(columns[0].shape + shape)
