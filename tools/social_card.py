"""Draw book/_static/social-card.png, the picture that a link to the book shows.

Usage: python tools/social_card.py
"""

from pathlib import Path

import matplotlib.pyplot as plt

import softmax_gradients as sg

TARGET = Path(__file__).parents[1] / "book" / "_static" / "social-card.png"


def main():
    sg.plots.use_book_style()
    # 1200 by 630 pixels, the size that previews are cut to.
    figure = plt.figure(figsize=(6.0, 3.15), dpi=200, facecolor=sg.plots.RIGHT)
    write = {"color": "white", "ha": "left", "transform": figure.transFigure}
    figure.text(0.07, 0.74, "Softmax Gradients,", fontsize=25, weight="bold", **write)
    figure.text(0.07, 0.60, "Derived and Tested", fontsize=25, weight="bold", **write)
    formula = r"$\frac{\partial L}{\partial z_i} = \frac{q_i - t_i}{T}$"
    figure.text(0.07, 0.31, formula, fontsize=27, **write)
    figure.text(
        0.07,
        0.11,
        "softmax under cross-entropy, with and without temperature",
        fontsize=11.5,
        **write,
    )
    figure.savefig(
        TARGET,
        dpi=200,
        facecolor=sg.plots.RIGHT,
        bbox_inches=None,
        metadata={"Software": None},
    )


if __name__ == "__main__":
    main()
