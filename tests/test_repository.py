"""What README, CONTRIBUTING and RELEASING say: it is there, and it runs."""

import doctest
import importlib.util
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import readme_figure
import yaml

import softmax_gradients as sg
from softmax_gradients.mistakes._steps import KINDS

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "RELEASING.md", "JUPYTER-BOOK-2.md")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PACKAGE = ROOT / "src" / "softmax_gradients"
# Where a name without its folder may be: the tables say in their heads which they mean.
FOLDERS = ("", "src/softmax_gradients", "src/softmax_gradients/mistakes", "tests")
FOLDERS += (
    "tools",
    "book",
    "book/_ext",
    "book/_ext/live",
    ".github/workflows",
    "sources",
)
SUFFIXES = r"\.(?:py|md|ipynb|toml|txt|in|yml|yaml|cff|css|json|mjs|js|svg|png)"
# Made by the build, or a part of Pyodide, or a file that Zenodo would prefer.
ELSEWHERE = {".venv", ".cache", "_build/html", "dist", "pyodide-lock.json"}
# What a build makes, so not there in a fresh clone.
ELSEWHERE |= {"book/_generated"}
ELSEWHERE |= {".zenodo.json", "owner/repository#number"}
# Programs that the pages run beside make, and where their names come from.
PROGRAMS = {"python", "jupyter-book", "jupyter", "npm", "git", "bash", "make"}
PROGRAMS |= {"pre-commit", "softmax-gradients"}


def git_files():
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def blocks(page, language):
    """Return the fenced blocks of one language in a page."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def spans(page):
    """Return what a page sets as code within its text."""
    text = (ROOT / page).read_text("utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", text)


def commands(page):
    """Return the commands that a page shows, in blocks and in its text."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    lines += [span for span in spans(page) if span.split()[0] in PROGRAMS]
    words = (shlex.split(line, comments=True) for line in lines)
    return [each for each in words if len(each) > 1]


def is_there(path):
    return any(list((ROOT / folder).glob(path)) for folder in FOLDERS)


def targets():
    """Return the targets of the Makefile that are commands."""
    return set(re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.M)[1].split()) - {
        "\\"
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_is_there(page):
    named = {
        span.rstrip("/")
        for span in spans(page)
        if re.fullmatch(rf"[\w./*#-]+(?:/|{SUFFIXES})|[\w.-]+/[\w./-]+", span)
    }
    assert [path for path in named - ELSEWHERE if not is_there(path)] == []


def anchors(name):
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / name).read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_of_the_repository(page):
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)#?([^)]*)\)", text)
    assert {name for name, _ in links} <= set(git_files())
    assert [each for each in links if each[1] and each[1] not in anchors(each[0])] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_can_be_run(page):
    for program, *arguments in commands(page):
        assert Path(program).name in PROGRAMS, program
        if program == "make":
            assert arguments[0] in targets(), arguments
        files = [word for word in arguments if re.search(SUFFIXES + "$", word)]
        assert [name for name in files if not is_there(name)] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_have_modules(page):
    """Of `python -m NAME`, each name is found in the environment of make."""
    for program, *arguments in commands(page):
        if Path(program).name == "python" and arguments[0] == "-m":
            assert importlib.util.find_spec(arguments[1]), arguments[1]


def test_every_file_of_the_root_is_on_the_map():
    first = {name.split("/")[0] for name in git_files()}
    unexplained = {"README.md", "CONTRIBUTING.md", ".gitignore", ".gitattributes"}
    unexplained |= {"LICENSE", "LICENSE-text", "src"}
    unexplained |= {f"requirements-{name}.txt" for name in ("peers", "site", "release")}
    table = CONTRIBUTING.partition("\n\n| path |")[2].partition("\n\n")[0]
    mapped = {span.split("/")[0] for span in re.findall(r"`([^`]+)`", table)}
    assert first - unexplained - mapped - {".ci", ".github"} == set()


def test_every_module_of_the_package_is_on_the_map():
    table = CONTRIBUTING.partition("\n\n| `src/softmax")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[1:]]
    mapped = set(re.findall(r"`([\w.]+)/?`", " ".join(rows)))
    modules = {
        name.split("/")[2]
        for name in git_files()
        if name.startswith("src/softmax_gradients/")
    }
    own = {"__init__.py", "__main__.py", "py.typed", "book.mplstyle"}
    assert modules - own == mapped


def test_every_chapter_is_on_the_map():
    table = CONTRIBUTING.partition("\n\n| `src/softmax")[2].partition("\n\n")[0]
    mapped = {word for line in table.splitlines() for word in spans_of(line, 3)}
    chapters = {path.stem for path in (ROOT / "book").glob("*.ipynb")}
    assert chapters <= mapped
    assert all(list((ROOT / "book").glob(f"{word}.*")) for word in mapped)


def spans_of(row, column):
    cells = row.split("|")
    return re.findall(r"`([\w-]+)`", cells[column]) if len(cells) > column else []


def test_the_drawings_of_the_figures_that_move_take_these_arguments():
    calls = re.findall(r"\| `(draw_\w+)\((.*?)\)` \|", CONTRIBUTING)
    assert len(calls) == 5
    for name, arguments in calls:
        function = getattr(sg.plots, name)
        names = [argument.split("=")[0].strip() for argument in arguments.split(",")]
        code = function.__code__
        taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        assert set(names) <= set(taken), name


def test_make_help_lists_every_target():
    """It prints the lines of the Makefile's own comment."""
    assert "sed -n 's/^# \\(make .*\\)/\\1/p' Makefile" in MAKEFILE
    assert set(re.findall(r"^# make (\S+)  +\w", MAKEFILE, re.MULTILINE)) == targets()


def test_the_lines_of_the_readme_have_their_output():
    (example,) = blocks("README.md", "pycon")
    test = doctest.DocTestParser().get_doctest(example, {}, "README", None, 0)
    assert len(test.examples) == 3
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_picture_of_the_readme_is_current():
    """If not: python tools/readme_figure.py."""
    assert readme_figure.TARGET.read_text("utf-8") == readme_figure.drawn()


def test_the_picture_of_the_readme_is_told_in_words():
    text = (ROOT / "README.md").read_text("utf-8")
    (words,) = re.findall(r"!\[([^\]]+)\]\(book/_static/readme\.svg\)", text)
    for part in ("diagonal-jacobian", "-t * (1 - softmax(z)) / len(z)"):
        assert part in words
        assert part in "\n".join(line for line, _ in readme_figure.lines())


def test_the_form_for_a_gradient_offers_every_kind():
    path = ROOT / ".github" / "ISSUE_TEMPLATE" / "my-gradient-is-wrong.yml"
    form = yaml.safe_load(path.read_text("utf-8"))
    (kind,) = (field for field in form["body"] if field.get("id") == "kind")
    assert kind["attributes"]["options"] == [*KINDS, "I do not know"]


def test_every_workflow_pins_its_actions_and_grants_little():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text("utf-8")
        actions = re.findall(r"uses: (\S+)(.*)", text)
        outside = [each for each in actions if not each[0].startswith("./")]
        for action, comment in outside:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), (path.name, action)
            assert re.fullmatch(r" # v[\d.]+", comment), (path.name, action)
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


def test_the_preview_says_that_its_port_is_taken():
    """Before the first build, which takes long."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, ROOT / "tools" / "preview.py", str(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"Port {port}: ")
    assert f"make preview PORT={port + 1}" in done.stderr
