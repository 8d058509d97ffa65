"""The files of the site: links, addresses and what each page says of itself."""

import json
import posixpath
import re
from functools import cache
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from pages import CHAPTERS, DEPLOYED, PAGES, SITE, Parsed

BOOK = [page for page in PAGES if page.startswith("book/")]
parsed = cache(Parsed)


def target(page, link):
    """Give the file and the anchor of a link within the site, or None."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    path = unquote(parts.path)
    prefix = urlsplit(DEPLOYED).path
    if path.startswith("/"):
        assert path.startswith(prefix), link
        path = path.removeprefix(prefix)
    elif path:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
    return path or page, unquote(parts.fragment)


def exists(path, anchor):
    if not (SITE / path).is_file():
        return (SITE / path / "index.html").is_file()
    return not anchor or path not in PAGES or anchor in parsed(path).names


def test_the_site_holds_the_book():
    assert {"index.html", "404.html", "search.html", "book/intro.html"} <= set(PAGES)
    assert CHAPTERS


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_site_lead_somewhere(page):
    found = {link: target(page, link) for link in parsed(page).links}
    assert not [link for link, place in found.items() if place and not exists(*place)]


@pytest.mark.parametrize("page", BOOK)
def test_no_words_with_a_dot_are_taken_for_an_address(page):
    links = re.findall(
        r'<a\b[^>]*\shref="http://([^"]*)"[^>]*>(.*?)</a>', parsed(page).text
    )
    assert not [words for address, words in links if words == address]


@pytest.mark.parametrize("page", [*BOOK, "404.html"])
def test_style_sheets_carry_their_version(page):
    sheets = re.findall(r'href="([^"]*\.css[^"]*)"', parsed(page).text)
    assert len(sheets) > 5
    assert all(re.search(r"\.css\?(v|digest)=[0-9a-f]+$", sheet) for sheet in sheets)


@pytest.mark.parametrize("page", BOOK)
def test_a_page_says_where_it_belongs_and_what_it_was_built_from(page):
    read = parsed(page)
    assert read.canonical == DEPLOYED + page
    assert f'<meta property="og:url" content="{DEPLOYED}{page}" />' in read.text
    line = re.search(r'<p class="built-from">(.*?)</p>', read.text)[1]
    assert re.search(
        r"Built from .*commit.*, with Python 3\.\d+\.\d+, NumPy [\d.]+, "
        r"SymPy [\d.]+, Matplotlib [\d.]+\.",
        line,
    )


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_offers_its_notebook_binder_and_colab(name):
    links = parsed(f"book/{name}.html").links
    source = "example/softmax-gradients"
    assert f"../_sources/book/{name}.ipynb" in links
    for start, end in (
        ("https://mybinder.org/v2/gh/", f"book/{name}.ipynb"),
        (f"https://colab.research.google.com/github/{source}/blob/colab/", ".ipynb"),
        (f"https://github.com/{source}/edit/", f"book/{name}.ipynb"),
        (f"https://github.com/{source}/issues/new", ""),
    ):
        assert any(link.startswith(start) and end in link for link in links), start


def test_the_sitemap_lists_the_pages_of_the_book():
    names = ElementTree.parse(SITE / "sitemap.xml").findall("{*}url/{*}loc")
    assert sorted(name.text for name in names) == [DEPLOYED + page for page in BOOK]


def test_a_downloaded_notebook_installs_the_package():
    for name in CHAPTERS:
        source = (SITE / "_sources" / "book" / f"{name}.ipynb").read_text("utf-8")
        cells = json.loads(source)["cells"]
        first = next(cell for cell in cells if cell["cell_type"] == "code")
        assert "%pip install" in "".join(first["source"])
        assert (
            "git+https://github.com/example/softmax-gradients@" in first["source"][-1]
        )


def test_the_overview_for_programs_lists_each_page_once():
    text = (SITE / "llms.txt").read_text("utf-8")
    found = re.findall(rf"^- \[.+\]\({DEPLOYED}(.+?)\): \S", text, re.MULTILINE)
    assert sorted(found) == BOOK
