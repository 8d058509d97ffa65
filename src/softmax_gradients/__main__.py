"""The doctor from a shell: python -m softmax_gradients diagnose module:function."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from ._reductions import DISTILLATION_REDUCTIONS
from .doctor import diagnose
from .mistakes._steps import KINDS

RIGHT, WRONG, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Diagnose the function that the arguments name; return the exit status.

    The status is 0 if the function is right, 1 if not, and 2 if the arguments cannot
    be understood or the function cannot be imported.
    """
    parser = argparse.ArgumentParser(
        prog="python -m softmax_gradients", description=__doc__
    )
    commands = parser.add_subparsers(required=True, metavar="diagnose")
    command = commands.add_parser("diagnose", help="say what is wrong with a function")
    command.add_argument("function", help="where it is, as module:function")
    command.add_argument("--kind", required=True, choices=KINDS)
    command.add_argument("--targets", default="any", choices=("any", "distribution"))
    command.add_argument("--reduction", choices=DISTILLATION_REDUCTIONS)
    command.add_argument("--sequences", action="store_true")
    command.add_argument("--rows", default="batch", choices=("batch", "one"))
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    try:
        given = parser.parse_args(arguments)
        function = imported(given.function)
    except SystemExit as stop:  # argparse has printed what is wrong, or the help
        return UNUSABLE if stop.code else RIGHT
    except FunctionImportError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return UNUSABLE
    report = diagnose(
        function,
        given.kind,
        targets=given.targets,
        reduction=given.reduction,
        sequences=given.sequences,
        rows=given.rows,
        seed=given.seed,
    )
    print(json.dumps(report.to_dict(), indent=2) if given.json else report)
    return RIGHT if report.ok else WRONG


class FunctionImportError(Exception):
    """The function that was named cannot be had."""


def imported(name: str) -> Callable[..., Any]:
    """Return the function that module:function names."""
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise FunctionImportError(
            f"function must be given as module:function, got {name!r}"
        )
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:  # importing runs code that may raise anything
        raise FunctionImportError(
            f"cannot import {name!r}: {type(error).__name__}: {error}"
        ) from error
    if not callable(found):
        raise FunctionImportError(f"{name!r} must be a function, got {found!r}")
    return found


if __name__ == "__main__":
    sys.exit(main())
