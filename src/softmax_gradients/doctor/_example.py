"""The smallest example on which a function is wrong, with numbers to recompute."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._inputs import Array
from ..mistakes._steps import SECOND_ARGUMENT
from ._examination import Caller
from ._probes import Probe

LOGITS = np.array([2.0, 0.5, -1.0])
SECONDS: dict[str, Any] = {
    "cotangent": np.array([1.0, 0.0, 2.0]),
    "teacher_logits": np.array([1.0, 2.5, -0.5]),
    "indices": np.array(1),
    "one-hot": np.array([0.0, 1.0, 0.0]),
    "distribution": np.array([0.5, 0.3, 0.2]),
    "weights": np.array([1.0, 1.0, 0.0]),
}
CONFIDENT = np.array([20.0, 0.0, -20.0])
LARGE = np.array([1000.0, 999.0, 0.0])
NEGATIVE = np.array([-1000.0, -999.0, -1001.0])
FAR_APART = np.array([[0.0, 1.0, 3.0], [1000.0, 999.0, 0.0]])
# A larger array is shown by its first row.
MOST_SHOWN = 12
TWO_ROWS = np.array([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0]])
SQUARE = np.array([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0], [1.0, -2.0, 0.0]])


def same(one: Any, another: Any) -> bool:
    """Tell whether two numbers, arrays, words or None are the same, NaN like NaN."""
    if isinstance(one, np.ndarray) and isinstance(another, np.ndarray):
        return np.array_equal(one, another, equal_nan=True)
    return type(one) is type(another) and bool(one == another)


@dataclass(frozen=True, eq=False)
class Example:
    """A call, what the function returned and what is right.

    Attributes
    ----------
    logits, second : ndarray or None
        The arguments; `second` is the cotangent, the targets or the teacher's
        logits.
    temperature : float
        T.
    name : str or None
        What the second argument is called.
    yours, right : ndarray
        Both results.
    """

    logits: Array
    second: Any
    temperature: float
    name: str | None
    yours: Array
    right: Array

    def __eq__(self, other: object) -> bool:
        """Compare the numbers: a dataclass would ask an array whether it is true."""
        if not isinstance(other, Example):
            return NotImplemented
        pairs = ((getattr(self, n), getattr(other, n)) for n in self.__annotations__)
        return all(same(one, another) for one, another in pairs)

    __hash__ = None  # type: ignore[assignment]  # arrays cannot be hashed

    def call(self) -> str:
        """Return the arguments in words."""
        parts = [f"logits = {show(self.logits)}"]
        if self.name is not None:
            parts.append(f"{self.name.replace('_', ' ')} = {show(self.second)}")
        if self.temperature != 1:
            parts.append(f"T = {self.temperature:g}")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the example as lists and numbers; what is not finite as a word."""
        return {
            "logits": listed(self.logits),
            self.name or "second": None if self.name is None else listed(self.second),
            "temperature": self.temperature,
            "yours": listed(self.yours),
            "right": listed(self.right),
        }


def smallest_example(
    caller: Caller,
    style: str,
    forms: tuple[str, ...],
    seen: Probe,
    acts: Callable[[Probe], bool],
) -> Example | None:
    """Return the first example on which the function is visibly off.

    One at which all of its mistakes act, if there is one. `seen` is a probe on which
    it was off, for the case that no small one shows it.
    """
    best: Example | None = None
    visible: Example | None = None
    for probe in examples(caller, style, forms, seen):
        right = caller.right(probe)
        outcome = caller(probe)
        if outcome.value is None or right is None:
            continue
        yours = outcome.value.astype(np.float64)
        example = Example(
            np.array(probe.logits),
            None if probe.second is None else np.array(probe.second),
            caller.reading.temperature or probe.temperature,
            SECOND_ARGUMENT[caller.kind],
            yours,
            np.array(right),
        )
        scale = max(1e-6, float(np.abs(right).max(initial=0)))
        with np.errstate(all="ignore"):
            error = float(np.abs(yours - right).max(initial=0)) / scale
        if not error < 0.02:
            if acts(probe):
                return example
            visible = visible or example
        if error > 1e3 * outcome.tolerance and best is None:
            best = example
    return visible or best


def examples(
    caller: Caller, style: str, forms: tuple[str, ...], seen: Probe
) -> Iterator[Probe]:
    """Yield probes from the simplest on: one row at T = 1, then T = 2, two rows."""
    temperatures = (1.0,) if not caller.with_temperature else (1.0, 2.0)
    simplest_first = ("indices", "one-hot", "distribution", "weights")
    choices = [form for form in simplest_first if form in forms]
    for logits, temperature in (
        *((LOGITS, temperature) for temperature in temperatures),
        (CONFIDENT, 1.0),
        (LARGE, 1.0),
        (-LARGE, 1.0),
        (NEGATIVE, 1.0),
    ):
        for form in choices or [SECOND_ARGUMENT[caller.kind] or ""]:
            second = SECONDS.get(form)
            if logits is CONFIDENT and form in ("one-hot", "distribution", "weights"):
                second = np.array([0.0, 0.0, 1.0])
            if style == "row":
                yield Probe("", logits, second, temperature, form)
            elif style == "square":
                yield several_rows(SQUARE, second, temperature, form)
            else:
                one = None if second is None else second[np.newaxis]
                yield Probe("", logits[np.newaxis], one, temperature, form)
                yield from larger_batches(logits, second, temperature, form)
    yield seen


def larger_batches(
    logits: Array, second: Any, temperature: float, form: str
) -> Iterator[Probe]:
    """Yield what a batch of one row cannot show, after the row that it belongs to."""
    if logits is LOGITS:
        yield several_rows(TWO_ROWS, second, temperature, form)
    if logits is NEGATIVE:
        yield several_rows(FAR_APART, second, temperature, form)
    if logits is LARGE and form == "teacher_logits":
        yield Probe("", LOGITS[np.newaxis], logits[np.newaxis], 1.0)


def several_rows(logits: Array, second: Any, temperature: float, form: str) -> Probe:
    """Return a probe of two or three rows whose second arguments differ."""
    if form == "indices":
        second = np.array([1, 0, 2])
    elif second is not None:
        second = np.stack([second, second[::-1], second])
    if second is not None:
        second = second[: len(logits)]
    return Probe("", logits, second, temperature, form)


def show(values: Any) -> str:
    """Return numbers with four significant digits, as one would type them."""
    if np.ndim(values) > 1 and np.size(values) > MOST_SHOWN:
        return f"[{show(values[0])}, ...]"
    if np.ndim(values):
        return "[" + ", ".join(show(each) for each in values) + "]"
    number = float(values)
    return "0" if number == 0 else f"{number:.4g}"


def listed(values: Any) -> Any:
    """Return nested lists of numbers, with words for what is not finite."""
    if np.ndim(values):
        return [listed(each) for each in values]
    return values.item() if np.isfinite(values) else str(float(values))
