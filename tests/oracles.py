"""What the tests compare the package with: other arithmetic, other derivations.

The references know the definitions only: q = softmax(z/T) and L = -sum t log q.
Their derivatives come from mpmath's numerical differentiation and from autograd,
never from a formula of the book.
"""

from typing import NamedTuple

import autograd
import autograd.numpy as anp
import mpmath
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

# No test may depend on how fast the machine is.
relaxed = settings(deadline=None, max_examples=60)

# 50 digits of a number as small as 1e-324 that is computed as 1 minus another.
DIGITS = 375


class Point(NamedTuple):
    """A batch at which no wrong formula is right by accident.

    The logits of a row differ; the targets are neither one-hot nor do they sum to
    one; T is not 1; the numbers of rows, classes and features differ.
    """

    logits: np.ndarray
    targets: np.ndarray
    labels: np.ndarray
    teacher_logits: np.ndarray
    inputs: np.ndarray
    temperature: float


def point(seed=0, rows=3, classes=4, features=2, temperature=1.7):
    """Return a random `Point`; the same one for the same seed."""
    rng = np.random.default_rng(seed)
    return Point(
        logits=rng.normal(scale=2.0, size=(rows, classes)),
        targets=rng.uniform(0.1, 1.0, size=(rows, classes)),
        labels=rng.integers(classes, size=rows),
        teacher_logits=rng.normal(scale=2.0, size=(rows, classes)),
        inputs=rng.normal(size=(rows, features)),
        temperature=temperature,
    )


def _floats(values):
    return np.array([float(value) for value in values])


def _exact(values):
    return [mpmath.mpf(float(value)) for value in values]


def _mp_log_softmax(logits, temperature):
    scaled = [logit / temperature for logit in logits]
    peak = max(scaled)
    total = peak + mpmath.log(sum(mpmath.exp(score - peak) for score in scaled))
    return [score - total for score in scaled]


def _mp_softmax(logits, temperature):
    return [mpmath.exp(value) for value in _mp_log_softmax(logits, temperature)]


def _mp_loss(logits, targets, temperature):
    log_probs = _mp_log_softmax(logits, temperature)
    return -sum(t * value for t, value in zip(targets, log_probs, strict=True))


def mp_softmax(logits, temperature=1.0):
    """Return softmax(z/T) of one row, correctly rounded."""
    with mpmath.workdps(DIGITS):
        return _floats(_mp_softmax(_exact(logits), mpmath.mpf(temperature)))


def mp_log_softmax(logits, temperature=1.0):
    """Return log softmax(z/T) of one row, correctly rounded."""
    with mpmath.workdps(DIGITS):
        return _floats(_mp_log_softmax(_exact(logits), mpmath.mpf(temperature)))


def mp_cross_entropy(logits, targets, temperature=1.0):
    """Return -sum t log q of one row, correctly rounded."""
    with mpmath.workdps(DIGITS):
        loss = _mp_loss(_exact(logits), _exact(targets), mpmath.mpf(temperature))
        return float(loss)


def mp_cross_entropy_gradient(logits, targets, temperature=1.0):
    """Return dL/dz of one row by numerical differentiation."""
    with mpmath.workdps(DIGITS):
        z, t, divisor = _exact(logits), _exact(targets), mpmath.mpf(temperature)

        def derivative(k):
            def loss(z_k):
                return _mp_loss([*z[:k], z_k, *z[k + 1 :]], t, divisor)

            return mpmath.diff(loss, z[k])

        return _floats(derivative(k) for k in range(len(z)))


def mp_temperature_gradient(logits, targets=None, temperature=1.0, teacher_logits=None):
    """Return dL/dT of one row by numerical differentiation.

    With `teacher_logits` the targets are the teacher's softmax, which moves with T.
    """
    with mpmath.workdps(DIGITS):
        z = _exact(logits)

        def loss(divisor):
            if teacher_logits is None:
                return _mp_loss(z, _exact(targets), divisor)
            probs = _mp_softmax(_exact(teacher_logits), divisor)
            return _mp_loss(z, probs, divisor)

        return float(mpmath.diff(loss, mpmath.mpf(temperature)))


def autograd_log_softmax(logits, temperature=1.0):
    """Return log softmax(z/T) along the last axis, in operations autograd knows."""
    scaled = logits / temperature
    return scaled - anp.log(anp.sum(anp.exp(scaled), axis=-1, keepdims=True))


def autograd_softmax(logits, temperature=1.0):
    """Return softmax(z/T) along the last axis, in operations autograd knows."""
    return anp.exp(autograd_log_softmax(logits, temperature))


def autograd_cross_entropy(logits, targets, temperature=1.0):
    """Return the sum of the rows' losses, in operations autograd knows."""
    return -anp.sum(targets * autograd_log_softmax(logits, temperature))


autograd_jacobian = autograd.jacobian
autograd_gradient = autograd.grad
autograd_vjp = autograd.make_vjp


def one_hot(labels, classes):
    """Return e_y for each class index y, along a new last axis."""
    return np.eye(classes)[np.asarray(labels)]


def numbers(low, high):
    """Return a strategy for numbers, without those that print long for no reason."""
    return st.floats(low, high, allow_subnormal=False)


def batches(low=-30.0, high=30.0):
    """Return a strategy for a batch of 1 to 4 rows of 2 to 6 numbers each."""
    shapes = st.tuples(st.integers(1, 4), st.integers(2, 6))
    return shapes.flatmap(
        lambda shape: arrays(np.float64, shape, elements=numbers(low, high))
    )


@st.composite
def same_shape(draw, *ranges):
    """Draw a batch of one shape for each (low, high) of `ranges`."""
    first = draw(batches(*ranges[0]))
    return first, *(
        draw(arrays(np.float64, first.shape, elements=numbers(*bounds)))
        for bounds in ranges[1:]
    )


temperatures = numbers(0.2, 20.0)
