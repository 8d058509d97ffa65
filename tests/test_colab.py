"""The copies for Colab: the chapters, with one cell that installs the package."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))


def test_copies_install_the_package_and_change_nothing_else(tmp_path):
    repository, commit = "https://github.com/example/book", "0123abc"
    tool = ROOT / "tools" / "colab.py"
    subprocess.run([sys.executable, tool, tmp_path, repository, commit], check=True)
    copies = sorted((tmp_path / "book").iterdir())
    assert [path.name for path in copies] == [path.name for path in CHAPTERS]
    for stored, path in zip(CHAPTERS, copies, strict=True):
        copied = json.loads(path.read_text("utf-8"))
        nbformat.validate(nbformat.from_dict(copied))
        code = [cell for cell in copied["cells"] if cell["cell_type"] == "code"]
        first, *_, last = "".join(code[0]["source"]).splitlines()
        assert first.startswith("# The package of this book")
        assert last == (
            '    %pip install --quiet "softmax-gradients[all] '
            '@ git+https://github.com/example/book@0123abc"'
        )
        copied["cells"].remove(code[0])
        assert copied == json.loads(stored.read_text("utf-8"))


def test_binder_gets_few_packages_of_the_pinned_versions():
    lines = (ROOT / "binder" / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    pinned = (ROOT / "requirements.txt").read_text("utf-8")
    assert wanted[-1] == "."
    assert len(wanted) < 10
    for line in wanted[:-1]:
        assert f"\n{line}" in pinned
