"""Softmax gradients, derived and tested: the reference implementations.

The chain is logits z -> probabilities q = softmax(z/T) -> loss -> gradient. Each
module imports only from those before it. SymPy and Matplotlib are imported with
the modules `symbolic` and `plots`, on first use, and so is the doctor.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._cross_entropy import (
    cross_entropy,
    cross_entropy_gradient,
    cross_entropy_temperature_gradient,
    cross_entropy_value_and_gradient,
)
from ._softmax import (
    log_softmax,
    log_softmax_vjp,
    softmax,
    softmax_jacobian,
    softmax_jvp,
    softmax_vjp,
)
from .calibration import (
    Reliability,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from .curvature import (
    cross_entropy_hessian,
    cross_entropy_hvp,
    fisher_information,
    linear_gauss_newton,
)
from .datasets import load_digits
from .distillation import (
    distillation_loss,
    distillation_loss_gradient,
    distillation_value_and_gradient,
    kl_divergence,
    kl_divergence_gradient,
)
from .gradcheck import (
    Comparison,
    TaylorTest,
    compare,
    complex_step,
    finite_difference,
    taylor_test,
)
from .high_temperature import high_temperature_error_bound, high_temperature_limit
from .label_smoothing import convert_epsilon, smooth_labels
from .linear import (
    LinearGradients,
    LinearLayerGradients,
    linear_cross_entropy_value_and_gradient,
    linear_gradients,
)

if TYPE_CHECKING:  # at run time, __getattr__ below imports these
    from .doctor import assert_correct, diagnose
    from .mistakes import MISTAKES
    from .shards import assert_shard_invariant

__version__ = "0.1.0"

__all__ = [
    "MISTAKES",
    "Comparison",
    "LinearGradients",
    "LinearLayerGradients",
    "Reliability",
    "TaylorTest",
    "assert_correct",
    "assert_shard_invariant",
    "compare",
    "complex_step",
    "convert_epsilon",
    "cross_entropy",
    "cross_entropy_gradient",
    "cross_entropy_hessian",
    "cross_entropy_hvp",
    "cross_entropy_temperature_gradient",
    "cross_entropy_value_and_gradient",
    "diagnose",
    "distillation_loss",
    "distillation_loss_gradient",
    "distillation_value_and_gradient",
    "expected_calibration_error",
    "finite_difference",
    "fisher_information",
    "fit_temperature",
    "high_temperature_error_bound",
    "high_temperature_limit",
    "kl_divergence",
    "kl_divergence_gradient",
    "linear_cross_entropy_value_and_gradient",
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


# What `__getattr__` imports on first use: modules that need SymPy or Matplotlib, and
# names of modules that cost time and that few programs need.
DISTRIBUTION = "softmax-gradients"
MODULES_ON_FIRST_USE = ("plots", "symbolic")
NAMES_ON_FIRST_USE = {
    "MISTAKES": "mistakes",
    "assert_correct": "doctor",
    "assert_shard_invariant": "shards",
    "diagnose": "doctor",
}


def __getattr__(name: str) -> Any:
    """Import a module or a name when it is first used."""
    if name in MODULES_ON_FIRST_USE:
        try:
            return import_module(f".{name}", __name__)
        except ModuleNotFoundError as error:  # hasattr() expects an AttributeError
            raise AttributeError(
                f"{__name__}.{name} needs {error.name}: "
                f"pip install '{DISTRIBUTION}[all]'"
            ) from error
    if name in NAMES_ON_FIRST_USE:
        module = import_module(f".{NAMES_ON_FIRST_USE[name]}", __name__)
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the package, those imported on first use included."""
    return sorted({*globals(), *MODULES_ON_FIRST_USE, *NAMES_ON_FIRST_USE})
