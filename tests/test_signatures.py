"""Options are keywords in every public function, and a call that forgets it is told."""

import inspect

import numpy as np
import pytest

import softmax_gradients as sg

ARRAYS = {
    "logits",
    "student_logits",
    "teacher_logits",
    "targets",
    "inputs",
    "weights",
    "tangent",
    "cotangent",
    "vector",
    "labels",
    "point",
    "function",
    "gradient",
    "loss",
}
# They have no arrays: what they take by position is what they are about.
BY_POSITION = {
    "smooth_labels": ["labels", "number_of_classes", "epsilon"],
    "convert_epsilon": ["epsilon", "number_of_classes"],
}
OPTIONS = {
    "temperature",
    "axis",
    "reduction",
    "alpha",
    "out",
    "label_smoothing",
    "class_weights",
    "sample_weights",
    "ignore_index",
    "allow_negative_weights",
    "temperature_squared",
    "with_respect_to",
    "order",
    "bins",
    "convention",
    "step",
    "steps",
    "direction",
    "bias",
    "chunk_rows",
    "parts",
}
FUNCTIONS = {
    name: getattr(sg, name)
    for name in sg.__all__
    if inspect.isfunction(getattr(sg, name))
}


def parameters(function):
    return inspect.signature(function).parameters.values()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_are_keywords(name):
    for parameter in parameters(FUNCTIONS[name]):
        if parameter.name in OPTIONS:
            assert parameter.kind is parameter.KEYWORD_ONLY, parameter


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_arrays_and_functions_are_given_by_position(name):
    positional = [
        parameter.name
        for parameter in parameters(FUNCTIONS[name])
        if parameter.kind is not parameter.KEYWORD_ONLY
    ]
    if name in BY_POSITION:
        assert positional == BY_POSITION[name]
    elif name not in ("diagnose", "assert_correct"):
        assert set(positional) <= ARRAYS


def test_the_labels_of_a_distillation_loss_are_a_keyword():
    for function in (sg.distillation_loss, sg.distillation_loss_gradient):
        labels = inspect.signature(function).parameters["labels"]
        assert labels.kind is labels.KEYWORD_ONLY


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: sg.softmax(x, 2), r"softmax\(\) takes logits by position; 2 .*"),
        (lambda x: sg.softmax_vjp(x, x, 2.0), "takes logits and cotangent by position"),
        (lambda x: sg.cross_entropy(x, x, 3, "sum"), "temperature=, reduction=, axis="),
        (lambda x: sg.distillation_loss(x, x, 2), "one of labels=, temperature=, alp"),
        (lambda x: sg.linear_gradients(x, x, x, 2), "logits and targets and inputs"),
        (
            lambda x: sg.linear_cross_entropy_value_and_gradient(x, x, x, x),
            "inputs and weights and targets by position.* one of bias=, temperature=",
        ),
        (lambda x: sg.reliability(x, 1, 2.0), "one of temperature=, bins=, axis="),
        (
            lambda x: sg.finite_difference(np.sum, x, 1e-3),
            "by keyword, as one of step=",
        ),
    ],
)
def test_a_number_in_the_place_of_a_keyword_names_it(call, message):
    with pytest.raises(TypeError, match=message):
        call(np.array([0.2, 0.3, 0.5]))


def test_other_wrong_calls_keep_the_message_of_python():
    with pytest.raises(TypeError, match="unexpected keyword argument 'temprature'"):
        sg.softmax([0.2, 0.3], temprature=2.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        sg.cross_entropy([0.2, 0.3])


def test_no_module_hides_behind_a_function_of_its_name():
    for name in sg.__all__:
        assert not inspect.ismodule(getattr(sg, name))
    modules = {
        name.removeprefix("softmax_gradients.")
        for name in __import__("sys").modules
        if name.startswith("softmax_gradients.")
    }
    assert not modules & set(sg.__all__)


def test_one_word_for_the_logits_in_a_function():
    for function in FUNCTIONS.values():
        names = {parameter.name for parameter in parameters(function)}
        assert not {"logits", "student_logits"} <= names
