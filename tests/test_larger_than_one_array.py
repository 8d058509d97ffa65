"""The functions that the chapter's cells define, on more inputs than its cells have."""

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import softmax_gradients as sg

CHAPTER = Path(__file__).parents[1] / "book" / "larger-than-one-array.ipynb"
ROUNDING = 2.0**-53
MASKED = (-np.inf, 0.0)
LOGITS = st.floats(-1e3, 1e3) | st.sampled_from([-np.inf, 0.0, 1e-300])


def defined_in(*names):
    """Return what the cells of these names define."""
    found = {"np": np, "sg": sg}
    for cell in json.loads(CHAPTER.read_text("utf-8"))["cells"]:
        if cell["id"] in names:
            exec("".join(cell["source"]), found)
    return found


CELLS = defined_in("pairs", "merge", "own-targets", "reduced", "smoothing-part")
pair, merge = CELLS["pair"], CELLS["merge"]


def grouped(draw, pairs):
    """Merge pairs in any order and grouping; return the result and its depth."""
    if len(pairs) == 1:
        return pairs[0], 0
    cut = draw(st.integers(1, len(pairs) - 1))
    (left, depth), (right, other) = (
        grouped(draw, part) for part in (pairs[:cut], pairs[cut:])
    )
    return merge(left, right), 1 + max(depth, other)


@settings(deadline=None)
@given(st.data(), st.lists(LOGITS, min_size=1, max_size=40))
def test_every_grouping_is_within_the_bound_of_the_theorem(data, logits):
    order = data.draw(st.permutations(logits))
    (m, s), depth = grouped(data.draw, [pair(np.array([z])) for z in order])
    if np.isneginf(max(logits)):
        assert (m, s) == MASKED
        return
    assert m == max(logits)
    with mpmath.workdps(40):
        gaps = [mpmath.mpf(z) - mpmath.mpf(m[0]) for z in logits]
        exact = mpmath.fsum(map(mpmath.exp, gaps))
        error = abs(mpmath.mpf(s[0]) / exact - 1)
    assert 1 <= s <= len(logits) * (1 + 8 * depth * ROUNDING)
    # To first order: the rest is smaller by another rounding.
    assert error <= 1.001 * ROUNDING * (4 * depth + np.log(len(logits)))


PAIRS = st.one_of(st.just(MASKED), st.tuples(st.floats(-50, 50), st.floats(1e-3, 1e3)))


@settings(deadline=None)
@given(PAIRS, PAIRS, PAIRS)
def test_the_pairs_are_a_commutative_monoid(a, b, c):
    assert merge(a, MASKED) == merge(MASKED, a) == a
    assert merge(a, b) == merge(b, a)
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    assert left[0] == right[0]
    assert left[1] == pytest.approx(right[1], rel=1e-13)


@pytest.mark.parametrize("sizes", [(4, 4), (2, 3, 3), (1, 7)])
@pytest.mark.parametrize("local", [False, True])
def test_smoothing_is_the_mean_of_the_log_probabilities_it_speaks_of(sizes, local):
    rng = np.random.default_rng(sum(sizes) + len(sizes))
    z, y, alpha = 3 * rng.normal(size=(5, 8)), rng.integers(8, size=5), 0.2
    log_q = sg.log_softmax(z, temperature=2.0)
    shards = np.split(z / 2, np.cumsum(sizes)[:-1], axis=1)
    parts = np.split(log_q, np.cumsum(sizes)[:-1], axis=1)
    peak, sums, z_y = CELLS["reduced"](shards, y)
    own = CELLS["one_hots"](shards, y)
    for shard, mine, part in zip(shards, own, parts, strict=True):
        classes, seen = (shard.shape[1], part) if local else (8, log_q)
        total = (shard if local else z / 2).sum(axis=1)
        if classes == 1:
            continue  # there is no other class to smooth over
        loss, gradient = CELLS["smoothed_part"](
            shard, mine, peak + np.log(sums), z_y, total, classes, alpha
        )
        a = alpha * classes / (classes - 1)
        target = log_q[np.arange(5), y]
        assert loss == pytest.approx(-(1 - a) * target - a * seen.mean(axis=1))
        weights = (1 - a) * mine + a / classes
        assert gradient == pytest.approx((np.exp(part) - weights) / 2)
