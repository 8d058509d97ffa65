"""Test what has changed: the rest of `make check`, after lint.

Usage: python tools/changed.py [COMMIT]

Changed is what differs from COMMIT, and what git does not know yet. Where no commit is
named, it is the one at which this branch left `origin/main`, or else the last one.

- A changed test runs, and a changed chapter is run again and compared.
- Of a changed module those tests run that carry its name, or that of its folder:
  `softmax_gradients/doctor/_report.py` has `test_report*.py` and `test_doctor*.py`.
  Where none does, those run that import it.
- Of a changed page the tests of the pages run.
- Of a changed mistake the doctor's tests run too, and the chapter that lists them all.

Two surveys of the doctor, a third of the time of its tests, run only where they are
changed themselves, and the output says so.

What all is built on (conftest.py, the package's `_inputs` and `_kernels`, the pinned
versions) may break any of them: `make test` runs all.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = Path("src", "softmax_gradients")
CODE = ("src", "sources", "tests", "tools", "benchmarks", "book/_ext")
SURVEYS = ("test_doctor_conventions.py", "test_doctor_mutants.py")
# make peers compares it.
WITH_JAX = Path("book", "several-devices.ipynb")
# A new mistake may be confused with another one, and stands in tables of this chapter.
MISTAKES = PACKAGE / "mistakes"
OF_MISTAKES = {Path("tests", f"test_{name}.py") for name in ("catalogue", "doctor")}
LISTING_MISTAKES = Path("book", "gradient-doctor.ipynb")
PAGE_TESTS = ("test_pages.py", "test_catalogue.py", "test_sources.py")


def git(*arguments):
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines() if done.returncode == 0 else []


def changed_files(commit=None):
    """Return the paths that differ from a commit, and those that are new."""
    if commit is None:
        (commit,) = git("merge-base", "HEAD", "origin/main") or ["HEAD"]
    names = git("diff", "--name-only", "--diff-filter=d", commit)
    names += git("ls-files", "--others", "--exclude-standard")
    return sorted({Path(name) for name in names})


def tests():
    """Return the tests that need no browser, and what each imports."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "site" not in path.relative_to(ROOT).parts:
            lines = re.findall(r"^(?:from|import) .*", path.read_text("utf-8"), re.M)
            found[path.relative_to(ROOT)] = set(re.findall(r"\w+", " ".join(lines)))
    return found


def tests_of(path, imports):
    """Return the tests that a changed module is tested by."""
    inside = path.is_relative_to(PACKAGE)
    parts = path.relative_to(PACKAGE).with_suffix("").parts if inside else (path.stem,)
    names = {part.strip("_") for part in parts} - {"init"}
    named = {
        test
        for test in imports
        if any(
            test.stem.startswith(f"test_{name}") or name in test.parent.parts
            for name in names
        )
    }
    module = path.parent.name if path.stem == "__init__" else path.stem
    return named or {test for test in imports if module in imports[test]}


def concerned(paths):
    """Return the tests and the chapters that the changed paths concern.

    The third list holds the surveys that concern them, and are left to `make test`.
    """
    imports = tests()
    chosen, chapters = set(), set()
    for path in paths:
        if path in imports:
            chosen.add(path)
        elif path.suffix == ".ipynb":
            if path != WITH_JAX:
                chapters.add(path)
            chosen.add(Path("tests", "test_notebooks.py"))
        elif path.suffix == ".md":
            chosen |= {test for test in imports if test.name in PAGE_TESTS}
        elif path.suffix == ".py" and path.as_posix().startswith(CODE):
            chosen |= tests_of(path, imports)
        if path.is_relative_to(MISTAKES):
            chosen |= OF_MISTAKES
            chapters.add(LISTING_MISTAKES)
    chosen &= set(imports)
    left = {test for test in chosen if test.name in SURVEYS} - set(paths)
    return sorted(chosen - left), sorted(chapters), sorted(left)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit", nargs="?")
    chosen, chapters, left = concerned(changed_files(parser.parse_args().commit))
    names = [path.as_posix() for path in (*chosen, *chapters)]
    print("\n".join(["Changed, and so tested:", *names]) if names else "No change.")
    if left:
        print("Left to make test:", *(path.as_posix() for path in left))
    pytest = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal"]
    status = 0
    if chosen:
        command = [*pytest, *map(str, chosen)]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if chapters:
        command = [*pytest[:-1], "loadscope", "--nbval", "--nbval-current-env"]
        command += map(str, chapters)
        status = subprocess.run(command, cwd=ROOT, check=False).returncode or status
    return status


if __name__ == "__main__":
    sys.exit(main())
