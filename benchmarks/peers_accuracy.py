"""What other libraries return where digits are lost, stored for the book.

    python benchmarks/peers_accuracy.py

needs torch, jax, scipy, scikit-learn and this package, and writes
book/data/peers_accuracy.json. The chapter "Every digit" compares the numbers with
mpmath; it needs none of those libraries itself.
"""

import json
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import scipy.special
import torch
from sklearn._loss import HalfMultinomialLoss

import softmax_gradients as sg

OUTPUT = Path(__file__).parents[1] / "book" / "data" / "peers_accuracy.json"
LIBRARIES = ["torch", "jax", "scipy", "scikit-learn", "numpy", "softmax-gradients"]

# A confident, correct prediction: class 0 is the label, ahead by about the margin.
OTHERS = [0.3, -1.0, 0.2]
MARGINS = {
    "float64": [0, 1, 2, 5, *range(10, 50, 2), *range(50, 800, 25)],
    "float32": [0, 1, 2, 3, *range(4, 30, 1), *range(30, 120, 5)],
}

STUDENT, TEACHER = [2.0, 0.5, -1.0, 1.2], [1.0, 2.5, -0.5, 0.0]
TEMPERATURES = [10.0 ** (exponent / 2) for exponent in range(17)]

jax.config.update("jax_enable_x64", True)


def torch_hard(row):
    """Return loss and gradient by PyTorch's cross_entropy and its autograd."""
    z = torch.tensor(row[np.newaxis], requires_grad=True)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor([0]))
    loss.backward()
    return loss.item(), z.grad[0].tolist()


def jax_hard(row):
    """Return loss and gradient by JAX's log_softmax and its grad."""
    loss, gradient = jax.value_and_grad(lambda z: -jax.nn.log_softmax(z)[0])(row)
    return float(loss), np.asarray(gradient).tolist()


def scipy_hard(row):
    """Return loss and gradient by SciPy's log_softmax and softmax."""
    gradient = scipy.special.softmax(row) - np.eye(len(row), dtype=row.dtype)[0]
    return float(-scipy.special.log_softmax(row)[0]), gradient.tolist()


def sklearn_hard(row):
    """Return loss and gradient by the loss of scikit-learn's classifiers."""
    loss, gradient = HalfMultinomialLoss(n_classes=len(row)).loss_gradient(
        y_true=np.zeros(1, row.dtype), raw_prediction=row[np.newaxis]
    )
    return float(loss[0]), gradient[0].tolist()


def our_hard(row):
    """Return loss and gradient by this package."""
    loss, gradient = sg.cross_entropy_value_and_gradient(row, 0)
    return float(loss), gradient.tolist()


def torch_soft(student, teacher, temperature):
    """Return KL(p || q) and its gradient by PyTorch's kl_div and its autograd."""
    z = torch.tensor(student, requires_grad=True)
    log_q = torch.log_softmax(z / temperature, -1)
    log_p = torch.log_softmax(torch.tensor(teacher) / temperature, -1)
    loss = torch.nn.functional.kl_div(log_q, log_p, reduction="sum", log_target=True)
    loss.backward()
    return loss.item(), z.grad.tolist()


def jax_soft(student, teacher, temperature):
    """Return KL(p || q) and its gradient by JAX's log_softmax and its grad."""

    def divergence(z):
        log_q = jax.nn.log_softmax(z / temperature)
        log_p = jax.nn.log_softmax(teacher / temperature)
        return (jax.numpy.exp(log_p) * (log_p - log_q)).sum()

    loss, gradient = jax.value_and_grad(divergence)(student)
    return float(loss), np.asarray(gradient).tolist()


def scipy_soft(student, teacher, temperature):
    """Return KL(p || q) and (q - p)/T by SciPy's softmax and rel_entr."""
    q = scipy.special.softmax(student / temperature)
    p = scipy.special.softmax(teacher / temperature)
    loss = scipy.special.rel_entr(p, q).sum()
    return float(loss), ((q - p) / temperature).tolist()


def our_soft(student, teacher, temperature):
    """Return KL(p || q) and its gradient by this package."""
    loss = sg.kl_divergence(student, teacher, temperature)
    return float(loss), sg.distillation_gradient(student, teacher, temperature).tolist()


HARD = {
    "PyTorch": torch_hard,
    "JAX": jax_hard,
    "SciPy": scipy_hard,
    "scikit-learn": sklearn_hard,
    "this package": our_hard,
}
SOFT = {
    "PyTorch": torch_soft,
    "JAX": jax_soft,
    "SciPy": scipy_soft,
    "this package": our_soft,
}


def confident(precision):
    """Return each library's loss and target entry of the gradient, by margin."""
    results = {name: {"loss": [], "target_gradient": []} for name in HARD}
    for margin in MARGINS[precision]:
        row = np.array([margin, *OTHERS], dtype=precision)
        for name, function in HARD.items():
            loss, gradient = function(row)
            results[name]["loss"].append(loss)
            results[name]["target_gradient"].append(gradient[0])
    return {"margins": MARGINS[precision], "others": OTHERS, "results": results}


def distilled():
    """Return each library's divergence and gradient, by temperature."""
    student, teacher = np.array(STUDENT), np.array(TEACHER)
    results = {name: {"divergence": [], "gradient": []} for name in SOFT}
    for temperature in TEMPERATURES:
        for name, function in SOFT.items():
            divergence, gradient = function(student, teacher, temperature)
            results[name]["divergence"].append(divergence)
            results[name]["gradient"].append(gradient)
    return {
        "student": STUDENT,
        "teacher": TEACHER,
        "temperatures": TEMPERATURES,
        "results": results,
    }


def main():
    """Measure and write the file."""
    data = {
        "versions": {name: version(name) for name in LIBRARIES},
        "confident": {precision: confident(precision) for precision in MARGINS},
        "distilled": distilled(),
    }
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
