"""Every page in the browser: no error, nothing from elsewhere, nothing too wide."""

import pytest
from pages import CHAPTERS, PAGES, UNFOLD
from playwright.sync_api import TimeoutError as PageTimeoutError

# The pages with the clinic are measured with it.
READ = ["explorer", "api", "glossary", "mistakes", "sources"]
READER = [page for page in PAGES if page not in ("index.html", "404.html")]
# Of 10 Mbit/s, with the way there and back that a line of that kind has.
LINE = {
    "offline": False,
    "downloadThroughput": 10e6 / 8,
    "uploadThroughput": 2e6 / 8,
    "latency": 20,
}
TOO_WIDE = """
() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("body *")]
        .filter((element) => element.getBoundingClientRect().right > width + 1)
        .map((element) => element.outerHTML.slice(0, 120))
        .slice(0, 5);
}
"""
# What scrolls sideways in its own box, without a stop for the keyboard.
OUT_OF_REACH = """
() => [...document.querySelectorAll("pre, #fig-doctor-confusion")]
    .filter((box) => box.scrollWidth > box.clientWidth && box.tabIndex < 0)
    .map((box) => box.textContent.slice(0, 80))
"""
# Of each picture that is seen: how much wider it is than its height asks for.
STRETCHED = """
() => [...document.querySelectorAll("img")]
    .filter((image) => image.checkVisibility() && image.getBoundingClientRect().height)
    .map((image) => {
        const style = getComputedStyle(image);
        const inner = (size, ...edges) =>
            size - edges.reduce((sum, edge) => sum + parseFloat(style[edge]), 0);
        const width = inner(image.offsetWidth, "paddingLeft", "paddingRight",
            "borderLeftWidth", "borderRightWidth");
        const height = inner(image.offsetHeight, "paddingTop", "paddingBottom",
            "borderTopWidth", "borderBottomWidth");
        const ratio = (width / height) / (image.naturalWidth / image.naturalHeight);
        return [image.currentSrc.slice(-60), ratio];
    })
    .filter(([, ratio]) => Math.abs(ratio - 1) > 0.02)
"""


@pytest.mark.parametrize("path", READER)
def test_a_page_opens_cleanly_and_fits(watched, path):
    opened = watched()
    page = opened.open(path)
    opened.settle()
    for width in (1280, 390, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(TOO_WIDE) == [], f"at {width} pixels"
        assert page.evaluate(STRETCHED) == [], f"at {width} pixels"
    page.evaluate(UNFOLD)
    for fault in (TOO_WIDE, STRETCHED, OUT_OF_REACH):
        assert page.evaluate(fault) == [], "in what was folded"
    # Each picture has arrived.
    broken = page.locator("img").evaluate_all(
        "images => images.filter(({naturalWidth}) => !naturalWidth).map(({src}) => src)"
    )
    assert not broken


def test_output_that_came_to_a_closed_solution_is_in_reach(watched):
    page = watched(viewport={"width": 390, "height": 800}).open(
        "book/summation-mistake.html"
    )
    page.evaluate(
        """() => document.querySelectorAll(".solution pre").forEach((box) => {
            const late = box.cloneNode(true);
            late.removeAttribute("tabindex");
            late.removeAttribute("id");
            box.after(late);
        })"""
    )
    # The theme measures what is new a moment later.
    page.wait_for_function(
        "[...document.querySelectorAll('.solution pre')]"
        ".every((box) => box.hasAttribute('tabindex'))"
    )
    page.evaluate(UNFOLD)
    assert page.evaluate(OUT_OF_REACH) == []


def test_the_front_leads_to_the_book(watched):
    page = watched().open("index.html")
    page.wait_for_url("**/book/intro.html")


def test_a_wrong_address_gets_a_page_with_links_home(watched):
    opened = watched()
    page = opened.open("book/deeper/no-such-page.html")
    opened.settle()
    assert "404" in page.content() or "not found" in page.content().lower()
    home = page.get_by_role("link", name="Softmax Gradients").first
    home.click()
    page.wait_for_url("**/book/intro.html")
    own = [error for error in opened.errors if "404" in error]
    assert own
    opened.errors[:] = [error for error in opened.errors if error not in own]


# What decides when a page can be read: the time itself, which is told at the end of
# the tests, hangs on what else the machine does.
BLOCKING = """
() => performance.getEntriesByType("resource")
    .filter(({renderBlockingStatus}) => renderBlockingStatus === "blocking")
    .map(({name, encodedBodySize}) => [name, encodedBodySize])
"""
PAGE_BYTES = "performance.getEntriesByType('navigation')[0].encodedBodySize"


def open_slowly(watched, name):
    """Open a page over an emulated line; give the page and the bytes received."""
    opened = watched()
    session = opened.context.new_cdp_session(opened.page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", LINE)
    inside, received = set(), []

    def note(event):
        # A font in the style sheet has come with it.
        if event["request"]["url"].startswith("data:"):
            inside.add(event["requestId"])

    def count(event):
        if event["requestId"] not in inside:
            received.append(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", note)
    session.on("Network.loadingFinished", count)
    opened.open(f"book/{name}.html")
    return opened, received


@pytest.mark.parametrize("name", [*READ, *CHAPTERS])
def test_a_page_is_light_and_soon_readable(watched, name, record_property):
    try:
        opened, received = open_slowly(watched, name)
    except PageTimeoutError:  # Chromium leaves a request waiting now and then
        opened, received = open_slowly(watched, name)
    page = opened.page
    opened.settle()
    painted = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    total = sum(received)
    record_property(
        "load",
        f"{name}: {len(received)} requests, {total / 1e3:.0f} kB, "
        f"first paint {painted / 1e3:.2f} s",
    )
    assert 0 < total < 350_000
    blocking = page.evaluate(BLOCKING)
    assert all(".css" in address for address, _ in blocking)
    assert 0 < len(blocking) <= 14
    first = page.evaluate(PAGE_BYTES) + sum(size for _, size in blocking)
    # With two fonts of formulas, which are in their style sheet: nothing moves.
    assert first < 160_000
