"""What the README and the front page show: code that runs, answers that are right."""

import re
from pathlib import Path

import numpy as np

import softmax_gradients as sg
from tests.support.programs import run_python

ROOT = Path(__file__).parents[1]


def blocks(page, language):
    """Return the fenced blocks of one language in a page."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_front_page_prints_what_it_says(tmp_path):
    (code,) = blocks("book/intro.md", "python")
    (output,) = blocks("book/intro.md", "text")
    assert run_python(code, tmp_path) == output


def test_the_front_page_would_accept_the_right_gradient(tmp_path):
    (code,) = blocks("book/intro.md", "python")
    right = code.replace("-targets * (1 - sg.softmax(z))", "sg.softmax(z) - targets")
    assert right != code
    lines = run_python(right, tmp_path).splitlines()
    assert lines[0].split()[-1].lstrip("-") == "0.0"
    assert not re.search(r"[1-9]", lines[1])
    assert lines[2].endswith("2.0")


def test_the_example_in_the_readme_runs(tmp_path):
    (example,) = blocks("README.md", "python")
    run_python(example, tmp_path)


def test_the_answers_on_the_front_page():
    """Each row of the front page's table, against finite differences."""
    z, v = np.array([2.0, 0.5, -1.0, 1.2]), np.array([1.0, 2.5, -0.5, 0.0])
    t, any_sum = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.5, 2.0, 0.0, 1.5])
    x, bias = np.array([0.3, -1.0, 0.5]), np.array([0.1, -0.2, 0.3, 0.0])
    weights, g = np.arange(12).reshape(4, 3) / 7, np.array([0.3, -1.2, 0.7, 2.0])
    temperature = 2.0
    q, p = softmax(z / temperature), softmax(v / temperature)
    covariance = np.diag(q) - np.outer(q, q)
    linear = (softmax((weights @ x + bias) / temperature) - t) / temperature

    def close(claimed, function, point):
        measured = sg.finite_difference(function, point)
        np.testing.assert_allclose(claimed, measured, atol=1e-8)

    def loss(targets, logits):
        return -targets @ np.log(softmax(logits / temperature))

    close((q - np.eye(4)[2]) / temperature, lambda a: loss(np.eye(4)[2], a), z)
    close((q - t) / temperature, lambda a: loss(t, a), z)
    close((q * any_sum.sum() - any_sum) / temperature, lambda a: loss(any_sum, a), z)
    close((q - p) / temperature, lambda a: loss(p, a) + p @ np.log(p), z)
    close(covariance / temperature, lambda a: softmax(a / temperature), z)
    close(q * (g - q @ g) / temperature, lambda a: g @ softmax(a / temperature), z)
    close(
        (g - q * g.sum()) / temperature,
        lambda a: g @ np.log(softmax(a / temperature)),
        z,
    )
    close(np.outer(linear, x), lambda w: loss(t, w @ x + bias), weights)
    close(linear, lambda b: loss(t, weights @ x + b), bias)
    by_temperature = (any_sum @ z - q @ z * any_sum.sum()) / temperature**2
    close(
        by_temperature,
        lambda s: -any_sum @ np.log(softmax(z / float(s))),
        np.array(temperature),
    )
    close(
        covariance / temperature**2,
        lambda a: (softmax(a / temperature) - t) / temperature,
        z,
    )
    hot = 1e5
    limit = ((z - z.mean()) - (v - v.mean())) / (4 * hot**2)
    exact = (softmax(z / hot) - softmax(v / hot)) / hot
    np.testing.assert_allclose(limit, exact, rtol=1e-4, atol=1e-4 * abs(limit).max())


def softmax(scaled):
    """Return softmax as the front page defines it."""
    return np.exp(scaled) / np.exp(scaled).sum()
