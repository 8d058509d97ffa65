"""Sphinx extension: what the theme leaves in the way of a screen reader, put right.

The theme's templates have no settings for these. The pages are changed once they are
written, and a change that finds no place in any page is a warning: the theme then
changed, and the change may go.
"""

import re
from pathlib import Path

from sphinx.util import logging

logger = logging.getLogger(__name__)

CHANGES = {
    # Its copy of the title and contents for print, which is empty on some pages.
    "the second title": (
        r'<div id="jb-print-docs-body".*?(?=<div id="searchbox">)',
        "",
    ),
    # A name that is not what the button shows: it shows its name.
    "the name of the search": (
        r'(<button class="btn search-button-field[^>]*?) title="Search"'
        r' aria-label="Search"',
        r"\1",
    ),
    "the names of the colour modes": (
        r'(<i class="theme-switch [^>]*?) title="[^"]*"',
        r'\1 aria-hidden="true"',
    ),
    "the name of folded code": (
        r'<summary aria-label="Toggle hidden content">',
        "<summary>",
    ),
    "the sidebar as a landmark": (
        r'<div id="pst-primary-sidebar" class="',
        '<div id="pst-primary-sidebar" role="region" aria-label="Sidebar" class="',
    ),
    # The corner of a table is no header of anything.
    "the empty corner of a table": (
        r'<th class="([^"]*)">\s*(?:<p>\s*</p>)?\s*</th>',
        r'<td class="\1"></td>',
    ),
    # A table that is wider than the page scrolls, for those with a keyboard too.
    "the tables in reach of the keyboard": (
        r'<table class="',
        '<table tabindex="0" class="',
    ),
    # Roles that were given up, in a list that held other things than its items.
    "the list of the bibliography": (
        r'<div role="list" class="citation-list">',
        '<div class="citation-list">',
    ),
    # Names that each theorem, proof, exercise and solution of a page has again.
    "the name of each proof": (
        r'<div class="proof admonition" id="proof">',
        '<div class="proof admonition">',
    ),
    # What is folded needs a title that unfolds it, or the script of the theme fails.
    "the title of a folded proof": (
        r'<div class="proof dropdown admonition" id="proof">\s*<p>Proof\. ',
        '<div class="proof dropdown admonition">'
        '<p class="admonition-title">Proof</p>\n<p>',
    ),
    "the names of the parts of theorems and exercises": (
        r'(<section[^>]*?) id="(?:proof|exercise|solution)-content"',
        r"\1",
    ),
    "the entries of the bibliography": (
        r'(<div class="citation" id="[^"]*") role="doc-biblioentry"',
        r"\1",
    ),
}


def improved(text):
    """Return a page with the changes, and the names of those that it needed."""
    made = set()
    for name, (pattern, replacement) in CHANGES.items():
        text, count = re.subn(pattern, replacement, text, flags=re.DOTALL)
        if count:
            made.add(name)
    return text, made


def improve_pages(app, exception):
    if exception is not None or app.builder.name != "html":
        return
    made = set()
    for page in sorted(Path(app.outdir).rglob("*.html")):
        text = page.read_text("utf-8")
        better, changes = improved(text)
        if changes:
            page.write_text(better, "utf-8")
        # Pages of an earlier build have been changed before.
        made |= changes or set(CHANGES)
    for name in sorted(CHANGES.keys() - made):
        logger.warning("no page has a place for %s any more", name)


def setup(app):
    app.connect("build-finished", improve_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
