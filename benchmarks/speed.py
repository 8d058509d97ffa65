"""How long the loss and its gradient take, here and with what else one would pick.

Usage: python benchmarks/speed.py book/data/speed.json [--figure speed.png]

Every method gives the mean loss and its gradient for the same logits. A round runs
each method once, in turn, after one np.exp of the logits into a given array; a time is
the processor time of the whole process, so that other work on the machine does not
count. What is reported is the median, over the rounds, of the time divided by that of
np.exp in the same round. All methods run on one thread: set before the import, below.
"""

# The libraries read these once, when they are imported.
# ruff: noqa: E402
import os

for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{name}_NUM_THREADS"] = "1"
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + (
    " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import argparse
import json
import platform
import time
import tracemalloc
from importlib import metadata
from pathlib import Path

import numpy as np

import softmax_gradients as sg

SHAPES = [(4096, 1000), (256, 50257), (1, 1_000_000), (4096, 10), (1, 10)]
CASES = [("labels", "float64", shape) for shape in SHAPES]
CASES += [("labels", "float32", shape) for shape in SHAPES[:2]]
CASES += [("weights", "float64", (4096, 1000)), ("large", "float64", (4096, 1000))]
GOALS = dict(zip(CASES, [2.0, 2.0, 1.7, 7.0, None, 2.1, None, 3.5, 5.5], strict=True))
JACOBIAN_CLASSES = [128, 256, 512, 1024, 2048, 4096]


def problem(kind, dtype, shape):
    """Return logits and targets of a case."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=3, size=shape)
    if kind == "large":
        logits = rng.uniform(-1000, 1000, size=shape)
    if kind == "weights":
        weights = rng.random(shape)
        weights /= weights.sum(axis=1, keepdims=True)
        return logits.astype(dtype), weights.astype(dtype)
    return logits.astype(dtype), rng.integers(shape[1], size=shape[0])


def ours(logits, targets):
    out = np.empty_like(logits)
    return lambda: sg.cross_entropy_value_and_gradient(logits, targets, out=out)


def naive_numpy(logits, targets):
    rows = np.arange(len(logits))

    def run():
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = exponentials / exponentials.sum(axis=1, keepdims=True)
        if targets.ndim == 2:
            loss = -(targets * np.log(probs)).sum(axis=1).mean()
            return loss, (probs - targets) / len(probs)
        loss = -np.log(probs[rows, targets]).mean()
        probs[rows, targets] -= 1
        return loss, probs / len(probs)

    return run


def scipy(logits, targets):
    from scipy.special import log_softmax

    rows = np.arange(len(logits))

    def run():
        log_probs = log_softmax(logits, axis=1)
        gradient = np.exp(log_probs)
        if targets.ndim == 2:
            loss = -(targets * log_probs).sum(axis=1).mean()
            gradient -= targets
        else:
            loss = -log_probs[rows, targets].mean()
            gradient[rows, targets] -= 1
        gradient /= len(gradient)
        return loss, gradient

    return run


def scikit_learn(logits, targets):
    from sklearn._loss.loss import HalfMultinomialLoss

    if targets.ndim == 2:
        return None
    loss = HalfMultinomialLoss(n_classes=logits.shape[1])
    labels = targets.astype(logits.dtype)
    return lambda: loss.loss_gradient(y_true=labels, raw_prediction=logits, n_threads=1)


def pytorch(logits, targets):
    import torch

    torch.set_num_threads(1)
    leaf = torch.from_numpy(logits.copy()).requires_grad_()
    answer = torch.from_numpy(targets)

    def run():
        leaf.grad = None
        loss = torch.nn.functional.cross_entropy(leaf, answer)
        loss.backward()
        return loss, leaf.grad

    return run


def jax(logits, targets):
    import jax

    jax.config.update("jax_enable_x64", True)
    rows = np.arange(len(logits))

    def mean_loss(scores, answer):
        log_probs = jax.nn.log_softmax(scores, axis=1)
        if targets.ndim == 2:
            return -(answer * log_probs).sum(axis=1).mean()
        return -log_probs[rows, answer].mean()

    scores, answer = jax.numpy.asarray(logits), jax.numpy.asarray(targets)
    compiled = jax.jit(jax.value_and_grad(mean_loss))
    return lambda: jax.block_until_ready(compiled(scores, answer))


METHODS = {
    "this package": ours,
    "scikit-learn": scikit_learn,
    "SciPy": scipy,
    "NumPy, naive": naive_numpy,
    "PyTorch": pytorch,
    "JAX, jit": jax,
}


def processor_time(function, repeats=1):
    start = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - start) / repeats


def compare(logits, targets, rounds):
    """Return the median ratios to np.exp, and np.exp's own time in milliseconds."""
    room = np.empty_like(logits)
    candidates = {}
    for name, make in METHODS.items():
        try:
            candidates[name] = make(logits, targets)
        except ImportError:
            continue
    functions = {name: run for name, run in candidates.items() if run is not None}
    functions["np.exp"] = lambda: np.exp(logits, out=room)
    repeats = max(1, 20_000 // logits.size)
    times = {name: [] for name in functions}
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for run in functions.values():
            run()
        for _ in range(rounds):
            for name, run in functions.items():
                times[name].append(processor_time(run, repeats))
    unit = np.array(times.pop("np.exp"))
    ratios = {n: round(float(np.median(t / unit)), 2) for n, t in times.items()}
    return ratios, round(float(np.median(unit)) * 1e3, 5)


def technique_steps(rounds):
    """Return what each technique buys at (4096, 1000): ratios to np.exp."""
    logits, labels = problem("labels", "float64", (4096, 1000))
    gradient = np.empty_like(logits)
    count = len(logits)

    def textbook():
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = exponentials / exponentials.sum(axis=1, keepdims=True)
        loss = -np.log(probs[np.arange(count), labels]).mean()
        probs[np.arange(count), labels] -= 1
        return loss, probs / count

    def blocks(step, shift, buffer):
        with np.errstate(all="ignore"):
            np.setbufsize(buffer)
            for start in range(0, count, step):
                block = slice(start, start + step)
                scores, terms = logits[block], gradient[block]
                rows = np.arange(len(terms)), labels[block]
                if shift:
                    peaks = scores.max(axis=1, keepdims=True)
                    scores = np.subtract(scores, peaks, out=terms)
                np.exp(scores, out=terms)
                target = terms[rows]
                terms[rows] = 0
                others = terms.sum(axis=1)
                terms[rows] = -others
                np.log1p(others / target)
                terms *= (1 / ((others + target) * count))[:, np.newaxis]

    steps = {
        "textbook NumPy": textbook,
        "write into one array": lambda: blocks(count, True, 8192),
        "blocks of 512 KB": lambda: blocks(65, True, 8192),
        "no shift": lambda: blocks(65, False, 8192),
        "short buffer": lambda: blocks(65, False, 128),
    }
    room, times = np.empty_like(logits), {name: [] for name in [*steps, "np.exp"]}
    for _ in range(rounds):
        for name, run in [*steps.items(), ("np.exp", lambda: np.exp(logits, out=room))]:
            times[name].append(processor_time(run))
    unit = np.array(times.pop("np.exp"))
    return {name: round(float(np.median(t / unit)), 2) for name, t in times.items()}


def jacobian_against_product(rounds):
    """Time J^T g with and without J, and fit exponents of C to time and memory."""
    rng, rows = np.random.default_rng(0), []
    for classes in JACOBIAN_CLASSES:
        logits, cotangent = rng.normal(size=(2, classes))
        runs = {
            "matrix": lambda z=logits, g=cotangent: sg.softmax_jacobian(z).T @ g,
            "product": lambda z=logits, g=cotangent: sg.softmax_vjp(z, g),
        }
        row = {"classes": classes}
        for name, run in runs.items():
            run()
            seconds = np.median([processor_time(run, 3) for _ in range(rounds)])
            tracemalloc.start()
            run()
            row[f"{name}_bytes"] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            row[f"{name}_ms"] = round(float(seconds) * 1e3, 4)
        rows.append(row)
    # The smallest sizes measure the calls, not the work.
    large, exponents = rows[2:], {}
    for key in ("matrix_ms", "matrix_bytes", "product_ms", "product_bytes"):
        slope = np.polyfit(
            np.log([row["classes"] for row in large]),
            np.log([row[key] for row in large]),
            1,
        )[0]
        exponents[key] = round(float(slope), 2)
    return {"rows": rows, "exponents": exponents}


def machine():
    """Say what was measured, and with what."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    packages = ("numpy", "scipy", "scikit-learn", "torch", "jax")
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    from numpy._core._multiarray_umath import __cpu_features__ as features

    return {
        "processor": model,
        "avx512": bool(features.get("AVX512_SKX") or features.get("X86_V4")),
        "threads": 1,
        "python": platform.python_version(),
        "versions": versions,
    }


def draw(results, path):
    """Draw the ratios of every case as one row of points."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sg.plots.use_book_style()
    figure, axes = plt.subplots(figsize=(7, 4))
    for height, case in enumerate(results["cases"]):
        for name, ratio in case["ratios"].items():
            own = name == "this package"
            colour = sg.plots.RIGHT if own else sg.plots.NEUTRAL
            axes.plot(ratio, height, "o" if own else "|", color=colour)
    labels = [f"{c['kind']} {c['dtype']} {c['shape']}" for c in results["cases"]]
    axes.set(xscale="log", xlabel="time / time of np.exp")
    axes.set_yticks(range(len(labels)), labels)
    figure.savefig(path, bbox_inches="tight")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    results = {"machine": machine(), "rounds": arguments.rounds, "cases": []}
    print(json.dumps(results["machine"]))
    for kind, dtype, shape in CASES:
        ratios, unit = compare(*problem(kind, dtype, shape), arguments.rounds)
        goal = GOALS[kind, dtype, shape]
        case = {"kind": kind, "dtype": dtype, "shape": shape, "goal": goal}
        results["cases"].append(case | {"exp_ms": unit, "ratios": ratios})
        print(kind, dtype, shape, "exp", unit, "ms, goal", goal, ratios, flush=True)
    results["steps"] = technique_steps(arguments.rounds)
    results["vjp"] = jacobian_against_product(5)
    print(results["steps"], results["vjp"]["exponents"])
    arguments.output.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if arguments.figure:
        draw(results, arguments.figure)


if __name__ == "__main__":
    main()
