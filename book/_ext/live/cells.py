"""Sphinx extension: the code cells of a page run in the page.

A page with code cells gets a small script, which puts Run, Edit, Reset and Stop
below each cell. What they need is loaded from this site, after the first press.

A cell tagged `no-live` takes too long in a browser. It keeps its stored output and
says why it has no buttons. A page whose cells are all tagged so, since they need a
library that no browser has, gets no script; its text says why. Without the npm registry
or the Python Package Index the pages are built without buttons.
"""

from pathlib import Path

from docutils import nodes
from sphinx.util import logging

from ..registries import UnreachableError
from . import files

logger = logging.getLogger(__name__)


def prepare(app):
    """Put together what the pages load."""
    app.live_version = None
    app.live_count = {}
    if app.builder.name != "html":
        return
    try:
        fetched = files.fetched()
        written = Path(app.doctreedir) / "live"
        app.live_version, app.live_sizes = files.write(written, fetched)
    except UnreachableError as error:
        logger.info(
            "Without %s, the cells cannot run in the page: no Run buttons.", error
        )
        return
    app.config.html_static_path += [str(fetched), str(written)]


def code_cells(doctree):
    """Return the code cells of a page, or none if none of them is live."""
    cells = [
        node
        for node in doctree.findall(nodes.container)
        if node.get("nb_element") == "cell_code"
    ]
    return cells if any(map(is_live, cells)) else []


def is_live(cell):
    return "tag_no-live" not in cell["classes"]


def say_sizes(app, doctree, docname):
    """Say above the first cell of a page what its first Run loads."""
    cells = code_cells(doctree)
    if not cells or app.live_version is None:
        return
    first = cells[0]
    (python, size), *later = app.live_sizes.items()
    rest = " and ".join(f"{name} ({size:.0f} MB)" for name, size in later)
    text = (
        f"The code runs in this page. The first Run loads {python}, {size:.0f} MB; "
        f"{rest} come when a cell needs them. Nothing leaves your browser."
    )
    note = f'<div class="live-page"><p class="live-size">{text}</p></div>'
    first.parent.insert(first.parent.index(first), nodes.raw("", note, format="html"))


def add_buttons(app, pagename, templatename, context, doctree):
    cells = code_cells(doctree) if doctree is not None else []
    if not cells or app.live_version is None:
        return
    live = sum(map(is_live, cells))
    app.live_count[pagename] = (live, len(cells) - live)
    app.add_css_file("live/live-cells.css")
    app.add_js_file(
        "live/live-cells.js",
        loading_method="defer",
        **{"data-version": app.live_version},
    )


def report(app, exception):
    if exception is None and app.live_count:
        live, slow = map(sum, zip(*app.live_count.values(), strict=True))
        logger.info(
            "Live cells: %d on %d pages; too slow for a browser: %d.",
            live,
            len(app.live_count),
            slow,
        )


def setup(app):
    app.connect("builder-inited", prepare)
    app.connect("doctree-resolved", say_sizes)
    app.connect("html-page-context", add_buttons)
    app.connect("build-finished", report)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
