"""A linear layer's loss and gradients by chunks of rows: the logits' results."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import softmax_gradients as sg
from softmax_gradients import linear
from tests.support import formulas, oracles
from tests.support.formulas import LONG

CHUNKS = [None, 1, 2, 3, 100]
compute = sg.linear_cross_entropy_value_and_gradient


def layer(seed=0, rows=7, classes=5, features=3):
    """Return x, W, b and a `Point` of their logits."""
    point = oracles.point(seed, rows, classes, features)
    rng = np.random.default_rng(200 + seed)
    weights, bias = rng.normal(size=(classes, features)), rng.normal(size=classes)
    logits = point.inputs @ weights.T + bias
    return point.inputs, weights, bias, point._replace(logits=logits)


def parts(result):
    """Return the loss and the three gradients as a list."""
    loss, gradients = result
    return [loss, *gradients]


@pytest.mark.parametrize("chunk_rows", CHUNKS)
def test_by_hand(chunk_rows):
    """q = [1, 1, 1]/3 with y = 0, and [1, 2, 2]/5 with y = 2."""
    weights = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    inputs = [[0.0, 0.0], [0.0, np.log(2.0)]]
    loss, gradients = compute(inputs, weights, [0, 2], chunk_rows=chunk_rows)
    assert_allclose(loss, (np.log(3) + np.log(5 / 2)) / 2, rtol=1e-15)
    assert_allclose(gradients.inputs, [[-1 / 6, 1 / 3], [-0.2, -0.1]], rtol=1e-14)
    second = np.array([0.1, 0.2, -0.3]) * np.log(2)
    assert_allclose(gradients.weights[:, 1], second, rtol=1e-14)
    assert_array_equal(gradients.weights[:, 0], [0, 0, 0])
    assert gradients.bias is None


def test_bias_soft_targets_and_temperature_by_hand():
    """z = 2 log [1, 2, 3, 4] and T = 2: (2 q - t)/2 = [-0.4, 0.2, -0.2, 0.4]."""
    weights = np.array([[1.0], [2.0], [3.0], [4.0]])
    bias = 2 * np.log([1.0, 2.0, 3.0, 4.0]) - 10 * weights[:, 0]
    loss, gradients = compute(
        [10.0], weights, [1.0, 0.0, 1.0, 0.0], bias=bias, temperature=2.0
    )
    assert_allclose(loss, -np.log(0.1) - np.log(0.3), rtol=1e-14)
    assert_allclose(gradients.inputs, [-0.4 + 0.4 - 0.6 + 1.6], rtol=1e-13)
    assert_allclose(gradients.weights, [[-4.0], [2.0], [-2.0], [4.0]], rtol=1e-13)
    assert_allclose(gradients.bias, [-0.4, 0.2, -0.2, 0.4], rtol=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", ["labels", "targets"])
@pytest.mark.parametrize("chunk_rows", CHUNKS)
def test_the_results_are_those_of_the_logits(chunk_rows, kind, reduction):
    inputs, weights, bias, point = layer()
    targets = getattr(point, kind)
    options = {"temperature": point.temperature, "reduction": reduction}
    loss, found = compute(
        inputs, weights, targets, bias=bias, chunk_rows=chunk_rows, **options
    )
    expected, slopes = sg.cross_entropy_value_and_gradient(
        point.logits, targets, **options
    )
    parameters = sg.linear_gradients(point.logits, targets, inputs, **options)
    assert_allclose(loss, expected, rtol=1e-14)
    assert_allclose(found.inputs, slopes @ weights, rtol=1e-12, atol=1e-15)
    assert_allclose(found.weights, parameters.weights, rtol=1e-12, atol=1e-15)
    assert_allclose(found.bias, parameters.bias, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_derivatives_of_the_loss(kind, reduction):
    inputs, weights, bias, point = layer(seed=1)
    targets, options = getattr(point, kind), {"reduction": reduction}

    def loss(x, w, b):
        logits = x @ w.T + b
        return sg.cross_entropy(logits, targets, temperature=1.7, **options)

    _, found = compute(
        inputs, weights, targets, bias=bias, temperature=1.7, chunk_rows=2, **options
    )
    for check, tolerance in ((sg.finite_difference, 1e-7), (sg.complex_step, 1e-13)):
        in_inputs = check(lambda x: loss(x, weights, bias), inputs)
        in_weights = check(lambda w: loss(inputs, w, bias), weights)
        in_bias = check(lambda b: loss(inputs, weights, b), bias)
        assert_allclose(found.inputs, in_inputs, rtol=0, atol=tolerance)
        assert_allclose(found.weights, in_weights, rtol=0, atol=tolerance)
        assert_allclose(found.bias, in_bias, rtol=0, atol=tolerance)


# Errors. A product of d terms is off by at most d + 1 roundings of its terms' sum.


def exact_results(inputs, weights, bias, targets, temperature):
    """Return each result in long double, and a bound of its error over the rounding."""
    x, w, b, t = (np.asarray(a, LONG) for a in (inputs, weights, bias, targets))
    size = abs(x) @ abs(w).T + abs(b)
    roundings = (x.shape[-1] + 2) * size.max(axis=-1, keepdims=True)
    # An error of all logits by one rounding moves q by twice that over T, relatively.
    moved = 2 * roundings / LONG(temperature) + 12
    z = x @ w.T + b
    slopes, terms = formulas.cross_entropy_gradient(z, t, temperature)
    losses, total = formulas.cross_entropy(z, t, temperature), t.sum(axis=-1)
    off = moved * terms
    rows, classes = z.shape
    return [
        (losses.sum(), (total * moved[:, 0] + (rows + 6) * losses).sum()),
        (slopes @ w, off @ abs(w) + classes * terms @ abs(w)),
        (slopes.T @ x, off.T @ abs(x) + rows * terms.T @ abs(x)),
        (slopes.sum(axis=0), off.sum(axis=0) + rows * terms.sum(axis=0)),
    ]


def assert_within_bounds(found, expected, dtype):
    rounding = np.finfo(dtype).eps / 2
    for ours, (exact, bound) in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        # Once more for the last rounding, and for that of the long doubles.
        error = abs(ours.astype(LONG) - exact)
        assert (error <= rounding * (bound + 2 * abs(exact))).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["labels", "targets"])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7, 50.0])
def test_errors_are_bounded_by_those_of_the_products(temperature, kind, dtype):
    inputs, weights, bias, point = layer(2, rows=60, classes=40, features=8)
    inputs, weights, bias = (a.astype(dtype) for a in (inputs, weights, bias))
    targets = point.labels
    soft = oracles.one_hot(targets, 40)
    if kind == "targets":
        targets = soft = point.targets.astype(dtype)
    expected = exact_results(inputs, weights, bias, soft, temperature)
    for chunk_rows in (None, 1, 7):
        found = compute(
            inputs,
            weights,
            targets,
            bias=bias,
            temperature=temperature,
            reduction="sum",
            chunk_rows=chunk_rows,
        )
        assert_within_bounds(parts(found), expected, dtype)


@oracles.relaxed
@given(
    st.integers(1, 9),
    st.integers(1, 12),
    st.integers(0, 4),
    st.integers(1, 11),
    oracles.temperatures,
    st.integers(0, 2**32 - 1),
)
def test_any_chunk_size_gives_the_same(
    rows, classes, features, chunk_rows, temperature, seed
):
    inputs, weights, bias, point = layer(seed, rows, classes, features)
    expected = exact_results(inputs, weights, bias, point.targets, temperature)
    found = compute(
        inputs,
        weights,
        point.targets,
        bias=bias,
        temperature=temperature,
        reduction="sum",
        chunk_rows=chunk_rows,
    )
    assert_within_bounds(parts(found), expected, np.float64)


def test_confident_rows_keep_their_digits():
    """Whole logits are exact, and so is a W of one feature: the digits are softmax's.

    q_y - 1 would be 0 here.
    """
    inputs, weights = np.array([[40.0], [1.0], [50.0]]), np.array([[1.0], [0.0]])
    loss, found = compute(inputs, weights, [0, 1, 0], reduction="sum", chunk_rows=2)
    targets = np.eye(2)[[0, 1, 0]]
    exact = [oracles.ExactRow([x, 0.0]) for x in inputs[:, 0]]
    slopes = [row.gradient(t) for row, t in zip(exact, targets, strict=True)]
    expected = [slope[0] for slope in slopes]
    assert oracles.ulps(found.inputs[:, 0], expected, np.float64) <= 6
    assert found.inputs[0, 0] < 0
    losses = [row.loss(t) for row, t in zip(exact, targets, strict=True)]
    assert oracles.ulps(loss, [sum(losses)], np.float64) <= 6


@pytest.mark.parametrize("asked", [True, False])
def test_the_logits_are_not_in_memory(monkeypatch, asked):
    """Eight of 512 rows at a time: a tenth of the logits and less, all told."""
    inputs, weights, _, point = layer(3, rows=512, classes=2000, features=4)
    monkeypatch.setattr("softmax_gradients.linear.CHUNK", 8 * 2000)
    chosen = {"chunk_rows": 8} if asked else {}
    compute(inputs[:16], weights, point.labels[:16], **chosen)
    tracemalloc.start()
    try:
        _, found = compute(inputs, weights, point.labels, **chosen)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    results = found.inputs.nbytes + found.weights.nbytes
    assert peak - results < 512 * 2000 * 8 / 10


def test_a_chunk_is_as_large_as_was_measured():
    """Logits and gradient: a tenth of 4096 rows. Below 64 rows it takes longer."""
    assert 2 * linear.CHUNK < 4096 * 50257 / 10
    assert linear.CHUNK // 50257 >= 64


@pytest.mark.parametrize(("chunk", "product"), [(11, 7), (3, 2)])
def test_many_classes_are_chunked_unasked(monkeypatch, chunk, product):
    """There is at least one row in a chunk, and one class in a product."""
    inputs, weights, _, point = layer(4)
    whole = compute(inputs, weights, point.labels)
    monkeypatch.setattr("softmax_gradients.linear.CHUNK", chunk)
    monkeypatch.setattr("softmax_gradients.linear.PRODUCT", product)
    for ours, expected in zip(
        parts(compute(inputs, weights, point.labels))[:3], parts(whole)[:3], strict=True
    ):
        assert_allclose(ours, expected, rtol=1e-13, atol=1e-16)


# What is taken.


@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_a_batch_of_two_axes(kind):
    inputs, weights, bias, point = layer(5, rows=6)
    targets = getattr(point, kind)
    flat = compute(inputs, weights, targets, bias=bias, chunk_rows=4)
    folded = compute(
        inputs.reshape(2, 3, 3),
        weights,
        targets.reshape(2, 3, *targets.shape[1:]),
        bias=bias,
        chunk_rows=4,
    )
    assert folded[1].inputs.shape == (2, 3, 3)
    for ours, expected in zip(parts(folded), parts(flat), strict=True):
        assert_array_equal(np.ravel(ours), np.ravel(expected))


def test_one_row_has_no_batch_axis():
    inputs, weights, bias, point = layer(6, rows=1)
    loss, found = compute(inputs[0], weights, point.labels[0], bias=bias)
    expected, rest = compute(inputs, weights, point.labels, bias=bias)
    assert loss == expected
    assert found.inputs.shape == (3,)
    assert_array_equal(found.inputs, rest.inputs[0])
    assert_array_equal(found.weights, rest.weights)


def test_lists_integers_and_strided_arrays():
    inputs, weights, bias, point = layer(7)
    whole = [np.rint(3 * array) for array in (inputs, weights, bias)]
    expected = compute(*whole[:2], point.labels, bias=whole[2], chunk_rows=2)
    forms = [
        [array.astype(int).tolist() for array in whole],
        [array.astype(int) for array in whole],
        [np.asfortranarray(array) for array in whole],
        [np.repeat(array, 2, axis=-1)[..., ::2] for array in whole],
    ]
    for x, w, b in forms:
        for labels in (point.labels.tolist(), point.labels.astype(np.uint8)):
            found = compute(x, w, labels, bias=b, chunk_rows=2)
            for ours, theirs in zip(parts(found), parts(expected), strict=True):
                assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)


def test_a_bias_of_minus_infinity_masks_a_class():
    inputs, weights, bias, point = layer(8)
    labels = np.minimum(point.labels, 3)
    masked = np.append(bias[:4], -np.inf)
    found = compute(inputs, weights, labels, bias=masked, chunk_rows=3)
    kept = compute(inputs, weights[:4], labels, bias=bias[:4], chunk_rows=3)
    assert_allclose(found[0], kept[0], rtol=1e-14)
    assert_allclose(found[1].inputs, kept[1].inputs, rtol=1e-13, atol=1e-16)
    assert_allclose(found[1].weights[:4], kept[1].weights, rtol=1e-13, atol=1e-16)
    assert_array_equal(found[1].weights[4], 0)
    assert found[1].bias[4] == 0


def test_precision_is_that_of_inputs_and_weights():
    inputs, weights, bias, point = layer(9)
    single, double = inputs.astype(np.float32), weights
    half, wide = weights.astype(np.float16), inputs.astype(np.longdouble)
    for x, w, dtype in [
        (single, half, np.float32),
        (single, double, np.float64),
        (wide, half, np.longdouble),
    ]:
        for targets in (point.labels, point.targets):
            found = compute(x, w, targets, bias=bias, chunk_rows=3)
            assert {part.dtype for part in parts(found)} == {np.dtype(dtype)}


def test_nothing_is_changed_in_place():
    inputs, weights, bias, point = layer(10)
    given_arrays = [inputs, weights, point.targets, bias]
    before = [array.copy() for array in given_arrays]
    for array in given_arrays:
        array.flags.writeable = False
    compute(*given_arrays[:3], bias=bias, temperature=1.7, chunk_rows=2)
    for array, copy in zip(given_arrays, before, strict=True):
        assert_array_equal(array, copy)


def test_empty_shapes():
    loss, found = compute(
        np.zeros((0, 2)), np.ones((3, 2)), np.zeros(0, int), reduction="sum"
    )
    assert loss == 0
    assert found.inputs.shape == (0, 2)
    assert_array_equal(found.weights, np.zeros((3, 2)))
    loss, found = compute(np.zeros((4, 0)), np.zeros((3, 0)), [0, 1, 2, 1])
    assert_allclose(loss, np.log(3), rtol=1e-15)
    assert found.weights.shape == (3, 0)
    with pytest.raises(ValueError, match="reduction='mean' needs at least one row"):
        compute(np.zeros((0, 2)), np.ones((3, 2)), np.zeros(0, int))


# What is refused.


def test_no_gradient_for_each_row():
    inputs, weights, _, point = layer()
    with pytest.raises(
        ValueError, match="got 'none': gradients that are made together"
    ):
        compute(inputs, weights, point.labels, reduction="none")
    with pytest.raises(ValueError, match="reduction must be one of 'mean', 'sum', got"):
        compute(inputs, weights, point.labels, reduction="batchmean")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"inputs": 1.0}, "inputs must have an axis of features, got the scalar 1.0"),
        (
            {"inputs": [[1j, 0.0]] * 3},
            "inputs must be real, got an array of complex128",
        ),
        (
            {"inputs": [[np.nan, 0.0]] * 3},
            r"inputs must be finite.*nan at index \[0, 0\]",
        ),
        (
            {"weights": [1.0, 2.0]},
            r"weights must have shape \(C, 2\).*got shape \(2,\)",
        ),
        ({"weights": np.ones((4, 3))}, r"weights must have shape \(C, 2\).*\(4, 3\)"),
        ({"weights": np.ones((0, 2))}, "at least one class"),
        ({"weights": [[np.inf, 0.0]] * 4}, "weights must be finite.*inf"),
        ({"weights": [[1j, 0.0]] * 4}, "weights must be real, got an array of complex"),
        ({"bias": [0.0, 1.0]}, r"bias must have shape \(4,\).* got shape \(2,\)"),
        (
            {"bias": [0.0, np.nan, 0.0, 0.0]},
            "bias must be finite, or -inf for a masked",
        ),
        ({"bias": [-np.inf] * 4}, "bias must have an unmasked class"),
        ({"bias": [0.0, 1j, 0.0, 0.0]}, "bias must be real"),
        ({"targets": [0, 4, 1]}, r"targets must be class indices.*4 at index \[1\]"),
        ({"targets": np.array([0, 1, -100])}, r"got -100 at index \[2\].*ignore_index"),
        ({"targets": [0, 1]}, "targets must be class indices of shape"),
        ({"targets": [0.0, 1.0, 2.0]}, "class indices of an integer type"),
        ({"targets": [[1, 2, 0, 0]] * 3}, "must be one-hot"),
        (
            {"targets": np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 0, -0.5, 1]])},
            r"targets must not be negative, got -0.5 at index \[2, 2\]",
        ),
        (
            {"targets": np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 0, np.nan, 1]])},
            r"targets must be finite.*nan at index \[2, 2\]",
        ),
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"chunk_rows": 0}, "chunk_rows must be an integer of at least 1, got 0"),
        ({"chunk_rows": 2.5}, "chunk_rows must be an integer of at least 1, got 2.5"),
    ],
)
def test_arguments_that_cannot_be_used(changed, message):
    arguments = {
        "inputs": [[1.0, 2.0], [0.5, -1.0], [3.0, 0.1]],
        "weights": [[1.0, 0.0], [0.0, 1.0], [2.0, -1.0], [0.3, 0.4]],
        "targets": [0, 3, 1],
        "chunk_rows": 2,
    } | changed
    arrays = [arguments.pop(name) for name in ("inputs", "weights", "targets")]
    with pytest.raises(ValueError, match=message):
        compute(*arrays, **arguments)


@pytest.mark.parametrize("value", [1e200, -1e200])
def test_logits_that_overflow_are_told_with_their_row(value):
    inputs = np.array([[1.0], [2.0], [1e200], [1.0]])
    weights = np.array([[value], [value]])
    with pytest.raises(ValueError, match=r"finite in float64, got -?inf in row 2$"):
        compute(inputs, weights, [0, 1, 1, 0], chunk_rows=2)


@pytest.mark.peers
def test_against_torch():
    import torch

    inputs, weights, bias, point = layer(11)
    x, w, b = (torch.tensor(a, requires_grad=True) for a in (inputs, weights, bias))
    logits = torch.nn.functional.linear(x, w, b)
    expected = torch.nn.functional.cross_entropy(
        logits / 1.7, torch.tensor(point.labels)
    )
    expected.backward()
    loss, found = compute(
        inputs, weights, point.labels, bias=bias, temperature=1.7, chunk_rows=3
    )
    assert_allclose(loss, float(expected.detach()), rtol=1e-14)
    for ours, theirs in zip(found, (x, w, b), strict=True):
        assert_allclose(ours, theirs.grad.numpy(), rtol=0, atol=1e-14)
