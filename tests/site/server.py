"""Serves the built site as a static host does: below a path, compressed."""

import gzip
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# The site of a repository is served below its name.
PREFIX = "/softmax-gradients/"
# What static hosts compress; archives and pictures are compressed already.
COMPRESSED = {".css", ".html", ".js", ".json", ".mjs", ".py", ".svg", ".wasm"}


@cache
def compressed(path, modified):
    return gzip.compress(path.read_bytes(), compresslevel=6)


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.split("?")[0].split("#")[0]
        file = Path(self.directory) / path.removeprefix(PREFIX)
        if file.is_dir() and path.endswith("/"):
            file /= "index.html"
        if not path.startswith(PREFIX) or not file.is_file():
            self.answer(404, Path(self.directory) / "404.html")
        else:
            self.answer(200, file)

    def answer(self, status, file):
        packs = file.suffix in COMPRESSED
        body = compressed(file, file.stat().st_mtime_ns) if packs else file.read_bytes()
        self.send_response(status)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        if packs:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Say nothing: a browser breaks off what it no longer needs."""


def serve(directory):
    """Start a server; give it and the address of the site."""
    server = Server(("127.0.0.1", 0), partial(Handler, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}{PREFIX}"
