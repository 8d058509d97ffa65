"""The page of the catalogue: every entry is on it, and its links lead somewhere."""

import re
from pathlib import Path

from _ext import catalogue, generated

from softmax_gradients.mistakes import CHAPTERS, MISTAKES

ROOT = Path(__file__).parents[1]


def test_every_entry_is_on_the_page_once():
    anchors = re.findall(r"^\(([\w-]+)\)=$", catalogue.page(), re.MULTILINE)
    assert sorted(anchors) == sorted(MISTAKES)
    for slug, entry in MISTAKES.items():
        section = catalogue.section(entry)
        for part in (slug, entry.title, entry.wrong, entry.right, entry.giveaway):
            assert part in section


def test_the_chapters_exist():
    chapters = set(re.findall(r"\{doc\}`([\w-]+)`", catalogue.page()))
    assert chapters <= set(CHAPTERS)
    contents = (ROOT / "_toc.yml").read_text("utf-8")
    listed = set(re.findall(r"- file: book/([\w-]+)$", contents, re.MULTILINE))
    assert set(CHAPTERS) <= listed


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


def test_the_committed_page_includes_what_is_generated(tmp_path, monkeypatch):
    committed = (ROOT / "book" / "mistakes.md").read_text("utf-8")
    assert "```{include} _generated/mistakes.md" in committed
    monkeypatch.setattr(generated, "FOLDER", tmp_path)
    for _ in range(2):
        catalogue.write_page(None, None)
        written = (tmp_path / "mistakes.md").read_text("utf-8")
        assert written == catalogue.page()
