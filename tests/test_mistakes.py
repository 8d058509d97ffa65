"""The catalogue: every entry computes what it says, and every claim holds."""

# T is the temperature, as in the formulas.
# ruff: noqa: N803

import re
from pathlib import Path

import numpy as np
import pytest

import softmax_gradients as sg
from softmax_gradients.doctor._plain import plain
from softmax_gradients.mistakes import CHAPTERS, MISTAKES, THEMES
from softmax_gradients.mistakes._steps import (
    KINDS,
    RIGHT_POWER,
    WITH_TARGETS,
    WITH_TEACHER,
    Steps,
    assemble,
    merge,
)

ROOT = Path(__file__).parents[1]
TEMPERATURE = 1.7
LOGITS = np.array([[2.0, 0.5, -1.0, 1.2], [-0.3, 1.1, 0.4, 2.2], [0.1, 0.2, 1.9, 3.0]])
OTHER = np.array([[0.4, 0.7, 0.2, 0.9], [0.3, 0.1, 1.2, 0.6], [1.0, 0.8, 0.5, 0.1]])
SEQUENCES = np.stack([LOGITS, LOGITS[::-1] / 2])

SHOWN = [
    pytest.param(entry, kind, form, id=f"{slug}-{kind}-{form}")
    for slug, entry in MISTAKES.items()
    for kind, forms in entry.kinds.items()
    for form in range(len(forms))
]
RIGHT = {
    "softmax": sg.softmax,
    "jacobian": sg.softmax_jacobian,
    "vjp": sg.softmax_vjp,
    "log_softmax_vjp": sg.log_softmax_vjp,
    "loss": sg.cross_entropy,
    "gradient": sg.cross_entropy_gradient,
    "hessian": sg.cross_entropy_hessian,
    "temperature_gradient": sg.cross_entropy_temperature_gradient,
    "distillation_loss": lambda z, v, temperature=1.0, reduction="mean": (
        sg.distillation_loss(
            z,
            v,
            temperature=temperature,
            reduction="batchmean" if reduction == "mean" else reduction,
        )
    ),
    "kl_divergence_gradient": sg.kl_divergence_gradient,
}
ONE_ARGUMENT = ("softmax", "jacobian", "hessian")


def arguments(kind, logits=LOGITS):
    """Return the arguments of a kind, at a T that is not 1."""
    other = np.broadcast_to(OTHER, logits.shape)
    return (logits,) if kind in ONE_ARGUMENT else (logits, other)


def promised(entry, kind):
    """Return the right function of a kind, with the entry's way to combine rows."""
    if not entry.reductions:
        return RIGHT[kind]
    return lambda *given, temperature: RIGHT[kind](
        *given, temperature=temperature, reduction=entry.reductions[0]
    )


def differs(function, kind, right):
    """Tell whether a function is off somewhere: batch, square, sequences, large."""
    calls = [
        (arguments(kind), TEMPERATURE),
        (tuple(each[:, :3] for each in arguments(kind)), TEMPERATURE),
        (arguments(kind, SEQUENCES), TEMPERATURE),
    ]
    spread = np.array([[400.0, 399.0, -380.0, 0.0], [-1500.0, -1499, -1501, -1502]])
    large = [spread] if kind in ONE_ARGUMENT else [spread, OTHER[:2]]
    calls.append((tuple(large), 1.0))
    if kind in WITH_TEACHER:
        calls.append((tuple(large[::-1]), 1.0))
    if kind in WITH_TARGETS:  # a target of zero on a probability of zero
        calls.append(((spread, np.array([[1.0, 0, 0, 0], [1.0, 0, 0, 0]])), 1.0))
    for given, temperature in calls:
        try:
            found = function(*given, temperature)
        except ValueError:  # shapes that do not fit
            return True
        if not np.allclose(found, right(*given, temperature=temperature), rtol=1e-9):
            return True
    return False


def test_slugs_are_anchors_and_differ():
    assert len(MISTAKES) == sum(map(len, THEMES.values())) > 0
    for slug, entry in MISTAKES.items():
        assert slug == entry.slug
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)


@pytest.mark.parametrize("entry", MISTAKES.values(), ids=MISTAKES)
def test_every_entry_is_complete(entry):
    assert entry.title
    assert entry.giveaway.endswith(".")
    assert entry.wrong != entry.right
    assert entry.chapter in CHAPTERS
    assert set(entry.kinds) <= set(KINDS)
    ways = [bool(entry.kinds), entry.demonstration is not None, entry.belief]
    assert sum(ways) == 1
    for latex in (entry.wrong, entry.right):
        assert latex.count("{") == latex.count("}")
        assert "$" not in latex
        assert not re.search(r"[\\{}]", plain(latex)), plain(latex)


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_without_mistakes_are_right(kind):
    for logits in (LOGITS, LOGITS[:, :2], SEQUENCES):
        second = arguments(kind)[1:]
        if logits.shape[-1] == 2:
            second = tuple(each[:, :2] for each in second)
        if logits.ndim == 3:
            second = arguments(kind, SEQUENCES)[1:]
        found = assemble(kind)(logits, *second, TEMPERATURE)
        right = RIGHT[kind](logits, *second, temperature=TEMPERATURE)
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("entry", "kind", "form"), SHOWN)
def test_the_wrong_form_is_wrong(entry, kind, form):
    assert differs(entry.function(kind, form), kind, promised(entry, kind))


# For a batch of shape (3, 4) at moderate logits these are right or raise, though their
# formulas are wrong.
UNSEEN_HERE = ("missing-keepdims", "epsilon-in-log", "batchmean-over-sequences")


@pytest.mark.parametrize(
    ("entry", "kind", "form"),
    [each for each in SHOWN if each.values[0].slug not in UNSEEN_HERE],
)
def test_a_numerical_mistake_has_the_right_formula(entry, kind, form):
    found = entry.function(kind, form)(*arguments(kind), TEMPERATURE)
    right = promised(entry, kind)(*arguments(kind), temperature=TEMPERATURE)
    assert np.allclose(found, right, rtol=1e-9) == entry.numerical


def hand(slug, kind, form=0, *, logits=LOGITS, second=None, temperature=TEMPERATURE):
    """Return what an entry's function gives."""
    given = (logits,) if kind in ONE_ARGUMENT else (logits, second)
    return MISTAKES[slug].function(kind, form)(*given, temperature)


@pytest.mark.parametrize("form", range(3))
def test_the_gradient_through_two_softmaxes_is_the_derivative_of_their_loss(form):
    """Every second form of the gradient goes on with q - t, as for one softmax."""
    entry = MISTAKES["double-softmax"]
    loss, gradient = entry.function("loss", form), entry.function("gradient", 2 * form)
    expected = sg.finite_difference(lambda z: loss(z, OTHER, TEMPERATURE), LOGITS)
    np.testing.assert_allclose(
        gradient(LOGITS, OTHER, TEMPERATURE), expected, rtol=1e-7, atol=1e-10
    )


def test_wrong_forms_by_their_formulas():
    """Formulas written again, with softmax as the only thing taken as given."""
    z, t, T = LOGITS, OTHER, TEMPERATURE  # noqa: N806
    q, q_1, p = (
        sg.softmax(z, temperature=T),
        sg.softmax(z),
        sg.softmax(t, temperature=T),
    )
    rows = len(z)
    h = (q - t) / (q * (1 - q))
    q_g = sg.softmax(t)
    sigma = np.exp(z / T) / (1 + np.exp(z / T))
    shifted = np.column_stack([np.zeros(rows), t[:, :3]])
    expected = {
        ("diagonal-jacobian", "gradient"): -t * (1 - q) / T / rows,
        ("diagonal-jacobian", "vjp"): q * (1 - q) * t / T,
        ("diagonal-jacobian", "log_softmax_vjp"): (1 - q) * t / T,
        ("diagonal-jacobian", "kl_divergence_gradient"): -p * (1 - q) / T / rows,
        ("diagonal-jacobian", "temperature_gradient"): (
            (z * t * (1 - q)).sum() / T**2 / rows
        ),
        ("flipped-sign", "gradient"): (t - q * t.sum(1, keepdims=True)) / T / rows,
        ("vjp-without-dot-product", "vjp"): q * t / T,
        ("log-softmax-vjp-transposed", "log_softmax_vjp"): (
            (t - (q * t).sum(1, keepdims=True)) / T
        ),
        ("bce-over-softmax", "loss"): (
            -(t * np.log(q) + (1 - t) * np.log(1 - q)).sum() / rows
        ),
        ("bce-over-softmax", "gradient"): (
            q * (h - (q * h).sum(1, keepdims=True)) / T / rows
        ),
        ("unnormalised-targets", "gradient"): (q - t) / T / rows,
        ("unnormalised-targets", "loss"): (
            (np.log(np.exp(z / T).sum(1)) - (t * z).sum(1) / T).mean()
        ),
        ("unnormalised-targets", "temperature_gradient"): (
            ((t - q) * z).sum() / T**2 / rows
        ),
        ("gradient-wrt-probabilities", "gradient"): -t / q / rows,
        ("inverse-square-temperature", "kl_divergence_gradient"): (
            (q - p) / T**2 / rows
        ),
        ("missing-temperature", "kl_divergence_gradient"): (q - p) / rows,
        ("multiplied-temperature", "softmax"): sg.softmax(z * T),
        ("doubled-temperature", "softmax"): sg.softmax(z / T**2),
        ("log-probabilities-not-renormalised", "softmax"): q_1 ** (1 / T),
        ("log-probabilities-not-renormalised", "loss"): (
            -(t * np.log(q_1)).sum() / T / rows
        ),
        ("temperature-outside-jacobian", "vjp"): (
            q_1 * (t - (q_1 * t).sum(1, keepdims=True)) / T
        ),
        ("uncentred-limit", "kl_divergence_gradient"): (z - t) / 4 / T**2 / rows,
        ("limit-as-exact", "kl_divergence_gradient"): (
            sg.high_temperature_limit(z, t, temperature=T) / rows
        ),
        ("missing-t-squared", "distillation_loss"): sg.kl_divergence(
            z, t, temperature=T
        ),
        ("reversed-kl", "distillation_loss"): T**2
        * sg.kl_divergence(t, z, temperature=T),
        ("kl-input-not-log", "distillation_loss"): (
            T**2 * (p * (np.log(p) - q)).sum() / rows
        ),
        ("one-sided-temperature", "kl_divergence_gradient"): (
            (q - sg.softmax(t)) / T / rows
        ),
        ("double-softmax", "softmax"): sg.softmax(q),
        ("wrong-axis", "softmax"): sg.softmax(z, temperature=T, axis=0),
        ("whole-batch-sum", "softmax"): np.exp(z / T) / np.exp(z / T).sum(),
        ("mean-over-classes", "loss"): sg.cross_entropy(z, t, temperature=T) / 4,
        ("doubled-batch-mean", "loss"): sg.cross_entropy(z, t, temperature=T) / rows,
        ("missing-batch-mean", "loss"): sg.cross_entropy(
            z, t, temperature=T, reduction="sum"
        ),
        ("pass-through-backward", "vjp"): t,
        ("pass-through-backward", "log_softmax_vjp"): t,
        ("softmax-and-log-softmax-backward", "vjp"): (
            (t - q * t.sum(1, keepdims=True)) / T
        ),
        ("softmax-and-log-softmax-backward", "log_softmax_vjp"): (
            q * (t - (q * t).sum(1, keepdims=True)) / T
        ),
        ("sigmoid-for-softmax", "softmax"): 1 / (1 + np.exp(-z / T)),
        ("sigmoid-for-softmax", "loss"): (
            -(t * np.log(sigma) + (1 - t) * np.log(1 - sigma)).sum() / rows
        ),
        ("sigmoid-for-softmax", "gradient"): (sigma - t) / T / rows,
        ("jacobian-of-the-input", "vjp"): (z * (t - (z * t).sum(1, keepdims=True)) / T),
        ("jacobian-of-the-input", "log_softmax_vjp"): (
            (t - z * t.sum(1, keepdims=True)) / T
        ),
        ("jacobian-of-another-array", "vjp"): (
            q_g * (t - (q_g * t).sum(1, keepdims=True)) / T
        ),
        ("jacobian-of-another-array", "log_softmax_vjp"): (
            (t - np.log(q) * t.sum(1, keepdims=True)) / T
        ),
        ("upstream-gradient-ignored", "vjp"): q * (1 - q) / T,
        ("upstream-gradient-ignored", "log_softmax_vjp"): (1 - 4 * q) / T,
        ("first-upstream-gradient", "vjp"): (
            q * (t[0] - (q * t[0]).sum(1, keepdims=True)) / T
        ),
        ("first-upstream-gradient", "log_softmax_vjp"): (t[0] - q * t[0].sum()) / T,
        ("zero-gradient", "gradient"): np.zeros((3, 4)),
        ("labels-off-by-one", "loss"): (-(t[:, :3] * np.log(q[:, 1:])).sum() / rows),
        ("labels-off-by-one", "gradient"): (
            (q * t.sum(1, keepdims=True) - shifted) / T / rows
        ),
        ("labels-from-one", "loss"): (-(t[:, [1, 2, 3, 0]] * np.log(q)).sum() / rows),
        ("wrong-smoothing-mass", "loss"): (
            -((0.99 * t + 0.01 / 3 * t.sum(1, keepdims=True)) * np.log(q)).sum() / rows
        ),
        ("missing-log", "loss"): -(t * q).sum() / rows,
        ("missing-log", "gradient"): (
            -q * (t - (q * t).sum(1, keepdims=True)) / T / rows
        ),
        ("missing-log-softmax", "loss"): -(t * z).sum() / T / rows,
        ("missing-exponential", "softmax"): z / z.sum(1, keepdims=True),
        ("raw-normaliser", "softmax"): np.exp(z / T) / (z / T).sum(1, keepdims=True),
        ("missing-normaliser", "softmax"): np.exp(z / T),
        ("missing-normaliser", "vjp"): np.exp(z / T) * t / T,
        ("missing-normaliser", "gradient"): (
            (np.exp(z / T) * t.sum(1, keepdims=True) - t) / T / rows
        ),
        ("divided-sum", "loss"): sg.cross_entropy(z, t, temperature=T),
        ("divided-sum", "gradient"): sg.cross_entropy_gradient(z, t, temperature=T),
    }
    for (slug, kind), right in expected.items():
        np.testing.assert_allclose(
            hand(slug, kind, second=OTHER), right, rtol=1e-11, err_msg=f"{slug} {kind}"
        )


@pytest.mark.parametrize(
    ("slug", "loss", "gradient", "form"),
    [
        ("bce-over-softmax", 0, 0, 0),
        ("sigmoid-for-softmax", 0, 0, 0),
        ("double-softmax", 0, 0, 0),
        ("double-softmax", 1, 2, 0),
        ("double-softmax", 2, 4, 0),
        ("epsilon-in-log", 0, 0, 0),
        ("epsilon-in-log", 1, 1, 0),
        ("log-probabilities-not-renormalised", 0, 0, 0),
        ("multiplied-temperature", 0, 1, 0),
        ("doubled-temperature", 0, 1, 0),
    ],
)
def test_a_wrong_gradient_can_be_the_right_one_of_a_wrong_loss(
    slug, loss, gradient, form
):
    """The gradients named so are derivatives: central differences agree."""
    wrong = MISTAKES[slug].function("loss", loss)
    np.testing.assert_allclose(
        MISTAKES[slug].function("gradient", gradient)(LOGITS, OTHER, TEMPERATURE),
        sg.finite_difference(lambda z: wrong(z, OTHER, TEMPERATURE), LOGITS),
        atol=1e-8,
    )


@pytest.mark.parametrize("slug", ["kl-input-not-log", "reversed-kl"])
def test_a_wrong_distillation_gradient_is_that_of_its_loss(slug):
    wrong = MISTAKES[slug].function("distillation_loss")
    moved = sg.finite_difference(lambda z: wrong(z, OTHER, TEMPERATURE), LOGITS)
    found = MISTAKES[slug].function("kl_divergence_gradient")(
        LOGITS, OTHER, TEMPERATURE
    )
    np.testing.assert_allclose(found, moved / TEMPERATURE**2, atol=1e-8)


@pytest.mark.parametrize("slug", ["multiplied-temperature", "doubled-temperature"])
@pytest.mark.parametrize("kind", ["temperature_gradient", "hessian", "jacobian", "vjp"])
def test_a_scaled_temperature_is_differentiated(slug, kind):
    """Each second form is the derivative of the first kind's wrong function."""
    row, target = LOGITS[0], np.array([0.1, 0.2, 0.3, 0.4])
    entry = MISTAKES[slug]

    def loss(logits, temperature):
        return entry.function("loss")(logits, target, temperature)

    def probs(logits):
        return entry.function("softmax")(logits, TEMPERATURE)

    if kind == "temperature_gradient":
        moved = sg.finite_difference(lambda T: loss(row, T), TEMPERATURE)
        found = entry.function(kind, 1)(row, target, TEMPERATURE)
    elif kind == "hessian":
        gradient = entry.function("gradient", 1)
        moved = sg.finite_difference(lambda z: gradient(z, target, TEMPERATURE), row)
        found = entry.function(kind, 1)(row, TEMPERATURE)
    elif kind == "jacobian":
        moved = sg.finite_difference(probs, row)
        found = entry.function(kind, 1)(row, TEMPERATURE)
    else:
        moved = target @ sg.finite_difference(probs, row)
        found = entry.function(kind, 1)(row, target, TEMPERATURE)
    np.testing.assert_allclose(found, moved, atol=1e-8)


def test_the_off_diagonal_sign_is_the_same_in_jacobian_product_and_gradient():
    row, target = LOGITS[0], OTHER[0]
    entry = MISTAKES["flipped-sign"]
    jacobian = entry.function("jacobian", 1)(row, TEMPERATURE)
    q = sg.softmax(row, temperature=TEMPERATURE)
    right = -np.outer(q, q) / TEMPERATURE
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(jacobian[off], -right[off])
    for kind, second, cotangent in (
        ("vjp", OTHER[1], OTHER[1]),
        ("gradient", target, -target / q),
    ):
        found = entry.function(kind, 1)(row, second, TEMPERATURE)
        np.testing.assert_allclose(found, jacobian.T @ cotangent)


def test_a_mistake_does_not_show_in_every_kind():
    entry = MISTAKES["diagonal-hessian"]
    with pytest.raises(ValueError, match="shows \\(hessian\\), got 'loss'"):
        entry.function("loss")


def test_mistakes_in_the_same_step_cannot_be_made_together():
    with pytest.raises(ValueError, match="both replace power"):
        merge(Steps(power=0), Steps(power=-2))
    assert merge(Steps(power=0), Steps(sign=-1.0)).replaced == {"power", "sign"}


def test_the_powers_of_the_temperature_cover_every_kind():
    assert set(RIGHT_POWER) == set(KINDS) == set(RIGHT)


def shown(slug):
    entry = MISTAKES[slug]
    return (entry.counterexample or entry.demonstration)()


def test_t_squared_on_both_losses_changes_no_ratio():
    without, both, soft = shown("t-squared-on-hard-loss").values()
    assert both == pytest.approx(without)
    assert soft == pytest.approx(16 * without)


def test_a_teacher_that_is_not_detached_has_a_gradient():
    student, teacher = shown("teacher-not-detached").values()
    z, v = np.array([2.0, 0.5, -1.0]), np.array([1.0, 2.5, -2.0])
    p, q = sg.softmax(v, temperature=2.0), sg.softmax(z, temperature=2.0)
    ratio = np.log(p / q)
    np.testing.assert_allclose(teacher, p * (ratio - p @ ratio) / 2, atol=1e-9)
    np.testing.assert_allclose(student, (q - p) / 2)
    assert np.abs(teacher).min() > 0.01


def test_one_weighted_row_does_not_feel_its_weight():
    by_rows, by_weights, heavy, light = shown("weighted-mean").values()
    assert heavy == light
    assert by_rows == pytest.approx(2 * by_weights)


def test_the_conventions_of_label_smoothing():
    uniform, whole, mixed, others, larger = shown("label-smoothing-convention").values()
    assert (uniform, whole, mixed) == pytest.approx((1.0, 2 - 0.2, 1 + 0.2 - 0.05))
    np.testing.assert_allclose(others, larger)


def test_aliased_probabilities_sum_to_zero_afterwards():
    before, after = shown("aliased-probabilities").values()
    assert before == pytest.approx(1)
    assert after == pytest.approx(0, abs=1e-15)


def test_float32_differences_get_worse_as_the_step_shrinks():
    *single, double = shown("float32-finite-difference").values()
    assert single == sorted(single)
    assert single[-1] > 0.1
    assert double < 1e-9


def test_split_classes_by_hand():
    """q = [0.1, 0.2, 0.3, 0.4] in two parts of two classes, y = 1."""
    gradient = [0.1, -0.8, 0.3, 0.4]
    once, twice = shown("times-the-parts").values()
    np.testing.assert_allclose(once, gradient)
    np.testing.assert_allclose(twice, [0.2, -1.6, 0.6, 0.8])
    right, first, second, whole, by_part = shown("local-vocabulary").values()
    assert right == pytest.approx(0.8 * np.log(5) - 0.05 * np.log(0.0024))
    assert first == pytest.approx(0.8 * np.log(5) - 0.1 * np.log(0.02))
    assert second == pytest.approx(0.8 * np.log(5) - 0.1 * np.log(0.12))
    np.testing.assert_allclose(whole, [0.05, -0.65, 0.25, 0.35])
    np.testing.assert_allclose(by_part, [0, -0.7, 0.2, 0.3], atol=1e-15)
    loss, larger, difference, total = shown("gathered-logits").values()
    assert (loss, larger, total) == pytest.approx((np.log(5), np.log(10), 0.5))
    assert larger - loss == pytest.approx(difference)
    found, kept, sums = shown("no-gradient-without-the-target").values()
    np.testing.assert_allclose(found, gradient)
    np.testing.assert_allclose(kept, [0.1, -0.8, 0, 0])
    assert sums == pytest.approx((0, -0.7))


def test_row_weights_after_the_sum_by_hand():
    """g = [0.1, -0.8, 0.3, 0.4] and [-0.6, 0.3, 0.2, 0.1], x = 1 and 2, v = 1 and 3."""
    inside, after = shown("row-weights-after-the-sum").values()
    np.testing.assert_allclose(inside, [-3.5, 1.0, 1.5, 1.0])
    np.testing.assert_allclose(after, [-1.1, -0.2, 0.7, 0.6])


def test_a_lost_axis_in_the_backward_pass():
    """Laid along the classes, row i's product is subtracted in column i."""
    z, g = LOGITS[:, :3], OTHER[:, :3]
    q = sg.softmax(z, temperature=TEMPERATURE)
    products, sums = (q * g).sum(1), g.sum(1)
    entry = MISTAKES["missing-keepdims"]
    for kind, expected in (
        (
            "vjp",
            [[q[n, i] * (g[n, i] - products[i]) for i in range(3)] for n in range(3)],
        ),
        (
            "log_softmax_vjp",
            [[g[n, i] - q[n, i] * sums[i] for i in range(3)] for n in range(3)],
        ),
    ):
        form = len(entry.kinds[kind]) - 1
        found = entry.function(kind, form)(z, g, TEMPERATURE)
        np.testing.assert_allclose(found, np.array(expected) / TEMPERATURE)
        with pytest.raises(ValueError, match="broadcast"):
            entry.function(kind, form)(LOGITS, OTHER, TEMPERATURE)


def test_softmax_in_the_jacobian_can_be_one_too_many():
    once = sg.softmax(LOGITS, temperature=TEMPERATURE)
    twice = sg.softmax(once)
    found = MISTAKES["double-softmax"].function("vjp")(LOGITS, OTHER, TEMPERATURE)
    right = twice * (OTHER - (twice * OTHER).sum(1, keepdims=True)) / TEMPERATURE
    np.testing.assert_allclose(found, right)


def test_a_label_is_read_as_its_neighbour():
    z, q = LOGITS, sg.softmax(LOGITS)
    labels = np.array([1, 2, 0])
    after = MISTAKES["labels-off-by-one"]
    before = MISTAKES["labels-from-one"]
    rows = np.arange(3)
    np.testing.assert_allclose(
        after.function("loss")(z, labels), -np.log(q[rows, labels + 1]).mean()
    )
    np.testing.assert_allclose(
        before.function("loss")(z, labels), -np.log(q[rows, labels - 1]).mean()
    )
    # The one-hot row of a label that is too large is empty: q itself is left.
    found = after.function("gradient")(z, np.array([3, 0, 0]))
    np.testing.assert_allclose(found[0], q[0] / 3)


@pytest.mark.parametrize("slug", ["labels-off-by-one", "labels-from-one"])
def test_the_other_ways_to_write_a_neighbour(slug):
    """Each form by its targets; q sum(t') - t', or q sum(t) - t'."""
    step = 1 if slug == "labels-off-by-one" else -1
    q = sg.softmax(LOGITS, temperature=TEMPERATURE)
    turned = OTHER[:, [3, 0, 1, 2]] if step == 1 else OTHER[:, [1, 2, 3, 0]]
    cut = turned.copy()
    cut[:, 0 if step == 1 else 3] = 0
    by_form = {
        "loss": [-(t * np.log(q)).sum() for t in (cut, turned)],
        "gradient": [
            (q * OTHER.sum(1, keepdims=True) - cut) / TEMPERATURE,
            (q * cut.sum(1, keepdims=True) - cut) / TEMPERATURE,
            (q * turned.sum(1, keepdims=True) - turned) / TEMPERATURE,
        ],
    }
    for kind, expected in by_form.items():
        forms = range(len(MISTAKES[slug].kinds[kind]))
        found = [hand(slug, kind, form, second=OTHER) for form in forms]
        for right in expected:
            assert any(np.allclose(right / 3, each) for each in found)


def test_smoothed_targets_with_the_wrong_mass_do_not_sum_to_one():
    """At C = 4 and epsilon = 0.2: 1 + 0.2/3, and 2 (1 - 0.2)."""
    entry = MISTAKES["wrong-smoothing-mass"]
    label = np.array([[0.0, 1.0, 0.0, 0.0]])
    q = sg.softmax(LOGITS[:1])
    others = 0.8 * label + 0.2 / 3
    rest = 0.8 * label + 0.8 / 4
    assert (others.sum(), rest.sum()) == pytest.approx((1 + 0.2 / 3, 1.6))
    for targets, words in ((others, "epsilon/(C - 1)"), (rest, "(1 - epsilon)/C")):
        form = entry.forms["loss"].index(
            f"epsilon = 0.2, and {words} added to every class"
        )
        np.testing.assert_allclose(
            entry.function("loss", form)(LOGITS[:1], label),
            -(targets * np.log(q)).sum(),
        )
        exact, careless = (
            entry.function("gradient", 2 * form + more)(LOGITS[:1], label)
            for more in (0, 1)
        )
        np.testing.assert_allclose(exact, q * targets.sum() - targets)
        np.testing.assert_allclose(careless, q - targets)


@pytest.mark.parametrize("slug", ["missing-exponential", "raw-normaliser"])
def test_the_shifted_forms_of_a_lost_exponential(slug):
    z = LOGITS - LOGITS.max(1, keepdims=True)
    above = z if slug == "missing-exponential" else np.exp(z)
    np.testing.assert_allclose(
        MISTAKES[slug].function("softmax", 1)(LOGITS),
        above / z.sum(1, keepdims=True),
    )


def test_the_other_mixtures_of_two_backward_passes():
    q, log_q = (
        f(LOGITS, temperature=TEMPERATURE) for f in (sg.softmax, sg.log_softmax)
    )
    total, mean = OTHER.sum(1, keepdims=True), (log_q * OTHER).sum(1, keepdims=True)
    slug = "softmax-and-log-softmax-backward"
    for kind, form, core in [
        ("vjp", 1, q * (OTHER - total)),
        ("log_softmax_vjp", 1, OTHER - mean),
        ("log_softmax_vjp", 2, OTHER + q),
        ("log_softmax_vjp", 3, OTHER - q),
    ]:
        found = hand(slug, kind, form, second=OTHER)
        np.testing.assert_allclose(found, core / TEMPERATURE, rtol=1e-12)
    # After -log q_y the sum of the incoming gradient is -1, and g + q is q - e_y.
    incoming = -np.eye(4)[[2, 0, 1]]
    found = hand(slug, "log_softmax_vjp", 2, second=incoming)
    right = sg.log_softmax_vjp(LOGITS, incoming, temperature=TEMPERATURE)
    np.testing.assert_allclose(found, right, rtol=1e-12)


def test_the_loss_of_sigmoids_without_its_other_half():
    sigma = 1 / (1 + np.exp(-LOGITS / TEMPERATURE))
    found = hand("sigmoid-for-softmax", "loss", 1, second=OTHER)
    expected = -(OTHER * np.log(sigma)).sum() / len(LOGITS)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_unchanged_gradient_may_be_divided_by_the_temperature():
    for kind in ("vjp", "log_softmax_vjp"):
        found = hand("pass-through-backward", kind, 1, second=OTHER)
        np.testing.assert_allclose(found, OTHER / TEMPERATURE, rtol=1e-15)


def test_the_mean_of_means_weights_rows_by_their_part():
    shown = MISTAKES["mean-of-means"].demonstration()
    right, wrong, mended = (
        shown[name]
        for name in (
            "mean of five rows",
            "mean of the parts' means",
            "means weighted by 1/5 and 4/5",
        )
    )
    assert mended == pytest.approx(right, rel=1e-14)
    assert abs(wrong - right) > 0.1


def test_weights_on_the_entries_are_no_gradient():
    shown = MISTAKES["class-weights-on-entries"].demonstration()
    right = shown["w_y (q - e_y)"]
    assert right.sum() == pytest.approx(0, abs=1e-15)
    assert abs(shown["sum of its entries"]) > 0.1
    one = shown["derivative of entry 0 by logit 1"]
    other = shown["derivative of entry 1 by logit 0"]
    assert other == pytest.approx(3 * one)  # a Hessian would be symmetric


def test_the_other_forms_of_wrong_arrays():
    q_g = sg.softmax(OTHER)
    q = sg.softmax(LOGITS, temperature=TEMPERATURE)
    np.testing.assert_allclose(
        hand("jacobian-of-another-array", "log_softmax_vjp", 1, second=OTHER),
        (OTHER - q_g * OTHER.sum(1, keepdims=True)) / TEMPERATURE,
    )
    np.testing.assert_allclose(
        hand("upstream-gradient-ignored", "log_softmax_vjp", 1, second=OTHER),
        (1 - q) / TEMPERATURE,
    )
    np.testing.assert_allclose(
        hand("missing-log-softmax", "loss", 1, second=OTHER),
        -(OTHER * LOGITS).sum() / 3,
    )
    matrices = hand("jacobian-of-the-input", "jacobian")
    for matrix, z in zip(matrices, LOGITS, strict=True):
        np.testing.assert_allclose(matrix, (np.diag(z) - np.outer(z, z)) / TEMPERATURE)


def test_a_missing_logarithm_is_differentiated():
    wrong = MISTAKES["missing-log"].function("loss")
    np.testing.assert_allclose(
        hand("missing-log", "gradient", second=OTHER),
        sg.finite_difference(lambda z: wrong(z, OTHER, TEMPERATURE), LOGITS),
        atol=1e-8,
    )


def test_weights_on_the_logits_are_no_weights():
    weighted, scaled = shown("class-weights-on-logits").values()
    w, q = np.array([1.0, 3.0, 2.0]), sg.softmax([2.0, 1.5, -2.0])
    np.testing.assert_allclose(scaled, w * (q - [0, 1, 0]), atol=1e-8)
    np.testing.assert_allclose(
        weighted, 3 * (sg.softmax([2.0, 0.5, -1.0]) - [0, 1, 0]), atol=1e-8
    )
    assert weighted.sum() == pytest.approx(0, abs=1e-8)
    assert abs(scaled.sum()) > 0.01


def test_an_ignored_row_has_no_gradient():
    right, wrong = shown("ignored-rows-keep-a-gradient").values()
    assert not right.any()
    np.testing.assert_allclose(wrong, sg.softmax([1.0, 2.5, -2.0]) - [1, 0, 0])


def test_an_ignored_row_does_not_count():
    counted, kept, alone = shown("ignored-rows-in-the-mean").values()
    assert kept == pytest.approx(alone)
    assert counted == pytest.approx(2 / 3 * kept)


def test_the_weight_of_the_focal_loss_is_differentiated():
    measured, whole, constant, label_only = shown(
        "focal-loss-without-cross-terms"
    ).values()
    np.testing.assert_allclose(whole, measured, atol=1e-8)
    assert np.linalg.norm(constant) < 0.7 * np.linalg.norm(whole)
    assert constant.sum() == pytest.approx(0, abs=1e-12)
    assert abs(label_only.sum()) > 0.1
    assert label_only[1] == pytest.approx(whole[1])


def test_a_stored_copy_has_no_derivative():
    right, cut = shown("graph-cut").values()
    np.testing.assert_allclose(
        right, sg.softmax([2.0, 0.5, -1.0]) - [0, 1, 0], atol=1e-8
    )
    assert not cut.any()


def test_t_squared_does_not_free_the_gradient_of_t():
    cold, warm, hot = shown("temperature-independent-gradient").values()
    difference = sg.high_temperature_limit([2.0, 0.5, -1.0], [1.0, 2.5, -2.0])
    limit = float(np.linalg.norm(difference))
    errors = [abs(norm / limit - 1) for norm in (cold, warm, hot)]
    assert errors[2] < 0.03
    assert min(errors[:2]) > 0.05


def test_kl_and_cross_entropy_differ_by_a_constant():
    one, other, gradient, same = shown("kl-differs-from-cross-entropy").values()
    assert one == pytest.approx(other)
    np.testing.assert_allclose(gradient, same, atol=1e-15)


def test_the_shift_has_no_derivative():
    values = list(shown("derivative-through-the-maximum").values())
    assert values == pytest.approx([values[0]] * 3)


def test_softmax_sees_a_factor_and_log_sum_exp_a_shift():
    probs, shifted, scaled, difference = shown("softmax-ignores-scale").values()
    np.testing.assert_allclose(probs, shifted)
    assert np.abs(probs - scaled).max() > 0.1
    assert difference == pytest.approx(3)


def test_double_softmax_has_a_floor():
    """-log of the largest entry of a second softmax, log(e + C - 1) - 1."""
    for classes, floor in ((2, 0.313), (10, 1.461), (1000, 5.91)):
        sure = 100 * np.eye(classes)[:1]
        loss = MISTAKES["double-softmax"].function("loss")(sure, np.array([0]))
        assert float(loss) == pytest.approx(np.log(np.e + classes - 1) - 1)
        assert float(loss) == pytest.approx(floor, abs=5e-3)


def test_twice_the_diagonal_bounds_the_hessian():
    upper = MISTAKES["diagonal-hessian"].function("hessian", 3)(LOGITS, TEMPERATURE)
    right = sg.cross_entropy_hessian(LOGITS, temperature=TEMPERATURE)
    assert np.linalg.eigvalsh(upper - right).min() > -1e-15


def test_log_softmax_twice_is_harmless():
    once = sg.log_softmax(LOGITS)
    np.testing.assert_allclose(sg.log_softmax(once), once)
