"""Independent ways to check a derivative against the function itself."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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


@dataclass(frozen=True, eq=False)
class Comparison:
    """The result of `compare`: a claimed gradient beside the measured one.

    Attributes
    ----------
    agree : bool
        Whether every entry of the two is equal, up to `tolerance`.
    method : str
        How the derivative of the loss was measured: "complex step" or "central
        differences".
    worst : tuple of int
        The index of the entry that is furthest off.
    claimed : float
        That entry of your gradient.
    measured : float
        That entry of the derivative of your loss.
    factor : float or None
        What the measured derivative is to be multiplied by to give your gradient, if
        there is one such number for all entries and it is not 1.
    order : float
        The order of the Taylor remainder, as from `taylor_test`: near 2 for the
        gradient of a curved loss, near 1 where a large error is not orthogonal to
        the direction.
    point : numpy.ndarray
        Where the two were compared.
    gradient : numpy.ndarray
        All entries of yours, of the point's shape.
    derivative : numpy.ndarray
        All entries that were measured.
    tolerance : float
        The difference that counts as rounding, for this method and precision: a
        share of the largest entry, or of the change of the loss over a distance of
        one where that is larger, as it is near a minimum.
    """

    agree: bool
    method: str
    worst: tuple[int, ...]
    claimed: float
    measured: float
    factor: float | None
    order: float
    point: Array
    gradient: Array
    derivative: Array
    tolerance: float

    def __str__(self) -> str:
        """Return the comparison for a terminal."""
        if self.agree:
            first = "Your gradient is the derivative of your loss here."
        elif self.factor == 0:
            first = "Your gradient is zero, and the derivative of your loss is not."
        elif self.factor is not None:
            first = (
                f"Your gradient is {self.factor:.6g} times the derivative of your "
                f"loss{self._size_of_factor()}."
            )
        else:
            first = "Your gradient is not the derivative of your loss."
        entry = ", ".join(map(str, self.worst))
        return "\n".join(
            (
                first,
                f"  worst entry   [{entry}]",
                f"  yours         {self.claimed:.10g}",
                f"  measured      {self.measured:.10g}, by {self.method}",
                f"  Taylor order  {self.order:.2f} "
                "(2 for a gradient, near 1 for a large error)",
            )
        )

    # A comparison at the prompt is read, not copied.
    __repr__ = __str__

    def _size_of_factor(self) -> str:
        """Return what the factor is in terms of the point's shape, in words."""
        shape = self.point.shape
        if len(shape) < 2 or self.factor is None:
            return ""
        names = {"the number of rows": shape[0], "the number of columns": shape[-1]}
        for name, size in names.items():
            for words, value in ((name, size), (f"one over {name}", 1 / size)):
                if size > 1 and np.isclose(abs(self.factor), value, rtol=1e-4):
                    sign = "minus " if self.factor < 0 else ""
                    return f": {sign}{words}"
        return ""


@keywords_named
def compare(
    loss: Function,
    gradient: Function,
    *,
    point: ArrayLike | None = None,
    shape: tuple[int, ...] = (3, 4),
    seed: int = 0,
) -> Comparison:
    r"""Tell whether a gradient belongs to a loss, whatever the two are.

    Let f denote the `loss`, g the `gradient` that you claim for it and x the `point`.
    No formula of this book is used: f is differentiated in numbers and g(x) is held
    against the result, entry by entry.

    Parameters
    ----------
    loss : callable
        f, from an array of the shape of x to one number.
    gradient : callable
        g, from an array of the shape of x to one of the same shape.
    point : array_like, optional
        x, a real array. By default normally distributed numbers of the shape `shape`:
        a point of equal entries, or one where f is smallest, can hide a mistake.
    shape : tuple of int, default (3, 4)
        The shape of x where no point is given.
    seed : int, default 0
        Chooses x where no point is given.

    Returns
    -------
    comparison : Comparison
        It prints itself: whether they agree, the worst entry with both numbers, the
        factor between them if there is one, and the Taylor order.

    Raises
    ------
    ValueError
        If `point` is not real and finite, `shape` has no entries, f does not return
        one finite number or g not one finite real array of the shape of x.

    Notes
    -----
    The derivative is taken by `complex_step` if f computes with complex numbers
    and the result agrees with central differences: a function such as an absolute
    value gives something else for a complex point. Otherwise it is taken by
    `finite_difference`, with a larger step where f returns float32 or float16. Both
    move one entry at a time, so f is called about three times for each entry of x.

    Agreement at one point does not prove agreement at all: choose other points with
    `seed`. At a kink of f, such as that of an absolute value at 0, there is no
    derivative to agree with.

    References
    ----------
    J. R. R. A. Martins, P. Sturdza and J. J. Alonso, "The complex-step derivative
    approximation", ACM Trans. Math. Softw. 29, 2003.

    Examples
    --------
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> targets = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    >>> loss = lambda z: sg.cross_entropy(z, targets)
    >>> summed = lambda z: sg.softmax(z) - targets
    >>> sg.compare(loss, summed, shape=(2, 3))
    Your gradient is 2 times the derivative of your loss: the number of rows.
      worst entry   [1, 2]
      yours         -0.3415551717
      measured      -0.1707775859, by complex step
      Taylor order  0.99 (2 for a gradient, near 1 for a large error)
    >>> sg.compare(loss, lambda z: summed(z) / 2, shape=(2, 3)).agree
    True
    """
    if point is None:
        x = np.random.default_rng(seed).standard_normal(shape)
        if x.size == 0:
            raise ValueError(f"shape must have entries, got {shape!r}")
    else:
        x = as_point(point)
    value = np.asarray(loss(x.copy()))
    if not np.isfinite(_number(value)):
        raise ValueError(f"loss must be finite at the point, got {value}")
    claimed = np.array(gradient(x.copy()))
    if claimed.shape != x.shape or claimed.dtype.kind not in "iuf":
        raise ValueError(
            f"gradient must return real numbers of the point's shape {x.shape}, "
            f"got {claimed.dtype} of shape {claimed.shape}"
        )
    if not np.isfinite(claimed).all():
        raise ValueError(f"gradient must be finite at the point, got {claimed}")
    measured, method, share, noise = _measured(loss, x, value)
    share = max(share, _rounding(claimed.dtype))
    largest = max(float(np.abs(claimed).max()), float(np.abs(measured).max()))
    tolerance = share * max(largest, _change(loss, x, float(value))) + noise
    errors = np.abs(claimed - measured)
    worst = tuple(map(int, np.unravel_index(errors.argmax(), x.shape)))
    agree = bool(errors.max() <= tolerance)
    return Comparison(
        agree=agree,
        method=method,
        worst=worst,
        claimed=float(claimed[worst]),
        measured=float(measured[worst]),
        factor=None if agree else _factor(claimed, measured, tolerance),
        order=taylor_test(
            loss, lambda there: claimed, x, steps=_TAYLOR_STEPS[_size(value.dtype)]
        ).order,
        point=x,
        gradient=claimed,
        derivative=measured,
        tolerance=tolerance,
    )


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
    `point`, d the `direction` and h each of the `steps`. As h falls the order tends
    to 2 when g is the gradient of f, and to 1 when its error has a product with d
    that is not zero.

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

    At finite steps there is no sharp limit. With the default ones a gradient of length
    near 1 that is wrong by one part in a hundred has an order near 1.1, and one that
    is wrong by one part in ten thousand 1.8. An error orthogonal to d is not seen at
    all: take several directions, or compare all entries with `finite_difference`.

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


# Of central differences at the default step, of a function in float64 or less.
_STEPS = {8: 6e-6, 4: 5e-3, 2: 5e-2}
_ERRORS = {8: 1e-6, 4: 5e-3, 2: 5e-2}
# Each large enough for its remainder to stand out of the rounding of the loss.
_TAYLOR_STEPS = {8: (1e-2, 1e-3, 1e-4), 4: (1e-1, 3e-2, 1e-2), 2: (1.0, 0.5, 0.25)}


def _size(precision: np.dtype[Any]) -> int:
    """Return the bytes of the numbers that a loss is computed in, at most 8."""
    return min(precision.itemsize, 8) if precision.kind == "f" else 8


def _rounding(precision: np.dtype[Any]) -> float:
    """Return the relative error that rounding may leave in a gradient."""
    return {2: 1e-2, 4: 1e-4}.get(precision.itemsize, 1e-9)


def _change(loss: Function, x: Array, value: float) -> float:
    """Return by how much a loss changes over a distance of one, if it is finite."""
    direction = np.random.default_rng(1).standard_normal(x.shape)
    there = _number(loss(x + direction / np.linalg.norm(direction)))
    return abs(there - value) if np.isfinite(there) else 0.0


def _measured(
    loss: Function, x: Array, value: Array
) -> tuple[Array, str, float, float]:
    """Return the derivative, how it was taken, its relative and its absolute error.

    The absolute one is the rounding of the loss itself, divided by the step.
    """
    size = _size(value.dtype)
    differences = finite_difference(
        lambda there: np.asarray(_number(loss(there))), x, step=_STEPS[size]
    )
    if not np.isfinite(differences).all():
        raise ValueError("loss must be finite near the point, got NaN or infinity")
    error = _ERRORS[size]
    unit = float(np.finfo(f"f{size}").eps)
    noise = 4 * unit * abs(float(value)) / _STEPS[size]
    exact = _by_complex_step(loss, x)
    scale = float(np.abs(differences).max())
    if exact is not None and np.abs(exact - differences).max() <= error * scale + noise:
        return exact, "complex step", _rounding(np.dtype(float)), 0.0
    return differences, "central differences", error, noise


def _by_complex_step(loss: Function, x: Array) -> Array | None:
    """Return the derivative by complex steps, or None where the loss takes none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # that an imaginary part was discarded
            exact = complex_step(loss, x)
    except Exception:  # the loss is not ours, and was not written for such a point
        return None
    return exact if exact.shape == x.shape and np.isfinite(exact).all() else None


def _factor(claimed: Array, measured: Array, tolerance: float) -> float | None:
    """Return the number that the claimed gradient is too large by, if there is one."""
    size = float((measured * measured).sum())
    if size == 0:
        return None
    factor = float((claimed * measured).sum()) / size
    scale = float(np.abs(claimed).max())
    off = float(np.abs(claimed - factor * measured).max())
    # A rest that is all rounding has no direction, and so no factor.
    return factor if off <= tolerance < scale or scale == 0 else None
