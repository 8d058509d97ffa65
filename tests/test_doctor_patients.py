"""Objects as they are, options, kinds that are guessed, and what patients do."""

# T is the temperature, as in the formulas.
# ruff: noqa: N803, N806

import functools
import pickle
import random
import sys
import types
import warnings

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients.doctor import assert_correct, diagnose
from softmax_gradients.doctor._lines import RIGHT_LINES, WRONG_LINES
from softmax_gradients.mistakes import MISTAKES
from softmax_gradients.mistakes._steps import SECOND_ARGUMENT, assemble
from tests.support.styles import log_q_of, q_of


def options(report):
    return [each.option for each in report.conventions]


def difference(z, t):
    return q_of(z) - t


def test_the_answer_of_this_book_is_right_for_a_sum():
    report = diagnose(difference, "gradient")
    assert report.verdict == "convention"
    assert options(report) == ['reduction="sum"', 'targets="distribution"']
    assert report.summary == (
        "gradient: right if the sum over the batch, or one row alone, is meant and "
        "targets always sum to one; for the mean it lacks 1/N: missing-batch-mean; for "
        "other targets see unnormalised-targets."
    )
    assert report.to_dict()["conventions"][0]["option"] == 'reduction="sum"'
    assert_correct(difference, "gradient", reduction="sum", targets="distribution")


def test_the_code_of_the_summation_thread_takes_probabilities():
    report = diagnose(lambda s, t: (-t / s) * s * (1 - s), "gradient")
    assert report.verdict == "mistake"
    assert "diagonal-jacobian" in report.summary
    assert 'takes="probabilities"' in options(report)


def every_option():
    """Functions that follow one convention each, and the option that states it."""

    def smoothed(z, y):
        t = 0.9 * np.eye(z.shape[1])[y] + 0.1 / z.shape[1]
        return -(t * log_q_of(z)).sum() / len(z)

    def weighted(z, y):
        losses = -log_q_of(z)[np.arange(len(y)), y]
        weights = np.array([1.0, 0.5, 0.25])[y]
        return (weights * losses).sum() / weights.sum()

    def kept(z, t):
        return (q_of(z) * t.sum(1, keepdims=True) - t) / len(z)

    yield (
        "vjp",
        lambda y, g: y * (g - (y * g).sum(-1, keepdims=True)),
        {"takes": "probabilities"},
    )
    yield (
        "loss",
        lambda x, y: -x[np.arange(len(y)), y].mean(),
        {"takes": "log-probabilities"},
    )
    yield "gradient", lambda a, b: kept(b, a), {"order": "reversed"}
    yield "softmax", lambda z: q_of(z.T).T, {"layout": "classes first"}
    yield (
        "loss",
        lambda z, y: -log_q_of(z)[np.arange(len(y)), y - 1].mean(),
        {"labels": "from 1"},
    )
    yield "gradient", lambda z, y: kept(z, np.eye(7)[y]), {"classes": 7}
    yield "gradient", lambda z, t: {"loss": 1.0, "dz": kept(z, t)}, {"result": "dz"}
    yield "gradient", lambda z, t: ("text", kept(z, t)), {"result": 1}
    yield "gradient", lambda z, t: kept(z, t).ravel(), {"result": "flat"}
    yield "softmax", lambda z, beta: q_of(beta * z), {"temperature": "inverse"}
    yield "softmax", lambda z: q_of(z, 2.5), {"temperature": 2.5}
    yield "loss", smoothed, {"label_smoothing": 0.1}
    yield "loss", weighted, {"class_weights": [1.0, 0.5, 0.25]}
    yield "loss", lambda z, t: -(t * log_q_of(z)).sum(), {"reduction": "sum"}
    yield "loss", lambda z, t: -(t * log_q_of(z)).sum(-1), {"reduction": "none"}
    yield (
        "distillation_loss",
        lambda z, v: -(q_of(v) * log_q_of(z)).sum() / len(z),
        {"soft_loss": "cross-entropy"},
    )
    yield (
        "distillation_loss",
        lambda z, v: sg.kl_divergence(z, v, temperature=3.0),
        {"temperature": 3.0, "t_squared": False},
    )


@pytest.mark.parametrize(("kind", "function", "stated"), list(every_option()))
def test_a_convention_is_recognised_and_can_be_stated(kind, function, stated):
    found = diagnose(function, kind)
    assert found.verdict == "convention", str(found)
    assert {each.partition("=")[0] for each in options(found)} >= set(stated)
    again = diagnose(function, kind, **stated)
    assert again.verdict in ("right", "convention"), str(again)
    assert len(again.conventions) < len(found.conventions)
    strict = diagnose(function, kind, conventions=False)
    # Row by row the loss is right; a beta that nobody gives is 1.
    right = {"reduction": "none"}, {"temperature": "inverse"}
    assert strict.ok == (stated in right)


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"takes": "inputs"}, "takes must be one of"),
        ({"layout": "rows"}, "layout must be one of"),
        ({"class_weights": [1.0]}, "class_weights must be one number per class"),
        ({"class_weights": ["a", "b"]}, "class_weights must be one number per class"),
        ({"label_smoothing": "much"}, "label_smoothing must be a number"),
        ({"temperature": -1.0}, "temperature must be positive"),
        ({"temperature": [1]}, "temperature must be a number"),
        ({"classes": 1}, "classes must be a number of at least 2"),
        ({"reduction": ""}, "reduction must be one of"),
    ],
)
def test_other_words_for_conventions_raise(stated, told):
    with pytest.raises(ValueError, match=told):
        diagnose(difference, "gradient", **stated)


class Layer:
    """A layer with a temperature of its own."""

    def __init__(self, temperature=2.0, forgotten=False):
        self.temperature, self.forgotten = temperature, forgotten

    def forward(self, x):
        self.q = q_of(x, self.temperature)
        return self.q

    def backward(self, grad):
        dot = (self.q * grad).sum(-1, keepdims=True)
        divisor = 1.0 if self.forgotten else self.temperature
        return self.q * (grad - dot) / divisor


def test_the_temperature_of_a_layer_is_set_on_a_copy():
    layer = Layer()
    assert diagnose(layer, "softmax").ok
    assert diagnose(layer, "vjp").ok
    assert diagnose(Layer().forward, "softmax", temperature=2.0).ok
    assert layer.__dict__ == {"temperature": 2.0, "forgotten": False}
    report = diagnose(Layer(forgotten=True).backward, "vjp")
    assert report.verdict == "mistake"
    assert "missing-temperature" in report.explanations[0]
    assert diagnose(Layer, "vjp").ok


class Loss:
    """A loss whose backward takes what comes in, or is deaf to it."""

    def __init__(self, deaf=False):
        self.deaf = deaf

    def forward(self, x, t):
        self.q, self.t = q_of(x), t
        return -(t * np.log(self.q)).sum() / len(x)

    def backward(self, dout=1.0):
        scale = 1.0 if self.deaf else dout
        total = self.t.sum(-1, keepdims=True)
        return scale * (self.q * total - self.t) / len(self.q)


def test_a_custom_backward_is_asked_with_another_gradient():
    assert diagnose(Loss(), "gradient").ok
    report = diagnose(Loss(deaf=True), "gradient")
    assert options(report) == ['upstream="one"']
    assert diagnose(Loss(deaf=True), "gradient", upstream="one").ok


class Both:
    """A backward that takes the input again, with the gradient."""

    def forward(self, x):
        return q_of(x)

    def backwards(self, x, grad):
        q = q_of(x)
        return q * (grad - (q * grad).sum(-1, keepdims=True))


def test_other_shapes_of_layers():
    assert diagnose(Both().backwards, "vjp").ok

    class Summed(Loss):
        def forward(self, x, t):
            self.q, self.t = q_of(x), t

        def backward(self):
            return (self.q * self.t.sum(-1, keepdims=True) - self.t) / len(self.q)

    assert diagnose(Summed(), "gradient").ok

    class Needs:
        def __init__(self, size):
            raise TypeError("size, please")

    assert diagnose(Needs, "softmax").verdict == "unusable"

    class Silent:
        def forward(self, x):
            self.count = 1

    assert "graph cut" in str(diagnose(Silent(), "softmax"))


def test_a_mean_loss_beside_a_summed_gradient_is_a_mistake():
    def both(z, t):
        return -(t * log_q_of(z)).sum() / len(z), q_of(z) * t.sum(1, keepdims=True) - t

    report = diagnose(both, "gradient")
    assert report.verdict == "mistake"
    assert report.explanations == (("missing-batch-mean",),)


def test_rows_to_ignore_are_tried_where_they_are_promised():
    def keeps(z, y, ignore_index=-100):
        g = q_of(z)
        g[np.arange(len(y)), y] -= 1
        return g / len(y)

    def drops(z, y, ignore_index=-100):
        kept = y != ignore_index
        g = q_of(z)
        g[np.arange(len(y)), y] -= 1
        return g * kept[:, None] / kept.sum()

    report = diagnose(keeps, "gradient")
    assert report.explanations == (("ignored-rows-keep-a-gradient",),)
    assert diagnose(drops, "gradient").ok

    def losses(z, y, ignore_index=-100):
        return np.where(y != ignore_index, -log_q_of(z)[np.arange(len(y)), y], 0)

    assert diagnose(losses, "loss", reduction="none").ok


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda z, t: (q_of(z) * t.sum(1, keepdims=True) - t) / len(z), "gradient"),
        (q_of, "softmax"),
        (sg.cross_entropy, "loss"),
        (sg.softmax_vjp, "vjp"),
        (lambda z, teacher: sg.distillation_loss(z, teacher), "distillation_loss"),
        (Layer().backward, "vjp"),
        (functools.partial(q_of), "softmax"),
    ],
)
def test_the_kind_is_guessed_and_said(function, kind):
    report = diagnose(function)
    assert report.kind == kind
    assert report.ok
    assert report.findings[0].startswith(f"Taken for kind={kind!r}")


def test_the_kind_is_asked_for_where_it_cannot_be_told():
    report = diagnose(lambda *given: given[0] * 3.0)
    assert report.verdict == "unusable"
    assert "is it kind='softmax' or kind=" in report.summary


def test_the_gradient_by_weights_of_courses():
    def svm_style(W, X, y, reg):
        scores = X @ W
        g = q_of(scores)
        g[np.arange(len(y)), y] -= 1
        return 0.5, X.T @ g / len(y) + reg * W

    assert diagnose(svm_style, "weights").ok
    assert diagnose(
        lambda W, X, y, reg: -svm_style(W, X, y, reg)[1], "weights"
    ).mistakes
    assert not diagnose(lambda W, X, y, reg: 0.0, "weights").ok


def test_two_functions_are_compared():
    mine = lambda z, t: (q_of(z) - t) / len(z)  # noqa: E731
    assert diagnose(mine, "gradient", against=mine).ok
    other = lambda z, t: 2 * (q_of(z) - t) / len(z)  # noqa: E731
    report = diagnose(mine, "gradient", against=other)
    assert str(report.factor) == "0.5"
    report = diagnose(mine, "gradient", against=lambda z, t: None)
    assert report.verdict == "unusable"


@pytest.mark.parametrize("stop", [SystemExit(0), KeyboardInterrupt()])
def test_who_ends_the_program_is_unusable(stop):
    def gradient(z, t):
        raise stop

    report = diagnose(gradient, "gradient")
    assert report.verdict == "unusable"
    assert type(stop).__name__ in report.summary


def test_a_random_function_is_never_right():
    def softmax(z):
        return q_of(z) + 1e-9 * np.random.default_rng().normal(size=z.shape)

    report = diagnose(softmax, "softmax")
    assert report.verdict == "unknown"
    assert "another result each time" in report.summary


def test_prints_warnings_and_random_numbers_stay_inside(capsys):
    def softmax(z):
        print("hello")
        random.random()
        np.random.rand()  # noqa: NPY002
        warnings.warn("not mine", stacklevel=1)
        return q_of(z)

    before = random.getstate(), np.random.get_state()[1].sum()  # noqa: NPY002
    report = diagnose(softmax, "softmax")
    assert report.ok
    assert capsys.readouterr().out == ""
    assert (random.getstate(), np.random.get_state()[1].sum()) == before  # noqa: NPY002
    for told in ("It prints.", "It draws from Python's global random state."):
        assert told in report.findings


def test_messages_are_shortened_and_escaped():
    class UnprintableError(Exception):
        def __str__(self):
            raise ValueError

    def one(z):
        raise UnprintableError

    def two(z):
        raise ValueError("<b>\x1b[31m" + "x" * 1000)

    assert "its message cannot be shown" in " ".join(diagnose(one, "softmax").findings)
    report = diagnose(two, "softmax")
    assert "\x1b" not in str(report)
    assert max(map(len, str(report).splitlines())) < 500
    assert "<b>" not in report._repr_markdown_()


def test_a_report_hands_out_copies_and_can_be_pickled():
    def wrong(z, t):
        return -t * (1 - q_of(z)) / len(z)

    report = diagnose(wrong, "gradient")
    text = str(report)
    report.example.logits[...] = 7
    report.example.right[...] = 7
    again = diagnose(wrong, "gradient")
    assert str(again) == text
    assert str(pickle.loads(pickle.dumps(again))) == text
    assert pickle.loads(pickle.dumps(again)) == again


@pytest.mark.parametrize(
    ("function", "other"),
    [
        (lambda z, t: sg.softmax(z) * np.nan, lambda z, t: t - sg.softmax(z)),
        (lambda z, t: 2 * (sg.softmax(z) - t), lambda z, t: 3 * (sg.softmax(z) - t)),
        (lambda z, t: None, lambda z, t: z.sum()),
    ],
)
def test_reports_are_equal_if_all_their_numbers_are(function, other):
    report = diagnose(function, kind="gradient")
    assert report == diagnose(function, kind="gradient")
    assert report != diagnose(other, kind="gradient")
    assert report.example != "an example"


def test_extra_arguments_are_not_temperatures():
    def vjp(z, g, learning_rate):
        q = q_of(z)
        return q * (g - (q * g).sum(-1, keepdims=True))

    assert diagnose(vjp, "vjp").ok
    assert diagnose(lambda z, g, lr, out: vjp(z, g, lr), "vjp").ok
    assert diagnose(lambda z, g, num_classes, buffer, mask: vjp(z, g, 1), "vjp").ok
    assert diagnose(lambda z, batch_size, labels: q_of(z), "softmax").ok

    def mixed(student, labels, teacher, alpha, args):
        soft = sg.distillation_loss(student, teacher, temperature=args.T)
        return (
            alpha * soft + (1 - alpha) * sg.cross_entropy(student, labels) * args["k"]
        )

    assert diagnose(mixed, "distillation_loss").ok

    def reversed_mix(teacher_logits, student_logits, alpha, temperature):
        soft = sg.distillation_loss(
            student_logits, teacher_logits, temperature=temperature
        )
        return (1 - alpha) * soft + alpha * 3.0

    report = diagnose(reversed_mix, "distillation_loss")
    assert report.verdict in ("right", "convention")


def test_labels_stay_integers():
    def loss(z, y):
        assert y.dtype.kind == "i"
        return -log_q_of(z)[np.arange(len(y)), y].mean()

    assert diagnose(loss, "loss", to_array=lambda a: a.astype(np.float32)).ok


def test_libraries_are_recognised_by_what_they_are(monkeypatch):
    """Stand-ins: what is in sys.modules need not be the library."""
    fake = types.ModuleType("torch")
    monkeypatch.setitem(sys.modules, "torch", fake)
    monkeypatch.setitem(sys.modules, "jax", types.ModuleType("jax"))
    assert diagnose(q_of, "softmax").ok


@pytest.mark.parametrize(
    ("slug", "kind", "line"),
    [
        *(("", kind, line) for kind, line in RIGHT_LINES.items()),
        *(
            (slug, kind, line)
            for slug, lines in WRONG_LINES.items()
            for kind, line in lines.items()
        ),
    ],
)
def test_the_lines_of_code_are_what_they_say(slug, kind, line):
    """Each is evaluated beside the entry's own function, at T = 1.7."""
    rng = np.random.default_rng(3)
    T = 1.7
    z, v, g = rng.normal(size=(3, 3, 4))
    t = rng.uniform(0.1, 1, size=(3, 4))
    names = {"z": z, "v": v, "g": g, "t": t, "T": T, "N": 3, "C": 4, "np": np}
    names |= {"q": q_of(z, T), "p": q_of(v, T)}
    names |= {"log_q": log_q_of(z, T), "log_p": log_q_of(v, T)}
    names["s"] = (z - z.max(axis=-1, keepdims=True)) / T
    found = eval(line, names)
    second = {"targets": t, "cotangent": g, "teacher_logits": v}
    forms = range(len(MISTAKES[slug].kinds[kind])) if slug else [None]
    functions = [
        MISTAKES[slug].function(kind, f) if slug else assemble(kind) for f in forms
    ]
    name = SECOND_ARGUMENT[kind]
    given = (z,) if name is None else (z, second[name])
    assert any(np.allclose(found, function(*given, T)) for function in functions)


def test_what_runs_on_every_batch_is_not_judged_by_square_ones():
    """Divided by C in place of N: right where N = C only."""

    def gradient(z, t):
        return (q_of(z) * t.sum(1, keepdims=True) - t) / z.shape[1]

    report = diagnose(gradient, "gradient")
    assert report.verdict == "unknown"
    assert str(report.factor) == "N/C"
