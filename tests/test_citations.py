"""Whatever the book cites has an address, and words for what it shows there.

The evidence is sources/evidence.toml; works that pages name with {cite} are in
book/references.bib.
"""

import datetime
import json
import re
from pathlib import Path

import pytest
from _ext.catalogue import EVIDENCE

import softmax_gradients as sg
from softmax_gradients.mistakes import MISTAKES
from sources import OTHERS

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
REFERENCES = (BOOK / "references.bib").read_text("utf-8")
WHERE = {"doi", "eprint", "url"}
FIELDS = {"url", "kind", "read", "shows"}
KINDS = {
    "issue": "issues",
    "pull request": "pull",
    "discussion": "discussions",
    "file": "blob",
}
OTHER_KINDS = {"question", "forum", "page", "paper", "book", "video", "documentation"}

# A thread is owner/repository#number; "name#12" and "PR #12" are none.
THREAD = re.compile(r"[\w.-]+/[\w.-]+#\d+")
NUMBERED = re.compile(r"(?<![&\w/#])(?:[\w.-]+/)?[\w.-]*[\w)]? ?#\d+\b")
LINK = re.compile(r"\]\((https?://[^)\s]+)\)|<(https?://[^>\s]+)>")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
# Where threads, papers and videos are; a link to a library's manual needs no more.
CITED = re.compile(
    r"https?://(?:[\w.-]*stackexchange\.com|stackoverflow\.com|mathoverflow\.net"
    r"|github\.com/[^/]+/[^/]+/(?:issues|pull|discussions|blob)/|arxiv\.org|doi\.org"
    r"|discuss\.|www\.youtube\.com|youtu\.be)"
)


def address(url):
    """Return an address without what may differ: scheme, title, version, anchor."""
    url = re.sub(r"^https?://(www\.)?|[?#].*$|/$", "", url)
    question = re.match(r"([\w.]+)/(?:q|questions)/(\d+)", url)
    paper = re.match(r"arxiv\.org/(?:abs|pdf)/(\d+\.\d+)", url)
    if question:
        return f"{question[1]}/q/{question[2]}"
    return f"arxiv.org/abs/{paper[1]}" if paper else url


def prose():
    """Yield the name and text of every page, cell of text and public docstring."""
    for path in [ROOT / "README.md", *sorted(BOOK.glob("*.md"))]:
        yield path.name, path.read_text("utf-8")
    for path in sorted(BOOK.glob("*.ipynb")):
        for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
            if cell["cell_type"] == "markdown":
                yield f"{path.name} [{number}]", "".join(cell["source"])
    for name in sg.__all__:  # the pages of the API are made of these
        yield name, getattr(sg, name).__doc__ or ""


def links(text):
    return [first or second for first, second in LINK.findall(text)]


def entries():
    """Yield the key and the fields, by name, of every entry of references.bib."""
    for entry in re.split(r"\n(?=@)", REFERENCES):
        key = re.match(r"@\w+\{([^,]+),", entry)[1]
        yield key, dict(re.findall(r"^ +(\w+) *= *\{(.*)\},?$", entry, re.MULTILINE))


def bibliography():
    """Return the addresses of the works in references.bib."""
    found = set()
    for _, given in entries():
        if "url" in given:
            found.add(address(given["url"]))
        if "doi" in given:
            found.add(address(f"https://doi.org/{given['doi']}"))
        if "eprint" in given:
            found.add(address(f"https://arxiv.org/abs/{given['eprint']}"))
    return found


ADDRESSES = {address(each["url"]) for each in EVIDENCE.values()}


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence_is_complete(name):
    cited = EVIDENCE[name]
    assert set(cited) == FIELDS
    assert cited["url"].startswith("https://")
    assert cited["kind"] in {*KINDS, *OTHER_KINDS}
    assert type(cited["read"]) is datetime.date
    assert len(cited["shows"].split()) >= 5
    assert cited["shows"].endswith(".")
    if THREAD.fullmatch(name) or cited["kind"] in KINDS:
        repository, _, number = name.partition("#")
        part = KINDS[cited["kind"]]
        start = f"https://github.com/{repository.partition(':')[0]}/{part}/{number}"
        assert cited["url"].startswith(start)
        assert cited["kind"] == "file" or cited["url"] == start


def test_no_two_citations_have_one_address():
    assert len(ADDRESSES) == len(EVIDENCE)


@pytest.mark.parametrize("entry", MISTAKES.values(), ids=MISTAKES)
def test_every_source_of_an_entry_has_evidence(entry):
    assert set(entry.sources) <= set(EVIDENCE)
    assert len(set(entry.sources)) == len(entry.sources)


def test_every_treatment_has_evidence():
    assert {other.url for other in OTHERS} <= {
        each["url"] for each in EVIDENCE.values()
    }


def test_every_cited_link_of_a_page_has_evidence():
    known = ADDRESSES | bibliography()
    missing = [
        (place, link)
        for place, text in prose()
        for link in links(text)
        if CITED.match(link) and address(link) not in known
    ]
    assert missing == []


def unlinked(text):
    """Return the threads that a text names without a link."""
    without_code = CODE.sub("", text)
    return NUMBERED.findall(re.sub(r"\[[^\]]*\]\([^)]*\)", "", without_code))


def test_no_page_names_a_thread_without_its_link():
    found = {place: unlinked(text) for place, text in prose()}
    assert {place: threads for place, threads in found.items() if threads} == {}


def test_all_evidence_is_cited():
    in_pages = {address(link) for _, text in prose() for link in links(text)}
    in_entries = {name for entry in MISTAKES.values() for name in entry.sources}
    treated = {other.url for other in OTHERS}
    idle = [
        name
        for name, cited in EVIDENCE.items()
        if name not in in_entries
        and cited["url"] not in treated
        and address(cited["url"]) not in in_pages
    ]
    assert idle == []


def test_every_reference_can_be_found():
    found = dict(entries())
    assert len(found) == REFERENCES.count("\n@") + 1
    assert [key for key, given in found.items() if not WHERE & set(given)] == []


def test_the_readers_of_pages_see_what_they_must():
    linked = "[a/b#1](https://github.com/a/b/issues/1)"
    text = f"As {linked}, c/d#2, name#3 and PR #4 say `e#5`."
    assert links(text) == ["https://github.com/a/b/issues/1"]
    assert [each.strip() for each in unlinked(text)] == ["c/d#2", "name#3", "PR #4"]
    assert unlinked("[A section](#anchor), 3 # 4, &#39;, in C# 5") == []
    same = address("https://math.stackexchange.com/questions/12/a-title")
    assert same == address("http://math.stackexchange.com/q/12")
    assert address("https://arxiv.org/pdf/1503.02531v1") == "arxiv.org/abs/1503.02531"
