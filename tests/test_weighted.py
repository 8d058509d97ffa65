"""Label smoothing, class and sample weights, and rows that are left out."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import softmax_gradients as sg
from tests.support import formulas, oracles
from tests.support.formulas import LONG
from tests.support.oracles import relaxed

LOG_1234 = np.log([1.0, 2.0, 3.0, 4.0])
REDUCTIONS = ("mean", "sum", "none")


def all_in_one(logits, targets, **kwargs):
    """Return the loss and gradient of the three functions, which must agree."""
    loss = sg.cross_entropy(logits, targets, **kwargs)
    gradient = sg.cross_entropy_gradient(logits, targets, **kwargs)
    both = sg.cross_entropy_value_and_gradient(logits, targets, **kwargs)
    # Without options a few numbers have a way of their own, which rounds otherwise.
    assert_allclose(both[0], loss, rtol=1e-15)
    assert_allclose(both[1], gradient, rtol=1e-15)
    return loss, gradient


# Values by hand, with q = [0.1, 0.2, 0.3, 0.4] in each row.


def test_smoothing_by_hand():
    """eps = 0.4 and C = 4 turn e_2 into t = [0.1, 0.1, 0.7, 0.1]."""
    loss, gradient = all_in_one(LOG_1234, 2, label_smoothing=0.4)
    expected = math.log(10) - 0.1 * math.log(2) - 0.7 * math.log(3) - 0.1 * math.log(4)
    assert_allclose(loss, expected, rtol=1e-14)
    assert_allclose(gradient, [0, 0.1, -0.4, 0.3], rtol=0, atol=1e-15)


def test_smoothing_of_targets_by_hand():
    """(1 - eps) t + eps/C, where the targets sum to two: t = [1.3, 0.1, 0.1, 0.1]."""
    loss, gradient = all_in_one(LOG_1234, [2.0, 0, 0, 0], label_smoothing=0.4)
    expected = 1.6 * math.log(10) - 0.1 * math.log(24)
    assert_allclose(loss, expected, rtol=1e-14)
    assert_allclose(gradient, [-1.14, 0.22, 0.38, 0.54], rtol=1e-14)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 3.0])
def test_class_weights_by_hand(temperature):
    """Labels 3, 1 of weights 5, 1: the sum is over 6, not over two rows."""
    logits = temperature * np.array([LOG_1234, LOG_1234])
    weights = {"class_weights": [2.0, 1.0, 7.0, 5.0], "temperature": temperature}
    losses = [5 * math.log(10 / 4), math.log(10 / 2)]
    rows = np.array([[0.5, 1.0, 1.5, -3.0], [0.1, -0.8, 0.3, 0.4]])
    for reduction, loss, divisor in [
        ("none", losses, 1),
        ("sum", sum(losses), 1),
        ("mean", sum(losses) / 6, 6),
    ]:
        ours, gradient = all_in_one(logits, [3, 1], reduction=reduction, **weights)
        assert_allclose(ours, loss, rtol=1e-14)
        assert_allclose(gradient * temperature, rows / divisor, rtol=1e-13)


def test_class_weights_of_targets_by_hand():
    """w t = [1, 0, 0, 0.5] and its sum 1.5; the mean is over two rows."""
    logits = [LOG_1234, LOG_1234]
    targets = [[0.5, 0, 0, 0.5], [0, 0, 1.0, 0]]
    loss, gradient = all_in_one(logits, targets, class_weights=[2.0, 1.0, 4.0, 1.0])
    losses = [math.log(10) + 0.5 * math.log(10 / 4), 4 * math.log(10 / 3)]
    assert_allclose(loss, sum(losses) / 2, rtol=1e-14)
    rows = np.array([[-0.85, 0.3, 0.45, 0.1], [0.4, 0.8, -2.8, 1.6]])
    assert_allclose(gradient, rows / 2, rtol=1e-14)


def test_smoothing_with_class_weights_by_hand():
    """eps = 0.5, C = 2, y = 0: w t = [3/4, 3/4] for w = [1, 3], over w_y = 1."""
    logits = np.log([[1.0, 3.0]])
    options = {"label_smoothing": 0.5, "class_weights": [1.0, 3.0]}
    loss, gradient = all_in_one(logits, [0], **options)
    assert_allclose(loss, 0.75 * math.log(4) + 0.75 * math.log(4 / 3), rtol=1e-14)
    assert_allclose(gradient, [[-3 / 8, 3 / 8]], rtol=1e-14)
    loss, gradient = all_in_one(logits, [1], **options)
    # w t = [1/4, 9/4], over w_y = 3.
    expected = (0.25 * math.log(4) + 2.25 * math.log(4 / 3)) / 3
    assert_allclose(loss, expected, rtol=1e-14)
    assert_allclose(gradient, [[3 / 8 / 3, -3 / 8 / 3]], rtol=1e-14)


def test_sample_weights_by_hand():
    """Losses log 10/4 and log 10/2 of weights 1 and 3, for labels and for targets."""
    logits, weights = [LOG_1234, LOG_1234], [1.0, 3.0]
    for targets in ([3, 1], np.eye(4)[[3, 1]]):
        loss, gradient = all_in_one(logits, targets, sample_weights=weights)
        assert_allclose(loss, (math.log(2.5) + 3 * math.log(5)) / 4, rtol=1e-14)
        rows = np.array([[0.1, 0.2, 0.3, -0.6], [0.3, -2.4, 0.9, 1.2]])
        assert_allclose(gradient, rows / 4, rtol=1e-13)


@pytest.mark.parametrize("ignored", [-100, 0, 7])
def test_ignored_rows_by_hand(ignored):
    logits = [LOG_1234, LOG_1234[::-1], LOG_1234]
    labels = [3, ignored, 1]
    row = np.array([[0.1, 0.2, 0.3, -0.6], [0, 0, 0, 0], [0.1, -0.8, 0.3, 0.4]])
    for reduction, loss, divisor in [
        ("none", [math.log(2.5), 0, math.log(5)], 1),
        ("sum", math.log(12.5), 1),
        ("mean", math.log(12.5) / 2, 2),
    ]:
        ours, gradient = all_in_one(
            logits, labels, ignore_index=ignored, reduction=reduction
        )
        assert_allclose(ours, loss, rtol=1e-14)
        assert_allclose(gradient, row / divisor, rtol=1e-13)


def test_an_index_that_no_label_has_changes_nothing():
    point = oracles.point(seed=31)
    expected = all_in_one(point.logits, point.labels)
    found = all_in_one(point.logits, point.labels, ignore_index=-100)
    assert_allclose(found[0], expected[0], rtol=1e-15)
    assert_allclose(found[1], expected[1], rtol=1e-15)


def test_reinforce_by_hand():
    """The action a and the advantage A give -A log q_a, of gradient A (q - e_a)."""
    options = {"sample_weights": [-2.0, 0.5], "allow_negative_weights": True}
    loss, gradient = all_in_one(
        [LOG_1234, LOG_1234], [3, 0], reduction="none", **options
    )
    assert_allclose(loss, [-2 * math.log(2.5), 0.5 * math.log(10)], rtol=1e-14)
    expected = [[-0.2, -0.4, -0.6, 1.2], [-0.45, 0.1, 0.15, 0.2]]
    assert_allclose(gradient, expected, rtol=1e-13)


def test_negative_targets_by_hand():
    """t = [1, -2.5, 0, 0] sums to -1.5, and the mean is over two rows."""
    targets = np.array([[1.0, -2.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    loss, gradient = all_in_one(
        [LOG_1234, LOG_1234], targets, allow_negative_weights=True
    )
    expected = math.log(10) - 2.5 * math.log(5) + math.log(2.5)
    assert_allclose(loss, expected / 2, rtol=1e-14)
    rows = np.array([[-1.15, 2.2, -0.45, -0.6], [0.1, 0.2, 0.3, -0.6]])
    assert_allclose(gradient, rows / 2, rtol=1e-13)


# Beside the definitions, in long double.


class Batch(NamedTuple):
    """Rows at which no wrong formula is right by accident, and their options."""

    logits: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    class_weights: np.ndarray
    sample_weights: np.ndarray


def make_batch(seed=0, rows=5, classes=4):
    """Return a batch whose rows 1 and 3 have the label -100."""
    rng = np.random.default_rng([seed, rows, classes])
    labels = rng.integers(classes, size=rows)
    labels[1::2] = -100
    return Batch(
        rng.normal(scale=2.0, size=(rows, classes)),
        labels,
        rng.uniform(0.1, 1.0, size=(rows, classes)),
        rng.uniform(0.2, 3.0, size=classes),
        rng.uniform(0.2, 3.0, size=rows),
    )


def plainly(logits, targets, temperature, reduction, options):
    """Return the loss and gradient of the definitions, one row after another."""
    classes = logits.shape[-1]
    epsilon = LONG(options.get("label_smoothing", 0))
    class_weights = np.asarray(options.get("class_weights", np.ones(classes)), LONG)
    sample_weights = np.asarray(options.get("sample_weights", np.ones(len(logits))))
    losses, rows, divisor = [], [], LONG(0)
    for z, target, sample_weight in zip(
        logits.astype(LONG), targets, sample_weights.astype(LONG), strict=True
    ):
        if np.ndim(target) == 0 and target == options.get("ignore_index"):
            losses.append(LONG(0))
            rows.append(np.zeros(classes, LONG))
            continue
        t = np.asarray(target, LONG)
        counts = sample_weight
        if t.ndim == 0:
            t = formulas.one_hot(target, classes)
            counts = sample_weight * class_weights[target]
        t = class_weights * ((1 - epsilon) * t + epsilon / classes)
        losses.append(sample_weight * formulas.cross_entropy(z, t, temperature))
        gradient, _ = formulas.cross_entropy_gradient(z, t, temperature)
        rows.append(sample_weight * gradient)
        divisor += counts
    losses, rows = np.array(losses), np.array(rows)
    if reduction == "none":
        return losses, rows
    return (
        (losses.sum(), rows)
        if reduction == "sum"
        else (
            losses.sum() / divisor,
            rows / divisor,
        )
    )


def choices():
    """Yield every combination of the options, by name."""
    names = ("label_smoothing", "class_weights", "sample_weights", "ignore_index")
    for size in range(1, len(names) + 1):
        yield from itertools.combinations(names, size)


def options_of(batch, names, kind):
    """Return the targets and the options of these names."""
    values = {
        "label_smoothing": 0.3,
        "class_weights": batch.class_weights,
        "sample_weights": batch.sample_weights,
        "ignore_index": -100,
    }
    targets = batch.targets
    if kind == "labels":
        targets = batch.labels
        if "ignore_index" not in names:
            targets = np.where(targets == -100, 1, targets)
    return targets, {name: values[name] for name in names}


COMBINATIONS = [
    pytest.param(names, kind, id=f"{kind}-{'-'.join(names)}")
    for names in choices()
    for kind in ("labels", "targets")
    if kind == "labels" or "ignore_index" not in names
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize(("names", "kind"), COMBINATIONS)
def test_every_combination_is_the_definition(names, kind, axis, dtype):
    batch = make_batch()
    logits = batch.logits.astype(dtype)
    targets, options = options_of(batch, names, kind)
    given = targets
    if axis == 0:
        given = targets if kind == "labels" else targets.T
    for temperature, reduction in itertools.product((1.0, 2.0, 3.0), REDUCTIONS):
        expected = plainly(logits, targets, temperature, reduction, options)
        loss, gradient = all_in_one(
            logits.T if axis == 0 else logits,
            given,
            temperature=temperature,
            reduction=reduction,
            axis=axis,
            **options,
        )
        assert loss.dtype == gradient.dtype == dtype
        rounding = 4 * np.finfo(dtype).eps
        assert_allclose(loss, expected[0].astype(float), rtol=rounding)
        assert_allclose(
            gradient.T if axis == 0 else gradient,
            expected[1].astype(float),
            rtol=rounding,
            atol=4 * np.finfo(float).eps * abs(expected[1]).max(),
        )


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_one_row_and_batches_of_two_axes(shape):
    rng = np.random.default_rng(8)
    logits = rng.normal(size=(*shape, 4))
    labels, weights = rng.integers(4, size=shape), rng.uniform(0.5, 2, size=shape)
    options = {"class_weights": [0.5, 1.5, 2.0, 3.0], "label_smoothing": 0.2}
    for reduction in REDUCTIONS:
        loss, gradient = all_in_one(
            logits, labels, sample_weights=weights, reduction=reduction, **options
        )
        flat = all_in_one(
            logits.reshape(-1, 4),
            labels.ravel(),
            sample_weights=weights.ravel(),
            reduction=reduction,
            **options,
        )
        assert_allclose(loss, flat[0].reshape(np.shape(loss)), rtol=1e-15)
        assert_allclose(gradient.reshape(-1, 4), flat[1], rtol=1e-15)


# Derivatives.


@pytest.mark.parametrize("temperature", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("names", "kind"), COMBINATIONS)
def test_the_gradient_is_the_derivative_of_the_loss(
    names, kind, reduction, temperature
):
    batch = make_batch(seed=1)
    targets, options = options_of(batch, names, kind)
    options |= {"reduction": reduction, "temperature": temperature}

    def loss(z):
        return sg.cross_entropy(z, targets, **options)

    gradient = sg.cross_entropy_gradient(batch.logits, targets, **options)
    measured = sg.complex_step(loss, batch.logits)
    assert_allclose(gradient, measured, rtol=0, atol=2e-14)


@pytest.mark.parametrize("name", ["targets", "class_weights", "sample_weights"])
def test_the_gradient_with_negative_weights_is_the_derivative(name):
    batch = make_batch(seed=2)
    weights = np.array([-1.5, 0.7, 2.0, -0.4, 1.1])
    targets, options = batch.targets, {"allow_negative_weights": True}
    if name == "targets":
        targets = batch.targets - 0.5
    else:
        options[name] = weights[: len(getattr(batch, name))]
    assert (targets if name == "targets" else options[name]).min() < 0
    options |= {"reduction": "sum", "temperature": 1.7}
    gradient = sg.cross_entropy_gradient(batch.logits, targets, **options)
    measured = sg.complex_step(
        lambda z: sg.cross_entropy(z, targets, **options), batch.logits
    )
    assert_allclose(gradient, measured, rtol=0, atol=2e-14)
    # A row of gradients sums to zero whatever the signs.
    assert_allclose(gradient.sum(axis=-1), 0, atol=1e-14)


# Properties: what any right implementation keeps.


@st.composite
def weighted_batches(draw):
    """Draw logits, labels of which the first is kept, and options."""
    logits = draw(oracles.batches(-20.0, 20.0))
    rows, classes = logits.shape
    labels = draw(st.lists(st.integers(-1, classes - 1), min_size=rows, max_size=rows))
    labels[0] = max(labels[0], 0)
    weights = st.lists(oracles.numbers(0.1, 4), min_size=rows, max_size=rows)
    of_classes = st.lists(oracles.numbers(0.1, 4), min_size=classes, max_size=classes)
    options = {
        "label_smoothing": draw(st.sampled_from([0.0, 0.1, 0.7])),
        "class_weights": np.array(draw(of_classes)),
        "ignore_index": -1,
        "temperature": draw(oracles.temperatures),
    }
    return logits, np.array(labels), np.array(draw(weights)), options


@relaxed
@given(weighted_batches(), st.integers(1, 3), oracles.numbers(-50, 50))
def test_padding_changes_nothing(batch, more, value):
    logits, labels, weights, options = batch
    before = all_in_one(logits, labels, sample_weights=weights, **options)
    padding = np.full((more, logits.shape[1]), value)
    padding[:, 1:] = -np.inf
    after = all_in_one(
        np.concatenate([logits, padding]),
        np.concatenate([labels, np.full(more, -1)]),
        sample_weights=np.concatenate([weights, np.full(more, 3.0)]),
        **options,
    )
    assert_allclose(after[0], before[0], rtol=1e-14)
    assert_allclose(after[1][: len(logits)], before[1], rtol=1e-14)
    assert_array_equal(after[1][len(logits) :], 0)


@relaxed
@given(weighted_batches(), st.integers(1, 3))
def test_a_split_batch_weighted_rightly_has_the_same_gradient(batch, at):
    """The means of the parts, each times its share of the weights, are the mean."""
    logits, labels, weights, options = batch
    whole = all_in_one(logits, labels, sample_weights=weights, **options)
    counts = weights * options["class_weights"][labels] * (labels != -1)
    loss, gradient = 0.0, np.zeros_like(logits)
    for part in (slice(None, at), slice(at, None)):
        if counts[part].sum() == 0:
            continue
        mean = all_in_one(
            logits[part], labels[part], sample_weights=weights[part], **options
        )
        share = counts[part].sum() / counts.sum()
        loss += share * mean[0]
        gradient[part] = share * mean[1]
    assert_allclose(loss, whole[0], rtol=1e-13)
    assert_allclose(gradient, whole[1], rtol=1e-12, atol=1e-300)


@relaxed
@given(weighted_batches(), st.sampled_from(["class_weights", "sample_weights"]))
def test_the_scale_of_weights_matters_to_a_sum_only(batch, name):
    logits, labels, weights, options = batch
    options["sample_weights"] = weights
    more = options | {name: 3.7 * options[name]}
    mean, scaled = (all_in_one(logits, labels, **some) for some in (options, more))
    assert_allclose(scaled[0], mean[0], rtol=1e-13)
    assert_allclose(scaled[1], mean[1], rtol=1e-12, atol=1e-300)
    total, scaled = (
        all_in_one(logits, labels, reduction="sum", **some) for some in (options, more)
    )
    assert_allclose(scaled[0], 3.7 * total[0], rtol=1e-13)
    assert_allclose(scaled[1], 3.7 * total[1], rtol=1e-12, atol=1e-300)


@relaxed
@given(oracles.same_shape((-20, 20), (0, 3)), oracles.numbers(0, 1))
def test_weights_of_one_are_none(arrays, epsilon):
    """For targets given as weights, the smoothed targets say it all."""
    logits, targets = arrays
    rows, classes = logits.shape
    smoothed = (1 - epsilon) * targets + epsilon / classes
    loss, gradient = all_in_one(
        logits,
        targets,
        label_smoothing=epsilon,
        class_weights=np.ones(classes),
        sample_weights=np.ones(rows),
    )
    expected = all_in_one(logits, smoothed)
    assert_allclose(loss, expected[0], rtol=1e-13)
    assert_allclose(gradient, expected[1], rtol=0, atol=1e-14)


def test_rows_of_whole_weight_are_repeated_rows():
    logits, labels, *_ = make_batch(seed=3)
    labels = np.where(labels == -100, 2, labels)
    counts = [1, 3, 2, 1, 4]
    loss, gradient = all_in_one(logits, labels, sample_weights=counts)
    repeated = np.repeat(np.arange(5), counts)
    expected = all_in_one(logits[repeated], labels[repeated])
    assert_allclose(loss, expected[0], rtol=1e-14)
    rows = np.array([expected[1][repeated == row].sum(axis=0) for row in range(5)])
    assert_allclose(gradient, rows, rtol=1e-13)


# Extremes, and what must not happen.


def test_defaults_given_by_name_change_no_digit():
    point = oracles.point(seed=30)
    for targets in (point.labels, point.targets):
        plain = all_in_one(point.logits, targets)
        named = all_in_one(
            point.logits,
            targets,
            label_smoothing=0.0,
            class_weights=None,
            sample_weights=None,
            ignore_index=None,
            allow_negative_weights=False,
        )
        assert_array_equal(named[0], plain[0])
        assert_array_equal(named[1], plain[1])


def test_a_masked_label_of_an_ignored_row_costs_nothing():
    """Class 0 stands in for the label that is ignored, and here it is masked."""
    logits = np.array([[-np.inf, 1.0, 2.0], [0.5, 0.2, 0.1]])
    for options in ({}, {"label_smoothing": 0.2}):
        loss, gradient = all_in_one(logits, [-1, 2], ignore_index=-1, **options)
        expected = all_in_one(logits[1:], [2], **options)
        assert_allclose(loss, expected[0], rtol=1e-15)
        assert_array_equal(gradient[0], 0)


def test_an_ignored_row_has_no_gradient_where_others_have_an_infinite_one():
    """(q - e_y)/T is too large for a float at the smallest T, and 0 inf is NaN."""
    gradient = sg.cross_entropy_gradient(
        [[1.0, 2.0], [1.0, 2.0]],
        [0, -1],
        ignore_index=-1,
        temperature=1e-310,
    )
    assert_array_equal(gradient, [[-np.inf, np.inf], [0, 0]])


def test_smoothing_gives_a_masked_class_an_infinite_loss_but_a_gradient():
    """A class weight of 0 takes the mask out of the loss."""
    logits = np.array([-np.inf, 0.0, 0.0])
    loss, gradient = all_in_one(logits, 1, label_smoothing=0.3)
    assert loss == np.inf
    assert_allclose(gradient, [-0.1, -0.3, 0.4], rtol=1e-14)
    loss, gradient = all_in_one(
        logits,
        1,
        label_smoothing=0.3,
        class_weights=[0.0, 1.0, 1.0],
    )
    assert_allclose(loss, 0.9 * math.log(2), rtol=1e-14)
    assert_allclose(gradient, [0, -0.35, 0.35], rtol=1e-14)


def test_all_rows_ignored():
    logits = np.array([[1.0, 2.0], [0.5, 0.2]])
    for reduction, loss in (("sum", 0), ("none", [0, 0])):
        ours, gradient = all_in_one(
            logits, [-1, -1], ignore_index=-1, reduction=reduction
        )
        assert_array_equal(ours, loss)
        assert_array_equal(gradient, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="reduction='mean' needs rows whose weights"):
        all_in_one(logits, [-1, -1], ignore_index=-1)


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e300])
def test_weights_of_any_size_have_the_same_mean(size):
    logits = [LOG_1234, LOG_1234]
    loss, gradient = all_in_one(logits, [3, 1], sample_weights=[size, size])
    assert_allclose(loss, math.log(12.5) / 2, rtol=1e-13)
    rows = np.array([[0.1, 0.2, 0.3, -0.6], [0.1, -0.8, 0.3, 0.4]])
    assert_allclose(gradient, rows / 2, rtol=1e-13)


def test_a_confident_label_keeps_its_digits():
    """q_y - 1 is -e^-40 to seventeen digits; 1 - (1 - e^-40) is 0."""
    loss, gradient = all_in_one([40.0, 0.0], 0, class_weights=[2.0, 1.0])
    tail = math.exp(-40) / (1 + math.exp(-40))
    assert_allclose(loss, tail, rtol=1e-15)
    assert_allclose(gradient, [-tail, tail], rtol=1e-15)


def test_arguments_are_not_changed():
    batch = make_batch()
    before = [array.copy() for array in batch]
    all_in_one(
        batch.logits,
        batch.labels,
        label_smoothing=0.1,
        class_weights=batch.class_weights,
        sample_weights=batch.sample_weights,
        ignore_index=-100,
    )
    for array, copy in zip(batch, before, strict=True):
        assert_array_equal(array, copy)


def test_the_gradient_is_written_where_it_is_asked_for():
    batch = make_batch()
    options = {"ignore_index": -100, "label_smoothing": 0.1}
    loss, gradient = all_in_one(batch.logits, batch.labels, **options)
    room, reused = np.empty_like(batch.logits), batch.logits.copy()
    for logits, out in ((batch.logits, room), (reused, reused)):
        found = sg.cross_entropy_value_and_gradient(
            logits, batch.labels, out=out, **options
        )
        assert found[1] is out
        assert_array_equal(found[0], loss)
        assert_array_equal(out, gradient)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_gradient_of_weights_is_written_where_it_is_asked_for(sign, dtype):
    batch = make_batch()
    logits = batch.logits.astype(dtype)
    targets = batch.targets.copy()
    targets[:, 0] *= sign
    options = {"allow_negative_weights": True, "label_smoothing": 0.2}
    loss, gradient = all_in_one(logits, targets, **options)
    room, reused = np.empty_like(logits), logits.copy()
    for scores, out in ((logits, room), (reused, reused)):
        found = sg.cross_entropy_value_and_gradient(scores, targets, out=out, **options)
        assert found[1] is out
        assert_array_equal(found[0], loss)
        assert_array_equal(out, gradient)


def test_one_class_whose_label_is_ignored():
    loss, gradient = all_in_one([[1.0], [2.0]], [0, -1], ignore_index=-1)
    assert loss == 0
    assert_array_equal(gradient, [[0.0], [0.0]])


def test_an_index_that_the_type_of_the_labels_cannot_hold():
    """As a uint8, -100 would be the class 156."""
    logits = np.random.default_rng(12).normal(size=(2, 200))
    labels = np.array([1, 156], np.uint8)
    loss, _ = all_in_one(logits, labels, ignore_index=-100)
    assert_allclose(loss, sg.cross_entropy(logits, labels), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.uint64])
def test_labels_of_any_integer_type(dtype):
    logits = np.array([[2.0, 0.5, -1.0], [0.3, -0.4, 1.5]])
    ignored = 255 if dtype == np.uint8 else 100
    labels = np.array([1, ignored], dtype)
    loss, _ = all_in_one(logits, labels, ignore_index=ignored)
    assert_allclose(loss, sg.cross_entropy(logits[0], 1), rtol=1e-15)


# Bad input.

LOGITS = np.array([[2.0, 0.5, -1.0], [0.3, -0.4, 1.5]])
SOFT = np.array([[0.2, 0.5, 0.3], [0.4, 0.1, 0.5]])


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ([1, 2], {"label_smoothing": -0.1}, "label_smoothing must be from 0 to 1"),
        ([1, 2], {"label_smoothing": 1.1}, "label_smoothing .* got 1.1"),
        ([1, 2], {"label_smoothing": np.nan}, "label_smoothing .* got nan"),
        ([1, 2], {"label_smoothing": [0.1, 0.1]}, "label_smoothing must be from 0"),
        ([1, 2], {"label_smoothing": True}, "label_smoothing must be from 0 to 1"),
        ([1, 2], {"label_smoothing": "0.1"}, "label_smoothing must be from 0 to 1"),
        (
            [1, 2],
            {"class_weights": [1.0, 2.0]},
            r"class_weights must have shape \(3,\), one for each class, got shape \(2",
        ),
        ([1, 2], {"class_weights": 2.0}, r"class_weights .* got shape \(\)"),
        (
            [1, 2],
            {"class_weights": [1, np.inf, 1]},
            r"class_weights must be finite in float64, got inf at index \[1\]",
        ),
        ([1, 2], {"class_weights": [1, np.nan, 1]}, "class_weights must be finite"),
        ([1, 2], {"class_weights": "abc"}, "class_weights must be numbers"),
        ([1, 2], {"class_weights": [1, 2j, 0]}, "class_weights must be real"),
        (
            [1, 2],
            {"class_weights": [1, -2, 1]},
            r"class_weights must not be negative, got -2.0 at index \[1\].*"
            "allow_negative_weights=True",
        ),
        (
            [1, 2],
            {"sample_weights": [1, 2, 3]},
            r"sample_weights must have shape \(2,\), one for each row, got shape \(3",
        ),
        ([1, 2], {"sample_weights": [1, np.nan]}, "sample_weights must be finite"),
        (
            [1, 2],
            {"sample_weights": [1, -2.0]},
            "sample_weights must not be negative, got -2.0",
        ),
        ([1, 2], {"sample_weights": [[1, 2], [3]]}, "sample_weights must be a rectang"),
        ([1, 2], {"ignore_index": 1.0}, "ignore_index must be an integer or None"),
        (
            [1, 2],
            {"ignore_index": True},
            "ignore_index must be an integer or None",
        ),
        ([1, 2], {"ignore_index": [1]}, "ignore_index must be an integer or None"),
        (SOFT, {"ignore_index": -1}, r"ignore_index=-1 needs class indices of shape"),
        ([1.0, 2.0], {"ignore_index": 1}, "ignore_index=1 needs class indices .*float"),
        ([1, -7], {"ignore_index": -1}, r"targets must be class indices .* got -7"),
        ([1, 3], {"ignore_index": -1}, "targets must be class indices .* got 3"),
        ([1, 2], {"allow_negative_weights": 1}, "allow_negative_weights must be one"),
        (-SOFT, {"label_smoothing": 0.1}, "targets must not be negative"),
        (
            [1, 2],
            {"sample_weights": [1, -2.0], "allow_negative_weights": True},
            "reduction='mean' needs rows whose weights are not negative",
        ),
        (
            [1, 2],
            {"sample_weights": [3, -1.0], "allow_negative_weights": True},
            "reduction='mean' needs rows whose weights are not negative",
        ),
        ([1, 2], {"sample_weights": [0, 0]}, "reduction='mean' needs rows whose weigh"),
        (
            [1, 2],
            {"class_weights": [1, 0, 0]},
            r"have a positive, finite sum .* got weights \[0.0, 0.0\]",
        ),
        (
            [1, 2],
            {"sample_weights": [1e308, 1e308]},
            "reduction='mean' needs rows whose weights",
        ),
        (
            SOFT * 1e10,
            {"class_weights": [1e300, 1, 1]},
            "targets times class_weights must have a finite sum in each row",
        ),
        ([1, 2], {"label_smoothing": 0.1, "reduction": "avg"}, "reduction must be one"),
        ([1, 2], {"label_smoothing": 0.1, "temperature": 0}, "temperature must be pos"),
        ([1, 2], {"label_smoothing": 0.1, "axis": 5}, "axis must be an integer"),
    ],
)
def test_bad_input_is_named(targets, options, message):
    for function in (
        sg.cross_entropy,
        sg.cross_entropy_gradient,
        sg.cross_entropy_value_and_gradient,
    ):
        with pytest.raises(ValueError, match=message):
            function(LOGITS, targets, **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_logits_of_an_ignored_row_are_checked_too(bad):
    logits = LOGITS.copy()
    logits[1, 2] = bad
    with pytest.raises(ValueError, match="logits must be finite"):
        sg.cross_entropy_gradient(logits, [0, -1], ignore_index=-1)
    with pytest.raises(ValueError, match="logits must have an unmasked class"):
        sg.cross_entropy_gradient(
            [[1.0, 2.0], [-np.inf, -np.inf]], [0, -1], ignore_index=-1
        )


def test_an_empty_batch():
    empty = np.empty((0, 3))
    labels = np.empty(0, dtype=int)
    loss, gradient = all_in_one(empty, labels, label_smoothing=0.1, reduction="sum")
    assert loss == 0
    assert gradient.shape == (0, 3)
    with pytest.raises(ValueError, match="needs at least one row"):
        sg.cross_entropy(empty, labels, label_smoothing=0.1)


def test_infinite_losses_of_both_signs_have_no_sum():
    logits = np.array([-np.inf, -np.inf, 0.0])
    options = {"allow_negative_weights": True, "reduction": "sum"}
    with pytest.raises(ValueError, match="the loss would be inf - inf"):
        sg.cross_entropy(logits, [1.0, -1.0, 1.0], **options)
    # The gradient exists: q sum(t) - t.
    gradient = sg.cross_entropy_gradient(logits, [1.0, -1.0, 1.0], **options)
    assert_array_equal(gradient, [-1.0, 1.0, 0.0])
    rows = np.array([logits, logits])
    with pytest.raises(ValueError, match="the loss would be inf - inf"):
        sg.cross_entropy(rows, [0, 1], sample_weights=[1.0, -1.0], **options)
    for targets, sign in ((0, -1), ([-1.0, 0.0, 0.0], 1)):
        loss = sg.cross_entropy(logits, targets, sample_weights=sign, **options)
        assert loss == -np.inf


def test_an_out_that_cannot_be_used_is_named():
    with pytest.raises(ValueError, match="out must have shape"):
        sg.cross_entropy_value_and_gradient(
            LOGITS, [0, 1], label_smoothing=0.1, out=np.empty(3)
        )


# The peer whose definition of the mean is followed.


def torch_options(torch, names, batch):
    """Return the options of these names as PyTorch calls them."""
    values = {
        "label_smoothing": ("label_smoothing", 0.3),
        "class_weights": ("weight", torch.tensor(batch.class_weights)),
        "ignore_index": ("ignore_index", -100),
    }
    return dict(values[name] for name in names)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("names", "kind"),
    [case for case in COMBINATIONS if "sample_weights" not in case.values[0]],
)
@pytest.mark.peers
def test_every_combination_is_that_of_torch(names, kind, reduction):
    import torch

    for seed, classes in ((4, 2), (5, 4), (6, 7)):
        batch = make_batch(seed=seed, classes=classes)
        targets, options = options_of(batch, names, kind)
        z = torch.tensor(batch.logits, requires_grad=True)
        theirs = torch.nn.CrossEntropyLoss(
            reduction=reduction, **torch_options(torch, names, batch)
        )(z, torch.tensor(targets))
        theirs.sum().backward()
        ours, gradient = all_in_one(
            batch.logits, targets, reduction=reduction, **options
        )
        assert_allclose(ours, theirs.detach().numpy(), rtol=1e-13)
        assert_allclose(gradient, z.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("names", "kind"), COMBINATIONS)
@pytest.mark.peers
def test_sample_weights_are_the_mean_of_losses_of_torch(names, kind):
    """PyTorch has none: rows are weighted after the loss, and so is the divisor."""
    import torch

    batch = make_batch(seed=7)
    targets, options = options_of(batch, {*names, "sample_weights"}, kind)
    kept = targets != -100 if kind == "labels" else np.ones(len(targets), bool)
    counts = batch.sample_weights * kept
    if kind == "labels" and "class_weights" in names:
        counts = counts * batch.class_weights[np.where(kept, targets, 0)]
    names = [name for name in names if name != "sample_weights"]
    z = torch.tensor(batch.logits, requires_grad=True)
    losses = torch.nn.functional.cross_entropy(
        z,
        torch.tensor(targets),
        reduction="none",
        **torch_options(torch, names, batch),
    )
    mean = (torch.tensor(batch.sample_weights) * losses).sum() / counts.sum()
    mean.backward()
    ours, gradient = all_in_one(batch.logits, targets, **options)
    assert_allclose(ours, float(mean.detach()), rtol=1e-13)
    assert_allclose(gradient, z.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.peers
def test_a_mean_that_is_refused_is_nan_in_torch():
    import torch

    weights = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
    for options in ({"weight": weights}, {"ignore_index": 0}):
        loss = torch.nn.functional.cross_entropy(
            torch.tensor(LOGITS), torch.tensor([0, 0]), **options
        )
        assert np.isnan(float(loss))


@pytest.mark.parametrize("kind", ["labels", "targets"])
@pytest.mark.peers
def test_smoothing_and_weights_are_those_of_jax(kind):
    """In float32, with the formula in operations that JAX differentiates."""
    import jax

    batch = make_batch(seed=8)
    names = ("label_smoothing", "class_weights", "sample_weights", "ignore_index")
    targets, options = options_of(batch, names if kind == "labels" else names[:3], kind)
    rows, classes = batch.logits.shape
    kept, counts = np.ones(rows), batch.sample_weights
    soft = targets
    if kind == "labels":
        kept = targets != -100
        soft = np.eye(classes)[np.where(kept, targets, 0)]
        counts = counts * kept * (soft @ batch.class_weights)
    weights = batch.class_weights * (0.7 * soft + 0.3 / classes)

    def loss(z):
        losses = -(weights * jax.nn.log_softmax(z)).sum(axis=-1)
        return (batch.sample_weights * kept * losses).sum() / counts.sum()

    theirs, slope = jax.value_and_grad(loss)(batch.logits.astype(np.float32))
    ours, gradient = all_in_one(batch.logits, targets, **options)
    assert_allclose(ours, theirs, rtol=1e-5)
    assert_allclose(gradient, slope, rtol=0, atol=1e-6)
