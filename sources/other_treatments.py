"""Other treatments of the same derivative, good ones, with one slip or two each.

Each place was read in the version that the address names, and an entry says no more
than its words do. Later versions may differ.
"""

from dataclasses import replace

import numpy as np

from .statement import (
    EXAMPLE,
    Statement,
    Treatment,
    Verdict,
    cross_entropy,
    derivative,
    exp,
    log,
    normalised,
    softmax,
    zero_means,
)

COLD = replace(EXAMPLE, temperature=1.0)


def github(repository, commit, path):
    return f"https://github.com/{repository}/blob/{commit}/{path}"


D2L = github(
    "d2l-ai/d2l-en",
    "23d7a5aecceee57d1292c56e90cce307f183bb0a",
    "chapter_linear-classification/softmax-regression.md",
)
CS231N = "3d84654b14608fbccdff2393485631aaacfc9dab"
CS231N_CASE = github("cs231n/cs231n.github.io", CS231N, "neural-networks-case-study.md")
ROELANTS = github(
    "peterroelants/peterroelants.github.io",
    "e0b31112b49490f1c33e7f105a586e8deab590bc",
    "notebooks/cross_entropy/cross-entropy-softmax.ipynb",
)
OPTAX = github(
    "google-deepmind/optax",
    "2edbcbe2390da13983b92cbef94ac0460ecde1c5",
    "optax/losses/_classification.py",
)
PYTORCH = github(
    "pytorch/tutorials",
    "c53e7d4efc0e39e455c531d21ec7db28ba220214",
    "beginner_source/knowledge_distillation_tutorial.py",
)
MMIDS = "1eae6c5fbd72c5b40e8319de88ffd17d7b9c15af"
MMIDS_TEXT = github(
    "MMiDS-textbook/MMiDS-textbook.github.io",
    MMIDS,
    "chap08_nn/04_sgd/roch-mmids-nn-sgd.html",
)
MMIDS_PROBLEMS = github(
    "MMiDS-textbook/MMiDS-textbook.github.io",
    MMIDS,
    "chap08_nn/exercises/roch-mmids-nn-exercises.html",
)
INSIDE = github(
    "PilotLeoYan/inside-deep-learning",
    "5920da2405cbe7f992ee8263dee39e884a4ccdf4",
    "content/2-classification/softmax-function-and-its-derivative.ipynb",
)
RIAZ = github(
    "RiazML/math-for-llms",
    "5c3057fc17dee16c1998defc840f74554b84a830",
    "05-Multivariate-Calculus/02-Jacobians-and-Hessians/notes.md",
)
PETERSEN = github(
    "mattpetersen/mattpetersen.github.io",
    "a0aca114858e4f6f7c1c7aa02241219c60bd95ca",
    "_posts/2017-06-25-softmax-with-cross-entropy.md",
)
HINTON = "https://arxiv.org/abs/1503.02531"

OPTAX_LOGITS = np.array([1.2, -0.8, -0.5])
RIAZ_LOGITS = np.array([1.0, 0.0, -1.0])


def log_sum_exp(x):
    return log(exp(x).sum())


def probabilities_after(at, copy):
    """Return the row of probabilities after the gradient has been made from it."""
    probs = at.q[np.newaxis].copy()
    dscores = probs.copy() if copy else probs
    dscores[range(1), [at.y]] -= 1
    return probs[0]


def product_over_i(at):
    """Return the product as printed: over i, of factors in which c stays the first."""
    factors = [at.q[0] ** at.one_hot[0] for _ in range(at.classes)]
    return np.prod(factors)


def product_over_c(at):
    return np.prod([at.q[c] ** at.one_hot[c] for c in range(at.classes)])


def distillation_loss(teacher_logits, logits):
    """Return sum p (log p - log q) in float32, as a program computes it."""
    teacher = np.float32(teacher_logits)
    p = np.exp(teacher - teacher.max())
    p = p / p.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return (p * (np.log(p) - log(softmax(np.asarray(logits))))).sum()


def far_teacher(at):
    return np.append(at.v[:-1], -400.0)


def weights_loss(at):
    return lambda w: cross_entropy(w.reshape(at.weights.shape) @ at.inputs, at.one_hot)


def hessian_in_weights(at):
    """Return the Hessian in the weights, by differences of the exact gradient."""

    def gradient(w):
        return derivative(weights_loss(at), w)

    flat = at.weights.ravel()
    steps = 1e-5 * np.eye(flat.size)
    return np.stack([(gradient(flat + h) - gradient(flat - h)) / 2e-5 for h in steps])


def covariance_hessian(at, v):
    """Return R^T S R with S = diag(g) - g g^T, g = softmax(v)."""
    spread = np.kron(np.eye(at.classes), at.inputs)
    g = softmax(v)
    return spread.T @ (np.diag(g) - np.outer(g, g)) @ spread


def shape_after(at, transposed):
    """Return how many entries R or R^T times (u - y) takes in, and gives out."""
    spread = np.kron(np.eye(at.classes), at.inputs)
    factor = spread.T if transposed else spread
    return np.array([factor.shape[1], factor.shape[0]])


def square_error(at):
    return derivative(lambda z: ((z - at.v) ** 2).sum() / 2, at.z)


def hot_gradient(at, temperature):
    return (
        softmax(at.z, temperature=temperature) - softmax(at.v, temperature=temperature)
    ) / temperature


def limit_is_square(at):
    """Tell whether C T^2 times the gradient tends to that of (1/2) ||z - v||^2."""
    limit = square_error(at)
    errors = [
        np.abs(at.classes * t**2 * hot_gradient(at, t) - limit).max()
        for t in (1e3, 1e5)
    ]
    return bool(errors[0] < 0.05 * np.abs(limit).max() and errors[1] < errors[0] / 50)


def eigenvalues(z):
    return np.sort(np.linalg.eigvalsh(derivative(softmax, z)))[::-1]


def raises_name_error(names):
    """Tell whether the last line of the batch function finds its variables."""
    try:
        eval("(1 / y.shape[0]) * (S - Y)", names)
    except NameError:
        return True
    return False


STATEMENTS = (
    Treatment(
        name="Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network",
        url=HINTON,
        place="section 2.1, after equation 4",
        statement=Statement(
            slug="hinton-square",
            lines=(),
            quote=(
                "In the high-temperature limit distillation is equivalent to "
                r"minimizing $\frac12 (z_i - v_i)^2$, for logits of zero mean."
            ),
            verdict=Verdict.UNSTATED,
            links=("eq-limit-square",),
            given=zero_means,
            claim=lambda at: [True, limit_is_square(at)],
            assumption="summed over the classes, and up to a positive factor",
            otherwise=lambda at: [
                square_error(zero_means(at)),
                hot_gradient(zero_means(at), 20.0),
            ],
            shown=EXAMPLE,
            correction=(
                r"The gradient tends to that of $\frac{1}{2 C T^2} \sum_j "
                r"(\tilde z_j - \tilde v_j)^2$. The factor moves no minimum, but it is "
                r"why the loss is multiplied by $T^2$. (The numbers are for $T = 20$.)"
            ),
            corrected=lambda at: [True, limit_is_square(zero_means(at))],
            slip='"Equivalent" is about where the minimum is, not about the size.',
        ),
    ),
    Treatment(
        name="Roelants, Softmax classification with cross-entropy",
        url=ROELANTS,
        place="the derivative of the cross-entropy, last step",
        statement=Statement(
            slug="roelants-sum",
            lines=(),
            quote=r"$-t_i + y_i \sum_{j=1}^{C} t_j = y_i - t_i$",
            verdict=Verdict.RIGHT,
            links=("eq-delta-sum-one",),
            claim=lambda at: [at.q - at.t, -at.t + at.q * at.t.sum()],
            given=normalised,
            slip=(
                "The page says before that only one class can be active, so the "
                "targets sum to one. For any targets the left side is the result. It "
                "is the derivation that the thread on temperature quotes."
            ),
        ),
    ),
    Treatment(
        name="Roelants, Softmax classification with cross-entropy",
        url=ROELANTS,
        place="the likelihood",
        statement=Statement(
            slug="roelants-product",
            lines=(),
            quote=r"$\prod_{i=c}^{C} P(t_c \mid \mathbf z)^{t_c}$",
            verdict=Verdict.TYPOGRAPHICAL,
            links=("eq-delta-soft-loss",),
            shown=COLD,
            claim=lambda at: [product_over_i(at), at.q[at.y]],
            correction=(
                r"$\prod_{c=1}^{C}$, as in the next expression of the same line. (The "
                r"number reads $c$ as fixed at the first class.)"
            ),
            corrected=lambda at: [product_over_c(at), at.q[at.y]],
            slip="The eye reads what a product over classes must look like.",
        ),
    ),
    Treatment(
        name="Dive into Deep Learning, Softmax regression",
        url=D2L,
        place="exercises, line 541",
        statement=Statement(
            slug="d2l-translation",
            lines=(),
            quote=(
                r"$g(\mathbf x) = \log \sum_i \exp x_i$ is translation invariant: "
                r"$g(\mathbf x + b) = g(\mathbf x)$."
            ),
            verdict=Verdict.WRONG,
            links=("eq-delta-lse",),
            shown=EXAMPLE,
            claim=lambda at: [log_sum_exp(at.z), log_sum_exp(at.z + 3)],
            correction=(
                r"$g(\mathbf x + b) = g(\mathbf x) + b$. Its gradient, softmax, is "
                r"what does not change. (The numbers are for $b = 3$.)"
            ),
            corrected=lambda at: [
                np.append(log_sum_exp(at.z) + 3, softmax(at.z)),
                np.append(log_sum_exp(at.z + 3), softmax(at.z + 3)),
            ],
            slip="Two functions are called log-partition and softmax in one breath.",
        ),
    ),
    Treatment(
        name="CS231n, Neural network case study",
        url=CS231N_CASE,
        place="lines 150 and 151",
        statement=Statement(
            slug="cs231n-alias",
            lines=(),
            quote="`dscores = probs`; `dscores[range(num_examples),y] -= 1`",
            verdict=Verdict.UNSTATED,
            links=("eq-delta-gradient",),
            claim=lambda at: [
                probabilities_after(at, copy=False),
                at.temperature * at.hard_gradient,
            ],
            assumption="the probabilities are not needed any more",
            otherwise=lambda at: [probabilities_after(at, copy=False), at.q],
            shown=COLD,
            correction=(
                "`dscores = probs.copy()`. The gradient is right; `probs` is the same "
                "array, and its rows sum to 0 afterwards. The notes do not read it "
                "again."
            ),
            corrected=lambda at: [probabilities_after(at, copy=True), at.q],
            slip="An assignment looks like a copy, and in many languages it is one.",
        ),
    ),
    Treatment(
        name="Optax, softmax_cross_entropy_with_integer_labels",
        url=OPTAX,
        place="docstring, line 328",
        statement=Statement(
            slug="optax-sign",
            lines=(),
            quote=(
                r"$\sigma_i = \log \bigl(\exp(x_{i y_i}) / \sum_j \exp(x_{ij})\bigr)$"
            ),
            verdict=Verdict.TYPOGRAPHICAL,
            links=("eq-delta-loss",),
            shown=EXAMPLE,
            claim=lambda at: [log(softmax(OPTAX_LOGITS))[0].round(4), 0.2761],
            correction=(
                r"$-\log(\dots)$. The code has the minus sign, and so has the example "
                "below the formula, 0.2761 for the logits 1.2, -0.8, -0.5 and the "
                "label 0."
            ),
            corrected=lambda at: [-log(softmax(OPTAX_LOGITS))[0].round(4), 0.2761],
            slip="The documentation is not run; its examples are.",
        ),
    ),
    Treatment(
        name="PyTorch tutorials, Knowledge distillation",
        url=PYTORCH,
        place="train_knowledge_distillation",
        statement=Statement(
            slug="pytorch-log",
            lines=(),
            quote="`soft_targets * (soft_targets.log() - soft_prob)`",
            verdict=Verdict.UNSTATED,
            links=("eq-temp-log-softmax",),
            claim=lambda at: [True, bool(np.isfinite(distillation_loss(at.v, at.z)))],
            assumption="no probability of the teacher has underflowed to 0",
            otherwise=lambda at: [
                True,
                bool(np.isfinite(distillation_loss(far_teacher(at), at.z))),
            ],
            shown=EXAMPLE,
            correction=(
                r"Count $0 \log 0$ as 0, or take the teacher's `log_softmax`. With one "
                "teacher logit at -400 the loss is not a number in float32. Scale and "
                "reduction of this loss are right, and so is the student's gradient."
            ),
            corrected=lambda at: [
                True,
                bool(np.isfinite((at.p * (log(at.p) - log(at.q))).sum())),
            ],
            slip="On paper every probability of a softmax is positive.",
        ),
    ),
    Treatment(
        name="Roch, Mathematical Methods in Data Science",
        url=MMIDS_PROBLEMS,
        place="problem 8.5, the definition of v",
        statement=Statement(
            slug="mmids-double-softmax",
            lines=(),
            quote=(
                r"$H_f = R^T S R$ with $S = \operatorname{diag}(\gamma(\mathbf v)) - "
                r"\gamma(\mathbf v)\,\gamma(\mathbf v)^T$ and $\mathbf v = "
                r"\gamma(\mathcal W \mathbf x)$, $\gamma$ the softmax"
            ),
            verdict=Verdict.WRONG,
            links=("eq-struct-jacobian",),
            shown=EXAMPLE,
            claim=lambda at: [
                covariance_hessian(at, softmax(at.weights @ at.inputs))[0, :4].round(6),
                hessian_in_weights(at)[0, :4].round(6),
            ],
            correction=(
                r"$\mathbf v = \mathcal W \mathbf x$: as printed softmax is taken "
                "twice. Part c of the problem has the right matrix. (The numbers are "
                "four of the first row of the Hessian.)"
            ),
            corrected=lambda at: [
                (
                    covariance_hessian(at, at.weights @ at.inputs)
                    - hessian_in_weights(at)
                ).round(6),
                np.zeros((at.weights.size, at.weights.size)),
            ],
            slip="A name for the output is introduced, and then the output is taken.",
        ),
    ),
    Treatment(
        name="Roch, Mathematical Methods in Data Science",
        url=MMIDS_PROBLEMS,
        place="problem 8.5, part a",
        statement=Statement(
            slug="mmids-shape",
            lines=(),
            quote=(
                r"$\nabla f(\mathbf w) = R(\mathbf u - \mathbf y)$ for $R = "
                r"I_{K \times K} \otimes \mathbf x^T$"
            ),
            verdict=Verdict.TYPOGRAPHICAL,
            links=("eq-delta-outer-product",),
            shown=EXAMPLE,
            claim=lambda at: [
                shape_after(at, transposed=False),
                np.array([at.classes, at.weights.size]),
            ],
            correction=(
                r"$R^T(\mathbf u - \mathbf y)$: $R$ has $K$ rows and $Kd$ columns. "
                "(The numbers are how many entries each takes in and gives out, for "
                r"$K = 4$, $d = 2$.)"
            ),
            corrected=lambda at: [
                np.kron(np.eye(at.classes), at.inputs).T
                @ (softmax(at.weights @ at.inputs) - at.one_hot),
                derivative(weights_loss(at), at.weights.ravel()),
            ],
            slip=r"The Hessian $R^T S R$ has the transpose, on its other side.",
        ),
    ),
    Treatment(
        name="Roch, Mathematical Methods in Data Science",
        url=MMIDS_TEXT,
        place="multinomial logistic regression, the forward pass",
        statement=Statement(
            slug="mmids-rows",
            lines=(),
            quote=(
                r"$\mathcal W_0 \in \mathbb R^{K \times d}$ has the rows "
                r"$(\mathbf w_0^{(1)})^T, \dots, (\mathbf w_0^{(K-1)})^T$."
            ),
            verdict=Verdict.TYPOGRAPHICAL,
            links=("eq-delta-linear",),
            shown=EXAMPLE,
            claim=lambda at: [len(at.weights[:-1]), at.classes],
            correction=r"$\dots, (\mathbf w_0^{(K)})^T$: $K$ rows, as a page before.",
            corrected=lambda at: [len(at.weights), at.classes],
            slip=r"Where one class has no weights of its own, $K - 1$ is right.",
        ),
    ),
    Treatment(
        name="Inside deep learning, The softmax function and its derivative",
        url=INSIDE,
        place="the row of one output, before its vectorized form",
        statement=Statement(
            slug="inside-index",
            lines=(),
            quote=r"$\sigma_q(1 - \sigma_j)$ on the diagonal",
            verdict=Verdict.TYPOGRAPHICAL,
            links=("eq-temp-cases",),
            shown=COLD,
            claim=lambda at: [
                at.q[at.y] * (1 - at.q[0]),
                at.jacobian[at.y, at.y] * at.temperature,
            ],
            correction=(
                r"$\sigma_q(1 - \sigma_q)$, as in the formula before and in the one "
                r"after. (The number takes the third class for $q$, the first for $j$.)"
            ),
            corrected=lambda at: [
                at.q * (1 - at.q),
                np.diag(at.jacobian) * at.temperature,
            ],
            slip=r"In a row over $j$ the letter $j$ comes by itself.",
        ),
    ),
    Treatment(
        name="Inside deep learning, The softmax function and its derivative",
        url=INSIDE,
        place="the Jacobian in vectorized form",
        statement=Statement(
            slug="inside-outer",
            lines=(),
            quote=(
                r"$\operatorname{diag}(\sigma(\mathbf z)) - \sigma(\mathbf z)\,"
                r"\sigma(\mathbf z)^\top$, with $\mathbf z \in \mathbb R^{1 \times n}$"
            ),
            verdict=Verdict.LAYOUT,
            links=("eq-struct-jacobian",),
            claim=lambda at: [
                np.diag(at.q) - at.q[:, np.newaxis] @ at.q[:, np.newaxis].T,
                at.jacobian * at.temperature,
            ],
            assumption="vectors are columns",
            otherwise=lambda at: [
                (np.diag(at.q) - at.q[np.newaxis] @ at.q[np.newaxis].T)[0],
                (at.jacobian * at.temperature)[0],
            ],
            shown=COLD,
            correction=(
                r"For rows, as declared there: $\operatorname{diag}(\sigma) - "
                r"\sigma^\top \sigma$. With rows $\sigma \sigma^\top$ is one number. "
                "(The numbers are the first row.)"
            ),
            corrected=lambda at: [
                np.diag(at.q) - at.q[np.newaxis].T @ at.q[np.newaxis],
                at.jacobian * at.temperature,
            ],
            slip="The formula is quoted in this form everywhere, for columns.",
        ),
    ),
    Treatment(
        name="Math for LLMs, Jacobians and Hessians",
        url=RIAZ,
        place="section 14.1, line 1741",
        statement=Statement(
            slug="riaz-temperature",
            lines=(),
            quote=r"$J_\sigma^{(\tau)} = (1/\tau)\, J_\sigma^{(1)}$",
            verdict=Verdict.UNSTATED,
            links=("eq-temp-jacobian-scaling",),
            claim=lambda at: [
                derivative(softmax, at.z / at.temperature) / at.temperature,
                at.jacobian,
            ],
            assumption=r"the right side is taken at the scaled point $\mathbf s/\tau$",
            otherwise=lambda at: [
                (derivative(softmax, at.z) / at.temperature)[0],
                at.jacobian[0],
            ],
            shown=EXAMPLE,
            correction=(
                r"$\frac1\tau (\operatorname{diag}(q) - q q^\top)$ with $q$ taken at "
                r"the temperature $\tau$. (The numbers are the first row, with both "
                r"sides at the same logits, $\tau = 2$.)"
            ),
            corrected=lambda at: [
                (np.diag(at.q) - np.outer(at.q, at.q)) / at.temperature,
                at.jacobian,
            ],
            slip=r"The chain rule gives $1/\tau$, and the point moves as well.",
        ),
    ),
    Treatment(
        name="Math for LLMs, Jacobians and Hessians",
        url=RIAZ,
        place="section 15.2, line 1859",
        statement=Statement(
            slug="riaz-eigenvalues",
            lines=(),
            quote=(
                "For the logits (1, 0, -1) the eigenvalues of the Jacobian are 0.487, "
                "0.003 and 0."
            ),
            verdict=Verdict.WRONG,
            links=("eq-struct-trace",),
            shown=EXAMPLE,
            claim=lambda at: [np.array([0.487, 0.003, 0.0]), eigenvalues(RIAZ_LOGITS)],
            correction=(
                "0.3709, 0.1186 and 0. The printed numbers have the right sum, the "
                "trace; their squares have not."
            ),
            corrected=lambda at: [
                np.array([0.3709, 0.1186, 0.0]),
                eigenvalues(RIAZ_LOGITS).round(4),
            ],
            slip="The first check of eigenvalues, their sum, passes.",
        ),
    ),
    Treatment(
        name="Petersen, Softmax with cross-entropy",
        url=PETERSEN,
        place="lines 52 to 54",
        statement=Statement(
            slug="petersen-scaling",
            lines=(),
            quote='The heading "Invariance to scaling"',
            verdict=Verdict.TYPOGRAPHICAL,
            links=("eq-sum-shift",),
            shown=EXAMPLE,
            claim=lambda at: [softmax(2 * at.z), softmax(at.z)],
            correction=(
                r"Invariance to shifts, as the text and the formula below the heading "
                r"say: they add $c$. (The numbers take the heading by itself, and "
                "compare the logits doubled.)"
            ),
            corrected=lambda at: [softmax(at.z + 2), softmax(at.z)],
            slip='"Additively scaling" is the phrase in the text.',
        ),
    ),
    Treatment(
        name="Petersen, Softmax with cross-entropy",
        url=PETERSEN,
        place="lines 405 to 409",
        statement=Statement(
            slug="petersen-shape",
            lines=(),
            quote=(
                "The docstring of `jacobian_batch_softmax` says that it returns an "
                "array of shape (m, m, n, n)."
            ),
            verdict=Verdict.WRONG,
            links=("eq-struct-jacobian",),
            shown=EXAMPLE,
            claim=lambda at: [
                np.array([2, 2, at.classes, at.classes]),
                np.array(np.stack([at.jacobian] * 2).shape),
            ],
            correction=(
                "(m, n, n): the code returns the blocks that are not zero, one for "
                r"each row. (The numbers are for $m = 2$, $n = 4$.)"
            ),
            corrected=lambda at: [
                np.array([2, at.classes, at.classes]),
                np.array(np.stack([at.jacobian] * 2).shape),
            ],
            slip="The text before it describes the full array; a comment, the blocks.",
        ),
    ),
    Treatment(
        name="Petersen, Softmax with cross-entropy",
        url=PETERSEN,
        place="line 617",
        statement=Statement(
            slug="petersen-names",
            lines=(),
            quote="`def batch_error_softmax_input(y, s)`: `... * (S - Y)`",
            verdict=Verdict.WRONG,
            links=("eq-delta-batch",),
            shown=EXAMPLE,
            claim=lambda at: [False, raises_name_error({"y": at.t, "s": at.q})],
            correction="`(s - y)`: the arguments have small letters (`NameError`).",
            corrected=lambda at: [
                False,
                raises_name_error({"y": at.t, "S": at.q, "Y": at.t}),
            ],
            slip="The formula above has capitals, for matrices.",
        ),
    ),
)
