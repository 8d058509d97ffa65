"""What the doctor found, for a terminal, a notebook and a program."""

import html
import re
import textwrap
from dataclasses import dataclass
from typing import Any

from .._site import chapter_address
from ..mistakes import Mistake
from ._convention import Convention
from ._example import Example, show
from ._factor import Factor
from ._invariants import SUMS_TO_ONE, SUMS_TO_ZERO
from ._lines import RIGHT_LINES, WHERE, WRONG_LINES
from ._plain import plain
from ._readings import WRONG_ON_BATCHES

SEVERAL_TEMPERATURES = "several temperatures"
REPEATED = "The same call gave two results."
ROWS = ('layout="row"', 'layout="(1, C)"', 'layout="(C, 1)"')
WIDTH = 88
VERDICTS = ("right", "convention", "mistake", "unknown", "unusable")


@dataclass(frozen=True)
class Report:
    """The result of `diagnose`.

    Attributes
    ----------
    kind : str
        The kind of function that was asked for.
    verdict : {"right", "convention", "mistake", "unknown", "unusable"}
        "right" as it was asked: the formula, for logits with |z/T| <= 30, and no
        mistake of the catalogue was found. "convention": right, if what
        `conventions` lists is meant. "mistake": wrong, by mistakes of the catalogue.
        "unknown": wrong, by none of them. "unusable": nothing could be checked.
    conventions : tuple of Convention
        In what the function differs from what was asked, without being wrong.
    mistakes : tuple of Mistake
        The mistakes that explain every result, most likely first.
    explanations : tuple of tuple of str
        The slugs again, in every combination that is this same function: two slugs
        in one tuple are made together, two tuples are two names for one function.
    factor : Factor or None
        What the results are too large by, if they are right up to a number or a
        power of T, N or C.
    example : Example or None
        The smallest example that shows it, with both results.
    invariant : str or None
        A property of right functions that this one breaks.
    invariants : dict of str to bool
        All properties that were tried.
    evidence : tuple of str
        For a mistake that is not in the catalogue: where the function is wrong.
    findings : tuple of str
        All else: exceptions, shapes, NaN, arguments changed in place.
    checked : tuple of str
        What the function takes, and so was checked on.
    one_row : tuple of str or None
        For a function that is wrong on batches, and right or less wrong for one row
        at a time: the slugs of the mistakes that one row shows, none if it is right.
    """

    kind: str
    verdict: str
    conventions: tuple[Convention, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    explanations: tuple[tuple[str, ...], ...] = ()
    factor: Factor | None = None
    example: Example | None = None
    invariants: dict[str, bool] | None = None
    evidence: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    one_row: tuple[str, ...] | None = None

    @property
    def invariant(self) -> str | None:
        """A property of right functions that this one breaks, with its number."""
        for name, held in (self.invariants or {}).items():
            if not held:
                return name + self.sum_of_example(name)
        return None

    def sum_of_example(self, name: str) -> str:
        """Return what the example's first row sums to, if that is the property."""
        if name not in (SUMS_TO_ZERO, SUMS_TO_ONE) or self.example is None:
            return ""
        row = self.example.yours.reshape(-1, self.example.yours.shape[-1])[0]
        total = round(float(row.sum()), 8)
        if total == (name == SUMS_TO_ONE):
            return ""  # it is other inputs that break it
        return f" (in the example: {show(total)})"

    @property
    def ok(self) -> bool:
        """Whether the function is right as it was asked."""
        return self.verdict == "right"

    @property
    def summary(self) -> str:
        """One line that says what was found and what to change."""
        return f"{self.kind}: {self.judgement}"

    @property
    def judgement(self) -> str:
        """The summary without the kind."""
        if self.verdict == "right":
            return "right."
        if self.verdict == "unusable":
            reason = f" {self.findings[0]}" if self.findings else ""
            return f"it could not be checked.{reason}"
        if self.verdict == "convention":
            return self.condition
        if self.verdict == "unknown":
            return self.before_the_batch + self.unknown
        leading = self.leading()
        serious = [each for each in leading if not self.excused(each)] or leading
        names = listed_in_words([each.slug for each in serious])
        unless = "".join(
            f" (and {each.slug}, unless {each.right_if})"
            for each in leading
            if each not in serious
        )
        numerical = all(mistake.numerical for mistake in leading)
        start = "right at ordinary logits, fails at large ones, by" if numerical else ""
        if not numerical and len(serious) == 1:
            start = "wrong, by"
        elif not numerical:
            start = f"wrong, by {len(serious)} mistakes together:"
        return f"{self.before_the_batch}{start} {names}{unless}. {self.change}"

    def excused(self, mistake: Mistake) -> bool:
        """Tell whether a mistake is none if something else is meant.

        What is called T and is not used as T has no excuse.
        """
        named = mistake.slug in ("missing-temperature", "multiplied-temperature")
        return bool(mistake.right_if) and not (
            named and SEVERAL_TEMPERATURES in self.checked
        )

    @property
    def before_the_batch(self) -> str:
        """What one row alone shows, which comes first."""
        rows = [each.option for each in self.conventions if each.option in ROWS]
        if rows:
            return "for one row at a time, "
        if self.one_row is None:
            return ""
        alone = "right for one row"
        if self.one_row:
            alone = f"for one row at a time it is {' with '.join(self.one_row)}"
        return f"{alone}; on a batch "

    @property
    def condition(self) -> str:
        """What has to be meant for the function to be right, and what it is else."""
        meant = " and ".join(each.meaning for each in self.conventions)
        told = [each.otherwise for each in self.conventions if each.otherwise]
        named = " ".join(told)
        others = [
            " with ".join(slugs)
            for slugs in self.explanations[:1]
            if not any(slug in named for slug in slugs)
        ]
        if others and WRONG_ON_BATCHES in told:
            told.remove(WRONG_ON_BATCHES)
            told.append(f"for a batch it is {others[0]}")
        else:
            told += [f"as asked it is {each}" for each in others]
        return f"right if {'; '.join([meant, *told])}."

    @property
    def unknown(self) -> str:
        """What is known about a mistake that is not."""
        if REPEATED in self.findings:
            return "it gives another result each time that it is called."
        if self.factor is not None:
            return (
                f"the right answer times {self.factor}, and not a mistake I know: "
                f"multiply by {self.factor.inverse}."
            )
        if self.example is None:
            return "wrong, and not a mistake I know."
        return "wrong, and not a mistake I know: the example shows where."

    @property
    def change(self) -> str:
        """What to write instead."""
        leading = self.leading()
        first = next((each for each in leading if not self.excused(each)), leading[0])
        title = f"{first.title}."
        line = RIGHT_LINES.get(self.kind)
        if line is None or any(mistake.numerical for mistake in leading):
            return title
        if self.kind not in first.kinds:  # the line is without weights and masks
            return title
        return f"{title} Write {line}."

    def __str__(self) -> str:
        """Return the report for a terminal."""
        lines = wrapped(self.summary)
        if self.example is not None:
            lines += ["", f"Example: {self.example.call()}"]
            lines += [f"  yours    {show(self.example.yours)}"]
            lines += [f"  right    {show(self.example.right)}"]
        if self.verdict == "mistake":
            for mistake in self.leading():
                lines += ["", *wrapped(f"{mistake.slug}: {mistake.title}.")]
                lines += [f"  wrong    {plain(mistake.wrong)}"]
                lines += [f"  right    {plain(mistake.right)}"]
                lines += [f"  {word:8} {line}" for word, line in self.code(mistake)]
                lines += wrapped(f"  look at  {mistake.giveaway}", 11)
                lines += [f"  read     {address(mistake.slug)}"]
            for other in self.other_names():
                lines += ["", *wrapped(other)]
        remarks = [line for remark in self.remarks() for line in wrapped(remark, 2)]
        lines += ["", *remarks] if remarks else []
        return "\n".join(lines)

    # A report at the prompt is read, not copied.
    __repr__ = __str__

    def code(self, mistake: Mistake) -> list[tuple[str, str]]:
        """Return the wrong and the right line of code of a mistake, and its names."""
        wrong = WRONG_LINES.get(mistake.slug, {}).get(self.kind)
        if wrong is None:
            return []
        right = RIGHT_LINES[self.kind]
        used = set(re.findall(r"\w+", f"{wrong} {right}"))
        where = "; ".join(line for name, line in WHERE.items() if name in used)
        return [("code", wrong), ("better", right), ("with", where)]

    def _repr_markdown_(self) -> str:
        """Return the report for a notebook: what matters, and the rest folded."""
        lines = [f"**{escaped(self.summary)}**"]
        if self.example is not None:
            lines.append(
                f"Example: {self.example.call()}\n\n"
                f"- yours: `{show(self.example.yours)}`\n"
                f"- right: `{show(self.example.right)}`"
            )
        if self.verdict == "mistake":
            for mistake in self.leading():
                slug = mistake.slug
                code = [f"- {word}: `{line}`" for word, line in self.code(mistake)]
                lines.append(
                    "\n".join(
                        [
                            f"[{slug}](mistakes.md#{slug}): {mistake.title}.\n",
                            f"- wrong: ${mistake.wrong}$",
                            f"- right: ${mistake.right}$",
                            *code,
                        ]
                    )
                )
        rest = [
            f"{mistake.slug}: {mistake.giveaway} Read "
            f"[{mistake.chapter}]({mistake.page.replace('#', '.ipynb#')})."
            for mistake in self.leading()
            if self.verdict == "mistake"
        ]
        rest += self.other_names()
        rest += [escaped(remark) for remark in self.remarks()]
        if rest:
            told = "\n".join(f"- {each}" for each in rest)
            lines.append(f"<details><summary>More</summary>\n\n{told}\n\n</details>")
        return "\n\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain lists, dictionaries, numbers and strings."""
        return {
            "kind": self.kind,
            "ok": self.ok,
            "verdict": self.verdict,
            "summary": self.summary,
            "conventions": [each.to_dict() for each in self.conventions],
            "mistakes": [
                {
                    "slug": mistake.slug,
                    "title": mistake.title,
                    "wrong": mistake.wrong,
                    "right": mistake.right,
                    "giveaway": mistake.giveaway,
                    "page": mistake.page,
                    "address": address(mistake.slug),
                }
                for mistake in self.mistakes
            ],
            "explanations": [list(slugs) for slugs in self.explanations],
            "factor": None if self.factor is None else str(self.factor),
            "example": None if self.example is None else self.example.to_dict(),
            "invariant": self.invariant,
            "invariants": dict(self.invariants or {}),
            "evidence": list(self.evidence),
            "findings": list(self.findings),
            "checked": list(self.checked),
            "one_row": None if self.one_row is None else list(self.one_row),
        }

    def leading(self) -> list[Mistake]:
        """Return the mistakes of the first explanation."""
        if not self.explanations:
            return []
        return [m for m in self.mistakes if m.slug in self.explanations[0]]

    def other_names(self) -> list[str]:
        """Return lines that give the other names of the same function.

        What both explanations share is left out.
        """
        names: dict[tuple[str, ...], list[str]] = {}
        for other in self.explanations[1:]:
            first = self.explanations[0]
            ours = tuple(slug for slug in first if slug not in other)
            others = [slug for slug in other if slug not in first]
            names.setdefault(ours, []).append(" with ".join(others))
        return [
            f"{' with '.join(ours)} is the same function here as "
            f"{listed_in_words(theirs)}."
            for ours, theirs in names.items()
            if ours
        ]

    def remarks(self) -> list[str]:
        """Return conventions, factor, invariants, findings and what was checked."""
        lines = [
            f"{each.sentence} State it with {each.option}." for each in self.conventions
        ]
        if self.factor is not None:
            lines.append(f"Yours is the right answer times {self.factor}.")
        if self.one_row is not None:
            lines.append('If one row is meant, ask with rows="one" (--rows one).')
        if self.invariant is not None:
            lines.append(f"Broken: {self.invariant}.")
        lines += self.evidence
        # What could not be checked says why in its first line already.
        lines += self.findings[1 if self.verdict == "unusable" else 0 :]
        if self.checked:
            lines.append(f"Checked on {'; '.join(self.checked)}.")
        return lines


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Return prose in lines for a terminal, those after the first indented."""
    return textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def address(slug: str) -> str:
    """Return where the entry of a mistake is published."""
    return chapter_address("mistakes", slug)


def escaped(text: str) -> str:
    """Return text in which nothing is markup, neither of Markdown nor of HTML."""
    return re.sub(r"([\\`*_\[\]$])", r"\\\1", html.escape(text, quote=False))


def listed_in_words(names: list[str]) -> str:
    """Return names with commas, and "and" before the last.

    >>> listed_in_words(["sign", "axis", "mean"])
    'sign, axis and mean'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
