"""Mistakes in how labels become targets: their first number, their smoothing."""

from collections.abc import Callable

import numpy as np

from .._inputs import Array
from ._mistake import Mistake
from ._steps import Steps, total, weighted

SMOOTHINGS = (0.01, 0.05, 0.1, 0.2, 0.3)

Retarget = Callable[[Array], Array]


def turned(steps: int) -> Retarget:
    """Return the function that moves each target by so many classes, around the end."""
    return lambda targets: np.roll(targets, steps, axis=-1)


def moved(steps: int) -> Retarget:
    """Return the same function without the end: what leaves is lost."""

    def retarget(targets: Array) -> Array:
        result = np.roll(targets, steps, axis=-1)
        result[..., 0 if steps > 0 else -1] = 0
        return result

    return retarget


def over_the_others(epsilon: float) -> Retarget:
    """Return (1 - eps) t + eps/(C - 1), on every class, the labelled one too."""

    def retarget(targets: Array) -> Array:
        mass = epsilon / (targets.shape[-1] - 1)
        return (1 - epsilon) * targets + mass * total(targets)

    return retarget


def of_the_rest(epsilon: float) -> Retarget:
    """Return (1 - eps) t + (1 - eps)/C, on every class."""

    def retarget(targets: Array) -> Array:
        mass = (1 - epsilon) / targets.shape[-1]
        return (1 - epsilon) * targets + mass * total(targets)

    return retarget


def loss_of(retarget: Retarget) -> Steps:
    """Return the cross-entropy with other targets."""
    return Steps(
        core=lambda x: -weighted(retarget(x.targets), x.log_probs).sum(axis=-1)
    )


def gradient_of(retarget: Retarget) -> Steps:
    """Return its gradient, q sum(t') - t'."""
    return Steps(
        core=lambda x: x.probs * total(retarget(x.targets)) - retarget(x.targets)
    )


def difference_from(retarget: Retarget) -> Steps:
    """Return q sum(t) - t', as code that expects targets with the old sum writes it."""
    return Steps(core=lambda x: x.probs * total(x.targets) - retarget(x.targets))


SMOOTHED = tuple(
    (make(epsilon), f"epsilon = {epsilon:g}, {words}")
    for epsilon in SMOOTHINGS
    for make, words in (
        (over_the_others, "and epsilon/(C - 1) added to every class"),
        (of_the_rest, "and (1 - epsilon)/C added to every class"),
    )
)

ENTRIES = (
    Mistake(
        slug="labels-off-by-one",
        title="The class after the labelled one is taken for the label",
        wrong=r"-\log q_{y+1}",
        right=r"-\log q_y",
        giveaway="The model learns, and its predictions are off by one class. The "
        "last class has an index that is out of range, or a row of zeros.",
        page="gradient-doctor#rows-columns-and-the-batch",
        sources=("hunkim/DeepLearningZeroToAll#21",),
        kinds={
            "loss": (loss_of(moved(1)), loss_of(turned(1))),
            "gradient": (
                difference_from(moved(1)),
                gradient_of(moved(1)),
                gradient_of(turned(1)),
            ),
        },
    ),
    Mistake(
        slug="labels-from-one",
        title="The labels are thought to count from one",
        wrong=r"-\log q_{y-1}",
        right=r"-\log q_y",
        giveaway="Label 0 means the last class, since an index of -1 does; with "
        "labels from 1 to C the same code is right.",
        page="gradient-doctor#rows-columns-and-the-batch",
        sources=(
            "intel/ipex-llm#744",
            "imfing/audio-classification#5",
            "TrustAGI-Lab/CoLA#6",
        ),
        kinds={
            "loss": (loss_of(turned(-1)), loss_of(moved(-1))),
            "gradient": (
                gradient_of(turned(-1)),
                difference_from(moved(-1)),
                gradient_of(moved(-1)),
            ),
        },
        right_if="your labels count from 1",
    ),
    Mistake(
        slug="wrong-smoothing-mass",
        title="Label smoothing adds the wrong number to every class",
        wrong=r"(1 - \varepsilon) e_y + \frac{\varepsilon}{C - 1} \quad\text{or}"
        r"\quad (1 - \varepsilon) e_y + \frac{1 - \varepsilon}{C}",
        right=r"(1 - \varepsilon) e_y + \frac{\varepsilon}{C}",
        giveaway="The smoothed targets do not sum to one: they sum to "
        "1 + epsilon/(C - 1), or to 2 (1 - epsilon).",
        page="distillation#label-smoothing-in-two-conventions",
        sources=("pytorch/pytorch#7455", "paiml/aprender#2199"),
        kinds={
            "loss": tuple(loss_of(retarget) for retarget, _ in SMOOTHED),
            "gradient": tuple(
                make(retarget)
                for retarget, _ in SMOOTHED
                for make in (gradient_of, difference_from)
            ),
        },
        forms={
            "loss": tuple(words for _, words in SMOOTHED),
            "gradient": tuple(
                f"{words}, {how}"
                for _, words in SMOOTHED
                for how in ("minus these targets", "as if they summed to one")
            ),
        },
    ),
)
