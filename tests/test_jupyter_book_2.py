"""How the messages and the parts of Jupyter Book 2 are counted."""

import json

import jupyter_book_2

LOG = """building myst-cli session
\x1b[33m⚠️  book/a.md:14:161 Usage of the {doc} role is not recommended\x1b[39m
   For {doc}`b` use [](b)
⚠️  book/b.ipynb Cross reference target was not found: fig-one
⚠️  book/b.ipynb:9 Cross reference target was not found: fig-two
⛔️ book/c.md:93 unknown directive: eval-rst
⚠️  book/d.md:8 unexpected option "file" provided (in raw)
⚠️  book/d.md:9 unexpected option "style" provided (in raw)
"""


def test_messages_are_counted_by_kind():
    assert jupyter_book_2.kinds(LOG) == {
        ("warning", "Usage of the {doc} role is not recommended"): 1,
        ("warning", "Cross reference target was not found"): 2,
        ("error", "unknown directive: eval-rst"): 1,
        ("warning", 'unexpected option "…" provided (in raw)'): 2,
    }


def test_parts_are_counted_at_any_depth(tmp_path):
    proof = {"type": "proof", "kind": "proof", "children": []}
    theorem = {"type": "proof", "kind": "theorem", "children": [proof]}
    cell = {"type": "block", "kind": "notebook-code"}
    for name in ("one", "two"):
        page = {"mdast": {"type": "root", "children": [theorem, cell, cell]}}
        (tmp_path / f"{name}.json").write_text(json.dumps(page), "utf-8")
    counted = jupyter_book_2.parts(tmp_path)
    assert counted["code cells"] == 4
    assert counted["theorems"] == counted["proofs"] == 2
    assert counted["exercises"] == 0
