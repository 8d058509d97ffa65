"""The doctor names what is wrong, accuses nothing that is right, and never guesses."""

# T is the temperature, as in the formulas.
# ruff: noqa: N803

import json
import re
from itertools import combinations

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients.doctor import diagnose
from softmax_gradients.mistakes import MISTAKES
from softmax_gradients.mistakes._steps import KINDS, SECOND_ARGUMENT, assemble
from tests.support.styles import RIGHT, UNKNOWN, WRONG, gradient_by_jacobian, q_of

# Those that are a mistake for some reductions only have a test of their own.
SHOWN = [
    (slug, kind, form)
    for slug, entry in MISTAKES.items()
    if not entry.reductions
    for kind, forms in entry.kinds.items()
    for form in range(len(forms))
]
# One guarded logarithm is like another: every epsilon is tried by one test only.
FEW = [each for each in SHOWN if each[0] != "epsilon-in-log" or each[2] % 17 == 0]
EACH = [each for each in SHOWN if each[0] != "epsilon-in-log" or each[2] % 6 == 0]


def slugs(report):
    return {mistake.slug for mistake in report.mistakes}


def asked(*names):
    """As strict as can be; sequences are probed where their mistake is to be found."""
    return {"sequences": "batchmean-over-sequences" in names, "conventions": False}


def fingerprint(function, kind):
    """Results at points that the doctor does not use, for equality of functions."""
    rng = np.random.default_rng(99)
    found = []
    for shape, temperature, scale in (
        ((3, 4), 1.9, 1.0),
        ((5, 5), 0.8, 1.0),
        ((2, 3, 4), 2.2, 1.0),
        ((2, 4), 1.1, 9.0),
    ):
        z = rng.normal(scale=scale, size=shape) + rng.normal(size=(*shape[:-1], 1))
        second = rng.uniform(0.05, 1.2, size=shape)
        if SECOND_ARGUMENT[kind] == "teacher_logits":
            second = 3 * rng.normal(size=shape) - 1
        given = (z,) if SECOND_ARGUMENT[kind] is None else (z, second)
        try:
            found.append(np.array(function(*given, temperature)))
        except ValueError:
            found.append(None)
    return found


def equal(one, other):
    return all(
        (a is None and b is None)
        or (a is not None and b is not None and np.allclose(a, b, 1e-9, 1e-12, True))
        for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def classes():
    """For each kind and form of a mistake, the slugs of all equal functions."""
    prints = {
        (slug, kind, form): fingerprint(MISTAKES[slug].function(kind, form), kind)
        for slug, kind, form in SHOWN
    }
    return {
        key: {key[0]}
        if MISTAKES[key[0]].numerical
        else {
            other[0]
            for other in prints
            if other[1] == key[1]
            and not MISTAKES[other[0]].numerical
            and equal(prints[key], prints[other])
        }
        for key in prints
    }


@pytest.mark.parametrize(("slug", "kind", "form"), EACH)
def test_the_confusion_matrix_is_the_identity_over_classes(slug, kind, form, classes):
    report = diagnose(MISTAKES[slug].function(kind, form), kind, **asked(slug))
    assert not report.ok
    assert slugs(report) == classes[slug, kind, form]
    assert all(len(each) == 1 for each in report.explanations)
    assert report.example is not None
    assert not np.allclose(report.example.yours, report.example.right, rtol=1e-4)
    assert re.fullmatch(r"[^\\]*", str(report))
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize("reduction", MISTAKES["divided-sum"].reductions)
@pytest.mark.parametrize("kind", MISTAKES["divided-sum"].kinds)
def test_a_sum_that_is_divided_is_named(kind, reduction):
    function = assemble(kind, *MISTAKES["divided-sum"].kinds[kind], reduction=reduction)
    report = diagnose(function, kind, reduction=reduction)
    assert "divided-sum" in slugs(report)
    if reduction == "sum":  # a number a row says by its shape what is meant
        assert "divided-sum" not in slugs(diagnose(function, kind))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("slug", "kind", "form"), FEW[::13])
def test_other_random_inputs_show_the_same(slug, kind, form, seed, classes):
    function = MISTAKES[slug].function(kind, form)
    report = diagnose(function, kind, seed=seed, **asked(slug))
    assert slugs(report) == classes[slug, kind, form]


@pytest.mark.parametrize(("slug", "kind", "form"), FEW[1::13])
def test_float32_shows_the_same(slug, kind, form, classes):
    double = MISTAKES[slug].function(kind, form)

    def single(*arguments):
        *arrays, temperature = arguments
        cast = [a if a.dtype.kind == "i" else a.astype(np.float32) for a in arrays]
        return np.asarray(double(*cast, temperature), dtype=np.float32)

    if SECOND_ARGUMENT[kind] is None:
        report = diagnose(lambda z, T: single(z, T), kind, **asked(slug))
    else:
        report = diagnose(lambda z, s, T: single(z, s, T), kind, **asked(slug))
    assert classes[slug, kind, form] <= slugs(report)


# What depends on the order of the classes: sums that lost their axis, moved labels.
IN_ORDER = ("missing-keepdims", "labels-off-by-one", "labels-from-one")


@pytest.mark.parametrize(
    ("slug", "kind", "form"),
    [each for each in FEW[2::13] if each[0] not in IN_ORDER],
)
def test_the_order_of_the_classes_does_not_matter(slug, kind, form, classes):
    """Computed with the classes in another order, and put back."""
    function = MISTAKES[slug].function(kind, form)

    def back(result):
        if kind in ("jacobian", "hessian"):
            return result[..., ::-1, ::-1]
        return result if result.ndim == 0 else result[..., ::-1]

    def one(z, T):
        return back(function(z[..., ::-1], T))

    def two(z, s, T):
        if s.ndim < z.ndim:
            return back(function(z[..., ::-1], z.shape[-1] - 1 - s, T))
        return back(function(z[..., ::-1], s[..., ::-1], T))

    wrapped = one if SECOND_ARGUMENT[kind] is None else two
    assert slugs(diagnose(wrapped, kind, **asked(slug))) == classes[slug, kind, form]


def pairs():
    """Two mistakes that replace different steps, every compatible pair of slugs."""
    chosen = {}
    for kind in KINDS:
        single = [(s, f) for s, k, f in SHOWN if k == kind]
        for (one, first), (two, second) in combinations(single, 2):
            steps = [
                MISTAKES[one].kinds[kind][first],
                MISTAKES[two].kinds[kind][second],
            ]
            if one != two and not steps[0].replaced & steps[1].replaced:
                chosen.setdefault((kind, one, two), steps)
    return chosen


PAIRS = pairs()


def test_two_mistakes_together_are_both_named():
    """Unless one mistake alone is the same function: then that one is named."""
    simpler = []
    sample = list(PAIRS.items())[:: max(1, len(PAIRS) // 50)]
    for (kind, one, two), steps in sample:
        function = assemble(kind, *steps)
        target = fingerprint(function, kind)
        alone = [fingerprint(assemble(kind, each), kind) for each in steps]
        if any(equal(each, target) for each in alone):
            continue  # one of them leaves nothing for the other to do
        report = diagnose(function, kind, **asked(one, two))
        assert not report.ok, (kind, one, two)
        if len(report.explanations) and len(report.explanations[0]) == 1:
            slug = report.explanations[0][0]
            forms = range(len(MISTAKES[slug].kinds[kind]))
            same = [MISTAKES[slug].function(kind, form) for form in forms]
            numerical = MISTAKES[one].numerical or MISTAKES[two].numerical
            assert numerical or any(
                equal(fingerprint(each, kind), target) for each in same
            ), (kind, one, two, slug)
            simpler.append((kind, one, two))
            continue
        assert {one, two} <= slugs(report), (kind, one, two, report.explanations)
    assert len(simpler) < 0.1 * len(sample)


def test_a_mistake_that_raises_at_most_inputs_is_named_with_another():
    steps = [
        MISTAKES["missing-keepdims"].kinds["loss"][0],
        MISTAKES["flipped-sign"].kinds["loss"][0],
    ]
    report = diagnose(assemble("loss", *steps), "loss")
    assert ("missing-keepdims", "flipped-sign") in report.explanations


def test_three_mistakes_together_are_all_named():
    def gradient(z, t, T=1.0):
        return -t * (
            1 - sg.softmax(z, temperature=T, axis=1)
        )  # no single rows: they have no axis 1

    report = diagnose(gradient, "gradient")
    assert {"diagonal-jacobian", "missing-temperature", "missing-batch-mean"} in [
        set(each) for each in report.explanations
    ]
    assert report.summary.startswith(
        "gradient: wrong, by 2 mistakes together: diagonal-jacobian and missing-"
    )


@pytest.mark.parametrize(("kind", "function"), RIGHT)
def test_what_is_right_is_never_accused(kind, function):
    report = diagnose(function, kind)
    if function is gradient_by_jacobian:  # it divides by a probability of zero
        assert [each.option for each in report.conventions] == ['logits="ordinary"']
        report = diagnose(function, kind, logits="ordinary")
    assert report.ok, str(report)
    assert not report.mistakes
    assert report.example is None
    assert report.summary == f"{kind}: right."


@pytest.mark.parametrize(("kind", "function", "names"), WRONG)
def test_other_code_for_a_mistake_has_its_name(kind, function, names):
    report = diagnose(function, kind)
    assert names <= slugs(report), str(report)


@pytest.mark.parametrize(("kind", "function"), UNKNOWN)
def test_an_unknown_mistake_has_no_name(kind, function):
    report = diagnose(function, kind)
    assert not report.ok
    assert not report.mistakes
    assert "not a mistake I know" in str(report)
    assert report.evidence or report.factor


@pytest.mark.peers
def test_torch_functions_need_an_adapter_only():
    import torch

    functional = torch.nn.functional

    def gradient(z, t, temperature=1.0):
        z = z.clone().requires_grad_()
        functional.cross_entropy(z / temperature, t).backward()
        return z.grad

    assert diagnose(gradient, "gradient", to_array=torch.from_numpy).ok


@pytest.mark.peers
def test_jax_functions_need_an_adapter_only():
    import jax

    def loss(z, t, temperature=1.0):
        return -(t * jax.nn.log_softmax(z / temperature)).sum(axis=-1).mean()

    assert diagnose(jax.grad(loss), "gradient", to_array=jax.numpy.asarray).ok


@pytest.mark.peers
def test_custom_backwards_are_guessed_to_be_what_is_meant():
    """What such a function does forwards is right in all of these."""
    import jax
    import torch

    class LogSoftmax(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(torch.log_softmax(z, dim=-1))
            return torch.log_softmax(z, dim=-1)

        @staticmethod
        def backward(ctx, g):
            (log_q,) = ctx.saved_tensors
            return g - log_q.exp() * g.sum(dim=-1, keepdim=True)

    report = diagnose(LogSoftmax)
    assert (report.kind, report.verdict) == ("log_softmax_vjp", "right")

    @jax.custom_vjp
    def xent(logits, labels):
        one_hot = jax.nn.one_hot(labels, logits.shape[-1])
        return -(one_hot * jax.nn.log_softmax(logits)).sum(axis=-1).mean()

    def forward(logits, labels):
        return xent(logits, labels), (logits, labels)

    def backward(kept, g):
        logits, labels = kept
        q = jax.nn.softmax(logits, axis=-1)
        return -g * (q - jax.nn.one_hot(labels, logits.shape[-1])) / len(logits), None

    xent.defvjp(forward, backward)
    report = diagnose(xent)
    assert (report.kind, report.verdict) == ("gradient", "mistake")
    assert slugs(report) == {"flipped-sign"}


@pytest.mark.peers
def test_scipy_functions_are_right():
    from scipy import special

    assert diagnose(lambda z, T: special.softmax(z / T, axis=-1), "softmax").ok


def test_the_class_of_soft_targets_can_be_what_is_meant():
    def gradient(z, t):
        return (q_of(z) - np.eye(z.shape[1])[t.argmax(1)]) / len(z)

    report = diagnose(gradient, "gradient")
    assert [each.option for each in report.conventions] == ['targets="hard"']
    assert diagnose(gradient, "gradient", targets="hard").ok


def test_unnormalised_targets_can_be_ruled_out():
    def gradient(z, t):
        return (q_of(z) - t) / len(z)

    assert diagnose(gradient, "gradient", targets="distribution").ok
    report = diagnose(gradient, "gradient")
    assert slugs(report) == {"unnormalised-targets"}
    assert report.verdict == "convention"
    assert [each.option for each in report.conventions] == ['targets="distribution"']


def test_sequences_count_where_they_are_asked_for():
    def gradient(z, t):
        return (q_of(z) * t.sum(-1, keepdims=True) - t) / len(z)

    report = diagnose(gradient, "gradient")
    assert report.ok
    assert "batchmean-over-sequences" in str(report)
    report = diagnose(gradient, "gradient", sequences=True)
    assert slugs(report) == {"batchmean-over-sequences"}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", ["loss", "gradient", "temperature_gradient"])
def test_reductions(reduction, kind):
    function = {
        "loss": sg.cross_entropy,
        "gradient": sg.cross_entropy_gradient,
        "temperature_gradient": sg.cross_entropy_temperature_gradient,
    }[kind]

    def reduced(z, t, temperature=1.0):
        return function(z, t, temperature=temperature, reduction=reduction)

    assert diagnose(reduced, kind, reduction=reduction).ok
    other = "sum" if reduction == "mean" else "mean"
    report = diagnose(reduced, kind, reduction=other)
    if reduction == "none" and kind != "gradient":
        assert report.verdict != "right"
    else:
        assert not report.ok
