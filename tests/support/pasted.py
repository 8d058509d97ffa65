"""The code of the doctor's cases as text, as a reader would paste it."""

import ast
import functools
from pathlib import Path

from tests.support import doctor_cases

SOURCE = Path(doctor_cases.__file__).read_text("utf-8")
DEFINED = {
    node.name: node
    for node in ast.parse(SOURCE).body
    if isinstance(node, ast.FunctionDef | ast.ClassDef)
}


def with_what_it_uses(name):
    """Give the names of a definition and of all that it uses, in the file's order."""
    wanted, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one in DEFINED and one not in wanted:
            wanted.add(one)
            parts = ast.walk(DEFINED[one])
            waiting += [part.id for part in parts if isinstance(part, ast.Name)]
    return [each for each in DEFINED if each in wanted and each != name] + [name]


def pasted(function):
    """Give the text of a function, a bound method or a partial of `doctor_cases`.

    What it needs comes first. A method comes with its class, and a partial with the
    line that makes it.
    """
    last = ""
    if isinstance(function, functools.partial):
        given = ", ".join(
            f"{name}={value}" for name, value in function.keywords.items()
        )
        last = f"\n\nmine = functools.partial({function.func.__name__}, {given})"
        function = function.func
    owner = getattr(function, "__self__", None)
    name = type(owner).__name__ if owner is not None else function.__name__
    lines = SOURCE.splitlines()
    parts = [
        "\n".join(lines[DEFINED[each].lineno - 1 : DEFINED[each].end_lineno])
        for each in with_what_it_uses(name)
    ]
    imports = ["import numpy as np"]
    imports += ["import functools"] if last else []
    return "\n\n\n".join(["\n".join(imports), *parts]) + last
