"""Sphinx extension: a search of sections, which leads to the section that was meant.

The index of Pagefind has a record for each section and for each term of the glossary,
with its anchor: a hit leads to its place in a long page. Code and its outputs are left
out, and a formula is there once, as text. The words of a heading count more than those
below it; so do the terms of the glossary for a section that their entry links to, which
is found by the words of the entry, too.
"""

import asyncio
import html
import posixpath
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes
from pagefind.index import PagefindIndex
from sphinx import addnodes

from softmax_gradients.doctor._plain import plain

DISPLAY = r"\displaystyle"
HERE = Path(__file__).parent
# Code, its outputs, and what is not written by the page.
PASSED_OVER = (
    nodes.literal_block,
    nodes.doctest_block,
    nodes.raw,
    nodes.comment,
    nodes.image,
    nodes.target,
    addnodes.index,
    addnodes.toctree,
)
# How much a word counts in a heading, and on a page that is looked up, not read.
HEADING, TEXT, LISTED = 8, 1, 0.25
LISTS = {"book/api", "book/mistakes", "book/references", "book/sources"}


@dataclass
class Record:
    """What is found as one: a section, or a term."""

    page: str
    anchor: str
    title: str
    above: str
    text: str
    names: set[str] = field(default_factory=set)
    terms: list["Record"] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)


def said(node):
    """Return the text of a node, each formula once."""
    if isinstance(node, nodes.math | nodes.math_block):
        return f" {plain(node.astext().replace(DISPLAY, ''))} "
    if isinstance(node, nodes.container) and node.get("nb_element") == "cell_code":
        return " ".join(said(caption) for caption in node.findall(nodes.caption))
    if isinstance(node, PASSED_OVER) or is_section(node):
        return ""
    if isinstance(node, nodes.Text):
        return str(node)
    inner = "".join(said(child) for child in node.children)
    return inner if isinstance(node, nodes.Inline) else f" {inner} "


def words(node):
    return " ".join(said(node).split())


def is_section(node):
    """Tell sections from the parts of theorems, which are sections without a title."""
    return isinstance(node, nodes.section) and isinstance(node[0], nodes.title)


def links(node):
    """Give the pages and anchors that a definition links to."""
    for link in node.findall(addnodes.pending_xref):
        if link["reftype"] in ("myst", "doc"):
            target, anchor = link["reftarget"], link.get("reftargetid") or ""
            yield target.removeprefix("/"), anchor
            # The role `doc` names a page as seen from its own.
            yield posixpath.join(posixpath.dirname(link["refdoc"]), target), anchor


def terms(section, page, above):
    """Yield a record for each term of a glossary."""
    for glossary in section.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            names = list(item.findall(nodes.term))
            definition = item.next_node(nodes.definition)
            title = ", ".join(words(name) for name in names)
            record = Record(page, names[0]["ids"][0], title, above, words(definition))
            record.links = list(links(definition))
            yield record


def sections(section, page, above=""):
    """Yield the records of a section and of those within it."""
    title = words(section[0])
    found = list(terms(section, page, title))
    yield from found
    if not found:
        text = " ".join(words(child) for child in section.children[1:])
        # The page itself is found at its beginning.
        anchor = section["ids"][0] if above else ""
        names = {anchor, section.get("slug", ""), *section["ids"]}
        yield Record(page, anchor, title, above, text, names)
    trail = f"{above}, {title}" if above else title
    for child in section.children:
        if is_section(child):
            yield from sections(child, page, trail)


def name_by_terms(found):
    """Let a section be found by the terms whose entries link to it."""
    places = {}
    for record in found:
        for name in record.names:
            places.setdefault((record.page, name), record)
            # A label is known without its page.
            places.setdefault((name, ""), record)
    for record in found:
        for place in record.links:
            if place in places and record not in places[place].terms:
                places[place].terms.append(record)


def records(doctrees):
    """Return the records of pages, given by name."""
    found = [
        record
        for page, doctree in doctrees
        for section in doctree.children
        if is_section(section)
        for record in sections(section, page)
    ]
    name_by_terms(found)
    return found


def as_page(record):
    """Return the page that Pagefind reads for a record."""
    title, above, text, names = (
        html.escape(part)
        for part in (
            record.title,
            record.above,
            record.text,
            ", ".join(term.title for term in record.terms),
        )
    )
    entries = html.escape(" ".join(term.text for term in record.terms))
    weight = LISTED if record.page in LISTS else TEXT
    return (
        '<html lang="en"><body>'
        f'<h1 data-pagefind-weight="{HEADING * weight}">{title}</h1>'
        f'<p data-pagefind-weight="{weight}">{text}</p>'
        f"{unseen('above', above)}{unseen('place', address(record))}"
        f'<p data-pagefind-weight="{HEADING * weight}">{names}</p>'
        f'<p data-pagefind-weight="{weight}">{entries}</p>'
        "</body></html>"
    )


def address(record):
    return f"{record.page}.html" + (f"#{record.anchor}" if record.anchor else "")


def unseen(name, text):
    """Return what a record carries and is not found by."""
    return f'<p data-pagefind-meta="{name}" data-pagefind-ignore="index">{text}</p>'


async def write_index(found, folder):
    async with PagefindIndex(
        config={"output_path": str(folder), "include_characters": "^"}
    ) as index:
        # A folder at once: for single pages the program takes its time.
        with tempfile.TemporaryDirectory() as pages:
            for number, record in enumerate(found):
                (Path(pages) / f"{number}.html").write_text(as_page(record), "utf-8")
            await index.add_directory(pages)


def leave_out_the_other(app):
    """Sphinx makes no search of its own."""
    app.builder.search = False


def search_page(app):
    yield "search", {"title": "Search"}, "search-sections.html"


def write(app, exception):
    # A preview is built anew at each change; the index would be most of the work.
    if exception is not None or app.builder.name != "html" or "preview" in app.tags:
        return
    folder = Path(app.outdir) / "pagefind"
    shutil.rmtree(folder, ignore_errors=True)
    names = sorted(app.env.found_docs)
    found = records((name, app.env.get_doctree(name)) for name in names)
    asyncio.run(write_index(found, folder))
    for path in folder.glob("pagefind-*"):
        # Pages of its own that nobody opens here.
        if path.name not in ("pagefind-entry.json", "pagefind-worker.js"):
            path.unlink()
    shutil.copy(HERE / "search.mjs", Path(app.outdir) / "_static")


def setup(app):
    app.config.templates_path.append(str(HERE))
    app.connect("builder-inited", leave_out_the_other)
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
