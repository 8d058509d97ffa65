"""What the doctor says besides names: findings, factors, arguments, the report."""

# T is the temperature, as in the formulas.
# ruff: noqa: N803

import math

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients.doctor import Factor, assert_correct, diagnose
from tests.support.styles import q_of


def right(z, t):
    return (q_of(z) * t.sum(1, keepdims=True) - t) / len(z)


def text(function, kind="gradient", **options):
    return str(diagnose(function, kind, **options))


def test_an_exception_is_a_finding():
    def gradient(z, t):
        raise RuntimeError("not today")

    report = diagnose(gradient, "gradient")
    assert not report.ok
    assert not report.checked
    assert "it raises RuntimeError: not today." in str(report)
    assert "could not be checked" in report.summary


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ((1, 2), "returns a tuple of 2, not one array"),
        ("text", "returns str of <U4"),
        ([[1], [2, 3]], "returns list, not an array"),
        (np.zeros((2, 7, 3)), "returns shape (2, 7, 3) where (3, 4) is asked"),
    ],
)
def test_what_is_no_array_of_the_right_shape_is_a_finding(result, told):
    assert told in text(lambda z, t: result)


def test_arguments_that_are_changed_are_a_finding():
    def gradient(z, t):
        g = right(z, t)
        z -= 1
        return g

    report = diagnose(gradient, "gradient")
    assert report.ok
    assert "It changes its arguments in place." in report.findings


def test_global_state_that_is_changed_is_a_finding():
    def gradient(z, t):
        np.random.rand()  # noqa: NPY002
        np.seterr(all="warn", under="raise")
        return right(z, t)

    findings = diagnose(gradient, "gradient").findings
    assert "It draws from NumPy's global random state." in findings
    assert "It changes how NumPy handles floating-point errors." in findings


def test_axes_of_length_one_are_a_finding_only():
    report = diagnose(lambda z, t: np.array([sg.cross_entropy(z, t)]), "loss")
    assert report.ok
    assert "It returns shape (1,) where () is asked." in report.findings


def test_masks_are_a_finding_only():
    def loss(z, t):
        s = z - z.max(1, keepdims=True)
        return -(t * (s - np.log(np.exp(s).sum(1, keepdims=True)))).sum() / len(z)

    report = diagnose(loss, "loss")
    assert report.ok
    assert "masked class" in str(report)


def test_a_failure_at_large_logits_is_a_finding():
    def softmax(z):
        return q_of(np.clip(z, -600, 600))

    report = diagnose(softmax, "softmax")
    assert report.verdict == "convention"
    assert [each.option for each in report.conventions] == ['logits="ordinary"']
    assert diagnose(softmax, "softmax", logits="ordinary").ok
    assert "It fails at large numbers: logits near 1000" in str(report)

    def refuses(z):
        if np.abs(z).max() > 100:
            raise ValueError("too large")
        return q_of(z)

    assert "With logits near 400 it raises ValueError" in text(refuses, "softmax")


def test_rows_that_run_as_square_batches_are_told():
    def gradient(z, y):
        q = np.exp(z - z.max())
        q /= q.sum()
        q[y] -= 1
        return q

    report = diagnose(gradient, "gradient")
    assert report.verdict == "convention"
    assert "given one row at a time" in report.summary
    assert "Batches run where N = C only, and wrongly there." in report.findings
    assert not diagnose(gradient, "gradient", conventions=False).ok
    assert report.checked[0] == "one row at a time"


def test_code_for_one_row_given_a_batch_is_told():
    def softmax(z):
        e = np.exp(z - z.max())
        return e / e.sum()

    told = (
        "softmax: right if it is given one row at a time; "
        "for a batch it is whole-batch-sum."
    )
    assert text(softmax, "softmax").startswith(told)

    def gradient(z, t):
        return softmax(z) - t

    told = (
        "gradient: right if it is given one row at a time and targets always sum to one"
    )
    assert text(gradient).startswith(told)


def one_row_softmax(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e)


def one_row_gradient(z, t):
    return one_row_softmax(z) - t


def one_row_diagonal(z, t):
    return -t * (1 - one_row_softmax(z))


@pytest.mark.parametrize(
    ("function", "kind", "first", "alone"),
    [
        (
            one_row_softmax,
            "softmax",
            "softmax: right for one row; on a batch wrong",
            (),
        ),
        (
            one_row_diagonal,
            "gradient",
            "gradient: for one row at a time it is diagonal-jacobian; on a batch wrong",
            ("diagonal-jacobian",),
        ),
        (
            lambda z: np.exp(z) / np.exp(z).sum(),
            "softmax",
            "softmax: for one row at a time it is missing-shift; on a batch wrong",
            ("missing-shift",),
        ),
        (
            lambda z: np.maximum(one_row_softmax(z), 0.3) if z.ndim > 1 else q_of(z),
            "softmax",
            "softmax: right for one row; on a batch wrong, and not a mistake I know",
            (),
        ),
    ],
)
def test_what_one_row_shows_comes_first(function, kind, first, alone):
    report = diagnose(function, kind, conventions=False)
    assert report.summary.startswith(first)
    assert report.one_row == alone
    assert report.to_dict()["one_row"] == list(alone)
    advice = 'If one row is meant, ask with rows="one" (--rows one).'
    assert advice in str(report).splitlines()
    with pytest.raises(AssertionError, match=first):
        assert_correct(function, kind, conventions=False)


def test_one_row_with_as_many_mistakes_as_a_batch_is_not_told():
    report = diagnose(lambda z, t: -t * (1 - q_of(z)) / len(z), "gradient")
    assert report.one_row is None
    assert report.to_dict()["one_row"] is None
    report = diagnose(lambda z: q_of(z) ** 2, "softmax")
    assert report.one_row is None


def test_one_row_can_be_asked_for():
    assert_correct(one_row_softmax, "softmax", rows="one")
    assert_correct(one_row_gradient, "gradient", rows="one", targets="distribution")
    report = diagnose(one_row_diagonal, "gradient", rows="one")
    assert [len(each) for each in report.explanations] == [1, 1, 1]
    assert report.explanations[0] == ("diagonal-jacobian",)
    assert report.one_row is None
    assert report.checked[0] == "one row at a time"
    assert report.example.logits.shape == (3,)
    assert report.summary.startswith("gradient: wrong, by diagonal-jacobian. Only")


def test_a_row_can_be_a_matrix():
    report = diagnose(lambda z, t: right(z[:, :], t), "gradient", rows="one")
    assert [each.option for each in report.conventions] == ['layout="(1, C)"']


def test_a_report_reads_well_at_a_prompt():
    report = diagnose(one_row_diagonal, "gradient")
    assert repr(report) == str(report)
    assert "Report(" not in repr(report)


def test_other_names_leave_out_what_is_shared():
    report = diagnose(lambda z, t, T: -t * (1 - q_of(z, T)), "gradient")
    assert (
        "diagonal-jacobian is the same function here as jacobian-row-sums and "
        "zero-off-diagonal." in str(report).splitlines()
    )


def test_a_numerical_mistake_alone_is_right_at_ordinary_logits():
    def softmax(z):
        e = np.exp(z)
        return e / e.sum(axis=1, keepdims=True)

    summary = diagnose(softmax, "softmax").summary
    told = "right at ordinary logits, fails at large ones, by missing-shift."
    assert summary.startswith(f"softmax: {told} The exponentials are taken without")

    def gradient(z, t):
        return -t * (1 - softmax(z)) / len(z)

    summary = diagnose(gradient, "gradient").summary
    told = "wrong, by 2 mistakes together: diagonal-jacobian and missing-shift."
    assert summary.startswith(f"gradient: {told}")


@pytest.mark.parametrize(
    ("guarded", "told"),
    [
        (lambda q: q + 1e-8, "epsilon = 1e-08, added to the probability."),
        (
            lambda q: np.maximum(q, 1e-5),
            "epsilon = 1e-05, the least that the probability may be.",
        ),
    ],
)
def test_the_epsilon_is_told(guarded, told):
    def loss(z, t):
        return -(t * np.log(guarded(q_of(z)))).sum() / len(z)

    assert f"epsilon-in-log: {told}" in diagnose(loss, "loss").evidence


def test_all_mistakes_act_in_the_example():
    def gradient(z, t, T):  # for distributions: three mistakes
        return -t * (1 - sg.softmax(z, temperature=T, axis=1))

    example = diagnose(gradient, "gradient").example
    assert example.temperature != 1
    assert len(example.logits) > 1

    def difference(z, t, T):
        return (sg.softmax(z, temperature=T, axis=1) - t) / len(z)

    example = diagnose(difference, "gradient").example
    assert example.temperature != 1
    assert example.second.sum() != len(example.second)


def test_uncentred_logits_show_in_the_smallest_example():
    def gradient(z, v, T):
        return (z - v) / z.shape[1] / T**2 / len(z)

    report = diagnose(gradient, "kl_divergence_gradient")
    z, v = report.example.logits, report.example.second
    assert z.sum() != v.sum()
    assert "(in the example: -0.5)" in report.invariant


def test_a_missing_axis_in_one_of_two_softmaxes_is_not_known():
    def gradient(z, v):
        h = np.exp(v - v.max(axis=1, keepdims=True))
        return (q_of(z) - h / h.sum(axis=1)) / z.shape[0]

    report = diagnose(gradient, "kl_divergence_gradient")
    assert not report.ok
    assert not report.mistakes


def test_a_function_right_for_square_batches_is_checked_on_them():
    def gradient(z, t):
        if z.ndim == 1 or len(z) != z.shape[1]:
            raise ValueError("square, please")
        return right(z, t)

    report = diagnose(gradient, "gradient")
    assert report.ok
    assert report.checked[0] == "batches with N = C"


@pytest.mark.parametrize(
    ("function", "factor"),
    [
        (lambda z, t, T: 0.5 * sg.cross_entropy_gradient(z, t, temperature=T), "0.5"),
        (
            lambda z, t, T: -2 * T * sg.cross_entropy_gradient(z, t, temperature=T),
            "-2 T",
        ),
        (
            lambda z, t, T: sg.cross_entropy_gradient(z, t, temperature=T) / T**3,
            "1/T^3",
        ),
        (
            lambda z, t, T: -T * T * sg.cross_entropy_gradient(z, t, temperature=T),
            "-T^2",
        ),
    ],
)
def test_factors(function, factor):
    report = diagnose(function, "gradient")
    assert not report.ok
    assert str(report.factor) == factor
    assert report.to_dict()["factor"] == factor


def test_factors_print_as_they_are_written():
    assert str(Factor(1.0, 0, 1, -1)) == "N/C"
    assert str(Factor(-1.0, 1, 0, -2)) == "-T/C^2"


def test_a_known_mistake_can_have_a_factor_too():
    report = diagnose(lambda z, t: len(z) * right(z, t), "gradient", conventions=False)
    assert report.mistakes[0].slug == "missing-batch-mean"
    assert str(report.factor) == "N"
    assert report.invariant == "the batch given twice should have the same mean"


@pytest.mark.parametrize("name", ["temperature", "T", "tau", "temp"])
def test_the_temperature_is_found_by_name(name):
    space = {"softmax": sg.softmax}
    exec(
        f"def f(z, axis=-1, *, {name}=1.0): return softmax(z, temperature={name})",
        space,
    )
    assert "several temperatures" in diagnose(space["f"], "softmax").checked


@pytest.mark.parametrize(
    ("function", "taken"),
    [
        (lambda z, *rest: sg.softmax(z, temperature=rest[0]), True),
        (lambda *two: sg.softmax(two[0], temperature=two[1]), True),
        (lambda z, divisor: sg.softmax(z, temperature=divisor), True),
        (lambda z, divisor=1.0: sg.softmax(z, temperature=divisor), True),
        (lambda z, axis=1: sg.softmax(z), False),
        (lambda z, axis=-1: sg.softmax(z), False),
        (lambda z: sg.softmax(z), False),
    ],
)
def test_the_temperature_is_read_from_the_signature(function, taken):
    report = diagnose(function, "softmax")
    assert report.ok
    assert ("several temperatures" in report.checked) == taken


def test_functions_without_a_signature_are_called_with_all():
    report = diagnose(min, "softmax")  # Python cannot tell its arguments
    assert report.verdict in ("unknown", "unusable")


def test_tensors_are_detached():
    class Tensor:
        def __init__(self, array):
            self.array = array

        def detach(self):
            return self

        def cpu(self):
            return self.array

    assert diagnose(lambda z, t: Tensor(right(z, t)), "gradient").ok


def test_integers_are_numbers():
    report = diagnose(lambda z: np.ones(z.shape, dtype=int), "softmax")
    assert not report.ok
    np.testing.assert_array_equal(report.example.yours, [[1, 1, 1]])


def test_too_few_arguments_are_a_finding():
    report = diagnose(lambda z: z, "gradient")
    assert not report.ok
    assert "takes too few arguments (1)" in str(report)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "gardient"}, "kind must be one of softmax, .* got 'gardient'"),
        ({"targets": "some"}, "targets must be one of .*'hard', got 'some'"),
        ({"reduction": "average"}, "reduction must be one of .* got 'average'"),
        ({"rows": "two"}, "rows must be one of 'batch', 'one', got 'two'"),
    ],
)
def test_other_words_raise(options, told):
    with pytest.raises(ValueError, match=told):
        diagnose(right, options.pop("kind", "gradient"), **options)


def test_assert_correct_passes_or_carries_the_report():
    assert_correct(right, "gradient")
    with pytest.raises(AssertionError, match="diagonal-jacobian"):
        assert_correct(lambda z, t: -t * (1 - q_of(z)) / len(z), "gradient")


def test_the_example_can_be_recomputed_by_hand():
    report = diagnose(lambda z, t: -t * (1 - q_of(z)) / len(z), "gradient")
    e = [math.exp(x) for x in (2.0, 0.5, -1.0)]
    q = [x / sum(e) for x in e]
    np.testing.assert_allclose(report.example.logits, [[2.0, 0.5, -1.0]])
    np.testing.assert_allclose(report.example.second, [[0.0, 1.0, 0.0]])
    np.testing.assert_allclose(report.example.right, [[q[0], q[1] - 1, q[2]]])
    np.testing.assert_allclose(report.example.yours, [[0, q[1] - 1, 0]], atol=1e-15)
    assert report.invariant == "each row should sum to zero (in the example: -0.8247)"


def test_the_report_renders_in_a_notebook():
    report = diagnose(lambda z, t: -t * (1 - q_of(z)), "gradient")
    shown = report._repr_markdown_()
    assert "[diagonal-jacobian](mistakes.md#diagonal-jacobian)" in shown
    assert "[summation-mistake](summation-mistake.ipynb" in shown
    assert "wrong, by diagonal-jacobian (and missing-batch-mean, unless" in shown
    assert "<details><summary>More</summary>" in shown
    for name in report.explanations[1]:
        assert name in shown
    assert diagnose(right, "gradient")._repr_markdown_().startswith("**gradient: right")


def test_what_is_not_finite_is_a_word_in_json():
    def loss(z, y):
        return -np.log(q_of(z)[range(len(z)), y]).mean()

    assert diagnose(loss, "loss").to_dict()["example"]["yours"] == "inf"


def test_evidence_counts_what_is_off():
    report = diagnose(lambda z: np.maximum(q_of(z), 0.02), "softmax")
    assert not report.mistakes
    assert any("results are off" in each for each in report.evidence)
    report = diagnose(lambda z: z * np.nan, "softmax")
    assert "6 of them are not finite." in report.evidence
    assert report.invariants == {}


def test_one_row_at_a_time_can_be_wrong_too():
    def gradient(z, y):
        q = np.exp(z - max(z))
        q /= sum(q)
        return [(k == y) - each for k, each in enumerate(q)]

    report = diagnose(gradient, "gradient")
    assert [mistake.slug for mistake in report.mistakes] == ["flipped-sign"]
    assert report.checked[0] == "one row at a time"
    assert report.example.logits.shape == (3,)


def test_a_small_error_has_an_example_too():
    def gradient(z, t):
        assert len(z) > 1
        return 1.01 * right(z, t)

    report = diagnose(gradient, "gradient")
    assert str(report.factor) == "1.01"
    np.testing.assert_allclose(report.example.yours, 1.01 * report.example.right)


def test_one_entry_that_is_not_finite_is_no_known_mistake():
    def gradient(z, t):
        g = right(z, t)
        g[0, 0] = np.nan
        return g

    report = diagnose(gradient, "gradient")
    assert not report.ok
    assert not report.mistakes
    assert report.factor is None


def product_with(axis):
    return lambda z, g: q_of(z) * (g - (q_of(z) * g).sum(axis=axis))


def sum_with(axis):
    return lambda z, g: g - q_of(z) * g.sum(axis=axis)


@pytest.mark.parametrize(
    ("kind", "with_axis"), [("vjp", product_with), ("log_softmax_vjp", sum_with)]
)
def test_the_sum_of_a_backward_is_named_as_that_of_a_softmax_is(kind, with_axis):
    over_all, over_rows = with_axis(None), with_axis(0)
    assert diagnose(over_all, kind, layout="batch").mistakes[0].slug == (
        "whole-batch-sum"
    )
    assert diagnose(over_rows, kind, layout="batch").mistakes[0].slug == "wrong-axis"
    # For one row both are right, and for a batch the summary has a name.
    assert "for a batch it is whole-batch-sum." in diagnose(over_all, kind).summary
    assert "for a batch it is wrong-axis." in diagnose(over_rows, kind).summary


def test_a_batch_is_named_under_another_convention_too():
    def log_softmax_backward(dout, out):
        return dout - np.exp(out) * dout.sum()

    report = diagnose(log_softmax_backward, "log_softmax_vjp")
    assert report.verdict == "convention"
    assert "holds log-probabilities" in report.summary
    assert "for a batch it is whole-batch-sum." in report.summary


def softmax_of_lists(xs):
    exponentials = [math.exp(x) for x in xs]
    return [each / sum(exponentials) for each in exponentials]


def test_what_lists_raise_is_what_arrays_overflow_to():
    report = diagnose(softmax_of_lists, "softmax")
    assert [each.slug for each in report.mistakes] == ["missing-shift"]
    assert "With logits near 1000 it raises OverflowError" in str(report)

    def jacobian(xs):
        q = softmax_of_lists(xs)
        return [
            [q[i] * (1 - q[i]) if i == j else q[i] * q[j] for j in range(len(q))]
            for i in range(len(q))
        ]

    # A second fault does not hide the first.
    slugs = {each.slug for each in diagnose(jacobian, "jacobian").mistakes}
    assert slugs == {"flipped-sign", "missing-shift"}

    def loss(xs, label):
        return -math.log(softmax_of_lists([x - max(xs) for x in xs])[label])

    report = diagnose(loss, "loss")
    assert [each.slug for each in report.mistakes] == ["log-of-softmax"]


def test_an_error_that_is_no_overflow_names_no_mistake():
    def softmax(z):
        if abs(z).max() > 100:
            raise ValueError("too large")
        return q_of(z)

    report = diagnose(softmax, "softmax")
    assert report.verdict == "convention"
    assert report.conventions[-1].option == 'logits="ordinary"'
