"""What is done with class weights or label smoothing that the caller stated.

A mistake of the catalogue that needs these numbers is no step of a computation: it is
compared with the answers here, where nothing else explains them.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .._inputs import Array
from .._softmax import softmax
from ..mistakes._steps import as_weights, total
from ._examination import Caller, Collected, collected
from ._fits import nice
from ._matching import agrees
from ._options import Stated
from ._probes import Probe
from ._reference import computed_answer

# So many answers at least have to agree.
FEWEST = 3
OVER_ROWS = "weighted-mean"
ON_ENTRIES = "class-weights-on-entries"
ON_LOGITS = "class-weights-on-logits"
CONVENTIONS = "label-smoothing-convention"
MASS = "wrong-smoothing-mass"


def named_by_numbers(found: Collected, stated: Stated) -> tuple[tuple[str, ...], ...]:
    """Return the mistakes with stated weights or smoothing that explain the answers."""
    caller = found.caller
    if caller.kind not in ("loss", "gradient") or caller.question.reference is not None:
        return ()
    plain = plainly(found)
    if len(plain.answers) < FEWEST:
        return ()
    if stated.class_weights is None and stated.label_smoothing is None:
        share = share_of_others(plain)
        if share is None:
            return ()
        stated = replace(stated, label_smoothing=share)
    left: dict[int, str] | None = None
    for answer in plain.answers:
        fitting = {
            place: slug
            for place, (slug, value) in enumerate(
                mistaken(caller, stated, answer.probe)
            )
            if agrees(answer.value, value, answer.right, answer.tolerance)
            and (left is None or place in left)
        }
        if not fitting:
            return ()
        left = fitting
    return tuple((slug,) for slug in dict.fromkeys((left or {}).values()))


def share_of_others(found: Collected) -> float | None:
    """Return eps where (1 - eps) t and eps over the C - 1 others may explain all."""
    if not all(np.isfinite(each.value).all() for each in found.answers):
        return None
    shares = []
    for each in found.answers[::2]:
        targets = as_weights(np.asarray(each.probe.second), each.probe.logits)
        others = (total(targets) - targets) / (targets.shape[-1] - 1)
        part = replace(each.probe, second=others, form="weights")
        moved = computed_answer(found.caller.kind, part, found.caller.reduction)
        step = moved - each.right  # zero for uniform targets, which no probe has
        taken = step * (each.value - each.right)
        shares.append(float(taken.sum() / (step**2).sum()))
    share = nice(float(np.median(shares))) if shares else 0.0
    return share if 1e-4 < share <= 1 else None


def right_without(found: Collected, stated: Stated) -> list[str]:
    """Return whether the answers are right without the numbers that were stated."""
    if stated.class_weights is None and stated.label_smoothing is None:
        return []
    if found.caller.question.reference is not None or not plainly(found).right:
        return []
    what = " and ".join(
        words
        for words, value in (
            ("class weights", stated.class_weights),
            ("label smoothing", stated.label_smoothing),
        )
        if value is not None
    )
    return [f"It is right without {what}."]


def plainly(found: Collected) -> Collected:
    """Return the answers as those of a function without such numbers inside."""
    caller = found.caller
    reading = replace(caller.reading, smoothing=None, weights=None, by_weights=False)
    return collected(replace(caller, reading=reading), found.style, found.taken)


def mistaken(
    caller: Caller, stated: Stated, probe: Probe
) -> Iterator[tuple[str, Array]]:
    """Yield what mistakes give for a probe, each with its name."""
    if stated.label_smoothing is not None and stated.class_weights is None:
        yield from wrongly_smoothed(caller, stated.label_smoothing, probe)
    if stated.class_weights is not None and stated.label_smoothing is None:
        yield from wrongly_weighted(caller, np.array(stated.class_weights), probe)


def wrongly_smoothed(
    caller: Caller, epsilon: float, probe: Probe
) -> Iterator[tuple[str, Array]]:
    """Yield the answers for targets that are smoothed in other ways."""
    targets = as_weights(np.asarray(probe.second), probe.logits)
    classes = targets.shape[-1]
    others, kept = total(targets) - targets, (1 - epsilon) * targets
    for slug, smoothed in (
        (CONVENTIONS, kept + epsilon / (classes - 1) * others),
        (CONVENTIONS, kept + 1 / classes),
        (CONVENTIONS, (1 - epsilon / classes) * targets + epsilon / classes),
        (MASS, kept + epsilon / (classes - 1)),
        (MASS, kept + (1 - epsilon) / classes),
        (MASS, kept + epsilon),
    ):
        part = replace(probe, second=smoothed, form="weights")
        yield slug, computed_answer(caller.kind, part, caller.reduction)
        if caller.kind == "gradient":  # as if these targets summed to one
            probs = softmax(probe.logits, temperature=probe.temperature)
            rows = len(targets) if "mean" in caller.reduction else 1
            yield slug, (probs - smoothed) / (probe.temperature * rows)


def wrongly_weighted(
    caller: Caller, weights: Array, probe: Probe
) -> Iterator[tuple[str, Array]]:
    """Yield the answers for class weights that are used in other ways."""
    targets = as_weights(np.asarray(probe.second), probe.logits)
    plain = replace(probe, second=targets, form="weights")
    on_logits = replace(plain, logits=weights * probe.logits)
    divisors = [1.0]
    if "mean" in caller.reduction:
        divisors = [targets[..., 0].size, float((weights * targets).sum())]
        weighted = replace(plain, second=weights * targets)
        yield OVER_ROWS, computed_answer(caller.kind, weighted, caller.reduction)
    reduction = "none" if caller.reduction == "none" else "sum"
    inside = computed_answer(caller.kind, on_logits, reduction)
    outside = computed_answer(caller.kind, plain, reduction)
    for divisor in divisors:
        yield ON_LOGITS, inside / divisor
        if caller.kind == "gradient":
            yield ON_LOGITS, weights * inside / divisor
            yield ON_ENTRIES, weights * outside / divisor
