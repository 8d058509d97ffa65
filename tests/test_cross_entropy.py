"""The cross-entropy and its gradients in the logits and in the temperature."""

import math

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

import softmax_gradients as sg
from tests.support import oracles
from tests.support.oracles import relaxed

LOG_1234 = np.log([1.0, 2.0, 3.0, 4.0])
QUESTION = [-1.0, -1.0, 1.0]

# Rows and targets at which a careless loss or gradient loses its digits.
HARD_ROWS = {
    "soft": ([2.0, 0.5, -1.0, 1.2], [0.1, 0.2, 0.3, 0.4]),
    "sum above one": ([2.0, 0.5, -1.0], [0.9, 0.2, 0.7]),
    "correct, margin 40": ([40.0, 0.0, -3.0], [1.0, 0.0, 0.0]),
    "correct, margin 700": ([700.0, 0.0, -3.0], [1.0, 0.0, 0.0]),
    "wrong, margin 700": ([700.0, 0.0, -3.0], [0.0, 0.0, 1.0]),
    "wrong, loss of 2e4": ([1e4, -1e4, 0.0], [0.0, 1.0, 0.0]),
    "large": ([1e4, 1e4 - 1.0, 1e4 - 2.5], [0.2, 0.5, 0.3]),
    "zero weight, far below": ([1e4, -1e4, 1e4 - 1], [0.7, 0.0, 0.3]),
}


def all_in_one(logits, targets, **kwargs):
    """Return the loss and gradient of the three functions, which must agree."""
    loss = sg.cross_entropy(logits, targets, **kwargs)
    gradient = sg.cross_entropy_gradient(logits, targets, **kwargs)
    both = sg.cross_entropy_value_and_gradient(logits, targets, **kwargs)
    assert_allclose(both[0], loss, rtol=1e-14)
    assert_allclose(both[1], gradient, rtol=1e-14)
    return loss, gradient


# Values by hand.


@pytest.mark.parametrize("targets", [1, [0.0, 1.0, 0.0]], ids=["index", "one-hot"])
def test_the_question(targets):
    loss, gradient = all_in_one(QUESTION, targets)
    assert_allclose(loss, 2.2395447662218846, rtol=1e-15)
    assert_allclose(gradient, [0.10650698, -0.89349302, 0.78698604], atol=5e-9)


def test_index_targets_at_logarithms():
    """q = [0.1, 0.2, 0.3, 0.4]: the loss of class 2 is -log 0.3."""
    loss, gradient = all_in_one(LOG_1234, 2)
    assert_allclose(loss, math.log(10 / 3), rtol=1e-15)
    assert_allclose(gradient, [0.1, 0.2, -0.7, 0.4], rtol=1e-14)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_soft_targets_at_logarithms(temperature):
    """(q - t)/T, with T log k as logits so that q stays [0.1, 0.2, 0.3, 0.4]."""
    targets = [0.4, 0.3, 0.2, 0.1]
    loss, gradient = all_in_one(
        temperature * LOG_1234, targets, temperature=temperature
    )
    expected = math.log(10) - 0.3 * math.log(2) - 0.2 * math.log(3) - 0.1 * math.log(4)
    assert_allclose(loss, expected, rtol=1e-14)
    assert_allclose(gradient * temperature, [-0.3, -0.1, 0.1, 0.3], rtol=1e-13)


def test_targets_that_sum_to_two():
    """q sum(t) - t = 2 q - t, which is not q - t."""
    loss, gradient = all_in_one(LOG_1234, [1.0, 0.0, 1.0, 0.0])
    assert_allclose(loss, math.log(10) + math.log(10 / 3), rtol=1e-14)
    assert_allclose(gradient, [-0.8, 0.4, -0.4, 0.8], rtol=1e-14)


def test_temperature_gradient_at_logarithms():
    """(<t, z> - <q, z>)/T^2 at z = log k, y = 3, T = 1."""
    mean = 0.2 * math.log(2) + 0.3 * math.log(3) + 0.4 * math.log(4)
    derivative = sg.cross_entropy_temperature_gradient(LOG_1234, 3)
    assert_allclose(derivative, math.log(4) - mean, rtol=1e-14)


def test_temperature_gradient_of_targets_that_sum_to_two():
    """(<t, z> - 2 <q, z>)/T^2 at z = 2 log k, T = 2."""
    mean = 2 * (0.2 * math.log(2) + 0.3 * math.log(3) + 0.4 * math.log(4))
    derivative = sg.cross_entropy_temperature_gradient(
        2 * LOG_1234, [1.0, 0.0, 1.0, 0.0], temperature=2.0
    )
    assert_allclose(derivative, (2 * math.log(3) - 2 * mean) / 4, rtol=1e-14)


def test_temperature_gradient_with_a_teacher_by_hand():
    """v = 0 gives p = 1/C at every T, so the covariance is 0."""
    mean = 0.2 * math.log(2) + 0.3 * math.log(3) + 0.4 * math.log(4)
    derivative = sg.cross_entropy_temperature_gradient(
        LOG_1234, teacher_logits=[0.0, 0.0, 0.0, 0.0]
    )
    assert_allclose(derivative, math.log(24) / 4 - mean, rtol=1e-14)
    # Two classes, T = 1, v = [log 3, 0], z = [1, 0]: p = [3/4, 1/4] and
    # Cov_p(v, z) = (3/4)(1/4) log 3.
    derivative = sg.cross_entropy_temperature_gradient(
        [1.0, 0.0], teacher_logits=[math.log(3), 0.0]
    )
    fixed = 0.75 - math.e / (1 + math.e)
    assert_allclose(derivative, fixed + 3 / 16 * math.log(3), rtol=1e-14)


def test_reductions_by_hand():
    logits, labels = [LOG_1234, LOG_1234[::-1]], [3, 1]
    losses = [math.log(10 / 4), math.log(10 / 3)]
    rows = np.array([[0.1, 0.2, 0.3, -0.6], [0.4, -0.7, 0.2, 0.1]])
    for reduction, loss, divisor in [
        ("none", losses, 1),
        ("sum", sum(losses), 1),
        ("mean", sum(losses) / 2, 2),
    ]:
        ours, gradient = all_in_one(logits, labels, reduction=reduction)
        assert_allclose(ours, loss, rtol=1e-14)
        assert_allclose(gradient, rows / divisor, rtol=1e-13)


# Properties.


@relaxed
@given(oracles.same_shape((-30, 30), (0, 3)), oracles.temperatures)
def test_gradient_rows_sum_to_zero(arrays, temperature):
    """For every sum of the targets, since shifting the logits changes nothing."""
    logits, targets = arrays
    gradient = sg.cross_entropy_gradient(
        logits, targets, temperature=temperature, reduction="sum"
    )
    assert_allclose(gradient.sum(axis=-1) * temperature, 0, atol=1e-13)


@relaxed
@given(oracles.same_shape((-30, 30), (0, 3)), oracles.temperatures)
def test_gradient_is_the_printed_formula(arrays, temperature):
    logits, targets = arrays
    probs = sg.softmax(logits, temperature=temperature)
    expected = probs * targets.sum(axis=-1, keepdims=True) - targets
    gradient = sg.cross_entropy_gradient(
        logits, targets, temperature=temperature, reduction="sum"
    )
    assert_allclose(gradient * temperature, expected, atol=1e-13)


@relaxed
@given(
    oracles.same_shape((-30, 30), (0, 3)),
    oracles.temperatures,
    oracles.numbers(-100, 100),
)
def test_shift_changes_nothing(arrays, temperature, shift):
    logits, targets = arrays
    before = all_in_one(logits, targets, temperature=temperature)
    after = all_in_one(logits + shift, targets, temperature=temperature)
    assert_allclose(after[0], before[0], rtol=1e-12, atol=1e-11)
    assert_allclose(after[1], before[1], rtol=0, atol=1e-11)


@relaxed
@given(
    oracles.same_shape((-30, 30), (0, 3)), oracles.temperatures, oracles.numbers(0.1, 9)
)
def test_temperature_homogeneity(arrays, temperature, factor):
    """L depends on z/T only; a derivative in z or T is of degree -1."""
    logits, targets = arrays
    loss, gradient = all_in_one(logits, targets, temperature=temperature)
    scaled = all_in_one(factor * logits, targets, temperature=factor * temperature)
    assert_allclose(scaled[0], loss, rtol=1e-11, atol=1e-11)
    assert_allclose(factor * scaled[1], gradient, rtol=1e-10, atol=1e-11)
    before = sg.cross_entropy_temperature_gradient(
        logits, targets, temperature=temperature
    )
    after = sg.cross_entropy_temperature_gradient(
        factor * logits, targets, temperature=factor * temperature
    )
    assert_allclose(factor * after, before, rtol=1e-10, atol=1e-9)


@relaxed
@given(oracles.same_shape((-30, 30), (0, 3)), oracles.temperatures)
def test_euler_relation(arrays, temperature):
    """L is a function of z/T, so <z, dL/dz> + T dL/dT = 0."""
    logits, targets = arrays
    gradient = sg.cross_entropy_gradient(logits, targets, temperature=temperature)
    derivative = sg.cross_entropy_temperature_gradient(
        logits, targets, temperature=temperature
    )
    total = (logits * gradient).sum() + temperature * derivative
    assert_allclose(total * temperature, 0, atol=1e-11)


@relaxed
@given(oracles.same_shape((-30, 30), (0, 3), (0, 3)), oracles.temperatures)
def test_linear_in_the_targets(arrays, temperature):
    logits, first, second = arrays
    parts = [all_in_one(logits, t, temperature=temperature) for t in (first, second)]
    combined = all_in_one(logits, 2 * first + 0.5 * second, temperature=temperature)
    for k in range(2):
        expected = 2 * parts[0][k] + 0.5 * parts[1][k]
        assert_allclose(combined[k], expected, rtol=1e-12, atol=1e-12)


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_index_is_one_hot(logits, temperature):
    rows, classes = logits.shape
    labels = np.arange(rows) % classes
    weights = oracles.one_hot(labels, classes)
    for reduction in ("none", "sum", "mean"):
        by_index = all_in_one(
            logits, labels, temperature=temperature, reduction=reduction
        )
        by_weight = all_in_one(
            logits, weights, temperature=temperature, reduction=reduction
        )
        # Labels and weights have their own arithmetic: the last digits may differ.
        assert_allclose(by_index[0], by_weight[0], rtol=4e-15)
        assert_allclose(by_index[1], by_weight[1], rtol=4e-15, atol=4e-15 / temperature)
        slopes = [
            sg.cross_entropy_temperature_gradient(
                logits, targets, temperature=temperature, reduction=reduction
            )
            for targets in (labels, weights)
        ]
        assert_allclose(*slopes, rtol=4e-15, atol=1e-13 / temperature**2)


@relaxed
@given(oracles.same_shape((-30, 30), (0, 3)), oracles.temperatures)
def test_the_softmax_itself_has_the_lowest_loss(arrays, temperature):
    """With targets softmax(z/T) the gradient is 0, and other logits lose more."""
    logits, other = arrays
    targets = sg.softmax(logits, temperature=temperature)
    loss, gradient = all_in_one(logits, targets, temperature=temperature)
    assert_allclose(gradient * temperature, 0, atol=1e-14)
    assert (
        sg.cross_entropy(other, targets, temperature=temperature)
        >= loss * (1 - 1e-14) - 1e-14
    )


@relaxed
@given(oracles.same_shape((-30, 30), (0, 3)), oracles.temperatures)
def test_reductions_are_related(arrays, temperature):
    logits, targets = arrays
    rows = len(logits)
    results = {
        reduction: [
            *all_in_one(logits, targets, temperature=temperature, reduction=reduction),
            sg.cross_entropy_temperature_gradient(
                logits, targets, temperature=temperature, reduction=reduction
            ),
        ]
        for reduction in ("none", "sum", "mean")
    }
    loss, gradient, derivative = results["none"]
    assert loss.shape == derivative.shape == (rows,)
    # An entry q sum(t) - t may be nearly 0: its error is small beside sum(t)/T.
    size = targets.sum(axis=-1, keepdims=True) / temperature
    for values, total, mean, rounding in [
        (loss.sum(), results["sum"][0], results["mean"][0], 0),
        (gradient, results["sum"][1], results["mean"][1], 1e-15 * size),
        (derivative.sum(), results["sum"][2], results["mean"][2], 0),
    ]:
        assert (abs(total - values) <= 1e-13 * abs(values) + rounding).all()
        assert (abs(rows * mean - total) <= 1e-13 * abs(total) + rounding).all()


def test_the_gradient_is_the_vjp_of_the_softmax():
    logits, targets, *_, temperature = oracles.point(seed=1)
    gradient = sg.cross_entropy_gradient(
        logits, targets, temperature=temperature, reduction="sum"
    )
    cotangent = -targets / sg.softmax(logits, temperature=temperature)
    through_softmax = sg.softmax_vjp(logits, cotangent, temperature=temperature)
    assert_allclose(gradient, through_softmax, rtol=1e-12)
    through_log = sg.log_softmax_vjp(logits, -targets, temperature=temperature)
    assert_allclose(gradient, through_log, rtol=1e-12)


# Derivatives.


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["labels", "targets"])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 25.0])
def test_gradient_is_the_derivative_of_the_loss(temperature, kind, reduction):
    point = oracles.point(seed=2)
    logits, targets = point.logits, getattr(point, kind)

    def loss(z):
        return sg.cross_entropy(
            z, targets, temperature=temperature, reduction=reduction
        )

    gradient = sg.cross_entropy_gradient(
        logits, targets, temperature=temperature, reduction=reduction
    )
    exact = sg.complex_step(loss, logits)
    by_steps = sg.finite_difference(loss, logits)
    if reduction == "none":
        # Each row's loss depends on its own logits only.
        assert exact.shape == (3, 3, 4)
        exact, by_steps = exact.sum(axis=0), by_steps.sum(axis=0)
    assert_allclose(gradient, exact, rtol=0, atol=4e-15 / temperature)
    assert_allclose(gradient, by_steps, rtol=0, atol=1e-8 / temperature)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7])
def test_taylor_order_of_the_gradient(temperature):
    logits, targets, *_ = oracles.point(seed=3)
    right = sg.taylor_test(
        lambda z: sg.cross_entropy(z, targets, temperature=temperature),
        lambda z: sg.cross_entropy_gradient(z, targets, temperature=temperature),
        logits,
    )
    assert 1.9 < right.order < 2.1
    # q - t, which forgets the sum of the targets, is no gradient here.
    wrong = sg.taylor_test(
        lambda z: sg.cross_entropy(
            z, targets, temperature=temperature, reduction="sum"
        ),
        lambda z: (sg.softmax(z, temperature=temperature) - targets) / temperature,
        logits,
    )
    assert wrong.order < 1.2


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["labels", "targets", "teacher_logits"])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 25.0])
def test_temperature_gradient_is_the_derivative_in_t(temperature, kind, reduction):
    point = oracles.point(seed=4)
    given_targets = getattr(point, kind)

    def loss(t):
        targets = given_targets
        if kind == "teacher_logits":
            targets = sg.softmax(given_targets, temperature=float(t))
        return sg.cross_entropy(
            point.logits, targets, temperature=float(t), reduction=reduction
        )

    name = "teacher_logits" if kind == "teacher_logits" else "targets"
    derivative = sg.cross_entropy_temperature_gradient(
        point.logits,
        temperature=temperature,
        reduction=reduction,
        **{name: given_targets},
    )
    expected = sg.finite_difference(loss, temperature, step=6e-6 * temperature)
    assert_allclose(derivative, expected, rtol=1e-7, atol=1e-9)


def test_temperature_gradient_is_the_printed_formula():
    logits, targets, _, teacher, _, temperature = oracles.point(seed=5)
    probs = sg.softmax(logits, temperature=temperature)
    mean = (probs * logits).sum(axis=-1)
    fixed = (targets * logits).sum(axis=-1) - targets.sum(axis=-1) * mean
    derivative = sg.cross_entropy_temperature_gradient(
        logits, targets, temperature=temperature, reduction="none"
    )
    assert_allclose(derivative, fixed / temperature**2, rtol=1e-12)

    p = sg.softmax(teacher, temperature=temperature)
    fixed = (p * logits).sum(axis=-1) - mean
    product_mean = (p * teacher * logits).sum(axis=-1)
    covariance = product_mean - (p * teacher).sum(axis=-1) * (p * logits).sum(axis=-1)
    derivative = sg.cross_entropy_temperature_gradient(
        logits, teacher_logits=teacher, temperature=temperature, reduction="none"
    )
    expected = fixed / temperature**2 + covariance / temperature**3
    assert_allclose(derivative, expected, rtol=1e-12)


def test_temperature_gradient_of_the_divergence():
    """For KL(p || q), Var_p(v)/T^3 is subtracted, as the docstring says."""
    logits, _, _, teacher, _, temperature = oracles.point(seed=6)
    z, v = logits[0], teacher[0]
    p = sg.softmax(v, temperature=temperature)
    variance = (p * v**2).sum() - (p * v).sum() ** 2
    cross = sg.cross_entropy_temperature_gradient(
        z, teacher_logits=v, temperature=temperature
    )

    def divergence(t):
        target = sg.softmax(v, temperature=float(t))
        log_ratio = sg.log_softmax(v, temperature=float(t)) - sg.log_softmax(
            z, temperature=float(t)
        )
        return (target * log_ratio).sum()

    expected = sg.finite_difference(divergence, temperature)
    assert_allclose(cross - variance / temperature**3, expected, rtol=1e-7)


# Independent oracles.


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 1e6])
@pytest.mark.parametrize(("row", "targets"), HARD_ROWS.values(), ids=HARD_ROWS)
def test_against_mpmath(row, targets, temperature):
    loss, gradient = all_in_one(row, targets, temperature=temperature)
    smallest = 5e-324
    expected = oracles.mp_cross_entropy(row, targets, temperature)
    assert_allclose(loss, expected, rtol=2e-13, atol=2 * smallest)
    expected = oracles.mp_cross_entropy_gradient(row, targets, temperature)
    if targets.count(0.0) == len(targets) - 1:
        # One-hot: nothing cancels, so each entry has its digits.
        assert_allclose(gradient, expected, rtol=2e-13, atol=2 * smallest)
    else:
        error = abs(gradient - expected).max() * temperature
        assert error <= 1e-15 * max(1.0, sum(targets))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 1e6])
@pytest.mark.parametrize(("row", "targets"), HARD_ROWS.values(), ids=HARD_ROWS)
def test_temperature_gradient_against_mpmath(row, targets, temperature):
    derivative = sg.cross_entropy_temperature_gradient(
        row, targets, temperature=temperature
    )
    expected = oracles.mp_temperature_gradient(row, targets, temperature)
    one_hot = targets.count(0.0) == len(targets) - 1
    spread = (max(row) - min(row)) / temperature**2
    tolerance = 1e-320 if one_hot else 1e-15 * spread
    assert_allclose(derivative, expected, rtol=1e-12, atol=tolerance)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 20.0])
def test_temperature_gradient_with_a_teacher_against_mpmath(temperature):
    logits, _, _, teacher, *_ = oracles.point(seed=7)
    for z, v in zip(logits, teacher, strict=True):
        derivative = sg.cross_entropy_temperature_gradient(
            z, teacher_logits=v, temperature=temperature
        )
        expected = oracles.mp_temperature_gradient(
            z, temperature=temperature, teacher_logits=v
        )
        assert_allclose(derivative, expected, rtol=1e-12)


@pytest.mark.parametrize("temperature", [1e-300, 1e-5])
def test_the_tiniest_temperatures(temperature):
    """z/T of ordinary size from a tiny z: 1/T comes back in the gradient."""
    row = np.array([1.0, 0.3, -2.0]) * temperature
    loss, gradient = all_in_one(row, 1, temperature=temperature)
    weights = [0.0, 1.0, 0.0]
    expected = oracles.mp_cross_entropy(row, weights, temperature)
    assert_allclose(loss, expected, rtol=1e-14)
    expected = oracles.mp_cross_entropy_gradient(row, weights, temperature)
    assert_allclose(gradient, expected, rtol=1e-14)


def test_against_autograd():
    logits, targets, *_, temperature = oracles.point(seed=8)
    gradient = oracles.autograd_gradient(oracles.autograd_cross_entropy)
    ours = sg.cross_entropy_gradient(
        logits, targets, temperature=temperature, reduction="sum"
    )
    expected = gradient(logits, targets, temperature)
    assert_allclose(ours, expected, rtol=0, atol=1e-14)
    in_t = oracles.autograd_gradient(oracles.autograd_cross_entropy, 2)
    ours = sg.cross_entropy_temperature_gradient(
        logits, targets, temperature=temperature, reduction="sum"
    )
    assert_allclose(ours, in_t(logits, targets, temperature), rtol=1e-13)


def test_temperature_gradient_with_a_teacher_against_autograd():
    logits, _, _, teacher, _, temperature = oracles.point(seed=9)

    def loss(t):
        probs = oracles.autograd_softmax(teacher, t)
        return oracles.autograd_cross_entropy(logits, probs, t)

    ours = sg.cross_entropy_temperature_gradient(
        logits, teacher_logits=teacher, temperature=temperature, reduction="sum"
    )
    expected = oracles.autograd_gradient(loss)(temperature)
    assert_allclose(ours, expected, rtol=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["labels", "targets"])
@pytest.mark.peers
def test_against_torch(kind, reduction):
    import torch

    point = oracles.point(seed=10)
    targets = getattr(point, kind)
    z = torch.tensor(point.logits, requires_grad=True)
    t = torch.tensor(point.temperature, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(
        z / t, torch.tensor(targets), reduction=reduction
    )
    loss.sum().backward()
    args = (point.logits, targets)
    ours, gradient = all_in_one(
        *args, temperature=point.temperature, reduction=reduction
    )
    assert_allclose(ours, loss.detach().numpy(), rtol=1e-13)
    assert_allclose(gradient, z.grad.numpy(), rtol=0, atol=1e-14)
    in_t = sg.cross_entropy_temperature_gradient(
        *args, temperature=point.temperature, reduction=reduction
    )
    assert_allclose(in_t.sum(), t.grad.numpy(), rtol=1e-12)


@pytest.mark.peers
def test_against_jax():
    import jax

    logits, targets, *_, temperature = oracles.point(seed=11)

    def loss(z, t):
        return -(targets.astype(np.float32) * jax.nn.log_softmax(z / t)).sum()

    single = logits.astype(np.float32)
    in_z, in_t = jax.grad(loss, argnums=(0, 1))(single, np.float32(temperature))
    args = (logits, targets)
    ours = sg.cross_entropy_gradient(*args, temperature=temperature, reduction="sum")
    assert_allclose(ours, in_z, rtol=0, atol=1e-5)
    ours = sg.cross_entropy_temperature_gradient(
        *args, temperature=temperature, reduction="sum"
    )
    assert_allclose(ours, in_t, rtol=1e-4)


@pytest.mark.peers
def test_against_scipy():
    from scipy import special

    logits, targets, *_, temperature = oracles.point(seed=12)
    losses = -(targets * special.log_softmax(logits / temperature, axis=-1)).sum(-1)
    ours = sg.cross_entropy(logits, targets, temperature=temperature, reduction="none")
    assert_allclose(ours, losses, rtol=1e-13)


# Extremes.


def test_one_class_costs_nothing():
    for targets in (0, [2.5]):
        loss, gradient = all_in_one([3.0], targets)
        assert loss == 0
        assert not np.signbit(loss)
        assert_array_equal(gradient, [0.0])
    assert sg.cross_entropy_temperature_gradient([3.0], 0) == 0


def test_targets_of_zero_cost_nothing():
    loss, gradient = all_in_one([3.0, -1.0], [0.0, 0.0])
    assert loss == 0
    assert_array_equal(gradient, [0.0, 0.0])


@pytest.mark.parametrize("weight", [0, [1.0, 0.0, 0.0]], ids=["index", "one-hot"])
def test_a_masked_class_without_weight_counts_as_nothing(weight):
    masked, kept = [1.0, -np.inf, 0.4], [1.0, 0.4]
    loss, gradient = all_in_one(masked, weight, temperature=1.7)
    expected_loss, expected_gradient = all_in_one(kept, 0, temperature=1.7)
    assert_allclose(loss, expected_loss, rtol=1e-15)
    assert gradient[1] == 0
    assert_allclose(gradient[[0, 2]], expected_gradient, rtol=1e-14)
    assert_allclose(
        sg.cross_entropy_temperature_gradient(masked, weight, temperature=1.7),
        sg.cross_entropy_temperature_gradient(kept, 0, temperature=1.7),
        rtol=1e-14,
    )


@pytest.mark.parametrize("weight", [1, [0.0, 1.0, 0.0]], ids=["index", "one-hot"])
def test_weight_on_a_masked_class_is_an_infinite_loss(weight):
    masked = np.array([1.0, -np.inf, 0.4])
    loss, gradient = all_in_one(masked, weight, temperature=1.7)
    assert loss == np.inf
    probs = sg.softmax(masked, temperature=1.7)
    assert_allclose(gradient * 1.7, probs - [0.0, 1.0, 0.0], rtol=1e-15)


def test_one_infinite_row_leaves_the_others():
    logits = [[1.0, -np.inf], [0.0, 0.0]]
    losses = sg.cross_entropy(logits, [1, 1], reduction="none")
    assert_allclose(losses, [np.inf, math.log(2)], rtol=1e-15)


def test_masked_classes_of_student_and_teacher():
    z, v, temperature = [1.0, -np.inf, 0.4, -1.0], [0.3, -np.inf, -np.inf, 2.0], 1.7
    ours = sg.cross_entropy_temperature_gradient(
        z, teacher_logits=v, temperature=temperature
    )
    kept = [1.0, 0.4, -1.0]
    # A logit of -1e5 has no weight either, and is no special case.
    expected = oracles.mp_temperature_gradient(
        kept, temperature=temperature, teacher_logits=[0.3, -1e5, 2.0]
    )
    assert_allclose(ours, expected, rtol=1e-13)


def test_gaps_too_large_for_a_float():
    loss, gradient = all_in_one([1e308, -1e308], 1)
    assert loss == np.inf
    assert_array_equal(gradient, [1.0, -1.0])
    loss, gradient = all_in_one([1e308, -1e308], 0)
    assert loss == 0
    assert_array_equal(gradient, [0.0, 0.0])
    assert sg.cross_entropy([1e308, 0.0], 1) == 1e308
    assert sg.cross_entropy([1e308, 0.0], [0.0, 5.0]) == np.inf
    assert sg.cross_entropy([[1e308, 0.0]] * 2, [1, 1], reduction="sum") == np.inf
    assert sg.cross_entropy_temperature_gradient([1e308, -1e308], 0) == 0


def test_a_derivative_too_large_for_a_float_is_infinite():
    assert_array_equal(
        sg.cross_entropy_gradient([0.0, 0.0], 0, temperature=1e-309), [-np.inf, np.inf]
    )
    assert (
        sg.cross_entropy_temperature_gradient([0.0, 1.0], 0, temperature=1e-200)
        == -np.inf
    )


def test_a_confident_prediction_is_not_free():
    """Margin 700: loss and gradient are e^-700 and not 0."""
    loss, gradient = all_in_one([700.0, 0.0], 0)
    assert_allclose(loss, np.exp(-700.0), rtol=1e-14)
    assert_allclose(gradient, [-np.exp(-700.0), np.exp(-700.0)], rtol=1e-14)


def test_a_subnormal_loss():
    loss, gradient = all_in_one([740.0, 0.0], 0)
    assert 0 < loss < 1e-320
    assert_array_equal(gradient, [-loss, loss])


@pytest.mark.parametrize("targets", [np.zeros(0, int), np.zeros((0, 3))])
def test_an_empty_batch(targets):
    logits = np.zeros((0, 3))
    for reduction, loss in [("sum", 0.0), ("none", np.zeros(0))]:
        ours, gradient = all_in_one(logits, targets, reduction=reduction)
        assert_array_equal(ours, loss)
        assert gradient.shape == (0, 3)
        derivative = sg.cross_entropy_temperature_gradient(
            logits, targets, reduction=reduction
        )
        assert_array_equal(derivative, loss)


@pytest.mark.parametrize(
    "function",
    [
        sg.cross_entropy,
        sg.cross_entropy_gradient,
        sg.cross_entropy_value_and_gradient,
        sg.cross_entropy_temperature_gradient,
    ],
)
def test_the_mean_of_an_empty_batch(function):
    with pytest.raises(ValueError, match=r"reduction='mean' needs .* shape \(0, 3\)"):
        function(np.zeros((0, 3)), np.zeros(0, int))


# Shapes.


@pytest.mark.parametrize("kind", ["index", "probabilities", "teacher"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_the_class_axis_can_be_anywhere(axis, reduction, kind):
    rng = np.random.default_rng(13)
    logits, targets = rng.normal(size=(2, 2, 3, 4))
    if kind == "index":
        targets = rng.integers(2, size=np.moveaxis(logits, axis, -1).shape[:-1])
        last_targets = targets
    else:
        targets = abs(targets) if kind == "probabilities" else targets
        last_targets = np.moveaxis(targets, axis, -1)
    last = np.moveaxis(logits, axis, -1)
    if kind == "teacher":
        ours = sg.cross_entropy_temperature_gradient(
            logits, teacher_logits=targets, reduction=reduction, axis=axis
        )
        expected = sg.cross_entropy_temperature_gradient(
            last, teacher_logits=last_targets, reduction=reduction
        )
        assert_allclose(ours, expected, rtol=1e-13)
        return
    loss, gradient = all_in_one(
        logits, targets, temperature=1.7, reduction=reduction, axis=axis
    )
    expected, last_gradient = all_in_one(
        last, last_targets, temperature=1.7, reduction=reduction
    )
    assert_allclose(loss, expected, rtol=1e-14)
    assert_allclose(gradient, np.moveaxis(last_gradient, -1, axis), rtol=1e-12)
    assert_allclose(
        sg.cross_entropy_temperature_gradient(
            logits, targets, temperature=1.7, reduction=reduction, axis=axis
        ),
        sg.cross_entropy_temperature_gradient(
            last, last_targets, temperature=1.7, reduction=reduction
        ),
        rtol=1e-13,
    )


@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_a_batch_is_its_rows(kind):
    point = oracles.point(seed=14)
    targets, temperature = getattr(point, kind), point.temperature
    loss, gradient = all_in_one(
        point.logits, targets, temperature=temperature, reduction="none"
    )
    in_t = sg.cross_entropy_temperature_gradient(
        point.logits, targets, temperature=temperature, reduction="none"
    )
    for row, logits in enumerate(point.logits):
        one_loss, one_gradient = all_in_one(
            logits, targets[row], temperature=temperature
        )
        assert_allclose(loss[row], one_loss, rtol=1e-14)
        assert_allclose(gradient[row], one_gradient, rtol=1e-13)
        one_in_t = sg.cross_entropy_temperature_gradient(
            logits, targets[row], temperature=temperature
        )
        assert_allclose(in_t[row], one_in_t, rtol=1e-13)


# Where the gradient is written.


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_out_receives_the_gradient(reduction):
    logits, targets, *_, temperature = oracles.point(seed=15)
    out = np.full_like(logits, np.nan)
    loss, gradient = sg.cross_entropy_value_and_gradient(
        logits, targets, temperature=temperature, reduction=reduction, out=out
    )
    assert gradient is out
    expected = all_in_one(logits, targets, temperature=temperature, reduction=reduction)
    assert_array_equal(loss, expected[0])
    assert_array_equal(out, expected[1])


def test_out_may_be_the_logits_themselves_or_a_view():
    logits, targets, *_ = oracles.point(seed=16)
    loss, gradient = all_in_one(logits, targets)
    reused = logits.copy()
    again, _ = sg.cross_entropy_value_and_gradient(reused, targets, out=reused)
    assert_array_equal(again, loss)
    assert_array_equal(reused, gradient)
    view = np.zeros((4, 6)).T[::2]
    sg.cross_entropy_value_and_gradient(logits, targets, out=view)
    assert_array_equal(view, gradient)


def test_out_with_another_class_axis():
    logits, targets, *_ = oracles.point(seed=17)
    out = np.empty((4, 3))
    sg.cross_entropy_value_and_gradient(logits.T, targets.T, axis=0, out=out)
    assert_allclose(out.T, sg.cross_entropy_gradient(logits, targets), rtol=1e-14)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ([0.0, 0.0, 0.0], "out must be an ndarray, got list"),
        (np.zeros(2), r"out must have shape \(3,\) .* got shape \(2,\)"),
        (np.zeros((1, 3)), r"out must have shape \(3,\) .* got shape \(1, 3\)"),
        (np.zeros(3, np.float32), "out must have .* type float64.* type float32"),
        (np.zeros(3, int), "out must have .* type float64, got .* type int"),
        (np.broadcast_to(0.0, 3), "out must be writeable, got a read-only array"),
    ],
)
def test_an_out_that_cannot_be_used(out, message):
    before = np.array(out)
    with pytest.raises(ValueError, match=message):
        sg.cross_entropy_value_and_gradient(QUESTION, 1, out=out)
    assert_array_equal(out, before)


# What only the temperature gradient refuses.


def test_either_targets_or_a_teacher():
    message = "exactly one of targets and teacher_logits must be given"
    with pytest.raises(ValueError, match=message):
        sg.cross_entropy_temperature_gradient(QUESTION)
    with pytest.raises(ValueError, match=message):
        sg.cross_entropy_temperature_gradient(QUESTION, 1, teacher_logits=QUESTION)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"logits": [0.0, -np.inf], "targets": 1},
        {"logits": [0.0, -np.inf], "targets": [0.5, 0.5]},
        {"logits": [0.0, -np.inf], "teacher_logits": [0.0, 0.0]},
        {"logits": [1e308, -1e308], "targets": 1},
    ],
    ids=["index", "weight", "teacher", "gap"],
)
def test_an_infinite_loss_has_no_temperature_gradient(kwargs):
    with pytest.raises(ValueError, match="logits must not mask a class that has wei"):
        sg.cross_entropy_temperature_gradient(**kwargs)


@pytest.mark.parametrize("temperature", [1e-50, 1e-30])
def test_a_teacher_of_lower_precision(temperature):
    """1e-50 is 0 in float32, which is the teacher's precision but not the result's."""
    teacher = np.array([1.0, 0.0], np.float32)
    derivative = sg.cross_entropy_temperature_gradient(
        np.array([1.0, 0.0]), teacher_logits=teacher, temperature=temperature
    )
    assert derivative == 0


def test_complex_logits_in_the_temperature_gradient():
    """Complex steps in z give the mixed second derivative, the same as in T."""
    logits, targets, *_, temperature = oracles.point(seed=18)
    mixed = sg.complex_step(
        lambda z: sg.cross_entropy_temperature_gradient(
            z, targets, temperature=temperature
        ),
        logits,
    )
    expected = sg.finite_difference(
        lambda t: sg.cross_entropy_gradient(logits, targets, temperature=float(t)),
        temperature,
    )
    assert_allclose(mixed, expected, rtol=0, atol=1e-9)
