"""The catalogue of mistakes that people make with these derivatives.

Each entry is a function that computes exactly the wrong thing, with its name, the
wrong and the right formula, what gives it away, the chapter that explains it and the
public threads where it was seen. `doctor.diagnose` compares your function with them.

Examples
--------
>>> from softmax_gradients.mistakes import MISTAKES
>>> mistake = MISTAKES["diagonal-jacobian"]
>>> mistake.title
"Only the diagonal of softmax's Jacobian is used"
>>> mistake.function("gradient")([2.0, 0.5, -1.0], [1.0, 0.0, 0.0]).round(4)
array([-0.2144, -0.    , -0.    ])
"""

from collections.abc import Mapping
from types import MappingProxyType

from . import (
    _backward,
    _batch,
    _beliefs,
    _demonstrated,
    _distillation,
    _jacobian,
    _labels,
    _loss,
    _softmax,
    _split,
    _temperature,
)
from ._mistake import CHAPTERS, Mistake

# The themes, in the order of the page in the book.
THEMES: Mapping[str, tuple[Mistake, ...]] = MappingProxyType(
    {
        "Jacobian and Hessian": _jacobian.ENTRIES,
        "Backward passes": _backward.ENTRIES,
        "Loss and targets": _loss.ENTRIES,
        "Labels": _labels.ENTRIES,
        "Softmax": _softmax.ENTRIES,
        "Temperature": _temperature.ENTRIES,
        "Distillation": _distillation.ENTRIES,
        "Batches": _batch.ENTRIES,
        "Parts and chunks": _split.ENTRIES,
        "Outside one function": _demonstrated.ENTRIES,
        "Beliefs": _beliefs.ENTRIES,
    }
)

MISTAKES: Mapping[str, Mistake] = MappingProxyType(
    {entry.slug: entry for entries in THEMES.values() for entry in entries}
)

__all__ = ["CHAPTERS", "MISTAKES", "THEMES", "Mistake"]
