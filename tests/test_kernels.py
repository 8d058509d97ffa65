"""The kernels: every public function's ways beside 50 digits, and what they refuse."""

import math

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import softmax_gradients as sg
from softmax_gradients import _kernels
from softmax_gradients._inputs import as_unchecked_logits, as_unchecked_targets
from softmax_gradients._kernels import sums
from softmax_gradients._kernels.few import FEW, few_value_and_gradient
from tests.support.oracles import (
    ExactRow,
    exact_divergence,
    normwise_ulps,
    one_hot,
    ulps,
)

BOUND = 6  # ULP, of the kernel; the function it is compared with has its own


def batch(kind, classes, dtype, rows=50):
    """Return logits of one kind, and labels of which half are the largest logit."""
    rng = np.random.default_rng(3)
    shape = (rows, classes)
    if kind in (5, 50, 700, 10_000):
        logits = rng.uniform(-kind, kind, shape)
    else:
        logits = {
            "ties": lambda: np.full(shape, -3.3),
            "one huge": lambda: np.where(
                np.arange(classes), rng.normal(size=shape), 900
            ),
            "near 1000": lambda: rng.normal(scale=9, size=shape) + 1000,
            "near -1000": lambda: rng.normal(scale=9, size=shape) - 1000,
            "subnormal": lambda: np.where(
                np.arange(classes), rng.uniform(-745, -700, shape), 0
            ),
            "masked": lambda: np.where(
                np.arange(classes) % 3 == 1, -np.inf, rng.normal(scale=9, size=shape)
            ),
            "beyond 1e20": lambda: rng.normal(scale=1e20, size=shape),
        }[kind]()
    logits = logits.astype(dtype)
    labels = rng.integers(classes, size=rows)
    labels[::2] = logits[::2].argmax(axis=1)
    return logits, labels


KINDS = [5, 50, 700, 10_000, "ties", "one huge", "near 1000", "near -1000"]
KINDS += ["subnormal", "masked", "beyond 1e20"]


def apart(actual, expected):
    """Return the largest difference in units in the last place of `expected`."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(actual - expected) / np.spacing(np.abs(expected))
    return np.where(actual == expected, 0, difference).max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("temperature", [1.0, 0.125, 4.0])
@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_give_what_the_plain_functions_give(kind, classes, temperature, dtype):
    logits, labels = batch(kind, classes, dtype)
    options = {"temperature": temperature, "reduction": "none"}
    both = sg.cross_entropy_value_and_gradient(logits, labels, **options)
    loss = sg.cross_entropy(logits, labels, **options)
    gradient = sg.cross_entropy_gradient(logits, labels, **options)
    assert (both[0].dtype, both[1].dtype) == (dtype, dtype)
    # Two results within the bound of the exact one.
    assert apart(both[0], loss) <= 2 * BOUND
    assert apart(both[1], gradient) <= 2 * BOUND


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("temperature", [1.0, 0.125, 4.0, 2.0**15])
@pytest.mark.parametrize("classes", [10, 100, 1000, 2000])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_give_what_the_plain_functions_give(kind, classes, temperature, dtype):
    logits, labels = batch(kind, classes, dtype, rows=max(10, 5000 // classes))
    weights = np.random.default_rng(4).random(logits.shape).astype(dtype)
    weights[::2] = np.eye(classes)[labels[::2]]
    weights[np.isneginf(logits)] = 0
    options = {"temperature": temperature, "reduction": "none"}
    both = sg.cross_entropy_value_and_gradient(logits, weights, **options)
    loss = sg.cross_entropy(logits, weights, **options)
    gradient = sg.cross_entropy_gradient(logits, weights, **options)
    assert apart(both[0], loss) <= 2 * BOUND
    # A difference of nonnegative numbers is good to its largest term.
    probs = sg.softmax(logits, temperature=temperature)
    others = weights.sum(axis=1, keepdims=True) - weights
    size = np.maximum(probs * others, weights * (1 - probs)).max(axis=1) / temperature
    size = np.maximum(size, abs(gradient).max(axis=1))
    error = abs(both[1].astype(float) - gradient).max(axis=1)
    tiny = np.finfo(dtype).smallest_subnormal
    assert (error <= 2 * BOUND * np.finfo(dtype).eps * size + tiny).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("temperature", [1.0, 0.125])
@pytest.mark.parametrize("classes", [10, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_holds_against_fifty_digits(kind, classes, temperature, dtype):
    rows, checked = (500, 6) if classes == 10 else (20, 2)
    logits, labels = batch(kind, classes, dtype, rows)
    masked = np.isneginf(logits[np.arange(rows), labels])  # their loss is infinite
    labels = np.where(masked, logits.argmax(axis=1), labels)
    weights = np.random.default_rng(4).random(logits.shape).astype(dtype)
    weights[np.isneginf(logits)] = 0
    hard, soft = (
        sg.cross_entropy_value_and_gradient(
            logits, targets, temperature=temperature, reduction="none"
        )
        for targets in (labels, weights)
    )
    with mpmath.workdps(50):
        for row in range(checked):
            exact = ExactRow(logits[row], temperature)
            target = one_hot(labels[row], classes)
            assert ulps(hard[0][row], [exact.loss(target)], dtype) <= BOUND
            assert ulps(hard[1][row], exact.gradient(target), dtype) <= BOUND
            target = weights[row]
            assert ulps(soft[0][row], [exact.loss(target)], dtype) <= BOUND
            size = max(exact.gradient_terms(target))
            gradient = exact.gradient(target)
            assert normwise_ulps(soft[1][row], gradient, dtype, size) <= BOUND


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("temperature", [0.7, 1.7, 3.0, 20.0])
@pytest.mark.parametrize("kind", [0.1, *KINDS])
def test_weights_of_long_rows_where_the_exponents_round(kind, temperature, dtype):
    rng = np.random.default_rng(7)
    classes = 150
    if kind == 0.1:
        logits = rng.uniform(-0.1, 0.1, (8, classes)).astype(dtype)
    else:
        logits, _ = batch(kind, classes, dtype, rows=8)
    likely = np.eye(classes)[logits.argmax(axis=1)]
    weights = rng.random(logits.shape)
    weights[1::4] = rng.uniform(0.6, 1.4, (2, classes)) / classes
    weights[2::4] = likely[2::4]
    weights[3::4] = 0.9 * likely[3::4] + 0.1 / classes
    weights[np.isneginf(logits)] = 0
    weights = weights.astype(dtype)
    options = {"temperature": temperature, "reduction": "none"}
    both = sg.cross_entropy_value_and_gradient(logits, weights, **options)
    losses = sg.cross_entropy(logits, weights, **options)
    gradients = sg.cross_entropy_gradient(logits, weights, **options)
    with mpmath.workdps(50):
        for row in range(4):
            exact = ExactRow(logits[row], temperature)
            loss, slopes = exact.loss(weights[row]), exact.gradient(weights[row])
            # All weight on one class: then nothing cancels.
            size = None if row == 2 else max(exact.gradient_terms(weights[row]))
            for found in (both[0][row], losses[row]):
                assert ulps(found, [loss], dtype) <= BOUND
            for found in (both[1][row], gradients[row]):
                assert normwise_ulps(found, slopes, dtype, size) <= BOUND


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_a_sure_row_keeps_the_digits_of_the_others(temperature, dtype):
    """All others have the same gap, whose rounding is not to either side."""
    classes = 200
    logits = np.full((12, classes), -7.3, dtype)
    logits[:, 5] = np.linspace(0, 55, 12)
    weights = np.tile(np.eye(classes, dtype=dtype)[5], (12, 1))
    options = {"temperature": temperature, "reduction": "none"}
    losses, gradients = sg.cross_entropy_value_and_gradient(logits, weights, **options)
    with mpmath.workdps(50):
        for row, z in enumerate(logits):
            exact = ExactRow(z, temperature)
            assert ulps(losses[row], [exact.loss(weights[row])], dtype) <= BOUND
            slopes = exact.gradient(weights[row])
            assert normwise_ulps(gradients[row], slopes, dtype) <= BOUND


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.7, 20.0])
@pytest.mark.parametrize("kind", [0.1, 1, *KINDS])
def test_the_derivative_in_t_of_long_rows(kind, temperature):
    """Beside the size of its terms: the terms themselves may cancel."""
    rng = np.random.default_rng(11)
    classes = 150
    if kind in (0.1, 1):
        logits = rng.normal(scale=kind, size=(8, classes))
    else:
        logits, _ = batch(kind, classes, np.float64, rows=8)
    weights = np.where(np.isneginf(logits), 0, rng.random(logits.shape))
    weights[1::2] = sg.softmax(logits[1::2] + rng.normal(size=(4, classes)))
    likely, random = logits.argmax(axis=1), rng.integers(classes, size=8)
    labels = np.where(np.isneginf(logits[np.arange(8), random]), likely, random)
    labels[1::2] = likely[1::2]
    options = {"temperature": temperature, "reduction": "none"}
    hard = sg.cross_entropy_temperature_gradient(logits, labels, **options)
    soft = sg.cross_entropy_temperature_gradient(logits, weights, **options)
    with mpmath.workdps(50):
        for row in range(4):
            exact = ExactRow(logits[row], temperature)
            for found, target in (
                (hard[row], one_hot(labels[row], classes)),
                (soft[row], weights[row]),
            ):
                pairs = zip(exact.gradient(target), exact.gaps, strict=True)
                terms = [slope * gap for slope, gap in pairs if slope != 0]
                error = abs(mpmath.mpf(float(found)) + mpmath.fsum(terms))
                size = mpmath.fsum(map(abs, terms))
                limits = np.finfo(float)
                assert error <= 2 * BOUND * limits.eps * size + limits.tiny


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("classes", [3, 64, 65, 256, 1000, 8192, 20_001])
def test_sums_of_rows_of_any_length(classes, dtype):
    rng = np.random.default_rng(classes)
    left = np.exp(rng.normal(scale=3, size=(4, classes))).astype(dtype)
    right = rng.uniform(size=left.shape).astype(dtype)
    wide = left.astype(float), right.astype(float)
    tolerance = 6 * np.finfo(dtype).eps
    expected = [math.fsum(row) for row in wide[0]]
    np.testing.assert_allclose(sums.row_sums(left), expected, rtol=tolerance)
    expected = [math.fsum(row) for row in wide[0] * wide[1]]
    for add_up in (sums.row_products, sums.row_dots):
        found = add_up(left, right, np.empty_like(left))
        np.testing.assert_allclose(found, expected, rtol=tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("targets", ["label", "weights"])
def test_a_row_longer_than_the_cache(targets, dtype):
    rng = np.random.default_rng(6)
    logits = rng.normal(size=200_001).astype(dtype)
    answer = 200_000 if targets == "label" else rng.random(200_001).astype(dtype)
    both = sg.cross_entropy_value_and_gradient(logits, answer)
    assert apart(both[0], sg.cross_entropy(logits, answer)) <= 2 * BOUND
    gradient = sg.cross_entropy_gradient(logits, answer)
    error = abs(both[1].astype(float) - gradient).max()
    assert error <= 2 * BOUND * np.finfo(dtype).eps * abs(gradient).max()


def test_a_few_numbers_by_hand():
    logits = np.log(np.array([[[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]]))
    labels = np.array([[2, 0]])
    loss, gradient = few_value_and_gradient(logits, labels, 1.0, 2, "mean")
    np.testing.assert_allclose(loss, np.log(32 / 5) / 2, rtol=1e-15)
    expected = [[[1 / 16, 2 / 16, -3 / 16], [-3 / 8, 1 / 8, 2 / 8]]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-15)
    losses, _ = few_value_and_gradient(logits, labels, 1.0, 1, "none")
    np.testing.assert_allclose(losses, [[np.log(8 / 5), np.log(4)]], rtol=1e-15)
    # softmax(z/2) of logits twice as large is the same, and the gradient is halved.
    _, halved = few_value_and_gradient(2 * logits, labels, 2.0, 2, "mean")
    np.testing.assert_allclose(halved, gradient / 2, rtol=1e-15)


@pytest.mark.parametrize(
    ("row", "label", "temperature"),
    [
        ([np.nan, 1.0], 0, 1.0),
        ([1.0, np.nan], 0, 1.0),
        ([1.0, np.inf], 0, 1.0),
        ([-np.inf, -np.inf], 0, 1.0),
        ([500.0, 1.0], 0, 1.0),
        ([0.0, -300.0], 1, 1.0),
        ([0.0, -300.0], 0, 1.0),
        ([1.0, 2.0], 2, 1.0),
        ([1.0, 2.0], -1, 1.0),
        ([13.0, 2.0], 0, 3.0),
        ([0.0, -13.0], 0, 3.0),
        ([-424.0, -1564.0, -430.0], 0, 2.0),
    ],
)
def test_what_plain_python_leaves_to_others(row, label, temperature):
    arguments = np.array([row]), np.array([label]), temperature, 1, "mean"
    assert few_value_and_gradient(*arguments) is None


def with_checks(logits, targets, temperature=1.0, divisor=1, out=None):
    """Return losses, gradient, and how often the arguments were checked."""
    checks = []
    losses, gradient = _kernels.cross_entropy_value_and_gradient(
        logits,
        targets,
        temperature,
        "none",
        divisor,
        out,
        lambda: checks.append("checked"),
    )
    return losses, gradient, len(checks)


@pytest.mark.parametrize("rows", [(2,), (1, 2)])
def test_plain_python_takes_few_labels_and_nothing_else(rows, monkeypatch):
    taken = []

    def noted(*arguments):
        taken.append(arguments)

    monkeypatch.setattr(_kernels, "few_value_and_gradient", noted)
    few = np.zeros((*rows, FEW // 2))
    with_checks(few, np.zeros(rows, int))
    assert len(taken) == 1
    with_checks(few, np.full(few.shape, 1 / few.shape[-1]))
    with_checks(np.zeros((*rows, FEW)), np.zeros(rows, int))
    with_checks(few, np.zeros(rows, int), temperature=2.0**30)
    assert len(taken) == 1


def test_values_by_hand():
    logits = np.log(np.array([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]] * 30))
    losses, gradient, checks = with_checks(logits, np.array([2, 0] * 30))
    assert not checks
    np.testing.assert_allclose(losses[:2], [np.log(8 / 5), np.log(4)], rtol=1e-15)
    expected = [[1 / 8, 2 / 8, -3 / 8], [-3 / 4, 1 / 4, 2 / 4]]
    np.testing.assert_allclose(gradient[:2], expected, rtol=1e-15)


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("far", [900.0, 1e3, 2e3])
def test_rows_in_range_and_out_of_range_stand_side_by_side(far, temperature):
    logits = np.array([[0.0, 1.0], [far, far - 1], [-2.0, 3.0], [-far, -far - 1]])
    for order in ([0, 1, 2, 3], [1, 3, 3, 0]):  # most in range, and most not
        labels = np.tile(np.array([0, 1, 1, 0])[order], 100)
        losses, gradient, checks = with_checks(
            np.tile(logits[order], (100, 1)), labels, temperature, 4
        )
        assert not checks
        margins = np.array([1.0, 1.0, -5.0, -1.0])[order] / temperature
        expected = np.log1p(np.exp(np.tile(margins, 100)))
        np.testing.assert_allclose(losses, expected, rtol=1e-15)
        np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-16)


@pytest.mark.parametrize("temperature", [2.0**30, 2.0**-30])
def test_an_extreme_temperature_is_not_for_the_kernels(temperature):
    logits, labels = batch(5, 10, np.float64)
    assert with_checks(logits, labels, temperature)[2]


@pytest.mark.parametrize("dtype", [complex, np.longdouble, ">f8"])
def test_other_types_are_not_for_the_kernels(dtype):
    logits, labels = batch(5, 10, dtype)
    assert with_checks(logits, labels)[2]


def test_logits_too_far_away_are_not_for_the_kernels():
    logits, labels = batch(5, 10, np.float64)
    assert with_checks(logits + 1e9, labels)[2]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("temperature", [1.0, 1.7, 1000.0])
def test_nearly_uniform_rows_of_weights_keep_their_digits(temperature, classes, dtype):
    rng = np.random.default_rng(5)
    logits = temperature * rng.uniform(-0.1, 0.1, (100, classes))
    logits[1::2] *= 20
    logits = logits.astype(dtype)
    weights = rng.uniform(0.9, 1.1, logits.shape)
    weights[::3] = rng.uniform(0, 1.5, weights[::3].shape)
    weights[::4] = sg.softmax(logits[::4], temperature=temperature)  # q - t = 0
    weights = weights.astype(dtype)
    _, gradient, checks = with_checks(logits, weights, temperature, 3)
    assert not checks
    with mpmath.workdps(50):
        for row in range(10):
            exact = ExactRow(logits[row], temperature)
            expected = [value / 3 for value in exact.gradient(weights[row])]
            if row % 4:
                assert normwise_ulps(gradient[row], expected, dtype) <= BOUND
            size = max(exact.gradient_terms(weights[row])) / 3
            assert normwise_ulps(gradient[row], expected, dtype, size) <= BOUND


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("row", [0, 3999])
def test_a_bad_logit_is_found_and_named(bad, row):
    logits, labels = batch(5, 100, np.float64, rows=4000)
    logits[row, 7] = bad
    for targets in (labels, sg.softmax(np.zeros(logits.shape))):
        with pytest.raises(ValueError, match=rf"logits must be finite.*\[{row}, 7\]"):
            sg.cross_entropy_value_and_gradient(logits, targets)


def test_a_row_of_masked_classes_is_refused():
    logits, labels = batch(5, 100, np.float64)
    logits[3] = -np.inf
    with pytest.raises(ValueError, match=r"unmasked class in each row.*row \[3\]"):
        sg.cross_entropy_value_and_gradient(logits, labels)


@pytest.mark.parametrize(
    ("bad", "message"),
    [(-0.5, "not be negative, got -0.5"), (np.nan, "finite"), (np.inf, "finite")],
)
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_a_bad_weight_is_found_and_named(bad, message, temperature):
    logits, _ = batch(5, 150, np.float64, rows=100)
    weights = np.full(logits.shape, 0.01)
    weights[70, 3] = bad
    for function in (
        sg.cross_entropy,
        sg.cross_entropy_gradient,
        sg.cross_entropy_value_and_gradient,
        sg.cross_entropy_temperature_gradient,
    ):
        with pytest.raises(ValueError, match=message):
            function(logits, weights, temperature=temperature)


def test_the_callers_settings_return_even_after_an_error():
    logits, labels = batch(5, 200, np.float64)
    before = np.geterr(), np.getbufsize()
    sg.cross_entropy_value_and_gradient(logits, labels)
    assert (np.geterr(), np.getbufsize()) == before
    with pytest.raises(ValueError, match="class indices from 0 to 199"):
        sg.cross_entropy_value_and_gradient(logits, labels + 10**6)
    assert (np.geterr(), np.getbufsize()) == before


def test_inputs_stay_as_they_are_and_out_is_used_where_it_can_be():
    logits, labels = batch(700, 100, np.float64)
    kept, out = logits.copy(), np.empty_like(logits)
    assert with_checks(logits, labels, out=out)[1] is out
    assert_array_equal(logits, kept)
    assert with_checks(logits, labels, out=logits)[1] is not logits
    assert with_checks(logits, labels, out=np.empty((100, 50)).T)[1].shape == (50, 100)
    assert_array_equal(logits, kept)


def test_arrays_of_the_kernels_types_are_checked_later_and_others_now():
    logits, labels = batch(5, 10, np.float64)
    assert as_unchecked_logits(logits, -1) is logits
    assert as_unchecked_logits(logits, 0).shape == (10, 50)
    assert as_unchecked_logits([[1, 2]], -1).dtype == np.float64
    assert as_unchecked_targets(logits, logits, 1) is logits
    assert_array_equal(as_unchecked_targets(labels, logits, -1), labels)
    with pytest.raises(ValueError, match="at least one class"):
        as_unchecked_logits(np.empty((3, 0)), -1)


# Each was, or would have been, a case of its own.


@pytest.mark.parametrize("temperature", [1.0, 1.7, 3.0])
@pytest.mark.parametrize("gap", [700, 730, 740, 745, 750, 2000])
def test_two_sure_models_that_disagree_have_lost_no_digit(gap, temperature):
    student = np.array([0.0, gap * temperature])
    divergence = sg.kl_divergence(student, student[::-1], temperature=temperature)
    # (p_1 - p_2) gap/T, with p_2 below the last digit of p_1.
    assert divergence == pytest.approx(student[1] / temperature, rel=4e-16)


@pytest.mark.parametrize("shift", [0, 3000])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("every", [2, 3, 40])
def test_large_divergences_stand_beside_small_ones(every, temperature, shift):
    """The ones are added up in another way than the others."""
    rng = np.random.default_rng(6)
    teacher = 2 * rng.normal(size=(40, 100)) + shift
    student = teacher + 0.01 * rng.normal(size=teacher.shape)
    student[::every] = 2 * rng.normal(size=student[::every].shape)
    options = {"temperature": temperature, "reduction": "none"}
    divergences = sg.kl_divergence(student, teacher, **options)
    with mpmath.workdps(50):
        for row in (0, 1, 2, 3):
            pair = [ExactRow(z[row], temperature) for z in (student, teacher)]
            expected, _ = exact_divergence(*pair)
            assert ulps(divergences[row], [expected], np.float64) <= 8


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("every", [2, 5, 40])
def test_large_differences_stand_beside_small_ones(every, temperature):
    """Every so many students are near their teachers, to 1e-6 at the least."""
    rng = np.random.default_rng(every)
    teacher = rng.normal(scale=4, size=(700, 100))
    student = rng.normal(scale=4, size=teacher.shape)
    near = np.arange(0, len(teacher), every)
    noise = rng.normal(size=(len(near), 100))
    student[near] = teacher[near] + np.logspace(0, -6, len(near))[:, np.newaxis] * noise
    student[1, 7] = teacher[3, 7] = -np.inf
    options = {"temperature": temperature, "reduction": "none"}
    gradients = sg.kl_divergence_gradient(student, teacher, **options)
    with mpmath.workdps(40):
        for row in (*near[:: len(near) // 7], 1, 3, 9, 601, 699):
            pair = (
                ExactRow(student[row], temperature),
                ExactRow(teacher[row], temperature),
            )
            _, expected = exact_divergence(*pair)
            assert normwise_ulps(gradients[row], expected, np.float64) <= 8


def test_a_masked_class_with_weight_is_infinite_beside_large_divergences():
    rng = np.random.default_rng(7)
    student, teacher = 3 * rng.normal(size=(2, 40, 100))
    student[3, 5] = student[4, 6] = teacher[4, 6] = -np.inf
    divergences = sg.kl_divergence(student, teacher, temperature=1.7, reduction="none")
    assert_array_equal(np.flatnonzero(np.isinf(divergences)), [3])
    kept = np.delete(student[4], 6), np.delete(teacher[4], 6)
    expected = sg.kl_divergence(*kept, temperature=1.7)
    np.testing.assert_allclose(divergences[4], expected, rtol=4e-15)


@pytest.mark.parametrize("classes", [50, 150])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_a_weight_on_a_masked_class_makes_its_row_infinite(temperature, classes):
    rng = np.random.default_rng(8)
    logits = rng.normal(size=(40, classes))
    weights = rng.uniform(0.1, 1, size=logits.shape)
    logits[3, 5] = logits[4, 6] = -np.inf
    weights[4, 6] = 0
    options = {"temperature": temperature, "reduction": "none"}
    losses = sg.cross_entropy(logits, weights, **options)
    assert_array_equal(np.flatnonzero(np.isinf(losses)), [3])
    kept = np.delete(logits[4], 6), np.delete(weights[4], 6)
    expected = sg.cross_entropy(*kept, temperature=temperature)
    np.testing.assert_allclose(losses[4], expected, rtol=4e-15)
    also, _ = sg.cross_entropy_value_and_gradient(logits, weights, **options)
    np.testing.assert_allclose(also, losses, rtol=4e-15)


@pytest.mark.parametrize("classes", [50, 150])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_masked_classes_without_weight_are_for_the_kernels(temperature, classes):
    logits, _ = batch("masked", classes, np.float64)
    weights = np.where(np.isneginf(logits), 0, 1 / classes)
    assert not with_checks(logits, weights, temperature)[2]
    checks = []
    for targets in (logits.argmax(axis=1), weights):
        _kernels.temperature_derivatives(
            logits, targets, temperature, lambda: checks.append("checked")
        )
    assert not checks


def test_a_small_row_keeps_an_entry_far_below_the_others():
    row, options = np.array([-424.0, -1564.0, -430.0]), {"temperature": 2.0}
    _, gradient = sg.cross_entropy_value_and_gradient(row, 0, **options)
    with mpmath.workdps(50):
        expected = ExactRow(row, 2.0).gradient([1, 0, 0])
        assert ulps(gradient, expected, np.float64) <= BOUND


@pytest.mark.parametrize(
    ("student", "label", "alpha", "loss", "gradient"),
    [
        ([0.0, -np.inf], 0, 0.0, 0.0, [0.0, 0.0]),
        ([0.0, -np.inf, 0.0], 1, 1.0, np.inf, [1 / 6, -1 / 3, 1 / 6]),
        ([0.0, -np.inf, 0.0], 0, 0.0, np.log(2), [-0.5, 0.0, 0.5]),
    ],
)
def test_a_part_of_weight_zero_counts_as_zero(student, label, alpha, loss, gradient):
    arguments, options = (student, np.zeros(len(student))), {"alpha": alpha}
    both = sg.distillation_value_and_gradient(*arguments, labels=label, **options)
    assert both[0] == sg.distillation_loss(*arguments, labels=label, **options)
    assert both[0] == pytest.approx(loss)
    np.testing.assert_allclose(both[1], gradient, rtol=1e-15)


def test_a_label_on_a_masked_class_costs_nothing_without_weight():
    arguments = [0.0, -np.inf], [0.0, -np.inf]
    assert sg.distillation_loss(*arguments, labels=1, alpha=1.0) == 0
    assert sg.distillation_loss(*arguments, labels=1, alpha=0.5) == np.inf


def test_both_halves_of_a_distillation_without_labels():
    rng = np.random.default_rng(8)
    student, teacher = rng.normal(size=(2, 5, 4))
    loss, gradient = sg.distillation_value_and_gradient(
        student, teacher, temperature=3.0
    )
    assert loss == sg.distillation_loss(student, teacher, temperature=3.0)
    assert_array_equal(
        gradient, sg.distillation_loss_gradient(student, teacher, temperature=3.0)
    )


@pytest.mark.parametrize("temperature", [0.7, 3.0])
def test_extended_precision_agrees_to_the_digits_of_float64(temperature):
    """It goes the slow way, and the same way for every public function."""
    rng = np.random.default_rng(9)
    z, v, u = rng.normal(scale=3, size=(3, 6, 4))
    labels, options = rng.integers(4, size=6), {"temperature": temperature}
    wide = [array.astype(np.longdouble) for array in (z, v, u)]
    calls = [
        lambda z, v, u: sg.softmax(z, **options),
        lambda z, v, u: sg.log_softmax(z, **options),
        lambda z, v, u: sg.softmax_vjp(z, u, **options),
        lambda z, v, u: sg.log_softmax_vjp(z, u, **options),
        lambda z, v, u: sg.cross_entropy(z, labels, **options),
        lambda z, v, u: sg.cross_entropy_gradient(z, labels, **options),
        lambda z, v, u: sg.cross_entropy_value_and_gradient(z, labels, **options)[1],
        lambda z, v, u: sg.cross_entropy_temperature_gradient(z, labels, **options),
        lambda z, v, u: sg.cross_entropy_temperature_gradient(
            z, teacher_logits=v, **options
        ),
        lambda z, v, u: sg.kl_divergence(z, v, **options),
        lambda z, v, u: sg.distillation_value_and_gradient(z, v, **options)[1],
        lambda z, v, u: sg.distillation_loss_gradient(
            z, v, with_respect_to="teacher", **options
        ),
    ]
    for call in calls:
        np.testing.assert_allclose(call(z, v, u), call(*wide), rtol=2e-14, atol=1e-15)


def test_a_teacher_of_extended_precision_has_no_gradient_at_an_infinite_loss():
    student = np.array([0.0, -np.inf], np.longdouble)
    with pytest.raises(ValueError, match="must not mask"):
        sg.distillation_loss_gradient(
            student, np.zeros(2), with_respect_to="teacher", temperature=3.0
        )


@pytest.mark.parametrize("temperature", [1.0, 1.7, 1e-9, 1e9])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_callers_wish_to_hear_of_underflow_is_not_for_the_package(
    temperature, dtype
):
    z = np.array([[0.0, -1000.0, 3.0], [-800.0, 1.0, 2.0]], dtype)
    v, u, labels = z[:, ::-1] - 3, np.array([[1, -2, 1e-200], [0, 3, 4]]), [0, 1]
    options = {"temperature": temperature}
    calls = [
        lambda: sg.softmax(z, **options),
        lambda: sg.log_softmax(z, **options),
        lambda: sg.softmax_jacobian(z, **options),
        lambda: sg.softmax_vjp(z, u, **options),
        lambda: sg.log_softmax_vjp(z, u, **options),
        lambda: sg.cross_entropy(z, labels, **options),
        lambda: sg.cross_entropy_gradient(z, labels, **options),
        lambda: sg.cross_entropy_value_and_gradient(z, abs(u), **options),
        lambda: sg.cross_entropy_temperature_gradient(z, labels, **options),
        lambda: sg.cross_entropy_hessian(z, **options),
        lambda: sg.fisher_information(z, **options),
        lambda: sg.linear_gradients(z, labels, u, **options),
        lambda: sg.linear_cross_entropy_value_and_gradient(z, u, labels, **options)[1],
        lambda: sg.linear_gauss_newton(z, u, **options),
        lambda: sg.kl_divergence(z, v, **options),
        lambda: sg.distillation_value_and_gradient(z, v, labels=labels, **options),
        lambda: sg.high_temperature_limit(z, v, **options),
    ]
    for call in calls:
        quiet = call()
        with np.errstate(all="raise"):
            loud = call()
        pairs = zip(quiet, loud, strict=True) if isinstance(quiet, tuple) else []
        for first, second in pairs or [(quiet, loud)]:
            assert_array_equal(first, second)
