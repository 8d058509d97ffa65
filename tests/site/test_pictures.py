"""The small explorers: their bars move, their numbers are the package's."""

import json
import re

import numpy as np
import pytest

import softmax_gradients as sg

INTRO = "book/intro.html"
CHAPTER = "book/summation-mistake.html"
KINDS = ["tug-of-war", "jacobian", "summation", "temperature", "limit"]
# One explorer of a kind, in place of the article.
ALONE = """async (kind) => {
  const script = document.querySelector("script[src*='pictures.mjs']");
  const { explore } = await import(script.src);
  const box = document.createElement("div");
  const figure = document.createElement("figure");
  figure.className = `explorer-${kind}`;
  figure.append(box);
  document.querySelector(".bd-article").replaceChildren(figure);
  explore(box, kind);
}"""
VIOLATIONS = """async () => (await axe.run(".sg-picture")).violations.flatMap(
  ({id, nodes}) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`))"""


def alone(watched, kind, **options):
    page = watched(**options).open(INTRO)
    page.locator(".sg-picture").wait_for()
    page.evaluate(ALONE, kind)
    return page


def state_of(page):
    state = json.loads(page.locator(".sg-picture").get_attribute("data-state"))
    arrays = {name: np.array(state[name]) for name in ("z", "t", "v")}
    return state | arrays


def numbers(page, chart):
    """Give the numbers that stand at the bars of a chart."""
    texts = (
        page.locator(".sg-picture .sg-bars")
        .nth(chart)
        .locator(".sg-number")
        .all_text_contents()
    )
    return [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts]


def cells(page, rows):
    texts = page.locator(f".sg-matrix {rows} td").all_inner_texts()
    return np.array([float(x.replace("\N{MINUS SIGN}", "-")) for x in texts if x])


def assert_rounded(shown, computed):
    np.testing.assert_allclose(shown, np.ravel(computed), rtol=0, atol=0.00501)


def drag(page, bar, up, chart=0):
    """Drag the end of a bar by so many pixels."""
    grip = page.locator(
        f'.sg-picture .sg-bars >> nth={chart} >> [data-bar="{bar}"] .sg-touch'
    )
    grip.scroll_into_view_if_needed()
    box = grip.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - up, steps=4)
    page.mouse.up()


def assert_tug_of_war_is_right(page):
    state = state_of(page)
    q = sg.softmax(state["z"])
    gradient = sg.cross_entropy_gradient(state["z"], state["t"])
    assert_rounded(numbers(page, 0), state["z"])
    assert_rounded(numbers(page, 1), [*q, *state["t"]])
    assert_rounded(numbers(page, 2), gradient)
    said = page.locator(".sg-words").inner_text()
    assert said.endswith("the forces cancel.")
    for force in gradient:
        verb = "pushed down" if force > 0 else "pulled up"
        size = f"{abs(force):.2f}"
        if size != "0.00":
            assert f"is {verb} by {size}" in said


def test_the_front_page_begins_with_the_example_for_paper(watched):
    page = watched().open(INTRO)
    page.locator(".sg-picture").wait_for()
    assert numbers(page, 0) == [0, 0.69, 1.1]
    assert numbers(page, 1) == [0.17, 0.33, 0.5, 1, 0, 0]
    assert numbers(page, 2) == [-0.83, 0.33, 0.5]
    assert_tug_of_war_is_right(page)
    assert page.locator("figure.explorer-tug-of-war img").is_hidden()


@pytest.mark.parametrize(
    ("chart", "bar", "up", "moved"),
    [
        (0, "0-1", 30, "z"),
        (1, "0-2", -25, "z"),
        (1, "1-1", 60, "t"),
        (2, "0-0", 40, "z"),
    ],
)
def test_every_bar_of_the_tug_of_war_is_dragged(watched, chart, bar, up, moved):
    page = alone(watched, "tug-of-war")
    before = state_of(page)
    drag(page, bar, up, chart)
    after = state_of(page)
    index = int(bar[-1])
    change = after[moved][index] - before[moved][index]
    assert change * up > 0
    assert (after["z"] == before["z"]).sum() == (2 if moved == "z" else 3)
    assert after["t"].sum() == pytest.approx(1)
    assert_tug_of_war_is_right(page)


def test_a_dragged_probability_follows_the_pointer(watched):
    page = alone(watched, "tug-of-war")
    drag(page, "0-0", 67, chart=1)
    # 134 pixels for the shares from 0 to 1.05.
    assert numbers(page, 1)[0] == pytest.approx(1 / 6 + 0.525, abs=0.02)


def test_a_press_on_a_column_brings_the_bar_there(watched):
    page = alone(watched, "tug-of-war")
    box = page.locator(
        '.sg-bars >> nth=0 >> [data-bar="0-0"] .sg-column'
    ).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
    # 134 pixels for the logits from 3.3 to -1.3, from 22 pixels on.
    assert state_of(page)["z"][0] == pytest.approx(3.3 - 8 * 4.6 / 134, abs=0.04)


def test_keys_move_the_bars(watched):
    page = alone(watched, "tug-of-war")
    sliders = page.get_by_role("slider")
    assert sliders.count() == 6
    logit = page.get_by_role("slider", name="logit of class 1")
    assert logit.get_attribute("aria-valuetext") == "0.69, probability 0.33"
    logit.focus()
    page.keyboard.press("ArrowUp")
    assert state_of(page)["z"][1] == 0.8
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("PageDown")
    assert state_of(page)["z"][1] == 0.2
    page.keyboard.press("End")
    assert state_of(page)["z"][1] == 3
    page.keyboard.press("Home")
    assert state_of(page)["z"][1] == -1
    assert logit.get_attribute("aria-valuenow") == "-1"
    target = page.get_by_role("slider", name="target of class 2")
    target.focus()
    page.keyboard.press("ArrowRight")
    np.testing.assert_allclose(state_of(page)["t"], [0.95, 0, 0.05])
    assert_tug_of_war_is_right(page)
    page.get_by_role("button", name="Back to the example").click()
    assert numbers(page, 2) == [-0.83, 0.33, 0.5]


def test_the_result_is_said_once_the_hand_rests(watched):
    page = alone(watched, "tug-of-war")
    status = page.locator(".sg-picture [role=status]")
    assert status.inner_text() == ""
    page.evaluate(
        "window.said = 0; new MutationObserver(() => { window.said += 1; }).observe("
        "document.querySelector('.sg-picture [role=status]'), {childList: true})"
    )
    page.get_by_role("slider", name="logit of class 0").focus()
    for _ in range(6):
        page.keyboard.press("ArrowUp")
    page.wait_for_function("window.said > 0")
    page.wait_for_timeout(700)
    assert page.evaluate("window.said") == 1
    assert status.text_content() == page.locator(".sg-words").text_content()


def test_a_raised_logit_chooses_its_column(watched):
    page = alone(watched, "jacobian")
    assert page.locator(".sg-chosen").all_inner_texts() == [
        "\N{MINUS SIGN}0.06",
        "0.22",
        "\N{MINUS SIGN}0.17",
    ]
    drag(page, "0-2", 20)
    z = state_of(page)["z"]
    jacobian = sg.softmax_jacobian(z)
    assert_rounded(numbers(page, 1), sg.softmax(z))
    assert_rounded(cells(page, "tbody"), jacobian)
    said = page.locator(".sg-words").inner_text()
    assert f"class 2 rises, its probability {sg.softmax(z)[2]:.2f} grows" in said
    rates = [f"{rate:.2f}".replace("-", "\N{MINUS SIGN}") for rate in jacobian[:, 2]]
    assert all(rate in said for rate in rates)
    chosen = page.locator(".sg-chosen").all_inner_texts()
    assert chosen == rates


def test_the_grid_of_the_chapter_has_its_sums_and_its_diagonal(watched):
    page = watched().open(CHAPTER)
    page.locator(".sg-picture").wait_for()
    for up in (0, -50):
        if up:
            drag(page, "1-0", up, chart=1)
            drag(page, "0-1", 15)
        state = state_of(page)
        z, t = state["z"], state["t"]
        q = sg.softmax(z)
        terms = (-t / q)[:, np.newaxis] * sg.softmax_jacobian(z)
        assert_rounded(cells(page, "tbody"), terms)
        assert_rounded(cells(page, ".sg-right"), sg.cross_entropy_gradient(z, t))
        wrong = sg.MISTAKES["diagonal-jacobian"].function("gradient")
        diagonal = wrong(z[np.newaxis], t[np.newaxis], 1.0)[0]
        assert_rounded(cells(page, ".sg-wrong"), diagonal)
        total = f"{diagonal.sum():.2f}".replace("-", "\N{MINUS SIGN}")
        assert f"sum to {total} instead" in page.locator(".sg-words").inner_text()
    assert 0 < t[0] < 1


@pytest.mark.parametrize("key", [None, "Home", "End", "ArrowLeft"])
def test_both_gradients_at_a_temperature(watched, key):
    page = alone(watched, "temperature")
    if key:
        page.get_by_role("slider", name="temperature").focus()
        page.keyboard.press(key)
    drag(page, "0-0", 20)
    state = state_of(page)
    z, t, temperature = state["z"], state["t"], state["T"]
    expected = {None: 2, "Home": 0.1, "End": 100, "ArrowLeft": 1.95}[key]
    assert temperature == pytest.approx(expected)
    q = sg.softmax(z, temperature=temperature)
    assert_rounded(numbers(page, 1), [*q, *t])
    gradient = sg.cross_entropy_gradient(z, t, temperature=temperature)
    assert_rounded(numbers(page, 2), [*gradient, *(q - t)])


def test_a_probability_is_dragged_at_its_temperature(watched):
    page = alone(watched, "temperature")
    drag(page, "0-0", 30, chart=1)
    state = state_of(page)
    q = sg.softmax(state["z"], temperature=state["T"])
    before = sg.softmax(np.log([1.0, 2.0, 3.0]), temperature=2.0)
    assert q[0] - before[0] == pytest.approx(30 * 1.05 / 134, abs=0.01)


def test_the_limit_comes_near_as_the_temperature_rises(watched):
    page = alone(watched, "limit")
    drag(page, "1-2", 25)
    page.get_by_role("slider", name="temperature").focus()
    differences = []
    for key in ("Home", "End"):
        page.keyboard.press(key)
        state = state_of(page)
        z, v, temperature = state["z"], state["v"], state["T"]
        scaled = temperature**2 * sg.kl_divergence_gradient(
            z, v, temperature=temperature
        )
        limit = sg.high_temperature_limit(z, v, temperature=1.0)
        said = page.locator(".sg-words").inner_text().replace("\N{MINUS SIGN}", "-")
        lists = re.findall(r"is \(([-\d., ]+)\)", said)
        shown = [[float(x) for x in each.split(",")] for each in lists]
        assert_rounded(shown[0], scaled)
        assert_rounded(shown[1], limit)
        differences.append(float(said.rstrip(".").split()[-1]))
        largest = abs(scaled - limit).max()
        assert differences[-1] == pytest.approx(largest, rel=0.06)
    assert differences[1] < differences[0] / 100


def touch(page, x, y, up):
    """Move one finger upwards on the screen."""
    session = page.context.new_cdp_session(page)
    steps = [("touchStart", y), *(("touchMove", y - up * k / 5) for k in range(1, 6))]
    for kind, height in steps:
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": height}]},
        )
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_finger_drags_an_end_and_scrolls_beside_it(watched):
    page = alone(
        watched, "tug-of-war", viewport={"width": 390, "height": 500}, has_touch=True
    )
    grip = page.locator('.sg-bars >> nth=0 >> [data-bar="0-1"]')
    box = grip.locator(".sg-touch").bounding_box()
    x = box["x"] + box["width"] / 2
    touch(page, x, box["y"] + box["height"] / 2, 30)
    # The last move comes with the next frame.
    page.wait_for_timeout(200)
    moved = state_of(page)["z"][1]
    assert moved == pytest.approx(np.log(2) + 30 * 4.6 / 134, abs=0.05)
    assert page.evaluate("scrollY") == 0
    column = grip.locator(".sg-column").bounding_box()
    touch(page, x, column["y"] + column["height"] - 5, 100)
    page.wait_for_function("scrollY > 20")
    assert state_of(page)["z"][1] == moved


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_an_explorer_fits_its_room_and_a_finger(watched, kind, width):
    page = alone(watched, kind, viewport={"width": width, "height": 900})
    # The longest sentence: soft targets, a low temperature.
    if page.get_by_role("slider", name="target of class 1").count():
        page.get_by_role("slider", name="target of class 1").focus()
        for _ in range(3):
            page.keyboard.press("PageUp")
    if page.get_by_role("slider", name="temperature").count():
        page.get_by_role("slider", name="temperature").focus()
        page.keyboard.press("Home")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    room = page.locator(".sg-picture").bounding_box()
    words = page.locator(".sg-words").bounding_box()
    assert words["y"] + words["height"] <= room["y"] + room["height"] + 0.5
    # No number leaves its cell, no title its panel.
    cut = page.locator(".sg-matrix td, .sg-title").evaluate_all(
        "boxes => boxes.filter((box) => box.scrollWidth > box.clientWidth)"
        ".map((box) => box.textContent)"
    )
    assert cut == []
    wide = page.locator("[role=slider] .sg-touch").evaluate_all(
        "boxes => boxes.map((box) => box.getBoundingClientRect())"
        ".map(({width, height}) => [width, height])"
    )
    assert len(wide) >= 3
    assert min(size[0] for size in wide) >= 24 - 2
    assert min(size[1] for size in wide) >= 43.9
    if kind == "tug-of-war":
        assert min(size[0] for size in wide[:3]) >= 43.9


@pytest.mark.parametrize("path", [INTRO, CHAPTER])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_when_the_picture_begins_to(watched, path, width):
    heights = []
    for script in (False, True):
        opened = watched(viewport={"width": width, "height": 900})
        if not script:
            opened.page.route("**/pictures.mjs*", lambda route: route.abort())
        page = opened.open(path)
        if script:
            page.locator(".sg-picture").wait_for()
        figure = page.locator("figure:has(> img)", has_text="Fig").first
        heights.append(figure.evaluate("figure => figure.offsetHeight"))
        if not script:
            assert figure.locator("img").is_visible()
            assert opened.errors
            opened.errors.clear()
    assert abs(heights[0] - heights[1]) <= 1


@pytest.mark.parametrize("path", [INTRO, CHAPTER])
def test_without_scripts_the_still_picture_is_there(watched, path):
    page = watched(java_script_enabled=False).open(path)
    figure = page.locator("figure", has_text="drag the ends of the bars")
    picture = figure.locator("img")
    assert picture.is_visible()
    assert "0.83, 0.33" in picture.get_attribute("alt")
    box = picture.bounding_box()
    natural = int(picture.get_attribute("width")) / int(picture.get_attribute("height"))
    assert box["width"] / box["height"] == pytest.approx(natural, rel=0.02)
    assert page.locator(".sg-picture").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_printed_page_has_the_still_picture(watched, theme):
    page = watched(color_scheme=theme).open(CHAPTER)
    page.locator(".sg-picture").wait_for()
    page.emulate_media(media="print", color_scheme=theme)
    assert page.locator(".sg-picture").is_hidden()
    picture = page.locator(".sg-moving img")
    assert picture.is_visible()
    assert picture.evaluate("image => getComputedStyle(image).filter") == "none"


def test_a_run_of_the_cell_shows_what_its_code_drew(watched):
    page = watched().open(CHAPTER)
    page.locator(".sg-picture").wait_for()
    # As the script of the live cells does it: the figure is copied, with a new image.
    page.evaluate("""() => {
      const figure = document.querySelector(".sg-moving");
      const copy = figure.cloneNode(true);
      figure.replaceWith(copy);
      document.dispatchEvent(new CustomEvent("live-cell", {detail: {number: 2}}));
    }""")
    assert page.locator(".sg-picture").count() == 0
    assert page.locator(".tag_explorer-summation figure img").is_visible()


def test_nothing_moves_by_itself(watched):
    page = alone(watched, "tug-of-war", reduced_motion="reduce")
    drag(page, "0-2", 20)
    assert_tug_of_war_is_right(page)
    moving = page.evaluate(
        "[...document.querySelectorAll('.sg-picture, .sg-picture *')].filter((part) =>"
        "parseFloat(getComputedStyle(part).transitionDuration) > 0"
        " || part.getAnimations().length > 0).length"
    )
    assert moving == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_in_an_explorer(watched, axe, kind, width, theme):
    page = alone(
        watched, kind, viewport={"width": width, "height": 900}, color_scheme=theme
    )
    page.evaluate(axe)
    assert page.evaluate(VIOLATIONS) == []


@pytest.mark.parametrize("path", [INTRO, CHAPTER])
@pytest.mark.parametrize(("theme", "turned"), [("light", False), ("dark", True)])
def test_the_still_picture_is_dark_on_light_and_light_on_dark(
    watched, path, theme, turned
):
    opened = watched(color_scheme=theme)
    opened.page.route("**/pictures.mjs*", lambda route: route.abort())
    page = opened.open(path)
    picture = page.locator("figure", has_text="drag the ends of the bars").locator(
        "img"
    )
    assert picture.get_attribute("data-see-through") is not None
    style = picture.evaluate(
        "image => [getComputedStyle(image).filter,"
        "getComputedStyle(image).backgroundColor]"
    )
    assert ("invert(1)" in style[0]) == turned
    assert style[1] == "rgba(0, 0, 0, 0)"
    opened.errors.clear()
