"""Memory and time of a linear layer's loss and gradients, by chunks and all at once.

Usage: python benchmarks/larger.py FILE [--rounds 5], which for the chapter is
src/softmax_gradients/data/larger.json

Each measurement is a process of its own, on one thread, so that none finds the memory
of another. Its memory is the peak of the resident set during the call, as the kernel
keeps it (VmHWM, reset before the call), minus what was resident before it, inputs
included, and minus the results. Its time is the processor time of the process, the
kernel's work on new memory included. Reported is the median over the rounds, in each of
which every case runs once. The inputs have 64 features. Linux only.

Plain NumPy has the logits in memory. "NumPy" is as one would write it; "NumPy, in
place" writes exponentials, probabilities and gradient over the logits, so that there is
one array of their size, and no less.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
FEATURES = 64
ROWS, CLASSES = 4096, 50257
OTHER_CLASSES = [1000, 3000, 10_000, 30_000]
OTHER_ROWS = [512, 1024, 2048, 8192]
CHUNK_ROWS = [1, 4, 16, 64, 256, 1024]
BY_CHUNKS = "this package"


def problem(rows, classes):
    """Return inputs, weights and labels, made without other arrays of their size."""
    import numpy as np

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(rows, FEATURES))
    weights = rng.normal(scale=0.25, size=(classes, FEATURES))
    return inputs, weights, rng.integers(classes, size=rows)


def numpy_dense(inputs, weights, labels):
    import numpy as np

    rows = np.arange(len(inputs))
    logits = inputs @ weights.T
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = exponentials / exponentials.sum(axis=1, keepdims=True)
    loss = -np.log(probs[rows, labels]).mean()
    probs[rows, labels] -= 1
    probs /= len(rows)
    return loss, probs @ weights, probs.T @ inputs


def numpy_in_place(inputs, weights, labels):
    import numpy as np

    rows = np.arange(len(inputs))
    array = inputs @ weights.T
    array -= array.max(axis=1, keepdims=True)
    gaps = array[rows, labels]
    np.exp(array, out=array)
    sums = array.sum(axis=1, keepdims=True)
    loss = (np.log(sums[:, 0]) - gaps).mean()
    array /= sums
    array[rows, labels] -= 1
    array /= len(rows)
    return loss, array @ weights, array.T @ inputs


def by_chunks(inputs, weights, labels, chunk_rows=None):
    import softmax_gradients as sg

    loss, gradients = sg.linear_cross_entropy_value_and_gradient(
        inputs, weights, labels, chunk_rows=chunk_rows
    )
    return loss, gradients.inputs, gradients.weights


METHODS = {
    "NumPy": numpy_dense,
    "NumPy, in place": numpy_in_place,
    BY_CHUNKS: by_chunks,
}


def cases():
    """Return what is measured: a method, rows, classes and rows of a chunk or None."""
    shapes = [(ROWS, CLASSES)]
    shapes += [(ROWS, classes) for classes in OTHER_CLASSES]
    shapes += [(rows, CLASSES) for rows in OTHER_ROWS]
    found = [(method, *shape, None) for shape in shapes for method in METHODS]
    return found + [(BY_CHUNKS, ROWS, CLASSES, chunk) for chunk in CHUNK_ROWS]


def resident(key):
    """Return VmRSS, what is in memory now, or VmHWM, the most that was, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(key))
    return int(line.split()[1]) * 1024


def forget_the_peak():
    """Set VmHWM to VmRSS: see proc_pid_clear_refs(5)."""
    Path("/proc/self/clear_refs").write_text("5")


def measure_here(method, rows, classes, chunk_rows):
    """Return the memory and the time of one call in this process."""
    inputs, weights, labels = problem(rows, classes)
    options = {} if chunk_rows is None else {"chunk_rows": chunk_rows}
    run = METHODS[method]
    # What is imported and set up by a first call is no matter of size.
    run(inputs[:2], weights[:16], labels[:2] % 16, **options)
    forget_the_peak()
    before = resident("VmRSS")
    start = time.process_time()
    results = run(inputs, weights, labels, **options)
    seconds = time.process_time() - start
    outputs = sum(array.nbytes for array in results[1:])
    return resident("VmHWM") - before - outputs, seconds


def measure_apart(case):
    """Return what `measure_here` does, from a new process."""
    environment = os.environ | dict.fromkeys(THREADS, "1")
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure_here(*json.loads(options.case))))
        return
    if options.file is None:
        parser.error("name the file to write")
    import numpy as np
    from speed import machine

    measured = {case: [] for case in cases()}
    for _ in range(options.rounds):
        for case, found in measured.items():
            found.append(measure_apart(case))
    results = []
    print(f"{'':16} {'rows':>6} {'classes':>8} {'chunk':>6} {'MB':>8} {'seconds':>8}")
    for (method, rows, classes, chunk_rows), found in measured.items():
        memory, seconds = np.median(found, axis=0)
        results.append(
            {
                "method": method,
                "rows": rows,
                "classes": classes,
                "chunk_rows": chunk_rows,
                "peak_bytes": int(memory),
                "seconds": round(float(seconds), 3),
            }
        )
        print(
            f"{method:16} {rows:6} {classes:8} {chunk_rows or '':>6} "
            f"{memory / 1e6:8.1f} {seconds:8.3f}"
        )
    found = {"machine": machine(), "rounds": options.rounds, "features": FEATURES}
    text = json.dumps(found | {"results": results}, indent=1)
    Path(options.file).write_text(text + "\n")


if __name__ == "__main__":
    main()
