"""The programs in the tabs of the chapters print what the cell above them prints.

A tab-set follows a code cell. Each of its tabs holds one program, in NumPy, PyTorch or
JAX, that can be copied and run alone. The numbers that it prints are the last numbers
of the cell's stored output, up to the precision in which they are printed.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
TABS = re.compile(r"^(:{4,})\{tab-set\}$(.*?)^\1$", re.MULTILINE | re.DOTALL)
TAB = re.compile(
    r"^(:{3,})\{tab-item\} ([^\n]+)\n```python\n(.*?)^```\n\1$",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")


def numbers(text):
    return [float(number) for number in NUMBER.findall(text)]


def tab_sets(path):
    """Give the programs of each tab-set by name, and the output of the cell above."""
    shown = ""
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            shown = "".join(
                "".join(output.get("text", "")) for output in cell["outputs"]
            )
        for found in TABS.finditer(source):
            yield {name: code for _, name, code in TAB.findall(found[2])}, shown


SETS = {
    f"{path.stem}-{number}": found
    for path in sorted(BOOK.glob("*.ipynb"))
    for number, found in enumerate(tab_sets(path))
}
every_set = pytest.mark.parametrize(("programs", "shown"), SETS.values(), ids=SETS)


def output_of(program):
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def agree(program, shown):
    """Run a program and compare its numbers with the end of what a cell printed."""
    printed = numbers(output_of(program))
    assert printed
    expected = numbers(shown)[-len(printed) :]
    # Both are rounded to four places or more.
    return printed == pytest.approx(expected, abs=1e-4)


def test_there_are_tabs():
    assert "softmax-jacobian-0" in SETS


@every_set
def test_each_tab_is_one_program(programs, shown):
    assert list(programs) == ["NumPy", "PyTorch", "JAX"]
    for program in programs.values():
        compile(program, "tab", "exec")
        assert max(map(len, program.splitlines())) <= 72


def test_no_tab_set_is_passed_over():
    written = sum(
        path.read_text("utf-8").count("{tab-item}") for path in BOOK.glob("*.ipynb")
    )
    assert written == sum(len(programs) for programs, _ in SETS.values())


@every_set
def test_the_numpy_program_prints_what_the_cell_prints(programs, shown):
    assert agree(programs["NumPy"], shown)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["PyTorch", "JAX"])
@every_set
def test_the_other_programs_print_it_too(programs, shown, name):
    assert agree(programs[name], shown)


@pytest.mark.peers
@pytest.mark.parametrize(("name", "module"), [("PyTorch", "torch"), ("JAX", "jnp")])
@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_padding_left_out_after_the_softmax_has_a_gradient_of_nan(name, module, bad):
    """As the chapter says above its programs; the other rows are right."""
    programs, shown = SETS["what-the-mean-is-over-0"]
    padding = "[9.0, 9.0, -9.0, 9.0]"
    assert programs[name].count(padding) == 1
    program = programs[name].replace(padding, f"[{module}.{bad}, 9.0, -9.0, 9.0]")
    printed = output_of(program)
    assert printed.count("nan") == 4
    *gradient, loss = numbers(shown)[-13:]
    assert numbers(printed) == pytest.approx([*gradient[:8], loss], abs=1e-4)


def test_a_wrong_program_is_found():
    _, shown = SETS["softmax-jacobian-0"]
    assert not agree("print([0.4806, -0.0704, -0.2711, -0.1393])", shown)
    assert agree("print([0.4806, -0.0704, -0.2711, -0.1391])", shown)
