"""Finite differences, the complex step and the Taylor test."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import softmax_gradients as sg
from tests.support import oracles

QUESTION = [-1.0, -1.0, 1.0]


def cubic(x):
    """Return x_0^3 + 2 x_0 x_1: its gradient is [3 x_0^2 + 2 x_1, 2 x_0]."""
    return x[0] ** 3 + 2 * x[0] * x[1]


# Values by hand.


def test_finite_difference_of_a_cubic():
    """Central differences of x^3 are off by h^2 exactly."""
    derivative = sg.finite_difference(cubic, [2.0, 5.0])
    assert_allclose(derivative, [22.0, 4.0], rtol=1e-9)
    coarse = sg.finite_difference(cubic, [2.0, 5.0], step=0.5)
    assert_allclose(coarse, [22.25, 4.0], rtol=1e-14)


def test_complex_step_of_a_cubic():
    assert_array_equal(sg.complex_step(cubic, [2.0, 5.0]), [22.0, 4.0])


def test_taylor_remainders_of_a_cubic():
    """Along d = [1, 0] at x_0 = 2 the remainder is 6 h^2 + h^3."""
    result = sg.taylor_test(
        cubic,
        lambda x: np.array([3 * x[0] ** 2 + 2 * x[1], 2 * x[0]]),
        [2.0, 5.0],
        direction=[1.0, 0.0],
        steps=[0.5, 0.25, 0.125],
    )
    assert_array_equal(result.steps, [0.5, 0.25, 0.125])
    remainders = [1.5 + 0.125, 0.375 + 1 / 64, 6 / 64 + 1 / 512]
    assert_allclose(result.remainders, remainders, rtol=1e-13)
    order = math.log(remainders[0] / remainders[2]) / math.log(4)
    assert_allclose(result.order, order, rtol=1e-13)


@pytest.mark.parametrize("check", [sg.finite_difference, sg.complex_step])
def test_the_question(check):
    derivative = check(lambda z: sg.cross_entropy(z, 1), QUESTION)
    assert_allclose(derivative, [0.10650698, -0.89349302, 0.78698604], atol=6e-9)


# Shapes: those of the value, then those of the point.


@pytest.mark.parametrize("check", [sg.finite_difference, sg.complex_step])
def test_shape_of_the_derivative(check):
    matrix = np.arange(6.0).reshape(2, 3) - 2.5

    def outer(x):
        return np.multiply.outer([1.0, 2.0, 3.0, 4.0], x**2)

    derivative = check(outer, matrix)
    assert derivative.shape == (4, 2, 3, 2, 3)
    expected = np.zeros((4, 2, 3, 2, 3))
    for i, j in np.ndindex(2, 3):
        expected[:, i, j, i, j] = 2 * matrix[i, j] * np.array([1.0, 2.0, 3.0, 4.0])
    assert_allclose(derivative, expected, rtol=1e-9)
    assert check(lambda x: (x**2).sum(), matrix).shape == (2, 3)
    assert check(lambda x: x**2, 3.0).shape == ()
    assert_allclose(check(lambda x: x**2, 3), 6.0, rtol=1e-9)
    assert_allclose(check(lambda x: x * np.array([1.0, 2.0]), 3), [1, 2], rtol=1e-9)
    assert check(lambda x: [x[0], x[1], x[0] * x[1]], [3.0, 4.0]).shape == (3, 2)


def test_row_is_the_output_and_column_the_input():
    """log-softmax has a Jacobian that is not symmetric."""
    probs = sg.softmax(QUESTION)
    expected = np.eye(3) - probs
    for check in (sg.finite_difference, sg.complex_step):
        assert_allclose(check(sg.log_softmax, QUESTION), expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [int, np.float16, np.float32])
def test_the_point_becomes_float64(dtype):
    x = np.array([2, 5], dtype)
    seen = []

    def recorded(there):
        seen.append(there.dtype)
        return cubic(there)

    assert_allclose(sg.finite_difference(recorded, x), [22.0, 4.0], rtol=1e-9)
    assert set(seen) == {np.dtype(np.float64)}
    assert_array_equal(sg.complex_step(cubic, x), [22.0, 4.0])


def test_the_point_is_not_changed():
    x = np.array([2.0, 5.0])
    x.flags.writeable = False

    def careless(there):
        value = cubic(there)
        there[:] = 0
        return value

    assert_allclose(sg.finite_difference(careless, x), [22.0, 4.0], rtol=1e-9)
    assert_array_equal(sg.complex_step(careless, x), [22.0, 4.0])
    assert_array_equal(x, [2.0, 5.0])


def test_a_function_that_reuses_its_result():
    """Two references to one buffer have the difference zero."""
    buffer = np.empty(2)

    def reused(x):
        return np.multiply(x, 3.0, out=buffer)

    derivative = sg.finite_difference(reused, [1.0, 2.0])
    assert_allclose(derivative, 3 * np.eye(2), rtol=1e-9)


def test_the_step_is_the_one_that_was_taken():
    """Near 1e5 adding 6e-6 is off by 1e-6 of the step, and the ratio is not."""
    derivative = sg.finite_difference(lambda x: 4 * x[0], [123456.7])
    assert_array_equal(derivative, [4.0])


def test_complex_step_is_exact_where_differences_are_not():
    """The derivative e^-40 of log q_1 in z_1 is lost in any difference."""
    logits = [40.0, 0.0]
    exact = sg.complex_step(lambda z: sg.log_softmax(z)[0], logits)
    assert_allclose(exact[0], math.exp(-40), rtol=1e-14)
    by_steps = sg.finite_difference(lambda z: sg.softmax(z)[0], logits)
    assert by_steps[0] == 0


# Right and wrong gradients.


@pytest.mark.parametrize("seed", range(4))
def test_the_order_tells_right_from_wrong(seed):
    logits, targets, _, direction, *_ = oracles.point(seed)
    targets = targets / targets.sum(axis=-1, keepdims=True)

    def loss(z):
        return sg.cross_entropy(z, targets, reduction="sum")

    def right(z):
        return sg.softmax(z) - targets

    def product_of_diagonals(z):
        return -targets * (1 - sg.softmax(z))

    def of_the_mean(z):
        return right(z) / len(z)

    for direction_given in (None, direction):
        order = sg.taylor_test(loss, right, logits, direction=direction_given).order
        assert_allclose(order, 2, atol=0.1)
        for wrong in (product_of_diagonals, of_the_mean, lambda z: -right(z)):
            result = sg.taylor_test(loss, wrong, logits, direction=direction_given)
            assert_allclose(result.order, 1, atol=0.15)


def test_the_default_direction_is_always_the_same():
    results = [
        sg.taylor_test(
            lambda z: sg.cross_entropy(z, 1), lambda z: 0 * z, QUESTION
        ).remainders
        for _ in range(2)
    ]
    assert_array_equal(*results)


def test_an_exact_gradient_of_a_linear_function():
    result = sg.taylor_test(
        lambda x: 2 * x[0], lambda x: np.array([2.0]), [0.0], direction=[1.0]
    )
    assert_array_equal(result.remainders, 0)
    assert result.order == np.inf


# Bad input.


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ([], "point must be finite and not empty"),
        ([1.0, np.nan], "point must be finite and not empty, got .*nan"),
        ([1.0, np.inf], "point must be finite and not empty, got .*inf"),
        ([1.0, 1j], "point must be real numbers, got an array of complex128"),
        (["a"], "point must be real numbers, got an array of <U1"),
        ([True], "point must be real numbers, got an array of bool"),
    ],
)
def test_a_point_that_cannot_be_used(point, message):
    for check in (sg.finite_difference, sg.complex_step):
        with pytest.raises(ValueError, match=message):
            check(np.sum, point)
    with pytest.raises(ValueError, match=message):
        sg.taylor_test(np.sum, np.ones_like, point)


@pytest.mark.parametrize("step", [0, 0.0, -1e-6, np.nan, np.inf, "small", [1e-6], None])
@pytest.mark.parametrize("check", [sg.finite_difference, sg.complex_step])
def test_a_step_that_cannot_be_used(check, step):
    with pytest.raises(ValueError, match="step must be positive and finite, got"):
        check(np.sum, [1.0], step=step)


def test_a_step_that_is_lost_in_the_point():
    with pytest.raises(ValueError, match=r"step must be large .* 10{12}\.0, got"):
        sg.finite_difference(np.sum, [1e12])
    derivative = sg.finite_difference(np.sum, [1e12], step=1.0)
    assert_array_equal(derivative, [1.0])


@pytest.mark.parametrize("function", [abs, np.real, lambda x: 3])
def test_complex_step_refuses_a_real_result(function):
    """A function that drops the imaginary part would have the derivative zero."""
    with pytest.raises(ValueError, match="function must return complex values"):
        sg.complex_step(function, [1.0, 2.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": [0.1]}, r"steps must be at least two positive .* got \[0\.1\]"),
        ({"steps": 0.1}, "steps must be at least two positive"),
        ({"steps": [0.01, 0.1]}, "steps must be .* decreasing"),
        ({"steps": [0.1, 0.1]}, "steps must be .* decreasing"),
        ({"steps": [0.1, 0.0]}, "steps must be .* positive"),
        ({"steps": [0.1, -0.1]}, "steps must be .* positive"),
        ({"steps": [0.1, np.nan]}, "steps must be finite"),
        ({"steps": [np.inf, 0.1]}, "steps must be finite"),
        ({"steps": [[0.1, 0.01]]}, "steps must be at least two"),
        ({"direction": [1.0]}, r"direction must have the point's shape \(2,\), got"),
        ({"direction": [1.0, np.nan]}, "direction must be finite and not empty"),
        ({"direction": [1.0, 1j]}, "direction must be real numbers"),
    ],
)
def test_taylor_options_that_cannot_be_used(options, message):
    with pytest.raises(ValueError, match=message):
        sg.taylor_test(np.sum, np.ones_like, [1.0, 2.0], **options)


def test_taylor_needs_one_number():
    with pytest.raises(ValueError, match=r"function must return one number.*\(2,\)"):
        sg.taylor_test(np.exp, np.exp, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"function must return one number.*\(1,\)"):
        sg.taylor_test(lambda x: x[:1], np.exp, [1.0, 2.0])


def test_taylor_needs_a_gradient_of_the_point_s_shape():
    """A number would be broadcast, and a wrong shape would look like an answer."""
    with pytest.raises(ValueError, match=r"gradient must return .* \(2,\), got \(\)"):
        sg.taylor_test(np.sum, lambda x: 1.0, [1.0, 2.0])


@pytest.mark.parametrize(
    ("function", "gradient"),
    [(np.sum, lambda x: np.nan * x), (lambda x: np.inf, np.ones_like)],
)
def test_taylor_needs_finite_values(function, gradient):
    with pytest.raises(ValueError, match="function and gradient must be finite"):
        sg.taylor_test(function, gradient, [1.0, 2.0])
