"""Numbers inside a function, recovered: label smoothing, class weights, a fixed T.

Each is estimated on every second answer and confirmed on all of them.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..mistakes._steps import AVERAGED, WITH_TARGETS, as_weights
from ._examination import Collected
from ._probes import Probe
from ._readings import Reading
from ._reference import computed_answer

# Where a fixed T is looked for.
TEMPERATURES = np.geomspace(0.05, 50.0, 25)


def fitted(found: Collected, whole: bool) -> Iterator[Reading]:
    """Yield readings with a number that makes the answers right, the simplest first.

    A temperature is looked for only where the `whole` of the targets is taken.
    """
    reading = found.caller.reading
    finite = [each for each in found.answers if np.isfinite(each.value).all()]
    if len(finite) < 3 or len(finite) < len(found.answers):
        return
    if found.caller.kind in WITH_TARGETS:
        smoothing = fitted_smoothing(found)
        if smoothing is not None:
            yield replace(reading, smoothing=smoothing)
        yield from fitted_weights(found)
    if whole and not found.caller.with_temperature and reading.temperature is None:
        temperature = fitted_temperature(found)
        if temperature is not None:
            yield replace(reading, temperature=temperature)


def nice(number: float) -> float:
    """Return a number with the digits that an estimate has."""
    return float(f"{number:.6g}")


def fitted_smoothing(found: Collected) -> float | None:
    """Return eps of (1 - eps) t + eps/C: the answers are linear in it."""
    kind, reduction = found.caller.kind, found.caller.reduction
    estimates = []
    for each in found.answers[::2]:
        uniform = replace(found.caller.reading, smoothing=1.0).seen(each.probe)
        step = computed_answer(kind, uniform, reduction) - each.right
        size = float((step**2).sum())
        if size > 0:
            estimates.append(float((step * (each.value - each.right)).sum()) / size)
    smoothing = nice(float(np.median(estimates)))  # NaN, if there are none
    return smoothing if 1e-4 < smoothing <= 1 else None


def fitted_weights(found: Collected) -> Iterator[Reading]:
    """Yield the class weights with which the answers are right.

    A sum or a mean over N is linear in them. A mean over the sum of the weights
    fixes them up to a factor: see `rounded_best`.
    """
    kind, reading = found.caller.kind, found.caller.reading
    if reading.reduction not in ("mean", "sum") or kind not in AVERAGED:
        return
    classes = found.answers[0].probe.logits.shape[-1]
    same = [a for a in found.answers if a.probe.logits.shape[-1] == classes]
    if len(same) < len(found.answers) or classes > 60:
        return
    half = same[::2]
    sizes = [sum(each.value.size for each in some) for some in (half, same[1::2])]
    if min(sizes) < classes + 2:
        return  # too few to estimate the weights, or to confirm them
    if not np.sum([mass(each.probe) for each in half], axis=0).all():
        return  # a class without weight in them tells nothing of its own
    parts = [contributions(kind, each.probe) for each in half]
    divisors = [
        each.probe.logits[..., 0].size if reading.reduction == "mean" else 1
        for each in half
    ]
    matrix = np.concatenate([p / d for p, d in zip(parts, divisors, strict=True)])
    values = np.concatenate([each.value.astype(float).ravel() for each in half])
    weights, *_ = np.linalg.lstsq(matrix, values, rcond=None)
    yield from weighted_reading(reading, weights, False)
    if reading.reduction == "mean":
        rows = [
            part - np.outer(each.value.astype(float).ravel(), mass(each.probe))
            for part, each in zip(parts, half, strict=True)
        ]
        null = np.linalg.svd(np.concatenate(rows))[2][-1]
        yield from weighted_reading(reading, rounded_best(null), True)


def rounded_best(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights so that one of them is 1, and the digits shown say them best.

    Of 1 : 3 : 0.5 the multiples 2 : 6 : 1 have few digits, and 0.333333 : 1 : 0.166667
    is not the same. The largest is 1 where that is as good.
    """
    sizes = np.abs(weights)
    multiples = [
        weights / weights[place] for place in np.argsort(-sizes) if sizes[place] > 0
    ]
    return min(multiples, key=lost_by_rounding)


def lost_by_rounding(weights: NDArray[np.float64]) -> float:
    """Return how much the digits that are shown change a weight, relatively."""
    changes = [abs(nice(float(w)) / w - 1) for w in weights if w]
    return round(float(max(changes)), 9)


def weighted_reading(
    reading: Reading, weights: NDArray[np.float64], by_weights: bool
) -> Iterator[Reading]:
    """Yield a reading with weights, if they can be meant."""
    if np.isfinite(weights).all() and (weights >= -1e-9).all() and weights.max() > 0:
        numbers = tuple(nice(float(max(w, 0.0))) for w in weights)
        if len(set(numbers)) > 1:
            yield replace(reading, weights=numbers, by_weights=by_weights)


def contributions(kind: str, probe: Probe) -> NDArray[np.float64]:
    """Return what each class's targets add to the summed answer, one a column."""
    targets = as_weights(np.asarray(probe.second), probe.logits)
    columns = []
    for place in range(targets.shape[-1]):
        only = np.zeros_like(targets, dtype=float)
        only[..., place] = targets[..., place]
        part = replace(probe, second=only, form="weights")
        columns.append(computed_answer(kind, part, "sum").ravel())
    return np.stack(columns, axis=1)


def mass(probe: Probe) -> NDArray[np.float64]:
    """Return the sum of the targets of each class."""
    targets = as_weights(np.asarray(probe.second), probe.logits)
    return targets.reshape(-1, targets.shape[-1]).sum(axis=0).astype(float)


def fitted_temperature(found: Collected) -> float | None:
    """Return the T at which the answers are right, if there is one."""
    half = found.answers[::2][:2]
    caller = found.caller

    def error(temperature: float) -> float:
        total = 0.0
        for each in half:
            probe = replace(each.probe, temperature=float(temperature))
            right = computed_answer(caller.kind, probe, caller.reduction)
            if not caller.reading.t_squared:
                right = right / temperature**2
            size = max(1e-3, float(np.abs(each.value).max(initial=0)))
            total += float(np.abs(each.value - right).max(initial=0)) / size
        return total

    errors = [error(temperature) for temperature in TEMPERATURES]
    place = int(np.argmin(errors))
    if not errors[place] < 0.5 * len(half):
        return None
    low = TEMPERATURES[max(place - 1, 0)]
    high = TEMPERATURES[min(place + 1, len(TEMPERATURES) - 1)]
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(60):  # the golden section
        one, two = high - ratio * (high - low), low + ratio * (high - low)
        if error(one) < error(two):
            high = two
        else:
            low = one
    temperature = nice((low + high) / 2)
    rounded = float(f"{temperature:.4g}")
    if error(rounded) <= 2 * error(temperature) + 1e-9:
        temperature = rounded
    if abs(temperature - 1) < 1e-3 or error(temperature) >= 1e-4 * len(half):
        return None
    return temperature
