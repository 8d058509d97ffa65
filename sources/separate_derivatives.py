"""The question and answer on taking the two derivatives separately."""

from dataclasses import replace

import numpy as np
import sympy

import softmax_gradients as sg

from .statement import (
    EXAMPLE,
    HEAVY,
    Document,
    Statement,
    Verdict,
    cross_entropy,
    derivative,
    exp,
    lines,
    log,
    normalised,
    rows_are_inputs,
    rows_are_outputs,
    softmax,
)

COLD = replace(EXAMPLE, temperature=1.0)
OTHER_SUM = replace(COLD, t=HEAVY)
INPUT_ROWS = replace(COLD, rows="inputs")

# The program of the question, as it stands there: without indentation.
FUNCTIONS = """
def softmax(v):
exps = np.exp(v)
sum = np.sum(exps)
return exps/sum
def cross_entropy(inps,targets):
return np.sum(-targets*np.log(inps))
def cross_entropy_derivatives(inps,targets):
return -targets/inps
def softmax_derivatives(softmax):
return softmax * (1-softmax)
"""
INDENTED = "\n".join(
    line if line.startswith("def") or not line else f"    {line}"
    for line in FUNCTIONS.splitlines()
)
X = np.array([-1.0, -1.0, 1.0])
T = np.array([0.0, 1.0, 0.0])
SOFT = np.array([0.10650698, 0.10650698, 0.78698604])  # printed


def compiles(program):
    try:
        compile(program, "question", "exec")
    except SyntaxError:
        return False
    return True


def run(expression, **names):
    """Return the value of an expression after the indented program, or an error."""
    scope = {"np": np, "x": X, "t": T}
    exec(INDENTED, scope)  # the text above, nothing else
    try:
        return eval(expression, scope | names)
    except NameError:
        return np.nan


def is_finite(expression):
    with np.errstate(all="ignore"):
        return bool(np.all(np.isfinite(run(expression))))


def printed_jacobian(at):
    """Return the matrix of line 10, entry by entry as printed."""
    e = exp(at.z)
    total = e.sum()
    matrix = -np.outer(e, e) / total**2
    for i in range(at.classes):
        matrix[i, i] = e[i] / total - exp(2 * at.z[i]) / total**2
    return matrix


def negative_terms(at):
    """Return the sum of the negative terms in the first row of the Jacobian."""
    e = exp(at.z)
    return sum(e[0] * e[i] / e.sum() ** 2 for i in range(at.classes))


def log_likelihood(at):
    """Return the derivative of -sum t log s in the log-probabilities: -t."""
    return -at.t


def along_ones(at):
    """Return the change of each log-probability when all inputs move together."""

    def shifted(step):
        return log(softmax(at.z + step[0]))

    return derivative(shifted, np.zeros(1))[:, 0]


def total_effect(at):
    """Return what x_0 does to the sum of the log-probabilities."""
    return derivative(lambda z: log(softmax(z)).sum(), at.z)[0]


def general_column_sum():
    """Return the sum of ds_j/dx_k over j, for any C."""
    symbolic, j = sg.symbolic, sympy.Symbol("j", integer=True)
    derived = symbolic.softmax(j).diff(symbolic.LOGITS[symbolic.COLUMN])
    return symbolic.normal_form(sympy.Sum(derived, (j, 0, symbolic.CLASSES - 1)))


def general_product():
    """Return the product -t/s times Jacobian, minus the derivative, for any C."""
    symbolic, j = sg.symbolic, sympy.Symbol("j", integer=True)
    at_one, k = {symbolic.TEMPERATURE: 1}, symbolic.COLUMN
    classes = (j, 0, symbolic.CLASSES - 1)
    s = symbolic.softmax(j).subs(at_one)
    row = sympy.Sum(-symbolic.TARGETS[j] / s * s.diff(symbolic.LOGITS[k]), classes)
    loss = -sympy.Sum(symbolic.TARGETS[j] * sympy.log(s), classes)
    return symbolic.normal_form(row - loss.diff(symbolic.LOGITS[k]))


def kept_term(at):
    """Return -t_i/s_i * s_i (1 - s_i)."""
    return -at.t / at.q * at.q * (1 - at.q)


SEPARATE = ("eq-sum-kept", "eq-sum-chain")

STATEMENTS = (
    Statement(
        slug="softmax",
        lines=lines("6-7"),
        quote=(
            r"$\bigl[\, e^{x_0}/(e^{x_0} + e^{x_1} + e^{x_2} + e^{x_3}), "
            r"\;\dots\,\bigr]$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-sum-setting",),
        claim=lambda at: [
            np.stack([np.exp(x) for x in at.z]) / sum(np.exp(x) for x in at.z),
            sg.softmax(at.z),
        ],
    ),
    Statement(
        slug="every-input",
        lines=lines("8"),
        quote="Each output depends on all the inputs.",
        verdict=Verdict.RIGHT,
        links=("eq-jac-entry",),
        claim=lambda at: [True, bool(np.all(at.jacobian != 0))],
    ),
    Statement(
        slug="jacobian",
        lines=lines("9-10"),
        quote=(
            r"The matrix with $\frac{e^{x_0}}{\Sigma} - \frac{e^{2x_0}}{\Sigma^2}$, "
            r"$-\frac{e^{x_0} e^{x_1}}{\Sigma^2}$, $\dots$, where "
            r"$\Sigma = e^{x_0} + \dots + e^{x_3}$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-jac-jacobian", "eq-sum-jacobian"),
        claim=lambda at: [printed_jacobian(at), at.jacobian],
        algebra=True,
    ),
    Statement(
        slug="rows",
        lines=lines("11"),
        quote="Each row contains the contribution from each output element.",
        verdict=Verdict.LAYOUT,
        links=("eq-sum-layouts", "eq-sum-log-jacobian"),
        claim=lambda at: [
            at.log_jacobian[0],
            derivative(lambda z: log(softmax(z)), at.z)[:, 0],
        ],
        assumption="the rows belong to the inputs",
        given=rows_are_inputs,
        shown=COLD,
        algebra=True,
        correction=(
            "With the rows as outputs, a row holds one output and all the inputs. "
            "The symmetry of this matrix hides the choice; the numbers are for "
            "log-softmax, which shows it."
        ),
        corrected=lambda at: [
            rows_are_outputs(at).log_jacobian.T[0],
            rows_are_inputs(at).log_jacobian[0],
        ],
        slip="A symmetric matrix cannot contradict either reading.",
    ),
    Statement(
        slug="row-sums",
        lines=lines("11"),
        quote="The sum of each row is the final derivative of each node.",
        verdict=Verdict.WRONG,
        links=("eq-sum-row", "eq-sum-chain"),
        shown=COLD,
        claim=lambda at: [-at.t / at.q * at.jacobian.sum(axis=1), at.gradient],
        correction=(
            r"Every row sum is 0. The derivative of the loss is a sum of products, "
            r"$\sum_i \frac{\partial L}{\partial s_i}"
            r"\frac{\partial s_i}{\partial x_k}$."
        ),
        corrected=lambda at: [
            sum((-at.t / at.q)[i] * at.jacobian[i] for i in range(at.classes)),
            at.gradient,
        ],
        algebra=True,
        slip=(
            "The sum has the right shape, one number for each input, and contains "
            "every partial derivative once."
        ),
    ),
    Statement(
        slug="unstable",
        lines=lines("12"),
        quote="Numerically the sums are unstable.",
        verdict=Verdict.WRONG,
        links=("eq-sum-row",),
        shown=COLD,
        claim=lambda at: [True, bool(np.abs(at.jacobian.sum(axis=1)).max() > 1e-12)],
        correction=(
            r"They are 0, up to the last digit: below $10^{-12}$ here. What looked "
            "like noise was the answer."
        ),
        corrected=lambda at: [
            True,
            bool(np.abs(at.jacobian.sum(axis=1)).max() < 1e-12),
        ],
        slip=r"A result near $10^{-17}$ looks like an accident, not like a theorem.",
    ),
    Statement(
        slug="first-term",
        lines=lines("13"),
        quote="In each row the first term is the only one that is positive.",
        verdict=Verdict.WRONG,
        links=("eq-sum-row",),
        shown=COLD,
        claim=lambda at: [
            np.zeros(at.classes, dtype=int),
            np.argmax(at.jacobian, axis=1),
        ],
        correction=(
            "The diagonal element is the positive one: the first in the first row, "
            "the second in the second (counted from 0)."
        ),
        corrected=lambda at: [
            np.eye(at.classes, dtype=bool),
            at.jacobian.astype(float) > 0,
        ],
        slip="The example looks at the first row.",
    ),
    Statement(
        slug="negative-terms",
        lines=lines("13-14"),
        quote=(r"The negative terms sum to $\sum_i s_0\, s_i$, with a minus sign."),
        verdict=Verdict.RIGHT,
        links=("eq-sum-row",),
        claim=lambda at: [
            (at.q[0] * at.q).sum(),
            negative_terms(at),
            at.q[0] - at.jacobian[0].sum(),
        ],
        algebra=True,
    ),
    Statement(
        slug="positive-term",
        lines=lines("15"),
        quote=r"The first term is $s_0$.",
        verdict=Verdict.RIGHT,
        links=("eq-sum-row",),
        claim=lambda at: [at.q[0], at.jacobian[0, 0] + at.q[0] ** 2],
        algebra=True,
    ),
    Statement(
        slug="square",
        lines=lines("16-19"),
        quote=r"Which means: $s - s^2$, or $s(1 - s)$",
        verdict=Verdict.WRONG,
        links=("eq-sum-row",),
        shown=COLD,
        claim=lambda at: [at.q - at.q**2, at.q * (1 - at.q), at.jacobian.sum(axis=1)],
        correction=(
            r"$s_0 - \sum_i s_0 s_i = s_0 - s_0 = 0$. The sum was taken for its one "
            r"term $s_0^2$; $s(1-s)$ is the diagonal."
        ),
        corrected=lambda at: [
            at.q - at.q * at.q.sum(),
            np.zeros(at.classes, dtype=int),
            at.jacobian.sum(axis=1),
        ],
        algebra=True,
        slip=r"Without indices, $\sum_i s_0 s_i$ is written softmax times softmax.",
    ),
    Statement(
        slug="video",
        lines=lines("20"),
        quote=r"A lecture and another answer have the same, $s(1 - s)$.",
        verdict=Verdict.UNSTATED,
        links=("eq-sum-jacobian", "eq-sum-two"),
        claim=lambda at: [at.q * (1 - at.q), np.diag(at.jacobian)],
        assumption=r"it is $\partial s_i/\partial x_i$, input and output of one class",
        otherwise=lambda at: [np.diag(at.q * (1 - at.q))[at.y], at.jacobian[at.y]],
        shown=COLD,
        algebra=True,
        correction=(
            r"$\partial s_i/\partial x_j = s_i(\delta_{ij} - s_j)$; for $i = j$ it is "
            r"$s_i(1 - s_i)$. (We have not seen the lecture.)"
        ),
        corrected=lambda at: [np.diag(at.q) - np.outer(at.q, at.q), at.jacobian],
        slip="A formula that is found again elsewhere seems confirmed, scope included.",
    ),
    Statement(
        slug="loss",
        lines=lines("26-27"),
        quote=r"$-\sum_i t_i \log(s_i)$",
        verdict=Verdict.RIGHT,
        links=("eq-sum-setting",),
        claim=lambda at: [
            -(at.t * np.log(at.q)).sum(),
            sg.cross_entropy(at.z, at.t),
        ],
    ),
    Statement(
        slug="loss-in-logits",
        lines=lines("28-29"),
        quote=r"$-t_0 \log \frac{e^{x_0}}{e^{x_0} + \dots + e^{x_3}} - \dots$",
        verdict=Verdict.RIGHT,
        links=("eq-sum-setting",),
        claim=lambda at: [
            sum(
                -at.t[i] * log(exp(at.z)[i] / exp(at.z).sum()) for i in range(len(at.z))
            ),
            cross_entropy(at.z, at.t),
        ],
        algebra=True,
    ),
    Statement(
        slug="outer",
        lines=lines("31-32"),
        quote=r"$-\frac{t_i}{s_i}$",
        verdict=Verdict.RIGHT,
        links=("eq-sum-cotangent",),
        claim=lambda at: [
            -at.t / at.q,
            derivative(lambda s: -(at.t * log(s)).sum(), at.q),
        ],
    ),
    Statement(
        slug="product",
        lines=lines("34-35"),
        quote=r"The chain rule gives $-\frac{t_i}{s_i} * s_i(1 - s_i)$.",
        verdict=Verdict.WRONG,
        links=SEPARATE,
        shown=COLD,
        claim=lambda at: [kept_term(at), at.gradient],
        correction=(
            r"$\sum_i -\frac{t_i}{s_i}\, s_i(\delta_{ik} - s_k)$. The product keeps "
            r"the term $i = k$ and drops $s_k \sum_{i \neq k} t_i$."
        ),
        corrected=lambda at: [
            kept_term(at) + at.q * (at.t.sum() - at.t),
            at.gradient,
        ],
        algebra=True,
        slip=r'"We can just multiply" is right for one input and one output.',
    ),
    Statement(
        slug="simplified",
        lines=lines("36-37"),
        quote=r"$-\frac{t_i}{s_i} * s_i(1 - s_i) = -t_i * (1 - s_i)$",
        verdict=Verdict.RIGHT,
        links=("eq-sum-kept",),
        claim=lambda at: [kept_term(at), -at.t * (1 - at.q)],
        algebra=True,
        slip="This step is right; it is the product before it that is not.",
    ),
    Statement(
        slug="difference",
        lines=lines("38-40"),
        quote=r"$s_i - t_i$",
        verdict=Verdict.UNSTATED,
        links=("eq-sum-right", "eq-sum-product"),
        claim=lambda at: [at.q - at.t, at.gradient],
        assumption="the targets sum to one",
        given=normalised,
        shown=OTHER_SUM,
        algebra=True,
        correction=r"$s_i \sum_j t_j - t_i$ for any targets.",
        corrected=lambda at: [at.q * at.t.sum() - at.t, at.gradient],
        slip="A target is introduced as a distribution, and then it is just a vector.",
    ),
    Statement(
        slug="different",
        lines=lines("41, 66"),
        quote="The two results differ.",
        verdict=Verdict.RIGHT,
        links=("eq-sum-kept",),
        given=normalised,
        claim=lambda at: [
            True,
            bool(np.abs(kept_term(at) - (at.q - at.t)).max() > 0.01),
        ],
        slip=(
            "The observation is right. It is not the chain rule that makes the "
            "difference, but the product that was put in its place."
        ),
    ),
    Statement(
        slug="missed-simplification",
        lines=lines("43"),
        quote=(
            r"Perhaps $-t_i(1 - s_i)$ becomes $s_i - t_i$ because probabilities sum "
            "to one."
        ),
        verdict=Verdict.WRONG,
        links=("eq-sum-kept", "eq-sum-one-entry"),
        shown=COLD,
        claim=lambda at: [
            -normalised(at).t * (1 - at.q),
            at.q - normalised(at).t,
        ],
        correction=(
            r"With $\sum_i t_i = 1$ the two differ by $s_k(1 - t_k)$, which is 0 only "
            "for a target of weight one on class $k$."
        ),
        corrected=lambda at: [
            -normalised(at).t * (1 - at.q) + at.q * (1 - normalised(at).t),
            at.q - normalised(at).t,
        ],
        algebra=True,
        slip="One entry of the example does agree, the entry of the target.",
    ),
    Statement(
        slug="indentation",
        lines=lines("44, 48-57"),
        quote="The functions, without indentation",
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-sum-setting",),
        shown=COLD,
        claim=lambda at: [True, compiles(FUNCTIONS)],
        correction="With the bodies indented the program compiles.",
        corrected=lambda at: [True, compiles(INDENTED)],
        slip="The indentation was lost when the text was copied.",
    ),
    Statement(
        slug="softmax-code",
        lines=lines("48-51"),
        quote="`exps = np.exp(v)`; `return exps/sum`",
        verdict=Verdict.UNSTATED,
        links=("sum-program",),
        claim=lambda at: [run("softmax(z)", z=at.z), at.q],
        assumption="no exponential overflows",
        otherwise=lambda at: [True, is_finite("softmax(np.array([710.0, 0.0]))")],
        shown=COLD,
        correction=(
            "Subtract the largest logit first: `np.exp(v - v.max())`. With a logit of "
            "710 the quotient is `inf/inf`, and not finite. (The name `sum` also "
            "hides Python's own.)"
        ),
        corrected=lambda at: [
            np.exp(at.z + 800 - (at.z + 800).max())
            / np.exp(at.z + 800 - (at.z + 800).max()).sum(),
            at.q,
        ],
        slip="The formula is transcribed faithfully, and a float is not a real number.",
    ),
    Statement(
        slug="loss-code",
        lines=lines("52-53"),
        quote="`np.sum(-targets*np.log(inps))`",
        verdict=Verdict.UNSTATED,
        links=("eq-temp-log-softmax",),
        claim=lambda at: [
            run("cross_entropy(s, targets)", s=at.q, targets=at.t),
            cross_entropy(at.z, at.t),
        ],
        assumption="no probability has underflowed to 0",
        otherwise=lambda at: [
            True,
            is_finite("cross_entropy(softmax(np.array([0.0, -800.0])), np.eye(2)[0])"),
        ],
        shown=COLD,
        correction=(
            r"Take the logarithm on paper: $\log s_i = x_i - \log \sum_j e^{x_j}$. For "
            "the logits 0 and -800 the second probability is 0 in a float, and its "
            "target 0 times minus infinity is not a number."
        ),
        corrected=lambda at: [
            (at.t * (np.log(np.exp(at.z).sum()) - at.z)).sum(),
            cross_entropy(at.z, at.t),
        ],
        slip="On paper every probability is positive.",
    ),
    Statement(
        slug="outer-code",
        lines=lines("54-55"),
        quote="`return -targets/inps`",
        verdict=Verdict.RIGHT,
        links=("eq-sum-cotangent",),
        claim=lambda at: [
            run("cross_entropy_derivatives(s, targets)", s=at.q, targets=at.t),
            derivative(lambda s: -(at.t * log(s)).sum(), at.q),
        ],
    ),
    Statement(
        slug="derivative-code",
        lines=lines("56-57"),
        quote="`softmax_derivatives`: `return softmax * (1-softmax)`",
        verdict=Verdict.WRONG,
        links=("eq-sum-jacobian",),
        shown=COLD,
        claim=lambda at: [
            np.diag(run("softmax_derivatives(s)", s=at.q))[at.y],
            at.jacobian[at.y],
        ],
        correction=(
            "`np.diag(softmax) - np.outer(softmax, softmax)`. The numbers are the "
            "third row; the code has only the diagonal element."
        ),
        corrected=lambda at: [np.diag(at.q) - np.outer(at.q, at.q), at.jacobian],
        slip="A function of a vector that returns a vector looks complete.",
    ),
    Statement(
        slug="name-error",
        lines=lines("58"),
        quote="`soft = softmax(v)`",
        verdict=Verdict.WRONG,
        links=("sum-program",),
        shown=COLD,
        claim=lambda at: [False, bool(np.isnan(run("softmax(v)")).any())],
        correction="`softmax(x)`: there is no `v` outside the function (`NameError`).",
        corrected=lambda at: [run("softmax(x)"), softmax(X)],
        slip="In an interactive session an old `v` may still be there.",
    ),
    Statement(
        slug="probabilities",
        lines=lines("58"),
        quote="`# [0.10650698, 0.10650698, 0.78698604]`",
        verdict=Verdict.RIGHT,
        links=("sum-program",),
        claim=lambda at: [SOFT, softmax(X).round(8)],
    ),
    Statement(
        slug="loss-value",
        lines=lines("59"),
        quote="`cross_entropy(soft,t) # 2.2395447662218846`",
        verdict=Verdict.RIGHT,
        links=("sum-program",),
        claim=lambda at: [
            2.2395447662218846,
            run("cross_entropy(softmax(x), t)"),
            cross_entropy(X, T),
        ],
    ),
    Statement(
        slug="outer-values",
        lines=lines("60"),
        quote="`cross_der # [-0. , -9.3890561, -0. ]`",
        verdict=Verdict.RIGHT,
        links=("eq-sum-cotangent",),
        claim=lambda at: [
            np.array([-0.0, -9.3890561, -0.0]),
            run("cross_entropy_derivatives(softmax(x), t)").round(7),
        ],
    ),
    Statement(
        slug="derivative-values",
        lines=lines("61"),
        quote="`soft_der # [0.09516324, 0.09516324, 0.16763901]`",
        verdict=Verdict.RIGHT,
        links=("eq-sum-jacobian",),
        claim=lambda at: [
            np.array([0.09516324, 0.09516324, 0.16763901]),
            run("softmax_derivatives(softmax(x))").round(8),
            np.diag(derivative(softmax, X)).round(8),
        ],
        slip="The program prints these numbers. They are the diagonal of the Jacobian.",
    ),
    Statement(
        slug="product-values",
        lines=lines("62-63"),
        quote='"chain rule": `cross_der * soft_der # [-0. , -0.89349302, -0. ]`',
        verdict=Verdict.WRONG,
        links=SEPARATE,
        shown=COLD,
        claim=lambda at: [
            np.array([0.0, -0.89349302, 0.0]),
            derivative(lambda x: cross_entropy(x, T), X),
        ],
        correction=(
            "The program does print this, but it is not the derivative: the first "
            "and the last entry are missing."
        ),
        corrected=lambda at: [
            -T / softmax(X) @ derivative(softmax, X),
            derivative(lambda x: cross_entropy(x, T), X),
        ],
        slip="The one entry in which a one-hot target shows anything is right.",
    ),
    Statement(
        slug="difference-values",
        lines=lines("64-65"),
        quote="`soft - t # [ 0.10650698, -0.89349302, 0.78698604]`",
        verdict=Verdict.RIGHT,
        links=("eq-sum-right",),
        claim=lambda at: [
            np.array([0.10650698, -0.89349302, 0.78698604]),
            derivative(lambda x: cross_entropy(x, T), X).round(8),
        ],
    ),
    Statement(
        slug="should-agree",
        lines=lines("67"),
        quote="The two values should be quite similar.",
        verdict=Verdict.RIGHT,
        links=("eq-sum-right", "eq-sum-product"),
        given=normalised,
        claim=lambda at: [-at.t / at.q @ at.jacobian, at.q - at.t],
        algebra=True,
        slip="Done with the matrix product they are equal, not similar.",
    ),
    Statement(
        slug="columns",
        lines=lines("71"),
        quote="Answer: I had summed up the columns.",
        verdict=Verdict.LAYOUT,
        links=("eq-sum-shift", "eq-sum-normal"),
        claim=lambda at: [at.log_jacobian.sum(axis=0), along_ones(at)],
        assumption="the rows belong to the inputs, so that a column sum adds inputs",
        given=rows_are_inputs,
        shown=COLD,
        correction=(
            "The question sums each row. With the rows as outputs that adds over the "
            "inputs; a column sum adds over the outputs. The numbers are for "
            "log-softmax, where the two sums differ."
        ),
        corrected=lambda at: [
            rows_are_outputs(at).log_jacobian.sum(axis=1),
            along_ones(at),
        ],
        slip="The matrix is symmetric, and rows and columns have the same sums.",
    ),
    Statement(
        slug="not-the-sum",
        lines=lines("72-73"),
        quote=r"Answer: that sum is not $s(1 - s)$.",
        verdict=Verdict.RIGHT,
        links=("eq-sum-row",),
        claim=lambda at: [
            True,
            bool(np.abs(at.jacobian.sum(axis=0) - at.q * (1 - at.q)).max() > 0.01),
        ],
    ),
    Statement(
        slug="sum-begins",
        lines=lines("74-77"),
        quote=r"$s_0 - \sum_i s_0\, s_i = s_0 - s_0 \sum_i s_i$",
        verdict=Verdict.RIGHT,
        links=("eq-sum-row",),
        claim=lambda at: [
            at.q[0] - sum(at.q[0] * each for each in at.q),
            at.q[0] - at.q[0] * at.q.sum(),
            at.jacobian[:, 0].sum(),
        ],
        algebra=True,
    ),
    Statement(
        slug="sum-is-one",
        lines=lines("78"),
        quote=r"The sum of all $s_i$ is 1.",
        verdict=Verdict.RIGHT,
        links=("eq-sum-normal",),
        claim=lambda at: [at.q.sum(), 1],
        algebra=True,
    ),
    Statement(
        slug="sum-is-zero",
        lines=lines("79-82"),
        quote=r"$s_0 - s_0 * 1 = 0$: the partials sum to 0.",
        verdict=Verdict.RIGHT,
        links=("eq-sum-row", "eq-sum-normal"),
        claim=lambda at: [at.jacobian.sum(axis=0), np.zeros(at.classes, dtype=int)],
        algebra=True,
        difference=general_column_sum,
    ),
    Statement(
        slug="not-elementwise",
        lines=lines("83-84, 85-88"),
        quote=(
            r"The Jacobian should not be summed, and $-\frac{t_i}{s_i} * s_i(1-s_i)$ "
            "is incorrect."
        ),
        verdict=Verdict.RIGHT,
        links=SEPARATE,
        claim=lambda at: [
            np.array([True, True]),
            np.array(
                [
                    np.abs(-at.t / at.q * at.jacobian.sum(axis=0) - at.gradient).max()
                    > 0.01,
                    np.abs(kept_term(at) - at.gradient).max() > 0.01,
                ]
            ),
        ],
    ),
    Statement(
        slug="previous-layer",
        lines=lines("84"),
        quote="A matrix product with the Jacobian of the previous layer",
        verdict=Verdict.UNSTATED,
        links=("eq-sum-chain", "eq-struct-backward"),
        claim=lambda at: [(-at.t / at.q) @ at.jacobian, at.gradient],
        assumption=(
            "previous in the backward pass: the gradient that arrives, times "
            "softmax's own Jacobian"
        ),
        otherwise=lambda at: [
            (-at.t / at.q) @ derivative(lambda z: z**3, at.z),
            at.gradient,
        ],
        shown=COLD,
        algebra=True,
        correction=(
            r"$g^\top J$ with $g_i = \partial L/\partial s_i$ and $J$ the Jacobian of "
            "softmax. The numbers take an entrywise cube for the layer below."
        ),
        corrected=lambda at: [
            np.stack(
                [
                    sum(
                        (-at.t / at.q)[i] * at.jacobian[i, k] for i in range(at.classes)
                    )
                    for k in range(at.classes)
                ]
            ),
            at.gradient,
        ],
        slip="Forward and backward have opposite ideas of what is previous.",
    ),
    Statement(
        slug="matrix-product",
        lines=lines("89-90, 92"),
        quote=r"$-\frac{\mathbf t}{\mathbf s} \times \mathrm{Softmax\_Jacobian}$",
        verdict=Verdict.LAYOUT,
        links=("eq-sum-layouts", "eq-sum-product"),
        claim=lambda at: [log_likelihood(at) @ at.log_jacobian, at.gradient],
        assumption="gradients are rows, and the rows of the Jacobian are outputs",
        given=rows_are_outputs,
        shown=INPUT_ROWS,
        algebra=True,
        difference=general_product,
        correction=(
            r"With columns: $J^\top\bigl(-\frac{\mathbf t}{\mathbf s}\bigr)$. Softmax "
            "gives the same in either layout, by symmetry. The numbers are for "
            r"log-softmax, with $-\mathbf t$ for the factor in front."
        ),
        corrected=lambda at: [
            (-at.t / at.q) @ at.jacobian,
            at.jacobian.T @ (-at.t / at.q),
            at.gradient,
        ],
        slip="A one-dimensional array is neither a row nor a column.",
    ),
    Statement(
        slug="division-sign",
        lines=lines("91"),
        quote='"the _ symbol is the element wise division"',
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-sum-cotangent",),
        correction="The fraction bar is meant: entry by entry, $t_i/s_i$.",
        corrected=lambda at: [
            np.stack([-at.t[i] / at.q[i] for i in range(at.classes)]),
            derivative(lambda s: -(at.t * log(s)).sum(), at.q),
        ],
        slip="A horizontal bar in the formula, an underscore on the keyboard.",
    ),
    Statement(
        slug="elements",
        lines=lines("95-97"),
        quote="Elements (0,0), (1,0), (2,0) read: (the formulas are missing)",
        verdict=Verdict.LAYOUT,
        links=("eq-sum-jacobian", "eq-sum-layouts"),
        claim=lambda at: [
            at.log_jacobian[:3, 0],
            derivative(lambda z: log(softmax(z))[:3], at.z)[:, 0],
        ],
        assumption=(
            r"the rows belong to the outputs, and the formulas are "
            r"$\partial s_0/\partial x_0$, $\partial s_1/\partial x_0$, "
            r"$\partial s_2/\partial x_0$"
        ),
        given=rows_are_outputs,
        shown=INPUT_ROWS,
        correction=(
            r"Element $(i, 0)$ is $\partial s_i/\partial x_0$ if the rows are outputs, "
            r"and $\partial s_0/\partial x_i$ if they are inputs. The numbers are for "
            "log-softmax."
        ),
        corrected=lambda at: [
            rows_are_inputs(at).log_jacobian[0, :3],
            derivative(lambda z: log(softmax(z))[:3], at.z)[:, 0],
        ],
        slip="For softmax the two are the same number.",
    ),
    Statement(
        slug="change-on-input",
        lines=lines("98"),
        quote=r"Their sum across the rows is the total amount of change on $x_0$.",
        verdict=Verdict.LAYOUT,
        links=("eq-sum-normal",),
        claim=lambda at: [at.log_jacobian.sum(axis=0)[0], total_effect(at)],
        assumption=(
            "the rows belong to the outputs, and the change is what $x_0$ does to the "
            "total of the outputs"
        ),
        given=rows_are_outputs,
        shown=INPUT_ROWS,
        correction=(
            r"$\sum_i \partial s_i/\partial x_0 = \partial(\sum_i s_i)/\partial x_0 "
            r"= 0$, because the outputs sum to one. $x_0$ is what moves, not what "
            "changes. (The numbers are for log-softmax.)"
        ),
        corrected=lambda at: [
            at.jacobian[:, 0].sum(),
            derivative(lambda z: softmax(z).sum(), at.z)[0],
        ],
        slip="Effect on a variable and effect of a variable differ by one word.",
    ),
    Statement(
        slug="other-inputs",
        lines=lines("99"),
        quote=r"The same can be said about $x_2$ and $x_3$.",
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-sum-normal",),
        shown=COLD,
        claim=lambda at: [np.array([2, 3]), np.arange(1, at.classes)],
        correction=r"About $x_1$, $x_2$ and $x_3$.",
        corrected=lambda at: [
            at.jacobian[:, 1:].sum(axis=0),
            np.zeros(at.classes - 1, dtype=int),
        ],
        algebra=True,
        slip="When one counts from 0, the second of four is easily forgotten.",
    ),
    Statement(
        slug="ones",
        lines=lines("100"),
        quote=(
            r"Summing the columns is a product of a vector of ones and the Jacobian."
        ),
        verdict=Verdict.RIGHT,
        links=("eq-sum-normal",),
        claim=lambda at: [
            np.ones(at.classes) @ at.log_jacobian,
            at.log_jacobian.sum(axis=0),
        ],
    ),
    Statement(
        slug="moved-together",
        lines=lines("101"),
        quote=(r"This product tells how softmax changes if all $x_i$ move alike."),
        verdict=Verdict.LAYOUT,
        links=("eq-sum-shift", "eq-sum-normal"),
        claim=lambda at: [np.ones(at.classes) @ at.log_jacobian, along_ones(at)],
        assumption="the rows belong to the inputs",
        given=rows_are_inputs,
        shown=COLD,
        correction=(
            r"With the rows as outputs it is $J \mathbf 1$ that moves all inputs; "
            r"$\mathbf 1^\top J$ adds up the outputs. No layout makes this line and "
            "the one on $x_0$ right together. (The numbers are for log-softmax.)"
        ),
        corrected=lambda at: [
            rows_are_outputs(at).log_jacobian @ np.ones(at.classes),
            along_ones(at),
        ],
        slip="Both products are zero for softmax, each for its own reason.",
    ),
    Statement(
        slug="shift",
        lines=lines("101"),
        quote="Changing all inputs by the same value does nothing.",
        verdict=Verdict.RIGHT,
        links=("eq-sum-shift",),
        claim=lambda at: [softmax(at.z + 3), softmax(at.z)],
    ),
    Statement(
        slug="normalising-trick",
        lines=lines("102"),
        quote=r"A constant is added to $x_i$ without changing the values.",
        verdict=Verdict.UNSTATED,
        links=("eq-sum-shift",),
        claim=lambda at: [softmax(at.z - at.z.max()), softmax(at.z)],
        assumption="the values are the outputs",
        otherwise=lambda at: [at.z - at.z.max(), at.z],
        shown=COLD,
        correction="The outputs do not change; the inputs do, and that is the purpose.",
        corrected=lambda at: [sg.softmax(at.z - at.z.max()), sg.softmax(at.z)],
        slip="On paper nothing changes; in a float the largest exponent becomes 0.",
    ),
    Statement(
        slug="gradient-zero",
        lines=lines("103"),
        quote="Since the change is 0, the gradient is 0.",
        verdict=Verdict.WRONG,
        links=("eq-sum-shift", "eq-sum-right"),
        shown=COLD,
        claim=lambda at: [np.zeros(at.classes), at.gradient],
        correction=(
            r"The derivative along $\mathbf 1$ is 0: the gradient sums to 0. The "
            r"gradient itself is $s \sum_j t_j - t$."
        ),
        corrected=lambda at: [at.gradient.sum(), 0],
        algebra=True,
        slip="One direction without change is mistaken for all directions.",
    ),
    Statement(
        slug="weights",
        lines=lines("104"),
        quote="In the product the elements have different weights and do not cancel.",
        verdict=Verdict.UNSTATED,
        links=("eq-sum-right", "thm-struct-rank"),
        claim=lambda at: [True, bool(np.abs(at.gradient).max() > 1e-3)],
        assumption=r"the weights $-t_i/s_i$ are not all equal",
        shown=replace(COLD, t=COLD.q),
        correction=(
            r"They cancel in every entry if $t$ is a multiple of $s$, and only then: "
            "for normalised targets, at the minimum of the loss."
        ),
        corrected=lambda at: [
            replace(at, t=at.q * 2).gradient,
            np.zeros(at.classes, dtype=int),
        ],
        slip='"Will result in" is true of almost every target.',
    ),
    Statement(
        slug="similar",
        lines=lines("105-106"),
        quote=(
            "The two derivatives are now similar, within floating-point error. "
            "(The code is missing.)"
        ),
        verdict=Verdict.RIGHT,
        links=("sum-program",),
        claim=lambda at: [
            -T / softmax(X) @ (np.diag(softmax(X)) - np.outer(softmax(X), softmax(X))),
            softmax(X) - T,
        ],
        slip="In exact numbers they are equal; what remains is rounding.",
    ),
)

DOCUMENT = Document(
    name="separate-derivatives",
    total_lines=106,
    statements=STATEMENTS,
    trivial={
        "says what the question is about": lines("1"),
        "names a letter, or a vector by its entries": lines("2-4, 22-25"),
        "a heading": lines("5, 21, 30, 33, 42, 69-70, 93"),
        "data of the program, three classes where the text has four": lines("45-46"),
        "a comment in the program": lines("47"),
        "the answer's opening, without a formula": lines("68"),
        "announces what follows": lines("94"),
    },
    tempered=False,
)
