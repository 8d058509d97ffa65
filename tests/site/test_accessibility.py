"""What axe-core finds on every page, in both themes, wide and narrow: nothing.

Every rule runs on every page on a wide screen in the light theme or on a narrow one in
the dark, and on all but the chapters, which are made alike, on both.
"""

import re
from collections import Counter

import pytest
from pages import CHAPTERS, PAGES, SITE, UNFOLD

REDIRECTS = {"index.html"}
READ = [page for page in PAGES if page not in REDIRECTS]
SCREENS = [(1280, "light"), (390, "dark")]
# The chapters, which are long and made alike, take turns with the screens.
LONG = [f"book/{chapter}.html" for chapter in CHAPTERS]
TURNS = [(path, *SCREENS[number % 2]) for number, path in enumerate(LONG)]
TURNS += [(path, *screen) for path in READ if path not in LONG for screen in SCREENS]
# What KaTeX draws for the eye is hidden from screen readers, so that axe passes over
# it; only its many elements take time. An empty box of the same size takes its place.
EMPTY = """() => {
  const drawn = [...document.querySelectorAll(".katex-html")];
  const sizes = drawn.map((box) => box.getBoundingClientRect());
  drawn.forEach((box, index) => {
    const {width, height} = sizes[index];
    box.replaceChildren();
    box.style.cssText = `display: inline-block; width: ${width}px; height: ${height}px`;
  });
  // Nor has axe a rule for what is inside a formula.
  document.querySelectorAll(".katex-mathml math").forEach(
    (formula) => formula.replaceChildren(formula.textContent));
}"""
VIOLATIONS = """async () => (await axe.run(document, {resultTypes: ["violations"]}))
  .violations.flatMap(({id, nodes}) => nodes.map(
    (node) => `${id}: ${node.html.slice(0, 160)} (${node.failureSummary})`))"""


def violations(page, axe):
    page.evaluate(UNFOLD)
    page.evaluate(EMPTY)
    page.evaluate(axe)
    return page.evaluate(VIOLATIONS)


def opened(watched, path, width, theme):
    options = {"reduced_motion": "reduce", "color_scheme": theme}
    page = watched(viewport={"width": width, "height": 900}, **options).open(path)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    return page


@pytest.mark.parametrize(("path", "width", "theme"), TURNS)
def test_axe_finds_nothing(watched, axe, path, width, theme):
    found = violations(opened(watched, path, width, theme), axe)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("width", "theme"), SCREENS)
def test_axe_finds_nothing_after_a_run(watched, axe, width, theme):
    page = opened(watched, f"book/{CHAPTERS[0]}.html", width, theme)
    bar = page.locator(".live-bar").first
    if not bar.count():
        pytest.skip("this site was built without live cells")
    page.evaluate(
        "document.addEventListener('live-cell', () => { window.finished = true; })"
    )
    bar.get_by_role("button", name=re.compile("Run")).first.click()
    page.wait_for_function("window.finished", timeout=180_000)
    found = violations(page, axe)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", READ)
def test_the_frame_of_a_page(path):
    text = (SITE / path).read_text("utf-8")
    assert '<html lang="en"' in text
    assert len(re.findall(r"<main\b", text)) == 1
    assert len(re.findall(r"<h1\b", text)) == 1
    names = Counter(re.findall(r'\sid="([^"]+)"', text))
    assert not [name for name, count in names.items() if count > 1]
    for picture in re.findall(r"<img\b[^>]*>", text):
        # The logo stands beside the title, and says no more: it is passed over.
        alternative = 'alt=""' if "logo__image" in picture else r'\balt="[^"]'
        assert re.search(alternative, picture), picture


def test_the_first_tab_leads_to_the_text(watched):
    page = watched().open(f"book/{CHAPTERS[0]}.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to main content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main-content")


def test_nothing_moves_for_those_who_asked_for_that(watched):
    page = watched(reduced_motion="reduce").open(f"book/{CHAPTERS[0]}.html")
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter((element) => {"
        "const style = getComputedStyle(element);"
        "return parseFloat(style.transitionDuration) > 0"
        " || parseFloat(style.animationDuration) > 0"
        " || style.scrollBehavior === 'smooth'; }).length"
    )
    assert moving == 0
