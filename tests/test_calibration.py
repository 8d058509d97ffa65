"""One temperature fitted in 1/T, and the bins of a reliability diagram."""

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import softmax_gradients as sg
from softmax_gradients.calibration import (
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from tests.support import oracles
from tests.support.oracles import relaxed


def overconfident(seed=0, rows=60, classes=5, scale=6.0):
    """Return logits and labels: a third of the labels do not look at the logits."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=scale, size=(rows, classes))
    guesses = rng.integers(classes, size=rows)
    labels = np.where(rng.random(rows) < 2 / 3, logits.argmax(axis=1), guesses)
    return logits, labels


@pytest.mark.parametrize("margin", [1e-9, 0.3, 5.0, 1e9])
def test_two_classes_by_hand(margin):
    """Right in 3 rows of 4: 1/(1 + e^(-m/T)) = 3/4, so T = m/log 3."""
    fitted = fit_temperature([[margin, 0.0]] * 4, [0, 0, 0, 1])
    assert_allclose(fitted, margin / np.log(3), rtol=1e-12)


def test_soft_targets_by_hand():
    """One row: the gradient in z vanishes at T = 2.5, for any sum of the targets."""
    logits = np.array([2.0, 0.5, -1.0, 1.2])
    for total in (1.0, 3.7):
        targets = total * sg.softmax(logits, temperature=2.5)
        assert_allclose(fit_temperature(logits, targets), 2.5, rtol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_the_derivative_in_the_temperature_vanishes(seed):
    logits, labels = overconfident(seed)
    fitted = fit_temperature(logits, labels)
    at_one = sg.cross_entropy_temperature_gradient(logits, labels, temperature=1.0)
    derivative = sg.cross_entropy_temperature_gradient(
        logits, labels, temperature=fitted
    )
    assert abs(at_one) > 0.1
    assert abs(derivative) < 1e-14


def test_no_other_temperature_has_a_lower_loss():
    logits, labels = overconfident(seed=5)
    fitted = fit_temperature(logits, labels)
    least = sg.cross_entropy(logits, labels, temperature=fitted)
    for factor in (1e-3, 0.5, 0.99, 1.01, 2.0, 1e3):
        assert sg.cross_entropy(logits, labels, temperature=fitted * factor) > least


def test_against_mpmath():
    """The root of dL/dT found in 30 digits, from the definition of the loss."""
    logits, labels = overconfident(seed=6, rows=7)
    with mpmath.workdps(30):
        rows = [[mpmath.mpf(float(z)) for z in row] for row in logits]

        def loss(inverse):
            return sum(
                mpmath.log(sum(mpmath.exp(inverse * (z - row[label])) for z in row))
                for row, label in zip(rows, labels, strict=True)
            )

        fitted = fit_temperature(logits, labels)
        root = mpmath.findroot(lambda b: mpmath.diff(loss, b), 1 / fitted)
        assert_allclose(fitted, float(1 / root), rtol=1e-12)


@pytest.mark.peers
def test_against_scipy():
    from scipy import optimize

    logits, labels = overconfident(seed=7)
    found = optimize.minimize_scalar(
        lambda t: sg.cross_entropy(logits, labels, temperature=t),
        bounds=(0.1, 50),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert_allclose(fit_temperature(logits, labels), found.x, rtol=1e-6)


@relaxed
@given(st.integers(0, 10_000), st.integers(-200, 200), st.floats(-50, 50))
def test_scaled_and_shifted_logits(seed, exponent, shift):
    """T has the unit of the logits, and a common shift of a row changes nothing."""
    logits, labels = overconfident(seed, rows=20)
    assume((labels != logits.argmax(axis=1)).any())
    fitted = fit_temperature(logits, labels)
    factor = 2.0**exponent
    assert_allclose(fit_temperature(logits * factor, labels), fitted * factor)
    assert_allclose(fit_temperature(logits + shift, labels), fitted, rtol=1e-9)


def test_rows_far_from_the_others_do_not_stop_the_search():
    """Logits of -1e9, a mask of programs that know no -inf, count like -inf."""
    logits, labels = overconfident(seed=8)
    expected = fit_temperature(logits, labels)
    for value in (-1e3, -1e9, -np.inf):
        wider = np.column_stack([logits, np.full(len(logits), value)])
        assert_allclose(fit_temperature(wider, labels), expected, rtol=1e-11)


def test_the_ends_of_the_range():
    """One error in a million rows, and one right answer more than by chance."""
    nearly_all = [[999_999.0, 1.0]]
    assert_allclose(
        fit_temperature([[2.0, 0.0]], nearly_all), 2 / np.log(999_999), rtol=1e-9
    )
    hardly = [[500_001.0, 499_999.0]]
    assert_allclose(
        fit_temperature([[2.0, 0.0]], hardly),
        2 / np.log(500_001 / 499_999),
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ([[2.0, 0.0, 1.0], [0.0, 3.0, 1.0]], [0, 1]),
        ([[2.0, 2.0, 1.0]], [1]),  # a tie at the top: the loss falls to log 2
        ([[2.0, 2.0, 1.0]], [[0.3, 0.7, 0.0]]),
        ([[1.0, 1.0]], [0]),  # any T is as good as any other
        ([[1.0, 2.0]], [[0.0, 0.0]]),
        (np.zeros((0, 3)), np.zeros(0, int)),
    ],
)
def test_least_as_the_temperature_goes_to_zero(logits, targets):
    with pytest.raises(ValueError, match="or the loss is least as T goes to 0"):
        fit_temperature(logits, targets)


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ([[2.0, 0.0, 1.0]], [1]),
        ([[2.0, 0.0], [0.0, 2.0]], [0, 0]),  # least at 1/T = 0 exactly
        ([[2.0, 0.0, -np.inf]], [1]),
    ],
)
def test_least_at_no_positive_temperature(logits, targets):
    with pytest.raises(ValueError, match="targets must favour the larger logits"):
        fit_temperature(logits, targets)


def test_the_conditions_are_those_of_the_loss():
    """Where there is an error, the loss falls to the end of the range of T."""
    right, wrong = [[2.0, 0.0, 1.0]], [1]
    small = [
        float(sg.cross_entropy(right, [0], temperature=t)) for t in (1.0, 0.3, 0.1)
    ]
    assert small == sorted(small, reverse=True)
    large = [
        float(sg.cross_entropy(right, wrong, temperature=t)) for t in (1.0, 10.0, 1e4)
    ]
    assert large == sorted(large, reverse=True)


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        ([[0.0, -np.inf]], [1], "targets must not weigh a masked class"),
        ([[1e308, -1e308]], [1], "logits must have finite differences"),
        ([[1j, 0.0]], [0], "logits must be real, got an array of complex128"),
        ([[np.nan, 0.0]], [0], "logits must be finite"),
        ([[1.0, 0.0]], [2], "targets must be class indices from 0 to 1"),
    ],
)
def test_arguments_that_cannot_be_used(logits, targets, message):
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, targets)


def test_nothing_is_changed_and_the_class_axis_can_be_anywhere():
    logits, labels = overconfident(seed=9)
    logits.flags.writeable = labels.flags.writeable = False
    fitted = fit_temperature(logits, labels)
    assert isinstance(fitted, float)
    assert fit_temperature(logits.T, labels, axis=0) == fitted
    error = expected_calibration_error(logits, labels)
    assert expected_calibration_error(logits.T, labels, axis=0) == error
    stacked = logits.reshape(2, 30, 5), labels.reshape(2, 30)
    assert_allclose(fit_temperature(*stacked), fitted, rtol=1e-12)
    assert_allclose(expected_calibration_error(*stacked), error, rtol=1e-12)


def by_hand():
    """Return four rows with the confidences 0.5, 0.8, 0.9 and 0.6."""
    probs = np.array([[0.5, 0.5], [0.8, 0.2], [0.1, 0.9], [0.6, 0.4]])
    return np.log(probs), [0, 0, 0, 1]


def test_bins_by_hand():
    """Two bins: (0, 1/2] holds the first row, (1/2, 1] the others."""
    filled = reliability(*by_hand(), bins=2)
    assert_array_equal(filled.counts, [1, 3])
    assert_allclose(filled.confidences, [0.5, 2.3 / 3], rtol=1e-14)
    assert_allclose(filled.accuracies, [1.0, 1 / 3], rtol=1e-14)


@pytest.mark.parametrize(
    ("bins", "error"),
    [
        (1, abs(2 - 2.8) / 4),
        (2, (0.5 + 1.3) / 4),
        (3, (0.1 + 0.7) / 4),  # 1 - (0.5 + 0.6) and 1 - (0.8 + 0.9)
    ],
)
def test_expected_calibration_error_by_hand(bins, error):
    found = expected_calibration_error(*by_hand(), bins=bins)
    assert_allclose(found, error, rtol=1e-14)


def test_the_temperature_moves_confidence_and_nothing_else():
    logits, labels = overconfident(seed=10)
    softer = reliability(logits, labels, temperature=3.0, bins=1)
    sharper = reliability(logits, labels, temperature=0.5, bins=1)
    assert softer.accuracies == sharper.accuracies
    assert softer.confidences < sharper.confidences
    scaled = reliability(logits / 3.0, labels, bins=1)
    assert_allclose(softer.confidences, scaled.confidences, rtol=1e-14)


def test_a_confidence_that_rounds_to_one():
    """Unequal logits whose probabilities are equal floats still have one largest."""
    filled = reliability([[0.0, 800.0], [1e-17, 0.0], [0.0, 1e-17]], [1, 1, 1], bins=4)
    assert_array_equal(filled.counts, [2, 1])
    assert_array_equal(filled.accuracies, [0.5, 1.0])


@relaxed
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 6))
def test_merging_bins_never_raises_the_error(seed, bins, factor):
    logits, labels = overconfident(seed, rows=30, scale=1.0)
    coarse = expected_calibration_error(logits, labels, bins=bins)
    fine = expected_calibration_error(logits, labels, bins=bins * factor)
    assert 0 <= coarse <= fine + 1e-12
    assert fine <= 1


@pytest.mark.parametrize("bins", [0, -3, 1.5, "15", None])
def test_bins_that_cannot_be_used(bins):
    with pytest.raises(ValueError, match="bins must be an integer of at least 1, got"):
        reliability([[1.0, 0.0]], [0], bins=bins)


def test_labels_that_cannot_be_used():
    with pytest.raises(ValueError, match=r"labels must be class indices of shape"):
        reliability([[1.0, 0.0]], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="labels must be class indices from 0 to 1"):
        reliability([[1.0, 0.0]], [2])
    with pytest.raises(ValueError, match="logits must have at least one row"):
        expected_calibration_error(np.zeros((0, 2)), np.zeros(0, int))
    with pytest.raises(ValueError, match="logits must be real"):
        reliability([[1j, 0.0]], [0])


def test_targets_of_another_sum_weigh_their_rows():
    point = oracles.point(seed=11, rows=6)
    assert_array_equal(point.targets.sum(axis=1) != 1, True)
    targets = point.targets + sg.softmax(point.logits, temperature=2.0)
    fitted = fit_temperature(point.logits, targets)
    derivative = sg.cross_entropy_temperature_gradient(
        point.logits, targets, temperature=fitted
    )
    assert abs(derivative) < 1e-14


def test_saved_probabilities_are_noticed():
    """The best T of probabilities taken for logits is that of another model."""
    logits, labels = overconfident(seed=9)
    probs = sg.softmax(logits)
    with pytest.warns(UserWarning, match="sum to one, as probabilities do"):
        wrong = fit_temperature(probs, labels)
    right = fit_temperature(logits, labels)
    assert wrong < right / 2
    # Their logarithms are logits, and no warning is given.
    assert_allclose(fit_temperature(np.log(probs), labels), right, rtol=1e-9)


def test_one_row_that_is_no_distribution_silences_the_warning():
    probs = np.array([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4], [0.9, 0.2]])
    assert fit_temperature(probs, [0, 1, 1, 0]) > 0


@pytest.mark.parametrize("bins", [True, np.array([3]), 1e9])
def test_bins_are_one_whole_number(bins):
    with pytest.raises(ValueError, match="bins must be an integer of at least 1"):
        reliability([[1.0, 0.0]], [0], bins=bins)


def test_bins_that_hold_nothing_take_no_memory():
    logits = np.log([[0.5, 0.5], [0.8, 0.2], [0.1, 0.9], [0.6, 0.4]])
    filled = reliability(logits, [0, 0, 0, 1], bins=10**12)
    assert_array_equal(filled.counts, [1, 1, 1, 1])
    assert_allclose(filled.confidences, [0.5, 0.6, 0.8, 0.9], rtol=1e-12)
    assert_array_equal(filled.accuracies, [1, 0, 1, 0])


def test_the_default_is_fifteen_bins():
    logits, labels = overconfident(seed=9)
    for part, same in zip(
        reliability(logits, labels), reliability(logits, labels, bins=15), strict=True
    ):
        assert_array_equal(part, same)
    default = expected_calibration_error(logits, labels)
    for other in (14, 16):
        assert expected_calibration_error(logits, labels, bins=other) != default
