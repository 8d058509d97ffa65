"""Mistakes that only large logits show: compared by where they fail.

Code that overflows does so in many ways, so values say little. What tells these
mistakes apart is the stress probes at which the result stays right, is finite and
off, or is not finite.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from .._inputs import Array
from ..mistakes import MISTAKES
from ..mistakes._steps import (
    NOTHING,
    Steps,
    core_value,
    merge,
    reduced,
    scalar_factor,
)
from ._matching import Answer, agrees
from ._probes import Probe

FINE, OFF, NOT_FINITE = 0, 1, 2

Pattern = tuple[int, ...]


def pattern(values: Sequence[Array], ideal: Sequence[Answer]) -> Pattern:
    """Return for each answer whether it is right, finite and off, or not finite."""
    return tuple(
        FINE
        if agrees(value, each.right, each.right, each.tolerance)
        else (OFF if np.isfinite(value).all() else NOT_FINITE)
        for value, each in zip(values, ideal, strict=True)
    )


def numerical_mistakes(
    kind: str, reduction: str, formula: Steps, answers: Sequence[Answer]
) -> list[tuple[str, ...]]:
    """Return the mistakes, one or two together, that fail where the answers do.

    `right` in the answers is what the formula gives without numerical mistakes.
    """
    seen = pattern([each.value for each in answers], answers)
    if not any(seen):
        return []
    patterns = [
        (entry.slug, pattern_of(kind, reduction, formula, steps, answers))
        for entry in MISTAKES.values()
        if entry.numerical
        for steps in entry.kinds.get(kind, ())
    ]
    alone = [(slug,) for slug, each in patterns if each == seen]
    if alone:
        return list(dict.fromkeys(alone))
    return list(
        dict.fromkeys(
            (first, second)
            for (first, one), (second, two) in combinations(patterns, 2)
            if first != second and tuple(map(max, one, two)) == seen
        )
    )


def pattern_of(
    kind: str,
    reduction: str,
    formula: Steps,
    numerical: Steps,
    answers: Sequence[Answer],
) -> Pattern:
    """Return where a mistake fails, made with the formula if they do not collide."""
    base = NOTHING if formula.replaced & numerical.replaced else formula
    steps = merge(base, numerical)
    values = []
    for each in answers:
        probe, precision = each.probe, each.value.dtype
        core = core_value(
            kind,
            steps,
            probe.logits.astype(precision),
            in_precision(probe, precision),
            probe.temperature,
        )
        factor = scalar_factor(
            kind, steps, probe.logits.shape, probe.temperature, reduction
        )
        values.append(reduced(kind, core, reduction) * factor)
    ideal = [
        each
        if base is formula
        else each._replace(right=plain_answer(kind, reduction, each.probe))
        for each in answers
    ]
    return pattern(values, ideal)


def plain_answer(kind: str, reduction: str, probe: Probe) -> Array:
    """Return the right answer of the steps as they are."""
    core = core_value(kind, NOTHING, probe.logits, probe.second, probe.temperature)
    factor = scalar_factor(
        kind, NOTHING, probe.logits.shape, probe.temperature, reduction
    )
    return reduced(kind, core, reduction) * factor


def in_precision(probe: Probe, precision: np.dtype) -> Array | None:
    """Return the second argument in a precision, class indices as they are."""
    if probe.second is None or probe.form == "indices":
        return probe.second
    return np.asarray(probe.second).astype(precision)
