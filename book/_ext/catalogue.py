"""Sphinx extension: the catalogue of mistakes as a page, written from the code.

It writes book/_generated/mistakes.md when the build starts; the committed page
book/mistakes.md includes it. Each entry has its slug as anchor, and each of its
sources the address and the words of sources/evidence.toml.
"""

import tomllib
from pathlib import Path

from softmax_gradients.mistakes import THEMES

from . import generated

ROOT = Path(__file__).parents[2]
EVIDENCE = tomllib.loads((ROOT / "sources" / "evidence.toml").read_text("utf-8"))


def table(entries):
    lines = ["| mistake | what is done |", "|---|---|"]
    lines += [f"| [{entry.slug}](#{entry.slug}) | {entry.title} |" for entry in entries]
    return "\n".join(lines)


def seen_in(names):
    """Return the item with the threads and files in which a mistake was seen."""
    if not names:
        return "- No public thread read."
    lines = ["- Seen in:"]
    for name in names:
        cited, text = EVIDENCE[name], name.replace("_", r"\_")
        lines.append(f"  - [{text}]({cited['url']}): {cited['shows']}")
    return "\n".join(lines)


def section_link(page):
    """Return the link to a section, in the words of its heading."""
    chapter, anchor = page.split("#")
    # Headings are known by their page, and labels, as of those with formulas, without.
    source = (ROOT / "book" / f"{chapter}.ipynb").read_text("utf-8")
    return (
        f"[](#{anchor})"
        if f"({anchor})=" in source
        else f"[]({chapter}.ipynb#{anchor})"
    )


def shows(entry):
    if entry.belief:
        return (
            "A belief, with numbers that refute it: `MISTAKES[...].counterexample()`."
        )
    if entry.options:
        stated = " and ".join(f"`{option}=`" for option in entry.options)
        return (
            f"Named by the doctor in `loss` and `gradient` where {stated} is stated. "
            "`MISTAKES[...].demonstration()` returns numbers that show it."
        )
    if entry.demonstration is not None:
        return (
            "No result of one function can show it, so the doctor does not name it: "
            "`MISTAKES[...].demonstration()` returns numbers that do."
        )
    kinds = ", ".join(f"`{kind}`" for kind in entry.kinds)
    asked = " or ".join(f'`reduction="{way}"`' for way in entry.reductions)
    return f"Named by the doctor in: {kinds}{f', with {asked}' if asked else ''}."


def section(entry):
    slug = entry.slug
    convention = [f"- Right, if {entry.right_if}."] if entry.right_if else []
    return "\n".join(
        (
            f"({slug})=",
            f"### {slug}",
            "",
            f"{entry.title}.",
            "",
            f"- Wrong: $\\displaystyle {entry.wrong}$",
            f"- Right: $\\displaystyle {entry.right}$",
            f"- How to see it: {entry.giveaway}",
            *convention,
            f"- {shows(entry).replace('...', repr(slug))}",
            f"- Explained in {section_link(entry.page)}.",
            seen_in(entry.sources),
        )
    )


def page():
    parts = []
    for theme, entries in THEMES.items():
        parts += [f"## {theme}", table(entries), *map(section, entries)]
    return "\n\n".join(parts) + "\n"


def write_page(app, config):
    generated.write("mistakes.md", page())


def setup(app):
    app.connect("config-inited", write_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
