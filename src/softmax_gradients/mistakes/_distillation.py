"""Mistakes in the divergence of a teacher and a student."""

from .._inputs import Array
from ._mistake import Mistake
from ._steps import (
    Steps,
    Values,
    divergence,
    jacobian_product,
    total,
    unscaled,
)


def probabilities_for_log(x: Values) -> Array:
    """Return sum p (log p - q): the probabilities stand where log q belongs."""
    entropy = divergence(x.teacher_probs, x.teacher_log_probs, 0 * x.log_probs)
    return entropy - (x.teacher_probs * x.probs).sum(axis=-1)


def reverse_divergence(x: Values) -> Array:
    """Return KL(q || p)."""
    return divergence(x.probs, x.log_probs, x.teacher_log_probs)


def reverse_gradient(x: Values) -> Array:
    """Return J log(q/p), which is q (log(q/p) - KL(q || p))."""
    return jacobian_product(x.probs, x.log_probs - x.teacher_log_probs)


ONE_SIDED = (Steps(teacher=unscaled), Steps(student=unscaled))

ENTRIES = (
    Mistake(
        slug="one-sided-temperature",
        title="Only one of teacher and student is softened by T",
        wrong=r"\operatorname{softmax}(z/T) - \operatorname{softmax}(v)",
        right=r"\operatorname{softmax}(z/T) - \operatorname{softmax}(v/T)",
        giveaway="The gradient at z = v should be zero but is not.",
        page="distillation#the-temperature-on-one-side-only",
        sources=(
            "yuanli2333/Teacher-free-Knowledge-Distillation#24",
            "huawei-noah/Pretrained-Language-Model#11",
            "verl-project/verl#7769",
        ),
        kinds={"distillation_loss": ONE_SIDED, "kl_divergence_gradient": ONE_SIDED},
    ),
    Mistake(
        slug="missing-t-squared",
        title="The soft loss is not multiplied by T^2",
        wrong=r"\mathrm{KL}(p \,\|\, q)",
        right=r"T^2\,\mathrm{KL}(p \,\|\, q)",
        giveaway="As T grows its gradient falls like 1/T^2 beside the hard loss.",
        page="distillation#dist-t-squared",
        right_if="the factor T^2 is left to the caller",
        sources=(
            "IntelLabs/distiller#122",
            "keras-team/keras-io#869",
            "TropComplique/knowledge-distillation-keras#2",
            "keras-team/keras-io#870",
        ),
        kinds={"distillation_loss": (Steps(power=0),)},
    ),
    Mistake(
        slug="kl-input-not-log",
        title="The library's divergence is given q where it expects log q",
        wrong=r"\sum_j p_j (\log p_j - q_j)",
        right=r"\sum_j p_j (\log p_j - \log q_j)",
        giveaway="The loss can be negative, and at z = v neither it nor its gradient "
        "-J p is zero.",
        page="distillation#which-side-gets-the-logarithm",
        sources=(
            "Liuyuxinict/prenet#3",
            "NightShade99/Self-Supervised-Vision#5",
            "pytorch/pytorch#5282",
            "microsoft/ProDA#20",
            "microsoft/ProDA#43",
            "sebastian-hofstaetter/matchmaker#18",
        ),
        kinds={
            "distillation_loss": (Steps(core=probabilities_for_log),),
            "kl_divergence_gradient": (
                Steps(core=lambda x: -jacobian_product(x.probs, x.teacher_probs)),
            ),
        },
    ),
    Mistake(
        slug="kl-log-target",
        title="Log-probabilities are given as targets, and the divergence is not told",
        wrong=r"\sum_j \log p_j\,(\log\log p_j - \log q_j)",
        right=r"\sum_j p_j (\log p_j - \log q_j)",
        giveaway="The loss is NaN, the logarithm of a negative number (0 in older "
        "releases of PyTorch); the gradient is finite and wrong.",
        page="distillation#which-side-gets-the-logarithm",
        sources=(
            "pytorch/pytorch#69230",
            "pytorch/pytorch#65469",
        ),
        kinds={
            "kl_divergence_gradient": (
                Steps(
                    core=lambda x: (
                        x.probs * total(x.teacher_log_probs) - x.teacher_log_probs
                    )
                ),
            ),
        },
    ),
    Mistake(
        slug="reversed-kl",
        title="The divergence is taken the other way round",
        wrong=r"\mathrm{KL}(q \,\|\, p) = \sum_j q_j \log\frac{q_j}{p_j}",
        right=r"\mathrm{KL}(p \,\|\, q) = \sum_j p_j \log\frac{p_j}{q_j}",
        giveaway="Its gradient is q (log(q/p) - KL(q || p))/T, not (q - p)/T; it "
        "forgives a student that drops a class of the teacher.",
        page="distillation#which-way-round",
        right_if="the teacher comes first",
        sources=(
            "paiml/aprender#2153",
            "sinahmr/DIaM#9",
        ),
        kinds={
            "distillation_loss": (Steps(core=reverse_divergence),),
            "kl_divergence_gradient": (Steps(core=reverse_gradient),),
        },
    ),
    Mistake(
        slug="teacher-student-swapped",
        title="Teacher and student are swapped",
        wrong=r"\mathrm{KL}(q \,\|\, p),\quad \frac{p - q}{T}",
        right=r"\mathrm{KL}(p \,\|\, q),\quad \frac{q - p}{T}",
        giveaway="The loss is the reversed divergence and the gradient has the "
        "opposite sign; in a trainer the teacher learns and the student does not.",
        page="distillation#which-way-round",
        right_if="the teacher comes first",
        sources=("keras-team/keras-io#257",),
        kinds={
            "distillation_loss": (Steps(core=reverse_divergence),),
            "kl_divergence_gradient": (Steps(sign=-1.0),),
        },
    ),
)
