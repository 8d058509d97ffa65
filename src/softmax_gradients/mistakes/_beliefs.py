"""Beliefs about these derivatives, each with the numbers that refute it."""

from typing import Any

import numpy as np

from .._cross_entropy import cross_entropy, cross_entropy_gradient
from .._softmax import softmax
from ..distillation import kl_divergence, kl_divergence_gradient
from ._mistake import Mistake

LOGITS = np.array([2.0, 0.5, -1.0])
TEACHER_LOGITS = np.array([1.0, 2.5, -2.0])


def scaled_gradients() -> dict[str, Any]:
    """Return the norm of T^2 (q - p)/T at several T."""
    return {
        f"T = {temperature:g}": float(
            temperature**2
            * np.linalg.norm(
                kl_divergence_gradient(LOGITS, TEACHER_LOGITS, temperature=temperature)
            )
        )
        for temperature in (1.0, 4.0, 100.0)
    }


def loss_minus_divergence() -> dict[str, Any]:
    """Return cross-entropy minus KL for two students of one teacher."""
    targets = softmax(TEACHER_LOGITS)
    shown = {
        f"cross-entropy - KL at {student}": float(
            cross_entropy(student, targets) - kl_divergence(student, TEACHER_LOGITS)
        )
        for student in ([2.0, 0.5, -1.0], [0.0, 3.0, 1.0])
    }
    return {
        **shown,
        "gradient of the cross-entropy": cross_entropy_gradient(LOGITS, targets),
        "gradient of KL": kl_divergence_gradient(LOGITS, TEACHER_LOGITS),
    }


def log_sums_at_any_shift() -> dict[str, Any]:
    """Return m + log sum exp(z - m) at several m."""
    return {
        f"m = {shift:g}": float(shift + np.log(np.exp(LOGITS - shift).sum()))
        for shift in (0.0, 2.0, 5.0)
    }


def shifted_and_scaled() -> dict[str, Any]:
    """Compare softmax and log-sum-exp at z, z + 3 and 2z."""
    return {
        "softmax(z)": softmax(LOGITS),
        "softmax(z + 3)": softmax(LOGITS + 3),
        "softmax(2z)": softmax(2 * LOGITS),
        "log-sum-exp(z + 3) - log-sum-exp(z)": float(
            np.log(np.exp(LOGITS + 3).sum()) - np.log(np.exp(LOGITS).sum())
        ),
    }


ENTRIES = (
    Mistake(
        slug="temperature-independent-gradient",
        title="Belief: the factor T^2 makes the soft gradient independent of T",
        wrong=r"T^2\,\frac{q - p}{T} = \frac{\tilde z - \tilde v}{C} "
        r"\text{ at every } T",
        right=r"T^2\,\frac{q - p}{T} = \frac{\tilde z - \tilde v}{C} + O(1/T)",
        giveaway="Its norm still moves with T: it settles only as T grows.",
        page="high-temperature-limit#limit-t-squared",
        sources=(),
        counterexample=scaled_gradients,
    ),
    Mistake(
        slug="kl-differs-from-cross-entropy",
        title="Belief: KL and cross-entropy train a student differently",
        wrong=r"\frac{\partial}{\partial z}\,\mathrm{KL}(p \,\|\, q) \ne "
        r"\frac{\partial}{\partial z}\,H(p, q)",
        right=r"H(p, q) = \mathrm{KL}(p \,\|\, q) + H(p),\quad H(p) \text{ without } z",
        giveaway="Their difference does not change with the student's logits.",
        page="distillation#divergence-or-cross-entropy",
        sources=(
            "jongwooko/distillm#7",
            "szagoruyko/attention-transfer#12",
            "imirzadeh/Teacher-Assistant-Knowledge-Distillation#4",
            "Piyush-555/GaussianDistillation#1",
        ),
        counterexample=loss_minus_divergence,
    ),
    Mistake(
        slug="derivative-through-the-maximum",
        title="Belief: the subtracted maximum needs a derivative of its own",
        wrong=r"\frac{\partial}{\partial m}\Bigl(m + \log\sum_j e^{z_j - m}\Bigr) "
        r"\ne 0",
        right=r"1 - \sum_j q_j = 0 \text{ for every } m",
        giveaway="The value is the same at every m, so its derivative is zero: take "
        "the maximum as a constant.",
        page="gradient-doctor#where-it-overflows",
        sources=(
            "kcxain/dlsys#4",
            "allenai/allennlp#635",
            "jax-ml/jax#2260",
            "jax-ml/jax#13529",
            "tinygrad/tinygrad#17088",
            "jax-ml/jax#16094",
        ),
        counterexample=log_sums_at_any_shift,
    ),
    Mistake(
        slug="softmax-ignores-scale",
        title="Belief: softmax does not see a factor, log-sum-exp does not see a shift",
        wrong=r"\operatorname{softmax}(az) = \operatorname{softmax}(z),\quad "
        r"\operatorname{lse}(z + b) = \operatorname{lse}(z)",
        right=r"\operatorname{softmax}(z + b) = \operatorname{softmax}(z),\quad "
        r"\operatorname{lse}(z + b) = \operatorname{lse}(z) + b",
        giveaway="Evaluate both: softmax ignores shifts, and a factor is a "
        "temperature.",
        page="temperature#what-the-temperature-does",
        sources=("d2l-ai/d2l-en:chapter_linear-classification/softmax-regression.md",),
        counterexample=shifted_and_scaled,
    ),
)
