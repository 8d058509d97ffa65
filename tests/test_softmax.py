"""softmax, log_softmax, the Jacobian and the products with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import softmax_gradients as sg
from tests.support import oracles
from tests.support.oracles import relaxed

LOG_1234 = np.log([1.0, 2.0, 3.0, 4.0])
TENTHS = np.array([0.1, 0.2, 0.3, 0.4])

# Rows at which a careless implementation overflows or loses its digits.
HARD_ROWS = {
    "ordinary": [2.0, 0.5, -1.0, 1.2],
    "equal": [0.3, 0.3, 0.3],
    "confident, margin 40": [40.0, 0.0, -3.0],
    "confident, margin 700": [700.0, 0.0, -3.0],
    "large": [1e4, 1e4 - 1.0, 1e4 - 2.5],
    "large and negative": [-1e4, -1e4 - 1.0, -1e4 + 0.5],
    "subnormal result": [0.0, -740.0, -744.0],
    "far apart": [1e4, -1e4, 0.0],
}


# Values by hand.


def test_softmax_of_the_question():
    probs = sg.softmax([-1.0, -1.0, 1.0])
    assert_allclose(probs, [0.10650698, 0.10650698, 0.78698604], atol=5e-9, rtol=0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_softmax_of_logarithms(temperature):
    """exp(log k) = k: the logits T log k have the probabilities k / 10."""
    probs = sg.softmax(temperature * LOG_1234, temperature=temperature)
    assert_allclose(probs, TENTHS, rtol=4e-15)


def test_log_softmax_of_logarithms():
    assert_allclose(sg.log_softmax(LOG_1234), np.log(TENTHS), rtol=1e-15)


def test_jacobian_of_logarithms():
    """100 J by hand: 10 q_i on the diagonal, minus 10 q_i times 10 q_j."""
    hundred = [[9, -2, -3, -4], [-2, 16, -6, -8], [-3, -6, 21, -12], [-4, -8, -12, 24]]
    jacobian = np.array(hundred) / 100
    assert_allclose(sg.softmax_jacobian(LOG_1234), jacobian, rtol=2e-15)
    assert_allclose(
        sg.softmax_jacobian(2 * LOG_1234, temperature=2.0), jacobian / 2, rtol=2e-15
    )


def test_products_with_the_jacobian_of_logarithms():
    """With u = [1, 0, 2, -1]: <q, u> = 0.3, so J u = q (u - 0.3)."""
    vector = [1.0, 0.0, 2.0, -1.0]
    product = [0.07, -0.06, 0.51, -0.52]
    assert_allclose(sg.softmax_jvp(LOG_1234, vector), product, rtol=1e-14)
    assert_allclose(sg.softmax_vjp(LOG_1234, vector), product, rtol=1e-14)
    halved = sg.softmax_jvp(2 * LOG_1234, vector, temperature=2.0)
    assert_allclose(2 * halved, product, rtol=1e-14)


def test_log_softmax_vjp_of_logarithms():
    """With g = [1, 0, 2, -1]: the entries sum to 2, so the result is g - 2 q."""
    product = sg.log_softmax_vjp(LOG_1234, [1.0, 0.0, 2.0, -1.0])
    assert_allclose(product, [0.8, -0.4, 1.4, -1.8], rtol=1e-14)


def test_two_classes_give_the_sigmoid():
    difference = np.array([-3.0, -0.4, 0.0, 2.0])
    logits = np.stack([difference, np.zeros(4)], axis=-1)
    assert_allclose(sg.softmax(logits)[:, 0], 1 / (1 + np.exp(-difference)), rtol=4e-16)


def test_chain_rule_of_the_question_needs_the_whole_jacobian():
    """-t/s through J gives s - t; through its diagonal alone, -t (1 - s)."""
    logits, targets = [-1.0, -1.0, 1.0], np.array([0.0, 1.0, 0.0])
    cotangent = -targets / sg.softmax(logits)
    assert_allclose(cotangent, [0.0, -9.3890561, 0.0], atol=5e-8)
    right = sg.softmax_vjp(logits, cotangent)
    assert_allclose(right, [0.10650698, -0.89349302, 0.78698604], atol=5e-9)
    diagonal = np.diagonal(sg.softmax_jacobian(logits))
    assert_allclose(diagonal, [0.09516324, 0.09516324, 0.16763901], atol=5e-9)
    assert_allclose(cotangent * diagonal, [0.0, -0.89349302, 0.0], atol=5e-9)


# Properties.


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_rows_sum_to_one(logits, temperature):
    probs = sg.softmax(logits, temperature=temperature)
    assert (probs >= 0).all()
    assert_allclose(probs.sum(axis=-1), 1, rtol=1e-14)


@relaxed
@given(oracles.batches(), oracles.temperatures, oracles.numbers(-100, 100))
def test_shift_changes_nothing(logits, temperature, shift):
    moved = logits + shift
    assert_allclose(
        sg.softmax(moved, temperature=temperature),
        sg.softmax(logits, temperature=temperature),
        atol=1e-12,
    )
    assert_allclose(
        sg.log_softmax(moved, temperature=temperature),
        sg.log_softmax(logits, temperature=temperature),
        rtol=1e-12,
        atol=1e-12,
    )


def test_shift_that_rounds_nothing_changes_no_digit_but_the_last():
    logits = np.array([3.0, -2.0, 0.5])
    assert_allclose(
        sg.softmax(logits + 1024, temperature=1.7),
        sg.softmax(logits, temperature=1.7),
        rtol=4 * np.finfo(float).eps,
    )


@relaxed
@given(oracles.batches(), oracles.temperatures, st.randoms(use_true_random=False))
def test_permutation_of_the_classes(logits, temperature, random):
    order = list(range(logits.shape[-1]))
    random.shuffle(order)
    expected = sg.softmax(logits, temperature=temperature)[:, order]
    assert_allclose(
        sg.softmax(logits[:, order], temperature=temperature), expected, rtol=1e-14
    )
    jacobian = sg.softmax_jacobian(logits, temperature=temperature)[:, order][
        :, :, order
    ]
    permuted = sg.softmax_jacobian(logits[:, order], temperature=temperature)
    assert_allclose(permuted, jacobian, rtol=1e-13, atol=1e-300)


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_log_softmax_is_the_logarithm_of_softmax(logits, temperature):
    probs = np.exp(sg.log_softmax(logits, temperature=temperature))
    assert_allclose(probs, sg.softmax(logits, temperature=temperature), rtol=1e-12)


@relaxed
@given(oracles.batches(), oracles.temperatures, oracles.numbers(0.1, 10))
def test_only_the_ratio_of_logits_and_temperature_matters(logits, temperature, factor):
    """softmax(c z / (c T)) = softmax(z/T), and J is 1/c times as large."""
    probs = sg.softmax(factor * logits, temperature=factor * temperature)
    assert_allclose(
        probs, sg.softmax(logits, temperature=temperature), rtol=1e-11, atol=1e-15
    )
    jacobian = factor * sg.softmax_jacobian(
        factor * logits, temperature=factor * temperature
    )
    expected = sg.softmax_jacobian(logits, temperature=temperature)
    assert_allclose(jacobian, expected, rtol=1e-11, atol=1e-15)


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_temperature_divides_the_logits(logits, temperature):
    scaled = sg.softmax(logits / temperature)
    assert_allclose(
        sg.softmax(logits, temperature=temperature), scaled, rtol=1e-11, atol=1e-15
    )


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_log_probabilities_are_logits_too(logits, temperature):
    """softmax(log q / T) = softmax(z/T): logits can be read off a softmax."""
    again = sg.softmax(sg.log_softmax(logits), temperature=temperature)
    assert_allclose(
        again, sg.softmax(logits, temperature=temperature), rtol=1e-11, atol=1e-15
    )


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_jacobian_is_symmetric(logits, temperature):
    jacobian = sg.softmax_jacobian(logits, temperature=temperature)
    assert_array_equal(jacobian, np.swapaxes(jacobian, -1, -2))


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_jacobian_rows_sum_to_zero(logits, temperature):
    """J 1 = 0: to move all logits together changes nothing."""
    jacobian = sg.softmax_jacobian(logits, temperature=temperature)
    assert_allclose(jacobian.sum(axis=-1) * temperature, 0, atol=1e-15)


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_jacobian_columns_sum_to_zero(logits, temperature):
    """1^T J = 0: the probabilities sum to one wherever the logits are."""
    jacobian = sg.softmax_jacobian(logits, temperature=temperature)
    assert_allclose(jacobian.sum(axis=-2) * temperature, 0, atol=1e-15)


@relaxed
@given(oracles.batches(), oracles.temperatures)
def test_jacobian_eigenvalues(logits, temperature):
    """No eigenvalue is negative, and none is above 1/(2T)."""
    eigenvalues = np.linalg.eigvalsh(
        sg.softmax_jacobian(logits, temperature=temperature)
    )
    assert (eigenvalues * temperature >= -1e-15).all()
    assert (eigenvalues * temperature <= 0.5 + 1e-15).all()


@relaxed
@given(oracles.same_shape((-30, 30), (-5, 5)), oracles.temperatures)
def test_jvp_is_the_jacobian_times_the_tangent(arrays, temperature):
    logits, tangent = arrays
    jacobian = sg.softmax_jacobian(logits, temperature=temperature)
    expected = np.einsum("nij,nj->ni", jacobian, tangent)
    product = sg.softmax_jvp(logits, tangent, temperature=temperature)
    assert_allclose(product * temperature, expected * temperature, atol=1e-14)


@relaxed
@given(oracles.same_shape((-30, 30), (-5, 5)), oracles.temperatures)
def test_vjp_is_the_transpose_times_the_cotangent(arrays, temperature):
    logits, cotangent = arrays
    jacobian = sg.softmax_jacobian(logits, temperature=temperature)
    expected = np.einsum("nij,ni->nj", jacobian, cotangent)
    product = sg.softmax_vjp(logits, cotangent, temperature=temperature)
    assert_allclose(product * temperature, expected * temperature, atol=1e-14)


@relaxed
@given(oracles.same_shape((-30, 30), (-5, 5), (-5, 5)), oracles.temperatures)
def test_products_are_adjoint(arrays, temperature):
    """<g, J u> = <J^T g, u>."""
    logits, tangent, cotangent = arrays
    forward = (
        cotangent * sg.softmax_jvp(logits, tangent, temperature=temperature)
    ).sum()
    reverse = (
        sg.softmax_vjp(logits, cotangent, temperature=temperature) * tangent
    ).sum()
    assert_allclose(forward * temperature, reverse * temperature, atol=1e-12)


@relaxed
@given(oracles.same_shape((-30, 30), (-5, 5)), oracles.temperatures)
def test_log_softmax_vjp_is_the_transpose_of_its_own_jacobian(arrays, temperature):
    """The Jacobian of log-softmax, (I - 1 q^T)/T, is not symmetric."""
    logits, cotangent = arrays
    probs = sg.softmax(logits, temperature=temperature)
    identity = np.eye(logits.shape[-1])
    jacobian = (identity - probs[:, np.newaxis, :]) / temperature
    expected = np.einsum("nij,ni->nj", jacobian, cotangent)
    product = sg.log_softmax_vjp(logits, cotangent, temperature=temperature)
    assert_allclose(product * temperature, expected * temperature, atol=1e-13)


@relaxed
@given(oracles.same_shape((-8, 8), (-5, 5)), oracles.temperatures)
def test_log_softmax_vjp_against_softmax_vjp(arrays, temperature):
    """log q passes g on as g/q: the two products are related by the chain rule."""
    logits, cotangent = arrays
    chained = sg.softmax_vjp(
        logits,
        cotangent / sg.softmax(logits, temperature=temperature),
        temperature=temperature,
    )
    product = sg.log_softmax_vjp(logits, cotangent, temperature=temperature)
    assert_allclose(product * temperature, chained * temperature, atol=1e-12)


# Derivatives.


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 25.0])
@pytest.mark.parametrize("check", [sg.finite_difference, sg.complex_step])
def test_jacobian_is_the_derivative_of_softmax(check, temperature):
    logits = oracles.point(seed=1).logits[0]
    derivative = check(lambda z: sg.softmax(z, temperature=temperature), logits)
    tolerance = 1e-15 if check is sg.complex_step else 1e-9
    jacobian = sg.softmax_jacobian(logits, temperature=temperature)
    assert_allclose(jacobian, derivative, rtol=0, atol=tolerance / temperature)


@pytest.mark.parametrize("check", [sg.finite_difference, sg.complex_step])
def test_log_softmax_vjp_is_the_derivative_of_log_softmax(check):
    logits, _, _, cotangent, _, temperature = oracles.point(seed=2)
    derivative = check(lambda z: sg.log_softmax(z, temperature=temperature), logits[0])
    tolerance = 1e-14 if check is sg.complex_step else 1e-8
    product = sg.log_softmax_vjp(logits[0], cotangent[0], temperature=temperature)
    assert_allclose(product, derivative.T @ cotangent[0], rtol=0, atol=tolerance)


def test_jvp_is_the_derivative_along_a_line():
    logits, _, _, tangent, _, temperature = oracles.point(seed=3)
    along = sg.complex_step(
        lambda s: sg.softmax(logits + s * tangent, temperature=temperature), 0
    )
    assert_allclose(
        sg.softmax_jvp(logits, tangent, temperature=temperature), along, rtol=1e-12
    )


def test_jacobian_is_not_that_of_temperature_one_over_t():
    """J_T is not J_1 / T: q itself depends on T."""
    logits = oracles.point(seed=4).logits[0]
    shrunk = sg.softmax_jacobian(logits) / 3.0
    assert abs(sg.softmax_jacobian(logits, temperature=3.0) - shrunk).max() > 0.01


# Independent oracles.


@pytest.mark.parametrize("temperature", [1e-3, 0.5, 1.0, 3.0, 1e8, 1e300])
@pytest.mark.parametrize("row", HARD_ROWS.values(), ids=HARD_ROWS)
def test_against_mpmath(row, temperature):
    """1e-12: to round z/T moves an exponent of 700 by up to 1e-13."""
    smallest = 5e-324
    for ours, exact in (
        (sg.softmax, oracles.mp_softmax),
        (sg.log_softmax, oracles.mp_log_softmax),
    ):
        expected = exact(row, temperature)
        assert_allclose(
            ours(row, temperature=temperature), expected, rtol=1e-12, atol=2 * smallest
        )


@pytest.mark.parametrize("temperature", [1e-320, 1e-300])
def test_the_tiniest_temperatures(temperature):
    logits = [1e-300, 0.0, -1e-300]
    expected = oracles.mp_softmax(logits, temperature)
    assert_allclose(sg.softmax(logits, temperature=temperature), expected, rtol=1e-12)


def test_jacobian_keeps_its_digits_where_a_class_is_certain():
    """q_1 rounds to 1, so q_1 (1 - q_1) taken literally would be 0."""
    logits = [50.0, 0.0, -1.0]
    probs = oracles.mp_softmax(logits)
    assert probs[0] == 1
    jacobian = sg.softmax_jacobian(logits)
    assert_allclose(jacobian[0, 0], probs[1] + probs[2], rtol=1e-14)


def test_against_autograd():
    logits, _, _, vector, _, temperature = oracles.point(seed=5)
    for row in range(len(logits)):
        jacobian = oracles.autograd_jacobian(oracles.autograd_softmax)(
            logits[row], temperature
        )
        assert_allclose(
            sg.softmax_jacobian(logits[row], temperature=temperature),
            jacobian,
            atol=1e-15,
        )
    for function, product in [
        (oracles.autograd_softmax, sg.softmax_vjp),
        (oracles.autograd_log_softmax, sg.log_softmax_vjp),
    ]:
        vjp, _ = oracles.autograd_vjp(function)(logits, temperature)
        assert_allclose(
            product(logits, vector, temperature=temperature),
            vjp(vector),
            rtol=0,
            atol=1e-14,
        )


@pytest.mark.peers
def test_against_scipy():
    from scipy import special

    logits, temperature = oracles.point(seed=6).logits, 0.3
    scaled = logits / temperature
    assert_allclose(
        sg.softmax(logits, temperature=temperature),
        special.softmax(scaled, axis=-1),
        rtol=1e-13,
    )
    assert_allclose(
        sg.log_softmax(logits, temperature=temperature, axis=0),
        special.log_softmax(scaled, axis=0),
        rtol=1e-12,
    )


@pytest.mark.peers
def test_against_torch():
    import torch

    logits, _, _, cotangent, _, temperature = oracles.point(seed=7)
    pairs = [
        (torch.softmax, sg.softmax_vjp),
        (torch.log_softmax, sg.log_softmax_vjp),
    ]
    for function, product in pairs:
        z = torch.tensor(logits, requires_grad=True)
        function(z / temperature, -1).backward(torch.tensor(cotangent))
        ours = product(logits, cotangent, temperature=temperature)
        assert_allclose(ours, z.grad.numpy(), rtol=0, atol=1e-14)


@pytest.mark.peers
def test_against_jax():
    import jax

    logits, _, _, tangent, _, temperature = oracles.point(seed=8)

    def softmax(z):
        return jax.nn.softmax(z / temperature)

    single = logits.astype(np.float32)
    _, product = jax.jvp(softmax, (single,), (tangent.astype(np.float32),))
    ours = sg.softmax_jvp(logits, tangent, temperature=temperature)
    assert_allclose(ours, product, rtol=0, atol=1e-6)
    jacobian = jax.jacobian(softmax)(single[0])
    expected = sg.softmax_jacobian(logits[0], temperature=temperature)
    assert_allclose(expected, jacobian, rtol=0, atol=1e-6)


# Extremes.


def test_one_class_is_certain():
    assert_array_equal(sg.softmax([[3.0], [-700.0]]), [[1.0], [1.0]])
    assert_array_equal(sg.log_softmax([3.0]), [0.0])
    assert_array_equal(sg.softmax_jacobian([3.0]), [[0.0]])
    assert_array_equal(sg.softmax_jvp([3.0], [2.0]), [0.0])
    assert_array_equal(sg.log_softmax_vjp([3.0], [2.0]), [0.0])


def test_a_masked_class_has_no_part():
    logits, others = [1.0, -np.inf, 0.2, -0.5], [0, 2, 3]
    vector = np.array([0.3, 9.0, -1.0, 2.0])
    kept = np.array(logits)[others]
    probs = sg.softmax(logits, temperature=2.0)
    assert probs[1] == 0
    assert_array_equal(probs[others], sg.softmax(kept, temperature=2.0))
    log_probs = sg.log_softmax(logits, temperature=2.0)
    assert log_probs[1] == -np.inf
    assert_array_equal(log_probs[others], sg.log_softmax(kept, temperature=2.0))
    jacobian = sg.softmax_jacobian(logits, temperature=2.0)
    assert not jacobian[1].any()
    assert not jacobian[:, 1].any()
    assert_allclose(
        jacobian[np.ix_(others, others)],
        sg.softmax_jacobian(kept, temperature=2.0),
        rtol=1e-15,
    )
    product = sg.softmax_vjp(logits, vector, temperature=2.0)
    assert product[1] == 0
    assert_allclose(
        product[others], sg.softmax_vjp(kept, vector[others], temperature=2.0)
    )


def test_a_masked_class_with_complex_logits():
    """-inf + 0j divided by a number is NaN, unless one takes care."""
    logits = np.array([1.0, -np.inf, 0.2])
    moved = logits + np.array([1e-100j, 0, 0])
    derivative = sg.softmax(moved, temperature=2.0).imag / 1e-100
    assert_allclose(
        derivative, sg.softmax_jacobian(logits, temperature=2.0)[:, 0], rtol=1e-15
    )
    log_probs = sg.log_softmax(moved, temperature=2.0)
    assert_allclose(log_probs.real, sg.log_softmax(logits, temperature=2.0), rtol=1e-15)
    assert np.isfinite(log_probs.imag).all()


def test_a_gap_too_large_for_a_float():
    assert_array_equal(sg.softmax([1e308, -1e308]), [1.0, 0.0])
    assert_array_equal(sg.log_softmax([1e308, -1e308]), [0.0, -np.inf])
    assert_array_equal(sg.softmax([1.0, 0.0], temperature=1e-310), [1.0, 0.0])
    assert_array_equal(
        sg.softmax_jacobian([1e308, -1e308], temperature=0.5), np.zeros((2, 2))
    )


def test_a_derivative_too_large_for_a_float_is_infinite():
    """1/(4T) at T = 1e-309 is above the largest float64."""
    jacobian = sg.softmax_jacobian([0.0, 0.0], temperature=1e-309)
    assert_array_equal(jacobian, [[np.inf, -np.inf], [-np.inf, np.inf]])
    assert_array_equal(
        sg.softmax_vjp([0.0, 0.0], [1.0, 0.0], temperature=1e-309), [np.inf, -np.inf]
    )


def test_log_softmax_where_softmax_underflows():
    assert sg.softmax([0.0, 800.0])[0] == 0
    assert_array_equal(sg.log_softmax([0.0, 800.0]), [-800.0, 0.0])


def test_log_softmax_keeps_the_digits_of_a_certain_class():
    """log q_1 = -log(1 + e^-40), which is not 0."""
    assert_allclose(sg.log_softmax([40.0, 0.0])[0], -np.exp(-40.0), rtol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_the_class_axis_can_be_anywhere(axis):
    rng = np.random.default_rng(9)
    logits, vector = rng.normal(size=(2, 2, 3, 4))
    last = np.moveaxis(logits, axis, -1)
    last_vector = np.moveaxis(vector, axis, -1)
    for function in (sg.softmax, sg.log_softmax):
        expected = np.moveaxis(function(last, temperature=1.7), -1, axis)
        assert_allclose(
            function(logits, temperature=1.7, axis=axis), expected, rtol=1e-14
        )
    for function in (sg.softmax_jvp, sg.softmax_vjp, sg.log_softmax_vjp):
        expected = np.moveaxis(function(last, last_vector, temperature=1.7), -1, axis)
        assert_allclose(
            function(logits, vector, temperature=1.7, axis=axis), expected, rtol=1e-13
        )
    assert_allclose(
        sg.softmax_jacobian(logits, temperature=1.7, axis=axis),
        sg.softmax_jacobian(last, temperature=1.7),
        rtol=1e-14,
    )


def test_a_batch_is_its_rows():
    logits, _, _, vector, _, temperature = oracles.point(seed=10)
    for function in (sg.softmax, sg.log_softmax, sg.softmax_jacobian):
        rows = [function(row, temperature=temperature) for row in logits]
        assert_allclose(function(logits, temperature=temperature), rows, rtol=1e-14)
    for function in (sg.softmax_jvp, sg.softmax_vjp, sg.log_softmax_vjp):
        rows = [
            function(*pair, temperature=temperature)
            for pair in zip(logits, vector, strict=True)
        ]
        assert_allclose(
            function(logits, vector, temperature=temperature), rows, rtol=1e-13
        )


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("function", [sg.softmax_vjp, sg.softmax_jvp])
def test_one_huge_entry_of_a_vector_overflows_nothing(function, sign):
    """Products with e^300 would overflow; the results, up to 1e250, do not."""
    rng = np.random.default_rng(7)
    logits, vectors = rng.normal(size=(2, 40, 50))
    vectors[7, 3] = sign * 1e250
    got = function(logits + 300, vectors)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    means = (probs * vectors).sum(axis=1, keepdims=True)
    largest = abs(vectors).max(axis=1, keepdims=True)
    assert (abs(got - probs * (vectors - means)) <= 1e-12 * largest).all()


def test_an_empty_batch():
    logits = np.zeros((0, 3))
    assert sg.softmax(logits).shape == (0, 3)
    assert sg.log_softmax(logits).shape == (0, 3)
    assert sg.softmax_jacobian(logits).shape == (0, 3, 3)
    assert sg.softmax_jvp(logits, logits).shape == (0, 3)
    assert sg.log_softmax_vjp(logits, logits).shape == (0, 3)
