"""What the functions take and what they refuse, the same in each of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal, assert_array_max_ulp

import softmax_gradients as sg
from tests.support import oracles

POINT = oracles.point(seed=0)


def _vjp_with(product):
    def call(logits, **options):
        vector = np.arange(np.size(logits)).reshape(np.shape(logits))
        return product(logits, vector, **options)

    return call


def _temperature_gradient_with_teacher(logits, **options):
    teacher = np.arange(np.size(logits)).reshape(np.shape(logits))
    return sg.cross_entropy_temperature_gradient(
        logits, teacher_logits=teacher, **options
    )


# Functions of the logits, with or without a vector of the same shape.
OF_LOGITS = {
    "softmax": sg.softmax,
    "log_softmax": sg.log_softmax,
    "softmax_jacobian": sg.softmax_jacobian,
    "softmax_jvp": _vjp_with(sg.softmax_jvp),
    "softmax_vjp": _vjp_with(sg.softmax_vjp),
    "log_softmax_vjp": _vjp_with(sg.log_softmax_vjp),
    "cross_entropy_hessian": sg.cross_entropy_hessian,
}

# Functions of logits and targets: each takes (logits, targets).
OF_TARGETS = {
    "cross_entropy": sg.cross_entropy,
    "cross_entropy_gradient": sg.cross_entropy_gradient,
    "cross_entropy_value_and_gradient": sg.cross_entropy_value_and_gradient,
    "cross_entropy_temperature_gradient": sg.cross_entropy_temperature_gradient,
}


def _with_weights(function):
    def call(logits, **options):
        weights = np.arange(float(np.size(logits))).reshape(np.shape(logits))
        return function(logits, weights, **options)

    return call


EVERY = OF_LOGITS | {name: _with_weights(call) for name, call in OF_TARGETS.items()}
EVERY["teacher_logits"] = _temperature_gradient_with_teacher

every = pytest.mark.parametrize("function", EVERY.values(), ids=EVERY)
of_targets = pytest.mark.parametrize("function", OF_TARGETS.values(), ids=OF_TARGETS)


def linear(logits, targets, **options):
    """Call `linear_gradients` with some features."""
    return sg.linear_gradients(logits, targets, np.ones((2, 1)), **options)


def arrays_in(result):
    """Return the arrays or scalars that a function returned."""
    return result if isinstance(result, tuple) else (result,)


# What is taken.


@every
def test_float32_stays_float32(function):
    logits = POINT.logits.astype(np.float32)
    for part in arrays_in(function(logits, temperature=1.7)):
        assert part.dtype == np.float32
    for part in arrays_in(function(logits[0], temperature=np.float64(1.7))):
        assert part.dtype == np.float32
    for ours, double in zip(
        arrays_in(function(logits)),
        arrays_in(function(logits.astype(np.float64))),
        strict=True,
    ):
        assert_allclose(ours, double, rtol=1e-4, atol=1e-5)


@of_targets
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_targets_do_not_change_the_precision(function, reduction):
    logits = POINT.logits.astype(np.float32)
    for targets in (POINT.labels, POINT.targets, POINT.targets.astype(np.float16)):
        for part in arrays_in(function(logits, targets, reduction=reduction)):
            assert part.dtype == np.float32
        for part in arrays_in(function(logits[0], targets[0], reduction=reduction)):
            assert part.dtype == np.float32
    for part in arrays_in(function(POINT.logits, targets, reduction=reduction)):
        assert part.dtype == np.float64


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_teacher_does_not_change_the_precision(reduction):
    logits = POINT.logits.astype(np.float32)
    for z, v in ((logits, POINT.teacher_logits), (logits[0], POINT.teacher_logits[0])):
        derivative = sg.cross_entropy_temperature_gradient(
            z, teacher_logits=v, reduction=reduction
        )
        assert derivative.dtype == np.float32


@every
def test_float16_is_computed_in_float32(function):
    half = POINT.logits.astype(np.float16)
    for ours, single in zip(
        arrays_in(function(half)),
        arrays_in(function(half.astype(np.float32))),
        strict=True,
    ):
        assert ours.dtype == np.float32
        assert_array_equal(ours, single)


@every
def test_wider_precision_is_kept(function):
    for part in arrays_in(function(POINT.logits.astype(np.longdouble))):
        assert part.dtype == np.longdouble


@every
@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16])
def test_integers_and_lists_are_float64(function, dtype):
    rows = [[2, 0, 1], [5, 3, 3]]
    expected = arrays_in(function(np.array(rows, np.float64)))
    for given in (rows, [tuple(row) for row in rows], np.array(rows, dtype)):
        for ours, double in zip(arrays_in(function(given)), expected, strict=True):
            assert ours.dtype == np.float64
            assert_array_equal(ours, double)


@of_targets
@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8, np.uint64])
def test_any_integer_type_of_class_indices(function, dtype):
    expected = arrays_in(function(POINT.logits, POINT.labels))
    ours = arrays_in(function(POINT.logits, POINT.labels.astype(dtype)))
    listed = arrays_in(function(POINT.logits, POINT.labels.tolist()))
    for part, double, third in zip(expected, ours, listed, strict=True):
        assert_array_equal(part, double)
        assert_array_equal(part, third)


@of_targets
def test_integers_of_the_logits_shape_are_weights(function):
    """Only the shape decides: [0, 1, 0] is one-hot here, not three indices."""
    by_index = arrays_in(function([2.0, 0.5, -1.0], 1))
    by_weight = arrays_in(function([2.0, 0.5, -1.0], [0, 1, 0]))
    for first, second in zip(by_index, by_weight, strict=True):
        # Indices may take the fused path and weights the plain one: both are right
        # to a few units in the last place, and not to the last bit.
        assert_array_max_ulp(first, second, maxulp=2)


@every
def test_any_number_is_a_temperature(function):
    expected = arrays_in(function(POINT.logits, temperature=2.0))
    for two in (2, np.int32(2), np.float32(2), np.array(2.0)):
        for ours, double in zip(
            arrays_in(function(POINT.logits, temperature=two)), expected, strict=True
        ):
            assert ours.dtype == np.float64
            assert_array_equal(ours, double)


@every
def test_inputs_are_not_changed_and_may_be_read_only(function):
    logits = POINT.logits.copy()
    logits.flags.writeable = False
    for part in arrays_in(function(logits, temperature=1.7)):
        assert not np.shares_memory(part, logits)
    assert_array_equal(logits, POINT.logits)


@of_targets
def test_targets_are_not_changed_and_may_be_read_only(function):
    for targets in (POINT.labels, POINT.targets):
        given = targets.copy()
        given.flags.writeable = False
        for part in arrays_in(function(POINT.logits, given)):
            assert not np.shares_memory(part, given)
        assert_array_equal(given, targets)


@every
def test_results_can_be_written_to(function):
    for part in arrays_in(function(POINT.logits)):
        assert part.ndim == 0 or part.flags.writeable


@every
def test_non_contiguous_logits(function):
    wide = np.zeros((8, 6))
    wide[::2, ::2][:, :3] = POINT.logits.T
    view = wide[::2, ::2][:, :3].T
    assert not view.flags.c_contiguous
    for ours, plain in zip(
        arrays_in(function(view)), arrays_in(function(POINT.logits)), strict=True
    ):
        assert_allclose(ours, plain, rtol=1e-13)
    for ours, plain in zip(
        arrays_in(function(POINT.logits[:, ::-1])),
        arrays_in(function(POINT.logits[:, ::-1].copy())),
        strict=True,
    ):
        assert_allclose(ours, plain, rtol=1e-13)


@every
def test_other_byte_order(function):
    swapped = POINT.logits.astype(POINT.logits.dtype.newbyteorder())
    for ours, plain in zip(
        arrays_in(function(swapped)), arrays_in(function(POINT.logits)), strict=True
    ):
        assert_allclose(ours, plain, rtol=1e-14)


# What is refused.


@every
@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (3.0, "logits must have a class axis, got the scalar 3.0"),
        (np.array(3.0), r"logits must have a class axis, got the scalar array\(3"),
        ([], r"logits must have at least one class .* shape \(0,\)"),
        (np.zeros((2, 0)), r"at least one class along axis -1, .* shape \(2, 0\)"),
        ([[0.0, 1.0], [np.nan, 2.0]], r"logits must be finite.* nan at index \[1, 0\]"),
        ([0.0, np.inf, 1.0], r"logits must be finite.* got inf at index \[1\]"),
        ([np.inf, -np.inf, np.nan], r"logits must be finite.* got inf at index \[0\]"),
        ([-np.inf, -np.inf], "logits must have an unmasked class.* got only -inf$"),
        (
            [[0.0, 1.0], [-np.inf, -np.inf]],
            r"unmasked class in each row along axis -1, got only -inf in row \[1\]",
        ),
        (["a", "b"], "logits must be numbers, got an array of <U1"),
        ([True, False], "logits must be numbers, got an array of bool"),
        (np.array([1.0, 2.0], object), "logits must be numbers, got .* object"),
        ([1.0, None], "logits must be numbers, got an array of object"),
    ],
)
def test_logits_that_cannot_be_used(function, logits, message):
    with pytest.raises(ValueError, match=message):
        function(logits)


@pytest.mark.parametrize("function", [sg.softmax, sg.log_softmax, sg.softmax_jacobian])
def test_more_logits_that_cannot_be_used(function):
    with pytest.raises(ValueError, match="logits must be a rectangular array of"):
        function([[1.0, 2.0], [3.0]])
    with pytest.raises(ValueError, match="logits must have a finite imaginary part"):
        function(np.array([1.0, complex(2.0, np.nan)]))


@every
@pytest.mark.parametrize(
    ("temperature", "message"),
    [
        (0, "temperature must be positive and finite in float64, got 0"),
        (-1.0, "temperature must be positive and finite in float64, got -1.0"),
        (np.nan, "temperature must be positive and finite in float64, got nan"),
        (np.inf, "temperature must be positive and finite in float64, got inf"),
        ("warm", "temperature must be one real number, got 'warm'"),
        (None, "temperature must be one real number, got None"),
        (True, "temperature must be one real number, got True"),
        (1j, "temperature must be one real number, got 1j"),
        ([1.0, 2.0], r"temperature must be one real number, got \[1.0, 2.0\]"),
        (np.ones(1), r"temperature must be one real number, got array\(\[1.\]\)"),
        ([[1.0], [1.0, 2.0]], "temperature must be a rectangular array of numbers"),
    ],
)
def test_a_temperature_that_cannot_be_used(function, temperature, message):
    with pytest.raises(ValueError, match=message):
        function([2.0, 0.5], temperature=temperature)


@every
@pytest.mark.parametrize("temperature", [1e-50, 1e39])
def test_a_temperature_that_float32_cannot_hold(function, temperature):
    """1e-50 rounds to 0 in float32: dividing by it would give NaN."""
    message = f"positive and finite in float32, got {temperature}"
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        function(np.array([2.0, 0.5], np.float32), temperature=temperature)
    for part in arrays_in(function(np.array([2.0, 0.5]), temperature=temperature)):
        assert not np.isnan(part).any()


@every
@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_is_not_there(function, axis):
    with pytest.raises(
        ValueError, match=f"axis must be an integer from -2 to 1, got {axis}"
    ):
        function(POINT.logits, axis=axis)


@pytest.mark.parametrize(
    ("product", "name"),
    [
        (sg.softmax_jvp, "tangent"),
        (sg.softmax_vjp, "cotangent"),
        (sg.log_softmax_vjp, "cotangent"),
    ],
)
def test_vectors_that_cannot_be_used(product, name):
    logits = np.zeros((2, 3))
    for vector, message in [
        (1.0, r"must have the logits' shape \(2, 3\), got \(\)"),
        (np.zeros(3), r"must have the logits' shape \(2, 3\), got \(3,\)"),
        (np.zeros((3, 2)), r"must have the logits' shape \(2, 3\), got \(3, 2\)"),
        (np.zeros((1, 2, 3)), r"logits' shape \(2, 3\), got \(1, 2, 3\)"),
        ([[0, 1, 2], [0, 1, np.nan]], r"finite.* got nan at index \[1, 2\]"),
        ([[0, -np.inf, 2], [0, 1, 2]], r"finite.* got -inf at index \[0, 1\]"),
        (np.zeros((2, 3), complex), "must be real, got an array of complex128"),
        (np.zeros((2, 3), bool), "must be numbers, got an array of bool"),
        (np.full((2, 3), "a"), "must be numbers, got an array of <U1"),
        ([[1.0], [2.0, 3.0]], "must be a rectangular array of numbers"),
    ]:
        with pytest.raises(ValueError, match=f"^{name} .*{message}"):
            product(logits, vector)
    with pytest.raises(ValueError, match=rf"^{name} .*\(2, 3\), got \(2,\)"):
        product(logits, np.zeros(2), axis=1)
    # The shapes are those that the user sees, wherever the classes are.
    with pytest.raises(ValueError, match=rf"^{name} .*\(2, 3\), got \(3, 2\)"):
        product(logits, np.zeros((3, 2)), axis=0)
    single = logits.astype(np.float32)
    with pytest.raises(
        ValueError, match=rf"^{name} must be finite in float32.*1e\+300"
    ):
        product(single, np.full((2, 3), 1e300))


def test_complex_vectors_for_complex_logits():
    """The product is linear in the vector, so a complex one may be given."""
    logits, vector = np.array([1.0, 0.2]), np.array([1.0 + 2.0j, -0.5j])
    ours = sg.softmax_vjp(logits.astype(complex), vector)
    assert_allclose(ours.real, sg.softmax_vjp(logits, vector.real), rtol=1e-15)
    assert_allclose(ours.imag, sg.softmax_vjp(logits, vector.imag), rtol=1e-15)


BAD_TARGETS = [
    ([0, 3], r"class indices from 0 to 2, got 3 at index \[1\]"),
    ([-1, 0], r"class indices from 0 to 2, got -1 at index \[0\]"),
    ([0.0, 1.0], r"class indices of an integer type, got float64; .* \(2, 3\)"),
    ([True, False], "class indices of an integer type, got bool"),
    (["a", "b"], "class indices of an integer type, got <U1"),
    ([0, 1, 2], r"indices of shape \(2,\) or .* \(2, 3\), got shape \(3,\)"),
    (1, r"indices of shape \(2,\) or .* \(2, 3\), got shape \(\)"),
    ([[0], [1]], r"must have the logits' shape \(2, 3\), got \(2, 1\)"),
    (np.zeros((3, 2)), r"must have the logits' shape \(2, 3\), got \(3, 2\)"),
    (np.zeros((2, 3, 1)), r"or probabilities .* got shape \(2, 3, 1\)"),
    ([[0, 1, 0], [0, np.nan, 1]], r"finite.* got nan at index \[1, 1\]"),
    ([[0, 1, 0], [0, np.inf, 1]], r"finite.* got inf at index \[1, 1\]"),
    ([[0, 1, 0], [0, 0.5, -0.5]], r"not be negative, got -0.5 at index \[1, 2\]"),
    (np.zeros((2, 3), complex), "must be real, got an array of complex128"),
    (np.zeros((2, 3), bool), "must be numbers, got an array of bool"),
    ([[1.0], [0.5, 0.5]], "must be a rectangular array of numbers"),
]


@pytest.mark.parametrize("function", [*OF_TARGETS.values(), linear])
@pytest.mark.parametrize(("targets", "message"), BAD_TARGETS)
def test_targets_that_cannot_be_used(function, targets, message):
    with pytest.raises(ValueError, match=f"^targets .*{message}"):
        function(np.zeros((2, 3)), targets)


@of_targets
def test_targets_of_one_row_that_cannot_be_used(function):
    with pytest.raises(ValueError, match=r"^targets .* from 0 to 1, got 2$"):
        function([0.0, 1.0], 2)
    with pytest.raises(ValueError, match="of an integer type, got float64"):
        function([0.0, 1.0], 1.0)


@of_targets
def test_shapes_are_reported_with_the_axis_of_the_user(function):
    with pytest.raises(ValueError, match=r"logits' shape \(3, 2\), got \(2, 3\)"):
        function(np.zeros((3, 2)), np.zeros((2, 3)), axis=0)


@of_targets
def test_targets_too_large_for_the_precision(function):
    single = np.zeros(2, np.float32)
    with pytest.raises(ValueError, match=r"targets must be finite in float32.*1e\+300"):
        function(single, [1e300, 0.0])


@pytest.mark.parametrize("function", [*OF_TARGETS.values(), linear])
@pytest.mark.parametrize("reduction", ["average", "batchmean", "", None, "MEAN"])
def test_a_reduction_that_does_not_exist(function, reduction):
    message = f"reduction must be one of 'mean', 'sum', 'none', got {reduction!r}"
    with pytest.raises(ValueError, match=message):
        function(np.zeros((2, 3)), [0, 1], reduction=reduction)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ([1.0, 2.0], r"must have the logits' shape \(3,\), got \(2,\)"),
        ([[1.0, 2.0, 3.0]], r"must have the logits' shape \(3,\), got \(1, 3\)"),
        (1.0, r"must have the logits' shape \(3,\), got \(\)"),
        ([0.0, np.nan, 0.0], r"must be finite.* got nan at index \[1\]"),
        ([-np.inf] * 3, "must have an unmasked class in each row"),
        ([1j, 0.0, 0.0], "must be real, got an array of complex128"),
        (["a", "b", "c"], "must be numbers, got an array of <U1"),
        ([[1.0], [2.0, 3.0]], "must be a rectangular array of numbers"),
    ],
)
def test_teacher_logits_that_cannot_be_used(teacher, message):
    with pytest.raises(ValueError, match=f"^teacher_logits {message}"):
        sg.cross_entropy_temperature_gradient([0.0, 1.0, 2.0], teacher_logits=teacher)


def test_teacher_logits_too_large_for_the_precision():
    single = np.zeros(2, np.float32)
    with pytest.raises(ValueError, match=r"^teacher_logits must be finite"):
        sg.cross_entropy_temperature_gradient(single, teacher_logits=[1e300, 0.0])


# ---- Traps: what would be read as something else is refused


@of_targets
def test_integers_of_the_logits_shape_must_be_one_hot(function):
    logits = np.array([2.0, 0.5, -1.0, 1.2])
    with pytest.raises(ValueError, match=r"one-hot if they are integers.*\(N, C\)"):
        function(logits, [0, 2, 1, 1])
    with pytest.raises(ValueError, match=r"got a row \[0, 2\].* for counts floats"):
        function(logits.reshape(2, 2), [[0, 1], [0, 2]])
    for part, same in zip(
        arrays_in(function(logits, [0, 0, 1, 0])),
        arrays_in(function(logits, 2)),
        strict=True,
    ):
        assert_allclose(part, same, rtol=1e-15)


@pytest.mark.parametrize("label", [-100, -1])
@of_targets
def test_a_negative_label_is_told_of_ignored_rows(function, label):
    logits = np.array([[2.0, 0.5], [0.1, 1.2]])
    with pytest.raises(ValueError, match=rf"got {label} at index .*ignore_index"):
        function(logits, [0, label])


@every
def test_a_mask_is_not_ignored(function):
    logits = np.ma.masked_array([2.0, 0.5, 1.0], mask=[False, True, False])
    with pytest.raises(ValueError, match=r"logits must not be a masked array.*-inf"):
        function(logits)
    for part, same in zip(
        arrays_in(function(np.ma.masked_array([2.0, 0.5, 1.0]))),
        arrays_in(function(np.array([2.0, 0.5, 1.0]))),
        strict=True,
    ):
        assert_array_equal(part, same)


@every
def test_integers_that_floats_merge_are_refused(function):
    with pytest.raises(ValueError, match=r"at most 2\^53 in size, or floats, got 9007"):
        function([0, 2**53 + 1])
    with pytest.raises(ValueError, match=r"at most 2\^53 in size, or floats, got -9"):
        function([0, -(2**53) - 1])


@pytest.mark.parametrize("function", [sg.softmax, sg.log_softmax, sg.fit_temperature])
def test_a_message_stays_short(function):
    ragged = [[0.0] * 1000, [0.0] * 999] * 500
    labels = [[0] * 500] if function is sg.fit_temperature else []
    with pytest.raises(ValueError, match="rectangular array") as caught:
        function(ragged, *labels)
    assert len(str(caught.value)) < 500


JUNK = {
    "array": np.array([1.0, 2.0]),
    "text": "a",
    "None": None,
    "dictionary": {},
    "list": [1, 2],
    "object": object(),
    "complex": 1j,
    "bool": True,
}


@every
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("name", ["temperature", "axis"])
def test_junk_names_its_argument(function, name, junk):
    with pytest.raises(ValueError, match=f"{name} must be"):
        function(POINT.logits, **{name: junk})


@every
def test_a_huge_axis_is_named(function):
    with pytest.raises(ValueError, match="axis must be an integer from -2 to 1, got 1"):
        function(POINT.logits, axis=10**40)


@of_targets
@pytest.mark.parametrize("junk", [np.array(["mean", "sum"]), "a", None, 1, ["mean"]])
def test_a_junk_reduction_names_it(function, junk):
    with pytest.raises(ValueError, match="reduction must be one of 'mean', 'sum', "):
        function(POINT.logits, POINT.labels, reduction=junk)


@of_targets
def test_a_mask_of_labels_or_beside_labels_is_not_ignored(function):
    logits = [[2.0, 0.5], [0.1, 1.2]]
    mask = [[False, True], [False, False]]
    with pytest.raises(ValueError, match="logits must not be a masked array"):
        function(np.ma.masked_array(logits, mask=mask), [0, 1])
    labels = np.ma.masked_array([0, 1], mask=[True, False])
    with pytest.raises(ValueError, match="targets must not be a masked array"):
        function(np.array(logits), labels)


def test_complex_targets_are_refused_for_complex_logits_too():
    """The complex step moves logits, never targets."""
    logits = POINT.logits + 1e-100j
    for given in (POINT.targets + 0j, POINT.targets + 1e-100j):
        with pytest.raises(ValueError, match="targets must be real"):
            sg.cross_entropy(logits, given)
    found = sg.cross_entropy(logits, POINT.targets)
    np.testing.assert_allclose(
        found.real, sg.cross_entropy(POINT.logits, POINT.targets), rtol=1e-15
    )


@of_targets
def test_weights_whose_sum_is_infinite_are_refused(function):
    logits, large = np.array([1.0, 2.0, 0.5]), np.finfo(np.float64).max
    with pytest.raises(ValueError, match="targets must have a finite sum in each row"):
        function(logits, [large, large, 0], temperature=2.0)


@of_targets
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_near_the_largest_float_leave_no_nan(function, dtype):
    logits, large = np.array([1.0, 2.0, 0.5], dtype), np.finfo(dtype).max
    weights = np.array([large / 2, large / 4, 0], dtype)
    for part in arrays_in(function(logits, weights, temperature=2.0)):
        assert not np.isnan(part).any()
