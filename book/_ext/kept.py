"""Folders that the build makes once, keeps in .cache and checks at each use.

A folder is made beside its place and moved there once it is whole, with a manifest of
the SHA-256 of its files. One that has lost or changed a file since is made anew.
"""

import hashlib
import json
import tempfile
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"
MANIFEST = "manifest.json"
# What an interrupted build leaves behind begins with this: `make clean` removes it.
UNFINISHED = ".unfinished-"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(paths, root):
    """Return a name for these files, of what they hold and where below `root`."""
    total = hashlib.sha256()
    for path in paths:
        place = path.relative_to(root).as_posix()
        total.update(f"{place} {sha256(path)}\n".encode())
    return total.hexdigest()[:12]


def manifest(files):
    return {
        path.relative_to(files).as_posix(): sha256(path)
        for path in sorted(files.rglob("*"))
        if path.is_file()
    }


def is_whole(kept):
    """Tell whether a folder holds the files of its manifest, and no others."""
    try:
        stated = json.loads((kept / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return stated == manifest(kept / "files")


def folder(name, key, make):
    """Return the folder of this name and key.

    Where there is none that is whole, `make` fills an empty one, and those of the same
    name with another key go.
    """
    kept = CACHE / f"{name}-{key}"
    if is_whole(kept):
        return kept / "files"
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=CACHE) as scratch:
        made = Path(scratch) / "made"
        (made / "files").mkdir(parents=True)
        make(made / "files")
        text = json.dumps(manifest(made / "files"), indent=1)
        (made / MANIFEST).write_text(text, "utf-8")
        # Another build may have made it in the meantime, and use it already.
        if not is_whole(kept):
            for old in CACHE.glob(f"{name}-*"):
                old.rename(Path(scratch) / f"old-{old.name}")
            made.rename(kept)
    return kept / "files"
