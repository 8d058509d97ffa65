"""Label smoothing in its two conventions, and the conversion between them."""

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from ._inputs import (
    Array,
    as_array,
    as_count,
    as_fraction,
    as_targets,
    check_choice,
    shown,
)
from ._signatures import keywords_named

Convention: TypeAlias = Literal["uniform", "others"]
CONVENTIONS: tuple[str, ...] = get_args(Convention)


@keywords_named
def smooth_labels(
    labels: ArrayLike,
    number_of_classes: int,
    epsilon: float,
    *,
    convention: Convention = "uniform",
) -> Array:
    r"""Return the smoothed targets t of the class indices y.

    Let y denote the `labels` of shape (...), C the `number_of_classes` and e the
    `epsilon`. The result t has shape (..., C), and each row sums to one.

    Parameters
    ----------
    labels : array_like of integers, shape (...)
        Class indices y from 0 to C - 1.
    number_of_classes : int
        C, at least 1, and at least 2 for the convention "others".
    epsilon : float
        e from 0 (one-hot) to 1: the weight that is spread.
    convention : {"uniform", "others"}, default "uniform"
        Over which classes e is spread: over all C, as Szegedy et al. and PyTorch's
        ``label_smoothing`` do, or only over the C - 1 others.

    Returns
    -------
    targets : ndarray, shape (..., C)
        In float64.

    Raises
    ------
    ValueError
        If a label is not a class index, C is too small or not an integer, epsilon
        is not in [0, 1], or the convention is not one of the two.

    Notes
    -----
    With e = :math:`\varepsilon`,

    .. math::
        t_k = (1 - \varepsilon)\,\delta_{ky} + \frac{\varepsilon}{C}
        \quad\text{(uniform)}, \qquad
        t_k = (1 - \varepsilon)\,\delta_{ky}
        + \frac{\varepsilon}{C - 1}\,(1 - \delta_{ky})
        \quad\text{(others)}

    References
    ----------
    C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, "Rethinking the
    Inception architecture for computer vision", CVPR 2016, section 7.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.smooth_labels([2], 4, 0.2)
    array([[0.05, 0.05, 0.85, 0.05]])
    >>> sg.smooth_labels([2], 5, 0.2, convention="others")
    array([[0.05, 0.05, 0.8 , 0.05, 0.05]])
    """
    check_choice(convention, CONVENTIONS, "convention")
    classes = as_count(
        number_of_classes, "number_of_classes", least=2 if convention == "others" else 1
    )
    weight = as_fraction(epsilon, "epsilon")
    array = as_array(labels, "labels")
    # Only the shape of the logits is read.
    logits = np.broadcast_to(0.0, (*array.shape, classes))
    indices = as_targets(array, logits, name="labels")[..., np.newaxis]
    if convention == "uniform":
        elsewhere = weight / classes
        on_label = 1 - weight + elsewhere
    else:
        elsewhere = weight / (classes - 1)
        on_label = 1 - weight
    targets = np.full(logits.shape, elsewhere)
    np.put_along_axis(targets, indices, on_label, axis=-1)
    return targets


@keywords_named
def convert_epsilon(epsilon: float, number_of_classes: int, *, to: Convention) -> float:
    r"""Return the epsilon that gives the same targets in the other convention.

    Let C denote the `number_of_classes`. Both conventions of `smooth_labels` give
    the same targets if the other classes get the same weight.

    Parameters
    ----------
    epsilon : float
        From 0 to 1, in the convention that is not `to`.
    number_of_classes : int
        C, at least 2.
    to : {"uniform", "others"}
        The convention of the result.

    Returns
    -------
    epsilon : float

    Raises
    ------
    ValueError
        If C is not an integer of at least 2, epsilon is not in [0, 1], `to` is not
        one of the two, or the result would exceed 1: "others" can spread up to the
        whole weight, "uniform" always leaves the label its share 1/C.

    Notes
    -----
    .. math::
        \frac{\varepsilon_\text{uniform}}{C}
        = \frac{\varepsilon_\text{others}}{C - 1}
        \quad\Longleftrightarrow\quad
        \varepsilon_\text{uniform} = \frac{C}{C - 1}\,\varepsilon_\text{others},
        \qquad \varepsilon_\text{others} \le \frac{C - 1}{C}

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> round(sg.convert_epsilon(0.1, 10, to="others"), 12)
    0.09
    >>> round(sg.convert_epsilon(0.09, 10, to="uniform"), 12)
    0.1
    """
    check_choice(to, CONVENTIONS, "to")
    classes = as_count(number_of_classes, "number_of_classes", least=2)
    weight = as_fraction(epsilon, "epsilon")
    if to == "others":
        return weight * (classes - 1) / classes
    converted = weight * classes / (classes - 1)
    if converted > 1:
        raise ValueError(
            f"epsilon must be at most {classes - 1}/{classes} to be expressed in the "
            f"convention 'uniform' with {classes} classes, got {shown(epsilon)}"
        )
    return converted
