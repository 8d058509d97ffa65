"""Student and teacher in 50 digits: divergence, gradient, its limit and the bound."""

import mpmath
import numpy as np

import softmax_gradients as sg

Z = np.array([2.0, 0.5, -1.0, 1.2])
V = np.array([1.0, 2.5, -0.5, 0.0])
LOGIT_FUNCTIONS = [
    sg.kl_divergence,
    sg.kl_divergence_gradient,
    sg.distillation_loss,
    sg.distillation_loss_gradient,
    sg.high_temperature_limit,
    sg.high_temperature_error_bound,
]
LIMITS = LOGIT_FUNCTIONS[4:]


def exact(values):
    return [mpmath.mpf(float(value)) for value in values]


def mp_log_softmax(logits, temperature):
    largest = max(logits)
    total = mpmath.fsum(mpmath.exp((x - largest) / temperature) for x in logits)
    return [(x - largest) / temperature - mpmath.log(total) for x in logits]


def mp_divergence(z, v, temperature):
    """Return KL(p || q) of rows of numbers that mpmath knows."""
    log_q, log_p = mp_log_softmax(z, temperature), mp_log_softmax(v, temperature)
    pairs_of_logs = zip(log_p, log_q, strict=True)
    return mpmath.fsum(mpmath.exp(a) * (a - b) for a, b in pairs_of_logs)


def mp_gradient(z, v, temperature):
    """Return (q - p)/T; a test below compares it with a derivative."""
    log_q, log_p = mp_log_softmax(z, temperature), mp_log_softmax(v, temperature)
    return [
        (mpmath.exp(a) - mpmath.exp(b)) / temperature
        for a, b in zip(log_q, log_p, strict=True)
    ]


def mp_centred(values):
    mean = mpmath.fsum(values) / len(values)
    return [x - mean for x in values]


def mp_limit(z, v, temperature, order):
    z, v, count = mp_centred(z), mp_centred(v), len(z)
    limit = [(a - b) / (count * temperature**2) for a, b in zip(z, v, strict=True)]
    if order == 2:
        z, v = mp_centred([x * x for x in z]), mp_centred([x * x for x in v])
        differences = [a - b for a, b in zip(z, v, strict=True)]
        second = [d / (2 * count * temperature**3) for d in differences]
        limit = [a + b for a, b in zip(limit, second, strict=True)]
    return limit


def mp_bound(z, v, temperature):
    def spread(x):
        return max(x) - min(x)

    difference = spread([a - b for a, b in zip(z, v, strict=True)])
    smaller = min(spread(z) ** 2 + spread(v) ** 2, difference * (spread(z) + spread(v)))
    return smaller / (12 * mpmath.sqrt(3) * temperature**3)


def mp_error(z, v, temperature, order=1):
    """Return the largest error of the limit, from the exact numbers."""
    limit = mp_limit(z, v, temperature, order)
    return max(
        abs(a - b) for a, b in zip(mp_gradient(z, v, temperature), limit, strict=True)
    )


def normwise_error(computed, reference):
    """Return the largest error of an entry over the largest entry."""
    error = max(abs(float(a) - b) for a, b in zip(computed, reference, strict=True))
    return error / max(abs(value) for value in reference)
