"""Sphinx extension: no page loads anything from another site.

Jupyter Book puts the loader of Thebe on every page, from a content delivery network;
it is taken off. Whatever else a page would load from elsewhere fails the build.
"""

import re
from pathlib import Path

from sphinx.util import logging

logger = logging.getLogger(__name__)

# Attributes that make a browser fetch; links that a reader follows do not.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\ssrc=["']?(?:https?:)?//
      | <link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|icon|shortcut|modulepreload))
        [^>]*?\shref=["']?(?:https?:)?//
      | <style\b[^>]*>[^<]*url\(["']?(?:https?:)?//""",
    re.VERBOSE,
)


def described(asset):
    attributes = getattr(asset, "attributes", None) or {}
    parts = [getattr(asset, "filename", asset), *attributes.values()]
    return " ".join(str(part) for part in parts)


def drop_thebe(app, pagename, templatename, context, doctree):
    """Take Thebe off the page, and scripts that Sphinx lists twice."""
    scripts = {}
    for script in context.get("script_files", []):
        if "thebe" not in described(script).lower():
            scripts.setdefault(described(script), script)
    context["script_files"][:] = scripts.values()
    context["css_files"][:] = [
        sheet
        for sheet in context.get("css_files", [])
        if "thebe" not in described(sheet).lower()
    ]


def check_pages(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    for page in sorted(Path(app.outdir).rglob("*.html")):
        for found in LOADED.finditer(page.read_text("utf-8")):
            logger.warning(
                "%s loads from another site: %s",
                page.relative_to(app.outdir),
                found.group()[:200],
            )


def setup(app):
    app.connect("html-page-context", drop_thebe, priority=990)
    app.connect("build-finished", check_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
