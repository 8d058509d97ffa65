"""The study note in Korean on the gradient of distillation."""

from dataclasses import replace

import numpy as np

import softmax_gradients as sg

from .statement import (
    EXAMPLE,
    Document,
    Statement,
    Verdict,
    cross_entropy,
    derivative,
    exp,
    lines,
    log,
    normalised,
    softmax,
)
from .temperature_gradient import recombined_sum, split_sum, without_diagonal


def loss_in_probabilities(at):
    """Return the derivative of -sum_j p_j log q_j in each q_j, with p for at.t."""
    return derivative(lambda q: -(at.t * log(q)).sum(), at.q)


def diagonal(at):
    e = exp(at.z / at.temperature)
    quotient = (e * e.sum() - e * e) / e.sum() ** 2
    return quotient / at.temperature


def all_pairs(at):
    """Return the quotient of the second case for every pair j, i."""
    e = exp(at.z / at.temperature)
    return (0 - np.outer(e, e)) / e.sum() ** 2 / at.temperature


STATEMENTS = (
    Statement(
        slug="teacher",
        lines=lines("15"),
        quote=r"$p_i = \exp(v_i/T) / \sum_j \exp(v_j/T)$",
        verdict=Verdict.RIGHT,
        links=("eq-limit-exact",),
        claim=lambda at: [
            exp(at.v / at.temperature) / exp(at.v / at.temperature).sum(),
            sg.softmax(at.v, temperature=at.temperature),
        ],
    ),
    Statement(
        slug="student",
        lines=lines("16"),
        quote=r"$q_i = \exp(z_i/T) / \sum_j \exp(z_j/T)$",
        verdict=Verdict.RIGHT,
        links=("eq-temp-softmax",),
        claim=lambda at: [
            exp(at.z / at.temperature) / exp(at.z / at.temperature).sum(),
            sg.softmax(at.z, temperature=at.temperature),
        ],
    ),
    Statement(
        slug="usual-temperature",
        lines=lines("24"),
        quote=r"The temperature is normally 1.",
        verdict=Verdict.RIGHT,
        links=("eq-temp-softmax",),
        given=lambda at: replace(at, temperature=1),
        claim=lambda at: [at.q, exp(at.z) / exp(at.z).sum()],
        algebra=True,
        slip=(
            "This is the paper's own wording: without distillation nothing is "
            r"softened. For distillation $T > 1$ is the point."
        ),
    ),
    Statement(
        slug="cross-entropy",
        lines=lines("27"),
        quote=r"$\mathrm{CE} = -\sum_{i=1}^{C} p_i \log(q_i)$",
        verdict=Verdict.RIGHT,
        links=("eq-temp-loss",),
        claim=lambda at: [
            -sum(at.t[i] * log(at.q[i]) for i in range(at.classes)),
            cross_entropy(at.z, at.t, temperature=at.temperature),
        ],
        algebra=True,
    ),
    Statement(
        slug="hard-case",
        lines=lines("30"),
        quote=r"Without distillation $y_i$ stands in the place of $p_i$.",
        verdict=Verdict.RIGHT,
        links=("eq-delta-soft-loss",),
        claim=lambda at: [
            cross_entropy(at.z, at.one_hot, temperature=at.temperature),
            -log(at.q[at.y]),
        ],
        algebra=True,
    ),
    Statement(
        slug="chain",
        lines=lines("37-38"),
        quote=(
            r"$\frac{\partial \mathrm{CE}}{\partial z_i} = "
            r"\frac{\partial \mathrm{CE}}{\partial q_j}\,"
            r"\frac{\partial q_j}{\partial z_i}$"
        ),
        verdict=Verdict.WRONG,
        links=("eq-temp-indices", "eq-sum-chain"),
        shown=replace(EXAMPLE, t=softmax(EXAMPLE.v, temperature=EXAMPLE.temperature)),
        claim=lambda at: [
            loss_in_probabilities(at)[at.y] * at.jacobian[at.y],
            at.gradient,
        ],
        correction=(
            r"$\sum_{j=1}^{C} \frac{\partial \mathrm{CE}}{\partial q_j}\,"
            r"\frac{\partial q_j}{\partial z_i}$: there is no $j$ on the left, so "
            "it must be summed on the right. (The numbers take the third class for "
            "$j$.)"
        ),
        corrected=lambda at: [
            sum(
                loss_in_probabilities(at)[j] * at.jacobian[j] for j in range(at.classes)
            ),
            at.gradient,
        ],
        algebra=True,
        slip="The chain rule of one variable has this form, without a sum.",
    ),
    Statement(
        slug="outer",
        lines=lines("39-40"),
        quote=(
            r"$\frac{\partial \mathrm{CE}}{\partial q_j} "
            r"= \sum_{j=1}^{C} -\frac{p_j}{q_j}$"
        ),
        verdict=Verdict.WRONG,
        links=("eq-sum-cotangent",),
        shown=replace(EXAMPLE, t=softmax(EXAMPLE.v, temperature=EXAMPLE.temperature)),
        claim=lambda at: [
            np.full(at.classes, -(at.t / at.q).sum()),
            loss_in_probabilities(at),
        ],
        correction=(
            r"$-\frac{p_j}{q_j}$: only one term of the loss contains $q_j$. The "
            "sum belongs to the line before."
        ),
        corrected=lambda at: [-at.t / at.q, loss_in_probabilities(at)],
        algebra=True,
        slip="The loss is a sum, and the sign of the sum was copied with its terms.",
    ),
    Statement(
        slug="index-clash",
        lines=lines("41-42, 44, 47"),
        quote=(
            r"$\frac{\partial q_j}{\partial z_i} = \frac{\partial}{\partial z_i}"
            r"\frac{\exp(z_j/T)}{\sum_j \exp(z_j/T)}$"
        ),
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-jac-clash", "eq-temp-partition"),
        correction=(
            r"$\sum_k \exp(z_k/T)$: $j$ names the output above the line, so the sum "
            "below needs a letter of its own, here and in both cases."
        ),
        corrected=lambda at: [
            derivative(
                lambda z: np.stack(
                    [
                        exp(z[j] / at.temperature)
                        / sum(exp(z[k] / at.temperature) for k in range(len(z)))
                        for j in range(len(z))
                    ]
                ),
                at.z,
            ),
            at.jacobian,
        ],
        algebra=True,
        slip=r"The definition of $q_i$ sums over $j$; then the output is renamed $j$.",
    ),
    Statement(
        slug="same-index",
        lines=lines("43-46"),
        quote=(
            r"$i = j$: $\frac1T \frac{\exp(z_i/T) \sum_j \exp(z_j/T) "
            r"- \exp(z_i/T) \exp(z_i/T)}{(\sum_j \exp(z_j/T))^2} "
            r"= \frac1T (q_i - (q_i)^2)$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-cases",),
        claim=lambda at: [
            diagonal(at),
            (at.q - at.q**2) / at.temperature,
            np.diag(at.jacobian),
        ],
        algebra=True,
    ),
    Statement(
        slug="other-index",
        lines=lines("47-50"),
        quote=(
            r"otherwise: $\frac1T \frac{0 - \exp(z_j/T) \exp(z_i/T)}"
            r"{(\sum_j \exp(z_j/T))^2} = \frac1T (-q_j q_i)$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-cases",),
        claim=lambda at: [
            without_diagonal(all_pairs(at)),
            without_diagonal(-np.outer(at.q, at.q) / at.temperature),
            without_diagonal(at.jacobian),
        ],
        algebra=True,
    ),
    Statement(
        slug="teacher-derivative",
        lines=lines("51-52"),
        quote=(
            r"$\frac{\partial \mathrm{CE}}{\partial z_i} = \sum_{j=1}^{C} \bigl("
            r"-\frac{p_j}{q_j}\,\frac{\partial p_j}{\partial z_i}\bigr)$"
        ),
        verdict=Verdict.WRONG,
        links=("eq-temp-indices",),
        shown=replace(EXAMPLE, t=softmax(EXAMPLE.v, temperature=EXAMPLE.temperature)),
        claim=lambda at: [
            -(at.t / at.q) @ derivative(lambda z: at.t + 0 * z, at.z),
            at.gradient,
        ],
        correction=(
            r"$\frac{\partial q_j}{\partial z_i}$: the student's probabilities move "
            r"with its logits. The teacher's do not, and as printed the sum is 0."
        ),
        corrected=lambda at: [-(at.t / at.q) @ at.jacobian, at.gradient],
        algebra=True,
        slip="$p$ and $q$ look alike, and the next line goes on as if it said $q$.",
    ),
    Statement(
        slug="split",
        lines=lines("53"),
        quote=(
            r"$\frac1T \bigl(-\frac{p_i}{q_i}(q_i - (q_i)^2) "
            r"+ \sum_{j \neq i} \frac{p_j}{q_j} q_j q_i\bigr)$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-indices",),
        claim=lambda at: [split_sum(at, at.temperature), at.gradient],
        algebra=True,
    ),
    Statement(
        slug="recombine",
        lines=lines("54"),
        quote=(r"$\frac1T \bigl(-p_i + \sum_{j=1}^{C} \frac{p_j}{q_j} q_j q_i\bigr)$"),
        verdict=Verdict.RIGHT,
        links=("eq-temp-indices",),
        claim=lambda at: [
            (-at.t + np.outer(at.t / at.q * at.q, at.q).sum(axis=0)) / at.temperature,
            at.gradient,
        ],
        algebra=True,
    ),
    Statement(
        slug="pull-out",
        lines=lines("55"),
        quote=r"$\frac1T \bigl(-p_i + q_i \sum_{j=1}^{C} p_j\bigr)$",
        verdict=Verdict.RIGHT,
        links=("eq-temp-general",),
        claim=lambda at: [recombined_sum(at, at.temperature)[-1], at.gradient],
        algebra=True,
    ),
    Statement(
        slug="gradient",
        lines=lines("56-58"),
        quote=(r"$\frac1T (-p_i + q_i)$, because $\sum_{j=1}^{C} p_j = 1$"),
        verdict=Verdict.RIGHT,
        links=("eq-temp-gradient",),
        given=normalised,
        claim=lambda at: [(-at.t + at.q) / at.temperature, at.gradient],
        algebra=True,
        slip="The assumption is stated, in the line that uses it.",
    ),
)

DOCUMENT = Document(
    name="distillation-gradient-ko",
    total_lines=62,
    statements=STATEMENTS,
    trivial={
        "title, author, tags": lines("1-7"),
        "empty": lines("8, 10, 12, 19, 25, 29, 32, 34, 61"),
        "says what the note is for": lines("9"),
        "a heading": lines("11, 33"),
        "opens or closes a formula": lines("13-14, 17-18, 26, 28, 35-36, 59-60"),
        "names a letter": lines("20-23, 31"),
        "a link": lines("62"),
    },
    tempered=True,
)
