"""Calling a function that may do anything: what it returned, or what went wrong."""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._inputs import Array
from ..mistakes._steps import (
    SECOND_ARGUMENT,
)
from ._probes import Probe, expected_shape

TEMPERATURE_NAMES = ("temperature", "T", "tau", "temp")
NOT_TEMPERATURES = ("axis", "dim", "reduction", "eps", "epsilon")


@dataclass(frozen=True)
class Outcome:
    """The array that a call returned, or None and the problem in words."""

    value: Array | None
    problem: str = ""

    @property
    def tolerance(self) -> float:
        """The relative error that rounding may cause in the result's precision."""
        size = 8 if self.value is None else self.value.dtype.itemsize
        return {2: 3e-2, 4: 1e-3}.get(size, 1e-6)


def temperature_parameter(function: Callable[..., Any], kind: str) -> str | None:
    """Return how to pass T: a name, "" for by position, or None if it is not taken.

    Raises
    ------
    TypeError
        If the function cannot be called with the arguments of its kind.
    """
    wanted = 1 if SECOND_ARGUMENT[kind] is None else 2
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # some functions written in C do not tell
        return ""
    positional = [
        p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    variable = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(positional) < wanted and not variable:
        raise TypeError(
            f"takes too few arguments ({len(positional)}): kind {kind!r} is called "
            f"with ({describe_arguments(kind)})"
        )
    for p in parameters[wanted:]:
        if p.name in TEMPERATURE_NAMES and p.kind is not p.POSITIONAL_ONLY:
            return p.name
    if len(positional) > wanted:
        extra = positional[wanted]
        if extra.default is extra.empty or (
            extra.name not in NOT_TEMPERATURES
            and type(extra.default) in (int, float)
            and extra.default == 1
        ):
            return ""
    return "" if variable and len(positional) <= wanted else None


def describe_arguments(kind: str) -> str:
    """Return the arguments of a kind in words."""
    second = SECOND_ARGUMENT[kind]
    first = "student_logits" if second == "teacher_logits" else "logits"
    return ", ".join(filter(None, (first, second, "temperature (optional)")))


@dataclass
class Caller:
    """A function of a kind, called safely; what it does besides is noted."""

    function: Callable[..., Any]
    kind: str
    reduction: str
    to_array: Callable[[Array], Any] | None
    temperature: str | None
    notes: dict[str, None] = field(default_factory=dict)

    def __call__(self, probe: Probe, any_shape: bool = False) -> Outcome:
        """Call the function; a result of another shape is a problem."""
        arguments = [np.array(probe.logits, dtype=np.float64)]
        if probe.second is not None:
            arguments.append(np.array(probe.second))
        outcome = self.observed(arguments, probe.temperature)
        if outcome.value is None or any_shape:
            return outcome
        return self.of_shape(outcome.value, probe)

    def of_shape(self, value: Array, probe: Probe) -> Outcome:
        """Return a value of the right shape, up to axes of length one."""
        wanted = expected_shape(self.kind, probe.logits.shape, self.reduction)
        if value.shape == wanted:
            return Outcome(value)
        told = f"shape {value.shape} where {wanted} is asked"
        squeezed = tuple(n for n in value.shape if n != 1)
        if squeezed == tuple(n for n in wanted if n != 1):
            self.note(f"It returns {told}.")
            return Outcome(value.reshape(wanted))
        return Outcome(None, f"returns {told}")

    def observed(self, arguments: list[Array], temperature: float) -> Outcome:
        """Call with copies, and note changes to them and to NumPy's global state."""
        given = [argument.copy() for argument in arguments]
        converted = [self.to_array(a) if self.to_array else a for a in given]
        named: dict[str, float] = {}
        if self.temperature:
            named[self.temperature] = temperature
        elif self.temperature == "":
            converted.append(temperature)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            errors, state = np.geterr(), random_state()
            try:
                outcome = as_outcome(self.function(*converted, **named))
            except Exception as error:
                outcome = Outcome(None, f"raises {type(error).__name__}: {error}")
            if np.geterr() != errors:
                self.note("It changes how NumPy handles floating-point errors.")
        if random_state() != state:
            self.note("It draws from NumPy's global random state.")
        for before, after in zip(arguments, given, strict=True):
            if not np.array_equal(before, after):
                self.note("It changes its arguments in place.")
        return outcome

    def note(self, text: str) -> None:
        """Keep a note, once."""
        self.notes[text] = None


def as_outcome(result: Any) -> Outcome:
    """Return what a function returned as a floating array."""
    if isinstance(result, tuple):
        return Outcome(None, f"returns a tuple of {len(result)}, not one array")
    if hasattr(result, "detach"):  # a tensor that may be tracked, or elsewhere
        result = result.detach().cpu()
    try:
        value = np.asarray(result)
    except Exception as error:
        return Outcome(None, f"returns {type(result).__name__}, not an array: {error}")
    if value.dtype.kind in "iub":
        value = value.astype(np.float64)
    if value.dtype.kind != "f":
        return Outcome(None, f"returns {type(result).__name__} of {value.dtype}")
    return Outcome(value.copy())


def random_state() -> tuple[Any, ...]:
    """Return the state of NumPy's global generator, comparable."""
    state: Any = np.random.get_state()  # noqa: NPY002
    name, keys, *rest = state
    return (name, keys.tobytes(), *rest)
