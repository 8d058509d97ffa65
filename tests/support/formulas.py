"""The definitions in long double, as plainly as they can be written.

Nothing here comes from the package. Every function takes arrays of long doubles with
the classes along the last axis and a temperature T, and returns one entry, row or
matrix for each row of logits: what a reduction makes of them is up to the test. Where
a result is a difference, a second function gives the size of what was subtracted, so
that a test can allow for the digits that the subtraction loses.
"""

from itertools import pairwise

import numpy as np

LONG = np.longdouble


def log_softmax(z, temperature):
    """Return log q."""
    gaps = (z - z.max(axis=-1, keepdims=True)) / LONG(temperature)
    # The largest exponential is 1: log1p keeps what the others add to it.
    others = np.exp(gaps)
    largest = gaps.argmax(axis=-1)[..., np.newaxis]
    np.put_along_axis(others, largest, 0, axis=-1)
    return gaps - np.log1p(others.sum(axis=-1, keepdims=True))


def softmax(z, temperature):
    """Return q."""
    return np.exp(log_softmax(z, temperature))


def one_hot(labels, classes):
    """Return e_y for each class index y."""
    return (np.asarray(labels)[..., np.newaxis] == np.arange(classes)).astype(LONG)


def times(weights, values):
    """Return the products, where a weight of 0 makes 0 of an infinite value."""
    return np.where(weights == 0, 0, weights * np.where(weights == 0, 0, values))


def cross_entropy(z, t, temperature):
    """Return -sum t log q for each row."""
    return -times(t, log_softmax(z, temperature)).sum(axis=-1)


def cross_entropy_gradient(z, t, temperature):
    """Return (q sum(t) - t)/T and the size of its terms."""
    pulled = softmax(z, temperature) * t.sum(axis=-1, keepdims=True)
    return (pulled - t) / LONG(temperature), np.maximum(pulled, t) / LONG(temperature)


def temperature_gradient(z, t, temperature):
    """Return (<t, z> - sum(t) <q, z>)/T^2 for each row, and its terms' size.

    The largest logit is subtracted first, which changes nothing.
    """
    gaps = z - z.max(axis=-1, keepdims=True)
    q, total = softmax(z, temperature), t.sum(axis=-1)
    target, mean = times(t, gaps).sum(axis=-1), times(q, gaps).sum(axis=-1)
    scale = LONG(temperature) ** 2
    return (target - total * mean) / scale, abs(target + total * mean) / scale


def moving_target_gradient(z, v, temperature):
    """Return d/dT of -sum p log q, with p = softmax(v/T), and its terms' size.

    The chain rule, term by term: with p the derivative of p in T, where d(v/T)/dT is
    -v/T^2, and the part of `temperature_gradient` for fixed targets.
    """
    p, log_q = softmax(v, temperature), log_softmax(z, temperature)
    gaps = v - v.max(axis=-1, keepdims=True)
    mean = times(p, gaps).sum(axis=-1, keepdims=True)
    slope = -times(p, gaps - mean) / LONG(temperature) ** 2
    fixed, size = temperature_gradient(z, p, temperature)
    return (
        fixed - times(slope, log_q).sum(axis=-1),
        size + times(abs(slope), abs(log_q)).sum(axis=-1),
    )


def jacobian(z, temperature):
    """Return (diag(q) - q q^T)/T for each row, and its terms' size."""
    q = softmax(z, temperature)
    outer = q[..., :, np.newaxis] * q[..., np.newaxis, :]
    diagonal = q[..., np.newaxis] * np.eye(z.shape[-1], dtype=LONG)
    return (diagonal - outer) / LONG(temperature), np.maximum(diagonal, outer) / LONG(
        temperature
    )


def jacobian_product(z, u, temperature):
    """Return q (u - <q, u>)/T for each row, and its terms' size."""
    q = softmax(z, temperature)
    mean = (q * u).sum(axis=-1, keepdims=True)
    spread = (q * abs(u)).sum(axis=-1, keepdims=True)
    return q * (u - mean) / LONG(temperature), q * (abs(u) + spread) / LONG(temperature)


def log_softmax_vjp(z, g, temperature):
    """Return (g - q sum(g))/T for each row, and its terms' size."""
    q = softmax(z, temperature)
    pulled, size = (q * x.sum(axis=-1, keepdims=True) for x in (g, abs(g)))
    return (g - pulled) / LONG(temperature), (abs(g) + size) / LONG(temperature)


def fisher_information(z, temperature):
    """Return the mean of s s^T over labels drawn from q, and its terms' size."""
    q = softmax(z, temperature)
    scores = np.eye(z.shape[-1], dtype=LONG) - q[..., np.newaxis, :]
    scores = scores / LONG(temperature)
    value, size = (
        np.einsum("...y,...yi,...yj->...ij", q, s, s) for s in (scores, abs(scores))
    )
    return value, size


def kl_divergence(z, v, temperature):
    """Return sum p log(p/q) for each row, and the size of its terms."""
    p = softmax(v, temperature)
    ratio = _log_ratio(z, v, temperature)
    return -times(p, ratio).sum(axis=-1), times(p, abs(ratio)).sum(axis=-1)


def kl_divergence_gradient(z, v, temperature):
    """Return (q - p)/T and the size of its terms."""
    q, p = softmax(z, temperature), softmax(v, temperature)
    return (q - p) / LONG(temperature), np.maximum(q, p) / LONG(temperature)


def kl_divergence_teacher_gradient(z, v, temperature):
    """Return p (log(p/q) - KL)/T and the size of its terms."""
    p, ratio = softmax(v, temperature), _log_ratio(z, v, temperature)
    divergence, size = (x[..., np.newaxis] for x in kl_divergence(z, v, temperature))
    gradient = -times(p, ratio) - p * divergence
    return gradient / LONG(temperature), (times(p, abs(ratio)) + p * size) / LONG(
        temperature
    )


def _log_ratio(z, v, temperature):
    """Return log(q/p), 0 where both are masked."""
    log_q, log_p = log_softmax(z, temperature), log_softmax(v, temperature)
    both = np.isneginf(log_q) & np.isneginf(log_p)
    return np.where(both, 0, log_q) - np.where(both, 0, log_p)


def best_temperature(z, t):
    """Return T where the derivative of the summed losses changes its sign."""
    gaps = np.where(np.isneginf(z), 0, z - z.max(axis=-1, keepdims=True))

    assert np.isfinite(gaps).all()

    def falls(temperature):
        return temperature_gradient(z, t, temperature)[0].sum() < 0

    low, high = LONG(1e-3), LONG(1e3)
    assert falls(low)
    assert not falls(high)
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if falls(middle) else (low, middle)
    return middle


def reliability(z, labels, temperature, bins):
    """Return for each filled bin how many rows it has, their mean confidence, accuracy.

    One row at a time, each put into the bin ((b - 1)/B, b/B] by trying every bin.
    """
    rows = z.reshape(-1, z.shape[-1])
    confidences = softmax(rows, temperature).max(axis=-1)
    right = [list(row).index(max(row)) for row in rows] == np.ravel(labels)
    edges = [LONG(b) / bins for b in range(bins + 1)]
    found = []
    for below, above in pairwise(edges):
        inside = (confidences > below) & (confidences <= above)
        if inside.any():
            means = (values[inside].mean() for values in (confidences, right))
            found.append((inside.sum(), *means))
    return [np.array(column) for column in zip(*found, strict=True)]


def smooth_labels(labels, classes, epsilon, convention):
    """Return the smoothed targets, entry by entry."""
    others = classes if convention == "uniform" else classes - 1

    def weight(label, k):
        spread = epsilon / others
        if label != k:
            return spread
        return 1 - epsilon + (spread if convention == "uniform" else 0)

    rows = [[weight(y, k) for k in range(classes)] for y in np.ravel(labels)]
    return np.array(rows).reshape(*np.shape(labels), classes)
