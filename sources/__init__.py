"""The statements of the source documents, as data that can be evaluated.

`DOCUMENTS` are the four documents, `OTHERS` are other treatments of the same
derivative. tests/test_sources.py evaluates every statement, and
book/_ext/statements.py writes the entries of the chapter "The sources" from them, so
that page and tests cannot differ.
"""

from . import (
    distillation_gradient_ko,
    other_treatments,
    separate_derivatives,
    softmax_loss_derivative,
    temperature_gradient,
)
from .statement import Document, Point, Statement, Treatment, Verdict, differ, same

DOCUMENTS = (
    temperature_gradient.DOCUMENT,
    softmax_loss_derivative.DOCUMENT,
    separate_derivatives.DOCUMENT,
    distillation_gradient_ko.DOCUMENT,
)
OTHERS = other_treatments.STATEMENTS

__all__ = [
    "DOCUMENTS",
    "OTHERS",
    "Document",
    "Point",
    "Statement",
    "Treatment",
    "Verdict",
    "differ",
    "same",
]
