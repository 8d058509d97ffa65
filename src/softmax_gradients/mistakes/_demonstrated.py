"""Mistakes outside what one function returns: each is shown by numbers instead."""

from typing import Any

import numpy as np

from .._cross_entropy import cross_entropy, cross_entropy_gradient
from .._softmax import log_softmax, softmax
from ..distillation import kl_divergence, kl_divergence_gradient
from ..gradcheck import finite_difference
from ._mistake import Mistake

LOGITS = np.array([2.0, 0.5, -1.0])
TEACHER_LOGITS = np.array([1.0, 2.5, -2.0])
LABEL = 1


def square_on_both_losses() -> dict[str, Any]:
    """Compare the soft gradient with the hard one at T = 4."""
    temperature = 4.0
    gradient = kl_divergence_gradient(LOGITS, TEACHER_LOGITS, temperature=temperature)
    soft = np.linalg.norm(gradient)
    hard = np.linalg.norm(cross_entropy_gradient(LOGITS, LABEL))
    square = temperature**2
    return {
        "soft / hard without T^2": float(soft / hard),
        "soft / hard with T^2 on both": float(square * soft / (square * hard)),
        "soft / hard with T^2 on the soft loss": float(square * soft / hard),
    }


def gradient_of_the_teacher() -> dict[str, Any]:
    """Return the derivative of KL(p || q) by the teacher's logits, T = 2."""
    moved = finite_difference(
        lambda teacher: kl_divergence(LOGITS, teacher, temperature=2.0), TEACHER_LOGITS
    )
    return {
        "gradient in the student's logits": kl_divergence_gradient(
            LOGITS, TEACHER_LOGITS, temperature=2.0
        ),
        "gradient in the teacher's logits": moved,
    }


def two_kinds_of_weighted_mean() -> dict[str, Any]:
    """Weight two rows by 1 and 3, and divide by N or by the sum of the weights."""
    losses = np.asarray(cross_entropy([LOGITS, LOGITS], [0, 1], reduction="none"))
    weights = np.array([1.0, 3.0])
    return {
        "sum w L / N": float(weights @ losses / 2),
        "sum w L / sum w": float(weights @ losses / weights.sum()),
        "one row, w = 3, over sum w": float(3 * losses[1] / 3),
        "one row, w = 1, over sum w": float(losses[1]),
    }


def three_smoothed_labels() -> dict[str, Any]:
    """Return the sums of three smoothed targets, C = 4 and epsilon = 0.2."""
    classes, epsilon = 4, 0.2
    label = np.eye(classes)[0]
    uniform = np.ones(classes) / classes
    others = (1 - label) * epsilon / (classes - 1)
    larger = epsilon * classes / (classes - 1)
    return {
        "sum of (1 - eps) e_y + eps/C": float(
            ((1 - epsilon) * label + epsilon * uniform).sum()
        ),
        "sum of (1 - eps) e_y + 1/C": float(((1 - epsilon) * label + uniform).sum()),
        "sum of (1 - eps/C) e_y + eps/C": float(
            ((1 - epsilon / classes) * label + epsilon * uniform).sum()
        ),
        "(1 - eps) e_y + eps/(C - 1) elsewhere": (1 - epsilon) * label + others,
        "the first form with eps C/(C - 1)": (1 - larger) * label + larger * uniform,
    }


def probabilities_after_the_gradient() -> dict[str, Any]:
    """Subtract 1 from the probabilities in place and look at them again."""
    probs = softmax(LOGITS)
    before = float(probs.sum())
    gradient = probs
    gradient[LABEL] -= 1
    return {"sum of q before": before, "sum of q after": float(probs.sum())}


def errors_of_finite_differences() -> dict[str, Any]:
    """Return the largest error of central differences, by precision and step."""
    right = cross_entropy_gradient(LOGITS, LABEL)
    errors = {}
    for precision, steps in ((np.float32, (1e-2, 1e-5, 1e-7)), (np.float64, (6e-6,))):
        for step in steps:
            moves = step * np.eye(3)
            up = cross_entropy(
                (LOGITS + moves).astype(precision),
                [LABEL] * 3,
                temperature=1.0,
                reduction="none",
            )
            down = cross_entropy(
                (LOGITS - moves).astype(precision),
                [LABEL] * 3,
                temperature=1.0,
                reduction="none",
            )
            error = float(np.abs((up - down) / (2 * step) - right).max())
            errors[f"{precision.__name__}, h = {step:g}"] = error
    return errors


def weights_on_the_logits() -> dict[str, Any]:
    """Weight a loss, or its logits, by the class: three classes, label 1, w = 3."""
    weights = np.array([1.0, 3.0, 2.0])
    return {
        "gradient of w_y L(z)": finite_difference(
            lambda logits: weights[LABEL] * cross_entropy(logits, LABEL), LOGITS
        ),
        "gradient of L(w z)": finite_difference(
            lambda logits: cross_entropy(weights * logits, LABEL), LOGITS
        ),
    }


def weights_on_the_entries() -> dict[str, Any]:
    """Weight a gradient by the class of its row, or of each entry: label 1, w = 3."""
    weights = np.array([1.0, 3.0, 2.0])
    probs = softmax(LOGITS)
    by_entry = weights * (probs - np.eye(3)[LABEL])
    product = probs[0] * probs[1]
    return {
        "w_y (q - e_y)": cross_entropy_gradient(
            LOGITS, LABEL, class_weights=weights, reduction="sum"
        ),
        "w (q - e_y), entry by entry": by_entry,
        "sum of its entries": float(by_entry.sum()),
        "derivative of entry 0 by logit 1": float(-weights[0] * product),
        "derivative of entry 1 by logit 0": float(-weights[1] * product),
    }


def gradient_of_an_ignored_row() -> dict[str, Any]:
    """Differentiate the mean loss of one row by the logits of an ignored row."""

    def mean_of_the_kept(ignored: Any) -> Any:
        losses = cross_entropy([LOGITS, ignored], [LABEL, 0], reduction="none")
        return (losses * np.array([1.0, 0.0])).sum() / 1

    return {
        "derivative by the ignored row": finite_difference(
            mean_of_the_kept, TEACHER_LOGITS
        ),
        "q - e_y of the ignored row": cross_entropy_gradient(TEACHER_LOGITS, 0),
    }


def mean_with_an_ignored_row() -> dict[str, Any]:
    """Average the losses of three rows, one of them ignored."""
    rows = [LOGITS, TEACHER_LOGITS, LOGITS]
    losses = cross_entropy(rows, [LABEL, 0, 2], reduction="none")
    kept = np.array([1.0, 0.0, 1.0])
    return {
        "sum over 3 rows": float((kept * losses).sum() / len(rows)),
        "sum over the 2 kept rows": float((kept * losses).sum() / kept.sum()),
        "mean of the kept rows alone": float(
            cross_entropy([LOGITS, LOGITS], [LABEL, 2])
        ),
    }


def mean_of_two_means() -> dict[str, Any]:
    """Average a batch of five rows at once, and as parts of one row and four."""
    logits = [LOGITS, TEACHER_LOGITS, LOGITS, TEACHER_LOGITS, LOGITS]
    labels = [2, LABEL, 0, LABEL, 0]
    parts = [float(cross_entropy(logits[:1], labels[:1]))]
    parts.append(float(cross_entropy(logits[1:], labels[1:])))
    return {
        "mean of five rows": float(cross_entropy(logits, labels)),
        "mean of the parts' means": (parts[0] + parts[1]) / 2,
        "means weighted by 1/5 and 4/5": (parts[0] + 4 * parts[1]) / 5,
        "weight of the first row": [1 / 5, 1 / 2],
    }


def focal_gradients() -> dict[str, Any]:
    """Differentiate the focal loss with gamma = 2, whole and without its terms."""
    focus = 2.0
    probs = softmax(LOGITS)
    label = np.eye(3)[LABEL]
    sure, surprise = probs[LABEL], np.log(probs[LABEL])
    weight = (1 - sure) ** focus
    whole = weight - focus * sure * (1 - sure) ** (focus - 1) * surprise

    def focal(logits: Any) -> Any:
        log_probs = log_softmax(logits)
        return -((1 - np.exp(log_probs[LABEL])) ** focus) * log_probs[LABEL]

    return {
        "by differences": finite_difference(focal, LOGITS),
        "(w - gamma q_y (1 - q_y)^(gamma - 1) log q_y) (q - e_y)": whole
        * (probs - label),
        "w (q - e_y), the weight as a constant": weight * (probs - label),
        "the second term for the labelled class only": np.where(
            label == 1, whole, weight
        )
        * (probs - label),
    }


def gradient_after_a_cut() -> dict[str, Any]:
    """Move the logits of a loss, and of a loss of probabilities that were stored."""
    stored = softmax(LOGITS)
    return {
        "derivative of the loss": finite_difference(
            lambda logits: -np.log(softmax(logits)[LABEL]), LOGITS
        ),
        "derivative after the cut": finite_difference(
            lambda logits: -np.log(stored[LABEL]), LOGITS
        ),
    }


ENTRIES = (
    Mistake(
        slug="t-squared-on-hard-loss",
        title="T^2 multiplies the hard loss as well",
        wrong=r"T^2\,[\alpha\,\mathrm{KL} + (1 - \alpha)\,H]",
        right=r"\alpha\,T^2\,\mathrm{KL} + (1 - \alpha)\,H",
        giveaway="The ratio of the two gradients is as if there were no T^2 at all.",
        page="distillation#dist-t-squared",
        sources=("akimach/tensorflow-distillation-examples#1",),
        demonstration=square_on_both_losses,
    ),
    Mistake(
        slug="teacher-not-detached",
        title="The gradient flows into the teacher",
        wrong=r"\frac{\partial L}{\partial v} = "
        r"\frac{1}{T}\,p \odot \Bigl(\log\frac{p}{q} - \mathrm{KL}\Bigr) "
        r"\text{ updates the teacher}",
        right=r"v \text{ is constant}",
        giveaway="The teacher's logits have a gradient; it should not exist. "
        "Evaluation mode does not stop it.",
        page="distillation#is-the-teacher-detached",
        sources=(
            "pytorch/translate#391",
            "haitongli/knowledge-distillation-pytorch#25",
            "huggingface/trl#6526",
            "lhoyer/DAFormer#59",
        ),
        demonstration=gradient_of_the_teacher,
    ),
    Mistake(
        slug="weighted-mean",
        title="A class-weighted mean is thought to be divided by N",
        wrong=r"\frac{1}{N}\sum_n w_{y_n} L_n \text{ is expected}",
        right=r"\frac{\sum_n w_{y_n} L_n}{\sum_n w_{y_n}} \text{ is what the library "
        r"computes}",
        giveaway="With one row the weight has no effect.",
        page="what-the-mean-is-over#weights",
        right_if="you meant to divide by the sum of the weights",
        sources=(
            "pytorch/pytorch#8062",
            "pytorch/pytorch#25571",
            "pytorch/pytorch#40560",
            "pytorch/pytorch#40991",
            "pytorch/pytorch#50528",
            "pytorch/pytorch#65329",
        ),
        demonstration=two_kinds_of_weighted_mean,
        options=("class_weights",),
    ),
    Mistake(
        slug="label-smoothing-convention",
        title="Two conventions of label smoothing are mixed",
        wrong=r"(1 - \varepsilon) e_y + \frac{1}{C} \quad\text{or}\quad "
        r"\Bigl(1 - \frac{\varepsilon}{C}\Bigr) e_y + \frac{\varepsilon}{C}",
        right=r"(1 - \varepsilon) e_y + \frac{\varepsilon}{C}",
        giveaway="The targets sum to 2 - epsilon or 1 + epsilon - epsilon/C. "
        "epsilon/(C - 1) on the other classes is right with a larger epsilon.",
        page="distillation#label-smoothing-in-two-conventions",
        sources=(
            "ildoonet/pytorch-randaugment#30",
            "eladhoffer/utils.pytorch#14",
            "fastai/fastai#1814",
            "TimDettmers/ConvE#55",
            "pytorch/pytorch#7455",
            "open-mmlab/mmpretrain#285",
        ),
        demonstration=three_smoothed_labels,
        options=("label_smoothing",),
    ),
    Mistake(
        slug="aliased-probabilities",
        title="The gradient is written over the probabilities",
        wrong=r"\text{the gradient and } q \text{ are one array: } q_y \gets q_y - 1",
        right=r"g \gets \text{a copy of } q,\quad g_y \gets g_y - 1",
        giveaway="Afterwards the rows of q sum to zero. The doctor reports a "
        "function that changes its arguments.",
        page="gradient-doctor#what-no-result-shows",
        sources=(
            "cs231n/cs231n.github.io:neural-networks-case-study.md",
            "ggml-org/ggml#1521",
            "ggml-org/llama.cpp#27096",
            "unslothai/unsloth#5002",
            "modelscope/ms-swift#10130",
        ),
        demonstration=probabilities_after_the_gradient,
    ),
    Mistake(
        slug="float32-finite-difference",
        title="A difference quotient in float32 is taken for proof",
        wrong=r"\frac{L(z + h) - L(z - h)}{2h} \text{ in float32 with } h = 10^{-7}",
        right=r"\text{the same in float64 with } h \approx 6 \cdot 10^{-6}",
        giveaway="The error grows as h shrinks: rounding, divided by h.",
        page="gradient-doctor#ask-the-loss-difference-quotients",
        sources=(
            "PaddlePaddle/Paddle#4283",
            "PaddlePaddle/Paddle#4134",
            "chainer/chainer#3046",
            "jax-ml/jax#39821",
            "cs231n/cs231n.github.io:neural-networks-3.md",
        ),
        demonstration=errors_of_finite_differences,
    ),
    Mistake(
        slug="class-weights-on-logits",
        title="The class weights multiply the logits, not the loss",
        wrong=r"L(w \odot z)",
        right=r"w_y\, L(z)",
        giveaway="The weights change the probabilities, and do not say how much a "
        "row counts; the rows of the gradient no longer sum to zero.",
        page="relatives#class-weights",
        sources=(
            "jakeret/tf_unet#8",
            "TomHeaven/msba_reid#3",
            "tensorflow/tensorflow#27741",
        ),
        demonstration=weights_on_the_logits,
        options=("class_weights",),
    ),
    Mistake(
        slug="ignored-rows-keep-a-gradient",
        title="Rows that the loss ignores keep a gradient",
        wrong=r"\frac{\partial L}{\partial z_n} = q_n - e_{y_n} "
        r"\text{ for a row } n \text{ that is ignored}",
        right=r"\frac{\partial L}{\partial z_n} = 0",
        giveaway="The loss does not change with the logits of that row, and its "
        "gradient there is not zero.",
        page="what-the-mean-is-over#padding",
        sources=("PaddlePaddle/Paddle#28622",),
        demonstration=gradient_of_an_ignored_row,
        options=("ignore_index",),
    ),
    Mistake(
        slug="ignored-rows-in-the-mean",
        title="Rows that the loss ignores are counted in its mean",
        wrong=r"\frac{1}{N}\sum_n m_n L_n,\quad m_n = 0 \text{ for ignored rows}",
        right=r"\frac{\sum_n m_n L_n}{\sum_n m_n}",
        giveaway="The more padding, the smaller the loss and its gradient.",
        page="what-the-mean-is-over#padding",
        sources=("IBM/pytorch-seq2seq#125", "chainer/chainer#500"),
        demonstration=mean_with_an_ignored_row,
        options=("ignore_index",),
    ),
    Mistake(
        slug="mean-of-means",
        title="The means of a batch's parts are averaged, whatever their sizes",
        wrong=r"\frac{1}{P}\sum_{p=1}^{P} \frac{1}{N_p}\sum_{n \in p} L_n",
        right=r"\frac{\sum_p \sum_{n \in p} L_n}{\sum_p N_p}",
        giveaway="A row of a small part weighs more than one of a large part. The "
        "result changes with the way in which the batch is cut.",
        page="what-the-mean-is-over#accumulation",
        sources=(
            "huggingface/transformers#24725",
            "huggingface/transformers#34191",
            "meta-pytorch/torchtune#1875",
        ),
        demonstration=mean_of_two_means,
    ),
    Mistake(
        slug="class-weights-on-entries",
        title="The class weights multiply the gradient entry by entry",
        wrong=r"w_k\, (q_k - [k = y])",
        right=r"w_y\, (q_k - [k = y])",
        giveaway="The entries of the gradient no longer sum to zero. It is the "
        "gradient of no function of the logits.",
        page="relatives#class-weights",
        sources=(),
        demonstration=weights_on_the_entries,
        options=("class_weights",),
    ),
    Mistake(
        slug="focal-loss-without-cross-terms",
        title="The weight of the focal loss is not differentiated for every class",
        wrong=r"(1 - q_y)^\gamma (q_i - [i = y])",
        right=r"\Bigl((1 - q_y)^\gamma - \gamma q_y (1 - q_y)^{\gamma - 1} "
        r"\log q_y\Bigr) (q_i - [i = y])",
        giveaway="The weight depends on every logit, through q_y. If it is held "
        "constant, the gradient is too short; if it is differentiated only for the "
        "labelled class, the entries do not sum to zero.",
        page="relatives#focal-loss",
        sources=("unsky/focal-loss#1", "kuangliu/pytorch-retinanet#12"),
        demonstration=focal_gradients,
    ),
    Mistake(
        slug="graph-cut",
        title="The loss is computed from numbers that are cut off from the logits",
        wrong=r"L(\text{a stored copy of } q),\quad "
        r"\frac{\partial L}{\partial z} = 0 \text{ or None}",
        right=r"L(q(z)),\quad \frac{\partial L}{\partial z} = q - t",
        giveaway="The gradient is None, or zero: an argmax, detach(), item() or a "
        "change to NumPy stands between the logits and the loss.",
        page="gradient-doctor#what-no-result-shows",
        sources=("pytorch/pytorch#1339", "LZGMatrix/BOP19_CDPN_2019ICCV#4"),
        demonstration=gradient_after_a_cut,
    ),
)
