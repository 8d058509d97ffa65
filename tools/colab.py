"""Write copies of the chapters for where they are opened without the book.

Usage: python tools/colab.py FOLDER https://github.com/OWNER/NAME COMMIT

Each copy begins its code with a cell that installs the package from that commit, where
it is not there yet. What the site shows and JupyterLab and Colab do not is written in
their terms: captions below the figures, figures called by their numbers in the copy,
code of figures out of sight, each solution below a heading that is folded.
"""

import argparse
import copy
import json
import re
from pathlib import Path

BOOK = Path(__file__).parents[1] / "book"


REFERENCE = re.compile(r"\{numref\}`([\w-]+)`")
# What begins an exercise, and begins and ends its solution.
PARTS = re.compile(
    r"^(?P<exercise>(?=:{3,}\{exercise\}))"
    r"|^(?P<start>:{3,}\{solution-start\}.*\n(?::class: .*\n)?:{3,}\n?)"
    r"|^(?P<end>:{3,}\{solution-end\}\n:{3,}\n?)",
    re.MULTILINE,
)
HEADINGS = {"exercise": "#### Exercise", "start": "##### Solution"}
# JupyterLab keeps the section below such a heading folded.
FOLDED = {"jp-MarkdownHeadingCollapsed": True}


def text_cell(name, text, **metadata):
    return {
        "cell_type": "markdown",
        "id": name,
        "metadata": metadata,
        "source": text.strip("\n").splitlines(keepends=True),
    }


def parts(cell):
    """Yield a cell of text in parts: exercises and solutions have headings."""
    text = "".join(cell["source"])
    found = list(PARTS.finditer(text))
    if not found:
        yield cell
        return
    if text[: found[0].start()].strip():
        yield cell | {
            "source": text_cell("", text[: found[0].start()])["source"],
        }
    ends = [part.start() for part in found[1:]] + [len(text)]
    for number, (part, end) in enumerate(zip(found, ends, strict=True)):
        name, rest = f"{cell['id']}-{number}", text[part.end() : end]
        heading = HEADINGS.get(part.lastgroup, "")
        folded = FOLDED if part.lastgroup == "start" else {}
        if part.lastgroup == "start":
            yield text_cell(f"{name}-heading", heading, **folded)
            heading = ""
        if (heading + rest).strip():
            yield text_cell(name, f"{heading}\n\n{rest}")


def figures(notebook):
    """Return the number and the caption of each figure of a notebook, by its name."""
    found = [
        cell["metadata"]["mystnb"]["figure"]
        for cell in notebook["cells"]
        if "figure" in cell["metadata"].get("mystnb", {})
    ]
    return {
        figure["name"]: (number, figure["caption"].strip())
        for number, figure in enumerate(found, 1)
    }


def readable(notebook):
    """Write in a copy what JupyterLab and Colab do not take from the metadata."""
    shown, cells = figures(notebook), []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cells += parts(cell)
            continue
        cells.append(cell)
        if "hide-input" in cell["metadata"].get("tags", []):
            cell["metadata"] |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        if figure:
            number, caption = shown[figure["name"]]
            text = f"**Figure {number}.** {caption}"
            cells.append(text_cell(f"caption-{number}", text))
    for cell in cells:
        if cell["cell_type"] == "markdown":
            cell["source"] = [
                REFERENCE.sub(lambda name: f"Figure {shown[name[1]][0]}", line)
                for line in cell["source"]
            ]
    notebook["cells"] = cells


def installing(notebook, source):
    """Give a copy of the notebook that installs the package from `source` first."""
    result = copy.deepcopy(notebook)
    readable(result)
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
