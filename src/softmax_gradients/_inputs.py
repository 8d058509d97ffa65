"""Reading the arguments: every public function checks its input here.

Each reader returns a new array or a view, never changes what it was given, and
raises a ValueError that names the argument, its value and what was expected.
Inside the package the class axis is always the last one; `as_logits` moves it
there and `restore_axis` moves it back.
"""

import reprlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_index
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[Any]
# One number for a batch, or one for each row.
Loss: TypeAlias = np.floating[Any] | NDArray[Any]

Reduction: TypeAlias = Literal["mean", "sum", "none"]
DistillationReduction: TypeAlias = Literal["batchmean", "mean", "sum", "none"]

# What reads an argument may leave its values unchecked: then an invalid one shows in
# the results of its row, and this is called before anything is made of them.
Check: TypeAlias = Callable[[], object]


def nothing_left_to_check() -> None:
    """Be the check of arguments that have been checked."""


# Whole numbers above this are not all float64 numbers: two of them may become one.
LARGEST_INTEGER = 2**53


def as_logits(logits: ArrayLike, name: str = "logits", axis: int = -1) -> Array:
    """Return `logits` as a floating array whose class axis is the last one.

    Raises
    ------
    ValueError
        If there is no class axis or it is empty, if an entry is NaN or +inf, or
        if all classes of a row are masked (-inf).
    """
    array = _as_floating(logits, name)
    if array.ndim == 0:
        raise ValueError(
            f"{name} must have a class axis, got the scalar {shown(logits)}"
        )
    array = class_axis_last(array, as_axis(axis, array.ndim))
    if array.shape[-1] == 0:
        raise ValueError(
            f"{name} must have at least one class along axis {axis}, "
            f"got an array of shape {np.shape(logits)}"
        )
    # A NaN or +inf shows in the maximum, and a row of -inf is one whose maximum is
    # -inf. The maxima of short rows take long, and are seldom needed.
    real = array.real
    highest, lowest = real.max(initial=-np.inf), real.min(initial=0)
    if not (highest < np.inf and lowest > -np.inf):
        peaks = real.max(axis=-1)
        if not np.isfinite(peaks).all():
            _refuse_logits(real, peaks, name, axis)
    if np.iscomplexobj(array) and not np.isfinite(array.imag).all():
        raise ValueError(
            f"{name} must have a finite imaginary part, got {shown(logits)}"
        )
    return array


def as_unchecked_logits(logits: ArrayLike, axis: int, name: str = "logits") -> Array:
    """Return `logits` as `as_logits` does, but leave the check to those who compute.

    Invalid entries show in the sums of their rows.
    """
    if type(logits) is np.ndarray:  # a masked array has more to be checked
        rows = logits.ndim > 0 and logits.size > 0
        last = rows and type(axis) is int and axis in (-1, logits.ndim - 1)
        if last and logits.dtype.char in "fd":
            return np.asarray(logits)
    return as_logits(logits, name, axis)


def as_unchecked_like(values: ArrayLike, logits: Array, name: str, axis: int) -> Array:
    """Return `values` as `as_same_shape` does, but leave the check of their values."""
    if type(values) is np.ndarray:
        same = values.shape == logits.shape and values.dtype == logits.dtype
        if same and axis in (-1, logits.ndim - 1):
            return np.asarray(values)
    return as_same_shape(values, logits, name, axis)


def as_unchecked_targets(targets: ArrayLike, logits: Array, axis: int) -> Array:
    """Return `targets` as `as_targets` does, but leave the check of their values."""
    if type(targets) is np.ndarray:
        last = axis in (-1, logits.ndim - 1) and targets.dtype == logits.dtype
        if last and targets.shape == logits.shape:
            return np.asarray(targets)
        if targets.dtype.kind in "iu" and targets.shape == logits.shape[:-1]:
            return np.asarray(targets)
    return as_targets(targets, logits, axis)


def as_real_logits(logits: ArrayLike, name: str = "logits", axis: int = -1) -> Array:
    """Return `logits` as `as_logits` does, but refuse complex numbers."""
    array = as_logits(logits, name, axis)
    if np.iscomplexobj(array):
        raise ValueError(f"{name} must be real, got an array of {array.dtype}")
    return array


def as_same_shape(
    values: ArrayLike, logits: Array, name: str, axis: int, dtype: Any = None
) -> Array:
    """Return `values` as a finite array of the shape and precision of `logits`.

    `logits` has its class axis last, as `as_logits` returns it; `values` has it
    at `axis`, as the user gave it.
    """
    array = _as_floating(values, name)
    _require_shape(array.shape, logits, name, axis)
    array = class_axis_last(array, axis)
    return _as_finite(array, logits.dtype if dtype is None else dtype, name)


def as_logits_like(
    values: ArrayLike, logits: Array, name: str, axis: int = -1
) -> Array:
    """Return `values` as logits of the shape and precision of `logits`.

    For the teacher's logits: `logits` has its class axis last, as `as_logits`
    returns it; `values` has it at `axis`, as the user gave it.
    """
    array = _as_floating(values, name)
    _require_shape(array.shape, logits, name, axis)
    return as_logits(_as_precision(array, logits.dtype, name), name, axis)


def as_targets(
    targets: ArrayLike,
    logits: Array,
    axis: int = -1,
    name: str = "targets",
    *,
    allow_negative: bool = False,
) -> Array:
    """Return class indices (one axis fewer than `logits`) or probabilities.

    The shape decides: an integer array of the logits' shape without the class
    axis holds class indices, an array of the logits' shape holds probabilities,
    which need not sum to one. Integers of the logits' shape must be one-hot: N
    labels for logits of shape (N,) would otherwise pass as the weights of one row.
    `logits` has its class axis last.
    """
    array = as_array(targets, name)
    classes = logits.shape[-1]
    if array.shape == logits.shape[:-1]:
        if array.dtype.kind not in "iu":
            raise ValueError(
                f"{name} without a class axis must be class indices of an integer "
                f"type, got {array.dtype}; probabilities need the logits' shape "
                f"{restore_axis(logits, axis).shape}"
            )
        # Before the conversion: where indices have 32 bits, 2^32 + 1 would become 1.
        if array.min(initial=0) < 0 or array.max(initial=0) >= classes:
            _refuse_labels(array, classes, name)
        return array.astype(np.intp)
    if array.ndim != logits.ndim:
        raise ValueError(
            f"{name} must be class indices of shape {logits.shape[:-1]} or "
            f"probabilities of shape {restore_axis(logits, axis).shape}, "
            f"got shape {array.shape}"
        )
    probabilities = as_same_shape(array, logits, name, axis, dtype=logits.real.dtype)
    if array.dtype.kind in "iu":
        _require_one_hot(probabilities, name)
    if not allow_negative:
        _require_not_negative(probabilities, name)
    require_finite_sums(probabilities, name)
    return probabilities


def as_kept_targets(
    targets: ArrayLike, logits: Array, ignore_index: int | None
) -> tuple[ArrayLike, Array]:
    """Return the targets with 0 for each ignored label, and which rows are ignored.

    `logits` has its class axis last.
    """
    rows = logits.shape[:-1]
    if ignore_index is None:
        return targets, np.zeros(rows, dtype=bool)
    index = as_array(ignore_index, "ignore_index")
    if index.ndim != 0 or index.dtype.kind not in "iu":
        raise ValueError(
            f"ignore_index must be an integer or None, got {shown(ignore_index)}"
        )
    labels = as_array(targets, "targets")
    if labels.shape != rows or labels.dtype.kind not in "iu":
        raise ValueError(
            f"ignore_index={index} needs class indices of shape {rows} as targets, "
            f"got an array of {labels.dtype} and shape {labels.shape}"
        )
    # Python's integers compare right with labels of any integer type.
    ignored = labels == int(index)
    return np.where(ignored, labels.dtype.type(0), labels), ignored


def as_class_weights(weights: ArrayLike, classes: int, allow_negative: bool) -> Array:
    """Return one weight for each of C classes, in float64."""
    return _as_weights_of(
        weights, (classes,), "class_weights", "one for each class", allow_negative
    )


def as_sample_weights(weights: ArrayLike, logits: Array, allow_negative: bool) -> Array:
    """Return one weight for each row of `logits`, class axis last, in float64."""
    return _as_weights_of(
        weights, logits.shape[:-1], "sample_weights", "one for each row", allow_negative
    )


def as_weights(targets: ArrayLike, logits: Array, axis: int = -1) -> Array:
    """Return the targets as weights t of the logits' shape: e_y for an index y."""
    array = as_targets(targets, logits, axis)
    if array.ndim == logits.ndim:
        return array
    one_hot = np.zeros(logits.shape, dtype=logits.real.dtype)
    np.put_along_axis(one_hot, array[..., np.newaxis], 1, axis=-1)
    return one_hot


def as_inputs(inputs: ArrayLike, logits: Array) -> Array:
    """Return the features x of shape (..., d), one row for each row of logits."""
    array = _as_floating(inputs, "inputs")
    if array.ndim != logits.ndim or array.shape[:-1] != logits.shape[:-1]:
        raise ValueError(
            f"inputs must have shape {logits.shape[:-1]} + (d,), one row for each "
            f"row of logits, got shape {array.shape}"
        )
    return _as_finite(array, logits.dtype, "inputs")


class Layer(NamedTuple):
    """The x, W and b of a linear layer, in one precision."""

    inputs: Array
    weights: Array
    bias: Array | None


def read_layer(inputs: ArrayLike, weights: ArrayLike, bias: ArrayLike | None) -> Layer:
    """Return x of shape (..., d), W of shape (C, d), and b of shape (C,) or None.

    The precision is that of x and W together. A class is masked by a b of -inf.
    """
    features = _as_floating(inputs, "inputs")
    matrix = _as_floating(weights, "weights")
    if features.ndim == 0:
        raise ValueError(
            f"inputs must have an axis of features, got the scalar {shown(inputs)}"
        )
    size = features.shape[-1]
    if matrix.ndim != 2 or matrix.shape[-1] != size or len(matrix) == 0:
        raise ValueError(
            f"weights must have shape (C, {size}), a row for each of at least one "
            f"class and a column for each feature of inputs, got shape {matrix.shape}"
        )
    for name, array in (("inputs", features), ("weights", matrix)):
        if np.iscomplexobj(array):
            raise ValueError(f"{name} must be real, got an array of {array.dtype}")
    dtype = np.result_type(features, matrix)
    offset = None
    if bias is not None:
        offset = as_real_logits(bias, "bias")
        if offset.shape != (len(matrix),):
            raise ValueError(
                f"bias must have shape ({len(matrix)},), one number for each row of "
                f"weights, got shape {offset.shape}"
            )
        offset = _as_precision(offset, dtype, "bias")
    return Layer(
        _as_finite(features, dtype, "inputs"),
        _as_finite(matrix, dtype, "weights"),
        offset,
    )


def as_temperature(temperature: float, dtype: Any) -> float:
    """Return the temperature T as a float that is positive in `dtype` too."""
    if type(temperature) is float and 1e-30 < temperature < 1e30:  # in any precision
        return temperature
    value = as_array(temperature, "temperature")
    if not _is_real_number(value):
        raise ValueError(
            f"temperature must be one real number, got {shown(temperature)}"
        )
    # A float32 computation would round a temperature of 1e-50 to zero.
    with np.errstate(over="ignore", under="ignore"):
        rounded = value.astype(np.dtype(dtype).type(0).real.dtype)
    if not (np.isfinite(rounded) and rounded > 0):
        raise ValueError(
            f"temperature must be positive and finite in {rounded.dtype}, "
            f"got {shown(temperature)}"
        )
    return float(value)


def as_fraction(fraction: float, name: str) -> float:
    """Return a number from 0 to 1 as a float."""
    value = as_array(fraction, name)
    if not (_is_real_number(value) and 0 <= value <= 1):
        raise ValueError(f"{name} must be from 0 to 1, got {shown(fraction)}")
    return float(value)


def as_count(number: int, name: str, *, least: int = 1) -> int:
    """Return a whole number of at least `least` as an int; True is not one."""
    value = as_array(number, name)
    whole = value.ndim == 0 and value.dtype.kind in "iu"
    if not (whole and value >= least):
        raise ValueError(
            f"{name} must be an integer of at least {least}, got {shown(number)}"
        )
    return int(value)


def as_step(step: float) -> float:
    """Return the step of a difference as a float, positive and finite."""
    value = as_array(step, "step")
    if not (_is_real_number(value) and np.isfinite(value) and value > 0):
        raise ValueError(f"step must be positive and finite, got {shown(step)}")
    return float(value)


def as_point(point: ArrayLike, name: str = "point") -> Array:
    """Return a point as a finite float64 array that is not empty."""
    array = as_array(point, name)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be real numbers, got an array of {array.dtype}")
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite and not empty, got {shown(point)}")
    return array.astype(np.float64)


def as_axis(axis: int, ndim: int) -> int:
    """Return the axis of the classes, counted from the first, as an int."""
    array = as_array(axis, "axis")
    if array.ndim != 0 or array.dtype.kind not in "iu" or not -ndim <= array < ndim:
        raise ValueError(
            f"axis must be an integer from {-ndim} to {ndim - 1}, got {shown(axis)}"
        )
    return normalize_axis_index(int(array), ndim)


def check_choice(value: Any, choices: tuple[Any, ...], name: str) -> None:
    """Raise a ValueError unless `value` is one of the `choices`."""
    # An array would be compared entry by entry.
    if type(value) not in {type(choice) for choice in choices} or value not in choices:
        names = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {names}, got {shown(value)}")


def check_out(out: Any, gradient: Array) -> None:
    """Raise a ValueError unless `gradient` can be written to `out`."""
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an ndarray, got {type(out).__name__}")
    if out.shape != gradient.shape or out.dtype != gradient.dtype:
        raise ValueError(
            f"out must have shape {gradient.shape} and type {gradient.dtype}, "
            f"got shape {out.shape} and type {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out must be writeable, got a read-only array")


class LogitPair(NamedTuple):
    """The logits of a student and of its teacher, class axis last, and T."""

    logits: Array
    teacher: Array
    temperature: float


class UncheckedPair(NamedTuple):
    """What a `LogitPair` holds, and the check that is left to those who compute."""

    logits: Array
    teacher: Array
    temperature: float
    check: Check


def read_logit_pair(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    temperature: float,
    axis: int,
    name: str = "student_logits",
) -> LogitPair:
    """Return both logits in the precision of the first, class axis last, and T."""
    scores = as_real_logits(logits, name, axis)
    teacher = as_logits_like(teacher_logits, scores, "teacher_logits", axis)
    return LogitPair(scores, teacher, as_temperature(temperature, scores.dtype))


def read_unchecked_pair(
    student_logits: ArrayLike,
    teacher_logits: ArrayLike,
    temperature: float,
    axis: int,
) -> UncheckedPair:
    """Return what `read_logit_pair` does, but leave the check to those who compute."""

    def read() -> LogitPair:
        return read_logit_pair(student_logits, teacher_logits, temperature, axis)

    scores = as_unchecked_logits(student_logits, axis, "student_logits")
    teacher = teacher_logits
    if type(teacher) is np.ndarray:
        same = teacher.shape == scores.shape and teacher.dtype == scores.dtype
        if same and scores.dtype.char in "fd" and axis in (-1, scores.ndim - 1):
            value = as_temperature(temperature, scores.dtype)
            return UncheckedPair(scores, np.asarray(teacher), value, read)
    return UncheckedPair(*read(), nothing_left_to_check)


def class_axis_last(array: Array, axis: int) -> Array:
    """Move the axis of the classes, which is at `axis`, to the end."""
    # np.moveaxis takes longer than all arithmetic on a few numbers.
    return array if axis in (-1, array.ndim - 1) else np.moveaxis(array, axis, -1)


def restore_axis(array: Array, axis: int) -> Array:
    """Move the last axis, where the package keeps the classes, back to `axis`."""
    return array if axis == -1 else np.moveaxis(array, -1, axis)


def shown(value: Any) -> str:
    """Return a value as text for a message: its beginning, if it is long."""
    return reprlib.repr(value)


def as_array(values: ArrayLike, name: str) -> Array:
    """Return `values` as an array, or say why that cannot be done."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(
            f"{name} must not be a masked array, whose mask would be ignored: "
            "give -inf as the logit of a masked class, and leave out other entries"
        )
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{name} must be a rectangular array of numbers, got {shown(values)}"
        ) from error


def _is_real_number(value: Array) -> bool:
    """Say whether an array is one real number, and not True or False."""
    return value.ndim == 0 and value.dtype.kind in "iuf"


def _as_floating(values: ArrayLike, name: str) -> Array:
    """Return `values` as float32, float64 or wider; float16 becomes float32."""
    array = as_array(values, name)
    if array.dtype.kind in "iu":
        large = (array > LARGEST_INTEGER) | (array < -LARGEST_INTEGER)
        if large.any():
            raise ValueError(
                f"{name} must be integers of at most 2^53 in size, or floats, "
                f"got {_first(array, large)}"
            )
        return array.astype(np.float64)
    if array.dtype.kind not in "fc":
        raise ValueError(f"{name} must be numbers, got an array of {array.dtype}")
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _refuse_logits(array: Array, peaks: Array, name: str, axis: int) -> None:
    """Raise the ValueError that says which logit or row cannot be used."""
    if np.isnan(peaks).any() or np.isposinf(peaks).any():
        raise ValueError(
            f"{name} must be finite, or -inf for a masked class, "
            f"got {_first(array, np.isnan(array) | np.isposinf(array))}"
        )
    row = np.argwhere(np.isneginf(peaks))[0].tolist()
    raise ValueError(
        f"{name} must have an unmasked class in each row along axis {axis}, "
        f"got only -inf{f' in row {row}' if row else ''}"
    )


def _refuse_labels(labels: Array, classes: int, name: str) -> None:
    """Raise the ValueError that says which class index is out of range."""
    outside = (labels < 0) | (labels >= classes)
    hint = ""
    if (labels < 0).any():
        hint = (
            "; leave out the rows that an ignore_index marks, or give ignore_index= "
            "to cross_entropy and its gradient"
        )
    raise ValueError(
        f"{name} must be class indices from 0 to {classes - 1}, "
        f"got {_first(labels, outside)}{hint}"
    )


def _require_one_hot(weights: Array, name: str) -> None:
    """Raise a ValueError unless each row has one 1 among zeros."""
    zero_or_one = ((weights == 0) | (weights == 1)).all(axis=-1)
    wrong = ~(zero_or_one & (weights.sum(axis=-1) == 1))
    if wrong.any():
        first = weights[tuple(np.argwhere(wrong)[0])].astype(int).tolist()
        raise ValueError(
            f"{name} of the logits' own shape must be one-hot if they are integers, "
            f"got a row {shown(first)}: for labels pass logits of shape (N, C), for "
            "counts floats"
        )


def _require_not_negative(weights: Array, name: str, hint: str = "") -> None:
    """Raise a ValueError if a weight is negative."""
    negative = weights < 0
    if negative.any():
        raise ValueError(
            f"{name} must not be negative, got {_first(weights, negative)}{hint}"
        )


def _as_weights_of(
    weights: ArrayLike,
    shape: tuple[int, ...],
    name: str,
    meaning: str,
    allow_negative: bool,
) -> Array:
    """Return finite real weights of a shape as float64."""
    array = _as_floating(weights, name)
    if array.shape != shape:
        raise ValueError(
            f"{name} must have shape {shape}, {meaning}, got shape {array.shape}"
        )
    converted = _as_finite(array, np.float64, name)
    if not allow_negative:
        _require_not_negative(
            converted, name, "; allow_negative_weights=True takes it as it is"
        )
    return converted


def require_finite_sums(weights: Array, name: str) -> None:
    """Raise a ValueError unless the weights of each row have a finite sum of sizes."""
    # Only weights near the largest float64, in which they are added, can be too much.
    largest = np.finfo(np.result_type(weights, np.float64)).max
    size = max(weights.max(initial=0), -weights.min(initial=0))
    if size <= largest / weights.shape[-1]:
        return
    with np.errstate(over="ignore"):
        infinite = np.isinf(abs(weights).sum(axis=-1))
    if infinite.any():
        row = weights[tuple(np.argwhere(infinite)[0])]
        raise ValueError(
            f"{name} must have a finite sum in each row, got {shown(row.tolist())}"
        )


def _require_shape(shape: tuple[int, ...], logits: Array, name: str, axis: int) -> None:
    """Raise a ValueError unless `shape` is the shape of the user's logits."""
    expected = restore_axis(logits, axis).shape
    if shape != expected:
        raise ValueError(f"{name} must have the logits' shape {expected}, got {shape}")


def _as_precision(array: Array, dtype: Any, name: str) -> Array:
    """Return `array` in `dtype`, where a number too large for it is infinite."""
    precision = np.dtype(dtype)
    if np.iscomplexobj(array) and precision.kind != "c":
        raise ValueError(f"{name} must be real, got an array of {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(precision, copy=False)


def _as_finite(array: Array, dtype: Any, name: str) -> Array:
    """Return `array` in `dtype`, or raise a ValueError if it is not finite there."""
    converted = _as_precision(array, dtype, name)
    bad = ~np.isfinite(converted)
    if bad.any():
        raise ValueError(
            f"{name} must be finite in {converted.dtype}, got {_first(array, bad)}"
        )
    return converted


def _first(array: Array, chosen: Array) -> str:
    """Say what the first chosen entry of `array` is, and where it stands."""
    index = np.argwhere(chosen)[0].tolist()
    where = f" at index {index} (class axis last)" if index else ""
    return f"{array[tuple(index)]}{where}"
