"""Not public: the arithmetic. Arguments are checked, and the class axis is the last.

The functions here are the only entrance, one for each result. Each chooses: a kernel
runs over blocks of rows in a processor's cache (`blocks`), and what that cannot take,
complex numbers, extended precision, T or logits near the ends of the floats' range,
goes to slower functions (`accurate`, `two_softmaxes`).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._inputs import Array, Check, nothing_left_to_check
from .._reductions import reduce_losses
from . import (
    accurate,
    divergence,
    gaps,
    losses,
    losses_from_gaps,
    probabilities,
    two_softmaxes,
)
from .accurate import at_least_double, scaled_logits
from .blocks import LONG_ROW, Attempt, Batch, fill, row_slices
from .exponentials import direct, shifted, split, uncorrected, untaken
from .few import FEW, few_value_and_gradient
from .sums import COLUMNS, ROWS, SHORT_ROW
from .tilted import Subtracted, TiltedTeacher

# A smaller scale of a gradient, over a sum of exponentials, might underflow.
LEAST_SLOPE = 1e-90

# The largest T and 1/T that the kernels take.
EXTREME_TEMPERATURE = 2.0**20


class Results(NamedTuple):
    """Room for what is computed: of the logits' shape, or one number per row."""

    matrix: Array | None = None
    by_row: Array | None = None


class Scale(NamedTuple):
    """By what a gradient is multiplied, and by what it is divided."""

    factor: float
    divisor: float
    temperature: float = 1.0

    def of(self, values: Array) -> Array:
        """Return the values, scaled so that nothing overflows on the way."""
        return values * self.factor / self.divisor / self.temperature

    def as_number(self) -> float:
        """Return the scale for an ordinary T."""
        return self.factor / (self.divisor * self.temperature)


UNSCALED = Scale(1.0, 1.0)


def softmax(
    logits: Array, temperature: float, check: Check = nothing_left_to_check
) -> Array:
    """Return q = softmax(z/T)."""

    def slow(some: Array) -> tuple[Array]:
        return (accurate.probabilities(scaled_logits(some, temperature)),)

    probs = np.empty(logits.shape, logits.dtype)
    kernel = probabilities.softmax
    _compute(
        kernel, slow, temperature, Results(probs), (logits,), narrow=True, check=check
    )
    return probs


def log_softmax(
    logits: Array, temperature: float, check: Check = nothing_left_to_check
) -> Array:
    """Return log q."""

    def slow(some: Array) -> tuple[Array]:
        return (accurate.log_probabilities(scaled_logits(some, temperature)),)

    log_probs = np.empty(logits.shape, logits.dtype)
    kernel, results = probabilities.log_softmax, Results(log_probs)
    sooner = _from_gaps(gaps.log_softmax, temperature, logits)
    given = ((logits,), ())
    _compute(
        kernel, slow, temperature, results, *given, sooner, narrow=True, check=check
    )
    return log_probs


def jacobian_product(
    logits: Array,
    vector: Array,
    temperature: float,
    check: Check = nothing_left_to_check,
) -> Array:
    """Return J u for the `vector` u; J is symmetric, so that is J^T u too."""

    def slow(some: Array, factors: Array) -> tuple[Array]:
        probs = accurate.probabilities(scaled_logits(some, temperature))
        return (accurate.times_jacobian(probs, factors) / temperature,)

    product = np.empty(logits.shape, logits.dtype)
    kernel = probabilities.jacobian_product
    results = Results(product)
    _compute(kernel, slow, temperature, results, (logits,), (vector,), check=check)
    return product


def log_softmax_vjp(
    logits: Array,
    vector: Array,
    temperature: float,
    check: Check = nothing_left_to_check,
) -> Array:
    """Return (g - q sum(g))/T for the `vector` g."""

    def slow(some: Array, factors: Array) -> tuple[Array]:
        probs = accurate.probabilities(scaled_logits(some, temperature))
        rest = factors - probs * factors.sum(axis=-1, keepdims=True)
        return (rest / temperature,)

    product = np.empty(logits.shape, logits.dtype)
    kernel = probabilities.log_softmax_vjp
    results = Results(product)
    _compute(kernel, slow, temperature, results, (logits,), (vector,), check=check)
    return product


def cross_entropy(
    logits: Array,
    targets: Array,
    temperature: float,
    check: Check = nothing_left_to_check,
) -> Array:
    """Return -sum t log q for each row, in float64 or wider."""

    def slow(some: Array, answers: Array) -> tuple[Array]:
        weights = _as_weights(answers, some)
        return (accurate.row_losses(scaled_logits(some, temperature), weights),)

    rows = np.empty(logits.shape[:-1], at_least_double(logits))
    targets = _usable(targets, logits, check)
    kernel = _loss_kernel(targets, logits)(gradient=False)
    results, given = Results(by_row=rows), ((logits,), (targets,))
    if targets.ndim < logits.ndim:
        from_gaps: Callable[..., Array] = gaps.label_losses
    else:
        from_gaps = losses_from_gaps.WeightsFromGaps(gradient=False)
    sooner = _from_gaps(from_gaps, temperature, logits, targets)
    _compute(
        kernel, slow, temperature, results, *given, sooner, narrow=True, check=check
    )
    return rows


def cross_entropy_gradient(
    logits: Array,
    targets: Array,
    temperature: float,
    divisor: int,
    check: Check = nothing_left_to_check,
) -> Array:
    """Return (q sum(t) - t)/T over the `divisor`."""

    def slow(some: Array, answers: Array) -> tuple[Array]:
        scaled, weights = scaled_logits(some, temperature), _as_weights(answers, some)
        return (accurate.row_gradients(scaled, weights, temperature) / divisor,)

    gradient = np.empty(logits.shape, logits.dtype)
    targets = _usable(targets, logits, check)
    kernel = _loss_kernel(targets, logits)(divisor)
    results, given = Results(gradient), ((logits,), (targets,))
    sooner = _soft_from_gaps(divisor, temperature, logits, targets)
    _compute(
        kernel, slow, temperature, results, *given, sooner, narrow=True, check=check
    )
    return gradient


def cross_entropy_value_and_gradient(
    logits: Array,
    targets: Array,
    temperature: float,
    reduction: str,
    divisor: int,
    out: Array | None = None,
    check: Check = nothing_left_to_check,
) -> tuple[Any, Array]:
    """Return the reduced loss and its gradient, which is in `out` where that can be."""
    has_labels = targets.ndim < logits.ndim
    usual = _is_usual(logits, temperature)
    if usual and has_labels and 0 < logits.size <= FEW:
        few = few_value_and_gradient(logits, targets, temperature, divisor, reduction)
        if few is not None:
            return few
    rows, gradient = cross_entropy_rows_and_gradient(
        logits, targets, temperature, divisor, out, check
    )
    loss = reduce_losses(rows[()], reduction, divisor)
    return accurate.rounded_like(loss, logits), gradient


def cross_entropy_rows_and_gradient(
    logits: Array,
    targets: Array,
    temperature: float,
    divisor: int,
    out: Array | None = None,
    check: Check = nothing_left_to_check,
) -> tuple[Array, Array]:
    """Return each row's loss, in float64 or wider, and (q sum(t) - t)/T over `divisor`.

    The gradient is in `out` where that can be.
    """
    targets = _usable(targets, logits, check)

    def slow(some: Array, answers: Array) -> tuple[Array, Array]:
        scaled, weights = scaled_logits(some, temperature), _as_weights(answers, some)
        gradients = accurate.row_gradients(scaled, weights, temperature) / divisor
        return gradients, accurate.row_losses(scaled, weights)

    gradient = out
    if gradient is None or not _can_be_filled(gradient, logits, targets):
        gradient = np.empty(logits.shape, logits.dtype)
    rows = np.empty(logits.shape[:-1], at_least_double(logits))
    kernel = _loss_kernel(targets, logits)(divisor)
    results, given = Results(gradient, rows), ((logits,), (targets,))
    sooner = _soft_from_gaps(divisor, temperature, logits, targets)
    _compute(
        kernel, slow, temperature, results, *given, sooner, narrow=True, check=check
    )
    return rows, gradient


def temperature_derivatives(
    logits: Array,
    targets: Array,
    temperature: float,
    check: Check = nothing_left_to_check,
) -> Array:
    """Return dL/dT for each row; NaN where a class that has weight has q = 0."""

    def slow(some: Array, answers: Array) -> tuple[Array]:
        scaled, weights = scaled_logits(some, temperature), _as_weights(answers, some)
        return (accurate.temperature_derivatives(scaled, weights) / temperature,)

    rows = np.empty(logits.shape[:-1], at_least_double(logits))
    targets = _usable(targets, logits, check)
    kernel = losses.temperature_derivative
    sooner = []
    if logits.dtype == np.float64:
        from_gaps = losses_from_gaps.temperature_derivative
        sooner = _from_gaps(from_gaps, temperature, logits, targets)
    results, given = Results(by_row=rows), ((logits,), (targets,))
    _compute(kernel, slow, temperature, results, *given, sooner, check=check)
    return rows


def distillation_temperature_derivatives(
    logits: Array,
    teacher: Array,
    temperature: float,
    check: Check = nothing_left_to_check,
) -> Array:
    """Return dL/dT for each row, for the targets softmax(v/T); NaN as above."""

    def slow(some: Array, others: Array) -> tuple[Array]:
        scaled, scaled_teacher = (scaled_logits(x, temperature) for x in (some, others))
        weights = accurate.probabilities(scaled_teacher)
        derivatives = accurate.temperature_derivatives(scaled, weights)
        derivatives += accurate.covariance(
            weights, scaled_teacher.values, scaled.values
        )
        return (derivatives / temperature,)

    rows = np.empty(logits.shape[:-1], at_least_double(logits))
    kernel = losses.distillation_temperature_derivative
    results = Results(by_row=rows)
    _compute(kernel, slow, temperature, results, (logits, teacher), check=check)
    return rows


def kl_divergence(
    logits: Array,
    teacher: Array,
    temperature: float,
    check: Check,
    factor: float = 1.0,
) -> Array:
    """Return `factor`^2 KL(p || q) for each row, in float64 or wider."""
    rows = np.empty(logits.shape[:-1], at_least_double(logits))
    _compare(logits, teacher, temperature, check, Results(by_row=rows), factor)
    return rows


def kl_divergence_gradient(
    logits: Array, teacher: Array, temperature: float, check: Check, scale: Scale
) -> Array:
    """Return `scale` (q - p)."""
    gradient = np.empty(logits.shape, logits.dtype)
    _compare(logits, teacher, temperature, check, Results(gradient), scale=scale)
    return gradient


def kl_divergence_value_and_gradient(
    logits: Array,
    teacher: Array,
    temperature: float,
    check: Check,
    factor: float,
    scale: Scale,
) -> tuple[Array, Array]:
    """Return `factor`^2 KL(p || q) for each row, and `scale` (q - p)."""
    rows = np.empty(logits.shape[:-1], at_least_double(logits))
    gradient = np.empty(logits.shape, logits.dtype)
    results = Results(gradient, rows)
    _compare(logits, teacher, temperature, check, results, factor, scale)
    return rows, gradient


def teacher_gradient(
    logits: Array, teacher: Array, temperature: float, check: Check, scale: Scale
) -> Array:
    """Return `scale` p (log(p/q) - KL)."""

    def slow(some: Array, others: Array) -> tuple[Array]:
        pair = two_softmaxes.compare(some, others, temperature)
        return (scale.of(two_softmaxes.teacher_gradients(pair)),)

    gradient = np.empty(logits.shape, logits.dtype)
    kernel = divergence.TeacherGradient(scale.as_number())
    results = Results(gradient)
    _compute(kernel, slow, temperature, results, (logits, teacher), check=check)
    return gradient


def _compare(
    logits: Array,
    teacher: Array,
    temperature: float,
    check: Check,
    results: Results,
    factor: float = 1.0,
    scale: Scale = UNSCALED,
) -> None:
    """Fill in those of `scale` (q - p) and `factor`^2 KL(p || q) that have room."""

    def slow(some: Array, others: Array) -> tuple[Array, ...]:
        pair = two_softmaxes.compare(some, others, temperature)
        found = []
        if results.matrix is not None:
            found.append(scale.of(pair.difference))
        if results.by_row is not None:
            found.append(two_softmaxes.divergences(pair, factor))
        return tuple(found)

    numbers, gradient = (factor * factor, scale.as_number()), results.matrix is not None
    kernel = divergence.Divergence(*numbers, gradient=gradient)
    sooner = _sooner_comparisons(logits, teacher, temperature, results, numbers)
    _compute(
        kernel, slow, temperature, results, (logits, teacher), (), sooner, check=check
    )


def _sooner_comparisons(
    logits: Array,
    teacher: Array,
    temperature: float,
    results: Results,
    numbers: tuple[float, float],
) -> list[Attempt]:
    """Return the attempts with fewer exponentials, or fewer passes, in their order."""
    gradient, (_, slope) = results.matrix is not None, numbers
    if gradient and 0 < slope < LEAST_SLOPE:
        return []
    layout = COLUMNS if logits.shape[-1] <= SHORT_ROW else ROWS
    z, v = (_in_rows(array, logits.shape) for array in (logits, teacher))
    way = direct
    is_double = logits.dtype.char == "d"
    if results.by_row is None and is_double and _is_corrected(temperature, logits):
        way = uncorrected
    tilted = TiltedTeacher(*numbers, layout, gradient=gradient)
    is_long = layout is ROWS
    attempts = [
        Attempt(tilted, (way, untaken), (v, z), layout=layout, is_optional=is_long)
    ]
    if gradient and is_long:
        apart = Subtracted(*numbers)
        attempts.append(Attempt(apart, (way, way), (z, v), is_optional=True))
        if results.by_row is None and not is_double:
            attempts.reverse()  # digits to spare: differences are seldom too small
    return attempts


def _is_corrected(temperature: float, logits: Array) -> bool:
    """Say whether z/T rounds, in rows that are long enough to do without correction."""
    return logits.shape[-1] >= LONG_ROW and math.frexp(temperature)[0] != 0.5


def _from_gaps(
    kernel: Callable[..., Array], temperature: float, logits: Array, *others: Array
) -> list[Attempt]:
    """Return the attempt without compensated exponentials, where that is sooner."""
    if not _is_corrected(temperature, logits):
        return []
    arrays = [_in_rows(array, logits.shape) for array in (logits, *others)]
    char = logits.dtype.char
    given = tuple(arrays[:1]), tuple(arrays[1:])
    return [Attempt(kernel, [untaken], *given, char, is_optional=True)]


def _soft_from_gaps(
    divisor: int, temperature: float, logits: Array, targets: Array
) -> list[Attempt]:
    """Return that attempt for a gradient, which takes weights only."""
    if targets.ndim < logits.ndim:
        return []
    kernel = losses_from_gaps.WeightsFromGaps(divisor)
    return _from_gaps(kernel, temperature, logits, targets)


def _compute(
    kernel: Callable[..., Array],
    slow: Callable[..., tuple[Array, ...]],
    temperature: float,
    results: Results,
    logits: tuple[Array, ...],
    others: tuple[Array, ...] = (),
    sooner: Sequence[Attempt] = (),
    *,
    narrow: bool = False,
    check: Check,
) -> None:
    """Fill the results, by the kernel where it can, and else by the slow function.

    The kernel does what the `sooner` attempts leave.
    """
    shape, char = logits[0].shape, logits[0].dtype.char
    logits = tuple(_in_rows(array, shape) for array in logits)
    others = tuple(_in_rows(array, shape) for array in others)
    matrix = None if results.matrix is None else results.matrix.reshape(-1, shape[-1])
    by_row = None if results.by_row is None else results.by_row.reshape(-1)
    left = np.arange(len(logits[0]))
    if _is_usual(logits[0], temperature):
        usual = char if narrow else "d"
        attempts = [
            Attempt(kernel, [way] * len(logits), logits, others, dtype)
            for way, dtype in ((direct, usual), (shifted, "d"))
        ]
        left = fill(
            [*sooner, *attempts], Batch(split(temperature, char), matrix, by_row)
        )
    if len(left):
        check()
    places = [array for array in (matrix, by_row) if array is not None]
    with np.errstate(all="ignore"):
        for block in row_slices(len(left), 8 * shape[-1]):
            chosen = left[block]
            rows = (array[chosen] for array in (*logits, *others))
            for place, found in zip(places, slow(*rows), strict=True):
                place[chosen] = found


def _is_usual(logits: Array, temperature: float) -> bool:
    """Say whether the kernels take these logits at this T."""
    extreme = max(temperature, 1 / temperature) > EXTREME_TEMPERATURE
    return logits.dtype.char in "fd" and logits.dtype.isnative and not extreme


def _in_rows(array: Array, shape: tuple[int, ...]) -> Array:
    """Return the array with its axes of the batch, all but one of `shape`, as one."""
    rest = array.shape[len(shape) - 1 :]
    return np.ascontiguousarray(array).reshape(-1, *rest)


def _can_be_filled(out: Array, *inputs: Array) -> bool:
    """Say whether results can be written to `out` before all inputs are read."""
    shared = any(np.may_share_memory(out, array) for array in inputs)
    return out.flags.c_contiguous and not shared


def _loss_kernel(
    targets: Array, logits: Array
) -> type[losses.Labels] | type[losses.Weights]:
    """Return the kernel for class indices, with an axis fewer, or for weights."""
    return losses.Labels if targets.ndim < logits.ndim else losses.Weights


def _usable(targets: Array, logits: Array, check: Check) -> Array:
    """Return class indices that stand for classes, or weights as they are."""
    if targets.ndim == logits.ndim:
        return targets
    if targets.min(initial=0) < 0 or targets.max(initial=0) >= logits.shape[-1]:
        check()
    return targets.astype(np.intp, copy=False)


def _as_weights(targets: Array, logits: Array) -> Array:
    """Return the targets of some rows as weights t: e_y for a class index y."""
    if targets.ndim == logits.ndim:
        return targets
    weights = np.zeros(logits.shape, logits.real.dtype)
    weights[np.arange(len(targets)), targets] = 1
    return weights
