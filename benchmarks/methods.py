"""The mean loss and its gradient, by this package and by what else one would pick.

Each function here takes logits of shape (N, C) and targets, class indices or weights,
and returns a function without arguments that gives the mean loss and its gradient: the
call that a user would make. It returns None for targets that the library does not take.
Libraries are imported in the functions: what is not installed is left out.
"""

from importlib import metadata

import numpy as np

import softmax_gradients as sg

LIBRARIES = ["numpy", "scipy", "scikit-learn", "torch", "jax", "numba", "autograd"]


def this_package(logits, targets):
    out = np.empty_like(logits)
    return lambda: sg.cross_entropy_value_and_gradient(logits, targets, out=out)


def naive_numpy(logits, targets):
    rows = np.arange(len(logits))

    def run():
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = exponentials / exponentials.sum(axis=1, keepdims=True)
        if targets.ndim == 2:
            loss = -(targets * np.log(probs)).sum(axis=1).mean()
            return loss, (probs - targets) / len(probs)
        loss = -np.log(probs[rows, targets]).mean()
        probs[rows, targets] -= 1
        return loss, probs / len(probs)

    return run


def scipy(logits, targets):
    from scipy.special import log_softmax

    rows = np.arange(len(logits))

    def run():
        log_probs = log_softmax(logits, axis=1)
        gradient = np.exp(log_probs)
        if targets.ndim == 2:
            loss = -(targets * log_probs).sum(axis=1).mean()
            gradient -= targets
        else:
            loss = -log_probs[rows, targets].mean()
            gradient[rows, targets] -= 1
        gradient /= len(gradient)
        return loss, gradient

    return run


def scikit_learn(logits, targets):
    from sklearn._loss.loss import HalfMultinomialLoss

    if targets.ndim == 2:
        return None
    loss = HalfMultinomialLoss(n_classes=logits.shape[1])
    labels = targets.astype(logits.dtype)

    def run():
        losses, gradient = loss.loss_gradient(
            y_true=labels, raw_prediction=logits, n_threads=1
        )
        return losses.mean(), gradient

    return run


def pytorch(logits, targets):
    import torch

    torch.set_num_threads(1)
    leaf = torch.from_numpy(logits.copy()).requires_grad_()
    answer = torch.from_numpy(targets)

    def run():
        leaf.grad = None
        loss = torch.nn.functional.cross_entropy(leaf, answer)
        loss.backward()
        return loss.detach(), leaf.grad

    return run


def jax(logits, targets):
    import jax

    jax.config.update("jax_enable_x64", True)
    rows = np.arange(len(logits))

    def mean_loss(scores, answer):
        log_probs = jax.nn.log_softmax(scores, axis=1)
        if targets.ndim == 2:
            return -(answer * log_probs).sum(axis=1).mean()
        return -log_probs[rows, answer].mean()

    scores, answer = jax.numpy.asarray(logits), jax.numpy.asarray(targets)
    compiled = jax.jit(jax.value_and_grad(mean_loss))
    return lambda: jax.block_until_ready(compiled(scores, answer))


def numba(logits, targets):
    import numba

    if targets.ndim == 2:
        return None
    gradient = np.empty_like(logits)

    @numba.njit
    def mean_loss(scores, labels, gradient):
        count, classes = scores.shape
        loss = 0.0
        for row in range(count):
            peak = scores[row].max()
            total = 0.0
            for k in range(classes):
                gradient[row, k] = np.exp(scores[row, k] - peak)
                total += gradient[row, k]
            loss += np.log(total) + peak - scores[row, labels[row]]
            for k in range(classes):
                gradient[row, k] /= total * count
            gradient[row, labels[row]] -= 1 / count
        return loss / count

    return lambda: (mean_loss(logits, targets, gradient), gradient)


def autograd(logits, targets):
    import autograd.numpy as anp
    from autograd import value_and_grad

    rows = np.arange(len(logits))

    def mean_loss(scores):
        shifted = scores - anp.max(scores, axis=1, keepdims=True)
        log_sums = anp.log(anp.sum(anp.exp(shifted), axis=1))
        if targets.ndim == 2:
            return anp.mean(log_sums - anp.sum(targets * shifted, axis=1))
        return anp.mean(log_sums - shifted[rows, targets])

    compute = value_and_grad(mean_loss)
    return lambda: compute(logits)


# The few lines of NumPy that a user would write at any temperature: what each public
# function of the package is timed beside.


def _plain_exponentials(logits, temperature):
    scaled = logits / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    return np.exp(scaled)


def plain_softmax(logits, temperature):
    exponentials = _plain_exponentials(logits, temperature)
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


def plain_log_softmax(logits, temperature):
    scaled = logits / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return scaled


def plain_softmax_vjp(logits, cotangent, temperature):
    probs = plain_softmax(logits, temperature)
    mean = (probs * cotangent).sum(axis=1, keepdims=True)
    return probs * (cotangent - mean) / temperature


def plain_log_softmax_vjp(logits, cotangent, temperature):
    probs = plain_softmax(logits, temperature)
    total = cotangent.sum(axis=1, keepdims=True)
    return (cotangent - probs * total) / temperature


def plain_cross_entropy(logits, targets, temperature):
    log_probs = plain_log_softmax(logits, temperature)
    if targets.ndim == 2:
        return -(targets * log_probs).sum(axis=1).mean()
    return -log_probs[np.arange(len(logits)), targets].mean()


def plain_cross_entropy_gradient(logits, targets, temperature):
    gradient = plain_softmax(logits, temperature)
    if targets.ndim == 2:
        gradient -= targets
    else:
        gradient[np.arange(len(logits)), targets] -= 1
    gradient /= temperature * len(logits)
    return gradient


def plain_value_and_gradient(logits, targets, temperature):
    log_probs = plain_log_softmax(logits, temperature)
    gradient = np.exp(log_probs)
    rows = np.arange(len(logits))
    if targets.ndim == 2:
        loss = -(targets * log_probs).sum(axis=1).mean()
        gradient -= targets
    else:
        loss = -log_probs[rows, targets].mean()
        gradient[rows, targets] -= 1
    gradient /= temperature * len(logits)
    return loss, gradient


def plain_temperature_gradient(logits, targets, temperature):
    gradient = plain_cross_entropy_gradient(logits, targets, temperature)
    return -(gradient * logits).sum() / temperature


def plain_kl_divergence(logits, teacher_logits, temperature):
    log_q = plain_log_softmax(logits, temperature)
    log_p = plain_log_softmax(teacher_logits, temperature)
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean()


def plain_kl_divergence_gradient(logits, teacher_logits, temperature):
    gradient = plain_softmax(logits, temperature)
    gradient -= plain_softmax(teacher_logits, temperature)
    gradient /= temperature * len(logits)
    return gradient


def plain_distillation_loss(logits, teacher_logits, labels, temperature, alpha=0.5):
    soft = plain_kl_divergence(logits, teacher_logits, temperature)
    hard = plain_cross_entropy(logits, labels, 1.0)
    return alpha * temperature**2 * soft + (1 - alpha) * hard


def plain_distillation_gradient(logits, teacher_logits, labels, temperature, alpha=0.5):
    soft = plain_kl_divergence_gradient(logits, teacher_logits, temperature)
    hard = plain_cross_entropy_gradient(logits, labels, 1.0)
    return alpha * temperature**2 * soft + (1 - alpha) * hard


def plain_distillation_value_and_gradient(
    logits, teacher_logits, labels, temperature, alpha=0.5
):
    log_q = plain_log_softmax(logits, temperature)
    log_p = plain_log_softmax(teacher_logits, temperature)
    probs = np.exp(log_p)
    soft = (probs * (log_p - log_q)).sum(axis=1).mean()
    soft_gradient = (np.exp(log_q) - probs) / (temperature * len(logits))
    hard, hard_gradient = plain_value_and_gradient(logits, labels, 1.0)
    squared = temperature**2
    loss = alpha * squared * soft + (1 - alpha) * hard
    return loss, alpha * squared * soft_gradient + (1 - alpha) * hard_gradient


METHODS = {
    "this package": this_package,
    "scikit-learn": scikit_learn,
    "SciPy": scipy,
    "NumPy, naive": naive_numpy,
    "PyTorch": pytorch,
    "JAX, jit": jax,
    "Numba, a loop": numba,
    "autograd": autograd,
}


def installed(logits, targets):
    """Return the functions to run, by name, for what is installed."""
    functions = {}
    for name, make in METHODS.items():
        try:
            run = make(logits, targets)
        except ImportError:
            continue
        if run is not None:
            functions[name] = run
    return functions


def versions():
    """Return the versions of what is installed, by name."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found | {"softmax-gradients": sg.__version__}
