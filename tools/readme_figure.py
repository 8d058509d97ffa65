"""Draw book/_static/readme.svg, the picture of the README: the doctor at work.

Usage: python tools/readme_figure.py

It shows a function with a mistake, the command, and what the command prints.
"""

import html
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).parents[1] / "book" / "_static" / "readme.svg"
FUNCTION = """import numpy as np

def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def my_gradient(z, t):  # of the mean cross-entropy over a batch
    return -t * (1 - softmax(z)) / len(z)
"""
COMMAND = "softmax-gradients diagnose mine.py:my_gradient --kind gradient"
# The report goes on; up to here it says what is wrong, what to write, and an example.
LAST = "  right "
SIZE, WIDE, HIGH, MARGIN = 13, 7.83, 19, 20
NO_BREAK = "\N{NO-BREAK SPACE}"
COLOURS = {
    "plain": "#e6edf3",
    "faint": "#9fb0c0",
    "wrong": "#ff8b80",
    "right": "#7ee787",
}


def report():
    """Return what the command prints."""
    _, *arguments = COMMAND.split()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mine.py").write_text(FUNCTION, "utf-8")
        command = [sys.executable, "-m", "softmax_gradients", *arguments]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False
        )
    return done.stdout


def lines():
    """Yield each line of the picture with its colour."""
    yield "# mine.py", "faint"
    for line in FUNCTION.splitlines():
        yield line, "plain"
    yield "", "plain"
    yield f"$ {COMMAND}", "faint"
    colour = "wrong"
    for line in report().splitlines():
        if not line:
            colour = "plain"
        yield line, {"  yours": "wrong", "  right": "right"}.get(line[:7], colour)
        if line.startswith(LAST):
            yield "...", "faint"
            return


def drawn():
    """Return the picture as SVG."""
    shown = list(lines())
    width = round(2 * MARGIN + WIDE * max(len(line) for line, _ in shown))
    height = 2 * MARGIN + HIGH * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-size="{SIZE}" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, '
        "'DejaVu Sans Mono', monospace\">",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1520"/>',
    ]
    for number, (line, colour) in enumerate(shown):
        if line:
            place = f'x="{MARGIN}" y="{MARGIN + HIGH * number + SIZE}"'
            # Of ordinary spaces in a row, SVG shows one.
            text = html.escape(line, quote=False).replace(" ", NO_BREAK)
            parts.append(f'<text {place} fill="{COLOURS[colour]}">{text}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main():
    TARGET.write_text(drawn(), "utf-8")


if __name__ == "__main__":
    main()
