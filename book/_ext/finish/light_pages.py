"""Sphinx extension: the same pages, in fewer bytes.

Font Awesome is the largest file of the theme; of its two thousand icons the pages
show some twenty. Those stay, as a font of their own. Figures are stored as WebP
without loss, in a third of the bytes of PNG. Scripts wait until the text can be read.
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
PRELOADED = re.compile(r'\s*<link rel="preload" as="script"[^>]*>')
# Small, and the scripts that stand in the page itself use it at once.
OPTIONS = re.compile(
    r'<script src="[^"]*_static/documentation_options\.js[^"]*"></script>'
)
BLOCKING = re.compile(r'<script((?:(?! defer)[^>])*? src="[^"]*"[^>]*)>')
# Of the search that Sphinx would make: the book has another.
SEARCH = re.compile(
    r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*">'
    r"</script>"
)
PICTURE = re.compile(r'(<img\b[^>]*?\bsrc="[^"]*_images/)([\w.-]+)\.png"')


def used_icons(sheet, texts):
    """Give the characters of the icons that are named in these texts, and the style
    sheet without the rules of the others."""
    named = set(re.findall(r"\bfa-[a-z0-9-]+", "\n".join(texts)))
    found = set()

    def keep(rule):
        names, character = rule.groups()
        if named & {name.removesuffix(":before") for name in names[1:].split(",.")}:
            found.add(int(character, 16))
            return rule[0]
        return ""

    rules = ICON.sub(keep, sheet)
    if not found:
        raise ExtensionError("the theme's style sheet names its icons in a new way")
    return found, rules


def keep_icons(static, pages):
    """Cut the fonts of icons down to what pages and scripts show."""
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    rules = sheet.read_text("utf-8")
    (static / "scripts" / "fontawesome.js").unlink()
    scripts = [path.read_text("utf-8") for path in static.glob("scripts/*.js")]
    shown, rules = used_icons(rules, [*pages.values(), *scripts])
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


def let_scripts_wait(static, pages):
    """Let no script stand between the reader and the text.

    Scripts that are deferred keep their order and run once the page is there, which
    is when those of the theme would begin their work anyhow.
    """
    options = (static / "documentation_options.js").read_text("utf-8")
    lighter = {}
    for path, page in pages.items():
        page = SEARCH.sub("", PRELOADED.sub("", page))
        page = OPTIONS.sub(lambda _: f"<script>{options}</script>", page)
        lighter[path] = BLOCKING.sub(r"<script defer\1>", page)
    return lighter


def shrink_pictures(folder, pages):
    """Store figures as WebP, and give their size, so that nothing moves on loading.

    One that is drawn on nothing says so: on the dark page its colours are turned.
    """
    sizes, see_through = {}, set()
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            sizes[path.stem] = picture.size
            # On an opaque ground, transparency would say nothing.
            opaque = picture.convert("RGBA").getextrema()[3] == (255, 255)
            picture.convert("RGB" if opaque else "RGBA").save(
                path.with_suffix(".webp"), lossless=True
            )
            if not opaque:
                see_through.add(path.stem)
        path.unlink()

    def smaller(found):
        width, height = sizes[found[2]]
        size = f'{found[1]}{found[2]}.webp" width="{width}" height="{height}"'
        return size + (" data-see-through" if found[2] in see_through else "")

    return {path: PICTURE.sub(smaller, page) for path, page in pages.items()}


def lighten(app, exception):
    # A preview is read on this machine: it is sooner there than lighter.
    if exception is not None or app.builder.name != "html" or "preview" in app.tags:
        return
    site = Path(app.outdir)
    before = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    after = keep_icons(site / "_static", before)
    after = let_scripts_wait(site / "_static", after)
    after = shrink_pictures(site / "_images", after)
    for path, page in after.items():
        if page != before[path]:
            path.write_text(page, "utf-8")


def setup(app):
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
