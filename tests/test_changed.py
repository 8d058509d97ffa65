"""Which tests `make check` runs for a change."""

from pathlib import Path

import changed
import pytest

PACKAGE = Path("src", "softmax_gradients")


def names(paths):
    return {path.name for path in paths}


@pytest.mark.parametrize(
    ("path", "test"),
    [
        (PACKAGE / "linear.py", "test_linear.py"),
        (PACKAGE / "_kernels" / "sums.py", "test_kernels.py"),
        (PACKAGE / "doctor" / "_search.py", "test_doctor.py"),
        (Path("tools", "changed.py"), "test_changed.py"),
        (Path("book", "install.md"), "test_pages.py"),
        (Path("tests", "test_linear.py"), "test_linear.py"),
    ],
)
def test_a_change_is_tested_by_the_tests_of_its_name(path, test):
    chosen, chapters, _ = changed.concerned([path])
    assert test in names(chosen)
    assert not chapters


def test_a_mistake_is_tested_by_what_the_doctor_makes_of_it():
    chosen, chapters, _ = changed.concerned([PACKAGE / "mistakes" / "_loss.py"])
    assert {"test_mistakes.py", "test_catalogue.py", "test_doctor.py"} <= names(chosen)
    assert names(chapters) == {"gradient-doctor.ipynb"}
    assert changed.LISTING_MISTAKES.exists()


def test_a_module_without_a_test_of_its_name_is_tested_where_it_is_imported():
    chosen, _, _ = changed.concerned([Path("tests", "support", "formulas.py")])
    assert "test_public_paths.py" in names(chosen)
    assert "test_changed.py" not in names(chosen)


def test_a_chapter_is_run_again():
    path = Path("book", "temperature.ipynb")
    chosen, chapters, _ = changed.concerned([path])
    assert chapters == [path]
    assert names(chosen) == {"test_notebooks.py"}


def test_the_chapter_that_needs_jax_is_left_to_make_peers():
    chosen, chapters, _ = changed.concerned([changed.WITH_JAX])
    assert changed.WITH_JAX.exists()
    assert not chapters
    assert names(chosen) == {"test_notebooks.py"}


def test_the_surveys_run_only_where_they_are_changed():
    chosen, _, left = changed.concerned([PACKAGE / "doctor" / "_search.py"])
    assert names(left) == set(changed.SURVEYS)
    assert not names(chosen) & set(changed.SURVEYS)
    survey = Path("tests", changed.SURVEYS[0])
    chosen, _, left = changed.concerned([survey])
    assert survey in chosen
    assert not left
