"""Run, Edit, Reset and Stop, and every live cell compared with its stored output."""

import re

import pytest
from pages import CHAPTERS, UNFOLD, code_cells

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


LIVE = [name for name in CHAPTERS if any(map(is_live, code_cells(name)))]


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

    def status(self, number):
        bar = self.page.get_by_role("group", name=f"Code cell {number}", exact=True)
        return bar.locator(".live-status")

    def mark(self, number):
        return self.cell(number).locator("p.live-mark")

    def loaded(self, package):
        pattern = re.compile(f"/pyodide/{package}-")
        return [url for url in self.watched.requests if pattern.search(url)]

    def said(self):
        return self.page.locator(".live-announcer").inner_text()


@pytest.fixture
def chapter(watched):
    return lambda name=CHAPTERS[0], **options: Chapter(watched(**options), name)


@pytest.mark.parametrize("name", LIVE)
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


def test_a_page_of_stored_outputs_alone_has_no_buttons_and_says_why(watched):
    (name,) = set(CHAPTERS) - set(LIVE)
    opened = watched()
    page = opened.open(f"book/{name}.html")
    opened.settle()
    assert page.locator("div.cell .cell_output").count() > 10
    assert page.locator(".live-page, .live-bar, .live-note").count() == 0
    assert not [url for url in opened.requests if "/live/" in url]
    assert "JAX does not run in a browser" in page.locator("article").inner_text()


def test_nothing_of_python_is_loaded_before_the_first_run(chapter):
    opened = chapter()
    opened.watched.settle()
    loaded = [url for url in opened.watched.requests if "/live/" in url]
    names = {url.split("?")[0].rsplit("/", 1)[1] for url in loaded}
    assert names == {"live-cells.js", "live-cells.css"}


def test_edit_reset_and_stop(chapter):
    opened = chapter()
    first, before = opened.output(1).inner_html(), opened.output(2).inner_html()
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
        "document.querySelector('[aria-label=\"Code cell 2\"] .live-status')"
        ".textContent.startsWith('Running cell 2 of ')"
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
    assert opened.output(1).inner_html() == first

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
    # Which packages there are is said where one is missing.
    opened.type_code(1, "import torch")
    text = opened.run(1)[0]["outputs"][-1]["data"]
    said = re.search(r"In this page there are (.*) and Python's standard", text)[1]
    opened.type_code(1, f"import {said}")
    assert opened.run(1)[0]["state"] == "done"


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
    unfolded = page.locator(".cell:not(.tag_hide-input) .cell_input pre")
    assert unfolded.first.is_visible()


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
    numbers = page.locator(".cell .live-bar").evaluate_all(
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
    assert "A file that Python needs did not come" in opened.output(1).inner_text()
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


def test_after_an_edit_all_from_the_changed_cell_runs_again(chapter):
    opened = chapter()
    for number, code in enumerate(["x = 2", "x = x + 1", "y = 10 * x", "y"], 1):
        opened.type_code(number, code)
    opened.press(4, "Run")
    assert live_outputs(opened.finished(4)[-1]) == [("text", "30")]

    opened.type_code(1, "x = 7")
    assert "earlier code" in opened.mark(4).inner_text()
    assert opened.mark(4).is_visible()
    opened.press(4, "Run")
    results = opened.finished(4)
    assert [result["number"] for result in results] == [1, 2, 3, 4]
    assert live_outputs(results[-1]) == [("text", "80")]
    assert opened.mark(4).is_hidden()

    # The second time, a cell begins where it began the first time.
    opened.run(2)
    (result,) = opened.run(4)
    assert live_outputs(result) == [("text", "80")]
    # What a deleted line defined is gone.
    opened.type_code(3, "print('no y')")
    opened.press(4, "Run")
    *_, result = opened.finished(2)
    assert result["state"] == "error"
    assert "NameError" in result["outputs"][-1]["data"]


def test_stored_output_below_an_edit_is_marked(chapter):
    opened = chapter()
    first = next(
        number
        for number, cell in enumerate(code_cells(CHAPTERS[0]), 1)
        if number > 1 and cell["outputs"]
    )
    assert opened.mark(first).is_hidden()
    opened.type_code(1, "x = 1")
    assert "the book's code" in opened.mark(first).inner_text()
    opened.press(1, "Reset")
    assert opened.mark(first).is_hidden()


CHECKED = "summation-mistake"


def test_a_check_of_the_book_that_fails_after_an_edit_says_so(chapter):
    cells = code_cells(CHECKED)
    source = ["".join(cell["source"]) for cell in cells]
    number = next(n for n, text in enumerate(source, 1) if "\nassert " in text)
    opened = chapter(CHECKED)
    # The logits of that check are in a cell above.
    logits = "example = np.log([1, 2, 3])"
    edited = next(n for n, text in enumerate(source, 1) if logits in text)
    assert edited < number
    changed = source[edited - 1].replace("[1, 2, 3]", "[1, 2, 4]")
    opened.type_code(edited, changed)
    opened.press(number + 1, "Run")
    opened.page.wait_for_function(
        "count => window.finished.length === count", arg=number + 1, timeout=LONG
    )
    results = opened.page.evaluate("window.finished")
    assert all(result["state"] in ("done", "differs") for result in results)
    words = "This check holds for the numbers printed in the book; your numbers differ"
    assert results[number - 1]["state"] == "differs"
    assert words in opened.output(number).inner_text()
    assert opened.output(number).locator("code").inner_text().startswith("assert ")


def test_an_assert_of_the_reader_stays_an_error(chapter):
    opened = chapter()
    opened.type_code(1, "assert 1 == 2")
    (result,) = opened.run(1)
    assert result["state"] == "error"
    assert "AssertionError" in result["outputs"][-1]["data"]


def test_large_packages_come_when_a_cell_needs_them(chapter):
    opened = chapter()
    opened.type_code(1, IMPORTS)
    opened.run(1)
    assert not opened.loaded("sympy") + opened.loaded("matplotlib")
    opened.type_code(2, "def twice(name):\n    return 2 * sympy.Symbol(name)")
    opened.run(2)
    assert not opened.loaded("sympy")
    opened.type_code(3, "twice('a')")
    (result,) = opened.run(3)
    assert live_outputs(result) == [("latex", r"$\displaystyle 2 a$")]
    assert opened.loaded("sympy")
    assert not opened.loaded("matplotlib")
    # The style of the book is that of the figure.
    opened.type_code(4, "plt.rcParams['axes.spines.top'], plt.plot([1, 2])[0].axes")
    (result,) = opened.run(4)
    assert result["outputs"][-1]["kind"] == "text"
    assert opened.loaded("matplotlib")
    style = "plt.rcParams == plt.rcParamsDefault"
    opened.type_code(5, style)
    assert live_outputs(opened.run(5)[0]) == [("text", "False")]


IMPORTS = """
import matplotlib.pyplot as plt
import numpy as np
import sympy

import softmax_gradients as sg

sg.plots.use_book_style()
"""


def test_the_size_is_said_before_the_first_run_and_what_came_during_it(chapter):
    opened = chapter()
    note = opened.page.locator(".live-page .live-size").inner_text()
    said = re.search(r"The first Run loads Python with NumPy, (\d+) MB", note)[1]
    opened.page.evaluate(
        """() => {
          window.told = [];
          new MutationObserver(() => window.told.push(
            document.querySelectorAll(".live-status")[0].textContent)
          ).observe(document.body, {subtree: true, childList: true});
        }"""
    )
    opened.type_code(1, "import numpy, softmax_gradients")
    opened.run(1)
    told = opened.page.evaluate("window.told")
    amounts = [
        re.search(r"Loading (.+): ([\d.]+) of ([\d.]+) MB", text) for text in told
    ]
    shown = [found for found in amounts if found]
    assert {name for found in shown for name in found[1].split(", ")} >= {"Python"}
    assert all(float(found[2]) <= float(found[3]) for found in shown)
    assert "Running cell 1 of " in " ".join(told)
    # No more than was said, and not much less.
    came = sum(
        opened.page.evaluate(
            """() => fetch(document.querySelector("script[data-version]").src.replace(
              /live-cells.*/, "sizes.json")).then((answer) => answer.json())"""
        )[url.split("?")[0].rsplit("/", 1)[1]]["sent"]
        for url in set(opened.watched.requests)
        if "/pyodide/" in url
    )
    assert abs(came / 1e6 - float(said)) < 0.6


def test_cells_wait_for_the_one_that_runs(chapter):
    opened = chapter()
    opened.type_code(1, "import time\ntime.sleep(1)")
    opened.type_code(2, "'second'")
    opened.press(1, "Run")
    opened.press(2, "Run")
    assert "Waiting" in opened.status(2).inner_text()
    assert live_outputs(opened.finished(2)[-1]) == [("text", "'second'")]
    # Stop ends what waits, too.
    opened.type_code(1, "while True:\n    pass")
    opened.press(1, "Run")
    opened.press(2, "Run")
    opened.button(1, "Stop").click()
    assert [result["state"] for result in opened.finished(1)] == ["stopped"]
    assert opened.status(2).inner_text() == ""


def test_run_all_restart_and_restore(chapter):
    opened = chapter()
    opened.page.evaluate(UNFOLD)
    count = opened.page.locator("div.cell.live").count()
    for number in range(1, count + 1):
        opened.type_code(number, f"x = {number}")
    bar = opened.page.get_by_role("group", name="All code cells")
    bar.get_by_role("button", name="Run all").click()
    assert len(opened.finished(count)) == count
    bar.get_by_role("button", name="Restart Python").click()
    assert "variables are gone" in opened.said()
    opened.type_code(2, "x")
    opened.press(2, "Run")
    assert live_outputs(opened.finished(2)[-1]) == [("text", "1")]
    bar.get_by_role("button", name="Restore all").click()
    assert opened.page.locator(".live-editor, .live-stale").count() == 0
    assert bar.get_by_role("button", name="Restore all").is_hidden()


def test_edits_are_kept_and_can_be_taken_back(chapter):
    opened = chapter()
    before = opened.cell(2).locator(".cell_input").inner_html()
    opened.type_code(2, "'mine' # <b>")
    opened.page.reload()
    code = opened.cell(2).locator(".cell_input pre")
    assert code.inner_text().strip() == "'mine' # <b>"
    assert "Your edit" in opened.status(2).inner_text()
    opened.watched.settle()
    assert not [url for url in opened.watched.requests if "worker.mjs" in url]
    opened.type_code(1, "1")
    opened.press(2, "Run")
    assert live_outputs(opened.finished(2)[-1]) == [("text", "'mine'")]
    opened.press(2, "Reset")
    opened.press(1, "Reset")
    assert opened.cell(2).locator(".cell_input").inner_html() == before
    opened.page.reload()
    assert opened.cell(2).locator(".cell_input").inner_html() == before


def test_a_click_on_code_edits_it_there(chapter):
    opened = chapter()
    opened.cell(2).locator(".cell_input pre").click(position={"x": 60, "y": 14})
    opened.cell(2).locator(".cm-content").wait_for()
    opened.page.wait_for_function(
        "document.activeElement?.classList.contains('cm-content')"
    )
    opened.page.keyboard.insert_text("#")
    text = opened.cell(2).locator(".cm-content").inner_text()
    assert "#" in text.splitlines()[0]
    assert text[0] != "#"


def test_a_million_lines_and_outputs_are_cut_short(chapter):
    opened = chapter()
    opened.type_code(1, "for i in range(1_000_000):\n    print(i)")
    (output,) = opened.run(1)[0]["outputs"]
    assert output["data"].endswith("\n999\n[more than 1000 lines]\n")
    assert opened.output(1).bounding_box()["height"] < 600
    # The keyboard can scroll it.
    assert opened.output(1).locator(".live-long").get_attribute("tabindex") == "0"
    opened.type_code(1, "for i in range(5000):\n    display(i)")
    assert len(opened.run(1)[0]["outputs"]) == 1000


def test_a_file_that_comes_at_the_second_attempt_is_no_error(chapter):
    opened = chapter()
    opened.type_code(1, "import numpy as np\nint(np.arange(3).sum())")
    refused = []

    def refuse_once(route):
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        return route.fulfill(status=503, body="busy")

    pattern = re.compile("/live/pyodide/(python_stdlib.zip|numpy)")
    opened.watched.context.route(pattern, refuse_once)
    (result,) = opened.run(1)
    assert refused
    assert live_outputs(result) == [("text", "3")]
    opened.watched.errors.clear()  # the browser's own, of the request


def test_the_buttons_are_large_enough_for_a_finger(watched):
    opened = watched(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = opened.open(f"book/{CHAPTERS[0]}.html")
    box = page.get_by_role("button", name="Run", exact=True).first.bounding_box()
    assert box["height"] >= 44
