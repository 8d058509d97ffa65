"""Ways to hand a function over that few people use, and what comes of them."""

# W and X are the weights and inputs of courses.
# ruff: noqa: N803

import sys
import types

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients.doctor import diagnose
from softmax_gradients.doctor._guess import guessed_kinds
from softmax_gradients.doctor._objects import class_counts
from softmax_gradients.doctor._options import reduction_of
from tests.support.styles import log_q_of, q_of


def test_a_way_that_does_not_run_takes_nothing_from_one_that_does():
    """Targets go to forward; or to backward too, which this one refuses."""

    class Loss:
        def forward(self, z, t):
            self.z, self.t = z, t

        def backward(self, scale=1.0):
            if not isinstance(scale, float):
                raise TypeError("scale is a number")
            return -scale * sg.cross_entropy_gradient(self.z, self.t)

    report = diagnose(Loss(), "gradient")
    assert report.verdict == "mistake"
    assert report.explanations == (("flipped-sign",),)


def test_a_result_may_be_nested():
    def function(z, t):
        return (z.sum(), (sg.cross_entropy(z, t), {"dz": gradient(z, t)}))

    def gradient(z, t):
        return sg.cross_entropy_gradient(z, t)

    report = diagnose(function, "gradient")
    assert report.verdict == "convention"
    assert [each.option for each in report.conventions] == ["result=\"[1][1]['dz']\""]
    assert diagnose(function, "gradient", result="[1][1]['dz']").ok


def test_class_weights_and_the_number_of_classes_may_both_be_stated():
    weights = np.array([1.0, 2.0, 0.5])

    def loss(z, y):
        w = weights[y]
        return -(w * log_q_of(z)[np.arange(len(y)), y]).sum() / w.sum()

    stated = {"targets": "hard", "class_weights": weights}
    report = diagnose(loss, "loss", classes=3, **stated)
    assert report.verdict == "right"
    assert diagnose(loss, "loss", **stated).verdict == report.verdict


def test_targets_any_is_the_default():
    assert diagnose(sg.cross_entropy_gradient, "gradient", targets="any").ok


@pytest.mark.parametrize(
    ("kind", "stated", "meant"),
    [
        ("gradient", "none", "sum"),
        ("loss", "none", "none"),
        ("gradient", "batchmean", "mean"),
        ("gradient", None, "mean"),
    ],
)
def test_reductions_that_are_the_same_for_a_kind(kind, stated, meant):
    assert reduction_of(kind, stated) == meant


def test_a_summed_loss_with_class_weights():
    weights = np.array([1.0, 2.0, 0.5])

    def loss(z, y):
        return -(weights[y] * log_q_of(z)[np.arange(len(y)), y]).sum()

    report = diagnose(loss, "loss")
    assert report.verdict == "convention"
    assert any("1, 2, 0.5, and sums" in each.sentence for each in report.conventions)


def test_a_term_of_each_class_for_each_row():
    report = diagnose(lambda z, t: -t * log_q_of(z), "loss", reduction="none")
    assert report.verdict == "convention"
    assert [each.option for each in report.conventions] == ["result='elements'"]


@pytest.mark.parametrize(
    "reading", ["elements", "diagonal", "flat diagonal", "matrix", "flat"]
)
@pytest.mark.parametrize("kind", ["loss", "jacobian", "vjp"])
def test_a_part_that_is_not_there_is_no_result(kind, reading):
    """The results have too many entries for any way to read them."""
    report = diagnose(
        lambda *given: np.zeros((1001, *given[0].shape)), kind, result=reading
    )
    assert report.verdict == "unusable"


def test_options_are_asked_for_the_temperature_by_any_access():
    def by_attribute(z, options):
        if hasattr(options, "__array__"):
            return z
        return q_of(z, options.temperature * options.scale)

    def by_get(z, options):
        return q_of(z, options.get("temperature", 1.0) * options.get("scale", 1.0))

    def by_item(z, options):
        return q_of(z, options["temperature"])

    for function in (by_attribute, by_get, by_item):
        report = diagnose(function, "softmax")
        assert report.ok, str(report)
        assert "several temperatures" in report.checked


def test_the_order_of_named_arguments_among_others_may_be_stated():
    def gradient(z, target, mode):
        return sg.cross_entropy_gradient(z, target)

    def other(target, z, mode):
        return sg.cross_entropy_gradient(z, target)

    assert diagnose(gradient, "gradient", order="usual").ok
    assert not diagnose(gradient, "gradient", order="reversed").ok
    assert diagnose(other, "gradient", order="reversed").ok
    assert not diagnose(other, "gradient", order="usual").ok


def test_the_teacher_may_come_first_by_name():
    def gradient(teacher_logits, student_logits):
        return sg.kl_divergence_gradient(student_logits, teacher_logits)

    report = diagnose(gradient, "kl_divergence_gradient")
    assert report.verdict in ("right", "convention")
    assert not report.mistakes


def test_alpha_is_a_weight_and_no_temperature():
    def loss(z, v, alpha):
        return alpha * sg.distillation_loss(z, v)

    assert diagnose(loss, "distillation_loss").ok


def test_numbers_in_a_function_tell_how_many_classes_it_may_take():
    held = types.SimpleNamespace(bias=np.zeros(7), again=None)
    held.again = held  # what holds itself is looked at once

    def inner(z):
        return z.reshape(-1, 12) + held.bias

    def outer(z):
        return inner(z)

    counts = class_counts(outer)
    assert 12 in counts
    assert 7 in counts


def test_results_of_jax_are_asked_with_two_shapes(monkeypatch):
    """JAX compiles a function anew for each shape."""

    class Traced(np.ndarray):
        pass

    monkeypatch.setattr(Traced, "__module__", "jaxlib.fake")
    shapes = set()

    def gradient(z, t):
        shapes.add(z.shape)
        return sg.cross_entropy_gradient(z, t).view(Traced)

    report = diagnose(gradient, "gradient")
    assert report.ok, str(report)
    assert {(3, 4), (4, 4)} <= shapes
    assert not shapes & {(5, 3), (3, 2)}
    assert len([shape for shape in shapes if len(shape) == 2]) <= 4


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        ("def kd_grad(student_logits, teacher_logits): ...", "kl_divergence_gradient"),
        ("def kd(student_logits, teacher_logits): ...", "distillation_loss"),
        ("def f(z, grad_output): ...", "vjp"),
        ("def f(z, labels): ...", "loss"),
        ("def dz(z, labels): ...", "loss"),
        ("def criterion(z, labels): ...", "loss"),
        ("def xent(z, labels): ...", "loss"),
        ("def f(W, X, y, reg): ...", "weights"),
        ("def f(w, T): ...", "softmax"),
        ("def log_softmax_backward(dout, out): ...", "log_softmax_vjp"),
        ("def gradient_of_softmax(z, dout): ...", "vjp"),
        ("def grad(z, labels): ...", "gradient"),
        ("def f(z): ...", "softmax"),
        ("def hess(z): ...", "hessian"),
        ("def f(*given): ...", "softmax"),
        ("def f(one, other): ...", "vjp"),
    ],
)
def test_a_kind_is_guessed_from_names(names, kinds):
    held = {}
    exec(names, held)
    (function,) = (value for name, value in held.items() if name != "__builtins__")
    assert guessed_kinds(function)[0] == kinds


def test_an_object_with_a_backward_is_asked_for_its_derivative():
    class Layer:
        def forward(self, z):
            self.q = q_of(z)
            return self.q

        def backward(self, g):
            return self.q * (g - (self.q * g).sum(axis=1, keepdims=True))

    class Loss:
        def forward(self, z, t):
            self.z, self.t = z, t
            return sg.cross_entropy(z, t)

        def backward(self):
            return 2 * sg.cross_entropy_gradient(self.z, self.t)

    assert guessed_kinds(Layer()) == ["vjp", "log_softmax_vjp"]
    assert diagnose(Layer()).kind == "vjp"
    assert diagnose(Layer()).ok
    assert diagnose(Loss()).kind == "gradient"
    assert str(diagnose(Loss()).factor) == "2"
    assert guessed_kinds(Layer().backward)[0] == "vjp"


class Activation:
    """A softmax layer that is handed over as a class, as layers are pasted."""

    def __init__(self, axis=1):
        self.axis = axis

    def forward(self, inputs):
        self.output = q_of(inputs)

    def backward(self, dvalues):
        inner = (self.output * dvalues).sum(axis=self.axis, keepdims=True)
        self.dinputs = self.output * (dvalues - inner)


class CalledSoftmax:
    """A layer that is called forwards, and whose backward lacks the dot product."""

    def __call__(self, x):
        self.out = q_of(x)
        return self.out

    def backward(self, grad):
        return self.out * grad


class Fused:
    """Softmax and cross-entropy; only the backward method is given the labels."""

    def forward(self, x):
        self.q = q_of(x)
        return self.q

    def backward(self, y_true):
        gradient = self.q.copy()
        gradient[np.arange(len(y_true)), y_true] -= 1
        return gradient / len(y_true)


@pytest.mark.parametrize("given", [lambda layer: layer, lambda layer: layer()])
def test_a_class_is_asked_for_what_its_backward_gives(given):
    report = diagnose(given(Activation))
    assert (report.kind, report.verdict) == ("vjp", "right")
    # Its forward method is right: that is no answer.
    report = diagnose(given(CalledSoftmax))
    assert (report.kind, report.verdict) == ("vjp", "mistake")
    assert report.mistakes[0].slug == "vjp-without-dot-product"
    report = diagnose(given(Fused))
    assert (report.kind, report.verdict) == ("gradient", "right")


def test_a_custom_vjp_is_asked_for_its_derivative(monkeypatch):
    """A stand-in for JAX's class: what such a function does forwards is no answer."""

    class CustomVjp:
        def __init__(self, function):
            self.__wrapped__ = function
            self.__name__ = function.__name__

        def __call__(self, *arguments):
            return self.__wrapped__(*arguments)

    jax = types.ModuleType("jax")
    jax.custom_vjp = CustomVjp
    monkeypatch.setitem(sys.modules, "jax", jax)
    assert guessed_kinds(CustomVjp(sg.cross_entropy)) == ["gradient"]
    softmax = CustomVjp(lambda logits: q_of(logits))
    assert guessed_kinds(softmax) == ["vjp", "log_softmax_vjp"]


def test_what_is_sent_back_is_a_gradient_whatever_its_name():
    def softmax_gradient(z, grad):
        q = q_of(z)
        return q * (grad - (q * grad).sum(axis=1, keepdims=True))

    report = diagnose(softmax_gradient)
    assert (report.kind, report.verdict) == ("vjp", "right")


def loss_and_gradient(sign, epsilon=0.0):
    def softmax_loss(x, y):
        q = q_of(x)
        rows = np.arange(len(y))
        loss = -np.log(q[rows, y] + epsilon).mean()
        q[rows, y] -= 1
        return loss, sign * q / len(y)

    return softmax_loss


def test_a_right_loss_does_not_hide_a_wrong_gradient():
    report = diagnose(loss_and_gradient(-1))
    assert (report.kind, report.verdict) == ("gradient", "mistake")
    assert report.mistakes[0].slug == "flipped-sign"
    report = diagnose(loss_and_gradient(1, epsilon=1e-3))
    assert (report.kind, report.verdict) == ("loss", "mistake")
    assert report.mistakes[0].slug == "epsilon-in-log"
    assert "gradient: right if of its results the one at [1]" in str(report)


def test_what_large_logits_show_of_a_loss_is_told_beside_its_gradient():
    report = diagnose(loss_and_gradient(1))
    assert (report.kind, report.verdict) == ("gradient", "convention")
    told = "Of its other results: loss: right at ordinary logits, fails at large ones"
    assert any(each.startswith(told) for each in report.findings)


def softmax_loss_naive(W, X, y, reg):
    scores = X @ W
    rows = np.arange(len(y))
    loss = sg.cross_entropy(scores, y) + reg * (W**2).sum()
    q = q_of(scores)
    q[rows, y] -= 1
    return loss, X.T @ q + 2 * reg * W


def test_the_gradient_by_weights_is_guessed_and_held_to_its_own_loss():
    report = diagnose(softmax_loss_naive)
    assert report.findings[0].startswith("Taken for kind='weights'")
    assert (report.verdict, report.mistakes[0].slug) == (
        "mistake",
        "missing-batch-mean",
    )
    # Without its loss, the sum may be what is meant.
    alone = diagnose(lambda W, X, y: softmax_loss_naive(W, X, y, 0.0)[1], "weights")
    assert alone.verdict == "convention"


def test_a_function_that_nothing_explains_is_of_the_kind_that_its_name_says():
    def focal_grad(logits, labels):
        q = q_of(logits)
        q[np.arange(len(labels)), labels] -= 1
        return np.tanh(q)

    report = diagnose(focal_grad)
    assert (report.kind, report.verdict) == ("gradient", "unknown")


def test_zero_has_no_factor():
    """Rows that sum to zero are no multiple of a loss, however small the multiple."""
    report = diagnose(lambda z, v: sg.kl_divergence_gradient(z, v), "distillation_loss")
    assert report.verdict == "unknown"
    assert report.factor is None


def test_what_cannot_be_checked_is_told_once_and_in_lines_of_88():
    report = diagnose(lambda z: None, "softmax")
    text = str(report)
    assert report.verdict == "unusable"
    assert " ".join(text.split()).count("gave an array of the right shape") == 1
    assert "the graph cut?" in text
    assert "cut?." not in text
    assert max(map(len, text.splitlines())) <= 88
    assert report._repr_markdown_().count("gave an array of the right shape") == 1


def test_the_package_names_a_library_that_is_missing(monkeypatch):
    monkeypatch.delattr(sg, "plots", raising=False)
    monkeypatch.delitem(sys.modules, "softmax_gradients.plots", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(AttributeError, match="needs matplotlib"):
        sg.plots  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sg.nothing  # noqa: B018
    assert {"plots", "diagnose", "softmax"} <= set(dir(sg))
