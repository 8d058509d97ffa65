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


def draw(values, label, path):
    """Draw one line of points a case; `values` has, by case, a number by method."""
    import matplotlib.pyplot as plt

    import softmax_gradients as sg

    figure, axes = plt.subplots(figsize=(7, 4))
    for height, by_method in enumerate(values.values()):
        for name, value in by_method.items():
            own = name == "this package"
            colour = sg.plots.RIGHT if own else sg.plots.NEUTRAL
            axes.plot(value, height, "o" if own else "|", color=colour)
    axes.set(xscale="log", xlabel=f"{label} (dot: this package)")
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    figure.savefig(path, bbox_inches="tight")


def ratios_by_case(results):
    """Return the times over np.exp's, by case and method."""
    return {
        f"{case['kind']} {case['dtype']} {case['shape']}": case["ratios"]
        for case in results["cases"]
    }


def worst_errors(results):
    """Return the larger error of loss and gradient, in float64, by row and method."""
    table = results["errors"]["float64"]
    values = {case: {} for case in table["this package"]}
    for name, by_case in table.items():
        for case, errors in by_case.items():
            finite = [error for error in errors.values() if error is not None]
            values[case][name] = max([0.1, *finite])
    return values


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
    data, figures = ROOT / "src" / "softmax_gradients" / "data", ROOT / "_build"
    figures.mkdir(exist_ok=True)
    suffix = "_without_avx512" if arguments.without_avx512 else ""
    results = {f"speed{suffix}": speed.measure(arguments.rounds)}
    ratios = ratios_by_case(results[f"speed{suffix}"])
    draw(ratios, "time / time of np.exp", figures / f"speed{suffix}.png")
    if not arguments.without_avx512:
        results["peers_accuracy"] = accuracy.measure()
        worst = worst_errors(results["peers_accuracy"])
        draw(worst, "largest error in ULP, float64", figures / "accuracy.png")
    for name, found in results.items():
        text = json.dumps(found, indent=1, allow_nan=False)
        (data / f"{name}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
