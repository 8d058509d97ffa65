"""Mistakes in the Jacobian of softmax, in products with it, and in the Hessian."""

import numpy as np

from .._inputs import Array
from ._mistake import Mistake
from ._steps import (
    Steps,
    Values,
    jacobian_product,
    on_diagonal,
    total,
    weighted,
)


def diagonal_jacobian(x: Values) -> Array:
    """Return diag(q (1 - q))."""
    return on_diagonal(x.probs * (1 - x.probs))


def added_outer_product(x: Values) -> Array:
    """Return q (1 - q) on the diagonal and +q_i q_j off it."""
    outer = x.probs[..., :, np.newaxis] * x.probs[..., np.newaxis, :]
    return on_diagonal(x.probs - 2 * x.probs**2) + outer


def diagonal_temperature_gradient(x: Values) -> Array:
    """Return <t (1 - q), z>, that is -<z, g> for the wrong gradient g."""
    return weighted(x.targets * (1 - x.probs), x.logits).sum(axis=-1)


def identity(x: Values) -> Array:
    """Return the identity matrix for each row."""
    return on_diagonal(np.ones_like(x.probs))


def gradient_with_added_products(x: Values) -> Array:
    """Return the gradient from dq_i/dz_j = +q_i q_j off the diagonal."""
    others = total(x.targets) - x.targets
    return -x.targets * (1 - x.probs) - x.probs * others


DIAGONAL_VJP = Steps(core=lambda x: x.probs * (1 - x.probs) * x.cotangent)
DIAGONAL_GRADIENT = Steps(core=lambda x: -x.targets * (1 - x.probs))
OPPOSITE = Steps(sign=-1.0)

SEPARATE = "the thread on separate derivatives (chapter summation-mistake)"

ENTRIES = (
    Mistake(
        slug="diagonal-jacobian",
        title="Only the diagonal of softmax's Jacobian is used",
        wrong=r"\frac{\partial L}{\partial z_i} = -\frac{t_i(1 - q_i)}{T}",
        right=r"\frac{\partial L}{\partial z_i} = \frac{q_i \sum_j t_j - t_i}{T}",
        giveaway="Each row should sum to zero but sums to -sum t (1 - q)/T; for a "
        "class index only the entry of that class is not zero.",
        page="summation-mistake#the-step-that-fails",
        sources=(
            "deeplearning4j/libnd4j#440",
            "emer/axon#12",
            "RubixML/ML#438",
            "Apiquet/DeepLearningFrameworkFromScratchCpp#1",
            "neuroph/neuroph#37",
            "rasmusbergpalm/DeepLearnToolbox#113",
            "zhuozhiyongde/Fundamentals-of-Artificial-Intelligence-2024Spring-PKU#1",
            "stats.stackexchange 235528",
            "sourcepirate/neutro#7",
            "SebLague/Neural-Network-Experiments#5",
        ),
        kinds={
            "jacobian": (Steps(core=diagonal_jacobian),),
            "vjp": (DIAGONAL_VJP,),
            "log_softmax_vjp": (Steps(core=lambda x: (1 - x.probs) * x.cotangent),),
            "gradient": (DIAGONAL_GRADIENT,),
            "temperature_gradient": (Steps(core=diagonal_temperature_gradient),),
            "kl_divergence_gradient": (
                Steps(core=lambda x: -x.teacher_probs * (1 - x.probs)),
            ),
        },
    ),
    Mistake(
        slug="jacobian-row-sums",
        title="The row sums of the Jacobian are taken for the derivative",
        wrong=r"\sum_j J_{ij} = \frac{q_i(1 - q_i)}{T}",
        right=r"\sum_j J_{ij} = 0",
        giveaway="The true row sums are all zero, since softmax does not see a "
        "shift: a summed derivative says nothing.",
        page="summation-mistake#why-the-sums-are-zero-twice",
        sources=(),
        kinds={
            "vjp": (DIAGONAL_VJP,),
            "gradient": (DIAGONAL_GRADIENT,),
        },
    ),
    Mistake(
        slug="zero-off-diagonal",
        title="A probability is thought to depend only on its own logit",
        wrong=r"\frac{\partial q_i}{\partial z_j} = 0 \text{ for } i \ne j",
        right=r"\frac{\partial q_i}{\partial z_j} = -\frac{q_i q_j}{T} \text{ for } "
        r"i \ne j",
        giveaway="Move one logit: every probability changes.",
        page="softmax-jacobian#which-derivatives-there-are",
        sources=(
            "math.stackexchange 3789676",
            "math.stackexchange 2423503",
        ),
        kinds={
            "jacobian": (Steps(core=diagonal_jacobian),),
            "vjp": (DIAGONAL_VJP,),
            "gradient": (DIAGONAL_GRADIENT,),
        },
    ),
    Mistake(
        slug="flipped-sign",
        title="A sign is flipped: of the whole, or of the off-diagonal products",
        wrong=r"\frac{t - q}{T} \quad\text{or}\quad J_{ij} = +\frac{q_i q_j}{T}",
        right=r"\frac{q - t}{T} \quad\text{and}\quad J_{ij} = -\frac{q_i q_j}{T} "
        r"\text{ for } i \ne j",
        giveaway="Flipped as a whole: the loss rises along the step. Flipped off the "
        "diagonal: rows no longer sum to zero.",
        page="softmax-jacobian#the-two-cases-by-the-quotient-rule",
        sources=(
            "peterroelants/peterroelants.github.io#24",
            "fastai/fastbook#478",
            "deeplearning4j/deeplearning4j#349",
            "deeplearning4j/deeplearning4j#345",
        ),
        kinds={
            "jacobian": (OPPOSITE, Steps(core=added_outer_product)),
            "vjp": (
                OPPOSITE,
                Steps(
                    core=lambda x: (
                        jacobian_product(x.probs, x.cotangent)
                        + 2 * x.probs * (total(x.probs * x.cotangent))
                        - 2 * x.probs**2 * x.cotangent
                    )
                ),
                Steps(
                    core=lambda x: (
                        x.probs * (x.cotangent + total(x.probs * x.cotangent))
                    )
                ),
            ),
            "log_softmax_vjp": (
                OPPOSITE,
                Steps(core=lambda x: x.cotangent + x.probs * total(x.cotangent)),
            ),
            "loss": (OPPOSITE,),
            "gradient": (
                OPPOSITE,
                Steps(core=gradient_with_added_products),
                Steps(core=lambda x: x.probs * total(x.targets) + x.targets),
            ),
            "hessian": (OPPOSITE, Steps(core=added_outer_product)),
            "distillation_loss": (OPPOSITE,),
            "kl_divergence_gradient": (
                OPPOSITE,
                Steps(core=lambda x: x.probs + x.teacher_probs),
            ),
        },
    ),
    Mistake(
        slug="vjp-without-dot-product",
        title="The cotangent is multiplied by q, and the dot product is left out",
        wrong=r"\frac{q \odot g}{T}",
        right=r"\frac{q \odot (g - \langle q, g\rangle)}{T}",
        giveaway="Rows do not sum to zero. A cotangent of ones gives q/T and should "
        "give zero. In attention's backward the dot product is the row sum of dO O.",
        page="jacobian-structure#products-without-the-matrix",
        sources=(
            "HomericIntelligence/Odyssey#2134",
            "pocketpy/cTensor#31",
        ),
        kinds={
            "vjp": (Steps(core=lambda x: x.probs * x.cotangent),),
            "gradient": (Steps(core=lambda x: -x.targets),),
            "kl_divergence_gradient": (Steps(core=lambda x: -x.teacher_probs),),
        },
    ),
    Mistake(
        slug="log-softmax-vjp-transposed",
        title="The Jacobian of log-softmax is applied without its transpose",
        wrong=r"\frac{g - \langle q, g\rangle \mathbf 1}{T}",
        right=r"\frac{g - q \sum_j g_j}{T}",
        giveaway="Rows do not sum to zero, but the products with q do: this Jacobian, "
        "unlike softmax's, is not symmetric.",
        page="jacobian-structure#log-softmax-is-not-symmetric",
        sources=(
            "uxlfoundation/oneDNN#616",
            "apache/tvm#1201",
        ),
        kinds={
            "log_softmax_vjp": (
                Steps(core=lambda x: x.cotangent - total(x.probs * x.cotangent)),
                Steps(
                    core=lambda x: (
                        x.cotangent - total(weighted(x.cotangent, x.log_probs))
                    )
                ),
            ),
        },
    ),
    Mistake(
        slug="diagonal-hessian",
        title="The Hessian is taken to be diagonal, or the identity",
        wrong=r"\frac{\operatorname{diag}(q \odot (1 - q))}{T^2},\quad I,\quad "
        r"\frac{2\operatorname{diag}(q \odot (1 - q))}{T^2}",
        right=r"\frac{\operatorname{diag}(q) - q q^\top}{T^2}",
        giveaway="The ones vector is not mapped to zero. Twice the diagonal is a "
        "valid upper bound, not the Hessian.",
        page="curvature#wrong-second-derivatives-with-their-numbers",
        sources=(
            "dmlc/xgboost#638",
            "dmlc/xgboost#2485",
            "dmlc/xgboost#5769",
            "dmlc/xgboost#10258",
            "Evovest/EvoTrees.jl#359",
            "math.stackexchange 4340719",
            "stats.stackexchange 583572",
            "discuss.d2l.ai 46",
        ),
        kinds={
            "hessian": (
                Steps(core=diagonal_jacobian),
                Steps(core=identity, power=0),
                Steps(core=identity),
                Steps(core=lambda x: 2 * diagonal_jacobian(x)),
            ),
        },
    ),
)
