"""Sphinx extension: the same pages, in fewer bytes.

Font Awesome is the largest file of the theme; of its two thousand icons the pages
show some twenty. Those stay, as a font of their own. Figures are stored as WebP
without loss, in a third of the bytes of PNG.
"""

import re
from pathlib import Path

from fontTools import subset
from PIL import Image
from sphinx.errors import ExtensionError

SCRIPT = re.compile(r'\s*<script defer src="[^"]*/fontawesome\.js[^"]*"></script>')
FONT = re.compile(
    r'url\((\.\./vendor/fontawesome/webfonts/fa-[\w-]+)\.woff2\) format\("woff2"\)'
    r'(?:,url\([^)]*\) format\("truetype"\))?'
)
ICON = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
PICTURE = re.compile(r'(<img\b[^>]*?\bsrc="[^"]*_images/)([\w.-]+)\.png"')


def characters(sheet, texts):
    """Give the characters of the icons that are named in these texts."""
    named = set(re.findall(r"\bfa-[a-z0-9-]+", "\n".join(texts)))
    found = set()
    for names, character in ICON.findall(sheet):
        if named & {name.removesuffix(":before") for name in names[1:].split(",.")}:
            found.add(int(character, 16))
    if not found:
        raise ExtensionError("the theme's style sheet names its icons in a new way")
    return found


def keep_icons(static, pages):
    """Cut the fonts of icons down to what pages and scripts show."""
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    rules = sheet.read_text("utf-8")
    (static / "scripts" / "fontawesome.js").unlink()
    scripts = [path.read_text("utf-8") for path in static.glob("scripts/*.js")]
    shown = characters(rules, [*pages.values(), *scripts])
    for font in (static / "vendor" / "fontawesome" / "webfonts").glob("*.ttf"):
        options = subset.Options(flavor="woff")
        with subset.load_font(font, options) as glyphs:
            subsetter = subset.Subsetter(options)
            subsetter.populate(unicodes=shown)
            subsetter.subset(glyphs)
            subset.save_font(glyphs, font.with_suffix(".woff"), options)
        font.with_suffix(".woff2").unlink()
        font.unlink()
    rules, count = FONT.subn(r'url(\1.woff) format("woff")', rules)
    if not count:
        raise ExtensionError("the theme's style sheet loads its icons in a new way")
    sheet.write_text(rules, "utf-8")
    return {path: SCRIPT.sub("", page) for path, page in pages.items()}


def shrink_pictures(folder, pages):
    """Store figures as WebP, and give their size, so that nothing moves on loading."""
    sizes = {}
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            sizes[path.stem] = picture.size
            # Book figures have an opaque ground: transparency would say nothing.
            opaque = picture.convert("RGBA").getextrema()[3] == (255, 255)
            picture.convert("RGB" if opaque else "RGBA").save(
                path.with_suffix(".webp"), lossless=True
            )
        path.unlink()

    def smaller(found):
        width, height = sizes[found[2]]
        return f'{found[1]}{found[2]}.webp" width="{width}" height="{height}"'

    return {path: PICTURE.sub(smaller, page) for path, page in pages.items()}


def lighten(app, exception):
    if exception is not None or app.builder.name != "html":
        return
    site = Path(app.outdir)
    before = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    after = shrink_pictures(site / "_images", keep_icons(site / "_static", before))
    for path, page in after.items():
        if page != before[path]:
            path.write_text(page, "utf-8")


def setup(app):
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
