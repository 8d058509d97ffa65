"""The derivatives that SymPy finds, beside the formulas that the book prints."""

from typing import Final, NamedTuple

import sympy
from sympy import Expr, Indexed, IndexedBase, KroneckerDelta, Sum, Symbol

from .normal_form import normal_form

CLASSES: Final = Symbol("C", integer=True, positive=True)
FEATURES: Final = Symbol("d", integer=True, positive=True)
TEMPERATURE: Final = Symbol("T", positive=True)
LOGITS: Final = IndexedBase("z", real=True)
TEACHER_LOGITS: Final = IndexedBase("v", real=True)
TARGETS: Final = IndexedBase("t", real=True)
WEIGHTS: Final = IndexedBase("W", real=True)
BIAS: Final = IndexedBase("b", real=True)
INPUTS: Final = IndexedBase("x", real=True)

# Free indices: the entry read, the entry moved, the label, the feature.
ROW: Final = Symbol("i", integer=True)
COLUMN: Final = Symbol("k", integer=True)
LABEL: Final = Symbol("y", integer=True)
FEATURE: Final = Symbol("a", integer=True)

# Bound indices: renaming them changes nothing, so the package does not export them.
_INNER: Final = Symbol("l", integer=True)
OUTER: Final = Symbol("j", integer=True)
COORDINATE: Final = Symbol("c", integer=True)


class Proof(NamedTuple):
    """What SymPy derived beside the formula that the book prints.

    Attributes
    ----------
    derived : sympy.Expr
        The derivative as SymPy finds it, before any simplification.
    claimed : sympy.Expr
        The printed formula.
    """

    derived: Expr
    claimed: Expr

    @property
    def difference(self) -> Expr:
        """The normal form of ``derived - claimed``: 0 when the formula is proved."""
        return normal_form(self.derived - self.claimed)


def over_classes(summand: Expr, index: Symbol = OUTER) -> Sum:
    """Return the sum over the classes of an expression written at the index."""
    return Sum(summand, (index, 0, CLASSES - 1))


def sum_of_exponentials(logits: IndexedBase) -> Sum:
    """Return the denominator of softmax(z/T), where z are the `logits`."""
    return over_classes(sympy.exp(logits[_INNER] / TEMPERATURE), _INNER)


def softmax(index: Expr, logits: IndexedBase = LOGITS) -> Expr:
    r"""Return entry i = `index` of softmax(z/T), where z are the `logits`.

    Parameters
    ----------
    index : sympy.Expr
        The class i.
    logits : sympy.IndexedBase
        The family z.

    Returns
    -------
    sympy.Expr
        The probability :math:`q_i`.

    Notes
    -----
    .. math:: q_i = \frac{e^{z_i/T}}{\sum_{l=0}^{C-1} e^{z_l/T}}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.softmax(symbolic.ROW)
    exp(z[i]/T)/Sum(exp(z[l]/T), (l, 0, C - 1))
    """
    return sympy.exp(logits[index] / TEMPERATURE) / sum_of_exponentials(logits)


def log_softmax(index: Expr, logits: IndexedBase = LOGITS) -> Expr:
    r"""Return entry i = `index` of log softmax(z/T), where z are the `logits`.

    Parameters
    ----------
    index : sympy.Expr
        The class i.
    logits : sympy.IndexedBase
        The family z.

    Returns
    -------
    sympy.Expr
        The log-probability :math:`\log q_i`.

    Notes
    -----
    .. math:: \log q_i = \frac{z_i}{T} - \log \sum_{l=0}^{C-1} e^{z_l/T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.log_softmax(symbolic.ROW)
    -log(Sum(exp(z[l]/T), (l, 0, C - 1))) + z[i]/T
    """
    return logits[index] / TEMPERATURE - sympy.log(sum_of_exponentials(logits))


def softmax_jacobian() -> Proof:
    r"""Prove the Jacobian of softmax(z/T) with respect to the logits z.

    Returns
    -------
    Proof
        In the free indices ROW (i) and COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial q_i}{\partial z_k} = \frac{q_i (\delta_{ik} - q_k)}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.softmax_jacobian().difference
    0
    """
    derived = softmax(ROW).diff(LOGITS[COLUMN])
    delta = KroneckerDelta(ROW, COLUMN)
    return Proof(derived, softmax(ROW) * (delta - softmax(COLUMN)) / TEMPERATURE)


def log_softmax_jacobian() -> Proof:
    r"""Prove the Jacobian of log softmax(z/T) with respect to the logits z.

    Returns
    -------
    Proof
        In the free indices ROW (i) and COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial \log q_i}{\partial z_k} = \frac{\delta_{ik} - q_k}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.log_softmax_jacobian().difference
    0
    """
    derived = log_softmax(ROW).diff(LOGITS[COLUMN])
    delta = KroneckerDelta(ROW, COLUMN)
    return Proof(derived, (delta - softmax(COLUMN)) / TEMPERATURE)


def _cross_entropy() -> Expr:
    return -over_classes(TARGETS[OUTER] * sympy.log(softmax(OUTER)))


def cross_entropy_gradient() -> Proof:
    r"""Prove the gradient of the cross-entropy of targets t, whatever their sum.

    Returns
    -------
    Proof
        In the free index COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial}{\partial z_k} \Bigl( -\sum_j t_j \log q_j \Bigr)
        = \frac{q_k \sum_j t_j - t_k}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.cross_entropy_gradient().difference
    0
    """
    derived = _cross_entropy().diff(LOGITS[COLUMN])
    target_sum = over_classes(TARGETS[OUTER])
    claimed = (softmax(COLUMN) * target_sum - TARGETS[COLUMN]) / TEMPERATURE
    return Proof(derived, claimed)


def hard_cross_entropy_gradient() -> Proof:
    r"""Prove the gradient of the cross-entropy of one label y.

    Returns
    -------
    Proof
        In the free indices COLUMN (k) and LABEL (y).

    Notes
    -----
    .. math::
        \frac{\partial (-\log q_y)}{\partial z_k} = \frac{q_k - \delta_{ky}}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.hard_cross_entropy_gradient().difference
    0
    """
    derived = -sympy.log(softmax(LABEL)).diff(LOGITS[COLUMN])
    delta = KroneckerDelta(COLUMN, LABEL)
    return Proof(derived, (softmax(COLUMN) - delta) / TEMPERATURE)


def cross_entropy_hessian() -> Proof:
    r"""Prove the Hessian of the cross-entropy of targets t, whatever their sum.

    Returns
    -------
    Proof
        In the free indices ROW (i) and COLUMN (k).

    Notes
    -----
    .. math::
        \frac{\partial^2}{\partial z_i \, \partial z_k}
        \Bigl( -\sum_j t_j \log q_j \Bigr)
        = \frac{q_i (\delta_{ik} - q_k)}{T^2} \sum_j t_j

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.cross_entropy_hessian().difference
    0
    """
    derived = _cross_entropy().diff(LOGITS[COLUMN]).diff(LOGITS[ROW])
    target_sum = over_classes(TARGETS[OUTER])
    bracket = KroneckerDelta(ROW, COLUMN) - softmax(COLUMN)
    return Proof(derived, softmax(ROW) * bracket * target_sum / TEMPERATURE**2)


def _at_linear_logits(expression: Expr) -> Expr:
    """Put z_j = sum_c W_jc x_c + b_j for every logit in `expression`."""

    def is_logit(part: Expr) -> bool:
        return isinstance(part, Indexed) and part.base == LOGITS

    def linear(logit: Indexed) -> Expr:
        (index,) = logit.indices
        product = WEIGHTS[index, COORDINATE] * INPUTS[COORDINATE]
        return Sum(product, (COORDINATE, 0, FEATURES - 1)) + BIAS[index]

    return expression.replace(is_logit, linear)


def weights_gradient() -> Proof:
    r"""Prove the gradient of a linear classifier's loss with respect to its weights.

    Let the logits be :math:`z_j = \sum_c W_{jc} x_c + b_j`, and y the label.

    Returns
    -------
    Proof
        In the free indices COLUMN (k), FEATURE (a) and LABEL (y).

    Notes
    -----
    .. math::
        \frac{\partial (-\log q_y)}{\partial W_{ka}}
        = \frac{(q_k - \delta_{ky}) \, x_a}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.weights_gradient().difference
    0
    """
    loss = _at_linear_logits(-sympy.log(softmax(LABEL)))
    claimed = hard_cross_entropy_gradient().claimed * INPUTS[FEATURE]
    return Proof(loss.diff(WEIGHTS[COLUMN, FEATURE]), _at_linear_logits(claimed))


def bias_gradient() -> Proof:
    r"""Prove the gradient of a linear classifier's loss with respect to its bias.

    Let the logits be :math:`z_j = \sum_c W_{jc} x_c + b_j`, and y the label.

    Returns
    -------
    Proof
        In the free indices COLUMN (k) and LABEL (y).

    Notes
    -----
    .. math::
        \frac{\partial (-\log q_y)}{\partial b_k} = \frac{q_k - \delta_{ky}}{T}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.bias_gradient().difference
    0
    """
    loss = _at_linear_logits(-sympy.log(softmax(LABEL)))
    claimed = hard_cross_entropy_gradient().claimed
    return Proof(loss.diff(BIAS[COLUMN]), _at_linear_logits(claimed))


def _expectation(values: Expr, logits: IndexedBase) -> Expr:
    """Return sum_j softmax(logits/T)_j values_j, `values` being written at index j."""
    return over_classes(softmax(OUTER, logits) * values)


def temperature_gradient() -> Proof:
    r"""Prove the derivative in T of the cross-entropy, for targets t that are fixed.

    Returns
    -------
    Proof
        Without free indices.

    Notes
    -----
    .. math::
        \frac{\partial}{\partial T} \Bigl( -\sum_j t_j \log q_j \Bigr)
        = \frac{1}{T^2} \Bigl( \sum_j t_j z_j - \sum_j t_j \sum_l q_l z_l \Bigr)

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.temperature_gradient().difference
    0
    """
    target_mean = over_classes(TARGETS[OUTER] * LOGITS[OUTER])
    target_sum = over_classes(TARGETS[OUTER])
    student_mean = _expectation(LOGITS[OUTER], LOGITS)
    claimed = (target_mean - target_sum * student_mean) / TEMPERATURE**2
    return Proof(_cross_entropy().diff(TEMPERATURE), claimed)


def teacher_temperature_gradient() -> Proof:
    r"""Prove the derivative in T of the cross-entropy against a softened teacher.

    Let p = softmax(v/T) be the targets, v the teacher's logits, so that T moves both.

    Returns
    -------
    Proof
        Without free indices.

    Notes
    -----
    .. math::
        \frac{\partial}{\partial T} \Bigl( -\sum_j p_j \log q_j \Bigr)
        = \frac{\sum_j p_j z_j - \sum_j q_j z_j}{T^2}
        + \frac{\operatorname{Cov}_p(v, z)}{T^3}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.teacher_temperature_gradient().difference
    0
    """
    loss = -_expectation(log_softmax(OUTER), TEACHER_LOGITS)
    teacher_mean = _expectation(LOGITS[OUTER], TEACHER_LOGITS)
    student_mean = _expectation(LOGITS[OUTER], LOGITS)
    claimed = (teacher_mean - student_mean) / TEMPERATURE**2
    claimed += _teacher_covariance(LOGITS) / TEMPERATURE**3
    return Proof(loss.diff(TEMPERATURE), claimed)


def kl_temperature_gradient() -> Proof:
    r"""Prove the derivative in T of the divergence from a softened teacher.

    Let p = softmax(v/T) be the targets, v the teacher's logits, so that T moves both.

    Returns
    -------
    Proof
        Without free indices.

    Notes
    -----
    .. math::
        \frac{\partial}{\partial T} \sum_j p_j \log \frac{p_j}{q_j}
        = \frac{\sum_j p_j z_j - \sum_j q_j z_j}{T^2}
        + \frac{\operatorname{Cov}_p(v, z) - \operatorname{Var}_p(v)}{T^3}

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.kl_temperature_gradient().difference
    0
    """
    log_ratio = log_softmax(OUTER, TEACHER_LOGITS) - log_softmax(OUTER)
    loss = _expectation(log_ratio, TEACHER_LOGITS)
    variance = _teacher_covariance(TEACHER_LOGITS)
    claimed = teacher_temperature_gradient().claimed - variance / TEMPERATURE**3
    return Proof(loss.diff(TEMPERATURE), claimed)


def _teacher_covariance(values: IndexedBase) -> Expr:
    """Return Cov_p(v, values), where p = softmax(v/T)."""
    teacher, other = TEACHER_LOGITS[OUTER], values[OUTER]
    mean_of_product = _expectation(teacher * other, TEACHER_LOGITS)
    teacher_mean = _expectation(teacher, TEACHER_LOGITS)
    return mean_of_product - teacher_mean * _expectation(other, TEACHER_LOGITS)


def high_temperature_series(order: int = 2, logits: IndexedBase = LOGITS) -> Proof:
    r"""Prove the expansion of softmax(z/T) in powers of 1/T, up to 1/T**`order`.

    Let :math:`\tilde z_i = z_i - \frac{1}{C} \sum_j z_j` be the centred logits and
    :math:`\sigma^2 = \frac{1}{C} \sum_j \tilde z_j^2` their variance.

    Parameters
    ----------
    order : {0, 1, 2}
        The last power of 1/T kept.
    logits : sympy.IndexedBase
        The family z.

    Returns
    -------
    Proof
        In the free index ROW (i); ``derived`` is Taylor's polynomial in s = 1/T,
        differentiated at s = 0.

    Raises
    ------
    ValueError
        If `order` is not 0, 1 or 2.

    Notes
    -----
    .. math::
        q_i = \frac{1}{C} \Bigl[ 1 + \frac{\tilde z_i}{T}
        + \frac{\tilde z_i^2 - \sigma^2}{2 T^2} \Bigr] + O(T^{-3})

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.high_temperature_series().difference
    0
    """
    if order not in (0, 1, 2):
        raise ValueError(f"order must be 0, 1 or 2, got {order!r}")
    inverse = Symbol("s", positive=True)
    probability = softmax(ROW, logits).subs(TEMPERATURE, 1 / inverse)
    derived = sum(
        probability.diff(inverse, power).subs(inverse, 0)
        / (sympy.factorial(power) * TEMPERATURE**power)
        for power in range(order + 1)
    )
    mean = over_classes(logits[OUTER]) / CLASSES
    variance = over_classes((logits[OUTER] - mean) ** 2) / CLASSES
    centred = logits[ROW] - mean
    terms = [
        sympy.S.One,
        centred / TEMPERATURE,
        (centred**2 - variance) / (2 * TEMPERATURE**2),
    ]
    return Proof(derived, sum(terms[: order + 1]) / CLASSES)


def high_temperature_gradient(order: int = 2) -> Proof:
    r"""Prove the expansion of the distillation gradient (q - p)/T in powers of 1/T.

    Let q = softmax(z/T) and p = softmax(v/T), with centred logits
    :math:`\tilde z, \tilde v` and their variances :math:`\sigma_z^2, \sigma_v^2`.

    Parameters
    ----------
    order : {1, 2}
        1 stops at 1/T**2, the high-temperature limit; 2 stops at 1/T**3.

    Returns
    -------
    Proof
        In the free index ROW (i).

    Raises
    ------
    ValueError
        If `order` is not 1 or 2.

    Notes
    -----
    .. math::
        \frac{q_i - p_i}{T} = \frac{\tilde z_i - \tilde v_i}{C T^2}
        + \frac{\tilde z_i^2 - \sigma_z^2 - \tilde v_i^2 + \sigma_v^2}{2 C T^3}
        + O(T^{-4})

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.high_temperature_gradient().difference
    0
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    student = high_temperature_series(order)
    teacher = high_temperature_series(order, TEACHER_LOGITS)
    return Proof(
        (student.derived - teacher.derived) / TEMPERATURE,
        (student.claimed - teacher.claimed) / TEMPERATURE,
    )


def explicit(expression: Expr, number_of_classes: int) -> Expr:
    """Write out the sums of `expression` for a given number of classes.

    Parameters
    ----------
    expression : sympy.Expr
        An expression with sums over C classes.
    number_of_classes : int
        The number C.

    Returns
    -------
    sympy.Expr
        The expression without sums over the classes.

    Raises
    ------
    ValueError
        If `number_of_classes` is less than 1.

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.explicit(symbolic.softmax(symbolic.ROW), 2)
    exp(z[i]/T)/(exp(z[0]/T) + exp(z[1]/T))
    """
    _check_number_of_classes(number_of_classes)
    return expression.subs(CLASSES, number_of_classes).doit()


def _check_number_of_classes(number_of_classes: int) -> None:
    if number_of_classes < 1:
        raise ValueError(
            f"number_of_classes must be at least 1, got {number_of_classes!r}"
        )


def explicit_jacobian(number_of_classes: int) -> sympy.Matrix:
    r"""Return the Jacobian of softmax(z/T), entry by entry, in the probabilities.

    SymPy differentiates each quotient with respect to each of the logits
    :math:`z_0, \dots, z_{C-1}`, without indices and without a Kronecker delta. Then
    :math:`q_j S` is written for :math:`e^{z_j/T}`, where S is their sum.

    Parameters
    ----------
    number_of_classes : int
        The number C.

    Returns
    -------
    sympy.Matrix
        Row i, column j holds :math:`\partial q_i / \partial z_j` in the symbols
        ``q_0``, ``q_1``, ... and ``T``.

    Raises
    ------
    ValueError
        If `number_of_classes` is less than 1.

    Examples
    --------
    >>> from softmax_gradients import symbolic
    >>> symbolic.explicit_jacobian(2)
    Matrix([
    [-q_0**2/T + q_0/T,        -q_0*q_1/T],
    [       -q_0*q_1/T, -q_1**2/T + q_1/T]])
    """
    _check_number_of_classes(number_of_classes)
    logits = [LOGITS[index] for index in range(number_of_classes)]
    exponentials = [sympy.exp(logit / TEMPERATURE) for logit in logits]
    partition = sum(exponentials)
    quotients = sympy.Matrix([numerator / partition for numerator in exponentials])
    jacobian = quotients.jacobian(logits)
    total = Symbol("S", positive=True)
    in_probabilities = {
        exponential: Symbol(f"q_{index}", positive=True) * total
        for index, exponential in enumerate(exponentials)
    }
    return jacobian.subs(partition, total).subs(in_probabilities).expand()
