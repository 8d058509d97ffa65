"""Sphinx extension: the statements of the chapter "The sources".

They are written from the data in sources/, which tests/test_sources.py evaluates, so
that the page shows what was tested, with the numbers of the evaluation.
"""

import json
import re
import sys
from collections import Counter
from dataclasses import fields
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
from myst_parser.mdit_to_docutils.base import default_slugify

from . import generated
from .catalogue import section_link

ROOT = Path(__file__).parents[2]

PAGES = {
    "jac": "softmax-jacobian",
    "struct": "jacobian-structure",
    "sum": "summation-mistake",
    "delta": "kronecker-delta",
    "temp": "temperature",
    "limit": "high-temperature-limit",
}
# Before a heading, and where a label is given.
LABEL = re.compile(r"^\(([\w-]+)\)=$")
LABELLED = re.compile(r"(?:^\$\$ \(|^:label: |^\()([\w-]+)")
# What is no part of a heading's anchor.
HEADING = re.compile(r"^#+ |\$[^$]*\$")
TITLES = {
    "temperature-gradient": "with temperature",
    "softmax-loss-derivative": "one label",
    "separate-derivatives": "separately",
    "distillation-gradient-ko": "Korean note",
}
DIFFERENCES = {"z": "logits", "v": "teacher's logits", "t": "targets"}


def load_sources():
    """Import the data, which are not installed, from the root of the checkout."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    import sources

    return sources


def decimal(number):
    """Write a number with four places at most, and a true minus sign."""
    text = f"{round(float(number), 4) + 0.0:.4f}".rstrip("0").rstrip(".")
    return text.replace("-", "\N{MINUS SIGN}")


def shown(value):
    """Write a number, or a row of numbers, for the page."""
    array = np.asarray(value)
    text = ", ".join(decimal(entry) for entry in array.ravel())
    return f"({text})" if array.ndim else text


def difference_from(point, example):
    """Say in which numbers a point is not the example."""
    found = []
    for field in fields(point):
        value, usual = getattr(point, field.name), getattr(example, field.name)
        if np.array_equal(value, usual):
            continue
        if field.name == "rows":
            found.append(f"the rows as {value}")
        elif field.name == "temperature":
            found.append(f"$T = {value:g}$")
        else:
            found.append(f"the {DIFFERENCES[field.name]} {shown(value)}")
    return ", ".join(found)


def numbers(statement, example):
    """Return the sentence with the numbers at which the statement fails."""
    reading = statement.otherwise or statement.claim
    if reading is None or statement.shown is None:
        return ""
    printed, *_, true = reading(statement.shown)
    where = difference_from(statement.shown, example)
    if statement.verdict.name == "LAYOUT" and statement.otherwise is None:
        where = f"the rows as {statement.shown.rows}"
    where = f", with {where}" if where else ""
    if isinstance(printed, bool):
        words = {True: "yes", False: "no"}
        return f"*Evaluated*{where}: claimed {words[printed]}, found {words[true]}."
    return f"*Evaluated*{where}: as printed {shown(printed)}, in truth {shown(true)}."


@cache
def sections(page):
    """Return the anchor of the section of each label on a page."""
    notebook = json.loads((ROOT / "book" / f"{page}.ipynb").read_text("utf-8"))
    found, anchor, above = {}, "", ""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        for line in "".join(cell["source"]).splitlines():
            if line.startswith("##"):
                own = LABEL.search(above)
                anchor = own[1] if own else default_slugify(HEADING.sub("", line))
            for label in LABELLED.findall(line):
                found[label] = anchor
            above = line or above
    return found


def reference(link):
    """Return the page and section of a label, and the text that refers to it."""
    kind, page, *_ = link.split("-")
    if kind == "eq":
        return PAGES[page], "{eq}`" + link + "`"
    if kind == "thm":
        return PAGES[page], "{prf:ref}`" + link + "`"
    return PAGES["sum"], "{ref}`the corrected program <" + link + ">`"


def derivation(statement):
    """Return the links to the sections, with the numbers of the equations."""
    places = []
    for link in statement.links:
        page, text = reference(link)
        places.append((f"{page}#{sections(page)[link]}", text))
    parts = []
    for place, group in groupby(places, key=lambda pair: pair[0]):
        equations = ", ".join(text for _, text in group)
        parts.append(f"{section_link(place)} {equations}")
    return "*Derived in* " + "; ".join(parts) + "."


def paragraphs(statement, example):
    yield statement.quote
    if statement.assumption:
        yield f"*The assumption*: {statement.assumption}."
    if statement.correction:
        yield f"*Instead*: {statement.correction}"
    sentence = numbers(statement, example)
    if sentence:
        yield sentence
    if statement.slip:
        label = "Note" if statement.verdict.name == "RIGHT" else "Why one slips"
        yield f"*{label}*: {statement.slip}"
    yield derivation(statement)


def line_numbers(lines):
    """Write (3, 5, 6, 7) with a range for the last three."""
    ranges = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    dash = "\N{EN DASH}"
    return ", ".join(
        f"{first}" if first == last else f"{first}{dash}{last}"
        for first, last in ranges
    )


def entry(anchor, term, statement, example):
    """Return a definition: place and verdict, then what there is to say."""
    first, *rest = paragraphs(statement, example)
    text = "\n\n".join([f": {first}", *(f"  {part}" for part in rest)])
    return f"({anchor})=\n{term}: {statement.verdict}\n{text}\n"


def document_entries(document):
    entries = []
    for statement in sorted(document.statements, key=lambda each: each.lines[0]):
        anchor = f"source-{document.name}-{statement.slug}"
        word = "Line" if len(statement.lines) == 1 else "Lines"
        term = f"[{word} {line_numbers(statement.lines)}](#{anchor})"
        entries.append(entry(anchor, term, statement, document.example))
    return "\n".join(entries)


def others_entries(others, example):
    """Return the other treatments' entries, each with a link to its text."""
    entries = []
    for other in others:
        anchor = f"source-other-{other.statement.slug}"
        term = f"[{other.name}]({other.url}), [{other.place}](#{anchor})"
        entries.append(entry(anchor, term, other.statement, example))
    return "\n".join(entries)


def trivial_lines(document):
    """Return the list of the lines that have no entry, and why."""
    parts = [
        f"{line_numbers(lines)} ({why})"
        for why, lines in document.trivial.items()
        if why != "empty"
    ]
    return "Lines without an entry: " + "; ".join(parts) + "; and empty lines.\n"


def counts_table(sources):
    """Return how many statements of each document have which verdict."""
    columns = [
        (TITLES[document.name], Counter(each.verdict for each in document.statements))
        for document in sources.DOCUMENTS
    ]
    columns.append(
        ("elsewhere", Counter(other.statement.verdict for other in sources.OTHERS))
    )
    head = ["verdict", *(title for title, _ in columns)]
    body = [
        [verdict, *(str(counts[verdict]) for _, counts in columns)]
        for verdict in sources.Verdict
    ]
    total = ["all", *(str(sum(counts.values())) for _, counts in columns)]
    lines = [head, ["---", *["---:"] * len(columns)], *body, total]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    in_all = sum(len(document.statements) for document in sources.DOCUMENTS)
    return (
        f"{table}\n\nThat is {in_all} statements in the four documents, and "
        f"{len(sources.OTHERS)} in other treatments.\n"
    )


def pages():
    """Yield the name and text of every generated file."""
    sources = load_sources()
    for document in sources.DOCUMENTS:
        text = document_entries(document) + "\n" + trivial_lines(document)
        yield f"sources-{document.name}.md", text
    example = sources.DOCUMENTS[0].example
    yield "sources-others.md", others_entries(sources.OTHERS, example)
    yield "sources-counts.md", counts_table(sources)


def write(app, config):
    for name, text in pages():
        generated.write(name, text)


def setup(app):
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
