"""Checking a loss whose classes are split: every split has to give the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ._inputs import (
    Array,
    Reduction,
    as_count,
    as_fraction,
    as_temperature,
    check_choice,
    shown,
)
from ._reductions import REDUCTIONS
from ._shard_faults import Fault, Form, Problem, faults
from ._signatures import keywords_named
from ._site import chapter_address
from .label_smoothing import CONVENTIONS, Convention

# Rows of a batch, and classes of a part where all parts are of one size.
ROWS = 5
EVEN = 3

# Of a rounding of the numbers that are added: a right function may lose so many.
ROUNDINGS = 256
ORDINARY, MASKED, LARGE = "ordinary", "masked", "large"


@keywords_named
def assert_shard_invariant(
    function: Callable[[list[Array], Array], tuple[Any, Any]],
    *,
    parts: Sequence[int] = (1, 2, 3, 8),
    targets: Literal["indices", "weights"] = "indices",
    reduction: Reduction = "mean",
    temperature: float = 1.0,
    label_smoothing: float = 0.0,
    convention: Convention = "uniform",
    uneven: bool = True,
    seed: int = 0,
) -> None:
    r"""Raise an AssertionError unless a split loss is the same for every split.

    Let z denote the logits of shape (N, C), whose C classes are split into P parts,
    T the `temperature`, and t the targets. The `function` is yours: it computes the
    cross-entropy L of softmax(z/T) against t, and dL/dz, from the parts. What P
    devices do is done here by one function, in one process.

    Parameters
    ----------
    function : callable
        ``function(shards, targets)`` returns ``(loss, gradients)``. `shards` is a list
        of P arrays of shape (N, c_p), the parts of z in their order; c_1 + ... + c_P
        = C. `gradients` is a list of P arrays of the same shapes, the parts of dL/dz;
        `loss` is L. Both may hold what `numpy.asarray` takes. It is called some dozen
        times, with copies.
    parts : sequence of int, default (1, 2, 3, 8)
        The numbers P to try.
    targets : {"indices", "weights"}, default "indices"
        What the function takes: one class index from 0 to C - 1 for each row, or
        nonnegative weights t of shape (N, C). Both are of all classes.
    reduction : {"mean", "sum", "none"}, default "mean"
        How the function combines the rows' losses.
    temperature : float, default 1.0
        T, if the function divides by one.
    label_smoothing : float, default 0.0
        eps, if the function smooths class indices.
    convention : {"uniform", "others"}, default "uniform"
        Over which classes eps is spread, as in `smooth_labels`.
    uneven : bool, default True
        Whether parts of different sizes are tried. False is for a function that takes
        parts of one size only.
    seed : int, default 0
        Chooses the random logits.

    Returns
    -------
    None

    Raises
    ------
    AssertionError
        If a loss or a gradient is not that of the whole. The message names the fault
        if it explains every result at ordinary logits, and otherwise gives the worst
        entry.
    ValueError
        If an option is none of the above.

    Notes
    -----
    The splits of each P: parts of three classes and, unless P is 1, uneven parts and
    one class per part. On each there are ordinary logits, targets that all lie in one
    part, logits of -inf in the first or the last part, and logits near 900 T and -900
    T. Floating-point sums depend on their order, so results agree up to rounding:
    within 256 units in the last place of 1 + max|z/T|, in the precision of what is
    returned.

    The right result is, with m and S from two reductions of one number per row,

    .. math::
        m = \max_p m_p, \qquad S = \sum_p s_p\,e^{m_p - m}, \qquad
        m_p = \max_{k \in p} \frac{z_k}{T}, \qquad
        s_p = \sum_{k \in p} e^{z_k/T - m_p}, \qquad
        q_k = \frac{e^{z_k/T - m}}{S}

    where a part of -inf has s_p = 0.

    Examples
    --------
    A right function: one maximum and one sum for each row come from all parts, and
    so does the target's logit, of which all parts but one have none.

    >>> import numpy as np
    >>> import softmax_gradients as sg
    >>> def split_loss(shards, targets):
    ...     rows = np.arange(len(targets))
    ...     peak = np.max([shard.max(axis=1) for shard in shards], axis=0)
    ...     terms = [np.exp(shard - peak[:, None]) for shard in shards]
    ...     total = np.sum([each.sum(axis=1) for each in terms], axis=0)
    ...     gradients, at_target, start = [], np.zeros(len(rows)), 0
    ...     for shard, each in zip(shards, terms):
    ...         local = targets - start
    ...         mine = (local >= 0) & (local < shard.shape[1])
    ...         at_target[mine] += shard[rows[mine], local[mine]]
    ...         gradient = each / total[:, None]
    ...         gradient[rows[mine], local[mine]] -= 1
    ...         gradients.append(gradient / len(rows))
    ...         start += shard.shape[1]
    ...     return np.mean(peak + np.log(total) - at_target), gradients
    >>> sg.assert_shard_invariant(split_loss)

    A wrong one, whose derivative is taken of the sum of what each part returns:

    >>> def summed_loss(shards, targets):
    ...     loss, gradients = split_loss(shards, targets)
    ...     return loss, [len(shards) * gradient for gradient in gradients]
    >>> sg.assert_shard_invariant(summed_loss)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: summed_loss depends on how the classes are split.
    loss: right.
    gradient: times the number of parts. ...
    """
    check_choice(targets, ("indices", "weights"), "targets")
    check_choice(reduction, REDUCTIONS, "reduction")
    check_choice(convention, CONVENTIONS, "convention")
    check_choice(uneven, (True, False), "uneven")
    counts = [as_count(count, "parts") for count in parts]
    if not counts:
        raise ValueError("parts must hold at least one number, got none")
    epsilon = as_fraction(label_smoothing, "label_smoothing")
    if epsilon and targets == "weights":
        raise ValueError(
            "label_smoothing must be 0 for targets='weights', which are smoothed "
            f"before they are given, got {shown(label_smoothing)}"
        )
    setting = Setting(
        targets == "indices",
        as_temperature(temperature, np.float64),
        epsilon,
        convention,
        np.random.default_rng(as_count(seed, "seed", least=0)),
    )
    answers = [
        ask(function, problem, kind, reduction)
        for count in counts
        for sizes in splits(count, uneven, setting.rng)
        for kind, problem in problems(sizes, setting)
    ]
    if not all(answer.ok for answer in answers):
        name = getattr(function, "__name__", "The function")
        raise AssertionError(f"{name} " + "\n".join(told(answers)))


@dataclass(frozen=True)
class Setting:
    """What the problems have in common."""

    has_labels: bool
    temperature: float
    epsilon: float
    convention: Convention
    rng: np.random.Generator


def splits(
    count: int, uneven: bool, rng: np.random.Generator
) -> Iterator[tuple[int, ...]]:
    """Yield the sizes of the parts: all alike, different, and one class per part."""
    yield (EVEN,) * count
    if count == 1:
        return
    if uneven:
        sizes = rng.integers(1, 6, size=count)
        sizes[-1] = sizes[0] + 2
        yield tuple(sizes.tolist())
    yield (1,) * count


def problems(sizes: tuple[int, ...], setting: Setting) -> Iterator[tuple[str, Problem]]:
    """Yield problems of every kind, with the name of the kind, for one split."""
    rng, classes, count = setting.rng, sum(sizes), len(sizes)
    ends = np.cumsum(sizes)
    starts, part = ends - sizes, np.repeat(np.arange(count), sizes)
    middle = count // 2
    edges = np.array([starts[-1], ends[0] - 1, 0, classes - 1, starts[middle]])
    inside = rng.integers(starts[middle], ends[middle], size=ROWS)
    everywhere = np.full(classes, fill_value=True)

    def problem(logits: Array, labels: Array, allowed: Array) -> Problem:
        weights = rng.uniform(0.1, 1.0, size=(ROWS, classes)) * allowed
        return Problem(
            setting.temperature * logits,
            sizes,
            labels if setting.has_labels else None,
            np.eye(classes)[labels] if setting.has_labels else weights,
            setting.temperature,
            setting.epsilon,
            setting.convention,
        )

    def logits() -> Array:
        return rng.normal(scale=2.0, size=(ROWS, classes))

    yield ORDINARY, problem(logits(), edges, everywhere)
    yield ORDINARY, problem(logits(), inside, part == middle)
    if not setting.epsilon:  # a masked class with weight has an infinite loss
        for empty in {0, count - 1} if count > 1 else ():
            kept = part != empty
            masked = np.where(kept, logits(), -np.inf)
            labels = rng.choice(np.flatnonzero(kept), size=ROWS)
            yield MASKED, problem(masked, labels, kept)
    far = np.zeros((ROWS, classes))
    far[0], far[1], far[2:] = 900, -900, -900 * (part % 2)
    yield LARGE, problem(logits() + far, edges, everywhere)


@dataclass(frozen=True)
class Answer:
    """What the function made of a problem, and what is right."""

    kind: str
    problem: Problem
    reduction: Reduction
    loss: Array
    gradient: Array
    rounding: float
    error: str = ""

    def tolerance(self, of: str) -> float:
        """Return by how much a loss or a gradient may be off."""
        finite = self.problem.scaled[np.isfinite(self.problem.scaled)]
        weight = float(self.problem.total.max())
        unit = self.rounding * (1 + float(abs(finite).max())) * weight
        if of == "gradient":
            return unit / self.problem.temperature / self.divisor(self.reduction)
        return unit * (ROWS if self.reduction == "sum" else 1)

    @staticmethod
    def divisor(reduction: Reduction) -> int:
        """Return what the sum over the rows is divided by."""
        return ROWS if reduction == "mean" else 1

    def reduced(
        self, of: str, rows: Array, reduction: Reduction | None = None
    ) -> Array:
        """Return the loss, or the gradient, from those of the rows."""
        reduction = reduction or self.reduction
        if of == "loss" and reduction != "none":
            rows = rows.sum(axis=0)
        return np.asarray(rows / self.divisor(reduction))

    def right(self, of: str, reduction: Reduction | None = None) -> Array:
        """Return the loss or the gradient of the whole."""
        rows = self.problem.losses if of == "loss" else self.problem.gradients
        return self.reduced(of, rows, reduction)

    def off(self, of: str, other: Array) -> Array:
        """Return how far the function's result is from another; NaN as infinity."""
        with np.errstate(invalid="ignore"):
            difference = abs(getattr(self, of) - other)
        return np.where(np.isnan(difference), np.inf, difference)

    def agrees(self, of: str, other: Array) -> bool:
        """Say whether the function's result is another, where that is a number."""
        known = np.isfinite(other)
        return bool((self.off(of, other)[known] <= self.tolerance(of)).all())

    def is_right(self, of: str) -> bool:
        """Say whether the loss, or the gradient, is that of the whole."""
        return not self.error and self.agrees(of, self.right(of))

    @property
    def ok(self) -> bool:
        """Whether loss and gradient are those of the whole."""
        return self.is_right("loss") and self.is_right("gradient")


def ask(
    function: Callable[[list[Array], Array], tuple[Any, Any]],
    problem: Problem,
    kind: str,
    reduction: Reduction,
) -> Answer:
    """Call the function, and return what it made of a problem."""
    shards = np.split(problem.logits, problem.starts[1:], axis=-1)
    targets = problem.targets if problem.labels is None else problem.labels
    nothing = np.zeros(0)

    def failed(error: str) -> Answer:
        return Answer(kind, problem, reduction, nothing, nothing, 0.0, error)

    try:
        with np.errstate(all="ignore"):
            result = function([shard.copy() for shard in shards], targets.copy())
    except Exception as error:  # whatever it is, it is the finding
        return failed(f"it raises {type(error).__name__}: {error}")
    try:
        loss, gradients = result
        found = [np.asarray(each) for each in gradients]
        value = np.asarray(loss)
    except (TypeError, ValueError):
        return failed("it does not return a loss and a list of gradients")
    shape = (ROWS,) if reduction == "none" else ()
    if value.shape != shape:
        return failed(f"its loss has the shape {value.shape}, not {shape}")
    shapes, expected = [each.shape for each in found], [each.shape for each in shards]
    if shapes != expected:
        return failed(f"its gradients have the shapes {shapes}, not {expected}")
    kinds = {each.dtype for each in (value, *found) if each.dtype.kind == "f"}
    epsilon = max((float(np.finfo(each).eps) for each in kinds), default=2.0**-52)
    whole = np.concatenate([each.astype(float) for each in found], axis=-1)
    return Answer(
        kind, problem, reduction, value.astype(float), whole, ROUNDINGS * epsilon
    )


def told(answers: list[Answer]) -> list[str]:
    """Return what is wrong, in lines, the first of which follows a name."""
    ran = [answer for answer in answers if not answer.error]
    errors = [answer for answer in answers if answer.error]
    ordinary = [answer for answer in ran if answer.kind == ORDINARY]
    lines = ["depends on how the classes are split."]
    if errors and all(answer.ok for answer in ran):
        lines = ["does not take every split."]
    elif all(answer.ok for answer in ordinary):
        lines = ["is right at ordinary logits, and fails at others."]
    elif not all(answer.ok for answer in ordinary if answer.problem.parts == 1):
        lines = ["is wrong for one part already, before anything is split."]
    said: list[str] = []
    for of in ("loss", "gradient"):
        wrong = [answer for answer in ran if not answer.is_right(of)]
        if wrong:
            finding = explained(of, ran)
            again = "the same." if finding in said else finding
            said.append(finding)
            lines += [f"{of}: {again}", f"  {worst(of, wrong)}"]
        elif ran:
            lines.append(f"{of}: right.")
    if errors:
        sizes = errors[0].problem.sizes
        lines.append(
            f"With {errors[0].kind} logits in parts of {sizes}, {errors[0].error}."
        )
    return lines


def explained(of: str, answers: list[Answer]) -> str:
    """Return the fault that explains every loss, or every gradient."""
    ordinary = [answer for answer in answers if answer.kind == ORDINARY]
    if all(answer.is_right(of) for answer in ordinary):
        return fails_at(of, answers)
    for reduction in REDUCTIONS:
        if all(fits(answer, of, reduction) for answer in ordinary):
            return f"that of reduction={reduction!r}, which is not what was asked for."
    # Several parts first, since with one most faults are right.
    ordinary.sort(key=lambda answer: -answer.problem.parts)
    found: dict[str, Fault] = {}
    for fault in faults(ordinary[0].problem):
        forms = fault.losses if of == "loss" else fault.gradients
        if any(explains(form, of, ordinary) for form in forms):
            found.setdefault(fault.name, fault)
    if not found:
        return "wrong, by no fault that is known here."
    names = " or ".join(found)
    first = next(iter(found.values()))
    read = f" Read {chapter_address('mistakes', first.entry)}." if first.entry else ""
    return f"{names}. {first.advice}{read}"


def explains(form: Form, of: str, answers: list[Answer]) -> bool:
    """Say whether a form of a fault gives every result, where it gives a number."""
    with np.errstate(all="ignore"):
        return all(
            answer.agrees(of, answer.reduced(of, form(answer.problem)))
            for answer in answers
        )


def fits(answer: Answer, of: str, reduction: Any) -> bool:
    """Say whether a result is right for another reduction."""
    right = answer.right(of, reduction)
    return right.shape == getattr(answer, of).shape and answer.agrees(of, right)


def fails_at(of: str, answers: list[Answer]) -> str:
    """Return at which logits a result is wrong that is right at ordinary ones."""
    masked = [answer for answer in answers if answer.kind == MASKED]
    if not all(answer.is_right(of) for answer in masked):
        return (
            "wrong where a part is all -inf. Its maximum is -inf, and -inf minus -inf "
            "is NaN: its sum of exponentials is 0 at any maximum of all parts."
        )
    return (
        "wrong at large logits. The maximum of all parts is subtracted before an "
        "exponential is taken, and the loss is a difference of logarithms."
    )


def worst(of: str, wrong: list[Answer]) -> str:
    """Return the entry that is furthest off, in the smallest problem that shows it."""
    wrong = [each for each in wrong if each.kind == ORDINARY] or wrong
    errors = [float(each.off(of, each.right(of)).max()) for each in wrong]
    clear = [
        each
        for each, error in zip(wrong, errors, strict=True)
        if error >= max(errors) / 10
    ]
    answer = min(clear, key=lambda each: each.problem.classes)
    right, yours = answer.right(of), getattr(answer, of)
    index = np.unravel_index(np.argmax(answer.off(of, right)), right.shape)
    names = zip(("row", "class"), index, strict=False)
    place = "".join(f", {name} {int(each)}" for name, each in names)
    return (
        f"With {answer.kind} logits in parts of {answer.problem.sizes}{place}: "
        f"yours {yours[index]:.6g}, right {right[index]:.6g}."
    )
