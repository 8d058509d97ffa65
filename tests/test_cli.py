"""The doctor from a shell."""

import doctest
import errno
import inspect
import io
import json
import os
import runpy
import subprocess
import sys

import pytest

import softmax_gradients.__main__ as program
import softmax_gradients._shell as shell
import softmax_gradients._site as site
from softmax_gradients import __version__
from softmax_gradients._clinic import KIND_WORDS
from softmax_gradients._isolation import DoctorError
from softmax_gradients._named import READ_FROM_FILE, FunctionNameError, named
from softmax_gradients._shell import (
    STATUS,
    STATUSES,
    FunctionName,
    descriptions,
    drop_output,
    examine,
    main,
    parser,
    value_of,
)
from softmax_gradients.doctor import Report, diagnose

CODE = """
import numpy as np
import neighbour

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def right(z, t):
    print("noise")
    return (softmax(z) * t.sum(axis=1, keepdims=True) - t) / len(z)

def wrong(z, t):
    return -t * (1 - softmax(z)) / len(z)

def unknown(z, t):
    return softmax(z) ** 2 - t

def leaves(z, t):
    raise SystemExit(0)

def array(z):
    return z

class Holder:
    right = staticmethod(right)

    def method(self, z, t):
        return right(z, t)

holder = Holder()
number = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    files = {
        "readers_code.py": CODE,
        "neighbour.py": "",
        "broken_code.py": "raise RuntimeError('broken')",
        "needing_code.py": "import not_installed_here",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in (READ_FROM_FILE, *(name.removesuffix(".py") for name in files)):
        sys.modules.pop(name, None)


def command(function, *options):
    return ["diagnose", function, "--kind", "gradient", *options]


@pytest.mark.parametrize("path", ["right", "Holder.right", "holder.method"])
@pytest.mark.parametrize("module", ["readers_code", "readers_code.py"])
def test_a_right_function_gives_0(module, path, capsys):
    assert main(command(f"{module}:{path}")) == 0
    output = capsys.readouterr().out
    assert output.startswith("gradient: right.")
    assert "noise" not in output


@pytest.mark.parametrize("kind", KIND_WORDS)
def test_every_kind_of_the_doctor_can_be_stated(kind, folder, capsys):
    (folder / "neighbour.py").write_text("def f(z, *more): return 'no array'")
    assert main(["diagnose", "neighbour.py:f", "--kind", kind]) == STATUS["unusable"]
    assert f" {kind}" in " ".join(described_help().split())


@pytest.mark.parametrize(
    ("name", "status"), [("wrong", 3), ("unknown", 5), ("leaves", 6)]
)
def test_each_verdict_has_a_status(name, status, capsys):
    assert main(command(f"readers_code.py:{name}")) == status
    assert capsys.readouterr().out.startswith("gradient: ")


def test_the_statuses_are_documented_and_differ():
    for verdict, status in STATUS.items():
        assert f"  {status}  {verdict}" in STATUSES
    assert len({1, 2, *STATUS.values()}) == 2 + len(STATUS)


def test_a_mistake_is_named_with_the_address_of_its_chapter(capsys, monkeypatch):
    for module in ("_site", "_shell"):
        monkeypatch.setattr(
            f"softmax_gradients.{module}.base_address", lambda: "https://example.org/"
        )
    main(command("readers_code.py:wrong"))
    assert capsys.readouterr().out.endswith(
        "Chapter: https://example.org/book/summation-mistake.html#the-step-that-fails\n"
    )


def test_the_address_comes_from_the_package(monkeypatch):
    told = {"Project-URL": ["Source, https://s", "Documentation, https://d/"]}

    class Metadata:
        def get_all(self, name):
            return told.get(name)

    monkeypatch.setattr(site, "metadata", lambda name: Metadata())
    assert site.chapter_address("fast") == "https://d/book/fast.html"
    assert site.chapter_address("mistakes", "x") == "https://d/book/mistakes.html#x"
    told["Project-URL"].pop()
    assert site.chapter_address("fast") == "book/fast"
    assert site.chapter_address("mistakes", "x") == "book/mistakes#x"

    def missing(name):
        raise site.PackageNotFoundError

    monkeypatch.setattr(site, "metadata", missing)
    assert site.base_address() == ""


def test_an_option_for_each_argument_of_the_doctor():
    help_text = parser().parse_args
    given = help_text(command("m:f", "--seed", "3", "--no-sequences", "--rows=one"))
    assert (given.seed, given.sequences, given.rows) == (3, False, "one")
    _, _, *names = inspect.signature(diagnose).parameters
    text = described_help()
    for name in names:
        assert f"--{name.replace('_', '-')}" in text
    assert "One of batch, one." in text


def described_help():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.StringIO())
        assert main(["diagnose", "--help"]) == 0
        return sys.stdout.getvalue()


def test_every_option_has_help(capsys):
    described = descriptions(inspect.getdoc(diagnose))
    assert all(described[n].text for n in inspect.signature(diagnose).parameters)
    assert descriptions("No parameters.") == {}
    assert "exit status" in described_help()


@pytest.mark.parametrize(
    ("text", "value"), [("0.1", 0.1), ("1,2", (1, 2)), ("sum", "sum"), ("a b", "a b")]
)
def test_values_of_options(text, value):
    assert value_of(text) == value


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(shell).failed == 0


def test_times_and_sizes_are_positive():
    assert parser().parse_args(command("m:f", "--timeout", "2.5")).timeout == 2.5


def test_json(capsys):
    assert main(command("readers_code:wrong", "--json", "--seed=1")) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["verdict"] == "mistake"
    assert report["mistakes"][0]["slug"] == "diagonal-jacobian"
    assert report["example"]["yours"] != report["example"]["right"]


def test_json_of_a_function_that_prints(capsys):
    assert main(command("readers_code:right", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "right"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["readers_code", "--kind", "gradient"], "mine.py:function, got 'readers_code"),
        (["no_such_module:f", "--kind", "gradient"], "find the module 'no_such_mod"),
        (["no_such_file.py:f", "--kind", "gradient"], "cannot find the file"),
        (["readers_code:none", "--kind", "gradient"], "cannot find 'readers_code:none"),
        (["readers_code:number", "--kind", "gradient"], "must be a function, got 3"),
        (["readers_code:right", "--kind", "gardient"], "invalid choice: 'gardient'"),
        (["readers_code:right", "--kind=gradient", "--rows=ten"], "rows must be"),
        (["readers_code:right", "--kind=gradient", "--seed=-1"], "non-negative"),
        (["readers_code:right", "--kind=gradient", "--timeout=-1"], "invalid positive"),
        (["readers_code:right", "--kind=gradient", "--timeout=a"], "invalid positive"),
    ],
)
def test_what_cannot_be_understood_gives_2(arguments, told, capsys):
    assert main(["diagnose", *arguments]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert not captured.out


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("broken_code", "Importing it raises RuntimeError: broken."),
        ("needing_code", "ModuleNotFoundError: No module named 'not_installed_here'"),
    ],
)
def test_a_module_that_fails_is_unusable(module, told, capsys):
    assert main(command(f"{module}:f")) == 6
    assert told in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit()",
        "import os; os._exit(0)",
        "import ctypes; ctypes.string_at(0)",
        "f = lambda: f()\nf()",
        "raise KeyboardInterrupt",
    ],
)
def test_a_module_that_ends_python_is_unusable(code, folder, capsys):
    (folder / "ending.py").write_text(code, "utf-8")
    assert main(command("ending.py:f")) == 6
    assert capsys.readouterr().out.startswith("gradient: it could not be checked.")


def test_a_process_that_is_started_anew(monkeypatch, capsys):
    monkeypatch.setattr("softmax_gradients._isolation.FORKS", False)
    assert main(command("readers_code:wrong", "--timeout=60")) == 3


def test_what_the_process_does_can_be_done_here():
    """The same calls, in this process."""
    report = examine("readers_code.py:right", {"kind": "gradient"})
    assert report.ok
    assert examine("broken_code:f", {"kind": "gradient"}).verdict == "unusable"
    with pytest.raises(FunctionNameError, match="must be a function"):
        examine("readers_code:number", {"kind": "gradient"})
    to_array = FunctionName("readers_code:array")
    options = {"kind": "gradient", "to_array": to_array}
    assert examine("readers_code:right", options).ok
    with pytest.raises(FunctionNameError, match="cannot find"):
        examine("readers_code:Holder.left", {"kind": "gradient"})
    for name in ("readers_code", "no_such_module:f", "no_such_file.py:f"):
        with pytest.raises(FunctionNameError, match=name.partition(":")[0]):
            named(name)
    with pytest.raises(ModuleNotFoundError):
        named("needing_code:f")


def test_help_and_version_give_0(capsys):
    assert main(["--help"]) == 0
    assert "diagnose" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"softmax-gradients {__version__}\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("name", "colour"), [("right", "32"), ("wrong", "31"), ("convention", "33")]
)
def test_a_terminal_has_colour(name, colour, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if name == "convention":
        monkeypatch.setattr(
            "softmax_gradients._shell.examined_apart",
            lambda *_, **__: Report("gradient", "convention"),
        )
    main(command(f"readers_code:{name}"))
    assert sys.stdout.getvalue().startswith(f"\033[{colour}mgradient: ")


@pytest.mark.parametrize(
    ("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("", "")]
)
def test_colour_can_be_turned_off(variable, value, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal() if variable else io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if variable:
        monkeypatch.setenv(variable, value)
    main(command("readers_code:wrong"))
    assert "\033" not in sys.stdout.getvalue()


class Full(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_output_that_cannot_be_written_is_no_verdict(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(command("readers_code:wrong")) == 1
    assert "No space left" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", Full())
    assert main(command("readers_code:wrong")) == 1


def test_what_could_not_be_written_is_dropped(monkeypatch, folder):
    copied = []
    monkeypatch.setattr(os, "dup2", lambda source, target: copied.append(target))
    with open(folder / "output", "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        drop_output()
        assert copied == [output.fileno()]


def test_a_failure_of_the_doctor_is_no_verdict(monkeypatch, capsys):
    def failing(*_, **__):
        raise DoctorError("a traceback")

    monkeypatch.setattr("softmax_gradients._shell.examined_apart", failing)
    assert main(command("readers_code:wrong")) == 1
    assert "a traceback" in capsys.readouterr().err


def test_without_an_output_the_status_tells(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(command("readers_code:wrong")) == 3


def in_a_shell(*arguments, stdout=subprocess.PIPE, **environment):
    program = [sys.executable, "-W", "error", "-m", "softmax_gradients"]
    return subprocess.run(
        [*program, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_from_a_shell():
    done = in_a_shell(*command("readers_code:wrong"))
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("gradient: ")
    assert "diagonal-jacobian" in done.stdout
    assert not done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_in_a_shell():
    with open("/dev/full", "w") as full:
        done = in_a_shell(*command("readers_code:wrong"), stdout=full)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


def test_a_closed_pipe_in_a_shell():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = in_a_shell(*command("readers_code:wrong"), stdout=closed)
    assert done.returncode == 1


def test_text_that_the_terminal_cannot_show(folder):
    code = "def f(z, t):\n    raise ValueError('\\u2211')"
    (folder / "symbols.py").write_text(code, "utf-8")
    done = in_a_shell(*command("symbols.py:f"), PYTHONIOENCODING="ascii")
    assert done.returncode == 6
    assert "\\u2211" in done.stdout


def test_the_module_exits_with_the_status(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["softmax_gradients", "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(program.__file__, run_name="__main__")
    assert stop.value.code == 0
    assert "diagnose" in capsys.readouterr().out
