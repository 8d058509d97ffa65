"""What every chapter's notebook must be, and a proof that the comparison bites.

nbval runs the cells again and compares their outputs. It passes over a cell that
was never run, and says nothing about form: that is checked here.
"""

import ast
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
# Compared where JAX is: make peers.
WITH_JAX = ROOT / "book" / "several-devices.ipynb"
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}

pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="there is no chapter yet")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return json.loads(path.read_text("utf-8"))


def source(cell):
    return "".join(cell["source"])


def cells(notebook, kind):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def prose(notebook):
    return "\n\n".join(source(cell) for cell in cells(notebook, "markdown"))


def tags(cell):
    return cell["metadata"].get("tags", [])


def draws(cell):
    return any("image/png" in output.get("data", {}) for output in cell["outputs"])


def test_the_file_is_stored_as_the_tool_writes_it(path, notebook):
    stored = path.read_bytes()
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert stored == text.encode()
    assert notebook["metadata"] == METADATA
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)


def test_cells_carry_what_the_book_reads_and_no_more(notebook):
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"tags", "mystnb"}
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(names) == len(set(names))


def test_every_code_cell_was_run_in_order(notebook):
    code = cells(notebook, "code")
    counts = [cell["execution_count"] for cell in code]
    assert counts == list(range(1, len(code) + 1))
    assert all(source(cell).strip() for cell in code)


def test_no_cell_failed_or_wrote_to_stderr(notebook):
    for cell in cells(notebook, "code"):
        for output in cell["outputs"]:
            assert output["output_type"] != "error", source(cell)
            assert output.get("name") != "stderr", source(cell)


def test_outputs_hold_no_address_and_no_path(notebook):
    for cell in cells(notebook, "code"):
        for output in cell["outputs"]:
            shown = output.get("text") or output.get("data", {}).get("text/plain", "")
            text = "".join(shown)
            assert not re.search(r"\bat 0x[0-9a-f]+", text), text
            assert str(ROOT) not in text, text


def test_code_cells_are_short(notebook):
    for cell in cells(notebook, "code"):
        lines = source(cell).splitlines()
        most = 25 if "hide-input" in tags(cell) else 10
        assert len(lines) <= most, source(cell)
        assert max(map(len, lines)) <= 72, max(lines, key=len)


def test_code_cells_are_formatted_and_need_no_magic(notebook):
    for cell in cells(notebook, "code"):
        ast.parse(source(cell))  # %magic and !command are no Python
        assert source(cell) == source(cell).strip()


def test_all_imports_stand_in_the_first_code_cell(notebook):
    first, *others = cells(notebook, "code")
    kinds = {type(node) for node in ast.parse(source(first)).body}
    assert kinds & {ast.Import, ast.ImportFrom}
    for cell in others:
        for node in ast.walk(ast.parse(source(cell))):
            assert not isinstance(node, ast.Import | ast.ImportFrom), source(cell)


def test_every_figure_has_a_caption_a_name_and_an_alternative(notebook):
    for cell in cells(notebook, "code"):
        if not draws(cell):
            continue
        shown = cell["metadata"]["mystnb"]
        assert shown["figure"]["caption"].strip().endswith(".")
        assert shown["figure"]["name"].startswith("fig-")
        assert len(shown["image"]["alt"].split()) >= 5
        assert "hide-input" in tags(cell)
        assert source(cell).endswith("plt.show()")
        assert f"`{shown['figure']['name']}`" in prose(notebook), "no text refers to it"


def test_a_chapter_checks_what_it_says(notebook):
    code = "\n".join(source(cell) for cell in cells(notebook, "code"))
    statements = [type(node) for node in ast.walk(ast.parse(code))]
    assert ast.Assert in statements
    assert any(cell["outputs"] for cell in cells(notebook, "code"))


def test_the_text_begins_with_its_one_title(notebook):
    assert source(notebook["cells"][0]).startswith("# ")
    titles = re.findall(r"^# .*$", prose(notebook), re.MULTILINE)
    assert len(titles) == 1
    depths = [
        len(mark) for mark in re.findall(r"^(#+) ", prose(notebook), re.MULTILINE)
    ]
    assert all(after <= before + 1 for before, after in pairwise(depths))


def test_displayed_equations_have_a_label_of_their_own(notebook):
    # Steps inside a theorem or a proof need none: nothing refers to them.
    environment = re.compile(r"^(:{3,})\{prf:\w+\}.*?^\1$", re.DOTALL | re.MULTILINE)
    text = environment.sub("", prose(notebook))
    assert text.count("$$") % 2 == 0
    tails = re.findall(r"\$\$.*?\$\$([^\n]*)", text, re.DOTALL)
    assert tails
    labels = []
    for tail in tails:
        found = re.fullmatch(r"\s*\((eq-[a-z0-9-]+)\)\s*", tail)
        assert found, f"a displayed equation without a label, before {tail!r}"
        labels.append(found[1])
    assert len(labels) == len(set(labels))
    # Outside $$ these get a second number, and \label is an error of KaTeX.
    assert not re.search(
        r"\\begin\{(align|equation|gather)\*?\}|\\label\b", prose(notebook)
    )


def test_exercises_have_solutions_that_were_run(notebook):
    exercises = re.findall(
        r"^:::+\{exercise\}[^\n]*\n(?::[^\n]*\n)*?:label: (\S+)",
        prose(notebook),
        re.MULTILINE,
    )
    assert len(exercises) >= 3
    solved, open_exercise, runs = [], None, 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            runs += 1
            continue
        for start, label in re.findall(
            r"^:::+\{solution-(start|end)\} *(\S*)", source(cell), re.MULTILINE
        ):
            if start == "start":
                assert open_exercise is None
                assert re.search(r"^:class: dropdown$", source(cell), re.MULTILINE)
                open_exercise, runs = label, 0
            else:
                assert runs, f"the solution of {open_exercise} runs no code"
                solved.append(open_exercise)
                open_exercise = None
    assert open_exercise is None
    assert solved == exercises


def nbval(path):
    """Compare a notebook with a new run of it, as `make test` does."""
    settings = ["-c", ROOT / "pyproject.toml", "--rootdir", path.parent]
    plugins = ["-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *settings, *plugins, path],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_chapter_that_needs_a_library_is_compared_where_that_is():
    importing = [
        path
        for path in NOTEBOOKS
        for cell in cells(json.loads(path.read_text("utf-8")), "code")
        if re.search(r"^import jax$", source(cell), re.MULTILINE)
    ]
    assert importing == [WITH_JAX]
    rules = (ROOT / "Makefile").read_text("utf-8")
    assert f"WITH_JAX := book/{WITH_JAX.name}\n" in rules
    assert rules.count("--nbval-current-env $(WITH_JAX)\n") == 1


def with_one_digit_changed(notebook):
    """Change the last digit of the first output in print that has one."""
    for cell in cells(notebook, "code"):
        for output in cell["outputs"]:
            if output["output_type"] != "stream":
                continue
            text = "".join(output["text"])
            found = re.search(r"\d(?=\D*\Z)", text)
            if found:
                digit = str((int(found[0]) + 1) % 10)
                output["text"] = text[: found.start()] + digit + text[found.end() :]
                return notebook
    raise AssertionError("no printed digit in this notebook")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_reads_no_file_and_so_runs_wherever_it_lands(path):
    code = "\n".join(
        "".join(cell["source"])
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "code"
    )
    assert not re.search(r"\bPath\(|\bopen\(|read_text|read_csv|np\.load", code)


def test_one_changed_digit_in_a_stored_output_fails(tmp_path):
    here = set(NOTEBOOKS) - {WITH_JAX}
    smallest = min(here, key=lambda path: path.stat().st_size)
    copy = tmp_path / smallest.name
    copy.write_bytes(smallest.read_bytes())
    unchanged = nbval(copy)
    assert unchanged.returncode == 0, unchanged.stdout
    altered = with_one_digit_changed(json.loads(copy.read_text("utf-8")))
    copy.write_text(json.dumps(altered), "utf-8")
    changed = nbval(copy)
    assert changed.returncode == 1
    assert re.search(r"\b1 failed\b", changed.stdout), changed.stdout
