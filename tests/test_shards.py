"""Split losses that are right are passed, and the fault of each wrong one is named."""

import numpy as np
import pytest

import softmax_gradients as sg

check = sg.assert_shard_invariant


def starts_of(shards):
    return np.cumsum([0, *(shard.shape[1] for shard in shards[:-1])])


def pair(shards):
    """Return the maximum and the scaled sum of all parts, one number a row each."""
    peak = np.max([shard.max(axis=1) for shard in shards], axis=0)
    sums = [np.exp(shard - peak[:, None]).sum(axis=1) for shard in shards]
    return peak, np.sum(sums, axis=0)


def at_labels(shards, labels):
    """Return which rows have their label in each part, and its place there."""
    for shard, start in zip(shards, starts_of(shards), strict=True):
        rows = np.flatnonzero((labels >= start) & (labels < start + shard.shape[1]))
        yield rows, labels[rows] - start


def right(shards, labels):
    peak, total = pair(shards)
    target, gradients = np.zeros(len(labels)), []
    for shard, (rows, local) in zip(shards, at_labels(shards, labels), strict=True):
        target[rows] += shard[rows, local]
        gradient = np.exp(shard - peak[:, None]) / total[:, None]
        gradient[rows, local] -= 1
        gradients.append(gradient / len(labels))
    return np.mean(peak + np.log(total) - target), gradients


def right_one_class_after_another(shards, labels):
    """Read every class once, in the order of the parts: the pairs are merged."""
    peak, total = np.full(len(labels), -np.inf), np.zeros(len(labels))
    for shard in shards:
        for column in shard.T:
            larger = np.maximum(peak, column)
            shift = np.where(np.isneginf(larger), 0, larger)
            total = total * np.exp(peak - shift) + np.exp(column - shift)
            peak = larger
    whole = np.concatenate(shards, axis=1)
    rows = np.arange(len(labels))
    log_q = whole - (peak + np.log(total))[:, None]
    gradient = np.exp(log_q)
    gradient[rows, labels] -= 1
    pieces = np.split(gradient / len(labels), starts_of(shards)[1:], axis=1)
    return -log_q[rows, labels].mean(), tuple(pieces)


def right_weights(shards, weights):
    peak, total = pair(shards)
    log_total = (peak + np.log(total))[:, None]
    mass = weights.sum(axis=1, keepdims=True)
    loss, gradients = 0.0, []
    for shard, t in zip(
        shards, np.split(weights, starts_of(shards)[1:], 1), strict=True
    ):
        known = np.where(t > 0, shard - log_total, 0)
        loss -= (t * known).sum()
        gradients.append((mass * np.exp(shard - log_total) - t) / len(weights))
    return loss / len(weights), gradients


def smoothed(epsilon, convention):
    """Return a right function of class indices that smooths them."""

    def loss(shards, labels):
        classes = sum(shard.shape[1] for shard in shards)
        weights = sg.smooth_labels(labels, classes, epsilon, convention=convention)
        return right_weights(shards, weights)

    return loss


def at_temperature(function, temperature):
    def loss(shards, targets):
        value, gradients = function([z / temperature for z in shards], targets)
        return value, [gradient / temperature for gradient in gradients]

    return loss


def reduced(function, reduction):
    """Return a function for "sum" or "none" from one for the mean."""

    def loss(shards, targets):
        count = len(targets)
        _, gradients = function(shards, targets)
        gradients = [count * gradient for gradient in gradients]
        if reduction == "sum":
            return count * function(shards, targets)[0], gradients
        return np.array(
            [
                function([z[[row]] for z in shards], targets[[row]])[0]
                for row in range(count)
            ]
        ), gradients

    return loss


def in_float32(shards, labels):
    value, gradients = right([z.astype(np.float32) for z in shards], labels)
    return np.float32(value), [gradient.astype(np.float32) for gradient in gradients]


@pytest.mark.parametrize("seed", range(4))
def test_right_functions_are_passed(seed):
    for function in (right, right_one_class_after_another, in_float32):
        check(function, seed=seed)
    check(right_weights, targets="weights", seed=seed)
    for epsilon in (0.1, 1.0):
        for convention in ("uniform", "others"):
            options = {"label_smoothing": epsilon, "convention": convention}
            check(smoothed(epsilon, convention), seed=seed, **options)


@pytest.mark.parametrize("temperature", [0.2, 1.7, 30.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_right_functions_at_a_temperature_and_a_reduction(reduction, temperature):
    cases = [
        (right, {}),
        (right_weights, {"targets": "weights"}),
        (smoothed(0.3, "uniform"), {"label_smoothing": 0.3}),
    ]
    for function, options in cases:
        mine = function if reduction == "mean" else reduced(function, reduction)
        check(
            at_temperature(mine, temperature),
            reduction=reduction,
            temperature=temperature,
            **options,
        )


def test_parts_of_one_size_can_be_asked_for():
    def stacked(shards, labels):
        np.stack(shards)
        return right(shards, labels)

    check(stacked, parts=[2, 4, 8], uneven=False)
    with pytest.raises(
        AssertionError, match=r"does not take every split[^$]*raises Val"
    ):
        check(stacked, parts=[2])


def test_one_number_of_parts_can_be_asked_for():
    seen = set()

    def noted(shards, labels):
        seen.add(tuple(shard.shape[1] for shard in shards))
        return right(shards, labels)

    check(noted, parts=[8])
    assert {len(sizes) for sizes in seen} == {8}
    assert {(3,) * 8, (1,) * 8} < seen
    assert any(len(set(sizes)) > 1 for sizes in seen)


def test_the_arguments_are_copies():
    def careless(shards, labels):
        result = right(shards, labels)
        for array in (*shards, labels):
            array[...] = 0
        return result

    check(careless)


# Faults. Each function is what somebody would write, by its own arithmetic.


def summed_over_parts(shards, labels):
    value, gradients = right(shards, labels)
    return value, [len(shards) * gradient for gradient in gradients]


def loss_of_every_part_added(shards, labels):
    value, gradients = right(shards, labels)
    return sum(value for _ in shards), gradients


def averaged_over_parts(shards, labels):
    value, gradients = right(shards, labels)
    return value / len(shards), [gradient / len(shards) for gradient in gradients]


def with_total(shards, labels, peak, total, probs):
    """Return loss and gradients from any log-sum-exp and any probabilities."""
    target, gradients = np.zeros(len(labels)), []
    for q, shard, (rows, local) in zip(
        probs, shards, at_labels(shards, labels), strict=True
    ):
        target[rows] += shard[rows, local]
        gradient = q.copy()
        gradient[rows, local] -= 1
        gradients.append(gradient / len(labels))
    return np.mean(peak + np.log(total) - target), gradients


def mean_of_the_exponentials(shards, labels):
    peak, _ = pair(shards)
    terms = [np.exp(shard - peak[:, None]) for shard in shards]
    total = sum(each.mean(axis=1) for each in terms)
    return with_total(
        shards, labels, peak, total, [each / total[:, None] for each in terms]
    )


def derivative_of_the_mean(shards, labels):
    value, gradients = mean_of_the_exponentials(shards, labels)
    halves = []
    for gradient, (rows, local) in zip(
        gradients, at_labels(shards, labels), strict=True
    ):
        changed = gradient.copy()
        changed[rows, local] += 1 / len(labels)
        changed /= gradient.shape[1]
        changed[rows, local] -= 1 / len(labels)
        halves.append(changed)
    return value, halves


def gradient_over_the_parts_classes(shards, labels):
    value, gradients = right(shards, labels)
    return value, [gradient / gradient.shape[1] for gradient in gradients]


def own_maximum(shards, labels, chosen=0):
    peaks = [shard.max(axis=1) for shard in shards]
    terms = [np.exp(z - m[:, None]) for z, m in zip(shards, peaks, strict=True)]
    total = sum(each.sum(axis=1) for each in terms)
    peak = np.max(peaks, axis=0) if chosen == "largest" else peaks[0]
    return with_total(
        shards, labels, peak, total, [each / total[:, None] for each in terms]
    )


def own_maximum_in_the_sum_only(shards, labels):
    return own_maximum(shards, labels, "largest")


def own_maximum_at_the_target(shards, labels):
    _, gradients = own_maximum(shards, labels)
    total = sum(np.exp(z - z.max(axis=1)[:, None]).sum(axis=1) for z in shards)
    gaps = np.zeros(len(labels))
    for shard, (rows, local) in zip(shards, at_labels(shards, labels), strict=True):
        gaps[rows] += (shard - shard.max(axis=1)[:, None])[rows, local]
    return np.mean(np.log(total) - gaps), gradients


def softmax_of_each_part(shards, labels):
    value, gradients = 0.0, []
    for shard, (rows, local) in zip(shards, at_labels(shards, labels), strict=True):
        log_q = sg.log_softmax(shard)
        value -= log_q[rows, local].sum() / len(labels)
        gradient = np.exp(log_q)
        gradient[rows, local] -= 1
        gradients.append(gradient / len(labels))
    return value, gradients


def gathered_logits(shards, labels):
    """Every part holds all classes, and its sum is added to the others'."""
    peak, total = pair(shards)
    whole = [np.exp(shard - peak[:, None]) for shard in shards]
    total = len(shards) * total
    return with_total(
        shards, labels, peak, total, [each / total[:, None] for each in whole]
    )


def sums_averaged(shards, labels):
    peak, total = pair(shards)
    total = total / len(shards)
    probs = [np.exp(shard - peak[:, None]) / total[:, None] for shard in shards]
    return with_total(shards, labels, peak, total, probs)


def no_gradient_without_the_target(shards, labels):
    value, gradients = right(shards, labels)
    kept = []
    for gradient, (rows, _) in zip(gradients, at_labels(shards, labels), strict=True):
        changed = np.zeros_like(gradient)
        changed[rows] = gradient[rows]
        kept.append(changed)
    return value, kept


def counted_by(places):
    """Return a function in which each part counts targets where `places` says so."""

    def loss(shards, labels):
        peak, total = pair(shards)
        target, gradients = np.zeros(len(labels)), []
        for part, (shard, start) in enumerate(
            zip(shards, starts_of(shards), strict=True)
        ):
            gradient = np.exp(shard - peak[:, None]) / total[:, None]
            for row, label in enumerate(labels):
                local = places(label, start, shard.shape[1], part)
                if local is not None:
                    target[row] += shard[row, local]
                    gradient[row, local] -= 1
            gradients.append(gradient / len(labels))
        return np.mean(peak + np.log(total) - target), gradients

    loss.__name__ = places.__name__
    return loss


def nearest_class_in_every_part(label, start, size, part):
    return min(max(label - start, 0), size - 1)


def both_ends_included(label, start, size, part):
    return min(label - start, size - 1) if start <= label <= start + size else None


def the_first_class_left_out(label, start, size, part):
    return label - start if start < label < start + size else None


def the_last_class_left_out(label, start, size, part):
    return label - start if start <= label < start + size - 1 else None


def the_label_as_it_is(label, start, size, part):
    return label if label < size else None


def the_label_cut_to_the_part(label, start, size, part):
    return min(label, size - 1) if start <= label < start + size else None


def the_remainder(label, start, size, part):
    return label % size if start <= label < start + size else None


def the_rank_times_its_own_size(label, start, size, part):
    local = label - part * size
    return local if 0 <= local < size else None


def target_in_every_part(shards, labels):
    value, gradients = right(shards, labels)
    again = len(shards) - 1
    changed = []
    for shard, gradient, (rows, local) in zip(
        shards, gradients, at_labels(shards, labels), strict=True
    ):
        value -= again * shard[rows, local].sum() / len(labels)
        twice = gradient.copy()
        twice[rows, local] -= again / len(labels)
        changed.append(twice)
    return value, changed


FAULTS = {
    summed_over_parts: ("times the number of parts", "gradient"),
    loss_of_every_part_added: ("times the number of parts", "loss"),
    averaged_over_parts: ("divided by the number of parts", "both"),
    mean_of_the_exponentials: ("local mean", "both"),
    derivative_of_the_mean: ("local mean", "both"),
    gradient_over_the_parts_classes: ("local mean", "gradient"),
    own_maximum: ("maximum not shared", "both"),
    own_maximum_in_the_sum_only: ("maximum not shared", "both"),
    own_maximum_at_the_target: ("maximum not shared", "both"),
    softmax_of_each_part: ("sum not shared", "both"),
    gathered_logits: ("every class counted once for each part", "both"),
    sums_averaged: ("sums averaged over the parts", "both"),
    no_gradient_without_the_target: (
        "no gradient in parts without the target",
        "gradient",
    ),
    counted_by(nearest_class_in_every_part): ("target counted twice", "both"),
    counted_by(both_ends_included): ("target counted twice", "both"),
    target_in_every_part: ("target counted twice", "both"),
    counted_by(the_first_class_left_out): (
        "target missed at the edge of a part",
        "both",
    ),
    counted_by(the_last_class_left_out): (
        "target missed at the edge of a part",
        "both",
    ),
    counted_by(the_label_as_it_is): ("off by the offset", "both"),
    counted_by(the_label_cut_to_the_part): ("off by the offset", "both"),
    counted_by(the_remainder): ("off by the offset", "both"),
    counted_by(the_rank_times_its_own_size): ("off by the offset", "both"),
}


def message(function, **options):
    with pytest.raises(AssertionError) as caught:
        check(function, **options)
    return str(caught.value)


def names(text):
    """Return what is said of the loss and of the gradient."""
    said = {}
    for line in text.splitlines():
        of, colon, rest = line.partition(": ")
        if colon and of in ("loss", "gradient"):
            said[of] = rest.partition(".")[0]
    return said


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("parts", [(1, 2, 3, 8), (2, 4)], ids=str)
@pytest.mark.parametrize("function", FAULTS, ids=lambda function: function.__name__)
def test_each_fault_is_named(function, parts, seed):
    name, where = FAULTS[function]
    text = message(function, parts=parts, seed=seed)
    start = f"{function.__name__} depends on how the classes are split.\n"
    # A mean is none of one part, and the first class of all is that of a part.
    if 1 in parts and name in ("local mean", "target missed at the edge of a part"):
        start = f"{function.__name__} is wrong for one part already"
    assert text.startswith(start)
    expected = dict.fromkeys(("loss", "gradient"), name)
    if where != "both":
        expected = dict.fromkeys(expected, "right") | {where: name}
    assert names(text) == expected
