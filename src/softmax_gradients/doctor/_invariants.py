"""Properties that a right function of each kind has, whatever the inputs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from .._inputs import Array
from ..mistakes._steps import (
    AVERAGED,
    MATRIX_A_ROW,
    ONE_NUMBER_A_ROW,
    RIGHT_POWER,
    SECOND_ARGUMENT,
    WITH_TEACHER,
)
from ._examination import Caller
from ._probes import Probe

SUMS_TO_ZERO = "each row should sum to zero"
SUMS_TO_ONE = "each row should sum to one"
ROW_SUMS = ("gradient", "kl_divergence_gradient", "vjp", "log_softmax_vjp")
# z and T twice as large multiply the result by 2 to this power: that of T, and one
# more where the core is linear in z.
HOMOGENEITY = {**RIGHT_POWER, "temperature_gradient": -1}
MULTIPLES = {
    0: "the same result",
    -1: "half the result",
    -2: "a quarter of it",
    2: "four times the result",
}

Property = Callable[[], bool]


def invariants(caller: Caller, probe: Probe) -> dict[str, bool]:
    """Return which properties hold at a probe, the most telling first.

    A property that could not be evaluated is left out.
    """
    held = {}
    for name, holds in properties(caller, probe):
        try:
            held[name] = bool(holds())
        except UnansweredError:
            continue
    return held


class UnansweredError(Exception):
    """The function gave no array of the right shape."""


def properties(caller: Caller, probe: Probe) -> Iterator[tuple[str, Property]]:
    """Yield the properties of the caller's kind, by name."""
    kind = caller.kind

    def value(changed: Probe = probe) -> Array:
        outcome = caller(changed)
        if outcome.value is None or not np.isfinite(outcome.value).all():
            raise UnansweredError
        return outcome.value

    def near(one: Array, two: Any) -> bool:
        size = 1e-3 if one.dtype.itemsize < 8 else 1e-6
        scale = max(1e-3, float(np.abs(one).max(initial=0)))
        return bool((np.abs(one - two) <= 10 * size * scale).all())

    if kind in ROW_SUMS:
        yield SUMS_TO_ZERO, lambda: near(value().sum(axis=-1), 0.0)
    if kind == "softmax":
        yield SUMS_TO_ONE, lambda: near(value().sum(axis=-1), 1.0)
    if kind in MATRIX_A_ROW:
        yield (
            "each row of the matrix should sum to zero",
            lambda: near(value().sum(axis=-1), 0.0),
        )
        yield (
            "the matrix should be symmetric",
            lambda: near(value(), np.swapaxes(value(), -1, -2)),
        )
    if kind in ("loss", "distillation_loss"):
        yield "it should never be negative", lambda: bool((value() >= -1e-6).all())
    if kind in WITH_TEACHER:
        equal = replace(probe, second=probe.logits)
        yield (
            "it should be zero where the student agrees with the teacher",
            lambda: near(value(equal), 0.0),
        )
    shifted = replace(probe, logits=probe.logits + 1.5)
    yield (
        "a constant added to the logits should change nothing",
        lambda: near(value(shifted), value()),
    )
    if caller.with_temperature:
        power = HOMOGENEITY[kind]
        yield (
            f"twice the logits at twice the temperature should give {MULTIPLES[power]}",
            lambda: near(value(doubled(kind, probe)), value() * 2.0**power),
        )
    if SECOND_ARGUMENT[kind] == "cotangent" or probe.form == "weights":
        twice = replace(probe, second=2 * probe.second)
        yield (
            f"it should be linear in the {SECOND_ARGUMENT[kind]}",
            lambda: near(value(twice), 2 * value()),
        )
    if kind in AVERAGED and probe.logits.ndim > 1 and "mean" in caller.reduction:
        yield (
            "the batch given twice should have the same mean",
            lambda: near(*repeated(kind, probe, value)),
        )
    yield (
        "a class of probability zero should change nothing",
        lambda: near(*widened(kind, probe, value)),
    )
    yield (
        "the classes in another order should give the same in that order",
        lambda: near(*reordered(kind, probe, value)),
    )


def doubled(kind: str, probe: Probe) -> Probe:
    """Return a probe with twice the logits, the teacher's too, at twice T."""
    return replace(
        probe,
        logits=2 * probe.logits,
        second=2 * probe.second if kind in WITH_TEACHER else probe.second,
        temperature=2 * probe.temperature,
    )


def repeated(
    kind: str, probe: Probe, value: Callable[..., Array]
) -> tuple[Array, Array]:
    """Return the result for a batch given twice, and what it should be."""
    again = replace(
        probe,
        logits=np.concatenate([probe.logits, probe.logits]),
        second=np.concatenate([probe.second, probe.second]),
    )
    if kind in ONE_NUMBER_A_ROW:
        return value(again), value()
    return value(again)[: len(probe.logits)], value() / 2


def widened(
    kind: str, probe: Probe, value: Callable[..., Array]
) -> tuple[Array, Array]:
    """Return the result with one class more, without that class, and the result."""
    smallest = probe.logits.min(axis=-1, keepdims=True)
    wide = replace(probe, logits=np.concatenate([probe.logits, smallest - 45], axis=-1))
    if SECOND_ARGUMENT[kind] is not None and probe.form != "indices":
        extra = np.zeros_like(smallest)
        if kind in WITH_TEACHER:
            extra = probe.second.min(axis=-1, keepdims=True) - 45
        wide = replace(wide, second=np.concatenate([probe.second, extra], axis=-1))
    result = value(wide)
    if kind in MATRIX_A_ROW:
        return result[..., :-1, :-1], value()
    return (result if kind in ONE_NUMBER_A_ROW else result[..., :-1]), value()


def reordered(
    kind: str, probe: Probe, value: Callable[..., Array]
) -> tuple[Array, Array]:
    """Return the result with the classes reversed, and the result reversed."""
    second = probe.second
    if probe.form == "indices":
        second = probe.logits.shape[-1] - 1 - second
    elif second is not None:
        second = second[..., ::-1]
    backwards = replace(probe, logits=probe.logits[..., ::-1], second=second)
    result = value(backwards)
    if kind in MATRIX_A_ROW:
        return result, value()[..., ::-1, ::-1]
    return result, value() if kind in ONE_NUMBER_A_ROW else value()[..., ::-1]
