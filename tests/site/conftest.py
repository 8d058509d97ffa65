"""The built site in Chromium, with every request to another host refused."""

import pytest
import server
from _ext.registries import npm_packages
from book_pdf import NAMES, find_chromium
from pages import SITE
from playwright.sync_api import sync_playwright

# A browser of its own accord talks to its maker; these stop it.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Playwright's own "networkidle" now and then never comes on a busy machine.
SETTLED = """async () => {
    let before = -1;
    for (;;) {
        const now = performance.getEntriesByType("resource").length;
        if (now === before) return;
        before = now;
        await new Promise((resolve) => setTimeout(resolve, 500));
    }
}"""
LOCAL = ("data:", "blob:")


def pytest_terminal_summary(terminalreporter):
    """Tell what was measured: chapter by chapter, how it loads and what it runs."""
    told = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name in ("load", "cells", "clinic")
    ]
    if told:
        terminalreporter.section("measured")
        terminalreporter.write("\n".join(sorted(told)) + "\n")


@pytest.fixture(scope="session")
def address():
    running, address = server.serve(SITE)
    yield address
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="session")
def browser():
    program = find_chromium(reversed(NAMES))
    assert program, "there is no chromium: install it, or set CHROMIUM to its path"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """Return the script of axe-core."""
    return (npm_packages() / "axe-core" / "axe.min.js").read_text("utf-8")


class Watched:
    """A page, and what went wrong on it."""

    def __init__(self, browser, address, **options):
        options = {"viewport": {"width": 1280, "height": 900}} | options
        self.address = address
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(60_000)
        self.elsewhere, self.errors, self.requests = [], [], []
        self.context.route("**/*", self.guard)
        self.page = self.context.new_page()
        self.page.on("console", self.note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", self.check)

    def guard(self, route):
        url = route.request.url
        if url.startswith((self.address, *LOCAL)):
            self.requests.append(url)
            route.continue_()
        else:
            self.elsewhere.append(url)
            route.abort()

    def note(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def check(self, response):
        if response.status >= 400:
            self.errors.append(f"{response.status}: {response.url}")

    def open(self, path):
        self.page.goto(self.address + path, wait_until="load")
        return self.page

    def settle(self):
        """Wait until the page has asked for nothing new for half a second."""
        self.page.evaluate("document.fonts.ready.then(() => true)")
        self.page.evaluate(SETTLED)

    def verify(self):
        assert not self.elsewhere, "requests to other hosts"
        assert not self.errors


@pytest.fixture
def watched(browser, address):
    """Give a function that makes a page; nothing may have gone wrong on it."""
    made = []

    def make(**options):
        made.append(Watched(browser, address, **options))
        return made[-1]

    yield make
    for each in made:
        each.context.close()
    for each in made:
        each.verify()
