"""Mistakes in the softmax itself: its shift, its axis, its normalisation."""

from collections.abc import Mapping

import numpy as np

from .._inputs import Array
from ._mistake import Mistake
from ._steps import (
    KINDS,
    Core,
    Softmax,
    Steps,
    Values,
    jacobian_product,
    shifted_softmax,
    total,
    unscaled,
)


def normalised(exponentials: Array, sums: Array) -> tuple[Array, Array]:
    """Return probabilities and their logarithms as plain code computes them."""
    probs = exponentials / sums
    return probs, np.log(probs)


def unshifted(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Exponentiate without subtracting the maximum."""
    exponentials = np.exp(scaled)
    sums = total(exponentials)
    return exponentials / sums, scaled - np.log(sums)


def unshifted_log_sum(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Return exp(z - log sum exp z), without subtracting the maximum."""
    log_probs = scaled - np.log(total(np.exp(scaled)))
    return np.exp(log_probs), log_probs


def shifted_by_global_maximum(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Subtract the maximum of the whole batch from every row."""
    return unshifted(scaled - scaled.max(), temperature)


def shifted_upwards(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Add the maximum instead of subtracting it."""
    return unshifted(scaled + scaled.max(axis=-1, keepdims=True), temperature)


def shifted_by_positive_part(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Subtract max(0, max z): rows of very negative logits underflow."""
    largest = np.maximum(0, scaled.max(axis=-1, keepdims=True))
    return unshifted(scaled - largest, temperature)


def along_rows(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Normalise along the first axis, over the batch."""
    exponentials = np.exp(scaled - scaled.max(axis=0))
    return normalised(exponentials, exponentials.sum(axis=0))


def over_everything(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Normalise by the sum over the whole batch."""
    exponentials = np.exp(scaled - scaled.max())
    return normalised(exponentials, exponentials.sum())


def maximum_without_keepdims(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Subtract row maxima that have lost their axis."""
    exponentials = np.exp(scaled - scaled.max(axis=-1))
    return normalised(exponentials, total(exponentials))


def neither_with_keepdims(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Subtract row maxima and divide by row sums that have lost their axis."""
    exponentials = np.exp(scaled - scaled.max(axis=-1))
    return normalised(exponentials, exponentials.sum(axis=-1))


def unshifted_without_keepdims(
    scaled: Array, temperature: float
) -> tuple[Array, Array]:
    """Divide exponentials of one common shift by row sums without their axis."""
    exponentials = np.exp(scaled - scaled.max())
    return normalised(exponentials, exponentials.sum(axis=-1))


def without_keepdims(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Divide by row sums that have lost their axis."""
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return normalised(exponentials, exponentials.sum(axis=-1))


def without_exponentials(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Divide the logits themselves by their sum."""
    return normalised(scaled, total(scaled))


def shifted_without_exponentials(
    scaled: Array, temperature: float
) -> tuple[Array, Array]:
    """Divide the shifted logits by their sum."""
    shifted = scaled - scaled.max(axis=-1, keepdims=True)
    return normalised(shifted, total(shifted))


def over_raw_sum(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Divide the exponentials by the sum of the logits."""
    return normalised(np.exp(scaled), total(scaled))


def shifted_over_raw_sum(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Divide the exponentials of the shifted logits by the sum of these."""
    shifted = scaled - scaled.max(axis=-1, keepdims=True)
    return normalised(np.exp(shifted), total(shifted))


def undivided(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Exponentiate, and divide by nothing."""
    return np.exp(scaled), scaled


def shifted_undivided(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Exponentiate the shifted logits, and divide by nothing."""
    shifted = scaled - scaled.max(axis=-1, keepdims=True)
    return np.exp(shifted), shifted


def product_without_keepdims(x: Values) -> Array:
    """Return q (g - <q, g>), with the products laid along the classes."""
    return x.probs * (x.cotangent - (x.probs * x.cotangent).sum(axis=-1))


def sum_without_keepdims(x: Values) -> Array:
    """Return g - q sum(g), with the sums laid along the classes."""
    return x.cotangent - x.probs * x.cotangent.sum(axis=-1)


def product_over_rows(x: Values) -> Array:
    """Return q (g - <q, g>), with the products summed over the batch."""
    return x.probs * (x.cotangent - (x.probs * x.cotangent).sum(axis=0))


def sum_over_rows(x: Values) -> Array:
    """Return g - q sum(g), with the sums over the batch."""
    return x.cotangent - x.probs * x.cotangent.sum(axis=0)


def product_over_everything(x: Values) -> Array:
    """Return q (g - <q, g>), with one sum for all rows."""
    return x.probs * (x.cotangent - (x.probs * x.cotangent).sum())


def sum_over_everything(x: Values) -> Array:
    """Return g - q sum(g), with one sum for all rows."""
    return x.cotangent - x.probs * x.cotangent.sum()


def where_finite(*softmaxes: Softmax) -> Mapping[str, tuple[Steps, ...]]:
    """Return the replacements of the softmax where no logarithm is taken of it.

    These can be negative: a loss is NaN, and tells nothing.
    """
    forms = tuple(Steps(softmax=each) for each in softmaxes)
    return dict.fromkeys(("softmax", "gradient"), forms)


def twice(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Take the softmax of probabilities."""
    return shifted_softmax(shifted_softmax(scaled, temperature)[0], temperature)


def twice_then_divided(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Take the softmax of probabilities over T."""
    once = shifted_softmax(scaled, temperature)[0]
    return shifted_softmax(once / temperature, temperature)


def through_both(x: Values) -> Array:
    """Return J (r sum(t) - t): the derivative of the loss on r = softmax(q)."""
    once = shifted_softmax(x.logits / x.temperature, x.temperature)[0]
    return jacobian_product(once, x.probs * total(x.targets) - x.targets)


def through_both_divided_once(x: Values) -> Array:
    """Return J_1 (r sum(t) - t) for r = softmax(softmax(z)/T)."""
    once = shifted_softmax(x.logits, x.temperature)[0]
    return jacobian_product(once, x.probs * total(x.targets) - x.targets)


def in_every_kind(*softmaxes: Softmax) -> Mapping[str, tuple[Steps, ...]]:
    """Return the replacements of the softmax in every kind."""
    return {kind: tuple(Steps(softmax=each) for each in softmaxes) for kind in KINDS}


def with_backward(
    softmax: Mapping[str, tuple[Steps, ...]], product: Core, in_log_softmax: Core
) -> Mapping[str, tuple[Steps, ...]]:
    """Return the replacements with one more form: the sum of the backward."""
    return {
        **softmax,
        "vjp": (*softmax["vjp"], Steps(core=product)),
        "log_softmax_vjp": (*softmax["log_softmax_vjp"], Steps(core=in_log_softmax)),
    }


LAID_ALONG_CLASSES = in_every_kind(
    unshifted_without_keepdims,
    without_keepdims,
    maximum_without_keepdims,
    neither_with_keepdims,
)
TWICE = (
    Steps(softmax=twice),
    Steps(student=unscaled, softmax=twice_then_divided),
    Steps(softmax=twice_then_divided),
)


def sigmoids(scaled: Array, temperature: float) -> tuple[Array, Array]:
    """Return a sigmoid of each class's own logit, and its logarithm."""
    log_probs = -np.logaddexp(0, -scaled)
    return np.exp(log_probs), log_probs


def binary_losses_of_sigmoids(x: Values) -> Array:
    """Return the sum over the classes of log(1 + e^(z/T)) - t z/T."""
    scaled = x.logits / x.temperature
    return (np.logaddexp(0, scaled) - x.targets * scaled).sum(axis=-1)


ENTRIES = (
    Mistake(
        slug="double-softmax",
        title="Softmax is applied to probabilities that are already a softmax",
        wrong=r"r = \operatorname{softmax}(q),\quad L = -\sum_j t_j \log r_j",
        right=r"L = -\sum_j t_j \log q_j",
        giveaway="For a class label the loss cannot fall below log(e + C - 1) - 1 "
        "however sure the logits are; no entry of r exceeds e/(e + C - 1). If the "
        "second softmax is divided by T too, log(e^(1/T) + C - 1) - 1/T.",
        page="gradient-doctor#softmax-twice",
        sources=(
            "jaehong31/CGES#1",
            "tflearn/tflearn#562",
            "nishnik/Deep-Semantic-Similarity-Model-PyTorch#2",
            "jindongwang/Deep-learning-activity-recognition#10",
            "Lightning-Universe/lightning-bolts#654",
            "nfmcclure/tensorflow_cookbook#86",
            "lansinuote/Huggingface_Toturials#6",
            "speedinghzl/Pytorch-Deeplab#2",
            "haitongli/knowledge-distillation-pytorch#10",
        ),
        kinds={
            "softmax": TWICE,
            "jacobian": (Steps(softmax=twice),),
            "vjp": (Steps(softmax=twice),),
            "loss": TWICE,
            "gradient": (
                Steps(softmax=twice, core=through_both),
                Steps(softmax=twice),
                Steps(
                    student=unscaled,
                    softmax=twice_then_divided,
                    core=through_both_divided_once,
                ),
                Steps(student=unscaled, softmax=twice_then_divided),
                Steps(softmax=twice_then_divided, core=through_both, power=-2),
                Steps(softmax=twice_then_divided),
            ),
        },
    ),
    Mistake(
        slug="wrong-axis",
        title="A sum runs over the batch, not over the classes",
        wrong=r"q_{ni} = \frac{e^{z_{ni}}}{\sum_m e^{z_{mi}}} \quad\text{or}\quad "
        r"q_{ni} \Bigl(g_{ni} - \sum_m q_{mi} g_{mi}\Bigr)",
        right=r"q_{ni} = \frac{e^{z_{ni}}}{\sum_j e^{z_{nj}}} \quad\text{and}\quad "
        r"q_{ni} \Bigl(g_{ni} - \sum_j q_{nj} g_{nj}\Bigr)",
        giveaway="The columns of q sum to one, and the rows do not; or the rows of "
        "the gradient do not sum to zero.",
        page="gradient-doctor#rows-columns-and-the-batch",
        right_if="your classes are along the first axis",
        sources=(
            "MicrosoftDocs/pytorchfundamentals#21",
            "DeepReinforcementLearning/DeepReinforcementLearningInAction#32",
            "ethanfetaya/NRI#25",
            "paiml/aprender#2152",
            "deeplearning4j/deeplearning4j#345",
        ),
        kinds=with_backward(
            in_every_kind(along_rows), product_over_rows, sum_over_rows
        ),
    ),
    Mistake(
        slug="whole-batch-sum",
        title="One sum over the whole batch stands in every row",
        wrong=r"q_{ni} = \frac{e^{z_{ni}}}{\sum_m \sum_j e^{z_{mj}}} "
        r"\quad\text{or}\quad "
        r"q_{ni} \Bigl(g_{ni} - \sum_m \sum_j q_{mj} g_{mj}\Bigr)",
        right=r"q_{ni} = \frac{e^{z_{ni}}}{\sum_j e^{z_{nj}}} \quad\text{and}\quad "
        r"q_{ni} \Bigl(g_{ni} - \sum_j q_{nj} g_{nj}\Bigr)",
        giveaway="All of q, or of the gradient, has the right sum, and its rows do "
        "not: right for a single row, and wrong for two.",
        page="gradient-doctor#rows-columns-and-the-batch",
        right_if="you meant one row at a time",
        sources=(
            "deeplearning4j/nd4j#44",
            "rickwierenga/MLFundamentals#1",
            "uTensor/uTensor#171",
        ),
        kinds=with_backward(
            in_every_kind(over_everything), product_over_everything, sum_over_everything
        ),
    ),
    Mistake(
        slug="missing-keepdims",
        title="The row sums lose their axis, so they are laid along the classes",
        wrong=r"q_{ni} = \frac{e^{z_{ni}}}{\sum_j e^{z_{ij}}} \quad\text{or}\quad "
        r"q_{ni} \Bigl(g_{ni} - \sum_j q_{ij} g_{ij}\Bigr)",
        right=r"q_{ni} = \frac{e^{z_{ni}}}{\sum_j e^{z_{nj}}} \quad\text{and}\quad "
        r"q_{ni} \Bigl(g_{ni} - \sum_j q_{nj} g_{nj}\Bigr)",
        giveaway="An error about shapes unless N = C; then it runs, and the rows of "
        "q do not sum to one, or those of the gradient not to zero.",
        page="gradient-doctor#rows-columns-and-the-batch",
        sources=(
            "triton-lang/triton#11406",
            "triton-lang/triton#11409",
            "sahandsafizadeh/qeep#29",
            "DeNA/HandyRL#209",
            "SKaiNET-developers/SKaiNET#863",
        ),
        kinds=with_backward(
            LAID_ALONG_CLASSES, product_without_keepdims, sum_without_keepdims
        ),
    ),
    Mistake(
        slug="missing-shift",
        title="The exponentials are taken without subtracting the maximum",
        wrong=r"q_i = \frac{e^{z_i}}{\sum_j e^{z_j}} \text{ as it stands}",
        right=r"q_i = \frac{e^{z_i - m}}{\sum_j e^{z_j - m}},\quad m = \max_j z_j",
        giveaway="At T = 1 in float64, NaN at logits near 1000 and near -1000, and "
        "right at 400; in float32, NaN above 89 and below -104.",
        page="every-digit#step-one-the-exponential-overflows",
        sources=(
            "uTensor/uTensor#175",
            "pyg-team/pytorch_geometric#53",
            "githubharald/CTCWordBeamSearch#19",
        ),
        kinds=in_every_kind(unshifted, unshifted_log_sum),
        numerical=True,
    ),
    Mistake(
        slug="wrong-shift",
        title="The maximum is added, or max(0, max z) is subtracted",
        wrong=r"e^{z_i + m} \text{ or } e^{z_i - \max(0, m)},\quad m = \max_j z_j",
        right=r"e^{z_i - m}",
        giveaway="At T = 1 in float64: added, it overflows at half the size (NaN at "
        "400); max(0, m) gives NaN where all logits are near -1000.",
        page="gradient-doctor#where-it-overflows",
        sources=(
            "FluxML/NNlib.jl#43",
            "uTensor/uTensor#176",
        ),
        kinds=in_every_kind(shifted_upwards, shifted_by_positive_part),
        numerical=True,
    ),
    Mistake(
        slug="global-max",
        title="The maximum of the whole batch is subtracted from every row",
        wrong=r"e^{z_{ni} - \max_m \max_j z_{mj}}",
        right=r"e^{z_{ni} - \max_j z_{nj}}",
        giveaway="A row 1000 below the largest of the batch is 0/0 = NaN.",
        page="gradient-doctor#where-it-overflows",
        sources=(
            "deeplearning4j/nd4j#44",
            "manassharma07/crysx_nn#7",
            "keras-team/keras#9606",
            "amdegroot/ssd.pytorch#203",
            "mantasu/cs231n:assignment1/cs231n/classifiers/softmax.py",
        ),
        kinds=in_every_kind(shifted_by_global_maximum),
        numerical=True,
    ),
    Mistake(
        slug="sigmoid-for-softmax",
        title="Each class has a sigmoid of its own where a softmax is meant",
        wrong=r"\sigma(z_k/T) = \frac{1}{1 + e^{-z_k/T}}, \quad "
        r"\frac{\partial L}{\partial z} = \frac{\sigma(z/T) - t}{T}",
        right=r"q_k = \frac{e^{z_k/T}}{\sum_j e^{z_j/T}}, \quad "
        r"\frac{\partial L}{\partial z} = \frac{q - t}{T}",
        giveaway="The probabilities of a row do not sum to one, and the entries of its "
        "gradient do not sum to zero. Where a row may have several labels that is "
        "right, and the loss is the sum of the binary cross-entropies.",
        page="relatives#sigmoid",
        right_if="your classes do not exclude one another, as with several labels "
        "a row",
        sources=(
            "hunkim/DeepLearningZeroToAll#51",
            "younggns/comparative-abusive-lang#1",
        ),
        kinds={
            "softmax": (Steps(softmax=sigmoids),),
            "loss": (
                Steps(core=binary_losses_of_sigmoids),
                Steps(softmax=sigmoids),
            ),
            "gradient": (Steps(softmax=sigmoids, core=lambda x: x.probs - x.targets),),
        },
        forms={
            "loss": (
                "the binary cross-entropies of the sigmoids",
                "the logarithm of the labelled class's sigmoid alone",
            ),
        },
    ),
    Mistake(
        slug="missing-exponential",
        title="The logits are divided by their sum, without exponentials",
        wrong=r"q_i = \frac{z_i}{\sum_j z_j}",
        right=r"q_i = \frac{e^{z_i}}{\sum_j e^{z_j}}",
        giveaway="Negative logits give negative entries, or entries above one. The "
        "rows sum to one, so that a test of the sums passes.",
        page="gradient-doctor#what-holds-without-knowing-the-answer",
        sources=("OpenMined/PySyft#711",),
        kinds=where_finite(without_exponentials, shifted_without_exponentials),
    ),
    Mistake(
        slug="raw-normaliser",
        title="The exponentials are divided by the sum of the logits themselves",
        wrong=r"q_i = \frac{e^{z_i}}{\sum_j z_j}",
        right=r"q_i = \frac{e^{z_i}}{\sum_j e^{z_j}}",
        giveaway="The rows do not sum to one, and are negative where the sum of the "
        "logits is. Where it is positive the order of the classes is right, and so "
        "is the accuracy.",
        page="gradient-doctor#what-holds-without-knowing-the-answer",
        sources=(
            "keras-team/keras-io#320",
            "p2irc/deepplantphenomics#50",
            "rwitten/HighPerfLLMs2024#3",
        ),
        kinds=where_finite(over_raw_sum, shifted_over_raw_sum),
    ),
    Mistake(
        slug="missing-normaliser",
        title="The exponentials are not divided by their sum",
        wrong=r"q_i = e^{z_i/T},\quad "
        r"\frac{\partial L}{\partial z_i} = \frac{e^{z_i/T} g_i}{T}",
        right=r"q_i = \frac{e^{z_i/T}}{\sum_j e^{z_j/T}},\quad "
        r"\frac{\partial L}{\partial z_i} = \frac{q_i (g_i - \langle q, g\rangle)}{T}",
        giveaway="The rows do not sum to one, and a logit changes only its own entry.",
        page="softmax-jacobian#softmax",
        sources=(),
        kinds={
            **where_finite(undivided, shifted_undivided),
            "vjp": (
                Steps(softmax=undivided, core=lambda x: x.probs * x.cotangent),
                Steps(softmax=undivided),
            ),
        },
    ),
)
