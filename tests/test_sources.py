"""Every statement of the source documents is evaluated.

"Right" holds at random points, and for symbols; "wrong" fails at the point that the
page shows; every correction holds. No line of a document is passed over.
"""

import itertools
from pathlib import Path

import pytest
from _ext import statements

from sources import DOCUMENTS, OTHERS, Verdict, differ, same
from sources.statement import EXAMPLE, proved, random_point, symbolic_point

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
FAILS_AS_PRINTED = {Verdict.WRONG, Verdict.TYPOGRAPHICAL}
NEEDS_MORE = {Verdict.UNSTATED, Verdict.STRONGER, Verdict.LAYOUT}
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)

POINTS = [random_point(seed) for seed in range(4)]
CASES = {
    f"{document.name}-{statement.slug}": (statement, document)
    for document in DOCUMENTS
    for statement in document.statements
} | {f"other-{other.statement.slug}": (other.statement, None) for other in OTHERS}


def cases(condition):
    """Run a test with the statements that fulfil the condition, and their points."""
    return pytest.mark.parametrize(
        ("statement", "points"),
        [
            pytest.param(
                statement, POINTS if document is None else [*document.points()], id=name
            )
            for name, (statement, document) in CASES.items()
            if condition(statement)
        ],
    )


@cases(lambda statement: statement.verdict not in FAILS_AS_PRINTED)
def test_claim_holds_under_its_assumption(statement, points):
    assert all(same(statement.claim(statement.given(at))) for at in points)


# A misprint that says nothing, and has no claim, cannot be evaluated.
@cases(lambda statement: statement.verdict is not Verdict.RIGHT and statement.claim)
def test_claim_fails_at_the_point_shown(statement, points):
    assert differ((statement.otherwise or statement.claim)(statement.shown))


@cases(lambda statement: statement.verdict is Verdict.WRONG)
def test_wrong_claim_is_not_right_elsewhere(statement, points):
    assert not any(same(statement.claim(at)) for at in points)


@cases(lambda statement: statement.verdict is not Verdict.RIGHT)
def test_correction_holds(statement, points):
    assert all(same(statement.corrected(at)) for at in points)


@cases(lambda statement: statement.verdict is Verdict.STRONGER)
def test_weaker_assumption_is_enough(statement, points):
    assert all(same(statement.claim(statement.weaker(at))) for at in points)


@cases(lambda statement: True)
def test_data_are_complete(statement, points):
    is_right = statement.verdict is Verdict.RIGHT
    assert statement.quote
    assert statement.links
    assert statement.claim or statement.verdict is Verdict.TYPOGRAPHICAL
    assert is_right or statement.slip
    assert bool(statement.correction) is not is_right
    assert bool(statement.corrected) is not is_right
    assert bool(statement.assumption) is (statement.verdict in NEEDS_MORE)
    assert bool(statement.weaker) is (statement.verdict is Verdict.STRONGER)


@pytest.mark.parametrize(
    ("statement", "at"),
    [
        pytest.param(statement, at, id=f"{name}-{at.classes}")
        for name, (statement, document) in CASES.items()
        if statement.algebra
        for at in document.symbolic_points()
    ],
)
def test_algebra_is_proved_with_symbols(statement, at):
    if statement.verdict in FAILS_AS_PRINTED:
        assert proved(statement.corrected(at), at)
    else:
        assert proved(statement.claim(statement.given(at)), at)


@cases(lambda statement: statement.difference)
def test_any_number_of_classes(statement, points):
    # Of the wrong statements the correction is proved, or the claim refuted.
    refuted = statement.slug == "chain"
    assert (statement.difference() != 0) is refuted


def test_proofs_can_fail():
    at = symbolic_point(3, 1)
    assert proved([at.q - at.one_hot, at.hard_gradient], at)
    assert not proved([at.q, at.hard_gradient], at)
    assert not proved([at.q * at.q.sum() - 2 * at.t, at.gradient], at)


def test_comparison_is_not_blind():
    assert same([EXAMPLE.q, EXAMPLE.q * (1 + 1e-12)])
    assert not same([EXAMPLE.q, EXAMPLE.q * (1 + 1e-6)])
    assert not same([EXAMPLE.q, EXAMPLE.q[:3]])
    assert differ([EXAMPLE.q, EXAMPLE.q * 1.02])
    assert not differ([EXAMPLE.q, EXAMPLE.q * (1 + 1e-6)])
    assert not differ([1e-17, 0.0])


@pytest.mark.parametrize("at", POINTS)
def test_points_hide_nothing(at):
    for values in (at.z, at.v, at.t):
        assert len(set(values)) == at.classes
    assert abs(at.t.sum() - 1) > 0.1
    assert abs(at.temperature - 1) > 0.1
    assert abs(at.z.mean() - at.v.mean()) > 0.1
    assert at.classes != len(at.inputs)


@every_document
def test_no_line_is_passed_over(document):
    stated = set(
        itertools.chain.from_iterable(each.lines for each in document.statements)
    )
    trivial = list(itertools.chain.from_iterable(document.trivial.values()))
    assert len(trivial) == len(set(trivial))
    assert not stated & set(trivial)
    assert stated | set(trivial) == set(range(1, document.total_lines + 1))


@every_document
def test_anchors_are_unique(document):
    slugs = [statement.slug for statement in document.statements]
    assert len(slugs) == len(set(slugs))


def test_equations_linked_to_are_in_the_book():
    text = "\n".join(page.read_text("utf-8") for page in BOOK.glob("*.ipynb"))
    links = {link for statement, _ in CASES.values() for link in statement.links}
    missing = [
        link
        for link in sorted(links)
        if f"({link})" not in text and f":label: {link}" not in text
    ]
    assert missing == []


def test_page_shows_every_statement():
    pages = dict(statements.pages())
    text = "\n".join(pages.values())
    for name, (statement, _) in CASES.items():
        assert text.count(f"(source-{name})=") == 1
        assert f"\n: {statement.quote}\n" in text
    failing = [s for s, _ in CASES.values() if s.claim and s.verdict != Verdict.RIGHT]
    assert text.count("*Evaluated*") == len(failing)
    chapter = (BOOK / "sources.md").read_text("utf-8")
    for page in pages:
        assert f"{{include}} _generated/{page}\n" in chapter
