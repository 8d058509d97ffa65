"""Make one PDF of the built book, and offer it on its front page.

Usage: python tools/book_pdf.py [SITE]

The pages of SITE, _build/html where none is named, become one page in the order of
the contents. Chromium prints it, with its outline, tags and links. The style is that
of a printed chapter.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urldefrag

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[1]
NAME = "softmax-gradients.pdf"
# The last opens pages in half the time, and prints the whole book in twice the time.
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chromium-headless-shell",
)
# What a page refers to its own places with.
REFERENCES = ("aria-describedby", "aria-labelledby", "for")
STYLE = """
@page { size: A4; @bottom-center { content: counter(page); font: 9pt sans-serif; } }
article { break-before: page; }
nav.contents { break-before: page; border: 0; padding: 0; background: none; }
nav.contents h3 { margin: 0.75rem 0 0; font-size: 1.1rem; }
nav.contents ul { margin: 0; }
nav.contents li { list-style: none; margin: 0.15rem 0; }
.title-page { padding-top: 90mm; text-align: center; }
"""
OFFER = (
    '<p class="book-pdf"><a href="../{name}" download>The whole book as one PDF</a> '
    "({size:.1f} MB)</p>"
)


def pages_in_order(contents):
    """Yield the caption of each part of the contents, or none, and its pages."""
    yield None, [contents["root"]]
    for part in contents["parts"]:
        yield part["caption"], [chapter["file"] for chapter in part["chapters"]]


def anchor(page, place=""):
    """Return the name that a place of a page has in the whole book."""
    return f"{Path(page).name}--{place}" if place else Path(page).name


def link_within(href, page, pages):
    """Return a link as it is in the whole book."""
    target, place = urldefrag(href)
    if re.match(r"[a-z]+:", target):
        return href
    stem = os.path.normpath(Path(page).parent / target).removesuffix(".html")
    if not target:
        stem = page
    return f"#{anchor(stem, place)}" if stem in pages else None


def article_of(site, page, pages):
    """Return the text of one page, ready to stand beside the others."""
    soup = BeautifulSoup((site / f"{page}.html").read_text("utf-8"), "html.parser")
    article = soup.select_one("article.bd-article")
    for useless in article.select("script, .book-pdf"):
        useless.decompose()
    for element in article.select("[id]"):
        element["id"] = anchor(page, element["id"])
    for name in REFERENCES:
        for element in article.select(f"[{name}]"):
            element[name] = anchor(page, element[name])
    for link in article.select("a[href]"):
        link["href"] = link_within(link["href"], page, pages)
        if link["href"] is None:
            del link["href"]
    article["id"] = anchor(page)
    return article


def whole_book(site, soup, contents):
    """Turn the front page into a page of the whole book, and return it."""
    parts = list(pages_in_order(contents))
    pages = [page for _, part in parts for page in part]
    listing, articles = ["<h2>Contents</h2>"], []
    for caption, part in parts:
        listing.append(f"<h3>{caption}</h3><ul>" if caption else "<ul>")
        for page in part:
            article = article_of(site, page, pages)
            heading = BeautifulSoup(str(article.select_one("h1")), "html.parser")
            for permalink in heading.select(".headerlink"):
                permalink.decompose()
            words = heading.h1.decode_contents()
            listing.append(f'<li><a href="#{anchor(page)}">{words}</a></li>')
            articles.append(str(article))
        listing.append("</ul>")
    title = soup.select_one('meta[property="og:site_name"]')["content"]
    copyright_line = soup.select_one(".copyright").get_text(" ", strip=True)
    for script in soup.select("script"):
        script.decompose()
    soup.body.clear()
    body = (
        '<main class="bd-main"><div class="bd-content">'
        '<div class="bd-article-container">'
        f'<section class="title-page"><p style="font-size:2.5rem">{title}</p>'
        f"<p>{copyright_line}</p></section>"
        f'<nav class="contents">{"".join(listing)}</nav>{"".join(articles)}'
        "</div></div></main>"
    )
    soup.body.append(BeautifulSoup(body, "html.parser"))
    soup.html["data-theme"] = "light"
    soup.title.string = title
    style = soup.new_tag("style")
    style.string = STYLE
    soup.head.append(style)
    return soup


def print_page(chromium, source, target):
    """Let Chromium print a file."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={profile}",
                "--no-pdf-header-footer",
                "--generate-pdf-document-outline",
                f"--print-to-pdf={target}",
                source.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=300,
        )


def offer(site, size):
    """Put the link to the PDF on the front page, once."""
    page = site / "book" / "intro.html"
    text = re.sub(r'<p class="book-pdf">.*?</p>\n?', "", page.read_text("utf-8"))
    line = OFFER.format(name=NAME, size=size / 1e6)
    marked, count = re.subn(r"</h1>", rf"</h1>\n{line}\n", text, count=1)
    if count != 1:
        sys.exit("the front page has no heading below which to offer the PDF")
    page.write_text(marked, "utf-8")


def find_chromium(names=NAMES):
    """Return the path of Chromium under the first name it goes by, or None."""
    return os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, names)), None
    )


def main():
    chromium = find_chromium()
    if not chromium:
        sys.exit("There is no Chromium: install it, or set CHROMIUM to its path.")
    site = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "_build" / "html")
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    front = site.resolve() / f"{contents['root']}.html"
    soup = BeautifulSoup(front.read_text("utf-8"), "html.parser")
    # Beside the pages, so that pictures and styles are where they say.
    source = front.with_name("whole-book.html")
    target = site.resolve() / NAME
    target.unlink(missing_ok=True)
    try:
        source.write_text(str(whole_book(site, soup, contents)), "utf-8")
        print_page(chromium, source, target)
    finally:
        source.unlink(missing_ok=True)
    if not target.is_file():
        sys.exit("Chromium made no PDF.")
    offer(site, target.stat().st_size)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
