"""datasets: the digits are those that were published."""

import numpy as np
import pytest

import softmax_gradients as sg


def test_shapes_types_and_range():
    digits = sg.load_digits()
    assert digits.inputs.shape == (1797, 64)
    assert digits.inputs.dtype == np.float64
    assert digits.labels.shape == (1797,)
    assert digits.labels.dtype == np.intp
    assert digits.inputs.min() == 0
    assert digits.inputs.max() == 1
    sixteenths = digits.inputs * 16
    np.testing.assert_array_equal(sixteenths, sixteenths.round())


def test_as_many_of_each_digit_as_its_publishers_count():
    # The class distribution of the test part in the description of the data.
    counts = np.bincount(sg.load_digits().labels)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_first_image_is_a_zero():
    digits = sg.load_digits()
    assert digits.labels[0] == 0
    # The first line of the published file optdigits.tes begins like this.
    assert (digits.inputs[0, :8] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_sums_of_the_stored_copy():
    digits = sg.load_digits()
    assert digits.inputs.sum() * 16 == 561718
    assert digits.labels.sum() == 8070


def test_each_call_gives_its_own_arrays():
    sg.load_digits().inputs[:] = 7
    assert sg.load_digits().inputs.max() == 1


@pytest.mark.peers
def test_equal_to_the_copy_in_scikit_learn():
    from sklearn import datasets

    theirs = datasets.load_digits()
    ours = sg.load_digits()
    np.testing.assert_array_equal(ours.inputs * 16, theirs.data)
    np.testing.assert_array_equal(ours.labels, theirs.target)


@pytest.mark.parametrize(
    "name", ["speed", "speed_without_avx512", "peers_accuracy", "distillation_sweep"]
)
def test_the_results_that_chapters_report_come_with_the_package(name):
    results = sg.datasets.load_results(name)
    assert results
    results.clear()
    assert sg.datasets.load_results(name)


def test_results_of_no_such_name_are_refused():
    with pytest.raises(ValueError, match=r"name must be one of .*'Speed'"):
        sg.datasets.load_results("Speed")
