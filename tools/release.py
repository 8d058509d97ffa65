"""Make the files of a release, and check all that can be checked before it is public.

Usage: python tools/release.py [TAG]

Builds the archive and the wheel of the last commit in dist/, checks them as the Python
Package Index does, checks CITATION.cff, the workflows and the issue forms by their
schemas, and tries the wheel (tools/try_wheel.py). With a tag, the version, the
changelog and CITATION.cff must be those of that release.

The addresses of the project are those of the environment: GITHUB_REPOSITORY, as GitHub
sets it, and BOOK_BASE_URL, the book's. Without them the package names no address.
"""

import argparse
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
SCHEMAS = {
    "citation-file-format": ["CITATION.cff"],
    "dependabot": [".github/dependabot.yml"],
    "github-issue-config": [".github/ISSUE_TEMPLATE/config.yml"],
    "github-issue-forms": [".github/ISSUE_TEMPLATE/*-*.yml"],
    "github-workflows": [".github/workflows/*.yml"],
}
IMAGE_OR_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")


def version(root=ROOT):
    """Return the version of the package, from the one place that states it."""
    text = (root / "src/softmax_gradients/__init__.py").read_text("utf-8")
    return re.search(r'^__version__ = "(.*)"$', text, re.MULTILINE)[1]


def released(root=ROOT):
    """Return the date that the changelog gives this version, or None."""
    text = (root / "CHANGELOG.md").read_text("utf-8")
    heading = rf"^## {re.escape(version(root))} \((\d{{4}}-\d\d-\d\d)\)$"
    found = re.search(heading, text, re.MULTILINE)
    return found and found[1]


def changes(root=ROOT):
    """Return what the changelog says of this version."""
    text = (root / "CHANGELOG.md").read_text("utf-8")
    section = rf"^## {re.escape(version(root))} [^\n]*\n(.*?)(?=^## |\Z)"
    return re.search(section, text, re.MULTILINE | re.DOTALL)[1].strip()


def problems(tag, root=ROOT):
    """Return what keeps the checkout from being the release of this tag."""
    found = []
    if tag != f"v{version(root)}":
        found.append(f"the tag is {tag}, and __version__ is {version(root)}")
    citation = (root / "CITATION.cff").read_text("utf-8")
    if f"\nversion: {version(root)}\n" not in citation:
        found.append(f"CITATION.cff names another version than {version(root)}")
    date = released(root)
    if date is None:
        found.append(f"CHANGELOG.md has no section {version(root)} with a date")
    elif f'\ndate-released: "{date}"\n' not in citation:
        found.append(f'CITATION.cff lacks the line date-released: "{date}"')
    return found


def addresses(environment):
    """Return the project's addresses that an environment knows, by their labels."""
    found = {}
    if environment.get("BOOK_BASE_URL"):
        found["Documentation"] = environment["BOOK_BASE_URL"]
    if environment.get("GITHUB_REPOSITORY"):
        server = environment.get("GITHUB_SERVER_URL", "https://github.com")
        found["Source"] = f"{server}/{environment['GITHUB_REPOSITORY']}"
        found["Issues"] = found["Source"] + "/issues"
        found["Changelog"] = found["Source"] + "/blob/main/CHANGELOG.md"
    return found


def state_addresses(pyproject, found):
    """Return pyproject.toml with the project's addresses in it."""
    lines = [f'{label} = "{address}"' for label, address in found.items()]
    return "\n".join([pyproject.rstrip(), "", "[project.urls]", *lines, ""])


def absolute(readme, source, commit):
    """Return the README with whole addresses: the index shows it without its files."""

    def replaced(match):
        kind = "raw" if match[1] else "blob"
        return f"{match[1]}[{match[2]}]({source}/{kind}/{commit}/{match[3]})"

    return IMAGE_OR_LINK.sub(replaced, readme)


def git(*arguments):
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout


def run(*command, **settings):
    print("$", *(part.removeprefix(f"{ROOT}{os.sep}") for part in command), flush=True)
    subprocess.run(command, cwd=ROOT, check=True, **settings)


def build():
    """Build the archive and the wheel of the last commit in dist/."""
    commit = git("rev-parse", "HEAD").decode().strip()
    time = git("show", "--no-patch", "--format=%ct", "HEAD").decode().strip()
    DIST.mkdir(exist_ok=True)
    for old in DIST.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch)
        with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD"))) as archive:
            archive.extractall(tree, filter="data")
        found = addresses(os.environ)
        if found:
            pyproject, readme = tree / "pyproject.toml", tree / "README.md"
            text = state_addresses(pyproject.read_text("utf-8"), found)
            pyproject.write_text(text, "utf-8")
        if "Source" in found:
            text = absolute(readme.read_text("utf-8"), found["Source"], commit)
            readme.write_text(text, "utf-8")
        program = [sys.executable, "-m", "build", "--outdir", str(DIST), str(tree)]
        told = {**os.environ, "SOURCE_DATE_EPOCH": time}
        run(*program, env=told, stdout=subprocess.DEVNULL)


def check():
    """Check what was built, and the files that GitHub and Zenodo read."""
    files = sorted(map(str, DIST.iterdir()))
    run(sys.executable, "-m", "twine", "check", "--strict", *files)
    for schema, patterns in SCHEMAS.items():
        paths = [str(path) for name in patterns for path in sorted(ROOT.glob(name))]
        program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
        run(*program, f"vendor.{schema}", *paths)
    run(sys.executable, str(ROOT / "tools" / "try_wheel.py"), str(DIST))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tag", nargs="?")
    parser.add_argument(
        "--changes", action="store_true", help="print the changes of this version only"
    )
    given = parser.parse_args()
    if given.changes:
        print(changes())
        return
    if given.tag and (found := problems(given.tag)):
        sys.exit("\n".join(["This is not that release:", *found]))
    build()
    check()
    print("All checks passed. In dist/:", *sorted(path.name for path in DIST.iterdir()))


if __name__ == "__main__":
    main()
