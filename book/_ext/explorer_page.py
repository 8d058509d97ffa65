"""Sphinx extension: the page "Explorer", and the figures that readers can move.

A cell tagged `explorer-summation`, or a figure of that class, shows a still picture;
on the site the script of the package puts its explorer of that kind in its place.
"""

import json
from pathlib import Path

import numpy as np
from docutils import nodes
from matplotlib import rc_context
from matplotlib.figure import Figure

from softmax_gradients import plots
from softmax_gradients.explorer import Explorer, script, style

from . import generated

# The still pictures of pages without code cells.
STILLS = {"tug-of-war.png": plots.draw_tug_of_war}


def write(app, config):
    generated.write("explorer.html", Explorer().fragment(in_book=True))
    for name, draw in STILLS.items():
        with rc_context():
            plots.use_book_style()
            figure = Figure(figsize=(6.5, 2.7))
            draw(figure, np.log([1, 2, 3]), 0)
            figure.savefig(generated.FOLDER / name)


def prepare(app):
    """Write what the pages with such a figure load."""
    folder = Path(app.doctreedir) / "explorer-files"
    target = folder / "explorer"
    target.mkdir(parents=True, exist_ok=True)
    code = script("numbers", "pictures")
    code += f"exploreFigures({json.dumps(style('pictures'))});\n"
    (target / "pictures.mjs").write_text(code, "utf-8")
    app.config.html_static_path.append(str(folder))


def has_explorer(doctree):
    return any(
        name.startswith(("explorer-", "tag_explorer-"))
        for node in doctree.findall(nodes.Element)
        for name in node.get("classes", [])
    )


def add_script(app, pagename, templatename, context, doctree):
    if doctree is not None and has_explorer(doctree):
        app.add_js_file("explorer/pictures.mjs", type="module")


def setup(app):
    app.connect("config-inited", write)
    app.connect("builder-inited", prepare)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
