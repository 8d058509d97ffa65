"""The doctor on code as people hand it over, and on the same after adapting it.

What each truth allows: a right function is "right", or "convention"; a known mistake is
named; an unknown one has no name, or that of an entry made from it since; the factor is
named; an error cannot be checked; what the doctor cannot see is never called right.
"""

import pytest

from softmax_gradients.doctor import diagnose
from tests.support.doctor_cases import CASES, NOW, Case
from tests.support.doctor_more_cases import MORE


def allowed(case, report):
    truth = case.truth
    slugs = {mistake.slug for mistake in report.mistakes}
    if truth in ("right", "right-by-convention"):
        return report.verdict in ("right", "convention")
    if truth == "unknown":
        named = NOW.get(case.id) in slugs and report.verdict == "mistake"
        return named or (report.verdict == "unknown" and case.id not in NOW)
    if truth == "error":
        return report.verdict == "unusable"
    if truth == "unseen":
        return report.verdict != "right"
    if isinstance(truth, str):
        return f"factor {report.factor}" == truth
    return report.verdict == "mistake" and truth <= slugs


def handed_over(case, without=()):
    options = case.options if case.native_options is None else case.native_options
    kept = {name: value for name, value in options.items() if name not in without}
    return diagnose(case.native, kept.pop("kind", case.kind), **kept)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_as_handed_over(case):
    report = handed_over(case)
    assert allowed(case, report), str(report)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.adapted is not None], ids=lambda case: case.id
)
def test_adapted(case):
    report = diagnose(case.adapted, case.kind, **case.options)
    assert allowed(case, report), str(report)


@pytest.mark.parametrize("given", MORE, ids=lambda given: given[0])
def test_more_of_the_same_kinds(given):
    name, truth, kind, function, options = given
    case = Case(name, "", "", truth, kind, function, None, 0, options)
    report = handed_over(case)
    assert allowed(case, report), str(report)


@pytest.mark.peers
def test_torch_functions_as_handed_over():
    """Without to_array: the doctor finds out that they take tensors."""
    from tests.support.doctor_cases_torch import ALL

    for case in ALL:
        report = handed_over(case, without=("to_array",))
        assert allowed(case, report), (case.id, str(report))
        if case.adapted is not None and case.truth != "unseen":
            report = diagnose(case.adapted, case.kind, **case.options)
            assert allowed(case, report), (case.id, str(report))
