"""The data that the chapters learn from, shipped with the package."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ._inputs import Array


class Digits(NamedTuple):
    """Features and class indices, as `load_digits` returns them."""

    inputs: Array
    labels: Array


def load_digits() -> Digits:
    """Return 1797 handwritten digits of 8 by 8 pixels, and which digit each one is.

    Let d = 64 denote the number of pixels. Row n of `.inputs` is one image, row by
    row, and entry n of `.labels` its digit.

    Returns
    -------
    digits : Digits
        `.inputs`, float64 of shape (1797, 64): the inked share of each pixel, in
        sixteenths from 0 to 1. `.labels`, integers of shape (1797,) from 0 to 9.

    Notes
    -----
    These are the 1797 images of the test part of the collection, from 13 writers,
    in the order in which it is distributed; scikit-learn's ``load_digits`` has the
    same, with pixels from 0 to 16. Neighbouring rows can come from one writer, so a
    random split into training and test rows shares writers between them.

    References
    ----------
    E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI
    Machine Learning Repository, 1998, doi:10.24432/C50P49, licensed CC BY 4.0.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> digits = sg.load_digits()
    >>> digits.inputs.shape, digits.labels[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    path = Path(__file__).with_name("data") / "digits.npz"
    with np.load(path, allow_pickle=False) as stored:
        return Digits(
            inputs=stored["pixels"] / 16, labels=stored["labels"].astype(np.intp)
        )
