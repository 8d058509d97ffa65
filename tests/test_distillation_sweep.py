"""The stored sweep of the chapter on the experiment: complete, and what its code gives.

A part of it, two seeds with few examples, is run again.
"""

import json
from dataclasses import asdict
from pathlib import Path

import distillation_sweep as sweep
import numpy as np
import pytest

import softmax_gradients as sg

ROOT = Path(__file__).parents[1]
STORED = ROOT / "src" / "softmax_gradients" / "data" / "distillation_sweep.json"


@pytest.fixture(scope="module")
def stored():
    return json.loads(STORED.read_text("utf-8"))


def test_every_setting_is_stored_once_with_every_seed(stored):
    assert stored["seeds"] == list(sweep.SEEDS)
    found = [
        {key: value for key, value in result.items() if key != "correct"}
        for result in stored["results"]
    ]
    assert found == [asdict(setting) for setting in sweep.settings()]
    for result in stored["results"]:
        assert len(result["correct"]) == len(stored["seeds"])
        assert all(0 <= count <= stored["test_images"] for count in result["correct"])


def test_the_versions_are_stored(stored):
    assert set(stored["versions"]) == {"python", "numpy", "softmax_gradients"}


def test_a_part_run_again_gives_what_is_stored(stored):
    experiment = sweep.Experiment(stored["seeds"][:2])
    assert experiment.test_labels.shape[1] == stored["test_images"]
    # Another processor rounds otherwise: an image on the border may change sides.
    np.testing.assert_allclose(
        experiment.teacher_correct, stored["teacher_correct"][:2], rtol=0, atol=2
    )
    chosen = [
        result
        for result in stored["results"]
        if result["examples"] == 25 and result["temperature"] in (1.0, 8.0)
    ]
    assert {result["temperature"] for result in chosen} == {1.0, 8.0}
    for result in chosen:
        setting = {key: value for key, value in result.items() if key != "correct"}
        again = experiment.run(sweep.Setting(**setting))
        np.testing.assert_allclose(again, result["correct"][:2], rtol=0, atol=2)


@pytest.mark.parametrize("targets", ["hard", "soft", "logits", "mixed", "unscaled"])
def test_the_gradients_are_those_of_the_losses(targets):
    experiment = sweep.Experiment.__new__(sweep.Experiment)
    rng = np.random.default_rng(1)
    experiment.labels = np.array([[3, 0]])
    experiment.teacher_logits = rng.normal(size=(1, 2, 10))
    setting = sweep.Setting(targets, temperature=3.0, alpha=0.3)
    logits = rng.normal(size=(1, 2, 10))

    def loss(z):
        soft = sg.kl_divergence(
            z, experiment.teacher_logits, temperature=3.0, reduction="sum"
        )
        hard = sg.cross_entropy(z, experiment.labels, reduction="sum")
        difference = z - experiment.teacher_logits
        difference = difference - difference.mean(axis=-1, keepdims=True)
        return {
            "hard": hard,
            "soft": 9 * soft,
            "logits": (difference**2).sum() / 20,
            "mixed": 0.3 * 9 * soft + 0.7 * hard,
            "unscaled": 0.3 * soft + 0.7 * hard,
        }[targets]

    gradient = experiment._gradient(setting, (slice(None), slice(2)))(logits)
    measured = sg.finite_difference(loss, logits)
    np.testing.assert_allclose(gradient, measured, rtol=0, atol=1e-8)


def test_backward_is_the_derivative_of_forward():
    rng = np.random.default_rng(2)
    weights = [w + 0.1 for w in sweep.initial([0, 1], 3, role=1)]
    inputs = rng.normal(size=(2, 4, 64))
    cotangent = rng.normal(size=(2, 4, 10))
    hidden, _ = sweep.forward(weights, inputs)
    slopes = sweep.backward(weights, inputs, hidden, cotangent)
    for place in range(4):
        direction = rng.normal(size=weights[place].shape)

        def value(step, place=place, direction=direction):
            moved = list(weights)
            moved[place] = moved[place] + step * direction
            return (cotangent * sweep.forward(moved, inputs)[1]).sum()

        measured = (value(1e-5) - value(-1e-5)) / 2e-5
        assert (slopes[place] * direction).sum() == pytest.approx(measured, rel=1e-7)
