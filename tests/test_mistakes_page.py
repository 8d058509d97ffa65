"""The page of the catalogue: every entry is on it, and its links lead somewhere."""

import re
from pathlib import Path

import generated
import mistakes_page
import pytest

from softmax_gradients.mistakes import CHAPTERS, MISTAKES

ROOT = Path(__file__).parents[1]


def test_every_entry_is_on_the_page_once():
    anchors = re.findall(r"^\(([\w-]+)\)=$", mistakes_page.page(), re.MULTILINE)
    assert sorted(anchors) == sorted(MISTAKES)
    for slug, entry in MISTAKES.items():
        section = mistakes_page.section(entry)
        for part in (slug, entry.title, entry.wrong, entry.right, entry.giveaway):
            assert part in section


def test_the_chapters_exist():
    chapters = set(re.findall(r"\{doc\}`([\w-]+)`", mistakes_page.page()))
    assert chapters <= set(CHAPTERS)
    contents = (ROOT / "_toc.yml").read_text("utf-8")
    listed = set(re.findall(r"- file: book/([\w-]+)$", contents, re.MULTILINE))
    assert set(CHAPTERS) <= listed


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("owner/name#12", "https://github.com/owner/name/issues/12"),
        ("owner/na.me PR#3", "https://github.com/owner/na.me/pull/3"),
        ("pytorch#2259", None),
        ("lecture notes", None),
    ],
)
def test_threads_are_linked_where_the_repository_is_known(text, link):
    assert mistakes_page.source(text) == (f"[{text}]({link})" if link else text)


def test_the_committed_page_includes_what_is_generated(tmp_path, monkeypatch):
    committed = (ROOT / "book" / "mistakes.md").read_text("utf-8")
    assert "```{include} _generated/mistakes.md" in committed
    monkeypatch.setattr(generated, "FOLDER", tmp_path)
    for _ in range(2):
        mistakes_page.write_page(None, None)
        written = (tmp_path / "mistakes.md").read_text("utf-8")
        assert written == mistakes_page.page()
    assert f"are {'fifty' if len(MISTAKES) == 50 else len(MISTAKES)}," in committed
