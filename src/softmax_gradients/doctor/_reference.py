"""The right answers, from the package's accurate functions."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from .._cross_entropy import (
    cross_entropy,
    cross_entropy_gradient,
    cross_entropy_temperature_gradient,
)
from .._inputs import Array
from .._softmax import log_softmax_vjp, softmax, softmax_jacobian, softmax_vjp
from ..curvature import cross_entropy_hessian
from ..distillation import distillation_loss, kl_divergence_gradient
from ._probes import Probe

DEFAULT_REDUCTION = {
    "distillation_loss": "batchmean",
    "kl_divergence_gradient": "batchmean",
}

RIGHT: Mapping[str, Callable[[Probe, Any], Any]] = {
    "softmax": lambda p, _: softmax(p.logits, temperature=p.temperature),
    "jacobian": lambda p, _: softmax_jacobian(p.logits, temperature=p.temperature),
    "vjp": lambda p, _: softmax_vjp(p.logits, p.second, temperature=p.temperature),
    "log_softmax_vjp": lambda p, _: log_softmax_vjp(
        p.logits, p.second, temperature=p.temperature
    ),
    "loss": lambda p, reduction: cross_entropy(
        p.logits, p.second, temperature=p.temperature, reduction=reduction
    ),
    "gradient": lambda p, reduction: cross_entropy_gradient(
        p.logits, p.second, temperature=p.temperature, reduction=reduction
    ),
    "hessian": lambda p, _: cross_entropy_hessian(p.logits, temperature=p.temperature),
    "temperature_gradient": lambda p, reduction: cross_entropy_temperature_gradient(
        p.logits, p.second, temperature=p.temperature, reduction=reduction
    ),
    "distillation_loss": lambda p, reduction: distillation_loss(
        p.logits, p.second, temperature=p.temperature, reduction=reduction
    ),
    "kl_divergence_gradient": lambda p, reduction: kl_divergence_gradient(
        p.logits, p.second, temperature=p.temperature, reduction=reduction
    ),
}


def computed_answer(kind: str, probe: Probe, reduction: str) -> Array:
    """Return what a right function of the kind returns for a probe."""
    return np.asarray(RIGHT[kind](probe, reduction), dtype=np.float64)


# For the probes that every function is asked.
right_answer = lru_cache(maxsize=4096)(computed_answer)
