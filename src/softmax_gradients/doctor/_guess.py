"""Which kind a function is, guessed from its names and from what it returns."""

from typing import Any

from ..mistakes._steps import SECOND_ARGUMENT
from ._names import COTANGENTS, TARGETS, is_temperature, says, says_teacher
from ._objects import BACKWARD, FORWARD, first_method, parameters_of, required

# What a name of a function says about its kind, the most telling first.
NAMED = (
    ("grad", "kl_divergence_gradient"),
    ("jacobian", "jacobian"),
    ("hess", "hessian"),
    ("log_softmax", "log_softmax_vjp"),
    ("distill", "distillation_loss"),
    ("kd", "distillation_loss"),
    ("kl", "distillation_loss"),
    ("grad", "gradient"),
    ("deriv", "gradient"),
    ("loss", "loss"),
    ("entropy", "loss"),
    ("nll", "loss"),
    ("vjp", "vjp"),
    ("backward", "vjp"),
    ("softmax", "softmax"),
)


def guessed_kinds(function: Any) -> list[str]:
    """Return the kinds that a function can be, the likely first."""
    parameters = [
        p
        for p in parameters_of(function) or ()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    names = [p.name for p in parameters if not is_temperature(p.name)]
    forward = first_method(function, FORWARD[:-1])
    called = getattr(function, "__name__", type(function).__name__).lower()
    owner = getattr(function, "__self__", None)
    if called in BACKWARD and owner is not None:
        called = f"{type(owner).__name__} {called}".lower()
    if forward and first_method(function, BACKWARD) and not names:
        several = len(required(parameters_of(getattr(function, forward)))) > 1
        return ["gradient"] if several else ["vjp", "log_softmax_vjp"]
    if any(map(says_teacher, names)):
        kinds = ["distillation_loss", "kl_divergence_gradient"]
    elif called.endswith(BACKWARD) or any(says(n, COTANGENTS) for n in names):
        kinds = ["vjp", "log_softmax_vjp", "gradient"]
    elif any(says(name, TARGETS) for name in names):
        kinds = ["loss", "gradient", "temperature_gradient"]
    elif len(names) == 1:
        kinds = ["softmax", "jacobian", "hessian"]
    else:
        kinds = [kind for kind, second in SECOND_ARGUMENT.items() if second]
        if not names:
            kinds = list(SECOND_ARGUMENT)
    likely = [kind for part, kind in NAMED if part in called and kind in kinds]
    return list(dict.fromkeys([*likely, *kinds]))
