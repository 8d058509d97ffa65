"""The normal form in which equal sums over the classes are equal expressions."""

import sympy
from sympy import Dummy, Expr, KroneckerDelta, Sum, Symbol


def normal_form(expression: Expr) -> Expr:
    r"""Rewrite finite sums and Kronecker deltas so that equal terms look alike.

    Let `expression` hold finite sums whose free indices are in range.
    Four rewritings are made, innermost sums first, and each of them is an identity:

    1. a sum of several terms is split, and factors without the bound index leave it;
    2. a Kronecker delta with the bound index collapses its sum;
    3. bound indices are renamed by the depth of nesting;
    4. beside a Kronecker delta of two free indices, one of them replaces the other.

    Parameters
    ----------
    expression : sympy.Expr
        The expression to rewrite.

    Returns
    -------
    sympy.Expr
        An equal expression. A result of 0 proves that `expression` is 0. A result
        other than 0 proves nothing: it may be 0 for a reason not covered here.

    Notes
    -----
    The second rewriting, for :math:`0 \le k < C`, is

    .. math:: \sum_{j=0}^{C-1} f_j \, \delta_{jk} = f_k .

    Examples
    --------
    >>> from sympy import KroneckerDelta, Sum, Symbol
    >>> from softmax_gradients.symbolic import CLASSES, COLUMN, LOGITS, normal_form
    >>> j = Symbol("j", integer=True)
    >>> normal_form(Sum(LOGITS[j] * KroneckerDelta(j, COLUMN), (j, 0, CLASSES - 1)))
    z[k]
    >>> normal_form(Sum(2, (j, 0, CLASSES - 1)))
    2*C
    """
    expanded = sympy.expand(expression.replace(Sum, _normal_sum))
    return sympy.Add(*[_match_indices(term) for term in sympy.Add.make_args(expanded)])


def _normal_sum(summand: Expr, *limits: sympy.Tuple) -> Expr:
    """Split a sum into terms (rewriting 1), then collapse or rename each."""
    # SymPy merges a sum of a sum into one with several limits, the inner one first.
    for bound, first, last in limits:
        total = sympy.S.Zero
        for term in sympy.Add.make_args(sympy.expand(summand)):
            constant, factor = term.as_independent(bound, as_Add=False)
            total += constant * _sum_of_product(factor, bound, first, last)
        summand = total
    return summand


def _sum_of_product(factor: Expr, bound: Symbol, first: Expr, last: Expr) -> Expr:
    if factor == 1:
        return last - first + 1
    for delta in _deltas(factor):
        others = [index for index in delta.args if index != bound]
        # Only a plain index can be taken to be in range: not k + 1, nor the number 7.
        if len(others) == 1 and others[0].is_Symbol:
            return (factor / delta).subs(bound, others[0])
    # The same depth gives the same name, so that equal sums are equal expressions.
    renamed = Dummy("m", dummy_index=_depth(factor), integer=True)
    return Sum(factor.subs(bound, renamed), (renamed, first, last))


def _depth(expression: Expr) -> int:
    """Count how many sums are nested in one another."""
    depths = (len(s.limits) + _depth(s.function) for s in expression.atoms(Sum))
    return max(depths, default=0)


def _match_indices(term: Expr) -> Expr:
    """Replace k by i beside a Kronecker delta of i and k (rewriting 4)."""
    for delta in _deltas(term):
        kept, replaced = delta.args
        if replaced.is_Symbol:
            term = delta * (term / delta).subs(replaced, kept)
    return term


def _deltas(product: Expr) -> list[KroneckerDelta]:
    return [f for f in sympy.Mul.make_args(product) if isinstance(f, KroneckerDelta)]
