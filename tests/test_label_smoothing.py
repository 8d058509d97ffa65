"""label_smoothing: the targets of both conventions and the conversion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import softmax_gradients as sg
from tests.support.oracles import autograd_cross_entropy, autograd_gradient, numbers

CONVENTIONS = ("uniform", "others")


def test_values_by_hand():
    # 0.2/4 = 0.05 everywhere, and the label keeps 0.8 on top of its share.
    uniform = sg.smooth_labels([2, 0], 4, 0.2)
    np.testing.assert_allclose(
        uniform, [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]], atol=1e-16
    )
    # 0.3/3 = 0.1 for each of the three others, 0.7 left.
    others = sg.smooth_labels([1], 4, 0.3, convention="others")
    np.testing.assert_allclose(others, [[0.1, 0.7, 0.1, 0.1]], atol=1e-16)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_epsilon_zero_is_one_hot(convention):
    targets = sg.smooth_labels([[2, 0], [1, 1]], 3, 0.0, convention=convention)
    np.testing.assert_array_equal(targets, np.eye(3)[[[2, 0], [1, 1]]])


def test_epsilon_one():
    np.testing.assert_array_equal(sg.smooth_labels([1], 4, 1.0), [[0.25] * 4])
    others = sg.smooth_labels([1], 3, 1.0, convention="others")
    np.testing.assert_array_equal(others, [[0.5, 0, 0.5]])


def test_one_label_gives_one_row():
    np.testing.assert_allclose(sg.smooth_labels(1, 2, 0.1), [0.05, 0.95])


def test_one_class_keeps_all_weight():
    np.testing.assert_array_equal(sg.smooth_labels([0, 0], 1, 0.3), [[1], [1]])


def test_an_empty_batch_is_allowed():
    empty = np.empty(0, dtype=int)
    assert sg.smooth_labels(empty, 3, 0.1).shape == (0, 3)


def test_the_labels_are_not_changed():
    labels = np.array([0, 2], dtype=np.uint8)
    sg.smooth_labels(labels, 3, 0.1)
    np.testing.assert_array_equal(labels, [0, 2])


@given(st.integers(2, 50), numbers(0, 1), st.sampled_from(CONVENTIONS), st.data())
def test_rows_are_distributions_of_the_stated_form(classes, epsilon, convention, data):
    label = data.draw(st.integers(0, classes - 1))
    targets = sg.smooth_labels(label, classes, epsilon, convention=convention)
    assert (targets >= 0).all()
    assert targets.sum() == pytest.approx(1, abs=1e-14)
    uniform = np.full(classes, 1 / classes)
    one_hot = np.eye(classes)[label]
    spread = uniform if convention == "uniform" else (1 - one_hot) / (classes - 1)
    mixture = (1 - epsilon) * one_hot + epsilon * spread
    np.testing.assert_allclose(targets, mixture, rtol=0, atol=1e-15)


@given(st.integers(2, 50), numbers(0, 1), st.data())
def test_the_converted_epsilon_gives_the_same_targets(classes, epsilon, data):
    label = data.draw(st.integers(0, classes - 1))
    uniform = sg.smooth_labels(label, classes, epsilon)
    other = sg.convert_epsilon(epsilon, classes, to="others")
    others = sg.smooth_labels(label, classes, other, convention="others")
    np.testing.assert_allclose(uniform, others, rtol=0, atol=1e-15)


@given(st.integers(2, 50), numbers(0, 0.999))
def test_the_two_conversions_are_inverse(classes, epsilon):
    there = sg.convert_epsilon(epsilon, classes, to="others")
    back = sg.convert_epsilon(there, classes, to="uniform")
    assert back == pytest.approx(epsilon, rel=1e-14)


def test_conversions_by_hand():
    assert sg.convert_epsilon(0.1, 10, to="others") == pytest.approx(0.09)
    assert sg.convert_epsilon(0.3, 4, to="uniform") == pytest.approx(0.4)
    # The largest: all the weight of "uniform" puts (C - 1)/C on the others.
    assert sg.convert_epsilon(0.75, 4, to="uniform") == 1
    assert sg.convert_epsilon(1, 4, to="others") == 0.75


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_gradient_of_the_smoothed_loss(convention):
    logits = np.array([[2.0, 0.5, -1.0, 1.2], [0.3, -0.4, 1.5, 0.0]])
    targets = sg.smooth_labels([2, 1], 4, 0.3, convention=convention)
    gradient = sg.cross_entropy_gradient(
        logits, targets, temperature=2.0, reduction="sum"
    )
    measured = autograd_gradient(autograd_cross_entropy)(logits, targets, 2.0)
    np.testing.assert_allclose(gradient, measured, rtol=1e-13)


@pytest.mark.peers
def test_like_pytorch():
    import torch

    logits = np.array([[2.0, 0.5, -1.0, 1.2], [0.3, -0.4, 1.5, 0.0]])
    theirs = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor([2, 1]), label_smoothing=0.3
    )
    ours = sg.cross_entropy(logits, sg.smooth_labels([2, 1], 4, 0.3))
    assert ours == pytest.approx(float(theirs), rel=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([4], 4, 0.1), "labels must be class indices from 0 to 3, got 4"),
        (([-1], 4, 0.1), "labels must be class indices"),
        (([0.5], 4, 0.1), "labels without a class axis must be class indices"),
        (([0], 4, -0.1), "epsilon must be from 0 to 1, got -0.1"),
        (([0], 4, 1.1), "epsilon must be from 0 to 1, got 1.1"),
        (([0], 4, np.nan), "epsilon must be from 0 to 1, got nan"),
        (([0], 4, [0.1]), "epsilon must be from 0 to 1"),
        (([0], 4, True), "epsilon must be from 0 to 1"),
        (([0], 0, 0.1), "number_of_classes must be an integer of at least 1, got 0"),
        (([0], 4.0, 0.1), "number_of_classes must be an integer"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        sg.smooth_labels(*arguments)


def test_ragged_labels_are_named():
    with pytest.raises(ValueError, match="labels must be a rectangular array"):
        sg.smooth_labels([[0, 1], [2]], 4, 0.1)


def test_others_needs_another_class():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        sg.smooth_labels([0], 1, 0.1, convention="others")


def test_an_unknown_convention_is_named():
    with pytest.raises(
        ValueError, match="convention must be one of 'uniform', 'others'"
    ):
        sg.smooth_labels([0], 4, 0.1, convention="both")
    with pytest.raises(
        ValueError, match="to must be one of 'uniform', 'others', got 'x'"
    ):
        sg.convert_epsilon(0.1, 4, to="x")


@pytest.mark.parametrize(
    ("arguments", "to", "message"),
    [
        ((0.8, 4), "uniform", "epsilon must be at most 3/4"),
        ((1.5, 4), "others", "epsilon must be from 0 to 1"),
        ((0.1, 1), "others", "number_of_classes must be an integer of at least 2"),
    ],
)
def test_what_cannot_be_converted_is_named(arguments, to, message):
    with pytest.raises(ValueError, match=message):
        sg.convert_epsilon(*arguments, to=to)
