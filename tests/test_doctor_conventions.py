"""No convention makes a mistake right, and none makes what is right a mistake.

Over kinds, entries, conventions and styles. Run as a script, this counts all of them
(python -m tests.test_doctor_conventions); the tests take a sample.
"""

import numpy as np
import pytest

from softmax_gradients.doctor import diagnose
from softmax_gradients.mistakes import MISTAKES
from softmax_gradients.mistakes._steps import (
    KINDS,
    SECOND_ARGUMENT,
    WITH_TEACHER,
    assemble,
)
from tests.support.conventions import CONVENTIONS, STYLES, called, styled

ACCEPTED = ("right", "convention")
# Conventions under which targets are one class a row.
HARD = ("labels from 1", "labels (N, 1)", "smoothed labels", "five classes")


def every_case():
    """Yield (name, kind, function, whether it is right) of all combinations."""
    for kind in KINDS:
        for style in STYLES:
            right = styled(assemble(kind), kind, style)
            for name, convention in CONVENTIONS.items():
                handed = convention(right, kind)
                if handed is not None:
                    yield f"right, {name}, {style}", kind, handed, True
    for slug, entry in MISTAKES.items():
        if entry.right_if:
            continue
        for kind in entry.kinds:
            wrong = entry.function(kind)
            for style in STYLES if not entry.numerical else ("as it is",):
                own = styled(wrong, kind, style)
                for name, convention in CONVENTIONS.items():
                    handed = convention(own, kind)
                    if handed is None or is_right(own, kind, name, entry):
                        continue
                    yield f"{slug}, {name}, {style}", kind, handed, False


def is_right(f, kind, convention, entry):
    """Tell whether a wrong function is right on all that the convention leaves."""
    if entry.numerical and convention not in ("without T", "with T"):
        return True  # large logits are not reached, or not in the same way
    if (entry.slug, convention) == ("doubled-batch-mean", "sum"):
        return True  # N times too much of 1/N^2
    if (entry.slug, convention) == ("doubled-temperature", "T fixed"):
        return kind in ("softmax", "loss")  # T^2 is a fixed T too
    given = {"with T": 1.7, "inverse T": 1.7, "T fixed": 2.5}.get(convention, 1.0)
    shapes = ((3, 5), (5, 5))
    return all(right_at(f, kind, convention, given, shape) for shape in shapes)


def right_at(f, kind, convention, temperature, shape):
    rng = np.random.default_rng(5)
    z = rng.normal(size=shape) + rng.normal(size=(shape[0], 1))
    s = rng.uniform(0.1, 1.0, size=shape)
    if SECOND_ARGUMENT[kind] == "targets" and convention in HARD:
        s = np.eye(5)[rng.integers(5, size=shape[0])]
        if convention == "smoothed labels":
            s = 0.9 * s + 0.02
    if SECOND_ARGUMENT[kind] in ("cotangent", "teacher_logits"):
        s = rng.normal(size=shape)
    if convention == "probabilities":
        z = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        if kind in WITH_TEACHER:  # both are handed over as probabilities
            s = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
    if convention == "a column":
        z, s = z[0], s[0]
    try:
        value = called(f, kind, z, s, temperature)
    except (ValueError, IndexError):
        return True  # what raises tells nothing
    right = called(assemble(kind), kind, z, s, temperature)
    return np.shape(value) == np.shape(right) and np.allclose(value, right, 1e-4)


def judged(cases):
    """Return the counts of right and wrong functions, and what was misjudged."""
    counts, off = {True: 0, False: 0}, []
    for name, kind, handed, right in cases:
        report = diagnose(handed, kind)
        counts[right] += 1
        if (report.verdict in ACCEPTED) != right:
            off.append((name, kind, report))
    return counts, off


@pytest.fixture(scope="module")
def cases():
    return list(every_case())


def test_no_mistake_is_accepted_and_nothing_right_is_rejected(cases):
    counts, off = judged(cases[::83])
    assert not off, [(name, kind, str(report)) for name, kind, report in off]
    assert counts[True] > 2
    assert counts[False] > 30


@pytest.mark.parametrize(
    "name", ["missing-log, probabilities, row by row", "missing-keepdims, flat"]
)
def test_a_mistake_is_believed_before_three_conventions(cases, name):
    some = [case for case in cases if case[0].startswith(name)]
    assert some
    assert not judged(some)[1]


if __name__ == "__main__":
    counts, off = judged(every_case())
    accepted = [each for each in off if each[2].verdict in ACCEPTED]
    print(f"{counts[True]} right functions, {len(off) - len(accepted)} rejected")
    print(f"{counts[False]} wrong functions, {len(accepted)} accepted")
    for name, kind, report in off:
        print(kind, name, report.verdict, report.summary, sep=" | ")
