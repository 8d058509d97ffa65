"""What the doctor found, for a terminal, a notebook and a program."""

from dataclasses import dataclass
from typing import Any

from ..mistakes import Mistake
from ._example import Example, show
from ._factor import Factor
from ._invariants import SUMS_TO_ONE, SUMS_TO_ZERO
from ._plain import plain

VERDICTS = ("right", "convention", "mistake", "unknown", "unusable")


@dataclass(frozen=True)
class Convention:
    """What a function does in another way than it was asked, and is right in.

    Attributes
    ----------
    option : str
        What to give to `diagnose` if it is meant, as in ``reduction="sum"``.
    sentence : str
        What the function does, in words.
    """

    option: str
    sentence: str

    def to_dict(self) -> dict[str, str]:
        """Return the convention as strings."""
        return {"option": self.option, "sentence": self.sentence}


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
        """One line that says what was found, and first what one row alone shows."""
        if self.one_row is None:
            return f"{self.kind}: {self.judgement}."
        alone = "right for one row"
        if self.one_row:
            alone = f"for one row at a time it is {' with '.join(self.one_row)}"
        return f"{self.kind}: {alone}; on a batch {self.judgement}."

    @property
    def judgement(self) -> str:
        """The verdict on what was examined."""
        if self.ok:
            return "right"
        if not self.checked:
            return "it could not be checked"
        if not self.mistakes:
            if self.factor is not None:
                return f"the right answer times {self.factor}, and not a mistake I know"
            return "wrong, and not a mistake I know"
        if all(mistake.numerical for mistake in self.leading()):
            slugs = " with ".join(self.explanations[0])
            return f"right at ordinary logits, fails at large ones: {slugs}"
        count = len(self.explanations[0])
        if count == 1:
            return "wrong, by a known mistake"
        return f"wrong, by {count} known mistakes together"

    @property
    def advice(self) -> str:
        """How to have one row alone examined, if that can be what is meant."""
        if self.one_row is None:
            return ""
        found = "It is right for one row at a time."
        if self.one_row:
            slugs = " with ".join(self.one_row)
            found = f"For one row at a time it is {slugs} alone."
        return f'{found} If one row is meant, ask with rows="one" (--rows one).'

    def __str__(self) -> str:
        """Return the report for a terminal."""
        lines = [self.summary]
        lines += [self.advice] if self.advice else []
        for mistake in self.leading():
            lines += ["", f"{mistake.slug}: {mistake.title}."]
            lines += [f"  wrong    {plain(mistake.wrong)}"]
            lines += [f"  right    {plain(mistake.right)}"]
            lines += [f"  look at  {mistake.giveaway}"]
            lines += [f"  read     the chapter {mistake.chapter}"]
        lines += self.other_names()
        if self.example is not None:
            lines += ["", f"Example: {self.example.call()}"]
            lines += [f"  yours    {show(self.example.yours)}"]
            lines += [f"  right    {show(self.example.right)}"]
        lines += ["", *self.remarks()] if self.remarks() else []
        return "\n".join(lines)

    # A report at the prompt is read, not copied.
    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        """Return the report for a notebook, with links to the book's pages."""
        lines = [f"**{self.summary}**", self.advice]
        for mistake in self.leading():
            slug = mistake.slug
            lines.append(
                f"[{slug}](mistakes.md#{slug}): {mistake.title}.\n\n"
                f"- wrong: ${mistake.wrong}$\n"
                f"- right: ${mistake.right}$\n"
                f"- look at: {mistake.giveaway}\n"
                f"- read: [{mistake.chapter}]({mistake.page.replace('#', '.ipynb#')})"
            )
        lines += self.other_names()
        if self.example is not None:
            lines.append(
                f"Example: {self.example.call()}\n\n"
                f"- yours: `{show(self.example.yours)}`\n"
                f"- right: `{show(self.example.right)}`"
            )
        lines += [f"- {remark}" for remark in self.remarks()]
        return "\n\n".join(line for line in lines if line)

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
            f"\n{' with '.join(ours)} is the same function here as "
            f"{listed_in_words(theirs)}."
            for ours, theirs in names.items()
            if ours
        ]

    def remarks(self) -> list[str]:
        """Return factor, invariants, evidence, findings and what was checked."""
        lines = []
        if self.factor is not None:
            lines.append(f"Yours is the right answer times {self.factor}.")
        if self.invariant is not None:
            lines.append(f"Broken: {self.invariant}.")
        lines += self.evidence
        lines += self.findings
        if self.checked:
            lines.append(f"Checked on {'; '.join(self.checked)}.")
        return lines


def listed_in_words(names: list[str]) -> str:
    """Return names with commas, and "and" before the last.

    >>> listed_in_words(["sign", "axis", "mean"])
    'sign, axis and mean'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
