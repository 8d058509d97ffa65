"""Run, Edit, Reset and Stop, and every live cell compared with its stored output."""

import re

import pytest
from pages import CHAPTERS, code_cells

# Python with Matplotlib and SymPy takes its time to start on a small machine.
LONG = 180_000
COLLECT = """
window.finished = [];
document.addEventListener("live-cell", ({detail}) => window.finished.push(detail));
"""
# Of the kinds of a stored output the site shows the first of these.
SHOWN = ["text/html", "image/png", "text/markdown", "text/latex", "text/plain"]
KINDS = {
    "text/html": "html",
    "image/png": "png",
    "text/markdown": "markdown",
    "text/latex": "latex",
    "text/plain": "text",
}


def stored_outputs(cell):
    """Give the stored outputs as the page's Python gives them; pictures by kind."""
    given = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            given.append((output["name"], "".join(output["text"])))
            continue
        kind = next(kind for kind in SHOWN if kind in output["data"])
        text = None if kind == "image/png" else "".join(output["data"][kind])
        given.append((KINDS[kind], text))
    return given


def live_outputs(result):
    return [
        (output["kind"], None if output["kind"] == "png" else output["data"])
        for output in result["outputs"]
    ]


def is_live(cell):
    return "no-live" not in cell["metadata"].get("tags", [])


class Chapter:
    """A chapter in the browser, and its cells by number, from 1."""

    def __init__(self, watched, name):
        watched.context.add_init_script(COLLECT)
        self.watched = watched
        self.page = watched.open(f"book/{name}.html")

    def cell(self, number):
        return self.page.locator("div.cell").nth(number - 1)

    def button(self, number, name):
        bar = self.page.get_by_role(
            "group", name=f"Code cell {number}", exact=True, include_hidden=True
        )
        return bar.get_by_role("button", name=name, exact=True, include_hidden=True)

    def press(self, number, name):
        # From the keyboard's side: the cells of a folded solution have buttons too.
        self.button(number, name).evaluate("button => button.click()")

    def finished(self, count):
        """Wait for as many finished cells, or for the first that failed."""
        self.page.wait_for_function(
            """count => window.finished.length >= count
                || window.finished.some(({state}) => state !== "done")""",
            arg=count,
            timeout=LONG,
        )
        return self.page.evaluate("window.finished.splice(0)")

    def run(self, number, cells=1):
        self.press(number, "Run")
        return self.finished(cells)

    def type_code(self, number, code):
        self.press(number, "Edit")
        editor = self.cell(number).locator(".cm-content")
        editor.wait_for()
        editor.focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)

    def output(self, number):
        return self.cell(number).locator(".cell_output")

    def said(self):
        return self.page.locator(".live-announcer").inner_text()


@pytest.fixture
def chapter(watched):
    return lambda name=CHAPTERS[0], **options: Chapter(watched(**options), name)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_live_cell_gives_its_stored_output(chapter, name, record_property):
    cells = code_cells(name)
    opened = chapter(name)
    assert opened.page.locator("div.cell").count() == len(cells)
    live = {number: cell for number, cell in enumerate(cells, 1) if is_live(cell)}
    results = opened.run(max(live), len(live))
    assert [result["number"] for result in results] == list(live)
    for result in results:
        assert result["state"] == "done", result["outputs"][-1]["data"]
        stored = stored_outputs(live[result["number"]])
        assert live_outputs(result) == stored, f"cell {result['number']}"
    record_property("cells", f"{name}: {len(live)} cells gave their stored output")
    # The page shows the pictures, each with the words of the stored one.
    for picture in opened.page.locator(".cell_output img").all():
        assert picture.get_attribute("src").startswith("data:image/png")
        assert len(picture.get_attribute("alt").split()) >= 5


def test_nothing_of_python_is_loaded_before_the_first_run(chapter):
    opened = chapter()
    opened.watched.settle()
    loaded = [url for url in opened.watched.requests if "/live/" in url]
    names = {url.split("?")[0].rsplit("/", 1)[1] for url in loaded}
    assert names == {"live-cells.js", "live-cells.css"}


def test_edit_reset_and_stop(chapter):
    opened = chapter()
    before = opened.output(2).inner_html()
    opened.type_code(
        1, "import numpy as np\nprint(np.arange(3))\nnp.diag([7.0, 9]).trace()"
    )
    # NumPy's first result, from nothing.
    (result,) = opened.run(1)
    assert live_outputs(result) == [
        ("stdout", "[0 1 2]\n"),
        ("text", "np.float64(16.0)"),
    ]
    assert "np.float64(16.0)" in opened.output(1).inner_text()
    assert re.match(r"Code cell 1: Done in \d+\.\d s\. \[0 1 2\]", opened.said())

    # Stored output stays until there is a new one; Stop ends an endless loop.
    opened.type_code(2, "while True:\n    pass")
    opened.press(2, "Run")
    opened.button(2, "Stop").wait_for(state="visible")
    opened.page.wait_for_function(
        "document.querySelectorAll('.live-status')[1].textContent === 'Running'"
    )
    assert opened.output(2).inner_html() == before
    opened.button(2, "Stop").click()
    assert [result["state"] for result in opened.finished(1)] == ["stopped"]
    assert "variables are gone" in opened.said()
    assert opened.button(2, "Stop").is_hidden()

    opened.press(2, "Reset")
    assert opened.output(2).inner_html() == before
    assert opened.cell(2).locator(".cm-content").count() == 0
    assert opened.cell(2).locator(".cell_input pre").is_visible()
    opened.press(1, "Reset")
    assert opened.output(1).inner_text() == ""

    # After Stop the cells above run again, from a new Python.
    assert [result["state"] for result in opened.run(2, 2)] == ["done", "done"]


def test_the_keyboard_runs_cells_and_leaves_the_editor(chapter):
    opened = chapter()
    opened.page.keyboard.press("Tab")
    opened.button(1, "Edit").focus()
    opened.page.keyboard.press("Enter")
    opened.cell(1).locator(".cm-content").wait_for()
    opened.page.keyboard.press("Control+a")
    opened.page.keyboard.insert_text("2**10")
    opened.page.keyboard.press("Shift+Enter")
    (result,) = opened.finished(1)
    assert live_outputs(result) == [("text", "1024")]
    assert opened.cell(1).locator(".cm-content").inner_text().strip() == "2**10"
    opened.page.keyboard.press("Escape")
    focus = "document.activeElement.textContent"
    assert opened.page.evaluate(focus) == "Edit"
    opened.page.keyboard.press("Shift+Enter")
    assert [result["state"] for result in opened.finished(1)] == ["done"]
    # Tab leaves the editor: nobody is caught in it.
    opened.press(1, "Edit")
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate(focus) == "Run"


def test_errors_are_shown_and_stop_the_cells_below(chapter):
    opened = chapter()
    opened.type_code(1, "def invert(number):\n    return 1 / number\ninvert(0)")
    opened.press(2, "Run")
    (result,) = opened.finished(2)
    assert (result["number"], result["state"]) == (1, "error")
    text = opened.output(1).inner_text()
    assert "return 1 / number" in text
    assert "ZeroDivisionError: division by zero" in text
    assert 'File "/lib' not in text
    assert opened.said() == "Not run: code cell 1, above, has an error."
    opened.type_code(1, "print(1)\nif:")
    assert "SyntaxError" in opened.run(1)[0]["outputs"][-1]["data"]
    opened.type_code(1, "import antigravity_of_no_package")
    assert "ModuleNotFoundError" in opened.run(1)[0]["outputs"][-1]["data"]
    opened.type_code(1, "print('x' * 300_000)")
    (output,) = opened.run(1)[0]["outputs"]
    assert len(output["data"]) < 101_000
    assert "[more than 100000 characters]" in output["data"]


RICH = r"""
class Shown:
    def _repr_markdown_(self):
        return (
            "**wrong** $\\frac{1}{2}$ `q - t`, [a page](notation.md#slug) "
            "<img src=x onerror=alert(1)> [bad](javascript:alert(1))"
        )
class Formula:
    def _repr_latex_(self):
        return r"$\displaystyle \frac{a}{b}$"
class Table:
    def _repr_html_(self):
        return "<table><tr><td>cell</td></tr></table>"
display(Shown(), Formula(), Table())
"""


def test_markdown_formulas_and_tables_are_rendered(chapter):
    opened = chapter()
    opened.type_code(1, RICH)
    (result,) = opened.run(1)
    assert [output["kind"] for output in result["outputs"]] == [
        "markdown",
        "latex",
        "html",
    ]
    output = opened.output(1)
    output.locator(".text_markdown .katex").wait_for()
    output.locator(".text_latex .katex .mfrac").first.wait_for()
    assert output.locator(".text_markdown strong").inner_text() == "wrong"
    link = output.get_by_role("link", name="a page")
    assert link.get_attribute("href") == "notation.html#slug"
    assert output.locator("img, a[href^=javascript]").count() == 0
    assert output.locator(".text_html td").inner_text() == "cell"


DOCTOR = """
import softmax_gradients as sg
def claimed(logits, temperature):
    probs = sg.softmax(logits, temperature)
    return probs * (1 - probs) / temperature
sg.symbolic, sg.load_digits()
print(sg.__version__, "diagnose" in dir(sg))
"""


def test_parts_of_the_package_come_with_what_they_import(chapter):
    opened = chapter()
    opened.type_code(1, DOCTOR)
    (result,) = opened.run(1)
    assert result["state"] == "done", result["outputs"][-1]["data"]


def test_a_figure_keeps_its_place_and_its_words(chapter):
    name, number = next(
        (name, number)
        for name in CHAPTERS
        for number, cell in enumerate(code_cells(name), 1)
        if "hide-input" in cell["metadata"].get("tags", [])
    )
    opened = chapter(name)
    figure = opened.cell(number).locator("figure")
    anchor, words = figure.get_attribute("id"), figure.inner_text()
    alternative = figure.locator("img").get_attribute("alt")
    source = opened.cell(number).locator("details")
    assert source.get_attribute("open") is None
    opened.run(number, number)
    assert figure.get_attribute("id") == anchor
    assert figure.inner_text() == words
    assert figure.locator("img").get_attribute("alt") == alternative
    assert figure.locator("img").get_attribute("src").startswith("data:image/png")
    # Edit unfolds the hidden source.
    opened.press(number, "Edit")
    opened.cell(number).locator(".cm-content").wait_for(state="visible")


def test_without_script_the_page_is_whole(watched):
    opened = watched(java_script_enabled=False)
    page = opened.open(f"book/{CHAPTERS[0]}.html")
    assert page.locator(".live-bar").count() == 0
    assert page.locator(".cell_output pre").first.is_visible()
    assert page.locator(".cell_input pre").first.is_visible()


@pytest.mark.parametrize("missing", ["Worker", "WebAssembly"])
def test_without_workers_or_webassembly_nothing_is_added(watched, missing):
    opened = watched()
    opened.context.add_init_script(f"delete window.{missing}")
    page = opened.open(f"book/{CHAPTERS[0]}.html")
    assert page.locator(".live-bar").count() == 0


def test_slow_cells_are_named_and_explained(watched, address):
    opened = watched()

    def tag_second_cell(route):
        text = route.fetch().text()
        parts = text.split('<div class="cell ', 3)
        parts[2] = f"tag_no-live {parts[2]}"
        body = '<div class="cell '.join(parts)
        route.fulfill(body=body, content_type="text/html")

    path = f"book/{CHAPTERS[0]}.html"
    opened.context.route(address + path, tag_second_cell)
    page = opened.open(path)
    notes = page.locator(".live-note").all_inner_texts()
    reason = "it takes too long in a browser; its output is stored."
    assert notes == [
        f"Code cell 2 of this page does not run in the page: {reason}",
        f"Code cell 2 does not run in the page: {reason}",
    ]
    numbers = page.locator(".live-bar").evaluate_all(
        "bars => bars.map(bar => bar.getAttribute('aria-label'))"
    )
    assert numbers[:2] == ["Code cell 1", "Code cell 3"]


@pytest.mark.parametrize(
    ("file", "way"),
    [
        ("worker.mjs", "lost"),
        ("live_helper.py", "refused"),
        ("pyodide/pyodide.asm.mjs", "lost"),
        ("pyodide/pyodide.asm.wasm", "lost"),
        ("pyodide/pyodide.asm.wasm", "refused"),
        ("pyodide/python_stdlib.zip", "refused"),
        ("pyodide/numpy-*.whl", "lost"),
    ],
)
def test_after_a_file_that_did_not_come_the_next_run_succeeds(chapter, file, way):
    opened = chapter()
    opened.type_code(1, "import numpy as np\nint(np.arange(3).sum())")
    pattern = re.compile(f"/live/{file}".replace("*", "[^/]*") + r"(\?|$)")

    def keep_back(route):
        route.abort() if way == "lost" else route.fulfill(status=503, body="busy")

    opened.watched.context.route(pattern, keep_back)
    (result,) = opened.run(1)
    assert result["state"] == "error"
    assert opened.page.locator(".live-error").count() == 1
    assert opened.button(1, "Stop").is_hidden()
    opened.watched.errors.clear()  # the browser's own, of the requests

    opened.watched.context.unroute(pattern, keep_back)
    (result,) = opened.run(1)
    assert live_outputs(result) == [("text", "3")]


def test_after_a_breakdown_python_starts_anew_with_the_cells_above(chapter):
    opened = chapter()
    opened.type_code(1, "kept = 1")
    opened.type_code(2, "import os\nos.abort()")
    opened.press(2, "Run")
    first, second = opened.finished(2)
    assert (first["state"], second["state"]) == ("done", "error")
    text = opened.output(2).inner_text()
    assert "Python was lost, with all variables. Run starts it anew." in text
    assert opened.button(2, "Stop").is_hidden()
    opened.watched.errors.clear()  # Pyodide's own report

    opened.type_code(2, "kept + 1")
    opened.press(2, "Run")
    first, second = opened.finished(2)
    assert live_outputs(second) == [("text", "2")]


def test_the_buttons_are_large_enough_for_a_finger(watched):
    opened = watched(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = opened.open(f"book/{CHAPTERS[0]}.html")
    box = page.get_by_role("button", name="Run", exact=True).first.bounding_box()
    assert box["height"] >= 44
