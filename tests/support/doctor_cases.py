"""Gradient code as people hand it over, rewritten in small from public reports.

`native` is what a user would hand over first, in their own convention; `adapted` is the
same in the doctor's convention, at a cost of `lines`. `truth` is "right", the slugs of
the catalogue, "unknown" (wrong, in no catalogue), "factor ...", "error" (it raises) or
"unseen" (the kind of use that shows it is not tried). `options` go with `adapted`,
`native_options` with `native` (a kind other than `kind` among them).
"""

# The code is what others wrote: neither its names nor its style are this project's.
# ruff: noqa: N803, N806, B905

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CASES: list["Case"] = []


@dataclass
class Case:
    id: str
    source: str
    bug: str
    truth: Any
    kind: str
    native: Any
    adapted: Any
    lines: int
    options: dict = field(default_factory=dict)
    native_options: dict | None = None
    needs: str = ""
    note: str = ""


def add(*args, **more):
    CASES.append(Case(*args, **more))


def rows_softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# W04 wkcn/mobula#3: cotangent times exp(z); the forward divides by one sum.
def w04_forward(z):
    e = np.exp(z)
    return e / np.sum(e)


def w04(z, g):
    return np.multiply(g, np.exp(z))


add(
    "W04a",
    "wkcn/mobula#3 (backward)",
    "vjp = g * exp(z), not normalised, no dot product",
    "unknown",
    "vjp",
    w04,
    w04,
    0,
)

add(
    "W04b",
    "wkcn/mobula#3 (forward)",
    "one sum over the whole batch, no shift",
    {"whole-batch-sum", "missing-shift"},
    "softmax",
    w04_forward,
    w04_forward,
    0,
)


# W07 markroxor/fromscratchtoml#65: (value, elementwise derivative), longdouble.
def activation(x, return_deriv=False):
    x = x.astype(np.longdouble)
    x -= np.max(x, axis=-1, keepdims=True)
    e = np.exp(x)
    out = e / np.sum(e, axis=-1, keepdims=True)
    return (out, out * (1.0 - out)) if return_deriv else out


def w07a(z, g):
    return g * activation(z, return_deriv=True)[1]


add(
    "W07a",
    "markroxor/fromscratchtoml#65 (softmax)",
    "elementwise q(1-q) as the derivative",
    {"diagonal-jacobian"},
    "vjp",
    functools.partial(activation, return_deriv=True),
    w07a,
    2,
    native_options={"kind": "jacobian"},
)


# W08 jorgenkg/python-neural-network: cost is a mean, its derivative is not.
def cost_of_outputs(outputs, targets, derivative=False, epsilon=1e-11):
    outputs = np.clip(outputs, epsilon, 1 - epsilon)
    if derivative:
        return outputs - targets
    return np.mean(-np.sum(targets * np.log(outputs), axis=1))


def w08(z, t):
    return cost_of_outputs(rows_softmax(z), t, derivative=True)


add(
    "W08",
    "jorgenkg/python-neural-network#30, nimblenet/cost_functions.py",
    "loss is a mean, gradient a sum",
    {"missing-batch-mean"},
    "gradient",
    functools.partial(cost_of_outputs, derivative=True),
    w08,
    2,
    options={"targets": "distribution", "reduction": "mean"},
    native_options={},
)


# W10 xinghaow99/transformer_from_scratch: the dot product loses its axis.
class AxisLess:
    def forward(self, x):
        e = np.exp(x - np.max(x, axis=-1, keepdims=True))
        self.y = e / np.sum(e, axis=-1, keepdims=True)
        return self.y

    def backward(self, grad):
        return self.y * (grad - (grad * self.y).sum(axis=-1))


def w10(z, g):
    layer = AxisLess()
    layer.forward(z)
    return layer.backward(g)


add(
    "W10",
    "xinghaow99/transformer_from_scratch modules/softmax.py",
    "no keepdims in the dot product of backward (forward is right)",
    {"missing-keepdims"},
    "vjp",
    AxisLess().backward,
    w10,
    4,
)


# W11 darknet PR#96, #212 and Dandastino/Neural-Network: the gradient passes through.
def w11(z, g):
    return g.copy()


add(
    "W11",
    "pjreddie/darknet PR#96; Dandastino/Neural-Network activations/softmax.py",
    "backward copies the incoming gradient",
    "unknown",
    "vjp",
    w11,
    w11,
    0,
)


# W14 aprender PR#2182: reduction "sum" promised, gradient divided by the batch.
def w14(z, y):
    p = rows_softmax(z)
    p[np.arange(len(y)), y] -= 1
    return p / len(y)


add(
    "W14",
    "paiml/aprender PR#2182",
    "sum promised, gradient divided by N",
    "factor 1/N",
    "gradient",
    w14,
    w14,
    0,
    options={"reduction": "sum"},
)


# W15 aprender PR#2199: smoothing with the wrong mass off the target.
def smoothed_loss(z, y, off):
    lp = np.log(rows_softmax(z))
    n, c = z.shape
    hard = lp[np.arange(n), y]
    return -np.mean(0.9 * hard + off / c * lp.sum(axis=1))


def r15(z, y):
    return smoothed_loss(z, y, 0.1)


# W19 AlexPetrusca/softgrad: T in forward, none in backward; shifts in place.
class TemperatureLayer:
    def __init__(self, temperature=1.0):
        self.temperature = temperature

    def forward(self, z):
        z -= z.max(axis=1, keepdims=True)
        e = np.exp(z / self.temperature)
        self.out = e / e.sum(axis=1, keepdims=True)
        return self.out

    def backward(self, grad):
        return self.out * (grad - np.sum(self.out * grad, axis=1, keepdims=True))


def w20b_elementwise(y_pred, y_true, epsilon=1e-7, temperature=1.0):
    s = np.clip(TemperatureLayer(temperature).forward(y_pred), epsilon, 1 - epsilon)
    return -y_true * np.log(s)


def w20b(z, t, temperature=1.0):
    return w20b_elementwise(z, t, temperature=temperature).sum(axis=1).mean()


add(
    "W20b",
    "AlexPetrusca/softgrad loss/CrossEntropyLoss.py (apply)",
    "probabilities clipped at 1e-7; returns every element",
    {"epsilon-in-log"},
    "loss",
    w20b_elementwise,
    w20b,
    2,
)


# W21 hellobilllee/CNN_from_scratch: numpy.float is gone, and rows against columns.
class OldNumpy:
    def forward(self, x):
        e = np.exp(x, dtype=np.float)  # noqa: NPY001
        self.out = e / np.sum(e)
        return self.out

    def backward(self, dy):
        return self.out.T - dy.reshape(dy.shape[0], 1)


def w21(z, t):
    layer = OldNumpy()
    layer.forward(z[None])
    return layer.backward(t)


add(
    "W21",
    "hellobilllee/CNN_from_scratch softmax.py",
    "raises: np.float is gone",
    "error",
    "gradient",
    OldNumpy().backward,
    w21,
    4,
    options={"rows": "one"},
    native_options={},
)


# W23 Ace1928/eidosian_forge (the demo of XGBoost): diagonal times 2, flat columns.
def boosting(labels, predt):
    n, c = predt.shape
    grad, hess = np.zeros((n, c)), np.zeros((n, c))
    for r in range(n):
        e = np.exp(predt[r] - max(predt[r]))
        p = e / e.sum()
        for k in range(c):
            grad[r, k] = p[k] - 1.0 if k == labels[r] else p[k]
            hess[r, k] = max(2.0 * p[k] * (1.0 - p[k]), 1e-6)
    return grad.reshape(-1, 1), hess.reshape(-1, 1)


def w23(z):
    hess = boosting(np.zeros(len(z)), z)[1].reshape(z.shape)
    return np.stack([np.diag(row) for row in hess])


def r23(z, y):
    return boosting(y, z)[0].reshape(z.shape)


add(
    "W23",
    "Ace1928/eidosian_forge func_softprob_obj.py (hessian)",
    "2 q(1-q) on the diagonal, floor 1e-6 (the XGBoost demo)",
    {"diagonal-hessian"},
    "hessian",
    boosting,
    w23,
    3,
    native_options={},
)


# W27 Paddle PR#28622: rows to ignore get a gradient.
def w27(z, y, ignore_index=-100):
    p = rows_softmax(z)
    p[np.arange(len(y)), y] -= 1
    return p / len(y)


add(
    "W27",
    "PaddlePaddle/Paddle PR#28622",
    "rows with ignore_index keep their gradient",
    "unseen",
    "gradient",
    w27,
    w27,
    0,
)


# W29 hunkim/DeepLearningZeroToAll#20: labels from 1 in a one-hot from 0.
def w29(z, y):
    one_hot = (np.arange(z.shape[1]) == (y + 1)[:, None]).astype(float)
    return (rows_softmax(z) - one_hot) / len(y)


add(
    "W29",
    "hunkim/DeepLearningZeroToAll#20",
    "labels off by one in the one-hot encoding",
    "unknown",
    "gradient",
    w29,
    w29,
    0,
)


# W31 cbfinn/maml#70: a loss per row, divided by the batch size.
def w31(z, t):
    return -(t * np.log(rows_softmax(z))).sum(axis=1) / len(z)


add(
    "W31",
    "cbfinn/maml#70",
    "loss of each row divided by N",
    "factor 1/N",
    "loss",
    w31,
    w31,
    0,
    options={"reduction": "none"},
    native_options={},
)


# W35 offlinew.com q/3383959922: softmax of dA, the Jacobian is returned.
def softmax_backward(dA, Z):
    e = np.exp(dA - dA.max())
    s = (e / e.sum()).reshape(-1, 1)
    return np.diagflat(s) - s @ s.T


def w35(z, g):
    return softmax_backward(g, z) @ g


add(
    "W35",
    "offlinew.com q/3383959922 (Stack Overflow)",
    "softmax of the incoming gradient; Jacobian not multiplied",
    "unknown",
    "vjp",
    softmax_backward,
    w35,
    2,
    options={"rows": "one"},
    native_options={},
)


# W39 Steckdose007/DeepLearning: boolean index, machine eps, probabilities, a sum.
class BooleanIndex:
    def forward(self, prediction, label):
        self.preds = prediction
        return np.sum(-np.log(prediction[label == 1] + np.finfo(float).eps))

    def backward(self, label):
        return -np.divide(label, self.preds + np.finfo(float).eps)


def w39(z, t):
    return BooleanIndex().forward(rows_softmax(z), t)


add(
    "W39",
    "Steckdose007/DeepLearning Optimization/Loss.py",
    "machine epsilon in the logarithm; one-hot only, others give 0",
    {"epsilon-in-log"},
    "loss",
    BooleanIndex().forward,
    w39,
    1,
    options={"reduction": "sum"},
)


# W40 yxk121/SMMH and the book it follows: 1e-7 in the logarithm, argmax of one-hot.
def cross_entropy_error(y, t):
    if y.ndim == 1:
        y, t = y.reshape(1, -1), t.reshape(1, -1)
    if t.size == y.size:
        t = t.argmax(axis=1)
    return -np.sum(np.log(y[np.arange(len(y)), t] + 1e-7)) / len(y)


def r40(z, t):
    q = rows_softmax(z)
    if t.size == q.size:
        t = t.argmax(axis=1)
    shifted = z - z.max(axis=1, keepdims=True)
    lse = np.log(np.exp(shifted).sum(axis=1))
    return np.mean(lse - shifted[np.arange(len(z)), t])


# W45 fetchai/ledger PR#1580: -b/r with r the softmax, both returned, no chain rule.
def w45(z, t):
    return -t / rows_softmax(z) / len(z)


add(
    "W45",
    "fetchai/ledger PR#1580, klynx0810/neuroflow",
    "gradient by the probabilities handed on as that by the logits",
    {"gradient-wrt-probabilities"},
    "gradient",
    w45,
    w45,
    0,
)


# R01 Graham-CO/ai_ml_python (nnfs): attributes, a loop of Jacobians.
class BookSoftmax:
    def forward(self, inputs):
        e = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = e / np.sum(e, axis=1, keepdims=True)

    def backward(self, dvalues):
        self.dinputs = np.empty_like(dvalues)
        for k, (one, dv) in enumerate(zip(self.output, dvalues)):
            column = one.reshape(-1, 1)
            self.dinputs[k] = np.dot(np.diagflat(column) - np.dot(column, column.T), dv)


def r01(z, g):
    layer = BookSoftmax()
    layer.forward(z)
    layer.backward(g)
    return layer.dinputs


add(
    "R01",
    "Graham-CO/ai_ml_python chapter_9 (nnfs)",
    "none",
    "right",
    "vjp",
    BookSoftmax().backward,
    r01,
    5,
)


# R02 leejw51/BumblebeeNet: backward without arguments, one-hot or indices.
class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t, self.y = t, rows_softmax(x)
        return cross_entropy_error(self.y, t)

    def backward(self, dout=1):
        n = self.t.shape[0]
        if self.t.size == self.y.size:
            return (self.y - self.t) / n
        dx = self.y.copy()
        dx[np.arange(n), self.t] -= 1
        return dx / n


def r02(z, t):
    node = SoftmaxWithLoss()
    node.forward(z, t)
    return node.backward()


add(
    "R02",
    "leejw51/BumblebeeNet SoftmaxLayer.py",
    "none (targets sum to one)",
    "right",
    "gradient",
    SoftmaxWithLoss().backward,
    r02,
    4,
    options={"targets": "distribution"},
)

# R03 label smoothing by the book (Liger-Kernel PR#198, NVIDIA/apex PR#1457).
add(
    "R03",
    "linkedin/Liger-Kernel PR#198, NVIDIA/apex PR#1457",
    "none (label smoothing inside)",
    "right",
    "loss",
    r15,
    None,
    0,
    note="the loss of another target; no kind for it",
)


# R08 sharnam19/I-Speak-BBT: predictions, loss and gradient in one tuple.
def three_results(x, y=None):
    shifted = x - np.max(x, axis=1)[:, np.newaxis]
    e = np.exp(shifted)
    scores = e / np.sum(e, axis=1)[:, np.newaxis]
    n = len(x)
    guess = np.argmax(scores, axis=1)
    if y is None:
        return guess
    loss = np.sum(-np.log(scores[range(n), y])) / n
    mark = np.zeros_like(scores)
    mark[range(n), y] = 1
    return guess, loss, (scores - mark) / n


def r08(z, y):
    return three_results(z, y)[2]


def r08_loss(z, y):
    return three_results(z, y)[1]


add(
    "R08a",
    "sharnam19/I-Speak-BBT loss.py (gradient)",
    "none",
    "right",
    "gradient",
    three_results,
    r08,
    2,
)

add(
    "R08b",
    "sharnam19/I-Speak-BBT loss.py (loss)",
    "log of softmax",
    {"log-of-softmax"},
    "loss",
    three_results,
    r08_loss,
    2,
)


# R09 shariqhameedca/WorstNN: columns (C, 1), the learning rate as an argument.
class ColumnLayer:
    def forward(self, x):
        e = np.exp(x - max(x))
        self.output = e / np.sum(e)
        return self.output

    def backward(self, output_gradient, learning_rate):
        n = np.size(self.output)
        return np.dot((np.identity(n) - self.output.T) * self.output, output_gradient)


def r09_columns(z, g):
    layer = ColumnLayer()
    layer.forward(z)
    return layer.backward(g, 0.1)


def r09(z, g):
    return r09_columns(z.reshape(-1, 1), g.reshape(-1, 1))[:, 0]


add(
    "R09",
    "shariqhameedca/WorstNN Layers/Softmax.py",
    "none (columns)",
    "right",
    "vjp",
    r09_columns,
    r09,
    2,
    options={"rows": "one"},
    native_options={"rows": "one"},
)


# R14 explosion/thinc PR#589: from (Y, dY), with temperature.
def backprop_softmax(Y, dY, *, axis=-1, temperature=1.0):
    dX = Y * dY
    dX -= Y * dX.sum(axis=axis, keepdims=True)
    return dX / temperature


def r14(z, g, temperature=1.0):
    return backprop_softmax(rows_softmax(z / temperature), g, temperature=temperature)


add(
    "R14",
    "explosion/thinc PR#589",
    "none (takes the output Y)",
    "right",
    "vjp",
    backprop_softmax,
    r14,
    2,
)


# R16 etsi-ai/etna: lists of float32 numbers, gradient not averaged.
def lists_backward(preds, y):
    return [
        [float(np.float32(a) - np.float32(b)) for a, b in zip(p, t)]
        for p, t in zip(preds, y)
    ]


def r16(z, t):
    return lists_backward(rows_softmax(z), t)


add(
    "R16",
    "etsi-ai/etna etna_core/src/softmax.rs",
    "none (lists, float32, a sum)",
    "right",
    "gradient",
    lists_backward,
    r16,
    1,
    options={"reduction": "sum", "targets": "distribution"},
)

# R23 the gradient of the XGBoost demo.
add(
    "R23",
    "Ace1928/eidosian_forge func_softprob_obj.py (gradient)",
    "none (a sum)",
    "right",
    "gradient",
    boosting,
    r23,
    2,
    options={"reduction": "sum"},
)

# R28 argmax of one-hot targets in a right loss (yyhclimacool, the book).
add(
    "R28",
    "oreilly-japan/deep-learning-from-scratch-2#25 style, without the 1e-7",
    "none for one-hot and indices; soft targets become their argmax",
    "right",
    "loss",
    r40,
    r40,
    0,
)


# R30 kaiweihuang/CS231n assignment2/layers.py: (loss, dx), indices.
def loss_and_dx(x, y):
    p = np.exp(x - np.max(x, axis=1, keepdims=True))
    p /= np.sum(p, axis=1, keepdims=True)
    n = x.shape[0]
    loss = -np.sum(np.log(p[np.arange(n), y])) / n
    dx = p.copy()
    dx[np.arange(n), y] -= 1
    return loss, dx / n


add(
    "R30",
    "kaiweihuang/CS231n assignment2/layers.py",
    "none ((loss, dx) pair)",
    "right",
    "gradient",
    loss_and_dx,
    lambda z, y: loss_and_dx(z, y)[1],
    1,
)


# R31 lnccbrown/HSSM#908 and PR#909, scipy PR#23074, DevComPsy/cpm PR#3: beta = 1/T.
def r31_native(logits, beta=1.0):
    scaled = logits * beta
    e = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def r31(logits, temperature=1.0):
    return r31_native(logits, 1 / temperature)


add(
    "R31",
    "lnccbrown/HSSM#908, PR#909; DevComPsy/cpm PR#3",
    "none (inverse temperature)",
    "right",
    "softmax",
    r31_native,
    r31,
    2,
)


# R34 only2307/APP_Project and others of that video: learning rate, batch version.
def r34_native(z, output_gradient, learning_rate):
    p = rows_softmax(z)
    return p * (output_gradient - (p * output_gradient).sum(axis=1, keepdims=True))


add(
    "R34",
    "only2307/APP_Project src/softmax.py (signature; the batch version is mine)",
    "none (a learning rate as third argument, unused)",
    "right",
    "vjp",
    r34_native,
    lambda z, g: r34_native(z, g, 0.1),
    1,
)


# R36 PaddlePaddle/Paddle PR#28622: labels of shape (N, 1).
def r36_native(z, y):
    shifted = z - z.max(axis=1, keepdims=True)
    lp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.take_along_axis(lp, y, 1).mean()


add(
    "R36",
    "PaddlePaddle/Paddle PR#28622 (labels (N, 1))",
    "none",
    "right",
    "loss",
    r36_native,
    lambda z, y: r36_native(z, y[:, None]),
    1,
)


# W47 microsoft/DirectML#740, and unfinished course stubs: the gradient is zero.
def w47(z, y):
    n = len(y)
    assert z[np.arange(n), y].shape == (n,)
    return np.zeros_like(z)


add(
    "W47",
    "microsoft/DirectML#740 (silent zero gradient)",
    "all zeros",
    "unknown",
    "gradient",
    w47,
    w47,
    0,
)


# Entries of the catalogue that were made from these cases.
NOW = {
    "W04a": "missing-normaliser",
    "W11": "pass-through-backward",
    "W29": "labels-off-by-one",
    "W35": "jacobian-of-another-array",
    "W47": "zero-gradient",
}
