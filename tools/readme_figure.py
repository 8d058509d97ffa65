"""Draw book/_static/readme.png, the picture of the README.

Usage: python tools/readme_figure.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import softmax_gradients as sg

TARGET = Path(__file__).parents[1] / "book" / "_static" / "readme.png"


def bars(axes, values, **style):
    """Draw one bar for each class, with its number."""
    drawn = axes.bar(np.arange(len(values)), values, **style)
    axes.bar_label(drawn, [f"{value:.2f}" for value in values], padding=2)


def main():
    sg.plots.use_book_style()
    logits = np.array([2.0, 0.5, -1.0, 1.2])
    targets = np.array([0.1, 0.2, 0.3, 0.4])
    probs = sg.softmax(logits)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 2.9))

    bars(left, logits, width=0.6, color=sg.plots.NEUTRAL_LIGHT)
    left.set(ylabel="logits $z$", ylim=(-1.5, 2.5))

    middle.bar(np.arange(4) - 0.2, probs, width=0.38, color=sg.plots.RIGHT)
    middle.bar(
        np.arange(4) + 0.2, targets, width=0.38, color="white", edgecolor="black"
    )
    middle.annotate("$q$", (-0.2, probs[0]), (-0.2, probs[0] + 0.01), ha="center")
    middle.annotate("$t$", (0.2, targets[0]), (0.2, targets[0] + 0.01), ha="center")
    middle.set(ylabel="probabilities $q$, targets $t$", ylim=(0, 0.68))

    bars(right, probs - targets, width=0.6, color=sg.plots.RIGHT)
    right.set(ylabel=r"gradient $\partial L/\partial z = q - t$", ylim=(-0.4, 0.62))

    for axes in (left, middle, right):
        axes.set(xticks=range(4), xlabel="class")
        axes.axhline(0, color=sg.plots.NEUTRAL, linewidth=0.8)
    # Where the README is read on a dark page, nobody turns the colours of its picture.
    figure.savefig(TARGET, facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    main()
