"""The number, or power of T, N or C, up to which an answer is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ._matching import Answer, agrees, negligible


@dataclass(frozen=True)
class Factor:
    """The factor k T^a N^b C^d by which an answer is too large."""

    constant: float
    temperature: int
    rows: int
    classes: int

    @property
    def inverse(self) -> "Factor":
        """One over the factor."""
        return Factor(1 / self.constant, -self.temperature, -self.rows, -self.classes)

    def __str__(self) -> str:
        """Return the factor as one would write it, as in -2 T^2/N."""
        above: list[str] = []
        below: list[str] = []
        for symbol, power in (
            ("T", self.temperature),
            ("N", self.rows),
            ("C", self.classes),
        ):
            if power:
                written = symbol if abs(power) == 1 else f"{symbol}^{abs(power)}"
                (above if power > 0 else below).append(written)
        if not above or self.constant not in (1.0, -1.0):
            above.insert(0, f"{self.constant:.6g}")
        elif self.constant == -1.0:
            above[0] = "-" + above[0]
        return "/".join([" ".join(above), *below])


def fitted_factor(answers: Sequence[Answer]) -> Factor | None:
    """Return the factor between the answers and the right ones, if there is one."""
    ratios = []
    for each in answers:
        if negligible(each):
            return None
        ratio = float((each.value * each.right).sum() / (each.right**2).sum())
        if not np.isfinite(ratio) or not agrees(
            each.value, ratio * each.right, each.right, each.tolerance
        ):
            return None
        ratios.append((each, ratio))
    if len(ratios) < 3 or any(ratio == 0 for _, ratio in ratios):
        return None
    powers = sorted(
        product(range(-3, 4), range(-2, 3), range(-2, 3)),
        key=lambda triple: sum(map(abs, triple)),
    )
    for temperature, rows, classes in powers:
        constants = [
            ratio
            / (each.probe.temperature**temperature * count(each) ** rows)
            / each.probe.logits.shape[-1] ** classes
            for each, ratio in ratios
        ]
        tolerance = 10 * max(each.tolerance for each, _ in ratios)
        constant = float(f"{constants[0]:.{6 if tolerance < 1e-4 else 3}g}")
        if np.allclose(constants, constants[0], rtol=tolerance, atol=0):
            return Factor(constant, temperature, rows, classes)
    return None


def count(answer: Answer) -> int:
    """Return the number of rows of an answer's probe."""
    return int(np.prod(answer.probe.logits.shape[:-1]))
