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
    page.get_by_role("slider", name="logit of class 1", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role(
        "slider", name="teacher\N{RIGHT SINGLE QUOTATION MARK}s logit of class 3"
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
    slider = page.get_by_role("slider", name="logit of class 2", exact=True)
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
        assert page.locator('[data-of="z"] input').count() == int(classes)
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
        "[...document.querySelectorAll('.sg-number, .sg-jacobian td')].filter("
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
