r"""Proofs with SymPy, for any number of classes.

The number of classes C stays a symbol, so one proof covers every C. Logits, targets,
weights and inputs are indexed families, a sum over the classes is a ``Sum`` with the
bounds 0 and C - 1, and every free index is in range: ``0 <= ROW, COLUMN, LABEL < C``
and ``0 <= FEATURE < d``. That last condition is what lets a Kronecker delta collapse
a sum; SymPy cannot know it, and would answer with a ``Piecewise``.

Every proof is a `Proof`: ``derived`` is what SymPy finds by differentiation,
``claimed`` is the formula printed in the book, and ``difference`` is their difference
in the normal form of `normal_form`. The formula is proved when that is 0.

The symbols are public, so that an expression can be evaluated:
``sympy.lambdify([LOGITS, TEMPERATURE, CLASSES, ROW, COLUMN], proof.derived)``.

References
----------
A. Meurer et al. (2017), "SymPy: symbolic computing in Python", PeerJ Computer
Science 3, e103.
"""

from .normal_form import normal_form
from .proofs import (
    BIAS,
    CLASSES,
    COLUMN,
    FEATURE,
    FEATURES,
    INPUTS,
    LABEL,
    LOGITS,
    ROW,
    TARGETS,
    TEACHER_LOGITS,
    TEMPERATURE,
    WEIGHTS,
    Proof,
    bias_gradient,
    cross_entropy_gradient,
    cross_entropy_hessian,
    explicit,
    explicit_jacobian,
    hard_cross_entropy_gradient,
    high_temperature_gradient,
    high_temperature_series,
    kl_temperature_gradient,
    log_softmax,
    log_softmax_jacobian,
    softmax,
    softmax_jacobian,
    teacher_temperature_gradient,
    temperature_gradient,
    weights_gradient,
)
from .relatives import (
    ADVANTAGE,
    CAP,
    CLASS_WEIGHTS,
    COTANGENT,
    FOCUSING,
    OUTPUT_COTANGENT,
    PENALTY,
    RAW_LOGITS,
    SMOOTHING,
    VALUES,
    attention_gradient,
    binary_cross_entropy_gradient,
    contrastive_temperature_gradient,
    focal_loss_gradient,
    log_softmax_vjp,
    reinforce_gradient,
    reverse_kl_gradient,
    smoothed_cross_entropy_gradient,
    soft_capped_gradient,
    softmax_vjp,
    sum_over_classes,
    weighted_cross_entropy_gradient,
    z_loss_gradient,
)

__all__ = [
    "ADVANTAGE",
    "BIAS",
    "CAP",
    "CLASSES",
    "CLASS_WEIGHTS",
    "COLUMN",
    "COTANGENT",
    "FEATURE",
    "FEATURES",
    "FOCUSING",
    "INPUTS",
    "LABEL",
    "LOGITS",
    "OUTPUT_COTANGENT",
    "PENALTY",
    "RAW_LOGITS",
    "ROW",
    "SMOOTHING",
    "TARGETS",
    "TEACHER_LOGITS",
    "TEMPERATURE",
    "VALUES",
    "WEIGHTS",
    "Proof",
    "attention_gradient",
    "bias_gradient",
    "binary_cross_entropy_gradient",
    "contrastive_temperature_gradient",
    "cross_entropy_gradient",
    "cross_entropy_hessian",
    "explicit",
    "explicit_jacobian",
    "focal_loss_gradient",
    "hard_cross_entropy_gradient",
    "high_temperature_gradient",
    "high_temperature_series",
    "kl_temperature_gradient",
    "log_softmax",
    "log_softmax_jacobian",
    "log_softmax_vjp",
    "normal_form",
    "reinforce_gradient",
    "reverse_kl_gradient",
    "smoothed_cross_entropy_gradient",
    "soft_capped_gradient",
    "softmax",
    "softmax_jacobian",
    "softmax_vjp",
    "sum_over_classes",
    "teacher_temperature_gradient",
    "temperature_gradient",
    "weighted_cross_entropy_gradient",
    "weights_gradient",
    "z_loss_gradient",
]
