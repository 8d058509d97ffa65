"""Write copies of the chapters for Colab, which opens a notebook without its package.

Usage: python tools/colab.py FOLDER https://github.com/OWNER/NAME COMMIT

Each copy begins its code with a cell that installs the package from that commit, where
it is not there yet.
"""

import argparse
import copy
import json
from pathlib import Path

BOOK = Path(__file__).parents[1] / "book"


def installing(notebook, source):
    """Give a copy of the notebook that installs the package from `source` first."""
    result = copy.deepcopy(notebook)
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "install-the-package",
        "metadata": {},
        "outputs": [],
        "source": [
            "# The package of this book, unless it is installed already.\n",
            "try:\n",
            "    import softmax_gradients\n",
            "except ModuleNotFoundError:\n",
            f'    %pip install --quiet "softmax-gradients[all] @ git+{source}"',
        ],
    }
    kinds = [cell["cell_type"] for cell in result["cells"]]
    result["cells"].insert(kinds.index("code"), cell)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("repository")
    parser.add_argument("commit")
    arguments = parser.parse_args()
    source = f"{arguments.repository}@{arguments.commit}"
    target = arguments.folder / "book"
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(BOOK.glob("*.ipynb")):
        written = installing(json.loads(path.read_text("utf-8")), source)
        text = json.dumps(written, indent=1, ensure_ascii=False) + "\n"
        (target / path.name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
