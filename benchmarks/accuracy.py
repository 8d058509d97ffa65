"""What other libraries return where digits are lost, beside 50 digits of mpmath.

`measure` returns what the chapter "Every digit" compares; it needs none of the
libraries itself. An error is counted in units in the last place of the exact result.
"""

import mpmath
import numpy as np
from methods import installed, versions

import softmax_gradients as sg

# A confident, correct prediction: class 0 is the label, ahead by about the margin.
OTHERS = [0.3, -1.0, 0.2]
MARGINS = {
    "float64": [0, 1, 2, 5, *range(10, 50, 2), *range(50, 800, 25)],
    "float32": [0, 1, 2, 3, *range(4, 30, 1), *range(30, 120, 5)],
}

# The libraries of the chapter's figure, by their names there.
CONFIDENT = {
    "PyTorch": "PyTorch",
    "JAX": "JAX, jit",
    "SciPy": "SciPy",
    "scikit-learn": "scikit-learn",
    "this package": "this package",
}

STUDENT, TEACHER = [2.0, 0.5, -1.0, 1.2], [1.0, 2.5, -0.5, 0.0]
TEMPERATURES = [10.0 ** (exponent / 2) for exponent in range(17)]


# One row would understate the largest error of many.
ROWS = 1024


def batches(classes=10):
    """Return logits and labels by name: ordinary ones, and where digits are lost."""
    rng = np.random.default_rng(1)
    labels, shape = rng.integers(1, classes, ROWS), (ROWS, classes)
    normal = rng.normal(size=shape)
    right, huge = normal.copy(), normal.copy()
    right[:, 0], huge[:, 0] = rng.uniform(38, 42, ROWS), 1e4
    first = np.zeros(ROWS, int)
    ordinary = {
        f"within {width:g}": (rng.uniform(-width, width, shape), labels)
        for width in (5, 50, 700, 1e4)
    }
    return ordinary | {
        "all equal": (np.repeat(rng.normal(size=(ROWS, 1)), classes, axis=1), labels),
        "confident, right": (right, first),
        "confident, wrong": (right, labels),
        "one huge": (huge, first),
    }


def exact(row, label):
    """Return the loss and its gradient to 50 digits."""
    logits = [mpmath.mpf(float(value)) for value in row]
    terms = [mpmath.exp(value - max(logits)) for value in logits]
    others = mpmath.fsum(terms[:label] + terms[label + 1 :])
    total = others + terms[label]
    gradient = [term / total for term in terms]
    gradient[label] = -others / total
    return mpmath.log1p(others / terms[label]), gradient


def largest_error(results, exact_results, dtype):
    """Return the largest error in units in the last place, or None for NaN or inf."""
    worst = mpmath.mpf(0)
    for result, expected in zip(results, exact_results, strict=True):
        if not np.isfinite(result):
            return None
        unit = float(np.spacing(abs(dtype(float(expected)))))
        worst = max(worst, abs(mpmath.mpf(float(result)) - expected) / unit)
    return float(f"{float(worst):.2g}")


def errors(dtype):
    """Return each library's largest errors, by case.

    The loss is the mean of the batch, the gradient's entries are those of all its rows.
    """
    table = {}
    for case, (values, labels) in batches().items():
        logits = values.astype(dtype)
        with mpmath.workdps(50):
            pairs = [exact(*row) for row in zip(logits, labels, strict=True)]
            loss = mpmath.fsum(value for value, _ in pairs) / ROWS
            gradient = [slope for _, slopes in pairs for slope in slopes]
            for name, run in installed(logits, labels).items():
                with np.errstate(all="ignore"):
                    actual, slopes = run()
                # scikit-learn's gradient is that of the sum.
                count = 1 if name == "scikit-learn" else ROWS
                found = np.asarray(slopes).ravel().tolist()
                expected = [slope / count for slope in gradient]
                table.setdefault(name, {})[case] = {
                    "loss": largest_error([float(actual)], [loss], dtype),
                    "gradient": largest_error(found, expected, dtype),
                }
    return table


def torch_soft(student, teacher, temperature):
    """Return KL(p || q) and its gradient by PyTorch's kl_div and its autograd."""
    import torch

    z = torch.tensor(student, requires_grad=True)
    log_q = torch.log_softmax(z / temperature, -1)
    log_p = torch.log_softmax(torch.tensor(teacher) / temperature, -1)
    loss = torch.nn.functional.kl_div(log_q, log_p, reduction="sum", log_target=True)
    loss.backward()
    return loss.item(), z.grad.tolist()


def jax_soft(student, teacher, temperature):
    """Return KL(p || q) and its gradient by JAX's log_softmax and its grad."""
    import jax

    def divergence(z):
        log_q = jax.nn.log_softmax(z / temperature)
        log_p = jax.nn.log_softmax(teacher / temperature)
        return (jax.numpy.exp(log_p) * (log_p - log_q)).sum()

    loss, gradient = jax.value_and_grad(divergence)(student)
    return float(loss), np.asarray(gradient).tolist()


def scipy_soft(student, teacher, temperature):
    """Return KL(p || q) and (q - p)/T by SciPy's softmax and rel_entr."""
    from scipy import special

    q = special.softmax(student / temperature)
    p = special.softmax(teacher / temperature)
    loss = special.rel_entr(p, q).sum()
    return float(loss), ((q - p) / temperature).tolist()


def our_soft(student, teacher, temperature):
    """Return KL(p || q) and its gradient by this package."""
    loss = sg.kl_divergence(student, teacher, temperature=temperature)
    return float(loss), sg.kl_divergence_gradient(
        student, teacher, temperature=temperature
    ).tolist()


SOFT = {
    "PyTorch": torch_soft,
    "JAX": jax_soft,
    "SciPy": scipy_soft,
    "this package": our_soft,
}


def confident(precision):
    """Return each library's loss and target entry of the gradient, by margin."""
    results = {}
    for margin in MARGINS[precision]:
        row = np.array([[margin, *OTHERS]], dtype=precision)
        functions = installed(row, np.array([0]))
        for name, method in CONFIDENT.items():
            if method in functions:
                loss, gradient = functions[method]()
                found = results.setdefault(name, {"loss": [], "target_gradient": []})
                found["loss"].append(float(loss))
                found["target_gradient"].append(float(gradient[0][0]))
    return {"margins": MARGINS[precision], "others": OTHERS, "results": results}


def distilled():
    """Return each library's divergence and gradient, by temperature."""
    student, teacher = np.array(STUDENT), np.array(TEACHER)
    results = {}
    for name, function in SOFT.items():
        try:
            found = [function(student, teacher, T) for T in TEMPERATURES]
        except ImportError:
            continue
        divergences, gradients = map(list, zip(*found, strict=True))
        results[name] = {"divergence": divergences, "gradient": gradients}
    return {
        "student": STUDENT,
        "teacher": TEACHER,
        "temperatures": TEMPERATURES,
        "results": results,
    }


def print_errors(table):
    """Print the largest errors of loss and gradient by library and row."""
    cases = list(batches())
    for name, by_case in table.items():
        print(f"    {name}")
        for case in cases:
            found = by_case[case]
            print(f"        {case:18} loss {found['loss']!s:>8}", end="")
            print(f"   gradient {found['gradient']!s:>8}")


def measure():
    """Return all results, for the chapter, and print the errors."""
    results = {"versions": versions()}
    results["confident"] = {precision: confident(precision) for precision in MARGINS}
    results["distilled"] = distilled()
    results["errors"] = {}
    for dtype in (np.float64, np.float32):
        table = results["errors"][dtype.__name__] = errors(dtype)
        print(f"\nlargest error in ULP, {dtype.__name__}; None: NaN or infinite")
        print_errors(table)
    return results
