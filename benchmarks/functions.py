"""How long each public function takes on a batch, beside plain NumPy and libraries.

Usage: python benchmarks/functions.py [--rounds 9] [--temperatures 1 3 1.7 20 0.7]

Plain NumPy is `plain_*` of methods.py: z/T, maximum, exp, sum. In a round the package
and each of the others run in turn; a time is the processor time of the process, and
what is reported is the median, over the rounds, of its time over plain NumPy's. With
`--without-avx512` the features are disabled as in run.py. The results are written to
src/softmax_gradients/data/functions.json, or to the file of `--output`.

With `--masked` the package is timed beside itself: with one masked logit (-inf) in the
batch, and with one in every row, over without. That is printed, and not stored.

Whether the memory of new arrays is in use already decides much of the time: plain NumPy
makes three arrays of the logits' size and more. `--kept-memory` has the C library keep
what was freed, as it does in a process that has worked for a while; without it arrays
above its threshold come new from the system.
"""

import argparse
import ctypes
import json
import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHAPES = [
    (4096, 1000),
    (256, 50257),
    (4096, 10),
    (512, 1000),
    (2048, 10),
    (32, 50257),
]
TEMPERATURES = [1.0, 3.0, 1.7, 20.0, 0.7]


def keep_memory():
    """Have glibc keep freed memory, so that new arrays take no page faults."""
    library = ctypes.CDLL(None)
    trim_threshold, mmap_threshold = -1, -3
    for option in (trim_threshold, mmap_threshold):
        library.mallopt(option, 2**31 - 1)


def torch_functions(arrays, temperature):
    """Return what PyTorch has of the functions, by name."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    z, v = torch.from_numpy(arrays["logits"]), torch.from_numpy(arrays["teacher"])
    labels = torch.from_numpy(arrays["labels"])

    def divergence():
        log_q = functional.log_softmax(z / temperature, 1)
        log_p = functional.log_softmax(v / temperature, 1)
        return functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)

    return {
        "softmax": lambda: functional.softmax(z / temperature, 1),
        "log_softmax": lambda: functional.log_softmax(z / temperature, 1),
        "cross_entropy, labels": lambda: functional.cross_entropy(
            z / temperature, labels
        ),
        "kl_divergence": divergence,
    }


def jax_functions(arrays, temperature):
    """Return what JAX has of the functions, by name, compiled."""
    import jax

    jax.config.update("jax_enable_x64", True)
    z, v = jax.numpy.asarray(arrays["logits"]), jax.numpy.asarray(arrays["teacher"])
    functions = {
        "softmax": lambda z, v: jax.nn.softmax(z / temperature, axis=1),
        "log_softmax": lambda z, v: jax.nn.log_softmax(z / temperature, axis=1),
    }
    compiled = {name: jax.jit(function) for name, function in functions.items()}
    return {
        name: lambda run=run: jax.block_until_ready(run(z, v))
        for name, run in compiled.items()
    }


def scipy_functions(arrays, temperature):
    """Return what SciPy has of the functions, by name."""
    from scipy import special

    z = arrays["logits"]
    return {
        "softmax": lambda: special.softmax(z / temperature, axis=1),
        "log_softmax": lambda: special.log_softmax(z / temperature, axis=1),
    }


PEERS = {"SciPy": scipy_functions, "PyTorch": torch_functions, "JAX": jax_functions}


def problem(shape, dtype):
    """Return the arrays of a case."""
    import numpy as np

    rng = np.random.default_rng(0)
    logits, teacher, vector = rng.normal(scale=3, size=(3, *shape)).astype(dtype)
    weights = rng.random(shape)
    weights /= weights.sum(axis=1, keepdims=True)
    return {
        "logits": logits,
        "teacher": teacher,
        "vector": vector,
        "weights": weights.astype(dtype),
        "labels": rng.integers(shape[1], size=shape[0]),
    }


def pairs(arrays, temperature):
    """Return the package's function and plain NumPy's, by name."""
    import methods
    import numpy as np

    import softmax_gradients as sg

    z, v, u, t, y = (
        arrays[name] for name in ("logits", "teacher", "vector", "weights", "labels")
    )
    out = np.empty_like(z)
    functions = {
        "softmax": (sg.softmax, methods.plain_softmax, (z,)),
        "log_softmax": (sg.log_softmax, methods.plain_log_softmax, (z,)),
        "softmax_vjp": (sg.softmax_vjp, methods.plain_softmax_vjp, (z, u)),
        "log_softmax_vjp": (sg.log_softmax_vjp, methods.plain_log_softmax_vjp, (z, u)),
        "kl_divergence": (sg.kl_divergence, methods.plain_kl_divergence, (z, v)),
        "kl_divergence_gradient": (
            sg.kl_divergence_gradient,
            methods.plain_kl_divergence_gradient,
            (z, v),
        ),
    }
    for kind, targets in (("labels", y), ("weights", t)):
        functions |= {
            f"cross_entropy, {kind}": (
                sg.cross_entropy,
                methods.plain_cross_entropy,
                (z, targets),
            ),
            f"cross_entropy_gradient, {kind}": (
                sg.cross_entropy_gradient,
                methods.plain_cross_entropy_gradient,
                (z, targets),
            ),
            f"cross_entropy_value_and_gradient, {kind}": (
                lambda *given, **options: sg.cross_entropy_value_and_gradient(
                    *given, out=out, **options
                ),
                methods.plain_value_and_gradient,
                (z, targets),
            ),
            f"cross_entropy_temperature_gradient, {kind}": (
                sg.cross_entropy_temperature_gradient,
                methods.plain_temperature_gradient,
                (z, targets),
            ),
        }
    made = {
        name: (
            lambda f=ours, a=given: f(*a, temperature=temperature),
            lambda f=plain, a=given: f(*a, temperature),
        )
        for name, (ours, plain, given) in functions.items()
    }
    for name in ("loss", "loss_gradient", "value_and_gradient"):
        ours = getattr(sg, f"distillation_{name}", None)
        plain = getattr(methods, f"plain_distillation_{name.removeprefix('loss_')}")
        if ours is not None:  # an older package may not have it
            made[f"distillation_{name}"] = (
                lambda f=ours: f(z, v, labels=y, temperature=temperature),
                lambda f=plain: f(z, v, y, temperature),
            )
    return made


def measure(shape, dtype, temperature, rounds):
    """Return the medians over plain NumPy's time, by function and method."""
    import numpy as np
    from speed import processor_time

    arrays = problem(shape, dtype)
    room = np.empty_like(arrays["logits"])
    repeats = max(1, 300_000 // arrays["logits"].size)
    peers = {}
    for library, make in PEERS.items():
        try:
            peers[library] = make(arrays, temperature)
        except ImportError:
            continue
    table = {}
    for name, (ours, plain) in pairs(arrays, temperature).items():
        runs = {"this package": ours, "plain NumPy": plain}
        runs |= {library: has[name] for library, has in peers.items() if name in has}
        runs["np.exp"] = lambda: np.exp(arrays["logits"], out=room)
        times = {method: [] for method in runs}
        for number in range(rounds + 1):  # the first warms up
            for method, run in runs.items():
                spent = processor_time(run, repeats)
                if number:
                    times[method].append(spent)
        unit = np.array(times["plain NumPy"])
        table[name] = {
            method: round(float(np.median(np.array(spent) / unit)), 2)
            for method, spent in times.items()
            if method != "plain NumPy"
        }
    return table


def masked(arrays, rows):
    """Return the arrays with the second class of some rows masked and weightless."""
    copies = {name: array.copy() for name, array in arrays.items()}
    for name, value in (("logits", float("-inf")), ("teacher", float("-inf"))):
        copies[name][rows, 1] = value
    copies["weights"][rows, 1] = 0
    copies["weights"] /= copies["weights"].sum(axis=1, keepdims=True)
    copies["labels"][copies["labels"] == 1] = 0
    return copies


def measure_masked(shape, dtype, temperature, rounds):
    """Return the medians of the times with masks over those without, by function."""
    import numpy as np
    from speed import processor_time

    arrays = problem(shape, dtype)
    cases = {"none": arrays, "one": masked(arrays, shape[0] // 3)}
    cases["every row"] = masked(arrays, slice(None))
    made = {name: pairs(case, temperature) for name, case in cases.items()}
    repeats = max(1, 300_000 // arrays["logits"].size)
    table = {}
    for function in made["none"]:
        times = {name: [] for name in cases}
        for number in range(rounds + 1):  # the first warms up
            for name, functions in made.items():
                spent = processor_time(functions[function][0], repeats)
                if number:
                    times[name].append(spent)
        unit = np.array(times.pop("none"))
        table[function] = {
            name: float(np.median(np.array(spent) / unit))
            for name, spent in times.items()
        }
    return table


def print_masked(arguments):
    """Measure and print what masks cost."""
    for shape in (SHAPES[number] for number in arguments.shapes):
        for dtype in arguments.dtypes:
            for temperature in arguments.temperatures:
                table = measure_masked(shape, dtype, temperature, arguments.rounds)
                print(f"\n{shape} {dtype}, T = {temperature:g}: one mask, one in a row")
                for name, found in table.items():
                    ratios = (f"{ratio:7.2f}" for ratio in found.values())
                    print(f"{name:44}", *ratios, flush=True)


def main():
    """Set the environment, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--temperatures", type=float, nargs="*", default=TEMPERATURES)
    parser.add_argument("--dtypes", nargs="*", default=["float64", "float32"])
    parser.add_argument("--shapes", type=int, nargs="*", default=range(len(SHAPES)))
    parser.add_argument("--without-avx512", action="store_true")
    parser.add_argument("--kept-memory", action="store_true")
    parser.add_argument("--masked", action="store_true")
    parser.add_argument(
        "--output",
        default=ROOT / "src" / "softmax_gradients" / "data" / "functions.json",
    )
    arguments = parser.parse_args()

    from run import ONE_THREAD, WITHOUT_AVX512

    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)  # a machine's own setting for other work
    os.environ.update(ONE_THREAD)
    if arguments.without_avx512:
        os.environ.update(WITHOUT_AVX512)
    if arguments.kept_memory:
        keep_memory()

    import speed

    if arguments.masked:
        print_masked(arguments)
        return
    results = {"machine": speed.machine(), "kept_memory": arguments.kept_memory}
    results |= {"rounds": arguments.rounds, "cases": []}
    print(results["machine"])
    for shape in (SHAPES[number] for number in arguments.shapes):
        for dtype in arguments.dtypes:
            columns = {
                temperature: measure(shape, dtype, temperature, arguments.rounds)
                for temperature in arguments.temperatures
            }
            for temperature, ratios in columns.items():
                case = {"shape": shape, "dtype": dtype, "temperature": temperature}
                results["cases"].append(case | {"ratios": ratios})
            print(f"\n{shape} {dtype}: time over plain NumPy's (np.exp's), at T =")
            print(" " * 44 + "".join(f"{temperature:14g}" for temperature in columns))
            for name in next(iter(columns.values())):
                row = "".join(
                    f"{found[name]['this package']:7.2f} ({found[name]['np.exp']:4.2f})"
                    for found in columns.values()
                )
                print(f"{name:44}{row}", flush=True)
    text = json.dumps(results, indent=1)
    Path(arguments.output).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
