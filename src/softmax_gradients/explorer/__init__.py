"""Logits and temperature moved by hand, and what becomes of the gradients."""

import re
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .._inputs import Array, as_logits, as_logits_like, as_temperature, shown
from .._softmax import softmax
from ..distillation import kl_divergence_gradient

# What the controls reach. The script beside this module has the same numbers.
FEWEST_CLASSES, MOST_CLASSES = 2, 6
COLDEST, HOTTEST = 0.1, 100.0
LARGEST_LOGIT = 1000.0
FOLDER = Path(__file__).parent
IMPORTED = re.compile(r"^import .*\n", re.MULTILINE)

FRAME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Explorer</title>'
    '<body style="margin:0;background:#fff;font-family:sans-serif">{}</body></html>'
)


class Explorer:
    r"""A page with sliders for the logits, the teacher's logits and the temperature.

    Let z denote the `logits` and v the `teacher_logits`, both of shape (C,), and T
    the `temperature`. Shown at once are q = softmax(z/T) and p = softmax(v/T), the
    Jacobian of q, the gradient (q - p)/T beside three wrong ones, and how T^2 times
    the gradient approaches its limit for large T.

    In a notebook, end a cell with an explorer to see it. It needs no connection: the
    script is part of the output.

    Parameters
    ----------
    logits : array_like, shape (C,)
        z, with 2 to 6 classes.
    teacher_logits : array_like, shape (C,)
        v.
    temperature : float, default 1.0
        T, from 0.1 to 100.

    Raises
    ------
    ValueError
        If the logits are not two rows of 2 to 6 finite numbers of at most 1000 in
        size, or the temperature is out of the slider's reach.

    Notes
    -----
    The right gradient and its limit are

    .. math:: \frac{q - p}{T}, \qquad
        T^2 \, \frac{q - p}{T} \to \frac{\tilde z - \tilde v}{C},

    with :math:`\tilde z_i = z_i - \frac1C \sum_j z_j`.

    Examples
    --------
    >>> from softmax_gradients.explorer import Explorer
    >>> Explorer([2.0, 0.5, -1.0], [1.0, 2.5, -0.5], temperature=2.0)
    Explorer([2.0, 0.5, -1.0], [1.0, 2.5, -0.5], temperature=2.0)
    """

    def __init__(
        self,
        logits: ArrayLike = (2.0, 0.5, -1.0, 1.2),
        teacher_logits: ArrayLike = (1.0, 2.5, -0.5, 0.0),
        temperature: float = 2.0,
    ) -> None:
        self.logits = _row(as_logits(logits, "logits", -1), "logits")
        teacher = as_logits_like(teacher_logits, self.logits, "teacher_logits", -1)
        self.teacher_logits = _row(teacher, "teacher_logits")
        self.temperature = float(as_temperature(temperature, self.logits.dtype))
        if not COLDEST <= self.temperature <= HOTTEST:
            raise ValueError(
                f"temperature must be from {COLDEST} to {HOTTEST:g}, "
                f"got {shown(temperature)}"
            )

    def __repr__(self) -> str:
        """Return the call that makes this explorer."""
        return (
            f"Explorer({self.logits.tolist()}, {self.teacher_logits.tolist()}, "
            f"temperature={self.temperature})"
        )

    def _repr_html_(self) -> str:
        """Return the explorer in a frame, for a notebook."""
        page = FRAME.format(self.fragment())
        return (
            f'<iframe title="Explorer of softmax gradients" srcdoc="{escape(page)}" '
            'style="width:100%;height:78rem;border:0"></iframe>'
        )

    def fragment(self, *, in_book: bool = False) -> str:
        """Return the explorer as HTML to put into a page.

        Parameters
        ----------
        in_book : bool, default False
            Whether the page keeps the state in its address and has the chapters
            of the book beside it.

        Returns
        -------
        html : str
            Style, the numbers at the start for a page without scripts, and script.

        Examples
        --------
        >>> from softmax_gradients.explorer import Explorer
        >>> "import " in Explorer().fragment()
        False
        """
        options = f"address: {str(in_book).lower()}, chapters: {str(in_book).lower()}"
        return (
            f"<style>{style('pictures', 'explorer')}</style>\n"
            f'<div class="sg-explorer sg-whole">{self._numbers()}</div>\n'
            f'<script type="module">{script("numbers", "pictures", "explorer")}\n'
            'mount(document.querySelector(".sg-whole"), '
            f'{{ initial: "{self._state()}", {options} }});</script>\n'
        )

    def _state(self) -> str:
        """Return the state as the script writes it in an address."""
        rows = (
            ",".join(repr(value) for value in values.tolist())
            for values in (self.logits, self.teacher_logits)
        )
        return "z={}&v={}&T={}".format(*rows, self.temperature)

    def _numbers(self) -> str:
        """Return a table of the numbers that the explorer shows at the start."""
        temperature = self.temperature
        columns = np.stack(
            [
                self.logits,
                self.teacher_logits,
                softmax(self.logits, temperature=temperature),
                softmax(self.teacher_logits, temperature=temperature),
                kl_divergence_gradient(
                    self.logits, self.teacher_logits, temperature=temperature
                ),
            ],
            axis=1,
        )
        lines = "".join(
            f'<tr><th scope="row">{index}</th>'
            + "".join(f"<td>{value:.4f}</td>" for value in values)
            + "</tr>"
            for index, values in enumerate(columns)
        )
        heads = "".join(
            f'<th scope="col">{head}</th>'
            for head in ("class", "z", "v", "q", "p", "(q − p)/T")  # noqa: RUF001
        )
        return (
            "<p>The sliders need JavaScript. These are the numbers they start from, at "
            f"T = {temperature:g}.</p><table><thead><tr>{heads}</tr></thead>"
            f"<tbody>{lines}</tbody></table>"
        )


def style(*names: str) -> str:
    """Return the style sheets of these names, one after the other."""
    return "".join(FOLDER.joinpath(f"{name}.css").read_text("utf-8") for name in names)


def script(*names: str) -> str:
    """Return the modules of these names as one that imports nothing.

    Each imports only from those before it, whose names it then finds in the same file.
    """
    text = "".join(FOLDER.joinpath(f"{name}.mjs").read_text("utf-8") for name in names)
    return IMPORTED.sub("", text)


def _row(values: Array, name: str) -> Array:
    """Return one row of logits that the sliders can show."""
    if values.ndim != 1 or not FEWEST_CLASSES <= values.size <= MOST_CLASSES:
        raise ValueError(
            f"{name} must be one row of {FEWEST_CLASSES} to {MOST_CLASSES} classes, "
            f"got the shape {values.shape}"
        )
    if np.iscomplexobj(values) or not (np.abs(values) <= LARGEST_LOGIT).all():
        raise ValueError(
            f"{name} must be real and at most {LARGEST_LOGIT:g} in size, got {values}"
        )
    return values.astype(np.float64)
