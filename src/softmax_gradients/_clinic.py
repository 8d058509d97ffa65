"""The clinic of the site: code as people paste it, and the doctor's answer as data.

The page sends text and shows what comes back, so all that is said is said here. Of the
text only definitions, imports and assignments are carried out: the loops and calls
around a function are not needed to examine it.
"""

import ast
import builtins
import functools
import inspect
import io
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._softmax import log_softmax, softmax
from .doctor import OTHERS, Example, Report, diagnose
from .doctor._calls import in_words, shortened, silent
from .doctor._example import listed, show
from .doctor._guess import guessed_kinds
from .doctor._lines import RIGHT_LINES, WHERE
from .doctor._names import (
    COTANGENTS,
    LOGITS,
    PROBABILITIES,
    TARGETS,
    is_temperature,
    says,
)
from .doctor._objects import BACKWARD, FORWARD, first_method
from .doctor._plain import plain
from .mistakes import Mistake

KIND_WORDS: Mapping[str, str] = {
    "softmax": "the probabilities, from logits",
    "jacobian": "the Jacobian of softmax, from logits",
    "vjp": "a gradient sent back through softmax",
    "log_softmax_vjp": "a gradient sent back through log-softmax",
    "loss": "the cross-entropy, from logits and targets",
    "gradient": "the gradient of the cross-entropy in the logits",
    "temperature_gradient": "the derivative of the cross-entropy in the temperature",
    "hessian": "the Hessian of the cross-entropy in the logits",
    "distillation_loss": "the distillation loss, from two rows of logits",
    "kl_divergence_gradient": "the gradient of the KL divergence to a teacher",
    "weights": "the gradient of the cross-entropy in the weights",
}
# What pasted code finds without an import.
GIVEN: Mapping[str, Any] = {
    "np": np,
    "numpy": np,
    "softmax": softmax,
    "log_softmax": log_softmax,
}
PRESENT = "NumPy, softmax_gradients and Python's standard library"
# Names that stand for a library although nothing imports it, and its name for readers.
LIBRARIES: Mapping[str, str] = {
    "torch": "PyTorch",
    "nn": "PyTorch",
    "F": "PyTorch",
    "jax": "JAX",
    "jnp": "JAX",
}
LONGEST_CODE = 50_000
MOST_FUNCTIONS = 30
LONGEST_NAME = 60
MOST_BARS = 12
MODULE = "pasted"
FILE = "<pasted>"
# What `q` is, where the softmax itself is at fault.
SHIFTED = f"{WHERE['s']}\nq = {RIGHT_LINES['softmax']}\n"
DEFINING = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.If,
    ast.Try,
    ast.With,
)
# Not what is to be examined, if there is anything else.
ASIDE = re.compile(r"_|main$|test|check|plot|train|one_?hot")
EXPRESSION = "the expression"


class NoFunctionError(ValueError):
    """The text cannot be examined; the message says why, and what helps."""


@dataclass
class Run:
    """What carrying out the text has left, and the first thing that went wrong."""

    names: dict[str, Any]
    problem: str = ""
    missing: list[str] = field(default_factory=list)


def answer_as_text(request: str) -> str:
    """Return the answer to a request, both as JSON: what the page calls.

    Parameters
    ----------
    request : str
        A JSON object with the arguments of `answer`.
    """
    return json.dumps(answer(**json.loads(request)))


def answer(
    code: str, *, kind: str | None = None, name: str | None = None, **options: Any
) -> dict[str, Any]:
    """Return what the doctor says of pasted code, as plain data.

    Parameters
    ----------
    code : str
        Functions or classes, or formulas without a function around them.
    kind : str, optional
        What the function computes, as in `diagnose`; by default it is guessed.
    name : str, optional
        Which function of the code is meant; by default the last one.
    **options
        Further arguments of `diagnose`.

    Returns
    -------
    answer : dict
        With "state": "report" if a function was examined, "kind" if it has to be
        said what it computes, "syntax", "missing", "function" or "raises" if the
        code itself is the problem. "sentence" says it. What a report adds is in
        `told`.

    Examples
    --------
    >>> from softmax_gradients._clinic import answer
    >>> found = answer("-t * (1 - s)")
    >>> found["sentence"]
    "Wrong, by diagonal-jacobian. Only the diagonal of softmax's Jacobian is used."
    """
    if len(code) > LONGEST_CODE:
        return problem(
            "function",
            f"This is too long: {len(code)} characters, of at most {LONGEST_CODE}. "
            "Paste the function and what it calls.",
        )
    text = without_prompts(code)
    try:
        with silent(io.StringIO()):
            tree = ast.parse(text)
    except SyntaxError as error:
        return syntax_problem(error, text)
    except (ValueError, RecursionError, MemoryError) as error:
        return problem("syntax", f"Python cannot read this: {in_words(error)}.")
    run = carried_out(tree)
    libraries = list(dict.fromkeys([*run.missing, *undefined(tree)]))
    notes: list[str] = []
    found = candidates(run.names)
    if not found:
        try:
            found, notes = function_around(tree, run)
        except NoFunctionError as error:
            told_too = [run.problem] if run.problem else []
            return missing(libraries, "", kind) or problem(
                "function", str(error), told_too
            )
    chosen = name if name in found else preferred(found)
    if EXPRESSION in found:
        options = {"rows": "one", **options}
    result = examined(found[chosen], chosen, kind, options)
    if result["state"] != "report" or result["verdict"] == "unusable":
        named = "" if EXPRESSION in found else chosen
        absent = missing(libraries, named, kind) or unknown(tree, run)
        result = absent or result
        notes += [run.problem] if run.problem and not absent else []
    used = [each for each in ("softmax", "log_softmax") if uses(tree, each)]
    if used:
        notes.append(f"Not in your code, so taken from the package: {', '.join(used)}.")
    functions = [] if EXPRESSION in found else list(found)
    notes += result["notes"]
    return {**result, "notes": notes, "name": chosen, "functions": functions}


# The text


def without_prompts(code: str) -> str:
    """Return code without what surrounds it where it was copied from.

    Lines keep their numbers.

    >>> without_prompts(">>> x = 1")
    'x = 1'
    """
    lines = code.expandtabs(4).splitlines()
    if any(line.lstrip().startswith(">>> ") for line in lines):
        lines = [
            found[1] if (found := re.match(r"\s*(?:>>>|\.\.\.) ?(.*)", line)) else ""
            for line in lines
        ]
    lines = ["" if re.match(r"\s*(```|~~~|%|!)", line) else line for line in lines]
    return textwrap.dedent("\n".join(lines))


def problem(
    state: str, sentence: str, notes: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """Return the answer to code that cannot be examined."""
    start = {"state": state, "sentence": sentence, "notes": list(notes)}
    return {**start, "functions": [], **more}


def syntax_problem(error: SyntaxError, text: str) -> dict[str, Any]:
    """Return the answer to what is no Python."""
    lines = text.splitlines()
    line = error.lineno or 1
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    reason = shortened(error.msg)
    return problem(
        "syntax",
        f"Line {line} is not Python: {reason}.",
        line=line,
        code=shown[:LONGEST_NAME],
    )


# Carrying it out


def carried_out(tree: ast.Module) -> Run:
    """Carry out the definitions of a text, each by itself: one that fails is noted."""
    run = Run({"__name__": MODULE, **GIVEN})
    for statement in tree.body:
        if isinstance(statement, DEFINING):
            carry_out(statement, run)
    return run


def carry_out(statement: ast.stmt, run: Run) -> None:
    """Carry out one statement, and note why it fails if it does."""
    module = ast.Module([statement], [])
    try:
        with silent(io.StringIO()):
            exec(compile(module, FILE, "exec"), run.names)
    except ModuleNotFoundError as error:
        run.missing.append(str(error.name).partition(".")[0])
    except (SystemExit, KeyboardInterrupt, Exception) as error:
        told = f"Line {statement.lineno} raises {in_words(error)}."
        run.problem = run.problem or told


def candidates(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what can be examined, by its name, in the order of the text."""
    found: dict[str, Any] = {}
    for name, value in names.items():
        if inspect.isfunction(value) and value.__module__ == MODULE:
            if value.__name__ == "<lambda>":
                value.__name__ = name  # the doctor reads names
            found[name] = value
        elif isinstance(value, functools.partial):
            found[name] = value
        elif getattr(value, "__module__", "") == MODULE and has_steps(value):
            found[name] = layer(value)
    return dict(list(found.items())[-MOST_FUNCTIONS:])


def has_steps(value: Any) -> bool:
    """Tell whether a class or an object goes forwards or backwards."""
    forward = FORWARD[:-1] if inspect.isclass(value) else FORWARD
    return bool(first_method(value, BACKWARD) or first_method(value, forward))


def layer(value: Any) -> Any:
    """Return what the doctor is given of a class or an object.

    A class that can be made without arguments is made. One that only goes forwards
    is that function; the backward method of one that is called forwards is told from
    its call.
    """
    if inspect.isclass(value):
        try:
            with silent(io.StringIO()):
                value = value()
        except Exception:
            return value
    backward = first_method(value, BACKWARD)
    forward = first_method(value, FORWARD[:-1])
    if backward and forward:
        return value
    return getattr(value, backward or forward or "__call__")


def preferred(found: Mapping[str, Any]) -> str:
    """Return the name of the last function that is no helper or test."""
    likely = [name for name in found if not ASIDE.match(name)]
    return (likely or list(found))[-1]


def loaded(tree: ast.AST) -> list[str]:
    """Return the names that code looks up, each once."""
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(names))


def bound(tree: ast.AST) -> set[str]:
    """Return the names that code gives a value, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
    return found


def uses(tree: ast.AST, name: str) -> bool:
    """Tell whether code looks up a name that it does not define."""
    return name in loaded(tree) and name not in bound(tree)


def undefined(tree: ast.AST) -> list[str]:
    """Return the libraries that code uses without an import."""
    return [name for name in LIBRARIES if uses(tree, name)]


def missing(names: list[str], function: str, kind: str | None) -> dict[str, Any]:
    """Return the answer to code that needs a library, or nothing if it needs none."""
    if not names:
        return {}
    library = next((LIBRARIES[name] for name in names if name in LIBRARIES), "")
    return problem(
        "missing",
        f"{library or names[0][:LONGEST_NAME]} is not here: this page has {PRESENT}. "
        "At home, save the code as mine.py where the package is installed, and type",
        command=command(function, kind),
    )


def unknown(tree: ast.AST, run: Run) -> dict[str, Any]:
    """Return the answer to code that looks up what nobody defines, or nothing."""
    known = {*bound(tree), *run.names, *dir(builtins)}
    names = [name for name in loaded(tree) if name not in known]
    if not names:
        return {}
    return problem(
        "raises",
        f"{names[0][:LONGEST_NAME]} is not defined here. Paste what defines it, too.",
    )


def command(function: str, kind: str | None) -> str:
    """Return the command that examines a function in a shell."""
    option = f" --kind {kind}" if kind in KIND_WORDS else ""
    return f"softmax-gradients diagnose mine.py:{function or 'gradient'}{option}"


# Formulas without a function


def function_around(tree: ast.Module, run: Run) -> tuple[dict[str, Any], list[str]]:
    """Return a function of one row made of the lines of a text, and what was assumed.

    Names that the doctor knows become its parameters, even if the text gives them
    numbers; probabilities that it does not compute are softmax of the logits.

    Raises
    ------
    NoFunctionError
        If the text does not say what is computed, or from what.
    """
    kept = [each for each in tree.body if not is_aside(each)]
    lines = [each for each in kept if not gives_data(each)]
    if not lines:
        raise NoFunctionError(
            "There is nothing to examine here. Paste a function, or a formula such "
            "as -t * (1 - s)."
        )
    computed = set().union(*map(bound, lines))
    free = free_names(lines)
    roles = {name: role(name) for name in free}
    strange = [name for name in free if not roles[name] and name not in run.names]
    logits = [name for name in free if roles[name] == "logits"]
    probabilities = [name for name in free if roles[name] == "probabilities"]
    if strange or not (logits or probabilities):
        named = f"{strange[0][:LONGEST_NAME]} is not defined. " if strange else ""
        raise NoFunctionError(
            f"There is no function here, and the lines are none by themselves. {named}"
            "Put them into one, as in\n"
            "def gradient(z, t):\n    return softmax(z) - t"
        )
    first = logits[0] if logits else "z" if "z" not in computed else "logits"
    others = [n for n in free if roles[n] in ("targets", "cotangent", "T")]
    others.sort(key=lambda n: roles[n] == "T")
    made = written_as_function(lines, first, others, logits[1:], probabilities)
    with silent(io.StringIO()):
        exec(compile(made, FILE, "exec"), run.names)
    note = f"Read as a function of {listed_names([first, *others])}, for one row"
    if probabilities:
        note += f", with {listed_names(probabilities)} = softmax({first})"
    return {EXPRESSION: run.names["formula"]}, [f"{note}."]


def free_names(lines: list[ast.stmt]) -> list[str]:
    """Return the names that lines look up before they give them a value."""
    found: dict[str, None] = {}
    known = {*GIVEN, *dir(builtins)}
    for line in lines:
        # What a comprehension or a lambda binds is its own.
        inner = bound(line.value) if hasattr(line, "value") else set()
        updated = line.target if isinstance(line, ast.AugAssign) else None
        for node in ast.walk(line):
            if isinstance(node, ast.Name) and (
                isinstance(node.ctx, ast.Load) or node is updated
            ):
                found |= {} if node.id in known | inner else {node.id: None}
        known |= bound(line)
    return list(found)


def is_aside(statement: ast.stmt) -> bool:
    """Tell whether a statement says nothing about what is computed."""
    if isinstance(statement, ast.Expr):
        value = statement.value
        called = value.func if isinstance(value, ast.Call) else None
        printing = isinstance(called, ast.Name) and called.id in ("print", "display")
        return printing or isinstance(value, ast.Constant)
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)
    return not isinstance(statement, kinds) or statement.value is None


def gives_data(statement: ast.stmt) -> bool:
    """Tell whether a statement gives a name of the doctor's numbers to start from."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target = statement.targets[0]
    names = [each for each in loaded(statement.value) if each not in GIVEN]
    return isinstance(target, ast.Name) and role(target.id) != "" and not names


def role(name: str) -> str:
    """Return what a name stands for in a formula, or ""."""
    if is_temperature(name):
        return "T"
    meanings = {
        "logits": LOGITS,
        "probabilities": PROBABILITIES,
        "targets": TARGETS,
        "cotangent": COTANGENTS,
    }
    return next((word for word, names in meanings.items() if says(name, names)), "")


def written_as_function(
    lines: list[ast.stmt],
    first: str,
    others: list[str],
    same: list[str],
    probabilities: list[str],
) -> ast.Module:
    """Return the definition of `formula`, whose body is the lines."""
    defined = [f"    {name} = {first}" for name in same]
    temperature = next((name for name in others if is_temperature(name)), "")
    scaled = f"{first} / {temperature}" if temperature else first
    defined += [f"    {name} = softmax({scaled})" for name in probabilities]
    head = f"def formula({', '.join([first, *others])}):"
    module = ast.parse("\n".join([head, *(defined or ["    pass"])]))
    *before, last = lines
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body += [*before, *returned(last)]
    return ast.fix_missing_locations(module)


def returned(last: ast.stmt) -> list[ast.stmt]:
    """Return the statements that give the value of the last line."""
    if isinstance(last, ast.Return):
        return [last]
    if isinstance(last, ast.Expr):
        return [ast.Return(last.value)]
    target = last.targets[0] if isinstance(last, ast.Assign) else None
    target = getattr(last, "target", target)
    name = target.id if isinstance(target, ast.Name) else ""
    if not name:
        raise NoFunctionError(
            "The last line does not say what is computed. End with the formula itself."
        )
    return [last, ast.Return(ast.Name(name, ast.Load()))]


def listed_names(names: list[str]) -> str:
    """Return names with "and" before the last.

    >>> listed_names(["z", "t", "T"])
    'z, t and T'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


# The answer


def examined(
    function: Any, name: str, kind: str | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the answer on one function."""
    if inspect.isclass(function):
        return problem(
            "raises",
            f"{name[:LONGEST_NAME]}() could not be made without arguments. Add a line "
            f"that makes one, as in: mine = {name[:LONGEST_NAME]}(...)",
        )
    report = diagnose(function, kind, **options)
    if report.kind not in KIND_WORDS:
        return not_guessed(function, options)
    whole = report
    if report.one_row and "rows" not in options:
        # The mistake that one row shows is the one to begin with.
        alone = diagnose(function, report.kind, rows="one", **options)
        report = alone if alone.verdict == "mistake" else report
    return told(report, whole, kind is None)


def not_guessed(function: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the answer on a function that may be of several kinds: a question."""
    kinds = guessed_kinds(function)
    report = diagnose(function, kinds[0], **options)
    reason = f"{sentence(report)} " if report.verdict == "unusable" else ""
    return problem(
        "kind",
        f"{reason}What does it compute? Neither its names nor its results tell. "
        "It may be",
        choices=[{"kind": each, "words": KIND_WORDS[each]} for each in kinds],
        notes=why(report),
        report=str(report),
    )


def why(report: Report) -> list[str]:
    """Return what went wrong in the call of a function that cannot be examined."""
    return list(report.findings[1:2]) if report.verdict == "unusable" else []


def told(report: Report, whole: Report, guessed: bool) -> dict[str, Any]:
    """Return a report as data for the page.

    `whole` is the report on batches, where `report` is on one row.
    """
    extra = [m.slug for m in whole.leading() if m not in report.leading()]
    notes = why(report) if report is whole else [batch_note(whole, extra)]
    notes += [each for each in whole.findings if each.startswith(OTHERS)]
    return {
        "state": "report",
        "verdict": report.verdict,
        "sentence": sentence(report),
        "kind": report.kind,
        "kind_words": KIND_WORDS[report.kind],
        "guessed": guessed,
        "example": None if report.example is None else bars(report.example),
        "lines": lines(report),
        "links": links(report),
        "notes": notes,
        "report": str(whole),
    }


def batch_note(whole: Report, extra: list[str]) -> str:
    """Return what a batch of rows adds to the mistake of one row."""
    unless = next((m.right_if for m in whole.mistakes if m.slug in extra), "")
    end = f", unless {unless}" if unless else ""
    names = f" also {listed_names(extra)}{end}" if extra else " see the full report"
    return f"For one row at a time. On a batch of rows{names}."


def sentence(report: Report) -> str:
    """Return the one sentence, without the line of code that is shown beside it."""
    if report.verdict == "right":
        return f"Right: it computes {KIND_WORDS[report.kind]}."
    text = report.judgement.removesuffix(f" Write {RIGHT_LINES[report.kind]}.")
    return text[0].upper() + text[1:]


def bars(example: Example) -> dict[str, Any]:
    """Return an example as numbers that stand side by side, and their labels.

    Of a large one, the part that is furthest off.
    """
    yours, right = example.yours, example.right
    places: tuple[int, ...] = ()
    while yours.size > MOST_BARS and yours.ndim > 1:
        off = np.abs(np.nan_to_num(yours - right, nan=np.inf))
        row = int(off.reshape(len(off), -1).max(axis=1).argmax())
        yours, right, places = yours[row], right[row], (*places, row)
    axes = [axis for axis, length in enumerate(yours.shape) if length > 1]
    cells = np.ndindex(*[yours.shape[axis] for axis in axes])
    return {
        "call": example.call(),
        "yours": listed(yours.reshape(-1)[:MOST_BARS]),
        "right": listed(right.reshape(-1)[:MOST_BARS]),
        "labels": [",".join(map(str, cell)) for cell in cells][:MOST_BARS],
        "row": list(places),
        "yours_text": show(example.yours),
        "right_text": show(example.right),
    }


def to_change(report: Report) -> list[Mistake]:
    """Return the mistakes of a report, those first that nothing excuses."""
    if report.verdict != "mistake":
        return []
    return sorted(report.leading(), key=report.excused)


def lines(report: Report) -> list[dict[str, str]]:
    """Return the wrong and the right line: code, or a formula where there is none."""
    right = RIGHT_LINES[report.kind]
    if report.verdict == "unknown":
        return [{"word": "right", "code": with_names(right)}]
    for mistake in to_change(report)[:1]:
        code = dict(report.code(mistake))
        wrong = code.get("code", plain(mistake.wrong))
        right = with_names(right)
        if mistake.numerical:
            right = right.replace(f"{WHERE['q']}\n", SHIFTED)
        return [{"word": "wrong", "code": wrong}, {"word": "right", "code": right}]
    return []


def with_names(line: str) -> str:
    """Return a line of code below the lines that define its names."""
    used = set(re.findall(r"\w+", line))
    return "\n".join([*(text for name, text in WHERE.items() if name in used), line])


def links(report: Report) -> list[dict[str, str]]:
    """Return the sections that explain a report: a page of the book, and its anchor."""
    found = []
    for mistake in to_change(report):
        chapter, _, anchor = mistake.page.partition("#")
        words = f"{chapter}, {anchor}".replace("-", " ")
        found.append(link(f"{mistake.slug}: {words}", chapter, anchor))
        entry = f"{mistake.slug} in the catalogue"
        found.append(link(entry, "mistakes", mistake.slug))
    return found or [link("The gradient doctor", "gradient-doctor", "")]


def link(text: str, page: str, anchor: str) -> dict[str, str]:
    """Return one link."""
    return {"text": text, "page": page, "anchor": anchor}
