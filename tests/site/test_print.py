"""A printed chapter is the chapter alone, and the book can be had as one PDF."""

import io

import pytest
from pages import CHAPTERS, SITE
from pypdf import PdfReader

PDF = SITE / "softmax-gradients.pdf"
# What is left of an A4 page between the margins, in CSS pixels.
PAPER = {"width": 673, "height": 985}
GONE = (
    ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .copybtn, "
    ".prev-next-footer, .bd-footer-content, .headerlink, .bd-article button"
)
# Solutions of which a part is not printed; folded code of figures stays folded.
FOLDED = """() => [...document.querySelectorAll(".solution")]
  .filter((solution) => [...solution.querySelectorAll("p, pre, .formula")].some(
    (element) => !element.closest("details, [hidden]") && !element.checkVisibility(
      {visibilityProperty: true, opacityProperty: true})))
  .map((solution) => solution.id)"""
VISIBLE = """(selector) => [...document.querySelectorAll(selector)]
  .filter((element) => element.checkVisibility(
    {visibilityProperty: true, opacityProperty: true}))
  .map((element) => element.outerHTML.slice(0, 120))"""
TOO_WIDE = """() => [...document.querySelectorAll(
    ".bd-article pre, .bd-article .formula, .bd-article table, .bd-article img")]
  .filter((element) => element.checkVisibility()
    && (element.scrollWidth > element.clientWidth + 1
      || element.getBoundingClientRect().right > innerWidth + 1))
  .map((element) => element.outerHTML.slice(0, 160))"""


@pytest.fixture
def printed(watched):
    """Give a function that opens a page as it goes to the printer."""

    def make(path, theme="light"):
        page = watched(viewport=PAPER, color_scheme=theme).open(path)
        page.emulate_media(media="print", color_scheme=theme)
        return page

    return make


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_printed_chapter_is_the_chapter_alone_and_whole(printed, chapter):
    page = printed(f"book/{chapter}.html")
    assert not page.evaluate(VISIBLE, GONE)
    assert len(page.evaluate(VISIBLE, "h1")) == 1
    assert not page.evaluate(TOO_WIDE)
    assert page.locator(".solution").count() >= 3
    assert not page.evaluate(FOLDED)


def test_the_dark_theme_prints_black_on_white(printed):
    page = printed(f"book/{CHAPTERS[0]}.html", theme="dark")
    colours = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor,"
        "...[...document.querySelectorAll('.bd-article p, .bd-article pre')]"
        ".filter((e) => e.checkVisibility() && !e.closest('.admonition-title')).map("
        "(e) => getComputedStyle(e).color)]"
    )
    assert colours[0] in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    assert set(colours[1:]) == {"rgb(0, 0, 0)"}


@pytest.mark.parametrize("chapter", ["calibration", "temperature"])
def test_chromium_prints_a_chapter(printed, chapter):
    page = printed(f"book/{chapter}.html")
    sheets = page.evaluate("document.documentElement.scrollHeight") / PAPER["height"]
    figures = page.locator(".bd-article figure img").count()
    pdf = PdfReader(
        io.BytesIO(page.pdf(prefer_css_page_size=True, outline=True, tagged=True))
    )
    # What is not to be cut moves to the next sheet; the room it leaves is small.
    assert sheets <= len(pdf.pages) <= 1.3 * sheets + 1
    for number, sheet in enumerate(pdf.pages, 1):
        words = len(sheet.extract_text().split())
        assert words > 30 or sheet.images, f"sheet {number} is all but empty"
    assert sum(len(sheet.images) for sheet in pdf.pages) == figures
    assert pdf.outline
    assert "/StructTreeRoot" in pdf.trailer["/Root"]


def test_the_book_as_one_pdf_is_offered_where_it_was_made(watched):
    page = watched().open("book/intro.html")
    offer = page.locator(".book-pdf a")
    if not PDF.exists():
        assert offer.count() == 0
        return
    assert page.request.get(offer.evaluate("(link) => link.href")).ok
    pdf = PDF.read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert b"127.0.0.1" not in pdf
    assert b"file:///" not in pdf
    assert len(PdfReader(io.BytesIO(pdf)).pages) > 10 * len(CHAPTERS)
