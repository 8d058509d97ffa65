"""The gradient doctor: hand over your function, learn which mistake it makes.

`diagnose` calls a function at points that hide nothing, compares the results with the
right ones, and with every mistake of the catalogue and every two or three of them
together. It names a mistake only if the mistake explains every result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..mistakes import MISTAKES
from ._calls import EndedError, undisturbed
from ._convention import Convention
from ._examination import (
    Collected,
    Patient,
    Question,
    by_row,
    checked,
    circumstances,
    collected,
    deaf,
    divides_sequences,
    evidence,
    is_right,
    masked,
    not_taken,
    repeats,
    stress,
    with_formulas,
)
from ._example import Example, smallest_example
from ._factor import Factor, fitted_factor
from ._guess import guessed_kinds, name_tells
from ._invariants import invariants
from ._matching import RIGHT, Hypothesis, Matcher, forms_in
from ._objects import converters, ways
from ._options import (
    Stated,
    check_kind,
    check_targets,
    forms_asked,
    reduction_of,
)
from ._probes import Probe
from ._readings import BATCH, ROW_LAYOUTS
from ._report import REPEATED, Report
from ._rows import NOTHING_OFF, rows_off
from ._search import Diagnosis, multiple, searched
from ._signature import describe_arguments
from ._stated_weights import named_by_numbers, right_without
from ._weights import ThroughInputs

# What the finding on another result than the one that counts begins with.
OTHERS = "Of its other results:"
DECIDED = ("right", "convention", "mistake")

__all__ = ["Convention", "Example", "Factor", "Report", "assert_correct", "diagnose"]


def diagnose(
    function: Any,
    kind: str | None = None,
    *,
    targets: str | None = None,
    reduction: str | None = None,
    takes: str | None = None,
    layout: str | None = None,
    order: str | None = None,
    labels: str | None = None,
    classes: int | None = None,
    result: Any = None,
    temperature: float | str | None = None,
    label_smoothing: float | None = None,
    class_weights: Sequence[float] | None = None,
    sample_weights: str | None = None,
    ignore_index: int | None = None,
    soft_loss: str | None = None,
    t_squared: bool | None = None,
    logits: str = "any",
    upstream: str = "any",
    conventions: bool = True,
    against: Any = None,
    to_array: Callable[[Any], Any] | None = None,
    sequences: bool = False,
    rows: str = "batch",
    seed: int = 0,
) -> Report:
    r"""Return what is wrong with a function, by name, or that it is right.

    Let z denote the logits of shape (N, C), T the temperature, q = softmax(z/T), g a
    cotangent, t the targets, v the teacher's logits and p = softmax(v/T). The
    `function` computes what its `kind` says. The temperature may be left out of its
    arguments; otherwise it comes last, or is named temperature, T or tau.

    Parameters
    ----------
    function : callable or object
        Yours, as it is: a function, a layer or loss with forward and backward, an
        nn.Module, a torch.autograd.Function, a jax.custom_vjp. It is called some
        hundred times, with copies.
    kind : str, optional
        What it computes, from which arguments; by default it is guessed, and the
        report says so:

        - "softmax": q, from (z, T)
        - "jacobian": dq_i/dz_j, of shape (N, C, C), from (z, T)
        - "vjp", "log_softmax_vjp": dL/dz from (z, g, T), with g = dL/dq or
          dL/d(log q)
        - "loss": the mean cross-entropy, from (z, t, T)
        - "gradient", "temperature_gradient": its derivative in z and in T
        - "hessian": the second derivative of each row's loss, for sum(t) = 1,
          from (z, T)
        - "distillation_loss": T^2 KL(p || q), the mean of the rows, from (z, v, T)
        - "kl_divergence_gradient": the derivative of the mean KL, (q - p)/(T N)
        - "weights": the gradient in W of the loss of X W, from (W, X, y, reg)
    targets : {"any", "distribution", "hard"}, optional
        "distribution" states that targets always sum to one, "hard" that they are
        one class per row.
    reduction : {"mean", "sum", "none", "batchmean"}, optional
        How your function combines the rows: by default their mean is asked for.
    takes : {"logits", "probabilities", "log-probabilities", "teacher-probabilities"}
        What the first argument holds, or the teacher's.
    layout : {"batch", "classes first", "row", "(1, C)", "(C, 1)"}, optional
        The shape of the logits; "batch" is (N, C).
    order : {"usual", "reversed"}, optional
        "reversed": the second argument comes first.
    labels : {"from 0", "from 1", "column"}, optional
        How class indices are given; "column" has the shape (N, 1).
    classes : int, optional
        The only number of classes that your function takes.
    result : int or str, optional
        Which of several results counts, by its place or key.
    temperature : float or str, optional
        A fixed T, or "inverse" if the argument is 1/T, or the name of the argument.
    label_smoothing : float, optional
        eps, if the function smooths its targets to (1 - eps) t + eps/C.
    class_weights : sequence of float, optional
        The weights of the classes that are inside. A mean is then over the sum of
        the weights, for targets that are no labels also over N, as in PyTorch.
    sample_weights : {"weights", "rows"}, optional
        What a mean of weighted rows is divided by: the sum of their weights, or the
        number of rows. The argument for them is known by its name, as sample_weight;
        with this option it may be w or weights.
    ignore_index : int, optional
        The label of rows that are left out: they have no gradient and count in no
        mean. An argument ignore_index is tried without this option too.
    soft_loss : {"divergence", "cross-entropy"}, optional
        Whether a distillation loss holds the teacher's entropy too.
    t_squared : bool, optional
        Whether a distillation loss has its factor T^2.
    logits : {"any", "ordinary"}, default "any"
        "ordinary": failures at logits of some hundreds do not count.
    upstream : {"any", "one"}, default "any"
        "one": a custom backward is the last step, so that the gradient that comes
        in is 1.
    conventions : bool, default True
        Whether other conventions than those stated are tried. Otherwise whatever
        differs from what was asked is wrong.
    against : callable or object, optional
        Another function of the same arguments, to compare with instead of what is
        right.
    to_array : callable, optional
        Turns a NumPy array into what the function takes. By default PyTorch's
        tensors are tried where you have imported it. Class indices stay integers.
    sequences : bool, default False
        Whether logits of shape (B, S, C) count too: then they are probed, and the
        mean is over B S rows.
    rows : {"batch", "one"}, default "batch"
        "one" is for a function written for one row, whatever its shape.
    seed : int, default 0
        Chooses the random inputs.

    Returns
    -------
    report : Report
        It prints itself; see its attributes for the parts.

    Raises
    ------
    ValueError
        If an option is none of the above. What your function raises is a finding of
        the report.

    Notes
    -----
    A function that takes one row only, class indices only or distributions only is
    checked on what it takes: on what it returns an array of the right shape for.

    A function that is wrong as it was asked, and right under another convention, has
    the verdict "convention": the report lists what has to be meant, each with the
    option that states it. Numbers inside it, such as label smoothing, are estimated on
    half of the results and confirmed on all.

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
    >>> report.verdict, report.mistakes[0].slug
    ('mistake', 'diagonal-jacobian')
    >>> report.example.yours.round(4), report.example.right.round(4)
    (array([[-0.    , -0.8247, -0.    ]]), array([[ 0.7856, -0.8247,  0.0391]]))
    """
    stated = Stated(
        takes=takes,
        layout=layout,
        labels=labels,
        classes=classes,
        result=result,
        order=order,
        label_smoothing=label_smoothing,
        class_weights=None if class_weights is None else tuple(class_weights),
        sample_weights=sample_weights,
        ignore_index=ignore_index,
        temperature=temperature,
        reduction=reduction,
        targets=targets,
        soft_loss=soft_loss,
        t_squared=t_squared,
        logits=logits,
        upstream=upstream,
        rows=rows,
    ).checked()
    if kind is not None:
        check_kind(kind)
        check_targets(kind, stated)
    asked = Asked(stated, seed, sequences, not conventions, to_array, against)
    notes: dict[str, None] = {}
    with undisturbed(lambda text: notes.update({text: None})):
        report = (
            guessed(function, asked) if kind is None else told(function, kind, asked)
        )
    return replace(report, findings=tuple(dict.fromkeys((*report.findings, *notes))))


def assert_correct(function: Any, kind: str | None = None, **options: Any) -> None:
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


@dataclass(frozen=True)
class Asked:
    """The options of `diagnose`, whatever the kind."""

    stated: Stated
    seed: int
    sequences: bool
    strict: bool
    to_array: Callable[[Any], Any] | None
    against: Any


def told(function: Any, kind: str, asked: Asked) -> Report:
    """Return the report on a function of a kind."""
    if kind == "weights":
        function, kind = ThroughInputs(function), "gradient"
    forms = forms_asked(kind, asked.stated.targets)
    reduction = reduction_of(kind, asked.stated.reduction)
    question = Question(
        kind,
        forms,
        asked.seed,
        asked.sequences,
        asked.strict,
        asked.stated.logits == "ordinary",
    )
    first: Report | None = None
    for to_array in converters(function, asked.to_array):
        patient = Patient(to_array)
        given = question
        if asked.against is not None:
            given = replace(question, reference=reference_of(asked.against, patient))
        try:
            report = examined(function, patient, given, asked.stated, reduction)
        except EndedError as stop:
            return Report(kind, "unusable", findings=(f"The function {stop}.",))
        report = replace(report, findings=(*report.findings, *patient.notes))
        if report.verdict != "unusable":
            return report
        first = first or report
    assert first is not None
    return first


def guessed(function: Any, asked: Asked) -> Report:
    """Return the report for the kind that a function seems to be of, and say so.

    The kind that its name says comes first, and is the only one if it explains all.
    """
    kinds = guessed_kinds(function)
    reports: dict[str, Report] = {}
    for kind in kinds:
        reports[kind] = told(function, kind, asked)
        if len(reports) == 1 and name_tells(function) and explains(reports[kind]):
            break
    best = min(reports, key=lambda kind: likelihood(reports[kind]))
    verdict = reports[best].verdict
    alike = [kind for kind in reports if reports[kind].verdict == verdict]
    named = name_tells(function) and reports[kinds[0]].verdict == "unknown"
    if verdict in ("unknown", "unusable") and len(alike) > 1 and not named:
        return Report(
            "unknown kind",
            "unusable",
            findings=(
                f"It cannot be told what this function computes: is it kind="
                f"{' or kind='.join(map(repr, kinds))}?",
            ),
        )
    kind, others = beside(best, reports)
    note = f"Taken for kind={kind!r}, by its names and by what it returns."
    report = reports[kind]
    return replace(report, findings=(note, *others, *report.findings))


def explains(report: Report) -> bool:
    """Tell whether a report leaves no doubt of the kind, nor another result."""
    alone = report.verdict == "mistake" and len(report.explanations[0]) == 1
    ok = report.verdict in ("right", "convention")
    return (ok or alone) and not result_of(report)


def likelihood(report: Report) -> tuple[int, int]:
    """Return how likely the kind of a report is: the least is the likeliest."""
    order = ("right", "convention", "mistake", "unknown", "unusable")
    mistakes = len(report.explanations[0]) if report.explanations else 0
    return order.index(report.verdict), mistakes


def result_of(report: Report) -> str:
    """Return the option that says which of several results a report is on, or ""."""
    options = [each.option for each in report.conventions]
    return next((each for each in options if each.startswith("result=")), "")


def beside(best: str, reports: dict[str, Report]) -> tuple[str, list[str]]:
    """Return the kind to report on, and what is to be said of the other results.

    A function may return a loss and its gradient: one that is right is no answer
    where the other one is wrong. What only large logits show is told, no more.
    """
    mine = result_of(reports[best])
    others = {
        kind: report
        for kind, report in reports.items()
        if mine and result_of(report) not in ("", mine)
    }
    known = {kind: each for kind, each in others.items() if each.verdict in DECIDED}
    serious = [
        kind
        for kind in (best, *known)
        if reports[kind].verdict == "mistake"
        and not all(mistake.numerical for mistake in reports[kind].leading())
    ]
    if serious and serious[0] != best:
        known = {best: reports[best]}
        best = serious[0]
    return best, [f"{OTHERS} {each.summary}" for each in known.values()]


def reference_of(other: Any, patient: Patient) -> Callable[[Any, Probe], Any]:
    """Return what another function gives where the first one was called."""
    elsewhere = Patient(patient.to_array)

    def reference(caller: Any, probe: Probe) -> Any:
        for way in ways(other, caller.kind):
            again = replace(caller, patient=elsewhere, way=way)
            outcome = again(probe)
            if outcome.value is not None:
                return outcome.value.astype(float)
        return None

    return reference


def examined(
    function: Any,
    patient: Patient,
    question: Question,
    stated: Stated,
    reduction: str,
) -> Report:
    """Return the report on what was handed over, called in the first way that runs."""
    kind = question.kind
    problem = ""
    diagnosis: Diagnosis | None = None
    for way in ways(function, kind):
        try:
            found = searched(patient, way, question, stated, reduction)
        except TypeError as error:
            problem = problem or f"The function {error}."
            continue
        if diagnosis is None or found.ran:
            diagnosis = found
        if found.ran and not found.mistaken:
            break
    if diagnosis is None:
        return Report(kind, "unusable", findings=(problem,))
    if not diagnosis.ran:
        return Report(kind, "unusable", findings=unusable(diagnosis.plain))
    return report_on(diagnosis, stated)


def unusable(found: Collected) -> tuple[str, ...]:
    """Return why nothing could be checked."""
    arguments = describe_arguments(found.caller.kind)
    return (
        f"No call with ({arguments}) gave an array of the right shape.",
        *not_taken(found, found.style),
    )


def report_on(diagnosis: Diagnosis, stated: Stated) -> Report:
    """Return the report on a function that takes something."""
    found, plain = diagnosis.best, diagnosis.plain
    conventions = diagnosis.conventions
    if diagnosis.mistaken and found.right:
        found, conventions = plain, ()  # as asked, as many mistakes explain it
    elif (
        conventions
        and found.right
        and plain.formulas
        and not fits(found)
        and stress(found, found.formulas[0]).mistakes
    ):
        found, conventions = plain, ()  # no convention makes it right
    caller = found.caller
    formulas = list(found.formulas)
    formula_is_right = bool(formulas) and not formulas[0].slugs
    shown = stress(found, formulas[0]) if formulas else None
    numerical = list(shown.mistakes) if shown else []
    findings = list(found.findings)
    findings += [*shown.failures, *shown.raised] if shown else []
    if formula_is_right and numerical and fits(found):
        # What is found inside is what counts: the rest is told.
        named = " or ".join(" with ".join(slugs) for slugs in numerical)
        findings.append(f"It fails at large logits: {named}.")
        numerical = []
    rows = NOTHING_OFF
    if formula_is_right:
        conventions += promises_kept(found, stated, bool(shown and shown.failures))
        rows = rows_off(found, stated)
        conventions += rows.conventions
        findings += [*masked(found), *divides_sequences(found), *rows.findings]
    explanations = tuple(
        dict.fromkeys(
            formula.slugs + extra
            for formula in formulas
            for extra in numerical or [()]
            if formula.slugs + extra
        )
    )
    factor = None if formula_is_right else fitted_factor(found.answers)
    if not formulas:
        explanations = named_by_numbers(diagnosis.plain, stated)
        findings += right_without(diagnosis.plain, stated)
        factor = None if explanations else factor
    if not formulas and not explanations and factor is None:
        multiples = multiple(found)
        if multiples:
            formulas = [each for each, _ in multiples]
            explanations = tuple(each.slugs for each in formulas)
            factor = Factor(multiples[0][1], 0, 0, 0)
    if formula_is_right and not numerical:
        verdict = "convention" if conventions else "right"
    else:
        verdict = "mistake" if explanations else "unknown"
    if verdict == "convention":
        otherwise = plain.formulas or on_batches(found)
        explanations = tuple(each.slugs for each in otherwise if each.slugs)
    if rows.wrong and verdict in ("right", "convention"):
        verdict, explanations = "unknown", ()
        if rows.slugs:
            verdict, explanations = "mistake", (rows.slugs,)
    if not repeats(caller, found.answers[0].probe):
        findings.insert(0, REPEATED)
        verdict = "unknown"
    ok = verdict in ("right", "convention")
    slugs = dict.fromkeys(slug for each in explanations for slug in each)
    return Report(
        kind=caller.kind,
        verdict=verdict,
        conventions=conventions,
        mistakes=tuple(MISTAKES[slug] for slug in slugs),
        explanations=explanations,
        factor=factor,
        example=None if ok else example_of(found, formulas),
        invariants=None if ok else properties_of(found),
        evidence=evidence_of(found, formulas, ok, bool(formulas or factor)),
        findings=(*findings, *not_taken(found)),
        checked=tuple(checked(found)),
        one_row=None
        if formula_is_right
        else by_row(found, len(explanations[0]) if explanations else 0),
    )


def on_batches(found: Collected) -> Sequence[Hypothesis]:
    """Return what explains a function of one row where it is given a batch."""
    reading = found.caller.reading
    if reading.layout not in ROW_LAYOUTS:
        return ()
    caller = replace(found.caller, reading=replace(reading, layout=BATCH))
    return with_formulas(collected(caller, "batch", found.taken)).formulas


def fits(found: Collected) -> bool:
    """Tell whether a number inside the function was recovered."""
    reading = found.caller.reading
    numbers = (reading.temperature, reading.smoothing, reading.weights)
    return any(each is not None for each in numbers)


def promises_kept(
    found: Collected, stated: Stated, fails: bool
) -> tuple[Convention, ...]:
    """Return what has to hold for a right formula to be a right function."""
    told = []
    if fails:
        sentence = "It fails at large logits, and is right at ordinary ones."
        meant = "the logits stay ordinary, below some hundreds"
        told.append(Convention('logits="ordinary"', sentence, meant))
    if stated.upstream == "any" and deaf(found):
        told.append(
            Convention(
                'upstream="one"',
                "It ignores the gradient that comes in, and is right where that is 1.",
                "it is the last step, and the gradient that comes in is 1",
                "else it is upstream-gradient-ignored",
            )
        )
    return tuple(told)


def evidence_of(
    found: Collected, formulas: Sequence[Hypothesis], ok: bool, known: bool
) -> tuple[str, ...]:
    """Return where a function is right and, for an unknown mistake, where it is off."""
    if ok or (formulas and not formulas[0].slugs):
        return ()
    told = [*variants(found.caller.kind, formulas), *circumstances(found)]
    return tuple(told if known else [*evidence(found), *told])


def variants(kind: str, formulas: Sequence[Hypothesis]) -> list[str]:
    """Return which form it is of mistakes that have their forms described."""
    told = {
        f"{slug}: {MISTAKES[slug].forms[kind][form]}.": None
        for formula in formulas
        for slug in formula.slugs
        if kind in MISTAKES[slug].forms
        for form in forms_in(kind, formula, slug)
    }
    return list(told)


def example_of(found: Collected, formulas: Sequence[Hypothesis]) -> Example | None:
    """Return the smallest example that shows what is wrong, all of it if it can."""
    caller, answers = found.caller, found.answers
    formula = formulas[0] if formulas else RIGHT
    matcher = Matcher(caller.kind, caller.reduction, ())

    def acts(probe: Probe) -> bool:
        # One mistake acts wherever the result is off.
        return len(formula.slugs) < 2 or matcher.acts(formula, probe)

    off = [each for each in answers if not is_right(each)]
    seen = min(
        off or answers, key=lambda each: (not acts(each.probe), each.probe.logits.size)
    )
    return smallest_example(caller, found.style, found.taken, seen.probe, acts)


def properties_of(found: Collected) -> dict[str, bool]:
    """Return which properties of right functions hold."""
    return invariants(found.caller, found.answers[0].probe)
