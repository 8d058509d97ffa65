"""Runs cells in the browser and hands their output to the page.

Figures come out as in Jupyter, which shows what is open when a cell ends, and saves
it with the figure's own resolution.
"""

import ast
import base64
import builtins
import contextlib
import io
import linecache
import sys
import traceback

import live_page
from pyodide.code import eval_code_async, find_imports

NAMESPACE = {"__name__": "__main__"}
# Parts of the package that import one more on first use.
IMPORTED_WITH = {"plots": "matplotlib", "symbolic": "sympy"}
# An endless print would fill the memory of the page.
MOST_CHARACTERS = 100_000
# The order of preference of a built page.
KINDS = ("html", "markdown", "latex")


def imports(code):
    """Give import statements for all that a cell will import."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ""
    names = set(find_imports(code))
    for node in ast.walk(tree):
        word = getattr(node, "attr", getattr(node, "name", None))
        names |= {IMPORTED_WITH[word]} if word in IMPORTED_WITH else set()
    return "\n".join(f"import {name}" for name in sorted(names))


class Stream(io.TextIOBase):
    """Text that a cell prints, sent on line by line."""

    def __init__(self, name):
        self.name = name
        self.sent = 0
        self.waiting = ""

    def write(self, text):
        self.waiting += text
        if "\n" in text:
            self.flush()
        return len(text)

    def flush(self):
        room = MOST_CHARACTERS - self.sent
        text, self.waiting = self.waiting, ""
        if not text or room < 0:
            return
        self.sent += len(text)
        if len(text) > room:
            text = f"{text[:room]}\n[more than {MOST_CHARACTERS} characters]\n"
        live_page.emit(self.name, text)


def display(*values):
    """Show values as a notebook does."""
    sys.stdout.flush()
    for value in values:
        if hasattr(value, "savefig"):
            show_figure(value)
        else:
            live_page.emit(*represent(value))


def represent(value):
    """Give the kind and the text that a page shows of a value."""
    for kind in KINDS:
        method = getattr(value, f"_repr_{kind}_", None)
        if callable(method) and not isinstance(value, type):
            text = method()
            if text:
                return kind, text
    return "text", repr(value)


def show_figure(figure):
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=figure.dpi, bbox_inches="tight")
    live_page.emit("png", base64.b64encode(picture.getvalue()).decode())


def show(*arguments, **settings):
    """Show the open figures; what plt.show() calls."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    sys.stdout.flush()
    for number in pyplot.get_fignums():
        show_figure(pyplot.figure(number))
    pyplot.close("all")


def shown_error(error, name):
    """Give the traceback from the cell's own line on."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename != name:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


async def run(code, name):
    """Run a cell; give the text of its error, if it has one."""
    # So that tracebacks and inspect.getsource find the cell's lines.
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    output, errors = Stream("stdout"), Stream("stderr")
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            value = await eval_code_async(code, NAMESPACE, filename=name)
            show()
            if value is not None:
                NAMESPACE["_"] = value
                display(value)
        except BaseException as error:  # of the reader's cell, whatever it is
            return shown_error(error, name)
        finally:
            output.flush()
            errors.flush()
    return None


builtins.display = display
