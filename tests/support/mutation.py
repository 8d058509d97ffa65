"""Change one thing in the code, and see whether a test fails.

    python -m tests.support.mutation --group numeric --count 150 --seed 20261125
    python -m tests.support.mutation --patch src/softmax_gradients/linear.py OLD NEW

Every possible change of the group's files is listed, and `--count` of them are drawn,
each with the same chance. A change runs in a copy of the tree: first the tests of its
own module, by name, then, if they pass, all others. What survives either changes no
result or shows a test that is missing.

mutmut and cosmic-ray were looked at first. Neither draws a sample with a seed or runs
the module's own tests before the rest, and that order makes it affordable here.
"""

import argparse
import ast
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "src/softmax_gradients"
# What judges or names, and what draws or proves, is apart from what computes.
JUDGING = ("doctor", "mistakes", "_isolation", "_shell", "_site", "__main__")
NOT_NUMERIC = (*JUDGING, "symbolic", "explorer", "plots")
LEFT_BEHIND = (".git", ".venv", ".cache", "_build", "node_modules", "*.egg-info")
CACHES = ("__pycache__", ".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache")
# These know every public function: they are asked second, whatever the module.
EVERYWHERE = "tests/test_public_paths.py"

ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}


@dataclass
class Mutant:
    """One change: the text `before` at a place of a file becomes `after`."""

    file: str
    line: int
    start: int
    end: int
    operator: str
    before: str
    after: str
    verdict: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        before, after = (" ".join(t.split())[:60] for t in (self.before, self.after))
        return f"{self.file}:{self.line} {self.operator}: {before}  ->  {after}"

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutants_of(path: Path, root: Path = ROOT) -> list[Mutant]:
    """Return every change of a file that still compiles."""
    source = path.read_bytes()
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    found = {}
    for node, operator, after in changes(ast.parse(source)):
        start = begins[node.lineno - 1] + node.col_offset
        end = begins[node.end_lineno - 1] + node.end_col_offset
        before = source[start:end].decode()
        mutant = Mutant(
            str(path.relative_to(root)),
            node.lineno,
            start,
            end,
            operator,
            before,
            after,
        )
        try:
            tree = ast.parse(mutant.applied(source))
        except SyntaxError:
            continue
        if ast.dump(tree) != ast.dump(ast.parse(source)):
            found[start, end, after] = mutant
    return list(found.values())


def changes(tree: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
    """Yield nodes, what is done to them and the text that replaces theirs."""
    for node in visited(tree):
        for operator, after in changes_of(node):
            text = ast.unparse(after)
            yield node, operator, f"({text})" if isinstance(node, ast.expr) else text


def visited(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but docstrings, annotations, messages of errors and imports."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            skipped = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)
            if (
                isinstance(child, ast.AST)
                and not text
                and not isinstance(child, skipped)
            ):
                yield child
                yield from visited(child)


def changes_of(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield what can be done to one node."""
    match node:
        case ast.BinOp(left, operation, right) if type(operation) in ARITHMETIC:
            new = ARITHMETIC[type(operation)]()
            yield "arithmetic", ast.BinOp(left, new, right)
        case ast.AugAssign(target, operation, value):
            if type(operation) in ARITHMETIC:
                new = ARITHMETIC[type(operation)]()
                yield "arithmetic", ast.AugAssign(target, new, value)
            yield "statement dropped", ast.Pass()
        case ast.Compare(left, [operation], right):
            for other in COMPARISONS[type(operation)]:
                yield "comparison", ast.Compare(left, [other()], right)
        case ast.BoolOp(operation, values):
            new = ast.Or() if isinstance(operation, ast.And) else ast.And()
            yield "and/or", ast.BoolOp(new, values)
            for dropped in range(len(values)):
                rest = values[:dropped] + values[dropped + 1 :]
                whole = rest[0] if len(rest) == 1 else ast.BoolOp(operation, rest)
                yield "operand dropped", whole
        case ast.UnaryOp(_, operand):
            yield "sign dropped", operand
        case ast.Constant(bool() as value):
            yield "constant", ast.Constant(not value)
        case ast.Constant(int() as value):
            yield from (("off by one", ast.Constant(value + d)) for d in (1, -1))
        case ast.Constant(float() as value):
            yield from (("constant", ast.Constant(value * f)) for f in (2.0, 0.5))
        case ast.Call(function, arguments, keywords):
            for dropped, keyword in enumerate(keywords):
                rest = keywords[:dropped] + keywords[dropped + 1 :]
                kind = "axis dropped" if keyword.arg == "axis" else "keyword dropped"
                yield kind, ast.Call(function, arguments, rest)
            if isinstance(function, ast.Attribute) and not is_module(function.value):
                yield "call dropped", function.value
            elif arguments and not isinstance(arguments[0], ast.Starred):
                yield "call dropped", arguments[0]
        case ast.IfExp(_, body, orelse):
            yield from (("condition", each) for each in (body, orelse))
        case ast.Expr(ast.Call()):
            yield "statement dropped", ast.Pass()


def is_module(node: ast.AST) -> bool:
    """Say whether a function is one of a module, as np.exp, not of a value."""
    return isinstance(node, ast.Name) and node.id in ("np", "math", "ast", "json", "re")


def files_of(group: str, root: Path = ROOT) -> list[Path]:
    """Return the files of a group, whatever they are called at the moment."""
    package = sorted((root / PACKAGE).rglob("*.py"))
    if group != "numeric":
        taken = [path for path in package if is_in(path, JUDGING, root)]
        return taken + [
            path
            for folder in ("tools", "book/_ext")
            for path in sorted((root / folder).rglob("*.py"))
        ]
    return [path for path in package if not is_in(path, NOT_NUMERIC, root)]


def is_in(path: Path, names: tuple[str, ...], root: Path) -> bool:
    return path.relative_to(root / PACKAGE).with_suffix("").parts[0] in names


def own_tests(file: str, root: Path = ROOT) -> list[str]:
    """Return the test files of a module: by its name and its folder's, or its users."""
    path = Path(file)
    names = [path.parent.name] if path.stem == "__init__" else [path.stem]
    if path.parent.name not in ("softmax_gradients", "tools", "_ext"):
        names.append(path.parent.name)
    every = sorted((root / "tests").rglob("test_*.py"))
    tests = [test for test in every if "site" not in test.parts]
    starts = tuple(f"test_{name.strip('_')}" for name in names)
    own = [test for test in tests if test.stem.startswith(starts)]
    if not own:
        uses = (f"{path.parent.name}.{path.stem}", f"import {path.stem}")
        own = [t for t in tests if any(use in t.read_text("utf-8") for use in uses)]
    return [str(test.relative_to(root)) for test in own]


class Copy:
    """A copy of the tree in which one file at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        ignored = shutil.ignore_patterns(*LEFT_BEHIND, *CACHES)
        shutil.copytree(ROOT, self.root, ignore=ignored, symlinks=True)

    def run(self, arguments: list[str], timeout: float) -> str:
        """Return "passed", "failed" or "timeout" for a run of pytest."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        environment = os.environ | {
            "PYTHONPATH": str(self.root / "src"),
            # A file of the same size within one second would be taken for the old one.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with subprocess.Popen(
            command + arguments,
            cwd=self.root,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                # The tests start programs of their own: end the session as a whole.
                os.killpg(process.pid, 9)
                return "timeout"
        # Status 5 says that there was no test.
        return "passed" if status in (0, 5) else "failed"

    def check(self, mutants: list[Mutant], options: argparse.Namespace) -> None:
        """Stop unless the tests pass without a change: else each would seem killed."""
        named = {name for mutant in mutants for name in own_tests(mutant.file)}
        asked = [*sorted(named), EVERYWHERE] if options.quick else ["tests"]
        if self.run([*asked, *options.pytest], 10 * options.timeout) != "passed":
            raise SystemExit(f"without a change these tests fail: {' '.join(asked)}")

    def judge(self, mutant: Mutant, options: argparse.Namespace) -> Mutant:
        """Fill in the verdict on a mutant."""
        path, began = self.root / mutant.file, time.monotonic()
        source = path.read_bytes()
        path.write_bytes(mutant.applied(source))
        try:
            mutant.verdict = self.verdict(mutant, options)
        finally:
            path.write_bytes(source)
        mutant.seconds = round(time.monotonic() - began, 1)
        return mutant

    def verdict(self, mutant: Mutant, options: argparse.Namespace) -> str:
        own = own_tests(mutant.file, self.root)
        steps = [("own tests", own)] if own else []
        if mutant.file.startswith(PACKAGE):
            steps.append(("public paths", [EVERYWHERE]))
        if not options.quick:
            seen = [f"--ignore={name}" for name in (*own, EVERYWHERE)]
            steps.append(("other tests", ["tests", *seen]))
        for name, arguments in steps:
            result = self.run([*arguments, *options.pytest], options.timeout)
            if result != "passed":
                return f"killed by {name}" + (" (timeout)" * (result == "timeout"))
        return "survived"


def by_hand(file: str, before: str, after: str) -> Mutant:
    """Return the mutant that replaces a text which occurs once in a file."""
    source = (ROOT / file).read_text("utf-8")
    if source.count(before) != 1:
        raise SystemExit(f"{before!r} is {source.count(before)} times in {file}")
    start = len(source[: source.index(before)].encode())
    line = source[: source.index(before)].count("\n") + 1
    end = start + len(before.encode())
    return Mutant(file, line, start, end, "by hand", before, after)


def chosen(options: argparse.Namespace) -> list[Mutant]:
    """Return the mutants that the options ask for."""
    if options.patch:
        return [by_hand(*each) for each in options.patch]
    every = [mutant for path in files_of(options.group) for mutant in mutants_of(path)]
    every = [m for m in every if any(part in m.file for part in options.only or [""])]
    sample = random.Random(options.seed).sample(every, min(options.count, len(every)))
    print(f"{len(sample)} of {len(every)} mutants, seed {options.seed}", flush=True)
    return sample


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--group", choices=("numeric", "others"), default="numeric")
    parser.add_argument("--only", nargs="*", help="parts of the names of files")
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--patch", nargs=3, action="append", metavar="FILE OLD NEW")
    parser.add_argument("--quick", action="store_true", help="leave out other tests")
    parser.add_argument("--timeout", type=float, default=600, help="of each run, in s")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pytest", nargs="*", default=[], help="more of its options")
    parser.add_argument("--json", type=Path, help="where to write the report")
    options = parser.parse_args(arguments)
    mutants = chosen(options)
    with tempfile.TemporaryDirectory() as folder:
        every = [Copy(Path(folder) / str(number)) for number in range(options.workers)]
        every[0].check(mutants, options)
        copies: queue.Queue[Copy] = queue.Queue()
        for copy in every:
            copies.put(copy)

        def judged(mutant: Mutant) -> Mutant:
            copy = copies.get()
            try:
                copy.judge(mutant, options)
            finally:
                copies.put(copy)
            print(f"{mutant.verdict} ({mutant.seconds} s)  {mutant}", flush=True)
            return mutant

        with ThreadPoolExecutor(options.workers) as pool:
            done = list(pool.map(judged, mutants))
    survivors = [mutant for mutant in done if mutant.verdict == "survived"]
    print(f"\n{len(done) - len(survivors)} of {len(done)} killed; survivors:")
    print(*(survivors or ["none"]), sep="\n")
    if options.json:
        report = {"seed": options.seed, "mutants": [asdict(each) for each in done]}
        options.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
