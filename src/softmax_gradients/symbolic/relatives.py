"""The proofs of the gradients that the theorem on log-probabilities carries."""

from typing import Final

import sympy
from sympy import Expr, Indexed, IndexedBase, KroneckerDelta, Sum, Symbol

from .normal_form import normal_form
from .proofs import (
    CLASSES,
    COLUMN,
    COORDINATE,
    FEATURES,
    LABEL,
    LOGITS,
    OUTER,
    TARGETS,
    TEACHER_LOGITS,
    TEMPERATURE,
    Proof,
    hard_cross_entropy_gradient,
    log_softmax,
    over_classes,
    softmax,
    sum_of_exponentials,
)

COTANGENT: Final = IndexedBase("g", real=True)
CLASS_WEIGHTS: Final = IndexedBase("w", real=True)
RAW_LOGITS: Final = IndexedBase("u", real=True)
VALUES: Final = IndexedBase("V", real=True)
OUTPUT_COTANGENT: Final = IndexedBase("G", real=True)
SMOOTHING: Final = Symbol("varepsilon", real=True)
FOCUSING: Final = Symbol("gamma", positive=True)
PENALTY: Final = Symbol("a", real=True)
CAP: Final = Symbol("c", positive=True)
ADVANTAGE: Final = Symbol("A", real=True)


def sum_over_classes(expression: Expr, index: Symbol = COLUMN) -> Expr:
    r"""Return the normal form of the sum of an expression over the classes.

    The entries of a gradient sum to zero where a shift of all logits leaves the loss
    as it is. A result of 0 proves that, and another result proves nothing, as in
    `normal_form`: the order of two sums, say, is not changed.

    Parameters
    ----------
    expression : sympy.Expr
        The summand, such as the ``claimed`` of a `Proof`.
    index : sympy.Symbol, default COLUMN
        The free index k of the summand that runs over the classes.

    Returns
    -------
    sympy.Expr
        The sum :math:`\sum_{k=0}^{C-1}` of the expression.

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.sum_over_classes(symbolic.reinforce_gradient().claimed)
    0
    >>> symbolic.sum_over_classes(symbolic.TARGETS[symbolic.COLUMN])
    Sum(t[_m], (_m, 0, C - 1))
    """
    # A factor that is the same for all classes stays in one piece.
    constant, rest = expression.as_independent(index, as_Add=False)
    return normal_form(constant * normal_form(over_classes(rest, index)))


def softmax_vjp() -> Proof:
    r"""Prove what a cotangent g of the probabilities becomes at the logits.

    Let :math:`g_j = \partial L / \partial q_j`. By the chain rule the gradient of L in
    the logits is that of :math:`\sum_j g_j q_j` with g held fixed.

    Returns
    -------
    Proof
        In the free index COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial L}{\partial z_k}
        = \frac{q_k \bigl(g_k - \sum_j q_j g_j\bigr)}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.softmax_vjp().difference
    0
    """
    loss = over_classes(COTANGENT[OUTER] * softmax(OUTER))
    mean = over_classes(softmax(OUTER) * COTANGENT[OUTER])
    claimed = softmax(COLUMN) * (COTANGENT[COLUMN] - mean) / TEMPERATURE
    return Proof(loss.diff(LOGITS[COLUMN]), claimed)


def log_softmax_vjp() -> Proof:
    r"""Prove what a cotangent g of the log-probabilities becomes at the logits.

    Let :math:`g_j = \partial L / \partial \log q_j`. By the chain rule the gradient of
    L in the logits is that of :math:`\sum_j g_j \log q_j` with g held fixed. The losses
    that depend on the logits through log q alone are special cases.

    Returns
    -------
    Proof
        In the free index COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial L}{\partial z_k} = \frac{g_k - q_k \sum_j g_j}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.log_softmax_vjp().difference
    0
    """
    loss = over_classes(COTANGENT[OUTER] * log_softmax(OUTER))
    pulled = softmax(COLUMN) * over_classes(COTANGENT[OUTER])
    return Proof(loss.diff(LOGITS[COLUMN]), (COTANGENT[COLUMN] - pulled) / TEMPERATURE)


def smoothed_cross_entropy_gradient() -> Proof:
    r"""Prove the gradient of the cross-entropy of one label y that is smoothed.

    Let e be the weight that is spread over all C classes:
    :math:`t_j = (1 - \varepsilon)\,\delta_{jy} + \varepsilon/C`.

    Returns
    -------
    Proof
        In the free indices COLUMN (k) and LABEL (y).

    Notes
    -----
    With e = :math:`\varepsilon`,

    .. math::
        \frac{\partial}{\partial z_k} \Bigl( -\sum_j t_j \log q_j \Bigr)
        = \frac{q_k - (1 - \varepsilon)\,\delta_{ky} - \varepsilon/C}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.smoothed_cross_entropy_gradient().difference
    0
    """

    def target(index: Symbol) -> Expr:
        label = KroneckerDelta(index, LABEL)
        return (1 - SMOOTHING) * label + SMOOTHING / CLASSES

    loss = -over_classes(target(OUTER) * sympy.log(softmax(OUTER)))
    claimed = (softmax(COLUMN) - target(COLUMN)) / TEMPERATURE
    return Proof(loss.diff(LOGITS[COLUMN]), claimed)


def weighted_cross_entropy_gradient() -> Proof:
    r"""Prove the gradient of the cross-entropy of targets t with class weights w.

    The products w t are targets that need not sum to one. For one label y the gradient
    is :math:`w_y (q_k - \delta_{ky})/T`.

    Returns
    -------
    Proof
        In the free index COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial}{\partial z_k} \Bigl( -\sum_j w_j t_j \log q_j \Bigr)
        = \frac{q_k \sum_j w_j t_j - w_k t_k}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.weighted_cross_entropy_gradient().difference
    0
    """
    product = CLASS_WEIGHTS[OUTER] * TARGETS[OUTER]
    loss = -over_classes(product * sympy.log(softmax(OUTER)))
    pulled = softmax(COLUMN) * over_classes(product)
    claimed = (pulled - CLASS_WEIGHTS[COLUMN] * TARGETS[COLUMN]) / TEMPERATURE
    return Proof(loss.diff(LOGITS[COLUMN]), claimed)


def focal_loss_gradient() -> Proof:
    r"""Prove the gradient of the focal loss of one label y.

    Let gamma > 0 be the focusing parameter, and
    :math:`L = -(1 - q_y)^\gamma \log q_y`. All entries of q - e_y are multiplied by
    the same number.

    Returns
    -------
    Proof
        In the free indices COLUMN (k) and LABEL (y).

    Notes
    -----
    With gamma = :math:`\gamma`,

    .. math::
        \frac{\partial L}{\partial z_k}
        = \Bigl[ (1 - q_y)^\gamma - \gamma\, q_y (1 - q_y)^{\gamma - 1} \log q_y \Bigr]
        \frac{q_k - \delta_{ky}}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.focal_loss_gradient().difference
    0
    """
    probability = softmax(LABEL)
    log_probability = sympy.log(probability)
    rest = 1 - probability
    factor = rest**FOCUSING
    # SymPy writes the power gamma - 1 as this quotient when it differentiates.
    cross_term = FOCUSING * probability * rest**FOCUSING / rest * log_probability
    loss = -factor * log_probability
    claimed = (factor - cross_term) * hard_cross_entropy_gradient().claimed
    return Proof(loss.diff(LOGITS[COLUMN]), claimed)


def z_loss_gradient() -> Proof:
    r"""Prove the gradient of the penalty on the logarithm of the sum of exponentials.

    Let a be the factor of the penalty, and
    :math:`\operatorname{lse} = \log \sum_l e^{z_l/T}`. The penalty is no function of
    log q: a shift of all logits changes it.

    Returns
    -------
    Proof
        In the free index COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial}{\partial z_k} \bigl( a \operatorname{lse}^2 \bigr)
        = \frac{2 a \operatorname{lse}\, q_k}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.z_loss_gradient().difference
    0
    """
    log_sum_exp = sympy.log(sum_of_exponentials(LOGITS))
    derived = (PENALTY * log_sum_exp**2).diff(LOGITS[COLUMN])
    claimed = 2 * PENALTY * log_sum_exp * softmax(COLUMN) / TEMPERATURE
    return Proof(derived, claimed)


def soft_capped_gradient() -> Proof:
    r"""Prove the gradient of the cross-entropy of a label y whose logits are capped.

    Let u be the raw logits, c > 0 the cap, and :math:`z_j = c \tanh(u_j/c)` the logits
    of which q is the softmax.

    Returns
    -------
    Proof
        In the free indices COLUMN (k) and LABEL (y).

    Notes
    -----
    .. math::
        \frac{\partial (-\log q_y)}{\partial u_k}
        = \Bigl( 1 - \frac{z_k^2}{c^2} \Bigr) \frac{q_k - \delta_{ky}}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.soft_capped_gradient().difference
    0
    """
    loss = _with_capped_logits(-sympy.log(softmax(LABEL)))
    slope = 1 - (LOGITS[COLUMN] / CAP) ** 2
    claimed = slope * hard_cross_entropy_gradient().claimed
    return Proof(loss.diff(RAW_LOGITS[COLUMN]), _with_capped_logits(claimed))


def _with_capped_logits(expression: Expr) -> Expr:
    """Put z_j = c tanh(u_j/c) for every logit in `expression`."""

    def is_logit(part: Expr) -> bool:
        return isinstance(part, Indexed) and part.base == LOGITS

    def capped(logit: Indexed) -> Expr:
        (index,) = logit.indices
        return CAP * sympy.tanh(RAW_LOGITS[index] / CAP)

    return expression.replace(is_logit, capped)


def contrastive_temperature_gradient() -> Proof:
    r"""Prove the derivative in the temperature of the contrastive loss InfoNCE.

    Let the logits z be similarities of a sample with C others, y the one that it
    belongs to, and T the temperature, which papers on InfoNCE call tau:
    :math:`L = -\log q_y`. The gradient in the similarities is that of
    `hard_cross_entropy_gradient`.

    Returns
    -------
    Proof
        In the free index LABEL (y).

    Notes
    -----
    .. math::
        \frac{\partial (-\log q_y)}{\partial T}
        = \frac{z_y - \sum_j q_j z_j}{T^2}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.contrastive_temperature_gradient().difference
    0
    """
    loss = -sympy.log(softmax(LABEL))
    mean = over_classes(softmax(OUTER) * LOGITS[OUTER])
    claimed = (LOGITS[LABEL] - mean) / TEMPERATURE**2
    return Proof(loss.diff(TEMPERATURE), claimed)


def reinforce_gradient() -> Proof:
    r"""Prove the gradient of REINFORCE's loss for one action.

    Let y be the action that was taken, and A its advantage, which may be negative and
    is held fixed: :math:`L = -A \log q_y`.

    Returns
    -------
    Proof
        In the free indices COLUMN (k) and LABEL (y).

    Notes
    -----
    .. math::
        \frac{\partial (-A \log q_y)}{\partial z_k}
        = \frac{A\, (q_k - \delta_{ky})}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.reinforce_gradient().difference
    0
    """
    loss = -ADVANTAGE * sympy.log(softmax(LABEL))
    claimed = ADVANTAGE * hard_cross_entropy_gradient().claimed
    return Proof(loss.diff(LOGITS[COLUMN]), claimed)


def attention_gradient() -> Proof:
    r"""Prove the gradient in the scores of one row of attention.

    Let z be the scores of one query, V the values of d features,
    :math:`O_c = \sum_j q_j V_{jc}` the output, and :math:`G_c = \partial L/\partial
    O_c` its cotangent. By the chain rule the gradient of L in the scores is that of
    :math:`\sum_c G_c O_c` with G held fixed. The last sum of the formula is the row's
    sum of the entries of G times O; with :math:`g_j = \sum_c G_c V_{jc}` it is
    :math:`\sum_j q_j g_j`.

    Returns
    -------
    Proof
        In the free index COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial L}{\partial z_k}
        = \frac{q_k}{T} \Bigl( \sum_c G_c V_{kc} - \sum_c G_c O_c \Bigr)

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.attention_gradient().difference
    0
    """

    def over_features(values: Expr) -> Sum:
        product = OUTPUT_COTANGENT[COORDINATE] * values
        return Sum(product, (COORDINATE, 0, FEATURES - 1))

    loss = over_features(over_classes(softmax(OUTER) * VALUES[OUTER, COORDINATE]))
    cotangent = over_features(VALUES[COLUMN, COORDINATE])
    claimed = softmax(COLUMN) * (cotangent - loss) / TEMPERATURE
    return Proof(loss.diff(LOGITS[COLUMN]), claimed)


def binary_cross_entropy_gradient() -> Proof:
    r"""Prove the gradient of C sigmoids' cross-entropies for targets t.

    Let :math:`\sigma_j = e^{z_j/T} / (1 + e^{z_j/T})` be the probability that class j
    applies, whatever the others do. It is the softmax of the two logits z_j and 0.

    Returns
    -------
    Proof
        In the free index COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial}{\partial z_k} \Bigl( -\sum_j \bigl[ t_j \log \sigma_j
        + (1 - t_j) \log (1 - \sigma_j) \bigr] \Bigr) = \frac{\sigma_k - t_k}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.binary_cross_entropy_gradient().difference
    0
    """
    logit = LOGITS[OUTER] / TEMPERATURE
    log_partition = sympy.log(1 + sympy.exp(logit))
    # log sigma = z/T - log(1 + e^(z/T)), and log(1 - sigma) = -log(1 + e^(z/T)).
    applies = TARGETS[OUTER] * (logit - log_partition)
    does_not = (1 - TARGETS[OUTER]) * -log_partition
    loss = -over_classes(applies + does_not)
    exponential = sympy.exp(LOGITS[COLUMN] / TEMPERATURE)
    sigmoid = exponential / (1 + exponential)
    return Proof(loss.diff(LOGITS[COLUMN]), (sigmoid - TARGETS[COLUMN]) / TEMPERATURE)


def reverse_kl_gradient() -> Proof:
    r"""Prove the gradient in the logits of the reversed divergence KL(q || p).

    Let p = softmax(v/T), with the teacher's logits v, which are held fixed.

    Returns
    -------
    Proof
        In the free index COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial}{\partial z_k} \sum_j q_j \log \frac{q_j}{p_j}
        = \frac{q_k}{T} \Bigl( \log \frac{q_k}{p_k}
        - \sum_j q_j \log \frac{q_j}{p_j} \Bigr)

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.reverse_kl_gradient().difference
    0
    """

    def log_ratio(index: Symbol) -> Expr:
        return log_softmax(index) - log_softmax(index, TEACHER_LOGITS)

    loss = over_classes(softmax(OUTER) * log_ratio(OUTER))
    claimed = softmax(COLUMN) * (log_ratio(COLUMN) - loss) / TEMPERATURE
    return Proof(loss.diff(LOGITS[COLUMN]), claimed)
