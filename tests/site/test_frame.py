"""The frame of the pages: what is copied, where the keyboard is, what moves."""

import pytest
from pages import CHAPTERS

READ = [
    *("intro", "clinic", "explorer", "api", "glossary", "mistakes", "sources"),
    *CHAPTERS,
]
SHIFT = """() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({type: "layout-shift", buffered: true});
}"""
# What is larger moves the text away under the eyes of a reader.
MOST_SHIFT = 0.1


@pytest.mark.parametrize("width", [1440, 820, 390])
@pytest.mark.parametrize("path", READ)
def test_nothing_moves_while_a_page_comes(watched, path, width):
    opened = watched(viewport={"width": width, "height": 900})
    opened.context.add_init_script(f"({SHIFT})()")
    page = opened.open(f"book/{path}.html")
    opened.settle()
    assert page.evaluate("window.shift") < MOST_SHIFT


# Once the page is read, and before the scripts that wait for that.
FIRST_THEME = """document.addEventListener("readystatechange", () => {
  window.firstTheme = document.documentElement.dataset.theme;
}, {once: true})"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_first_visit_begins_in_the_colours_of_the_system(watched, theme):
    opened = watched(color_scheme=theme)
    opened.context.add_init_script(FIRST_THEME)
    page = opened.open("book/api.html")
    assert page.evaluate("window.firstTheme") == theme


def test_a_chosen_theme_is_there_at_once(watched):
    opened = watched(color_scheme="dark")
    page = opened.open("book/api.html")
    page.evaluate("localStorage.setItem('mode', 'light')")
    opened.context.add_init_script(FIRST_THEME)
    page.reload()
    assert page.evaluate("window.firstTheme") == "light"


def test_a_copied_formula_is_its_source(watched):
    page = watched().open("book/softmax-jacobian.html")
    page.wait_for_load_state()
    copied = page.evaluate(
        """() => {
          const formula = document.querySelector(".formula .katex");
          getSelection().selectAllChildren(formula);
          const data = new DataTransfer();
          formula.dispatchEvent(new ClipboardEvent(
            "copy", {clipboardData: data, bubbles: true, cancelable: true}));
          const source = formula.querySelector("annotation").textContent;
          return [data.getData("text/plain"), source];
        }"""
    )
    text, source = copied
    assert source.strip() in text
    assert text.strip().startswith("$")


def test_the_keyboard_is_seen_on_each_button_of_the_frame(watched):
    page = watched(viewport={"width": 1440, "height": 900}).open(
        f"book/{CHAPTERS[0]}.html"
    )
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        place = page.evaluate(
            """() => {
              const element = document.activeElement;
              if (!element.closest(".bd-header-article")) return null;
              const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(element);
              const outline = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
              return [element.outerHTML.slice(0, 80), outline || boxShadow !== "none"];
            }"""
        )
        if place:
            seen.append(place)
    assert len(seen) >= 3
    assert not [name for name, outlined in seen if not outlined]


def test_the_search_icon_is_beside_what_is_typed(watched):
    page = watched().open(f"book/{CHAPTERS[0]}.html")
    page.keyboard.press("Control+k")
    field = page.locator("#pst-search-dialog input")
    field.fill("softmax")
    icon = page.locator("#pst-search-dialog .fa-magnifying-glass").bounding_box()
    box = field.bounding_box()
    padding = field.evaluate(
        "(field) => parseFloat(getComputedStyle(field).paddingLeft)"
    )
    assert icon["x"] + icon["width"] <= box["x"] + padding


def test_the_answers_are_whole_on_a_phone(watched):
    page = watched(viewport={"width": 390, "height": 844}).open("book/intro.html")
    for name in ("the-answer-on-one-page", "what-you-see-and-where-it-is-explained"):
        cells = page.locator(f"#{name} td")
        assert cells.count() > 30
        outside = cells.evaluate_all(
            "(cells) => cells.filter((cell) =>"
            " cell.getBoundingClientRect().right > innerWidth).length"
        )
        assert outside == 0
        hidden = cells.evaluate_all(
            "(cells) => cells.filter((cell) =>"
            " cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.innerText)"
        )
        assert not hidden
