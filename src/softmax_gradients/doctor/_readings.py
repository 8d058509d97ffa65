"""Other conventions: how a function that follows one is called, and its result read.

A reading is one way to understand a function. It turns a probe into the function's
own arguments and the function's result into what the doctor compares.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._inputs import Array
from .._softmax import log_softmax, softmax
from ..mistakes._steps import (
    AVERAGED,
    MATRIX_A_ROW,
    ONE_NUMBER_A_ROW,
    SECOND_ARGUMENT,
    WITH_TEACHER,
    Shape,
    as_weights,
    on_diagonal,
)
from ._calls import Leaf, Outcome
from ._convention import Convention
from ._probes import Probe, expected_shape
from ._signature import Binding

BATCH = "batch"
LAYOUTS = (BATCH, "classes first", "row", "(1, C)", "(C, 1)")
WRONG_ON_BATCHES = "for a batch it is wrong"
ROW_LAYOUTS = ("row", "(1, C)", "(C, 1)")
TAKES = ("logits", "probabilities", "log-probabilities", "teacher-probabilities")
LABELS = ("from 0", "from 1", "column")
ORDERS = ("usual", "reversed")
TARGETS = ("any", "distribution", "hard")
# What each kind of function can take in place of the logits.
TAKEN = {
    "softmax": (),
    "jacobian": ("probabilities",),
    "vjp": ("probabilities",),
    "log_softmax_vjp": ("probabilities", "log-probabilities"),
    "loss": ("probabilities", "log-probabilities"),
    "gradient": ("probabilities", "log-probabilities"),
    "hessian": ("probabilities",),
    "temperature_gradient": (),
    "distillation_loss": TAKES[1:],
    "kl_divergence_gradient": ("probabilities", "teacher-probabilities"),
}


@dataclass(frozen=True)
class Reading:
    """One way to understand a function; the defaults are what the doctor asks.

    `path` is the part of the result that counts and `how` what it is before it is
    turned into the result of the kind. `targets` is what has to be true of them.
    `temperature` is a fixed T, `smoothing` and `weights` are what the function does
    to the targets, `by_weights` whether it divides by the sum of the weights, and
    `soft_by_rows` whether it does so for labels alone, as PyTorch does.
    """

    binding: Binding
    reduction: str
    takes: str = "logits"
    layout: str = BATCH
    labels: str = "from 0"
    path: str = ""
    how: str = ""
    targets: str = "any"
    classes: int | None = None
    temperature: float | None = None
    smoothing: float | None = None
    weights: tuple[float, ...] | None = None
    by_weights: bool = False
    soft_by_rows: bool = False
    entropy: bool = False
    t_squared: bool = True

    def arguments(self, kind: str, probe: Probe) -> tuple[Array, Any]:
        """Return the function's own two arrays, without the layout."""
        first, second = np.array(probe.logits, np.float64), probe.second
        divisor = self.temperature or probe.temperature
        if self.takes == "probabilities":
            first = softmax(first, temperature=divisor)
        if self.takes == "log-probabilities":
            first = log_softmax(first, temperature=divisor)
        if kind in WITH_TEACHER and self.takes != "logits":
            second = softmax(second, temperature=divisor)
        if self.labels == "from 1" and probe.form == "indices":
            second = second + 1
        if second is not None:
            second = np.array(second)
        return self.laid_out(first), self.laid_out(second, probe.logits.ndim)

    def laid_out(self, array: Any, ndim: int = 0) -> Any:
        """Return an array in the function's layout."""
        if array is None:
            return None
        as_labels = bool(ndim) and array.ndim < ndim
        if self.layout == "(1, C)":
            return array[np.newaxis]
        if self.layout == "(C, 1)":
            return array if as_labels else array[:, np.newaxis]
        if as_labels:
            return array[..., np.newaxis] if self.labels == "column" else array
        if self.layout == "classes first":
            return np.ascontiguousarray(np.moveaxis(array, -1, 0))
        return array

    def outcome(self, kind: str, leaf: Leaf, probe: Probe) -> Outcome:
        """Return a part of the result as the doctor compares it."""
        shape = probe.logits.shape
        wanted = expected_shape(kind, shape, self.reduction)
        value = turned(kind, self, leaf.value, probe)
        if value is None:
            told = f"returns shape {leaf.value.shape} where {wanted} is asked"
            return Outcome(None, told)
        if kind == "distillation_loss":
            value = self.without_entropy(value, probe)
        return Outcome(value)

    def without_entropy(self, value: Array, probe: Probe) -> Array:
        """Return T^2 KL from a loss without T^2, or with the teacher's entropy."""
        divisor = self.temperature or probe.temperature
        if not self.t_squared:
            value = value * value.dtype.type(divisor**2)
        if self.entropy:
            log_p = log_softmax(probe.second, temperature=divisor)
            entropies = -(divisor**2) * (np.exp(log_p) * log_p).sum(axis=-1)
            if self.reduction != "none":
                rows = entropies.size if "mean" in self.reduction else 1
                entropies = entropies.sum() / rows
            value = (value - entropies).astype(value.dtype)
        return value

    def seen(self, probe: Probe) -> Probe:
        """Return the probe as the function understands it: with its own T, targets."""
        if self.temperature is not None:
            probe = replace(probe, temperature=self.temperature)
        if self.smoothing is None and self.weights is None:
            return probe
        given = as_weights(np.asarray(probe.second), probe.logits)
        targets = given
        if self.smoothing is not None:
            targets = smoothed(targets, self.smoothing)
        if self.weights is not None:
            weights = np.array(self.weights)
            targets = targets * weights
            if self.by_weights and (probe.form == "indices" or not self.soft_by_rows):
                # The weights of the rows do not depend on the smoothing.
                rows = probe.logits[..., 0].size
                targets = targets * (rows / (given * weights).sum())
        return replace(probe, second=targets, form="weights")


def smoothed(targets: Array, smoothing: float) -> Array:
    """Return (1 - eps) t + eps/C."""
    return (1 - smoothing) * targets + smoothing / targets.shape[-1]


def turned(kind: str, reading: Reading, value: Array, probe: Probe) -> Array | None:
    """Return a result in the layout of the doctor, or None if it cannot be."""
    shape = probe.logits.shape
    wanted = expected_shape(kind, shape, reading.reduction)
    how = reading.how
    if how == "elements":
        value = back(value, reading, shape)
        if value.shape != shape:
            return None
        rows = value.sum(axis=-1)
        return rows if reading.reduction == "none" else rows.sum()
    if how == "diagonal":
        value = back(value, reading, shape)
        return on_diagonal(value) if value.shape == shape else None
    if how == "flat diagonal":
        size = int(np.prod(shape))
        return on_diagonal(value.reshape(shape)) if value.size == size else None
    if how == "matrix":
        square = (*shape, shape[-1])
        if value.shape != square or SECOND_ARGUMENT[kind] != "cotangent":
            return None
        return np.einsum("...ij,...i->...j", value, probe.second)
    if how == "flat":
        size = int(np.prod(wanted))
        return value.reshape(wanted) if value.size == size and wanted else None
    value = back(value, reading, shape)
    if value.shape == wanted:
        return value
    squeezed = tuple(n for n in value.shape if n != 1)
    if squeezed == tuple(n for n in wanted if n != 1):
        return value.reshape(wanted)
    return None


def back(value: Array, reading: Reading, shape: Shape) -> Array:
    """Return a result that follows the layout of the logits with classes last."""
    classes = shape[-1]
    if reading.layout == "classes first" and value.ndim >= 2:
        return np.moveaxis(value, 0, -1) if value.shape[0] == classes else value
    if reading.layout == "(C, 1)" and value.shape == (classes, 1):
        return value[:, 0]
    if reading.layout == "(1, C)" and value.ndim and value.shape[0] == 1:
        return value[0]
    return value


def hows(kind: str, value: Array, shape: Shape) -> list[str]:
    """Return in which ways a part of a result may be that of the kind."""
    size, classes = int(np.prod(shape)), shape[-1]
    found = [""]
    if kind in ONE_NUMBER_A_ROW and value.size == size and value.ndim >= 1:
        found.append("elements")
    if kind in MATRIX_A_ROW and value.size == size:
        found += ["diagonal", "flat diagonal"]
    if SECOND_ARGUMENT[kind] == "cotangent" and value.shape == (*shape, classes):
        found.append("matrix")
    flat = kind not in (*ONE_NUMBER_A_ROW, *MATRIX_A_ROW)
    if flat and value.size == size and value.shape in ((size,), (size, 1), (1, size)):
        found.append("flat")
    return found


def reductions(kind: str, asked: str, stated: bool) -> list[str]:
    """Return how the rows may be combined, as asked first."""
    if kind not in AVERAGED or stated:
        return [asked]
    others = ["sum", "none"] if kind in ONE_NUMBER_A_ROW else ["sum"]
    return [asked, *(each for each in others if each != asked)]


NO_NAME = ""
TOLD: dict[str, dict[str, tuple[str, str, str]]] = {
    "takes": {
        "probabilities": (
            "It takes probabilities, the output of softmax, not logits.",
            "its first argument holds probabilities, the output of softmax",
            NO_NAME,
        ),
        "log-probabilities": (
            "It takes log-probabilities, not logits.",
            "its first argument holds log-probabilities",
            NO_NAME,
        ),
        "teacher-probabilities": (
            "It takes the teacher's probabilities, not its logits.",
            "its second argument holds the teacher's probabilities",
            NO_NAME,
        ),
    },
    "order": {
        "reversed": (
            "It takes its two arguments in the other order.",
            "its two arguments come in the other order",
            NO_NAME,
        ),
    },
    "layout": {
        "classes first": (
            "It takes the classes along the first axis, as (C, N).",
            "the classes are along the first axis, as in (C, N)",
            "for (N, C) it is wrong",
        ),
        "row": (
            "It takes one row at a time, of shape (C,).",
            "it is given one row at a time",
            WRONG_ON_BATCHES,
        ),
        "(1, C)": (
            "It takes one row at a time, of shape (1, C).",
            "it is given one row at a time, of shape (1, C)",
            NO_NAME,
        ),
        "(C, 1)": (
            "It takes one row at a time, as a column of shape (C, 1).",
            "it is given one row at a time, as a column (C, 1)",
            NO_NAME,
        ),
    },
    "labels": {
        "from 1": ("It counts the labels from 1.", "labels count from 1", NO_NAME),
        "column": (
            "It takes labels of shape (N, 1).",
            "labels have the shape (N, 1)",
            NO_NAME,
        ),
    },
    "reduction": {
        "sum": (
            "It sums over the rows of the batch, and does not divide by N.",
            "the sum over the batch, or one row alone, is meant",
            "for the mean it lacks 1/N: missing-batch-mean",
        ),
        "none": (
            "It returns one number per row, and does not reduce them.",
            "one number per row is meant",
            NO_NAME,
        ),
        "mean": (
            "It takes the mean over the rows of the batch.",
            "the mean over the batch is meant",
            NO_NAME,
        ),
        "batchmean": (
            "It takes the mean over the rows of the batch.",
            "the mean over the batch is meant",
            NO_NAME,
        ),
    },
    "targets": {
        "distribution": (
            "It takes targets that sum to one.",
            "targets always sum to one",
            "for other targets see unnormalised-targets",
        ),
        "hard": (
            "It takes one class per row, as an index or one-hot.",
            "the targets are one class per row",
            "for soft targets it is wrong",
        ),
    },
}
DIAGONAL = (
    "It returns one number per class, read as a diagonal matrix.",
    "its numbers are a diagonal",
)
HOW = {
    "elements": (
        "It returns the term of every class; their sum is the loss.",
        "the term of every class is meant",
    ),
    "diagonal": DIAGONAL,
    "flat diagonal": DIAGONAL,
    "matrix": (
        "It returns the Jacobian, and leaves the product with g to its caller.",
        "the Jacobian is meant",
    ),
    "flat": ("It returns the entries in one column.", "one column is meant"),
}


def conventions_of(reading: Reading, plain: Reading) -> list[Convention]:
    """Return in what a reading differs from the plain one, each in a sentence."""
    told = [
        Convention(f'{name}="{value}"', *TOLD[name][value])
        for name, value, usual in (
            ("takes", reading.takes, plain.takes),
            ("order", order_of(reading), order_of(plain)),
            ("layout", reading.layout, plain.layout),
            ("labels", reading.labels, plain.labels),
        )
        if value != usual and value in TOLD[name]  # what is usual is no convention
    ]
    if reading.classes != plain.classes:
        told.append(
            Convention(
                f"classes={reading.classes}",
                f"It takes {reading.classes} classes only.",
                f"there are always {reading.classes} classes",
            )
        )
    told += parts_told(reading, plain)
    told += numbers_told(reading, plain)
    told += [
        Convention(f'{name}="{value}"', *TOLD[name][value])
        for name, value, usual in (
            ("reduction", reading.reduction, plain.reduction),
            ("targets", reading.targets, plain.targets),
        )
        if value != usual
    ]
    if reading.entropy and not plain.entropy:
        told.append(
            Convention(
                'soft_loss="cross-entropy"',
                "It is the cross-entropy with the teacher: KL and the teacher's "
                "entropy, which has no gradient here.",
                "the cross-entropy with the teacher is meant",
            )
        )
    if not reading.t_squared and plain.t_squared:
        told.append(
            Convention(
                "t_squared=False",
                "It leaves the factor T^2 to its caller.",
                "the factor T^2 is left to the caller",
                "else it is missing-t-squared",
            )
        )
    return told


def order_of(reading: Reading) -> str:
    """Return the order of the two arguments."""
    return ORDERS[reading.binding.reversed]


def parts_told(reading: Reading, plain: Reading) -> list[Convention]:
    """Return which part of a result counts, if it is not all of it, and how."""
    if (reading.path, reading.how) == (plain.path, plain.how):
        return []
    sentences, meanings = [], []
    if reading.path != plain.path:
        part = f"the one at {reading.path}"
        sentences.append(f"It returns several results; {part} counts.")
        meanings.append(f"of its results {part} counts")
    if reading.how and reading.how != plain.how:
        sentences.append(HOW[reading.how][0])
        meanings.append(HOW[reading.how][1])
    option = " ".join(filter(None, (reading.path, reading.how)))
    return [
        Convention(f"result={option!r}", " ".join(sentences), " and ".join(meanings))
    ]


def numbers_told(reading: Reading, plain: Reading) -> list[Convention]:
    """Return the numbers that are inside a function."""
    told = []
    if reading.binding.temperature == "1/T" and plain.binding.temperature != "1/T":
        name = reading.binding.parameter
        told.append(
            Convention(
                'temperature="inverse"',
                f"Its {name} is 1/T: it multiplies the logits.",
                f"{name} is the inverse temperature 1/T",
                "for T itself it is multiplied-temperature",
            )
        )
    if reading.temperature is not None and reading.temperature != plain.temperature:
        number = f"{reading.temperature:.6g}"
        told.append(
            Convention(
                f"temperature={number}",
                f"Its temperature is fixed at {number}.",
                f"T is always {number}",
            )
        )
    if reading.smoothing is not None and reading.smoothing != plain.smoothing:
        number = f"{reading.smoothing:.6g}"
        told.append(
            Convention(
                f"label_smoothing={number}",
                f"It has label smoothing {number}: (1 - eps) t + eps/C.",
                f"label smoothing {number} is meant",
            )
        )
    if reading.weights is not None and reading.weights != plain.weights:
        weights = ", ".join(f"{w:.6g}" for w in reading.weights)
        divided = "divides by their sum" if reading.by_weights else "divides by N"
        meant = f"the class weights {weights} are meant"
        otherwise = "else see weighted-mean" if reading.by_weights else ""
        if "mean" not in reading.reduction:
            divided = "sums"
        elif not reading.by_weights:
            # Weights that are stated ask for a mean of labels over their sum.
            meant += ", in a mean over N"
            otherwise = "for a mean over the sum of the weights it is weighted-mean"
        told.append(
            Convention(
                f"class_weights=[{weights}]",
                f"It weights the classes by {weights}, and {divided}.",
                meant,
                otherwise,
            )
        )
    return told
