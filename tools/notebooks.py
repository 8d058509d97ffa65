"""Execute notebooks in place, so that what is stored is what the cells give.

Usage: python tools/notebooks.py book/softmax-jacobian.ipynb ...

A notebook that already holds these outputs stays as it is, byte for byte.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
CELL_METADATA = {"tags", "mystnb"}  # what the book reads; the rest is an editor's


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook, naming by position the cells that have no id yet."""
    stored = json.loads(path.read_text("utf-8")) | {"nbformat": 4, "nbformat_minor": 5}
    for number, cell in enumerate(stored["cells"], start=1):
        cell.setdefault("id", f"cell-{number}")
    return nbformat.reads(json.dumps(stored), as_version=4)


def execute(notebook: nbformat.NotebookNode, directory: Path) -> None:
    """Run the cells in a new kernel; an error in a cell is an error here."""
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # a warning at each start, of TCP
        resources={"metadata": {"path": str(directory)}},
    )
    # The reader's own IPython settings must not reach the stored outputs.
    with tempfile.TemporaryDirectory() as ipython_directory:
        client.execute(env={**os.environ, "IPYTHONDIR": ipython_directory})


def normalise(notebook: nbformat.NotebookNode) -> None:
    """Keep what the book needs, and nothing that differs between machines."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for key in set(cell.metadata) - CELL_METADATA:
            del cell.metadata[key]


def serialise(notebook: nbformat.NotebookNode) -> bytes:
    """Give the notebook as it is stored: sorted keys, LF, UTF-8."""
    nbformat.validate(notebook)
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    for path in parser.parse_args().notebooks:
        notebook = read(path)
        execute(notebook, path.parent)
        normalise(notebook)
        new = serialise(notebook)
        if new == path.read_bytes():
            print(f"{path}: unchanged")
        else:
            path.write_bytes(new)
            print(f"{path}: written")


if __name__ == "__main__":
    main()
