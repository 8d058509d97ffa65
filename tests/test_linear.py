"""The gradients of a linear classifier's weights and bias."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import softmax_gradients as sg
from tests.support import oracles

REDUCTIONS = ["mean", "sum", "none"]


def classifier(seed=0):
    """Return weights (4, 2), bias (4,) and a `Point` of their logits: N = 3."""
    point = oracles.point(seed)
    rng = np.random.default_rng(100 + seed)
    weights, bias = rng.normal(size=(4, 2)), rng.normal(size=4)
    return weights, bias, point._replace(logits=point.inputs @ weights.T + bias)


def test_by_hand():
    """q - e_2 = [0.1, 0.2, -0.7, 0.4] times x^T = [2, -1]."""
    gradients = sg.linear_gradients(np.log([1.0, 2.0, 3.0, 4.0]), 2, [2.0, -1.0])
    weights = [[0.2, -0.1], [0.4, -0.2], [-1.4, 0.7], [0.8, -0.4]]
    assert_allclose(gradients.weights, weights, rtol=1e-14)
    assert_allclose(gradients.bias, [0.1, 0.2, -0.7, 0.4], rtol=1e-14)


def test_soft_targets_and_temperature_by_hand():
    """T = 2, t = [1, 0, 1, 0]: (2 q - t)/2 = [-0.4, 0.2, -0.2, 0.4]."""
    logits = 2 * np.log([1.0, 2.0, 3.0, 4.0])
    gradients = sg.linear_gradients(
        logits, [1.0, 0.0, 1.0, 0.0], [10.0], temperature=2.0
    )
    assert_allclose(gradients.weights, [[-4.0], [2.0], [-2.0], [4.0]], rtol=1e-13)
    assert_allclose(gradients.bias, [-0.4, 0.2, -0.2, 0.4], rtol=1e-13)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", ["labels", "targets"])
@pytest.mark.parametrize("temperature", [0.5, 1.7])
def test_derivatives_of_the_loss(temperature, kind, reduction):
    weights, bias, point = classifier(seed=1)
    targets = getattr(point, kind)

    def loss(w, b):
        logits = point.inputs @ w.T + b
        return sg.cross_entropy(
            logits, targets, temperature=temperature, reduction=reduction
        )

    gradients = sg.linear_gradients(
        point.logits,
        targets,
        point.inputs,
        temperature=temperature,
        reduction=reduction,
    )
    for check, tolerance in ((sg.finite_difference, 1e-7), (sg.complex_step, 1e-13)):
        in_weights = check(lambda w: loss(w, bias), weights)
        in_bias = check(lambda b: loss(weights, b), bias)
        assert_allclose(gradients.weights, in_weights, rtol=0, atol=tolerance)
        assert_allclose(gradients.bias, in_bias, rtol=0, atol=tolerance)


def test_derivative_in_the_inputs():
    """dL/dx = W^T dL/dz: the logits' gradient carries on to the features."""
    weights, bias, point = classifier(seed=2)

    def loss(x):
        return sg.cross_entropy(x @ weights.T + bias, point.labels, temperature=1.7)

    gradient = sg.cross_entropy_gradient(point.logits, point.labels, temperature=1.7)
    expected = sg.finite_difference(loss, point.inputs)
    assert_allclose(gradient @ weights, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_batch_is_its_rows(reduction):
    _, _, point = classifier(seed=3)
    rows = [
        sg.linear_gradients(*row, temperature=point.temperature)
        for row in zip(point.logits, point.targets, point.inputs, strict=True)
    ]
    weights = np.array([row.weights for row in rows])
    bias = np.array([row.bias for row in rows])
    gradients = sg.linear_gradients(
        point.logits,
        point.targets,
        point.inputs,
        temperature=point.temperature,
        reduction=reduction,
    )
    if reduction != "none":
        divisor = 3 if reduction == "mean" else 1
        weights, bias = weights.sum(axis=0) / divisor, bias.sum(axis=0) / divisor
    assert_allclose(gradients.weights, weights, rtol=1e-12)
    assert_allclose(gradients.bias, bias, rtol=1e-12)


def test_the_entries_of_one_column_sum_to_zero():
    """1^T dL/dW = 0: each row of dL/dz sums to zero."""
    _, _, point = classifier(seed=4)
    gradients = sg.linear_gradients(point.logits, point.targets, point.inputs)
    assert_allclose(gradients.weights.sum(axis=0), 0, atol=1e-15)
    assert_allclose(gradients.bias.sum(), 0, atol=1e-15)


def test_the_bias_is_the_weight_of_a_feature_that_is_one():
    _, _, point = classifier(seed=5)
    ones = np.ones((3, 1))
    gradients = sg.linear_gradients(point.logits, point.targets, ones, temperature=0.7)
    assert_allclose(gradients.weights[:, 0], gradients.bias, rtol=1e-13)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_batch_of_two_axes(reduction):
    rng = np.random.default_rng(6)
    logits, inputs = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 5))
    labels = rng.integers(4, size=(2, 3))
    gradients = sg.linear_gradients(logits, labels, inputs, reduction=reduction)
    flat = sg.linear_gradients(
        logits.reshape(6, 4),
        labels.reshape(6),
        inputs.reshape(6, 5),
        reduction=reduction,
    )
    batch = (2, 3) if reduction == "none" else ()
    assert gradients.weights.shape == (*batch, 4, 5)
    assert gradients.bias.shape == (*batch, 4)
    assert_allclose(gradients.weights.reshape(flat.weights.shape), flat.weights)
    assert_allclose(gradients.bias.reshape(flat.bias.shape), flat.bias)


def test_against_autograd():
    weights, bias, point = classifier(seed=7)

    def loss(w, b):
        logits = oracles.anp.dot(point.inputs, w.T) + b
        return oracles.autograd_cross_entropy(logits, point.targets, point.temperature)

    gradients = sg.linear_gradients(
        point.logits,
        point.targets,
        point.inputs,
        temperature=point.temperature,
        reduction="sum",
    )
    for which, ours in enumerate(gradients):
        expected = oracles.autograd_gradient(loss, which)(weights, bias)
        assert_allclose(ours, expected, rtol=0, atol=1e-14)


@pytest.mark.peers
def test_against_torch():
    import torch

    weights, bias, point = classifier(seed=8)
    w, b = (torch.tensor(array, requires_grad=True) for array in (weights, bias))
    logits = torch.nn.functional.linear(torch.tensor(point.inputs), w, b)
    torch.nn.functional.cross_entropy(
        logits / 1.7, torch.tensor(point.labels)
    ).backward()
    gradients = sg.linear_gradients(
        point.logits, point.labels, point.inputs, temperature=1.7
    )
    assert_allclose(gradients.weights, w.grad.numpy(), rtol=0, atol=1e-14)
    assert_allclose(gradients.bias, b.grad.numpy(), rtol=0, atol=1e-14)


def test_empty_shapes():
    empty = sg.linear_gradients(
        np.zeros((0, 3)), np.zeros(0, int), np.zeros((0, 2)), reduction="sum"
    )
    assert_array_equal(empty.weights, np.zeros((3, 2)))
    assert_array_equal(empty.bias, np.zeros(3))
    no_features = sg.linear_gradients([[1.0, 2.0]], [1], np.zeros((1, 0)))
    assert no_features.weights.shape == (2, 0)
    with pytest.raises(ValueError, match="reduction='mean' needs at least one row"):
        sg.linear_gradients(np.zeros((0, 3)), np.zeros(0, int), np.zeros((0, 2)))


def test_precision_of_the_logits():
    single = np.array([[1.0, 2.0]], np.float32)
    for reduction in REDUCTIONS:
        gradients = sg.linear_gradients(
            single, [1], [[0.1, 0.2, 0.3]], reduction=reduction
        )
        assert gradients.weights.dtype == np.float32
        assert gradients.bias.dtype == np.float32


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([1.0, 2.0], r"inputs must have shape \(2,\) \+ \(d,\).* got shape \(2,\)"),
        (np.zeros((3, 2)), r"inputs must have shape \(2,\).* got shape \(3, 2\)"),
        (np.zeros((2, 1, 2)), r"inputs must have shape .* got shape \(2, 1, 2\)"),
        ([[1.0], [np.nan]], r"inputs must be finite.*got nan at index \[1, 0\]"),
        ([[np.inf], [0.0]], r"inputs must be finite.*got inf at index \[0, 0\]"),
        ([[1j], [0.0]], "inputs must be real, got an array of complex128"),
        ([["a"], ["b"]], "inputs must be numbers, got an array of <U1"),
        ([[1.0], [0.0, 2.0]], "inputs must be a rectangular array"),
    ],
)
def test_inputs_that_cannot_be_used(inputs, message):
    with pytest.raises(ValueError, match=message):
        sg.linear_gradients([[0.0, 1.0], [2.0, 0.5]], [0, 1], inputs)
