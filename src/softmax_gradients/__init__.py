"""Softmax gradients, derived and tested: the reference implementations.

The chain is logits z -> probabilities q = softmax(z/T) -> loss -> gradient. Each
module imports only from those before it. SymPy and Matplotlib are imported with
the modules `symbolic` and `plots`, on first use.
"""

from importlib import import_module
from typing import Any

from .calibration import (
    Reliability,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from .cross_entropy import (
    cross_entropy,
    cross_entropy_gradient,
    cross_entropy_temperature_gradient,
    cross_entropy_value_and_gradient,
)
from .curvature import (
    cross_entropy_hessian,
    cross_entropy_hvp,
    fisher_information,
    linear_gauss_newton,
)
from .datasets import load_digits
from .distillation import (
    distillation_gradient,
    distillation_loss,
    distillation_loss_gradient,
    high_temperature_error_bound,
    high_temperature_limit,
    kl_divergence,
)
from .doctor import assert_correct, diagnose
from .gradcheck import TaylorTest, complex_step, finite_difference, taylor_test
from .label_smoothing import convert_epsilon, smooth_labels
from .linear import LinearGradients, linear_gradients
from .mistakes import MISTAKES
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
    "MISTAKES",
    "LinearGradients",
    "Reliability",
    "TaylorTest",
    "assert_correct",
    "complex_step",
    "convert_epsilon",
    "cross_entropy",
    "cross_entropy_gradient",
    "cross_entropy_hessian",
    "cross_entropy_hvp",
    "cross_entropy_temperature_gradient",
    "cross_entropy_value_and_gradient",
    "diagnose",
    "distillation_gradient",
    "distillation_loss",
    "distillation_loss_gradient",
    "expected_calibration_error",
    "finite_difference",
    "fisher_information",
    "fit_temperature",
    "high_temperature_error_bound",
    "high_temperature_limit",
    "kl_divergence",
    "linear_gauss_newton",
    "linear_gradients",
    "load_digits",
    "log_softmax",
    "log_softmax_vjp",
    "reliability",
    "smooth_labels",
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
