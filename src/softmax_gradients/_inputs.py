"""Reading the arguments: every public function checks its input here.

Each reader returns a new array or a view, never changes what it was given, and
raises a ValueError that names the argument, its value and what was expected.
Inside the package the class axis is always the last one; `as_logits` moves it
there and `restore_axis` moves it back.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


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
        raise ValueError(f"{name} must have a class axis, got the scalar {logits!r}")
    array = class_axis_last(array, normalize_axis_index(axis, array.ndim, "axis"))
    if array.shape[-1] == 0:
        raise ValueError(
            f"{name} must have at least one class along axis {axis}, "
            f"got an array of shape {np.shape(logits)}"
        )
    # A NaN or +inf shows in the maximum of its row, and a row of -inf is one
    # whose maximum is -inf: one pass finds all three.
    peaks = array.real.max(axis=-1)
    if not np.isfinite(peaks).all():
        _refuse_logits(array.real, peaks, name, axis)
    if np.iscomplexobj(array) and not np.isfinite(array.imag).all():
        raise ValueError(f"{name} must have a finite imaginary part, got {logits!r}")
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
    targets: ArrayLike, logits: Array, axis: int = -1, name: str = "targets"
) -> Array:
    """Return class indices (one axis fewer than `logits`) or probabilities.

    The shape decides: an integer array of the logits' shape without the class
    axis holds class indices, an array of the logits' shape holds probabilities,
    which need not sum to one. `logits` has its class axis last.
    """
    array = _as_array(targets, name)
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
            outside = (array < 0) | (array >= classes)
            raise ValueError(
                f"{name} must be class indices from 0 to {classes - 1}, "
                f"got {_first(array, outside)}"
            )
        return array.astype(np.intp)
    if array.ndim != logits.ndim:
        raise ValueError(
            f"{name} must be class indices of shape {logits.shape[:-1]} or "
            f"probabilities of shape {restore_axis(logits, axis).shape}, "
            f"got shape {array.shape}"
        )
    probabilities = as_same_shape(array, logits, name, axis, dtype=logits.real.dtype)
    negative = probabilities < 0
    if negative.any():
        raise ValueError(
            f"{name} must not be negative, got {_first(probabilities, negative)}"
        )
    return probabilities


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


def as_temperature(temperature: float, dtype: Any) -> float:
    """Return the temperature T as a float that is positive in `dtype` too."""
    if type(temperature) is float and 1e-30 < temperature < 1e30:  # in any precision
        return temperature
    value = _as_array(temperature, "temperature")
    if value.ndim != 0 or value.dtype.kind not in "iuf":
        raise ValueError(f"temperature must be one real number, got {temperature!r}")
    # A float32 computation would round a temperature of 1e-50 to zero.
    with np.errstate(over="ignore", under="ignore"):
        rounded = value.astype(np.dtype(dtype).type(0).real.dtype)
    if not (np.isfinite(rounded) and rounded > 0):
        raise ValueError(
            f"temperature must be positive and finite in {rounded.dtype}, "
            f"got {temperature!r}"
        )
    return float(value)


class LogitPair(NamedTuple):
    """The logits of a student and of its teacher, class axis last, and T."""

    logits: Array
    teacher: Array
    temperature: float


def read_logit_pair(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    temperature: float,
    axis: int,
    name: str = "student_logits",
) -> LogitPair:
    """Return both logits in the precision of the first, class axis last, and T."""
    scores = as_logits(logits, name, axis)
    if np.iscomplexobj(scores):
        raise ValueError(f"{name} must be real, got an array of {scores.dtype}")
    teacher = as_logits_like(teacher_logits, scores, "teacher_logits", axis)
    return LogitPair(scores, teacher, as_temperature(temperature, scores.dtype))


def class_axis_last(array: Array, axis: int) -> Array:
    """Move the axis of the classes, which is at `axis`, to the end."""
    # np.moveaxis takes longer than all arithmetic on a few numbers.
    return array if axis in (-1, array.ndim - 1) else np.moveaxis(array, axis, -1)


def restore_axis(array: Array, axis: int) -> Array:
    """Move the last axis, where the package keeps the classes, back to `axis`."""
    return array if axis == -1 else np.moveaxis(array, -1, axis)


def _as_array(values: ArrayLike, name: str) -> Array:
    """Return `values` as an array, or say that its rows have unequal lengths."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{name} must be a rectangular array of numbers, got {values!r}"
        ) from error


def _as_floating(values: ArrayLike, name: str) -> Array:
    """Return `values` as float32, float64 or wider; float16 becomes float32."""
    array = _as_array(values, name)
    if array.dtype.kind in "iu":
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
