"""Serve the book while it is written: what is saved is built, and open pages reload.

Usage: python tools/preview.py [PORT]    # or: make preview PORT=8001

Only what a change concerns is built, and warnings do not end it: `make book` is the
check. Each build is a process of its own that begins with the libraries loaded, so
that a change of an extension or of the package counts as well.
"""

import argparse
import importlib
import multiprocessing
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "_build" / "preview"
SITE = OUTPUT / "html"
WATCHED = ("book", "sources", "src", "_config.yml", "_toc.yml")
# Written by the build itself, or by editors and the interpreter.
PASSED_OVER = {"_generated", "__pycache__", ".ipynb_checkpoints"}
# What takes seconds to load: each build would load it again.
LIBRARIES = (
    "jupyter_book.sphinx",
    "sphinx.builders.html",
    "myst_nb.sphinx_",
    "sphinx_book_theme",
    "sphinxext.opengraph",
    "sphinxcontrib.bibtex",
    "fontTools.subset",
    "matplotlib.pyplot",
    "sympy",
)
RELOADING = """<script>
setInterval(async () => {
  const answer = await fetch("/preview-build").catch(() => null);
  if (answer?.ok && (await answer.text()) !== "%d") location.reload();
}, 300);
</script></body>"""


def build():
    """Build what has changed."""
    from jupyter_book.sphinx import build_sphinx
    from sphinxcontrib.katex import KaTeXServer

    build_sphinx(
        str(ROOT),
        str(SITE),
        path_config=str(ROOT / "_config.yml"),
        noconfig=True,
        confoverrides={"latex_individualpages": False},
        tags=["preview"],
        quiet=True,
    )
    # It ends with its process, but not with one that was forked.
    if KaTeXServer.katex_server is not None:
        KaTeXServer.katex_server.terminate()


def state():
    """Return the time of the last change of each file that the book is made of."""
    times = {}
    for name in WATCHED:
        path = ROOT / name
        for file in [path] if path.is_file() else path.rglob("*"):
            if not PASSED_OVER & set(file.parts) and file.is_file():
                times[file] = file.stat().st_mtime_ns
    return times


class Preview:
    """The builds, and their number."""

    def __init__(self):
        methods = multiprocessing.get_all_start_methods()
        self.context = multiprocessing.get_context(
            "fork" if "fork" in methods else "spawn"
        )
        self.number = 0

    def build(self):
        process = self.context.Process(target=build)
        begun = time.monotonic()
        process.start()
        process.join()
        self.number += 1
        return time.monotonic() - begun

    def watch(self, before):
        """Build at each change from a state, until interrupted."""
        while True:
            time.sleep(0.2)
            now = state()
            if now == before:
                continue
            changed = [path for path, when in now.items() if before.get(path) != when]
            before = now
            names = ", ".join(str(path.relative_to(ROOT)) for path in changed[:3])
            print(f"{names or 'a file is gone'}: built in {self.build():.1f} s")


class Handler(SimpleHTTPRequestHandler):
    """Serves the site, with a script in each page that reloads it after a build."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, *arguments, preview, **options):
        self.preview = preview
        super().__init__(*arguments, **options)

    def log_message(self, *_):
        pass

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if self.path == "/preview-build":
            self.answer(str(self.preview.number), "text/plain")
        elif path.suffix == ".html" and path.is_file():
            script = RELOADING % self.preview.number
            text = path.read_text("utf-8").replace("</body>", script)
            self.answer(text, "text/html; charset=utf-8")
        else:
            super().do_GET()

    def answer(self, text, kind):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int, nargs="?", default=8000)
    port = parser.parse_args().port
    preview = Preview()
    handler = partial(Handler, preview=preview, directory=str(SITE))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        parser.exit(
            1,
            f"Port {port}: {error.strerror}. To name another one: "
            f"make preview PORT={port + 1}\n",
        )
    print("The first build takes about a minute.", flush=True)
    for name in LIBRARIES:
        importlib.import_module(name)
    begun = state()
    print(f"The book: built in {preview.build():.1f} s")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{port}/book/intro.html shows it. Control+C ends.")
    try:
        preview.watch(begun)
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
