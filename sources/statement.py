"""What a statement of a document is, and how it is evaluated.

A statement says that some things are equal: its claim returns them as a list, as
printed, and the last member is what is true. Claims are written with `exp`, `log`
and `derivative` from here, which take floats and SymPy symbols alike, so that one
line is both evaluated at random points and proved for a given number of classes.
Nothing here uses the package or a formula of the book: truth is differentiated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import sympy


class Verdict(StrEnum):
    RIGHT = "right"
    UNSTATED = "right under an unstated assumption"
    STRONGER = "stronger than needed"
    LAYOUT = "depends on the layout chosen"
    TYPOGRAPHICAL = "typographical"
    WRONG = "wrong"


def _is_symbolic(values):
    return np.asarray(values).dtype == object


def _each(function, values):
    return np.vectorize(function, otypes=[object])(values)[()]


def exp(values):
    """Return e to the power of each value, floats or symbols."""
    return _each(sympy.exp, values) if _is_symbolic(values) else np.exp(values)


def log(values):
    """Return the natural logarithm of each value, floats or symbols."""
    return _each(sympy.log, values) if _is_symbolic(values) else np.log(values)


def _differentiated(function, point):
    variables, there = list(point.ravel()), {}
    if not all(entry.is_Symbol for entry in variables):
        # The point may hold expressions; only symbols can be differentiated by.
        there = {sympy.Dummy(positive=True): entry for entry in variables}
        variables = list(there)
    value = np.asarray(function(np.array(variables).reshape(point.shape)))
    entries = [
        sympy.diff(entry, variable).subs(there)
        for entry in value.ravel()
        for variable in variables
    ]
    return np.array(entries, dtype=object).reshape(value.shape + point.shape)


def derivative(function, point):
    """Return the derivatives of `function`, of shape value's shape + point's shape.

    Floats are moved by an imaginary step, one at a time; symbols are differentiated.
    """
    point = np.asarray(point)
    if _is_symbolic(point):
        return _differentiated(function, point)
    columns = []
    for index in np.ndindex(point.shape):
        moved = point.astype(complex)
        moved[index] += 1e-20j
        columns.append(np.imag(function(moved)) / 1e-20)
    stacked = np.stack(columns, axis=-1)
    return stacked.reshape(stacked.shape[:-1] + point.shape)


def softmax(z, temperature=1):
    """Return e^(z_i/T) / sum_j e^(z_j/T)."""
    exponentials = exp(z / temperature)
    return exponentials / exponentials.sum()


def cross_entropy(z, t, temperature=1):
    """Return -sum_j t_j log q_j for q = softmax(z/T)."""
    return -(t * log(softmax(z, temperature))).sum()


@dataclass(frozen=True)
class Point:
    """Where a claim is evaluated.

    z are the logits, v the teacher's logits, t the targets, y the label, and
    `temperature` is T; `weights` @ `inputs` are other logits, of a linear layer.
    `rows` says what the rows of a Jacobian belong to, where a document leaves that
    open: the outputs or the inputs of the function.
    """

    z: np.ndarray
    v: np.ndarray
    t: np.ndarray
    y: int
    weights: np.ndarray
    inputs: np.ndarray
    temperature: float
    rows: str = "outputs"

    @property
    def classes(self):
        return len(self.z)

    @property
    def q(self):
        return softmax(self.z, self.temperature)

    @property
    def p(self):
        return softmax(self.v, self.temperature)

    @property
    def one_hot(self):
        return np.eye(self.classes, dtype=int)[self.y]

    @property
    def gradient(self):
        """The derivatives of the cross-entropy of q against t in the logits z."""
        return derivative(lambda z: cross_entropy(z, self.t, self.temperature), self.z)

    @property
    def hard_gradient(self):
        """The same against the label y."""
        return replace(self, t=self.one_hot).gradient

    @property
    def jacobian(self):
        """The derivative of q_i in z_j, in row i and column j."""
        return derivative(lambda z: softmax(z, self.temperature), self.z)

    @property
    def log_jacobian(self):
        """The Jacobian of log q in the layout `rows`. Unlike q's, it shows the layout.

        The Jacobian of softmax is symmetric, and the same in both layouts.
        """
        matrix = derivative(lambda z: log(softmax(z, self.temperature)), self.z)
        return matrix if self.rows == "outputs" else matrix.T


# The running example of the book.
EXAMPLE = Point(
    z=np.array([2.0, 0.5, -1.0, 1.2]),
    v=np.array([1.0, 2.5, -0.5, 0.0]),
    t=np.array([0.1, 0.2, 0.3, 0.4]),
    y=2,
    weights=np.array([[1.0, -0.5], [0.3, 0.8], [-1.2, 0.4], [0.6, 0.1]]),
    inputs=np.array([1.5, -2.0]),
    temperature=2.0,
)
HEAVY = np.array([0.1, 0.5, 0.3, 0.4])  # targets of sum 1.3


def random_point(seed):
    """Return a point at which nothing is right by accident.

    The logits differ and so do their means; the targets are neither one-hot nor do
    they sum to one; T is not 1; classes and features differ in number.
    """
    rng = np.random.default_rng(seed)
    classes = 3 + seed % 4
    return Point(
        z=rng.normal(scale=1.5, size=classes),
        v=rng.normal(loc=0.7, scale=1.5, size=classes),
        t=rng.uniform(0.2, 1.0, size=classes),
        y=int(rng.integers(classes)),
        weights=rng.normal(size=(classes, 2)),
        inputs=rng.normal(size=2),
        temperature=rng.uniform(1.3, 3.0),
    )


def symbolic_point(classes, temperature):
    """Return a point whose numbers are symbols."""

    def symbols(name, *shape, **assumptions):
        flat = sympy.symbols(f"{name}:{int(np.prod(shape))}", **assumptions)
        return np.array(flat, dtype=object).reshape(shape)

    return Point(
        z=symbols("z", classes, real=True),
        v=symbols("v", classes, real=True),
        t=symbols("t", classes, positive=True),
        y=classes - 1,
        weights=symbols("w", classes, 2, real=True),
        inputs=symbols("x", 2, real=True),
        temperature=temperature,
    )


def unchanged(at):
    return at


def normalised(at):
    """The targets sum to one."""
    return replace(at, t=at.t / at.t.sum())


def one_hot(at):
    """The targets are those of the label y."""
    return replace(at, t=at.one_hot)


def softened(at):
    """The targets are a teacher's probabilities at the same temperature."""
    return replace(at, t=at.p)


def zero_means(at):
    return replace(at, z=at.z - at.z.mean(), v=at.v - at.v.mean())


def equal_means(at):
    return replace(at, v=at.v - at.v.mean() + at.z.mean())


def rows_are_outputs(at):
    return replace(at, rows="outputs")


def rows_are_inputs(at):
    return replace(at, rows="inputs")


Claim = Callable[[Point], Sequence]


@dataclass(frozen=True)
class Statement:
    """One statement of a document, its verdict, and the means to check both.

    `claim` returns the members that the statement says are equal. It holds at every
    point that `given` makes, unless the verdict is wrong or typographical; then it
    fails at `shown` (and is None where a misprint has no reading at all).
    With an assumption (unstated, too strong, a layout) `otherwise`, or else `claim`,
    fails at `shown`, where the assumption does not hold. `weaker` makes points that
    satisfy the assumption that is enough. `corrected` holds at every point.
    `algebra` has the claim (the correction, where the claim is wrong) proved with
    symbols as well; `difference` is zero, or not, for any number of classes.
    """

    slug: str
    lines: tuple[int, ...]
    quote: str
    verdict: Verdict
    links: tuple[str, ...]
    claim: Claim | None = None
    assumption: str = ""
    correction: str = ""
    slip: str = ""
    corrected: Claim | None = None
    otherwise: Claim | None = None
    given: Callable[[Point], Point] = unchanged
    weaker: Callable[[Point], Point] | None = None
    shown: Point | None = None
    algebra: bool = False
    difference: Callable[[], sympy.Expr] | None = None


@dataclass(frozen=True)
class Treatment:
    """A public text, where it can be read, and what one place of it states."""

    name: str
    url: str
    place: str
    statement: Statement


@dataclass(frozen=True)
class Document:
    """A source document: its statements, and the lines that state nothing."""

    name: str
    total_lines: int
    statements: tuple[Statement, ...]
    trivial: dict[str, tuple[int, ...]]  # why, and which lines
    tempered: bool  # whether it has a temperature; else T = 1 throughout

    @property
    def example(self):
        return EXAMPLE if self.tempered else replace(EXAMPLE, temperature=1.0)

    def points(self):
        """Yield the random points at which its statements are evaluated."""
        for seed in range(4):
            point = random_point(seed)
            yield point if self.tempered else replace(point, temperature=1.0)

    def symbolic_points(self):
        temperature = sympy.Symbol("T", positive=True) if self.tempered else 1
        for classes in (2, 3):
            yield symbolic_point(classes, temperature)


def lines(text):
    """Read "3, 5-7" as (3, 5, 6, 7)."""
    found = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


def same(members):
    """Tell whether all members are equal, up to rounding."""
    *printed, true = (np.asarray(member) for member in members)
    return all(
        each.shape == true.shape and np.allclose(each, true, rtol=1e-9, atol=1e-12)
        for each in printed
    )


def differ(members):
    """Tell whether some member is visibly another: in the second digit or before."""
    *printed, true = (np.asarray(member, dtype=float) for member in members)
    return any(
        each.shape != true.shape
        or np.abs(each - true).max() > max(0.01 * np.abs(true).max(), 1e-6)
        for each in printed
    )


def proved(members, at):
    """Tell whether SymPy finds the members equal, at a point of symbols."""
    *printed, true = (np.asarray(member, dtype=object) for member in members)
    return all(
        each.shape == true.shape
        and all(_is_zero(entry, at) for entry in np.ravel(each - true))
        for each in printed
    )


def _is_zero(expression, at):
    # With e^(z_i/T) for a symbol, softmax is a quotient of polynomials.
    exponentials = {
        logit: at.temperature * sympy.log(sympy.Symbol(f"e_{logit}", positive=True))
        for logit in (*at.z, *at.v)
    }
    rational = sympy.sympify(expression).subs(exponentials)
    numerator, _ = sympy.fraction(sympy.together(sympy.expand_log(rational)))
    return sympy.expand(numerator) == 0
