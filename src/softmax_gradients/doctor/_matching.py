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
    Shape,
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
# So many answers narrow the search down, before all are asked.
MOST_TELLING = 4
# So many values confirm a number that is estimated from some of them.
FEWEST_VALUES = 3


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


def negligible(answer: Answer) -> bool:
    """Tell whether an answer is zero up to rounding, so that it has no factor."""
    return largest(answer.value) <= answer.tolerance * max(SMALL, largest(answer.right))


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


@lru_cache(maxsize=20_000)
def core_at(kind: str, cores: Steps, reduction: str, probe: Probe) -> Array | None:
    """Return the part before the factors, or None where it raises.

    Many combinations differ in a factor only, and many readings of a function are
    compared with the same: what they share is computed once.
    """
    try:
        core = core_value(kind, cores, probe.logits, probe.second, probe.temperature)
    except (ValueError, IndexError):  # shapes that do not fit
        return None
    core = reduced(kind, core, reduction)
    shape = expected_shape(kind, probe.logits.shape, reduction)
    return core if core.shape == shape else None


@lru_cache(maxsize=256)
def table(kind: str, level: int, reduction: str, probe: Probe) -> tuple[Array, Array]:
    """Return the cores of all combinations of a level at a probe, one per row.

    Second, which of them exist.
    """
    shape = expected_shape(kind, probe.logits.shape, reduction)
    rows = [
        core_at(kind, core_only(each.steps), reduction, probe)
        for each in hypotheses(kind, reduction)[0][level]
    ]
    exists = np.array([row is not None for row in rows], dtype=bool)
    stacked = [np.full(shape, np.nan) if row is None else row for row in rows]
    return np.array(stacked).reshape(len(rows), -1), exists


@lru_cache(maxsize=4096)
def numbers(
    kind: str,
    level: int,
    others: int,
    reduction: str,
    shape: Shape,
    temperature: float,
) -> tuple[Array, Array]:
    """Return the factors of the cores of a level, and what other mistakes make of them.

    These are of `others` mistakes in the factors, relative to the right factor.
    """
    cores, factors = hypotheses(kind, reduction)

    def factor(steps: Steps) -> float:
        return scalar_factor(kind, steps, shape, temperature, reduction)

    return (
        np.array([factor(each.steps) for each in cores[level]]),
        np.array([factor(each.steps) / factor(NOTHING) for each in factors[others]]),
    )


@lru_cache(maxsize=8192)
def core_only(steps: Steps) -> Steps:
    """Return the steps without the factors."""
    return replace(steps, sign=None, power=None, rows=None)


class Matcher:
    """The search for the smallest number of mistakes that explains the answers."""

    def __init__(
        self,
        kind: str,
        reduction: str,
        answers: Sequence[Answer],
        excluded: frozenset[str] = frozenset(),
    ):
        self.kind = kind
        self.reduction = reduction
        self.answers = answers
        self.excluded = excluded

    def search(
        self,
        accepted: Callable[[Hypothesis], bool] = lambda _: True,
        most: int = AT_MOST,
    ) -> list[Hypothesis]:
        """Return all explanations by the fewest mistakes, `most` of them or less."""
        if self.first() is None:
            return []
        for number in range(1, most + 1):
            found = [
                hypothesis
                for hypothesis in self.candidates(number)
                if accepted(hypothesis) and self.explains(hypothesis)
            ]
            if found:
                return found
        return []

    def first(self) -> Answer | None:
        """Return the first answer that tells something."""
        informative = [a for a in self.answers if largest(a.value) > 0]
        if not any(np.isfinite(a.value).any() for a in self.answers):
            return None
        return (informative or self.answers)[0]

    def up_to_a_number(self, most: int) -> list[tuple[Hypothesis, float]]:
        """Return mistakes that explain the answers but for one number, with it.

        The number is estimated on half of the answers and confirmed on all.
        """
        if self.first() is None or all(map(negligible, self.answers)):
            return []
        if sum(each.value.size for each in self.answers) < FEWEST_VALUES:
            return []  # some number makes one value of any other
        for number in range(1, most + 1):
            found = []
            for hypothesis in self.candidates(number, up_to_a_number=True):
                ratio = self.common_ratio(hypothesis.steps)
                if ratio is not None:
                    found.append((hypothesis, ratio))
            if found:
                return found
        return []

    def common_ratio(self, steps: Steps) -> float | None:
        """Return the number that the answers are a multiple of the steps by."""
        ratios = []
        for each in self.answers[::2]:
            other = self.value(steps, each.probe)
            if other is None or not np.isfinite(other).all():
                return None
            if (other**2).sum() > 0:
                ratios.append(float((other * each.value).sum() / (other**2).sum()))
        if not ratios or ratios[0] <= 0 or not np.isfinite(ratios).all():
            return None
        number = float(f"{np.median(ratios):.6g}")
        for each in self.answers:
            other = self.value(steps, each.probe)
            if other is None or not agrees(
                each.value, number * other, each.right, each.tolerance
            ):
                return None
        return number

    def candidates(
        self, number: int, up_to_a_number: bool = False
    ) -> Iterator[Hypothesis]:
        """Yield combinations of a number of mistakes that explain some answers.

        Or that explain them `up_to_a_number`, the same for all.
        """
        cores, factors = hypotheses(self.kind, self.reduction)
        for in_core in range(min(number, AT_MOST_IN_CORE) + 1):
            level = factors[number - in_core]
            if not cores[in_core] or not level:
                continue
            fits = np.ones((len(cores[in_core]), len(level)), dtype=bool)
            # One answer leaves few combinations; all are asked about these.
            told = self.telling()[: 2 if up_to_a_number else 1]
            missing = None
            if up_to_a_number:
                missing = self.missing(in_core, number - in_core, told[0])
            for answer in told:
                fits &= self.fitting(in_core, number - in_core, answer, missing)
            for core_place, factor_place in np.argwhere(fits):
                core, factor = cores[in_core][core_place], level[factor_place]
                slugs = core.slugs + factor.slugs
                if compatible(core, factor) and not self.excluded & set(slugs):
                    yield Hypothesis(slugs, merge(core.steps, factor.steps))

    def telling(self) -> list[Answer]:
        """Return a few answers that differ in shape and T, the first that tell."""
        found: dict[tuple[object, ...], Answer] = {}
        for each in self.answers:
            if largest(each.value) > 0:
                key = (each.probe.logits.shape, each.probe.temperature)
                found.setdefault(key, each)
        return list(found.values())[:MOST_TELLING] or list(self.answers[:1])

    def missing(self, level: int, others: int, answer: Answer) -> Array:
        """Return the number by which each core times each factor is off."""
        of_cores, of_factors = numbers(
            self.kind,
            level,
            others,
            self.reduction,
            answer.probe.logits.shape,
            answer.probe.temperature,
        )
        with np.errstate(all="ignore"):
            products = of_cores[:, np.newaxis] * of_factors
            return self.ratios(level, answer)[0][:, np.newaxis] / products

    def fitting(
        self, level: int, others: int, answer: Answer, missing: Array | None
    ) -> Array:
        """Return which cores times which factors give an answer, as a table."""
        ratios, sizes, fits = self.ratios(level, answer)
        of_cores, of_factors = numbers(
            self.kind,
            level,
            others,
            self.reduction,
            answer.probe.logits.shape,
            answer.probe.temperature,
        )
        with np.errstate(all="ignore"):
            products = of_cores[:, np.newaxis] * of_factors
            if missing is not None:
                products = products * missing
            off = np.abs(ratios[:, np.newaxis] - products) * sizes[:, np.newaxis]
            scale = np.maximum(
                max(SMALL, largest(answer.right)),
                np.abs(products) * sizes[:, np.newaxis],
            )
            close = ~(off > 2 * answer.tolerance * scale)
        return fits[:, np.newaxis] & close

    def ratios(self, level: int, answer: Answer) -> tuple[Array, Array, Array]:
        """Return how many times a core the answer is, and whether it is at all.

        Between them the largest entry of each core.
        """
        others, exists = table(self.kind, level, self.reduction, answer.probe)
        value, right = answer.value.ravel(), answer.right.ravel()
        finite = np.isfinite(value)
        with np.errstate(all="ignore"):
            both = np.isfinite(others) & finite
            known = np.where(both, others, 0.0)
            squares = (known**2).sum(axis=1)
            products = (known * np.where(finite, value, 0.0)).sum(axis=1)
            ratios = np.where(squares > 0, products / np.maximum(squares, 1e-300), 1.0)
            scaled = others * ratios[:, np.newaxis]
            defined = np.isfinite(scaled)
            sizes = np.abs(np.where(defined, scaled, 0)).max(axis=1, initial=0)
            scale = np.maximum(max(SMALL, largest(right)), sizes)
            off = np.abs(np.where(defined & finite, scaled - value, 0)).max(
                axis=1, initial=0
            )
            fits = exists & (defined == finite).all(axis=1)
            fits &= off <= answer.tolerance * scale
        return ratios, np.abs(known).max(axis=1, initial=0), fits

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
        """Return what the steps give for a probe, or None where they raise."""
        core = core_at(self.kind, core_only(steps), self.reduction, probe)
        if core is None:
            return None
        factor = scalar_factor(
            self.kind, steps, probe.logits.shape, probe.temperature, self.reduction
        )
        return core * factor
