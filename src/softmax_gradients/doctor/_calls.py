"""Calling code that may do anything: what came back, or what went wrong."""

import contextlib
import io
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._inputs import Array

LONGEST_MESSAGE = 200


class Leaf(NamedTuple):
    """One array of a result, how to get it from there, and whether it counts."""

    path: str
    value: Array
    integer: bool = False


class Raw(NamedTuple):
    """What a call returned, taken apart into arrays, or the problem in words."""

    leaves: tuple[Leaf, ...]
    problem: str = ""


class EndedError(Exception):
    """The function tried to end the program that called it."""


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


@contextlib.contextmanager
def silent(printed: io.StringIO) -> Iterator[None]:
    """Show no warnings and nothing that is printed, which `printed` takes."""
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def undisturbed(note: Callable[[str], None]) -> Iterator[None]:
    """Keep prints, warnings and random numbers of what is called from the caller."""
    before, other = random_state(), random.getstate()
    printed = io.StringIO()
    try:
        with silent(printed):
            yield
    finally:
        if printed.getvalue():
            note("It prints.")
        if random_state() != before:
            note("It draws from NumPy's global random state.")
            restore(before)
        if random.getstate() != other:
            note("It draws from Python's global random state.")
            random.setstate(other)


def called(call: Callable[[], Any], note: Callable[[str], None]) -> Raw:
    """Call, and note a change to how NumPy handles errors.

    Raises
    ------
    EndedError
        If the function raises SystemExit or KeyboardInterrupt.
    """
    with np.errstate(all="ignore"):
        errors = np.geterr()
        try:
            raw = taken_apart(call())
        except Exception as error:
            raw = Raw((), f"raises {in_words(error)}")
        except (SystemExit, KeyboardInterrupt) as stop:
            raise EndedError(f"raises {in_words(stop)}") from None
        if np.geterr() != errors:
            note("It changes how NumPy handles floating-point errors.")
    return raw


def in_words(error: BaseException) -> str:
    """Return an exception's type and message, shortened, on one line."""
    try:
        message = str(error)
    except Exception:
        message = "its message cannot be shown"
    return shortened(f"{type(error).__name__}: {message}")


def shortened(message: str) -> str:
    """Return a message on one line, without control characters, cut if long."""
    line = " ".join(message.split())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 3] + "..."


def taken_apart(result: Any) -> Raw:
    """Return the floating arrays of a result: one, or those of a tuple or mapping."""
    if result is None:
        told = "returns None: is the result left in an attribute, or the graph cut?"
        return Raw((), told)
    if isinstance(result, tuple | Mapping):
        leaves = tuple(parts_of(result, ""))
        named = {tuple: "tuple", dict: "dict"}.get(type(result), type(result).__name__)
        return Raw(leaves, f"returns a {named} of {len(result)}, not one array")
    try:
        value = as_array(result)
    except Exception as error:
        leaves = tuple(parts_of(result, "")) if isinstance(result, list) else ()
        reason = f"returns {type(result).__name__}, not an array: {in_words(error)}"
        return Raw(leaves, reason)
    kind = value.dtype.kind
    if kind not in "iubf":
        return Raw((), f"returns {type(result).__name__} of {value.dtype}")
    return Raw((leaf("", value),))


def parts_of(result: Any, path: str) -> Iterator[Leaf]:
    """Yield the arrays of nested tuples, lists and mappings."""
    parts: Sequence[tuple[str, Any]]
    if isinstance(result, Mapping):
        parts = [(f"{path}[{key!r}]", each) for key, each in result.items()]
    else:
        parts = [(f"{path}[{place}]", each) for place, each in enumerate(result)]
    for name, each in parts:
        if isinstance(each, tuple | Mapping):
            yield from parts_of(each, name)
            continue
        with contextlib.suppress(Exception):
            value = as_array(each)
            if value.dtype.kind in "iubf":
                yield leaf(name, value)


def leaf(path: str, value: Array) -> Leaf:
    """Return an array with its place: in double precision if it is not floating."""
    integer = value.dtype.kind != "f"
    wide = integer or value.dtype.itemsize > 8
    return Leaf(path, value.astype(np.float64) if wide else value.copy(), integer)


def as_array(result: Any) -> Array:
    """Return a result as an array; a tensor may be tracked, or elsewhere."""
    if hasattr(result, "detach"):
        result = result.detach().cpu()
    return np.asarray(result)


def random_state() -> tuple[Any, ...]:
    """Return the state of NumPy's global generator, comparable."""
    state: Any = np.random.get_state()  # noqa: NPY002
    name, keys, *rest = state
    return (name, keys.tobytes(), *rest)


def restore(state: tuple[Any, ...]) -> None:
    """Put the state of NumPy's global generator back."""
    name, keys, *rest = state
    np.random.set_state((name, np.frombuffer(keys, np.uint32), *rest))  # noqa: NPY002
