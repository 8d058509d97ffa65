"""The gradient doctor: hand over your function, learn which mistake it makes.

`diagnose` calls a function at points that hide nothing, compares the results with the
right ones, and with every mistake of the catalogue and every two or three of them
together. It names a mistake only if the mistake explains every result.
"""

from collections.abc import Callable
from typing import Any

from .._inputs import check_choice
from .._reductions import DISTILLATION_REDUCTIONS
from ..mistakes import MISTAKES
from ..mistakes._steps import ONE_NUMBER_A_ROW
from ._calls import Caller, describe_arguments, temperature_parameter
from ._examination import Examination, check_kind, check_rows, forms_asked
from ._example import Example, smallest_example
from ._factor import Factor, fitted_factor
from ._invariants import invariants
from ._matching import RIGHT, Hypothesis, Matcher, forms_in
from ._probes import Probe
from ._reference import DEFAULT_REDUCTION
from ._report import Convention, Report

__all__ = ["Convention", "Example", "Factor", "Report", "assert_correct", "diagnose"]


def diagnose(
    function: Callable[..., Any],
    kind: str,
    *,
    targets: str = "any",
    reduction: str | None = None,
    to_array: Callable[[Any], Any] | None = None,
    sequences: bool = False,
    rows: str = "batch",
    seed: int = 0,
) -> Report:
    r"""Return what is wrong with a function, by name, or that it is right.

    Let z denote the logits of shape (N, C), T the temperature, q = softmax(z/T), g a
    cotangent, t the targets, v the teacher's logits and p = softmax(v/T). The
    `function` computes what its `kind` says. The temperature may be left out of its
    arguments; else it comes last, or is named temperature, T or tau.

    Parameters
    ----------
    function : callable
        Yours. It is called about a hundred times, with copies.
    kind : str
        What it computes, from which arguments:

        - "softmax": q, from (z, T)
        - "jacobian": dq_i/dz_j, of shape (N, C, C), from (z, T)
        - "vjp", "log_softmax_vjp": dL/dz from (z, g, T), with g = dL/dq or
          dL/d(log q)
        - "loss": the mean cross-entropy, from (z, t, T)
        - "gradient", "temperature_gradient": its derivative by z and by T
        - "hessian": the second derivative of each row's loss, for sum(t) = 1,
          from (z, T)
        - "distillation_loss": T^2 KL(p || q), the mean of the rows, from (z, v, T)
        - "kl_divergence_gradient": the derivative of the mean KL, (q - p)/(T N)
    targets : {"any", "distribution"}, default "any"
        "distribution" promises that targets always sum to one.
    reduction : {"mean", "sum", "none"}, optional
        How your function combines the rows: by default their mean.
    to_array : callable, optional
        Turns a NumPy array into what the function takes, for example
        ``torch.from_numpy``. What comes back is turned into NumPy by itself.
    sequences : bool, default False
        Whether logits of shape (B, S, C) count too: then they are probed, and the
        mean is over B S rows.
    rows : {"batch", "one"}, default "batch"
        "one" is for a function written for one row: logits then have the shape (C,).
        By default batches are tried first, since much code for one row runs on them
        and is wrong there; the report says if it is right for one row.
    seed : int, default 0
        Chooses the random inputs.

    Returns
    -------
    report : Report
        It prints itself; see its attributes for the parts.

    Raises
    ------
    ValueError
        If the kind, `targets`, `reduction` or `rows` is none of the above. What
        your function raises is a finding of the report.

    Notes
    -----
    A function that takes one row only, class indices only or distributions only is
    checked on what it takes: on what it returns an array of the right shape for.

    The results are compared at :math:`|z/T| \le 30` to decide the formula, and at
    logits near 1000 to find mistakes that only overflow shows.

    Examples
    --------
    >>> import numpy as np
    >>> from softmax_gradients.doctor import diagnose
    >>> def gradient(logits, targets):
    ...     exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    ...     probs = exponentials / exponentials.sum(axis=1, keepdims=True)
    ...     return -targets * (1 - probs) / len(logits)
    >>> report = diagnose(gradient, "gradient")
    >>> report.ok, report.mistakes[0].slug
    (False, 'diagonal-jacobian')
    >>> report.example.yours.round(4), report.example.right.round(4)
    (array([[-0.    , -0.8247, -0.    ]]), array([[ 0.7856, -0.8247,  0.0391]]))
    """
    check_kind(kind)
    check_rows(rows)
    forms = forms_asked(kind, targets)
    reduction = reduction or DEFAULT_REDUCTION.get(kind, "mean")
    check_choice(reduction, DISTILLATION_REDUCTIONS, "reduction")
    if reduction == "none" and kind not in ONE_NUMBER_A_ROW:
        reduction = "sum"  # the gradient of each row's own loss
    try:
        temperature = temperature_parameter(function, kind)
    except TypeError as error:
        return Report(kind, "unusable", findings=(f"The function {error}.",))
    caller = Caller(function, kind, reduction, to_array, temperature)
    examination = Examination(caller, forms, seed, sequences, rows)
    formulas = examination.take()
    if not examination.taken:
        return Report(kind, "unusable", findings=unusable(examination))
    return examined(examination, formulas)


def assert_correct(function: Callable[..., Any], kind: str, **options: Any) -> None:
    """Raise an AssertionError with the doctor's report unless a function is right.

    For your own tests: let z denote the logits, T the temperature, and so on as in
    `diagnose`.

    Parameters
    ----------
    function : callable
        Yours.
    kind : str
        What it computes, as in `diagnose`.
    **options
        As the keyword arguments of `diagnose`.

    Returns
    -------
    None

    Raises
    ------
    AssertionError
        If the report is not ok. Its message is the report.
    ValueError
        As `diagnose`.

    Examples
    --------
    >>> import softmax_gradients as sg
    >>> from softmax_gradients.doctor import assert_correct
    >>> assert_correct(sg.cross_entropy_gradient, "gradient")
    """
    report = diagnose(function, kind, **options)
    if not report.ok:
        raise AssertionError(str(report))


def unusable(examination: Examination) -> tuple[str, ...]:
    """Return why nothing could be checked."""
    arguments = describe_arguments(examination.caller.kind)
    return (
        f"No call with ({arguments}) gave an array of the right shape.",
        *examination.not_taken(),
    )


def examined(examination: Examination, formulas: list[Hypothesis]) -> Report:
    """Return the report on a function that takes something."""
    caller = examination.caller
    numerical: list[tuple[str, ...]] = []
    formula_is_right = bool(formulas) and not formulas[0].slugs
    if formulas:
        numerical = examination.stress(formulas[0])
    if formula_is_right:
        examination.masked()
        examination.divides_sequences()
    explanations = tuple(
        dict.fromkeys(
            formula.slugs + extra
            for formula in formulas
            for extra in numerical or [()]
            if formula.slugs + extra
        )
    )
    ok = formula_is_right and not numerical
    verdict = "right" if ok else "mistake" if explanations else "unknown"
    factor = None if formula_is_right else fitted_factor(examination.answers)
    slugs = dict.fromkeys(slug for each in explanations for slug in each)
    return Report(
        kind=caller.kind,
        verdict=verdict,
        mistakes=tuple(MISTAKES[slug] for slug in slugs),
        explanations=explanations,
        factor=factor,
        example=None if ok else example_of(examination, formulas),
        invariants=None if ok else properties_of(examination),
        evidence=evidence_of(examination, formulas, bool(formulas or factor)),
        findings=(
            *examination.findings,
            *caller.notes,
            *examination.not_taken(),
        ),
        checked=tuple(examination.checked()),
        one_row=None
        if formula_is_right
        else examination.by_row(len(explanations[0]) if explanations else 0),
    )


def evidence_of(
    examination: Examination, formulas: list[Hypothesis], known: bool
) -> tuple[str, ...]:
    """Return where a function is right and, for an unknown mistake, where it is off."""
    if formulas and not formulas[0].slugs:
        return ()
    told = [*variants(examination.caller.kind, formulas), *examination.circumstances()]
    return tuple(told if known else [*examination.evidence(), *told])


def variants(kind: str, formulas: list[Hypothesis]) -> list[str]:
    """Return which form it is of mistakes that have their forms described."""
    told = {
        f"{slug}: {MISTAKES[slug].forms[kind][form]}.": None
        for formula in formulas
        for slug in formula.slugs
        if kind in MISTAKES[slug].forms
        for form in forms_in(kind, formula, slug)
    }
    return list(told)


def example_of(examination: Examination, formulas: list[Hypothesis]) -> Example | None:
    """Return the smallest example that shows what is wrong, all of it if it can."""
    answers = examination.answers
    formula = formulas[0] if formulas else RIGHT
    matcher = Matcher(examination.caller.kind, examination.caller.reduction, ())

    def acts(probe: Probe) -> bool:
        # One mistake acts wherever the result is off.
        return len(formula.slugs) < 2 or matcher.acts(formula, probe)

    off = [each for each in answers if not examination.is_right(each)]
    seen = min(
        off or answers, key=lambda each: (not acts(each.probe), each.probe.logits.size)
    )
    return smallest_example(
        examination.caller, examination.style, examination.taken, seen.probe, acts
    )


def properties_of(examination: Examination) -> dict[str, bool]:
    """Return which properties of right functions hold."""
    return invariants(examination.caller, examination.answers[0].probe)
