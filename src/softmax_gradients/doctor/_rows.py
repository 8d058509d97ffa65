"""Rows that are left out or weighted: asked once the formula is known to be right.

One more call is made where a function says by its signature, or its caller by an
option, that labels can be ignored or rows weighted.
"""

from collections.abc import Iterator
from dataclasses import replace
from inspect import Parameter
from typing import Any, NamedTuple

import numpy as np

from .._inputs import Array
from ..mistakes._steps import WITH_TARGETS, as_weights
from ._calls import Outcome
from ._convention import Convention
from ._examination import Caller, Collected, probes_for
from ._matching import agrees
from ._names import ANY_WEIGHTS, MASKS, ROW_WEIGHTS, says
from ._options import Stated
from ._probes import FORMS, Probe
from ._reference import computed_answer

COUNTED = "ignored-rows-in-the-mean"
KEPT = "ignored-rows-keep-a-gradient"


class Rows(NamedTuple):
    """What such rows show: a mistake by name, a convention, or in words what is off."""

    wrong: bool = False
    slugs: tuple[str, ...] = ()
    conventions: tuple[Convention, ...] = ()
    findings: tuple[str, ...] = ()


NOTHING_OFF = Rows()


def rows_off(found: Collected, stated: Stated) -> Rows:
    """Return what rows that are left out or weighted show of a right function."""
    caller = found.caller
    if caller.kind not in WITH_TARGETS or found.style != "batch":
        return NOTHING_OFF
    if caller.reading.layout != "batch" or caller.question.reference is not None:
        return NOTHING_OFF
    ignored = ignored_rows(found, stated)
    return ignored if ignored.findings else weighted_rows(found, stated)


def ignored_rows(found: Collected, stated: Stated) -> Rows:
    """Return what labels to ignore do, where signature or option promise them."""
    caller = found.caller
    named = "ignore_index" in [p.name for p in caller.way.parameters or ()]
    promised = named or stated.ignore_index is not None
    if not promised or "indices" not in found.taken:
        return NOTHING_OFF
    probe = next(each for each in probes_of(found) if each.form == "indices")
    labels = np.array(probe.second)
    kept = labels != labels[0]
    if not kept.any():
        return NOTHING_OFF
    marked = int(labels[0]) if stated.ignore_index is None else stated.ignore_index
    given = replace(probe, second=np.where(kept, labels, marked))
    outcome = called_with(caller, given, {"ignore_index": marked} if named else {})
    if outcome.value is not None:
        rest = replace(probe, logits=probe.logits[kept], second=labels[kept])
        right = widened(caller, answered(caller, rest), kept, probe)
        if agrees(outcome.value, right, right, outcome.tolerance):
            return NOTHING_OFF
        for slug, value in mistaken(caller, probe, kept, right, marked):
            if agrees(outcome.value, value, right, outcome.tolerance):
                told = f"With ignore_index = {marked}, the label of a row, "
                told += "that row still counts."
                return Rows(True, (slug,), findings=(told,))
    told = outcome.problem or "the result is not that of the other rows"
    return Rows(
        True,
        findings=(f"With ignore_index = {marked}, the label of a row, {told}.",),
    )


def mistaken(
    caller: Caller, probe: Probe, kept: Array, right: Array, marked: int
) -> Iterator[tuple[str, Array]]:
    """Yield what mistakes with ignored rows give, each with its name."""
    counts = (kept.size, kept.sum()) if "mean" in caller.reduction else (1,)
    if "mean" in caller.reduction:
        yield COUNTED, right * (kept.sum() / kept.size)
    classes = probe.logits.shape[-1]
    labels = np.array(probe.second)
    summed = replace(caller, reading=replace(caller.reading, reduction="sum"))
    if caller.reduction == "none":
        summed = caller
    # A negative label is counted from the last class, as NumPy does.
    seen_as = [labels]
    if -classes <= marked < 0:
        seen_as.append(np.where(kept, labels, marked % classes))
    for each in seen_as:
        whole = answered(summed, replace(probe, second=each))
        for count in counts:
            yield KEPT, whole / count
    smoothing = caller.reading.smoothing
    if smoothing is not None and caller.reading.weights is None:
        # The uniform part of the smoothed labels has no label that could be ignored.
        uniform = np.full(probe.logits.shape, smoothing / classes)
        part = replace(probe, second=uniform, form="weights")
        kind, reduction = caller.kind, summed.reduction
        spread = computed_answer(kind, part, reduction)
        on_label = (1 - smoothing) * np.eye(classes)[labels] * kept[:, np.newaxis]
        part = replace(part, second=on_label)
        hard = computed_answer(kind, part, reduction)
        for count in counts:
            yield KEPT, hard / counts[-1] + spread / count


def weighted_rows(found: Collected, stated: Stated) -> Rows:
    """Return what weights of the rows do, where there is an argument for them."""
    caller = found.caller
    parameter = row_argument(caller, stated)
    if parameter is None:
        return NOTHING_OFF
    # Labels, if they are taken: nobody differs about their weights.
    probe = max(probes_of(found), key=lambda each: FORMS.index(each.form))
    mask = says(parameter.name, MASKS)
    numbers = np.arange(len(probe.logits)) % 3
    weights = np.where(numbers == 1, 0.0, 1.0) if mask else 0.5 + numbers
    outcome = called_with(caller, probe, {parameter.name: weights})
    given = outcome.value
    if given is None:
        told = f"With weights of the rows as {parameter.name} it {outcome.problem}."
        return Rows(not mask, findings=(told,))
    by_rows = weighted_answer(caller, probe, weights, over_weights=False)
    right = weighted_answer(caller, probe, weights, over_weights=True)

    def gives(value: Array) -> bool:
        return agrees(given, value, right, outcome.tolerance)

    if gives(right):
        if "mean" not in caller.reduction:
            return NOTHING_OFF
        return convention_of(parameter.name, "weights", stated)
    if gives(by_rows):
        if mask and stated.sample_weights is None:
            told = f"With zeros in {parameter.name}, the mean is still over all rows."
            return Rows(True, (COUNTED,), findings=(told,))
        return convention_of(parameter.name, "rows", stated)
    told = f"With weights of the rows as {parameter.name} it is not the weighted mean."
    if "mean" not in caller.reduction:
        told = told.replace("mean", "sum")
    return Rows(not mask or stated.sample_weights is not None, findings=(told,))


def convention_of(name: str, divisor: str, stated: Stated) -> Rows:
    """Return what a mean of weighted rows is divided by, if nobody said so."""
    if divisor == (stated.sample_weights or "weights"):
        return NOTHING_OFF
    words = {
        "rows": (
            f"It weights the rows by {name}, and divides by N.",
            "the mean of weighted rows is over N",
            "else see weighted-mean",
        ),
        "weights": (
            f"It weights the rows by {name}, and divides by the sum of the weights.",
            "the mean of weighted rows is over the sum of the weights",
            "",
        ),
    }
    told = Convention(f'sample_weights="{divisor}"', *words[divisor])
    return Rows(conventions=(told,))


def row_argument(caller: Caller, stated: Stated) -> Parameter | None:
    """Return the parameter that takes a weight for each row, if there is one."""
    meant = ROW_WEIGHTS if stated.sample_weights is None else ANY_WEIGHTS
    return next(
        (
            p
            for p in caller.way.parameters or ()
            if says(p.name, meant | MASKS) and p.kind is not p.POSITIONAL_ONLY
        ),
        None,
    )


def probes_of(found: Collected) -> list[Probe]:
    """Return the regular probes that the function takes."""
    return [
        probe
        for form in found.taken
        for probe in probes_for(found.caller, found.style, form)
    ]


def called_with(caller: Caller, probe: Probe, named: dict[str, Any]) -> Outcome:
    """Return what a call with more arguments gives."""
    patient = caller.patient

    def call(*arguments: Any, **others: Any) -> Any:
        more = {name: patient.converted(value) for name, value in named.items()}
        return caller.way.call(*arguments, **{**others, **more})

    raw = patient.fresh(caller.way, caller.reading, caller.kind, probe, call=call)
    return caller.outcome(raw, probe)


def answered(caller: Caller, probe: Probe) -> Array:
    """Return the right answer to a probe as the function understands it."""
    seen = caller.reading.seen(probe)
    return computed_answer(caller.kind, seen, caller.reduction)


def weighted_answer(
    caller: Caller, probe: Probe, weights: Array, *, over_weights: bool
) -> Array:
    """Return the answer of weighted rows, over the sum of the weights or over N."""
    reading = caller.reading
    if over_weights:
        reading = replace(reading, by_weights=False)
    seen = reading.seen(probe)
    targets = as_weights(np.asarray(seen.second), seen.logits)
    targets = targets * weights[:, np.newaxis]
    if over_weights and "mean" in caller.reduction:
        counts = weights
        if caller.reading.by_weights and caller.reading.weights is not None:
            given = as_weights(np.asarray(probe.second), probe.logits)
            counts = weights * (given * np.array(caller.reading.weights)).sum(axis=-1)
        targets = targets * (len(targets) / counts.sum())
    part = replace(seen, second=targets, form="weights")
    return computed_answer(caller.kind, part, caller.reduction)


def widened(caller: Caller, values: Array, kept: Array, probe: Probe) -> Array:
    """Return the answer of the kept rows with zeros for the others."""
    if caller.kind == "gradient":
        whole = np.zeros(probe.logits.shape)
    elif caller.reduction == "none":
        whole = np.zeros(kept.shape)
    else:
        return values
    whole[kept] = values
    return whole
