"""The second derivative of the cross-entropy in the logits."""

from numpy.typing import ArrayLike

from ._inputs import Array, as_logits, as_temperature
from .softmax import divide_by_temperature, softmax_jacobian


def cross_entropy_hessian(
    logits: ArrayLike, temperature: float = 1.0, axis: int = -1
) -> Array:
    r"""Return the Hessian of the cross-entropy in the logits, for sum(t) = 1.

    Let z denote the `logits` of shape (..., C), with the C classes along `axis`,
    T the `temperature` and q = softmax(z/T). The result H has the shape of z
    without the class axis, followed by (C, C), one matrix for each row's own loss.
    It does not depend on the targets t as long as they sum to one; multiply it by
    sum(t) if they do not.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Scores z; -inf masks a class.
    temperature : float, default 1.0
        T > 0.
    axis : int, default -1
        The axis of the classes.

    Returns
    -------
    hessian : ndarray, shape (..., C, C)
        H, symmetric and positive semidefinite; H times the ones vector is 0.

    Raises
    ------
    ValueError
        As `softmax`.

    Notes
    -----
    .. math:: H = \frac{\operatorname{diag}(q) - q q^\top}{T^2}

    The gradient is (q - t)/T, so its derivative is the Jacobian of q over T.

    References
    ----------
    D. Boehning, "Multinomial logistic regression algorithm", Annals of the
    Institute of Statistical Mathematics 44, 1992.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> sg.cross_entropy_hessian([-1.0, -1.0, 1.0], 2.0).round(4)
    array([[ 0.0418, -0.0112, -0.0305],
           [-0.0112,  0.0418, -0.0305],
           [-0.0305, -0.0305,  0.0611]])
    """
    scores = as_logits(logits, axis=axis)
    temperature = as_temperature(temperature, scores.dtype)
    return divide_by_temperature(softmax_jacobian(scores, temperature), temperature)
