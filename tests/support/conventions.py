"""Functions of the doctor's signature, handed over under other conventions.

Each convention takes a function f(z, T) or f(z, second, T) and gives what its author
would hand over who meant the same and wrote it another way; None where that does not
exist for the kind.
"""

# T is the temperature, as in the formulas.
# ruff: noqa: N803

import functools

import numpy as np

from softmax_gradients.mistakes._steps import (
    AVERAGED,
    MATRIX_A_ROW,
    ONE_NUMBER_A_ROW,
    SECOND_ARGUMENT,
)

FIXED = 2.5
BETA_KINDS = ("softmax", "loss")


def called(f, kind, z, s, T=1.0):
    return f(z, T) if SECOND_ARGUMENT[kind] is None else f(z, s, T)


def two(kind, one_argument, two_arguments):
    return one_argument if SECOND_ARGUMENT[kind] is None else two_arguments


def without_temperature(f, kind):
    return two(kind, lambda z: f(z, 1.0), lambda z, s: f(z, s, 1.0))


def with_temperature(f, kind):
    return two(
        kind,
        lambda z, temperature: f(z, temperature),
        lambda z, s, temperature: f(z, s, temperature),
    )


def reversed_arguments(f, kind):
    if SECOND_ARGUMENT[kind] != "targets" and kind != "vjp":
        return None
    return lambda y_true, scores: f(scores, y_true, 1.0)


def of_probabilities(f, kind):
    if kind in ("softmax", "temperature_gradient"):
        return None
    if SECOND_ARGUMENT[kind] == "teacher_logits":
        return lambda q, p: f(np.log(q), np.log(p), 1.0)
    return two(kind, lambda q: f(np.log(q), 1.0), lambda q, s: f(np.log(q), s, 1.0))


def classes_first(f, kind):
    if kind in MATRIX_A_ROW:
        return None

    def back(value):
        return value if kind in ONE_NUMBER_A_ROW else value.T

    def second(s):
        return s.T if np.ndim(s) == 2 else s

    return two(
        kind,
        lambda z: back(f(z.T, 1.0)),
        lambda z, s: back(f(z.T, second(s), 1.0)),
    )


def as_column(f, kind):
    def back(value):
        return value if kind in (*ONE_NUMBER_A_ROW, *MATRIX_A_ROW) else value[:, None]

    def row(z):
        if z.ndim != 2 or z.shape[1] != 1:
            raise ValueError("a column, please")
        return z[:, 0]

    return two(
        kind,
        lambda z: back(f(row(z), 1.0)),
        lambda z, s: back(f(row(z), s[:, 0] if np.ndim(s) == 2 else s, 1.0)),
    )


def labels_from_one(f, kind):
    if SECOND_ARGUMENT[kind] != "targets":
        return None
    return lambda z, y: f(z, np.eye(z.shape[1])[y.astype(int) - 1], 1.0)


def labels_in_a_column(f, kind):
    if SECOND_ARGUMENT[kind] != "targets":
        return None

    def function(z, y):
        if y.shape != (len(z), 1) or y.dtype.kind != "i":
            raise ValueError("labels of shape (N, 1), please")
        return f(z, y[:, 0], 1.0)

    return function


def summed(f, kind):
    if kind not in AVERAGED:
        return None
    return lambda z, s: f(z, s, 1.0) * (len(z) if z.ndim > 1 else 1)


def second_of_three(f, kind):
    return two(
        kind,
        lambda z: (np.array([1, 2]), f(z, 1.0), "text"),
        lambda z, s: (np.array([1, 2]), f(z, s, 1.0), "text"),
    )


def in_a_dictionary(f, kind):
    return two(
        kind,
        lambda z: {"answer": f(z, 1.0), "size": 3},
        lambda z, s: {"answer": f(z, s, 1.0), "size": 3},
    )


def flattened(f, kind):
    if kind in (*ONE_NUMBER_A_ROW, *MATRIX_A_ROW):
        return None
    return two(
        kind,
        lambda z: f(z, 1.0).reshape(-1, 1),
        lambda z, s: f(z, s, 1.0).reshape(-1, 1),
    )


def at_a_fixed_temperature(f, kind):
    return two(kind, lambda z: f(z, FIXED), lambda z, s: f(z, s, FIXED))


def of_the_inverse(f, kind):
    return two(
        kind,
        lambda z, beta=1.0: f(z, 1 / beta),
        lambda z, s, beta=1.0: f(z, s, 1 / beta),
    )


def with_a_learning_rate(f, kind):
    return two(
        kind,
        lambda z, learning_rate: f(z, 1.0),
        lambda z, s, learning_rate: f(z, s, 1.0),
    )


def with_smoothed_labels(f, kind):
    if SECOND_ARGUMENT[kind] != "targets":
        return None

    def function(z, y):
        if y.dtype.kind != "i":
            raise ValueError("class indices, please")
        classes = z.shape[-1]
        return f(z, 0.9 * np.eye(classes)[y] + 0.1 / classes, 1.0)

    return function


def with_five_classes(f, kind):
    if SECOND_ARGUMENT[kind] != "targets":
        return None
    return lambda z, y: f(z, np.eye(5)[y], 1.0)


class Layer:
    """A layer that remembers its forward pass."""

    def __init__(self, f, kind):
        self.f, self.kind = f, kind

    def forward(self, x):
        self.x = x
        return x

    def backward(self, grad):
        return self.f(self.x, grad, 1.0)


class Forgetful(Layer):
    def backward(self, dvalues):
        self.dinputs = self.f(self.x, dvalues, 1.0)


def as_a_layer(f, kind):
    cotangent = SECOND_ARGUMENT[kind] == "cotangent"
    return Layer(f, kind).backward if cotangent else None


def as_a_forgetful_layer(f, kind):
    return Forgetful(f, kind) if SECOND_ARGUMENT[kind] == "cotangent" else None


def partially(f, kind):
    def function(scale, z, s=None):
        return called(f, kind, z, s) * scale

    if SECOND_ARGUMENT[kind] is None:
        return functools.partial(lambda scale, z: f(z, 1.0) * scale, 1.0)
    return functools.partial(lambda scale, z, s: f(z, s, 1.0) * scale, 1.0)


CONVENTIONS = {
    "without T": without_temperature,
    "with T": with_temperature,
    "arguments reversed": reversed_arguments,
    "probabilities": of_probabilities,
    "classes first": classes_first,
    "a column": as_column,
    "labels from 1": labels_from_one,
    "labels (N, 1)": labels_in_a_column,
    "sum": summed,
    "one of three results": second_of_three,
    "a dictionary": in_a_dictionary,
    "flat": flattened,
    "T fixed": at_a_fixed_temperature,
    "inverse T": of_the_inverse,
    "learning rate": with_a_learning_rate,
    "smoothed labels": with_smoothed_labels,
    "five classes": with_five_classes,
    "a layer": as_a_layer,
    "a layer with dinputs": as_a_forgetful_layer,
    "partial": partially,
}
STYLES = {
    "as it is": lambda f: f,
    "float32": lambda f: lambda *given: np.asarray(f(*given), np.float32),
    "row by row": None,
}


def row_by_row(f, kind):
    """Write a function with a loop over the rows, where that is the same."""
    if kind in ONE_NUMBER_A_ROW:
        return lambda z, s, T: np.mean(
            [f(z[n], s[n], T) for n in range(len(z))] if z.ndim > 1 else [f(z, s, T)]
        )
    rows = {"gradient", "kl_divergence_gradient"}

    def one(z, T):
        return np.stack([f(row, T) for row in z]) if z.ndim > 1 else f(z, T)

    def both(z, s, T):
        if z.ndim == 1:
            return f(z, s, T)
        stacked = np.stack([f(z[n], s[n], T) for n in range(len(z))])
        return stacked / (len(z) if kind in rows else 1)

    return two(kind, one, both)


def styled(f, kind, style):
    return row_by_row(f, kind) if style == "row by row" else STYLES[style](f)
