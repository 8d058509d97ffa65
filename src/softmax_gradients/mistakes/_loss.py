"""Mistakes in the loss and in which variable it is differentiated by."""

from collections.abc import Callable

import numpy as np

from .._inputs import Array
from ._mistake import Mistake
from ._steps import (
    Steps,
    Values,
    jacobian_product,
    total,
    weighted,
)

# 1e-3 to 1e-20 and the rounding units that code adds to a probability.
EPSILONS = (
    *(10.0**-digits for digits in range(3, 21)),
    float(np.finfo(np.float32).eps),
    float(np.finfo(np.float64).eps),
)

GUARDS = tuple(
    f"epsilon = {epsilon:.3g}, {how}"
    for epsilon in EPSILONS
    for how in ("added to the probability", "the least that the probability may be")
)


def binary_losses(x: Values) -> Array:
    """Return the sum over the classes of the binary cross-entropies of q and t."""
    off = weighted(1 - x.targets, np.log1p(-x.probs))
    return -(weighted(x.targets, np.log(x.probs)) + off).sum(axis=-1)


def binary_gradient(x: Values) -> Array:
    """Return J h, h = (q - t)/(q (1 - q)): the gradient of the binary losses."""
    slope = (x.probs - x.targets) / (x.probs * (1 - x.probs))
    return jacobian_product(x.probs, slope)


def one_log_sum(x: Values) -> Array:
    """Return log sum exp(z/T) - <t, z>/T, without the factor sum(t)."""
    log_sum = (x.logits / x.temperature - x.log_probs).max(axis=-1)
    weight = x.targets.sum(axis=-1)
    return -weighted(x.targets, x.log_probs).sum(axis=-1) + (1 - weight) * log_sum


def added(epsilon: float) -> Callable[[Array], Array]:
    """Return the function q -> q + epsilon."""
    return lambda probs: probs + epsilon


def clipped(epsilon: float) -> Callable[[Array], Array]:
    """Return the function q -> max(q, epsilon)."""
    return lambda probs: np.maximum(probs, epsilon)


def loss_through(guard: Callable[[Array], Array]) -> Steps:
    """Return the loss -sum t log guard(q)."""
    return Steps(
        core=lambda x: -weighted(x.targets, np.log(guard(x.probs))).sum(axis=-1)
    )


def added_gradient(epsilon: float) -> Steps:
    """Return the derivative of the loss through q + epsilon."""
    return Steps(
        core=lambda x: jacobian_product(x.probs, -x.targets / (x.probs + epsilon))
    )


def clipped_gradient(epsilon: float) -> Steps:
    """Return the derivative of the loss through max(q, epsilon)."""

    def core(x: Values) -> Array:
        slope = np.where(x.probs > epsilon, -x.targets / x.probs, 0)
        return jacobian_product(x.probs, slope)

    return Steps(core=core)


def divergence_through(
    guard: Callable[[Array], Array], teacher_too: bool = True
) -> Steps:
    """Return KL(p || q) with guarded logarithms, of p as well or of q alone."""

    def core(x: Values) -> Array:
        first = np.log(guard(x.teacher_probs)) if teacher_too else x.teacher_log_probs
        difference = first - np.log(guard(x.probs))
        return weighted(x.teacher_probs, difference).sum(axis=-1)

    return Steps(core=core)


def unguarded_divergence(x: Values) -> Array:
    """Return sum p (log p - log q), where a p of 0 gives 0 times -inf."""
    difference = np.log(x.teacher_probs) - x.log_probs
    return (x.teacher_probs * difference).sum(axis=-1)


BINARY_LOSS = Steps(core=binary_losses)
LOG_OF_PROBS = Steps(core=lambda x: -weighted(x.targets, np.log(x.probs)).sum(axis=-1))

ENTRIES = (
    Mistake(
        slug="binary-pair-cancellation",
        title="Binary losses are reported, with the gradient of the cross-entropy",
        wrong=r"L = -\sum_j [t_j \log q_j + (1 - t_j)\log(1 - q_j)],\quad "
        r"\frac{\partial L}{\partial z} = \frac{q - t}{T}",
        right=r"L = -\sum_j t_j \log q_j,\quad "
        r"\frac{\partial L}{\partial z} = \frac{q - t}{T}",
        giveaway="The diagonal Jacobian q(1 - q) and the binary derivative cancel to "
        "q - t: right for the cross-entropy, not for the loss that is reported. "
        "Finite differences of that loss disagree.",
        page="summation-mistake#sum-binary",
        sources=(
            "eriklindernoren/ML-From-Scratch#98",
            "eriklindernoren/ML-From-Scratch:mlfromscratch/deep_learning/activation_functions.py",
            "eriklindernoren/ML-From-Scratch:mlfromscratch/deep_learning/loss_functions.py",
            "RubixML/ML#424",
        ),
        kinds={"loss": (BINARY_LOSS,)},
    ),
    Mistake(
        slug="bce-over-softmax",
        title="The classes' binary cross-entropies are summed over softmax outputs",
        wrong=r"-\sum_j [t_j \log q_j + (1 - t_j)\log(1 - q_j)]",
        right=r"-\sum_j t_j \log q_j",
        giveaway="The loss is too large by -sum (1 - t) log(1 - q); its gradient is "
        "J h with h = (q - t)/(q(1 - q)), not q - t.",
        page="summation-mistake#sum-binary",
        sources=(
            "vandit15/Class-balanced-loss-pytorch#23",
            "MaxPoon/coursera-Advanced-Machine-Learning-specialization#4",
            "FluxML/Flux.jl#139",
        ),
        kinds={"loss": (BINARY_LOSS,), "gradient": (Steps(core=binary_gradient),)},
    ),
    Mistake(
        slug="unnormalised-targets",
        title="The form for targets that sum to one is used for any targets",
        wrong=r"\frac{q - t}{T}",
        right=r"\frac{q \sum_j t_j - t}{T}",
        giveaway="Targets of zero should give a gradient of zero but give q/T; a row "
        "sums to (1 - sum t)/T.",
        page="kronecker-delta#where-the-sum-of-the-targets-enters",
        right_if="your targets always sum to one",
        sources=(
            "tensorflow/tensorflow#60314",
            "SauersML/gam#453",
            "tensorflow/tensorflow#2327",
            "PaddlePaddle/Paddle#63678",
            "tensorflow/tensorflow#49178",
        ),
        kinds={
            "loss": (Steps(core=one_log_sum),),
            "gradient": (Steps(core=lambda x: x.probs - x.targets),),
            "temperature_gradient": (
                Steps(
                    core=lambda x: (
                        weighted(x.targets, x.logits) - weighted(x.probs, x.logits)
                    ).sum(axis=-1)
                ),
            ),
        },
    ),
    Mistake(
        slug="gradient-wrt-probabilities",
        title="The gradients for the probabilities and for the logits are mixed up",
        wrong=r"\frac{\partial L}{\partial z} = -\frac{t}{q} \quad\text{or}\quad "
        r"\frac{\partial L}{\partial z} = J\,(q - t)",
        right=r"\frac{\partial L}{\partial q} = -\frac{t}{q},\quad "
        r"\frac{\partial L}{\partial z} = \frac{q - t}{T}",
        giveaway="-t/q grows without bound and its rows do not sum to zero; J(q - t) "
        "goes through the Jacobian a second time and is far too small.",
        page="kronecker-delta#route-two-through-the-probabilities",
        sources=(
            "apache/mxnet#7944",
            "hankcs/CS224n#17",
        ),
        kinds={
            "gradient": (
                Steps(core=lambda x: -x.targets / x.probs, power=0),
                Steps(
                    core=lambda x: jacobian_product(
                        x.probs, x.probs * total(x.targets) - x.targets
                    )
                ),
                Steps(
                    core=lambda x: jacobian_product(
                        x.probs, x.probs * total(x.targets) - x.targets
                    ),
                    power=-2,
                ),
            ),
            "kl_divergence_gradient": (
                Steps(core=lambda x: -x.teacher_probs / x.probs, power=0),
                Steps(
                    core=lambda x: jacobian_product(x.probs, x.probs - x.teacher_probs)
                ),
                Steps(
                    core=lambda x: jacobian_product(x.probs, x.probs - x.teacher_probs),
                    power=-2,
                ),
            ),
        },
    ),
    Mistake(
        slug="epsilon-in-log",
        title="A small number is added to the probability, or the probability clipped",
        wrong=r"-\sum_j t_j \log(q_j + \varepsilon) \quad\text{or}\quad "
        r"-\sum_j t_j \log \max(q_j, \varepsilon)",
        right=r"-\sum_j t_j \Bigl(\frac{z_j}{T} - \log\sum_k e^{z_k/T}\Bigr)",
        giveaway="The loss stops near -log(epsilon), and the gradient vanishes where "
        "the model is most wrong: it is multiplied by q_y/(q_y + epsilon).",
        page="every-digit#the-pitfall-an-epsilon-inside-the-logarithm",
        sources=(
            "Lasagne/Lasagne#567",
            "deeplearning4j/nd4j#2121",
            "FluxML/Flux.jl#139",
            "iesl/box-embeddings#9",
        ),
        kinds={
            "loss": tuple(
                loss_through(guard(epsilon))
                for epsilon in EPSILONS
                for guard in (added, clipped)
            ),
            "gradient": tuple(
                make(epsilon)
                for epsilon in EPSILONS
                for make in (added_gradient, clipped_gradient)
            ),
            "distillation_loss": tuple(
                divergence_through(guard(epsilon), teacher_too)
                for epsilon in EPSILONS
                for guard in (added, clipped)
                for teacher_too in (True, False)
            ),
        },
        forms={
            "loss": GUARDS,
            "gradient": GUARDS,
            "distillation_loss": tuple(
                f"{guard}, in the logarithm of {which}"
                for guard in GUARDS
                for which in ("p and of q", "q alone")
            ),
        },
    ),
    Mistake(
        slug="log-of-softmax",
        title="The logarithm is taken of a softmax that has underflowed",
        wrong=r"\log\bigl(\operatorname{softmax}(z/T)_i\bigr)",
        right=r"\frac{z_i}{T} - \log\sum_k e^{z_k/T}",
        giveaway="An infinite loss where a logit is about 745 below the "
        "largest; in float32 where it is about 104 below.",
        page="every-digit#step-two-the-logarithm-of-a-number-that-was-rounded-to-one",
        sources=(
            "deeplearning4j/deeplearning4j#785",
            "Theano/Theano#3162",
            "FluxML/NNlib.jl#68",
            "tensorflow/models#181",
            "NVIDIA/apex#379",
            "zackchase/mxnet-the-straight-dope#382",
        ),
        kinds={
            "loss": (LOG_OF_PROBS,),
            "distillation_loss": (
                Steps(
                    core=lambda x: weighted(
                        x.teacher_probs, x.teacher_log_probs - np.log(x.probs)
                    ).sum(axis=-1)
                ),
            ),
        },
        numerical=True,
    ),
    Mistake(
        slug="zero-log-zero",
        title="0 log 0 is computed as 0 times minus infinity",
        wrong=r"p_j \log p_j \text{ as a product, also at } p_j = 0",
        right=r"p_j \log p_j = 0 \text{ at } p_j = 0",
        giveaway="A loss of NaN where a class has probability 0, while the gradient "
        "is finite.",
        page="distillation#zero-times-the-logarithm-of-zero",
        sources=(
            "OpenBMB/ModelCenter#14",
            "google-deepmind/optax#1786",
            "pytorch/tutorials:beginner_source/knowledge_distillation_tutorial.py",
        ),
        kinds={
            "loss": (
                Steps(core=lambda x: -(x.targets * np.log(x.probs)).sum(axis=-1)),
            ),
            "distillation_loss": (Steps(core=unguarded_divergence),),
        },
        numerical=True,
    ),
    Mistake(
        slug="missing-log",
        title="The logarithm is missing from the loss",
        wrong=r"-\sum_j t_j q_j",
        right=r"-\sum_j t_j \log q_j",
        giveaway="The loss is negative, and never below -1 for a class label. Its "
        "gradient vanishes where the model is most wrong.",
        page="gradient-doctor#the-ratio-to-the-right-answer",
        sources=(
            "clvrai/ACGAN-PyTorch#4",
            "AnubhavGupta3377/Text-Classification-Models-Pytorch#9",
        ),
        kinds={
            "loss": (Steps(core=lambda x: -weighted(x.targets, x.probs).sum(axis=-1)),),
            "gradient": (Steps(core=lambda x: -jacobian_product(x.probs, x.targets)),),
        },
    ),
    Mistake(
        slug="missing-log-softmax",
        title="The logits are used as if they were log-probabilities",
        wrong=r"-\frac{1}{T}\sum_j t_j z_j",
        right=r"-\sum_j t_j \Bigl(\frac{z_j}{T} - \log\sum_k e^{z_k/T}\Bigr)",
        giveaway="A shift of all logits changes the loss, which has no lower bound: "
        "it falls for ever as the logits grow.",
        page="gradient-doctor#what-holds-without-knowing-the-answer",
        sources=("deepjavalibrary/djl#520", "pytorch/pytorch#12703"),
        kinds={
            "loss": (
                Steps(
                    core=lambda x: (
                        -weighted(x.targets, x.logits).sum(axis=-1) / x.temperature
                    )
                ),
                Steps(core=lambda x: -weighted(x.targets, x.logits).sum(axis=-1)),
            ),
        },
        right_if="your first argument holds log-probabilities",
    ),
)
