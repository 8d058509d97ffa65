"""What a function takes, what it returns there, and which mistakes explain it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .._inputs import Array
from ..mistakes._steps import (
    AVERAGED,
    KINDS,
    NOTHING,
    Shape,
)
from ._calls import Caller
from ._matching import AT_MOST, RIGHT, Answer, Hypothesis, Matcher, agrees
from ._numerics import numerical_mistakes
from ._probes import (
    FORM_NAMES,
    ORDINARY,
    Probe,
    forms_of,
    probes_in_style,
    sequence_probe,
    stress_probes,
)
from ._reference import right_answer

# What one row at a time, of shape (C,), is asked for as.
ROWS = ("batch", "one")

# Conditions under which a wrong formula can be right.
CIRCUMSTANCES: tuple[tuple[str, Callable[[Probe], bool]], ...] = (
    ("the targets sum to one", lambda probe: probe.form != "weights"),
    ("T = 1", lambda probe: probe.temperature == 1),
    ("no logit is far below the largest", lambda p: p.what == ORDINARY),
)


@dataclass
class Examination:
    """A function's answers to the probes that it takes.

    `style` is "batch" for arrays (N, C), "square" where only N = C runs, "row" for
    one row at a time, and "" where nothing runs.
    """

    caller: Caller
    forms: tuple[str, ...]
    seed: int
    sequences: bool
    rows: str = "batch"
    style: str = ""
    taken: tuple[str, ...] = ()
    answers: list[Answer] = field(default_factory=list)
    problems: dict[tuple[str, str, str], Shape] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def take(self) -> list[Hypothesis]:
        """Find the style, collect the answers, and return what explains them."""
        if self.rows == "one":
            return self.collect("row")
        found = self.collect("batch")
        if self.taken:
            return found
        found = self.collect("square")
        square = self.taken, self.answers
        if found == [RIGHT] or any("missing-keepdims" in h.slugs for h in found):
            return found
        found = self.collect("row")
        # A row divided by its length is a batch divided by N, where batches run.
        divided = any("mean-over-classes" in h.slugs for h in found)
        if square[0] and (divided or not found):
            self.style, (self.taken, self.answers) = "square", square
            return []
        if square[0]:
            self.findings.append("Batches run where N = C only, and wrongly there.")
        return found

    def collect(self, style: str, most: int = AT_MOST) -> list[Hypothesis]:
        """Call the function in a style and every form; return what explains it.

        That is up to `most` mistakes.
        """
        self.taken, self.answers, self.style = (), [], style
        for form in self.forms:
            with_temperature = self.caller.temperature is not None
            probes = probes_in_style(
                style, self.caller.kind, form, with_temperature, self.seed
            )
            first = self.answer(probes[0])
            if first is None or (form == "indices" and self.takes_number(probes[0])):
                continue
            self.taken += (form,)
            others = [self.answer(probe) for probe in probes[1:]]
            self.answers += [first, *(each for each in others if each is not None)]
        if self.sequences and style == "batch" and self.taken:
            extra = self.answer(self.sequence_probe())
            self.answers += [] if extra is None else [extra]
        return self.explanations(most)

    def sequence_probe(self) -> Probe:
        """Return the probe with logits of shape (B, S, C)."""
        temperature = 1.0 if self.caller.temperature is None else 1.7
        return sequence_probe(self.caller.kind, self.taken[0], temperature, self.seed)

    def answer(self, probe: Probe) -> Answer | None:
        """Call the function; None where it raises or returns another shape."""
        outcome = self.caller(probe)
        if outcome.value is None:
            self.problems.setdefault(
                (self.style, probe.form, outcome.problem), probe.logits.shape
            )
            return None
        right = right_answer(self.caller.kind, probe, self.caller.reduction)
        return Answer(probe, outcome.value, right, outcome.tolerance)

    def takes_number(self, probe: Probe) -> bool:
        """Tell whether class indices are used as numbers, as targets would be."""
        as_index = self.caller(probe).value
        shape = probe.logits.shape
        spreads = [np.broadcast_to(probe.second[..., np.newaxis], shape)]
        if probe.second.shape == shape[-1:]:  # N = C: laid along the classes
            spreads.append(np.broadcast_to(probe.second, shape))
        for spread in spreads:
            given = replace(probe, second=spread * 1.0, form="weights")
            as_targets = self.caller(given).value
            if as_targets is None or as_index is None:
                continue
            if np.allclose(as_targets, as_index, rtol=1e-3, atol=1e-9):
                return True
        return False

    def is_right(self, answer: Answer) -> bool:
        """Tell whether an answer is right."""
        return agrees(answer.value, answer.right, answer.right, answer.tolerance)

    def explanations(self, most: int) -> list[Hypothesis]:
        """Return what explains the answers: nothing wrong, or the fewest mistakes."""
        if not self.answers:
            return []
        if all(map(self.is_right, self.answers)):
            return [RIGHT]
        matcher = Matcher(self.caller.kind, self.caller.reduction, self.answers)
        return matcher.search(most=most)

    def stress(self, formula: Hypothesis) -> list[tuple[str, ...]]:
        """Return the numerical mistakes that large logits show, and note failures."""
        kind, reduction = self.caller.kind, self.caller.reduction
        matcher = Matcher(kind, reduction, ())
        answers = []
        for probe in self.stressed(stress_probes(kind, self.stress_form())):
            outcome = self.caller(probe)
            if outcome.value is None:
                self.findings.append(f"With {probe.what} it {outcome.problem}.")
                continue
            if formula.steps is NOTHING:
                ideal: Array | None = right_answer(kind, probe, reduction)
            else:
                with np.errstate(all="ignore"):
                    ideal = matcher.value(formula.steps, probe)
            if ideal is not None and np.isfinite(ideal).all():
                answers.append(Answer(probe, outcome.value, ideal, outcome.tolerance))
        found = numerical_mistakes(kind, reduction, formula.steps, answers)
        failed = [each for each in answers if not self.is_right(each)]
        if failed and not found:
            where = ", ".join(each.probe.what for each in failed)
            self.findings.append(f"It fails at large numbers: {where}.")
        return found

    def stress_form(self) -> str:
        """Return the form of the targets at the stress probes."""
        return "distribution" if "distribution" in self.taken else self.taken[0]

    def stressed(self, probes: Sequence[Probe]) -> list[Probe]:
        """Return the stress probes in the style of the function."""
        if self.style == "batch":
            return list(probes)
        single = [p for p in probes if len(p.logits) == 1]
        return single if self.style == "square" else [p.rows(1)[0] for p in single]

    def masked(self) -> None:
        """Note what a masked class does to a function that is right otherwise."""
        probe = self.stressed(stress_probes(self.caller.kind, self.stress_form()))[0]
        logits = probe.logits - 1000
        logits[..., 1] = -np.inf
        second = probe.second
        if self.stress_form() not in ("", "indices"):
            second = second * np.array([1.0, 0.0, 1.0, 1.0])
        elif "distillation" in self.caller.kind:
            second = np.where(np.isneginf(logits), logits, second)
        probe = replace(probe, logits=logits, second=second)
        right = right_answer(self.caller.kind, probe, self.caller.reduction)
        outcome = self.caller(probe)
        if outcome.value is None or not agrees(
            outcome.value, right, right, outcome.tolerance
        ):
            self.findings.append(
                "It does not take a masked class: with a logit of -inf it "
                f"{outcome.problem or 'is not right'}."
            )

    def divides_sequences(self) -> None:
        """Note whether logits (B, S, C) are divided by B, where nobody asked."""
        if self.sequences or self.style != "batch" or self.caller.kind not in AVERAGED:
            return
        probe = self.sequence_probe()
        outcome = self.caller(probe)
        if outcome.value is None or "mean" not in self.caller.reduction:
            return
        right = right_answer(self.caller.kind, probe, self.caller.reduction)
        times = probe.logits.shape[1] * right
        if agrees(outcome.value, times, times, outcome.tolerance):
            self.findings.append(
                "For logits of shape (B, S, C) it divides by B, not by B S: "
                "batchmean-over-sequences, if that is not meant."
            )

    def circumstances(self) -> list[str]:
        """Return under which conditions a wrong function is right, in words."""
        told = []
        off = [each for each in self.answers if not self.is_right(each)]
        for name, holds in CIRCUMSTANCES:
            kept = [each for each in self.answers if holds(each.probe)]
            outside = not any(holds(each.probe) for each in off)
            if kept and len(kept) < len(self.answers) and outside:
                told.append(f"It is right where {name}.")
        fine = [
            FORM_NAMES[form]
            for form in self.taken
            if all(each.probe.form != form for each in off)
        ]
        if fine and not told:
            told.append(f"It is right for {' and '.join(fine)}.")
        return told

    def by_row(self, mistakes: int) -> tuple[str, ...] | None:
        """Return the mistakes that single rows, of shape (C,), show.

        None if they are not fewer than the number that the batches show, 0 for a
        batch that no mistakes explain.
        """
        if self.style != "batch":
            return None
        caller = replace(self.caller, notes={})
        alone = Examination(caller, self.forms, self.seed, False)
        found = alone.collect("row", mistakes - 1 if mistakes else AT_MOST)
        if not found:
            return None
        numerical = alone.stress(found[0])
        slugs = found[0].slugs + (numerical[0] if numerical else ())
        return slugs if not mistakes or len(slugs) < mistakes else None

    def evidence(self) -> list[str]:
        """Return how many answers are off, and which entries of the first."""
        off = [each for each in self.answers if not self.is_right(each)]
        told = [f"{len(off)} of {len(self.answers)} results are off."]
        infinite = sum(not np.isfinite(each.value).all() for each in off)
        if infinite:
            told.append(f"{infinite} of them are not finite.")
        first = off[0]
        scale = np.abs(first.right).max(initial=1e-3)
        wrong = ~(np.abs(first.value - first.right) <= first.tolerance * scale)
        if first.right.ndim and not wrong.all():
            entries = ", ".join(str(tuple(map(int, k))) for k in np.argwhere(wrong)[:6])
            told.append(
                f"For logits of shape {first.probe.logits.shape} these entries are "
                f"off: {entries}{', ...' if wrong.sum() > 6 else ''}."
            )
        return told

    def checked(self) -> list[str]:
        """Return what the function takes, in words."""
        shape = {"row": "one row at a time", "square": "batches with N = C"}
        told = [shape.get(self.style, "batches of rows")]
        told += [FORM_NAMES[form] for form in self.taken if form]
        told.append(
            "T = 1 only, since it takes no temperature"
            if self.caller.temperature is None
            else "several temperatures"
        )
        return told

    def not_taken(self) -> list[str]:
        """Return what the function does not take, with the reason, once each."""
        grouped: dict[str, list[str]] = {}
        for (style, form, problem), shape in self.problems.items():
            unusual = style == "batch" and problem.startswith("returns")
            asked = "row" if self.rows == "one" else "batch"
            if style == (self.style if self.taken else asked) or (
                self.style == "row" and unusual
            ):
                where = FORM_NAMES[form]
                if form in self.taken or not form:
                    where += f" of shape {shape}" if not form else f", {shape}"
                grouped.setdefault(problem, []).append(where)
        return [
            f"Not checked on {', '.join(places)}: it {problem.rstrip('. ')}."
            for problem, places in grouped.items()
        ]


def check_kind(kind: str) -> None:
    """Raise a ValueError unless the kind is one that the doctor knows."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")


def check_rows(rows: str) -> None:
    """Raise a ValueError unless `rows` is one of its words."""
    if rows not in ROWS:
        raise ValueError(f"rows must be 'batch' or 'one', got {rows!r}")


def forms_asked(kind: str, targets: str) -> tuple[str, ...]:
    """Return the forms of targets to probe; raise a ValueError for another word."""
    if targets not in ("any", "distribution"):
        raise ValueError(f"targets must be 'any' or 'distribution', got {targets!r}")
    return tuple(
        form for form in forms_of(kind) if targets == "any" or form != "weights"
    )
