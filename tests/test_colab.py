"""The copies of the chapters: they install the package, and show what the site does."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))


REPOSITORY, COMMIT = "https://github.com/example/book", "0123abc"


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Give each stored chapter and its copy."""
    folder = tmp_path_factory.mktemp("copies")
    tool = ROOT / "tools" / "colab.py"
    subprocess.run([sys.executable, tool, folder, REPOSITORY, COMMIT], check=True)
    written = sorted((folder / "book").iterdir())
    assert [path.name for path in written] == [path.name for path in CHAPTERS]
    return [
        tuple(json.loads(path.read_text("utf-8")) for path in pair)
        for pair in zip(CHAPTERS, written, strict=True)
    ]


def source(cell):
    return "".join(cell["source"])


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def lines(notebook):
    """Return the lines of text of a notebook."""
    return [
        line
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
        for line in source(cell).splitlines()
        if line.strip()
    ]


def test_copies_install_the_package_and_keep_the_code(copies):
    for stored, copied in copies:
        nbformat.validate(nbformat.from_dict(copied))
        install, *others = code(copied)
        first, *_, last = source(install).splitlines()
        assert first.startswith("# The package of this book")
        assert last == (
            '    %pip install --quiet "softmax-gradients[all] '
            '@ git+https://github.com/example/book@0123abc"'
        )
        for own, cell in zip(code(stored), others, strict=True):
            assert (own["source"], own["outputs"]) == (cell["source"], cell["outputs"])
            hidden = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
            assert hidden == ("hide-input" in own["metadata"].get("tags", []))


def test_copies_have_captions_and_call_figures_by_their_numbers(copies):
    seen = 0
    for stored, copied in copies:
        cells, number = copied["cells"], 0
        for cell, after in zip(cells, [*cells[1:], None], strict=True):
            figure = cell["metadata"].get("mystnb", {}).get("figure")
            if figure:
                number += 1
                # A caption may call another figure.
                begin = f"**Figure {number}.** {figure['caption'].split('{')[0]}"
                assert source(after).startswith(begin.strip())
                calls = sum(f"`{figure['name']}`" in line for line in lines(stored))
                named = sum(f"Figure {number}" in line for line in lines(copied))
                assert named >= calls + 1
        assert "{numref}" not in "\n".join(lines(copied))
        seen += number
    assert seen > 30


def test_copies_fold_solutions_and_keep_the_text(copies):
    folded = 0
    for stored, copied in copies:
        wanted = [line for line in lines(stored) if "{numref}" not in line]
        left = iter(lines(copied))
        for line in wanted:
            marks = (":::{solution", "::::{solution", ":class: dropdown")
            if not line.startswith(marks) and line.strip(":"):
                assert line in left, line
        solutions = [
            cell for cell in copied["cells"] if source(cell) == "##### Solution"
        ]
        assert all(
            cell["metadata"] == {"jp-MarkdownHeadingCollapsed": True}
            for cell in solutions
        )
        starts = [line for line in lines(stored) if "{solution-start}" in line]
        assert len(solutions) == len(starts)
        folded += len(solutions)
    assert folded > 60


def test_binder_gets_few_packages_of_the_pinned_versions():
    lines = (ROOT / "binder" / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    pinned = (ROOT / "requirements.txt").read_text("utf-8")
    assert wanted[-1] == "."
    assert len(wanted) < 10
    for line in wanted[:-1]:
        assert f"\n{line}" in pinned
