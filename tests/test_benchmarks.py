"""The methods that the benchmarks compare give the same loss and gradient."""

import accuracy
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
