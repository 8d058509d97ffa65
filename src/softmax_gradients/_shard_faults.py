"""What goes wrong in a loss whose classes are split: each fault as formulas.

Let u = z/T with its C classes in P parts, of which part p holds c_p, t the targets
with any smoothing and W their sum. Right is, with S the sum of all e^{u_k},

    L = W log S - sum_k t_k u_k,    dL/dz_k = (W e^{u_k}/S - t_k)/T.

A fault changes S, or what stands for e_y in t, or what is made of the results. Each of
its forms returns the losses, shape (N,), or the gradients, shape (N, C), of the rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from ._cross_entropy import cross_entropy, cross_entropy_gradient
from ._inputs import Array
from ._softmax import log_softmax
from .label_smoothing import Convention


@dataclass(frozen=True)
class Problem:
    """Rows of logits whose classes lie in parts, with their targets.

    `labels` is None for weights; `targets` has the logits' shape, before smoothing.
    """

    logits: Array
    sizes: tuple[int, ...]
    labels: Array | None
    targets: Array
    temperature: float
    epsilon: float
    convention: Convention

    @cached_property
    def starts(self) -> Array:
        """The first class of each part."""
        return np.cumsum([0, *self.sizes[:-1]])

    @cached_property
    def part(self) -> Array:
        """The part of each class."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def owner(self) -> Array:
        """The part that holds the label of each row."""
        assert self.labels is not None
        return self.part[self.labels]

    @property
    def parts(self) -> int:
        """P."""
        return len(self.sizes)

    @property
    def classes(self) -> int:
        """C."""
        return self.logits.shape[-1]

    @cached_property
    def scaled(self) -> Array:
        """The u = z/T."""
        return self.logits / self.temperature

    @cached_property
    def log_probs(self) -> Array:
        """The logarithm of q = e^u/S."""
        return log_softmax(self.logits, temperature=self.temperature)

    @cached_property
    def log_sums(self) -> Array:
        """The log S of each row."""
        return (self.scaled - self.log_probs)[:, 0]

    @property
    def probs(self) -> Array:
        """The q."""
        return np.exp(self.log_probs)

    @cached_property
    def weights(self) -> Array:
        """The targets after smoothing."""
        return self.smoothed(self.targets)

    @property
    def total(self) -> Array:
        """The W of each row, kept as (N, 1)."""
        return self.weights.sum(axis=-1, keepdims=True)

    @cached_property
    def losses(self) -> Array:
        """The right losses of the rows."""
        found = cross_entropy(
            self.logits, self.weights, temperature=self.temperature, reduction="none"
        )
        return np.asarray(found)

    @cached_property
    def gradients(self) -> Array:
        """The right gradients of the rows."""
        return cross_entropy_gradient(
            self.logits, self.weights, temperature=self.temperature, reduction="none"
        )

    def smoothed(self, counted: Array) -> Array:
        """Return the smoothed targets if `counted` stands for e_y."""
        others = self.convention == "others"
        share = self.epsilon / (self.classes - others)
        return (1 - self.epsilon - others * share) * counted + share

    def by_part(self, function: Callable[[Array], Array], values: Array) -> Array:
        """Return the function of each part of the values, shape (N, P)."""
        pieces = np.split(values, self.starts[1:], axis=-1)
        return np.stack([function(piece) for piece in pieces], axis=-1)


def spread(epsilon: float, convention: Convention, classes: Array | int) -> Array:
    """Return s such that smoothed targets are (1 - s) e_y + s/C.

    For one class and the convention "others" there is no such s: NaN or infinity.
    """
    count = np.asarray(classes, float)
    factor = count / (count - 1) if convention == "others" else np.ones_like(count)
    return np.asarray(epsilon * factor)


Form = Callable[[Problem], Array]


@dataclass(frozen=True)
class Fault:
    """A fault, by the words that a message names it with.

    `losses` and `gradients` are its forms; `entry` is its name in the catalogue of
    mistakes, if it has one.
    """

    name: str
    advice: str
    losses: tuple[Form, ...] = ()
    gradients: tuple[Form, ...] = ()
    entry: str = ""


class Counted(NamedTuple):
    """The forms of a fault in which something else stands for e_y."""

    counts: Callable[[Problem], Array]

    def losses(self, problem: Problem) -> Array:
        """Return the losses."""
        targets = problem.smoothed(self.counts(problem))
        linear = (targets * problem.scaled).sum(axis=-1)
        return problem.total[:, 0] * problem.log_sums - linear

    def losses_with_their_sums(self, problem: Problem) -> Array:
        """Return the losses if a part adds log S only where it counts a target."""
        targets = problem.smoothed(self.counts(problem))
        linear = (targets * problem.scaled).sum(axis=-1)
        return targets.sum(axis=-1) * problem.log_sums - linear

    def gradients(self, problem: Problem) -> Array:
        """Return the gradients."""
        targets = problem.smoothed(self.counts(problem))
        return (problem.total * problem.probs - targets) / problem.temperature


def counted(
    name: str,
    advice: str,
    *counts: Callable[[Problem], Array],
    with_sums: bool = False,
) -> Fault:
    """Return a fault from what stands for e_y in each of its forms.

    Its losses hold log S once; `with_sums` adds those that hold it where they count.
    """
    forms = [Counted(each) for each in counts]
    others = forms if with_sums else []
    return Fault(
        name,
        advice,
        losses=(
            *(form.losses for form in forms),
            *(form.losses_with_their_sums for form in others),
        ),
        gradients=tuple(form.gradients for form in forms),
    )


def places(problem: Problem, local: Array, found: Array) -> Array:
    """Return the sum of the one-hot rows of local indices (N, P), where found."""
    counts = np.zeros(problem.logits.shape)
    rows, parts = np.nonzero(found)
    np.add.at(counts, (rows, problem.starts[parts] + local[rows, parts]), 1)
    return counts


def local_labels(problem: Problem) -> Array:
    """Return the label of each row less the first class of each part, (N, P)."""
    assert problem.labels is not None
    return problem.labels[:, np.newaxis] - problem.starts


def in_every_part(problem: Problem) -> Array:
    """Count, in parts without the label, the class that is nearest to it."""
    local = local_labels(problem)
    nearest = np.clip(local, 0, np.array(problem.sizes) - 1)
    return places(problem, nearest, np.ones(local.shape, bool))


def as_often_as_parts(problem: Problem) -> Array:
    """Count the label once for each part."""
    return problem.parts * problem.targets


def at_both_ends(problem: Problem) -> Array:
    """Count the first class of a part as the last one of the part before, too."""
    local, sizes = local_labels(problem), np.array(problem.sizes)
    found = (local >= 0) & (local <= sizes)
    return places(problem, np.minimum(local, sizes - 1), found)


def not_at_the_start(problem: Problem) -> Array:
    """Miss labels that are the first class of a part."""
    local = local_labels(problem)
    return places(problem, local, (local > 0) & (local < np.array(problem.sizes)))


def not_at_the_end(problem: Problem) -> Array:
    """Miss labels that are the last class of a part."""
    local = local_labels(problem)
    return places(problem, local, (local >= 0) & (local < np.array(problem.sizes) - 1))


def in_each_part_as_it_is(problem: Problem) -> Array:
    """Take the label as an index into every part that is large enough."""
    assert problem.labels is not None
    local = np.broadcast_to(
        problem.labels[:, np.newaxis], (len(problem.labels), problem.parts)
    )
    return places(problem, local, local < np.array(problem.sizes))


def in_its_part_by(change: Callable[[Array, Array], Array], problem: Problem) -> Array:
    """Take a function of the label and c_p as the index into the label's part."""
    assert problem.labels is not None
    sizes = np.array(problem.sizes)
    local = change(problem.labels[:, np.newaxis], sizes)
    return places(problem, local, problem.owner[:, np.newaxis] == np.arange(len(sizes)))


def by_parts_alike(size: Callable[[Array], Any], problem: Problem) -> Array:
    """Take p times one size as the first class of part p, as if all had that size."""
    assert problem.labels is not None
    sizes = np.array(problem.sizes)
    local = problem.labels[:, np.newaxis] - np.arange(len(sizes)) * size(sizes)
    return places(problem, local, (local >= 0) & (local < sizes))


def size_of_each(sizes: Array) -> Array:
    """Return for every part its own size."""
    return sizes


def size_of_the_first(sizes: Array) -> int:
    """Return c_0."""
    return int(sizes[0])


def size_of_the_last(sizes: Array) -> int:
    """Return c_(P-1)."""
    return int(sizes[-1])


def mean_size(sizes: Array) -> int:
    """Return C/P, rounded down."""
    return int(sizes.sum()) // len(sizes)


def mean_size_rounded_up(sizes: Array) -> int:
    """Return C/P, rounded up."""
    return -(-int(sizes.sum()) // len(sizes))


def at_most(labels: Array, sizes: Array) -> Array:
    """Return the labels, at most the last index of a part."""
    return np.minimum(labels, sizes - 1)


def first(problem: Problem) -> Array:
    """Choose the first part in every row."""
    return np.zeros(len(problem.logits), int)


def last(problem: Problem) -> Array:
    """Choose the last part in every row."""
    return np.full(len(problem.logits), problem.parts - 1)


def label_owner(problem: Problem) -> Array:
    """Choose the part that holds the label."""
    return problem.owner


def of_part(values: Array, chosen: Array) -> Array:
    """Return of values of shape (N, P) those of one part in each row."""
    return np.take_along_axis(values, chosen[:, np.newaxis], axis=-1)[:, 0]


# What is done to the results.


def times(power: int, of: str, problem: Problem) -> Array:
    """Return what is right times P^power."""
    return float(problem.parts) ** power * getattr(problem, of)


def over_the_parts_size(problem: Problem) -> Array:
    """Return the gradient divided by c_p."""
    return problem.gradients / np.array(problem.sizes)[problem.part]


def only_beside_the_label(problem: Problem) -> Array:
    """Return the gradient with zeros in the parts that do not hold the label."""
    return np.where(problem.part == problem.owner[:, np.newaxis], problem.gradients, 0)


# Another sum S.


def with_log_sums(log_sums: Callable[[Problem], Array], problem: Problem) -> Array:
    """Return the losses for something else than log S."""
    linear = (problem.weights * problem.scaled).sum(axis=-1)
    return problem.total[:, 0] * log_sums(problem) - linear


def with_probs(probs: Callable[[Problem], Array], problem: Problem) -> Array:
    """Return the gradients for something else than q."""
    change = problem.total * probs(problem) - problem.weights
    return change / problem.temperature


def largest(piece: Array) -> Array:
    """Return the maxima of a part."""
    return piece.max(axis=-1)


def log_sum(piece: Array) -> Array:
    """Return the log of the sum of the exponentials of a part."""
    return np.logaddexp.reduce(piece, axis=-1)


def log_mean(piece: Array) -> Array:
    """Return the log of the mean of the exponentials of a part."""
    return log_sum(piece) - np.log(piece.shape[-1])


def own_maxima(problem: Problem) -> tuple[Array, Array]:
    """Return the parts' maxima, and the log of the sum of sums without them."""
    peaks = problem.by_part(largest, problem.scaled)
    sums = problem.by_part(log_sum, problem.scaled) - peaks
    return peaks, log_sum(sums)


def plus_maximum_of(chosen: Callable[[Problem], Array], problem: Problem) -> Array:
    """Return log S from sums of different scales, and the maximum of one part."""
    peaks, total = own_maxima(problem)
    return total + of_part(peaks, chosen(problem))


def plus_largest_maximum(problem: Problem) -> Array:
    """Return log S from sums of different scales, and the maximum of all."""
    peaks, total = own_maxima(problem)
    return total + peaks.max(axis=-1)


def probs_by_own_maxima(problem: Problem) -> Array:
    """Return the exponentials less each part's maximum, over their sum."""
    peaks, total = own_maxima(problem)
    return np.exp(problem.scaled - peaks[:, problem.part] - total[:, np.newaxis])


def log_sum_of(chosen: Callable[[Problem], Array], problem: Problem) -> Array:
    """Return the log of one part's sum."""
    return of_part(problem.by_part(log_sum, problem.scaled), chosen(problem))


def added_log_sums(problem: Problem) -> Array:
    """Return the sum of the logs of the parts' sums."""
    return problem.by_part(log_sum, problem.scaled).sum(axis=-1)


def probs_within_parts(problem: Problem) -> Array:
    """Return the softmax of each part."""
    sums = problem.by_part(log_sum, problem.scaled)
    return np.exp(problem.scaled - sums[:, problem.part])


def log_sum_of_means(problem: Problem) -> Array:
    """Return the log of the sum of the parts' means."""
    return log_sum(problem.by_part(log_mean, problem.scaled))


def probs_over_means(problem: Problem) -> Array:
    """Return the exponentials over the sum of the parts' means."""
    return np.exp(problem.scaled - log_sum_of_means(problem)[:, np.newaxis])


def probs_of_means(problem: Problem) -> Array:
    """Return the same, over c_p too, as the derivative of that sum's log has it."""
    return probs_over_means(problem) / np.array(problem.sizes)[problem.part]


def log_sum_times(power: int, problem: Problem) -> Array:
    """Return log(S P^power)."""
    return problem.log_sums + power * np.log(problem.parts)


def probs_times(power: int, problem: Problem) -> Array:
    """Return q P^power."""
    return problem.probs * float(problem.parts) ** power


# Smoothing and weights.


def local_shares(problem: Problem, *, own_count: bool) -> Array:
    """Return the s of each part, by its own number of classes or by C."""
    sizes = np.array(problem.sizes)
    count = sizes if own_count else np.full_like(sizes, problem.classes)
    return spread(problem.epsilon, problem.convention, count)


def smoothed_by_parts(problem: Problem, *, own_count: bool) -> Array:
    """Return (1 - s) e_y + s/c_p."""
    shares = local_shares(problem, own_count=own_count)
    flat = (shares / np.array(problem.sizes))[problem.part]
    return (1 - shares)[problem.part] * problem.targets + flat


def smoothing_of(
    chosen: Callable[[Problem], Array] | None, own_count: bool, problem: Problem
) -> Array:
    """Return one part's (1 - s) (-log q_y) - s mean(log q), or the parts' mean."""
    shares = local_shares(problem, own_count=own_count)
    surprise = -(problem.targets * problem.log_probs).sum(axis=-1, keepdims=True)
    means = problem.by_part(lambda piece: piece.mean(axis=-1), problem.log_probs)
    losses = (1 - shares) * surprise - shares * means
    return losses.mean(axis=-1) if chosen is None else of_part(losses, chosen(problem))


def smoothing_added(own_count: bool, problem: Problem) -> Array:
    """Return the loss of targets that are smoothed by parts."""
    targets = smoothed_by_parts(problem, own_count=own_count)
    return -(targets * problem.log_probs).sum(axis=-1)


def smoothing_gradient(own_count: bool, own_total: bool, problem: Problem) -> Array:
    """Return the gradient for targets that are smoothed by parts."""
    targets = smoothed_by_parts(problem, own_count=own_count)
    total = targets.sum(axis=-1, keepdims=True) if own_total else 1
    return (total * problem.probs - targets) / problem.temperature


def total_of_the_part(problem: Problem) -> Array:
    """Return the gradient with each part's own sum of the weights for W."""
    totals = problem.by_part(lambda piece: piece.sum(axis=-1), problem.weights)
    pulled = totals[:, problem.part] * problem.probs
    return (pulled - problem.weights) / problem.temperature


SHARE_THE_MAXIMUM = (
    "Each part subtracts its own maximum, and the sums are added as they are: "
    "subtract the largest of all, or multiply each sum by e^(its maximum - that)."
)
SHARE_THE_SUM = "Each part is normalised by its own sum: add the sums of all parts."

BY_ANY = (
    Fault(
        "times the number of parts",
        "Each part adds the same loss, and the derivative is taken of their sum: take "
        "it of one of them, or sum where each part adds its own share.",
        losses=(partial(times, 1, "losses"),),
        gradients=(partial(times, 1, "gradients"),),
        entry="times-the-parts",
    ),
    Fault(
        "divided by the number of parts",
        "A mean is taken over the parts where their sum is meant.",
        losses=(partial(times, -1, "losses"),),
        gradients=(partial(times, -1, "gradients"),),
    ),
    Fault(
        "local mean",
        "A part divides by its own number of classes: add, and divide by nothing.",
        losses=(partial(with_log_sums, log_sum_of_means),),
        gradients=(
            over_the_parts_size,
            partial(with_probs, probs_of_means),
            partial(with_probs, probs_over_means),
        ),
    ),
    Fault(
        "maximum not shared",
        SHARE_THE_MAXIMUM,
        losses=(
            partial(with_log_sums, plus_largest_maximum),
            *(
                partial(with_log_sums, partial(plus_maximum_of, chosen))
                for chosen in (first, last)
            ),
        ),
        gradients=(partial(with_probs, probs_by_own_maxima),),
    ),
    Fault(
        "sum not shared",
        SHARE_THE_SUM,
        losses=(
            *(
                partial(with_log_sums, partial(log_sum_of, chosen))
                for chosen in (first, last)
            ),
            partial(with_log_sums, added_log_sums),
        ),
        gradients=(partial(with_probs, probs_within_parts),),
    ),
    Fault(
        "every class counted once for each part",
        "The loss is too large by log(parts): the parts overlap, as those of logits "
        "that were gathered do.",
        losses=(partial(with_log_sums, partial(log_sum_times, 1)),),
        gradients=(partial(with_probs, partial(probs_times, -1)),),
        entry="gathered-logits",
    ),
    Fault(
        "sums averaged over the parts",
        "The loss is too small by log(parts): add the parts' sums.",
        losses=(partial(with_log_sums, partial(log_sum_times, -1)),),
        gradients=(partial(with_probs, partial(probs_times, 1)),),
    ),
)

BY_LABELS = (
    Fault(
        "maximum not shared",
        SHARE_THE_MAXIMUM,
        losses=(partial(with_log_sums, partial(plus_maximum_of, label_owner)),),
    ),
    Fault(
        "sum not shared",
        SHARE_THE_SUM,
        losses=(partial(with_log_sums, partial(log_sum_of, label_owner)),),
    ),
    Fault(
        "no gradient in parts without the target",
        "Every class has the gradient q_k: it comes from the sum, through every part.",
        gradients=(only_beside_the_label,),
        entry="no-gradient-without-the-target",
    ),
    counted(
        "target counted twice",
        "More than one part counts the target: only the part with "
        "start <= y < start + size has it, and the others add zero.",
        in_every_part,
        as_often_as_parts,
        at_both_ends,
    ),
    counted(
        "target missed at the edge of a part",
        "No part counts it: the part with start <= y < start + size has it.",
        not_at_the_start,
        not_at_the_end,
        with_sums=True,
    ),
    counted(
        "off by the offset",
        "The target is an index among all classes: subtract the first class of the "
        "part, which is the sum of the sizes of the parts before.",
        in_each_part_as_it_is,
        partial(in_its_part_by, at_most),
        partial(in_its_part_by, np.remainder),
        *(
            partial(by_parts_alike, size)
            for size in (
                size_of_each,
                size_of_the_first,
                size_of_the_last,
                mean_size,
                mean_size_rounded_up,
            )
        ),
        with_sums=True,
    ),
)

BY_SMOOTHED_LABELS = (
    Fault(
        "local vocabulary in the smoothing",
        "eps is spread over the part's classes: the number of classes is that of all "
        "parts, and the mean of log q is over all of them.",
        losses=(
            *(
                partial(smoothing_of, chosen, own_count)
                for chosen in (first, last, label_owner, None)
                for own_count in (True, False)
            ),
            *(partial(smoothing_added, own_count) for own_count in (True, False)),
        ),
        gradients=tuple(
            partial(smoothing_gradient, own_count, own_total)
            for own_count in (True, False)
            for own_total in (True, False)
        ),
        entry="local-vocabulary",
    ),
)

BY_WEIGHTS = (
    Fault(
        "sum of the targets not shared",
        "q is multiplied by the sum of all targets of the row, not by the part's own.",
        gradients=(total_of_the_part,),
    ),
)


def faults(problem: Problem) -> Iterator[Fault]:
    """Yield the faults that targets of this kind can show."""
    yield from BY_ANY
    if problem.labels is None:
        yield from BY_WEIGHTS
    else:
        yield from BY_LABELS
        if problem.epsilon > 0:
            yield from BY_SMOOTHED_LABELS
