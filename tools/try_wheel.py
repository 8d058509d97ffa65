"""Try a wheel of the package as its users install it.

Usage: python tools/try_wheel.py FOLDER

The wheel in FOLDER is installed in new environments: with NumPy alone, where the
package must name the mistake in a gradient, and with everything that it can use, where
its fixture for pytest must be found and all examples of its docstrings must hold. They
must hold with the oldest versions that it accepts, too.
Needs nothing but Python, so that it runs on every system.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

WRONG = """import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def wrong(z, t):
    return -t * (1 - softmax(z)) / len(z)


def right(z, t):
    return (softmax(z) * t.sum(axis=1, keepdims=True) - t) / len(z)
"""
TESTED = """from mine import right


def test_my_gradient(gradient_doctor):
    gradient_doctor(right, kind="gradient")
"""
# The oldest versions that pyproject.toml accepts; NumPy 2.0 is not for Python 3.13.
OLDEST = ("numpy==2.0.*", "sympy==1.13.*", "matplotlib==3.8.*")
HAS_OLDEST = sys.version_info < (3, 13)
# Nothing but NumPy and what Python brings may come with the package.
ALONE = """import sys
import numpy
before = {name.split(".")[0] for name in sys.modules}
import softmax_gradients as sg
after = {name.split(".")[0] for name in sys.modules}
assert after - before - set(sys.stdlib_module_names) == {"softmax_gradients"}
print(sg.__version__, "in", sg.__file__)
"""
EXAMPLES = """import doctest, importlib, pkgutil
import softmax_gradients as sg
named = [sg.__name__]
for module in pkgutil.walk_packages(sg.__path__, "softmax_gradients."):
    if not module.name.endswith("__main__"):
        named.append(module.name)
tried = 0
for name in named:
    result = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.failed == 0, name
    tried += result.attempted
assert tried > 100
import numpy
print(len(named), "modules,", tried, "lines of examples, NumPy", numpy.__version__)
"""


def environment(folder, *requirements):
    """Make an environment with these requirements, and return its programs' folder."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    command = [programs / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*command, "--disable-pip-version-check", *requirements], check=True)
    return programs


def run(*command, status=0, shows="", folder):
    """Run a program in a folder, and demand its exit status and what it shows."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != status or shows not in done.stdout:
        sys.exit(f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}")
    print(next(line for line in done.stdout.splitlines() if shows in line))


def main():
    (wheel,) = Path(sys.argv[1]).resolve().glob("*.whl")
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch, "work")
        work.mkdir()
        (work / "mine.py").write_text(WRONG, "utf-8")
        (work / "test_mine.py").write_text(TESTED, "utf-8")
        programs = environment(Path(scratch, "alone"), str(wheel))
        run(programs / "python", "-c", ALONE, folder=work)
        diagnose = [programs / "softmax-gradients", "diagnose", "--kind", "gradient"]
        run(*diagnose, "mine.py:right", shows="right", folder=work)
        run(
            *diagnose, "mine.py:wrong", status=3, shows="diagonal-jacobian", folder=work
        )
        programs = environment(Path(scratch, "all"), f"{wheel}[all]", "pytest")
        run(programs / "python", "-c", EXAMPLES, folder=work)
        if HAS_OLDEST:
            oldest = environment(Path(scratch, "oldest"), f"{wheel}[all]", *OLDEST)
            run(oldest / "python", "-c", EXAMPLES, folder=work)
        pytest = [programs / "python", "-m", "pytest", "-q", "test_mine.py"]
        run(*pytest, shows="1 passed", folder=work)


if __name__ == "__main__":
    main()
