"""Measure what stands between the book and Jupyter Book 2: `make jupyter-book-2`.

Usage: python tools/jupyter_book_2.py JUPYTER-BOOK [--html]

JUPYTER-BOOK is the program of a version 2. In a copy of the last commit it converts the
settings and reads all pages, and its errors and warnings are counted by kind, as are
the parts that came over. With --html it builds the site too, for which it fetches its
theme. Build the book before: its generated pages are copied.
"""

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATED = Path("book", "_generated")
COLOUR = re.compile(r"\x1b\[[0-9;?]*\w")
MESSAGE = re.compile(r"^(⛔|⚠)\ufe0f?\s+(?:\S+\.(?:md|ipynb)(?::\d+)*\s+)?(.*)$")
SEVERITY = {"⛔": "error", "⚠": "warning"}
# What a message says of one place only; the rest is its kind.
PARTICULAR = ((r"\"[^\"]*\"", '"…"'), (r"(target was not found): .*", r"\1"))
# What the pages consist of in Jupyter Book 2, and how each part is recognised there.
PARTS = {
    "code cells": ("block", "notebook-code"),
    "theorems": ("proof", "theorem"),
    "proofs": ("proof", "proof"),
    "exercises": ("exercise", None),
    "figures with a caption": ("container", "figure"),
}


def kinds(log):
    """Return how often each kind of message stands in a log, by severity and words."""
    found = Counter()
    for line in COLOUR.sub("", log).splitlines():
        if match := MESSAGE.match(line):
            words = match[2]
            for pattern, shown in PARTICULAR:
                words = re.sub(pattern, shown, words)
            found[SEVERITY[match[1]], words] += 1
    return found


def nodes(tree):
    """Yield each node of a page."""
    if isinstance(tree, dict):
        if "type" in tree:
            yield tree["type"], tree.get("kind")
        for value in tree.values():
            yield from nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from nodes(value)


def parts(content):
    """Return how many of each of PARTS the pages in a folder have."""
    found = Counter()
    for path in sorted(content.glob("*.json")):
        found.update(nodes(json.loads(path.read_text("utf-8"))["mdast"]))
    return {
        name: sum(
            number
            for (one, its), number in found.items()
            if one == node and kind in (None, its)
        )
        for name, (node, kind) in PARTS.items()
    }


def copy_of_the_book(target):
    """Write the last commit, and the generated pages, to a folder."""
    if not (ROOT / GENERATED).is_dir():
        sys.exit("There are no generated pages: make book")
    command = ["git", "archive", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(target, filter="data")
    shutil.copytree(ROOT / GENERATED, target / GENERATED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--html", action="store_true")
    given = parser.parse_args()
    program = str(given.program.absolute())
    # It runs on Node.js, which is installed beside this Python.
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"env": {**os.environ, "PATH": programs}, "text": True}
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch)
        copy_of_the_book(tree)
        settings |= {"cwd": tree, "capture_output": True}
        answers = "y\n" * 10  # to whether it may convert the settings
        init = [program, "init", "--write-toc"]
        converted = subprocess.run(init, input=answers, check=False, **settings)
        if not (tree / "myst.yml").is_file():
            sys.exit(converted.stdout + converted.stderr)
        build = [program, "build", "--html" if given.html else "--site", "--ci"]
        built = subprocess.run(build, check=False, **settings)
        print("| messages | severity | kind |\n| ---: | --- | --- |")
        for (severity, words), number in kinds(
            built.stdout + built.stderr
        ).most_common():
            print(f"| {number} | {severity} | {words} |")
        print("\n| parts | kind |\n| ---: | --- |")
        for name, number in parts(tree / "_build/site/content").items():
            print(f"| {number} | {name} |")
        made = "html/index.html" if given.html else "site/content/index.json"
        if not (tree / "_build" / made).is_file():
            sys.exit(f"Nothing was built:\n{built.stdout}{built.stderr}")


if __name__ == "__main__":
    main()
