"""The package as it is installed, imported and documented."""

import doctest
import importlib
import inspect
import pkgutil
import re
import shutil
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from try_wheel import OLDEST

import softmax_gradients as sg
from tests.support.programs import run_python

ROOT = Path(__file__).parents[1]
MODULES = ["softmax_gradients"] + [
    f"softmax_gradients.{module.name}"
    for module in pkgutil.iter_modules(sg.__path__)
    if not module.name.startswith("_")
]


SAME = (
    "import src, softmax_gradients;"
    "assert src.softmax_gradients is softmax_gradients;"
    "assert src.Reliability is softmax_gradients.Reliability;"
    "import src.softmax_gradients.doctor, softmax_gradients.doctor;"
    "from src.softmax_gradients.doctor import Report;"
    "assert Report is softmax_gradients.doctor.Report;"
    "assert src.softmax_gradients.doctor is softmax_gradients.doctor;"
    "assert softmax_gradients.doctor.__spec__.name == 'softmax_gradients.doctor';"
    "assert set(softmax_gradients.__all__) <= set(dir(src));"
    "assert src.MISTAKES is softmax_gradients.MISTAKES;"
    "print(softmax_gradients.__file__)"
)
UNINSTALL = (
    "import sys, pathlib; sys.path[:] = [folder for folder in sys.path"
    " if not (pathlib.Path(folder) / 'softmax_gradients').exists()];"
)


def file_of_the_package(folder):
    return str(folder / "src" / "softmax_gradients" / "__init__.py")


def test_src_is_the_installed_package_of_this_checkout():
    assert run_python(SAME, ROOT).strip() == file_of_the_package(ROOT)


def test_src_needs_no_installation():
    refused = f"{UNINSTALL} import softmax_gradients"
    with pytest.raises(AssertionError, match="No module named 'softmax_gradients'"):
        run_python(refused, ROOT)
    assert run_python(UNINSTALL + SAME, ROOT).strip() == file_of_the_package(ROOT)


def test_src_is_its_own_checkout_where_another_copy_is_installed(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src")
    assert run_python(SAME, tmp_path).strip() == file_of_the_package(tmp_path)


def test_src_refuses_where_another_copy_is_imported(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src")
    both = f"{ROOT / 'src' / 'softmax_gradients'}"
    with pytest.raises(AssertionError) as caught:
        run_python("import softmax_gradients, src", tmp_path)
    message = str(caught.value)
    assert "ImportError" in message
    assert both in message
    assert str(tmp_path / "src" / "softmax_gradients") in message


def test_the_import_brings_numpy_alone(tmp_path):
    code = (
        "import sys, numpy; before = {name.split('.')[0] for name in sys.modules};"
        "import softmax_gradients;"
        "after = {name.split('.')[0] for name in sys.modules};"
        "print(*sorted(after - before - set(sys.stdlib_module_names)))"
    )
    assert run_python(code, tmp_path).strip() == "softmax_gradients"


@pytest.mark.parametrize("module", ["plots", "symbolic"])
def test_a_heavy_module_is_imported_on_first_use(module, tmp_path):
    code = f"import softmax_gradients as sg; print(sg.{module}.__name__)"
    assert run_python(code, tmp_path).strip() == f"softmax_gradients.{module}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'soft_max'"):
        _ = sg.soft_max


def test_every_public_name_exists():
    assert len(set(sg.__all__)) == len(sg.__all__)
    for name in sg.__all__:
        assert hasattr(sg, name)


def test_the_versions_agree():
    assert sg.__version__ == metadata.version("softmax-gradients")
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {sg.__version__}\n" in citation
    assert f"\n## {sg.__version__} " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_distribution_asks_for_numpy_alone():
    required = metadata.requires("softmax-gradients")
    always = [name for name in required if "extra ==" not in name]
    assert len(always) == 1
    assert re.match(r"numpy\b", always[0])


def test_the_extra_for_several_devices_is_what_the_peers_have():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    jax, _ = project["optional-dependencies"]["devices"]
    version = re.fullmatch(r"jax==([\d.]+)", jax)[1]
    pinned = (ROOT / "requirements-peers.txt").read_text("utf-8")
    assert re.search(rf"^jax=={re.escape(version)}\s", pinned, re.MULTILINE)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_hold(name):
    # import_module, since sg.softmax is the function that hides its module
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


# A result's class is shown in the example of the function that returns it.
@pytest.mark.parametrize(
    "name", [name for name in sg.__all__ if inspect.isfunction(getattr(sg, name))]
)
def test_every_public_function_has_an_example(name):
    function = getattr(sg, name)
    sections = function.__doc__
    headings = ["Returns", "Examples"]
    if inspect.signature(function).parameters:
        headings.append("Parameters")
    for heading in headings:
        assert re.search(rf"^\s*{heading}\n\s*-+$", sections, re.MULTILINE), heading


def test_the_reference_page_lists_every_public_name():
    page = (ROOT / "book" / "api.md").read_text("utf-8")
    documented = re.findall(
        r"^\.\. auto(?:function|class|data):: (\w+)$", page, re.MULTILINE
    )
    assert sorted(documented) == sorted(sg.__all__)


def requirements(path):
    """Return the lines of a list of requirements, without what is said of each."""
    lines = path.read_text("utf-8").splitlines()
    stated = (re.split(r"(?:^|\s)#", line)[0].strip() for line in lines)
    return [line for line in stated if line]


def test_the_oldest_versions_that_are_tried_are_the_oldest_accepted():
    accepted = re.findall(
        r"\w+>=[\d.]+", " ".join(metadata.requires("softmax-gradients"))
    )
    tried = {oldest.replace("==", ">=").removesuffix(".*") for oldest in OLDEST}
    assert tried == set(accepted)


LISTS = ["requirements", "requirements-peers", "requirements-site"]
LISTS += ["requirements-release"]
PINNED = re.compile(r"([a-z0-9-]+)==([\w.]+)(?: ; .+)?")


@pytest.mark.parametrize("name", LISTS)
def test_every_requirement_is_pinned(name):
    pinned = requirements(ROOT / f"{name}.txt")
    assert len(pinned) > 2
    unpinned = [line for line in pinned if not PINNED.fullmatch(line)]
    assert unpinned == (["-e ."] if name == "requirements" else [])


@pytest.mark.parametrize("name", LISTS)
def test_the_pins_are_those_asked_for(name):
    """A version that is changed in the .in file is compiled too: make pins."""
    pinned = requirements(ROOT / f"{name}.txt")
    for line in requirements(ROOT / f"{name}.in"):
        package, _, asked = line.partition("==")
        package = re.sub(r"\[.*\]", "", package).replace("_", "-").lower()
        assert ("==".join([package, asked]) if asked else line) in pinned


def test_the_lists_agree_on_each_package():
    """What is installed beside requirements.txt moves none of its versions."""
    (base, *others) = (
        dict(match.group(1, 2) for match in map(PINNED.fullmatch, lines) if match)
        for lines in (requirements(ROOT / f"{name}.txt") for name in LISTS[:3])
    )
    for other in others:
        shared = base.keys() & other
        assert {name: other[name] for name in shared} == {
            name: base[name] for name in shared
        }


def test_lazy_names_are_listed_before_they_are_used(tmp_path):
    code = "import softmax_gradients as sg; print(*dir(sg))"
    names = set(run_python(code, tmp_path).split())
    assert {"diagnose", "MISTAKES", "plots", "symbolic"} <= names
    assert set(sg.__all__) <= names


def test_a_module_that_lacks_its_library_says_so(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['sympy'] = None;"
        "import softmax_gradients as sg;"
        "print(hasattr(sg, 'plots'), hasattr(sg, 'symbolic'));"
        "sg.plots"
    )
    with pytest.raises(
        AssertionError, match=r"needs matplotlib: pip install .*\[all\]"
    ):
        run_python(code, tmp_path)
