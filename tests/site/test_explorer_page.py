"""The explorer in the page: its numbers are the package's, by mouse, key or address."""

import re

import numpy as np
import pytest
from pages import PAGES

import softmax_gradients as sg

PAGE = "book/explorer.html"
TEACHER = "teacher\N{RIGHT SINGLE QUOTATION MARK}s logit"
GENERATOR = np.random.default_rng(7)
WRONG = {
    "diagonal": "diagonal-jacobian",
    "inverseSquare": "inverse-square-temperature",
    "uncentred": "uncentred-limit",
}


def random_state(classes, temperature):
    z, v = GENERATOR.uniform(-5, 5, size=(2, classes)).round(1) + 0.0
    return z, v, temperature


STATES = [
    random_state(classes, temperature)
    for classes, temperature in [
        (2, 0.1),
        (3, 0.37),
        (4, 1),
        (5, 2.5),
        (6, 12),
        (4, 100),
    ]
]


def address_of(z, v, temperature):
    rows = (",".join(f"{value:g}" for value in values) for values in (z, v))
    return "z={}&v={}&T={:g}".format(*rows, temperature)


def state_of(address):
    fields = dict(part.split("=") for part in address.split("&"))
    z, v = (np.array([float(x) for x in fields[name].split(",")]) for name in "zv")
    return z, v, float(fields["T"])


def expected(z, v, temperature):
    """Give every number of the page, by its name there, from the package."""
    gradients = {"right": sg.kl_divergence_gradient(z, v, temperature=temperature)}
    for name, slug in WRONG.items():
        function = sg.MISTAKES[slug].function("kl_divergence_gradient")
        gradients[name] = function(z[None], v[None], temperature)[0]
    limit = temperature**2 * sg.high_temperature_limit(z, v, temperature=temperature)
    rows = {
        "q": sg.softmax(z, temperature=temperature),
        "p": sg.softmax(v, temperature=temperature),
        "scaled": temperature**2 * gradients["right"],
        "limit": limit,
        **gradients,
    }
    numbers = {
        f"{name}-{index}": value
        for name, values in rows.items()
        for index, value in enumerate(values)
    }
    numbers |= {f"{name}-sum": values.sum() for name, values in gradients.items()}
    jacobian = sg.softmax_jacobian(z, temperature=temperature)
    return numbers | {
        f"jacobian-{i}-{j}": value for (i, j), value in np.ndenumerate(jacobian)
    }


def shown_numbers(page):
    return page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-name]')]"
        ".map((cell) => [cell.dataset.name, cell.innerText.trim()]))"
    )


def precision(text):
    """Give half a unit of the last digit that is printed."""
    digits, _, power = text.partition("e")
    decimals = len(digits.partition(".")[2])
    return 0.5 * 10.0 ** (int(power or 0) - decimals) if digits != "0" else 1.001e-12


def assert_numbers_are_right(page, z, v, temperature):
    shown, right = shown_numbers(page), expected(z, v, temperature)
    assert shown.keys() == right.keys()
    for name, text in shown.items():
        plain = text.replace("\N{MINUS SIGN}", "-")
        error = abs(float(plain) - right[name])
        assert error <= 1.0001 * precision(plain), (name, text, right[name])


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"T={state[2]}")
def test_the_numbers_of_an_address(watched, state):
    page = watched().open(f"{PAGE}#{address_of(*state)}")
    assert page.locator(".sg-explorer").get_attribute("data-state") == address_of(
        *state
    )
    assert_numbers_are_right(page, *state)


def test_the_numbers_and_the_chapter_of_every_preset(watched):
    page = watched().open(PAGE)
    buttons = page.locator(".sg-presets button")
    assert buttons.count() >= 6
    for button in buttons.all():
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        address = page.locator(".sg-explorer").get_attribute("data-state")
        assert page.url.endswith("#" + address)
        assert_numbers_are_right(page, *state_of(address))
        chapter = page.locator(".sg-story a").get_attribute("href")
        assert f"book/{chapter}" in PAGES


def test_the_stories_are_true():
    """What the presets say in words, in numbers."""
    z, v = np.array([2.0, 0.5, -1.0, 1.2]), np.array([1.0, 2.5, -0.5, 0.0])

    def gradients(z, v, temperature):
        numbers = expected(z, v, temperature)
        return {
            name: np.array([numbers[f"{name}-{i}"] for i in range(len(z))])
            for name in ("right", *WRONG, "scaled", "limit")
        }

    example = gradients(z, v, 2)
    sums = {name: abs(example[name].sum()) > 1e-3 for name in ("right", *WRONG)}
    assert list(sums.values()) == [False, True, False, True]
    label = gradients(z, np.array([-5.0, -5, 5, -5]), 1)
    assert (label["right"][[0, 1, 3]] > 0.05).all()
    assert (abs(label["diagonal"][[0, 1, 3]]) < 1e-4).all()
    agree = gradients(z, z, 1)
    assert not agree["right"].any()
    assert (agree["diagonal"] < 0).all()
    four = gradients(z, v, 4)
    np.testing.assert_allclose(4 * four["inverseSquare"], four["right"])
    hot = gradients(z, v, 50)
    assert abs(hot["scaled"] - hot["limit"]).max() < 0.01
    shifted = gradients(z + 2, v, 50)
    np.testing.assert_allclose(shifted["right"], hot["right"], atol=1e-15)
    assert (shifted["uncentred"] >= 0).all()
    jacobian = sg.softmax_jacobian(z, temperature=0.2)
    assert abs(jacobian[1:3]).max() < 1e-2 < 5e-2 < abs(jacobian[0]).max()


def test_keys_move_the_sliders_and_reset_brings_the_start_back(watched):
    page = watched().open(PAGE)
    explorer = page.locator(".sg-explorer")
    start = explorer.get_attribute("data-state")
    page.get_by_role("slider", name="logit of class 0", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role(
        "slider", name="teacher\N{RIGHT SINGLE QUOTATION MARK}s logit of class 2"
    ).focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("slider", name="temperature").focus()
    page.keyboard.press("End")
    z, v, temperature = state_of(explorer.get_attribute("data-state"))
    assert (z[0], v[2], temperature) == (2.1, -0.6, 100)
    assert_numbers_are_right(page, z, v, temperature)
    moved = explorer.get_attribute("data-state")
    page.reload()
    assert explorer.get_attribute("data-state") == moved
    page.get_by_role("button", name="Reset").click()
    assert explorer.get_attribute("data-state") == start


def test_the_mouse_drags_a_slider(watched):
    page = watched().open(PAGE)
    slider = page.get_by_role("slider", name="logit of class 1", exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, middle, steps=5)
    page.mouse.up()
    z, v, temperature = state_of(
        page.locator(".sg-explorer").get_attribute("data-state")
    )
    assert z[1] == 5
    assert_numbers_are_right(page, z, v, temperature)


def test_classes_come_and_go(watched):
    page = watched().open(PAGE)
    for classes in ("6", "2"):
        page.get_by_label("Classes").select_option(classes)
        state = state_of(page.locator(".sg-explorer").get_attribute("data-state"))
        assert len(state[0]) == len(state[1]) == int(classes)
        assert page.locator('[data-of="z"] label').count() == int(classes)
        assert_numbers_are_right(page, *state)


@pytest.mark.parametrize(
    "mistyped",
    ["z=1,2&v=1&T=1", "z=1,x&v=1,2&T=1", "z=1,2&v=1,2&T=0", "what-to-look-for"],
)
def test_a_mistyped_address_shows_the_start(watched, mistyped):
    page = watched().open(f"{PAGE}#{mistyped}")
    state = page.locator(".sg-explorer").get_attribute("data-state")
    assert state == "z=2,0.5,-1,1.2&v=1,2.5,-0.5,0&T=2"


def test_the_result_is_said_once_the_hand_rests(watched):
    page = watched().open(PAGE)
    status = page.get_by_role("status").filter(has_text="At T = 2 ")
    status.wait_for()
    page.evaluate(
        "window.said = 0; new MutationObserver(() => { window.said += 1; })"
        ".observe(document.querySelector('.sg-status'), {childList: true})"
    )
    page.get_by_role("slider", name="temperature").focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.get_by_role("status").filter(has_text=re.compile("At T = 2[.]40 |At T = 2.4 "))
    page.wait_for_function("window.said > 0")
    page.wait_for_timeout(700)
    assert page.evaluate("window.said") == 1


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_explorer_fits(watched, width):
    page = watched(viewport={"width": width, "height": 800}).open(
        f"{PAGE}#z=-5,4.9,0.1,2,3,-4.4&v=5,-5,0,0,0.3,0&T=0.1"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    clipped = page.evaluate(
        "[...document.querySelectorAll('td .sg-number, .sg-jacobian td')].filter("
        "(e) => { const cell = e.closest('td').getBoundingClientRect();"
        "const range = document.createRange(); range.selectNodeContents(e);"
        "return range.getBoundingClientRect().right > cell.right + 1; }).length"
    )
    assert clipped == 0


def test_without_scripts_the_page_has_the_first_numbers(watched):
    page = watched(java_script_enabled=False).open(PAGE)
    cells = page.locator(".sg-explorer td").all_inner_texts()
    assert len(cells) == 4 * 5
    assert f"{sg.softmax([2.0, 0.5, -1.0, 1.2], temperature=2.0)[0]:.4f}" in cells


def state(page):
    return page.locator(".sg-explorer").get_attribute("data-state")


def test_numbers_can_be_typed(watched):
    page = watched().open(PAGE)
    page.get_by_label("logit of class 3, typed", exact=True).fill("-7.125")
    page.get_by_label(f"{TEACHER} of class 0, typed").fill("0.001")
    page.get_by_label("temperature, typed").fill("0.37")
    page.keyboard.press("Enter")
    z, v, temperature = state_of(state(page))
    assert (z[3], v[0], temperature) == (-7.125, 0.001, 0.37)
    assert_numbers_are_right(page, z, v, temperature)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("logit of class 0, typed", "1001"),
        ("logit of class 0, typed", ""),
        ("temperature, typed", "0.05"),
        ("temperature, typed", "-1"),
        ("temperature, typed", "101"),
    ],
)
def test_a_number_out_of_reach_is_put_back(watched, name, typed):
    page = watched().open(PAGE)
    start = state(page)
    box = page.get_by_label(name, exact=True)
    before = box.input_value()
    box.fill(typed)
    box.press("Enter")
    assert state(page) == start
    assert box.input_value() == before


def test_the_back_button_undoes_the_choice_of_an_example(watched):
    page = watched().open(PAGE)
    page.get_by_role("slider", name="temperature").focus()
    page.keyboard.press("End")
    moved = state(page)
    page.get_by_role("button", name="Cold").click()
    cold = state(page)
    page.get_by_role("button", name="Hot").click()
    page.go_back()
    page.wait_for_function("s => location.hash === '#' + s", arg=cold)
    assert state(page) == cold
    page.go_back()
    # What was moved by hand made no steps of its own.
    page.wait_for_function("s => location.hash === '#' + s", arg=moved)
    assert state(page) == moved
    page.go_forward()
    page.wait_for_function("s => location.hash === '#' + s", arg=cold)
    assert state(page) == cold


def test_the_link_is_copied(watched):
    opened = watched(permissions=["clipboard-read", "clipboard-write"])
    page = opened.open(PAGE)
    page.get_by_role("button", name="One factor 1/T").click()
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("status").filter(has_text="Copied.").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{opened.address}{PAGE}#{state(page)}"


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 800)])
def test_the_pictures_stay_in_view_at_every_control(watched, width, height):
    page = watched(viewport={"width": width, "height": height}).open(PAGE)
    controls = page.locator(".sg-controls input, .sg-controls select")
    assert controls.count() == 4 * 2 * 2 + 3
    for control in [*controls.all(), page.locator(".sg-limits")]:
        control.evaluate("element => element.scrollIntoView({block: 'center'})")
        boxes = [
            chart.bounding_box() for chart in page.locator(".sg-stage .sg-bars").all()
        ]
        assert len(boxes) == 3
        assert all(box["y"] >= 48 for box in boxes)
        assert all(box["y"] + box["height"] < height / 2 for box in boxes)
        # And the control is not below them.
        assert control.bounding_box()["y"] > boxes[0]["y"] + boxes[0]["height"]


def test_a_bar_of_the_logits_is_dragged(watched):
    page = watched().open(PAGE)
    grip = page.locator('.sg-stage [data-bar="0-2"] .sg-touch')
    grip.scroll_into_view_if_needed()
    box = grip.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 40, steps=4)
    page.mouse.up()
    z, v, temperature = state_of(state(page))
    # 134 pixels for the logits from -5 to 5, in whole pixels and steps of 0.1.
    assert z[2] == pytest.approx(-1 + 40 * 10 / 134, abs=0.13)
    assert_numbers_are_right(page, z, v, temperature)


@pytest.mark.parametrize("width", [360, 1280])
def test_the_room_is_kept_before_the_script_has_run(watched, width):
    page = watched(viewport={"width": width, "height": 900}).open(PAGE)
    page.get_by_role("status").filter(has_text="At T = 2 ").wait_for()
    taken, kept = page.locator(".sg-whole").evaluate(
        "box => [box.offsetHeight, parseFloat(getComputedStyle(box).minHeight)]"
    )
    assert taken == kept
