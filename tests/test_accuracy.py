"""How many digits the results keep, against 50 digits: the bounds the book states.

One ULP is the distance from a number to the next one of its type. An error is
counted in ULP of the entry itself; for soft targets, whose gradient is a difference,
and for distillation, in ULP of the largest number of the row.
"""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import softmax_gradients as sg
from tests.support.oracles import (
    ExactRow,
    exact_divergence,
    mp_cross_entropy,
    mp_cross_entropy_gradient,
    mp_log_softmax,
    mp_softmax,
    normwise_ulps,
    one_hot,
    point,
    relaxed,
    ulps,
)

BOUND = 6
DISTILLATION_BOUND = 8
TEMPERATURES = [1e-3, 0.3, 0.7, 1.0, 1.7, 3.0, 20.0, 1e3, 1e6]
FLOATS = [np.float64, np.float32]


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


# Where the smallest normal and the smallest subnormal exponential lie.
LAST_NORMAL = {np.float64: -708.0, np.float32: -87.0}
LAST = {np.float64: -745.0, np.float32: -103.0}


def with_one(logits, value, rng):
    """Return the logits with one entry, at a random place, replaced."""
    logits[rng.integers(len(logits))] = value
    return logits


def rows(classes, temperature, dtype, seed=0):
    """Return rows of logits of every kind by name; gaps are given times T."""
    rng = np.random.default_rng([classes, seed])
    normal, last = LAST_NORMAL[dtype], LAST[dtype]
    kinds = {
        "within 5": rng.uniform(-5, 5, classes),
        "within 50": rng.uniform(-50, 50, classes),
        "within 700": rng.uniform(-700, 700, classes),
        "within 10 000": rng.uniform(-1e4, 1e4, classes),
        "all equal": np.full(classes, 0.3),
        "ties": 1.7 * rng.integers(-2, 3, classes),
        "one huge": with_one(rng.normal(size=classes), 1e30, rng),
    }
    for margin in (5, 20, 40, 300, 700):
        row = temperature * with_one(rng.normal(size=classes), margin, rng)
        kinds[f"confident by {margin}"] = row
    for name, low, high in [
        ("subnormal", last, normal),
        ("of all sizes", last - 8, 0),
        ("tied and tiny", normal - 10, normal - 10),
    ]:
        kinds[name] = temperature * with_one(rng.uniform(low, high, classes), 0, rng)
    return {name: row.astype(dtype) for name, row in kinds.items()}


def soft_targets(classes, temperature, dtype, seed=0):
    """Return targets by name: sparse and dense, near uniform, of other sums."""
    rng = np.random.default_rng([classes, seed])
    teacher = sg.softmax(3 * rng.normal(size=classes), temperature=temperature)
    kinds = {
        "random": rng.dirichlet(np.ones(classes)),
        "uniform": np.full(classes, 1 / classes),
        "of a teacher at the same T": teacher,
        "of another sum": rng.uniform(0, 4 / classes, classes),
    }
    return {name: row.astype(dtype) for name, row in kinds.items()}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_exact_row_is_that_of_the_definitions(seed):
    """Twice in mpmath: O(C) and 50 digits here, derivatives of 375 digits there."""
    z, targets, labels, _, _, temperature = point(seed)
    hard = one_hot(labels, z.shape[-1])
    for row, t in [(z[0], targets[0]), (z[1], hard[1]), (40 * z[2], hard[2])]:
        exact = ExactRow(row, temperature)
        pairs = [
            (exact.softmax(), mp_softmax(row, temperature)),
            (exact.log_softmax(), mp_log_softmax(row, temperature)),
            ([exact.loss(t)], [mp_cross_entropy(row, t, temperature)]),
            (exact.gradient(t), mp_cross_entropy_gradient(row, t, temperature)),
        ]
        for numbers, correctly_rounded in pairs:
            rounded = [float(x) for x in numbers]
            np.testing.assert_array_equal(rounded, correctly_rounded)


def check_row(row, temperature, labels):
    """Compare softmax, log-softmax, loss and gradient, entry by entry."""
    dtype, exact = row.dtype.type, ExactRow(row, temperature)
    probs, log_probs = (
        sg.softmax(row, temperature=temperature),
        sg.log_softmax(row, temperature=temperature),
    )
    assert ulps(probs, exact.softmax(), dtype) <= BOUND
    assert ulps(log_probs, exact.log_softmax(), dtype) <= BOUND
    underflows = [float(dtype(float(q))) == 0 for q in exact.softmax()]
    np.testing.assert_array_equal(probs == 0, underflows)
    for label in labels:
        target = one_hot(label, len(row))
        loss = sg.cross_entropy(row, label, temperature=temperature)
        assert ulps(loss, [exact.loss(target)], dtype) <= BOUND
        gradient = sg.cross_entropy_gradient(row, label, temperature=temperature)
        assert ulps(gradient, exact.gradient(target), dtype) <= BOUND


def extended(logits, temperature):
    """Return q, log q and the sum of the others' q in x86's 64-bit long double.

    As in `ExactRow` nothing is subtracted that was added before.
    """
    wide = logits.astype(np.longdouble)
    rows, largest = np.arange(len(wide)), wide.argmax(axis=1)
    gaps = (wide - wide[rows, largest, np.newaxis]) / np.longdouble(temperature)
    terms = np.exp(gaps)
    without = terms.copy()
    without[rows, largest] = 0
    others = without.sum(axis=1, keepdims=True)
    log_probs = gaps - np.log1p(others)
    return terms / (1 + others), log_probs


def dense_errors(classes, count, temperature, dtype, seed=0):
    """Return the largest errors, in ULP, over many rows of labels, by name."""
    rng = np.random.default_rng([classes, seed])
    logits = rng.normal(scale=3, size=(count, classes)).astype(dtype)
    labels, rows = rng.integers(classes, size=count), np.arange(count)
    labels[::2] = logits[::2].argmax(axis=1)
    probs, log_probs = extended(logits, temperature)
    gradient = probs.copy()
    gradient[rows, labels] = 0
    gradient[rows, labels] = -gradient.sum(axis=1)
    gradient /= np.longdouble(temperature)
    options = {"temperature": temperature}
    loss, slopes = sg.cross_entropy_value_and_gradient(
        logits, labels, **options, reduction="none"
    )
    pairs = {
        "softmax": (sg.softmax(logits, **options), probs),
        "log_softmax": (sg.log_softmax(logits, **options), log_probs),
        "loss": (loss, -log_probs[rows, labels]),
        "gradient": (slopes, gradient),
    }
    errors = {}
    for name, (computed, expected) in pairs.items():
        unit = np.spacing(abs(expected).astype(dtype)).astype(np.longdouble)
        errors[name] = float((abs(computed - expected) / unit).max())
    return errors


@pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="long double has no more digits here"
)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("temperature", [3.0, 1.7, 0.7, 20.0, 1e-3, 1e6])
@pytest.mark.parametrize(("classes", "count"), [(10, 2000), (1000, 40)])
def test_every_entry_of_a_dense_batch(classes, count, temperature, dtype):
    """A few rows understate the largest error: there are 20 000 entries and more."""
    errors = dense_errors(classes, count, temperature, dtype)
    assert max(errors.values()) <= BOUND, errors


def test_extended_precision_is_that_of_the_definitions():
    row = np.array([2.0, -1.0, 0.5, 11.0])
    exact = ExactRow(row, 1.7)
    for found, expected in zip(
        extended(row[np.newaxis], 1.7),
        (exact.softmax(), exact.log_softmax()),
        strict=True,
    ):
        rounded = [float(value) for value in expected]
        np.testing.assert_array_equal(found[0].astype(float), rounded)


def some_labels(row, rng):
    """The right label, the most wrong one, the runner-up and a random one."""
    order = np.argsort(row)
    return {int(order[-1]), int(order[0]), int(order[-2]), int(rng.integers(len(row)))}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("classes", [2, 10])
def test_every_entry_of_a_small_row(classes, temperature, dtype):
    for row in rows(classes, temperature, dtype).values():
        check_row(row, temperature, range(classes))


@pytest.mark.parametrize(
    ("temperature", "dtype"),
    [(1.0, np.float64), (1e-3, np.float64), (1e3, np.float64), (3.0, np.float32)],
)
def test_every_entry_of_a_long_row(temperature, dtype):
    rng = np.random.default_rng(3)
    kept = ("within 5", "within 700", "ties", "confident by 20", "tied and tiny")
    every = rows(1000, temperature, dtype)
    for name in kept:
        check_row(every[name], temperature, some_labels(every[name], rng))


@relaxed
@given(
    arrays(np.float64, st.integers(2, 8), elements=st.floats(-1e3, 1e3)),
    st.floats(1e-3, 1e6),
)
def test_every_entry_of_any_row(row, temperature):
    with mpmath.workdps(50):
        check_row(row, temperature, [0])


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_million_classes(temperature):
    """Of a thousand different logits, so that mpmath need not work for an hour."""
    rng = np.random.default_rng(4)
    values = rng.normal(scale=3, size=1000)
    row = rng.permutation(np.repeat(values, 1000))
    exact = ExactRow(values, temperature)
    largest = values.argmax()
    others = 999 + 1000 * exact.others[largest]
    exact.total = 1 + others
    label, chosen = int(row.argmax()), [np.argmax(row == value) for value in values]
    probs = sg.softmax(row, temperature=temperature)[chosen]
    assert ulps(probs, exact.softmax(), np.float64) <= BOUND
    log_total = mpmath.log1p(others)
    log_probs = sg.log_softmax(row, temperature=temperature)[chosen]
    expected = [gap - log_total for gap in exact.gaps]
    assert ulps(log_probs, expected, np.float64) <= BOUND
    loss, gradient = (
        function(row, label, temperature=temperature)
        for function in (sg.cross_entropy, sg.cross_entropy_gradient)
    )
    assert ulps(loss, [log_total], np.float64) <= BOUND
    at_label = -others / exact.total / exact.temperature
    assert ulps(gradient[label], [at_label], np.float64) <= BOUND


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("classes", "temperature"),
    [*((10, T) for T in TEMPERATURES), (2, 1.0), (1000, 1.0), (1000, 1e3)],
)
def test_soft_targets(classes, temperature, dtype):
    """No entry of a difference can be promised, but the larger of its terms can."""
    every = rows(classes, temperature, dtype)
    if classes == 1000:
        kept = ("within 5", "within 700", "ties", "confident by 20")
        every = {name: every[name] for name in kept}
    for row in every.values():
        exact = ExactRow(row, temperature)
        for targets in soft_targets(classes, temperature, dtype).values():
            loss = sg.cross_entropy(row, targets, temperature=temperature)
            assert ulps(loss, [exact.loss(targets)], dtype) <= BOUND
            gradient = sg.cross_entropy_gradient(row, targets, temperature=temperature)
            expected = exact.gradient(targets)
            size = max(exact.gradient_terms(targets))
            assert normwise_ulps(gradient, expected, dtype, size) <= BOUND


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", ["uniform", "of a teacher at the same T"])
@pytest.mark.parametrize("temperature", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_soft_targets_at_a_high_temperature(classes, temperature, kind, dtype):
    """q and t agree in all but their last digits, and the difference keeps all."""
    targets = soft_targets(classes, temperature, dtype)[kind]
    row = rows(classes, temperature, dtype)["within 5"]
    gradient = sg.cross_entropy_gradient(row, targets, temperature=temperature)
    exact = ExactRow(row, temperature).gradient(targets)
    assert normwise_ulps(gradient, exact, dtype) <= BOUND


@pytest.mark.parametrize("function", ["gradient", "value and gradient"])
def test_a_flat_row_keeps_its_digits_beside_one_that_is_not(function):
    """How a row is computed is not decided for the batch."""
    temperature, targets = 2.0**20, soft_targets(10, 1e6, np.float64)["uniform"]
    row = rows(10, 1e6, np.float64)["within 5"]
    logits = np.stack([row, 1e8 * row, row + 3])
    targets = np.stack([targets, np.eye(10)[4], targets])
    if function == "gradient":
        gradient = sg.cross_entropy_gradient(
            logits, targets, temperature=temperature, reduction="none"
        )
    else:
        gradient = sg.cross_entropy_value_and_gradient(
            logits, targets, temperature=temperature, reduction="none"
        )[1]
    for ours, z, t in zip(gradient[::2], logits[::2], targets[::2], strict=True):
        exact = ExactRow(z, temperature).gradient(t)
        assert normwise_ulps(ours, exact, np.float64) <= BOUND


def test_subtracting_soft_targets_would_not_do():
    """The bound above says something: q - t has lost ten digits."""
    targets = soft_targets(10, 1e6, np.float64)["uniform"]
    row = rows(10, 1e6, np.float64)["within 5"]
    exact = ExactRow(row, 1e6).gradient(targets)
    naive = (sg.softmax(row, temperature=1e6) - targets) / 1e6
    assert normwise_ulps(naive, exact, np.float64) > 1e4


def test_the_bounds_hold_along_any_axis():
    """A column is summed as accurately as a row, though it lies apart in memory."""
    columns = np.random.default_rng(5).uniform(-5, 5, (1000, 3))
    probs = sg.softmax(columns, axis=0)
    gradient = sg.cross_entropy_gradient(columns, [0, 1, 2], reduction="sum", axis=0)
    np.testing.assert_array_equal(probs, sg.softmax(columns.T).T)
    targets = one_hot([0, 1, 2], 1000)
    for label, column in enumerate(columns.T):
        exact = ExactRow(column)
        assert ulps(probs[:, label], exact.softmax(), np.float64) <= BOUND
        expected = exact.gradient(targets[label])
        assert ulps(gradient[:, label], expected, np.float64) <= BOUND


@pytest.mark.parametrize("temperature", [1e-3, 1.0, 3.0, 1e6])
def test_masked_classes_leave_no_nan(temperature):
    row = np.array([-np.inf, 2.0, -np.inf, 0.5, -700.0])
    kept = [1, 3, 4]
    for function in (sg.softmax, sg.log_softmax):
        masked = function(row, temperature=temperature)
        np.testing.assert_array_equal(
            masked[kept], function(row[kept], temperature=temperature)
        )
        assert not np.isnan(masked).any()
    gradient = sg.cross_entropy_gradient(row, 3, temperature=temperature)
    expected = sg.cross_entropy_gradient(row[kept], 1, temperature=temperature)
    np.testing.assert_array_equal(gradient[kept], expected)
    assert not gradient[[0, 2]].any()


# Distillation.


def distillation_pairs(classes, dtype):
    """Return student, teacher and T by name."""
    rng = np.random.default_rng(classes)
    first, second = rng.normal(scale=3, size=(2, classes))
    noise = 1e-6 * rng.normal(size=classes)
    pairs = {
        f"T = {temperature:g}": (first, second, temperature)
        for temperature in (0.3, 1.0, 1e2, 1e4, 1e6, 1e8)
    }
    pairs["far apart"] = (10 * first, -10 * second, 1.0)
    for scale in (0.1, 1, 12):
        teacher = scale * second
        pairs[f"near, {scale}"] = (teacher + noise, teacher, 1.0)
        pairs[f"near and shifted, {scale}"] = (teacher + 100 + noise, teacher, 1.0)
        # Near in every class but one, which has little weight, or the most.
        for place in (teacher.argmin(), teacher.argmax()):
            student = teacher + noise
            student[place] += 3
            pairs[f"near but for {place}, {scale}"] = (student, teacher, 1.0)
    return {
        name: (*(x.astype(dtype) for x in (z, v)), T)
        for name, (z, v, T) in pairs.items()
    }


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("classes", [2, 10, 300])
def test_distillation(classes, dtype):
    for student, teacher, temperature in distillation_pairs(classes, dtype).values():
        divergence, gradient = exact_divergence(
            ExactRow(student, temperature), ExactRow(teacher, temperature)
        )
        ours = sg.kl_divergence_gradient(student, teacher, temperature=temperature)
        assert normwise_ulps(ours, gradient, dtype) <= DISTILLATION_BOUND
        ours = sg.kl_divergence(student, teacher, temperature=temperature)
        assert ulps(ours, [divergence], dtype) <= DISTILLATION_BOUND


@relaxed
@given(
    # Whole numbers over 64: of 1e-131 and 0 the 50 digits would see no difference.
    arrays(np.int64, (2, 5), elements=st.integers(-3200, 3200)),
    st.floats(0.5, 1e8),
)
def test_distillation_of_any_pair(pair, temperature):
    student, teacher = pair / 64
    with mpmath.workdps(50):
        divergence, gradient = exact_divergence(
            ExactRow(student, temperature), ExactRow(teacher, temperature)
        )
        ours = sg.kl_divergence_gradient(student, teacher, temperature=temperature)
        assert normwise_ulps(ours, gradient, np.float64) <= DISTILLATION_BOUND
        ours = sg.kl_divergence(student, teacher, temperature=temperature)
        assert ulps(ours, [divergence], np.float64) <= DISTILLATION_BOUND


def test_subtracting_probabilities_would_not_do():
    student, teacher, temperature = distillation_pairs(10, np.float64)["T = 1e+08"]
    _, exact = exact_divergence(
        ExactRow(student, temperature), ExactRow(teacher, temperature)
    )
    q, p = (
        sg.softmax(student, temperature=temperature),
        sg.softmax(teacher, temperature=temperature),
    )
    assert normwise_ulps((q - p) / temperature, exact, np.float64) > 1e6
