"""Sphinx extension: the catalogue of mistakes as a page, written from the code.

It writes book/_generated/mistakes.md when the build starts; the committed page
book/mistakes.md includes it. Each entry has its slug as anchor.
"""

import re

import generated

from softmax_gradients.mistakes import THEMES

THREAD = re.compile(
    r"(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(?P<pull> PR)?#(?P<number>\d+)"
)


def table(entries):
    lines = ["| mistake | what is done |", "|---|---|"]
    lines += [f"| [{entry.slug}](#{entry.slug}) | {entry.title} |" for entry in entries]
    return "\n".join(lines)


def source(text):
    """A link where the text names a thread of a repository, else the text."""
    thread = THREAD.fullmatch(text)
    if thread is None:
        return text
    part = "pull" if thread["pull"] else "issues"
    address = f"https://github.com/{thread['owner']}/{thread['name']}"
    return f"[{text}]({address}/{part}/{thread['number']})"


def shows(entry):
    if entry.belief:
        return (
            "A belief, with numbers that refute it: `MISTAKES[...].counterexample()`."
        )
    if entry.demonstration is not None:
        return (
            "No result of one function can show it, so the doctor does not name it: "
            "`MISTAKES[...].demonstration()` returns numbers that do."
        )
    kinds = ", ".join(f"`{kind}`" for kind in entry.kinds)
    return f"Named by the doctor in: {kinds}."


def section(entry):
    slug = entry.slug
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
            f"- {shows(entry).replace('...', repr(slug))}",
            f"- Explained in {{doc}}`{entry.page}`.",
            f"- Seen in: {'; '.join(map(source, entry.sources))}.",
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
