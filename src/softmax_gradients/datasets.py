"""The data that the chapters learn from and report, shipped with the package."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ._inputs import Array

FOLDER = Path(__file__).with_name("data")


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
    with np.load(FOLDER / "digits.npz", allow_pickle=False) as stored:
        return Digits(
            inputs=stored["pixels"] / 16, labels=stored["labels"].astype(np.intp)
        )


def load_results(name: str) -> dict[str, Any]:
    """Return measurements that a chapter reports, as they were stored.

    The programs in the folder `benchmarks` of the repository made them, on the
    machine that each file describes.

    Parameters
    ----------
    name : str
        "speed", "speed_without_avx512", "functions", "larger", "peers_accuracy" or
        "distillation_sweep".

    Returns
    -------
    results : dict
        What the file of this name holds.

    Raises
    ------
    ValueError
        If there are no results of this name.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sorted(sg.datasets.load_results("speed"))
    ['cases', 'machine', 'rounds', 'steps', 'vjp']
    """
    known = sorted(path.stem for path in FOLDER.glob("*.json"))
    if name not in known:
        raise ValueError(f"name must be one of {', '.join(known)}, got {name!r}")
    results: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return results
