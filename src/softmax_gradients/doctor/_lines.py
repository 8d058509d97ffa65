"""Lines of code beside the formulas: what is right, and what mistakes write instead.

In them z are the logits, t the targets, g the cotangent, v the teacher's logits; N is
the number of rows and C that of classes, q = softmax(z/T) and p = softmax(v/T).
"""

from collections.abc import Mapping

RIGHT_LINES: Mapping[str, str] = {
    "softmax": "np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True)",
    "jacobian": "q[:, :, None] * (np.eye(C) - q[:, None, :]) / T",
    "vjp": "q * (g - (q * g).sum(axis=-1, keepdims=True)) / T",
    "log_softmax_vjp": "(g - q * g.sum(axis=-1, keepdims=True)) / T",
    "loss": "-(t * log_q).sum() / N",
    "gradient": "(q * t.sum(axis=-1, keepdims=True) - t) / (T * N)",
    "hessian": "q[:, :, None] * (np.eye(C) - q[:, None, :]) / T**2",
    "temperature_gradient": (
        "(t * z - t.sum(axis=-1, keepdims=True) * q * z).sum() / (T**2 * N)"
    ),
    "distillation_loss": "T**2 * (p * (log_p - log_q)).sum() / N",
    "kl_divergence_gradient": "(q - p) / (T * N)",
}
# What the names in the lines are, in code.
WHERE: Mapping[str, str] = {
    "s": "s = (z - z.max(axis=-1, keepdims=True)) / T",
    "q": "q = softmax(z / T)",
    "p": "p = softmax(v / T)",
    "log_q": "log_q = log_softmax(z / T)",
    "log_p": "log_p = log_softmax(v / T)",
}
WRONG_LINES: Mapping[str, Mapping[str, str]] = {
    "diagonal-jacobian": {
        "jacobian": "np.eye(C) * (q * (1 - q))[:, :, None] / T",
        "vjp": "q * (1 - q) * g / T",
        "log_softmax_vjp": "(1 - q) * g / T",
        "gradient": "-t * (1 - q) / (T * N)",
    },
    "jacobian-row-sums": {
        "vjp": "q * (1 - q) * g / T",
        "gradient": "-t * (1 - q) / (T * N)",
    },
    "flipped-sign": {
        "gradient": "-(q * t.sum(axis=-1, keepdims=True) - t) / (T * N)",
        "loss": "(t * log_q).sum() / N",
        "kl_divergence_gradient": "(p - q) / (T * N)",
    },
    "vjp-without-dot-product": {"vjp": "q * g / T", "gradient": "-t / (T * N)"},
    "log-softmax-vjp-transposed": {
        "log_softmax_vjp": "(g - (q * g).sum(axis=-1, keepdims=True)) / T"
    },
    "softmax-and-log-softmax-backward": {
        "vjp": "(g - q * g.sum(axis=-1, keepdims=True)) / T",
        "log_softmax_vjp": "q * (g - (q * g).sum(axis=-1, keepdims=True)) / T",
    },
    "sigmoid-for-softmax": {
        "softmax": "1 / (1 + np.exp(-z / T))",
        "gradient": "(1 / (1 + np.exp(-z / T)) - t) / (T * N)",
    },
    "unnormalised-targets": {"gradient": "(q - t) / (T * N)"},
    "gradient-wrt-probabilities": {"gradient": "-t / q / N"},
    "missing-temperature": {
        "softmax": "np.exp(T * s) / np.exp(T * s).sum(axis=-1, keepdims=True)",
        "gradient": "(q * t.sum(axis=-1, keepdims=True) - t) / N",
        "vjp": "q * (g - (q * g).sum(axis=-1, keepdims=True))",
        "kl_divergence_gradient": "(q - p) / N",
    },
    "inverse-square-temperature": {
        "gradient": "(q * t.sum(axis=-1, keepdims=True) - t) / (T**2 * N)",
        "kl_divergence_gradient": "(q - p) / (T**2 * N)",
    },
    "missing-t-squared": {"distillation_loss": "(p * (log_p - log_q)).sum() / N"},
    "reversed-kl": {
        "distillation_loss": "T**2 * (np.exp(log_q) * (log_q - log_p)).sum() / N"
    },
    "missing-batch-mean": {
        "loss": "-(t * log_q).sum()",
        "gradient": "(q * t.sum(axis=-1, keepdims=True) - t) / T",
        "distillation_loss": "T**2 * (p * (log_p - log_q)).sum()",
        "kl_divergence_gradient": "(q - p) / T",
    },
    "mean-over-classes": {
        "loss": "-(t * log_q).mean()",
        "gradient": "(q * t.sum(axis=-1, keepdims=True) - t) / (T * N * C)",
        "distillation_loss": "T**2 * (p * (log_p - log_q)).mean()",
        "kl_divergence_gradient": "(q - p) / (T * N * C)",
    },
    "temperature-gradient-sign": {
        "temperature_gradient": (
            "-(t * z - t.sum(axis=-1, keepdims=True) * q * z).sum() / (T**2 * N)"
        )
    },
    "diagonal-hessian": {"hessian": "np.eye(C) * (q * (1 - q))[:, :, None] / T**2"},
    "pass-through-backward": {"vjp": "g", "log_softmax_vjp": "g"},
    "zero-gradient": {"vjp": "np.zeros(z.shape)", "gradient": "np.zeros(z.shape)"},
    "log-of-softmax": {"loss": "-(t * np.log(q)).sum() / N"},
    "uncentred-limit": {"kl_divergence_gradient": "(z - v) / (C * T**2) / N"},
}
