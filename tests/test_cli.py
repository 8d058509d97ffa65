"""The doctor from a shell."""

import json
import runpy
import subprocess
import sys

import pytest

from softmax_gradients.__main__ import main

CODE = """
import numpy as np

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def right(z, t):
    return (softmax(z) * t.sum(axis=1, keepdims=True) - t) / len(z)

def wrong(z, t):
    return -t * (1 - softmax(z)) / len(z)

def one_row(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e)

class Holder:
    right = staticmethod(right)

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "readers_code.py").write_text(CODE, "utf-8")
    (tmp_path / "broken_code.py").write_text("raise RuntimeError('broken')", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("readers_code", None)


@pytest.mark.parametrize("path", ["right", "Holder.right"])
def test_a_right_function_gives_0(path, capsys):
    assert main(["diagnose", f"readers_code:{path}", "--kind", "gradient"]) == 0
    assert capsys.readouterr().out.startswith("gradient: right.")


def test_a_wrong_function_gives_1(capsys):
    assert main(["diagnose", "readers_code:wrong", "--kind", "gradient"]) == 1
    assert "diagonal-jacobian" in capsys.readouterr().out


def test_one_row_can_be_asked_for(capsys):
    command = ["diagnose", "readers_code:one_row", "--kind", "softmax"]
    assert main(command) == 1
    assert "--rows one" in capsys.readouterr().out
    assert main([*command, "--rows", "one"]) == 0


def test_json(capsys):
    main(["diagnose", "readers_code:wrong", "--kind=gradient", "--json", "--seed=1"])
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["mistakes"][0]["slug"] == "diagonal-jacobian"
    assert report["example"]["yours"] != report["example"]["right"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["readers_code", "--kind", "gradient"], "module:function, got 'readers_code'"),
        (["no_such_module:f", "--kind", "gradient"], "ModuleNotFoundError"),
        (["broken_code:f", "--kind", "gradient"], "RuntimeError: broken"),
        (["readers_code:none", "--kind", "gradient"], "AttributeError"),
        (["readers_code:number", "--kind", "gradient"], "must be a function, got 3"),
        (["readers_code:right", "--kind", "gardient"], "invalid choice: 'gardient'"),
        (["readers_code:right"], "required: --kind"),
    ],
)
def test_what_cannot_be_used_gives_2(arguments, told, capsys):
    assert main(["diagnose", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_help_gives_0(capsys):
    assert main(["--help"]) == 0
    assert "diagnose" in capsys.readouterr().out


def test_from_a_shell(module):
    command = [sys.executable, "-W", "error", "-m", "softmax_gradients", "diagnose"]
    done = subprocess.run(
        [*command, "readers_code:wrong", "--kind", "gradient"],
        cwd=module,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("gradient: wrong, by a known mistake.")
    assert not done.stderr


def test_the_module_exits_with_the_status(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["softmax_gradients", "--help"])
    monkeypatch.delitem(sys.modules, "softmax_gradients.__main__")
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("softmax_gradients", run_name="__main__")
    assert stop.value.code == 0
    assert "diagnose" in capsys.readouterr().out
