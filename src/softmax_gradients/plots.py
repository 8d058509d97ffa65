"""The look of the book's figures, and the drawings that several pages need."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from numpy.typing import ArrayLike, NDArray

# Okabe and Ito's blue and vermillion, which colour-blind readers tell apart.
RIGHT = "#0072B2"
WRONG = "#D55E00"
# A grey for text and thin lines, and a paler one for what stays in the background.
NEUTRAL = "#595959"
NEUTRAL_LIGHT = "#B3B3B3"
# Purple below zero, green above: a pair that does not say wrong or right.
DIVERGING = "PRGn"


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
    'white'
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
