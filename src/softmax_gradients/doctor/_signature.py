"""Which argument of a function is what: from its signature, then from trying."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from inspect import Parameter
from typing import Any, NamedTuple

import numpy as np

from ..mistakes._steps import SECOND_ARGUMENT, WITH_TEACHER
from ._names import (
    ANY_WEIGHTS,
    BUFFERS,
    CLASS_COUNTS,
    COTANGENTS,
    INVERSES,
    KNOWN_NUMBERS,
    LOGITS,
    MASKS,
    MIXTURES,
    NOT_TEMPERATURES,
    OPTIONS,
    PROBABILITIES,
    ROW_COUNTS,
    ROW_WEIGHTS,
    TARGETS,
    is_temperature,
    says,
    says_student,
    says_teacher,
)
from ._objects import Way

POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Extra(NamedTuple):
    """A parameter besides the two arrays, and what it is given."""

    position: int  # -1: by name
    name: str
    value: str


@dataclass(frozen=True)
class Binding:
    """What each parameter is given.

    `first` and `second` are the positions of the logits and of the second argument.
    `temperature` is "" where none is taken, else "T" or "1/T"; `named` is whether
    the signature says so.
    """

    first: int
    second: int | None
    temperature: str = ""
    named: bool = False
    parameter: str = ""
    extras: tuple[Extra, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def reversed(self) -> bool:
        """Whether the second argument comes before the first."""
        return self.second is not None and self.second < self.first

    def arguments(
        self, first: Any, second: Any, temperature: float, shape: tuple[int, ...]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the named arguments of a call."""
        placed: dict[int, Any] = {self.first: first}
        if self.second is not None:
            placed[self.second] = second
        named: dict[str, Any] = {}
        for extra in self.extras:
            value = value_of(extra.value, temperature, shape)
            if extra.position < 0:
                named[extra.name] = value
            else:
                placed[extra.position] = value
        in_line: list[Any] = []
        while len(in_line) in placed:
            in_line.append(placed.pop(len(in_line)))
        named |= {self.names[place]: value for place, value in placed.items()}
        return in_line, named


class OptionsObject(dict[str, Any]):
    """An argument whose attributes and items are asked for: T is the temperature."""

    def __init__(self, temperature: float):
        super().__init__()
        self.asked_temperature = temperature

    def __missing__(self, name: str) -> float:
        """Return the temperature or 1, whatever the name."""
        return self.asked_temperature if is_temperature(name) else 1.0

    def __getattr__(self, name: str) -> float:
        """Return the same for an attribute."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the temperature, or the default."""
        return self[name] if is_temperature(name) else default


def value_of(what: str, temperature: float, shape: tuple[int, ...]) -> Any:
    """Return what an extra parameter is given, for logits of a shape."""
    if what == "T":
        return temperature
    if what == "1/T":
        return 1 / temperature
    if what == "options":
        return OptionsObject(temperature)
    if what == "classes":
        return shape[-1]
    if what == "rows":
        return shape[0] if len(shape) > 1 else 1
    if what == "zeros":
        return np.zeros(shape)
    if what == "ones":
        return np.ones(shape[:-1])
    if what == "labels":
        return np.arange(int(np.prod(shape[:-1]))).reshape(shape[:-1]) % shape[-1]
    number = float(what)
    return int(number) if number == -1 else number


def bindings(
    way: Way,
    kind: str,
    order: str | None,
    temperature: Any,
    row_weights: bool = False,
) -> list[Binding]:
    """Return what the parameters may mean, the likely first.

    With `row_weights` one that is called w or weights holds those of the rows.

    Raises
    ------
    TypeError
        If the function cannot be called with the arguments of its kind.
    """
    wanted = 1 if SECOND_ARGUMENT[kind] is None else 2
    parameters = way.parameters
    positional = [p for p in parameters or () if p.kind in POSITIONAL]
    variable = parameters is None or any(
        p.kind is Parameter.VAR_POSITIONAL for p in parameters
    )
    if len(positional) < wanted and not variable:
        raise TypeError(
            f"takes too few arguments ({len(positional)}): kind {kind!r} is called "
            f"with ({describe_arguments(kind)})"
        )
    found: dict[Binding, None] = {}
    for first, second in places(positional, kind, order):
        base = Binding(first, second, names=tuple(p.name for p in positional))
        rest = [
            (place, p)
            for place, p in enumerate(positional)
            if place not in (first, second)
        ]
        keyword = [
            (-1, p) for p in parameters or () if p.kind is Parameter.KEYWORD_ONLY
        ]
        parameters_left = [*rest, *keyword]
        for binding in with_extras(base, parameters_left, temperature, row_weights):
            found[binding] = None
        if variable and len(positional) <= wanted:
            found = {
                replace(
                    b,
                    temperature="T",
                    extras=(*b.extras, Extra(max(wanted, len(positional)), "", "T")),
                ): None
                for b in found
                if not b.temperature
            } | found
    if way.attribute and not any(b.temperature for b in found):
        held = Extra(-1, way.attribute, "T")
        return [
            replace(
                b,
                temperature="T",
                named=True,
                parameter=way.attribute,
                extras=(*b.extras, held),
            )
            for b in found
        ]
    return list(found)


def places(
    positional: list[Parameter], kind: str, order: str | None
) -> list[tuple[int, int | None]]:
    """Return where the first and the second argument may stand."""
    second = SECOND_ARGUMENT[kind]
    names = [p.name for p in positional]
    if second is None:
        needed = [place for place, p in enumerate(positional) if p.default is p.empty]
        labelled = [i for i in needed if says(names[i], TARGETS)]
        others = [i for i in needed if i not in labelled]
        likely = others[:1] or [0]
        return [(place, None) for place in dict.fromkeys([*likely, 0])]
    usual, other = (0, 1), (1, 0)
    if len(positional) > 2:
        special = named_places(names, kind)
        if special is not None and order is None:
            return [special]
        if special is not None:
            low, high = sorted(special)
            usual, other = (low, high), (high, low)
    if order is not None:
        return [usual if order == "usual" else other]
    stated = "" if len(positional) < 2 else order_by_names(names, kind)
    if stated == "usual":
        return [usual]
    if kind == "kl_divergence_gradient" and stated != "reversed":
        return [usual]  # only the sign would differ
    return [other] if stated == "reversed" else [usual, other]


def named_places(names: list[str], kind: str) -> tuple[int, int] | None:
    """Return the two places whose names say what they are, if there are."""
    if kind in WITH_TEACHER:
        seconds = [i for i, name in enumerate(names) if says_teacher(name)]
    elif SECOND_ARGUMENT[kind] == "targets":
        seconds = [i for i, name in enumerate(names) if says(name, TARGETS)]
    else:
        seconds = [i for i, name in enumerate(names) if says(name, COTANGENTS)]
    if not seconds:
        return None
    second = seconds[0]
    firsts = [
        i
        for i, name in enumerate(names)
        if i != second and not says(name, TARGETS) and not is_temperature(name)
    ]
    return (firsts[0], second) if firsts else None


def order_by_names(names: list[str], kind: str) -> str:
    """Return which order the names of two parameters state, or ""."""
    one, two = names[:2]
    if kind in WITH_TEACHER:
        if says_teacher(one) and not says_teacher(two):
            return "reversed"
        return "usual" if says_student(one) or says_teacher(two) else ""
    meaning = TARGETS if SECOND_ARGUMENT[kind] == "targets" else COTANGENTS
    array = LOGITS | PROBABILITIES
    if says(one, meaning) and says(two, array) and not says(two, meaning):
        return "reversed"
    return ""


def with_extras(
    base: Binding,
    rest: list[tuple[int, Parameter]],
    temperature: Any,
    row_weights: bool = False,
) -> Iterator[Binding]:
    """Yield a binding with every way to give the other parameters a value.

    A parameter called T is the temperature. Another one that is required, or has
    the default 1, may be shown to act as T, or as 1/T.
    """
    named = [(i, p) for i, p in rest if is_temperature(p.name) or p.name == temperature]
    extras: list[Extra] = []
    candidates: list[tuple[int, Parameter]] = []
    mixtures: list[Extra] = []
    options = False
    skipped = False
    for place, p in rest:
        if (place, p) in named[:1]:
            continue
        needed = p.default is p.empty
        numeric = type(p.default) in (int, float) and p.default == 1
        if not needed:
            skipped = True
        if p.name.lower() not in NOT_TEMPERATURES and (numeric or needed):
            known = what_by_name(p.name, row_weights)
            options = options or known == "options"
            if not known:
                candidates.append((place, p))
            if says(p.name, MIXTURES) and needed:
                mixtures.append(given(place, p, "1", skipped))
                continue
        if needed:
            extras.append(
                given(place, p, what_by_name(p.name, row_weights) or "1", skipped)
            )
    alternatives = [mixtures] + (
        [[m._replace(value="0") for m in mixtures]] if mixtures else []
    )
    for mixture in alternatives:
        fixed = (*extras, *mixture)
        if named:
            place, p = named[0]
            inverse = "1/T" if temperature == "inverse" else "T"
            yield replace(
                base,
                temperature=inverse,
                named=True,
                parameter=p.name,
                extras=(*fixed, given(place, p, inverse, skipped or place < 0)),
            )
            continue
        if options:
            yield replace(
                base, temperature="T", named=True, parameter="options", extras=fixed
            )
            continue
        for place, p in candidates:
            if says(p.name, MIXTURES):
                continue
            others = tuple(e for e in fixed if e.name != p.name)
            for what in ("1/T",) if temperature == "inverse" else ("T", "1/T"):
                if what == "T" and says(p.name, INVERSES):
                    continue
                told = given(place, p, what, skipped)
                yield replace(
                    base, temperature=what, parameter=p.name, extras=(*others, told)
                )
        yield replace(base, extras=fixed)


def given(place: int, p: Parameter, value: str, skipped: bool) -> Extra:
    """Return a parameter by place, or by name where it can be."""
    by_name = p.kind is not p.POSITIONAL_ONLY
    return Extra(-1 if by_name else place, p.name, value)


def what_by_name(name: str, row_weights: bool = False) -> str:
    """Return what a parameter is given for its name, or "" for one not known."""
    if says(name, ANY_WEIGHTS if row_weights else ROW_WEIGHTS):
        return "ones"
    if says(name, OPTIONS):
        return "options"
    if says(name, CLASS_COUNTS):
        return "classes"
    if says(name, ROW_COUNTS):
        return "rows"
    if says(name, BUFFERS):
        return "zeros"
    if says(name, MASKS):
        return "ones"
    if says(name, TARGETS):
        return "labels"
    number = KNOWN_NUMBERS.get(name.lower())
    return "" if number is None else str(number)


def describe_arguments(kind: str) -> str:
    """Return the arguments of a kind in words."""
    second = SECOND_ARGUMENT[kind]
    first = "student_logits" if second == "teacher_logits" else "logits"
    return ", ".join(filter(None, (first, second, "temperature (optional)")))
