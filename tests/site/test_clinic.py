"""The clinic: pasted code gets its answer, and hostile code gets nowhere."""

import json
import re

import pytest
from _ext.live.clinic import EXAMPLES
from pages import SITE
from test_every_page import LINE, TOO_WIDE, open_slowly

from softmax_gradients._clinic import KIND_WORDS, LONGEST_CODE, answer
from tests.support.doctor_cases import CASES
from tests.support.pasted import pasted

INTRO, PAGE = "book/intro.html", "book/clinic.html"
LONG = 180_000
PASTED = {case.id: pasted(case.native) for case in CASES if case.native is not None}
THREAD = next(iter(EXAMPLES.values())).rstrip()
RIGHT = "def gradient(z, t):\n    return (softmax(z) * t.sum(1)[:, None] - t) / len(z)"
COLLECT = """
window.answers = [];
document.addEventListener("clinic-answer", ({detail}) => window.answers.push(detail));
"""
HOSTILE = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>'
VIOLATIONS = """async () => (await axe.run(".clinic")).violations.flatMap(
  ({id, nodes}) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`))"""
# As the page writes code into an address, and anything else.
PACK = """async (text) => {
  const stream = new Blob([text]).stream().pipeThrough(
    new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}"""


class Opened:
    """A page with the clinic in the browser."""

    def __init__(self, watched, path=INTRO):
        self.watched = watched
        watched.context.add_init_script(COLLECT)
        self.page = watched.open(path)
        self.find(".clinic-sentence").wait_for()

    def find(self, selector):
        return self.page.locator(f".clinic {selector}")

    @property
    def sentence(self):
        return self.find(".clinic-sentence").inner_text()

    @property
    def status(self):
        return self.find(".live-status").inner_text()

    @property
    def code(self):
        editor = self.find(".cm-content")
        if editor.count():
            return "\n".join(self.find(".cm-line").all_text_contents())
        return self.find("textarea").input_value()

    def paste(self, code):
        """Put code into the editor, in place of what is there."""
        if not self.find(".cm-content").count():
            self.find("textarea").focus()
        self.find(".cm-content").focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)

    def press(self, name="Diagnose"):
        self.page.get_by_role("button", name=name, exact=True).click()

    def finished(self):
        self.page.wait_for_function("window.answers.length > 0", timeout=LONG)
        return self.page.evaluate("window.answers.shift()")

    def diagnosed(self, code):
        self.paste(code)
        self.press()
        return self.finished()

    def loaded(self, part):
        return [url for url in self.watched.requests if part in url]

    def hacked(self):
        return self.page.evaluate("window.hacked !== undefined")


@pytest.fixture
def clinic(watched):
    return lambda path=INTRO, **options: Opened(watched(**options), path)


def packed(page, asked):
    return page.evaluate(PACK, asked if isinstance(asked, str) else json.dumps(asked))


# The first screen


@pytest.mark.parametrize("path", [INTRO, PAGE])
def test_the_first_answer_is_there_and_python_is_not(clinic, path):
    opened = clinic(path)
    opened.watched.settle()
    assert opened.code == THREAD
    assert opened.sentence == answer(THREAD)["sentence"]
    shown = opened.find(".sg-number").all_text_contents()
    assert shown == ["0", "−0.825", "0", "0.786", "−0.825", "0.0391"]  # noqa: RUF001
    assert "(q * t.sum(axis=-1, keepdims=True) - t) / (T * N)" in (
        opened.find(".clinic-line").inner_text()
    )
    link = opened.find(".clinic-links a").first
    assert link.get_attribute("href") == "summation-mistake.html#the-step-that-fails"
    assert not opened.loaded("pyodide") + opened.loaded("worker.mjs")
    assert not opened.loaded("editor.mjs")
    assert re.search(r"loads \d+ MB", opened.find(".live-size").inner_text())


def test_on_the_first_screen_are_code_answer_bars_line_and_link(clinic):
    opened = clinic(viewport={"width": 1440, "height": 900})
    for part in ("textarea", ".clinic-run", ".clinic-bars", ".clinic-links"):
        box = opened.find(part).bounding_box()
        assert box["y"] + box["height"] <= 900, part


@pytest.mark.parametrize("name", ["intro", "clinic"])
def test_a_page_with_the_clinic_is_light(watched, name, record_property):
    opened, received = open_slowly(watched, name)
    opened.settle()
    painted = opened.page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    record_property(
        "load",
        f"{name}: {len(received)} requests, {sum(received) / 1e3:.0f} kB, "
        f"first paint {painted / 1e3:.2f} s",
    )
    assert 0 < sum(received) < 350_000


def test_without_script_an_example_and_its_answer_are_there(watched):
    page = watched(java_script_enabled=False).open(INTRO)
    shown = page.locator(".clinic").inner_text()
    assert answer(THREAD)["sentence"] in shown
    assert "right is [0.7856, -0.8247, 0.03911]" in shown
    link = page.locator(".clinic a").first
    assert link.get_attribute("href") == "summation-mistake.html#the-step-that-fails"
    assert page.locator(".clinic-bar").is_hidden()


@pytest.mark.parametrize("missing", ["Worker", "WebAssembly"])
def test_where_python_cannot_run_the_answer_is_there_alone(watched, missing):
    opened = watched()
    opened.context.add_init_script(f"delete window.{missing}")
    page = opened.open(INTRO)
    page.locator(".clinic-sentence").wait_for()
    assert page.locator(".clinic-bar").is_hidden()
    assert not page.locator(".clinic textarea").is_editable()


# Pasted code


@pytest.mark.parametrize(
    ("case", "slug"), [("W10", "missing-keepdims"), ("W20b", "epsilon-in-log")]
)
def test_a_case_gets_its_name_in_one_action_after_the_paste(clinic, case, slug):
    opened = clinic()
    opened.paste(PASTED[case])
    opened.press()
    found = opened.finished()
    assert slug in opened.sentence
    assert found == answer(PASTED[case])
    links = opened.find(".clinic-links a").all()
    for link in links:
        page, _, anchor = link.get_attribute("href").partition("#")
        assert f'id="{anchor}"' in (SITE / "book" / page).read_text("utf-8")
    assert any("mistakes.html#" in link.get_attribute("href") for link in links)
    assert opened.find("details pre").text_content() == found["report"]
    assert opened.find(".live-announcer").inner_text() == found["sentence"]


def test_how_long_an_answer_takes(browser, address, record_property):
    """Cold and warm, at 10 Mbit/s; with a route, the browser would keep nothing."""
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", LINE)
    taken = []
    for _ in range(2):
        page.goto(address + INTRO)
        page.locator(".clinic-sentence").wait_for()
        page.locator(".clinic-examples").select_option("NumPy")
        page.locator(".clinic-run").click()
        page.locator(".clinic-sentence", has_text="whole-batch-sum").wait_for(
            timeout=LONG
        )
        told = page.locator(".clinic .live-status").inner_text()
        taken.append(re.search(r"Done in ([\d.]+) s", told)[1])
    context.close()
    record_property("clinic", f"clinic: {taken[0]} s cold, {taken[1]} s warm")


def test_the_bytes_and_the_phase_are_told(clinic):
    opened = clinic()
    size = re.search(r"loads (\d+) MB", opened.find(".live-size").inner_text())[1]
    opened.page.evaluate(
        """() => {
          window.told = [];
          const status = document.querySelector(".clinic .live-status");
          new MutationObserver(() => window.told.push(status.textContent))
            .observe(status, {childList: true});
        }"""
    )
    opened.diagnosed(RIGHT)
    told = opened.page.evaluate("window.told")
    amounts = [re.search(r"Loading .+: ([\d.]+) of ([\d.]+) MB", text) for text in told]
    shown = [found for found in amounts if found]
    assert shown
    assert all(float(found[1]) <= float(found[2]) <= float(size) for found in shown)
    assert told[-2] == "Examining"
    assert re.fullmatch(r"Done in \d+\.\d s\.", told[-1])


def test_the_examples_are_answered(clinic):
    opened = clinic(PAGE)
    for name, code in EXAMPLES.items():
        opened.find(".clinic-examples").select_option(name)
        assert opened.code == code.rstrip()
        opened.press()
        assert opened.finished() == answer(code.rstrip())


def test_what_it_computes_can_be_said(clinic):
    opened = clinic()
    code = "def f(x):\n    return x**2"
    assert opened.diagnosed(code)["state"] == "kind"
    offered = opened.page.locator(".clinic-answer button").all_inner_texts()
    assert offered == [KIND_WORDS[kind] for kind in ("softmax", "jacobian", "hessian")]
    opened.press(KIND_WORDS["softmax"])
    assert opened.finished() == answer(code, kind="softmax")
    assert opened.find(".clinic-kind").input_value() == "softmax"
    opened.find(".clinic-kind").select_option("hessian")
    assert opened.finished()["kind"] == "hessian"
    # Other code is not examined before a press.
    opened.paste(RIGHT)
    opened.find(".clinic-kind").select_option("gradient")
    opened.page.wait_for_timeout(500)
    assert opened.page.evaluate("window.answers.length") == 0


def test_one_of_several_functions_is_chosen(clinic):
    opened = clinic()
    assert opened.find(".clinic-function").is_hidden()
    opened.diagnosed("def softmax_of(z):\n    return softmax(z)\n\n" + RIGHT)
    choice = opened.find(".clinic-function")
    assert choice.input_value() == "gradient"
    choice.select_option("softmax_of")
    assert opened.finished()["kind"] == "softmax"
    assert choice.input_value() == "softmax_of"


def test_an_answer_to_earlier_code_is_marked(clinic):
    opened = clinic()
    assert opened.find(".live-mark").is_hidden()
    opened.paste(RIGHT)
    assert "answer to earlier code" in opened.find(".live-mark").inner_text()
    opened.press()
    opened.finished()
    assert opened.find(".live-mark").is_hidden()
    assert opened.sentence.startswith("Right: it computes the gradient")
    assert opened.find(".clinic-bars").count() == 0


def test_what_is_typed_before_the_editor_comes_stays(clinic):
    opened = clinic()
    kept = []
    opened.watched.context.route(
        re.compile("editor.mjs"), lambda route: kept.append(route)
    )
    opened.find("textarea").focus()
    opened.page.keyboard.press("Control+a")
    opened.page.keyboard.insert_text("-t / s")
    opened.page.keyboard.press("ArrowLeft")
    kept[0].continue_()
    opened.find(".cm-content").wait_for()
    opened.page.keyboard.insert_text("1 * ")
    assert opened.code == "-t / 1 * s"


def test_without_the_editor_the_field_does(clinic):
    opened = clinic()
    opened.watched.context.route(re.compile("editor.mjs"), lambda route: route.abort())
    opened.find("textarea").fill("-t / s")
    opened.find("textarea").press("Control+Enter")
    assert "gradient-wrt-probabilities" in opened.finished()["sentence"]
    opened.watched.errors.clear()  # the browser's own, of the request


# What is wrong with the code


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def f(z):\n    return (z", "Line 2 is not Python"),
        (
            "import torch\ndef f(z, t):\n    return torch.softmax(z) - t",
            "PyTorch is not",
        ),
        ("print(1)", "nothing to examine"),
        ("a + b", "a is not defined"),
        ("x" * (LONGEST_CODE + 1), "too long"),
    ],
)
def test_code_that_cannot_be_examined_is_helped(clinic, code, words):
    opened = clinic()
    opened.paste(code)
    opened.press()
    opened.find(".clinic-asks").wait_for(timeout=LONG)
    assert words in opened.sentence
    if "torch" in code:
        shown = opened.find(".clinic-line").inner_text()
        assert "softmax-gradients diagnose mine.py:f" in shown
    assert opened.find(".clinic-run").get_attribute("aria-disabled") != "true"


def test_a_hang_is_stopped_and_python_starts_anew(clinic):
    opened = clinic()
    opened.paste("def f(z, t):\n    while True:\n        pass")
    assert opened.find(".clinic-stop").is_hidden()
    opened.press()
    opened.page.wait_for_function(
        "document.querySelector('.clinic .live-status').textContent === 'Examining'",
        timeout=LONG,
    )
    opened.press("Stop")
    assert opened.status == "Stopped. Diagnose starts Python anew."
    assert opened.page.evaluate("document.activeElement.textContent") == "Diagnose"
    assert opened.diagnosed(RIGHT)["verdict"] == "right"


def test_a_breakdown_is_told_and_python_starts_anew(clinic):
    opened = clinic()
    found = opened.diagnosed("import os\nx = os.abort()")
    assert "Python was lost" in found["sentence"]
    assert "Diagnose starts it anew." in opened.sentence
    opened.watched.errors.clear()  # Pyodide's own report
    assert opened.diagnosed(RIGHT)["verdict"] == "right"


def test_a_file_that_does_not_come_is_told(clinic):
    opened = clinic()
    pattern = re.compile("/pyodide/numpy-")

    def refuse(route):
        route.fulfill(status=503, body="busy")

    opened.watched.context.route(pattern, refuse)
    found = opened.diagnosed(RIGHT)
    assert "Diagnose tries again; no reload is needed." in found["sentence"]
    opened.watched.errors.clear()  # the browser's own, of the requests
    opened.watched.context.unroute(pattern, refuse)
    assert opened.diagnosed(RIGHT)["verdict"] == "right"


# A link to code


def test_a_link_holds_the_code_and_runs_nothing(clinic, watched, address):
    opened = clinic(permissions=["clipboard-read", "clipboard-write"])
    code = "# ü ≤ 😀\n" + RIGHT
    opened.paste(code)
    opened.find(".clinic-kind").select_option("gradient")
    opened.press("Copy link to this code")
    opened.page.wait_for_function(
        "document.querySelector('.clinic .live-status').textContent"
        ".startsWith('Copied')"
    )
    link = opened.page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(address + INTRO + "#clinic=")
    assert not opened.loaded("worker.mjs")

    other = clinic_at(watched(), link.removeprefix(address))
    assert other.code == code
    assert other.find(".clinic-kind").input_value() == "gradient"
    assert "when you press Diagnose" in other.status
    assert other.find(".clinic-sentence").count() == 0
    other.watched.settle()
    assert not other.loaded("worker.mjs") + other.loaded("pyodide")
    other.press()
    assert other.finished() == answer(code, kind="gradient")
    # Each run of it has a Python of its own.
    other.press()
    assert other.finished() == answer(code, kind="gradient")
    assert len(other.loaded("worker.mjs")) == 2


def clinic_at(watched, path):
    """Open a page with code in its address."""
    opened = Opened.__new__(Opened)
    opened.watched = watched
    watched.context.add_init_script(COLLECT)
    opened.page = watched.open(path)
    opened.page.wait_for_function(
        "document.querySelector('.clinic .live-status').textContent !== ''"
    )
    return opened


def test_where_copying_is_not_allowed_the_address_is_the_link(clinic):
    opened = clinic()
    opened.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }"
    )
    opened.press("Copy link to this code")
    opened.page.wait_for_function("location.hash.startsWith('#clinic=')")
    assert "the address of this page is the link now" in opened.status
    opened.page.reload()
    opened.page.wait_for_function(
        "document.querySelector('.clinic .live-status').textContent !== ''"
    )
    assert opened.code == THREAD


@pytest.mark.parametrize(
    "letters",
    [
        "%%%",
        "AAAA",
        "<script>window.hacked=1</script>",
        "A" * 200_000,
        "not code",
        "bomb",
        "null",
    ],
)
def test_an_address_that_cannot_be_read_changes_nothing(clinic, letters):
    opened = clinic()
    made = {
        "not code": {"kind": "gradient"},
        "bomb": {"code": "x" * 50_000_000},
        "null": "null",
    }
    if letters in made:
        letters = packed(opened.page, made[letters])
    opened.page.evaluate(
        "letters => { location.hash = `#clinic=${letters}`; }", letters
    )
    opened.page.wait_for_function(
        "document.querySelector('.clinic .live-status').textContent.includes('cannot')"
    )
    assert opened.status == "The code in this address cannot be read."
    assert opened.code == THREAD
    assert not opened.hacked()
    assert not opened.loaded("worker.mjs")


def test_hostile_code_in_an_address_is_text(clinic):
    opened = clinic()
    code = f"# {HOSTILE}\n{RIGHT}\n# </textarea>{HOSTILE}"
    letters = packed(opened.page, {"code": code, "kind": HOSTILE})
    opened.page.evaluate(
        "letters => { location.hash = `#clinic=${letters}`; }", letters
    )
    opened.page.wait_for_function("window.answers.length === 0 && location.hash")
    opened.page.wait_for_function(
        "document.querySelector('.clinic .live-status').textContent !== ''"
    )
    assert opened.code == code
    assert opened.find(".clinic-kind").input_value() == ""
    opened.find("textarea").focus()
    opened.find(".cm-content").wait_for()
    assert opened.code == code
    opened.press()
    assert opened.finished()["verdict"] == "right"
    assert opened.find(":is(img, script:not([type]))").count() == 0
    assert not opened.hacked()


# Hostile code, run by its reader


FORGED = {
    "state": HOSTILE,
    "verdict": HOSTILE,
    "sentence": HOSTILE,
    "code": HOSTILE,
    "command": HOSTILE,
    "kind_words": HOSTILE,
    "notes": [HOSTILE, {"not": "text"}],
    "functions": [HOSTILE, "f", 7],
    "choices": [{"kind": HOSTILE, "words": HOSTILE}, None],
    "links": [
        {"page": "javascript:window.hacked=1//", "anchor": "", "text": HOSTILE},
        {"page": "//example.org/x", "anchor": "", "text": HOSTILE},
        {"page": "mistakes", "anchor": '"><script>', "text": HOSTILE},
        {"page": "mistakes", "anchor": "flipped-sign", "text": HOSTILE},
    ],
    "lines": [{"word": HOSTILE, "code": HOSTILE}],
    "example": {
        "call": HOSTILE,
        "yours": [HOSTILE, 1, "inf", None],
        "right": [2, {}, "nan", 1e300],
        "labels": [HOSTILE, HOSTILE, "0,1"],
        "row": [HOSTILE],
    },
    "report": HOSTILE,
}


@pytest.mark.parametrize("forged", [FORGED, None, 7, [FORGED], {"example": {}}])
def test_a_forged_answer_is_only_text(clinic, forged):
    opened = clinic()
    opened.diagnosed(
        f"import json\nanswer = {json.dumps(forged)!r}\n"
        "json.dumps, line = (lambda *_, **__: answer), 1\n" + RIGHT
    )
    # The second answer is all the code's.
    opened.press()
    found = opened.finished()
    assert found == (forged if isinstance(forged, dict) else found)
    assert "Right" not in opened.sentence
    opened.page.wait_for_timeout(300)
    assert opened.find(":is(img, script:not([type]))").count() == 0
    assert not opened.hacked()
    addresses = [
        link.get_attribute("href") for link in opened.find(".clinic-answer a").all()
    ]
    assert addresses == (["mistakes.html#flipped-sign"] if forged is FORGED else [])
    if forged is FORGED:
        assert opened.sentence == HOSTILE
        for button in opened.page.locator(".clinic-answer button").all():
            button.click()
        assert not opened.hacked()


def test_what_the_code_writes_into_the_answer_breaks_it_alone(clinic):
    opened = clinic()
    opened.diagnosed(
        "import live_page\n"
        f"x = live_page.emit('html', {HOSTILE!r})\n"
        f"y = live_page.emit('stdout', {HOSTILE!r})\n" + RIGHT
    )
    assert opened.sentence == "The answer cannot be read: the code has changed it."
    assert not opened.hacked()
    assert opened.diagnosed(RIGHT)["verdict"] == "right"


def test_messages_and_names_of_the_code_are_text(clinic):
    opened = clinic()
    found = opened.diagnosed(
        f"def f(z, t):\n    print({HOSTILE!r})\n    raise ValueError({HOSTILE!r})"
    )
    assert HOSTILE[:20] in json.dumps(found["notes"]).replace("\\", "")
    assert opened.find(":is(img, script:not([type]))").count() == 0
    assert not opened.hacked()


# Everybody


def test_the_keyboard_is_enough(clinic):
    opened = clinic()
    opened.find("textarea").focus()
    opened.find(".cm-content").wait_for()
    opened.page.keyboard.press("Control+a")
    opened.page.keyboard.insert_text(PASTED["W45"])
    opened.page.keyboard.press("Shift+Enter")
    assert "gradient-wrt-probabilities" in opened.finished()["sentence"]
    assert opened.code == PASTED["W45"]
    focus = "document.activeElement.textContent"
    opened.page.keyboard.press("Escape")
    assert opened.page.evaluate(focus) == "Diagnose"
    opened.page.keyboard.press("Enter")
    opened.finished()
    assert opened.page.evaluate(focus) == "Diagnose"
    # Tab leaves the editor, and reaches each control.
    opened.find(".cm-content").focus()
    seen = []
    for _ in range(4):
        opened.page.keyboard.press("Tab")
        seen.append(
            opened.page.evaluate(
                "document.activeElement.ariaLabel || document.activeElement.textContent"
            )
        )
    assert seen == ["Diagnose", "What it computes", "Which function", "Examples"]


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (360, "dark")])
def test_axe_finds_nothing_and_nothing_is_too_wide(clinic, axe, width, theme):
    opened = clinic(
        viewport={"width": width, "height": 800},
        color_scheme=theme,
        reduced_motion="reduce",
    )
    opened.page.evaluate(axe)
    codes = [
        None,
        PASTED["W10"],
        "def f(x):\n    return x**2",
        "import torch",
        "def f(:",
        "def a(z):\n    return softmax(z)\n\n" + RIGHT + "  # " + "long " * 50,
    ]
    for code in codes:
        if code is not None:
            opened.diagnosed(code)
            opened.find("details").evaluate_all(
                "boxes => boxes.forEach((box) => { box.open = true; })"
            )
        assert opened.page.evaluate(VIOLATIONS) == [], code
        assert opened.page.evaluate(TOO_WIDE) == [], code
    opened.paste("x")  # what is shown is of earlier code
    assert opened.page.evaluate(VIOLATIONS) == []
    moving = opened.page.evaluate(
        "[...document.querySelectorAll('.clinic, .clinic *')].filter((part) =>"
        " part.getAnimations().length > 0).length"
    )
    assert moving == 0


def test_the_controls_are_large_enough_for_a_finger(clinic):
    opened = clinic(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    for control in opened.find(".clinic-bar button, .clinic-bar select").all():
        if control.is_visible():
            assert control.bounding_box()["height"] >= 44
