"""Say what is wrong with a gradient of softmax or cross-entropy, by name."""

import argparse
import ast
import inspect
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TextIO

from . import __version__
from ._isolation import MEMORY, TIMEOUT, examined_apart, unusable
from ._named import FunctionNameError, named
from ._site import base_address, chapter_address
from .doctor import Report, diagnose
from .doctor._options import ASKED_KINDS

# 1 is also what Python exits with when a program fails.
FAILED, USAGE = 1, 2
STATUS = {"right": 0, "mistake": 3, "convention": 4, "unknown": 5, "unusable": 6}
STATUSES = """\
exit status:
  0  right
  1  this program failed, and says nothing about your function
  2  the command cannot be understood, or there is no such function
  3  mistake: wrong, by mistakes of the catalogue
  4  convention: right, if what the report lists is what you meant
  5  unknown: wrong, and by no mistake of the catalogue
  6  unusable: it could not be examined

Your function runs in a process of its own, and what it prints is not shown.
"""
COLOURS = {"right": "32", "convention": "33"}
OTHER_COLOUR = "31"
# Options whose value is the name of another function.
FUNCTIONS = ("to_array", "against")


def main(arguments: Sequence[str] | None = None) -> int:
    """Diagnose the function that the arguments name; return the exit status.

    The statuses are in `STATUSES`. Whatever fails in this program itself, as when
    nobody reads its output, is status 1: it is never taken for a verdict.
    """
    try:
        status = run(arguments)
        if sys.stdout is not None:  # it is None where the shell has closed it
            sys.stdout.flush()
    except Exception as error:
        drop_output()
        complain(f"{type(error).__name__}: {error}")
        return FAILED
    return status


def run(arguments: Sequence[str] | None) -> int:
    """Carry out the command, and return the exit status."""
    never_fail_to_encode(sys.stdout)
    never_fail_to_encode(sys.stderr)
    try:
        given = vars(parser().parse_args(arguments))
    except SystemExit as stop:  # argparse has printed what is wrong, or the help
        return USAGE if stop.code else STATUS["right"]
    as_json, timeout, memory = (given.pop(n) for n in ("json", "timeout", "memory"))
    name, kind = given.pop("function"), given.get("kind")
    try:
        report = examined_apart(
            partial(examine, name, given), kind, timeout=timeout, memory=memory
        )
    except ValueError as problem:
        complain(str(problem))
        return USAGE
    print(json.dumps(report.to_dict(), indent=2) if as_json else shown(report))
    return STATUS[report.verdict]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    program = argparse.ArgumentParser(prog="softmax-gradients", description=__doc__)
    program.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}"
    )
    commands = program.add_subparsers(required=True, metavar="diagnose")
    command = commands.add_parser(
        "diagnose",
        help="say what is wrong with a function",
        description="Say which mistake a function makes, or that it is right.",
        epilog=STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "function",
        help="where it is: mine.py:function, module:function, mine.py:Class, "
        "mine.py:object.method",
    )
    add_options(command)
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.add_argument(
        "--timeout",
        type=positive,
        default=TIMEOUT,
        metavar="SECONDS",
        help="stop the function after so long; by default %(default)g seconds",
    )
    command.add_argument(
        "--memory",
        type=positive,
        default=MEMORY,
        metavar="GIB",
        help="let the function take so much memory, where the system can limit it; "
        "by default %(default)g GiB",
    )
    return program


def add_options(command: argparse.ArgumentParser) -> None:
    """Add an option for each argument of `diagnose`, described as there."""
    described = descriptions(inspect.getdoc(diagnose) or "")
    _, *parameters = inspect.signature(diagnose).parameters.values()
    for parameter in parameters:
        told = described.get(parameter.name, Description("", ()))
        more: dict[str, Any] = {"type": value_of}
        if parameter.name == "kind":
            more = {"choices": ASKED_KINDS, "metavar": "KIND"}
            told = told._replace(text=f"{told.text} One of {', '.join(ASKED_KINDS)}.")
        elif "bool" in str(parameter.annotation):
            more = {"action": argparse.BooleanOptionalAction}
        elif parameter.name in FUNCTIONS:
            more = {"type": FunctionName, "metavar": "MODULE:FUNCTION"}
        if told.choices and parameter.name != "kind":
            words = ", ".join(map(shlex.quote, told.choices))
            told = told._replace(text=f"{told.text} One of {words}.")
        command.add_argument(
            "--" + parameter.name.replace("_", "-"),
            help=told.text.replace("%", "%%"),
            default=argparse.SUPPRESS,  # so that the defaults of `diagnose` hold
            required=parameter.default is parameter.empty,
            **more,
        )


class Description(NamedTuple):
    """What a docstring says of a parameter: its first sentence, and its words."""

    text: str
    choices: tuple[str, ...]


def descriptions(docstring: str) -> Mapping[str, Description]:
    """Return what a docstring in numpydoc says of each parameter.

    >>> found = descriptions('''Add.
    ...
    ... Parameters
    ... ----------
    ... one, two : int
    ...     What is added. They
    ...     may be negative.
    ... how : {"exactly", "fast"}
    ...     In which way.
    ...
    ... Returns
    ... -------
    ... total : int
    ... ''')
    >>> found["two"], found["how"].choices
    (Description(text='What is added.', choices=()), ('exactly', 'fast'))
    """
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=^\w+\n-+$|\Z)", docstring, re.MULTILINE | re.DOTALL
    )
    entry = re.compile(r"^([\w, *]+) : (.*)\n((?:(?:[ ]+.*)?\n)+)", re.MULTILINE)
    found: dict[str, Description] = {}
    for names, kind, text in entry.findall(section[1] if section else ""):
        first = re.split(r"(?<=\.) |: - ", " ".join(text.split()))[0]
        first = first.rstrip(".") + "."
        words = re.findall(r'"(.*?)"', kind.partition("}")[0])
        told = Description(first.replace("``", ""), tuple(words))
        found |= dict.fromkeys(names.split(", "), told)
    return found


class FunctionName(str):
    """The name of another function, which the process that examines imports."""


def value_of(text: str) -> Any:
    """Return the number, tuple or word that the text of an option stands for.

    >>> value_of("0.1"), value_of("1,2"), value_of("sum")
    (0.1, (1, 2), 'sum')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def positive(text: str) -> float:
    """Return a positive number, or raise a ValueError for argparse to tell."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number


def examine(name: str, options: Mapping[str, Any]) -> Report:
    """Import what is named, and return the doctor's report on it.

    Raises
    ------
    ValueError
        If there is no such function, or the doctor refuses an option.
    """
    kind = options.get("kind")
    try:
        function = named(name)
        others = {
            key: named(value)
            for key, value in options.items()
            if isinstance(value, FunctionName)
        }
    except FunctionNameError:
        raise
    except Exception as error:  # importing runs code that may raise anything
        return unusable(kind, f"Importing it raises {type(error).__name__}: {error}.")
    if not can_be_examined(function):
        raise FunctionNameError(f"{name!r} must be a function, got {function!r}")
    return diagnose(function, **{**options, **others})


def can_be_examined(thing: Any) -> bool:
    """Tell whether the doctor may know what to do with a thing."""
    methods = ("forward", "backward", "backwards")
    return callable(thing) or any(hasattr(thing, method) for method in methods)


def shown(report: Report) -> str:
    """Return the report for a terminal, with colour where there is one."""
    text = str(report)
    if in_colour():
        first, line, rest = text.partition("\n\n")
        colour = COLOURS.get(report.verdict, OTHER_COLOUR)
        text = f"\033[{colour}m{first}\033[0m{line}{rest}"
    return "\n".join([text, *addresses(report)])


def addresses(report: Report) -> list[str]:
    """Return where the chapters on the mistakes of a report are, if that is known."""
    if not base_address():
        return []
    pages = dict.fromkeys(mistake.page for mistake in report.leading())
    return [f"Chapter: {chapter_address(*page.split('#'))}" for page in pages]


def in_colour() -> bool:
    """Tell whether the output is a terminal, and nobody has asked for no colour."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and sys.stdout is not None and sys.stdout.isatty()


def never_fail_to_encode(stream: TextIO | None) -> None:
    """Have what a terminal cannot show written as escapes."""
    reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
    if reconfigure is not None:  # some programs replace their streams
        reconfigure(errors="backslashreplace")


def complain(problem: str) -> None:
    """Print a problem where problems belong."""
    try:
        print(f"softmax-gradients: error: {problem}", file=sys.stderr)
    except OSError:  # nobody reads that either: the status tells
        return


def drop_output() -> None:
    """Send what is still to be written nowhere, so that Python can end."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # no stream of the system's
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
