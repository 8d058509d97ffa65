"""Mistakes with classes in several parts, or rows in chunks, shown by numbers."""

from typing import Any

import numpy as np

from .._cross_entropy import cross_entropy, cross_entropy_gradient
from .._inputs import Array
from .._softmax import log_softmax, softmax
from ..label_smoothing import smooth_labels
from ..linear import linear_gradients
from ._mistake import Mistake

# One row of four classes in two parts of two; its label is in the first.
LOGITS = np.log([1.0, 2.0, 3.0, 4.0])
LABEL = 1
PARTS = 2
SIZE = 2
EPSILON = 0.2


def sum_over_the_parts() -> dict[str, Any]:
    """Differentiate the loss that every part has, or the sum of them."""
    gradient = cross_entropy_gradient(LOGITS, LABEL)
    return {
        "gradient of the loss": gradient,
        "gradient of the sum of both parts' losses": PARTS * gradient,
    }


def smoothing_by_the_part() -> dict[str, Any]:
    """Smooth over the classes of a part, and average log q over them."""
    targets = smooth_labels([LABEL], 2 * SIZE, EPSILON)[0]
    log_probs = log_softmax(LOGITS)
    surprise = -(1 - EPSILON) * log_probs[LABEL]
    means = log_probs.reshape(PARTS, SIZE).mean(axis=1)
    by_part = (1 - EPSILON) * np.eye(2 * SIZE)[LABEL] + EPSILON / SIZE
    return {
        "loss": float(cross_entropy(LOGITS, targets)),
        "loss of the first part": float(surprise - EPSILON * means[0]),
        "loss of the second part": float(surprise - EPSILON * means[1]),
        "gradient": cross_entropy_gradient(LOGITS, targets),
        "gradient with eps over each part's classes": softmax(LOGITS) - by_part,
    }


def sum_of_gathered_logits() -> dict[str, Any]:
    """Add up the sums of two parts that both hold all classes."""
    total = PARTS * np.exp(LOGITS).sum()
    return {
        "loss": float(cross_entropy(LOGITS, LABEL)),
        "loss with each class counted twice": float(np.log(total) - LOGITS[LABEL]),
        "log 2": float(np.log(2)),
        "sum of q": float((np.exp(LOGITS) / total).sum()),
    }


def gradient_of_the_part_with_the_target() -> dict[str, Any]:
    """Differentiate through the part that holds the target only."""
    gradient = cross_entropy_gradient(LOGITS, LABEL)
    kept: Array = np.where(np.arange(2 * SIZE) < SIZE, gradient, 0)
    return {
        "gradient": gradient,
        "gradient through the first part only": kept,
        "sums": (float(gradient.sum().round(12)), float(kept.sum().round(12))),
    }


def row_weights_after_the_sum() -> dict[str, Any]:
    """Weight two rows' losses by 1 and 3, before and after their gradients' sum."""
    logits, inputs = np.stack([LOGITS, LOGITS[::-1]]), np.array([[1.0], [2.0]])
    rows = linear_gradients(logits, [1, 0], inputs, reduction="none").weights
    early = rows.sum(axis=0)
    weights = np.array([1.0, 3.0])
    return {
        "sum of v_n g_n x_n^T": np.tensordot(weights, rows, axes=1)[:, 0],
        "v_1 times the sum of g_n x_n^T": weights[0] * early[:, 0],
    }


ENTRIES = (
    Mistake(
        slug="times-the-parts",
        title="The losses of all parts are added before the derivative",
        wrong=r"\frac{\partial}{\partial z} \sum_{p=1}^{P} L "
        r"= P\,\frac{\partial L}{\partial z}",
        right=r"\frac{\partial L}{\partial z}",
        giveaway="The gradient is off by exactly the number of devices. The loss, "
        "which every device has, is right. assert_shard_invariant names it.",
        page="larger-than-one-array#factor",
        sources=("jax-ml/jax#3970",),
        demonstration=sum_over_the_parts,
    ),
    Mistake(
        slug="local-vocabulary",
        title="Each part of the classes smooths by its own size and its own mean",
        wrong=r"(1 - \varepsilon)(-\log q_y) "
        r"- \frac{\varepsilon}{c_p} \sum_{k \in p} \log q_k",
        right=r"(1 - \varepsilon)(-\log q_y) "
        r"- \frac{\varepsilon}{C} \sum_k \log q_k",
        giveaway="With smoothing the loss differs from device to device, and the "
        "gradient of a row does not sum to zero. assert_shard_invariant names it.",
        page="larger-than-one-array#smoothing",
        sources=(
            "NVIDIA/Megatron-LM#737",
            "NVIDIA/Megatron-LM#7464",
            "NVIDIA/Megatron-LM#5522",
        ),
        demonstration=smoothing_by_the_part,
    ),
    Mistake(
        slug="gathered-logits",
        title="The sum over the parts runs over parts that all hold every class",
        wrong=r"\log \sum_{p=1}^{P} \sum_k e^{z_k} - z_y = L + \log P",
        right=r"\log \sum_k e^{z_k} - z_y = L",
        giveaway="The loss is too large by the logarithm of the number of parts, and "
        "the probabilities of a row sum to one over that number. "
        "assert_shard_invariant names it.",
        page="larger-than-one-array#factor",
        sources=("NVIDIA/Megatron-LM#7452",),
        demonstration=sum_of_gathered_logits,
    ),
    Mistake(
        slug="no-gradient-without-the-target",
        title="Parts that do not hold the target get no gradient",
        wrong=r"\frac{\partial L}{\partial z_k} = 0 "
        r"\text{ for } k \text{ in another part than } y",
        right=r"\frac{\partial L}{\partial z_k} = q_k",
        giveaway="The loss is right. The gradient of a row does not sum to zero: the "
        "sum over all parts was taken by an operation that is not differentiated. "
        "assert_shard_invariant names it.",
        page="larger-than-one-array#devices",
        sources=("modelscope/ms-swift#9947",),
        demonstration=gradient_of_the_part_with_the_target,
    ),
    Mistake(
        slug="row-weights-after-the-sum",
        title="The rows' incoming gradients come after the sum over the rows",
        wrong=r"v_1 \sum_n g_n x_n^\top",
        right=r"\sum_n v_n g_n x_n^\top",
        giveaway="A linear layer's loss that makes its gradients in the forward pass, "
        "by chunks of rows, is right for a mean and a sum, and wrong for rows that "
        "are weighted or masked afterwards.",
        page="larger-than-one-array#reduction-none",
        sources=("linkedin/Liger-Kernel#968", "linkedin/Liger-Kernel#1298"),
        demonstration=row_weights_after_the_sum,
    ),
)
