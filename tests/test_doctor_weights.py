"""The doctor on weights, smoothing and ignored rows: right, a convention, or named."""

import inspect

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients.doctor import assert_correct, diagnose
from softmax_gradients.mistakes import MISTAKES
from tests.support.styles import log_q_of, q_of

WEIGHTS = np.array([1.0, 3.0, 0.5])
STATED = {"class_weights": WEIGHTS}


def one_hot(labels, classes=3):
    return np.eye(classes)[labels]


def rows_of(z, y):
    """Return q - e_y for each row."""
    return q_of(z) - one_hot(y, z.shape[1])


def named(report):
    assert report.verdict == "mistake", str(report)
    return {slug for each in report.explanations for slug in each}


def options(report):
    return [each.option for each in report.conventions]


# What the package itself does is right, as it is asked and as it is stated.


@pytest.mark.parametrize("kind", ["gradient", "loss"])
@pytest.mark.parametrize(
    "stated",
    [
        {"label_smoothing": 0.2},
        {"class_weights": WEIGHTS},
        {"ignore_index": -100},
        {"label_smoothing": 0.2, "ignore_index": -100},
        {"label_smoothing": 0.2, "class_weights": WEIGHTS},
        {"label_smoothing": 0.2, "class_weights": WEIGHTS, "ignore_index": -100},
    ],
    ids=lambda stated: "-".join(stated),
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_package_is_right_with_every_option(reduction, stated, kind):
    function = {"gradient": sg.cross_entropy_gradient, "loss": sg.cross_entropy}[kind]

    def with_options(logits, targets, sample_weight=None):
        return function(
            logits,
            targets,
            sample_weights=sample_weight,
            reduction=reduction,
            **stated,
        )

    report = diagnose(with_options, kind, reduction=reduction, **stated)
    assert report.verdict == "right", str(report)
    assert report.findings == tuple(f for f in report.findings if "Not checked" in f)


def test_one_option_of_many_is_not_what_was_stated():
    def gradient(logits, targets):
        return sg.cross_entropy_gradient(logits, targets, label_smoothing=0.2)

    assert_correct(gradient, "gradient", label_smoothing=0.2)
    report = diagnose(gradient, "gradient", label_smoothing=0.1, conventions=False)
    assert not report.ok
    report = diagnose(
        sg.cross_entropy_gradient,
        "gradient",
        label_smoothing=0.2,
        conventions=False,
    )
    assert not report.ok
    assert "It is right without label smoothing." in report.findings


# Class weights.


def test_class_weights_over_their_sum_are_recovered():
    """Their multiples are the same: the one with few digits is told."""

    def gradient(z, y):
        return WEIGHTS[y][:, None] * rows_of(z, y) / WEIGHTS[y].sum()

    report = diagnose(gradient, "gradient")
    assert options(report) == ["classes=3", "class_weights=[1, 3, 0.5]"]
    assert diagnose(gradient, "gradient", **STATED).verdict == "right"


def test_a_weighted_mean_over_the_rows_is_said_to_be_one():
    """The weights that are recovered are right only for this mean."""

    def gradient(z, y):
        return WEIGHTS[y][:, None] * rows_of(z, y) / len(z)

    report = diagnose(gradient, "gradient")
    assert report.verdict == "convention"
    assert report.summary.endswith(
        "are meant, in a mean over N; for a mean over the sum of the weights it is "
        "weighted-mean."
    )


@pytest.mark.parametrize("kind", ["gradient", "loss"])
def test_a_weighted_mean_over_the_rows_is_named(kind):
    def gradient(z, y):
        return WEIGHTS[y][:, None] * rows_of(z, y) / len(z)

    def loss(z, y):
        return -(WEIGHTS[y] * log_q_of(z)[np.arange(len(z)), y]).sum() / len(z)

    function = {"gradient": gradient, "loss": loss}[kind]
    report = diagnose(function, kind, **STATED)
    assert named(report) == {"weighted-mean"}
    assert "Write" not in report.summary  # the line for it would have no weights


@pytest.mark.parametrize("divisor", ["rows", "weights"])
def test_weights_of_the_entries_are_named(divisor):
    def gradient(z, y):
        sums = len(z) if divisor == "rows" else WEIGHTS[y].sum()
        return WEIGHTS * rows_of(z, y) / sums

    report = diagnose(gradient, "gradient", **STATED)
    assert named(report) == {"class-weights-on-entries"}


@pytest.mark.parametrize("whole", [True, False])
def test_weights_on_the_logits_are_named(whole):
    def gradient(z, y):
        rows = q_of(WEIGHTS * z) - one_hot(y)
        return (WEIGHTS * rows if whole else rows) / len(z)

    report = diagnose(gradient, "gradient", **STATED)
    assert named(report) == {"class-weights-on-logits"}

    def loss(z, y):
        return -log_q_of(WEIGHTS * z)[np.arange(len(z)), y].mean()

    report = diagnose(loss, "loss", **STATED)
    assert named(report) == {"class-weights-on-logits"}


def test_other_weights_than_those_stated_have_no_name():
    def gradient(z, y):
        return WEIGHTS[y][:, None] ** 2 * rows_of(z, y) / len(z)

    report = diagnose(gradient, "gradient", conventions=False, **STATED)
    assert report.verdict == "unknown"
    assert not report.mistakes


# Label smoothing.


@pytest.mark.parametrize("stated", [{}, {"label_smoothing": 0.1}])
def test_the_mass_on_the_others_alone_is_named(stated):
    def gradient(z, y):
        t = sg.smooth_labels(y, z.shape[1], 0.1, convention="others")
        return (q_of(z) - t) / len(z)

    report = diagnose(gradient, "gradient", **stated)
    assert named(report) == {"label-smoothing-convention"}


@pytest.mark.parametrize(
    ("targets", "slug"),
    [
        (lambda t, e, c: (1 - e) * t + 1 / c, "label-smoothing-convention"),
        (lambda t, e, c: (1 - e / c) * t + e / c, "label-smoothing-convention"),
        (lambda t, e, c: (1 - e) * t + e / (c - 1), "wrong-smoothing-mass"),
        (lambda t, e, c: (1 - e) * t + (1 - e) / c, "wrong-smoothing-mass"),
        (lambda t, e, c: (1 - e) * t + e, "wrong-smoothing-mass"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_wrong_targets_of_a_stated_smoothing_are_named(whole, targets, slug):
    def gradient(z, y):
        t = targets(one_hot(y, z.shape[1]), 0.1, z.shape[1])
        pulled = q_of(z) * (t.sum(axis=1, keepdims=True) if whole else 1)
        return (pulled - t) / len(z)

    assert named(diagnose(gradient, "gradient", label_smoothing=0.1)) == {slug}


# Rows that are ignored.


def kept_rows(z, y, ignored, *, over_all=False, fill=0):
    """Return the gradient of the rows whose label is not ignored."""
    kept = y != ignored
    rows = kept[:, None] * rows_of(z, np.where(kept, y, fill))
    return rows / (len(y) if over_all else kept.sum())


def test_a_fixed_index_is_tried_where_it_is_stated():
    def right(z, y):
        return kept_rows(z, y, -100)

    def counted(z, y):
        return kept_rows(z, y, -100, over_all=True)

    assert diagnose(right, "gradient", ignore_index=-100).verdict == "right"
    report = diagnose(counted, "gradient", ignore_index=-100)
    assert named(report) == {"ignored-rows-in-the-mean"}
    assert diagnose(counted, "gradient").verdict == "right"  # nobody asked


def test_an_argument_for_the_index_is_tried_in_any_case():
    def counted(z, y, ignore_index=-100):
        return kept_rows(z, y, ignore_index, over_all=True)

    report = diagnose(counted, "gradient")
    assert named(report) == {"ignored-rows-in-the-mean"}

    def loss(z, y, ignore_index=-100):
        kept = y != ignore_index
        losses = -log_q_of(z)[np.arange(len(y)), np.where(kept, y, 0)]
        return (kept * losses).sum() / len(y)

    assert named(diagnose(loss, "loss")) == {"ignored-rows-in-the-mean"}


@pytest.mark.parametrize("over_all", [True, False])
def test_rows_that_keep_their_gradient_are_named(over_all):
    def wraps(z, y):  # -1 is the last class
        return rows_of(z, y) / (len(y) if over_all else (y != -1).sum())

    report = diagnose(wraps, "gradient", ignore_index=-1)
    assert named(report) == {"ignored-rows-keep-a-gradient"}


def test_the_uniform_part_of_a_smoothed_loss_is_named():
    """As in pytorch/pytorch#73205: it was the mean over the ignored rows too."""

    def gradient(z, y):
        hard = kept_rows(z, y, -100)
        return 0.8 * hard + 0.2 * (q_of(z) - 1 / z.shape[1]) / len(y)

    stated = {"ignore_index": -100, "label_smoothing": 0.2}
    report = diagnose(gradient, "gradient", **stated)
    assert named(report) == {"ignored-rows-keep-a-gradient"}


@pytest.mark.parametrize("stated", [{}, {"label_smoothing": 0.2}])
def test_another_fault_with_an_ignored_row_is_told_without_a_name(stated):
    """The row is left out, and the others are taken twice."""

    def twice(z, y):
        smoothed = stated.get("label_smoothing", 0.0)
        kept = y != -100
        rows = q_of(z) - smoothed / z.shape[1]
        rows -= (1 - smoothed) * one_hot(np.where(kept, y, 0), z.shape[1])
        factor = 1 if kept.all() else 2
        return factor * kept[:, None] * rows / kept.sum()

    report = diagnose(twice, "gradient", ignore_index=-100, **stated)
    assert report.verdict == "unknown"
    assert any("not that of the other rows" in each for each in report.findings)


def test_a_row_that_still_counts_in_a_sum_or_alone_is_named():
    def losses(z, y):  # -1 is the last class
        return -log_q_of(z)[np.arange(len(y)), y]

    for loss, reduction in ((losses, "none"), (lambda z, y: losses(z, y).sum(), "sum")):
        report = diagnose(loss, "loss", ignore_index=-1, reduction=reduction)
        assert named(report) == {"ignored-rows-keep-a-gradient"}


def test_class_weights_on_the_logits_of_a_summed_gradient():
    def gradient(z, y):
        return q_of(WEIGHTS * z) - one_hot(y)

    report = diagnose(gradient, "gradient", reduction="sum", **STATED)
    assert named(report) == {"class-weights-on-logits"}


def test_weights_that_may_be_the_classes_are_not_taken_for_the_rows():
    def loss(z, y, weight=None):
        w = np.ones(z.shape[1]) if weight is None else np.asarray(weight)
        if w.shape != z.shape[1:]:
            raise ValueError("one weight per class, please")
        return -(w[y] * log_q_of(z)[np.arange(len(y)), y]).sum() / w[y].sum()

    report = diagnose(loss, "loss")
    assert report.verdict == "right", str(report)


def test_as_many_class_weights_as_classes():
    with pytest.raises(ValueError, match="classes is 4, got 3 numbers"):
        diagnose(sg.cross_entropy_gradient, "gradient", classes=4, **STATED)


def test_a_label_that_raises_has_no_name():
    def gradient(z, y):
        return rows_of(z, y) / len(y)

    report = diagnose(gradient, "gradient", ignore_index=-100)
    assert report.verdict == "unknown"
    assert any("ignore_index = -100" in each for each in report.findings)
    assert any("IndexError" in each for each in report.findings)


# Weights of the rows.


def test_weights_of_the_rows_are_known_by_name():
    def right(z, y, sample_weight):
        return sample_weight[:, None] * rows_of(z, y) / sample_weight.sum()

    def by_rows(z, y, example_weights):
        return example_weights[:, None] * rows_of(z, y) / len(y)

    assert diagnose(right, "gradient").verdict == "right"
    assert diagnose(right, "gradient", sample_weights="weights").verdict == "right"
    report = diagnose(by_rows, "gradient")
    assert report.verdict == "convention"
    assert options(report) == ['sample_weights="rows"']
    assert diagnose(by_rows, "gradient", sample_weights="rows").verdict == "right"
    report = diagnose(right, "gradient", sample_weights="rows")
    assert options(report) == ['sample_weights="weights"']


def test_other_names_are_weights_of_rows_where_that_is_stated():
    def gradient(z, y, w):
        return w[:, None] * rows_of(z, y) / w.sum()

    def summed(z, y, w):
        return w[:, None] * rows_of(z, y)

    assert diagnose(gradient, "gradient", sample_weights="weights").verdict == "right"
    stated = {"sample_weights": "weights", "reduction": "sum"}
    assert diagnose(summed, "gradient", **stated).verdict == "right"


def test_weights_that_are_not_used_are_told():
    def gradient(z, y, sample_weight=None):
        return rows_of(z, y) / len(y)

    report = diagnose(gradient, "gradient")
    assert report.verdict == "unknown"
    assert any("not the weighted mean" in each for each in report.findings)

    def summed(z, y, sample_weight=None):
        return rows_of(z, y)

    report = diagnose(summed, "gradient", reduction="sum")
    assert any("not the weighted sum" in each for each in report.findings)

    def raising(z, y, sample_weight=None):
        return rows_of(z, y) / (len(y) if sample_weight is None else sample_weight[9])

    report = diagnose(raising, "gradient")
    assert any("as sample_weight it raises" in each for each in report.findings)


def test_a_mask_is_a_weight_of_zero_or_one():
    def counted(z, y, mask):
        return mask[:, None] * rows_of(z, y) / len(y)

    def right(z, y, mask):
        return mask[:, None] * rows_of(z, y) / mask.sum()

    assert diagnose(right, "gradient").verdict == "right"
    assert named(diagnose(counted, "gradient")) == {"ignored-rows-in-the-mean"}
    assert diagnose(counted, "gradient", sample_weights="rows").verdict == "right"


def test_weights_of_rows_and_of_classes_together():
    def gradient(z, y, sample_weight):
        w = sample_weight * WEIGHTS[y]
        return w[:, None] * rows_of(z, y) / w.sum()

    assert diagnose(gradient, "gradient", **STATED).verdict == "right"


def test_the_catalogue_says_which_options_name_its_entries():
    """The tests above name each of them."""
    by_option = {}
    for slug, entry in MISTAKES.items():
        for option in entry.options:
            assert entry.demonstration is not None
            by_option.setdefault(option, set()).add(slug)
    assert by_option == {
        "class_weights": {
            "weighted-mean",
            "class-weights-on-entries",
            "class-weights-on-logits",
        },
        "label_smoothing": {"label-smoothing-convention"},
        "ignore_index": {"ignored-rows-in-the-mean", "ignored-rows-keep-a-gradient"},
    }
    parameters = inspect.signature(diagnose).parameters
    assert set(by_option) <= set(parameters)


# Bad input.


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sample_weights": "N"}, "sample_weights must be one of 'weights', 'rows'"),
        ({"ignore_index": 1.5}, "ignore_index must be an integer, got '1.5'"),
        ({"ignore_index": True}, "ignore_index must be an integer, got 'True'"),
    ],
)
def test_a_bad_option_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        diagnose(sg.cross_entropy_gradient, "gradient", **given)


@pytest.mark.parametrize(
    "given",
    [
        {"sample_weights": "rows"},
        {"ignore_index": -100},
        {"label_smoothing": 0.1},
        {"class_weights": [1.0, 2.0]},
    ],
)
def test_options_of_targets_need_targets(given):
    (name,) = given
    with pytest.raises(ValueError, match=rf"{name} needs a kind with targets"):
        diagnose(sg.softmax, "softmax", **given)
