"""Layers, modules and functions with a backward of their own, called as they are."""

import copy
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..mistakes._steps import SECOND_ARGUMENT
from ._names import is_temperature
from ._weights import ThroughInputs

BACKWARD = ("backward", "backwards", "backprop", "backward_pass", "bprop")
FORWARD = ("forward", "forwards", "forward_pass", "fprop", "__call__")
# How far a fixed number of classes is looked for.
MOST_LOOKED_AT = 20
MOST_CLASSES = 1000
Parameters = tuple[inspect.Parameter, ...]


@dataclass(frozen=True)
class Way:
    """One way to call what was handed over.

    `call` takes the arguments in the order of `parameters` and the named ones;
    `parameters` is None if Python cannot tell. `attribute` is the name of an
    attribute that is the temperature. `loss` gives, from the same arguments, the loss
    that comes with a gradient, if there is one. `upstream` is the argument that
    multiplies the result: the gradient that comes from above.
    """

    call: Callable[..., Any]
    parameters: Parameters | None
    described: str = ""
    attribute: str = ""
    loss: Callable[..., Any] | None = None
    upstream: str = ""


def ways(function: Any, kind: str) -> list[Way]:
    """Return the ways to call a function or object of a kind, the likely first."""
    derivative = kind in (
        "vjp",
        "log_softmax_vjp",
        "gradient",
        "kl_divergence_gradient",
    )
    owner = getattr(function, "__self__", None)
    custom = autograd_function(function)
    if custom is not None:  # pragma: no cover - make peers
        return [torch_way(custom, kind)] if derivative else [plain(custom.apply)]
    if derivative and is_custom_vjp(function):  # pragma: no cover - make peers
        return [jax_way(function, kind)]
    if inspect.isclass(function):
        function = owner = made(function)
        if inspect.isclass(function):
            return [plain(function)]
    if is_module(function):  # pragma: no cover - make peers
        return [module_way(function, kind)] if derivative else [forward_of(function)]
    if owner is None or inspect.ismodule(owner) or inspect.isclass(owner):
        owner = None if callable(function) and has_code(function) else function
    if owner is not None and derivative:
        name = getattr(function, "__name__", "")
        backward = name if name in BACKWARD else first_method(owner, BACKWARD)
        forward = first_method(owner, FORWARD)
        if backward and forward and (function is owner or name in BACKWARD):
            return layer_ways(owner, forward, backward, kind)
    if owner is function and owner is not None:
        return [forward_of(owner)]
    return [plain(function)]


def made(function: Any) -> Any:
    """Return the object that a class makes without arguments; else what is given."""
    if not inspect.isclass(function):
        return function
    try:
        return function()
    except Exception:
        return function


def has_code(function: Any) -> bool:
    """Tell whether something callable is a function, and no object with methods."""
    return not (
        first_method(function, BACKWARD) or first_method(function, FORWARD[:-1])
    )


def first_method(owner: Any, names: Sequence[str]) -> str:
    """Return the first of the names that is a method of an object's class, or ""."""
    return next((name for name in names if callable(getattr(owner, name, None))), "")


def parameters_of(function: Any) -> Parameters | None:
    """Return the parameters of a function, or None if Python cannot tell."""
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return None


def plain(function: Any) -> Way:
    """Return the way to call a function: with its arguments."""
    weights = isinstance(function, ThroughInputs)
    loss = function.loss if weights else other_result(function)
    return Way(function, parameters_of(function), loss=loss)


def other_result(function: Any) -> Callable[..., Any] | None:
    """Return the function that a flag such as derivative=True was switched from."""
    flags = {k: v for k, v in getattr(function, "keywords", {}).items() if v is True}
    if not flags:
        return None
    rest = {k: v for k, v in function.keywords.items() if k not in flags}

    def without_flags(*arguments: Any, **named: Any) -> Any:
        return function.func(
            *function.args, *arguments, **rest, **dict.fromkeys(flags, False), **named
        )

    return without_flags


def temperature_attribute(owner: Any) -> str:
    """Return the name of an object's attribute that is a temperature, or ""."""
    for name, value in getattr(owner, "__dict__", {}).items():
        if is_temperature(name) and type(value) in (int, float):
            return name
    return ""


def forward_of(owner: Any) -> Way:
    """Return the way to call an object forwards, on a copy of it."""
    name = first_method(owner, FORWARD)
    attribute = temperature_attribute(owner)
    parameters = parameters_of(getattr(owner, name)) if name else None

    def call(*arguments: Any, **named: Any) -> Any:
        held = prepared(owner, attribute, named)
        method = held if is_module(held) else getattr(held, name)
        result = method(*arguments, **named)
        return left_behind(held, owner) if result is None else result

    return Way(call, parameters, attribute=attribute)


def prepared(owner: Any, attribute: str, named: dict[str, Any]) -> Any:
    """Return a copy of an object, its temperature taken from the named arguments."""
    held = copy.copy(owner)
    if attribute and attribute in named:
        setattr(held, attribute, named.pop(attribute))
    return held


def layer_ways(owner: Any, forward: str, backward: str, kind: str) -> list[Way]:
    """Return the ways to call a layer that remembers its forward pass.

    The second argument goes to forward, to backward, or to both.
    """
    first = required(parameters_of(getattr(owner, forward)))
    after = parameters_of(getattr(owner, backward)) or ()
    attribute = temperature_attribute(owner)
    second = SECOND_ARGUMENT[kind]
    logits = inspect.Parameter("logits", inspect.Parameter.POSITIONAL_ONLY)
    other = inspect.Parameter(second or "", inspect.Parameter.POSITIONAL_ONLY)

    def way(forward_both: bool, backward_both: bool, backward_second: bool) -> Way:
        used = backward_both + backward_second
        extras = after[used:]

        def call(x: Any, s: Any, *arguments: Any, **named: Any) -> Any:
            held = prepared(owner, attribute, named)
            getattr(held, forward)(*((x, s) if forward_both else (x,)))
            given = ((x,) if backward_both else ()) + ((s,) if backward_second else ())
            before = dict(held.__dict__)
            result = getattr(held, backward)(*given, *arguments, **named)
            return left_behind(held, before) if result is None else result

        def loss(x: Any, s: Any, *arguments: Any, **named: Any) -> Any:
            held = prepared(owner, attribute, named)
            return getattr(held, forward)(*((x, s) if forward_both else (x,)))

        return Way(
            call,
            (logits, other, *extras),
            f"{forward}, then {backward}",
            attribute,
            loss if forward_both else None,
            upstream=extras[0].name if extras and not backward_second else "",
        )

    wanted = required(after)
    cotangent = second == "cotangent"
    found = []
    if len(first) >= 2 and not cotangent:
        found.append(way(True, False, False))
    if len(after) >= 1:
        found.append(way(len(first) >= 2, False, True))
    if len(after) >= 2 and len(wanted) >= 2:
        found.append(way(len(first) >= 2, True, True))
    return found or [way(len(first) >= 2, False, False)]


def required(parameters: Parameters | None) -> Parameters:
    """Return the positional parameters."""
    return tuple(
        p
        for p in parameters or ()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        and p.default is p.empty
    )


def left_behind(held: Any, before: Any) -> Any:
    """Return the array that a call left in an attribute instead of returning it."""
    old = before if isinstance(before, dict) else before.__dict__
    new = {
        name: value
        for name, value in held.__dict__.items()
        if value is not old.get(name) and hasattr(value, "shape")
    }
    for name in sorted(new, key=lambda name: not name.startswith(("d", "grad"))):
        return new[name]
    return None


def torch() -> Any:
    """Return PyTorch if the user has imported it, else None."""
    found = sys.modules.get("torch")
    return found if hasattr(found, "nn") and hasattr(found, "autograd") else None


def is_module(function: Any) -> bool:
    """Tell whether something is an nn.Module."""
    found = torch()
    return found is not None and isinstance(function, found.nn.Module)


def autograd_function(function: Any) -> Any:
    """Return the torch.autograd.Function that something is, or is a method of."""
    found = torch()
    if found is None:
        return None
    return autograd_class(
        function, found.autograd.Function
    )  # pragma: no cover - make peers


def autograd_class(function: Any, base: Any) -> Any:  # pragma: no cover - make peers
    """Return the subclass of autograd.Function that something is, or is part of."""
    for each in (function, getattr(function, "__self__", None)):
        if inspect.isclass(each) and issubclass(each, base):
            return each
    for each in base.__subclasses__():
        own = [getattr(m, "__func__", m) for m in vars(each).values()]
        if function in own:
            return each
    return None


def is_custom_vjp(function: Any) -> bool:
    """Tell whether something is a jax.custom_vjp."""
    custom = getattr(sys.modules.get("jax"), "custom_vjp", None)
    return custom is not None and isinstance(function, custom)


def torch_way(custom: Any, kind: str) -> Way:  # pragma: no cover - make peers
    """Return the way to ask an autograd.Function for its derivative."""
    return differentiated(custom.apply, kind, parameters_of(custom.forward), 1)


def module_way(module: Any, kind: str) -> Way:  # pragma: no cover - make peers
    """Return the way to ask an nn.Module for the derivative of what it returns."""
    return differentiated(module, kind, parameters_of(module.forward), 0)


def differentiated(
    function: Any, kind: str, parameters: Parameters | None, skipped: int
) -> Way:  # pragma: no cover - make peers
    """Return the derivative of a function of tensors by its first argument."""
    cotangent = SECOND_ARGUMENT[kind] == "cotangent"
    own = None if parameters is None else parameters[skipped:]
    if cotangent and own is not None:
        g = inspect.Parameter("cotangent", inspect.Parameter.POSITIONAL_ONLY)
        own = (own[0], g, *own[1:])

    def call(z: Any, second: Any, *arguments: Any, **named: Any) -> Any:
        z = z.detach().clone().requires_grad_()
        if cotangent:
            function(z, *arguments, **named).backward(second)
        else:
            upstream = named.pop("upstream", 1.0)
            result = function(z, second, *arguments, **named)
            result.backward(torch().full_like(result, upstream))
        return z.grad

    return Way(call, own, "its backward", upstream="" if cotangent else "upstream")


def jax_way(function: Any, kind: str) -> Way:  # pragma: no cover - make peers
    """Return the way to ask a jax.custom_vjp for its derivative."""
    jax = sys.modules["jax"]
    cotangent = SECOND_ARGUMENT[kind] == "cotangent"
    own = parameters_of(function)
    if cotangent and own is not None:
        g = inspect.Parameter("cotangent", inspect.Parameter.POSITIONAL_ONLY)
        own = (own[0], g, *own[1:])

    def call(z: Any, second: Any, *arguments: Any, **named: Any) -> Any:
        z = jax.numpy.asarray(z)
        if cotangent:
            value, back = jax.vjp(lambda x: function(x, *arguments, **named), z)
            return back(jax.numpy.asarray(second, value.dtype))[0]
        upstream = named.pop("upstream", 1.0)
        value, back = jax.vjp(lambda x: function(x, second, *arguments, **named), z)
        return back(jax.numpy.full_like(value, upstream))[0]

    return Way(call, own, "its backward", upstream="" if cotangent else "upstream")


def converters(
    function: Any, to_array: Callable[[Any], Any] | None
) -> list[Callable[[Any], Any] | None]:
    """Return how arrays may have to be given: as they are, then as tensors.

    Nothing is imported that the user has not.
    """
    if to_array is not None:
        return [to_array]
    found = torch()
    if found is None:
        return [None]
    return tensors(function, found)  # pragma: no cover - make peers


def tensors(function: Any, found: Any) -> list[Any]:  # pragma: no cover - make peers
    """Return whether PyTorch's tensors are given first, last or only."""
    if is_module(function) or autograd_function(function) is not None:
        return [found.from_numpy]
    used = getattr(inspect.unwrap(function), "__globals__", {}).values()
    likely = any(each is found or each is found.nn.functional for each in used)
    return [found.from_numpy, None] if likely else [None, found.from_numpy]


def class_counts(function: Any) -> list[int]:
    """Return how many classes a function may be fixed to, by what is written in it."""
    found: dict[int, None] = {}
    seen: list[Any] = [function]
    for each in seen:
        code = getattr(each, "__code__", each if inspect.iscode(each) else None)
        cells = [
            cell.cell_contents for cell in getattr(each, "__closure__", None) or ()
        ]
        held = [*cells, *getattr(each, "__dict__", {}).values()]
        held += [getattr(each, name, None) for name in ("func", "__self__", "__func__")]
        for one in [*held, *(code.co_consts if code else ())]:
            shape = getattr(one, "shape", ())
            if len(shape) == 1:
                found[len(one)] = None
            elif type(one) is int:
                found[one] = None
            elif (
                callable(one) or inspect.iscode(one) or hasattr(one, "__dict__")
            ) and (
                len(seen) < MOST_LOOKED_AT and not any(one is other for other in seen)
            ):
                seen.append(one)
    counts = [count for count in found if 2 <= count <= MOST_CLASSES]
    return list(dict.fromkeys([*counts, 5, 3, 2, 10]))
