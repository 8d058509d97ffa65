"""The pages that the build writes and committed pages include, in book/_generated."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "_generated"


def write(name, text):
    """Write a page; an unchanged one keeps its time, and is not read again."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / name
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")
