"""The high-temperature limit of a distillation gradient, and the bound on its error."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import softmax_gradients as sg
from tests.support.oracles import relaxed
from tests.support.teachers import (
    LIMITS,
    V,
    Z,
    exact,
    mp_bound,
    mp_error,
)

INF = np.inf


def test_limit_by_hand():
    z, v = [3, 0, 0], [0, 0, 3]  # centred: (2, -1, -1) and (-1, -1, 2)
    first = np.array([0.01, 0.0, -0.01])
    np.testing.assert_allclose(
        sg.high_temperature_limit(z, v, temperature=10.0), first, rtol=1e-14, atol=1e-18
    )
    second = np.array([5e-4, 0.0, -5e-4])
    np.testing.assert_allclose(
        sg.high_temperature_limit(z, v, temperature=10.0, order=2),
        first + second,
        rtol=1e-14,
        atol=1e-18,
    )


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [([0, 0, 3], 9 + 9), ([2, 0, 0], 1 * (3 + 2)), ([4, 1, 1], 0)],
    ids=["apart", "near", "shifted"],
)
def test_bound_by_hand(teacher, expected):
    bound = sg.high_temperature_error_bound([3, 0, 0], teacher, temperature=10.0)
    assert bound == pytest.approx(expected / (12 * math.sqrt(3) * 1000), rel=1e-14)


def slope(z, v, order):
    """Return d log(error)/d log(T) between T = 1e6 and T = 1e8."""
    with mpmath.workdps(60):
        low, high = (
            mp_error(exact(z), exact(v), mpmath.mpf(10) ** k, order) for k in (6, 8)
        )
        return float(mpmath.log(high / low) / mpmath.log(100))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shift", [0.0, 5.0], ids=["equal-means", "unequal-means"])
def test_the_error_is_one_order_smaller_for_each_term(seed, shift):
    rng = np.random.default_rng(seed)
    z, v = rng.normal(size=(2, 5))
    z = z - z.mean() + v.mean() + shift
    assert slope(z, v, 1) == pytest.approx(-3, abs=1e-4)
    assert slope(z, v, 2) == pytest.approx(-4, abs=1e-4)


def test_equal_means_are_enough_and_zero_means_are_not_needed():
    shared_mean = Z - Z.mean() + V.mean()
    assert abs(V.mean()) > 0.5
    np.testing.assert_allclose(
        (shared_mean - V) / (4 * 50.0**2),
        sg.high_temperature_limit(shared_mean, V, temperature=50.0),
        rtol=1e-12,
    )


def test_without_centring_the_relative_error_does_not_vanish():
    """It tends to sqrt(C) |difference of the means| over ||z~ - v~||."""
    student = Z + 3.0
    gap = student - V
    expected = 2 * abs(gap.mean()) / np.linalg.norm(gap - gap.mean())
    assert expected > 2
    for temperature in (1e3, 1e6):
        uncentred = gap / (4 * temperature**2)
        gradient = sg.kl_divergence_gradient(student, V, temperature=temperature)
        error = np.linalg.norm(uncentred - gradient) / np.linalg.norm(gradient)
        assert error == pytest.approx(expected, rel=10 / temperature)
        assert abs(uncentred.sum()) > 0.5 * abs(uncentred).max()
        limit = sg.high_temperature_limit(student, V, temperature=temperature)
        assert np.linalg.norm(limit - gradient) / np.linalg.norm(gradient) < (
            10 / temperature
        )


def _rounded(number):
    return round(number, 6)


rows_of_logits = st.integers(2, 8).flatmap(
    lambda classes: st.tuples(
        # 50 digits tell the two sides apart: no differences of 1e-40.
        *[
            st.lists(
                st.floats(-20, 20).map(_rounded), min_size=classes, max_size=classes
            )
        ]
        * 2
    )
)


@relaxed
@given(rows_of_logits, st.floats(-1, 5))
@example(([1.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 5), 0.878)
@example(([20.0, -20.0], [-20.0, 20.0]), 0.0)
@example(([1.0, 1e-6, 0.0], [1.0, 0.0, 0.0]), 0.3)
def test_the_bound_holds(logits, exponent):
    with mpmath.workdps(50):
        z, v, temperature = *map(exact, logits), mpmath.mpf(10) ** exponent
        error, bound = mp_error(z, v, temperature), mp_bound(z, v, temperature)
        assert error <= bound
        # What the package returns is this bound, up to rounding.
        computed = sg.high_temperature_error_bound(
            *logits, temperature=float(temperature)
        )
        assert float(computed) == pytest.approx(float(bound), rel=1e-9, abs=1e-300)


def test_the_bound_is_nearly_attained():
    """One logit of five stands out: q_i passes (1 - 1/sqrt(3))/2 on its way."""
    with mpmath.workdps(50):
        z, v = exact([1, 0, 0, 0, 0]), exact([0] * 5)
        temperature = mpmath.mpf("7.5")
        ratio = mp_error(z, v, temperature) / mp_bound(z, v, temperature)
        assert 0.999 < ratio < 1


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_the_second_differential_is_within_the_lemma(classes):
    """Its modulus is at most R_a R_d/(6 sqrt(3)), at random q, a and d."""
    rng = np.random.default_rng(classes)
    logits, a, d = rng.normal(scale=2, size=(3, 20_000, classes))
    a, d = (np.where(rng.random(x.shape) < 0.5, x > 0, x) for x in (a, d))
    q = sg.softmax(logits)
    a, d = (x - (q * x).sum(-1, keepdims=True) for x in (a, d))
    second = q * (a * d - (q * a * d).sum(-1, keepdims=True))
    bound = np.ptp(a, axis=-1) * np.ptp(d, axis=-1) / (6 * math.sqrt(3))
    largest = abs(second).max(axis=-1)
    assert (largest <= bound + 1e-14).all()
    assert (largest > 0.97 * bound)[bound > 0].any()


def test_in_float64_rounding_exceeds_the_bound_at_a_very_high_temperature():
    """This is why the tests above compute in 50 digits."""
    temperature = 1e10
    naive = (
        sg.softmax(Z, temperature=temperature) - sg.softmax(V, temperature=temperature)
    ) / temperature
    error = abs(naive - sg.high_temperature_limit(Z, V, temperature=temperature)).max()
    assert error > sg.high_temperature_error_bound(Z, V, temperature=temperature)


@pytest.mark.parametrize("function", LIMITS)
def test_the_high_temperature_functions_refuse_masked_classes(function):
    with pytest.raises(ValueError, match=r"^logits must be finite, got -inf"):
        function([1.0, -INF], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"^teacher_logits must be finite, got -inf"):
        function([1.0, 0.0], [0.0, -INF])


def test_the_bound_is_above_the_error_where_z_minus_v_rounds_away():
    for dtype in (np.float32, np.float64):
        z = np.array([1000.0, 1000.0], dtype)
        v = np.array([0.0, 1e-6 if dtype is np.float32 else 1e-15], dtype)
        bound = sg.high_temperature_error_bound(z, v, temperature=0.5)
        with mpmath.workdps(50):
            exact_bound = mp_error(exact(z), exact(v), mpmath.mpf(0.5))
        assert bound.dtype == dtype
        assert 0 < exact_bound <= float(bound)


@relaxed
@given(rows_of_logits, st.floats(-1, 5), st.sampled_from([np.float32, np.float64]))
def test_the_computed_bound_is_not_below_the_exact_one(logits, exponent, dtype):
    z, v = (np.array(row, dtype) for row in logits)
    temperature = 10.0**exponent
    computed = sg.high_temperature_error_bound(z, v, temperature=temperature)
    with mpmath.workdps(50):
        assert float(computed) >= mp_bound(exact(z), exact(v), mpmath.mpf(temperature))


def test_the_ends_of_the_range_of_t_give_neither_nan_nor_a_warning():
    for temperature in (5e-324, 1e-300, 1e300, 1.7e308):
        for function in (*LIMITS, sg.high_temperature_error_bound):
            values = function(Z, V, temperature=temperature)
            assert not np.isnan(values).any()
