"""Distillation: KL(p || q), the losses and their gradients."""

import math

import autograd
import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import softmax_gradients as sg
from tests.support.oracles import (
    autograd_cross_entropy,
    autograd_log_softmax,
    one_hot,
    point,
    relaxed,
    same_shape,
    temperatures,
)
from tests.support.teachers import (
    LIMITS,
    LOGIT_FUNCTIONS,
    V,
    Z,
    exact,
    mp_divergence,
    mp_gradient,
    mp_limit,
    mp_log_softmax,
    normwise_error,
)

INF = np.inf
LOSSES = LOGIT_FUNCTIONS[:4]

pairs = same_shape((-30.0, 30.0), (-30.0, 30.0))


# ---- Values worked out by hand


# e^(z/2) = (1, 3) and e^z = (1, 9); the teacher is undecided.
HAND_STUDENT, HAND_TEACHER = [0.0, 2 * math.log(3)], [0.0, 0.0]
HAND_DIVERGENCE = math.log(4 / 3) / 2


def test_two_classes_by_hand():
    kl = sg.kl_divergence(HAND_STUDENT, HAND_TEACHER, temperature=2.0)
    assert kl == pytest.approx(HAND_DIVERGENCE, rel=1e-14)
    gradient = sg.kl_divergence_gradient(HAND_STUDENT, HAND_TEACHER, temperature=2.0)
    np.testing.assert_allclose(gradient, [-1 / 8, 1 / 8], rtol=1e-14)


def test_loss_by_hand():
    loss = sg.distillation_loss(
        HAND_STUDENT, HAND_TEACHER, labels=1, temperature=2.0, alpha=0.25
    )
    expected = 0.25 * 4 * HAND_DIVERGENCE - 0.75 * math.log(0.9)
    assert loss == pytest.approx(expected, rel=1e-14)
    gradient = sg.distillation_loss_gradient(
        HAND_STUDENT, HAND_TEACHER, labels=1, temperature=2.0, alpha=0.25
    )
    one = 0.25 * 4 / 8 - 0.75 * 0.1
    np.testing.assert_allclose(gradient, [-one, one], rtol=1e-14)


def test_teacher_gradient_by_hand():
    gradient = sg.distillation_loss_gradient(
        HAND_STUDENT,
        HAND_TEACHER,
        labels=None,
        temperature=2.0,
        with_respect_to="teacher",
    )
    one = 4 * math.log(3) / 4 / 2  # T^2 p (log(p/q) - KL)/T
    np.testing.assert_allclose(gradient, [one, -one], rtol=1e-14)


# ---- What holds for all logits


@relaxed
@given(pairs, temperatures)
def test_divergence_is_cross_entropy_less_entropy(logits, temperature):
    student, teacher = logits
    probs = sg.softmax(teacher, temperature=temperature)
    options = {"reduction": "none"}
    np.testing.assert_allclose(
        sg.kl_divergence(student, teacher, temperature=temperature, **options),
        sg.cross_entropy(student, probs, temperature=temperature, **options)
        - sg.cross_entropy(teacher, probs, temperature=temperature, **options),
        rtol=1e-12,
        atol=1e-12,
    )


@relaxed
@given(pairs, temperatures)
def test_divergence_is_not_negative(logits, temperature):
    assert (
        sg.kl_divergence(*logits, temperature=temperature, reduction="none") >= 0
    ).all()


@relaxed
@given(pairs, temperatures)
def test_gradients_sum_to_zero(logits, temperature):
    student, teacher = logits
    labels = np.zeros(student.shape[0], dtype=int)
    for gradient in (
        sg.kl_divergence_gradient(student, teacher, temperature=temperature),
        sg.distillation_loss_gradient(
            student, teacher, labels=labels, temperature=temperature
        ),
        sg.high_temperature_limit(student, teacher, temperature=temperature),
        sg.high_temperature_limit(student, teacher, temperature=temperature, order=2),
    ):
        size = 1 + abs(gradient).max()
        assert abs(gradient.sum(axis=-1)).max() <= 1e-13 * size


@relaxed
@given(pairs, st.integers(-50, 50), st.integers(-50, 50))
def test_shifts_of_either_logits_change_nothing(logits, shift, other):
    # Multiples of 1/8 are added without rounding.
    student, teacher = (np.round(8 * array) / 8 for array in logits)
    for function in (*LOSSES[:2], *LIMITS):
        np.testing.assert_allclose(
            function(student + shift, teacher + other, temperature=2.0),
            function(student, teacher, temperature=2.0),
            rtol=1e-12,
            atol=1e-13,
        )


@given(st.floats(-1e6, 1e6))
def test_the_student_that_agrees_up_to_a_constant_has_nothing_to_learn(shift):
    student = np.round(8 * V) / 8 + np.round(shift)
    assert sg.kl_divergence(student, V, temperature=3.0) == 0
    np.testing.assert_array_equal(
        sg.kl_divergence_gradient(student, V, temperature=3.0), 0 * V
    )
    np.testing.assert_array_equal(sg.high_temperature_limit(V, V), 0 * V)


def test_one_class_has_nothing_to_learn():
    for function in LOGIT_FUNCTIONS:
        np.testing.assert_array_equal(function([3.0], [-1.0], temperature=2.0), 0)


# ---- Derivatives, found by other means


def divergence_of(student, teacher, temperature):
    """Return the sum of the rows' KL(p || q), in operations autograd knows."""
    log_p = autograd_log_softmax(teacher, temperature)
    log_q = autograd_log_softmax(student, temperature)
    return anp.sum(anp.exp(log_p) * (log_p - log_q))


def test_gradient_is_the_complex_step_derivative_of_the_cross_entropy():
    teacher = sg.softmax(V, temperature=2.0)
    by_step = sg.complex_step(
        lambda z: sg.cross_entropy(z, teacher, temperature=2.0), Z
    )
    np.testing.assert_allclose(
        sg.kl_divergence_gradient(Z, V, temperature=2.0), by_step, rtol=1e-13
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_gradient_agrees_with_autograd(seed, temperature):
    p = point(seed)
    args = p.logits, p.teacher_logits, temperature
    options = {"temperature": temperature, "reduction": "sum"}
    divergence = sg.kl_divergence(p.logits, p.teacher_logits, **options)
    assert divergence == pytest.approx(divergence_of(*args), rel=1e-12)
    np.testing.assert_allclose(
        sg.kl_divergence_gradient(p.logits, p.teacher_logits, **options),
        autograd.grad(divergence_of)(*args),
        rtol=1e-11,
        atol=1e-14,
    )
    np.testing.assert_allclose(
        sg.distillation_loss_gradient(
            p.logits,
            p.teacher_logits,
            labels=None,
            temperature=temperature,
            temperature_squared=False,
            reduction="sum",
            with_respect_to="teacher",
        ),
        autograd.grad(divergence_of, 1)(*args),
        rtol=1e-11,
        atol=1e-14,
    )


@pytest.mark.parametrize("temperature_squared", [True, False])
@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_loss_and_its_gradient_agree_with_autograd(kind, temperature_squared):
    p = point(5)
    rows = len(p.labels)
    weights = one_hot(p.labels, 4) if kind == "labels" else p.targets

    def loss(z, v):
        soft = divergence_of(z, v, p.temperature) / rows
        factor = p.temperature**2 if temperature_squared else 1.0
        hard = autograd_cross_entropy(z, weights) / rows
        return 0.3 * factor * soft + 0.7 * hard

    args = p.logits, p.teacher_logits
    options = {
        "labels": getattr(p, kind),
        "temperature": p.temperature,
        "alpha": 0.3,
        "temperature_squared": temperature_squared,
    }
    assert sg.distillation_loss(*args, **options) == pytest.approx(
        loss(p.logits, p.teacher_logits), rel=1e-13
    )
    for number, name in enumerate(["student", "teacher"]):
        np.testing.assert_allclose(
            sg.distillation_loss_gradient(*args, **options, with_respect_to=name),
            autograd.grad(loss, number)(p.logits, p.teacher_logits),
            rtol=1e-11,
            atol=1e-14,
        )


@pytest.mark.parametrize("reduction", ["batchmean", "mean", "sum"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("alpha", [None, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("with_labels", [True, False])
def test_finite_differences_one_logit_at_a_time(reduction, axis, alpha, with_labels):
    p = point(1, rows=3, classes=4)
    labels = np.arange(p.logits.shape[1 - axis % 2]) % 3 if with_labels else None
    options = {"alpha": alpha, "reduction": reduction, "axis": axis}

    def loss(z, v):
        return sg.distillation_loss(
            z, v, labels=labels, temperature=p.temperature, **options
        )

    for name, function, start in (
        ("student", lambda z: loss(z, p.teacher_logits), p.logits),
        ("teacher", lambda v: loss(p.logits, v), p.teacher_logits),
    ):
        gradient = sg.distillation_loss_gradient(
            p.logits,
            p.teacher_logits,
            labels=labels,
            temperature=p.temperature,
            with_respect_to=name,
            **options,
        )
        by_differences = sg.finite_difference(function, start)
        np.testing.assert_allclose(gradient, by_differences, atol=1e-8)


@pytest.mark.parametrize("gap", [1e-3, 0.99, 1.01, 5.0])
def test_order_of_the_taylor_remainder_is_two_near_and_far(gap):
    """The formulas for close and for distant logits meet at a difference of T."""
    student = V + gap * np.array([0.0, 2.0, -2.0, 1.0])

    def loss(z):
        return sg.kl_divergence(z, V, temperature=2.0)

    def gradient(z):
        return sg.kl_divergence_gradient(z, V, temperature=2.0)

    assert sg.taylor_test(loss, gradient, student).order == pytest.approx(2, abs=0.1)


def test_the_exact_gradient_of_these_tests_is_the_derivative_of_the_divergence():
    with mpmath.workdps(50):
        z, v = exact(Z), exact(V)
        for k, entry in enumerate(mp_gradient(z, v, 3)):
            slope = mpmath.diff(
                lambda x, k=k: mp_divergence([*z[:k], x, *z[k + 1 :]], v, 3), z[k]
            )
            assert mpmath.almosteq(slope, entry, rel_eps=mpmath.mpf(10) ** -15)


# ---- Accuracy, against 50 digits


@pytest.mark.parametrize(("dtype", "unit"), [(np.float64, 1e-15), (np.float32, 6e-7)])
@pytest.mark.parametrize("temperature", [0.1, 1.0, 1e2, 1e4, 1e8])
@pytest.mark.parametrize("classes", [3, 10, 100])
def test_no_digit_is_lost_at_any_temperature(classes, temperature, dtype, unit):
    rng = np.random.default_rng(classes)
    student = rng.normal(scale=3, size=classes).astype(dtype)
    teacher = rng.normal(scale=3, size=classes).astype(dtype)
    with mpmath.workdps(50):
        args = exact(student), exact(teacher), mpmath.mpf(temperature)
        divergence = mp_divergence(*args)
        gradient = sg.kl_divergence_gradient(student, teacher, temperature=temperature)
        kl = sg.kl_divergence(student, teacher, temperature=temperature)
        assert normwise_error(gradient, mp_gradient(*args)) < 2 * unit
        assert abs(float(kl) - divergence) / divergence < 2 * unit
        for order in (1, 2):
            limit = sg.high_temperature_limit(
                student, teacher, temperature=temperature, order=order
            )
            assert normwise_error(limit, mp_limit(*args, order)) < 4 * unit


@pytest.mark.parametrize("scale", [1, 5, 40], ids=["soft", "sure", "certain"])
@pytest.mark.parametrize("shift", [0.0, 0.7, 1000.3], ids=["same", "near", "far"])
def test_no_digit_is_lost_near_convergence(scale, shift):
    """A trained student has its teacher's logits up to noise and a constant."""
    rng = np.random.default_rng(0)
    teacher = rng.normal(scale=scale, size=10)
    student = teacher + 1e-6 * rng.normal(size=10) + shift
    with mpmath.workdps(50):
        args = exact(student), exact(teacher), mpmath.mpf(1)
        gradient = sg.kl_divergence_gradient(student, teacher)
        assert normwise_error(gradient, mp_gradient(*args)) < 1e-14
        kl = mp_divergence(*args)
        assert abs(float(sg.kl_divergence(student, teacher)) - kl) / kl < 1e-14
        # The naive difference has lost half of its digits, or all of them.
        naive = sg.softmax(student) - sg.softmax(teacher)
        assert normwise_error(naive, mp_gradient(*args)) > 1e-11


@pytest.mark.parametrize("temperature", [0.1, 1.0, 1e4])
def test_teacher_gradient_keeps_its_digits(temperature):
    with mpmath.workdps(60):
        v, z, divisor = exact(V), exact(Z), mpmath.mpf(temperature)
        log_p, log_q = mp_log_softmax(v, divisor), mp_log_softmax(z, divisor)
        kl = mp_divergence(z, v, divisor)
        expected = [
            mpmath.exp(a) * (a - b - kl) / divisor
            for a, b in zip(log_p, log_q, strict=True)
        ]
        computed = sg.distillation_loss_gradient(
            Z,
            V,
            labels=None,
            temperature=temperature,
            temperature_squared=False,
            with_respect_to="teacher",
        )
        assert normwise_error(computed, expected) < 1e-14


@pytest.mark.parametrize(
    ("dtype", "temperature"), [(np.float64, 1e200), (np.float32, 1e25)]
)
def test_the_loss_has_its_limit_where_the_divergence_underflows(dtype, temperature):
    """T^2 KL tends to sum((z~ - v~)^2)/(2C), here 6/6."""
    student, teacher = np.array([1, 2, 3], dtype), np.array([2, 0, 1], dtype)
    assert sg.kl_divergence(student, teacher, temperature=temperature) == 0
    loss = sg.distillation_loss(student, teacher, labels=None, temperature=temperature)
    assert loss == pytest.approx(1.0, rel=1e-6)


# ---- Masked classes


def test_a_class_masked_on_both_sides_is_left_out():
    student, teacher = np.insert(Z, 2, -INF), np.insert(V, 2, -INF)
    for function in LOSSES:
        without = function(Z, V, temperature=2.0, reduction="sum")
        result = function(student, teacher, temperature=2.0, reduction="sum")
        kept = np.delete(result, 2) if np.ndim(result) else result
        np.testing.assert_allclose(kept, without, rtol=1e-14)
        assert np.ndim(result) == 0 or result[2] == 0


@pytest.mark.parametrize(
    "student", [[1.0, 3.0, 2.0], [1.0, 0.1, 1.1]], ids=["far", "close"]
)
def test_a_class_that_only_the_teacher_masks_has_no_weight(student):
    teacher = [0.0, -INF, 1.0]
    q, p = sg.softmax(student), sg.softmax([0.0, 1.0])
    expected = p[0] * np.log(p[0] / q[0]) + p[1] * np.log(p[1] / q[2])
    assert sg.kl_divergence(student, teacher) == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(
        sg.kl_divergence_gradient(student, teacher),
        [q[0] - p[0], q[1], q[2] - p[1]],
        rtol=1e-13,
    )
    by_teacher = sg.distillation_loss_gradient(
        student, teacher, with_respect_to="teacher"
    )
    difference = np.log(p[0] / q[0]) - np.log(p[1] / q[2])
    one = p[0] * p[1] * difference
    np.testing.assert_allclose(by_teacher, [one, 0, -one], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("precision", "temperature"), [(np.longdouble, 1.0), (np.float64, 1e12)]
)
def test_a_masked_teacher_off_the_usual_way(precision, temperature):
    """Extended precision and extreme temperatures are computed by another function."""
    student, teacher = [1.0, 3.0, 2.0], [0.0, -INF, 1.0]
    gradient = sg.distillation_loss_gradient(
        np.array(student, precision),
        np.array(teacher, precision),
        temperature=temperature,
        with_respect_to="teacher",
    )
    # T^2 dKL/dv is T p (log(p/q) - KL), by hand on the two classes that have weight.
    q = np.exp(np.array(student, np.longdouble) / temperature)
    p = np.exp(np.array([0.0, 1.0], np.longdouble) / temperature)
    q, p = q / q.sum(), p / p.sum()
    one = temperature * p[0] * p[1] * (np.log(p[0] / q[0]) - np.log(p[1] / q[2]))
    np.testing.assert_allclose(gradient, [one, 0, -one], rtol=1e-6, atol=0)


def test_a_class_that_only_the_student_masks_makes_the_loss_infinite():
    student, teacher = [1.0, -INF, 2.0], [0.0, 1.0, 1.0]
    assert sg.kl_divergence(student, teacher) == INF
    assert sg.distillation_loss(student, teacher, labels=2) == INF
    q, p = sg.softmax([1.0, 2.0]), sg.softmax(teacher)
    np.testing.assert_allclose(
        sg.kl_divergence_gradient(student, teacher),
        [q[0] - p[0], -p[1], q[1] - p[2]],
        rtol=1e-14,
    )
    with pytest.raises(ValueError, match="student_logits must not mask"):
        sg.distillation_loss_gradient(student, teacher, with_respect_to="teacher")


def test_a_probability_that_underflows_counts_as_zero():
    """0 log 0 = 0, although log p is finite here; and q - p is q there."""
    student, teacher = [0.0, 1.0], [0.0, -2000.0]
    q = sg.softmax(student)
    assert sg.kl_divergence(student, teacher) == pytest.approx(-np.log(q[0]))
    np.testing.assert_allclose(
        sg.kl_divergence_gradient(student, teacher), [-q[1], q[1]], rtol=1e-14
    )
    assert sg.kl_divergence([0.0, -INF], teacher) == 0
    assert sg.kl_divergence([0.0, 1.7e308], [1.7e308, 0.0]) == pytest.approx(1.7e308)


# ---- Reductions, axes, types


def test_reductions_are_those_of_pytorch():
    p = point(2, rows=3, classes=4)
    args = p.logits, p.teacher_logits
    options = {"temperature": p.temperature}
    rows = sg.kl_divergence(*args, **options, reduction="none")
    gradient = sg.kl_divergence_gradient(*args, **options, reduction="none")
    assert rows.shape == (3,)
    for reduction, divisor in (("sum", 1), ("batchmean", 3), ("mean", 12)):
        assert sg.kl_divergence(*args, **options, reduction=reduction) == pytest.approx(
            rows.sum() / divisor, rel=1e-14
        )
        np.testing.assert_allclose(
            sg.kl_divergence_gradient(*args, **options, reduction=reduction),
            gradient / divisor,
            rtol=1e-14,
        )
    assert sg.kl_divergence(*args, **options) == sg.kl_divergence(
        *args, **options, reduction="batchmean"
    )


def test_the_hard_part_is_a_mean_over_rows_for_both_means():
    p = point(2, rows=3, classes=4)
    args = p.logits, p.teacher_logits
    options = {"labels": p.labels, "temperature": p.temperature}
    for function, hard in (
        (sg.distillation_loss, sg.cross_entropy(p.logits, p.labels)),
        (sg.distillation_loss_gradient, sg.cross_entropy_gradient(p.logits, p.labels)),
    ):
        for reduction in ("mean", "batchmean"):
            np.testing.assert_allclose(
                function(*args, **options, alpha=0.0, reduction=reduction),
                hard,
                rtol=1e-14,
            )
    rows = sg.distillation_loss(*args, **options, reduction="none")
    assert rows.shape == (3,)
    assert sg.distillation_loss(*args, **options, reduction="sum") == pytest.approx(
        rows.sum()
    )


def test_a_whole_batch_equals_its_rows_along_any_axis():
    p = point(3, rows=6, classes=4)
    z, v = p.logits.reshape(2, 3, 4), p.teacher_logits.reshape(2, 3, 4)
    for function in LOGIT_FUNCTIONS:
        options = {"temperature": 2.0}
        if function in LOSSES:
            options["reduction"] = "none"
        row_by_row = np.array(
            [
                [function(z[i, j], v[i, j], **options) for j in range(3)]
                for i in range(2)
            ]
        )
        for axis in (0, 1, 2):
            moved = function(
                np.moveaxis(z, -1, axis), np.moveaxis(v, -1, axis), axis=axis, **options
            )
            if moved.ndim == 3:
                moved = np.moveaxis(moved, axis, -1)
            np.testing.assert_allclose(moved, row_by_row, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("function", LOGIT_FUNCTIONS)
@pytest.mark.parametrize(
    ("given_dtype", "result"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.int64, np.float64),
    ],
)
def test_results_have_the_logits_precision(function, given_dtype, result):
    student, teacher = np.array([[3, 1, 0]], given_dtype), np.array([[0, 1, 2]])
    for other in (teacher, teacher.astype(np.float32), teacher.astype(np.float64)):
        assert function(student, other, temperature=2.0).dtype == result
        assert function(student[0], other[0], temperature=2.0).dtype == result


@pytest.mark.parametrize("function", LOGIT_FUNCTIONS)
def test_inputs_are_not_changed(function):
    p = point(4)
    student, teacher = p.logits.copy(), p.teacher_logits.copy()
    student.flags.writeable = teacher.flags.writeable = False
    result = function(student, teacher, temperature=2.0)
    assert not np.shares_memory(result, student)
    np.testing.assert_array_equal(student, p.logits)


@pytest.mark.parametrize("function", LOSSES)
def test_an_empty_batch_has_no_mean(function):
    empty = np.zeros((0, 3))
    for reduction in ("batchmean", "mean"):
        with pytest.raises(ValueError, match="at least one row"):
            function(empty, empty, reduction=reduction)
    assert not np.any(function(empty, empty, reduction="sum"))


def test_alpha_defaults():
    both, soft = {"labels": 2, "temperature": 2.0}, {"temperature": 2.0}
    for function in (sg.distillation_loss, sg.distillation_loss_gradient):
        np.testing.assert_array_equal(
            function(Z, V, **both), function(Z, V, **both, alpha=0.5)
        )
        np.testing.assert_array_equal(
            function(Z, V, **soft), function(Z, V, **soft, alpha=1)
        )
    assert sg.distillation_loss(Z, V, labels=None, temperature=2.0) == pytest.approx(
        4 * sg.kl_divergence(Z, V, temperature=2.0), rel=1e-14
    )


# ---- Bad input


@pytest.mark.parametrize("function", LOGIT_FUNCTIONS)
@pytest.mark.parametrize(
    ("student", "teacher", "temperature", "message"),
    [
        ([1.0, np.nan], [0.0, 1.0], 1.0, r"logits must be finite.* got nan"),
        ([1.0, INF], [0.0, 1.0], 1.0, r"logits must be finite.* got inf"),
        ([1.0, 2.0], [0.0, np.nan], 1.0, r"teacher_logits must be finite.* got nan"),
        ([1.0, 2.0], [-INF, -INF], 1.0, r"teacher_logits must have an unmasked class"),
        ([1.0, 2.0], [0.0, 1.0, 2.0], 1.0, r"teacher_logits must have .*\(3,\)"),
        ([[1.0, 2.0]], [0.0, 1.0], 1.0, r"teacher_logits must have .*\(2,\)"),
        ([], [], 1.0, r"logits must have at least one class"),
        (1.0, 2.0, 1.0, r"logits must have a class axis"),
        ([1.0, 2.0], [0.0, 1.0], 0.0, r"temperature must be positive.* got 0"),
        ([1.0, 2.0], [0.0, 1.0], -2.0, r"temperature must be positive.* got -2"),
        ([1.0, 2.0], [0.0, 1.0], np.nan, r"temperature must be positive.* got nan"),
        ([1.0, 2.0], [0.0, 1.0], "2", r"temperature must be one real number"),
        ([1.0, 2j], [0.0, 1.0], 1.0, r"logits must be real, got .* complex128"),
        ([1.0, 2.0], [0.0, 1j], 1.0, r"teacher_logits must be real, got .* complex"),
        (np.float32([1, 2]), [0.0, 1e300], 1.0, r"teacher_logits must be finite"),
    ],
)
def test_bad_logits_and_temperatures(function, student, teacher, temperature, message):
    with pytest.raises(ValueError, match=message):
        function(student, teacher, temperature=temperature)


@pytest.mark.parametrize("function", LOSSES)
def test_bad_reduction(function):
    with pytest.raises(ValueError, match=r"reduction must be one of .* got 'average'"):
        function(Z, V, reduction="average")


@pytest.mark.parametrize(
    "function", [sg.distillation_loss, sg.distillation_loss_gradient]
)
@pytest.mark.parametrize("alpha", [-0.1, 1.5, np.nan, "half", [0.5]])
def test_bad_alpha(function, alpha):
    with pytest.raises(ValueError, match=r"alpha must be .* got"):
        function(Z, V, labels=2, alpha=alpha)


@pytest.mark.parametrize(
    "function", [sg.distillation_loss, sg.distillation_loss_gradient]
)
def test_bad_labels(function):
    with pytest.raises(ValueError, match="from 0 to 3, got 4"):
        function(Z, V, labels=4)


def test_bad_names_and_orders():
    with pytest.raises(ValueError, match=r"with_respect_to must be .* got 'both'"):
        sg.distillation_loss_gradient(Z, V, with_respect_to="both")
    with pytest.raises(ValueError, match="order must be one of 1, 2, got 3"):
        sg.high_temperature_limit(Z, V, order=3)


# ---- PyTorch, where installed


# PyTorch announces that its "mean" will become "batchmean".
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.peers
def test_pytorch_agrees():
    import torch

    p = point(6)
    temperature = p.temperature
    for reduction in ("batchmean", "mean", "sum"):
        student = torch.tensor(p.logits, requires_grad=True)
        teacher = torch.tensor(p.teacher_logits, requires_grad=True)
        loss = temperature**2 * torch.nn.functional.kl_div(
            torch.log_softmax(student / temperature, -1),
            torch.softmax(teacher / temperature, -1),
            reduction=reduction,
        )
        loss.backward()
        args = p.logits, p.teacher_logits
        options = {"temperature": temperature, "reduction": reduction}
        assert sg.distillation_loss(*args, **options) == pytest.approx(
            loss.item(), rel=1e-12
        )
        for name, tensor in (("student", student), ("teacher", teacher)):
            np.testing.assert_allclose(
                sg.distillation_loss_gradient(*args, **options, with_respect_to=name),
                tensor.grad.numpy(),
                rtol=1e-11,
                atol=1e-15,
            )
