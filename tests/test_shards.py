"""Split losses that are right are passed, and the fault of each wrong one is named."""

import math
from dataclasses import replace
from functools import wraps

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients._shard_faults import Problem, faults
from softmax_gradients.mistakes import MISTAKES

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


def counted_by(places, with_sums=False):
    """Return a function in which each part counts targets where `places` says so.

    It adds log S there too, or once for every row.
    """

    def loss(shards, labels):
        peak, total = pair(shards)
        log_sums = peak + np.log(total)
        losses = np.zeros(len(labels)) if with_sums else log_sums.copy()
        gradients = []
        for part, (shard, start) in enumerate(
            zip(shards, starts_of(shards), strict=True)
        ):
            gradient = np.exp(shard - peak[:, None]) / total[:, None]
            for row, label in enumerate(labels):
                local = places(label, start, shard.shape[1], part)
                if local is not None:
                    losses[row] += with_sums * log_sums[row] - shard[row, local]
                    gradient[row, local] -= 1
            gradients.append(gradient / len(labels))
        return np.mean(losses), gradients

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


def by_parts_alike(size_of, with_sums):
    """Return a function that takes the first class of a part from one size."""

    def loss(shards, labels):
        size = size_of([shard.shape[1] for shard in shards])

        def places(label, start, own_size, part):
            local = label - part * size
            return local if 0 <= local < own_size else None

        return counted_by(places, with_sums)(shards, labels)

    return loss


@pytest.mark.parametrize(
    "size_of",
    [
        lambda sizes: sizes[0],
        lambda sizes: sizes[-1],
        lambda sizes: sum(sizes) // len(sizes),
        lambda sizes: math.ceil(sum(sizes) / len(sizes)),
    ],
)
@pytest.mark.parametrize("with_sums", [False, True])
def test_parts_that_are_taken_to_be_alike_are_named(size_of, with_sums):
    mine = by_parts_alike(size_of, with_sums)
    assert set(names(message(mine)).values()) == {"off by the offset"}
    check(mine, uneven=False)  # parts of the same size hide it


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
    counted_by(the_first_class_left_out, with_sums=True): (
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
    if said.get("gradient") == "the same":
        said["gradient"] = said["loss"]
    return said


OPTIONS = {
    "mean": {},
    "none at T": {
        "parts": (2, 4),
        "reduction": "none",
        "temperature": 1.7,
        "seed": 1,
    },
}


def asked_for(function, *, reduction="mean", temperature=1.0, **_):
    """Return a function with another reduction and at a temperature, of this name."""
    if reduction == "mean":
        return function
    return wraps(function)(at_temperature(reduced(function, reduction), temperature))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("function", FAULTS, ids=lambda function: function.__name__)
def test_each_fault_is_named(function, options):
    name, where = FAULTS[function]
    text = message(asked_for(function, **options), **options)
    start = f"{function.__name__} depends on how the classes are split.\n"
    # A mean is none of one part, and the first class of all is that of a part.
    if not options and name in ("local mean", "target missed at the edge of a part"):
        start = f"{function.__name__} is wrong for one part already"
    assert text.startswith(start)
    expected = dict.fromkeys(("loss", "gradient"), name)
    if where != "both":
        expected = dict.fromkeys(expected, "right") | {where: name}
    assert names(text) == expected


def local_smoothing(chosen, *, own_total=False):
    """Return the loss of NVIDIA/Megatron-LM#737: every part smooths by itself.

    The loss is that of one part, by its number, or the mean of all of them.
    """

    def loss(shards, labels, epsilon=0.2):
        peak, total = pair(shards)
        log_total = (peak + np.log(total))[:, None]
        log_q = [shard - log_total for shard in shards]
        target, losses, gradients = np.zeros(len(labels)), [], []
        for each, (rows, local) in zip(log_q, at_labels(shards, labels), strict=True):
            target[rows] -= each[rows, local]
        for each, (rows, local) in zip(log_q, at_labels(shards, labels), strict=True):
            losses.append((1 - epsilon) * target - epsilon * each.mean(axis=1))
            gradient = np.exp(each)
            if own_total:
                gradient *= 1 - epsilon + epsilon * len(shards)
            gradient[rows, local] -= 1 - epsilon
            gradient -= epsilon / each.shape[1]
            gradients.append(gradient / len(labels))
        value = np.mean(losses) if chosen is None else np.mean(losses[chosen])
        if own_total:
            value = (
                np.mean((1 - epsilon) * target)
                - sum(epsilon * each.mean(axis=1) for each in log_q).mean()
            )
        return value, gradients

    return loss


def local_smoothing_over_the_others(shards, labels, epsilon=0.2):
    """Spread eps over the part's other classes, as Megatron-LM does."""
    peak, total = pair(shards)
    log_total = (peak + np.log(total))[:, None]
    target, gradients, value = np.zeros(len(labels)), [], None
    for shard, (rows, local) in zip(shards, at_labels(shards, labels), strict=True):
        target[rows] -= (shard - log_total)[rows, local]
    for shard, (rows, local) in zip(shards, at_labels(shards, labels), strict=True):
        size = shard.shape[1]
        share = epsilon * size / (size - 1)
        if value is None:
            mean = (shard - log_total).mean(axis=1)
            value = np.mean((1 - share) * target - share * mean)
        gradient = np.exp(shard - log_total)
        gradient[rows, local] -= 1 - share
        gradient -= share / size
        gradients.append(gradient / len(labels))
    return value, gradients


@pytest.mark.parametrize(
    "function",
    [local_smoothing(0), local_smoothing(-1), local_smoothing(None)],
)
def test_smoothing_by_the_part_is_named(function):
    for options in OPTIONS.values():
        for each in (function, local_smoothing(0, own_total=True)):
            mine = asked_for(each, **options)
            text = message(mine, label_smoothing=0.2, **options)
            assert set(names(text).values()) == {"local vocabulary in the smoothing"}
            assert text.startswith("loss depends on how the classes are split.")


def test_smoothing_over_the_others_of_a_part_is_named():
    """One class a part has no others: the division by zero is told of as well."""
    options = {"label_smoothing": 0.2, "convention": "others"}
    text = message(local_smoothing_over_the_others, **options)
    assert set(names(text).values()) == {"local vocabulary in the smoothing"}
    assert "it raises ZeroDivisionError: float division by zero" in text


def test_other_faults_are_named_beside_smoothing():
    def summed(shards, labels):
        value, gradients = smoothed(0.2, "uniform")(shards, labels)
        return value, [len(shards) * gradient for gradient in gradients]

    text = message(summed, label_smoothing=0.2)
    assert names(text) == {"loss": "right", "gradient": "times the number of parts"}


def test_a_local_sum_of_the_weights_is_named():
    def loss(shards, weights):
        value, _ = right_weights(shards, weights)
        peak, total = pair(shards)
        log_total = (peak + np.log(total))[:, None]
        pieces = np.split(weights, starts_of(shards)[1:], axis=1)
        return value, [
            (t.sum(axis=1, keepdims=True) * np.exp(z - log_total) - t) / len(weights)
            for z, t in zip(shards, pieces, strict=True)
        ]

    for options in OPTIONS.values():
        text = message(asked_for(loss, **options), targets="weights", **options)
        said = {"loss": "right", "gradient": "sum of the targets not shared"}
        assert names(text) == said


# Logits that are masked or large.


def without_a_maximum(shards, labels):
    total = sum(np.exp(shard).sum(axis=1) for shard in shards)
    probs = [np.exp(shard) / total[:, None] for shard in shards]
    return with_total(shards, labels, 0, total, probs)


def nan_from_an_empty_part(shards, labels):
    """Merge (m, s) pairs by e^(m - max), which is NaN for -inf minus -inf."""
    peaks = [shard.max(axis=1) for shard in shards]
    sums = [
        np.exp(z - m[:, None]).sum(axis=1) for z, m in zip(shards, peaks, strict=True)
    ]
    peak = np.max(peaks, axis=0)
    total = sum(s * np.exp(m - peak) for s, m in zip(sums, peaks, strict=True))
    probs = [np.exp(shard - peak[:, None]) / total[:, None] for shard in shards]
    return with_total(shards, labels, peak, total, probs)


def test_what_fails_at_a_part_of_minus_infinity_is_told():
    text = message(nan_from_an_empty_part)
    assert "loss: wrong where a part is all -inf." in text
    assert "gradient: the same." in text
    assert text.splitlines()[0].endswith(
        "right at ordinary logits, and fails at others."
    )
    assert "With masked logits in parts of (1, 1)" in text
    assert "yours nan, right" in text


def test_what_overflows_is_told():
    text = message(without_a_maximum)
    assert "loss: wrong at large logits." in text
    assert "gradient: the same." in text
    assert "With large logits in parts of (1, 1), row 0, class 0: yours nan" in text


# What is not known, or does not run.


def test_a_fault_in_the_catalogue_is_linked():
    for problem in (EXAMPLE, replace(EXAMPLE, labels=None)):
        entries = {fault.entry for fault in faults(problem)} - {""}
        assert entries <= set(MISTAKES)
    text = message(summed_over_parts)
    assert "mistakes#times-the-parts." in text.replace(".html", "")


EXAMPLE = Problem(
    logits=np.zeros((2, 3)),
    sizes=(1, 2),
    labels=np.array([0, 2]),
    targets=np.eye(3)[[0, 2]],
    temperature=1.0,
    epsilon=0.1,
    convention="uniform",
)


def test_an_unknown_fault_has_its_worst_entry_shown():
    def loss(shards, labels):
        value, gradients = right(shards, labels)
        if len(shards) == 3:
            value += 0.25
            gradients[1][2, 0] += 0.5
        return value, gradients

    text = message(loss, parts=[1, 3])
    said = {"loss": "wrong, by no fault that is known here"}
    assert names(text) == said | {"gradient": said["loss"]}
    seen = text.splitlines()
    assert "row 2, class 3: yours " in seen[4] or "row 2, class 1: yours" in seen[4]
    for line in (seen[2], seen[4]):
        yours, other = line.removesuffix(".").split("yours ")[1].split(", right ")
        assert float(yours) - float(other) in (
            pytest.approx(0.25, abs=1e-4),
            pytest.approx(0.5, abs=1e-4),
        )


def test_what_is_wrong_for_one_part_is_told_from_a_split():
    def loss(shards, labels):
        value, gradients = right(shards, labels)
        return value, [2 * gradient for gradient in gradients]

    text = message(loss)
    assert text.startswith("loss is wrong for one part already, before anything is sp")
    assert names(text)["gradient"] == "wrong, by no fault that is known here"


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_another_reduction_is_told(reduction):
    """A loss for each row has another shape than the mean."""
    text = message(reduced(right, "sum"), reduction="mean")
    assert (
        names(text)["gradient"]
        == "that of reduction='sum', which is not what was asked for"
    )
    text = message(right, reduction=reduction)
    if reduction == "none":
        assert "its loss has the shape (), not (5,)" in text
    else:
        assert names(text)["loss"].startswith("that of reduction='mean'")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (lambda z, y: 1.0, "it does not return a loss and a list of gradients"),
        (lambda z, y: (1.0, 2.0), "it does not return a loss and a list of gradients"),
        (
            lambda z, y: (1.0, z[1:]),
            r"its gradients have the shapes \[\], not \[\(5, 3",
        ),
        (lambda z, y: (y, z), r"its loss has the shape \(5,\), not \(\)"),
        (lambda z, y: z[7], "it raises IndexError: list index out of range"),
    ],
)
def test_a_result_of_another_form_is_told(result, said):
    with pytest.raises(AssertionError, match=said):
        check(result)


def test_a_callable_without_a_name():
    class Loss:
        def __call__(self, shards, labels):
            return summed_over_parts(shards, labels)

    assert message(Loss()).startswith("The function depends on how the classes are")


def test_whole_numbers_are_a_result_too():
    text = message(lambda z, y: (0, [np.zeros(each.shape, int) for each in z]))
    assert names(text)["loss"] == "wrong, by no fault that is known here"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parts": []}, "parts must hold at least one number, got none"),
        ({"parts": [0]}, "parts must be an integer of at least 1, got 0"),
        ({"targets": "labels"}, "targets must be one of 'indices', 'weights', got 'la"),
        ({"reduction": "batchmean"}, "reduction must be one of 'mean', 'sum', 'none'"),
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"label_smoothing": 1.5}, "label_smoothing must be from 0 to 1, got 1.5"),
        ({"convention": "all"}, "convention must be one of 'uniform', 'others'"),
        ({"uneven": 1}, "uneven must be one of True, False, got 1"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        (
            {"targets": "weights", "label_smoothing": 0.1},
            "label_smoothing must be 0 for targets='weights'.* got 0.1",
        ),
    ],
)
def test_options_that_make_no_sense(options, said):
    with pytest.raises(ValueError, match=said):
        check(right, **options)


# Engines that split. All in one process: `vmap` with a named axis is as many devices.


def in_jax(derivative):
    """Return a loss over parts of one size, reduced by JAX's collectives."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    def of_a_part(shard, labels):
        peak = lax.pmax(lax.stop_gradient(shard).max(axis=1), "parts")
        total = lax.psum(jnp.exp(shard - peak[:, None]).sum(axis=1), "parts")
        local = labels - lax.axis_index("parts") * shard.shape[1]
        mine = (local >= 0) & (local < shard.shape[1])
        index = jnp.clip(local, 0, shard.shape[1] - 1)
        found = jnp.take_along_axis(shard, index[:, None], axis=1)[:, 0]
        target = lax.psum(jnp.where(mine, found, 0), "parts")
        return (peak + jnp.log(total) - target).mean()

    def over_parts(function):
        return jax.vmap(function, in_axes=(0, None), axis_name="parts")

    def inside(shards, labels):
        values, gradients = over_parts(jax.value_and_grad(of_a_part))(shards, labels)
        return values[0], gradients

    def outside(shards, labels):
        loss = over_parts(of_a_part)
        return jax.value_and_grad(lambda each: loss(each, labels)[0])(shards)

    def split(shards, labels):
        stacked = np.stack(shards).astype(np.float32)
        value, gradients = {"inside": inside, "outside": outside}[derivative](
            stacked, labels
        )
        return value, list(gradients)

    return split


@pytest.mark.peers
def test_a_derivative_outside_of_the_parts_of_jax_is_right():
    check(in_jax("outside"), uneven=False)


@pytest.mark.peers
def test_a_derivative_inside_of_the_parts_of_jax_is_named():
    """As in jax-ml/jax#3970: the derivative of psum is psum."""
    text = message(in_jax("inside"), uneven=False)
    assert names(text) == {"loss": "right", "gradient": "times the number of parts"}


def in_torch(log_total, reduction="mean"):
    """Return a loss over parts whose derivative is PyTorch's."""
    import torch

    def split(shards, labels):
        parts = [torch.tensor(shard, requires_grad=True) for shard in shards]
        rows, whole = torch.arange(len(labels)), torch.cat(parts, dim=1)
        losses = log_total(parts) - whole[rows, torch.tensor(labels)]
        total = losses.mean() if reduction == "mean" else losses.sum()
        total.backward()
        value = losses if reduction == "none" else total
        return value.detach(), [part.grad for part in parts]

    return split


@pytest.mark.peers
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_automatic_derivatives_of_torch_are_right(reduction):
    import torch

    def log_total(parts):
        peaks = torch.stack([part.detach().max(dim=1).values for part in parts])
        peak = peaks.max(dim=0).values
        terms = [torch.exp(part - peak[:, None]).sum(dim=1) for part in parts]
        return peak + torch.log(sum(terms))

    check(in_torch(log_total, reduction), reduction=reduction)


@pytest.mark.peers
def test_a_log_of_sums_of_logs_of_torch_has_no_derivative_at_an_empty_part():
    import torch

    def log_total(parts):
        sums = torch.stack([part.logsumexp(dim=1) for part in parts])
        return sums.logsumexp(dim=0)

    text = message(in_torch(log_total))
    assert names(text) == {
        "loss": "right",
        "gradient": "wrong where a part is all -inf",
    }
