"""Sphinx extension: the clinic, which examines a function that a reader pastes.

A page that includes _generated/clinic.html has it. The answer to its first example is
stored in the page; Python comes with the first press of Diagnose, by the worker of the
live cells.
"""

import html
import json
from pathlib import Path

from docutils import nodes

from softmax_gradients._clinic import KIND_WORDS, answer

from .. import generated

HERE = Path(__file__).parent
# What a reader can begin with; the first is there at once.
EXAMPLES = {
    "the thread's formula": """\
def gradient(z, t):
    s = softmax(z)
    return -t * (1 - s)
""",
    "NumPy": """\
import numpy as np

def softmax(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e)

def cross_entropy_grad(logits, labels):
    p = softmax(logits)
    p[np.arange(len(labels)), labels] -= 1
    return p / len(labels)
""",
    "a layer class": """\
import numpy as np

class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.out = e / e.sum(axis=1, keepdims=True)
        return self.out

    def backward(self, grad):
        dot = (grad * self.out).sum(axis=1)
        return self.out * (grad - dot)
""",
    "a tuple": """\
import numpy as np

def loss_and_grad(scores, y):
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean()
    dscores = p.copy()
    dscores[rows, y] -= 1
    return loss, dscores
""",
    "a loss": """\
import numpy as np

def cross_entropy(logits, targets):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    q = e / e.sum(axis=1, keepdims=True)
    return -np.mean(targets * np.log(q + 1e-9))
""",
}


def options(values):
    """Return the options of a select, from values and words."""
    return "".join(
        f'<option value="{html.escape(value)}">{html.escape(words)}</option>'
        for value, words in values.items()
    )


def still(found):
    """Return a stored answer for readers without scripts."""
    example = found["example"]
    lines = {each["word"]: html.escape(each["code"]) for each in found["lines"]}
    first = found["links"][0]
    address = f"{first['page']}.html#{first['anchor']}"
    return (
        f"<p><strong>{html.escape(found['sentence'])}</strong></p>"
        f"<p>For {html.escape(example['call'])} it gives {example['yours_text']}; "
        f"right is {example['right_text']}.</p>"
        f"<p>The right line:</p><pre>{lines['right']}</pre>"
        f'<p><a href="{address}">{html.escape(first["text"])}</a></p>'
    )


def fragment(megabytes):
    """Return the clinic as HTML; `megabytes` is None where Python cannot be loaded."""
    first = next(iter(EXAMPLES.values())).rstrip()
    found = answer(first)
    stored = json.dumps({"examples": EXAMPLES, "answer": found})
    stored = stored.replace("<", "\\u003c")
    kinds = options({"": "guess what it computes", **KIND_WORDS})
    examples = options({"": "choose an example"} | {name: name for name in EXAMPLES})
    rows = first.count("\n") + 1
    if megabytes is None:
        controls = ""
    else:
        controls = f"""
<div class="live-bar clinic-bar">
<button type="button" class="clinic-run">Diagnose</button>
<button type="button" class="clinic-stop" hidden>Stop</button>
<select class="clinic-kind" aria-label="What it computes">{kinds}</select>
<select class="clinic-function" aria-label="Which function" hidden></select>
<select class="clinic-examples" aria-label="Examples">{examples}</select>
<button type="button" class="clinic-link">Copy link to this code</button>
<span class="live-status"></span>
</div>
<p class="live-size">Python runs in this page: the first Diagnose loads {megabytes:.0f}
MB. Nothing leaves your browser.</p>"""
    return f"""<div class="clinic sg-explorer" role="group" aria-label="Clinic">
<div class="clinic-code"><textarea readonly wrap="off" spellcheck="false"
autocapitalize="off" autocomplete="off" rows="{rows}"
aria-label="Your function, in Python">{html.escape(first)}</textarea></div>{controls}
<div class="clinic-answer"></div>
<noscript>{still(found)}</noscript>
<script type="application/json" class="clinic-stored">{stored}</script>
</div>
"""


def write(app):
    sizes = getattr(app, "live_sizes", None)
    megabytes = None if sizes is None else sizes["Python with NumPy"]
    generated.write("clinic.html", fragment(megabytes))


def has_clinic(doctree):
    return any('class="clinic ' in node.astext() for node in doctree.findall(nodes.raw))


def add_script(app, pagename, templatename, context, doctree):
    if doctree is None or app.live_version is None or not has_clinic(doctree):
        return
    app.add_css_file("live/live-cells.css")
    app.add_css_file("live/clinic.css")
    # Its bars are those of the small explorers.
    app.add_js_file("explorer/pictures.mjs", type="module")
    app.add_js_file(
        "live/clinic.mjs", type="module", **{"data-version": app.live_version}
    )


def setup(app):
    # After the sizes are known, which `cells` finds out.
    app.connect("builder-inited", write, priority=600)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
