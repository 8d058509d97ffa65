"""Kept folders: whole or made anew, whatever interrupted or damaged them."""

import json

import pytest
from _ext import kept

# printf 'a wheel' | sha256sum, and the same of 'body {}'
WHEEL = "69f51477f05c46bfa5ff0027a1fcde274695311a38adfb85611ffeb93c8b146b"
STYLE = "62368a1a29259b30bac235c0e75dc700c9b3bacf1513ad5708e4fe4a6c0d6560"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


class Maker:
    """Fills a folder, and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self, target):
        self.calls += 1
        (target / "part").mkdir()
        (target / "part" / "wheel.whl").write_bytes(b"a wheel")
        (target / "style.css").write_text("body {}", "utf-8")


def is_as_made(folder):
    return (
        (folder / "part" / "wheel.whl").read_bytes() == b"a wheel"
        and (folder / "style.css").read_text("utf-8") == "body {}"
        and len(list(folder.rglob("*"))) == 3
    )


def test_a_whole_folder_is_made_once():
    make = Maker()
    first = kept.folder("live", "key", make)
    assert is_as_made(first)
    assert kept.folder("live", "key", make) == first
    assert make.calls == 1


def truncate(folder):
    (folder / "part" / "wheel.whl").write_bytes(b"a whe")


def empty(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def change(folder):
    (folder / "style.css").write_text("body[]", "utf-8")


def add(folder):
    (folder / "part" / "another.whl").write_bytes(b"")


def lose_the_manifest(folder):
    (folder.parent / kept.MANIFEST).unlink()


def break_off_the_manifest(folder):
    path = folder.parent / kept.MANIFEST
    path.write_text(path.read_text("utf-8")[:-9], "utf-8")


@pytest.mark.parametrize(
    "damage",
    [truncate, empty, change, add, lose_the_manifest, break_off_the_manifest],
)
def test_a_damaged_folder_is_made_anew(damage):
    make = Maker()
    folder = kept.folder("live", "key", make)
    damage(folder)
    assert is_as_made(kept.folder("live", "key", make))
    assert make.calls == 2


def test_an_empty_folder_from_elsewhere_is_not_trusted(cache):
    (cache / "live-key" / "files").mkdir(parents=True)
    assert is_as_made(kept.folder("live", "key", Maker()))


def test_what_broke_off_leaves_nothing_that_later_builds_would_use(cache):
    def broken(target):
        Maker()(target)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.folder("live", "key", broken)
    assert list(cache.iterdir()) == []
    # Ended at once, a process leaves its unfinished folder: it is passed over.
    Maker()(cache)
    (cache / "part").rename(cache / f"{kept.UNFINISHED}old")
    make = Maker()
    assert is_as_made(kept.folder("live", "key", make))
    assert make.calls == 1


def test_a_damaged_folder_that_cannot_be_made_anew_is_not_used():
    folder = kept.folder("live", "key", Maker())
    truncate(folder)

    def unreachable(target):
        raise OSError("no registry")

    with pytest.raises(OSError, match="no registry"):
        kept.folder("live", "key", unreachable)


def test_another_key_takes_the_place_of_the_former(cache):
    kept.folder("live", "former", Maker())
    kept.folder("npm", "former", Maker())
    kept.folder("live", "latter", Maker())
    names = sorted(path.name for path in cache.iterdir())
    assert names == ["live-latter", "npm-former"]


def test_the_manifest_holds_the_hashes_of_the_files():
    folder = kept.folder("live", "key", Maker())
    stated = json.loads((folder.parent / kept.MANIFEST).read_bytes())
    assert stated == {"part/wheel.whl": WHEEL, "style.css": STYLE}


def test_a_digest_knows_contents_and_places(tmp_path):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("1", "utf-8")
    other.write_text("2", "utf-8")
    before = kept.digest([one, other], tmp_path)
    assert kept.digest([one, other], tmp_path) == before
    one.write_text("3", "utf-8")
    assert kept.digest([one, other], tmp_path) != before
    one.write_text("1", "utf-8")
    moved = one.rename(tmp_path / "moved.py")
    assert kept.digest([moved, other], tmp_path) != before
