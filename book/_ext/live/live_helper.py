"""Runs cells in the browser and hands their output to the page.

Figures come out as in Jupyter, which shows what is open when a cell ends, and saves
it with the figure's own resolution.

A cell begins with the variables that the cell above it left, whatever was run since:
its result is that of a run from the top. What a cell changes in place stays changed.
"""

import ast
import base64
import builtins
import contextlib
import io
import linecache
import sys
import traceback
from dataclasses import dataclass

import live_page
from pyodide.code import CodeRunner

NAMESPACE = {"__name__": "__main__"}
# The variables after each cell; before the first one there are none.
AFTER = {None: dict(NAMESPACE)}
# Parts of the package that import one more on first use.
IMPORTED_WITH = {"plots": "matplotlib", "symbolic": "sympy"}
# Large, and imported by the first cell of a chapter: fetched for a cell that uses them.
LARGE = ("matplotlib", "sympy")
# What a first cell does with Matplotlib, which can wait as well.
SETTING = "sg.plots.use_book_style()"
PRESENT = ("numpy", "sympy", "mpmath", "matplotlib", "softmax_gradients")
# An endless print would fill the memory of the page, and endless lines the page.
MOST_CHARACTERS = 100_000
MOST_LINES = 1_000
MOST_OUTPUTS = 1_000
# The order of preference of a built page.
KINDS = ("html", "markdown", "latex")


# What a cell needs


@dataclass
class Put:
    """Statements of a cell that wait for a package, and what its others use."""

    waiting: list[tuple[str, ast.stmt]]
    uses: dict[str, set[str]]


# For each cell that ran.
CELLS = {}


def packages(node):
    """Give the packages that a statement, or what is in it, imports."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            found |= {alias.name.split(".")[0] for alias in part.names}
        elif isinstance(part, ast.ImportFrom) and not part.level:
            found.add(part.module.split(".")[0])
        word = getattr(part, "attr", getattr(part, "name", None))
        found |= {IMPORTED_WITH[word]} if word in IMPORTED_WITH else set()
    return found


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def words(node):
    """Give the names in a statement."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def words_used_at_once(node):
    """Give the names that a statement looks up before anybody calls a function."""
    if isinstance(node, ast.Name):
        return {node.id}
    parts = [
        part
        for name, value in ast.iter_fields(node)
        if not (isinstance(node, FUNCTIONS) and name == "body")
        for part in (value if isinstance(value, list) else [value])
        if isinstance(part, ast.AST)
    ]
    return set().union(*map(words_used_at_once, parts))


def binds(node):
    """Give the names that a statement of a cell gives a value."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.asname or alias.name for alias in node.names]
        return {name.split(".")[0] for name in names}
    return {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def large_package(node):
    """Give the large package that a statement only prepares, or None."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        found = packages(node) & set(LARGE)
        return next(iter(found)) if len(found) == len(packages(node)) == 1 else None
    return "matplotlib" if ast.unparse(node) == SETTING else None


def divide(body):
    """Divide the statements of a cell: those for now, and those that can wait."""
    waiting = [(large_package(node), node) for node in body]
    now = [node for package, node in waiting if package is None]
    used = set().union(*map(words, now))
    wanted = {
        package for package, node in waiting if package and binds(node) & used
    }.union(*map(packages, now))
    later = [(p, node) for p, node in waiting if p and p not in wanted]
    kept = {id(node) for _, node in later}
    return [node for node in body if id(node) not in kept], later


def uses(body):
    """Give for each name that statements give a value the names that it draws on."""
    found = {}
    for node in body:
        for name in binds(node):
            found[name] = found.get(name, set()) | words(node)
    return found


def needed(body, above):
    """Give the large packages of the cells above that these statements use."""
    known = [uses(body), *(cell.uses for cell in above)]
    used, waiting = set(), set().union(*map(words_used_at_once, body))
    while waiting:
        used |= waiting
        found = [names.get(name, set()) for names in known for name in waiting]
        waiting = set().union(*found) - used
    imported = set().union(*map(packages, body))
    return {
        package
        for cell in above
        for package, node in cell.waiting
        if package in imported or binds(node) & used
    }


def imports(code, number):
    """Give import statements for all that a cell will import."""
    try:
        now, _ = divide(ast.parse(code).body)
    except SyntaxError:
        return ""
    above = [cell for other, cell in CELLS.items() if other < number]
    names = needed(now, above).union(*map(packages, now))
    return "\n".join(f"import {name}" for name in sorted(names))


def begin(body, number, before):
    """Make ready for a cell, and give its statements without those that can wait."""
    NAMESPACE.clear()
    NAMESPACE.update(AFTER[before])
    now, waiting = divide(body)
    above = [CELLS[other] for other in sorted(CELLS) if other < number]
    wanted = needed(now, above).union(*map(packages, now))
    for cell in above:
        for package, node in cell.waiting:
            if package in wanted:
                exec(ast.unparse(node), NAMESPACE)
    CELLS[number] = Put(waiting, uses(now))
    return now


# What a cell shows


class Shown:
    """What the running cell may still show."""

    outputs = 0


def emit(kind, data):
    Shown.outputs += 1
    if Shown.outputs == MOST_OUTPUTS:
        kind, data = "stderr", f"[more than {MOST_OUTPUTS} outputs]\n"
    if Shown.outputs <= MOST_OUTPUTS:
        live_page.emit(kind, data)


class Stream(io.TextIOBase):
    """Text that a cell prints, sent on line by line."""

    def __init__(self, name):
        self.name = name
        self.characters = 0
        self.lines = 0
        self.waiting = []

    def write(self, text):
        self.waiting.append(text)
        if "\n" in text:
            self.flush()
        return len(text)

    def flush(self):
        text = "".join(self.waiting)
        self.waiting.clear()
        if not text or self.lines > MOST_LINES or self.characters > MOST_CHARACTERS:
            return
        room = MOST_CHARACTERS - self.characters
        lines = text.splitlines(keepends=True)
        shown = "".join(lines[: MOST_LINES - self.lines])
        self.lines += len(lines)
        self.characters += len(text)
        if len(shown) > room:
            shown = f"{shown[:room]}\n[more than {MOST_CHARACTERS} characters]\n"
        elif self.lines > MOST_LINES:
            shown = f"{shown}[more than {MOST_LINES} lines]\n"
        live_page.emit(self.name, shown)


def display(*values):
    """Show values as a notebook does."""
    sys.stdout.flush()
    for value in values:
        if hasattr(value, "savefig"):
            show_figure(value)
        else:
            emit(*represent(value))


def represent(value):
    """Give the kind and the text that a page shows of a value."""
    for kind in KINDS:
        method = getattr(value, f"_repr_{kind}_", None)
        if callable(method) and not isinstance(value, type):
            text = method()
            if text:
                return kind, text
    text = repr(value)
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}\n[more than {MOST_CHARACTERS} characters]"
    return "text", text


def show_figure(figure):
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=figure.dpi, bbox_inches="tight")
    emit("png", base64.b64encode(picture.getvalue()).decode())


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
    text = "".join(traceback.format_exception(type(error), error, trace))
    if isinstance(error, ModuleNotFoundError):
        text += (
            f"\nIn this page there are {', '.join(PRESENT)} and Python's standard "
            "library.\nWhat needs another package runs at home, in Python or Jupyter.\n"
        )
    return text


# The checks of the book


def is_check(node):
    """Tell whether a statement is an assert, or a call of NumPy's."""
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    called = node.value.func
    word = getattr(called, "attr", getattr(called, "id", ""))
    return word.startswith("assert_")


def checks(code):
    """Give the checks in a cell of the book, each as text."""
    return {ast.unparse(node) for node in ast.walk(ast.parse(code)) if is_check(node)}


def check_failed(text):
    sys.stdout.flush()
    emit("check", text)


class GoOn(ast.NodeTransformer):
    """Lets a check of the book fail without ending the cell, and says so."""

    def __init__(self, known):
        self.known = known

    def visit(self, node):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return node
        if is_check(node) and ast.unparse(node) in self.known:
            return self.guarded(node)
        return self.generic_visit(node)

    def guarded(self, node):
        text = ast.unparse(node)
        (guard,) = ast.parse(
            f"try: pass\nexcept AssertionError: __check_failed__({text!r})"
        ).body
        guard.body = [node]
        for part in ast.walk(guard):
            if part is not node:
                ast.copy_location(part, node)
        return guard


# A cell


async def run(code, name, number, before, stored, edited):
    """Run a cell; give the text of its error, if it has one.

    `number` is its place on the page and `before` that of the cell that ran before it;
    `stored` is its code in the book. Where code was `edited`, here or above, a check of
    the book that fails is no error.
    """
    # So that tracebacks and inspect.getsource find the cell's lines.
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    Shown.outputs = 0
    output, errors = Stream("stdout"), Stream("stderr")
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            runner = CodeRunner(code, filename=name)
            runner.ast.body = begin(runner.ast.body, number, before)
            if edited:
                runner.ast = GoOn(checks(stored)).visit(runner.ast)
            value = await runner.compile().run_async(NAMESPACE)
            show()
            if value is not None:
                NAMESPACE["_"] = value
                display(value)
        except BaseException as error:  # of the reader's cell, whatever it is
            if isinstance(error, AssertionError) and edited and code == stored:
                output.flush()
                emit("check", traceback.format_exception_only(error)[-1])
                return None
            return shown_error(error, name)
        finally:
            AFTER[number] = dict(NAMESPACE)
            output.flush()
            errors.flush()
    return None


builtins.display = display
builtins.__check_failed__ = check_failed
