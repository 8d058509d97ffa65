"""Softmax gradients, derived and tested: the reference implementations.

The chain is logits z -> probabilities q = softmax(z/T) -> loss -> gradient. Each
module imports only from those before it. SymPy and Matplotlib are imported with
the modules `symbolic` and `plots`, on first use.
"""

from importlib import import_module
from typing import Any

from .cross_entropy import (
    cross_entropy,
    cross_entropy_gradient,
    cross_entropy_temperature_gradient,
    cross_entropy_value_and_gradient,
)
from .curvature import cross_entropy_hessian
from .distillation import (
    distillation_gradient,
    distillation_loss,
    distillation_loss_gradient,
    high_temperature_error_bound,
    high_temperature_limit,
    kl_divergence,
)
from .gradcheck import TaylorTest, complex_step, finite_difference, taylor_test
from .linear import LinearGradients, linear_gradients
from .softmax import (
    log_softmax,
    log_softmax_vjp,
    softmax,
    softmax_jacobian,
    softmax_jvp,
    softmax_vjp,
)

__version__ = "0.1.0"

__all__ = [
    "LinearGradients",
    "TaylorTest",
    "complex_step",
    "cross_entropy",
    "cross_entropy_gradient",
    "cross_entropy_hessian",
    "cross_entropy_temperature_gradient",
    "cross_entropy_value_and_gradient",
    "distillation_gradient",
    "distillation_loss",
    "distillation_loss_gradient",
    "finite_difference",
    "high_temperature_error_bound",
    "high_temperature_limit",
    "kl_divergence",
    "linear_gradients",
    "log_softmax",
    "log_softmax_vjp",
    "softmax",
    "softmax_jacobian",
    "softmax_jvp",
    "softmax_vjp",
    "taylor_test",
]


def __getattr__(name: str) -> Any:
    """Import the modules that need SymPy or Matplotlib when they are first used."""
    if name in ("plots", "symbolic"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
