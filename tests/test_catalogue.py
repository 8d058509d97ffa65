"""The page of the catalogue: every entry is on it, and its links lead somewhere."""

import json
import os
import re
from pathlib import Path

import pytest
from _ext import catalogue, generated

from softmax_gradients.mistakes import CHAPTERS, MISTAKES

ROOT = Path(__file__).parents[1]


def sections(text):
    """Return the section of each entry of a page, by its anchor."""
    parts = re.split(r"^\(([\w-]+)\)=$", text, flags=re.MULTILINE)[1:]
    anchors, bodies = parts[::2], parts[1::2]
    assert len(anchors) == len(set(anchors))
    return dict(zip(anchors, bodies, strict=True))


def test_every_entry_is_on_the_page_once():
    shown = sections(catalogue.page())
    assert set(shown) == set(MISTAKES)
    for slug, entry in MISTAKES.items():
        for part in (slug, entry.title, entry.wrong, entry.right, entry.giveaway):
            assert part in shown[slug]


def test_conventions_and_reductions_are_on_the_page():
    for entry in MISTAKES.values():
        section = catalogue.section(entry)
        assert ("- Right, if " in section) is bool(entry.right_if)
        assert entry.right_if in section
        assert all(f'reduction="{way}"' in section for way in entry.reductions)
    assert 'with `reduction="sum"` or `reduction="none"`.' in catalogue.section(
        MISTAKES["divided-sum"]
    )


def test_options_that_name_an_entry_are_on_the_page():
    section = catalogue.section(MISTAKES["weighted-mean"])
    assert "in `loss` and `gradient` where `class_weights=` is stated" in section
    section = catalogue.section(MISTAKES["focal-loss-without-cross-terms"])
    assert "so the doctor does not name it" in section


def test_the_chapters_exist():
    chapters = {entry.chapter for entry in MISTAKES.values()}
    assert chapters <= set(CHAPTERS)
    contents = (ROOT / "_toc.yml").read_text("utf-8")
    listed = set(re.findall(r"- file: book/([\w-]+)$", contents, re.MULTILINE))
    assert set(CHAPTERS) <= listed


def anchors(chapter):
    """Return the names of the sections of a notebook."""
    notebook = json.loads((ROOT / "book" / f"{chapter}.ipynb").read_text("utf-8"))
    found = set()
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        text = "".join(cell["source"])
        found |= set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))
        # What is in a heading's formula is not in its name.
        for heading in re.findall(r"^##+ ([^$\n]+)$", text, re.MULTILINE):
            found.add(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("entry", MISTAKES.values(), ids=MISTAKES)
def test_the_section_that_explains_an_entry_exists(entry):
    chapter, _, anchor = entry.page.partition("#")
    assert chapter == entry.chapter
    assert anchor in anchors(chapter)


def test_sources_are_linked_and_say_what_they_show():
    for entry in MISTAKES.values():
        section = catalogue.section(entry)
        for name in entry.sources:
            cited = catalogue.EVIDENCE[name]
            assert f"]({cited['url']}): {cited['shows']}\n" in section + "\n"
        assert ("No public thread read." in section) is not bool(entry.sources)


def test_the_underscores_of_a_file_are_no_emphasis():
    name = next(name for name in catalogue.EVIDENCE if "__init__" in name)
    assert r"/\_\_init\_\_.py](" in catalogue.seen_in([name])


def test_the_committed_page_includes_the_entries():
    committed = (ROOT / "book" / "mistakes.md").read_text("utf-8")
    assert "```{include} _generated/mistakes.md\n" in committed


def test_the_page_is_written_and_left_alone_while_it_stays_the_same(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(generated, "FOLDER", tmp_path)
    path = tmp_path / "mistakes.md"
    catalogue.write_page(None, None)
    assert set(sections(path.read_text("utf-8"))) == set(MISTAKES)
    os.utime(path, (1, 1))
    catalogue.write_page(None, None)
    assert path.stat().st_mtime == 1
    first, *rest = MISTAKES
    monkeypatch.setattr(catalogue, "THEMES", {"One": [MISTAKES[slug] for slug in rest]})
    catalogue.write_page(None, None)
    assert path.stat().st_mtime > 1
    assert set(sections(path.read_text("utf-8"))) == set(MISTAKES) - {first}
