"""How long the loss and its gradient take, here and with what else one would pick.

Every method gives the mean loss and its gradient for the same logits. In a round each
method runs in turn, in an order drawn anew, and so does np.exp of the logits into a
given array; a time is the processor time of the whole process, so that other work on
the machine does not count. Reported is the median, over the rounds, of the time divided
by that of np.exp in the same round.
"""

import platform
import time
import tracemalloc
from pathlib import Path

import numpy as np
from methods import installed, versions

import softmax_gradients as sg

SHAPES = [(4096, 1000), (256, 50257), (1, 1_000_000), (4096, 10), (1, 10)]
CASES = [("labels", "float64", shape) for shape in SHAPES]
CASES += [("labels", "float32", shape) for shape in SHAPES[:2]]
CASES += [("weights", "float64", (4096, 1000)), ("large", "float64", (4096, 1000))]
MATRIX_CLASSES = [512, 1024, 2048, 4096]
# Longer than a block: for shorter rows arrays are kept from call to call.
PRODUCT_CLASSES = [2**17, 2**18, 2**19, 2**20]


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


def processor_time(function, repeats=1):
    start = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - start) / repeats


def medians(functions, rounds, repeats=1):
    """Return each function's median time over that of np.exp, and np.exp's in ms."""
    times = {name: [] for name in functions}
    order, rng = list(functions), np.random.default_rng(0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        for run in functions.values():
            run()
        for _ in range(rounds):
            rng.shuffle(order)
            for name in order:
                times[name].append(processor_time(functions[name], repeats))
    unit = np.array(times.pop("np.exp"))
    ratios = {name: float(np.median(t / unit)) for name, t in times.items()}
    rounded = {name: round(ratio, 2) for name, ratio in ratios.items()}
    return rounded, round(float(np.median(unit)) * 1e3, 5)


def compare(logits, targets, rounds):
    """Return the median ratios to np.exp, and np.exp's own time in milliseconds."""
    room = np.empty_like(logits)
    functions = installed(logits, targets)
    functions["np.exp"] = lambda: np.exp(logits, out=room)
    repeats = min(1000, max(3, 1_000_000 // logits.size))
    return medians(functions, rounds, repeats)


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
    room = np.empty_like(logits)
    steps["np.exp"] = lambda: np.exp(logits, out=room)
    return medians(steps, rounds)[0]


def jacobian_against_product(rounds):
    """Time J^T g with and without J, and fit exponents of C to time and memory."""
    products = {
        "matrix": (MATRIX_CLASSES, lambda z, g: sg.softmax_jacobian(z).T @ g),
        "product": (PRODUCT_CLASSES, sg.softmax_vjp),
    }
    rows, exponents, rng = [], {}, np.random.default_rng(0)
    for name, (sizes, product) in products.items():
        seconds, peaks = [], []
        for classes in sizes:
            logits, cotangent = rng.normal(size=(2, classes))
            product(logits, cotangent)
            repeated = [
                processor_time(lambda z=logits, g=cotangent, f=product: f(z, g), 3)
                for _ in range(rounds)
            ]
            seconds.append(float(np.median(repeated)))
            tracemalloc.start()
            product(logits, cotangent)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            cost = {"ms": round(seconds[-1] * 1e3, 4), "bytes": peaks[-1]}
            rows.append({"by": name, "classes": classes} | cost)
        for key, values in (("ms", seconds), ("bytes", peaks)):
            slope = np.polyfit(np.log(sizes), np.log(values), 1)[0]
            exponents[f"{name}_{key}"] = round(float(slope), 2)
    return {"rows": rows, "exponents": exponents}


def machine():
    """Say what was measured, and with what."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    from numpy._core._multiarray_umath import __cpu_features__ as features

    return {
        "processor": model,
        "avx512": bool(features.get("AVX512_SKX") or features.get("X86_V4")),
        "threads": 1,
        "python": platform.python_version(),
        "versions": versions(),
    }


def measure(rounds):
    """Return all measurements, and print each as soon as it is made."""
    results = {"machine": machine(), "rounds": rounds, "cases": []}
    print(results["machine"])
    for kind, dtype, shape in CASES:
        ratios, unit = compare(*problem(kind, dtype, shape), rounds)
        case = {"kind": kind, "dtype": dtype, "shape": shape, "exp_ms": unit}
        results["cases"].append(case | {"ratios": ratios})
        print(f"\n{kind}, {dtype}, {shape}: np.exp takes {unit} ms; times that,")
        for name, ratio in ratios.items():
            print(f"    {name:14} {ratio:8.2f}", flush=True)
    results["steps"] = technique_steps(rounds)
    results["vjp"] = jacobian_against_product(5)
    print(f"\nsteps at (4096, 1000): {results['steps']}")
    print(f"exponents of C, J^T g: {results['vjp']['exponents']}")
    return results
