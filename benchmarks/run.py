"""Speed and accuracy beside other libraries: what `make bench` runs.

Usage: python benchmarks/run.py [--rounds 25] [--without-avx512]

Everything runs in this process on one thread. It prints the tables and writes the files
from which the chapters "Every digit" and "Fast" are drawn, and a figure for each.
"""

import argparse
import json
import os
from pathlib import Path

ROOT = Path(__file__).parents[1]

# What the libraries read when they are imported: NumPy, OpenBLAS, PyTorch, JAX, Numba.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
WITHOUT_AVX512 = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "XLA_FLAGS": ONE_THREAD["XLA_FLAGS"] + " --xla_cpu_max_isa=AVX2",
}


def draw_speed(results, path):
    """Draw the ratios of every case as one row of points."""
    import matplotlib.pyplot as plt

    import softmax_gradients as sg

    figure, axes = plt.subplots(figsize=(7, 4))
    for height, case in enumerate(results["cases"]):
        for name, ratio in case["ratios"].items():
            own = name == "this package"
            colour = sg.plots.RIGHT if own else sg.plots.NEUTRAL
            axes.plot(ratio, height, "o" if own else "|", color=colour)
    labels = [f"{c['kind']} {c['dtype']} {c['shape']}" for c in results["cases"]]
    axes.set(xscale="log", xlabel="time / time of np.exp (dot: this package)")
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    figure.savefig(path, bbox_inches="tight")


def draw_errors(results, path):
    """Draw the largest error of each row, loss and gradient, one line a case."""
    import matplotlib.pyplot as plt

    import softmax_gradients as sg

    figure, axes = plt.subplots(figsize=(7, 4))
    table = results["errors"]["float64"]
    cases = list(table["this package"])
    for name, by_case in table.items():
        own = name == "this package"
        colour = sg.plots.RIGHT if own else sg.plots.NEUTRAL
        for height, case in enumerate(cases):
            found = [error for error in by_case[case].values() if error is not None]
            worst = max([0.1, *found])
            axes.plot(worst, height, "o" if own else "|", color=colour)
    axes.set(xscale="log", xlabel="largest error in ULP, float64 (dot: this package)")
    axes.set_yticks(range(len(cases)), cases)
    axes.invert_yaxis()
    figure.savefig(path, bbox_inches="tight")


def main():
    """Set the environment, import the libraries, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--without-avx512", action="store_true")
    arguments = parser.parse_args()
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)  # a machine's own setting for other work
    os.environ.update(ONE_THREAD)
    if arguments.without_avx512:
        os.environ.update(WITHOUT_AVX512)

    import accuracy
    import matplotlib as mpl
    import speed

    import softmax_gradients as sg

    mpl.use("Agg")
    sg.plots.use_book_style()
    data, figures = ROOT / "book" / "data", ROOT / "_build"
    figures.mkdir(exist_ok=True)
    suffix = "_without_avx512" if arguments.without_avx512 else ""
    results = {f"speed{suffix}": speed.measure(arguments.rounds)}
    draw_speed(results[f"speed{suffix}"], figures / f"speed{suffix}.png")
    if not arguments.without_avx512:
        results["peers_accuracy"] = accuracy.measure()
        draw_errors(results["peers_accuracy"], figures / "accuracy.png")
    for name, found in results.items():
        text = json.dumps(found, indent=1, allow_nan=False)
        (data / f"{name}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
