"""What tools/release.py demands of a release, and what it writes into its files."""

import tomllib
from pathlib import Path

import pytest
import release

import softmax_gradients as sg

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    "GITHUB_REPOSITORY": "example/book",
    "BOOK_BASE_URL": "https://example.org/book/",
}


@pytest.fixture
def checkout(tmp_path):
    """Return a folder that is ready for the tag v1.2.0, and how to write to it."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    write("src/softmax_gradients/__init__.py", '"""It."""\n\n__version__ = "1.2.0"\n')
    write(
        "CHANGELOG.md",
        "# Changelog\n\n## 1.2.0 (2027-01-31)\n\n- New.\n\n## 1.1.0 (2027-01-30)\n",
    )
    write("CITATION.cff", 'a: b\nversion: 1.2.0\ndate-released: "2027-01-31"\n')
    return tmp_path, write


def test_the_version_is_that_of_the_package():
    assert release.version() == sg.__version__


def test_a_checkout_that_is_ready_has_no_problem(checkout):
    root, _ = checkout
    assert release.problems("v1.2.0", root) == []
    assert release.changes(root) == "- New."


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        (
            "src/softmax_gradients/__init__.py",
            '__version__ = "1.1.0"\n',
            "the tag is v1.2.0, and __version__ is 1.1.0",
        ),
        (
            "CHANGELOG.md",
            "# Changelog\n\n## 1.2.0 (unreleased)\n\n- New.\n",
            "CHANGELOG.md has no section 1.2.0 with a date",
        ),
        (
            "CITATION.cff",
            'a: b\nversion: 1.2.0\ndate-released: "2027-01-30"\n',
            'CITATION.cff lacks the line date-released: "2027-01-31"',
        ),
        (
            "CITATION.cff",
            'a: b\nversion: 1.1.0\ndate-released: "2027-01-31"\n',
            "CITATION.cff names another version than 1.2.0",
        ),
    ],
)
def test_each_place_that_names_another_release_is_a_problem(
    name, text, problem, checkout
):
    root, write = checkout
    write(name, text)
    assert problem in release.problems("v1.2.0", root)


def test_the_addresses_are_those_that_the_environment_knows():
    assert release.addresses({}) == {}
    found = release.addresses(ENVIRONMENT)
    assert found["Documentation"] == "https://example.org/book/"
    assert found["Issues"] == "https://github.com/example/book/issues"
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    stated = tomllib.loads(release.state_addresses(pyproject, found))
    assert stated["project"]["urls"] == found
    del stated["project"]["urls"]
    assert stated == tomllib.loads(pyproject)


def test_the_readme_has_whole_addresses_where_its_files_are_missing():
    text = "![A.](book/a.svg) [B](LICENSE) [C](https://c.org) [D](#d)"
    assert release.absolute(text, "https://github.com/example/book", "0abc") == (
        "![A.](https://github.com/example/book/raw/0abc/book/a.svg) "
        "[B](https://github.com/example/book/blob/0abc/LICENSE) "
        "[C](https://c.org) [D](#d)"
    )
