"""What the README and the front page show: code that runs, answers that are right."""

import re
from pathlib import Path

import numpy as np
import pytest

import softmax_gradients as sg
from tests.support.programs import run_python

ROOT = Path(__file__).parents[1]


def blocks(page, language):
    """Return the fenced blocks of one language in a page."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_report_on_the_front_page_begins_so(tmp_path):
    (code,) = blocks("book/intro.md", "python")
    (output,) = blocks("book/intro.md", "text")
    assert run_python(code, tmp_path).startswith(output)


def test_what_the_front_page_says_of_the_right_gradient(tmp_path):
    (code,) = blocks("book/intro.md", "python")
    wrong = "-targets * (1 - sg.softmax(logits)) / len(logits)"
    right = "(sg.softmax(logits) - targets) / len(logits)"
    assert wrong in code
    report = run_python(code.replace(wrong, right), tmp_path)
    summary = report.partition("\n\n")[0].replace("\n", " ")
    text = (ROOT / "book" / "intro.md").read_text("utf-8")
    assert f"For `{right}` it says `{summary}`" in text


def test_the_example_in_the_readme_runs(tmp_path):
    (example,) = blocks("README.md", "python")
    run_python(example, tmp_path)


def softmax(scaled):
    """Return softmax as the front page defines it."""
    return np.exp(scaled) / np.exp(scaled).sum()


# How the formulas of the two tables are read: what is printed, and what it computes.
READING = (
    (r"\\displaystyle|\\bigl|\\bigr|\\,", ""),
    (r"\\tfrac1T", "(1 / T)"),
    (r"\\tilde ([zv])", r"(\1 - \1.mean())"),
    (r"\\sum_j ([tq])_j z_j|\\langle ([tq]), z\\rangle", r"(\1\2 @ z)"),
    (r"\\langle q, g\\rangle", "(q @ g)"),
    (r"\\sum_j ([tg])_j", r"\1.sum()"),
    (r"\\operatorname\{diag\}\(q\)", "diag(q)"),
    (r"qq\^\\top", "outer(q, q)"),
    (r"q_i\(\\delta_\{ij\} - q_j\)", "(q[:, None] * (eye(C) - q[None, :]))"),
    (r"\(([^()]*)\) *x\^\\top", r"outer(\1, x)"),
    (r"\\partial L/\\partial z", "(q - t) / T"),
    (r"\\odot", "*"),
    (r"\^2", "**2"),
    (r"(?<=[\w)]) +(?=[\w(])", " * "),
)


def computed(formula, names):
    """Compute what a formula of the tables says."""
    for pattern, program in READING:
        formula = re.sub(pattern, program, formula)
    before = None
    while before != formula:
        before = formula
        formula = re.sub(r"\\t?frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1) / (\2))", formula)
    return eval(formula, dict(names))


Z, V = np.array([2.0, 0.5, -1.0, 1.2]), np.array([1.0, 2.5, -0.5, 0.0])
NORMALISED, ANY_SUM = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.5, 2.0, 0.0, 1.5])
LABEL = np.eye(4)[2]
X, BIAS = np.array([0.3, -1.0, 0.5]), np.array([0.1, -0.2, 0.3, 0.0])
WEIGHTS, G = np.arange(12).reshape(4, 3) / 7, np.array([0.3, -1.2, 0.7, 2.0])


def names(t=NORMALISED, z=Z, temperature=2.0):
    """Return what the letters of the tables stand for."""
    q, p = softmax(z / temperature), softmax(V / temperature)
    functions = {name: getattr(np, name) for name in ("diag", "eye", "outer")}
    letters = {
        "z": z,
        "v": V,
        "t": t,
        "T": temperature,
        "C": 4,
        "q": q,
        "p": p,
        "g": G,
        "x": X,
    }
    return functions | letters | {"e_y": LABEL}


def loss(t, z, temperature=2.0):
    return -t @ np.log(softmax(z / temperature))


def by_logits(t, temperature=2.0):
    return sg.finite_difference(lambda z: loss(t, z, temperature), Z)


def back(through):
    return sg.finite_difference(lambda z: G @ through(z / 2.0), Z)


def by_weights():
    return sg.finite_difference(lambda w: loss(NORMALISED, w @ X + BIAS), WEIGHTS)


def by_bias():
    return sg.finite_difference(lambda b: loss(NORMALISED, WEIGHTS @ X + b), BIAS)


def by_temperature(t):
    return sg.finite_difference(lambda hot: loss(t, Z, float(hot)), np.array(2.0))


LINEAR = names(z=WEIGHTS @ X + BIAS)
TEACHER = names()["p"]
HOT = 1e5
JACOBIAN = sg.finite_difference(lambda z: softmax(z / 2.0), Z)
HESSIAN = sg.finite_difference(lambda z: (softmax(z / 2.0) - NORMALISED) / 2.0, Z)
LIMIT = (names(temperature=HOT), (softmax(Z / HOT) - softmax(V / HOT)) / HOT)
# Of each answer: a part of its question, what the letters are, and what is true of the
# formulas, one after the other.
FRONT_PAGE = {
    "one right class": (names(LABEL), by_logits(LABEL)),
    "soft targets": (names(), by_logits(NORMALISED)),
    "do not sum to one": (names(ANY_SUM), by_logits(ANY_SUM)),
    "against a teacher": (names(TEACHER), by_logits(TEACHER)),
    "When is it": LIMIT,
    "the derivative of softmax": (names(), JACOBIAN, JACOBIAN),
    "back through softmax": (names(), back(softmax)),
    "back through log-softmax": (names(), back(lambda s: np.log(softmax(s)))),
    "wrong?": (names(),),
    "the weights": (LINEAR, by_weights(), by_bias()),
    "the temperature, for": (names(ANY_SUM), by_temperature(ANY_SUM)),
    "the Hessian": (names(), HESSIAN),
}
README = {
    "sum to one, $T = 1$": (names(temperature=1.0), by_logits(NORMALISED, 1.0)),
    "any targets, $T = 1$": (names(ANY_SUM, temperature=1.0), by_logits(ANY_SUM, 1.0)),
    "sum to one, any $T$": (names(), by_logits(NORMALISED)),
    "a teacher's softmax": (names(TEACHER), by_logits(TEACHER)),
    "the same, as": LIMIT,
    "the weights": (LINEAR, by_weights(), by_bias()),
    "the temperature, fixed": (names(ANY_SUM), by_temperature(ANY_SUM)),
}


def answers(page):
    """Return the question and the answer in each row of the table of answers."""
    text = (ROOT / page).read_text("utf-8").partition("(the-answer)=")
    table = re.search(r"^\|.*?(?=\n\n)", text[2] or text[0], re.DOTALL | re.MULTILINE)[
        0
    ]
    return [line.strip("| ").split(" | ")[:2] for line in table.splitlines()[2:]]


def formulas(answer):
    """Return the last member of each formula that an answer consists of."""
    printed = re.findall(r"\$([^$]+)\$", answer)
    return [
        formula.split("=")[-1]
        for formula in printed
        if re.search(r"\\frac\{|\\partial L/|C T\^2", formula)
    ]


@pytest.mark.parametrize(
    ("page", "checks"), [("book/intro.md", FRONT_PAGE), ("README.md", README)]
)
def test_the_answers_that_a_page_prints_are_true(page, checks):
    rows = answers(page)
    assert len(rows) == len(checks)
    for (question, answer), (words, (letters, *true)) in zip(
        rows, checks.items(), strict=True
    ):
        assert words in question
        printed = formulas(answer)
        assert len(printed) == len(true), answer
        tolerance = 1e-4 if letters["T"] == HOT else 1e-8
        for formula, value in zip(printed, true, strict=True):
            np.testing.assert_allclose(
                computed(formula, letters),
                value,
                rtol=0,
                atol=tolerance * np.abs(value).max(),
                err_msg=formula,
            )


def test_what_the_install_page_prints_is_what_its_code_prints(capsys):
    text = (ROOT / "book" / "install.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {})
    assert f"`{capsys.readouterr().out.strip()}`" in text


@pytest.mark.parametrize("page", ["intro", "glossary"])
def test_the_losses_at_which_softmax_twice_stops(page):
    text = (ROOT / "book" / f"{page}.md").read_text("utf-8")
    floors = [float(-np.log(sg.softmax(np.eye(c)[0])[0])) for c in (2, 10, 1000)]
    shown = [f"{floor:.3f}" for floor in floors]
    assert all(number in text for number in shown)


def test_the_doors_by_symptom_lead_to_sections():
    text = (ROOT / "book" / "intro.md").read_text("utf-8")
    table = text.partition("(symptoms)=")[2].partition("\n(the-answer)=")[0]
    rows = re.findall(r"^\| (?!-|What you see)(.*)$", table, re.MULTILINE)
    assert len(rows) >= 13
    for row in rows:
        links = re.findall(r"\]\(([^)]*)\)", row.split(" | ")[-1])
        assert links, row
        assert all("#" in link for link in links), row
