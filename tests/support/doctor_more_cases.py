"""Cases of the same kinds, written after the doctor, to try it on.

Each is (name, truth, kind, function or object, options). Truths are as in
`doctor_cases`.
"""

# ruff: noqa: N803, N806

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


# Written by someone else, who had read the doctor's code.


class SoftmaxLayer:
    """Homework: caches the probabilities, sums the wrong axis in backward."""

    def forward(self, inputs):
        self.inputs = inputs
        exps = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = exps / np.sum(exps, axis=1, keepdims=True)
        return self.output

    def backward(self, dvalues):
        self.dinputs = np.empty_like(dvalues)
        for i, (out, dv) in enumerate(zip(self.output, dvalues, strict=True)):
            out = out.reshape(-1, 1)
            jac = np.diagflat(out) - np.dot(out, out.T)
            self.dinputs[i] = np.dot(jac, dv)


class SoftmaxCE:
    """loss(logits, y) remembers; backward() gives (q - onehot)/N."""

    def __call__(self, x, y):
        self.y, self.q = y, q_of(x)
        return -np.log(self.q[np.arange(len(y)), y]).mean()

    def backward(self):
        d = self.q.copy()
        d[np.arange(len(self.y)), self.y] -= 1
        return d / len(self.y)


class SoftmaxCEBug(SoftmaxCE):
    """forgets the minus one's division: only the probabilities are divided."""

    def backward(self):
        d = self.q / len(self.y)
        d[np.arange(len(self.y)), self.y] -= 1
        return d


def loss_and_grad(X, y):
    """cs231n: loss, dx, labels."""
    shifted = X - X.max(axis=1, keepdims=True)
    Z = np.exp(shifted).sum(axis=1, keepdims=True)
    logp = shifted - np.log(Z)
    p = np.exp(logp)
    N = X.shape[0]
    loss = -np.sum(logp[np.arange(N), y]) / N
    dx = p.copy()
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx


def columns_of_examples(Z, Y):
    """classes first, one-hot Y, mean over columns."""
    A = np.exp(Z - Z.max(axis=0))
    A = A / A.sum(axis=0)
    return (A - Y) / Z.shape[1]


def columns_by_classes(Z, Y):
    """classes first, but it divides by the number of classes."""
    A = np.exp(Z - Z.max(axis=0))
    A = A / A.sum(axis=0)
    return (A - Y) / Z.shape[0]


def smooth_ce(logits, target, eps=0.1):
    """label smoothing inside; right."""
    n = len(logits)
    logp = log_q_of(logits)
    nll = -logp[np.arange(n), target]
    smooth = -logp.mean(axis=-1)
    return ((1 - eps) * nll + eps * smooth).mean()


def smooth_ce_bug(logits, target, eps=0.1):
    """smoothing mass eps/(C-1) on the others AND (1-eps) on the target: another def."""
    n, c = logits.shape
    soft = np.full((n, c), eps / (c - 1))
    soft[np.arange(n), target] = 1 - eps
    return -(soft * log_q_of(logits)).sum(-1).mean()


def kd(student, teacher, tau):
    """T named tau, with tau**2; right."""
    p = q_of(teacher, tau)
    return (
        tau**2 * (p * (log_q_of(teacher, tau) - log_q_of(student, tau))).sum(-1).mean()
    )


def kd_without_square(student_logits, teacher_logits, tau):
    p = q_of(teacher_logits, tau)
    return (
        (p * (log_q_of(teacher_logits, tau) - log_q_of(student_logits, tau)))
        .sum(-1)
        .mean()
    )


def kd_grad_bug(student_logits, teacher_logits, T=1.0):
    """forgets the 1/T."""
    return (q_of(student_logits, T) - q_of(teacher_logits, T)) / len(student_logits)


def seq_loss(logits, labels):
    """language model: (B, S, V) or (N, V), flattened, mean over tokens; right."""
    v = logits.shape[-1]
    flat, y = logits.reshape(-1, v), labels.reshape(-1)
    return -log_q_of(flat)[np.arange(len(y)), y].mean()


def seq_grad(logits, labels):
    v = logits.shape[-1]
    flat, y = logits.reshape(-1, v), labels.reshape(-1)
    d = q_of(flat)
    d[np.arange(len(y)), y] -= 1
    return (d / len(y)).reshape(logits.shape)


def onehot_backward(y_hat, y):
    """textbook, one sample as a column: (C,1) probabilities and one-hot."""
    if y_hat.shape[1] != 1:
        raise ValueError("one column, please")
    return y_hat - y


def softmax_temp_bug(x, temperature):
    """multiplies."""
    z = x * temperature
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_global_max(x):
    """right formula, max over the whole array: rows far apart underflow."""
    e = np.exp(x - np.max(x))
    return e / e.sum(axis=-1, keepdims=True)


def focal(logits, y, gamma=2.0):
    """focal loss: not cross-entropy."""
    p = q_of(logits)[np.arange(len(y)), y]
    return (-((1 - p) ** gamma) * np.log(p)).mean()


def jac(s):
    """Jacobian of one row from its probabilities, course style."""
    s = s.reshape(-1, 1)
    return np.diagflat(s) - s @ s.T


def weighted(logits, y):
    """class weights inside, divided by their sum as PyTorch does."""
    w = np.array([1.0, 2.0, 0.5])
    logp = log_q_of(logits)
    return -(w[y] * logp[np.arange(len(y)), y]).sum() / w[y].sum()


def grad_sign(scores, y_true):
    return (y_true - q_of(scores)) / scores.shape[0]


def three_tuple(net, y):
    q = q_of(net)
    loss = -(y * np.log(q)).sum(-1).mean()
    return q, loss, (q - y) / len(y)


SECOND = [
    ("layer with dinputs", "right", "vjp", SoftmaxLayer(), {}),
    ("criterion", "right", "gradient", SoftmaxCE(), {}),
    ("half divided", "unknown", "gradient", SoftmaxCEBug(), {}),
    ("loss and gradient", "right", "gradient", loss_and_grad, {}),
    ("loss and gradient: loss", "right", "loss", loss_and_grad, {}),
    ("columns", "right", "gradient", columns_of_examples, {}),
    # With the classes first it divides by C; with (N, C) it has the wrong axis.
    ("columns / C", {"wrong-axis"}, "gradient", columns_by_classes, {}),
    ("smoothing", "right", "loss", smooth_ce, {}),
    # A convention of its own: eps/(C - 1) on the other classes.
    ("other smoothing", {"label-smoothing-convention"}, "loss", smooth_ce_bug, {}),
    ("kd tau", "right", "distillation_loss", kd, {}),
    ("kd no square", {"missing-t-squared"}, "distillation_loss", kd_without_square, {}),
    ("kd grad", {"missing-temperature"}, "kl_divergence_gradient", kd_grad_bug, {}),
    ("sequence loss", "right", "loss", seq_loss, {}),
    ("sequence gradient", "right", "gradient", seq_grad, {}),
    ("column y_hat - y", "right", "gradient", onehot_backward, {}),
    (
        "temperature multiplied",
        {"multiplied-temperature"},
        "softmax",
        softmax_temp_bug,
        {},
    ),
    ("global max", {"global-max"}, "softmax", softmax_global_max, {}),
    ("focal", "unknown", "loss", focal, {}),
    ("jacobian of s", "right", "jacobian", jac, {}),
    ("weighted mean", "right", "loss", weighted, {}),
    ("sign", {"flipped-sign"}, "gradient", grad_sign, {}),
    ("three results", "right", "gradient", three_tuple, {}),
]

MORE += SECOND
