"""What the chapter on the experiment says in words, against the stored sweep.

Every comparative sentence about the stored results stands here beside the paired
differences that it is about, and beside how many of their 95 % intervals lie above
zero, contain it, or lie below. A sentence that claims more fails, and so does one
that was reworded without a look at the numbers.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
STORED = json.loads(
    (ROOT / "src" / "softmax_gradients" / "data" / "distillation_sweep.json").read_text(
        "utf-8"
    )
)
NOTEBOOK = json.loads(
    (ROOT / "book" / "distillation-experiment.ipynb").read_text("utf-8")
)
# Student's t with 29 degrees of freedom, for 30 seeds: 97.5 % lie below.
T_QUANTILE = 2.0452
USUAL = {"examples": 50, "hidden": 16, "steps": 200, "rate": 0.1, "alpha": 0.5}
ROWS = [
    {},
    {"hidden": 8},
    {"hidden": 32},
    {"examples": 25},
    {"examples": 100},
    {"examples": 200},
    {"steps": 1000},
    {"rate": 0.03},
    {"rate": 0.3},
]


def accuracy(targets, temperature=1.0, **other):
    wanted = USUAL | {"targets": targets, "temperature": temperature} | other
    found = [r for r in STORED["results"] if wanted.items() <= r.items()]
    assert len(found) == 1, wanted
    return 100 * np.array(found[0]["correct"]) / STORED["test_images"]


def gain(targets, temperature=1.0, **other):
    return accuracy(targets, temperature, **other) - accuracy("hard", **other)


def in_each_row(one, other=("hard",)):
    """Return one minus the other, for each of the nine settings."""
    return [accuracy(*one, **row) - accuracy(*other, **row) for row in ROWS]


def between(one, other, temperatures):
    """Return how much larger the gain of soft targets is in one of two settings."""
    return [gain("soft", T, **one) - gain("soft", T, **other) for T in temperatures]


def interval(differences):
    """Return the ends of the 95 % interval of the mean."""
    mean, spread = differences.mean(), differences.std(ddof=1)
    half = T_QUANTILE * spread / len(differences) ** 0.5
    return mean - half, mean + half


def verdicts(differences):
    """Count the intervals above zero, with zero in them, and below zero."""
    ends = [interval(each) for each in differences]
    above = sum(low > 0 for low, _ in ends)
    below = sum(high < 0 for _, high in ends)
    return above, len(ends) - above - below, below


@dataclass
class Claim:
    sentence: str
    differences: list
    above: int = 0
    open: int = 0
    below: int = 0


FEW = ({"examples": 25}, {"examples": 50})
MORE = [({"examples": n}, {"examples": m}) for n, m in ((50, 100), (100, 200))]
MORE.append(({"examples": 200}, {"examples": 900}))
EVERY = (1.0, 4.0, 8.0, 64.0)
HIGH = (4.0, 8.0, 64.0)
RATES = [({"rate": 0.03}, {"rate": 0.1}), ({"rate": 0.1}, {"rate": 0.3})]

CLAIMS = [
    Claim(
        "it is above zero in the first nine rows, at all four temperatures",
        [d for T in EVERY for d in in_each_row(("soft", T))],
        above=36,
    ),
    Claim(
        "From $T = 1$ to $T = 4$ the gain rises in eight of the nine rows",
        in_each_row(("soft", 4.0), ("soft", 1.0)),
        above=8,
        open=1,
    ),
    Claim(
        "at the rate 0.3 the interval contains zero",
        [accuracy("soft", 4.0, rate=0.3) - accuracy("soft", 1.0, rate=0.3)],
        open=1,
    ),
    Claim(
        "From 4 to 8 it rises in five, and in four the interval contains zero",
        in_each_row(("soft", 8.0), ("soft", 4.0)),
        above=5,
        open=4,
    ),
    Claim(
        "From 8 to 64 it rises in three rows, and is not shown to fall in any",
        in_each_row(("soft", 64.0), ("soft", 8.0)),
        above=3,
        open=6,
    ),
    Claim(
        "From 50 rows to 100, to 200 and to 900 the gain becomes smaller at every",
        [d for pair in MORE for d in between(*pair, EVERY)],
        above=12,
    ),
    Claim(
        "From 25 to 50 only the interval at $T = 64$ excludes zero",
        between(*FEW, EVERY),
        above=1,
        open=3,
    ),
    Claim("the interval at $T = 64$ excludes zero", between(*FEW, [64.0]), above=1),
    Claim(
        "There soft targets do harm",
        [gain("soft", T, examples=900) for T in EVERY],
        below=4,
    ),
    Claim(
        "The student of 32 hidden units gains more than that of 8, at every",
        between({"hidden": 32}, {"hidden": 8}, EVERY),
        above=4,
    ),
    Claim(
        "the gain is larger at 0.03 than at 0.1, and larger at 0.1 than at 0.3",
        [d for pair in RATES for d in between(*pair, HIGH)],
        above=6,
    ),
    Claim(
        "less than half of that at 0.1 for $T = 4$ and $T = 8$",
        [gain("soft", T) / 2 - gain("soft", T, rate=0.3) for T in (4.0, 8.0)],
        above=2,
    ),
    Claim(
        "for $T = 64$ that is not shown",
        [gain("soft", 64.0) / 2 - gain("soft", 64.0, rate=0.3)],
        open=1,
    ),
    Claim(
        "For the student of 32 units $T = 64$ is ahead",
        [accuracy("soft", 64.0, hidden=32) - accuracy("soft", 8.0, hidden=32)],
        above=1,
    ),
    Claim(
        "For those of 8 and of 16 the interval contains zero",
        [accuracy("soft", 64.0, hidden=h) - accuracy("soft", 8.0, hidden=h)
         for h in (8, 16)],
        open=2,
    ),
    Claim(
        "the smaller student leans more to $T = 8$ than the larger one does",
        [
            accuracy("soft", 8.0, hidden=8)
            - accuracy("soft", 64.0, hidden=8)
            - accuracy("soft", 8.0, hidden=32)
            + accuracy("soft", 64.0, hidden=32)
        ],
        above=1,
    ),
    Claim(
        "With the factor, $T = 64$ is ahead of $T = 8$ in three rows",
        in_each_row(("mixed", 64.0), ("mixed", 8.0)),
        above=3,
        open=6,
    ),
    Claim(
        "by about two points with 25 examples",
        [accuracy("mixed", 64.0, **row) - accuracy("mixed", 8.0, **row)
         for row in ({"examples": 25}, {"examples": 100}, {"hidden": 32})],
        above=3,
    ),
    Claim(
        "The factor itself is worth something in every row, at both temperatures",
        [d for T in (8.0, 64.0) for d in in_each_row(("mixed", T), ("unscaled", T))],
        above=18,
    ),
    Claim(
        "Without it no row gains as much as a point at $T = 64$",
        [d - 1 for d in in_each_row(("unscaled", 64.0))],
        below=9,
    ),
    Claim(
        "at the lowest learning rate the mixture is worse than the labels alone",
        [gain("unscaled", T, rate=0.03) for T in (8.0, 64.0)],
        below=2,
    ),
    Claim(
        "More steps bring part of the gain at $T = 8$ back",
        [gain("unscaled", 8.0, steps=1000) - gain("unscaled", 8.0)],
        above=1,
    ),
    Claim(
        "The labels add something in eight rows",
        in_each_row(("mixed", 64.0), ("soft", 64.0)),
        above=8,
        below=1,
    ),
    Claim(
        "and cost a point at the rate 0.03",
        [accuracy("mixed", 64.0, rate=0.03) - accuracy("soft", 64.0, rate=0.03)],
        below=1,
    ),
    Claim(
        "The accuracies do not distinguish matching from $T = 64$: all nine intervals "
        "contain zero",
        in_each_row(("logits",), ("soft", 64.0)),
        open=9,
    ),
    Claim(
        "$\\alpha = 1/2$ is better than the other three at all three temperatures",
        [accuracy("mixed", T) - accuracy("mixed", T, alpha=a)
         for T in (4.0, 16.0, 64.0) for a in (0.1, 0.9, 0.99)],
        above=9,
    ),
    Claim(
        "none of the four weights comes within five points",
        [accuracy("mixed", T) - accuracy("unscaled", T, alpha=a) - 5
         for T in (4.0, 16.0, 64.0) for a in (0.1, 0.5, 0.9, 0.99)],
        above=12,
    ),
    Claim(
        "The real teacher is ahead of the control in every row",
        in_each_row(("soft", 8.0), ("label-only", 8.0)),
        above=9,
    ),
    Claim(
        "contains zero in five rows. In three it does harm, and at the rate 0.03 it",
        in_each_row(("label-only", 8.0)),
        above=1,
        open=5,
        below=3,
    ),
    Claim(
        "The gain rises up to $T = 4$ in all settings but one, and from 4 to 8 in "
        "five of nine",
        in_each_row(("soft", 4.0), ("soft", 1.0))
        + in_each_row(("soft", 8.0), ("soft", 4.0)),
        above=13,
        open=5,
    ),
    Claim(
        "In no setting is $T = 8$ shown to be better than $T = 64$; in three it is",
        in_each_row(("soft", 8.0), ("soft", 64.0)),
        open=6,
        below=3,
    ),
]  # fmt: skip


def prose():
    cells = [c for c in NOTEBOOK["cells"] if c["cell_type"] == "markdown"]
    return " ".join("\n".join("".join(c["source"]) for c in cells).split())


def printed():
    """Return what the cells print, line by line."""
    outputs = [o for c in NOTEBOOK["cells"] for o in c.get("outputs", [])]
    return "".join("".join(o.get("text", "")) for o in outputs).splitlines()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.sentence[:50])
def test_a_comparative_sentence_says_what_its_intervals_say(claim):
    assert claim.sentence in prose()
    assert verdicts(claim.differences) == (claim.above, claim.open, claim.below)


def test_an_interval_by_hand():
    # 30 differences, half of them 0 and half 2: mean 1, variance 30/29.
    differences = np.array([0.0, 2.0] * 15)
    half = 2.0452 * (30 / 29) ** 0.5 / 30**0.5
    assert interval(differences) == pytest.approx((1 - half, 1 + half), abs=1e-12)
    shifted = [differences, differences - 1, differences - 2]
    assert verdicts(shifted) == (1, 1, 1)


def test_the_page_says_how_many_intervals_it_prints():
    (said,) = re.findall(r"This chapter prints (\d+) of them", prose())
    assert sum(line.count("±") for line in printed()) == int(said)


# Sentences on the chapter's own 20 seeds, with the lines that the cells print.
# An interval of one decimal that touches zero proves nothing, so none may.
LIVE = [
    ("beat those that learn from the labels, at every temperature",
     r"^T = +\d+  [\d.]+ %  gain", (6, 0, 0)),
    ("Up to 8 no interval contains zero", r"^T = +(2|4|8) minus", (3, 0, 0)),
    ("The two after that do", r"^T = (16|64) minus T = 8", (0, 2, 0)),
    ("The control shows no gain and no loss", r"^T = +\d+  gain .*minus", (0, 3, 0)),
    ("The real teacher is ahead of it by 4 to 9 points",
     r"teacher minus control +[+-]", (3, 0, 0)),
    ("Between them the interval just excludes zero", r"^matching minus T = 64",
     (1, 0, 0)),
    ("All six gains remain", r"^T = +\d+  +[+-][\d.]+ ± [\d.]+$", (6, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "line", "expected"), LIVE, ids=[each[0][:40] for each in LIVE]
)
def test_a_sentence_on_the_chapters_own_seeds_says_what_is_printed(
    sentence, line, expected
):
    assert sentence in prose()
    lines = [each for each in printed() if re.search(line, each)]
    which = -1 if "minus control" in line else 0
    pairs = [re.findall(r"([+-][\d.]+) ± ([\d.]+)", each)[which] for each in lines]
    means, halves = np.array(pairs, dtype=float).T
    assert (abs(means) != halves).all()
    above, below = (means > halves).sum(), (means < -halves).sum()
    assert (above, len(lines) - above - below, below) == expected
