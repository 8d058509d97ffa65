"""What an entry of the catalogue is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._inputs import Array
from ._steps import (
    Steps,
    assemble,
)

# The chapters of the book that entries may name as their page.
CHAPTERS = (
    "softmax-jacobian",
    "jacobian-structure",
    "summation-mistake",
    "kronecker-delta",
    "temperature",
    "high-temperature-limit",
    "gradient-doctor",
    "every-digit",
    "fast",
    "distillation",
    "distillation-experiment",
    "curvature",
    "calibration",
    "relatives",
    "what-the-mean-is-over",
    "larger-than-one-array",
)


@dataclass(frozen=True)
class Mistake:
    """A mistake that people make with these derivatives, as a function.

    Attributes
    ----------
    slug : str
        Its name in lower case with hyphens, the anchor of its entry in the book.
    title : str
        One line that says what is done.
    wrong, right : str
        The wrong and the right form in LaTeX, without dollar signs.
    giveaway : str
        What to look at to see it.
    page : str
        The section that explains it: the name of its chapter, "#" and its anchor.
    sources : tuple of str
        Where it was seen in public: names of threads and files that were read, as
        in "owner/repository#12". The page of the catalogue links each and says what
        it shows. Empty where none was found.
    kinds : mapping of str to tuple of Steps
        For each kind of function in which it can show, the steps of the right
        computation that it replaces; several where it has several forms.
    forms : mapping of str to tuple of str
        For each kind, words for each of its forms, where they are worth telling.
    reductions : tuple of str
        How the rows have to be combined for it to be a mistake; empty if any way.
    numerical : bool
        Whether the formula is right, and only large logits show the mistake.
    right_if : str
        For what is no mistake under another convention: what one has to mean, to
        follow "right if", as in "you meant the sum over the batch"; else empty.
    demonstration : callable, optional
        For a mistake that the result of no such function can show: returns, by
        name, numbers that show it.
    options : tuple of str
        For such a mistake, the options of the doctor with which it is named all the
        same: they state what is no argument of a kind, as the weights of the classes.
    counterexample : callable, optional
        For a belief, not a computation: returns, by name, numbers that refute it.
    """

    slug: str
    title: str
    wrong: str
    right: str
    giveaway: str
    page: str
    sources: tuple[str, ...]
    kinds: Mapping[str, tuple[Steps, ...]] = field(default_factory=dict)
    forms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reductions: tuple[str, ...] = ()
    numerical: bool = False
    right_if: str = ""
    demonstration: Callable[[], dict[str, Any]] | None = None
    options: tuple[str, ...] = ()
    counterexample: Callable[[], dict[str, Any]] | None = None

    def __reduce__(self) -> tuple[Callable[[str], "Mistake"], tuple[str]]:
        """Pickle by name: the functions of an entry cannot be pickled."""
        return catalogued, (self.slug,)

    @property
    def chapter(self) -> str:
        """The chapter that explains it."""
        return self.page.partition("#")[0]

    @property
    def belief(self) -> bool:
        """Whether it is something believed, not something computed."""
        return self.counterexample is not None

    def function(self, kind: str, form: int = 0) -> Callable[..., Array]:
        """Return the function of the kind's signature that makes this mistake.

        It combines the rows in the first way of `reductions`, or to their mean.

        Parameters
        ----------
        kind : str
            One of the keys of `kinds`.
        form : int, default 0
            Which of its forms in that kind.

        Raises
        ------
        ValueError
            If the mistake does not show in functions of this kind.
        """
        if kind not in self.kinds:
            shows = ", ".join(self.kinds) or "none"
            raise ValueError(
                f"kind must be one in which {self.slug} shows ({shows}), got {kind!r}"
            )
        steps, promised = self.kinds[kind][form], self.reductions
        return assemble(kind, steps, reduction=promised[0] if promised else "mean")


def catalogued(slug: str) -> Mistake:
    """Return the entry of a slug."""
    from . import MISTAKES  # the catalogue imports this module

    return MISTAKES[slug]
