"""Which mistakes of the catalogue, alone or together, explain what was returned."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

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
from ._probes import Probe, expected_shape

AT_MOST = 3
# Of these, so many may change more than a factor.
AT_MOST_IN_CORE = 2
# Steps that multiply the core by a number.
SCALARS = {"sign", "power", "rows"}
# An answer smaller than this is compared as if it were this large.
SMALL = 1e-3


class Hypothesis(NamedTuple):
    """Mistakes made together, and the steps that they replace."""

    slugs: tuple[str, ...]
    steps: Steps


class Answer(NamedTuple):
    """What was returned for a probe, what is right, and the relative tolerance."""

    probe: Probe
    value: Array
    right: Array
    tolerance: float


RIGHT = Hypothesis((), NOTHING)


def agrees(value: Array, other: Array, right: Array, tolerance: float) -> bool:
    """Tell whether two answers are equal up to rounding, and not finite together.

    Rounding is measured against the largest number in the answer, since a right
    function may lose the digits of the small ones.
    """
    finite = np.isfinite(value)
    if (finite != np.isfinite(other)).any():
        return False
    with np.errstate(over="ignore"):
        scale = max(SMALL, largest(other), largest(right))
        return bool((np.abs(value[finite] - other[finite]) <= tolerance * scale).all())


def largest(values: Array) -> float:
    """Return the largest finite absolute value, or 0."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


@lru_cache(maxsize=32)
def hypotheses(
    kind: str, reduction: str = "mean"
) -> tuple[tuple[tuple[Hypothesis, ...], ...], ...]:
    """Return the combinations of mistakes, by what they replace and their number.

    The first replace the core or what comes before it, the second only factors.
    A numerical mistake is not among them: it shows at large logits only. Nor is one
    that is right for this reduction.
    """
    single = [
        Hypothesis((entry.slug,), steps)
        for entry in MISTAKES.values()
        if not entry.numerical
        and (not entry.reductions or reduction in entry.reductions)
        for steps in entry.kinds.get(kind, ())
    ]
    cores = [h for h in single if h.steps.replaced - SCALARS]
    factors = [h for h in single if not h.steps.replaced - SCALARS]
    return levels(cores, AT_MOST_IN_CORE), levels(factors, AT_MOST)


def levels(
    singles: Sequence[Hypothesis], most: int
) -> tuple[tuple[Hypothesis, ...], ...]:
    """Return the combinations of 0 to `most` that replace different steps."""
    level = [(RIGHT, 0)]
    found: list[tuple[Hypothesis, ...]] = [(RIGHT,)]
    for _ in range(most):
        level = [
            (Hypothesis(one.slugs + two.slugs, merge(one.steps, two.steps)), place + 1)
            for one, start in level
            for place, two in enumerate(singles[start:], start)
            if compatible(one, two)
        ]
        found.append(tuple(hypothesis for hypothesis, _ in level))
    return tuple(found)


def compatible(one: Hypothesis, two: Hypothesis) -> bool:
    """Tell whether mistakes are different ones and replace different steps."""
    return not (
        one.steps.replaced & two.steps.replaced or set(one.slugs) & set(two.slugs)
    )


def forms_in(kind: str, hypothesis: Hypothesis, slug: str) -> list[int]:
    """Return which forms of a mistake a hypothesis holds."""
    return [
        form
        for form, steps in enumerate(MISTAKES[slug].kinds.get(kind, ()))
        if all(
            getattr(steps, name) == getattr(hypothesis.steps, name)
            for name in steps.replaced
        )
    ]


def without(kind: str, hypothesis: Hypothesis, slug: str) -> Steps:
    """Return the steps of a hypothesis with one of its mistakes undone."""
    undone = {
        name
        for form in forms_in(kind, hypothesis, slug)
        for name in MISTAKES[slug].kinds[kind][form].replaced
    }
    return replace(hypothesis.steps, **dict.fromkeys(undone))


class Matcher:
    """The search for the smallest number of mistakes that explains the answers."""

    def __init__(self, kind: str, reduction: str, answers: Sequence[Answer]):
        self.kind = kind
        self.reduction = reduction
        self.answers = answers
        self.cores: dict[tuple[object, ...], Array | None] = {}

    def search(
        self,
        accepted: Callable[[Hypothesis], bool] = lambda _: True,
        most: int = AT_MOST,
    ) -> list[Hypothesis]:
        """Return all explanations by the fewest mistakes, `most` of them or less."""
        informative = [a for a in self.answers if largest(a.value) > 0]
        if not any(np.isfinite(a.value).any() for a in self.answers):
            return []
        first = (informative or self.answers)[0]
        for number in range(1, most + 1):
            found = [
                hypothesis
                for hypothesis in self.candidates(first, number)
                if accepted(hypothesis) and self.explains(hypothesis)
            ]
            if found:
                return found
        return []

    def candidates(self, answer: Answer, number: int) -> Iterator[Hypothesis]:
        """Yield combinations of a number of mistakes that explain one answer."""
        cores, factors = hypotheses(self.kind, self.reduction)
        for in_core in range(min(number, AT_MOST_IN_CORE) + 1):
            for core in cores[in_core]:
                if not self.proportional(core.steps, answer):
                    continue
                for factor in factors[number - in_core]:
                    if not compatible(core, factor):
                        continue
                    steps = merge(core.steps, factor.steps)
                    if self.agrees_at(steps, answer):
                        yield Hypothesis(core.slugs + factor.slugs, steps)

    def proportional(self, steps: Steps, answer: Answer) -> bool:
        """Tell whether the steps give an answer up to some factor."""
        other = self.value(steps, answer.probe)
        if other is None:
            return False
        both = np.isfinite(other) & np.isfinite(answer.value)
        size = float((other[both] ** 2).sum())
        product = float((other[both] * answer.value[both]).sum())
        scaled = other * (product / size if size else 1.0)
        return agrees(answer.value, scaled, answer.right, answer.tolerance)

    def explains(self, hypothesis: Hypothesis) -> bool:
        """Tell whether mistakes explain every answer."""
        return all(self.agrees_at(hypothesis.steps, each) for each in self.answers)

    def agrees_at(self, steps: Steps, answer: Answer) -> bool:
        """Tell whether the steps give an answer."""
        other = self.value(steps, answer.probe)
        return other is not None and agrees(
            answer.value, other, answer.right, answer.tolerance
        )

    def acts(self, hypothesis: Hypothesis, probe: Probe) -> bool:
        """Tell whether each of the mistakes changes the result at a probe."""
        together = self.value(hypothesis.steps, probe)
        for slug in hypothesis.slugs:
            others = self.value(without(self.kind, hypothesis, slug), probe)
            with np.errstate(all="ignore"):
                unchanged = (
                    together is not None
                    and others is not None
                    and agrees(together, others, others, 0.02)
                )
            if unchanged:
                return False
        return True

    def value(self, steps: Steps, probe: Probe) -> Array | None:
        """Return what the steps give for a probe, or None where they raise.

        Many combinations differ in a factor only: the rest is computed once.
        """
        key = (id(probe), steps.student, steps.teacher, steps.softmax, steps.core)
        if key not in self.cores:
            self.cores[key] = self.core(steps, probe)
        core = self.cores[key]
        if core is None:
            return None
        factor = scalar_factor(
            self.kind, steps, probe.logits.shape, probe.temperature, self.reduction
        )
        return core * factor

    def core(self, steps: Steps, probe: Probe) -> Array | None:
        """Return the part before the factors, or None where it raises."""
        try:
            core = core_value(
                self.kind, steps, probe.logits, probe.second, probe.temperature
            )
        except (ValueError, IndexError):  # shapes that do not fit
            return None
        core = reduced(self.kind, core, self.reduction)
        shape = expected_shape(self.kind, probe.logits.shape, self.reduction)
        return core if core.shape == shape else None
