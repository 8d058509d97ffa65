"""Sphinx extension: the explorer of the package, for the page "Explorer"."""

from softmax_gradients.explorer import Explorer

from . import generated


def write(app, config):
    generated.write("explorer.html", Explorer().fragment(in_book=True))


def setup(app):
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
