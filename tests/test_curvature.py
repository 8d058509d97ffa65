"""The Hessian of the cross-entropy."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from oracles import relaxed

import softmax_gradients as sg


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_hessian_of_logarithms(temperature):
    """100 T^2 H by hand, for q = [0.1, 0.2, 0.3, 0.4]."""
    hundred = [[9, -2, -3, -4], [-2, 16, -6, -8], [-3, -6, 21, -12], [-4, -8, -12, 24]]
    logits = temperature * np.log([1.0, 2.0, 3.0, 4.0])
    hessian = sg.cross_entropy_hessian(logits, temperature)
    assert_allclose(hessian * 100 * temperature**2, hundred, rtol=2e-15)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 25.0])
def test_hessian_is_the_derivative_of_the_gradient(temperature):
    """At targets that sum to one; the Hessian does not depend on which."""
    point = oracles.point(seed=1)
    logits = point.logits[0]
    targets = point.targets[0] / point.targets[0].sum()

    def gradient(z):
        return sg.cross_entropy_gradient(z, targets, temperature)

    hessian = sg.cross_entropy_hessian(logits, temperature)
    scale = temperature**-2
    by_steps = sg.finite_difference(gradient, logits)
    assert_allclose(hessian, by_steps, rtol=0, atol=1e-8 * scale)
    exact = sg.complex_step(gradient, logits)
    assert_allclose(hessian, exact, rtol=0, atol=1e-15 * scale)


def test_hessian_is_the_second_difference_of_the_loss():
    """d' H d is the second derivative of the loss along d."""
    logits, _, labels, direction, _, temperature = oracles.point(seed=2)
    z, d, step = logits[0], direction[0], 1e-3

    def loss(s):
        return sg.cross_entropy(z + s * d, labels[0], temperature)

    second = (loss(step) - 2 * loss(0) + loss(-step)) / step**2
    hessian = sg.cross_entropy_hessian(z, temperature)
    assert_allclose(d @ hessian @ d, second, rtol=1e-5)


def test_targets_with_another_sum_multiply_the_hessian():
    logits, targets, *_, temperature = oracles.point(seed=3)
    total = targets[0].sum()
    assert abs(total - 1) > 0.1
    derivative = sg.complex_step(
        lambda z: sg.cross_entropy_gradient(z, targets[0], temperature), logits[0]
    )
    hessian = sg.cross_entropy_hessian(logits[0], temperature)
    assert_allclose(total * hessian, derivative, rtol=0, atol=1e-15)


def test_hessian_against_autograd():
    logits, targets, *_, temperature = oracles.point(seed=4)
    row = targets[0] / targets[0].sum()
    gradient = oracles.autograd_gradient(oracles.autograd_cross_entropy)
    hessian = oracles.autograd_jacobian(gradient)(logits[0], row, temperature)
    ours = sg.cross_entropy_hessian(logits[0], temperature)
    assert_allclose(ours, hessian, rtol=0, atol=1e-15)


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_hessian_is_symmetric_and_convex(logits, temperature):
    hessian = sg.cross_entropy_hessian(logits, temperature) * temperature**2
    assert_array_equal(hessian, np.swapaxes(hessian, -1, -2))
    assert (np.linalg.eigvalsh(hessian) >= -1e-15).all()
    assert_allclose(hessian.sum(axis=-1), 0, atol=1e-15)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_the_class_axis_can_be_anywhere(axis):
    logits = oracles.point(seed=5).logits
    expected = sg.cross_entropy_hessian(np.moveaxis(logits, axis, -1), 1.7)
    assert_allclose(sg.cross_entropy_hessian(logits, 1.7, axis), expected, rtol=1e-14)


def test_extremes():
    assert_array_equal(sg.cross_entropy_hessian([4.0]), [[0.0]])
    masked = sg.cross_entropy_hessian([1.0, -np.inf, 0.0])
    assert not masked[1].any()
    assert not masked[:, 1].any()
    huge = sg.cross_entropy_hessian([0.0, 0.0], 1e-200)
    assert_array_equal(huge, [[np.inf, -np.inf], [-np.inf, np.inf]])
    assert sg.cross_entropy_hessian(np.zeros((0, 3))).shape == (0, 3, 3)
