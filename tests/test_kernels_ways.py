"""The ways through a batch: which rows take which, and that all keep their digits."""

from concurrent.futures import ThreadPoolExecutor

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import softmax_gradients as sg
from softmax_gradients._kernels.blocks import Attempt, Batch, fill, kept
from softmax_gradients._kernels.compensated import rest_of_quotient, two_difference
from softmax_gradients._kernels.excess import excess_of_exponentials
from softmax_gradients._kernels.exponentials import direct, split
from softmax_gradients._kernels.scratch import Scratch
from softmax_gradients._kernels.sums import column_sums
from tests.support.oracles import ExactRow, exact_divergence, normwise_ulps, ulps

BOUND, DISTILLATION_BOUND = 6, 8
TEMPERATURES = [1.0, 1.7, 0.7, 3.0, 20.0]
extended_precision = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="long double has no more digits here"
)


def rows_of_all_sharpness(classes, dtype, rows=24):
    """Return rows from flat to dominated by one class, some masked, one far away."""
    rng = np.random.default_rng(classes)
    logits = rng.normal(scale=2, size=(rows, classes))
    logits[np.arange(rows), rng.integers(classes, size=rows)] += np.linspace(
        0, 60, rows
    )
    logits[3, : classes // 2] = logits[-2, 5:9] = -np.inf
    logits[7] *= 1e6
    return logits.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("temperature", [1.7, 0.7, 3.0])
@pytest.mark.parametrize("classes", [127, 128, 300])
def test_logarithms_of_rows_that_one_class_dominates(classes, temperature, dtype):
    """The gaps do for the others: each row of a batch is as good as alone."""
    logits = rows_of_all_sharpness(classes, dtype)
    labels = np.where(np.arange(len(logits)) % 2, logits.argmax(axis=1), 10)
    options = {"temperature": temperature}
    log_probs = sg.log_softmax(logits, **options)
    losses = sg.cross_entropy(logits, labels, reduction="none", **options)
    with mpmath.workdps(50):
        for row in (0, 1, 4, 9, 15, 20, 23):
            exact = ExactRow(logits[row], temperature)
            assert ulps(log_probs[row], exact.log_softmax(), dtype) <= BOUND
            expected = -exact.log_softmax()[labels[row]]
            assert ulps(losses[row], [expected], dtype) <= BOUND
    for row in (3, 7, 22):
        kept = np.isfinite(logits[row])
        alone = sg.log_softmax(logits[row, kept], **options)
        np.testing.assert_allclose(
            log_probs[row, kept], alone, rtol=2 * BOUND * np.finfo(dtype).eps
        )
        assert (log_probs[row, ~kept] == -np.inf).all()


def test_logarithms_of_a_batch_whose_rows_are_all_masked_somewhere():
    logits = np.random.default_rng(0).normal(size=(100, 200))
    logits[:, 150:] = -np.inf
    whole = sg.log_softmax(logits, temperature=3.0)
    part = sg.log_softmax(logits[:, :150], temperature=3.0)
    np.testing.assert_allclose(whole[:, :150], part, rtol=4 * BOUND * 2.0**-52)
    assert (whole[:, 150:] == -np.inf).all()


def test_the_excess_of_an_exponential_over_its_tangent():
    """e^d - 1 - d against 50 digits, from d below 1e-3 to d near 5."""
    with mpmath.workdps(50):
        for largest in (1e-3, 0.02, 0.3, 0.6, 0.999, 1.0, 5.0):
            d = np.linspace(-largest, largest, 41) * 0.987
            scratch = Scratch(d.nbytes)
            row = d[np.newaxis]
            found = excess_of_exponentials(row, np.expm1(row), scratch)
            numbers = [mpmath.mpf(float(x)) for x in d]
            exact = [mpmath.expm1(x) - x for x in numbers]
            assert ulps(found[0], exact, np.float64) <= BOUND


def extended_divergence(student, teacher, temperature):
    """Return KL(p || q) and q - p of each row in x86's 64-bit long double.

    Counted from the class where p is largest: its log(q/p) is -log(1 + sum p (e^d - 1))
    over the others, and KL = sum p (e^x - 1 - x) with x = log(q/p) for all.
    """
    z, v = (x.astype(np.longdouble) for x in (student, teacher))
    p, _ = _softmax(v / np.longdouble(temperature))
    rows, k = np.arange(len(z)), p.argmax(axis=1)
    gaps = z - v
    d = (gaps - gaps[rows, k, np.newaxis]) / np.longdouble(temperature)
    terms = p * np.expm1(d)
    terms[rows, k] = 0
    x = d - np.log1p(terms.sum(axis=1, keepdims=True))
    small = abs(x) < 0.3
    nested = np.ones_like(x)
    for n in range(24, 2, -1):  # 0.3^22 * 2/24! is below the last digit
        nested = 1 + np.where(small, x, 0) / n * nested
    excess = np.where(small, x * x / 2 * nested, np.expm1(x) - x)
    return (p * excess).sum(axis=1), p * np.expm1(x)


def _softmax(scaled):
    terms = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return terms / terms.sum(axis=1, keepdims=True), terms


def test_the_extended_divergence_is_that_of_the_definition():
    z, v = np.array([[2.0, -1.0, 0.5, 11.0]]), np.array([[2.5, -1.5, 0.25, 3.0]])
    divergence, difference = extended_divergence(z, v, 1.7)
    with mpmath.workdps(50):
        pair = ExactRow(z[0], 1.7), ExactRow(v[0], 1.7)
        exact, gradient = exact_divergence(*pair)
        assert float(exact) == float(divergence[0])
        rounded = [float(1.7 * entry) for entry in gradient]
    np.testing.assert_allclose(difference[0].astype(float), rounded, rtol=4e-16)


def pairs_of_all_kinds(classes, rows, rng):
    """Return students and teachers by name: apart, near, sharp, of few numbers."""
    student, teacher = rng.normal(scale=3, size=(2, rows, classes))
    near = teacher + student * 10 ** rng.uniform(-6, -0.3, (rows, 1))
    return {
        "random": (student, teacher),
        "near": (near, teacher),
        "sharp": (4 * student, 4 * teacher),
        "multiples of a half": (np.round(2 * student) / 2, np.round(2 * teacher) / 2),
    }


@extended_precision
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize(
    ("classes", "rows"), [(10, 2000), (33, 400), (64, 300), (65, 300), (300, 150)]
)
def test_every_divergence_of_a_dense_batch(classes, rows, temperature, dtype):
    """KL in its own ULP, gradients in eps of the largest entry of their row."""
    rng = np.random.default_rng(classes)
    eps = np.longdouble(np.finfo(dtype).eps)
    for name, pair in pairs_of_all_kinds(classes, rows, rng).items():
        student, teacher = (logits.astype(dtype) for logits in pair)
        exact, difference = extended_divergence(student, teacher, temperature)
        options = {"temperature": temperature, "reduction": "none"}
        found = sg.kl_divergence(student, teacher, **options)
        gradients = sg.kl_divergence_gradient(student, teacher, **options)
        unit = np.spacing(exact.astype(dtype)).astype(np.longdouble)
        assert (abs(found - exact) / unit).max() <= DISTILLATION_BOUND, name
        expected = difference / np.longdouble(temperature)
        error = abs(gradients - expected).max(axis=1) / abs(expected).max(axis=1)
        assert error.max() <= DISTILLATION_BOUND * eps, name


@pytest.mark.parametrize("temperature", [0.7, 1.0])
@pytest.mark.parametrize("beside", [0.0, 5.0])
def test_gradients_as_small_as_the_square_of_a_rounding(beside, temperature):
    """Both are sure of one class, far apart: q - p is 1e-24 beside numbers near 1."""
    student = [[-1.347, -45.32], [-27.896, 10.78], [-6.5, -42.916], [beside, 0.0]]
    teacher = [[27.982, -17.35], [-19.114, 30.619], [27.895, -8.888], [0.0, beside]]
    options = {"temperature": temperature, "reduction": "none"}
    gradients = sg.kl_divergence_gradient(student, teacher, **options)
    divergences = sg.kl_divergence(student, teacher, **options)
    with mpmath.workdps(60):
        for row in range(3):
            pair = (ExactRow(np.array(x[row]), temperature) for x in (student, teacher))
            divergence, exact = exact_divergence(*pair)
            error = normwise_ulps(gradients[row], exact, np.float64)
            assert error <= DISTILLATION_BOUND
            error = ulps(divergences[row], [divergence], np.float64)
            assert error <= DISTILLATION_BOUND


@pytest.mark.parametrize("classes", [6, 100])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_masks_of_student_and_teacher_beside_ordinary_rows(classes, temperature):
    """Masked on both sides a class does not exist; masked by the student it costs."""
    rng = np.random.default_rng(classes)
    student, teacher = rng.normal(scale=2, size=(2, 30, classes))
    student[4, 2] = teacher[4, 2] = -np.inf
    student[9, 3] = -np.inf
    teacher[11, 1] = -np.inf
    options = {"temperature": temperature, "reduction": "none"}
    divergences = sg.kl_divergence(student, teacher, **options)
    gradients = sg.kl_divergence_gradient(student, teacher, **options)
    assert_array_equal(np.flatnonzero(np.isinf(divergences)), [9])
    kept = np.delete(student[4], 2), np.delete(teacher[4], 2)
    np.testing.assert_allclose(
        divergences[4], sg.kl_divergence(*kept, temperature=temperature), rtol=4e-15
    )
    q, p = (sg.softmax(x, temperature=temperature) for x in (student, teacher))
    np.testing.assert_allclose(gradients, (q - p) / temperature, rtol=0, atol=4e-16)
    weight = np.delete(p[11], 1)
    logarithms = np.log(weight / np.delete(q[11], 1))
    np.testing.assert_allclose(divergences[11], (weight * logarithms).sum(), rtol=1e-13)


def test_all_rows_masked_alike():
    """The vocabulary of a model is often padded: that is no row for the slow way."""
    rng = np.random.default_rng(1)
    student, teacher = rng.normal(scale=2, size=(2, 50, 120))
    student[:, 100:] = teacher[:, 100:] = -np.inf
    options = {"temperature": 1.7, "reduction": "none"}
    whole = sg.kl_divergence(student, teacher, **options)
    part = sg.kl_divergence(student[:, :100], teacher[:, :100], **options)
    np.testing.assert_allclose(whole, part, rtol=4e-15)


@pytest.mark.parametrize("given", [False, True])
def test_the_digits_that_a_difference_and_a_quotient_drop(given):
    """In given arrays as in new ones; both identities hold exactly."""
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(2, 50)) * 10.0 ** rng.integers(-8, 8, (2, 50))
    rooms = [(np.empty((4, 50)),) if given else () for _ in range(2)]
    differences, errors = two_difference(left, right, *rooms[0])
    quotients = differences / 1.7
    rests = rest_of_quotient(differences, quotients, 1.7, *rooms[1])
    numbers = (left, right, differences, errors, quotients, rests)
    with mpmath.workdps(60):
        for row in zip(*numbers, strict=True):
            x, y, difference, error, quotient, rest = map(mpmath.mpf, row)
            assert x - y == difference + error
            assert rest == difference - quotient * mpmath.mpf(1.7)


@pytest.mark.parametrize("classes", [1, 8, 9, 40, 64])
def test_columns_are_added_up_in_pairs(classes):
    values = np.random.default_rng(classes).uniform(size=(classes, 7))
    exact = [float(mpmath.fsum(column)) for column in values.T.tolist()]
    np.testing.assert_allclose(column_sums(values), exact, rtol=8 * 2.0**-53)


class Recording:
    """A kernel that writes 1 or 2 and takes the rows whose first logit is above it."""

    def __init__(self, mark, above):
        self.mark = mark
        self.above = above
        self.rows = 0

    def __call__(self, terms):
        self.rows += len(terms.values)
        terms.values[...] = self.mark
        return terms.logits[:, 0] > self.above


def fill_by(kernels, first_logits, *, optional=True):
    """Run the kernels over rows of 1000 entries, and return results and rows left."""
    logits = np.zeros((len(first_logits), 1000))
    logits[:, 0] = first_logits
    results = np.zeros_like(logits)
    attempts = [
        Attempt(kernel, [direct], (logits,), is_optional=optional and number == 0)
        for number, kernel in enumerate(kernels)
    ]
    left = fill(attempts, Batch(split(1.0, "d"), results))
    return results[:, 0], left


def test_rows_that_an_attempt_leaves_are_for_the_next():
    first, second = Recording(1, 0.5), Recording(2, -0.5)
    pattern = [1.0, 1.0, 1.0, 0.0, -1.0]
    results, left = fill_by([first, second], np.tile(pattern, 100))
    assert_array_equal(results.reshape(-1, 5)[:, :4], np.tile([1, 1, 1, 2], (100, 1)))
    assert_array_equal(np.sort(left), np.arange(4, 500, 5))
    assert second.rows == 200


def test_an_optional_attempt_ends_where_it_does_not_help():
    useless = Recording(1, 5.0)
    results, left = fill_by([useless, Recording(2, -0.5)], np.zeros(400))
    assert useless.rows == len(range(0, 65, 16))  # a few rows of the first block
    assert_array_equal(results, np.full(400, 2.0))
    assert len(left) == 0
    late = Recording(1, 0.5)
    results, _ = fill_by([late, Recording(2, -0.5)], np.repeat([1.0, 0.0], [100, 300]))
    assert_array_equal(results, np.repeat([1.0, 2.0], [100, 300]))
    assert late.rows < 300


def test_an_attempt_that_is_not_optional_is_made_for_all_rows():
    first = Recording(1, 0.5)
    fill_by([first, Recording(2, -0.5)], np.zeros(400), optional=False)
    assert first.rows == 400


def test_a_call_that_interrupts_another_has_arrays_of_its_own():
    """So would a signal's handler, or a finalizer."""
    with kept.borrowed(80) as outer, kept.borrowed(80) as inner:
        assert not set(map(id, outer)) & set(map(id, inner))
        logits = np.random.default_rng(3).normal(size=(30, 10))
        inside = sg.softmax(logits, temperature=3.0)
    with kept.borrowed(80) as again:
        assert again is outer
    assert_array_equal(sg.softmax(logits, temperature=3.0), inside)


def test_an_error_gives_the_arrays_back():
    with pytest.raises(RuntimeError), kept.borrowed(80) as before:
        raise RuntimeError
    with kept.borrowed(80) as after:
        assert after is before


def test_arrays_of_many_shapes_are_not_all_kept():
    scratch = Scratch(8000)
    rooms = {id(scratch.like(np.empty(size), "room").base) for size in range(1, 500)}
    assert len(rooms) == 1
    assert len(scratch._rooms) <= 100


def test_threads_do_not_share_arrays():
    rng = np.random.default_rng(4)
    batches = rng.normal(scale=3, size=(16, 2, 300, 50))

    def work(pair):
        return sg.kl_divergence_gradient(*pair, temperature=3.0)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, batches))
    for pair, gradients in zip(batches, found, strict=True):
        assert_array_equal(gradients, work(pair))


def test_normwise_errors_of_subtracted_probabilities():
    """Where q - p is large it is subtracted as it stands, and loses nothing."""
    rng = np.random.default_rng(5)
    student, teacher = rng.normal(scale=4, size=(2, 60, 90))
    gradients = sg.kl_divergence_gradient(
        student, teacher, temperature=1.7, reduction="none"
    )
    with mpmath.workdps(40):
        for row in (0, 31, 59):
            pair = (ExactRow(logits[row], 1.7) for logits in (student, teacher))
            _, exact = exact_divergence(*pair)
            assert (
                normwise_ulps(gradients[row], exact, np.float64) <= DISTILLATION_BOUND
            )


@pytest.mark.parametrize("classes", [10, 90])
@pytest.mark.parametrize("scale", [0.1, 4.0])
def test_value_and_gradient_at_once_are_those_of_the_two_calls(classes, scale):
    rng = np.random.default_rng(6)
    student, teacher = rng.normal(scale=scale, size=(2, 60, classes))
    options = {"temperature": 1.7, "alpha": 1.0, "reduction": "none"}
    values, gradients = sg.distillation_value_and_gradient(student, teacher, **options)
    options.pop("alpha")
    expected = 1.7**2 * sg.kl_divergence(student, teacher, **options)
    np.testing.assert_allclose(values, expected, rtol=16 * 2.0**-52)
    expected = 1.7**2 * sg.kl_divergence_gradient(student, teacher, **options)
    size = abs(expected).max(axis=1)
    assert (abs(gradients - expected).max(axis=1) <= 16 * 2.0**-52 * size).all()


@pytest.mark.parametrize("classes", [10, 100])
def test_a_tiny_weight_of_the_divergence_does_not_underflow(classes):
    """Beside exponentials whose sum is e^330, which are divided by first."""
    rng = np.random.default_rng(7)
    student, teacher = rng.normal(size=(2, 5, classes)) + 990
    small, whole = (
        sg.distillation_loss_gradient(student, teacher, temperature=3.0, alpha=alpha)
        for alpha in (1e-200, 1.0)
    )
    np.testing.assert_allclose(small, 1e-200 * whole, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("temperature", [3.0, 1.7, 0.7])
def test_probabilities_of_what_is_far_below_are_zeros_without_a_sign(
    temperature, dtype
):
    """Programs often mask with a large number, not with -inf."""
    rng = np.random.default_rng(8)
    logits = -(10.0 ** rng.uniform(3.5, 37, size=(500, 20)))
    logits[:, 0] = 1
    probs = sg.softmax(logits.astype(dtype), temperature=temperature)
    assert not np.signbit(probs).any()
    assert_array_equal(probs[:, 0], 1)


@extended_precision
@pytest.mark.parametrize("temperature", [1.7, 0.7, 3.0])
@pytest.mark.parametrize("top", [1, 5])
def test_differences_of_rows_whose_gaps_are_all_rounded_alike(top, temperature):
    """Then no roundings cancel in a sum: the worst that can happen to gaps."""
    rng = np.random.default_rng(9)
    below = -temperature * rng.uniform(1, 14, size=(2, 200, 1))
    student, teacher = np.repeat(below, 1000, axis=2)
    student[:, :top] = teacher[:, top : 2 * top] = 0
    student += 3 * rng.normal(size=(200, 1))
    _, difference = extended_divergence(student, teacher, temperature)
    gradients = sg.kl_divergence_gradient(
        student, teacher, temperature=temperature, reduction="none"
    )
    expected = difference / np.longdouble(temperature)
    error = abs(gradients - expected).max(axis=1) / abs(expected).max(axis=1)
    assert error.max() <= DISTILLATION_BOUND * np.longdouble(2) ** -52


@pytest.mark.parametrize("classes", [10, 127, 129])
@pytest.mark.parametrize("temperature", [1e-3, 2.0**-10])
def test_divergences_beside_a_row_that_is_out_of_range(classes, temperature):
    """Its NaN must not hide from a comparison that other rows need care."""
    rng = np.random.default_rng(classes)
    student = rng.normal(size=(6, classes)) * temperature * 1e-5
    teacher = rng.normal(size=(6, classes)) * temperature * 1e-5
    teacher[1] *= 1e9
    options = {"temperature": temperature, "reduction": "none"}
    divergences = sg.kl_divergence(student, teacher, **options)
    with mpmath.workdps(60):
        for row in (0, 2, 3, 4, 5):
            pair = (ExactRow(z[row], temperature) for z in (student, teacher))
            expected, _ = exact_divergence(*pair)
            assert ulps(divergences[row], [expected], np.float64) <= DISTILLATION_BOUND


def test_differences_of_long_rows_that_one_class_dominates():
    """All of q - p is as small as the other classes, whose exponents round most."""
    rng = np.random.default_rng(5)
    teacher = rng.normal(size=(40, 150))
    teacher[:, 7] += np.linspace(20, 500, 40)
    student = teacher + rng.normal(scale=1e-3, size=teacher.shape)
    student[:, 7] = teacher[:, 7]
    gradients = sg.kl_divergence_gradient(
        student, teacher, temperature=1.7, reduction="none"
    )
    with mpmath.workdps(500):
        for row in range(0, 40, 6):
            _, expected = exact_divergence(
                ExactRow(student[row], 1.7), ExactRow(teacher[row], 1.7)
            )
            error = normwise_ulps(gradients[row], expected, np.float64)
            assert error <= 2 * DISTILLATION_BOUND


def test_a_difference_that_is_as_small_as_what_the_mean_leaves():
    """Beside a row with a large d, whose dropped digits are found for all."""
    student = np.linspace(1.453111251285553, -1597.1639165518864, 33)
    student = np.stack([student, np.arange(33) / 7])
    student[1, 5:9] = -np.inf
    teacher = student + np.array([[0.9478812961118735], [4.21]])
    gradient = sg.kl_divergence_gradient(
        student, teacher, temperature=1.7, reduction="none"
    )
    with mpmath.workdps(500):
        _, expected = exact_divergence(
            ExactRow(student[0], 1.7), ExactRow(teacher[0], 1.7)
        )
        error = normwise_ulps(gradient[0], expected, np.float64)
    assert error <= DISTILLATION_BOUND


@pytest.mark.parametrize("temperature", [3.0, 0.7])
def test_losses_of_thousands_of_small_weights_in_float32(temperature):
    """Equal small products round to one side when they are added to a large one."""
    logits = np.random.default_rng(3).normal(size=(3, 9000)).astype(np.float32)
    logits[:, 40:] -= np.float32(40)
    weights = np.full(logits.shape, 1e-3 / 9000, np.float32)
    weights[:, 50] = 0.999
    losses = sg.cross_entropy(
        logits, weights, temperature=temperature, reduction="none"
    )
    with mpmath.workdps(50):
        for row, loss in enumerate(losses):
            expected = ExactRow(logits[row], temperature).loss(weights[row])
            assert ulps(loss, [expected], np.float32) <= DISTILLATION_BOUND


def test_a_product_of_far_logits_that_overflows_is_found_otherwise():
    """Sums of numbers near the largest float, divided by T^3 afterwards."""
    logits, teacher = np.array([[-1.7e308, 0.5]]), np.array([[30.0, -2.0]])
    temperature = 2.0**20
    derivative = sg.cross_entropy_temperature_gradient(
        logits, teacher_logits=teacher, temperature=temperature
    )
    with mpmath.workdps(400):
        z, v = (_exact(row[0]) for row in (logits, teacher))

        def loss(divisor):
            weight = 1 / (1 + mpmath.exp((v[1] - v[0]) / divisor))
            gap = (z[0] - z[1]) / divisor
            return mpmath.log1p(mpmath.exp(gap)) - weight * gap

        expected = mpmath.diff(loss, mpmath.mpf(temperature), h=mpmath.mpf(10) ** -60)
    np.testing.assert_allclose(derivative, float(expected), rtol=1e-14)


def _exact(row):
    return [mpmath.mpf(float(value)) for value in row]


@pytest.mark.parametrize("classes", [3, 130])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_a_logit_of_plus_infinity_is_refused_where_another_class_is_the_label(
    classes, temperature
):
    logits = np.zeros((2, classes))
    logits[1, 1] = np.inf
    with pytest.raises(ValueError, match="logits must"):
        sg.cross_entropy(logits, [0, 0], temperature=temperature)


@pytest.mark.parametrize("classes", [2, 70, 130])
def test_a_masked_class_with_a_tiny_weight_of_the_teacher(classes):
    """KL is infinite, or as large as the logit, however small the weight is."""
    student, teacher = np.zeros((3, classes)), np.zeros((3, classes))
    student[0, 1] = -np.inf
    student[1, 1] = -1.7e308
    teacher[:2, 1] = -600
    masked, far, same = sg.kl_divergence(student, teacher, reduction="none")
    weight = np.exp(-600) / (classes - 1)
    assert masked == np.inf
    np.testing.assert_allclose(far, 1.7e308 * weight, rtol=1e-13)
    assert same == 0


def test_a_weight_below_the_normal_numbers_times_a_large_factor():
    student = np.array([0.2221115552604394, -45.84414752541643, -45.79678500222322])
    teacher = np.array([0.4442231105208788, -91.68829505083286, -91.59357000444643])
    divergence = sg.kl_divergence(student, teacher, temperature=0.125)
    with mpmath.workdps(400):
        pair = (ExactRow(row, 0.125) for row in (student, teacher))
        expected, _ = exact_divergence(*pair)
        assert ulps(divergence, [expected], np.float64) <= DISTILLATION_BOUND


def test_a_divergence_of_what_rounding_left_beside_a_row_of_large_gaps():
    """The teacher is the student plus a number: KL is of what was rounded off."""
    student = [93.30386, 17.95033, -16.32553, -26.98332, 13.80298]
    student += [23.76711, 1.21004, -44.39923, 9.74216, 13.5799]
    teacher = np.add(student, 27.89034)
    far = np.array([1e6, *np.zeros(9)])
    found, _ = sg.kl_divergence(
        [student, far], [teacher, far[::-1]], temperature=1.7, reduction="none"
    )
    with mpmath.workdps(200):
        pair = (ExactRow(np.array(x), 1.7) for x in (student, teacher))
        exact, _ = exact_divergence(*pair)
        assert ulps(found, [exact], np.float64) <= DISTILLATION_BOUND


def test_gradients_where_the_student_masks_a_class_far_from_the_teacher():
    """The divergence is infinite, and hides that z - v was rounded by its size."""
    rng = np.random.default_rng(11)
    student, teacher = rng.uniform(-1, 1, size=(2, 40, 33))
    teacher += 337.6
    student[:, 5] = -np.inf
    options = {"temperature": 3.0, "reduction": "none"}
    gradients = sg.kl_divergence_gradient(student, teacher, **options)
    with mpmath.workdps(60):
        for z, v, gradient in zip(student, teacher, gradients, strict=True):
            terms = [
                [mpmath.exp((mpmath.mpf(x) - shift) / 3) for x in row]
                for row, shift in ((z, 0), (v, 337))
            ]
            q, p = ([x / mpmath.fsum(row) for x in row] for row in terms)
            exact = [(a - b) / 3 for a, b in zip(q, p, strict=True)]
            assert normwise_ulps(gradient, exact, np.float64) <= DISTILLATION_BOUND
