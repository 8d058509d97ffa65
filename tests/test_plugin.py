"""The doctor as a fixture of pytest."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import numpy as np
import pytest

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def test_right(gradient_doctor):
    report = gradient_doctor(softmax, "softmax")
    assert report.verdict == "right"

def test_wrong(gradient_doctor):
    gradient_doctor(lambda z, t: -t * (1 - softmax(z)) / len(z), "gradient")

def test_options(gradient_doctor):
    def gradient(z, t):
        return softmax(z) * t.sum(axis=1, keepdims=True) - t

    gradient_doctor(gradient, kind="gradient", reduction="sum", isolated=False)

def test_leaving(gradient_doctor):
    gradient_doctor(lambda z: exit(), "softmax")
"""


@pytest.fixture
def outcome(pytester):
    pytester.makepyfile(TESTS)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider")


PLUGIN = "softmax_gradients_pytest"


def test_the_fixture_fails_what_is_not_right(outcome):
    outcome.assert_outcomes(passed=2, failed=2)
    outcome.stdout.fnmatch_lines(["*test_wrong*", "E*diagonal-jacobian:*"])
    outcome.stdout.fnmatch_lines(["*test_leaving*", "E*softmax: it could not be*"])


def test_a_failure_shows_the_test_and_the_report_only(outcome):
    text = outcome.stdout.str()
    assert ">       gradient_doctor(lambda z, t:" in text
    assert "pytest.fail" not in text
    assert "__tracebackhide__" not in text
    assert "_isolation" not in text


def test_the_fixture_is_described(pytester):
    outcome = pytester.runpytest_inprocess("--fixtures")
    outcome.stdout.fnmatch_lines(["*gradient_doctor*", "*Fail a test unless*"])


def test_loading_the_plug_in_loads_nothing_else():
    code = (
        f"import sys, {PLUGIN}; "
        "sys.exit(bool({'numpy', 'softmax_gradients'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0


def test_pytest_finds_it_by_itself(pytester):
    pytester.makepyfile(
        """
        import softmax_gradients as sg

        def test_right(gradient_doctor):
            gradient_doctor(lambda z: sg.softmax(z), "softmax")
        """
    )
    # These take seconds to import.
    without = ["-p", "no:nbval", "-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
    pytester.runpytest_subprocess(*without).assert_outcomes(passed=1)
