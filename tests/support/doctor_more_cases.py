"""Twenty cases of the same kinds, written after the doctor, to try it on.

Each is (name, truth, kind, function or object, options). Truths are as in
`doctor_cases`; the doctor was not adapted to any of these.
"""

# ruff: noqa: N803

import functools

import numpy as np

from tests.support.styles import log_q_of, q_of


class Dense:
    """A layer that leaves its result and its gradient in attributes."""

    def __call__(self, a):
        self.activated = q_of(a)
        return self.activated

    def backprop(self, upstream, lr=0.01):
        product = self.activated * upstream
        total = product.sum(axis=1, keepdims=True)
        self.grad_input = product - self.activated * total


class ElementwiseLayer:
    def forward_pass(self, scores):
        self.p = q_of(scores)
        return self.p

    def backward_pass(self, accum_grad):
        return accum_grad * self.p * (1 - self.p)


class CrossEntropy:
    """Loss and gradient from predictions, both of the mean."""

    def forward(self, y_pred, y_true):
        self.y_pred, self.y_true = y_pred, y_true
        return -np.mean(np.sum(y_true * np.log(y_pred + 1e-9), axis=1))

    def backward(self):
        return self.y_pred - self.y_true


class Softener:
    def __init__(self, tau=4.0):
        self.tau = tau

    def forward(self, student, teacher):
        p = q_of(teacher, self.tau)
        log_q = log_q_of(student, self.tau)
        return self.tau**2 * np.mean(np.sum(p * (np.log(p) - log_q), axis=1))


def one_hot(labels, classes=10):
    out = np.zeros((len(labels), classes))
    out[np.arange(len(labels)), labels] = 1
    return out


def ten_classes(z, labels):
    return (q_of(z) - one_hot(labels, 10)) / len(z)


def policy_loss(beta, values):
    return q_of(beta * values)


def values_first(values, beta):
    return q_of(beta * values)


def columns(Z):
    e = np.exp(Z - Z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def columns_gradient(A, Y):
    """The gradient of courses: classes first, A the output, divided by m."""
    return (A - Y) / A.shape[1]


def clipped_loss(y_true, y_pred, eps=1e-8):
    p = np.clip(y_pred, eps, 1 - eps)
    return -np.sum(y_true * np.log(p)) / len(p)


def grad_and_hess(y, margin):
    p = q_of(margin)
    grad = p - np.eye(margin.shape[1])[y]
    hess = np.maximum(p * (1 - p), 1e-5)
    return {"grad": grad, "hess": hess}


def softmax_1d(values):
    top = max(values)
    exps = [np.exp(v - top) for v in values]
    return [e / sum(exps) for e in exps]


def nll(log_probabilities, gold):
    picked = [row[k] for row, k in zip(log_probabilities, gold, strict=True)]
    return -sum(picked) / len(picked)


def smoothed_gradient(logits, labels, smoothing=0.2):
    classes = logits.shape[1]
    soft = np.full(logits.shape, smoothing / classes)
    soft[np.arange(len(labels)), labels] += 1 - smoothing
    return (q_of(logits) - soft) / len(logits)


def tempered(scores, targets, temp):
    q = q_of(scores, temp)
    return (q * targets.sum(1, keepdims=True) - targets) / len(scores)


def lost_axis(x, delta):
    q = q_of(x)
    return q * (delta - np.sum(q * delta, axis=1))


def half_averaged(x, t):
    return q_of(x) * t.sum(1, keepdims=True) / len(x) - t


def twice_the_diagonal(scores, upstream):
    q = q_of(scores)
    return 2 * q * (1 - q) * upstream


def raising(logits, targets):
    return logits.softmax(1) - targets


MORE = [
    ("dense", "right", "vjp", Dense().backprop, {}),
    ("elementwise layer", {"diagonal-jacobian"}, "vjp", ElementwiseLayer(), {}),
    ("mean and sum", {"missing-batch-mean"}, "gradient", CrossEntropy(), {}),
    # Written as right: but where p underflows, its p log p is NaN.
    ("softener", {"zero-log-zero"}, "distillation_loss", Softener(), {}),
    ("ten classes", "right", "gradient", ten_classes, {}),
    ("beta second", "right", "softmax", values_first, {}),
    ("columns", "right", "softmax", columns, {}),
    ("columns gradient", "right", "gradient", columns_gradient, {}),
    ("clipped", {"epsilon-in-log"}, "loss", clipped_loss, {}),
    ("boosting gradient", "right", "gradient", grad_and_hess, {}),
    ("boosting hessian", {"diagonal-hessian"}, "hessian", grad_and_hess, {}),
    ("a list", "right", "softmax", softmax_1d, {}),
    ("nll", "right", "loss", nll, {}),
    ("smoothed", "right", "gradient", smoothed_gradient, {}),
    ("tempered", {"missing-temperature"}, "gradient", tempered, {}),
    ("lost axis", {"missing-keepdims"}, "vjp", lost_axis, {}),
    ("half averaged", "unknown", "gradient", half_averaged, {}),
    ("twice", {"diagonal-jacobian"}, "vjp", twice_the_diagonal, {}),
    ("raising", "error", "gradient", raising, {}),
    (
        "partial",
        "right",
        "gradient",
        functools.partial(smoothed_gradient, smoothing=0.0),
        {},
    ),
]
