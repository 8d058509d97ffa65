"""Mistakes in where the temperature goes, and in the limit of high temperatures."""

import numpy as np

from .._inputs import Array
from ._mistake import Mistake
from ._steps import (
    RIGHT_POWER,
    WITH_TEACHER,
    Scale,
    Steps,
    Values,
    shifted_softmax,
    unscaled,
)

DERIVATIVES = (
    "jacobian",
    "vjp",
    "log_softmax_vjp",
    "gradient",
    "kl_divergence_gradient",
)


def multiplied(logits: Array, temperature: float) -> Array:
    """Return z T."""
    return logits * temperature


def divided_twice(logits: Array, temperature: float) -> Array:
    """Return z/T^2."""
    return logits / temperature**2


def log_probs_divided(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Return log q_1 / T and its exponential, which does not sum to one."""
    log_probs = shifted_softmax(scaled, temperature)[1] / temperature
    return np.exp(log_probs), log_probs


def centred(values: Array) -> Array:
    """Return values minus their mean over the classes."""
    return values - values.mean(axis=-1, keepdims=True)


def difference_over_classes(x: Values) -> Array:
    """Return (z - v)/C."""
    return (x.logits - x.teacher_logits) / x.logits.shape[-1]


def centred_difference_over_classes(x: Values) -> Array:
    """Return the difference of the centred logits over C."""
    return (centred(x.logits) - centred(x.teacher_logits)) / x.logits.shape[-1]


def scaled(kind: str, scale: Scale, power: int | None = None) -> Steps:
    """Return the student's and the teacher's logits scaled in another way."""
    teacher = scale if kind in WITH_TEACHER else None
    return Steps(student=scale, teacher=teacher, power=power)


def ignored(kind: str) -> Steps:
    """Return a computation at T = 1, whatever T is."""
    return scaled(kind, unscaled, power=None if RIGHT_POWER[kind] == 0 else 0)


UNRENORMALISED = Steps(student=unscaled, softmax=log_probs_divided)
AT_ONE = Steps(student=unscaled)

ENTRIES = (
    Mistake(
        slug="inverse-square-temperature",
        title="The exact gradient is given a factor 1/T^2",
        wrong=r"\frac{q - t}{T^2}",
        right=r"\frac{q - t}{T}",
        giveaway="Divide by (q - t)/T: the ratio is 1/T. For large T the right "
        "gradient, too, falls like 1/T^2 against a teacher softened by T, or uniform "
        "targets, and like 1/T with other fixed ones: its size, not its factor.",
        page="temperature#the-gradient-by-indices",
        sources=("math.stackexchange 3789676",),
        kinds={kind: (Steps(power=-2),) for kind in DERIVATIVES},
    ),
    Mistake(
        slug="missing-temperature",
        title="The factor 1/T is forgotten, or T altogether",
        wrong=r"q - t",
        right=r"\frac{q - t}{T}",
        giveaway="Right at T = 1. Otherwise T times too large, in the right direction; "
        "if T is ignored altogether, the result does not change with T.",
        page="temperature#where-the-temperature-goes-in-code",
        right_if="you meant one fixed temperature",
        sources=(
            "huggingface/trl#3029",
            "OpenRLHF/OpenRLHF#853",
        ),
        kinds={
            **{kind: (Steps(power=0), ignored(kind)) for kind in DERIVATIVES},
            "softmax": (ignored("softmax"),),
            "loss": (ignored("loss"),),
            "hessian": (Steps(power=-1), Steps(power=0), ignored("hessian")),
            "temperature_gradient": (
                Steps(power=-1),
                Steps(power=0),
                ignored("temperature_gradient"),
            ),
            "distillation_loss": (
                ignored("distillation_loss"),
                scaled("distillation_loss", unscaled),
            ),
        },
    ),
    Mistake(
        slug="multiplied-temperature",
        title="The logits are multiplied by T, not divided",
        wrong=r"q = \operatorname{softmax}(zT)",
        right=r"q = \operatorname{softmax}(z/T)",
        giveaway="A larger T makes the probabilities sharper.",
        page="temperature#where-the-temperature-goes-in-code",
        right_if="you meant the inverse temperature 1/T",
        sources=(
            "bowang-lab/BLEEP#5",
            "EFS-OpenSource/calibration-framework#13",
            "yshavit, LLM notes, What is Softmax?",
        ),
        kinds={
            **{
                kind: (scaled(kind, multiplied), scaled(kind, multiplied, power=1))
                for kind in DERIVATIVES
            },
            "softmax": (scaled("softmax", multiplied),),
            "loss": (scaled("loss", multiplied),),
            "hessian": (
                scaled("hessian", multiplied),
                scaled("hessian", multiplied, power=2),
            ),
            "temperature_gradient": (
                scaled("temperature_gradient", multiplied),
                Steps(student=multiplied, sign=-1.0, power=0),
            ),
            "distillation_loss": (scaled("distillation_loss", multiplied),),
        },
    ),
    Mistake(
        slug="doubled-temperature",
        title="The logits are divided by T twice",
        wrong=r"q = \operatorname{softmax}(z/T^2)",
        right=r"q = \operatorname{softmax}(z/T)",
        giveaway="The probabilities at T are those that belong to T^2; right at T = 1.",
        page="temperature#where-the-temperature-goes-in-code",
        sources=(
            "RL-Align/RL-Kernel#81",
            "RL-Align/RL-Kernel#86",
            "Adibvafa/CodonTransformer#19",
            "Adibvafa/CodonTransformer#20",
        ),
        kinds={
            **{
                kind: (
                    scaled(kind, divided_twice),
                    scaled(kind, divided_twice, power=-2),
                )
                for kind in DERIVATIVES
            },
            "softmax": (scaled("softmax", divided_twice),),
            "loss": (scaled("loss", divided_twice),),
            "hessian": (
                scaled("hessian", divided_twice),
                scaled("hessian", divided_twice, power=-4),
            ),
            "temperature_gradient": (
                scaled("temperature_gradient", divided_twice),
                Steps(student=divided_twice, sign=2.0, power=-3),
            ),
            "distillation_loss": (scaled("distillation_loss", divided_twice),),
        },
    ),
    Mistake(
        slug="log-probabilities-not-renormalised",
        title="Log-probabilities are divided by T and not normalised again",
        wrong=r"\log q_i = \frac{1}{T}\log \operatorname{softmax}(z)_i",
        right=r"\log q_i = \log\operatorname{softmax}(z/T)_i",
        giveaway="At T > 1 the exponentials sum to more than one. A second softmax "
        "over them would be right.",
        page="temperature#where-the-temperature-goes-in-code",
        sources=(
            "MoonshotAI/Kimi-Audio#161",
            "fmcp/EndToEndIncrementalLearning#10",
        ),
        kinds={
            "softmax": (UNRENORMALISED,),
            "loss": (UNRENORMALISED,),
            "gradient": (AT_ONE, UNRENORMALISED),
        },
    ),
    Mistake(
        slug="temperature-outside-jacobian",
        title="T divides the derivative and is missing inside the softmax",
        wrong=r"J_T = \frac{\operatorname{diag}(q_1) - q_1 q_1^\top}{T},\quad "
        r"q_1 = \operatorname{softmax}(z)",
        right=r"J_T = \frac{\operatorname{diag}(q) - q q^\top}{T},\quad "
        r"q = \operatorname{softmax}(z/T)",
        giveaway="T times the Jacobian should change with T but does not.",
        page="temperature#temp-jacobian",
        sources=(
            "RiazML/math-for-llms:05-Multivariate-Calculus/02-Jacobians-and-Hessians/notes.md",
        ),
        kinds=dict.fromkeys(
            ("jacobian", "vjp", "log_softmax_vjp", "gradient", "hessian"), (AT_ONE,)
        ),
    ),
    Mistake(
        slug="temperature-gradient-sign",
        title="The derivative with respect to T has the opposite sign",
        wrong=r"\frac{\langle q, z\rangle \sum_j t_j - \langle t, z\rangle}{T^2}",
        right=r"\frac{\langle t, z\rangle - \langle q, z\rangle \sum_j t_j}{T^2}",
        giveaway="A finite difference in T has the other sign. Descent takes T "
        "from below the best value down to zero and past it, and from above it up "
        "without end. A negative T alone proves nothing: steps with the right sign "
        "can reach one.",
        page="temperature#the-derivative-in-the-temperature-itself",
        sources=(),
        kinds={"temperature_gradient": (Steps(sign=-1.0),)},
    ),
    Mistake(
        slug="uncentred-limit",
        title="The high-temperature formula is used without centring the logits",
        wrong=r"\frac{z - v}{C T^2}",
        right=r"\frac{(z - \bar z) - (v - \bar v)}{C T^2} \text{ as } T \to \infty",
        giveaway="Rows sum to the difference of the means over T^2, not to zero. "
        "Equal means would be enough.",
        page="high-temperature-limit#equal-means-are-enough",
        sources=(),
        kinds={
            "kl_divergence_gradient": (Steps(core=difference_over_classes, power=-2),)
        },
    ),
    Mistake(
        slug="limit-as-exact",
        title="The formula of the high-temperature limit is used at every T",
        wrong=r"\frac{(z - \bar z) - (v - \bar v)}{C T^2}",
        right=r"\frac{q - p}{T}",
        giveaway="It is linear in the logits: twice the logits give exactly twice "
        "the gradient, which cannot exceed 1/T.",
        page="high-temperature-limit#how-large-is-the-error",
        sources=(),
        kinds={
            "kl_divergence_gradient": (
                Steps(core=centred_difference_over_classes, power=-2),
            )
        },
    ),
)
