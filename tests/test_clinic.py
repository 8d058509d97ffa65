"""The clinic's answers to code as people paste it, without a browser."""

import doctest
import json

import numpy as np
import pytest
from _ext.live.clinic import EXAMPLES, fragment

import softmax_gradients as sg
import softmax_gradients._clinic as _clinic
from softmax_gradients._clinic import (
    KIND_WORDS,
    LONGEST_CODE,
    answer,
    answer_as_text,
)
from softmax_gradients.mistakes._steps import KINDS
from tests.support.doctor_cases import CASES, NOW
from tests.support.pasted import pasted

HANDED_OVER = [case for case in CASES if case.native is not None]
# What the doctor takes for another kind, or asks for, when it is not told.
GUESSED_OTHERWISE = {"W21", "W23", "W39", "R08b", "R31"}
THREAD = "def gradient(z, t):\n    s = softmax(z)\n    return -t * (1 - s)"
RIGHT = """
def gradient(z, t):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    q = e / e.sum(axis=1, keepdims=True)
    return (q * t.sum(axis=1, keepdims=True) - t) / len(z)
"""


def options_of(case):
    options = case.options if case.native_options is None else case.native_options
    return {"kind": case.kind, **options}


def said(found):
    """Give all that an answer says, its full report apart."""
    return " ".join([found["sentence"], *found["notes"]])


def is_allowed(case, found):
    truth = case.truth
    if truth == "right":
        return found["verdict"] in ("right", "convention")
    if truth == "error":
        return found["verdict"] == "unusable"
    if truth == "unseen":
        return found["verdict"] != "right"
    if truth == "unknown":
        return NOW[case.id] in said(found)
    if isinstance(truth, str):
        return f"times {truth.removeprefix('factor ')}" in found["report"]
    return found["verdict"] == "mistake" and all(slug in said(found) for slug in truth)


@pytest.mark.parametrize("case", HANDED_OVER, ids=lambda case: case.id)
def test_a_pasted_case_gets_its_answer(case):
    text = pasted(case.native)
    found = answer(text, **options_of(case))
    assert is_allowed(case, found), found
    json.dumps(found, allow_nan=False)
    # Without a word of what it computes, it is the same, or another kind is named.
    guessed = answer(text)
    if case.id in GUESSED_OTHERWISE:
        assert guessed["state"] == "kind" or guessed["kind"] != found["kind"]
    else:
        assert guessed["kind"] == found["kind"]
        assert guessed["guessed"]
        assert not found["guessed"]
    if case.id not in GUESSED_OTHERWISE and not case.options:
        assert is_allowed(case, guessed), guessed


def test_most_cases_need_no_word_of_their_kind():
    assert len(HANDED_OVER) - len(GUESSED_OTHERWISE) >= 0.75 * len(HANDED_OVER)


def test_every_kind_has_words():
    assert set(KIND_WORDS) == {*KINDS, "weights"}


@pytest.mark.parametrize("code", ["-t * (1 - s)", THREAD])
def test_the_formula_of_the_thread(code):
    found = answer(code)
    assert found["sentence"] == (
        "Wrong, by diagonal-jacobian. Only the diagonal of softmax's Jacobian is used."
    )
    assert found["kind_words"] == "the gradient of the cross-entropy in the logits"
    example = found["example"]
    q = np.exp([2, 0.5, -1]) / np.exp([2, 0.5, -1]).sum()
    np.testing.assert_allclose(example["yours"], -np.eye(3)[1] * (1 - q), atol=1e-12)
    np.testing.assert_allclose(example["right"], q - np.eye(3)[1])
    assert example["labels"] == ["0", "1", "2"]
    assert example["call"] == "logits = [2, 0.5, -1], targets = [0, 1, 0]"
    wrong, right = found["lines"]
    assert wrong == {"word": "wrong", "code": "-t * (1 - q) / (T * N)"}
    assert right["code"].splitlines() == [
        "q = softmax(z / T)",
        "(q * t.sum(axis=-1, keepdims=True) - t) / (T * N)",
    ]
    first = found["links"][0]
    assert (first["page"], first["anchor"]) == (
        "summation-mistake",
        "the-step-that-fails",
    )


def test_what_a_batch_adds_is_a_note():
    assert "On a batch of rows also missing-batch-mean, unless" in said(answer(THREAD))
    # What is wrong on batches alone is no mistake of one row.
    found = answer(
        "def backward(z, g):\n    q = softmax(z)\n    return q * (g - (q * g).sum(-1))"
    )
    assert found["sentence"].startswith("Right for one row; on a batch wrong, by")


def test_a_right_function_is_called_right():
    found = answer(RIGHT)
    assert found["verdict"] == "right"
    assert found["sentence"] == (
        "Right: it computes the gradient of the cross-entropy in the logits."
    )
    assert found["example"] is None
    assert found["lines"] == []
    assert [each["page"] for each in found["links"]] == ["gradient-doctor"]


def test_an_unknown_mistake_gets_the_right_line():
    code = RIGHT.replace("(q * t", "(q**1.5 * t")
    found = answer(code)
    assert found["verdict"] == "unknown"
    assert [each["word"] for each in found["lines"]] == ["right"]


def test_the_kind_can_be_said():
    code = "def f(z, t):\n    return -np.mean(np.sum(t * np.log(softmax(z)), axis=1))"
    assert answer(code)["kind"] == "loss"
    found = answer(code, kind="gradient")
    assert (found["kind"], found["guessed"]) == ("gradient", False)
    assert found["verdict"] != "right"


def test_what_cannot_be_guessed_is_asked():
    found = answer("def f(x):\n    return x**2")
    assert found["state"] == "kind"
    assert found["sentence"].startswith("What does it compute?")
    offered = {each["kind"]: each["words"] for each in found["choices"]}
    assert set(offered) == {"softmax", "jacobian", "hessian"}
    assert offered["jacobian"] == KIND_WORDS["jacobian"]


# As people paste it


@pytest.mark.parametrize(
    "code",
    [
        RIGHT.replace("\n", "\n    "),
        "```python" + RIGHT + "```",
        "\n".join(">>> " + line for line in RIGHT.strip().splitlines()),
        RIGHT.replace("return", "print(q)\n    return"),
        RIGHT + "\nwhile True:\n    pass\n",
        RIGHT + "\nprint(gradient(x, y))\nassert 1 == 2\n",
        RIGHT + "\nif __name__ == '__main__':\n    exit()\n",
        "import matplotlib_of_no_page as plt\n" + RIGHT,
        "data = open('no-such-file.csv')\n" + RIGHT,
        "%matplotlib inline\n" + RIGHT,
        RIGHT.replace("\n", "\r\n"),
        RIGHT + "\ndef main():\n    gradient()\n\ndef test_it():\n    pass\n",
    ],
)
def test_what_surrounds_a_function_does_not_matter(code):
    assert answer(code)["verdict"] == "right"


def test_numpy_and_softmax_are_there_and_named():
    code = (
        "def gradient(z, t):\n    return (softmax(z) * t.sum(1)[:, None] - t) / len(z)"
    )
    found = answer(code)
    assert found["verdict"] == "right"
    assert "Not in your code, so taken from the package: softmax." in said(found)
    assert "taken from the package" not in said(answer(RIGHT))
    assert "taken from the package" not in said(answer("softmax = 1\n" + RIGHT))


def test_one_of_several_functions_is_chosen():
    code = "def q_of(z):\n    return softmax(z)\n" + RIGHT
    found = answer(code)
    assert found["functions"] == ["q_of", "gradient"]
    assert found["name"] == "gradient"
    found = answer(code, name="q_of")
    assert (found["name"], found["kind"]) == ("q_of", "softmax")
    assert answer(code, name="of no name")["name"] == "gradient"


LAYER = """
class Layer:
    def __init__(self, power=1):
        self.power = power

    def {forward}(self, x):
        self.q = softmax(x)
        return self.q

    def backward(self, g):
        return self.q * (g - (self.q * g).sum(1, keepdims=True)) * self.power
"""


@pytest.mark.parametrize("forward", ["forward", "__call__"])
def test_a_class_is_made_and_called(forward):
    code = LAYER.format(forward=forward)
    found = answer(code)
    assert (found["verdict"], found["kind"]) == ("right", "vjp")
    found = answer(code + "\nmine = Layer(2)", kind="vjp")
    assert (found["name"], found["verdict"]) == ("mine", "unknown")


def test_a_class_that_cannot_be_made_says_so():
    found = answer(LAYER.format(forward="forward").replace("=1", ""))
    assert found["state"] == "raises"
    assert "mine = Layer(...)" in found["sentence"]


def test_a_class_that_only_goes_forwards_is_that_function():
    code = "class Layer:\n    def forward(self, z):\n        return softmax(z)"
    assert answer(code)["verdict"] == "right"
    called = code.replace("forward", "__call__") + "\nlayer = Layer()"
    assert answer(called)["verdict"] == "right"
    # A class for data is nothing to examine.
    found = answer("class Data:\n    size = 1\n" + RIGHT)
    assert found["functions"] == ["gradient"]


def test_a_lambda_is_a_function():
    found = answer("gradient = lambda z, t: -t / softmax(z) / len(z)")
    assert "gradient-wrt-probabilities" in found["sentence"]
    assert found["name"] == "gradient"


# Formulas without a function


@pytest.mark.parametrize(
    ("code", "slug", "note"),
    [
        ("g * s * (1 - s)", "diagonal-jacobian", "of z and g, for one row, with s ="),
        ("grad = -t / q", "gradient-wrt-probabilities", "with q = softmax(z)."),
        ("return t - softmax(x)", "flipped-sign", "of x and t, for one row."),
        (
            "z = np.array([1, 2, 3])\ny = np.array([0, 1, 0])\n"
            "p = softmax(z)\ngrad = y - p\nprint(grad)",
            "flipped-sign",
            "of z and y",
        ),
        ("e = np.exp(x)\ns = e / e.sum()\ns -= t\n-s", "flipped-sign", "of x and t"),
        ("d = p - t\nd /= T**2", "inverse-square-temperature", "z, t and T"),
        ("'the loss'\n-t * (1 - s)\nfor i in x: pass", "diagonal-jacobian", "z and t"),
        ("z = logits\ngrad = -t * (1 - softmax(z))", "diagonal-jacobian", "logits"),
        ("x.max(); x - z; -t * (1 - s)", "diagonal-jacobian", "of x and t"),
        (
            "z = z - z.max()\ne = np.exp(z)\nt - e / sum(e)",
            "flipped-sign",
            "of z and t",
        ),
        ("z -= max(z)\nn: int\nt - softmax(z)", "flipped-sign", "of z and t"),
        ("np.array([-a * (1 - b) for a, b in zip(t, q)])", "diagonal", "of z and t"),
        ("p = softmax(z)\nd: float = -t * (1 - p)", "diagonal-jacobian", "of z and t"),
    ],
)
def test_a_formula_becomes_a_function_of_one_row(code, slug, note):
    found = answer(code, kind="gradient" if "t" in code else None)
    assert slug in said(found), found
    assert note in found["notes"][0]
    assert found["functions"] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "nothing to examine"),
        ("  \n# a comment\n", "nothing to examine"),
        ("print('hello')", "nothing to examine"),
        ("z = [1, 2]", "nothing to examine"),
        ("a + b", "a is not defined. Put them into one"),
        ("w = 1", "lines are none by themselves"),
        ("softmax(z)[0], grad[0] = t, s", "does not say what is computed"),
        ("x" * (LONGEST_CODE + 1), f"of at most {LONGEST_CODE}"),
    ],
)
def test_code_without_a_function_is_told_what_is_wanted(code, words):
    found = answer(code)
    assert found["state"] == "function"
    assert words in found["sentence"]


# What is wrong with the code itself


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1\ndef f(:\n    pass", "Line 2 is not Python: invalid syntax."),
        ("def f(z):\nreturn z", "Line 2 is not Python: expected an indented block"),
        ("f(", "Line 1 is not Python"),
        ("\0", "not Python|cannot read"),
        ("'\ud800'", "Python cannot read this"),
        ("-" * 40_000 + "1", "cannot read|too"),
    ],
)
def test_what_python_cannot_read_is_told_with_its_line(code, words):
    found = answer(code)
    assert found["state"] == "syntax"
    assert any(each in found["sentence"] for each in words.split("|"))


@pytest.mark.parametrize(
    ("code", "library"),
    [
        ("import torch\ndef f(z, t):\n    return torch.softmax(z, -1) - t", "PyTorch"),
        ("def f(z, t):\n    return F.softmax(z, -1) - t", "PyTorch"),
        ("import torch.nn as nn\nclass Net(nn.Module):\n    pass", "PyTorch"),
        ("import jax.numpy as jnp\ndef f(z):\n    return jnp.exp(z)", "JAX"),
        ("from no_such.package import s\ndef f(z):\n    return s(z)", "no_such"),
        ("import no_such as n\nn.exp(z) - t", "no_such"),
    ],
)
def test_a_missing_library_is_named_with_the_command_for_home(code, library):
    found = answer(code, kind="gradient")
    assert found["state"] == "missing"
    assert found["sentence"].startswith(f"{library} is not here: this page has NumPy")
    name = found.get("name", "gradient")
    assert found["command"] == (
        f"softmax-gradients diagnose mine.py:{name} --kind gradient"
    )
    assert "--kind" not in answer(code)["command"]


def test_a_line_that_raises_is_told_if_nothing_can_be_examined():
    found = answer("values = int('one')\ndef f(z):\n    return values")
    assert found["sentence"].startswith("It could not be checked.")
    assert "NameError: name 'values' is not defined" in said(found)
    assert "Line 1 raises ValueError: invalid literal for int()" in said(found)
    found = answer("def f(z):\n    return 1\nexit = f.x\nf = None")
    assert found["notes"] == [
        "Line 3 raises AttributeError: 'function' object has no attribute 'x'."
    ]
    assert "SystemExit" in said(answer("import sys\nx = sys.exit()"))


def test_a_library_that_a_formula_needs_is_named():
    found = answer("import scipy_of_no_page as sp\ns = softmax(z)\nt.no_such + s")
    assert found["state"] == "missing"
    assert found["command"] == "softmax-gradients diagnose mine.py:gradient"


def test_a_warning_of_python_is_no_error():
    assert answer(RIGHT.replace("return", "'\\d'\n    return"))["verdict"] == "right"


def test_a_name_that_nobody_defines_is_told():
    found = answer("def gradient(z, t):\n    return q_of(len(z)) - t")
    assert found["state"] == "raises"
    assert found["sentence"] == "q_of is not defined here. Paste what defines it, too."


@pytest.mark.parametrize("kind", ["softmax", "loss", "gradient", "vjp"])
def test_the_right_line_of_a_softmax_that_overflows_does_not(kind):
    q = "np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)"
    second, value = {
        "softmax": ("", "q"),
        "loss": (", t", "-(t * np.log(q)).sum() / len(z)"),
        "gradient": (", t", "(q * t.sum(axis=1, keepdims=True) - t) / len(z)"),
        "vjp": (", g", "q * (g - (q * g).sum(axis=1, keepdims=True))"),
    }[kind]
    found = answer(f"def f(z{second}):\n    q = {q}\n    return {value}", kind=kind)
    assert found["sentence"].startswith("Right at ordinary logits, fails at large")
    *lines, last = found["lines"][-1]["code"].splitlines()
    names = {
        "np": np,
        "z": np.array([[1000.0, 999.0, 0.0]]),
        "t": np.array([[0.0, 1.0, 0.0]]),
        "g": np.array([[1.0, 0.0, 2.0]]),
        "T": 1.0,
        "N": 1,
        "log_softmax": sg.log_softmax,
    }
    for line in lines:
        exec(line, names)
    right = {
        "softmax": sg.softmax(names["z"]),
        "loss": sg.cross_entropy(names["z"], names["t"]),
        "gradient": sg.cross_entropy_gradient(names["z"], names["t"]),
        "vjp": sg.softmax_vjp(names["z"], names["g"]),
    }[kind]
    np.testing.assert_allclose(eval(last, names), right, atol=1e-15)


# As data


def test_the_page_sends_and_gets_json():
    request = json.dumps({"code": RIGHT, "kind": "loss", "name": "gradient"})
    text = answer_as_text(request)
    assert "\n" not in text
    assert json.loads(text) == answer(RIGHT, kind="loss", name="gradient")


def test_what_is_not_finite_is_a_word():
    code = "def loss(z, t):\n    return np.mean(-np.log((softmax(z) * t).sum(1)))"
    found = answer(code, kind="loss", targets="hard")
    assert {"inf", "nan"} & set(map(str, found["example"]["yours"]))
    json.dumps(found, allow_nan=False)


def test_a_matrix_is_labelled_by_row_and_column():
    found = answer(
        "def jacobian(z):\n    return softmax(z)[:, :, None] * np.eye(z.shape[1])"
    )
    example = found["example"]
    assert example["row"] == []
    assert example["labels"][:4] == ["0,0", "0,1", "0,2", "1,0"]
    assert len(example["yours"]) == len(example["right"]) == 9


def test_of_a_large_example_the_part_that_is_off_is_shown():
    code = """
def jacobian(z):
    q = softmax(z)
    q[1:] = softmax(2 * z[1:])
    return q[:, :, None] * (np.eye(z.shape[1]) - q[:, None, :])
"""
    example = answer(code)["example"]
    assert example["row"] == [1]
    assert len(example["yours"]) == len(example["right"]) == len(example["labels"]) == 9
    q = np.exp([0, 1, 3]) / np.exp([0, 1, 3]).sum()
    np.testing.assert_allclose(
        np.reshape(example["right"], (3, 3)), np.diag(q) - np.outer(q, q)
    )


def test_hostile_names_and_messages_are_only_text():
    message = "<img src=x onerror=alert(1)>"
    found = answer(f"def f(z, t):\n    raise ValueError('{message}')")
    assert message in json.dumps(found)
    long = "n" * 2000
    found = answer(f"def {long}(z, t):\n    return z")
    assert len(json.dumps(found)) < 60_000


def test_the_documentation_of_the_module_holds():
    assert doctest.testmod(_clinic).failed == 0


# What the page begins with


@pytest.mark.parametrize(
    ("name", "kind", "slug"),
    [
        ("the thread's formula", "gradient", "diagonal-jacobian"),
        ("NumPy", "gradient", "whole-batch-sum"),
        ("a layer class", "vjp", "missing-keepdims"),
        ("a tuple", "gradient", "missing-batch-mean"),
        ("a loss", "loss", "mean-over-classes"),
    ],
)
def test_the_examples_of_the_page_have_the_mistakes_that_they_show(name, kind, slug):
    found = answer(EXAMPLES[name])
    assert found["kind"] == kind
    assert slug in found["sentence"]
    assert len(EXAMPLES) == 5


def test_the_page_without_scripts_says_the_answer():
    text = fragment(None)
    assert "Wrong, by diagonal-jacobian." in text
    assert '<a href="summation-mistake.html#the-step-that-fails">' in text
    assert "Diagnose" not in text
    assert "loads 12" in " ".join(fragment(12.4).split())
    stored = text.partition('class="clinic-stored">')[2].partition("</script>")[0]
    assert json.loads(stored)["examples"] == EXAMPLES
    assert "<" not in stored
