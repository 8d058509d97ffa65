"""Every public function by its public name, beside a formula in long double.

A function may compute one thing in several ways: a few numbers in plain Python, blocks
of rows, long rows, rows out of the range of exp, rows that a faster way leaves to a
more careful one. Which way is taken depends on the size, the type, the values and the
temperature, so each function meets all of them here, together with every reduction,
the first and the last axis, and room for the result or none. The tables at the end name
what is called; a public function that is in none of them fails a test.
"""

from typing import NamedTuple

import numpy as np
import pytest

import softmax_gradients as sg
from tests.support import formulas
from tests.support.formulas import LONG

# The shape of a batch decides who computes it. The last two are more than one block of
# 2^16 numbers; weights, unlike labels, need 2^12 numbers for the kernel.
SMALL = [(6,), (4, 5), (5, 3, 2), (60, 5), (2, 150)]
MIDDLE = [(60, 70), (20, 210)]
LARGE = [(660, 101), (250, 270)]
KINDS = ["usual", "far", "some far", "wide", "masked", "flat", "strided"]
TYPES = [np.float32, np.float64]


def temperatures(shape):
    """Return powers of two, by which the kernel divides, and others; fewer if slow."""
    if shape in SMALL:
        return 1.0, 2.0, 3.0, 1.7, 0.5
    return (1.0, 2.0, 3.0) if shape in MIDDLE else ((2.0,), (1.7,))[shape == LARGE[1]]


# What the arithmetic itself may lose; the tests of accuracy ask for the last digits.
# Where a long double is a double, the formulas lose some too.
TOLERANCE = {np.dtype(np.float32): 3e-6, np.dtype(np.float64): 4e-12}


class Case(NamedTuple):
    """A batch, with the classes along the last axis."""

    kind: str
    logits: np.ndarray
    teacher: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    vector: np.ndarray
    inputs: np.ndarray

    def at(self, array, axis):
        """Return a copy of an array with its classes along another axis."""
        moved = np.moveaxis(array, -1, axis)
        if self.kind != "strided":
            return np.array(moved, order="C")
        return np.repeat(moved, 2, axis=-1)[..., ::2]

    def long(self, array):
        return array.astype(LONG)

    @property
    def targets(self):
        """Return labels and weights, as the user gives them and as weights."""
        one_hot = formulas.one_hot(self.labels, self.logits.shape[-1])
        return (self.labels, one_hot), (self.weights, self.long(self.weights))


def make(shape, kind, dtype):
    """Return a case whose numbers hide no mistake."""
    rng = np.random.default_rng([*shape, KINDS.index(kind)])
    rows, classes = shape[:-1], shape[-1]
    logits, teacher = 3 * rng.normal(size=(2, *shape))
    if kind == "flat":
        logits, teacher = logits / 300, teacher / 300
    if kind == "wide":
        logits, teacher = 300 * logits, teacher + 300 * logits
    far = 1000 * rng.choice([-1, 1], size=(*rows, 1))
    if kind == "far":
        logits, teacher = logits + far, teacher - far
    if kind == "some far":
        far = np.where(np.arange(far.size).reshape(far.shape) % 3 == 1, far, 0)
        logits, teacher = logits + far, teacher + far
    weights = rng.uniform(0.1, 1.5, size=shape) * (rng.random(shape) < 0.8)
    weights[..., 0] += 0.3
    if kind == "flat":
        weights = 0.3 + weights / 100
    labels = rng.integers(classes, size=rows)
    if kind == "masked":
        masked = rng.random(shape) < 0.2
        np.put_along_axis(masked, labels[..., np.newaxis], values=False, axis=-1)
        logits[masked] = -np.inf
        teacher[masked | (rng.random(shape) < 0.1)] = -np.inf
        np.put_along_axis(teacher, labels[..., np.newaxis], 1.5, axis=-1)
        weights[masked] = 0
    return Case(
        kind,
        logits.astype(dtype),
        teacher.astype(dtype),
        labels,
        weights.astype(dtype),
        rng.normal(size=shape).astype(dtype) + dtype(0.4),
        rng.normal(size=(*rows, 3)).astype(dtype),
    )


def assert_near(actual, expected, dtype, size=None):
    """Compare with long doubles, up to rounding relative to the entry or to `size`."""
    actual, expected = np.asarray(actual), np.asarray(expected, LONG)
    assert actual.dtype == dtype
    assert actual.shape == expected.shape
    assert actual.size
    size = abs(expected) if size is None else np.asarray(size, LONG)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite].astype(dtype))
    error = abs(actual[finite] - expected[finite])
    allowed = TOLERANCE[np.dtype(dtype)] * size[finite] + np.finfo(dtype).tiny
    assert (error <= allowed).all(), float((error / allowed).max())


def axes(case):
    """Return the last axis, and the first if there is more than one."""
    return (-1, 0) if case.logits.ndim > 1 else (-1,)


def divisor(case, reduction):
    """Return by what a gradient is divided: by N, the number of rows, for a mean."""
    rows = case.logits[..., 0].size
    factors = {"batchmean": rows, "mean": rows, "sum": 1, "none": 1}
    return LONG(factors[reduction])


def reduced(case, rows, reduction):
    """Return the rows' losses as one, unless the reduction is "none"."""
    return rows if reduction == "none" else rows.sum() / divisor(case, reduction)


REDUCTIONS = ("mean", "sum", "none")


def check_softmax(function, formula, case, temperature):
    z = case.long(case.logits)
    for axis in axes(case):
        value = function(case.at(case.logits, axis), temperature=temperature, axis=axis)
        assert_near(
            np.moveaxis(value, axis, -1), formula(z, temperature), case.logits.dtype
        )


def check_matrix(function, formula, case, temperature):
    expected, size = formula(case.long(case.logits), temperature)
    for axis in axes(case):
        value = function(case.at(case.logits, axis), temperature=temperature, axis=axis)
        assert_near(value, expected, case.logits.dtype, size)


def check_hessian(function, case, temperature):
    def formula(z, temperature):
        value, size = formulas.jacobian(z, temperature)
        return value / LONG(temperature), size / LONG(temperature)

    check_matrix(function, formula, case, temperature)


def check_product(function, formula, case, temperature, power=0):
    z, u = case.long(case.logits), case.long(case.vector)
    expected, size = (
        x / LONG(temperature) ** power for x in formula(z, u, temperature)
    )
    for axis in axes(case):
        value = function(
            case.at(case.logits, axis),
            case.at(case.vector, axis),
            temperature=temperature,
            axis=axis,
        )
        assert_near(np.moveaxis(value, axis, -1), expected, case.logits.dtype, size)


def placed(case, given, axis):
    """Return targets with their classes, if they have any, along the axis."""
    return case.at(given, axis) if given.ndim == case.logits.ndim else given


def check_cross_entropy(function, case, temperature):
    for given, t in case.targets:
        rows = formulas.cross_entropy(case.long(case.logits), t, temperature)
        for axis in axes(case):
            for reduction in REDUCTIONS:
                loss = function(
                    case.at(case.logits, axis),
                    placed(case, given, axis),
                    temperature=temperature,
                    reduction=reduction,
                    axis=axis,
                )
                expected = reduced(case, rows, reduction)
                assert_near(loss, expected, case.logits.dtype)


def check_cross_entropy_gradient(function, case, temperature):
    for given, t in case.targets:
        rows, sizes = formulas.cross_entropy_gradient(
            case.long(case.logits), t, temperature
        )
        for axis in axes(case):
            for reduction in REDUCTIONS:
                gradient = function(
                    case.at(case.logits, axis),
                    placed(case, given, axis),
                    temperature=temperature,
                    reduction=reduction,
                    axis=axis,
                )
                rest = divisor(case, reduction)
                assert_near(
                    np.moveaxis(gradient, axis, -1),
                    rows / rest,
                    case.logits.dtype,
                    sizes / rest,
                )


def check_value_and_gradient(function, case, temperature):
    """As the two above; and the gradient may go to other room, or over the logits."""
    z = case.long(case.logits)
    for given, t in case.targets:
        losses = formulas.cross_entropy(z, t, temperature)
        rows, sizes = formulas.cross_entropy_gradient(z, t, temperature)
        for axis in axes(case):
            for reduction in REDUCTIONS:
                rest = divisor(case, reduction)
                for where in ("new", "room", "logits"):
                    logits = case.at(case.logits, axis)
                    room = np.full_like(logits, 7.0) if where == "room" else logits
                    loss, gradient = function(
                        logits,
                        placed(case, given, axis),
                        temperature=temperature,
                        reduction=reduction,
                        axis=axis,
                        out=None if where == "new" else room,
                    )
                    assert (gradient is room) == (where != "new")
                    expected = reduced(case, losses, reduction)
                    assert_near(loss, expected, case.logits.dtype)
                    assert_near(
                        np.moveaxis(gradient, axis, -1),
                        rows / rest,
                        case.logits.dtype,
                        sizes / rest,
                    )


def check_temperature_gradient(function, case, temperature):
    z, v = case.long(case.logits), case.long(case.teacher)
    expected = [
        ({"targets": given}, formulas.temperature_gradient(z, t, temperature))
        for given, t in case.targets
    ]
    moving = formulas.moving_target_gradient(z, v, temperature)
    expected.append(({"teacher_logits": case.teacher}, moving))
    for options, (rows, sizes) in expected:
        for axis in axes(case):
            for reduction in REDUCTIONS:
                derivative = function(
                    case.at(case.logits, axis),
                    **{name: placed(case, x, axis) for name, x in options.items()},
                    temperature=temperature,
                    reduction=reduction,
                    axis=axis,
                )
                assert_near(
                    derivative,
                    reduced(case, rows, reduction),
                    case.logits.dtype,
                    reduced(case, sizes, reduction),
                )


def soft_divisor(case, reduction):
    """Return N, N C, 1 and 1, as PyTorch divides a divergence."""
    classes = case.logits.shape[-1] if reduction == "mean" else 1
    return divisor(case, reduction) * classes


def check_kl_divergence(function, case, temperature):
    rows, sizes = formulas.kl_divergence(
        case.long(case.logits), case.long(case.teacher), temperature
    )
    for axis in axes(case):
        for reduction in ("batchmean", *REDUCTIONS):
            rest = soft_divisor(case, reduction)
            divergence = function(
                case.at(case.logits, axis),
                case.at(case.teacher, axis),
                temperature=temperature,
                reduction=reduction,
                axis=axis,
            )
            assert_near(
                divergence,
                rows if reduction == "none" else rows.sum() / rest,
                case.logits.dtype,
                sizes if reduction == "none" else sizes.sum() / rest,
            )


def check_kl_divergence_gradient(function, case, temperature):
    rows, sizes = formulas.kl_divergence_gradient(
        case.long(case.logits), case.long(case.teacher), temperature
    )
    for axis in axes(case):
        for reduction in ("batchmean", *REDUCTIONS):
            rest = soft_divisor(case, reduction)
            gradient = function(
                case.at(case.logits, axis),
                case.at(case.teacher, axis),
                temperature=temperature,
                reduction=reduction,
                axis=axis,
            )
            assert_near(
                np.moveaxis(gradient, axis, -1),
                rows / rest,
                case.logits.dtype,
                sizes / rest,
            )


def mixtures(case, temperature):
    """Yield labels, alpha and whether T^2 counts, with the weights of the two parts."""
    labels, weights = case.targets
    for (given, t), alpha, squared, default in (
        ((None, None), None, True, 1.0),
        ((None, None), 0.3, False, 1.0),
        (labels, None, False, 0.5),
        (labels, 0.3, True, 0.5),
        (weights, None, True, 0.5),
        (weights, 0.0, True, 0.5),
        (weights, 1.0, False, 0.5),
    ):
        soft = LONG(default if alpha is None else alpha)
        hard = 0 if given is None else 1 - soft
        options = {"alpha": alpha, "temperature_squared": squared}
        yield given, t, options, soft * LONG(temperature if squared else 1) ** 2, hard


def each_axis_or_reduction(case):
    """Yield every reduction along the last axis, and one of them along the first."""
    yield from ((-1, reduction) for reduction in ("batchmean", *REDUCTIONS))
    if case.logits.ndim > 1:
        yield 0, "mean"


def check_distillation_loss(function, case, temperature):
    z, v = case.long(case.logits), case.long(case.teacher)
    rows, sizes = formulas.kl_divergence(z, v, temperature)
    for given, t, options, soft, hard in mixtures(case, temperature):
        losses = 0 * rows if t is None else formulas.cross_entropy(z, t, 1.0)
        for axis, reduction in each_axis_or_reduction(case):
            rest = soft_divisor(case, reduction)
            loss = function(
                case.at(case.logits, axis),
                case.at(case.teacher, axis),
                labels=None if given is None else placed(case, given, axis),
                temperature=temperature,
                reduction=reduction,
                axis=axis,
                **options,
            )
            expected, size = (
                soft * x / rest + hard * losses / divisor(case, reduction)
                for x in (rows, sizes)
            )
            if reduction != "none":
                expected, size = expected.sum(), size.sum()
            assert_near(loss, expected, case.logits.dtype, size)


def check_distillation_loss_gradient(
    function, case, temperature, whose=("student", "teacher")
):
    z, v = case.long(case.logits), case.long(case.teacher)
    student = formulas.kl_divergence_gradient(z, v, temperature)
    teacher = formulas.kl_divergence_teacher_gradient(z, v, temperature)
    for given, t, options, soft, hard in mixtures(case, temperature):
        none = (0 * student[0], 0 * student[0])
        labels = none if t is None else formulas.cross_entropy_gradient(z, t, 1.0)
        parts = {"student": (student, labels), "teacher": (teacher, none)}
        for who in whose:
            of_soft, of_hard = parts[who]
            for axis, reduction in each_axis_or_reduction(case):
                rest = soft_divisor(case, reduction)
                gradient = function(
                    case.at(case.logits, axis),
                    case.at(case.teacher, axis),
                    labels=None if given is None else placed(case, given, axis),
                    temperature=temperature,
                    reduction=reduction,
                    axis=axis,
                    with_respect_to=who,
                    **options,
                )
                expected, size = (
                    soft * a / rest + hard * b / divisor(case, reduction)
                    for a, b in zip(of_soft, of_hard, strict=True)
                )
                assert_near(
                    np.moveaxis(gradient, axis, -1),
                    expected,
                    case.logits.dtype,
                    size,
                )


def check_distillation_value_and_gradient(function, case, temperature):
    def loss(*logits, **options):
        return function(*logits, **options)[0]

    def gradient(*logits, with_respect_to, **options):
        assert with_respect_to == "student"
        return function(*logits, **options)[1]

    check_distillation_loss(loss, case, temperature)
    check_distillation_loss_gradient(gradient, case, temperature, ["student"])


def check_linear_gradients(function, case, temperature):
    z, x = case.long(case.logits), case.long(case.inputs)
    for given, t in case.targets:
        rows = formulas.cross_entropy_gradient(z, t, temperature)
        outer = [g[..., :, np.newaxis] * abs(x)[..., np.newaxis, :] for g in rows]
        outer[0] = rows[0][..., :, np.newaxis] * x[..., np.newaxis, :]
        batch = tuple(range(z.ndim - 1))
        for reduction in REDUCTIONS:
            found = function(
                case.at(case.logits, -1),
                placed(case, given, -1),
                case.at(case.inputs, -1),
                temperature=temperature,
                reduction=reduction,
            )
            over = () if reduction == "none" else batch
            rest = divisor(case, reduction)
            for value, parts in ((found.weights, outer), (found.bias, rows)):
                expected, size = (part.sum(axis=over) / rest for part in parts)
                assert_near(value, expected, case.logits.dtype, size)


def check_linear_cross_entropy(function, case, temperature):
    """With W the identity, x and z are the same numbers, and dL/dx is dL/dz."""
    z, classes = case.long(case.logits), case.logits.shape[-1]
    identity = np.eye(classes, dtype=case.logits.dtype)
    flat = z.reshape(-1, classes)
    for given, t in case.targets:
        losses = formulas.cross_entropy(z, t, temperature)
        rows = formulas.cross_entropy_gradient(z, t, temperature)
        slopes, sizes = (part.reshape(-1, classes) for part in rows)
        of_weights = slopes.T @ flat, sizes.T @ abs(flat)
        of_bias = slopes.sum(axis=0), sizes.sum(axis=0)
        for reduction, chunk_rows in (("mean", 50), ("sum", None)):
            loss, found = function(
                case.at(case.logits, -1),
                case.at(identity, -1),
                placed(case, given, -1),
                bias=np.zeros(classes),
                temperature=temperature,
                reduction=reduction,
                chunk_rows=chunk_rows,
            )
            rest = divisor(case, reduction)
            assert_near(loss, losses.sum() / rest, case.logits.dtype)
            for value, parts in (
                (found.inputs, rows),
                (found.weights, of_weights),
                (found.bias, of_bias),
            ):
                expected, size = (part / rest for part in parts)
                assert_near(value, expected, case.logits.dtype, size)


def check_gauss_newton(function, case, temperature):
    z, x = case.long(case.logits), case.long(case.inputs)
    hessians = [h / LONG(temperature) for h in formulas.jacobian(z, temperature)]
    expected, size = (
        np.einsum("...kl,...a,...b->...kalb", h, x, x)
        for h, x in zip(hessians, (x, abs(x)), strict=True)
    )
    side = z.shape[-1] * x.shape[-1]
    expected, size = (m.reshape(*z.shape[:-1], side, side) for m in (expected, size))
    batch = tuple(range(z.ndim - 1))
    for reduction in REDUCTIONS:
        found = function(
            case.at(case.logits, -1),
            case.at(case.inputs, -1),
            temperature=temperature,
            reduction=reduction,
        )
        over, rest = () if reduction == "none" else batch, divisor(case, reduction)
        assert_near(
            found,
            expected.sum(axis=over) / rest,
            case.logits.dtype,
            size.sum(axis=over) / rest,
        )


def check_fit_temperature(function, case, temperature):
    """Logits that claim more than the weights allow, by a factor near T."""
    z = case.long(case.logits)
    favoured = formulas.softmax(z, 2 * temperature).astype(case.logits.dtype)
    weights = favoured * case.weights.max(axis=-1, keepdims=True)
    expected = formulas.best_temperature(z, weights.astype(LONG))
    for axis in axes(case):
        fitted = function(case.at(case.logits, axis), case.at(weights, axis), axis=axis)
        assert isinstance(fitted, float)
        assert fitted == pytest.approx(float(expected), rel=1e-9)


def check_reliability(function, case, temperature):
    z = case.long(case.logits)
    for options, bins in (({}, 15), ({"bins": 4}, 4), ({"bins": 1}, 1)):
        expected = formulas.reliability(z, case.labels, temperature, bins)
        for axis in axes(case):
            found = function(
                case.at(case.logits, axis),
                case.labels,
                temperature=temperature,
                axis=axis,
                **options,
            )
            np.testing.assert_array_equal(found.counts, expected[0])
            for value, wanted in zip(found[1:], expected[1:], strict=True):
                np.testing.assert_allclose(value, wanted.astype(float), rtol=1e-6)


def check_calibration_error(function, case, temperature):
    z = case.long(case.logits)
    for options, bins in (({}, 15), ({"bins": 4}, 4), ({"bins": 1}, 1)):
        counts, confidences, accuracies = formulas.reliability(
            z, case.labels, temperature, bins
        )
        expected = (counts * abs(accuracies - confidences)).sum() / counts.sum()
        for axis in axes(case):
            error = function(
                case.at(case.logits, axis),
                case.labels,
                temperature=temperature,
                axis=axis,
                **options,
            )
            assert isinstance(error, float)
            assert error == pytest.approx(float(expected), rel=1e-5, abs=1e-7)


def centred(values):
    return values - values.mean(axis=-1, keepdims=True)


def check_high_temperature_limit(function, case, temperature):
    z, v = case.long(case.logits), case.long(case.teacher)
    classes, scale = z.shape[-1], LONG(temperature)
    terms = [x / (classes * scale**2) for x in (centred(z), -centred(v))]
    squares = [
        sign * (centred(x) ** 2 - x.var(axis=-1, keepdims=True))
        for sign, x in ((1, z), (-1, v))
    ]
    more = [*terms, *(square / (2 * classes * scale**3) for square in squares)]
    # What is subtracted: the logits, and in the second term squares of centred ones.
    largest = sum(abs(centred(x)).max(axis=-1, keepdims=True) for x in (z, v))
    # The means are summed in the logits' own type, one number after another.
    first = (1 + classes / 100) * (abs(z) + abs(v)) / (classes * scale**2)
    second = first + largest**2 / (classes * scale**3)
    for order, expected, size in ((1, sum(terms), first), (2, sum(more), second)):
        for axis in axes(case):
            limit = function(
                case.at(case.logits, axis),
                case.at(case.teacher, axis),
                temperature=temperature,
                order=order,
                axis=axis,
            )
            assert_near(
                np.moveaxis(limit, axis, -1),
                expected,
                case.logits.dtype,
                np.broadcast_to(size.max(axis=-1, keepdims=True), z.shape),
            )


def check_high_temperature_bound(function, case, temperature):
    z, v = case.long(case.logits), case.long(case.teacher)
    of_z, of_v, of_both = (np.ptp(x, axis=-1) for x in (z, v, z - v))
    least = np.minimum(of_z**2 + of_v**2, of_both * (of_z + of_v))
    expected = least / (12 * np.sqrt(LONG(3)) * LONG(temperature) ** 3)
    for axis in axes(case):
        bound = function(
            case.at(case.logits, axis),
            case.at(case.teacher, axis),
            temperature=temperature,
            axis=axis,
        )
        # z - v is rounded where the two are far apart.
        size = expected * (1 + abs(z - v).max(axis=-1) / of_both)
        assert_near(bound, expected, case.logits.dtype, size)


def table(*groups):
    """Return {name: (check, shapes, kinds)} of groups that share shapes and kinds."""
    return {
        name: (check, shapes, kinds)
        for checks, shapes, kinds in groups
        for name, check in checks.items()
    }


def product(formula, power=0):
    return lambda function, case, temperature: check_product(
        function, formula, case, temperature, power
    )


UNMASKED = [kind for kind in KINDS if kind != "masked"]
CALIBRATED = ["usual", "some far", "masked", "strided"]

CHECKS = table(
    (
        {
            "softmax": lambda *a: check_softmax(a[0], formulas.softmax, *a[1:]),
            "log_softmax": lambda *a: check_softmax(a[0], formulas.log_softmax, *a[1:]),
            "softmax_jvp": product(formulas.jacobian_product),
            "softmax_vjp": product(formulas.jacobian_product),
            "log_softmax_vjp": product(formulas.log_softmax_vjp),
            "cross_entropy_hvp": product(formulas.jacobian_product, power=1),
            "cross_entropy": check_cross_entropy,
            "cross_entropy_gradient": check_cross_entropy_gradient,
            "cross_entropy_value_and_gradient": check_value_and_gradient,
            "cross_entropy_temperature_gradient": check_temperature_gradient,
            "kl_divergence": check_kl_divergence,
            "kl_divergence_gradient": check_kl_divergence_gradient,
            "linear_gradients": check_linear_gradients,
        },
        SMALL + MIDDLE + LARGE,
        KINDS,
    ),
    (
        {
            "distillation_loss": check_distillation_loss,
            "distillation_loss_gradient": check_distillation_loss_gradient,
            "distillation_value_and_gradient": check_distillation_value_and_gradient,
        },
        [*SMALL, MIDDLE[0], LARGE[1]],
        KINDS,
    ),
    (
        {
            "softmax_jacobian": lambda *a: check_matrix(
                a[0], formulas.jacobian, *a[1:]
            ),
            "fisher_information": lambda *a: check_matrix(
                a[0], formulas.fisher_information, *a[1:]
            ),
            "cross_entropy_hessian": check_hessian,
            "linear_gauss_newton": check_gauss_newton,
        },
        [(6,), (4, 5), (5, 3, 2), (60, 5), (2, 40)],
        KINDS,
    ),
    (
        {"linear_cross_entropy_value_and_gradient": check_linear_cross_entropy},
        [*SMALL, MIDDLE[0], LARGE[1]],
        UNMASKED,
    ),
    (
        {
            "high_temperature_limit": check_high_temperature_limit,
            "high_temperature_error_bound": check_high_temperature_bound,
        },
        SMALL,
        UNMASKED,
    ),
    (
        {
            "fit_temperature": check_fit_temperature,
            "reliability": check_reliability,
            "expected_calibration_error": check_calibration_error,
        },
        [*SMALL, MIDDLE[0]],
        CALIBRATED,
    ),
)
CASES = [
    pytest.param(name, shape, kind, dtype, id=f"{name}-{shape}-{kind}-{dtype.__name__}")
    for name, (_, shapes, kinds) in CHECKS.items()
    for shape in shapes
    for kind in kinds
    for dtype in TYPES
    # Large batches take long: this kind has rows in range, and rows that are left over.
    if shape not in LARGE or kind == "some far"
]


@pytest.mark.parametrize(("name", "shape", "kind", "dtype"), CASES)
def test_public_function_is_the_formula(name, shape, kind, dtype):
    check, function = CHECKS[name][0], getattr(sg, name)
    case = make(shape, kind, dtype)
    for temperature in temperatures(shape):
        check(function, case, temperature)


def test_smoothed_labels_are_the_formula():
    labels = np.array([[2, 0, 4], [1, 4, 3]])
    for convention in ("uniform", "others"):
        for epsilon in (0.0, 0.1, 0.7, 1.0):
            found = sg.smooth_labels(
                labels, number_of_classes=5, epsilon=epsilon, convention=convention
            )
            expected = formulas.smooth_labels(labels, 5, epsilon, convention)
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-16)


def test_converted_epsilon_gives_the_same_targets():
    for classes, epsilon, to in ((5, 0.3, "others"), (10, 0.6, "uniform")):
        other = {"others": "uniform", "uniform": "others"}[to]
        converted = sg.convert_epsilon(epsilon, number_of_classes=classes, to=to)
        np.testing.assert_allclose(
            formulas.smooth_labels([3, 1], classes, converted, to),
            formulas.smooth_labels([3, 1], classes, epsilon, other),
            rtol=1e-14,
        )


def wave(x):
    """Return sin(<x, a>) and exp(<x, b>) - 1, whose derivatives are known."""
    return np.stack([np.sin((x * WAVE).sum()), np.expm1((x * WAVE[::-1]).sum())])


WAVE = np.array([[0.7, -0.4, 0.2], [0.1, 0.9, -0.6]])
PLACE = np.array([[0.3, -1.2, 0.8], [2.0, 0.4, -0.5]])
SLOPES = np.stack(
    [
        np.cos((PLACE * WAVE).sum()) * WAVE,
        np.exp((PLACE * WAVE[::-1]).sum()) * WAVE[::-1],
    ]
)


def test_numerical_derivatives_are_the_known_ones():
    np.testing.assert_allclose(sg.complex_step(wave, PLACE), SLOPES, rtol=1e-14)
    np.testing.assert_allclose(sg.finite_difference(wave, PLACE), SLOPES, rtol=1e-9)


def test_taylor_remainders_are_the_known_ones():
    """For x^2 and a slope that is wrong by e: r(h) = |h^2 <d, d> + h e <x, d>|."""
    direction, steps = np.array([[1.0, -2.0, 0.5], [0.3, 0.0, 1.0]]), [0.5, 0.25, 0.1]
    for wrong, order in ((0.0, 2.0), (0.4, None)):
        found = sg.taylor_test(
            lambda x: (x**2).sum(),
            lambda x, wrong=wrong: (2 - wrong) * x,
            PLACE,
            direction=direction,
            steps=steps,
        )
        h = np.array(steps)
        expected = abs(
            h**2 * (direction**2).sum() + h * wrong * (PLACE * direction).sum()
        )
        np.testing.assert_allclose(found.remainders, expected, rtol=1e-12)
        slope = np.log(expected[0] / expected[-1]) / np.log(h[0] / h[-1])
        assert found.order == pytest.approx(slope, rel=1e-12)
        assert order is None or found.order == pytest.approx(order, rel=1e-12)


# Checked above, apart from the table; and what judges other functions, or only reads.
APART = {
    "smooth_labels",
    "convert_epsilon",
    "complex_step",
    "finite_difference",
    "taylor_test",
}
ELSEWHERE = {
    "assert_correct",
    "assert_shard_invariant",
    "compare",
    "diagnose",
    "load_digits",
}


def test_no_public_function_is_forgotten():
    public = {
        name
        for name in sg.__all__
        if callable(getattr(sg, name)) and not isinstance(getattr(sg, name), type)
    }
    assert public == set(CHECKS) | APART | ELSEWHERE


def test_the_shapes_take_every_way():
    """Few numbers are at most 128, long rows begin there; 2^12 and 2^16: see above."""
    sizes = [np.prod(shape) for shape in SMALL + MIDDLE + LARGE]
    assert min(sizes) <= 128 < sorted(sizes)[3] < 2**12 < sorted(sizes)[-3]
    assert sum(size > 2**16 for size in sizes) == len(LARGE) > 1
    assert {len(shape) for shape in SMALL} == {1, 2, 3}
    for group in (SMALL, MIDDLE, LARGE):
        assert min(s[-1] for s in group) < 128 < max(s[-1] for s in group)
