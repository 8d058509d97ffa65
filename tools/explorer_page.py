"""Sphinx extension: the explorer of the package, for the page "Explorer"."""

from pathlib import Path

from softmax_gradients.explorer import Explorer

TARGET = Path(__file__).parents[1] / "book" / "_generated" / "explorer.html"


def write(app, config):
    TARGET.parent.mkdir(exist_ok=True)
    text = Explorer().fragment(in_book=True)
    # An unchanged file keeps its time, so that its page is not read again.
    if not TARGET.exists() or TARGET.read_text("utf-8") != text:
        TARGET.write_text(text, "utf-8")


def setup(app):
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
