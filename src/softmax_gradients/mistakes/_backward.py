"""Mistakes in a backward pass: in what it does with the gradient that comes in."""

import numpy as np

from .._inputs import Array
from ._mistake import Mistake
from ._steps import (
    Steps,
    Values,
    jacobian_product,
    on_diagonal,
    shifted_softmax,
    total,
)


def softmax_of_the_gradient(x: Values) -> Array:
    """Return softmax(g), as if the incoming gradient were the logits."""
    return shifted_softmax(x.cotangent, x.temperature)[0]


def covariance_of_logits(x: Values) -> Array:
    """Return diag(z) - z z^T."""
    outer = x.logits[..., :, np.newaxis] * x.logits[..., np.newaxis, :]
    return on_diagonal(x.logits) - outer


def of_the_first_row(x: Values) -> Array:
    """Return the first row's incoming gradient for every row."""
    classes = x.cotangent.shape[-1]
    first = x.cotangent.reshape(-1, classes)[0]
    return np.broadcast_to(first, x.cotangent.shape)


def with_log_probs(x: Values) -> Array:
    """Return g - <log q, g>: the dot product with the layer's own output."""
    return x.cotangent - total(x.log_probs * x.cotangent)


UNCHANGED = Steps(core=lambda x: x.cotangent, power=0)
DIVIDED = Steps(core=lambda x: x.cotangent)
NOTHING = Steps(core=lambda x: np.zeros_like(x.probs))

ENTRIES = (
    Mistake(
        slug="pass-through-backward",
        title="The backward pass hands the incoming gradient on, unchanged",
        wrong=r"\frac{\partial L}{\partial z} = g",
        right=r"\frac{\partial L}{\partial z} = J^\top g",
        giveaway="The result is g itself. It trains only if the loss that "
        "follows hands back q - t, which is already the gradient with respect to the "
        "logits.",
        page="jacobian-structure#the-gradient-of-the-cross-entropy-in-one-line",
        sources=(
            "pjreddie/darknet#96",
            "pjreddie/darknet#212",
            "hgpvision/darknet#32",
            "AlexeyAB/darknet#4332",
        ),
        kinds={
            "vjp": (UNCHANGED, DIVIDED),
            "log_softmax_vjp": (UNCHANGED, DIVIDED),
        },
    ),
    Mistake(
        slug="softmax-and-log-softmax-backward",
        title="The backward passes of softmax and log-softmax are mixed up",
        wrong=r"\frac{g - q \sum_j g_j}{T} \text{ for softmax} "
        r"\quad\text{or}\quad \frac{q \odot (g - \langle q, g\rangle)}{T} "
        r"\quad\text{or}\quad \frac{g + q}{T} \text{ for log-softmax}",
        right=r"\frac{q \odot (g - \langle q, g\rangle)}{T} "
        r"\text{ for softmax}, \quad "
        r"\frac{g - q \sum_j g_j}{T} \text{ for log-softmax}",
        giveaway="Softmax has the dot product of g with q, log-softmax the plain sum "
        "of g. With g = -e_y that sum is -1, and g + q, which leaves it out, is right.",
        page="relatives#the-theorem",
        sources=("mlpack/mlpack#2360", "uxlfoundation/oneDNN#616"),
        kinds={
            "vjp": (
                Steps(core=lambda x: x.cotangent - x.probs * total(x.cotangent)),
                Steps(core=lambda x: x.probs * (x.cotangent - total(x.cotangent))),
            ),
            "log_softmax_vjp": (
                Steps(core=lambda x: jacobian_product(x.probs, x.cotangent)),
                Steps(core=with_log_probs),
                Steps(core=lambda x: x.cotangent + x.probs),
                Steps(core=lambda x: x.cotangent - x.probs),
            ),
        },
    ),
    Mistake(
        slug="jacobian-of-the-input",
        title="The derivative is built from the layer's input instead of its output",
        wrong=r"\frac{z \odot (g - \langle z, g\rangle)}{T} \quad\text{or}\quad "
        r"\frac{g - z \sum_j g_j}{T}",
        right=r"\frac{q \odot (g - \langle q, g\rangle)}{T} \quad\text{or}\quad "
        r"\frac{g - q \sum_j g_j}{T}",
        giveaway="Logits stand where probabilities belong: a shift of all logits "
        "changes the result.",
        page="softmax-jacobian#the-two-cases-by-the-quotient-rule",
        sources=("ZantFoundation/Z-Ant#71", "nntrainer/nntrainer#223"),
        kinds={
            "jacobian": (Steps(core=covariance_of_logits),),
            "vjp": (Steps(core=lambda x: jacobian_product(x.logits, x.cotangent)),),
            "log_softmax_vjp": (
                Steps(core=lambda x: x.cotangent - x.logits * total(x.cotangent)),
            ),
        },
        right_if="your first argument holds probabilities, the output of softmax",
    ),
    Mistake(
        slug="jacobian-of-another-array",
        title="The derivative is built from the incoming gradient, or from log q",
        wrong=r"\frac{r \odot (g - \langle r, g\rangle)}{T},\quad r = "
        r"\operatorname{softmax}(g) \quad\text{or}\quad "
        r"\frac{g - \log q \sum_j g_j}{T}",
        right=r"\frac{q \odot (g - \langle q, g\rangle)}{T} \quad\text{or}\quad "
        r"\frac{g - q \sum_j g_j}{T}",
        giveaway="With softmax(g) the result does not depend on the logits at all; "
        "with log q its rows do not sum to zero.",
        page="softmax-jacobian#the-two-cases-by-the-quotient-rule",
        sources=("offlinew.com, question 3383959922",),
        kinds={
            "vjp": (
                Steps(
                    core=lambda x: jacobian_product(
                        softmax_of_the_gradient(x), x.cotangent
                    )
                ),
            ),
            "log_softmax_vjp": (
                Steps(core=lambda x: x.cotangent - x.log_probs * total(x.cotangent)),
                Steps(
                    core=lambda x: (
                        x.cotangent - softmax_of_the_gradient(x) * total(x.cotangent)
                    )
                ),
            ),
        },
    ),
    Mistake(
        slug="upstream-gradient-ignored",
        title="The incoming gradient is not used",
        wrong=r"\operatorname{diag} J \quad\text{or}\quad J^\top \mathbf 1 "
        r"\text{ for every } g",
        right=r"J^\top g",
        giveaway="Twice the incoming gradient gives the same result. A loss layer "
        "that does so is right only as the last layer, where the incoming gradient "
        "is 1.",
        page="jacobian-structure#products-without-the-matrix",
        sources=("dmlc/gluon-cv#1668", "apache/mxnet#3247"),
        kinds={
            "vjp": (Steps(core=lambda x: x.probs * (1 - x.probs)),),
            "log_softmax_vjp": (
                Steps(core=lambda x: 1 - x.probs.shape[-1] * x.probs),
                Steps(core=lambda x: 1 - x.probs),
            ),
        },
    ),
    Mistake(
        slug="first-upstream-gradient",
        title="The first row's incoming gradient is used for every row",
        wrong=r"\frac{\partial L}{\partial z_n} = J_n^\top g_1",
        right=r"\frac{\partial L}{\partial z_n} = J_n^\top g_n",
        giveaway="Right for one row, and for incoming gradients that are the same in "
        "every row, as those of a mean are.",
        page="jacobian-structure#products-without-the-matrix",
        sources=("paiml/aprender#2182", "linkedin/Liger-Kernel#1298"),
        kinds={
            "vjp": (
                Steps(core=lambda x: jacobian_product(x.probs, of_the_first_row(x))),
            ),
            "log_softmax_vjp": (
                Steps(
                    core=lambda x: (
                        of_the_first_row(x) - x.probs * total(of_the_first_row(x))
                    )
                ),
            ),
        },
    ),
    Mistake(
        slug="zero-gradient",
        title="The gradient is zero everywhere",
        wrong=r"\frac{\partial L}{\partial z} = 0",
        right=r"\frac{\partial L}{\partial z} = \frac{q \sum_j t_j - t}{T}",
        giveaway="Nothing is learned, and nothing fails. A step of the chain has the "
        "derivative zero, as an argmax and the row sums of a Jacobian have, or was "
        "never written.",
        page="gradient-doctor#ask-the-loss-difference-quotients",
        sources=("microsoft/DirectML#740", "google-deepmind/dm-haiku#442"),
        kinds=dict.fromkeys(
            ("vjp", "log_softmax_vjp", "gradient", "kl_divergence_gradient"), (NOTHING,)
        ),
    ),
)
