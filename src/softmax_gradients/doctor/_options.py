"""The options of `diagnose`, checked: what is asked, which conventions are stated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._inputs import check_choice
from .._reductions import DISTILLATION_REDUCTIONS
from ..mistakes._steps import KINDS, ONE_NUMBER_A_ROW, SECOND_ARGUMENT, WITH_TARGETS
from ._probes import forms_of
from ._readings import BATCH, LABELS, LAYOUTS, ORDERS, TAKES, TARGETS, Reading
from ._reference import DEFAULT_REDUCTION
from ._signature import Binding

# What one row at a time is asked for as.
ROWS = ("batch", "one")
LOGITS = ("any", "ordinary")
SOFT_LOSSES = ("divergence", "cross-entropy")
UPSTREAM = ("any", "one")
# What can be asked for: the last one is examined as a gradient.
ASKED_KINDS = (*KINDS, "weights")
# What a mean of weighted rows is divided by: the sum of the weights, or N.
SAMPLE_WEIGHTS = ("weights", "rows")
HOWS = ("elements", "diagonal", "flat diagonal", "matrix", "flat")
# The forms that each promise about the targets leaves.
PROMISES = {
    "any": ("weights", "distribution", "one-hot", "indices"),
    "distribution": ("distribution", "one-hot", "indices"),
    "hard": ("one-hot", "indices"),
}


@dataclass(frozen=True)
class Stated:
    """The conventions that the caller states; None leaves one to be found out."""

    takes: str | None = None
    layout: str | None = None
    labels: str | None = None
    classes: int | None = None
    result: str | None = None
    order: str | None = None
    label_smoothing: float | None = None
    class_weights: tuple[float, ...] | None = None
    sample_weights: str | None = None
    ignore_index: int | None = None
    temperature: float | str | None = None
    reduction: str | None = None
    targets: str | None = None
    soft_loss: str | None = None
    t_squared: bool | None = None
    logits: str = "any"
    upstream: str = "any"
    rows: str = "batch"

    def checked(self) -> "Stated":
        """Return the conventions in one form; raise a ValueError for another word."""
        for name, words in (
            ("takes", TAKES),
            ("layout", LAYOUTS),
            ("labels", LABELS),
            ("order", ORDERS),
            ("reduction", DISTILLATION_REDUCTIONS),
            ("targets", TARGETS),
            ("soft_loss", SOFT_LOSSES),
            ("logits", LOGITS),
            ("upstream", UPSTREAM),
            ("rows", ROWS),
            ("sample_weights", SAMPLE_WEIGHTS),
        ):
            value = getattr(self, name)
            if value is not None:
                check_choice(value, words, name)
        changed: dict[str, Any] = {}
        if self.class_weights is not None:
            changed["class_weights"] = weights_of(self.class_weights)
            count = len(changed["class_weights"])
            if self.classes is None:
                changed["classes"] = count
            elif self.classes != count:
                raise ValueError(
                    "class_weights must be one number per class, and classes is "
                    f"{self.classes!r}, got {count} numbers"
                )
        if self.label_smoothing is not None:
            changed["label_smoothing"] = number(self.label_smoothing, "label_smoothing")
        if self.ignore_index is not None and type(self.ignore_index) is not int:
            raise ValueError(
                f"ignore_index must be an integer, got {str(self.ignore_index)[:40]!r}"
            )
        if self.classes is not None and (
            not isinstance(self.classes, int) or self.classes < 2
        ):
            raise ValueError(
                f"classes must be a number of at least 2, got {self.classes!r}"
            )
        if self.temperature is not None and not isinstance(self.temperature, str):
            changed["temperature"] = number(self.temperature, "temperature")
            if changed["temperature"] <= 0:
                raise ValueError(
                    "temperature must be positive, 'inverse' or the name of the "
                    f"argument, got {self.temperature!r}"
                )
        if self.result is not None:
            changed["result"] = part(self.result)
        if self.targets == "any":
            changed["targets"] = None
        return replace(self, **changed)

    def reading(self, binding: Binding, reduction: str) -> Reading:
        """Return the reading of a binding that is as stated."""
        path, how = ("", "")
        if self.result is not None:
            path, how = self.result, ""
            for each in HOWS:
                if self.result == each or self.result.endswith(f" {each}"):
                    path, how = self.result[: -len(each)].strip(), each
        fixed = self.temperature
        return Reading(
            binding,
            reduction,
            takes=self.takes or "logits",
            layout=self.layout or ("row" if self.rows == "one" else BATCH),
            labels=self.labels or "from 0",
            path=path,
            how=how,
            targets=self.targets or "any",
            classes=self.classes,
            temperature=fixed if isinstance(fixed, float) else None,
            smoothing=self.label_smoothing,
            weights=self.class_weights,
            by_weights=self.class_weights is not None and "mean" in reduction,
            entropy=self.soft_loss == "cross-entropy",
            t_squared=self.t_squared is not False,
        )


def part(result: Any) -> str:
    """Return which part of a result counts, as it is written after the result."""
    if isinstance(result, str) and (result in HOWS or result.startswith("[")):
        return result
    return f"[{result!r}]"


def number(value: Any, name: str) -> float:
    """Return a finite number; raise a ValueError for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = float("nan")
    if not np.isfinite(found):
        raise ValueError(f"{name} must be a number, got {str(value)[:40]!r}")
    return found


def weights_of(values: Sequence[float]) -> tuple[float, ...]:
    """Return class weights as a tuple; raise a ValueError for what is none."""
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        array = np.array([])
    if array.ndim != 1 or array.size < 2 or not np.isfinite(array).all():
        raise ValueError(
            f"class_weights must be one number per class, got {str(values)[:40]!r}"
        )
    return tuple(float(each) for each in array)


def check_kind(kind: str) -> None:
    """Raise a ValueError unless the kind is one that the doctor knows."""
    if kind not in ASKED_KINDS:
        raise ValueError(
            f"kind must be one of {', '.join(ASKED_KINDS)}, got {str(kind)[:40]!r}"
        )


def check_targets(kind: str, stated: Stated) -> None:
    """Raise a ValueError if an option is about targets that the kind does not have."""
    for name in ("label_smoothing", "class_weights", "sample_weights", "ignore_index"):
        value = getattr(stated, name)
        if value is not None and kind not in (*WITH_TARGETS, "weights"):
            raise ValueError(
                f"{name} needs a kind with targets ({', '.join(WITH_TARGETS)}), "
                f"got {name}={value!r} and kind={kind!r}"
            )


def forms_asked(kind: str, targets: str | None) -> tuple[str, ...]:
    """Return the forms of targets to probe."""
    if SECOND_ARGUMENT[kind] != "targets":
        return forms_of(kind)
    return PROMISES[targets or "any"]


def reduction_of(kind: str, stated: str | None) -> str:
    """Return how the rows are combined."""
    reduction = stated or DEFAULT_REDUCTION.get(kind, "mean")
    if reduction == "none" and kind not in ONE_NUMBER_A_ROW:
        return "sum"  # the gradient of each row's own loss
    if kind not in DEFAULT_REDUCTION and reduction == "batchmean":
        return "mean"
    return reduction
