"""What the build fetches: a file whose hash is not the listed one ends the build."""

import base64
import hashlib
import io
import json
import tarfile
import zipfile

import pytest
from _ext import kept, maths, registries
from _ext.live import files
from sphinx.errors import ExtensionError
from sphinxcontrib import katex


def npm_package(folder, contents):
    """Write an npm package of one file, and return its path."""
    described = json.dumps({"name": "one", "version": "1.0.0"})
    path = folder / "one-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (("package.json", described), ("one.js", contents)):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def lock_files(folder, package):
    """Write package.json and a lock that lists this package with its hash."""
    digest = hashlib.sha512(package.read_bytes()).digest()
    where = package.as_uri()
    entry = {
        "version": "1.0.0",
        "resolved": where,
        "integrity": f"sha512-{base64.b64encode(digest).decode()}",
    }
    asked = {"name": "site", "dependencies": {"one": where}}
    packages = {"": asked, "node_modules/one": entry}
    lock = {"name": "site", "lockfileVersion": 3, "packages": packages}
    (folder / "package.json").write_text(json.dumps(asked), "utf-8")
    (folder / "package-lock.json").write_text(json.dumps(lock), "utf-8")


def test_an_npm_package_is_installed_only_if_it_is_the_listed_one(
    tmp_path, monkeypatch
):
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.mkdir()
    wrong.mkdir()
    package = npm_package(tmp_path, "right")
    lock_files(tmp_path, package)
    registries.install(right, tmp_path)
    assert (right / "node_modules/one/one.js").read_text("utf-8") == "right"
    npm_package(tmp_path, "wrong")
    # npm finds the right one in its cache, by its hash.
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    with pytest.raises(ExtensionError, match="the npm registry: not the files"):
        registries.install(wrong, tmp_path)
    assert not list(wrong.rglob("one.js"))


def wheel(folder, name, contents):
    """Write a wheel of one module, and return its path."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", contents)
        archive.writestr(
            f"{name}-1.0.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        )
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def test_a_wheel_is_taken_only_if_it_is_the_listed_one(tmp_path):
    shelf, target = tmp_path / "shelf", tmp_path / "target"
    shelf.mkdir()
    target.mkdir()
    digest = kept.sha256(wheel(shelf, "one", "right = True"))
    listed = tmp_path / "wheels.txt"
    listed.write_text(f"one==1.0 --hash=sha256:{digest}\n", "utf-8")
    here = ("--no-index", "--find-links", str(shelf))
    registries.download(listed, target, *here)
    (taken,) = target.iterdir()
    assert kept.sha256(taken) == digest
    taken.unlink()
    wheel(shelf, "one", "right = False")
    with pytest.raises(ExtensionError, match="Package Index: not the files"):
        registries.download(listed, target, *here)
    assert not list(target.iterdir())


def test_a_carried_wheel_is_taken_only_if_it_is_the_listed_one(tmp_path):
    inner = wheel(tmp_path, "inner", "right = True")
    carrier, target = tmp_path / "carrier.whl", tmp_path / "target"
    target.mkdir()
    package = {"file_name": inner.name, "sha256": kept.sha256(inner)}

    def carry(path):
        with zipfile.ZipFile(carrier, "w") as archive:
            archive.write(path, files.CARRIED + path.name)

    carry(inner)
    files.take_out(carrier, [package], target)
    assert kept.sha256(target / inner.name) == package["sha256"]
    (target / inner.name).unlink()
    carry(wheel(tmp_path, "inner", "right = False"))
    with pytest.raises(ExtensionError, match=r"inner-1\.0-.*\.whl is not"):
        files.take_out(carrier, [package], target)
    assert not list(target.iterdir())


def test_a_registry_out_of_reach_is_told_from_a_wrong_file(tmp_path, monkeypatch):
    nowhere = "http://127.0.0.1:9"
    monkeypatch.setenv("npm_config_registry", nowhere)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    monkeypatch.setenv("npm_config_fetch_retry_mintimeout", "1")
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(registries.UnreachableError, match="the npm registry"):
        registries.install(target)
    listed = tmp_path / "wheels.txt"
    listed.write_text(f"one==1.0 --hash=sha256:{'0' * 64}\n", "utf-8")
    with pytest.raises(registries.UnreachableError, match="the Python Package Index"):
        registries.download(listed, target, "--no-index")


def test_every_listed_file_has_a_hash():
    packages = json.loads(registries.LOCK.read_bytes())["packages"]
    del packages[""]
    assert len(packages) > 20
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    for path in (files.WHEELS, files.CARRIER):
        lines = path.read_text("utf-8").splitlines()
        listed = [line for line in lines if not line.startswith("#")]
        assert listed
        assert all("==" in line and "--hash=sha256:" in line for line in listed)


def test_the_style_sheet_is_of_the_release_that_renders(monkeypatch):
    packages = json.loads(registries.LOCK.read_bytes())["packages"]
    assert packages["node_modules/katex"]["version"] == katex.katex_version
    monkeypatch.setattr(katex, "katex_version", "0.0.1")
    with pytest.raises(ExtensionError, match=r"KaTeX 0\.0\.1"):
        maths.choose_output(None, None)
