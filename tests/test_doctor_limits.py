"""The doctor's constants: how much rounding it allows, and the examples it shows."""

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients.doctor import diagnose
from softmax_gradients.doctor._examination import Caller, Patient, Question
from softmax_gradients.doctor._example import LOGITS, SECONDS
from softmax_gradients.doctor._invariants import SUMS_TO_ONE, invariants
from softmax_gradients.doctor._objects import plain
from softmax_gradients.doctor._probes import Probe, forms_of
from softmax_gradients.doctor._readings import Reading
from softmax_gradients.doctor._signature import Binding
from softmax_gradients.mistakes._steps import SECOND_ARGUMENT

BATCH = np.array([[0.3, 1.1, -0.7, 0.2], [2.0, -0.4, 0.1, 1.2]])


# Half precision has 11 binary digits, and a chain of operations loses a few of them.
@pytest.mark.parametrize(
    ("dtype", "allowed", "too_much"),
    [
        (np.float16, 0.02, 0.05),
        (np.float32, 0.0007, 0.0017),
        (np.float64, 0.7e-6, 1.7e-6),
    ],
)
def test_the_error_that_is_taken_for_rounding_grows_with_the_unit(
    dtype, allowed, too_much
):
    def times(factor):
        return lambda z: (factor * sg.softmax(z)).astype(dtype)

    assert diagnose(times(1 - allowed), "softmax").ok
    assert not diagnose(times(1 - too_much), "softmax").ok


def caller(function, kind):
    second = None if SECOND_ARGUMENT[kind] is None else 1
    return Caller(
        Patient(None),
        plain(function),
        Reading(Binding(0, second), "mean"),
        Question(kind, forms_of(kind), seed=0, sequences=False, strict=True),
    )


@pytest.mark.parametrize(
    ("dtype", "allowed", "too_much"),
    [(np.float32, 0.007, 0.015), (np.float64, 7e-6, 15e-6)],
)
def test_a_property_allows_ten_times_as_much(dtype, allowed, too_much):
    def holds(factor):
        def function(z):
            return (factor * sg.softmax(z)).astype(dtype)

        return invariants(caller(function, "softmax"), Probe("", BATCH, None, 1.0))

    assert holds(1 - allowed)[SUMS_TO_ONE]
    assert not holds(1 - too_much)[SUMS_TO_ONE]


def test_no_property_is_said_to_be_broken_where_an_entry_is_nan():
    def one_is_nan(z):
        result = sg.softmax(z)
        result[0, 0] = np.nan
        return result

    probe = Probe("", BATCH, None, 1.0)
    assert invariants(caller(sg.softmax, "softmax"), probe)[SUMS_TO_ONE]
    assert invariants(caller(one_is_nan, "softmax"), probe) == {}


def test_a_result_of_zero_is_compared_with_a_thousandth():
    """Zero has no size of its own: an error up to 10^-8 is taken for rounding."""
    zero = "it should be zero where the student agrees with the teacher"

    def holds(error):
        def function(z, v):
            return sg.kl_divergence_gradient(z, v) + error

        probe = Probe("", BATCH, BATCH[::-1] / 2, 1.0)
        return invariants(caller(function, "kl_divergence_gradient"), probe)[zero]

    assert holds(0.7e-8)
    assert not holds(1.5e-8)


@pytest.mark.parametrize(
    ("kind", "form", "right"),
    [
        ("vjp", "", sg.softmax_vjp),
        ("log_softmax_vjp", "", sg.log_softmax_vjp),
        ("gradient", "weights", sg.cross_entropy_gradient),
        ("loss", "weights", sg.cross_entropy),
    ],
)
def test_linearity_is_asked_of_a_cotangent_and_of_weights(kind, form, right):
    probe = Probe("", BATCH, abs(BATCH[::-1]), 1.0, form)
    name = f"it should be linear in the {'targets' if form else 'cotangent'}"
    held = invariants(caller(right, kind), probe)
    assert held[name]
    held = invariants(caller(lambda z, t: right(z, t**2), kind), probe)
    assert not held[name]


def test_linearity_is_not_asked_of_targets_that_sum_to_one():
    targets = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.5, 0.25, 0.0]])
    probe = Probe("", BATCH, targets, 1.0, "distribution")
    held = invariants(caller(sg.cross_entropy_gradient, "gradient"), probe)
    assert held
    assert not any("linear" in name for name in held)


def test_the_second_arguments_of_the_examples_are_what_they_are_called():
    assert LOGITS.size == SECONDS["distribution"].size == SECONDS["weights"].size
    assert SECONDS["distribution"].sum() == pytest.approx(1, abs=1e-15)
    assert (SECONDS["distribution"] > 0).all()
    assert len(set(SECONDS["distribution"])) == LOGITS.size
    assert SECONDS["weights"].sum() == 2
    assert sorted(SECONDS["one-hot"]) == [0, 0, 1]
    assert SECONDS["one-hot"].argmax() == SECONDS["indices"]
    # The target is neither the largest logit nor the smallest.
    assert np.argsort(LOGITS)[1] == SECONDS["indices"]
    assert SECONDS["teacher_logits"].argmax() != LOGITS.argmax()
