"""The symbolic proofs hold, and the normal form behind them cannot hide a mistake."""

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import KroneckerDelta, Sum

import softmax_gradients as sg
from softmax_gradients import symbolic
from softmax_gradients.symbolic import (
    BIAS,
    CLASSES,
    COLUMN,
    FEATURE,
    FEATURES,
    INPUTS,
    LABEL,
    LOGITS,
    ROW,
    TARGETS,
    TEACHER_LOGITS,
    TEMPERATURE,
    WEIGHTS,
    normal_form,
    softmax,
)

j, m, n = sympy.symbols("j m n", integer=True)
T = TEMPERATURE
delta = KroneckerDelta(ROW, COLUMN)


def over_classes(summand):
    return Sum(summand, (j, 0, CLASSES - 1))


# Unequal logits, T != 1, targets that are soft and (the last two) do not sum to one.
POINTS = [
    {
        "z": np.array([2.0, 0.5, -1.0, 1.2]),
        "v": np.array([1.0, 2.5, -0.5, 0.0]),
        "t": np.array([0.1, 0.2, 0.3, 0.4]),
        "T": 2.0,
    },
    {
        "z": np.array([0.3, -1.1]),
        "v": np.array([-0.7, 0.4]),
        "t": np.array([0.9, 0.6]),
        "T": 0.7,
    },
    {
        "z": np.array([0.4, -2.0, 1.5, 0.1, 3.0]),
        "v": np.array([-1.0, 0.2, 0.0, 2.0, 1.0]),
        "t": np.array([0.0, 0.5, 1.0, 0.25, 0.0]),
        "T": 3.5,
    },
]


def compiled(expression):
    names = [CLASSES, T, LOGITS, TEACHER_LOGITS, TARGETS, ROW, COLUMN, LABEL]
    return sympy.lambdify(names, expression)


def known(point, row=0, column=0, label=0):
    arrays = (point["z"], point["v"], point["t"])
    return (point["z"].size, point["T"], *arrays, row, column, label)


def evaluate(expression, point, **indices):
    return compiled(expression)(*known(point, **indices))


def table(expression, point, *indices):
    """Evaluate at every value of the free indices, in their order."""
    function = compiled(expression)
    shape = (point["z"].size,) * len(indices)
    values = [
        function(*known(point, **dict(zip(indices, place, strict=True))))
        for place in np.ndindex(shape)
    ]
    return np.reshape(values, shape)


def both(proof, point, *indices):
    return [table(side, point, *indices) for side in (proof.derived, proof.claimed)]


# --- the normal form -----------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (over_classes(1), CLASSES),
        (over_classes(LOGITS[j] * KroneckerDelta(j, COLUMN)), LOGITS[COLUMN]),
        (over_classes(KroneckerDelta(j, ROW) * KroneckerDelta(j, COLUMN)), delta),
        (over_classes(LOGITS[ROW]), CLASSES * LOGITS[ROW]),
        (delta * LOGITS[COLUMN], delta * LOGITS[ROW]),
        (over_classes(softmax(j)), sympy.S.One),
    ],
)
def test_normal_form_by_hand(expression, expected):
    assert normal_form(expression) == expected


def test_bound_indices_may_be_renamed():
    renamed = Sum(LOGITS[n], (n, 0, CLASSES - 1))
    assert normal_form(over_classes(LOGITS[j]) - renamed) == 0


def test_free_indices_may_not_be_renamed():
    assert normal_form(LOGITS[ROW] - LOGITS[COLUMN]) != 0
    assert normal_form(softmax(ROW) - softmax(COLUMN)) != 0


@pytest.mark.parametrize(
    "index", [sympy.Integer(7), COLUMN + 1, COLUMN - CLASSES], ids=str
)
def test_delta_of_an_index_that_may_be_out_of_range_does_not_collapse(index):
    # For C = 4 and these indices the delta is zero in every term.
    result = normal_form(over_classes(LOGITS[j] * KroneckerDelta(j, index)))
    assert result.has(Sum)
    assert evaluate(result, POINTS[0], column=3) == 0


def test_delta_of_a_shifted_index_is_left_alone():
    expression = KroneckerDelta(ROW, COLUMN + 1) * (LOGITS[ROW] + LOGITS[COLUMN])
    for point in POINTS:
        np.testing.assert_allclose(
            table(normal_form(expression), point, "row", "column"),
            table(expression, point, "row", "column"),
            rtol=1e-13,
        )


FACTORS = [
    LOGITS[j],
    TARGETS[j],
    LOGITS[ROW],
    TARGETS[COLUMN],
    KroneckerDelta(j, ROW),
    KroneckerDelta(j, COLUMN),
    KroneckerDelta(j, 0),
    delta,
    softmax(j),
    softmax(COLUMN),
    over_classes(TARGETS[j]),
    Sum(LOGITS[n] * KroneckerDelta(n, j), (n, 0, CLASSES - 1)),
    Sum(sympy.exp(LOGITS[n] * TARGETS[j]), (n, 0, CLASSES - 1)),
    1 + LOGITS[j],
    sympy.Integer(-2),
]


def test_nested_sums_keep_their_bound_indices_apart():
    inner = Sum(sympy.exp(LOGITS[n] * TARGETS[j]), (n, 0, CLASSES - 1))
    middle = over_classes(inner) * LOGITS[ROW]
    outer = Sum(over_classes(inner) * LOGITS[n], (n, 0, CLASSES - 1))
    # SymPy writes these three sums as one with three limits.
    triple = Sum(over_classes(inner.subs(TARGETS[j], LOGITS[j] * LOGITS[m])), (m, 0, 2))
    for expression in (middle, outer, triple):
        before, after = (
            table(side, POINTS[0], "row")
            for side in (expression, normal_form(expression))
        )
        np.testing.assert_allclose(after, before, rtol=1e-12)


@given(
    outside=st.sampled_from([LOGITS[ROW], delta, softmax(COLUMN)]),
    terms=st.lists(
        st.lists(st.sampled_from(FACTORS), min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=40, deadline=None)
def test_normal_form_changes_no_value(outside, terms):
    expression = outside * over_classes(sum(sympy.prod(term) for term in terms))
    before, after = (
        table(side, POINTS[1], "row", "column")
        for side in (expression, normal_form(expression))
    )
    np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-10)


# --- the proofs ----------------------------------------------------------------

PROOFS = {
    name: getattr(symbolic, name)()
    for name in (
        "softmax_jacobian",
        "log_softmax_jacobian",
        "cross_entropy_gradient",
        "hard_cross_entropy_gradient",
        "cross_entropy_hessian",
        "weights_gradient",
        "bias_gradient",
        "temperature_gradient",
        "teacher_temperature_gradient",
        "kl_temperature_gradient",
        "high_temperature_series",
        "high_temperature_gradient",
        "softmax_vjp",
        "log_softmax_vjp",
        "smoothed_cross_entropy_gradient",
        "weighted_cross_entropy_gradient",
        "focal_loss_gradient",
        "z_loss_gradient",
        "soft_capped_gradient",
        "contrastive_temperature_gradient",
        "reinforce_gradient",
        "attention_gradient",
        "binary_cross_entropy_gradient",
        "reverse_kl_gradient",
    )
}


@pytest.mark.parametrize("name", PROOFS)
def test_proof_for_any_number_of_classes(name):
    proof = PROOFS[name]
    assert proof.derived.has(CLASSES)
    assert proof.derived != proof.claimed
    assert proof.difference == 0


@pytest.mark.parametrize("order", [0, 1, 2])
def test_series_of_each_order(order):
    assert symbolic.high_temperature_series(order).difference == 0


def test_first_order_gradient_is_the_limit():
    assert symbolic.high_temperature_gradient(1).difference == 0


q_i, q_k, q_y = softmax(ROW), softmax(COLUMN), softmax(LABEL)
target_sum = over_classes(TARGETS[j])
student_mean = over_classes(softmax(j) * LOGITS[j])
target_mean = over_classes(TARGETS[j] * LOGITS[j])
linear = PROOFS["weights_gradient"].claimed
HARD_DELTA = KroneckerDelta(COLUMN, LABEL)
epsilon = symbolic.SMOOTHING
weighted_mean = over_classes(softmax(j) * symbolic.COTANGENT[j])
slope_of_cap = 1 - sympy.tanh(symbolic.RAW_LOGITS[COLUMN] / symbolic.CAP) ** 2


def over_features(values):
    return Sum(symbolic.OUTPUT_COTANGENT[m] * values, (m, 0, FEATURES - 1))


WRONG = {
    "diagonal only": ("softmax_jacobian", delta * q_i * (1 - q_i) / T),
    "no diagonal term": ("softmax_jacobian", -q_i * q_k / T),
    "off-diagonal sign": ("softmax_jacobian", q_i * (delta + q_k) / T),
    "diagonal where i = k, else 0 and s(1 - s)": ("softmax_jacobian", q_i * (1 - q_i)),
    "Jacobian over T squared": ("softmax_jacobian", q_i * (delta - q_k) / T**2),
    "Jacobian without T": ("softmax_jacobian", q_i * (delta - q_k)),
    "log-softmax transposed": ("log_softmax_jacobian", (delta - q_i) / T),
    "log-softmax sign": ("log_softmax_jacobian", (delta + q_k) / T),
    "sign of the gradient": (
        "cross_entropy_gradient",
        (TARGETS[COLUMN] - q_k * target_sum) / T,
    ),
    "sum of targets dropped": ("cross_entropy_gradient", (q_k - TARGETS[COLUMN]) / T),
    "gradient over T squared": (
        "cross_entropy_gradient",
        (q_k * target_sum - TARGETS[COLUMN]) / T**2,
    ),
    "gradient of the diagonal": (
        "cross_entropy_gradient",
        -TARGETS[COLUMN] * (1 - q_k) / T,
    ),
    "label entry only": ("hard_cross_entropy_gradient", (q_k - 1) / T),
    "label entry missing": ("hard_cross_entropy_gradient", q_k / T),
    "q_y for every k": ("hard_cross_entropy_gradient", (q_y - HARD_DELTA) / T),
    "Hessian over T": ("cross_entropy_hessian", q_i * (delta - q_k) * target_sum / T),
    "diagonal Hessian": (
        "cross_entropy_hessian",
        delta * q_i * (1 - q_i) * target_sum / T**2,
    ),
    "Hessian for sum one": ("cross_entropy_hessian", q_i * (delta - q_k) / T**2),
    "input of the wrong feature": (
        "weights_gradient",
        linear.subs(INPUTS[FEATURE], INPUTS[COLUMN]),
    ),
    "weights without the input": ("weights_gradient", linear / INPUTS[FEATURE]),
    "bias with an input": ("bias_gradient", linear),
    "sign of dL/dT": (
        "temperature_gradient",
        (target_sum * student_mean - target_mean) / T**2,
    ),
    "dL/dT for sum one": ("temperature_gradient", (target_mean - student_mean) / T**2),
    "dL/dT over T": (
        "temperature_gradient",
        (target_mean - target_sum * student_mean) / T,
    ),
    "teacher's temperature forgotten": (
        "teacher_temperature_gradient",
        over_classes((softmax(j, TEACHER_LOGITS) - softmax(j)) * LOGITS[j]) / T**2,
    ),
    "variance forgotten": (
        "kl_temperature_gradient",
        PROOFS["teacher_temperature_gradient"].claimed,
    ),
    "cross-entropy with the variance": (
        "teacher_temperature_gradient",
        PROOFS["kl_temperature_gradient"].claimed,
    ),
    "uncentred logits": ("high_temperature_series", (1 + LOGITS[ROW] / T) / CLASSES),
    "first order for second": (
        "high_temperature_series",
        symbolic.high_temperature_series(1).claimed,
    ),
    "limit for second order": (
        "high_temperature_gradient",
        symbolic.high_temperature_gradient(1).claimed,
    ),
    "no minus in the pullback": (
        "softmax_vjp",
        q_k * (symbolic.COTANGENT[COLUMN] + weighted_mean) / T,
    ),
    "diagonal of the pullback": ("softmax_vjp", q_k * symbolic.COTANGENT[COLUMN] / T),
    "sum of the cotangent lost": ("log_softmax_vjp", symbolic.COTANGENT[COLUMN] / T),
    "softmax's pullback for log-softmax's": (
        "log_softmax_vjp",
        PROOFS["softmax_vjp"].claimed,
    ),
    "smoothing over C - 1": (
        "smoothed_cross_entropy_gradient",
        (q_k - (1 - epsilon) * HARD_DELTA - epsilon / (CLASSES - 1)) / T,
    ),
    "label without its share": (
        "smoothed_cross_entropy_gradient",
        (q_k - (1 - epsilon) * HARD_DELTA - epsilon / CLASSES * (1 - HARD_DELTA)) / T,
    ),
    "weights outside": (
        "weighted_cross_entropy_gradient",
        symbolic.CLASS_WEIGHTS[COLUMN] * (q_k * target_sum - TARGETS[COLUMN]) / T,
    ),
    "focal without the cross term": (
        "focal_loss_gradient",
        (1 - q_y) ** symbolic.FOCUSING * (q_k - HARD_DELTA) / T,
    ),
    "focal with the class's own factor": (
        "focal_loss_gradient",
        PROOFS["focal_loss_gradient"].claimed.subs(LABEL, COLUMN),
    ),
    "z-loss without the logarithm": ("z_loss_gradient", 2 * symbolic.PENALTY * q_k / T),
    "z-loss without the two": (
        "z_loss_gradient",
        PROOFS["z_loss_gradient"].claimed / 2,
    ),
    "cap without its slope": (
        "soft_capped_gradient",
        PROOFS["soft_capped_gradient"].claimed / slope_of_cap,
    ),
    "slope at the label": (
        "soft_capped_gradient",
        PROOFS["soft_capped_gradient"].claimed
        * slope_of_cap.subs(COLUMN, LABEL)
        / slope_of_cap,
    ),
    "sign of dL/dtau": (
        "contrastive_temperature_gradient",
        -PROOFS["contrastive_temperature_gradient"].claimed,
    ),
    "sign of the advantage": (
        "reinforce_gradient",
        symbolic.ADVANTAGE * (HARD_DELTA - q_k) / T,
    ),
    "attention without the row's sum": (
        "attention_gradient",
        q_k * over_features(symbolic.VALUES[COLUMN, m]) / T,
    ),
    "softmax for the sigmoid": (
        "binary_cross_entropy_gradient",
        (q_k - TARGETS[COLUMN]) / T,
    ),
    "reversed divergence as q - p": (
        "reverse_kl_gradient",
        (q_k - softmax(COLUMN, TEACHER_LOGITS)) / T,
    ),
    "gradient not divided by T": (
        "high_temperature_gradient",
        PROOFS["high_temperature_gradient"].claimed * T,
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_formula_is_not_proved(mistake):
    name, claimed = WRONG[mistake]
    assert PROOFS[name]._replace(claimed=claimed).difference != 0


# --- what was proved is what NumPy computes ------------------------------------


@pytest.mark.parametrize("point", POINTS)
def test_jacobians_match_numpy(point):
    logits, temperature = point["z"], point["T"]
    jacobian = sg.softmax_jacobian(logits, temperature=temperature)
    for values in both(PROOFS["softmax_jacobian"], point, "row", "column"):
        np.testing.assert_allclose(values, jacobian, rtol=1e-12, atol=1e-15)
    # The vjp of each unit vector is a row of the Jacobian of log-softmax.
    rows = [
        sg.log_softmax_vjp(logits, e, temperature=temperature)
        for e in np.eye(logits.size)
    ]
    for values in both(PROOFS["log_softmax_jacobian"], point, "row", "column"):
        np.testing.assert_allclose(values, rows, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("point", POINTS)
def test_softmax_and_log_softmax_match_numpy(point):
    probs = table(softmax(ROW), point, "row")
    np.testing.assert_allclose(
        probs, sg.softmax(point["z"], temperature=point["T"]), rtol=1e-13
    )
    log_probs = table(symbolic.log_softmax(ROW, TEACHER_LOGITS), point, "row")
    expected = sg.log_softmax(point["v"], temperature=point["T"])
    np.testing.assert_allclose(log_probs, expected, rtol=1e-13)


@pytest.mark.parametrize("point", POINTS)
def test_gradients_match_numpy(point):
    logits, targets, temperature = point["z"], point["t"], point["T"]
    soft = sg.cross_entropy_gradient(logits, targets, temperature=temperature)
    for values in both(PROOFS["cross_entropy_gradient"], point, "column"):
        np.testing.assert_allclose(values, soft, rtol=1e-12, atol=1e-15)
    hard = [
        sg.cross_entropy_gradient(logits, label, temperature=temperature)
        for label in range(logits.size)
    ]
    proof = PROOFS["hard_cross_entropy_gradient"]
    for values in both(proof, point, "label", "column"):
        np.testing.assert_allclose(values, hard, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("point", POINTS)
def test_hessian_matches_numpy(point):
    # NumPy's Hessian is for targets that sum to one; the loss is linear in them.
    hessian = (
        sg.cross_entropy_hessian(point["z"], temperature=point["T"]) * point["t"].sum()
    )
    for values in both(PROOFS["cross_entropy_hessian"], point, "row", "column"):
        np.testing.assert_allclose(values, hessian, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("point", POINTS)
def test_temperature_gradients_match_numpy(point):
    logits, teacher, temperature = point["z"], point["v"], point["T"]
    fixed = sg.cross_entropy_temperature_gradient(
        logits, point["t"], temperature=temperature
    )
    np.testing.assert_allclose(
        both(PROOFS["temperature_gradient"], point), fixed, rtol=1e-12
    )
    softened = sg.cross_entropy_temperature_gradient(
        logits, temperature=temperature, teacher_logits=teacher
    )
    np.testing.assert_allclose(
        both(PROOFS["teacher_temperature_gradient"], point), softened, rtol=1e-12
    )
    divergence = sg.finite_difference(
        lambda value: sg.kl_divergence(logits, teacher, temperature=float(value)),
        temperature,
    )
    np.testing.assert_allclose(
        both(PROOFS["kl_temperature_gradient"], point), divergence, rtol=1e-7
    )


@pytest.mark.parametrize("label", [0, 2])
def test_linear_gradients_match_numpy(label):
    weights = np.array([[0.2, -1.0], [0.7, 0.4], [-0.3, 1.1]])
    bias, inputs, temperature = np.array([0.1, -0.2, 0.4]), np.array([1.5, -0.8]), 2.5
    gradients = sg.linear_gradients(
        (weights @ inputs + bias)[None], [label], inputs[None], temperature=temperature
    )
    names = [CLASSES, FEATURES, T, WEIGHTS, BIAS, INPUTS, LABEL, COLUMN, FEATURE]
    values = (3, 2, temperature, weights, bias, inputs, label)
    for side in (0, 1):
        by_weight = sympy.lambdify(names, PROOFS["weights_gradient"][side])
        by_bias = sympy.lambdify(names, PROOFS["bias_gradient"][side])
        for k, a in np.ndindex(3, 2):
            assert by_weight(*values, k, a) == pytest.approx(gradients.weights[k, a])
            assert by_bias(*values, k, a) == pytest.approx(gradients.bias[k])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("point", POINTS)
def test_high_temperature_gradient_matches_numpy(order, point):
    limit = sg.high_temperature_limit(
        point["z"], point["v"], temperature=point["T"], order=order
    )
    for values in both(symbolic.high_temperature_gradient(order), point, "row"):
        np.testing.assert_allclose(values, limit, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_series_misses_only_the_next_power(order):
    logits = np.array([mpmath.mpf(logit) for logit in POINTS[0]["z"]])
    series = symbolic.high_temperature_series(order).claimed

    def error(temperature):
        point = {**POINTS[0], "z": logits, "T": temperature}
        powers = [mpmath.exp(logit / temperature) for logit in logits]
        return abs(powers[1] / mpmath.fsum(powers) - evaluate(series, point, row=1))

    with mpmath.workdps(50):
        ratio = error(mpmath.mpf(10) ** 6) / error(2 * mpmath.mpf(10) ** 6)
    assert float(ratio) == pytest.approx(2 ** (order + 1), rel=1e-5)


# --- the relatives, beside the derivatives of their definitions -----------------

# None of these numbers is 0 or 1, no row of them is flat, and g does not sum to one.
RELATIVE = {
    "z": np.array([1.2, -0.7, 0.4, 2.1]),
    "v": np.array([0.3, 1.4, -0.9, 0.6]),
    "t": np.array([0.6, 0.1, 0.9, 0.4]),
    "w": np.array([0.5, 2.0, 1.3, 0.8]),
    "g": np.array([0.7, -1.1, 0.4, 1.9]),
    "V": np.array(
        [[0.2, -1.0, 0.6], [1.1, 0.3, -0.4], [-0.5, 0.9, 1.7], [0.8, -0.2, 0.1]]
    ),
    "G": np.array([0.9, -1.3, 0.5]),
    "T": 1.7,
    "y": 2,
    "epsilon": 0.3,
    "gamma": 2.5,
    "a": 0.4,
    "c": 3.0,
    "A": -0.6,
}
SYMBOLS = [
    LOGITS,
    TEACHER_LOGITS,
    TARGETS,
    symbolic.CLASS_WEIGHTS,
    symbolic.COTANGENT,
    symbolic.VALUES,
    symbolic.OUTPUT_COTANGENT,
    T,
    LABEL,
    symbolic.SMOOTHING,
    symbolic.FOCUSING,
    symbolic.PENALTY,
    symbolic.CAP,
    symbolic.ADVANTAGE,
]


def plain_log_softmax(z, temperature=RELATIVE["T"]):
    """Return log q by its definition, for complex logits too."""
    return z / temperature - np.log(np.exp(z / temperature).sum())


def plain_softplus(z):
    """Return log(1 + e^(z/T)) for each entry."""
    return np.log(1 + np.exp(z / RELATIVE["T"]))


def relative(name):
    return RELATIVE[name]


def smoothed_targets():
    targets = np.full(4, 0.3 / 4)
    targets[2] += 0.7
    return targets


def attention_loss(z):
    return relative("G") @ (np.exp(plain_log_softmax(z)) @ relative("V"))


def reversed_divergence(z):
    log_q = plain_log_softmax(z)
    return (np.exp(log_q) * (log_q - plain_log_softmax(relative("v")))).sum()


LOSSES = {
    "softmax_vjp": lambda z: relative("g") @ np.exp(plain_log_softmax(z)),
    "log_softmax_vjp": lambda z: relative("g") @ plain_log_softmax(z),
    "smoothed_cross_entropy_gradient": lambda z: (
        -smoothed_targets() @ plain_log_softmax(z)
    ),
    "weighted_cross_entropy_gradient": lambda z: (
        -(relative("w") * relative("t")) @ plain_log_softmax(z)
    ),
    "focal_loss_gradient": lambda z: (
        -((1 - np.exp(plain_log_softmax(z)[2])) ** 2.5) * plain_log_softmax(z)[2]
    ),
    "z_loss_gradient": lambda z: 0.4 * np.log(np.exp(z / 1.7).sum()) ** 2,
    "soft_capped_gradient": lambda u: -plain_log_softmax(3.0 * np.tanh(u / 3.0))[2],
    "reinforce_gradient": lambda z: 0.6 * plain_log_softmax(z)[2],
    "attention_gradient": attention_loss,
    "binary_cross_entropy_gradient": lambda z: (
        plain_softplus(z) - relative("t") * z / 1.7
    ).sum(),
    "reverse_kl_gradient": reversed_divergence,
}


def relative_values(side, count=4):
    """Return one side of a proof at every class k, or once."""
    names = [CLASSES, FEATURES, COLUMN, *SYMBOLS]
    # The raw logits stand in the place of the logits that they are capped to.
    side = side.subs(symbolic.RAW_LOGITS, LOGITS)
    function = sympy.lambdify(names, side)
    return [function(4, 3, k, *RELATIVE.values()) for k in range(count)]


@pytest.mark.parametrize("name", LOSSES)
def test_relatives_are_the_derivatives_of_their_losses(name):
    measured = sg.complex_step(LOSSES[name], relative("z"))
    assert abs(measured).min() > 1e-3
    for side in PROOFS[name]:
        np.testing.assert_allclose(relative_values(side), measured, rtol=1e-12)


def test_the_contrastive_loss_falls_and_rises_with_its_temperature():
    measured = sg.complex_step(
        lambda tau: -plain_log_softmax(relative("z"), tau)[2], RELATIVE["T"]
    )
    for side in PROOFS["contrastive_temperature_gradient"]:
        np.testing.assert_allclose(relative_values(side, 1), measured, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "function"),
    [("softmax_vjp", sg.softmax_vjp), ("log_softmax_vjp", sg.log_softmax_vjp)],
)
def test_pullbacks_match_numpy(name, function):
    pulled = function(relative("z"), relative("g"), temperature=RELATIVE["T"])
    for side in PROOFS[name]:
        np.testing.assert_allclose(relative_values(side), pulled, rtol=1e-12)


def test_options_of_the_cross_entropy_match_their_proofs():
    options = {"temperature": RELATIVE["T"], "reduction": "sum"}
    smoothed = sg.cross_entropy_gradient(
        relative("z"), 2, label_smoothing=0.3, **options
    )
    weighted = sg.cross_entropy_gradient(
        relative("z"), relative("t"), class_weights=relative("w"), **options
    )
    signed = sg.cross_entropy_gradient(
        relative("z"), 2, sample_weights=-0.6, allow_negative_weights=True, **options
    )
    for name, gradient in [
        ("smoothed_cross_entropy_gradient", smoothed),
        ("weighted_cross_entropy_gradient", weighted),
        ("reinforce_gradient", signed),
    ]:
        values = relative_values(PROOFS[name].claimed)
        np.testing.assert_allclose(gradient, values, rtol=1e-12)


SHIFTED = {"z_loss_gradient", "soft_capped_gradient", "binary_cross_entropy_gradient"}


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in SHIFTED])
def test_entries_sum_to_zero_where_a_shift_changes_nothing(name):
    # The sum over the features and that over the classes would have to change places.
    if name != "attention_gradient":
        assert symbolic.sum_over_classes(PROOFS[name].claimed) == 0
    np.testing.assert_allclose(
        sum(relative_values(PROOFS[name].claimed)), 0, atol=1e-15
    )
    shifted = LOSSES[name](relative("z") + 0.8)
    np.testing.assert_allclose(shifted, LOSSES[name](relative("z")), rtol=1e-12)


@pytest.mark.parametrize("name", sorted(SHIFTED))
def test_entries_do_not_sum_to_zero_where_a_shift_changes_the_loss(name):
    assert symbolic.sum_over_classes(PROOFS[name].claimed) != 0
    total = sum(relative_values(PROOFS[name].claimed))
    slope = sg.complex_step(lambda b: LOSSES[name](relative("z") + b), 0.0)
    np.testing.assert_allclose(total, slope, rtol=1e-12)
    assert abs(total) > 1e-3


def test_sum_over_classes_by_hand():
    total = symbolic.sum_over_classes(LOGITS[ROW] * KroneckerDelta(ROW, LABEL), ROW)
    assert total == LOGITS[LABEL]
    assert symbolic.sum_over_classes(sympy.S.One) == CLASSES
    assert symbolic.sum_over_classes(q_k) == 1


# --- a given number of classes -------------------------------------------------


def test_explicit_jacobian_of_the_sources():
    s = sympy.symbols("q_:4", positive=True)
    at_one = symbolic.explicit_jacobian(4).subs(T, 1)
    assert at_one == sympy.Matrix(
        [
            [s[0] - s[0] ** 2, -s[0] * s[1], -s[0] * s[2], -s[0] * s[3]],
            [-s[1] * s[0], s[1] - s[1] ** 2, -s[1] * s[2], -s[1] * s[3]],
            [-s[2] * s[0], -s[2] * s[1], s[2] - s[2] ** 2, -s[2] * s[3]],
            [-s[3] * s[0], -s[3] * s[1], -s[3] * s[2], s[3] - s[3] ** 2],
        ]
    )


@pytest.mark.parametrize("point", POINTS)
def test_explicit_jacobian_matches_numpy(point):
    size = point["z"].size
    symbols = sympy.symbols(f"q_:{size}", positive=True)
    function = sympy.lambdify([T, *symbols], symbolic.explicit_jacobian(size))
    probs = sg.softmax(point["z"], temperature=point["T"])
    jacobian = sg.softmax_jacobian(point["z"], temperature=point["T"])
    np.testing.assert_allclose(
        function(point["T"], *probs), jacobian, rtol=1e-12, atol=1e-15
    )


def test_explicit_jacobian_of_one_class_is_zero():
    assert symbolic.explicit_jacobian(1) == sympy.zeros(1, 1)


@pytest.mark.parametrize("size", [2, 3])
def test_general_jacobian_becomes_the_explicit_one(size):
    general = symbolic.explicit(PROOFS["softmax_jacobian"].derived, size)
    probs = [symbolic.explicit(softmax(row), size) for row in range(size)]
    symbols = sympy.symbols(f"q_:{size}", positive=True)
    in_logits = symbolic.explicit_jacobian(size).subs(
        dict(zip(symbols, probs, strict=True))
    )
    for row, column in np.ndindex(size, size):
        entry = general.subs({ROW: row, COLUMN: column})
        assert sympy.simplify(entry - in_logits[row, column]) == 0


def test_explicit_writes_the_sum_out():
    first, second, third = (LOGITS[index] for index in range(3))
    assert symbolic.explicit(over_classes(LOGITS[j]), 3) == first + second + third


# --- bad input -----------------------------------------------------------------


@pytest.mark.parametrize("order", [-1, 3])
def test_series_rejects_other_orders(order):
    with pytest.raises(ValueError, match=rf"order must be 0, 1 or 2, got {order}"):
        symbolic.high_temperature_series(order)


@pytest.mark.parametrize("order", [0, 3])
def test_gradient_series_rejects_other_orders(order):
    with pytest.raises(ValueError, match=rf"order must be 1 or 2, got {order}"):
        symbolic.high_temperature_gradient(order)


@pytest.mark.parametrize("number", [0, -2])
def test_number_of_classes_must_be_positive(number):
    message = rf"number_of_classes must be at least 1, got {number}"
    with pytest.raises(ValueError, match=message):
        symbolic.explicit_jacobian(number)
    with pytest.raises(ValueError, match=message):
        symbolic.explicit(softmax(ROW), number)
