"""The search: what readers typed finds the page that answers it, at its section."""

import csv
import re
from pathlib import Path

import pytest

# What readers look for, the page that answers it and, for some, the section.
QUERIES = list(
    csv.DictReader(
        Path(__file__).with_name("queries.tsv").read_text("utf-8").splitlines(),
        delimiter="\t",
    )
)
FIND = """async (query) => {
  const {find} = await import(new URL("_static/search.mjs", document.baseURI));
  const pages = await find(query);
  return pages.map((sections) => sections.map(({url}) => url.split("/book/").at(-1)));
}"""
EXCERPTS = """async (query) => {
  const {find} = await import(new URL("_static/search.mjs", document.baseURI));
  const pages = await find(query);
  return pages.flat().map(({excerpt}) => excerpt);
}"""
# Of 58, and the first three pages count.
ENOUGH, FIRST = 55, 3


def pages_found(page, query):
    """Give the sections that a query finds, page by page."""
    return page.evaluate(FIND, query)


def test_what_readers_type_finds_the_page_among_the_first_three(watched):
    page = watched().open("search.html")
    missed = []
    for row in QUERIES:
        first = pages_found(page, row["query"])[:FIRST]
        sections = [place for found in first for place in found]
        names = {place.split(".html")[0] for place in sections}
        if row["page"] not in names:
            missed.append(row["query"])
    assert len(QUERIES) == 58
    assert len(QUERIES) - len(missed) >= ENOUGH, missed


def test_typing_shows_hits_that_lead_to_their_section(watched):
    page = watched().open("search.html?q=kronecker")
    results = page.locator("#search-results")
    hit = results.get_by_role("link", name="Kronecker delta", exact=True).first
    hit.wait_for()
    page.get_by_role("searchbox").last.fill("softmax twice")
    hit = results.get_by_role("link", name="Softmax twice", exact=True)
    hit.wait_for()
    hit.click()
    page.wait_for_url("**/gradient-doctor.html#softmax-twice")
    top = "document.getElementById('softmax-twice').getBoundingClientRect().top"
    page.wait_for_function(f"Math.abs({top}) < 200")


def test_a_formula_is_shown_once_and_code_not_at_all(watched):
    page = watched().open("search.html?q=T^2 gradient")
    page.locator("#search-results li").first.wait_for()
    texts = page.locator("#search-results .context").all_inner_texts()
    assert texts
    assert not [text for text in texts if re.search(r"T2T|\\frac|displaystyle", text)]
    page.get_by_role("searchbox").last.fill("plt subplots figsize")
    page.wait_for_timeout(1000)
    texts = page.locator("#search-results .context").all_inner_texts()
    assert not [text for text in texts if "plt." in text or "figsize" in text]


def test_examples_of_docstrings_are_not_found(watched):
    page = watched().open("search.html")
    for query in ("subplots", "label smoothing", "import softmax_gradients"):
        excerpts = page.evaluate(EXCERPTS, query)
        assert excerpts
        assert not [text for text in excerpts if "&gt;&gt;&gt;" in text]


def test_what_is_found_fits_on_a_phone(watched):
    page = watched(viewport={"width": 390, "height": 844}).open("search.html?q=404")
    page.locator("#search-results li").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nothing_found_is_said(watched):
    page = watched().open("search.html?q=%E4%BA%8C")
    page.get_by_text("No section has these words").wait_for()


@pytest.mark.parametrize(
    "path", ["book/softmax-twice.html", "deeper/still/temperature"]
)
def test_a_wrong_address_is_searched_for(watched, path):
    opened = watched()
    page = opened.open(path)
    words = path.split("/")[-1].removesuffix(".html").replace("-", " ")
    assert page.get_by_role("searchbox").last.input_value() == words
    page.locator("#search-results li a").first.click()
    page.wait_for_url("**/book/*.html*")
    opened.errors[:] = [error for error in opened.errors if "404" not in error]
