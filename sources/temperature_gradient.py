"""The thread on the gradient with a temperature: math.SE 3789676."""

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
    equal_means,
    exp,
    lines,
    log,
    normalised,
    one_hot,
    softened,
    softmax,
    zero_means,
)

OTHER_SUM = replace(EXAMPLE, t=HEAVY)
UNNORMALISED = "the targets sum to one"


def without_diagonal(matrix):
    """Set the terms j = i of a table of terms to zero."""
    return matrix * (1 - np.eye(len(matrix), dtype=int))


def loss_terms(at):
    """Return the derivative of t_j log y_j in z_i, in row j and column i."""
    return derivative(
        lambda z: at.t * log(softmax(z, temperature=at.temperature)), at.z
    )


def split_sum(at, divisor):
    """Return the gradient with the term j = i of the sum apart, as the answer has it.

    In the letters of the answer y is q. Row j of the tables, column i.
    """
    y, t = at.q, at.t
    others = (
        without_diagonal(np.outer(t / y, np.ones_like(t)) * -np.outer(y, y)) / divisor
    )
    return -t / y * y * (1 - y) / divisor - others.sum(axis=0)


def recombined_sum(at, divisor):
    y, t = at.q, at.t
    first = -t + t * y + without_diagonal(np.outer(t, y)).sum(axis=0)
    second = -t + np.outer(t, y).sum(axis=0)
    third = -t + y * t.sum()
    return [first / divisor, second / divisor, third / divisor]


def fraction(z, temperature):
    return (1 + z / temperature) / (len(z) + (z / temperature).sum())


def exact(at, temperature):
    difference = softmax(at.z, temperature=temperature) - softmax(
        at.v, temperature=temperature
    )
    return difference / temperature


def relative_error(approximation, at, temperature):
    """Return the error of an approximation to the distillation gradient."""
    true = exact(at, temperature)
    return np.linalg.norm(approximation - true) / np.linalg.norm(true)


def limit_is_approached(approximation, at):
    """Tell whether the relative error falls like 1/T, from T = 100 to T = 200."""
    errors = [relative_error(approximation(at, t), at, t) for t in (100.0, 200.0)]
    return errors[0] < 0.2 and 1.5 < errors[0] / errors[1] < 3


def displayed_fractions(at, temperature):
    difference = fraction(at.z, temperature) - fraction(at.v, temperature)
    return difference / temperature


def uncentred_limit(at, temperature):
    return (at.z - at.v) / (at.classes * temperature**2)


def centred_limit(at, temperature):
    return uncentred_limit(zero_means(at), temperature)


def slope(gradient_at):
    """Return the slope of log ||g|| over log T at T = 1000."""
    norms = [np.linalg.norm(gradient_at(t)) for t in (990.0, 1010.0)]
    return np.round(np.log(norms[1] / norms[0]) / np.log(1010 / 990), 1)


def soft_slope(at):
    return slope(lambda temperature: exact(at, temperature))


def hard_slope(at):
    return slope(lambda t: (softmax(at.z, temperature=t) - at.one_hot) / t)


def total_derivatives(function):
    """Return a matrix whose row i holds d function(x)_i / dx, or a gradient."""
    return lambda x: derivative(function, x)


def differential_chain(at):
    """Return the lines of the differential chain as coefficients of dx.

    The letters are those of the answer: x = o/T, p the probabilities, y the targets.
    """
    x, y = at.z / at.temperature, at.t
    p = softmax(x)
    ones, identity = np.ones_like(p), np.eye(at.classes, dtype=int)
    inverse, covariance = np.diag(1 / p), np.diag(p) - np.outer(p, p)
    return [
        -y @ total_derivatives(lambda x: log(softmax(x)))(x),
        -y @ inverse @ total_derivatives(softmax)(x),
        -y @ inverse @ covariance,
        -y @ (identity - np.outer(ones, p)),
        (np.outer(p, ones) - identity) @ y,
    ]


def frobenius(at):
    """Return A : B = tr(A^T B) and A : A, for two matrices made of the point."""
    first, second = np.outer(at.z, at.v), np.outer(at.t, at.z + at.v)
    return [
        np.stack([(first * second).sum(), (first * first).sum()]),
        np.stack([np.trace(first.T @ second), np.trace(first.T @ first)]),
    ]


def dp_do(at):
    """Return dp_j/do_i for j other than i, as the comments ask."""
    return without_diagonal(at.jacobian)


def euclidean(at):
    """Return the derivative of (1/2) ||q - t||^2 in q."""
    return derivative(lambda q: ((q - at.t) ** 2).sum() / 2, at.q)


def sigmoid(s):
    return 1 / (1 + exp(-s))


def general_gradient():
    """Return the printed last line but one minus the derivative, for any C."""
    symbolic, j = sg.symbolic, sympy.Symbol("j", integer=True)
    over_classes = (j, 0, symbolic.CLASSES - 1)
    y = symbolic.softmax
    printed = (
        -symbolic.TARGETS[symbolic.COLUMN]
        + y(symbolic.COLUMN) * sympy.Sum(symbolic.TARGETS[j], over_classes)
    ) / symbolic.TEMPERATURE
    loss = -sympy.Sum(symbolic.TARGETS[j] * sympy.log(y(j)), over_classes)
    derived = loss.diff(symbolic.LOGITS[symbolic.COLUMN])
    return symbolic.normal_form(printed - derived)


def general_off_diagonal():
    """Return -q_i q_j / T minus the derivative, for any C and j other than i."""
    symbolic = sg.symbolic
    j, i = symbolic.ROW, symbolic.COLUMN
    derived = symbolic.softmax(j).diff(symbolic.LOGITS[i])
    printed = -symbolic.softmax(i) * symbolic.softmax(j) / symbolic.TEMPERATURE
    difference = symbolic.normal_form(printed - derived)
    return difference.subs(sympy.KroneckerDelta(j, i), 0)


STATEMENTS = (
    Statement(
        slug="definition",
        lines=lines("3, 56"),
        quote=r"$p_j = e^{o_j/T} / \sum_k e^{o_k/T}$",
        verdict=Verdict.RIGHT,
        links=("eq-temp-softmax",),
        claim=lambda at: [
            np.exp(at.z / at.temperature) / np.exp(at.z / at.temperature).sum(),
            sg.softmax(at.z, temperature=at.temperature),
        ],
    ),
    Statement(
        slug="letters",
        lines=lines("7"),
        quote=r'"in terms of $p_i$, $q_i$, and $T$"',
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-temp-gradient",),
        correction=(
            r"In terms of $p_i$, $y_i$ and $T$: no $q$ is defined, and the thread "
            r"linked to writes $y$ for the targets. The answer is $(p_i - y_i)/T$."
        ),
        corrected=lambda at: [
            (at.q - normalised(at).t) / at.temperature,
            normalised(at).gradient,
        ],
        algebra=True,
        slip=(
            r"Papers on distillation write $p$ and $q$ for the two distributions, "
            r"and the letters drift from one text into the other."
        ),
    ),
    Statement(
        slug="one-hot",
        lines=lines("18"),
        quote="The loss for softmax outputs assumes one-hot targets.",
        verdict=Verdict.STRONGER,
        links=("eq-temp-general", "eq-temp-gradient"),
        claim=lambda at: [(at.q - at.t) / at.temperature, at.gradient],
        assumption="the targets are one-hot",
        given=one_hot,
        weaker=normalised,
        shown=OTHER_SUM,
        algebra=True,
        correction=r"$\sum_j t_j = 1$ is enough, for hard and for soft targets.",
        corrected=lambda at: [
            (at.q * at.t.sum() - at.t) / at.temperature,
            at.gradient,
        ],
        slip=(
            "One-hot targets are the first example in most texts, so that nobody "
            "names the only property that is used, the sum."
        ),
    ),
    Statement(
        slug="second-factor",
        lines=lines("18"),
        quote=r"That is why the usual derivation lacks a second $1/T$.",
        verdict=Verdict.WRONG,
        links=("eq-temp-gradient", "eq-limit-first"),
        given=softened,
        shown=EXAMPLE,
        claim=lambda at: [(at.q - at.p) / at.temperature**2, softened(at).gradient],
        correction=(
            r"There is no second $1/T$ in the exact gradient, for hard or soft "
            r"targets. It comes from expanding $q - p$ at high temperature."
        ),
        corrected=lambda at: [(at.q - at.p) / at.temperature, softened(at).gradient],
        algebra=True,
        slip=(
            r"The paper's last formula has $1/T^2$ and its first has $1/T$: it looks "
            "as if a factor had been forgotten, where an approximation was made."
        ),
    ),
    Statement(
        slug="log-derivative",
        lines=lines("22"),
        quote=(
            r"$-\sum_j \partial(t_j \log y_j)/\partial z_i "
            r"= -\sum_j t_j\,\partial \log y_j/\partial z_i "
            r"= -\sum_j t_j \frac{1}{y_j}\,\partial y_j/\partial z_i$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-indices",),
        claim=lambda at: [
            -loss_terms(at).sum(axis=0),
            -at.t
            @ derivative(lambda z: log(softmax(z, temperature=at.temperature)), at.z),
            -(at.t / at.q) @ at.jacobian,
            at.gradient,
        ],
        algebra=True,
    ),
    Statement(
        slug="split",
        lines=lines("22"),
        quote=(
            r"$-\frac{t_i}{y_i} y_i (1-y_i) "
            r"- \sum_{j \neq i} \frac{t_j}{y_j} (-y_j y_i)$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-split",),
        given=lambda at: replace(at, temperature=1),
        claim=lambda at: [split_sum(at, 1), at.gradient],
        algebra=True,
    ),
    Statement(
        slug="recombine",
        lines=lines("22"),
        quote=(
            r"$-t_i + t_i y_i + \sum_{j \neq i} t_j y_i "
            r"= -t_i + \sum_j t_j y_i = -t_i + y_i \sum_j t_j$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-split",),
        given=lambda at: replace(at, temperature=1),
        claim=lambda at: [*recombined_sum(at, 1), at.gradient],
        algebra=True,
    ),
    Statement(
        slug="difference",
        lines=lines("22"),
        quote=r"$-t_i + y_i \sum_j t_j = y_i - t_i$",
        verdict=Verdict.UNSTATED,
        links=("eq-delta-sum-one",),
        claim=lambda at: [at.q - at.t, -at.t + at.q * at.t.sum()],
        assumption=UNNORMALISED,
        given=normalised,
        shown=OTHER_SUM,
        algebra=True,
        correction=r"$y_i \sum_j t_j - t_i$ for any targets, at $T = 1$.",
        corrected=lambda at: [
            at.q * at.t.sum() - at.t,
            at.temperature * at.gradient,
        ],
        slip="The sum of the targets is 1 so often that it disappears unnoticed.",
    ),
    Statement(
        slug="lower-bound",
        lines=lines("22, 26"),
        quote=r"$\sum_{j \neq i}^{C}$",
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-temp-indices",),
        correction=(
            r"$\sum_{j = 1,\, j \neq i}^{C}$: an upper bound needs a lower one."
        ),
        corrected=lambda at: [
            sum(at.t[j] for j in range(at.classes) if j != at.y),
            at.t.sum() - at.t[at.y],
        ],
        slip="The condition sits where the lower bound should be.",
    ),
    Statement(
        slug="missing-assumptions",
        lines=lines("24"),
        quote=(
            "The derivation lacks two assumptions: a temperature, and targets that "
            "are a softmax output."
        ),
        verdict=Verdict.STRONGER,
        links=("eq-temp-gradient",),
        claim=lambda at: [(at.q - at.t) / at.temperature, at.gradient],
        assumption="the targets are a softmax output",
        given=softened,
        weaker=normalised,
        shown=OTHER_SUM,
        algebra=True,
        correction=(
            "Only the temperature is new. Targets from a softmax sum to one, and "
            "nothing else about them is used."
        ),
        corrected=lambda at: [
            (at.q * at.t.sum() - at.t) / at.temperature,
            at.gradient,
        ],
        slip="A new name for the targets looks like a new assumption.",
    ),
    Statement(
        slug="softened-letter",
        lines=lines("26"),
        quote=r"With $T \neq 1$: $\partial y_i/\partial z_i = \frac1T y_i(1-y_i)$",
        verdict=Verdict.UNSTATED,
        links=("eq-temp-cases",),
        claim=lambda at: [at.q * (1 - at.q) / at.temperature, np.diag(at.jacobian)],
        assumption=r"$y$ now means $\operatorname{softmax}(z/T)$",
        otherwise=lambda at: [
            softmax(at.z) * (1 - softmax(at.z)) / at.temperature,
            np.diag(derivative(softmax, at.z)),
        ],
        shown=EXAMPLE,
        algebra=True,
        correction=(
            r"Say that $y = \operatorname{softmax}(z/T)$ from here on. For the $y$ of "
            r"the lines before, at $T = 1$, the factor $1/T$ is wrong."
        ),
        corrected=lambda at: [
            np.diag(at.q * (1 - at.q) / at.temperature),
            np.diag(np.diag(at.jacobian)),
        ],
        slip="A letter that keeps its look while its meaning changes is hard to see.",
    ),
    Statement(
        slug="temperature-split",
        lines=lines("26"),
        quote=(
            r"$-\frac{t_i}{y_i} \frac1T y_i (1-y_i) "
            r"- \sum_{j \neq i} \frac{t_j}{y_j} \frac1T (-y_j y_i)$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-indices",),
        claim=lambda at: [split_sum(at, at.temperature), at.gradient],
        algebra=True,
    ),
    Statement(
        slug="temperature-recombine",
        lines=lines("26"),
        quote=(
            r"$-\frac1T t_i + \frac1T t_i y_i + \frac1T \sum_{j \neq i} t_j y_i "
            r"= \dots = -\frac1T t_i + \frac1T y_i \sum_j t_j$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-indices", "eq-temp-general"),
        claim=lambda at: [*recombined_sum(at, at.temperature), at.gradient],
        algebra=True,
        difference=general_gradient,
    ),
    Statement(
        slug="temperature-gradient",
        lines=lines("26"),
        quote=r"$\dots = \frac1T (y_i - t_i)$",
        verdict=Verdict.UNSTATED,
        links=("eq-temp-gradient",),
        claim=lambda at: [(at.q - at.t) / at.temperature, at.gradient],
        assumption=UNNORMALISED,
        given=normalised,
        shown=OTHER_SUM,
        algebra=True,
        correction=r"$\frac1T (y_i \sum_j t_j - t_i)$ for any targets.",
        corrected=lambda at: [
            (at.q * at.t.sum() - at.t) / at.temperature,
            at.gradient,
        ],
        slip="It is the last of many steps, and the only one that assumes something.",
    ),
    Statement(
        slug="teacher",
        lines=lines("30"),
        quote=(
            r"$\frac1T (y_i - t_i) = \frac1T \bigl(e^{z_i/T}/\sum_d e^{z_d/T} "
            r"- e^{v_i/T}/\sum_d e^{v_d/T}\bigr)$"
        ),
        verdict=Verdict.UNSTATED,
        links=("eq-limit-exact",),
        claim=lambda at: [
            (
                exp(at.z / at.temperature) / exp(at.z / at.temperature).sum()
                - exp(at.v / at.temperature) / exp(at.v / at.temperature).sum()
            )
            / at.temperature,
            at.gradient,
        ],
        assumption=r"$v$ are the teacher's logits, and its temperature is $T$ too",
        given=softened,
        shown=replace(EXAMPLE, t=softmax(EXAMPLE.v)),
        algebra=True,
        correction=(
            r"Introduce $v$, and soften both models with the same $T$. A teacher left "
            r"at temperature 1 gives $\frac1T (q - \operatorname{softmax}(v))$."
        ),
        corrected=lambda at: [
            (at.q - softmax(at.v)) / at.temperature,
            replace(at, t=softmax(at.v)).gradient,
        ],
        slip=r"One letter $T$ for two models hides that there are two choices.",
    ),
    Statement(
        slug="fractions",
        lines=lines("32"),
        quote=(
            r"For $T$ high compared with the logits: $\frac1T \bigl("
            r"\frac{1 + z_i/T}{C + \sum_d z_d/T} - "
            r"\frac{1 + v_i/T}{C + \sum_d v_d/T}\bigr)$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-limit-fraction",),
        claim=lambda at: [True, limit_is_approached(displayed_fractions, at)],
    ),
    Statement(
        slug="linear",
        lines=lines("34"),
        quote=(r"$e^x \approx 1 + x$ for a very small $x$, and the same in the sums"),
        verdict=Verdict.RIGHT,
        links=("eq-limit-numerator", "eq-limit-denominator"),
        claim=lambda at: [
            True,
            all(
                abs(np.expm1(x) - x) <= x**2
                and abs(np.exp(at.z * x).sum() - (at.classes + (at.z * x).sum()))
                <= (at.z**2).sum() * x**2
                for x in (0.1, -0.1, 1e-3)
            ),
        ],
    ),
    Statement(
        slug="zero-sums",
        lines=lines("34"),
        quote=(
            r"With $\sum_d z_d = \sum_d v_d = 0$ the fractions become "
            r"$\frac{1}{C T^2}(z_i - v_i)$."
        ),
        verdict=Verdict.RIGHT,
        links=("eq-limit-first",),
        given=zero_means,
        claim=lambda at: [
            displayed_fractions(at, at.temperature),
            uncentred_limit(at, at.temperature),
        ],
        algebra=True,
    ),
    Statement(
        slug="zero-means",
        lines=lines("34"),
        quote=(
            r"For the limit $\frac{1}{C T^2}(z_i - v_i)$ the logits have zero means, "
            "each for itself."
        ),
        verdict=Verdict.STRONGER,
        links=("eq-limit-first", "eq-limit-uncentred"),
        claim=lambda at: [True, limit_is_approached(uncentred_limit, at)],
        assumption="both means are zero",
        given=zero_means,
        weaker=equal_means,
        shown=EXAMPLE,
        correction=(
            r"Equal means are enough. Without any assumption the limit is "
            r"$\frac{1}{C T^2}(\tilde z_i - \tilde v_i)$, each centred by its own mean."
        ),
        corrected=lambda at: [True, limit_is_approached(centred_limit, at)],
        slip="Two sums are set to zero, although only their difference has to vanish.",
    ),
    Statement(
        slug="high",
        lines=lines("32, 34"),
        quote=r"$T$ is to be high compared with the magnitude of the logits.",
        verdict=Verdict.STRONGER,
        links=("eq-limit-first", "eq-limit-uncentred"),
        claim=lambda at: [True, limit_is_approached(centred_limit, at)],
        assumption=r"$\lvert z_i \rvert$ and $\lvert v_i \rvert$ are small beside $T$",
        weaker=lambda at: replace(at, z=at.z + 1000, v=at.v - 1000),
        shown=replace(EXAMPLE, z=1000 * EXAMPLE.z),
        correction=(
            r"For the last formula it is enough that $\lvert z_i - \bar z \rvert$ and "
            r"$\lvert v_i - \bar v \rvert$ are small beside $T$: a shift of 1000 does "
            r"no harm. (The fractions in between do need small logits.)"
        ),
        corrected=lambda at: [
            True,
            limit_is_approached(
                centred_limit, replace(at, z=at.z - 1000, v=at.v + 1000)
            ),
        ],
        slip=(
            "The expansion is written for each logit, and softmax's indifference to "
            "a shift is not used before the end."
        ),
    ),
    Statement(
        slug="arrival",
        lines=lines("36"),
        quote=r"This is where the $1/T^2$ comes from.",
        verdict=Verdict.UNSTATED,
        links=("eq-temp-first-order", "eq-limit-first"),
        claim=lambda at: [-2.0, soft_slope(at)],
        assumption="the targets are a teacher's, softened by the same $T$",
        otherwise=lambda at: [-2.0, hard_slope(at)],
        shown=EXAMPLE,
        correction=(
            r"The norm of the gradient falls like $1/T^2$ for large $T$ if the targets "
            r"are softened too. With a hard label it falls like $1/T$."
        ),
        corrected=lambda at: [
            np.array([-2.0, -1.0]),
            np.array([soft_slope(at), hard_slope(at)]),
        ],
        slip=(
            "A statement about large temperatures is easily carried over to every "
            "temperature, and one about soft targets to hard ones."
        ),
    ),
    Statement(
        slug="inner-steps",
        lines=lines("42"),
        quote=(
            r"$dx = do/T$; $\;de = E\,dx$ for $e = \exp(x)$, "
            r"$E = \operatorname{Diag}(e)$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-differentials", "eq-struct-steps"),
        claim=lambda at: [
            np.stack(
                [np.eye(at.classes, dtype=int) / at.temperature, np.diag(exp(at.z))]
            ),
            np.stack(
                [
                    derivative(lambda o: o / at.temperature, at.z),
                    derivative(exp, at.z),
                ]
            ),
        ],
        algebra=True,
    ),
    Statement(
        slug="dp",
        lines=lines("42"),
        quote=r"$dp = (P - p p^T)\,dx$ for $p = e/(\mathbf 1 : e)$",
        verdict=Verdict.RIGHT,
        links=("eq-temp-differentials", "eq-struct-jacobian"),
        claim=lambda at: [
            np.diag(softmax(at.z)) - np.outer(softmax(at.z), softmax(at.z)),
            derivative(lambda x: exp(x) / exp(x).sum(), at.z),
        ],
    ),
    Statement(
        slug="frobenius",
        lines=lines("42"),
        quote=(
            r"$A : B = \sum_{i,j} A_{ij} B_{ij} = \operatorname{Tr}(A^T B)$, "
            r"$\;A : A = \lVert A \rVert_F^2$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-frobenius",),
        claim=frobenius,
        algebra=True,
    ),
    Statement(
        slug="objective",
        lines=lines("42"),
        quote=r"$\mathcal L = -y : \log(p)$",
        verdict=Verdict.RIGHT,
        links=("eq-temp-loss",),
        claim=lambda at: [
            -at.t @ log(at.q),
            cross_entropy(at.z, at.t, temperature=at.temperature),
        ],
        algebra=True,
    ),
    Statement(
        slug="differential-chain",
        lines=lines("42"),
        quote=(
            r"$d\mathcal L = -y : d\log(p) = -y : P^{-1} dp "
            r"= -y : P^{-1}(P - p p^T)\,dx = -y : (I - \mathbf 1 p^T)\,dx "
            r"= (p \mathbf 1^T - I)\,y : dx$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-frobenius-chain", "eq-temp-log-softmax"),
        claim=lambda at: [*differential_chain(at), at.temperature * at.gradient],
    ),
    Statement(
        slug="differential-sum",
        lines=lines("42"),
        quote=r"$(p \mathbf 1^T - I)\,y : dx = (p - y) : \frac{do}{T}$",
        verdict=Verdict.UNSTATED,
        links=("eq-temp-frobenius-chain",),
        claim=lambda at: [at.q - at.t, differential_chain(at)[-1]],
        assumption=r"$\mathbf 1^T y = 1$",
        given=normalised,
        shown=OTHER_SUM,
        correction=r"$(p\,(\mathbf 1^T y) - y) : \frac{do}{T}$ for any targets.",
        corrected=lambda at: [differential_chain(at)[-1], at.q * at.t.sum() - at.t],
        slip=r"$\mathbf 1^T y$ looks like notation, and is a number.",
    ),
    Statement(
        slug="differential-gradient",
        lines=lines("42"),
        quote=r"$\partial \mathcal L/\partial o = (p - y)/T$",
        verdict=Verdict.UNSTATED,
        links=("eq-temp-gradient", "eq-struct-read"),
        claim=lambda at: [(at.q - at.t) / at.temperature, at.gradient],
        assumption=r"$\mathbf 1^T y = 1$, as in the line before",
        given=normalised,
        shown=OTHER_SUM,
        algebra=True,
        correction=r"$(p\,(\mathbf 1^T y) - y)/T$ for any targets.",
        corrected=lambda at: [
            (at.q * at.t.sum() - at.t) / at.temperature,
            at.gradient,
        ],
        slip="The result inherits an assumption that was never written down.",
    ),
    Statement(
        slug="recovered",
        lines=lines("44"),
        quote=r"Setting $T = 1$ recovers the answer for softmax alone.",
        verdict=Verdict.RIGHT,
        links=("eq-temp-gradient", "eq-delta-sum-one"),
        given=lambda at: replace(normalised(at), temperature=1),
        claim=lambda at: [(at.q - at.t) / at.temperature, at.q - at.t, at.gradient],
        algebra=True,
    ),
    Statement(
        slug="chain-rule",
        lines=lines("50"),
        quote=(
            r"$\frac{\partial L}{\partial s} = \frac{\partial L}{\partial y} \times "
            r"\frac{\partial y}{\partial s}$"
        ),
        verdict=Verdict.UNSTATED,
        links=("eq-temp-indices", "eq-sum-chain"),
        claim=lambda at: [(-at.t / at.q) @ at.jacobian, at.gradient],
        assumption=r"$\times$ is the product of a row and the Jacobian matrix",
        otherwise=lambda at: [(-at.t / at.q) * np.diag(at.jacobian), at.gradient],
        shown=EXAMPLE,
        algebra=True,
        correction=(
            r"$\frac{\partial L}{\partial s_i} = \sum_j \frac{\partial L}{\partial y_j}"
            r"\,\frac{\partial y_j}{\partial s_i}$. The product of entries that the "
            "next sentence takes leaves one term of this sum."
        ),
        corrected=lambda at: [
            sum((-at.t / at.q)[j] * at.jacobian[j] for j in range(at.classes)),
            at.gradient,
        ],
        slip="For one input and one output there is no sum to forget.",
    ),
    Statement(
        slug="euclidean",
        lines=lines("50"),
        quote=r"For Euclidean loss the first term is $(y - L)$.",
        verdict=Verdict.WRONG,
        links=("eq-temp-loss",),
        shown=EXAMPLE,
        claim=lambda at: [at.q - ((at.q - at.t) ** 2).sum() / 2, euclidean(at)],
        correction=(
            r"$y - t$: output minus target, not minus the loss. And that is the "
            r"derivative of $\frac12 \lVert y - t \rVert^2$; the question was about "
            "cross-entropy."
        ),
        corrected=lambda at: [at.q - at.t, euclidean(at)],
        algebra=True,
        slip=r"$L$ can stand for label as well as for loss.",
    ),
    Statement(
        slug="sigmoid",
        lines=lines("50"),
        quote=r"The second is $\sigma(s)(1 - \sigma(s)) = y(1-y)$.",
        verdict=Verdict.UNSTATED,
        links=("eq-temp-jacobian", "eq-sum-two"),
        claim=lambda at: [
            sigmoid(at.z) * (1 - sigmoid(at.z)),
            np.diag(derivative(sigmoid, at.z)),
        ],
        assumption="the output is a sigmoid, one for each input",
        otherwise=lambda at: [
            np.diag(at.q * (1 - at.q) / at.temperature)[at.y],
            at.jacobian[at.y],
        ],
        shown=EXAMPLE,
        correction=(
            r"Softmax has the matrix $\frac1T(\operatorname{diag}(q) - q q^\top)$. "
            r"$y(1-y)$ is its diagonal at $T = 1$."
        ),
        corrected=lambda at: [
            (np.diag(at.q) - np.outer(at.q, at.q)) / at.temperature,
            at.jacobian,
        ],
        slip="The sigmoid is the softmax of two classes seen through one logit.",
    ),
    Statement(
        slug="at-one",
        lines=lines("54"),
        quote=r"For $T = 1$: $\partial L/\partial o_i = p_i - y_i$.",
        verdict=Verdict.UNSTATED,
        links=("eq-delta-sum-one",),
        claim=lambda at: [at.q - at.t, at.gradient],
        assumption=UNNORMALISED,
        given=lambda at: replace(normalised(at), temperature=1),
        shown=replace(OTHER_SUM, temperature=1),
        algebra=True,
        correction=r"$p_i \sum_k y_k - y_i$ for any targets.",
        corrected=lambda at: [
            at.q * at.t.sum() - at.t,
            at.temperature * at.gradient,
        ],
        slip="A remembered result is remembered without its condition.",
    ),
    Statement(
        slug="diagonal",
        lines=lines("57"),
        quote=(r"$\frac{\partial y}{\partial o_j} = \frac{1}{T} p_j (1 - p_j)$"),
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-temp-cases",),
        shown=EXAMPLE,
        claim=lambda at: [
            np.diag(at.q * (1 - at.q) / at.temperature)[at.y],
            at.jacobian[:, at.y],
        ],
        correction=(
            r"$\frac{\partial p_j}{\partial o_j}$: the output with the same index. As "
            r"the derivative of the whole output it lacks the entries $-p_i p_j/T$. "
            "(The numbers are for the third class.)"
        ),
        corrected=lambda at: [
            at.q * (1 - at.q) / at.temperature,
            np.diag(at.jacobian),
        ],
        algebra=True,
        slip="An output without an index reads as if there were only one.",
    ),
    Statement(
        slug="just-scaled",
        lines=lines("57"),
        quote='"the same just scaled by $\\frac1T$"',
        verdict=Verdict.UNSTATED,
        links=("eq-temp-jacobian-scaling",),
        claim=lambda at: [at.q * (1 - at.q) / at.temperature, np.diag(at.jacobian)],
        assumption=r"$p$ is taken at the temperature $T$",
        otherwise=lambda at: [
            softmax(at.z) * (1 - softmax(at.z)) / at.temperature,
            np.diag(at.jacobian),
        ],
        shown=EXAMPLE,
        algebra=True,
        correction=(
            r"The same formula scaled by $\frac1T$, with $p = "
            r"\operatorname{softmax}(o/T)$; not the same numbers."
        ),
        corrected=lambda at: [
            (np.diag(at.q) - np.outer(at.q, at.q)) / at.temperature,
            at.jacobian,
        ],
        slip=r"The $T$ in front can be seen, the one inside $p$ cannot.",
    ),
    Statement(
        slug="no-dependence",
        lines=lines("59, 67"),
        quote=(r"$p_j \neq f(o_i)$: $o_i$ is an argument of the $i$-th output only."),
        verdict=Verdict.WRONG,
        links=("eq-jac-offdiagonal", "eq-temp-cases"),
        shown=EXAMPLE,
        claim=lambda at: [np.zeros(at.classes), dp_do(at)[:, at.y]],
        correction=(
            r"$\partial p_j/\partial o_i = -\frac1T p_i p_j$ for $j \neq i$: every "
            r"$o_i$ is in the denominator of every $p_j$."
        ),
        corrected=lambda at: [
            without_diagonal(-np.outer(at.q, at.q) / at.temperature),
            dp_do(at),
        ],
        algebra=True,
        difference=general_off_diagonal,
        slip=(
            "The numerator of $p_j$ does not contain $o_i$, and the numerator is "
            "what one looks at."
        ),
    ),
    Statement(
        slug="linked-log-derivative",
        lines=lines("64"),
        quote=(
            r"$-\sum_k y_k\,\partial \log p_k/\partial o_i "
            r"= -\sum_k y_k \frac{1}{p_k}\,\partial p_k/\partial o_i$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-temp-indices",),
        claim=lambda at: [
            -at.t
            @ derivative(lambda z: log(softmax(z, temperature=at.temperature)), at.z),
            -(at.t / at.q) @ at.jacobian,
            at.gradient,
        ],
        algebra=True,
    ),
    Statement(
        slug="linked-chain",
        lines=lines("64"),
        quote=(
            r"$-y_i(1-p_i) - \sum_{k \neq i} y_k \frac{1}{p_k} (-p_k p_i) "
            r"= \dots = p_i \bigl(\sum_k y_k\bigr) - y_i$"
        ),
        verdict=Verdict.RIGHT,
        links=("eq-delta-split",),
        given=lambda at: replace(at, temperature=1),
        claim=lambda at: [split_sum(at, 1), *recombined_sum(at, 1), at.gradient],
        algebra=True,
    ),
    Statement(
        slug="linked-difference",
        lines=lines("64"),
        quote=r"$p_i \bigl(\sum_k y_k\bigr) - y_i = p_i - y_i$",
        verdict=Verdict.UNSTATED,
        links=("eq-delta-sum-one",),
        claim=lambda at: [at.q - at.t, at.q * at.t.sum() - at.t],
        assumption=UNNORMALISED,
        given=normalised,
        shown=OTHER_SUM,
        algebra=True,
        correction=r"Stop one step earlier unless $\sum_k y_k = 1$.",
        corrected=lambda at: [
            at.q * at.t.sum() - at.t,
            at.temperature * at.gradient,
        ],
        slip="The bracket marks the sum, but not that it has to be 1.",
    ),
    Statement(
        slug="line-breaks",
        lines=lines("64"),
        quote=r"`\=` between the lines of the derivation",
        verdict=Verdict.TYPOGRAPHICAL,
        links=("eq-temp-indices",),
        correction=(
            r"`\\=`: a backslash of each line break was lost. The lines are equal "
            "all the same."
        ),
        corrected=lambda at: [
            split_sum(at, at.temperature),
            *recombined_sum(at, at.temperature),
            at.gradient,
        ],
        slip="The comment box takes no line breaks.",
    ),
    Statement(
        slug="known-scaling",
        lines=lines("68"),
        quote=r"The gradient would scale by $1/T^2$.",
        verdict=Verdict.UNSTATED,
        links=("eq-temp-first-order",),
        claim=lambda at: [-2.0, soft_slope(at)],
        assumption=r"$T$ is large, and the targets are softened by the same $T$",
        otherwise=lambda at: [-2.0, hard_slope(at)],
        shown=EXAMPLE,
        correction=(
            r"As $T \to \infty$, and for a softened teacher. For fixed targets, "
            r"except uniform ones, it scales by $1/T$."
        ),
        corrected=lambda at: [
            np.array([-2.0, -1.0]),
            np.array([soft_slope(at), hard_slope(at)]),
        ],
        slip=r"The sentence of the paper that everybody quotes has $1/T^2$ in it.",
    ),
    Statement(
        slug="precisely",
        lines=lines("68"),
        quote=r'"Is it precisely $1/T^2 (p_i - y_i)$ or something else"',
        verdict=Verdict.WRONG,
        links=("eq-temp-gradient",),
        shown=EXAMPLE,
        claim=lambda at: [
            (at.q - normalised(at).t) / at.temperature**2,
            normalised(at).gradient,
        ],
        correction=r"It is precisely $\frac1T (p_i - y_i)$, if $\sum_k y_k = 1$.",
        corrected=lambda at: [
            (at.q - normalised(at).t) / at.temperature,
            normalised(at).gradient,
        ],
        algebra=True,
        slip=(
            r"How the whole gradient scales was taken for the factor in front of "
            r"$p_i - y_i$; the difference itself shrinks with $T$ too."
        ),
    ),
)

DOCUMENT = Document(
    name="temperature-gradient",
    total_lines=68,
    statements=STATEMENTS,
    trivial={
        "votes, names, reputation, counts of answers": lines(
            "1, 11-12, 14, 16, 38-40, 46-48, 52-53"
        ),
        "empty": lines(
            "2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 41, "
            "43, 45, 49, 51, 61, 63, 65"
        ),
        "points to another text": lines("5, 20, 28, 60"),
        "thanks for an edit": lines("9"),
        "a question, or the answer to one, about the letter o": lines("55"),
        "a question without a formula": lines("58, 62"),
        "a signature": lines("66"),
    },
    tempered=True,
)
