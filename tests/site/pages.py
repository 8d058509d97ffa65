"""What the built site holds."""

import json
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
# `make site-test` builds the site as it is deployed, for this address.
SITE = ROOT / "_build" / "deployed" / "_build" / "html"
DEPLOYED = "https://example.org/softmax-gradients/"
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts
)
CHAPTERS = sorted(
    path.stem
    for path in (ROOT / "book").glob("*.ipynb")
    if f"book/{path.stem}.html" in PAGES
)
# Opens what is folded, and waits until the page has been drawn with it.
UNFOLD = """() => {
  document.querySelectorAll("details").forEach((box) => { box.open = true; });
  document.querySelectorAll(".toggle-hidden").forEach(
    (box) => box.classList.remove("toggle-hidden"));
  return new Promise(
    (resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}"""


class Parsed(HTMLParser):
    """The names, the links and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.names, self.links, self.canonical = set(), [], None
        self.text = (SITE / page).read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.names |= {values.get("id"), values.get("name")} - {None}
        if values.get("rel") == "canonical":
            self.canonical = values["href"]
        else:
            self.links += [values[key] for key in ("href", "src") if values.get(key)]


def code_cells(chapter):
    """Give the code cells of a chapter's notebook."""
    notebook = json.loads((ROOT / "book" / f"{chapter}.ipynb").read_text("utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
