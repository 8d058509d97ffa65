"""Which kind a function is, guessed from its names and from what it returns."""

from typing import Any

from ..mistakes._steps import SECOND_ARGUMENT
from ._names import COTANGENTS, TARGETS, WEIGHTS, is_temperature, says, says_teacher
from ._objects import (
    BACKWARD,
    FORWARD,
    Parameters,
    autograd_function,
    first_method,
    is_custom_vjp,
    made,
    parameters_of,
    required,
)

# What a name of a function says about its kind, the most telling first.
NAMED = (
    ("grad", "kl_divergence_gradient"),
    ("jacobian", "jacobian"),
    ("hess", "hessian"),
    ("log_softmax", "log_softmax_vjp"),
    ("logsoftmax", "log_softmax_vjp"),
    ("distill", "distillation_loss"),
    ("kd", "distillation_loss"),
    ("kl", "distillation_loss"),
    ("grad", "gradient"),
    ("deriv", "gradient"),
    ("loss", "loss"),
    ("entropy", "loss"),
    ("nll", "loss"),
    ("xent", "loss"),
    ("criterion", "loss"),
    ("vjp", "vjp"),
    ("backward", "vjp"),
    ("softmax", "softmax"),
)
SENT_BACK = ["vjp", "log_softmax_vjp", "gradient"]


def guessed_kinds(function: Any) -> list[str]:
    """Return the kinds that a function can be, the likely first."""
    likely, kinds = by_names(function)
    return list(dict.fromkeys([*likely, *kinds]))


def name_tells(function: Any) -> bool:
    """Tell whether the name of a function says what it computes."""
    return bool(by_names(function)[0])


def by_names(function: Any) -> tuple[list[str], list[str]]:
    """Return the kinds that a name says, and those that the arguments allow."""
    owner = getattr(function, "__self__", None)
    called = getattr(function, "__name__", type(function).__name__).lower()
    if called in BACKWARD and owner is not None:
        called = f"{type(owner).__name__} {called}".lower()
    kinds = by_arguments(function, called)
    likely = [kind for part, kind in NAMED if part in called and kind in kinds]
    if "vjp" in kinds and len(kinds) <= len(SENT_BACK):
        # What is sent back is a gradient whatever it is called.
        likely = [kind for kind in likely if kind != "gradient"]
        likely += ["vjp"] if "softmax" in called and not likely else []
    return likely, kinds


def by_arguments(function: Any, called: str) -> list[str]:
    """Return the kinds that the arguments of a function, or of a layer, allow."""
    custom = autograd_function(function)
    if custom is not None:  # pragma: no cover - make peers
        return of_layer(required(parameters_of(custom.forward))[1:], ())
    if is_custom_vjp(function):  # what it does forwards is no answer
        return of_layer(required(parameters_of(function)), ())
    held = made(function)
    forward, backward = first_method(held, FORWARD), first_method(held, BACKWARD)
    if forward and backward:
        return of_layer(
            required(parameters_of(getattr(held, forward))),
            required(parameters_of(getattr(held, backward))),
        )
    forward = first_method(held, FORWARD[:-1])
    parameters = [
        p
        for p in parameters_of(getattr(held, forward) if forward else held) or ()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    names = [p.name for p in parameters if not is_temperature(p.name)]
    with_targets = any(says(name, TARGETS) for name in names)
    if any(map(says_teacher, names)):
        return ["distillation_loss", "kl_divergence_gradient"]
    if called.endswith(BACKWARD) or any(says(n, COTANGENTS) for n in names):
        return SENT_BACK
    if with_targets and len(names) > 2 and says(names[0], WEIGHTS):
        return ["weights"]
    if with_targets:
        return ["loss", "gradient", "temperature_gradient"]
    if len(names) == 1:
        return ["softmax", "jacobian", "hessian"]
    if not names:
        return list(SECOND_ARGUMENT)
    return [kind for kind, second in SECOND_ARGUMENT.items() if second]


def of_layer(forward: Parameters, backward: Parameters) -> list[str]:
    """Return the kinds of a layer, by what its two methods have to be given."""
    if len(forward) > 1 or any(says(p.name, TARGETS) for p in backward):
        return ["gradient"]
    return ["vjp", "log_softmax_vjp"]
