"""Parts of the doctor, asked for what hardly any whole function brings about."""

from dataclasses import replace

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients.doctor import Report, diagnose, report_on
from softmax_gradients.doctor._examination import (
    Caller,
    Patient,
    Question,
    collected,
    evidence,
    masked,
    with_formulas,
)
from softmax_gradients.doctor._fits import fitted_weights, weighted_reading
from softmax_gradients.doctor._matching import Matcher
from softmax_gradients.doctor._objects import plain
from softmax_gradients.doctor._options import Stated
from softmax_gradients.doctor._probes import Probe, forms_of, regular_probes
from softmax_gradients.doctor._readings import Reading
from softmax_gradients.doctor._search import Diagnosis, limited
from softmax_gradients.doctor._signature import Binding
from softmax_gradients.mistakes import MISTAKES
from tests.support.styles import log_q_of, q_of


def caller(function, kind="gradient"):
    return Caller(
        Patient(None),
        plain(function),
        Reading(Binding(0, 1), "mean"),
        Question(kind, forms_of(kind), seed=0, sequences=False, strict=False),
    )


def flipped(z, t):
    return -sg.cross_entropy_gradient(z, t)


def options_of(report):
    return [each.option for each in report.conventions]


def test_what_raises_has_no_right_answer():
    """A target that is no number is refused."""
    probe = Probe("", np.array([[0.0, -np.inf]]), np.array([[0.5, np.nan]]), 1.0)
    assert caller(sg.cross_entropy_gradient).right(probe) is None


def test_there_is_no_evidence_against_what_is_right():
    assert evidence(collected(caller(sg.cross_entropy_gradient), "batch")) == []


def test_a_mistake_as_asked_counts_more_than_as_many_conventions():
    wrong = with_formulas(collected(caller(flipped), "batch"))
    right = with_formulas(collected(caller(sg.cross_entropy_gradient), "batch"))
    report = report_on(Diagnosis(wrong, right, (), mistaken=True), Stated())
    assert report.verdict == "mistake"
    assert report.explanations == (("flipped-sign",),)


def test_a_limit_has_all_other_values_on_one_side():
    found = collected(caller(flipped), "batch")
    answers = list(found.answers)
    place = next(i for i, a in enumerate(answers) if a.probe.what == "confident logits")
    value = answers[place].value.copy()
    value.flat[value.argmax()] = value.flat[value.argmin()] = 0.01
    answers[place] = answers[place]._replace(value=value)
    assert limited(replace(found, answers=tuple(answers))) is None


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (1.0, -1.0, 2.0), (0.0, 0.0)])
def test_weights_that_nobody_means(weights):
    reading = caller(flipped).reading
    assert not list(weighted_reading(reading, np.array(weights), False))


def test_weights_that_may_be_meant():
    (found,) = weighted_reading(caller(flipped).reading, np.array([1.0, 2.0]), True)
    assert found.weights == (1.0, 2.0)
    assert found.by_weights


@pytest.mark.parametrize("slug", ["missing-keepdims", "zero-gradient"])
def test_what_does_not_run_or_is_zero_has_no_multiple(slug):
    answers = collected(caller(flipped), "batch").answers
    matcher = Matcher("gradient", "mean", answers)
    assert matcher.common_ratio(MISTAKES[slug].kinds["gradient"][0]) is None
    (steps, *_) = MISTAKES["flipped-sign"].kinds["gradient"]
    assert matcher.common_ratio(steps) == 1


def test_a_multiple_of_a_mistake_is_the_same_for_all_shapes():
    def gradient(z, t):
        factor = 3 if z.shape == (4, 4) else 2
        return -factor * t * (1 - q_of(z)) / len(z)

    report = diagnose(gradient, "gradient")
    assert report.verdict == "unknown"
    assert report.factor is None


def test_reports_without_details():
    assert Report("softmax", "unknown").judgement == "wrong, and not a mistake I know."
    assert Report("softmax", "right")._repr_markdown_() == "**softmax: right.**"


def test_one_number_of_classes_and_none_that_runs():
    def refuses(z):
        raise ValueError("no")

    assert diagnose(refuses, "softmax", classes=3).verdict == "unusable"


def test_another_number_of_results_for_the_same_call():
    seen = set()

    def function(z):
        known = z.tobytes() in seen
        seen.add(z.tobytes())
        return (q_of(z), 1.0) if known else q_of(z)

    report = diagnose(function, "softmax")
    assert report.verdict == "unknown"
    assert "it gives another result each time" in report.summary


def test_rows_to_ignore():
    def loss(z, y, ignore_index=-100):
        kept = y != ignore_index
        return -(log_q_of(z)[np.arange(len(y)), y][kept]).sum() / kept.sum()

    def counting(z, y, ignore_index=-100):
        kept = y != ignore_index
        return -(log_q_of(z)[np.arange(len(y)), y][kept]).sum() / len(y)

    def of_a_row(z, y, ignore_index=-100):
        if z.ndim != 1:
            raise ValueError("one row, please")
        return -log_q_of(z)[y]

    assert diagnose(loss, "loss").ok
    assert not diagnose(counting, "loss").ok
    assert not diagnose(of_a_row, "loss").mistakes
    # Where all labels are equal, no row is left.
    (seed, *_) = (
        seed
        for seed in range(200)
        if len(set(regular_probes("loss", "indices", False, seed)[0].second)) == 1
    )
    assert diagnose(loss, "loss", seed=seed).ok


def test_a_temperature_with_many_digits():
    report = diagnose(lambda z: q_of(z, 10 / 3), "softmax")
    assert options_of(report) == ["temperature=3.33333"]


def test_a_fixed_temperature_in_a_sum():
    def gradient(z, t):
        return len(z) * sg.cross_entropy_gradient(z, t, temperature=2.5)

    report = diagnose(gradient, "gradient")
    assert set(options_of(report)) == {"temperature=2.5", 'reduction="sum"'}


def test_an_inverse_temperature_that_is_ignored():
    assert diagnose(lambda z, beta=1.0: q_of(z), "softmax").verdict != "unknown"


def test_labels_and_inputs_that_are_stated_are_no_convention():
    def from_one(z, y):
        return len(z) * sg.cross_entropy_gradient(z, y - 1)

    report = diagnose(from_one, "gradient", labels="from 1", targets="hard")
    assert options_of(report) == ['reduction="sum"']

    report = diagnose(lambda p, t: p - t, "gradient", takes="probabilities")
    assert 'reduction="sum"' in options_of(report)
    assert not any("takes" in each for each in options_of(report))


def test_a_stated_result_among_several():
    def function(z, t):
        gradient = sg.cross_entropy_gradient(z, t)
        return sg.cross_entropy(z, t), len(z) * gradient, gradient

    report = diagnose(function, "gradient", result=1)
    assert 'reduction="sum"' in options_of(report) or report.verdict == "mistake"


def test_stated_elements_with_another_reduction():
    report = diagnose(lambda z, t: -t * log_q_of(z), "loss", result="elements")
    assert options_of(report) in (['reduction="sum"'], ['reduction="none"'])


def test_four_classes_only_and_the_sum():
    def gradient(z, t):
        if z.shape[-1] != 4:
            raise ValueError("four classes, please")
        return len(z) * sg.cross_entropy_gradient(z, t)

    report = diagnose(gradient, "gradient")
    assert set(options_of(report)) == {"classes=4", 'reduction="sum"'}


def test_right_for_weights_only_is_not_right():
    """No promise about the targets leaves these only."""

    def gradient(z, t):
        if np.ndim(t) != 2:
            raise ValueError("targets, please")
        right = len(z) * sg.cross_entropy_gradient(z, t)
        return right + np.isclose(t.sum(axis=1, keepdims=True), 1) * z**2

    assert diagnose(gradient, "gradient").verdict == "unknown"


def test_a_method_of_an_object_without_a_backward():
    class Model:
        def gradient(self, z, t):
            return sg.cross_entropy_gradient(z, t)

    assert diagnose(Model().gradient, "gradient").ok


def test_the_weights_of_a_sum_are_told_in_one_way():
    """A mean could be over their sum as well."""
    weights = np.array([1.0, 2.0, 0.5])

    def loss(z, y):
        return -(weights[y] * log_q_of(z)[np.arange(len(y)), y]).sum()

    asked = caller(loss, "loss")
    summed = replace(asked, reading=replace(asked.reading, reduction="sum", classes=3))
    found = list(fitted_weights(collected(summed, "batch", ("indices",))))
    assert [each.weights for each in found] == [(1.0, 2.0, 0.5)]
    assert not found[0].by_weights


def test_the_package_hands_out_the_doctor():
    assert sg.diagnose is diagnose
    assert sg.MISTAKES is MISTAKES


def test_a_masked_class_without_a_right_answer_is_not_judged():
    found = collected(caller(sg.cross_entropy_gradient), "batch")
    assert masked(found) == ()
    reading = replace(found.caller.reading, smoothing=np.nan)
    asked = replace(found.caller, reading=reading)
    assert asked.right(found.answers[0].probe) is None
    assert masked(replace(found, caller=asked)) == ()


def test_a_sum_that_is_stated_is_not_asked_of_sequences():
    def gradient(z, t):
        return sg.cross_entropy_gradient(z, t, reduction="sum")

    stated = {"reduction": "sum", "conventions": False}
    assert diagnose(gradient, "gradient", **stated).ok


def test_one_value_confirms_no_number():
    """Only batches with N = C run, and there is one of them."""

    def loss(z, y):
        s = z - z.max(axis=-1, keepdims=True)
        sums = np.log(np.exp(s).sum(axis=0))
        return np.mean(sums - s[np.arange(len(z)), y])

    report = diagnose(loss, "loss", conventions=False)
    assert report.verdict == "unknown"
    assert not report.mistakes
