"""The thread on the loss of one label: math.SE 1804041."""

from dataclasses import replace

import numpy as np
import sympy

import softmax_gradients as sg

from .statement import (
    EXAMPLE,
    Document,
    Statement,
    Verdict,
    derivative,
    exp,
    lines,
    log,
    softmax,
)

COLD = replace(EXAMPLE, temperature=1.0)


def off_label(values, at):
    """Leave out the entry of the label."""
    return np.delete(values, at.y)


def weights_gradient(at):
    """Return the derivative of the loss in the weights, row j for class j."""
    return derivative(lambda w: -log(softmax(w @ at.inputs))[at.y], at.weights)


def linear_probabilities(at):
    return softmax(at.weights @ at.inputs)


def exponentials(at):
    return exp(at.z), exp(at.z).sum()


def printed_chain(at):
    """Return line 78: -(1/p_k) dp_k/df_y, one entry for each k."""
    return -1 / at.q * at.jacobian[:, at.y]


def mended_chain(at):
    return -1 / at.q[at.y] * at.jacobian[at.y, :]


def loss_in_probabilities(at):
    """Return the derivative of -log p_y in each p_k."""
    return derivative(lambda p: -log(p)[at.y], at.q)


def general_delta():
    """Return p_k - delta_ky minus the derivative of the loss, for any C."""
    symbolic = sg.symbolic
    k, y = symbolic.COLUMN, symbolic.LABEL
    at_one = {symbolic.TEMPERATURE: 1}
    probability = symbolic.softmax(k).subs(at_one)
    loss = -sympy.log(symbolic.softmax(y)).subs(at_one)
    printed = probability - sympy.KroneckerDelta(k, y)
    return symbolic.normal_form(printed - loss.diff(symbolic.LOGITS[k]))


def general_printed_chain():
    """Return line 78 minus the derivative of the loss, for any C: it is not zero."""
    symbolic = sg.symbolic
    k, y = symbolic.COLUMN, symbolic.LABEL
    at_one = {symbolic.TEMPERATURE: 1}
    own, label = (symbolic.softmax(index).subs(at_one) for index in (k, y))
    printed = -own.diff(symbolic.LOGITS[y]) / own
    true = -sympy.log(label).diff(symbolic.LOGITS[k])
    return symbolic.normal_form(printed - true)


STATEMENTS = (
    Statement(
        slug="loss",
        lines=lines("6"),
        quote=(
            r"$L_i = -\log \frac{e^{f_{y_i}}}{\sum_j e^{f_j}} "
            r"= -f_{y_i} + \log \sum_j e^{f_j}$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-loss", "eq-delta-lse"),
        claim=lambda at: [
            -log(exp(at.z)[at.y] / exp(at.z).sum()),
            -at.z[at.y] + log(exp(at.z).sum()),
        ],
        algebra=True,
    ),
    Statement(
        slug="scores",
        lines=lines("8"),
        quote=r"$f = w_j * x_i$",
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-delta-linear",),
        shown=COLD,
        claim=lambda at: [at.weights[at.y] * at.inputs, at.weights[at.y] @ at.inputs],
        correction=(
            r"$f_j = w_j^\top x_i$: one number for each class $j$, and the dot "
            r"product of two vectors."
        ),
        corrected=lambda at: [
            np.stack([(row * at.inputs).sum() for row in at.weights]),
            at.weights @ at.inputs,
        ],
        slip="With one feature the two products are the same.",
    ),
    Statement(
        slug="p",
        lines=lines("10"),
        quote=r"$p = e^{f_{y_i}} / \sum_j e^{f_j}$",
        verdict=Verdict.RIGHT,
        links=("eq-delta-loss",),
        claim=lambda at: [
            exp(at.z)[at.y] / exp(at.z).sum(),
            sg.softmax(at.z)[at.y],
        ],
    ),
    Statement(
        slug="label-row",
        lines=lines("12, 14"),
        quote=r"The derivative for $j = y_i$ is $(p - 1) * x_i$.",
        verdict=Verdict.UNSTATED,
        links=("eq-delta-weights",),
        claim=lambda at: [
            (linear_probabilities(at)[at.y] - 1) * at.inputs,
            weights_gradient(at)[at.y],
        ],
        assumption=r"the derivative is in the weights $w_j$",
        otherwise=lambda at: [
            (at.q[at.y] - 1) * at.inputs,
            at.hard_gradient[at.y],
        ],
        shown=COLD,
        algebra=True,
        correction=(
            r"$\partial L_i/\partial w_{y_i} = (p - 1)\,x_i$. In the score it is "
            r"$\partial L_i/\partial f_{y_i} = p - 1$, without $x_i$."
        ),
        corrected=lambda at: [at.q[at.y] - 1, at.hard_gradient[at.y]],
        slip=r'"The derivative of $L_i$" does not say in which variable.',
    ),
    Statement(
        slug="other-rows",
        lines=lines("16, 18"),
        quote=r"For $j \neq y_i$ it is $p * x_i$.",
        verdict=Verdict.WRONG,
        links=("eq-delta-weights", "eq-delta-outer-product"),
        shown=COLD,
        claim=lambda at: [
            np.outer(
                np.full(at.classes - 1, linear_probabilities(at)[at.y]), at.inputs
            ),
            np.delete(weights_gradient(at), at.y, axis=0),
        ],
        correction=(
            r"$p_j\,x_i$ with the probability $p_j$ of the class whose weights move. "
            r"The thread's $p$ is that of the right class."
        ),
        corrected=lambda at: [
            np.outer(off_label(linear_probabilities(at), at), at.inputs),
            np.delete(weights_gradient(at), at.y, axis=0),
        ],
        algebra=True,
        slip="In the code `p` is an array; on paper the same letter became one number.",
    ),
    Statement(
        slug="softmax",
        lines=lines("20, 22"),
        quote=r"$p_j = e^{o_j} / \sum_k e^{o_k}$",
        verdict=Verdict.RIGHT,
        links=("eq-delta-loss",),
        claim=lambda at: [exp(at.z) / exp(at.z).sum(), sg.softmax(at.z)],
    ),
    Statement(
        slug="diagonal",
        lines=lines("24, 26"),
        quote=r"$\partial p_j/\partial o_i = p_i(1 - p_i)$, $\; i = j$",
        verdict=Verdict.RIGHT,
        links=("eq-delta-cases",),
        claim=lambda at: [at.q * (1 - at.q), np.diag(at.jacobian)],
        algebra=True,
    ),
    Statement(
        slug="number-of-classes",
        lines=lines("45, 58, 62"),
        quote=r"$\sum_{j=0}^{n} e^{f_j}$",
        verdict=Verdict.UNSTATED,
        links=("eq-delta-loss",),
        claim=lambda at: [len(range(at.classes - 1 + 1)), at.classes],
        assumption=r"$n$ is the number of classes minus one",
        otherwise=lambda at: [len(range(at.classes + 1)), at.classes],
        shown=COLD,
        correction=(
            r"$\sum_{j=0}^{C-1}$ or $\sum_{j=1}^{C}$. The sum from 0 to $n$ has "
            r"$n + 1$ terms, and $n$ is not defined."
        ),
        corrected=lambda at: [
            sum(exp(at.z)[j] for j in range(at.classes)),
            exp(at.z).sum(),
        ],
        slip="Counting from 0 comes from code, the closed upper end from mathematics.",
    ),
    Statement(
        slug="loss-in-p",
        lines=lines("45, 54"),
        quote=(r"$L_i = -\log \frac{e^{f_{y_i}}}{\sum_j e^{f_j}} = -\log(p_{y_i})$"),
        verdict=Verdict.RIGHT,
        links=("eq-delta-loss",),
        claim=lambda at: [
            -log(exp(at.z)[at.y] / exp(at.z).sum()),
            -log(at.q[at.y]),
        ],
        algebra=True,
    ),
    Statement(
        slug="normalised",
        lines=lines("56, 58, 60, 62"),
        quote=r"$p_k = e^{f_k}/\sigma$ is a vector of normalized probabilities.",
        verdict=Verdict.RIGHT,
        links=("eq-delta-loss",),
        claim=lambda at: [
            (exponentials(at)[0] / exponentials(at)[1]).sum(),
            1,
        ],
        algebra=True,
    ),
    Statement(
        slug="quotient-same",
        lines=lines("64, 66"),
        quote=(
            r"For $k = y_i$: $\partial p_k/\partial f_{y_i} "
            r"= (e^{f_k}\sigma - e^{2 f_k})/\sigma^2$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-cases",),
        claim=lambda at: [
            (exp(at.z) * exp(at.z).sum() - exp(2 * at.z)) / exp(at.z).sum() ** 2,
            np.diag(at.jacobian),
        ],
        algebra=True,
    ),
    Statement(
        slug="quotient-other",
        lines=lines("68, 70"),
        quote=(
            r"For $k \neq y_i$, with $e^{f_k}$ a constant: "
            r"$\partial p_k/\partial f_{y_i} = -e^{f_k} e^{f_{y_i}}/\sigma^2$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-cases",),
        claim=lambda at: [
            off_label(-exp(at.z) * exp(at.z)[at.y] / exp(at.z).sum() ** 2, at),
            off_label(at.jacobian[:, at.y], at),
        ],
        algebra=True,
    ),
    Statement(
        slug="outer",
        lines=lines("72, 74"),
        quote=r"$\partial L_i/\partial p_k = -1/p_{y_i}$",
        verdict=Verdict.WRONG,
        links=("eq-delta-outer",),
        shown=COLD,
        claim=lambda at: [
            -np.ones(at.classes) / at.q[at.y],
            loss_in_probabilities(at),
        ],
        correction=(
            r"$\partial L_i/\partial p_k = -\delta_{k y_i}/p_{y_i}$: the loss contains "
            r"one probability, and its derivative in the others is 0."
        ),
        corrected=lambda at: [-at.one_hot / at.q[at.y], loss_in_probabilities(at)],
        algebra=True,
        slip=r"$k$ is the letter of the whole derivation; only $k = y_i$ was meant.",
    ),
    Statement(
        slug="chain",
        lines=lines("76, 78"),
        quote=(
            r"$\frac{\partial L_i}{\partial f_k} = -\frac{1}{e^{f_k}/\sigma}\,"
            r"\frac{\partial p_k}{\partial f_{y_i}}$"
        ),
        verdict=Verdict.WRONG,
        links=("eq-delta-printed", "eq-delta-chain"),
        shown=COLD,
        claim=lambda at: [printed_chain(at), at.hard_gradient],
        correction=(
            r"$-\frac{1}{p_{y_i}}\,\frac{\partial p_{y_i}}{\partial f_k}$: $k$ and "
            r"$y_i$ have changed places. As printed every $k \neq y_i$ gets the same "
            r"number, $p_{y_i}$."
        ),
        corrected=lambda at: [mended_chain(at), at.hard_gradient],
        algebra=True,
        difference=general_printed_chain,
        slip=(
            "The symmetry of the Jacobian makes one half of the exchange harmless, so "
            "that the other half passes unseen."
        ),
    ),
    Statement(
        slug="reciprocal",
        lines=lines("78"),
        quote=(
            r"$-\frac{1}{e^{f_k}/\sigma}\,\frac{\partial p_k}{\partial f_{y_i}} "
            r"= -\frac{\sigma}{e^{f_k}}\,\frac{\partial p_k}{\partial f_{y_i}}$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-printed",),
        claim=lambda at: [
            -1 / (exp(at.z) / exp(at.z).sum()) * at.jacobian[:, at.y],
            -exp(at.z).sum() / exp(at.z) * at.jacobian[:, at.y],
        ],
        algebra=True,
    ),
    Statement(
        slug="label-index",
        lines=lines("80, 84"),
        quote=r"$k = y_j$ and $k \neq y_j$",
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-delta-two-cases",),
        correction=r"$k = y_i$ and $k \neq y_i$: the label of the example at hand.",
        corrected=lambda at: [
            np.where(np.arange(at.classes) == at.y, at.q - 1, at.q),
            at.hard_gradient,
        ],
        slip=r"$j$ has just been the index of the sum.",
    ),
    Statement(
        slug="label-entry",
        lines=lines("80, 82"),
        quote=(
            r"$\frac{\partial L_i}{\partial f_k} = \frac{e^{f_k} - \sigma}{\sigma} "
            r"= \frac{e^{f_k}}{\sigma} - 1 = p_k - 1$ for the label"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-two-cases",),
        claim=lambda at: [
            ((exp(at.z) - exp(at.z).sum()) / exp(at.z).sum())[at.y],
            (exp(at.z) / exp(at.z).sum() - 1)[at.y],
            at.q[at.y] - 1,
            at.hard_gradient[at.y],
        ],
        algebra=True,
    ),
    Statement(
        slug="other-entries",
        lines=lines("84, 86"),
        quote=(
            r"$\frac{\partial L_i}{\partial f_k} = \frac{e^{f_k}}{\sigma} = p_k$ "
            "for the other classes"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-two-cases",),
        claim=lambda at: [
            off_label(exp(at.z) / exp(at.z).sum(), at),
            off_label(at.q, at),
            off_label(at.hard_gradient, at),
        ],
        algebra=True,
    ),
    Statement(
        slug="does-not-follow",
        lines=lines("84, 86"),
        quote=r"$p_k$ follows from the chain rule as printed before it.",
        verdict=Verdict.WRONG,
        links=("eq-delta-printed-values",),
        shown=COLD,
        claim=lambda at: [
            off_label(printed_chain(at), at),
            off_label(at.q, at),
        ],
        correction=(
            r"The printed chain rule gives $p_{y_i}$. With $-\frac{1}{p_{y_i}}\,"
            r"\frac{\partial p_{y_i}}{\partial f_k}$ it gives $p_k$."
        ),
        corrected=lambda at: [
            off_label(mended_chain(at), at),
            off_label(at.q, at),
        ],
        algebra=True,
        slip="The end was known, and a known end is not checked against its beginning.",
    ),
    Statement(
        slug="delta",
        lines=lines("88, 90"),
        quote=r"$\frac{\partial L_i}{\partial f_k} = p_k - \delta_{k y_i}$",
        verdict=Verdict.RIGHT,
        links=("eq-delta-gradient",),
        claim=lambda at: [at.q - at.one_hot, at.hard_gradient],
        algebra=True,
        difference=general_delta,
    ),
)

DOCUMENT = Document(
    name="softmax-loss-derivative",
    total_lines=96,
    statements=STATEMENTS,
    trivial={
        "votes, names, dates, the site's own text": lines(
            "1-2, 30-32, 34-38, 40, 42-43, 92, 94, 96"
        ),
        "empty": lines(
            "3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 39, 41, 44, 46, 48, "
            "51, 53, 55, 57, 59, 61, 63, 65, 67, 69, 71, 73, 75, 77, 79, 81, 83, 85, "
            "87, 89, 91, 93, 95"
        ),
        "the question itself": lines("4, 28"),
        "points to another text": lines("33"),
        "names a letter": lines("47, 49-50"),
        "says what is sought": lines("52"),
    },
    tempered=False,
)
