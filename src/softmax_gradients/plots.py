"""The look of the book's figures, and the drawings that several pages need."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from numpy.typing import ArrayLike, NDArray

from ._inputs import Array, as_logits_like, as_real_logits, as_temperature, as_weights
from ._softmax import softmax, softmax_jacobian, softmax_jvp
from .distillation import kl_divergence_gradient
from .high_temperature import high_temperature_limit

# Okabe and Ito's blue and vermillion, which colour-blind readers tell apart.
RIGHT = "#0072B2"
WRONG = "#D55E00"
# A grey for text and thin lines, and a paler one for what stays in the background.
NEUTRAL = "#595959"
NEUTRAL_LIGHT = "#B3B3B3"
# Purple below zero, green above: a pair that does not say wrong or right.
DIVERGING = "PRGn"
# The corners of the triangle in which `draw_descent` shows three probabilities.
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])


def use_book_style() -> None:
    """Apply the style sheet of the book to the figures drawn from now on.

    The sheet is part of the package: `matplotlib.style.use("softmax_gradients.book")`
    does the same.

    Examples
    --------
    >>> import matplotlib
    >>> import softmax_gradients as sg
    >>> with matplotlib.rc_context():
    ...     sg.plots.use_book_style()
    ...     matplotlib.rcParams["figure.facecolor"]
    'none'
    """
    style.use(Path(__file__).with_name("book.mplstyle"))


def draw_matrix(
    axes: Axes,
    matrix: ArrayLike,
    *,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    limit: float | None = None,
    decimals: int = 2,
) -> AxesImage:
    """Draw a matrix as a heat map with its numbers, the colour of zero being white.

    Let A denote the `matrix` of shape (R, K). Row 0 is at the top. The sign of an
    entry is its colour, and its size the strength of that colour; each number is
    printed too, so that the map can be read in greyscale.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    matrix : array_like, shape (R, K)
        A, real and finite.
    row_labels, column_labels : sequence of str, optional
        R and K labels. By default none.
    limit : float, optional
        The absolute value that has the strongest colour, by default that of
        the largest entry. Give two maps the same limit to compare them.
    decimals : int, default 2
        Digits after the point.

    Returns
    -------
    image : matplotlib.image.AxesImage
        The heat map, for a colour bar.

    Raises
    ------
    ValueError
        If `matrix` is not a non-empty matrix of finite real numbers, the labels are
        not R and K, `limit` is not positive and finite, or `decimals` is negative.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import softmax_gradients as sg
    >>> axes = Figure().subplots()
    >>> image = sg.plots.draw_matrix(axes, [[0.25, -0.25], [-0.25, 0.25]])
    >>> image.get_clim()
    (-0.25, 0.25)
    """
    entries = np.asarray(matrix)
    if entries.ndim != 2 or entries.size == 0 or entries.dtype.kind not in "iuf":
        raise ValueError(
            "matrix must be a non-empty matrix of real numbers, got an array of "
            f"{entries.dtype} of shape {entries.shape}"
        )
    if not np.isfinite(entries).all():
        raise ValueError(f"matrix must be finite, got {matrix!r}")
    if decimals < 0:
        raise ValueError(f"decimals must not be negative, got {decimals!r}")
    if limit is None:
        # A matrix of zeros has no scale of its own.
        limit = float(np.abs(entries).max()) or 1.0
    elif not (np.isfinite(limit) and limit > 0):
        raise ValueError(f"limit must be positive and finite, got {limit!r}")
    rows, columns = entries.shape
    row_ticks = _ticks(row_labels, rows, "row_labels")
    column_ticks = _ticks(column_labels, columns, "column_labels")

    image = axes.imshow(entries, cmap=DIVERGING, vmin=-limit, vmax=limit)
    axes.set_yticks(range(len(row_ticks)), row_ticks)
    axes.set_xticks(range(len(column_ticks)), column_ticks)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    colours = image.to_rgba(entries)
    for (row, column), value in np.ndenumerate(entries):
        axes.text(
            column,
            row,
            _rounded(float(value), decimals),
            color=_readable_on(colours[row, column]),
            ha="center",
            va="center",
        )
    return image


def label_line(
    axes: Axes,
    line: Line2D,
    text: str,
    *,
    at: float | None = None,
    offset: tuple[float, float] = (6.0, 0.0),
) -> Annotation:
    """Write a label beside a line, in the colour of the line.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The axes of the line.
    line : matplotlib.lines.Line2D
        The line.
    text : str
        The label.
    at : float, optional
        The label stands at the point of the line whose x is nearest to this one. By
        default at the last point.
    offset : (float, float), default (6, 0)
        From that point to the left end and middle height of the label, in points
        (1/72 inch).

    Returns
    -------
    label : matplotlib.text.Annotation

    Raises
    ------
    ValueError
        If `line` has no points or `text` is empty.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import softmax_gradients as sg
    >>> axes = Figure().subplots()
    >>> (line,) = axes.plot([0.0, 1.0, 2.0], [0.0, 1.0, 4.0])
    >>> sg.plots.label_line(axes, line, "square").xy
    (2.0, 4.0)
    """
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    if x.size == 0:
        raise ValueError("line must have at least one point, got none")
    if not text:
        raise ValueError(f"text must not be empty, got {text!r}")
    nearest = -1 if at is None else int(np.argmin(np.abs(x - at)))
    return axes.annotate(
        text,
        (float(x[nearest]), float(y[nearest])),
        xytext=offset,
        textcoords="offset points",
        color=line.get_color(),
        ha="left",
        va="center",
    )


def draw_tug_of_war(
    figure: FigureBase, logits: ArrayLike, targets: ArrayLike
) -> NDArray[Any]:
    r"""Draw the logits with the forces on them, q beside t, and q - t, as bars.

    Let z denote the `logits`, of shape (C,), t the `targets` and q = softmax(z).
    A descent step moves the logit of class i along the arrow at its bar, by an
    amount proportional to t_i - q_i: down by the probability that the class holds,
    and the right class up by what it lacks. These numbers sum to zero.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    logits : array_like, shape (C,)
        z, real and finite.
    targets : int or array_like, shape (C,)
        t, which must sum to one, or the index of the right class.

    Returns
    -------
    axes : numpy.ndarray, shape (3,)
        The axes of the logits, of q and t, and of q - t.

    Raises
    ------
    ValueError
        If the logits are not one row of finite numbers, or the targets do not fit
        them or do not sum to one.

    Notes
    -----
    .. math:: \frac{\partial L}{\partial z} = q - t,
        \qquad \sum_i (q_i - t_i) = 0.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> axes = sg.plots.draw_tug_of_war(Figure(), np.log([1, 2, 3]), 0)
    >>> [text.get_text() for text in axes[2].texts]
    ['−0.83', '0.33', '0.50']
    """  # noqa: RUF002
    z = _one_row(logits, "logits")
    t = _distribution(targets, z)
    q = softmax(z)
    axes = figure.subplots(1, 3)
    _draw_logits(axes[0], z, forces=t - q)
    _draw_probabilities(axes[1], q, t)
    _draw_bars(axes[2], q - t, title="gradient $q - t$", limits=(-1.15, 1.15))
    return axes


def draw_softmax_steps(figure: FigureBase, logits: ArrayLike) -> NDArray[Any]:
    r"""Draw the logits, their exponentials, and the probabilities, as bars.

    Let z denote the `logits`, of shape (C,). The exponentials e^z are positive;
    divided by their sum they are the probabilities q = softmax(z).

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    logits : array_like, shape (C,)
        z, real and finite.

    Returns
    -------
    axes : numpy.ndarray, shape (3,)
        The axes of z, of e^z and of q.

    Raises
    ------
    ValueError
        If the logits are not one row of finite numbers.

    Notes
    -----
    .. math:: q_i = \frac{e^{z_i}}{\sum_j e^{z_j}}.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> axes = sg.plots.draw_softmax_steps(Figure(), np.log([1, 2, 3]))
    >>> [text.get_text() for text in axes[1].texts]
    ['1.00', '2.00', '3.00']
    """
    z = _one_row(logits, "logits")
    weights, q = np.exp(z), softmax(z)
    low, high = min(0.0, float(z.min())), max(0.0, float(z.max()))
    room = 0.2 * max(high - low, 1.0)
    axes = figure.subplots(1, 3)
    limits = (low - room if low else 0.0, high + room)
    _draw_bars(axes[0], z, title="logits $z$", limits=limits, colour=NEUTRAL_LIGHT)
    title = rf"$e^z$, sum {_rounded(float(weights.sum()), 2)}"
    top = 1.2 * float(weights.max())
    _draw_bars(axes[1], weights, title=title, limits=(0, top), colour=NEUTRAL_LIGHT)
    # The bars keep their proportions: only the scale changes.
    title = "divided by the sum: $q$"
    _draw_bars(axes[2], q, title=title, limits=(0, top / float(weights.sum())))
    return axes


def draw_raised_logit(
    figure: FigureBase, logits: ArrayLike, *, raised: int
) -> NDArray[Any]:
    r"""Draw what raising one logit does: one column of the Jacobian of softmax.

    Let z denote the `logits`, of shape (C,), q = softmax(z), j the index `raised`
    and J the Jacobian of q. The arrows at the bars of q show the rates J_ij: that of
    class j is positive, and the others are negative and proportional to their q_i.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    logits : array_like, shape (C,)
        z, real and finite.
    raised : int
        j, from 0 to C - 1.

    Returns
    -------
    axes : numpy.ndarray, shape (3,)
        The axes of the logits, of q, and of J with its column j framed.

    Raises
    ------
    ValueError
        If the logits are not one row of finite numbers, or `raised` is no class.

    Notes
    -----
    .. math:: J_{jj} = q_j (1 - q_j), \qquad J_{ij} = -q_i q_j \quad (i \ne j).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> axes = sg.plots.draw_raised_logit(Figure(), np.log([1, 2, 3]), raised=1)
    >>> [text.get_text() for text in axes[2].texts][1::3]
    ['−0.06', '0.22', '−0.17']
    """  # noqa: RUF002
    z = _one_row(logits, "logits")
    classes = len(z)
    _check_class(raised, classes, "raised")
    q, jacobian = softmax(z), softmax_jacobian(z)
    axes = figure.subplots(1, 3)
    _draw_logits(axes[0], z, forces=np.eye(classes)[raised])
    _draw_bars(axes[1], q, title="probabilities $q$", limits=(0, 1.15))
    # Twice as long as the change, which is at most a quarter.
    _draw_arrows(axes[1], q, 2 * jacobian[:, raised], side=0.34)
    names = [str(index) for index in range(classes)]
    draw_matrix(axes[2], jacobian, row_labels=names, column_labels=names)
    axes[2].set_title("$J_{ij}$: output $i$, input $j$", fontsize=11)
    _frame(axes[2], (raised, 0), (1, classes), colour="black")
    return axes


def draw_rising_logit(
    figure: FigureBase, logits: ArrayLike, *, raised: int, reach: float = 4.0
) -> Axes:
    r"""Draw the probabilities while one logit rises and the others stay.

    Let z denote the `logits`, of shape (C,), j the index `raised` and
    q = softmax(z). The logit z_j runs from `reach` below its value to `reach` above
    it. The probability of class j rises from near 0 towards 1. The others fall and
    keep their ratios to each other. The dots are at z itself.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    logits : array_like, shape (C,)
        z, real and finite.
    raised : int
        j, from 0 to C - 1.
    reach : float, default 4
        How far the logit moves to either side, more than 0.

    Returns
    -------
    axes : matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the logits are not one row of finite numbers, `raised` is no class, or
        `reach` is not positive and finite.

    Notes
    -----
    .. math:: \frac{q_i}{q_k} = e^{z_i - z_k} \quad (i, k \ne j).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> axes = sg.plots.draw_rising_logit(Figure(), np.log([1, 2, 3]), raised=2)
    >>> [text.get_text() for text in axes.texts]
    ['class 0', 'class 1', 'class 2']
    """
    z = _one_row(logits, "logits")
    _check_class(raised, len(z), "raised")
    if not (np.isfinite(reach) and reach > 0):
        raise ValueError(f"reach must be positive and finite, got {reach!r}")
    values = z[raised] + reach * np.linspace(-1, 1, 161)
    rows = np.tile(z, (len(values), 1))
    rows[:, raised] = values
    probs, here = softmax(rows), softmax(z)
    axes = figure.subplots()
    for index, curve in enumerate(probs.T):
        colour = RIGHT if index == raised else NEUTRAL
        (line,) = axes.plot(values, curve, color=colour)
        axes.plot(z[raised], here[index], "o", color=colour)
        # On the side where the curves are far from each other.
        at = None if index == raised else values[0]
        offset = (6.0, 0.0) if index == raised else (0.0, 9.0)
        label_line(axes, line, f"class {index}", at=at, offset=offset)
    axes.set(xlim=(values[0], values[-1]), ylim=(0, 1.02))
    axes.set_xlabel(f"logit $z_{{{raised}}}$")
    axes.set_ylabel("probabilities $q$")
    return axes


def draw_softmax_surface(figure: FigureBase, *, reach: float = 6.0) -> Any:
    r"""Draw the first of three probabilities over the plane of two logits.

    Let z = (z_0, z_1, 0) and q = softmax(z). The height is q_0, for z_0 and z_1
    from `-reach` to `reach`. The surface is steep where two classes compete, and flat
    where one class has nearly all the probability.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    reach : float, default 6
        How far the logits go to either side, more than 0.

    Returns
    -------
    axes : mpl_toolkits.mplot3d.axes3d.Axes3D

    Raises
    ------
    ValueError
        If `reach` is not positive and finite.

    Notes
    -----
    .. math:: q_0 = \frac{e^{z_0}}{e^{z_0} + e^{z_1} + 1}.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import softmax_gradients as sg
    >>> axes = sg.plots.draw_softmax_surface(Figure())
    >>> axes.get_zlabel()
    'probability $q_0$'
    """
    if not (np.isfinite(reach) and reach > 0):
        raise ValueError(f"reach must be positive and finite, got {reach!r}")
    values = np.linspace(-reach, reach, 61)
    first, second = np.meshgrid(values, values, indexing="ij")
    heights = softmax(np.stack([first, second, np.zeros_like(first)], axis=-1))[..., 0]
    axes = figure.add_subplot(projection="3d")
    axes.plot_surface(
        first, second, heights, cmap="cividis", rcount=31, ccount=31, linewidth=0
    )
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
    axes.set(xlabel="logit $z_0$", ylabel="logit $z_1$", zlabel="probability $q_0$")
    axes.set(xticks=[-reach, 0, reach], yticks=[-reach, 0, reach], zticks=[0, 0.5, 1])
    axes.view_init(elev=28, azim=-128)
    axes.set_box_aspect((1.2, 1.2, 0.8), zoom=1.05)
    return axes


def draw_chain_rule_terms(
    figure: FigureBase, logits: ArrayLike, targets: ArrayLike
) -> Axes:
    r"""Draw every term of the chain rule, with its column sums and its diagonal.

    Let z denote the `logits`, of shape (C,), t the `targets`, q = softmax(z) and J
    its Jacobian. The term in row i and column j is the derivative of the loss in
    q_i times J_ij. Added up, column j gives q_j - t_j; the framed diagonal alone
    gives -t_j (1 - q_j), which is wrong.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    logits : array_like, shape (C,)
        z, real and finite.
    targets : int or array_like, shape (C,)
        t, which must sum to one, or the index of the right class.

    Returns
    -------
    axes : matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the logits are not one row of finite numbers, or the targets do not fit
        them or do not sum to one.

    Notes
    -----
    .. math:: -\frac{t_i}{q_i} J_{ij} = t_i q_j - t_i \delta_{ij}.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> axes = sg.plots.draw_chain_rule_terms(Figure(), np.log([1, 2, 3]), 0)
    >>> [text.get_text() for text in axes.texts][-4:]
    ['diagonal only', '−0.83', '0.00', '0.00']
    """  # noqa: RUF002
    z = _one_row(logits, "logits")
    t = _distribution(targets, z)
    terms = np.outer(t, softmax(z)) - np.diag(t)
    classes = len(z)
    axes = figure.subplots()
    names = [str(index) for index in range(classes)]
    draw_matrix(axes, terms, row_labels=names, column_labels=names)
    axes.set(xlabel="input $j$", ylabel="output $i$")
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    for index in range(classes):
        _frame(axes, (index, index), (1, 1), colour=WRONG)
    # The sums and the diagonal stand below the grid.
    axes.set_ylim(classes + 0.9, -0.5)
    for height, name, values, colour in [
        (classes, "columns added", terms.sum(axis=0), RIGHT),
        (classes + 0.5, "diagonal only", terms.diagonal(), WRONG),
    ]:
        axes.text(-0.8, height, name, color=colour, ha="right", va="center")
        for column, value in enumerate(values):
            number = _rounded(float(value), 2)
            axes.text(column, height, number, color=colour, ha="center", va="center")
    return axes


def draw_descent(
    figure: FigureBase, logits: ArrayLike, targets: ArrayLike
) -> NDArray[Any]:
    r"""Draw gradient descent on three classes, with the right and a wrong gradient.

    Let z denote the `logits`, of shape (3,), t the `targets` and q = softmax(z). Each
    point of a triangle is one q: the corners are the classes, and the probability of
    a class is 1 at its corner and 0 on the side opposite. An arrow shows where q
    moves first when the logits take a small step against the gradient, and the line
    is the path of many such steps from `logits`. On the left the gradient is q - t, on
    the right the wrong -t (1 - q).

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    logits : array_like, shape (3,)
        z, real and finite: where the paths start.
    targets : int or array_like, shape (3,)
        t, which must sum to one, or the index of the right class.

    Returns
    -------
    axes : numpy.ndarray, shape (2,)
        The triangle of the right gradient, and that of the wrong one.

    Raises
    ------
    ValueError
        If the logits are not one row of three finite numbers, or the targets do not
        fit them or do not sum to one.

    Notes
    -----
    .. math:: dq = -J \, \frac{\partial L}{\partial z} \, ds, \qquad
        \frac{\partial L}{\partial z} = q - t.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> axes = sg.plots.draw_descent(Figure(), np.log([1, 2, 3]), [0.2, 0.5, 0.3])
    >>> [each.get_title() for each in axes]
    ['right: $q - t$', 'wrong: $-t \\odot (1 - q)$']
    """
    z = _one_row(logits, "logits")
    if len(z) != 3:
        raise ValueError(f"logits must be three numbers, got {logits!r}")
    t = _distribution(targets, z)
    axes = figure.subplots(1, 2)
    _draw_triangle(axes[0], z, t, lambda q: q - t, colour=RIGHT)
    axes[0].set_title("right: $q - t$", color=RIGHT, fontsize=11)
    _draw_triangle(axes[1], z, t, lambda q: -t * (1 - q), colour=WRONG)
    axes[1].set_title(r"wrong: $-t \odot (1 - q)$", color=WRONG, fontsize=11)
    return axes


def draw_temperature(
    figure: FigureBase,
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    temperature: float,
) -> NDArray[Any]:
    r"""Draw q beside t, and (q - t)/T beside q - t, at one temperature.

    Let z denote the `logits`, of shape (C,), t the `targets`, T the `temperature`
    and q = softmax(z/T). The gradient of the loss in z is (q - t)/T. The dashed
    bars are q - t, the gradient in the divided logits z/T.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    logits : array_like, shape (C,)
        z, real and finite.
    targets : int or array_like, shape (C,)
        t, which must sum to one, or the index of the right class.
    temperature : float
        T > 0.

    Returns
    -------
    axes : numpy.ndarray, shape (2,)
        The axes of q and t, and of the two gradients.

    Raises
    ------
    ValueError
        If the logits are not one row of finite numbers, the targets do not fit
        them or do not sum to one, or the temperature is not positive.

    Notes
    -----
    .. math:: \frac{\partial L}{\partial z} = \frac{q - t}{T}.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> z = 2 * np.log([1, 2, 3])
    >>> axes = sg.plots.draw_temperature(Figure(), z, 0, temperature=2.0)
    >>> [text.get_text() for text in axes[1].texts]
    ['−0.42', '0.17', '0.25', '−0.83', '0.33', '0.50']
    """  # noqa: RUF002
    z = _one_row(logits, "logits")
    t = _distribution(targets, z)
    divisor = as_temperature(temperature, z.dtype)
    q = softmax(z, temperature=divisor)
    gradient = (q - t) / divisor
    top = 1.15 * max(1.0, float(np.abs(gradient).max()))
    axes = figure.subplots(1, 2)
    _draw_probabilities(axes[0], q, t)
    title = f"$(q - t)/T$, and $q - t$ dashed; $T = {divisor:g}$"
    _draw_bars(axes[1], gradient, title=title, limits=(-top, top), side=-0.2)
    _draw_bars(axes[1], q - t, limits=(-top, top), side=0.2, dashed=True)
    return axes


def draw_high_temperature_limit(
    figure: FigureBase, logits: ArrayLike, teacher_logits: ArrayLike
) -> Axes:
    r"""Draw T^2 times the gradient against T, and the limit that it tends to.

    Let z denote the `logits` and v the `teacher_logits`, both of shape (C,),
    q = softmax(z/T) and p = softmax(v/T). One line for each class is T^2 times
    the gradient, T (q - p); the dashed line beside it is its limit, (z~ - v~)/C,
    where the tilde subtracts the mean over the classes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    logits : array_like, shape (C,)
        z, real and finite.
    teacher_logits : array_like, shape (C,)
        v, real and finite.

    Returns
    -------
    axes : matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the logits are not two rows of as many finite numbers.

    Notes
    -----
    .. math:: T^2 \, \frac{q - p}{T} \to \frac{\tilde z - \tilde v}{C}.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> z, v = np.log([1, 2, 3]), np.log([2, 1, 1])
    >>> axes = sg.plots.draw_high_temperature_limit(Figure(), z, v)
    >>> [text.get_text() for text in axes.texts]
    ['class 0', 'class 1', 'class 2']
    """
    z = _one_row(logits, "logits")
    v = _one_row(as_logits_like(teacher_logits, z, "teacher_logits"), "teacher_logits")
    temperatures = np.geomspace(0.1, 100, 121)
    scaled = [
        divisor**2 * kl_divergence_gradient(z, v, temperature=divisor)
        for divisor in temperatures
    ]
    limits = high_temperature_limit(z, v, temperature=1.0)
    axes = figure.subplots()
    for index, (values, limit) in enumerate(
        zip(np.transpose(scaled), limits, strict=True)
    ):
        (line,) = axes.plot(temperatures, values, color=RIGHT)
        axes.axhline(limit, color=NEUTRAL, linestyle="dashed", linewidth=1.2)
        label_line(axes, line, f"class {index}")
    axes.axhline(0, color=NEUTRAL, linewidth=0.8)
    axes.set(xscale="log", xlim=(0.1, 100), xlabel="temperature $T$")
    axes.set_ylabel("$T^2$ times the gradient")
    axes.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    return axes


def _one_row(values: ArrayLike, name: str) -> Array:
    """Return one row of real and finite logits."""
    row = as_real_logits(values, name)
    if row.ndim != 1 or not np.isfinite(row).all():
        raise ValueError(f"{name} must be one row of finite numbers, got {values!r}")
    return row.astype(np.float64)


def _distribution(targets: ArrayLike, logits: Array) -> Array:
    """Return targets that sum to one, for one row of logits."""
    weights = as_weights(targets, logits)
    if abs(weights.sum() - 1) > 1e-6:
        raise ValueError(f"targets must sum to one, got {targets!r}")
    return weights


def _draw_bars(
    axes: Axes,
    values: Array,
    *,
    limits: tuple[float, float],
    title: str | None = None,
    side: float = 0.0,
    colour: str = RIGHT,
    dashed: bool = False,
) -> None:
    """Draw one bar for each class with its number, `side` of the class's place."""
    places = np.arange(len(values)) + side
    width = 0.38 if side else 0.5
    if dashed:
        bars = axes.bar(
            places, values, width, facecolor="none", edgecolor="black", ls="dashed"
        )
    else:
        bars = axes.bar(places, values, width, color=colour)
    numbers = [_rounded(float(value), 2) for value in values]
    # Two numbers side by side have less room.
    axes.bar_label(bars, numbers, padding=2, fontsize=9 if side else 10)
    axes.axhline(0, color=NEUTRAL, linewidth=0.8)
    axes.set(xlim=(-0.6, len(values) - 0.4), ylim=limits)
    axes.set(xticks=range(len(values)), yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel("class", fontsize=11)
    if title:
        axes.set_title(title, fontsize=11)


def _draw_logits(axes: Axes, z: Array, *, forces: Array) -> None:
    """Draw the logits in grey, with an arrow for each force beside its bar."""
    low, high = min(0.0, float(z.min())), max(0.0, float(z.max()))
    room = 0.45 * max(high - low, 1.0)
    limits = (low - room, high + 2 * room)
    _draw_bars(axes, z, title="logits $z$", limits=limits, colour=NEUTRAL_LIGHT)
    longest = max(float(np.abs(forces).max()), 1e-12)
    _draw_arrows(axes, z, 1.5 * room * forces / longest, side=0.38)


def _draw_probabilities(axes: Axes, q: Array, t: Array) -> None:
    """Draw q as full bars and the targets t as dashed ones beside them."""
    title = "$q$, and targets $t$ dashed"
    _draw_bars(axes, q, title=title, limits=(0, 1.15), side=-0.2)
    _draw_bars(axes, t, limits=(0, 1.15), side=0.2, dashed=True)


def _draw_arrows(axes: Axes, tails: Array, lengths: Array, *, side: float) -> None:
    """Draw an upright arrow from each tail, `side` of the middle of its bar."""
    for index, (tail, length) in enumerate(zip(tails, lengths, strict=True)):
        if length:
            axes.annotate(
                "",
                (index + side, tail + length),
                xytext=(index + side, tail),
                arrowprops={"arrowstyle": "-|>", "color": "black", "shrinkA": 0}
                | {"shrinkB": 0, "linewidth": 1.5},
            )


def _frame(
    axes: Axes, corner: tuple[int, int], size: tuple[int, int], *, colour: str
) -> None:
    """Frame the cells from (column, row) on, of a matrix that was drawn."""
    column, row = corner
    width, height = size
    frame = Rectangle((column - 0.47, row - 0.47), width - 0.06, height - 0.06)
    frame.set(fill=False, linewidth=2.5, edgecolor=colour)
    axes.add_patch(frame)


def _draw_triangle(
    axes: Axes,
    start: Array,
    t: Array,
    gradient: Callable[[Array], Array],
    *,
    colour: str,
) -> None:
    """Draw the directions and one path of descent along `gradient`, a function of q."""
    axes.plot(*_CORNERS[[0, 1, 2, 0]].T, color=NEUTRAL, linewidth=0.8)
    # Twelfths, none of them zero, so that every logit is finite.
    grid = np.array(
        [[a, b, 12 - a - b] for a in range(1, 11) for b in range(1, 12 - a)]
    )
    points = grid / 12
    moves = softmax_jvp(np.log(points), -gradient(points)) @ _CORNERS
    places = points @ _CORNERS
    lengths = np.linalg.norm(moves, axis=1, keepdims=True)
    # All arrows have one length: what they show is where to.
    arrows = np.divide(moves, lengths, out=np.zeros_like(moves), where=lengths > 1e-9)
    axes.quiver(
        *places.T, *arrows.T, color=NEUTRAL_LIGHT, scale=22, width=0.006, pivot="mid"
    )
    z, path = start, [softmax(start)]
    for _ in range(4000):
        z = z - 0.5 * gradient(path[-1])
        path.append(softmax(z))
    track = np.array(path) @ _CORNERS
    axes.plot(*track.T, color=colour)
    axes.plot(*track[0], "o", color=colour, markerfacecolor="white")
    axes.plot(*track[-1], "o", color=colour)
    axes.plot(*(t @ _CORNERS), "+", color="black", markersize=13, markeredgewidth=2)
    for index, (x, y) in enumerate(_CORNERS):
        side = "bottom" if y > 0 else "top"
        shift = 0.02 if y > 0 else -0.02
        axes.text(x, y + shift, f"class {index}", ha="center", va=side, fontsize=10)
    axes.set(xlim=(-0.15, 1.15), ylim=(-0.12, 1.0), aspect="equal")
    axes.set_axis_off()


def _check_class(index: int, classes: int, name: str) -> None:
    """Refuse what is no index of a class."""
    if not (isinstance(index, int) and 0 <= index < classes):
        raise ValueError(
            f"{name} must be a class index from 0 to {classes - 1}, got {index!r}"
        )


def _ticks(labels: Sequence[str] | None, count: int, name: str) -> Sequence[str]:
    """Return one label for each of `count` rows or columns, or none at all."""
    if labels is None:
        return ()
    if len(labels) != count:
        raise ValueError(f"{name} must be {count} labels, got {labels!r}")
    return labels


def _rounded(value: float, decimals: int) -> str:
    """Return the number as text, with a minus sign, and without one for zero."""
    # Adding 0.0 turns the -0.0 that rounding can leave into 0.0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def _readable_on(colour: NDArray[np.float64]) -> str:
    """Return black or white, whichever has the higher contrast on an RGBA colour."""
    # Relative luminance and contrast as in the Web Content Accessibility Guidelines.
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour[:3]
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    contrast_with_white = 1.05 / (luminance + 0.05)
    contrast_with_black = (luminance + 0.05) / 0.05
    return "white" if contrast_with_white > contrast_with_black else "black"
