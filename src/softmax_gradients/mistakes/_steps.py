"""Each kind of function that the doctor knows, computed in named steps.

A right implementation is a chain of steps: scale the logits by T, take the softmax,
combine the probabilities with the second argument (the core), multiply by a sign and
a power of T, divide by the rows of the batch. A mistake of the catalogue replaces one
or more steps, so two mistakes that replace different steps can be made in one
function: see `assemble`.

The steps are written plainly, as a reader would write them. The accurate functions
of the package are what they are compared with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .._inputs import Array

Shape = tuple[int, ...]


class Values(NamedTuple):
    """What a core may use; the class axis is last, absent arguments are None."""

    logits: Array
    temperature: float
    probs: Array
    log_probs: Array
    targets: Any = None
    cotangent: Any = None
    teacher_logits: Any = None
    teacher_probs: Any = None
    teacher_log_probs: Any = None


Scale = Callable[[Array, float], Array]
Softmax = Callable[[Array, float], tuple[Array, Array]]
Core = Callable[[Values], Array]


@dataclass(frozen=True)
class Steps:
    """The steps of a computation that a mistake replaces; None leaves a step right.

    `student` and `teacher` scale the logits by T, `softmax` gives q and log q from
    the scaled logits (and T), `core` is the array for each row, `sign` and T to the
    `power` multiply it, `rows` is its divisor from the logits' shape.
    """

    student: Scale | None = None
    teacher: Scale | None = None
    softmax: Softmax | None = None
    core: Core | None = None
    sign: float | None = None
    power: int | None = None
    rows: Callable[[Shape], float] | None = None

    @cached_property
    def replaced(self) -> frozenset[str]:
        """The names of the steps that are replaced."""
        return frozenset(
            each.name for each in fields(self) if getattr(self, each.name) is not None
        )


NOTHING = Steps()

# The second argument of a function of each kind.
SECOND_ARGUMENT: Mapping[str, str | None] = {
    "softmax": None,
    "jacobian": None,
    "vjp": "cotangent",
    "log_softmax_vjp": "cotangent",
    "loss": "targets",
    "gradient": "targets",
    "hessian": None,
    "temperature_gradient": "targets",
    "distillation_loss": "teacher_logits",
    "kl_divergence_gradient": "teacher_logits",
}
KINDS = tuple(SECOND_ARGUMENT)
WITH_TARGETS = tuple(k for k in KINDS if SECOND_ARGUMENT[k] == "targets")
WITH_TEACHER = tuple(k for k in KINDS if SECOND_ARGUMENT[k] == "teacher_logits")
ONE_NUMBER_A_ROW = ("loss", "temperature_gradient", "distillation_loss")
MATRIX_A_ROW = ("jacobian", "hessian")
AVERAGED = (*ONE_NUMBER_A_ROW, "gradient", "kl_divergence_gradient")


def total(values: Array) -> Array:
    """Return the sum over the classes, kept as an axis of length one."""
    return values.sum(axis=-1, keepdims=True)


def divided(logits: Array, temperature: float) -> Array:
    """Return z/T."""
    return logits / temperature


def unscaled(logits: Array, temperature: float) -> Array:
    """Return z, as at T = 1."""
    return logits


def shifted_softmax(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Return q and log q of scaled logits; T is in them already."""
    shifted = scaled - scaled.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / total(exponentials), shifted - np.log(total(exponentials))


def weighted(weights: Array, values: Array) -> Array:
    """Return weights times values, with 0 wherever the weight is 0."""
    return np.where(weights == 0, 0, weights * values)


def covariance_matrix(x: Values) -> Array:
    """Return diag(q) - q q^T."""
    outer = x.probs[..., :, np.newaxis] * x.probs[..., np.newaxis, :]
    return on_diagonal(x.probs) - outer


def on_diagonal(values: Array) -> Array:
    """Return diag(values) for each row."""
    return np.eye(values.shape[-1], dtype=values.dtype) * values[..., np.newaxis]


def jacobian_product(probs: Array, vector: Array) -> Array:
    """Return (diag(q) - q q^T) times a vector."""
    return probs * (vector - total(probs * vector))


def divergence(first: Array, log_first: Array, log_second: Array) -> Array:
    """Return KL(first || second) for each row."""
    return weighted(first, log_first - log_second).sum(axis=-1)


def difference_of_means(x: Values) -> Array:
    """Return <t, z> - sum(t) <q, z> for each row."""
    by_targets = weighted(x.targets, x.logits)
    by_probs = total(x.targets) * weighted(x.probs, x.logits)
    return (by_targets - by_probs).sum(axis=-1)


RIGHT_CORE: Mapping[str, Core] = {
    "softmax": lambda x: x.probs,
    "jacobian": covariance_matrix,
    "vjp": lambda x: jacobian_product(x.probs, x.cotangent),
    "log_softmax_vjp": lambda x: x.cotangent - x.probs * total(x.cotangent),
    "loss": lambda x: -weighted(x.targets, x.log_probs).sum(axis=-1),
    "gradient": lambda x: x.probs * total(x.targets) - x.targets,
    "hessian": covariance_matrix,
    "temperature_gradient": difference_of_means,
    "distillation_loss": lambda x: divergence(
        x.teacher_probs, x.teacher_log_probs, x.log_probs
    ),
    "kl_divergence_gradient": lambda x: x.probs - x.teacher_probs,
}

# The right answer is the core times this power of T.
RIGHT_POWER: Mapping[str, int] = {
    "softmax": 0,
    "jacobian": -1,
    "vjp": -1,
    "log_softmax_vjp": -1,
    "loss": 0,
    "gradient": -1,
    "hessian": -2,
    "temperature_gradient": -2,
    "distillation_loss": 2,
    "kl_divergence_gradient": -1,
}


def number_of_rows(shape: Shape) -> int:
    """Return N for logits of the given shape."""
    return prod(shape[:-1])


def merge(*replacements: Steps) -> Steps:
    """Return the replacements as one; they must replace different steps."""
    merged: dict[str, Any] = {}
    for steps in replacements:
        if merged.keys() & steps.replaced:
            raise ValueError(
                "replacements must replace different steps, both replace "
                f"{', '.join(sorted(merged.keys() & steps.replaced))}"
            )
        merged |= {name: getattr(steps, name) for name in steps.replaced}
    return Steps(**merged)


def core_value(
    kind: str, steps: Steps, logits: Array, second: Any, temperature: float
) -> Array:
    """Return the core of each row, before sign, power of T and divisor."""
    softmax = steps.softmax or shifted_softmax
    name = SECOND_ARGUMENT[kind]
    given: dict[str, Any] = {} if name is None else {name: np.asarray(second)}
    with np.errstate(all="ignore"):
        student = (steps.student or divided)(logits, temperature)
        probs, log_probs = softmax(student, temperature)
        if name == "targets":
            given[name] = as_weights(given[name], logits)
        if name == "teacher_logits":
            teacher = (steps.teacher or divided)(given[name], temperature)
            given["teacher_probs"], given["teacher_log_probs"] = softmax(
                teacher, temperature
            )
        x = Values(logits, temperature, probs, log_probs, **given)
        return np.asarray((steps.core or RIGHT_CORE[kind])(x))


def scalar_factor(
    kind: str, steps: Steps, shape: Shape, temperature: float, reduction: str
) -> float:
    """Return sign times power of T over the divisor of the rows."""
    power = RIGHT_POWER[kind] if steps.power is None else steps.power
    sign = 1.0 if steps.sign is None else steps.sign
    factor = sign * float(temperature) ** power
    if kind not in AVERAGED:
        return factor
    if steps.rows is not None:
        return factor / steps.rows(shape)
    return factor / (number_of_rows(shape) if "mean" in reduction else 1)


def reduced(kind: str, core: Array, reduction: str) -> Array:
    """Return the sum of the rows' numbers, where the kind gives one for a batch."""
    if kind in ONE_NUMBER_A_ROW and reduction != "none":
        with np.errstate(invalid="ignore"):  # the sum of inf and -inf is NaN
            return np.asarray(core.sum())
    return core


def assemble(
    kind: str, *replacements: Steps, reduction: str = "mean"
) -> Callable[..., Array]:
    """Return a function of the kind's signature, with some steps replaced."""
    steps = merge(*replacements)

    def compute(logits: Array, second: Any, temperature: float) -> Array:
        logits = np.asarray(logits)
        core = core_value(kind, steps, logits, second, temperature)
        factor = scalar_factor(kind, steps, logits.shape, temperature, reduction)
        # A Python number leaves the precision of the core as it is.
        return np.asarray(reduced(kind, core, reduction) * factor)

    if SECOND_ARGUMENT[kind] is None:
        return lambda logits, temperature=1.0: compute(logits, None, temperature)
    return lambda logits, second, temperature=1.0: compute(logits, second, temperature)


def as_weights(targets: Array, logits: Array) -> Array:
    """Return targets as weights of the logits' shape: e_y for a class index y."""
    if targets.ndim == logits.ndim:
        return targets
    return np.eye(logits.shape[-1], dtype=logits.dtype)[targets]
