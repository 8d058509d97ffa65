"""Sphinx extension: each style sheet with its version, in a clean build as in another.

Sphinx adds the checksum of a style sheet to its address. Some extensions write theirs
after the pages: Sphinx then finds it in the second build alone, and the pages differ.
"""

import re
from pathlib import Path

from sphinx.builders.html._assets import _file_checksum

SHEET = re.compile(r'<link\b[^>]*?\bhref="[^":]*?(_static/[^"?]*\.css)(?=")')


def add_versions(app, exception):
    if exception is not None or app.builder.name != "html":
        return

    def with_version(found):
        version = _file_checksum(app.outdir, found[1])
        return f"{found[0]}?v={version}" if version else found[0]

    for page in sorted(Path(app.outdir).rglob("*.html")):
        text = page.read_text("utf-8")
        versioned = SHEET.sub(with_version, text)
        if versioned != text:
            page.write_text(versioned, "utf-8")


def setup(app):
    app.connect("build-finished", add_versions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
