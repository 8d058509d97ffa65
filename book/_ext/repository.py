"""Sphinx extension: where the book is kept, and what it was built from.

A build on GitHub knows its repository from the event. Any other build has no such
links, rather than links to a place that may not be this one. Likewise the address
of the site: where it is known, pages name it, and sitemap.xml lists them.
"""

import html
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from docutils import nodes

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))
import colab  # noqa: E402

COLAB = "https://colab.research.google.com"
# A branch of copies of the notebooks that install the package: tools/colab.py.
COLAB_BRANCH = "colab"
BUTTONS = {
    "use_repository_button": True,
    "use_issues_button": True,
    "use_edit_page_button": True,
    "launch_buttons": {
        "notebook_interface": "jupyterlab",
        "binderhub_url": "https://mybinder.org",
        "colab_url": COLAB,
    },
}
# What the picture of a link's preview shows.
CARD = (
    "Softmax Gradients, Derived and Tested: the derivative of the loss in logit i is "
    "the probability minus the target, over the temperature"
)
STATED = {"NumPy": "numpy", "SymPy": "sympy", "Matplotlib": "matplotlib"}


def repository_url():
    """Give the address of the repository, where the build knows it."""
    repository = os.environ.get("GITHUB_REPOSITORY")
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{repository}" if repository else None


def git(*arguments):
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit():
    """Give the commit as HTML, and whether the checkout differs from it."""
    name = git("rev-parse", "HEAD")
    if not name:
        return "no known commit"
    shown = f"<code>{name[:10]}</code>"
    if repository_url():
        address = html.escape(f"{repository_url()}/commit/{name}")
        shown = f'<a href="{address}">{shown}</a>'
    changed = " with changes" if git("status", "--porcelain") else ""
    return f"commit {shown}{changed}"


def built_from():
    """Give the line at the foot of each page."""
    stated = [f"Python {platform.python_version()}"]
    stated += [f"{name} {version(package)}" for name, package in STATED.items()]
    return f'<p class="built-from">Built from {commit()}, with {", ".join(stated)}.</p>'


def add_links(app, config):
    # In a preview the first change to a file would have every page written anew.
    if "preview" not in app.tags:
        config.html_theme_options["extra_footer"] = built_from()
    if repository_url():
        config.html_theme_options |= BUTTONS | {
            "repository_url": repository_url(),
            "repository_branch": os.environ.get("GITHUB_REF_NAME", "main"),
        }
    address = os.environ.get("BOOK_BASE_URL")
    if address:
        config.html_baseurl = config.ogp_site_url = address.rstrip("/") + "/"
        # Previews take a picture by its full address alone.
        config.ogp_image = config.html_baseurl + "_static/social-card.png"
        config.ogp_image_alt = CARD
        # The page for a wrong address is shown at any depth.
        config.notfound_urls_prefix = urlsplit(config.html_baseurl).path


def open_copies_on_colab(app, pagename, templatename, context, doctree):
    """Colab opens one notebook, not the repository: a copy that installs it."""
    branch = app.config.html_theme_options.get("repository_branch")
    for button in context.get("header_buttons", []):
        for item in button.get("buttons", []):
            if item.get("url", "").startswith(COLAB):
                item["url"] = item["url"].replace(
                    f"/blob/{branch}/", f"/blob/{COLAB_BRANCH}/", 1
                )


def install_in_downloads(app, exception):
    """Have the notebooks that pages offer begin by installing the package."""
    name = git("rev-parse", "HEAD")
    if exception is not None or app.builder.name != "html" or not repository_url():
        return
    for path in sorted((Path(app.outdir) / "_sources").rglob("*.ipynb")):
        notebook = json.loads(path.read_text("utf-8"))
        written = colab.installing(notebook, f"{repository_url()}@{name}")
        text = json.dumps(written, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, "utf-8")


def summaries(app):
    """Yield the title, the address and the first paragraph of each page, in order."""
    for name in sorted(app.env.found_docs):
        tree = app.env.get_doctree(name)
        paragraph = next(tree.findall(nodes.paragraph), None)
        text = paragraph.astext() if paragraph is not None else ""
        yield app.env.titles[name].astext(), app.builder.get_target_uri(name), text


def write_overview(app, exception):
    """Write llms.txt: what there is, in Markdown, for programs that read."""
    if exception is not None or app.builder.name != "html":
        return
    lines = [f"# {app.config.project}", "", f"> {CARD}.", "", "## Pages", ""]
    base = app.config.html_baseurl or ""
    for title, place, text in summaries(app):
        lines.append(f"- [{title}]({base}{place}): {' '.join(text.split())}")
    (Path(app.outdir) / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8")


def write_sitemap(app, exception):
    address = app.config.html_baseurl
    if exception is not None or app.builder.name != "html" or not address:
        return
    urls = ElementTree.Element(
        "urlset", xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
    )
    for name in sorted(app.env.found_docs):
        page = ElementTree.SubElement(urls, "url")
        where = ElementTree.SubElement(page, "loc")
        where.text = address + app.builder.get_target_uri(name)
    ElementTree.ElementTree(urls).write(
        Path(app.outdir) / "sitemap.xml", "utf-8", xml_declaration=True
    )


def setup(app):
    # Before the theme and sphinxext-opengraph read their settings.
    app.connect("config-inited", add_links, priority=100)
    # After the theme has made its buttons.
    app.connect("html-page-context", open_copies_on_colab, priority=900)
    app.connect("build-finished", write_sitemap)
    app.connect("build-finished", write_overview)
    app.connect("build-finished", install_in_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
