"""A function that is named in a shell: as module:function, or as mine.py:function."""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

# What a module gets as its name when it is read from a file.
READ_FROM_FILE = "__diagnosed__"


class FunctionNameError(ValueError):
    """There is no function of the name that was given."""


def named(name: str) -> Any:
    """Return the function, class or object that module:name or file.py:name means.

    Importing the module runs it, so whatever it raises is raised here.

    Raises
    ------
    FunctionNameError
        If there is no such module, file or name.
    """
    place, colon, path = name.rpartition(":")
    if not (place and colon and path):
        raise FunctionNameError(
            "function must be given as module:function or mine.py:function, "
            f"got {name!r}"
        )
    found: Any = module_at(place)
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise FunctionNameError(f"cannot find {name!r}: {error}") from error
    return found


def module_at(place: str) -> ModuleType:
    """Import a module by its name, or from its file."""
    if place.endswith(".py"):
        return module_in(Path(place).resolve())
    sys.path.insert(0, "")  # where the command is given, as python -m does
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not (place + ".").startswith(error.name + "."):
            raise  # it is a module that this one imports
        raise FunctionNameError(f"cannot find the module {place!r}: {error}") from error


def module_in(file: Path) -> ModuleType:
    """Import a file, with the modules beside it in reach."""
    if not file.is_file():
        raise FunctionNameError(f"cannot find the file {str(file)!r}")
    sys.path.insert(0, str(file.parent))
    spec = spec_from_file_location(READ_FROM_FILE, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[READ_FROM_FILE] = module
    spec.loader.exec_module(module)
    return module
