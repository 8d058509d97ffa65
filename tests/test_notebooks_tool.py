"""What tools/notebooks.py does to a notebook: it is run anew, and cleaned."""

import json

import nbformat
import notebooks
import pytest
from nbclient.exceptions import CellExecutionError


def code(source, **metadata):
    return {
        "cell_type": "code",
        "source": source,
        "metadata": metadata,
        "execution_count": 7,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "stale"}],
    }


def written(folder, *cells):
    """Write a notebook as an editor might leave it, and return its path."""
    metadata = {"kernelspec": {"name": "mine", "display_name": "Mine"}, "toc": {}}
    stored = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    path = folder / "some.ipynb"
    path.write_text(json.dumps(stored), "utf-8")
    return path


def test_a_notebook_is_run_and_cleaned_and_then_stays_as_it_is(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "neighbour.txt").write_text("read from its folder")
    first = code(
        "print(open('neighbour.txt').read())", tags=["hide-input"], collapsed=True
    )
    path = written(tmp_path, first, code("1 + 1", jupyter={"source_hidden": True}))
    monkeypatch.setattr("sys.argv", ["notebooks.py", str(path)])
    notebooks.main()
    assert capsys.readouterr().out == f"{path}: written\n"
    found = nbformat.read(path, as_version=4)
    assert found.metadata == notebooks.METADATA
    assert [cell.metadata for cell in found.cells] == [{"tags": ["hide-input"]}, {}]
    assert [cell.execution_count for cell in found.cells] == [1, 2]
    assert [cell.id for cell in found.cells] == ["cell-1", "cell-2"]
    shown, computed = (cell.outputs[0] for cell in found.cells)
    assert shown["text"] == "read from its folder\n"
    assert computed["data"] == {"text/plain": "2"}
    assert path.read_bytes().endswith(b"}\n")
    assert b"\r" not in path.read_bytes()
    notebooks.main()
    assert capsys.readouterr().out == f"{path}: unchanged\n"


def test_a_cell_that_fails_is_an_error_and_nothing_is_written(tmp_path, monkeypatch):
    path = written(tmp_path, code("1 / 0"))
    before = path.read_bytes()
    monkeypatch.setattr("sys.argv", ["notebooks.py", str(path)])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.main()
    assert path.read_bytes() == before
