"""Does a gradient belong to a loss? No formula of the package is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import softmax_gradients as sg

TARGETS = np.array([[0.2, 0.5, 0.1, 0.9], [0.4, 0.1, 0.8, 0.3], [0.7, 0.2, 0.6, 0.1]])
SHAPE = TARGETS.shape


def loss(z):
    return sg.cross_entropy(z, TARGETS, temperature=1.7)


def gradient(z):
    return sg.cross_entropy_gradient(z, TARGETS, temperature=1.7)


def cube(x):
    return (x**3).sum()


def test_by_hand():
    """The sum of cubes at (1, 2, -3): the derivative is (3, 12, 27)."""
    right = sg.compare(cube, lambda x: 3 * x**2, point=[1.0, 2.0, -3.0])
    assert right.agree is True  # a bool of Python, as its type says
    np.testing.assert_allclose(right.derivative, [3.0, 12.0, 27.0], rtol=1e-14)
    assert right.factor is None
    assert right.order == pytest.approx(2, abs=0.05)
    wrong = sg.compare(cube, lambda x: [3.0, 10.0, 27.0], point=[1.0, 2.0, -3.0])
    assert not wrong.agree
    assert wrong.worst == (1,)
    assert (wrong.claimed, wrong.measured) == pytest.approx((10.0, 12.0))
    assert wrong.factor is None
    assert wrong.order == pytest.approx(1, abs=0.1)


def test_the_gradient_of_the_package_belongs_to_its_loss():
    found = sg.compare(loss, gradient)
    assert found.agree
    assert found.method == "complex step"
    assert found.point.shape == SHAPE
    assert "is the derivative of your loss" in str(found)


@pytest.mark.parametrize("seed", range(3))
def test_other_points(seed):
    found = sg.compare(loss, gradient, seed=seed)
    assert found.agree
    assert not np.array_equal(found.point, sg.compare(loss, gradient, seed=9).point)


@given(st.floats(-5, 5).filter(lambda factor: abs(factor) > 1e-3))
def test_a_factor_is_found(factor):
    found = sg.compare(loss, lambda z: factor * gradient(z))
    if abs(factor - 1) > 1e-6:
        assert not found.agree
        assert found.factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (3, "3 times the derivative of your loss: the number of rows."),
        (1 / 3, "0.333333 times the derivative of your loss: one over the number of r"),
        (4, "the number of columns."),
        (-0.25, "-0.25 times the derivative of your loss: minus one over the number o"),
        (-1, "-1 times the derivative of your loss."),
        (2.5, "2.5 times the derivative of your loss."),
        (0, "Your gradient is zero, and the derivative of your loss is not."),
    ],
)
def test_a_factor_is_put_in_words(factor, words):
    assert words in str(sg.compare(loss, lambda z: factor * gradient(z)))


def test_a_vector_has_no_rows():
    found = sg.compare(cube, lambda x: 9 * x**2, point=[1.0, 2.0, -3.0])
    assert str(found).startswith(
        "Your gradient is 3 times the derivative of your loss."
    )


def test_one_wrong_entry_among_many():
    def wrong(z):
        found = gradient(z)
        found[1, 2] += 1e-6
        return found

    found = sg.compare(loss, wrong)
    assert not found.agree
    assert found.worst == (1, 2)
    assert found.claimed - found.measured == pytest.approx(1e-6, rel=1e-6)
    assert "is not the derivative of your loss" in repr(found)


def test_a_gradient_of_another_loss():
    def other(z):
        return sg.cross_entropy_gradient(z, TARGETS[::-1], temperature=1.7)

    found = sg.compare(loss, other)
    assert not found.agree
    assert found.factor is None


def naive(z):
    """A loss that takes no complex numbers: math works on each float."""
    e = np.array([[np.exp(float(x)) for x in row] for row in z])
    return float(-(TARGETS * np.log(e / e.sum(axis=1, keepdims=True))).sum())


def modulus(z):
    """Real for a complex point, so a complex step would find a derivative of 0."""
    return (np.abs(z) ** 2 + 0j).sum() if np.iscomplexobj(z) else (z**2).sum()


def silent(z):
    return (z.real**2).sum()


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (naive, lambda z: sg.cross_entropy_gradient(z, TARGETS, reduction="sum")),
        (modulus, lambda z: 2 * z),
        (silent, lambda z: 2 * z),
        (lambda z: (z**2).sum() if z.dtype == float else np.nan * z.sum(), np.add),
    ],
)
def test_differences_where_a_complex_step_does_not_apply(function, derivative):
    if derivative is np.add:
        derivative = lambda z: z + z  # noqa: E731
    found = sg.compare(function, derivative)
    assert found.agree
    assert found.method == "central differences"
    assert "by central differences" in str(found)
    assert not sg.compare(function, lambda z: 1.001 * derivative(z)).agree


@pytest.mark.parametrize(("precision", "off"), [(np.float32, 1.05), (np.float16, 1.5)])
def test_less_precise_losses(precision, off):
    def rounded(z):
        return precision((z.astype(precision) ** 2).sum())

    assert sg.compare(rounded, lambda z: 2 * z).agree
    assert not sg.compare(rounded, lambda z: off * 2 * z).agree


def test_a_gradient_in_float32_may_round():
    assert sg.compare(loss, lambda z: gradient(z).astype(np.float32)).agree


@pytest.mark.parametrize(
    ("precision", "allowed", "too_much"),
    [
        (np.float16, 7e-3, 1.7e-2),
        (np.float32, 0.7e-4, 1.7e-4),
        (np.float64, 0.7e-9, 1.7e-9),
    ],
)
def test_how_much_a_gradient_may_round(precision, allowed, too_much):
    """By its own type; the loss is in float64, with a complex step."""

    def times(factor):
        return lambda z: (factor * gradient(z)).astype(precision)

    assert sg.compare(loss, times(1 - allowed)).agree
    assert not sg.compare(loss, times(1 - too_much)).agree


def test_a_factor_is_that_of_every_entry():
    """The derivative is (0, 3, 12): an entry of 0 has any factor."""
    point = [0.0, 1.0, 2.0]
    assert sg.compare(cube, lambda x: 6 * x**2, point=point).factor == pytest.approx(2)
    assert sg.compare(cube, lambda x: [0.0, 6.0, 36.0], point=point).factor is None


def test_at_a_minimum_both_are_rounding():
    teacher = np.array([[0.3, -1.2, 2.0], [1.0, 0.2, -0.4]])
    found = sg.compare(
        lambda z: sg.kl_divergence(z, teacher),
        lambda z: sg.kl_divergence_gradient(z, teacher) + 1e-16,
        point=teacher,
    )
    assert found.agree
    off = sg.compare(
        lambda z: sg.kl_divergence(z, teacher),
        lambda z: sg.kl_divergence_gradient(z, teacher) + 1e-6,
        point=teacher,
    )
    assert not off.agree
    assert off.factor is None


def test_a_loss_far_from_zero_is_rounded_more():
    """At 1e7 a float64 has 9 digits after the point: differences see about 3."""
    right = sg.cross_entropy_gradient(np.zeros(SHAPE), TARGETS, reduction="sum")
    found = sg.compare(lambda z: 1e7 + naive(z), lambda z: right, point=np.zeros(SHAPE))
    assert found.method == "central differences"
    assert found.agree
    assert found.tolerance > 1e-4
    assert not sg.compare(
        lambda z: 1e7 + naive(z), lambda z: 1.1 * right, point=np.zeros(SHAPE)
    ).agree


def test_a_loss_that_is_infinite_a_step_away():
    def walled(x):
        return (x**2).sum() if (np.abs(x - 1) < 0.3).all() else np.inf

    assert sg.compare(walled, lambda x: 2 * x, point=[1.0, 1.0]).agree


def test_a_loss_that_is_an_integer_here():
    found = sg.compare(lambda x: 3, lambda x: 0 * x, shape=(2,))
    assert found.agree
    assert not sg.compare(lambda x: 3, lambda x: x, shape=(2,)).agree


def test_neither_function_can_change_the_point():
    point = np.array([1.0, 2.0])

    def changing(x):
        x *= 2
        return x

    sg.compare(lambda x: changing(x).sum(), lambda x: changing(x) * 0 + 2, point=point)
    assert point.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("function", "derivative", "options", "told"),
    [
        (cube, lambda x: x, {"point": [1j]}, "point must be real"),
        (cube, lambda x: x, {"point": []}, "not empty"),
        (cube, lambda x: x, {"shape": (0, 3)}, r"shape must have entries, got \(0, 3"),
        (lambda x: x, lambda x: x, {}, "function must return one number"),
        (lambda x: np.inf, lambda x: x, {}, "loss must be finite at the point"),
        (cube, lambda x: x[0], {}, "gradient must return real numbers of the point"),
        (cube, lambda x: x + 0j, {}, "got complex128"),
        (cube, lambda x: x * np.nan, {}, "gradient must be finite"),
        (
            lambda x: x[0] if x[0] == 1 else np.nan,
            lambda x: x,
            {"point": [1.0]},
            "loss must be finite near the point",
        ),
    ],
)
def test_bad_input(function, derivative, options, told):
    with pytest.raises(ValueError, match=told):
        sg.compare(function, derivative, **options)


def test_options_are_keywords():
    with pytest.raises(TypeError, match="must be given by keyword"):
        sg.compare(cube, cube, [1.0])
