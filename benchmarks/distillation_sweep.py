"""What a student learns from a teacher: the sweep behind the chapter's last tables.

Usage: python benchmarks/distillation_sweep.py FILE, which for the chapter is
src/softmax_gradients/data/distillation_sweep.json

The chapter "Distillation: an experiment" trains students on 20 seeds. This runs the
same experiment on 30 other seeds, and varies what the chapter holds fixed: examples,
hidden units, steps, learning rate and alpha. It takes about 20 minutes on one core
and stores, for every setting and seed, how many test images the student gets right.
"""

import argparse
import json
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import softmax_gradients as sg
from softmax_gradients.datasets import load_digits

SEEDS = range(20, 50)
TEACHER_ROWS = 900
TEACHER_HIDDEN = 32
TEACHER_STEPS = 100
TEACHER_RATE = 0.5
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Setting:
    """One student for each seed. `targets` says what it learns from.

    hard: the labels. soft: the teacher, T^2 KL. logits: the teacher's centred logits,
    half the mean squared difference. label-only: as soft, from a teacher that knows
    the label and nothing else. mixed and unscaled: alpha times soft plus 1 - alpha
    times hard, with T^2 and without.
    """

    targets: str
    temperature: float = 1.0
    alpha: float = 0.5
    examples: int = 50
    hidden: int = 16
    steps: int = 200
    rate: float = 0.1


def settings():
    """Return the settings of the sweep."""
    varied = [
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
    chosen = []
    for other in varied:
        chosen += [Setting("hard", **other), Setting("logits", **other)]
        chosen += [
            Setting(targets, temperature, **other)
            for targets in ("soft", "label-only", "mixed", "unscaled")
            for temperature in TEMPERATURES
        ]
    chosen += [Setting("hard", examples=TEACHER_ROWS)]
    chosen += [
        Setting("soft", temperature, examples=TEACHER_ROWS)
        for temperature in TEMPERATURES
    ]
    chosen += [
        Setting(targets, temperature, alpha)
        for targets in ("mixed", "unscaled")
        for temperature in (4.0, 16.0, 64.0)
        for alpha in (0.1, 0.3, 0.7, 0.9, 0.99, 0.999)
    ]
    return chosen


def initial(seeds, hidden, role):
    """Return the weights of one network for each seed: 64 -> hidden -> 10."""
    rngs = [np.random.default_rng([seed, role]) for seed in seeds]
    first = [rng.normal(scale=1 / 8, size=(64, hidden)) for rng in rngs]
    second = [rng.normal(scale=hidden**-0.5, size=(hidden, 10)) for rng in rngs]
    count = len(first)
    biases = np.zeros((count, 1, hidden)), np.zeros((count, 1, 10))
    return [np.array(first), biases[0], np.array(second), biases[1]]


def forward(weights, inputs):
    """Return the hidden values and the logits."""
    first, first_bias, second, second_bias = weights
    hidden = np.tanh(inputs @ first + first_bias)
    return hidden, hidden @ second + second_bias


def backward(weights, inputs, hidden, gradient):
    """Return the derivatives in the weights; `gradient` is that in the logits."""
    back = (gradient @ weights[2].mT) * (1 - hidden**2)
    return [
        inputs.mT @ back,
        back.sum(axis=-2, keepdims=True),
        hidden.mT @ gradient,
        gradient.sum(axis=-2, keepdims=True),
    ]


def train(weights, inputs, gradient_at, steps, rate):
    """Return the weights after full-batch gradient descent with momentum 0.9."""
    speeds = [np.zeros_like(weight) for weight in weights]
    for _ in range(steps):
        hidden, logits = forward(weights, inputs)
        gradient = gradient_at(logits) / inputs.shape[-2]
        slopes = backward(weights, inputs, hidden, gradient)
        pairs = zip(speeds, slopes, strict=True)
        speeds = [0.9 * speed - rate * slope for speed, slope in pairs]
        weights = [w + speed for w, speed in zip(weights, speeds, strict=True)]
    return weights


class Experiment:
    """Teachers of the given seeds, and the data they and their students see."""

    def __init__(self, seeds):
        self.seeds = list(seeds)
        digits = load_digits()
        orders = [
            np.random.default_rng(seed).permutation(len(digits.labels))
            for seed in self.seeds
        ]
        inputs = np.array([digits.inputs[order] for order in orders])
        labels = np.array([digits.labels[order] for order in orders])
        self.inputs, self.test_inputs = np.split(inputs, [TEACHER_ROWS], axis=1)
        self.labels, self.test_labels = np.split(labels, [TEACHER_ROWS], axis=1)
        weights = train(
            initial(self.seeds, TEACHER_HIDDEN, role=0),
            self.inputs,
            lambda z: sg.cross_entropy_gradient(z, self.labels, reduction="sum"),
            TEACHER_STEPS,
            TEACHER_RATE,
        )
        self.teacher_logits = forward(weights, self.inputs)[1]
        self.teacher_correct = self.correct(weights)

    def correct(self, weights):
        """Return, for each seed, how many test images are classified rightly."""
        logits = forward(weights, self.test_inputs)[1]
        return (logits.argmax(axis=-1) == self.test_labels).sum(axis=-1).tolist()

    def run(self, setting):
        """Train the students of a setting and return `correct` of them."""
        examples = slice(None), slice(setting.examples)
        weights = train(
            initial(self.seeds, setting.hidden, role=1),
            self.inputs[examples],
            self._gradient(setting, examples),
            setting.steps,
            setting.rate,
        )
        return self.correct(weights)

    def _gradient(self, setting, examples):
        """Return the function from logits to the gradient of the rows' total loss."""
        labels = self.labels[examples]
        teacher = self.teacher_logits[examples]
        teacher = teacher - teacher.mean(axis=-1, keepdims=True)
        if setting.targets == "hard":
            return lambda z: sg.cross_entropy_gradient(z, labels, reduction="sum")
        if setting.targets == "logits":
            return lambda z: (z - z.mean(axis=-1, keepdims=True) - teacher) / 10
        if setting.targets == "label-only":
            one_hot = np.eye(10)[labels]
            # The label's centred logit is what it is in the teacher's own row.
            height = (teacher * one_hot).sum(axis=-1) / 0.9
            teacher = one_hot * height[..., np.newaxis]
        soft_only = setting.targets in ("soft", "label-only")
        return lambda z: sg.distillation_loss_gradient(
            z,
            teacher,
            labels=None if soft_only else labels,
            temperature=setting.temperature,
            alpha=None if soft_only else setting.alpha,
            temperature_squared=setting.targets != "unscaled",
            reduction="sum",
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    experiment = Experiment(SEEDS)
    chosen = settings()
    results = []
    for number, setting in enumerate(chosen, start=1):
        results.append(asdict(setting) | {"correct": experiment.run(setting)})
        print(f"{number}/{len(chosen)} {setting}", file=sys.stderr)
    stored = {
        "seeds": list(SEEDS),
        "test_images": experiment.test_labels.shape[1],
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "softmax_gradients": sg.__version__,
        },
        "teacher_correct": experiment.teacher_correct,
        "results": results,
    }
    rows = ",\n".join(json.dumps(result) for result in stored.pop("results"))
    head = json.dumps(stored)[:-1]
    path.write_text(f'{head},\n"results": [\n{rows}\n]}}\n', "utf-8", newline="\n")


if __name__ == "__main__":
    main()
