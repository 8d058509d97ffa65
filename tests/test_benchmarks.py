"""The methods that the benchmarks compare give the same loss and gradient."""

import json
from pathlib import Path

import accuracy
import functions
import larger
import mpmath
import numpy as np
import pytest
import speed
from methods import installed, versions

import softmax_gradients as sg
from tests.support.oracles import mp_cross_entropy, mp_cross_entropy_gradient, one_hot


@pytest.mark.parametrize("kind", ["labels", "weights"])
def test_all_methods_compute_the_same(kind):
    logits, targets = speed.problem(kind, "float64", (7, 5))
    functions = installed(logits, targets)
    assert {"this package", "NumPy, naive", "autograd"} <= set(functions)
    expected = sg.cross_entropy_gradient(logits, targets)
    for name, run in functions.items():
        loss, gradient = run()
        assert float(loss) == pytest.approx(sg.cross_entropy(logits, targets), 1e-12)
        # scikit-learn's gradient is that of the sum.
        count = 7 if name == "scikit-learn" else 1
        np.testing.assert_allclose(np.asarray(gradient) / count, expected, rtol=1e-12)


def test_the_exact_values_are_those_of_the_definition():
    row = np.array([2.0, -1.0, 0.5, 40.0])
    for label in (1, 3):
        with mpmath.workdps(50):
            loss, gradient = accuracy.exact(row, label)
            rounded = [float(slope) for slope in gradient]
        target = one_hot(label, 4)
        assert float(loss) == mp_cross_entropy(row, target)
        np.testing.assert_array_equal(rounded, mp_cross_entropy_gradient(row, target))


def test_what_is_not_installed_is_left_out():
    confident, distilled = accuracy.confident("float64"), accuracy.distilled()
    assert {"this package"} <= set(confident["results"]) <= set(accuracy.CONFIDENT)
    assert {"this package"} <= set(distilled["results"]) <= set(accuracy.SOFT)
    target = one_hot(0, 4)
    losses = confident["results"]["this package"]["loss"]
    for margin, loss in zip(confident["margins"], losses, strict=True):
        expected = mp_cross_entropy(np.array([margin, *accuracy.OTHERS]), target)
        assert loss == pytest.approx(expected, 1e-14)


def test_an_error_is_counted_in_units_in_the_last_place():
    exact_result = [mpmath.mpf(1), mpmath.mpf(3)]
    spacing = float(np.spacing(np.float32(3)))
    found = accuracy.largest_error([1.0, 3 + 2 * spacing], exact_result, np.float32)
    assert found == 2
    assert accuracy.largest_error([1.0, np.nan], exact_result, np.float64) is None


def test_versions_name_the_package_itself():
    assert versions()["softmax-gradients"] == sg.__version__
    assert versions()["numpy"] == np.__version__


def test_all_ways_through_a_linear_layer_compute_the_same():
    problem = larger.problem(9, 30)
    ways = [run(*problem) for run in larger.METHODS.values()]
    ways.append(larger.by_chunks(*problem, chunk_rows=2))
    for results in ways[1:]:
        for ours, expected in zip(results, ways[0], strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-15)


def test_the_measured_memory_and_time_are_those_that_are_claimed():
    """In the committed file: a tenth of the memory, and 1.2 times the time."""
    path = Path(sg.__file__).parent / "data" / "larger.json"
    stored = json.loads(path.read_text("utf-8"))
    measured = {
        (each["method"], each["rows"], each["classes"], each["chunk_rows"]): each
        for each in stored["results"]
    }
    assert set(measured) == set(larger.cases())
    shape = (larger.ROWS, larger.CLASSES, None)
    ours = measured[(larger.BY_CHUNKS, *shape)]
    for method in ("NumPy", "NumPy, in place"):
        dense = measured[(method, *shape)]
        assert ours["peak_bytes"] <= dense["peak_bytes"] / 10
        assert ours["seconds"] <= 1.2 * dense["seconds"]


@pytest.mark.parametrize("shape", [(7, 5), (5, 200)])
@pytest.mark.parametrize("rows", [None, 2, slice(None)])
def test_each_function_computes_what_the_plain_one_beside_it_does(shape, rows):
    """Also where classes are masked, which the plain divergences make NaN."""
    arrays = functions.problem(shape, "float64")
    if rows is not None:
        arrays = functions.masked(arrays, rows)
        assert np.isneginf(arrays["logits"][rows, 1]).all()
    compared = 0
    for name, (ours, plain) in functions.pairs(arrays, 1.7).items():
        with np.errstate(invalid="ignore"):
            found, expected = ours(), plain()
        found, expected = (
            pair if isinstance(pair, tuple) else (pair,) for pair in (found, expected)
        )
        for here, there in zip(found, expected, strict=True):
            assert not np.isnan(here).any(), name
            if not np.isnan(there).any():
                np.testing.assert_allclose(here, there, rtol=1e-10, atol=1e-14)
                compared += 1
    assert compared >= 11
