"""What a function takes, what it returns there, and which mistakes explain it.

Nothing here is changed after it was made: each question has its own answers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from .._inputs import Array
from ..mistakes._steps import AVERAGED, NOTHING, WITH_TEACHER, Shape
from ._calls import Outcome, Raw, called
from ._matching import AT_MOST, RIGHT, Answer, Hypothesis, Matcher, agrees
from ._numerics import numerical_mistakes
from ._objects import Way
from ._probes import (
    FORM_NAMES,
    ORDINARY,
    Probe,
    expected_shape,
    probes_in_style,
    sequence_probe,
    stress_probes,
)
from ._readings import ROW_LAYOUTS, Reading
from ._reference import right_answer

# Conditions under which a wrong formula can be right.
CIRCUMSTANCES: tuple[tuple[str, Callable[[Probe], bool]], ...] = (
    ("the targets sum to one", lambda probe: probe.form != "weights"),
    ("T = 1", lambda probe: probe.temperature == 1),
    ("no logit is far below the largest", lambda p: p.what == ORDINARY),
)
# The gradient from above that a custom backward is asked with.
UPSTREAM = 2.5
SEQUENCES = "batchmean-over-sequences"


@dataclass(frozen=True)
class Question:
    """What is asked, whatever the reading."""

    kind: str
    forms: tuple[str, ...]
    seed: int
    sequences: bool
    strict: bool
    ordinary: bool = False
    reference: Callable[[Any, Probe], Any] | None = None


class Patient:
    """What was handed over, called safely; what it does besides is noted."""

    def __init__(self, to_array: Callable[[Array], Any] | None):
        self.to_array = to_array
        self.notes: dict[str, None] = {}
        self.results: dict[Any, Raw] = {}
        self.few_shapes = False

    def note(self, text: str) -> None:
        """Keep a note, once."""
        self.notes[text] = None

    def converted(self, array: Any) -> Any:
        """Return an array as the function takes it; class indices stay integers."""
        if self.to_array is None or not isinstance(array, np.ndarray):
            return array
        given = self.to_array(array)
        if array.dtype.kind == "i":
            kind = str(getattr(given, "dtype", "int"))
            if "int" not in kind:
                given = given.long() if hasattr(given, "long") else given.astype(int)
        return given

    def raw(self, way: Way, reading: Reading, kind: str, probe: Probe) -> Raw:
        """Return what a call gives, from memory if it was made before."""
        key = (
            way,
            reading.binding,
            reading.takes,
            reading.layout,
            reading.labels,
            reading.temperature if reading.takes != "logits" else None,
            probe,
        )
        if key not in self.results:
            self.results[key] = self.fresh(way, reading, kind, probe)
        return self.results[key]

    def fresh(
        self,
        way: Way,
        reading: Reading,
        kind: str,
        probe: Probe,
        upstream: float | None = None,
        call: Callable[..., Any] | None = None,
    ) -> Raw:
        """Call with copies, and note changes to them."""
        first, second = reading.arguments(kind, probe)
        given = [first, *([] if second is None else [second])]
        before = [np.copy(each) for each in given]

        def attempt() -> Any:
            converted = [self.converted(each) for each in given]
            extra = None if second is None else converted[1]
            arguments, named = reading.binding.arguments(
                converted[0], extra, probe.temperature, probe.logits.shape
            )
            arguments = [self.converted(each) for each in arguments]
            named = {name: self.converted(each) for name, each in named.items()}
            if upstream is not None:
                named[way.upstream] = upstream
            result = (call or way.call)(*arguments, **named)
            if type(result).__module__.startswith("jax"):
                self.few_shapes = True
            return result

        found = called(attempt, self.note)
        for one, other in zip(before, given, strict=True):
            if not np.array_equal(one, other):
                self.note("It changes its arguments in place.")
        return found


@dataclass(frozen=True)
class Caller:
    """A function under a reading: it takes probes and returns comparable arrays."""

    patient: Patient
    way: Way
    reading: Reading
    question: Question

    @property
    def kind(self) -> str:
        """The kind that was asked for."""
        return self.question.kind

    @property
    def reduction(self) -> str:
        """How the rows are combined."""
        return self.reading.reduction

    @property
    def with_temperature(self) -> bool:
        """Whether T is passed, so that several are tried."""
        return bool(self.reading.binding.temperature)

    def __call__(self, probe: Probe) -> Outcome:
        """Call the function; a result of another shape is a problem."""
        raw = self.patient.raw(self.way, self.reading, self.kind, probe)
        return self.outcome(raw, probe)

    def outcome(self, raw: Raw, probe: Probe) -> Outcome:
        """Return the part of a result that counts."""
        chosen = [each for each in raw.leaves if each.path == self.reading.path]
        if not chosen:
            return Outcome(None, raw.problem or "returns no such part")
        found = self.reading.outcome(self.kind, chosen[0], probe)
        wanted = expected_shape(self.kind, probe.logits.shape, self.reduction)
        if (
            found.value is not None
            and chosen[0].value.shape != wanted
            and self.reading.layout == "batch"
            and not self.reading.how
        ):
            told = f"shape {chosen[0].value.shape} where {wanted} is asked"
            self.patient.note(f"It returns {told}.")
        return found

    def right(self, probe: Probe) -> Any:
        """Return the right answer under the reading, or None where there is none."""
        if self.question.reference is not None:
            return self.question.reference(self, probe)
        try:
            return right_answer(self.kind, self.reading.seen(probe), self.reduction)
        except ValueError:  # a class that is masked has weight, for example
            return None

    def answer(self, probe: Probe) -> Answer | None:
        """Return the answer to a probe, or None where there is none."""
        outcome = self(probe)
        if outcome.value is None:
            return None
        right = self.right(probe)
        if right is None or right.shape != outcome.value.shape:
            return None
        return Answer(self.reading.seen(probe), outcome.value, right, outcome.tolerance)


@dataclass(frozen=True)
class Collected:
    """A function's answers to the probes that it takes.

    `style` is "batch" for arrays (N, C), "square" where only N = C runs, and "row"
    for one row at a time.
    """

    caller: Caller
    style: str
    taken: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    problems: tuple[tuple[tuple[str, str, str], Shape], ...] = ()
    findings: tuple[str, ...] = ()
    formulas: tuple[Hypothesis, ...] = field(default=())

    @property
    def right(self) -> bool:
        """Whether every answer is right."""
        return bool(self.answers) and all(map(is_right, self.answers))


def is_right(answer: Answer) -> bool:
    """Tell whether an answer is right."""
    return agrees(answer.value, answer.right, answer.right, answer.tolerance)


def styles_of(reading: Reading) -> tuple[str, ...]:
    """Return the styles in which a layout can be asked."""
    if reading.layout in ROW_LAYOUTS:
        return ("row",)
    if reading.layout != "batch" or reading.classes is not None:
        return ("batch",)
    return ("batch", "square")


def probes_for(caller: Caller, style: str, form: str) -> list[Probe]:
    """Return the regular probes of a form."""
    question = caller.question
    return probes_in_style(
        style,
        question.kind,
        form,
        caller.with_temperature,
        question.seed,
        caller.reading.classes,
        caller.patient.few_shapes,
    )


def collected(
    caller: Caller, style: str, forms: Sequence[str] | None = None
) -> Collected:
    """Return the answers in a style to every form."""
    question = caller.question
    taken: list[str] = []
    answers: list[Answer] = []
    problems: dict[tuple[str, str, str], Shape] = {}

    def answer(probe: Probe) -> Answer | None:
        found = caller.answer(probe)
        if found is None:
            problem = caller(probe).problem
            problems.setdefault((style, probe.form, problem), probe.logits.shape)
        return found

    for form in question.forms if forms is None else forms:
        first_probe = probes_for(caller, style, form)[0]
        first = answer(first_probe)
        if first is None or (form == "indices" and takes_number(caller, first_probe)):
            continue
        probes = probes_for(caller, style, form)
        taken.append(form)
        others = [answer(probe) for probe in probes[1:]]
        answers += [first, *(each for each in others if each is not None)]
    if question.sequences and style == "batch" and taken:
        extra = answer(sequence_of(caller, taken[0]))
        answers += [] if extra is None else [extra]
    return Collected(
        caller, style, tuple(taken), tuple(answers), tuple(problems.items())
    )


def sequence_of(caller: Caller, form: str) -> Probe:
    """Return the probe with logits of shape (B, S, C)."""
    temperature = 1.7 if caller.with_temperature else 1.0
    return sequence_probe(caller.kind, form, temperature, caller.question.seed)


def takes_number(caller: Caller, probe: Probe) -> bool:
    """Tell whether class indices are used as numbers, as targets would be."""
    as_index = caller(probe).value
    shape = probe.logits.shape
    spreads = [np.broadcast_to(probe.second[..., np.newaxis], shape)]
    if probe.second.shape == shape[-1:]:  # N = C: laid along the classes
        spreads.append(np.broadcast_to(probe.second, shape))
    for spread in spreads:
        given = replace(probe, second=spread * 1.0, form="weights")
        as_targets = caller(given).value
        if as_targets is None or as_index is None:
            continue
        if np.allclose(as_targets, as_index, rtol=1e-3, atol=1e-9):
            return True
    return False


def excluded(question: Question) -> frozenset[str]:
    """Return the mistakes that no probe can show: those of sequences, unless asked."""
    return frozenset() if question.sequences else frozenset({SEQUENCES})


def explained(found: Collected, most: int = AT_MOST) -> list[Hypothesis]:
    """Return what explains the answers: nothing wrong, or the fewest mistakes."""
    if not found.answers:
        return []
    if found.right:
        return [RIGHT]
    return matcher_of(found).search(most=most)


def matcher_of(found: Collected) -> Matcher:
    """Return the search for what explains the answers."""
    caller = found.caller
    return Matcher(
        caller.kind, caller.reduction, found.answers, excluded(caller.question)
    )


def with_formulas(found: Collected, most: int = AT_MOST) -> Collected:
    """Return the answers with what explains them."""
    return replace(found, formulas=tuple(explained(found, most)))


def taken_by(caller: Caller) -> Collected:
    """Return the answers in the first style that runs, with what explains them."""
    layout = caller.reading.layout
    if layout in ROW_LAYOUTS:
        return with_formulas(collected(caller, "row"))
    found = with_formulas(collected(caller, "batch"))
    if found.taken or layout != "batch":
        return found
    if caller.reading.classes is not None:
        return found
    square = with_formulas(collected(caller, "square"))
    if square.taken:
        if square.right or square.formulas:
            return square
        row = with_formulas(collected(as_rows(caller), "row"))
        # A row divided by its length is a batch divided by N, where batches run.
        divided = any("mean-over-classes" in each.slugs for each in row.formulas)
        if not row.formulas or divided or wrong_with_classes_first(caller):
            return square
        told = "Batches run where N = C only, and wrongly there."
        return replace(row, findings=(told,))
    returned = any(
        problem.startswith("returns")
        for (_, _, problem), _ in (*found.problems, *square.problems)
    )
    if returned and not caller.question.strict:
        return found  # it takes batches, and gives something else for them
    row = with_formulas(collected(as_rows(caller), "row"))
    return replace(row, problems=found.problems + row.problems) if row.taken else found


def wrong_with_classes_first(caller: Caller) -> bool:
    """Tell whether one mistake explains square batches with the classes first."""
    first = replace(caller, reading=replace(caller.reading, layout="classes first"))
    found = collected(first, "square")
    return not found.right and bool(explained(found, 1))


def as_rows(caller: Caller) -> Caller:
    """Return the function asked one row at a time."""
    return replace(caller, reading=replace(caller.reading, layout="row"))


def stressed(found: Collected, probes: Iterable[Probe]) -> list[Probe]:
    """Return the stress probes in the style of the function."""
    probes = list(probes)
    classes = found.caller.reading.classes
    if classes is not None and classes != 4:
        return []
    if found.style == "square" or found.caller.patient.few_shapes:
        return [four_rows(probe) for probe in probes]
    if found.style == "batch":
        return probes
    return [p.rows(1)[0] for p in probes if len(p.logits) == 1]


@lru_cache(maxsize=256)
def four_rows(probe: Probe) -> Probe:
    """Return a probe with its rows repeated, as many as there are classes."""
    times = 4 // len(probe.logits)
    second = probe.second
    if second is not None:
        second = np.concatenate([second] * times)
    return replace(probe, logits=np.concatenate([probe.logits] * times), second=second)


def stress_form(found: Collected) -> str:
    """Return the form of the targets at the stress probes."""
    return "distribution" if "distribution" in found.taken else found.taken[0]


# Python's own arithmetic raises these where NumPy returns infinity or NaN. The last two
# are what math.log says of 0, in older and in newer versions.
NO_NUMBER = (
    "raises OverflowError",
    "raises ZeroDivisionError",
    "raises ValueError: math domain error",
    "raises ValueError: expected a positive input",
)


@dataclass(frozen=True)
class Stress:
    """What large logits show: known mistakes, or in words what fails.

    `raised` is what a function with known mistakes raises there.
    """

    mistakes: tuple[tuple[str, ...], ...] = ()
    failures: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()


def stress(found: Collected, formula: Hypothesis) -> Stress:
    """Return the numerical mistakes that large logits show, and other failures."""
    caller = found.caller
    kind, reduction = caller.kind, caller.reduction
    if caller.question.ordinary or caller.question.reference is not None:
        return Stress()
    if caller.reading.takes != "logits":
        return Stress()  # probabilities cannot be large
    matcher = Matcher(kind, reduction, ())
    answers = []
    told: list[str] = []
    raised: list[str] = []
    form = stress_form(found)
    for probe in stressed(found, stress_probes(kind, form)):
        outcome = caller(probe)
        right = caller.right(probe)
        if right is not None and outcome.problem.startswith(NO_NUMBER):
            raised.append(f"With {probe.what} it {outcome.problem}.")
            outcome = Outcome(np.full(right.shape, np.nan))
        if outcome.value is None:
            told.append(f"With {probe.what} it {outcome.problem}.")
            continue
        seen = caller.reading.seen(probe)
        if formula.steps is NOTHING:
            ideal = right
        else:
            with np.errstate(all="ignore"):
                ideal = matcher.value(formula.steps, seen)
        if ideal is not None and np.isfinite(ideal).all():
            answers.append(Answer(seen, outcome.value, ideal, outcome.tolerance))
    mistakes = numerical_mistakes(kind, reduction, formula.steps, answers)
    failed = [each for each in answers if not is_right(each)]
    if mistakes:
        return Stress(tuple(mistakes), tuple(told), tuple(raised))
    if failed and not raised:
        where = ", ".join(each.probe.what for each in failed)
        told.append(f"It fails at large numbers: {where}.")
    return Stress(failures=(*told, *raised))


def masked(found: Collected) -> tuple[str, ...]:
    """Return what a masked class does to a function that is right otherwise."""
    caller = found.caller
    form = stress_form(found)
    probes = stressed(found, stress_probes(caller.kind, form))
    if caller.reading.takes != "logits" or not probes or caller.question.reference:
        return ()
    probe = probes[0]
    logits = probe.logits - 1000
    logits[..., 1] = -np.inf
    second = probe.second
    if form not in ("", "indices"):
        second = second * np.array([1.0, 0.0, 1.0, 1.0])
        second = second / second.sum(axis=-1, keepdims=True)
    elif caller.kind in WITH_TEACHER:
        second = np.where(np.isneginf(logits), logits, second)
    probe = replace(probe, logits=logits, second=second)
    outcome, right = caller(probe), caller.right(probe)
    if right is None:
        return ()
    if outcome.value is None or not agrees(
        outcome.value, right, right, outcome.tolerance
    ):
        return (
            "It does not take a masked class: with a logit of -inf it "
            f"{outcome.problem or 'is not right'}.",
        )
    return ()


def divides_sequences(found: Collected) -> tuple[str, ...]:
    """Return whether logits (B, S, C) are divided by B, where nobody asked."""
    caller, question = found.caller, found.caller.question
    if question.sequences or found.style != "batch" or caller.kind not in AVERAGED:
        return ()
    if caller.reading.layout != "batch" or caller.reading.classes not in (None, 4):
        return ()
    if caller.patient.few_shapes:
        return ()
    if question.strict and "mean" not in caller.reduction:
        return ()
    answer = caller.answer(sequence_of(caller, found.taken[0]))
    if answer is None or is_right(answer):
        return ()
    matcher = Matcher(caller.kind, caller.reduction, [answer])
    if matcher.search(accepted=lambda each: each.slugs == (SEQUENCES,), most=1):
        return (
            "Logits of shape (B, S, C) are divided by B, not by B S. If they count: "
            f"{SEQUENCES}, sequences=True.",
        )
    return ()


def by_row(found: Collected, batch_mistakes: int) -> tuple[str, ...] | None:
    """Return the mistakes that one row alone shows, where a batch is wrong.

    That is None unless they are fewer than those of the batch, or the batch
    shows no known ones.
    """
    if found.style == "row" or found.caller.reading.layout != "batch":
        return None
    most = min(batch_mistakes - 1, AT_MOST) if batch_mistakes else AT_MOST
    rows = with_formulas(collected(as_rows(found.caller), "row"), most)
    if not rows.formulas:
        return None
    numerical = stress(rows, rows.formulas[0]).mistakes
    slugs = rows.formulas[0].slugs + (numerical[0] if numerical else ())
    return slugs if not batch_mistakes or len(slugs) < batch_mistakes else None


def circumstances(found: Collected, formulas: Sequence[Hypothesis] = ()) -> list[str]:
    """Return where a wrong function is right, tested where it says so."""
    off = [each for each in found.answers if not is_right(each)]
    told = []
    for name, holds in CIRCUMSTANCES:
        inside = [each for each in found.answers if holds(each.probe)]
        outside = len(inside) < len(found.answers)
        extra = confident_at_one(found) if name == "T = 1" else []
        if (
            inside
            and outside
            and not any(holds(each.probe) for each in off)
            and all(map(is_right, extra))
        ):
            told.append(f"It is right where {name}.")
    return told


def confident_at_one(found: Collected) -> list[Answer]:
    """Return answers at T = 1 to confident logits, which no regular probe has."""
    answers = []
    for each in found.answers:
        if each.probe.what != ORDINARY and each.probe.form in found.taken:
            probe = replace(each.probe, temperature=1.0)
            answer = found.caller.answer(probe)
            answers += [] if answer is None else [answer]
    return answers


def evidence(found: Collected) -> list[str]:
    """Return where a function without a known mistake is wrong."""
    off = [each for each in found.answers if not is_right(each)]
    if not off:
        return []
    told = [f"{len(off)} of {len(found.answers)} results are off."]
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


def checked(found: Collected) -> list[str]:
    """Return what the function takes, in words."""
    shape = {"row": "one row at a time", "square": "batches with N = C"}
    told = [shape.get(found.style, "batches of rows")]
    told += [FORM_NAMES[form] for form in found.taken if form]
    fixed = found.caller.reading.temperature
    if fixed is not None:
        told.append(f"T = {fixed:.6g} only")
    elif found.caller.with_temperature:
        told.append("several temperatures")
    else:
        told.append("T = 1 only, since it takes no temperature")
    return told


def not_taken(found: Collected, asked_style: str = "batch") -> list[str]:
    """Return what the function does not take, with the reason, once each."""
    grouped: dict[str, list[str]] = {}
    for (style, form, problem), shape in found.problems:
        unusual = style == "batch" and problem.startswith("returns")
        if style == (found.style if found.taken else asked_style) or (
            found.style == "row" and unusual
        ):
            where = FORM_NAMES[form]
            if form in found.taken or not form:
                where += f" of shape {shape}" if not form else f", {shape}"
            grouped.setdefault(problem, []).append(where)
    return [
        f"Not checked on {', '.join(places)}: it {ended(problem)}"
        for problem, places in grouped.items()
    ]


def ended(sentence: str) -> str:
    """Return a sentence with one mark at its end."""
    return sentence if sentence.endswith("?") else f"{sentence.rstrip('. ')}."


def repeats(caller: Caller, probe: Probe) -> bool:
    """Tell whether the same call gives the same result again."""
    first = caller.patient.raw(caller.way, caller.reading, caller.kind, probe)
    again = caller.patient.fresh(caller.way, caller.reading, caller.kind, probe)
    if len(first.leaves) != len(again.leaves):
        return False
    return all(
        np.array_equal(one.value, two.value, equal_nan=True)
        for one, two in zip(first.leaves, again.leaves, strict=True)
    )


def deaf(found: Collected) -> bool:
    """Tell whether a custom backward ignores the gradient that comes in."""
    caller = found.caller
    if not caller.way.upstream:
        return False
    probe = found.answers[0].probe
    raw = caller.patient.fresh(
        caller.way, caller.reading, caller.kind, probe, upstream=UPSTREAM
    )
    outcome = caller.outcome(raw, probe)
    right = UPSTREAM * caller.right(probe)
    return outcome.value is not None and not agrees(
        outcome.value, right, right, outcome.tolerance
    )
