"""The package of this checkout, whether it is installed or not.

`import src` and `import softmax_gradients` then mean the same modules and the same
objects. Elsewhere write `import softmax_gradients`.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "softmax_gradients"
FOLDER = Path(__file__).resolve().parent / NAME


def this_checkout() -> ModuleType:
    """Return this checkout's package; refuse if another copy is imported already."""
    if NAME not in sys.modules:
        spec = spec_from_file_location(
            NAME, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
        )
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        sys.modules[NAME] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[NAME]
            raise
    package = sys.modules[NAME]
    found = Path(str(package.__file__)).resolve().parent
    if found != FOLDER:
        raise ImportError(
            f"`src` means {FOLDER}, but another copy is imported already: {found}"
        )
    return package


class SameModules(MetaPathFinder, Loader):
    """Finds src.softmax_gradients and what is in it: the modules without `src.`."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a specification for a module of the package, None for others."""
        if f"{fullname}.".startswith(f"{__name__}.{NAME}."):
            return spec_from_loader(fullname, self)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that is known without `src.`."""
        module = import_module(spec.name.removeprefix(f"{__name__}."))
        # The import system overwrites the specification of what it is given.
        self.original = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing: the module has been run."""
        module.__spec__ = self.original


softmax_gradients = this_checkout()
sys.meta_path.insert(0, SameModules())
sys.modules[f"{__name__}.{NAME}"] = softmax_gradients
__all__ = softmax_gradients.__all__


def __getattr__(name: str) -> Any:
    """Return what the package has under a name."""
    return getattr(softmax_gradients, name)


def __dir__() -> list[str]:
    """Return the names of the package."""
    return dir(softmax_gradients)
