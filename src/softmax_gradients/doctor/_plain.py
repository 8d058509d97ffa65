"""LaTeX of the catalogue as plain text, for a terminal."""

import re

WORDS = {
    r"\le": "<=",
    r"\ne": "!=",
    r"\approx": "~",
    r"\to": "->",
    r"\gets": "<-",
    r"\in": "in",
    r"\odot": "*",
    r"\cdot": "*",
    r"\sum": "sum",
    r"\log": "log",
    r"\max": "max",
    r"\exp": "exp",
    r"\partial": "d",
    r"\varepsilon": "eps",
    r"\infty": "infinity",
    r"\langle": "<",
    r"\rangle": ">",
    r"\|": "||",
    r"\quad": " ",
    r"\,": " ",
    r"\Bigl": "",
    r"\Bigr": "",
    r"\bigl": "",
    r"\bigr": "",
}


def plain(latex: str) -> str:
    r"""Return LaTeX as plain text.

    >>> plain(r"\frac{\partial L}{\partial z_i} = -\frac{t_i(1 - q_i)}{T}")
    'dL/dz_i = -t_i(1 - q_i)/T'
    """
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", latex)
    text = re.sub(r"\\(?:operatorname|mathrm)\{([^{}]*)\}", r" \1", text)
    text = text.replace(r"\mathbf ", "")
    text = re.sub(r"\\(bar|tilde) (\w)", r"\2_\1", text).replace("_bar", "_mean")
    text = text.replace("_tilde", "_centred").replace(r"^\top", "^T")
    text = text.replace(r"\partial ", "d").replace(r"\partial", "d/d")
    # From the inside out: a fraction without braces in it, then braces of powers.
    inner = re.compile(r"\\frac\{([^{}]*)\}\{([^{}]*)\}")
    braces = re.compile(r"([\^_])\{([^{}]*)\}")
    while True:
        changed = braces.sub(lambda m: m[1] + grouped(m[2]), text)
        changed = inner.sub(lambda m: f" {grouped(m[1])}/{grouped(m[2])}", changed)
        if changed == text:
            break
        text = changed
    text = re.sub(
        r"\\(?:[A-Za-z]+|[,|])", lambda m: f" {WORDS.get(m[0], m[0][1:])} ", text
    )
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" (?=[_^),;])|(?<=\() ", "", text)
    text = re.sub(r"\b(log|max) \(", r"\1(", text)
    text = re.sub(r"(^|[=(/] ?)- ", r"\1-", text)
    return re.sub(r"< (.*?) >", r"<\1>", text).strip()


def grouped(text: str) -> str:
    """Return a part in parentheses if it holds a sum, a product or a quotient."""
    text = text.strip()
    return f"({text})" if re.search(r"[ ,/]|^-", text) and not whole(text) else text


def whole(text: str) -> bool:
    """Tell whether a part is one product written without operators."""
    return bool(re.fullmatch(r"[\w^]*\([^()]*\)", text))
