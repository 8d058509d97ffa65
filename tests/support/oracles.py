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


class ExactRow:
    """A row's softmax, loss and gradients as numbers of mpmath, in time O(C).

    The class of the largest logit has e^0 = 1, and sums leave out what would be
    subtracted again: the 50 digits of `mpmath.mp` are then enough everywhere.
    """

    def __init__(self, logits, temperature=1.0):
        exact = _exact(logits)
        self.temperature = mpmath.mpf(float(temperature))
        peak = max(exact)
        self.largest = exact.index(peak)
        self.gaps = [(z - peak) / self.temperature for z in exact]
        self.terms = [mpmath.exp(gap) for gap in self.gaps]
        self.others = _sums_of_others(self.terms)
        self.total = 1 + self.others[self.largest]

    def softmax(self):
        return [term / self.total for term in self.terms]

    def log_softmax(self):
        log_total = mpmath.log1p(self.others[self.largest])
        return [gap - log_total for gap in self.gaps]

    def loss(self, targets):
        log_probs = zip(_exact(targets), self.log_softmax(), strict=True)
        return -mpmath.fsum(t * value for t, value in log_probs if t)

    def gradient(self, targets):
        t = _exact(targets)
        divisor = self.total * self.temperature
        columns = zip(self.terms, self.others, t, _sums_of_others(t), strict=True)
        return [(e * rest_t - w * rest_e) / divisor for e, rest_e, w, rest_t in columns]

    def gradient_terms(self, targets):
        """Return the larger of q_k sum(t) and t_k, over T, for each class."""
        t = _exact(targets)
        total, pairs = mpmath.fsum(t), zip(self.softmax(), t, strict=True)
        return [max(q * total, w) / self.temperature for q, w in pairs]


def exact_divergence(student, teacher):
    """Return KL(p || q) and (q - p)/T for two `ExactRow` of the same T."""
    q, p = student.softmax(), teacher.softmax()
    log_probs = zip(student.log_softmax(), teacher.log_softmax(), strict=True)
    ratios = [log_q - log_p for log_q, log_p in log_probs]
    # Each term is positive, so 50 digits less those of e^x - 1 - x remain.
    excess = (mpmath.expm1(x) - x for x in ratios)
    divergence = mpmath.fsum(w * e for w, e in zip(p, excess, strict=True))
    difference = [a - b for a, b in zip(q, p, strict=True)]
    # At the teacher's largest class q - p may be 1 minus 1: the entries sum to 0.
    k = teacher.largest
    difference[k] = -mpmath.fsum(difference[:k] + difference[k + 1 :])
    return divergence, [d / student.temperature for d in difference]


def _sums_of_others(values):
    """Return for each value the sum of all the others, by sums from both ends."""
    before, after = [mpmath.mpf(0)], [mpmath.mpf(0)]
    for first, last in zip(values[:-1], values[:0:-1], strict=True):
        before.append(before[-1] + first)
        after.append(after[-1] + last)
    return [a + b for a, b in zip(before, reversed(after), strict=True)]


def ulp(exact, dtype):
    """Return one unit in the last place of `exact`, as a number of the type."""
    return mpmath.mpf(float(np.spacing(np.abs(dtype(float(exact))))))


def ulps(computed, exact, dtype):
    """Return the largest error, each in units in the last place of its own entry."""
    return max(
        float(abs(mpmath.mpf(float(c)) - x) / ulp(x, dtype))
        for c, x in zip(np.ravel(computed), exact, strict=True)
    )


def normwise_ulps(computed, exact, dtype, size=None):
    """Return the largest error in units of the largest entry, or of `size`."""
    pairs = zip(np.ravel(computed), exact, strict=True)
    error = max(abs(mpmath.mpf(float(c)) - x) for c, x in pairs)
    return float(error / ulp(max(map(abs, exact)) if size is None else size, dtype))


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
