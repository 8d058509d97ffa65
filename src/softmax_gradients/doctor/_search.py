"""The search for the reading under which a function is right, or least wrong.

First what was asked; then every other convention, the fewest first; then numbers
that a function can hold; then the mistakes of the catalogue under each convention.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from ..mistakes import MISTAKES
from ..mistakes._steps import SECOND_ARGUMENT
from ._convention import Convention
from ._examination import (
    Caller,
    Collected,
    Patient,
    Question,
    collected,
    is_right,
    matcher_of,
    probes_for,
    styles_of,
    taken_by,
    takes_number,
    with_formulas,
)
from ._factor import fitted_factor
from ._fits import fitted
from ._matching import RIGHT, SMALL, Hypothesis, Matcher, largest
from ._names import INVERSES, says
from ._objects import Way, class_counts
from ._options import PROMISES, Stated
from ._probes import ORDINARY, expected_shape
from ._readings import (
    BATCH,
    LABELS,
    LAYOUTS,
    ROW_LAYOUTS,
    TAKEN,
    Reading,
    conventions_of,
    hows,
    reductions,
)
from ._reference import right_answer
from ._signature import bindings
from ._stated_weights import named_by_numbers

# So many conventions may differ in how a function is called.
AT_MOST_DEVIATIONS = 3
# So many conventions are compared with mistakes under fewer of them.
MANY = 3
DERIVATIVES = ("gradient", "kl_divergence_gradient")


@dataclass(frozen=True)
class Diagnosis:
    """What was found: under the reading that was asked, and under the best one."""

    plain: Collected
    best: Collected
    conventions: tuple[Convention, ...] = ()
    mistaken: bool = False

    @property
    def ran(self) -> bool:
        """Whether anything could be called."""
        return bool(self.best.answers)


def searched(
    patient: Patient, way: Way, question: Question, stated: Stated, reduction: str
) -> Diagnosis:
    """Return the diagnosis of one way to call a function.

    Raises
    ------
    TypeError
        If it cannot be called with the arguments of its kind.
    """
    found = bindings(
        way,
        question.kind,
        stated.order,
        stated.temperature,
        row_weights=stated.sample_weights is not None,
    )
    if question.strict:
        found = [b for b in found if b.temperature != "1/T" and not b.reversed][:2]
    callers = [
        Caller(patient, way, stated.reading(binding, reduction), question)
        for binding in found
    ]
    if stated.class_weights is not None:
        callers += [
            replace(c, reading=replace(c.reading, soft_by_rows=True)) for c in callers
        ]
    usual = [c for c in callers if not c.reading.binding.reversed] or callers
    plain, right = plainly(usual, stated.temperature == "inverse")
    conventions = tuple(conventions_of(right.caller.reading, plain.caller.reading))
    if right.right or question.strict:
        if right.caller.reading.layout != plain.caller.reading.layout:
            conventions = tuple(
                c
                for c in conventions
                if not (c.option == 'layout="row"' and not right.findings)
            )
        return Diagnosis(plain, right, conventions)
    if settled(plain) or named_by_numbers(plain, stated):
        return Diagnosis(plain, plain, mistaken=True)
    search = Search(plain, callers, stated)
    best = search.best()
    if best is None and not search.any_classes() and stated.classes is None:
        for classes in class_counts(way.call):
            fixed = [with_classes(caller, classes) for caller in callers]
            other = Search(plain, fixed, stated)
            best = other.best()
            if other.takes_batches():
                search = other
                break
    if best is not None:
        counted = averaged(best) or best
        told = search.told(counted)
        if len(told) >= MANY and counted is best:
            worst = search.mistaken_reading()
            if (
                worst.formulas
                and serious(worst)
                and (len(worst.formulas[0].slugs) + len(search.told(worst)) < len(told))
            ):
                return Diagnosis(plain, worst, search.told(worst), mistaken=True)
        wrong = counted is not best
        return Diagnosis(plain, counted, told, wrong or contradicted(plain, told))
    worst = search.mistaken_reading()
    return Diagnosis(plain, worst, search.told(worst), mistaken=True)


def serious(found: Collected) -> bool:
    """Tell whether no explanation is of mistakes that conventions make right."""
    return all(
        any(not MISTAKES[slug].right_if for slug in each.slugs)
        for each in found.formulas
    )


def with_classes(caller: Caller, classes: int) -> Caller:
    """Return a function that is asked with a fixed number of classes."""
    return replace(caller, reading=replace(caller.reading, classes=classes))


def averaged(best: Collected) -> Collected | None:
    """Return what is wrong with the gradient of a sum whose own loss is a mean."""
    reading = best.caller.reading
    if reading.reduction != "sum" or best.caller.kind not in DERIVATIVES:
        return None
    if companion(best) != "mean":
        return None
    mean = replace(best.caller, reading=replace(reading, reduction="mean"))
    return with_formulas(collected(mean, best.style, best.taken))


def companion(found: Collected) -> str | None:
    """Return how the loss that comes with a gradient combines the rows, if it does.

    That is another part of the same result, or what the object or the flag gives.
    """
    caller, way = found.caller, found.caller.way
    several = [a.probe for a in found.answers if a.probe.logits[..., 0].size > 1]
    if not several or caller.reading.temperature or caller.reading.smoothing:
        return None
    probe = several[0]
    raw = caller.patient.raw(way, caller.reading, caller.kind, probe)
    leaves = [each for each in raw.leaves if each.path != caller.reading.path]
    if way.loss is not None:
        other = caller.patient.fresh(
            way, caller.reading, caller.kind, probe, call=way.loss
        )
        leaves += other.leaves
    kind = "loss" if caller.kind == "gradient" else "distillation_loss"
    for each in leaves:
        for reduction in ("mean", "sum"):
            right = right_answer(kind, probe, reduction)
            if each.value.size == 1 and np.allclose(each.value, right, rtol=1e-4):
                return reduction
    return None


def plainly(
    callers: Sequence[Caller], stated_inverse: bool
) -> tuple[Collected, Collected]:
    """Return what is found as asked: of the first binding, and of a right one."""
    first: Collected | None = None
    constant: Collected | None = None
    inverse: Collected | None = None
    for caller in callers:
        found = taken_by(caller)
        if says(caller.reading.binding.parameter, INVERSES):
            inverse = found
        elif found.right and inverse is not None and not caller.with_temperature:
            named = {slug for each in inverse.formulas for slug in each.slugs}
            if named and "missing-temperature" not in named:
                return inverse, inverse  # it acts, and is no inverse temperature
        if found.right:
            reading = replace(
                found.caller.reading, binding=found.caller.reading.binding
            )
            asked = replace(
                found,
                caller=replace(
                    caller, reading=replace(reading, layout=caller.reading.layout)
                ),
            )
            inverted = caller.reading.binding.temperature == "1/T"
            if inverted and not stated_inverse:
                usual = replace(caller.reading.binding, temperature="T")
                asked = replace(
                    asked,
                    caller=replace(
                        asked.caller,
                        reading=replace(asked.caller.reading, binding=usual),
                    ),
                )
            return asked, found
        if first is None or (found.taken and not first.taken):
            first = found
        # What is not shown to act as T is not taken for it.
        if found.taken and (
            caller.reading.binding.named or not caller.with_temperature
        ):
            constant = constant or found
    best = constant or first
    assert best is not None
    return best, best


def settled(plain: Collected) -> bool:
    """Tell whether one mistake explains all, and no convention makes it right."""
    singles = [each.slugs for each in plain.formulas if len(each.slugs) == 1]
    return bool(singles) and not any(MISTAKES[slug].right_if for (slug,) in singles)


def contradicted(plain: Collected, conventions: Sequence[Convention]) -> bool:
    """Tell whether no more mistakes than conventions explain a function as asked.

    Those that are right under a convention count for nothing.
    """
    counts = [
        (len(each.slugs), sum(not MISTAKES[slug].right_if for slug in each.slugs))
        for each in plain.formulas
    ]
    return bool(counts) and all(
        serious and total <= len(conventions) for total, serious in counts
    )


class Search:
    """The readings of one function, and what is found under each."""

    def __init__(self, plain: Collected, callers: Sequence[Caller], stated: Stated):
        self.plain = plain
        self.callers = callers
        self.stated = stated
        self.question = plain.caller.question
        self.kind = self.question.kind
        self.multiples: list[Collected] = []
        self.running: dict[Reading, tuple[Caller, str, tuple[str, ...]]] = {}

    def best(self) -> Collected | None:
        """Return the best right reading, with a number inside or without.

        What one row alone shows comes last: it hides most.
        """
        found = self.right_reading()
        asked = self.stated.layout is not None or self.stated.rows == "one"
        if found is not None and (
            asked or found.caller.reading.layout not in ROW_LAYOUTS
        ):
            return found
        return self.fitted_reading() or found

    def takes_batches(self) -> bool:
        """Tell whether batches (N, C) run in some reading."""
        return any(
            caller.reading.layout == BATCH for caller, *_ in self.running.values()
        )

    def any_classes(self) -> bool:
        """Tell whether several numbers of classes run in some reading."""
        return any(
            len({a.probe.logits.shape[-1] for a in collected(*each).answers}) > 1
            for each in self.running.values()
        )

    def told(self, found: Collected) -> tuple[Convention, ...]:
        """Return in what a reading differs from what was asked."""
        usual = self.plain.caller.reading
        if self.plain.style == "row" and usual.layout in ROW_LAYOUTS:
            usual = replace(usual, layout=BATCH)
        return tuple(conventions_of(found.caller.reading, usual))

    def bases(self, deviations: int) -> Iterator[Caller]:
        """Yield the readings that differ in so many conventions in how to call."""
        stated = self.stated
        takes = (
            ("logits", *TAKEN[self.kind]) if stated.takes is None else (stated.takes,)
        )
        layouts: tuple[str, ...] = (
            LAYOUTS if stated.layout is None else (stated.layout,)
        )
        if stated.layout is None and stated.rows == "one":
            layouts = ROW_LAYOUTS
        elif self.multiples:
            layouts = layouts[:2]  # what one row hides is no convention
        elif any(style == "batch" for _, style, _ in self.running.values()):
            layouts = tuple(each for each in layouts if each != "(1, C)")
        labels = LABELS if "indices" in self.question.forms else LABELS[:1]
        if stated.labels is not None:
            labels = (stated.labels,)
        usual = self.plain.caller.reading.binding
        for caller, taken, layout, label in product(
            self.callers, takes, layouts, labels
        ):
            reading = caller.reading
            if taken == "log-probabilities" and reading.binding.temperature:
                continue  # these hold T already
            differs = (
                reading.binding.reversed != usual.reversed,
                reading.binding.temperature != usual.temperature,
                taken != takes[0],
                layout != layouts[0],
                label != labels[0],
            )
            if sum(differs) == deviations:
                changed = replace(reading, takes=taken, layout=layout, labels=label)
                yield replace(caller, reading=changed)

    def right_reading(self) -> Collected | None:
        """Return the reading with the fewest conventions under which all is right."""
        for deviations in range(AT_MOST_DEVIATIONS + 1):
            if deviations == AT_MOST_DEVIATIONS and self.running:
                break  # so many are believed only if nothing else runs
            found: list[Collected] = []
            for base in self.bases(deviations):
                found += self.right_under(base)
            found = [each for each in found if not self.hidden(each)]
            if found:
                return min(found, key=lambda each: len(self.told(each)))
            if not deviations:
                self.multiples = self.right_but_for_a_factor()
        return None

    def hidden(self, found: Collected) -> bool:
        """Tell whether conventions hide a mistake that is seen without them.

        Without some of them, it is then wrong by fewer mistakes than these are hard
        to believe.
        """
        reading = found.caller.reading
        usual = self.plain.caller.reading
        changes: list[dict[str, str]] = []
        asked = self.stated.layout is not None or self.stated.rows == "one"
        if not asked:
            changes.append({"layout": BATCH})
        if self.stated.takes is None:
            changes.append({"takes": "logits"})
        if reading.layout in ROW_LAYOUTS and not asked:
            changes.append({"layout": "classes first"})
            changes.append({"reduction": usual.reduction})
            changes.append({"how": "", "labels": usual.labels})
        without: dict[Reading, None] = {}
        for some in product((False, True), repeat=len(changes)):
            changed: dict[str, Any] = {}
            for use, change in zip(some, changes, strict=True):
                changed |= change if use else {}
            without[replace(reading, **changed)] = None
        if reading.layout in ROW_LAYOUTS and not asked:
            # Batches that run in any reading of the result, and wrongly there.
            for other in self.running:
                if (
                    (other.layout, other.binding) == (BATCH, reading.binding)
                    and other.takes in (reading.takes, "logits")
                    and other.labels in (reading.labels, usual.labels)
                ):
                    without[other] = None
        return any(
            self.seen_to_be_wrong(found, each) for each in without if each != reading
        )

    def seen_to_be_wrong(self, found: Collected, reading: Reading) -> bool:
        """Tell whether mistakes explain a function that is right in another reading."""
        caller = replace(found.caller, reading=reading)
        same = replace(found.caller.reading, path=reading.path, how=reading.how)
        dropped = conventions_of(same, reading)
        styles = ("batch", "square")
        for style in styles_of(reading) if reading.layout in ROW_LAYOUTS else styles:
            shown = collected(caller, style, found.taken)
            if not shown.answers:
                continue
            if fitted_factor(shown.answers) is not None:
                return found.caller.reading.layout in ROW_LAYOUTS
            return contradicted(with_formulas(shown, len(dropped)), dropped)
        return False

    def right_but_for_a_factor(self) -> list[Collected]:
        """Return the readings called as asked whose answers are off by a factor."""
        found = [
            collected(caller, style, kept)
            for caller, style, forms in self.likely(6, mistaken=True)
            for kept in self.subsets(forms)
        ]
        return [each for each in found if fitted_factor(each.answers) is not None]

    def right_under(self, base: Caller) -> list[Collected]:
        """Return the right readings of what one way of calling returns."""
        found = []
        for style in styles_of(base.reading):
            groups = self.scouted(base, style)
            for reading, forms in groups.items():
                if not any(forms.values()):
                    continue
                caller = replace(base, reading=reading)
                for promise in self.promises():
                    kept = [f for f in forms if f in PROMISES[promise] or not f]
                    if not kept or not all(forms[f] for f in kept):
                        continue
                    promised = promise if len(kept) < len(forms) else reading.targets
                    caller = replace(base, reading=replace(reading, targets=promised))
                    again = collected(caller, style, kept)
                    again = self.of_one_size(again)
                    if again.right and len(again.answers) >= 3:
                        found.append(replace(again, formulas=(RIGHT,)))
                    break
            if groups:
                break
        return found

    def promises(self) -> list[str]:
        """Return what may be promised about the targets, the least first."""
        if SECOND_ARGUMENT[self.kind] != "targets":
            return ["any"]
        stated = self.stated.targets
        every = list(PROMISES)
        return every if stated is None else every[every.index(stated) :][:1]

    def of_one_size(self, found: Collected) -> Collected:
        """Return the answers, and whether they are for one number of classes only."""
        sizes = {each.probe.logits.shape[-1] for each in found.answers}
        if len(sizes) != 1 or found.caller.reading.classes is not None:
            return found
        probes = probes_for(found.caller, found.style, found.taken[0])
        if len({p.logits.shape[-1] for p in probes}) == 1:
            return found
        (classes,) = sizes
        reading = replace(found.caller.reading, classes=classes)
        return collected(
            replace(found.caller, reading=reading), found.style, found.taken
        )

    def scouted(self, base: Caller, style: str) -> dict[Reading, dict[str, bool]]:
        """Return the readings of the result that fit, and whether each form is right.

        For each form of the targets one call is made.
        """
        groups: dict[Reading, dict[str, bool]] = {}
        stated = self.stated
        labels_only = base.reading.labels != "from 0" and stated.labels is None
        for form in ("indices",) if labels_only else self.question.forms:
            probe = probes_for(base, style, form)[0]
            raw = base.patient.raw(base.way, base.reading, self.kind, probe)
            for leaf in raw.leaves:
                if leaf.integer and leaf.path:
                    continue  # predicted classes
                if base.reading.path and base.reading.path != leaf.path:
                    continue
                for reading in self.read(base.reading, leaf, probe):
                    caller = replace(base, reading=reading)
                    answer = caller.answer(probe)
                    if answer is None:
                        continue
                    if form == "indices" and takes_number(caller, probe):
                        continue
                    groups.setdefault(reading, {})[form] = is_right(answer)
        for reading in groups:
            self.running.setdefault(
                reading, (replace(base, reading=reading), style, tuple(groups[reading]))
            )
        return groups

    def read(self, reading: Reading, leaf: Any, probe: Any) -> Iterator[Reading]:
        """Yield the ways to read one array of a result."""
        stated = self.stated
        shape = probe.logits.shape
        ways = hows(self.kind, leaf.value, shape)
        if reading.how:
            ways = [reading.how]
        soft = [(reading.entropy, reading.t_squared)]
        if self.kind == "distillation_loss":
            entropies = (
                (False, True) if stated.soft_loss is None else (reading.entropy,)
            )
            squares = (
                (True, False) if stated.t_squared is None else (reading.t_squared,)
            )
            soft = list(product(entropies, squares))
        fixed = stated.reduction is not None
        for how, reduction, (entropy, squared) in product(
            ways, reductions(self.kind, reading.reduction, fixed), soft
        ):
            if not squared and self.plain.caller.reading.binding.named:
                continue  # T is taken, so that its square is to be there
            if how == "elements" and reduction != "none" and not fixed:
                continue
            changed = replace(
                reading,
                path=leaf.path,
                how=how,
                reduction=reduction,
                entropy=entropy,
                t_squared=squared,
            )
            wanted = expected_shape(self.kind, shape, reduction)
            squeezed = tuple(n for n in leaf.value.shape if n != 1)
            fits = squeezed == tuple(n for n in wanted if n != 1)
            if how or fits or reading.layout != BATCH:
                yield changed

    def fitted_reading(self) -> Collected | None:
        """Return a reading with a number inside under which all is right."""
        if self.multiples:
            return None
        for caller, style, forms in self.likely(8):
            for kept in self.subsets(forms):
                found = self.of_one_size(collected(caller, style, kept))
                whole = len(kept) == len(forms)
                for reading in fitted(found, whole) if not found.right else ():
                    promised = self.promised(kept, forms, reading)
                    again = collected(
                        replace(caller, reading=promised), style, found.taken
                    )
                    if again.right and not self.hidden(again):
                        return replace(again, formulas=(RIGHT,))
        return None

    def promised(
        self, kept: Sequence[str], forms: Sequence[str], reading: Reading
    ) -> Reading:
        """Return a reading that says which targets were left out."""
        if len(kept) == len(forms):
            return reading
        promise = (
            "hard"
            if "distribution" in forms and "distribution" not in kept
            else "distribution"
        )
        return replace(reading, targets=promise)

    def likely(
        self, most: int, mistaken: bool = False
    ) -> list[tuple[Caller, str, tuple[str, ...]]]:
        """Return the readings that run, those with the fewest conventions first.

        For what is `mistaken`, conventions are left out for which the catalogue has
        a name: a sum for a mean, and a loss without T^2.
        """
        usual = self.plain.caller.reading
        batches = any(style == "batch" for _, style, _ in self.running.values())

        def believed(reading: Reading) -> bool:
            return not mistaken or (
                reading.reduction in (usual.reduction, "none")
                and reading.t_squared == usual.t_squared
                and not (batches and reading.layout in ROW_LAYOUTS[1:])
            )

        entries = sorted(
            (each for each in self.running.values() if believed(each[0].reading)),
            key=lambda entry: len(conventions_of(entry[0].reading, usual)),
        )
        return entries[:most]

    def subsets(self, forms: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the forms to explain: all, those of sum one, one class per row."""
        found = [tuple(forms)]
        for promise in self.promises():
            kept = tuple(f for f in forms if f in PROMISES[promise])
            if kept and kept not in found:
                found.append(kept)
        for form in ("one-hot", "indices"):
            if form in forms and (form,) not in found:
                found.append((form,))
        return found

    def mistaken_reading(self) -> Collected:
        """Return the reading that the fewest mistakes explain; else what was asked.

        A convention counts like most of a mistake.
        """
        plain = self.plain
        best, cost = plain, self.cost(plain) if plain.formulas else 9.0
        usual = plain.caller.reading
        for caller, style, forms in self.likely(12, mistaken=True):
            extra = price(conventions_of(caller.reading, usual))
            for kept in self.subsets(forms):
                left = cost - extra - (0.5 if len(kept) < len(forms) else 0.0)
                most = min(3, int(left - 1e-9))
                if most < 1:
                    break
                found = collected(caller, style, kept)
                if caller.reading != usual and not any(
                    largest(each.value) for each in found.answers
                ):
                    break  # zeros tell nothing about how a function is meant
                found = with_formulas(found, most)
                if found.formulas and not found.right:
                    found = replace(
                        found,
                        caller=replace(
                            caller, reading=self.promised(kept, forms, caller.reading)
                        ),
                    )
                    new = self.cost(found)
                    if new < cost:
                        best, cost = found, new
        if not best.formulas:
            best = self.limited_reading() or next(iter(self.multiples), best)
        if not best.taken and self.running:
            caller, style, forms = self.likely(1)[0]
            best = collected(caller, style, forms)
        return best

    def limited_reading(self) -> Collected | None:
        """Return the reading that mistakes explain where no limit hides them."""
        entries = [(self.plain.caller, self.plain.style, self.plain.taken)]
        for caller, style, forms in [*entries, *self.likely(12, mistaken=True)]:
            found = limited(collected(caller, style, forms)) if forms else None
            if found is not None:
                return found
        return None

    def cost(self, found: Collected) -> float:
        """Return how much a finding asks to be believed."""
        slugs = found.formulas[0].slugs
        return len(slugs) + price(self.told(found))


def price(conventions: Sequence[Convention]) -> float:
    """Return how many mistakes conventions are as hard to believe as."""
    return float(len(conventions))


def limited(found: Collected) -> Collected | None:
    """Return the answers, explained by mistakes and a least or largest value.

    The value is the same wherever the mistakes alone do not explain an entry.
    """
    ordinary = [each for each in found.answers if each.probe.what == ORDINARY]
    if len(ordinary) < 3 or len(ordinary) == len(found.answers):
        return None
    if all(map(is_right, ordinary)):
        return None
    matcher = matcher_of(found)
    usual = Matcher(matcher.kind, matcher.reduction, ordinary, matcher.excluded)
    for hypothesis in usual.search(most=2):
        values, ideals = [], []
        for each in found.answers:
            # It exists: shapes like this one are among the ordinary answers.
            ideal = np.asarray(matcher.value(hypothesis.steps, each.probe))
            size = max(SMALL, largest(ideal), largest(each.right))
            off = ~(np.abs(each.value - ideal) <= each.tolerance * size)
            values += list(each.value[off])
            ideals += list(ideal[off])
        if len(values) < 2 or len(set(values)) > 1:
            continue
        limit = float(values[0])
        least = all(ideal < limit for ideal in ideals)
        if least or all(ideal > limit for ideal in ideals):
            word = "less" if least else "more"
            told = f"Its entries are never {word} than {limit:.6g}."
            return replace(found, formulas=(hypothesis,), findings=(told,))
    return None


def multiple(found: Collected) -> list[tuple[Hypothesis, float]]:
    """Return mistakes that explain the answers but for one number."""
    return matcher_of(found).up_to_a_number(2) if found.answers else []
