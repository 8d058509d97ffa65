"""The Hessian of the cross-entropy, its products, and the matrices that equal it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import softmax_gradients as sg
from softmax_gradients.curvature import (
    cross_entropy_hvp,
    fisher_information,
    linear_gauss_newton,
)
from tests.support import oracles
from tests.support.oracles import relaxed

REDUCTIONS = ["mean", "sum", "none"]


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_hessian_of_logarithms(temperature):
    """100 T^2 H by hand, for q = [0.1, 0.2, 0.3, 0.4]."""
    hundred = [[9, -2, -3, -4], [-2, 16, -6, -8], [-3, -6, 21, -12], [-4, -8, -12, 24]]
    logits = temperature * np.log([1.0, 2.0, 3.0, 4.0])
    hessian = sg.cross_entropy_hessian(logits, temperature=temperature)
    assert_allclose(hessian * 100 * temperature**2, hundred, rtol=2e-15)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 25.0])
def test_hessian_is_the_derivative_of_the_gradient(temperature):
    """At targets that sum to one; the Hessian does not depend on which."""
    point = oracles.point(seed=1)
    logits = point.logits[0]
    targets = point.targets[0] / point.targets[0].sum()

    def gradient(z):
        return sg.cross_entropy_gradient(z, targets, temperature=temperature)

    hessian = sg.cross_entropy_hessian(logits, temperature=temperature)
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
        return sg.cross_entropy(z + s * d, labels[0], temperature=temperature)

    second = (loss(step) - 2 * loss(0) + loss(-step)) / step**2
    hessian = sg.cross_entropy_hessian(z, temperature=temperature)
    assert_allclose(d @ hessian @ d, second, rtol=1e-5)


def test_targets_with_another_sum_multiply_the_hessian():
    logits, targets, *_, temperature = oracles.point(seed=3)
    total = targets[0].sum()
    assert abs(total - 1) > 0.1
    derivative = sg.complex_step(
        lambda z: sg.cross_entropy_gradient(z, targets[0], temperature=temperature),
        logits[0],
    )
    hessian = sg.cross_entropy_hessian(logits[0], temperature=temperature)
    assert_allclose(total * hessian, derivative, rtol=0, atol=1e-15)


def test_hessian_against_autograd():
    logits, targets, *_, temperature = oracles.point(seed=4)
    row = targets[0] / targets[0].sum()
    gradient = oracles.autograd_gradient(oracles.autograd_cross_entropy)
    hessian = oracles.autograd_jacobian(gradient)(logits[0], row, temperature)
    ours = sg.cross_entropy_hessian(logits[0], temperature=temperature)
    assert_allclose(ours, hessian, rtol=0, atol=1e-15)


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_hessian_is_symmetric_and_convex(logits, temperature):
    hessian = sg.cross_entropy_hessian(logits, temperature=temperature) * temperature**2
    assert_array_equal(hessian, np.swapaxes(hessian, -1, -2))
    assert (np.linalg.eigvalsh(hessian) >= -1e-15).all()
    assert_allclose(hessian.sum(axis=-1), 0, atol=1e-15)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_the_class_axis_can_be_anywhere(axis):
    logits = oracles.point(seed=5).logits
    expected = sg.cross_entropy_hessian(np.moveaxis(logits, axis, -1), temperature=1.7)
    assert_allclose(
        sg.cross_entropy_hessian(logits, temperature=1.7, axis=axis),
        expected,
        rtol=1e-14,
    )


def test_extremes():
    assert_array_equal(sg.cross_entropy_hessian([4.0]), [[0.0]])
    masked = sg.cross_entropy_hessian([1.0, -np.inf, 0.0])
    assert not masked[1].any()
    assert not masked[:, 1].any()
    huge = sg.cross_entropy_hessian([0.0, 0.0], temperature=1e-200)
    assert_array_equal(huge, [[np.inf, -np.inf], [-np.inf, np.inf]])
    assert sg.cross_entropy_hessian(np.zeros((0, 3))).shape == (0, 3, 3)


@relaxed
@given(oracles.batches())
def test_eigenvalues_are_at_most_one_half(logits):
    """v' H v is the variance under q of entries of v, at most 1/2 for a unit v."""
    assert (np.linalg.eigvalsh(sg.cross_entropy_hessian(logits)) <= 0.5 + 1e-15).all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_two_equal_classes_reach_the_bound(temperature):
    hessian = sg.cross_entropy_hessian([1.0, 1.0, -np.inf], temperature=temperature)
    largest = np.linalg.eigvalsh(hessian)[-1]
    assert_allclose(largest, 1 / (2 * temperature**2), rtol=1e-14)


@relaxed
@given(oracles.batches())
def test_the_fixed_bound_of_boehning(logits):
    """(I - 1 1'/C)/2 - H is positive semidefinite at every point."""
    classes = logits.shape[-1]
    bound = (np.eye(classes) - 1 / classes) / 2
    difference = bound - sg.cross_entropy_hessian(logits)
    assert (np.linalg.eigvalsh(difference) >= -1e-15).all()


@relaxed
@given(oracles.batches())
def test_twice_the_diagonal_is_an_upper_bound(logits):
    """2 diag(q (1 - q)) - H is positive semidefinite."""
    hessian = sg.cross_entropy_hessian(logits)
    classes = range(logits.shape[-1])
    bound = np.zeros_like(hessian)
    bound[:, classes, classes] = 2 * hessian[:, classes, classes]
    assert (np.linalg.eigvalsh(bound - hessian) >= -1e-15).all()


def test_less_than_twice_the_diagonal_is_no_upper_bound():
    hessian = sg.cross_entropy_hessian([0.4, -0.9])
    for factor, sign in [(1.0, -1), (1.99, -1), (2.01, 1)]:
        bound = factor * np.diag(np.diag(hessian))
        assert np.sign(np.linalg.eigvalsh(bound - hessian)[0]) == sign


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_product_by_hand(temperature):
    """q = [1, 2, 3, 4]/10 and u = [3, 0, 0, -1]: <q, u> = -0.1."""
    logits = temperature * np.log([1.0, 2.0, 3.0, 4.0])
    product = cross_entropy_hvp(logits, [3.0, 0.0, 0.0, -1.0], temperature=temperature)
    assert_allclose(product * temperature**2, [0.31, 0.02, 0.03, -0.36], rtol=1e-14)


@relaxed
@given(oracles.same_shape((-30, 30), (-5, 5)), oracles.temperatures)
def test_product_is_the_matrix_times_the_vector(arrays, temperature):
    logits, vector = arrays
    hessian = sg.cross_entropy_hessian(logits, temperature=temperature)
    product = (
        cross_entropy_hvp(logits, vector, temperature=temperature) * temperature**2
    )
    expected = (hessian @ vector[..., np.newaxis])[..., 0] * temperature**2
    assert_allclose(product, expected, rtol=0, atol=1e-14)


def test_product_is_the_derivative_of_the_gradient_along_the_vector():
    logits, targets, _, vector, _, temperature = oracles.point(seed=6)
    targets = targets / targets.sum(axis=-1, keepdims=True)

    def gradient(step):
        moved = logits + step * vector
        return sg.cross_entropy_gradient(
            moved, targets, temperature=temperature, reduction="sum"
        )

    expected = sg.complex_step(gradient, 0.0)
    product = cross_entropy_hvp(logits, vector, temperature=temperature)
    assert_allclose(product, expected, rtol=0, atol=1e-15)


def test_product_takes_any_axis_and_keeps_the_precision():
    logits, _, _, vector, _, temperature = oracles.point(seed=7)
    expected = cross_entropy_hvp(logits, vector, temperature=temperature)
    moved = cross_entropy_hvp(logits.T, vector.T, temperature=temperature, axis=0)
    assert_allclose(moved, expected.T, rtol=1e-14)
    single = cross_entropy_hvp(
        logits.astype(np.float32), vector, temperature=temperature
    )
    assert single.dtype == np.float32
    assert_allclose(single, expected, rtol=0, atol=1e-6)
    masked = cross_entropy_hvp([1.0, -np.inf, 0.0], [1.0, 7.0, 2.0])
    assert_allclose(masked[[0, 2]], cross_entropy_hvp([1.0, 0.0], [1.0, 2.0]))
    assert masked[1] == 0


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0, 2.0], r"vector must have the logits' shape \(3,\), got \(2,\)"),
        ([1.0, np.nan, 0.0], r"vector must be finite.*got nan at index \[1\]"),
    ],
)
def test_vectors_that_cannot_be_used(vector, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy_hvp([0.0, 1.0, 2.0], vector)


def test_fisher_information_by_hand():
    """q = [1/4, 3/4]: the scores are +-[3/4, -3/4] and +-[1/4, -1/4]."""
    information = fisher_information(np.log([1.0, 3.0]))
    expected = 3 / 16 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert_allclose(information, expected, rtol=1e-14)


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_fisher_information_is_the_hessian(logits, temperature):
    information = fisher_information(logits, temperature=temperature) * temperature**2
    hessian = sg.cross_entropy_hessian(logits, temperature=temperature) * temperature**2
    assert_allclose(information, hessian, rtol=0, atol=1e-15)


def test_fisher_information_is_the_mean_of_drawn_labels():
    """A million labels: four standard errors of an entry are below 0.002."""
    logits, temperature = np.array([2.0, 0.5, -1.0, 1.2]), 2.0
    probs = sg.softmax(logits, temperature=temperature)
    counts = np.random.default_rng(8).multinomial(1_000_000, probs)
    total = np.zeros((4, 4))
    for label, count in enumerate(counts):
        score = -sg.cross_entropy_gradient(logits, label, temperature=temperature)
        total += count * np.outer(score, score)
    information = fisher_information(logits, temperature=temperature)
    assert_allclose(total / 1_000_000, information, rtol=0, atol=0.002)


def test_fisher_information_takes_any_axis_and_extremes():
    logits = oracles.point(seed=9).logits
    expected = fisher_information(logits, temperature=1.7)
    assert_allclose(
        fisher_information(logits.T, temperature=1.7, axis=0), expected, rtol=1e-14
    )
    assert_array_equal(fisher_information([4.0]), [[0.0]])
    assert fisher_information(logits.astype(np.float32)).dtype == np.float32
    masked = fisher_information([1.0, -np.inf, 0.0])
    assert not masked[1].any()
    confident = fisher_information([0.0, 50.0])
    assert_allclose(confident, sg.cross_entropy_hessian([0.0, 50.0]), rtol=1e-14)
    assert confident[1, 1] > 0


def test_gauss_newton_by_hand():
    """q = [1/4, 3/4], x = [1, 2]: 3/16 times [[1, -1], [-1, 1]] (x) x x'."""
    matrix = linear_gauss_newton(np.log([1.0, 3.0]), [1.0, 2.0])
    expected = [[1, 2, -1, -2], [2, 4, -2, -4], [-1, -2, 1, 2], [-2, -4, 2, 4]]
    assert_allclose(matrix, 3 / 16 * np.array(expected), rtol=1e-14)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("temperature", [0.6, 1.7])
def test_gauss_newton_is_the_derivative_of_the_gradient(reduction, temperature):
    """Of `linear_gradients` in the weights, which knows nothing of second order."""
    rng = np.random.default_rng(10)
    inputs, weights, bias = (rng.normal(size=s) for s in [(5, 3), (4, 3), 4])
    targets = rng.dirichlet(np.ones(4), size=5)

    def gradient(w):
        logits = inputs @ w.T + bias
        gradients = sg.linear_gradients(
            logits, targets, inputs, temperature=temperature, reduction=reduction
        )
        return gradients.weights

    logits = inputs @ weights.T + bias
    matrix = linear_gauss_newton(
        logits, inputs, temperature=temperature, reduction=reduction
    )
    expected = sg.finite_difference(gradient, weights).reshape(matrix.shape)
    assert_allclose(matrix, expected, rtol=0, atol=1e-8 / temperature**2)


def test_gauss_newton_against_autograd():
    point = oracles.point(seed=11, rows=4, features=3)
    weights = np.random.default_rng(12).normal(size=(4, 3))
    targets = point.targets / point.targets.sum(axis=-1, keepdims=True)

    def loss(w):
        logits = oracles.anp.dot(point.inputs, w.T)
        return oracles.autograd_cross_entropy(logits, targets, point.temperature)

    hessian = oracles.autograd_jacobian(oracles.autograd_gradient(loss))(weights)
    matrix = linear_gauss_newton(
        point.inputs @ weights.T,
        point.inputs,
        temperature=point.temperature,
        reduction="sum",
    )
    assert_allclose(matrix, hessian.reshape(12, 12), rtol=0, atol=1e-14)


@relaxed
@given(oracles.batches(-5, 5), st.integers(0, 3))
def test_gauss_newton_is_a_sum_of_kronecker_products(logits, features):
    rows = len(logits)
    inputs = np.random.default_rng(13).normal(size=(rows, features))
    each = [
        np.kron(sg.cross_entropy_hessian(z, temperature=1.3), np.outer(x, x))
        for z, x in zip(logits, inputs, strict=True)
    ]
    none = linear_gauss_newton(logits, inputs, temperature=1.3, reduction="none")
    assert_allclose(none, each, rtol=1e-13, atol=1e-15)
    total = linear_gauss_newton(logits, inputs, temperature=1.3, reduction="sum")
    assert_allclose(total, none.sum(axis=0), rtol=0, atol=1e-13)
    mean = linear_gauss_newton(logits, inputs, temperature=1.3)
    assert_allclose(mean, total / rows, rtol=1e-14, atol=1e-300)


def test_gauss_newton_sends_a_common_change_of_all_rows_to_zero():
    logits, *_, inputs, temperature = oracles.point(seed=14, rows=20)
    matrix = linear_gauss_newton(logits, inputs, temperature=temperature)
    common = np.tile([0.7, -1.1], 4)
    assert_allclose(matrix @ common, 0, atol=1e-15)
    assert np.linalg.matrix_rank(matrix, tol=1e-10) == (4 - 1) * 2


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gauss_newton_of_a_batch_of_two_axes(reduction):
    rng = np.random.default_rng(15)
    logits, inputs = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 5))
    matrix = linear_gauss_newton(logits, inputs, reduction=reduction)
    flat = linear_gauss_newton(
        logits.reshape(6, 4), inputs.reshape(6, 5), reduction=reduction
    )
    assert matrix.shape == ((2, 3) if reduction == "none" else ()) + (20, 20)
    assert_allclose(matrix.reshape(flat.shape), flat, rtol=1e-13, atol=1e-16)


def test_gauss_newton_of_bad_and_empty_arguments():
    empty = linear_gauss_newton(np.zeros((0, 2)), np.zeros((0, 3)), reduction="sum")
    assert_array_equal(empty, np.zeros((6, 6)))
    single = linear_gauss_newton(np.zeros((1, 2), np.float32), np.ones((1, 1)))
    assert single.dtype == np.float32
    with pytest.raises(ValueError, match="reduction='mean' needs at least one row"):
        linear_gauss_newton(np.zeros((0, 2)), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="reduction must be one of"):
        linear_gauss_newton([0.0, 1.0], [1.0], reduction="batchmean")
    with pytest.raises(ValueError, match="inputs must have shape"):
        linear_gauss_newton([0.0, 1.0], [[1.0]])
