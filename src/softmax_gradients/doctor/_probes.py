"""The inputs at which functions are compared: points that hide nothing.

Regular probes decide the formula: |z/T| is at most 30, the means of rows differ,
some logits are equal, T is not 1 (but once), N = C occurs, targets are soft, hard
and unnormalised, cotangents are random. Stress probes decide the numerics: one row
each with one thing wrong, at T = 1.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from .._inputs import Array
from ..mistakes._steps import (
    MATRIX_A_ROW,
    ONE_NUMBER_A_ROW,
    SECOND_ARGUMENT,
    Shape,
)

# How targets can be given. Only the first has rows that do not sum to one.
FORMS = ("weights", "distribution", "one-hot", "indices")
FORM_NAMES = {
    "": "logits",
    "weights": "targets that do not sum to one",
    "distribution": "targets that sum to one",
    "one-hot": "one-hot targets",
    "indices": "class indices",
}
# The shape (N, C) and T of each regular batch.
BATCHES: tuple[tuple[int, int, float], ...] = (
    (3, 4, 1.7),
    (2, 5, 0.7),
    (5, 3, 1.0),
    (4, 4, 2.6),
    (3, 2, 1.4),
)
CONFIDENT = np.array(
    [[27.0, 26.3, -26.0, 9.5], [-12.0, 13.1, 12.4, -29.0], [9.0, 26.0, -27.0, 25.1]]
)
ORDINARY = "ordinary logits"
ROWS_OF_A_BATCH = 2
BASE = np.array([0.3, 1.1, -0.7, 0.2])
SECOND_ROW = np.array([-0.4, 0.1, 1.2, -0.8])
SPREAD = np.array([370.0, 369.2, -380.0, 368.5])


@dataclass(frozen=True, eq=False)
class Probe:
    """One call: its arguments, and in words what is special about it."""

    what: str
    logits: Array
    second: Any
    temperature: float
    form: str = ""

    def rows(self, limit: int) -> list["Probe"]:
        """Return the first rows, each as a probe of its own."""
        return [
            replace(
                self,
                logits=self.logits[row],
                second=None if self.second is None else self.second[row],
            )
            for row in range(min(limit, len(self.logits)))
        ]


def forms_of(kind: str) -> tuple[str, ...]:
    """Return the forms in which the second argument of a kind can be given."""
    return FORMS if SECOND_ARGUMENT[kind] == "targets" else ("",)


@lru_cache(maxsize=1024)
def probes_in_style(
    style: str,
    kind: str,
    form: str,
    with_temperature: bool,
    seed: int,
    classes: int | None = None,
    few_shapes: bool = False,
) -> list[Probe]:
    """Return the regular probes: as batches, those with N = C, or as single rows.

    With a fixed number of `classes`, all have it. With `few_shapes` they are of two
    shapes, since some functions are compiled anew for each.
    """
    batches = BATCHES
    if few_shapes:
        shapes = ((3, 4), (4, 4), (3, 4), (4, 4), (3, 4))
        batches = tuple(
            (*shape, T) for shape, (_, _, T) in zip(shapes, BATCHES, strict=True)
        )
    if classes is not None:
        # Enough of them to estimate a weight for each class, and to confirm it.
        repeated = BATCHES * max(2, min(4, classes // 4))
        batches = tuple((rows, classes, T) for rows, _, T in repeated)
    probes = regular_probes(kind, form, with_temperature, seed, batches)
    if style == "square":
        return [p for p in probes if p.logits.shape[0] == p.logits.shape[1]]
    if style == "row":
        return [row for p in probes for row in p.rows(ROWS_OF_A_BATCH)]
    return probes


def regular_probes(
    kind: str,
    form: str,
    with_temperature: bool,
    seed: int,
    batches: tuple[tuple[int, int, float], ...] = BATCHES,
) -> list[Probe]:
    """Return the probes with |z/T| <= 30, the most telling first."""
    rng = np.random.default_rng(seed)
    probes = []
    for rows, classes, temperature in batches:
        divisor = temperature if with_temperature else 1.0
        logits = random_logits(rng, (rows, classes))
        if temperature == 1.0:
            logits[0, :2] = logits[0, -1]  # a tie among all, of three
            logits[1, 0] = logits[1, 1]
        second = second_argument(kind, form, logits.shape, rng)
        probes.append(Probe(ORDINARY, logits, second, divisor, form))
    if len({classes for _, classes, _ in batches}) == 1 and batches[0][1] != 4:
        return probes
    # Two classes lead, so no probability is within rounding of one.
    divisor = 1.3 if with_temperature else 1.0
    logits = divisor * CONFIDENT
    labels = np.array([2, 3, 2])
    if batches is BATCHES:
        logits, labels = logits[:2], labels[:2]
    second = second_argument(kind, form, logits.shape, rng)
    if form == "indices":
        second = labels
    if form == "one-hot":
        second = np.eye(4)[labels]
    return [*probes, Probe("confident logits", logits, second, divisor, form)]


def sequence_probe(kind: str, form: str, temperature: float, seed: int) -> Probe:
    """Return a probe with logits of shape (B, S, C)."""
    rng = np.random.default_rng(seed)
    logits = random_logits(rng, (2, 3, 4))
    second = second_argument(kind, form, logits.shape, rng)
    return Probe("logits of shape (2, 3, 4)", logits, second, temperature, form)


def random_logits(rng: np.random.Generator, shape: Shape) -> Array:
    """Return random logits whose rows have different means."""
    offsets = rng.uniform(0.5, 2.0, size=(*shape[:-1], 1))
    return rng.normal(scale=1.5, size=shape) + offsets


def second_argument(
    kind: str, form: str, shape: Shape, rng: np.random.Generator
) -> Any:
    """Return cotangents, teacher's logits, or targets in the given form."""
    name = SECOND_ARGUMENT[kind]
    if name is None:
        return None
    if name == "cotangent":
        return rng.normal(size=shape)
    if name == "teacher_logits":
        return rng.normal(scale=1.5, size=shape) - rng.uniform(0.5, 1.5)
    classes = shape[-1]
    labels = rng.integers(classes, size=shape[:-1])
    labels.flat[0] = classes - 1  # out of range for code that indexes the rows by it
    if form == "indices":
        return labels
    if form == "one-hot":
        return np.eye(classes)[labels]
    weights = rng.uniform(0.1, 1.0, size=shape)
    return weights if form == "weights" else weights / weights.sum(-1, keepdims=True)


@lru_cache(maxsize=64)
def stress_probes(kind: str, form: str) -> list[Probe]:
    """Return the probes of large logits, one row each but for the last."""
    what_and_logits = [
        ("logits near 1000", BASE + 1000),
        ("logits near 400", BASE + 400),
        ("logits near -1000", BASE - 1000),
        ("logits 750 apart", SPREAD),
    ]
    if SECOND_ARGUMENT[kind] == "targets":
        what_and_logits.append(("logits 750 apart, weight on the top class", SPREAD))
    probes = [
        Probe(what, logits[np.newaxis], stress_second(kind, form, what), 1.0, form)
        for what, logits in what_and_logits
    ]
    if SECOND_ARGUMENT[kind] == "teacher_logits":
        probes += [
            Probe("teacher's " + p.what, p.second, p.logits, 1.0, form) for p in probes
        ]
    mixed = np.stack([SECOND_ROW, BASE + 1000])
    second = stress_second(kind, form, "")
    if second is not None:
        second = np.concatenate([second, second])
    return [*probes, Probe("rows 1000 apart in one batch", mixed, second, 1.0, form)]


def stress_second(kind: str, form: str, what: str) -> Any:
    """Return a second argument for one row, with weight on class 2 if on any."""
    name = SECOND_ARGUMENT[kind]
    if name is None:
        return None
    if name == "cotangent":
        return np.array([[0.5, -1.0, 2.0, 0.3]])
    if name == "teacher_logits":
        return np.array([[0.2, -0.5, 0.9, 0.1]])
    label = 0 if what.endswith("top class") else 2
    if form == "indices":
        return np.array([label])
    if form == "one-hot" or label == 0:
        return np.eye(4)[[label]]
    return np.array([[0.1, 0.2, 0.3, 0.4]])


def expected_shape(kind: str, shape: Shape, reduction: str) -> Shape:
    """Return the shape of the right answer for logits of the given shape."""
    if kind in ONE_NUMBER_A_ROW:
        return shape[:-1] if reduction == "none" else ()
    return (*shape, shape[-1]) if kind in MATRIX_A_ROW else shape
