"""Right and wrong functions written in many styles, for the doctor to tell apart."""

# T is the temperature, as in the formulas.
# ruff: noqa: N803

import math

import numpy as np
from autograd import elementwise_grad, grad, jacobian
from autograd import numpy as anp

import softmax_gradients as sg


def q_of(z, T=1.0):
    """Softmax along the last axis, by exponentials."""
    e = np.exp((z - z.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)


def log_q_of(z, T=1.0):
    """Log-softmax along the last axis, by log-sum-exp."""
    s = (z - z.max(axis=-1, keepdims=True)) / T
    return s - np.log(np.exp(s).sum(axis=-1, keepdims=True))


def auto_log_q(z, T=1.0):
    s = z / T
    s = s - anp.max(s, axis=-1, keepdims=True)
    return s - anp.log(anp.sum(anp.exp(s), axis=-1, keepdims=True))


def softmax_by_loops(z, T=1.0):
    out = []
    for row in z.tolist():
        top = max(row)
        e = [math.exp((x - top) / T) for x in row]
        out.append([x / sum(e) for x in e])
    return out


def softmax_of_row(z):
    if z.ndim != 1:
        raise ValueError("one row, please")
    e = np.exp(z - np.max(z))
    return e / np.sum(e)


def jacobian_by_loops(z, temperature=1.0):
    q = np.array(softmax_by_loops(z, temperature))
    rows, classes = q.shape
    out = np.zeros((rows, classes, classes))
    for n in range(rows):
        for i in range(classes):
            for j in range(classes):
                out[n, i, j] = q[n, i] * ((i == j) - q[n, j]) / temperature
    return out


def jacobian_of_row(z):
    q = softmax_of_row(z).reshape(-1, 1)
    return np.diagflat(q) - q @ q.T


def gradient_by_loops(z, t, T=1.0):
    q = softmax_by_loops(z, T)
    rows, classes = z.shape
    return [
        [(q[n][k] * sum(t[n]) - t[n][k]) / T / rows for k in range(classes)]
        for n in range(rows)
    ]


def gradient_by_indices(z, y):
    g = q_of(z)
    g[np.arange(z.shape[0]), y] -= 1
    return g / z.shape[0]


def gradient_by_one_hot(z, y, tau=1.0):
    return (q_of(z, tau) - np.eye(z.shape[1])[y]) / (tau * len(y))


def gradient_of_row(z, y):
    g = softmax_of_row(z)
    g[int(y)] -= 1
    return g


def gradient_by_jacobian(z, t, temperature=1.0):
    q = q_of(z, temperature)
    j = jacobian_by_loops(z, temperature)
    return np.einsum("nij,ni->nj", j, -t / q) / len(z)


def gradient_by_log_jacobian(z, t, temperature=1.0):
    q = q_of(z, temperature)
    j = np.eye(z.shape[1]) - q[:, None, :]
    return (np.transpose(j, (0, 2, 1)) @ -t[..., None])[..., 0] / temperature / len(z)


def gradient_by_differences(z, t, temperature=1.0):
    g = np.empty_like(z)
    for entry in np.ndindex(*z.shape):
        step = np.zeros_like(z)
        step[entry] = 1e-5
        up, down = (loss_by_log_sum(x, t, temperature) for x in (z + step, z - step))
        g[entry] = (up - down) / 2e-5
    return g


def gradient_in_float32(z, t, temperature=1.0):
    z, t = z.astype(np.float32), t.astype(np.float32)
    q = q_of(z, np.float32(temperature))
    g = q * t.sum(1, keepdims=True) - t
    return g / np.float32(temperature * len(z))


def gradient_that_validates(z, t, temperature=1.0):
    if t.shape != z.shape or not np.allclose(t.sum(axis=1), 1):
        raise ValueError("targets must be distributions")
    return (q_of(z, temperature) - t) / temperature / len(z)


def loss_by_log_sum(z, t, temperature=1.0):
    s = z / temperature
    m = s.max(axis=1)
    lse = m + np.log(np.exp(s - m[:, None]).sum(axis=1))
    return np.mean(lse * t.sum(axis=1) - (t * s).sum(axis=1))


def loss_by_indices(z, y):
    return -log_q_of(z)[np.arange(len(y)), y].mean()


def loss_by_loops(z, t, temperature=1.0):
    out = 0.0
    for row, target in zip(log_q_of(z, temperature), t, strict=True):
        for log_q, weight in zip(row, target, strict=True):
            if weight:
                out -= weight * log_q
    return out / len(z)


def loss_of_row(z, y):
    if z.ndim != 1:
        raise ValueError("one row, please")
    return float(np.logaddexp.reduce(z) - z[y])


def auto_loss(z, t, temperature=1.0):
    return -anp.sum(t * auto_log_q(z, temperature)) / len(z)


def divergence(z, v, temperature=1.0):
    log_p, log_q = log_q_of(v, temperature), log_q_of(z, temperature)
    return temperature**2 * (np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean()


def auto_divergence(z, v, temperature=1.0):
    log_p, log_q = auto_log_q(v, temperature), auto_log_q(z, temperature)
    return anp.sum(anp.exp(log_p) * (log_p - log_q)) / len(z)


def vjp_by_jacobian(z, g, temperature=1.0):
    return np.einsum("nij,ni->nj", jacobian_by_loops(z, temperature), g)


def log_vjp_by_matrix(z, g, temperature=1.0):
    q = q_of(z, temperature)
    matrices = np.eye(z.shape[1]) - q[:, None, :]
    return np.stack([m.T @ row for m, row in zip(matrices, g, strict=True)]) / (
        temperature
    )


def auto_jacobian(z):
    return np.stack([jacobian(lambda x: anp.exp(auto_log_q(x)))(row) for row in z])


def temperature_by_autograd(z, t, T=1.0):
    return grad(lambda divisor: auto_loss(z, t, divisor))(float(T))


def temperature_by_difference(z, t, temperature=1.0):
    h = 1e-5
    up, down = (loss_by_log_sum(z, t, temperature + s) for s in (h, -h))
    return (up - down) / (2 * h)


def temperature_by_chain(z, t, temperature=1.0):
    return -(z * np.array(gradient_by_loops(z, t, temperature))).sum() / temperature


def hessian_by_autograd(z, temperature=1.0):
    def row_loss(x):
        return -auto_log_q(x, temperature)[0]

    return np.stack([jacobian(elementwise_grad(row_loss))(row) for row in z])


RIGHT = [
    ("softmax", q_of),
    ("softmax", softmax_by_loops),
    ("softmax", softmax_of_row),
    ("softmax", lambda z: np.exp(z - np.logaddexp.reduce(z, axis=1)[:, None])),
    ("softmax", lambda z, T: np.exp(log_q_of(z, T))),
    ("softmax", lambda z: np.stack([softmax_of_row(row) for row in z])),
    ("softmax", lambda z: np.apply_along_axis(softmax_of_row, 1, z)),
    ("softmax", lambda z: q_of(z.astype(np.float32))),
    ("softmax", lambda z, axis=-1: q_of(z)),
    ("softmax", sg.softmax),
    ("jacobian", jacobian_by_loops),
    ("jacobian", jacobian_of_row),
    ("jacobian", auto_jacobian),
    ("jacobian", lambda z: np.stack([jacobian_of_row(row) for row in z])),
    ("jacobian", sg.softmax_jacobian),
    ("vjp", vjp_by_jacobian),
    (
        "vjp",
        lambda z, g, T: (
            q_of(z, T) * (g - np.einsum("nc,nc->n", q_of(z, T), g)[:, None]) / T
        ),
    ),
    ("vjp", sg.softmax_vjp),
    ("vjp", lambda z, g: jacobian_of_row(z) @ g),
    ("log_softmax_vjp", log_vjp_by_matrix),
    ("log_softmax_vjp", sg.log_softmax_vjp),
    (
        "log_softmax_vjp",
        lambda z, g: grad(lambda x: anp.sum(g * auto_log_q(x)))(z),
    ),
    ("loss", loss_by_log_sum),
    ("loss", loss_by_indices),
    ("loss", loss_by_loops),
    ("loss", loss_of_row),
    ("loss", lambda z, t, T: float(auto_loss(z, t, T))),
    ("loss", lambda z, t: -np.einsum("nc,nc->", t, log_q_of(z)) / len(z)),
    ("loss", lambda z, t: np.trace(-t @ log_q_of(z).T) / len(z)),
    ("loss", lambda z, y: [loss_by_indices(z, y)]),
    ("loss", sg.cross_entropy),
    ("gradient", gradient_by_loops),
    ("gradient", gradient_by_indices),
    ("gradient", gradient_by_one_hot),
    ("gradient", gradient_of_row),
    ("gradient", gradient_by_jacobian),
    ("gradient", gradient_by_log_jacobian),
    ("gradient", gradient_by_differences),
    ("gradient", gradient_in_float32),
    ("gradient", gradient_that_validates),
    ("gradient", grad(auto_loss)),
    ("gradient", lambda z, t, T: grad(auto_loss)(z, t, T)),
    ("gradient", lambda z, t: sg.finite_difference(lambda x: loss_by_loops(x, t), z)),
    ("gradient", lambda z, y: gradient_by_indices(z, y).tolist()),
    ("gradient", sg.cross_entropy_gradient),
    (
        "gradient",
        lambda z, t, T: sg.cross_entropy_value_and_gradient(z, t, temperature=T)[1],
    ),
    ("hessian", hessian_by_autograd),
    ("hessian", lambda z, T: np.array(jacobian_by_loops(z, T)) / T),
    ("hessian", sg.cross_entropy_hessian),
    ("temperature_gradient", temperature_by_autograd),
    ("temperature_gradient", temperature_by_difference),
    ("temperature_gradient", temperature_by_chain),
    ("temperature_gradient", sg.cross_entropy_temperature_gradient),
    ("distillation_loss", divergence),
    ("distillation_loss", lambda z, v, T: sg.distillation_loss(z, v, temperature=T)),
    (
        "distillation_loss",
        lambda z, v, T: T * T * sg.kl_divergence(z, v, temperature=T),
    ),
    ("kl_divergence_gradient", grad(auto_divergence)),
    ("kl_divergence_gradient", lambda z, v, T: (q_of(z, T) - q_of(v, T)) / T / len(z)),
    ("kl_divergence_gradient", sg.kl_divergence_gradient),
    (
        "kl_divergence_gradient",
        lambda z, v, T: sg.distillation_loss_gradient(z, v, temperature=T) / T**2,
    ),
]


def diagonal_by_loops(z, t, T=1.0):
    q = softmax_by_loops(z, T)
    rows, classes = z.shape
    g = np.zeros(z.shape)
    for n in range(rows):
        for k in range(classes):
            g[n, k] = -t[n, k] / q[n][k] * q[n][k] * (1 - q[n][k]) / T / rows
    return g


def diagonal_by_einsum(z, t, T=1.0):
    q = q_of(z, T)
    j = np.einsum("ni,ij->nij", q * (1 - q), np.eye(z.shape[1])) / T
    return np.einsum("nij,ni->nj", j, -t / q) / len(z)


def summed_rows(z, t):
    q = q_of(z)
    j = jacobian_by_loops(z)
    return -t / q * j.sum(axis=2) / len(z)


def no_shift(z):
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


def log_of_row_softmax(z, y):
    return -np.log(q_of(z)[range(len(z)), y]).mean()


def naive_product(z, t):
    return -(t * np.log(q_of(z))).sum() / len(z)


# Other code for the same mistakes.
WRONG = [
    ("softmax", lambda z: 1 / (1 + np.exp(-z)), {"sigmoid-for-softmax"}),
    (
        "gradient",
        lambda z, t: (1 / (1 + np.exp(-z)) - t) / len(z),
        {"sigmoid-for-softmax"},
    ),
    (
        "vjp",
        lambda z, g: g - q_of(z) * g.sum(axis=1, keepdims=True),
        {"softmax-and-log-softmax-backward"},
    ),
    (
        "log_softmax_vjp",
        lambda z, g: q_of(z) * (g - (g * q_of(z)).sum(axis=1, keepdims=True)),
        {"softmax-and-log-softmax-backward"},
    ),
    ("gradient", diagonal_by_loops, {"diagonal-jacobian"}),
    ("gradient", diagonal_by_einsum, {"diagonal-jacobian"}),
    (
        "gradient",
        lambda z, y: (q_of(z) - 1) * np.eye(z.shape[1])[y] / len(z),
        {"diagonal-jacobian"},
    ),
    (
        "gradient",
        lambda z, t, T: (q_of(z, T) - t) / T / len(z),
        {"unnormalised-targets"},
    ),
    (
        "gradient",
        lambda z, y: (np.eye(z.shape[1])[y] - q_of(z)) / len(z),
        {"flipped-sign"},
    ),
    (
        "gradient",
        lambda z, y, T: (q_of(z, T) - np.eye(z.shape[1])[y]) / len(z),
        {"missing-temperature"},
    ),
    (
        "gradient",
        lambda z, y, T: grad(auto_loss)(z, np.eye(z.shape[1])[y], T) / T,
        {"inverse-square-temperature"},
    ),
    (
        "gradient",
        lambda z, y: grad(
            lambda x: auto_loss(anp.exp(auto_log_q(x)), np.eye(z.shape[1])[y])
        )(z),
        {"double-softmax"},
    ),
    (
        "gradient",
        lambda z, y: gradient_by_indices(z, y) * len(z),
        {"missing-batch-mean"},
    ),
    (
        "gradient",
        lambda z, y: gradient_by_indices(z, y) / z.shape[1],
        {"mean-over-classes"},
    ),
    ("gradient", summed_rows, {"zero-gradient"}),
    (
        "jacobian",
        lambda z: np.stack([np.diag(q * (1 - q)) for q in q_of(z)]),
        {"diagonal-jacobian"},
    ),
    (
        "vjp",
        lambda z, g: np.einsum("nc,nc->nc", q_of(z), g),
        {"vjp-without-dot-product"},
    ),
    (
        "log_softmax_vjp",
        lambda z, g: np.stack(
            [
                (np.eye(len(q)) - q[None, :].repeat(len(q), 0)) @ r
                for q, r in zip(q_of(z), g, strict=True)
            ]
        ),
        {"log-softmax-vjp-transposed"},
    ),
    ("softmax", no_shift, {"missing-shift"}),
    (
        "softmax",
        lambda z: np.exp(z) / np.sum(np.exp(z), axis=0),
        {"wrong-axis", "missing-shift"},
    ),
    (
        "softmax",
        lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(1, keepdims=True),
        {"global-max"},
    ),
    (
        "softmax",
        lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(1),
        {"missing-keepdims"},
    ),
    (
        "softmax",
        lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(),
        {"whole-batch-sum"},
    ),
    ("softmax", lambda z: q_of(q_of(z)), {"double-softmax"}),
    (
        "softmax",
        lambda z, T: q_of(z) ** (1 / T),
        {"log-probabilities-not-renormalised"},
    ),
    ("loss", log_of_row_softmax, {"log-of-softmax"}),
    ("loss", naive_product, {"zero-log-zero"}),
    (
        "loss",
        lambda z, t: -(t * np.log(q_of(z) + 1e-7)).sum() / len(z),
        {"epsilon-in-log"},
    ),
    (
        "loss",
        lambda z, y: -np.log(np.clip(q_of(z), 1e-12, 1)[range(len(z)), y]).mean(),
        {"epsilon-in-log"},
    ),
    ("loss", lambda z, t: -np.mean(t * log_q_of(z)), {"mean-over-classes"}),
    ("loss", lambda z, t: -np.sum(t * log_q_of(z)), {"missing-batch-mean"}),
    ("hessian", lambda z, T: jacobian_by_loops(z, T), {"missing-temperature"}),
    (
        "distillation_loss",
        lambda z, v, T: auto_divergence(z, v, T),
        {"missing-t-squared"},
    ),
    (
        "distillation_loss",
        lambda z, v, T: divergence(v, z, T),
        {"reversed-kl", "teacher-student-swapped"},
    ),
    (
        "kl_divergence_gradient",
        lambda z, v, T: (z - v) / T / (T * z.size),
        {"uncentred-limit"},
    ),
    (
        "kl_divergence_gradient",
        lambda z, v, T: grad(lambda x: auto_divergence(v, x, T))(z),
        {"reversed-kl"},
    ),
]

# One of each of the newer entries, in a style of its own.
WRONG += [
    ("loss", lambda z, y: -q_of(z)[range(len(z)), y].mean(), {"missing-log"}),
    ("loss", lambda z, y: -z[range(len(z)), y].mean(), {"missing-log-softmax"}),
    (
        "loss",
        lambda z, y: -log_q_of(z)[range(len(z)), y - 1].mean(),
        {"labels-from-one"},
    ),
    (
        "gradient",
        lambda z, y: (
            (q_of(z) - (np.arange(z.shape[1]) == (y + 1)[:, None]) * 1.0) / len(y)
        ),
        {"labels-off-by-one"},
    ),
    (
        "loss",
        lambda z, y: (
            -np.mean(
                0.9 * log_q_of(z)[range(len(z)), y] + 0.9 * log_q_of(z).mean(axis=1)
            )
        ),
        {"wrong-smoothing-mass"},
    ),
    ("vjp", lambda z, g: g.copy(), {"pass-through-backward"}),
    ("vjp", lambda z, g: jacobian_of_row(g) @ g, {"jacobian-of-another-array"}),
    (
        "vjp",
        lambda z, g: z * (g - (z * g).sum(axis=1, keepdims=True)),
        {"jacobian-of-the-input"},
    ),
    ("vjp", lambda z, g: q_of(z) * (1 - q_of(z)), {"upstream-gradient-ignored"}),
    (
        "vjp",
        lambda z, g: q_of(z) * (g[0] - q_of(z) @ g[0][:, None]),
        {"first-upstream-gradient"},
    ),
    (
        "vjp",
        lambda z, g: q_of(z) * (g - (q_of(z) * g).sum(axis=-1)),
        {"missing-keepdims"},
    ),
    ("vjp", lambda z, g: g * np.exp(z), {"missing-normaliser"}),
    ("gradient", lambda z, y: np.zeros_like(z), {"zero-gradient"}),
    ("softmax", lambda z: z / z.sum(axis=1, keepdims=True), {"missing-exponential"}),
    (
        "softmax",
        lambda z: np.exp(z) / z.sum(axis=1, keepdims=True),
        {"raw-normaliser"},
    ),
]

# Wrong, and none of the catalogue's mistakes.
UNKNOWN = [
    ("softmax", lambda z: q_of(z) ** 2),
    (
        "softmax",
        lambda z: np.maximum(z, 0) / (1e-9 + np.maximum(z, 0).sum(1, keepdims=True)),
    ),
    ("softmax", lambda z, T: q_of(z, np.sqrt(T))),
    ("softmax", lambda z: q_of(z)[:, ::-1]),
    ("jacobian", lambda z: np.stack([np.diag(q) - np.outer(q, q**2) for q in q_of(z)])),
    ("vjp", lambda z, g: q_of(z) * (g - g.mean(axis=1, keepdims=True))),
    ("log_softmax_vjp", lambda z, g: g - q_of(z) * g.mean(axis=1, keepdims=True)),
    ("loss", lambda z, y: -np.log10(q_of(z)[range(len(z)), y]).mean()),
    ("loss", lambda z, t: ((q_of(z) - t) ** 2).sum() / len(z)),
    ("loss", lambda z, y: np.nan),
    ("gradient", lambda z, t: np.full(z.shape, np.nan)),
    ("gradient", lambda z, t: (q_of(z) ** 2 - t) / len(z)),
    ("gradient", lambda z, t: (q_of(z) - t[:, ::-1]) / len(z)),
    ("gradient", lambda z, t: 2 * (q_of(z) - t) * q_of(z) / len(z)),
    ("gradient", lambda z, y: (q_of(z) - 2 * np.eye(z.shape[1])[y]) / len(z)),
    ("hessian", lambda z: np.stack([np.diag(q) + np.outer(q, q) for q in q_of(z)])),
    ("temperature_gradient", lambda z, t, T: temperature_by_autograd(z, t, T) * T**3),
    ("kl_divergence_gradient", lambda z, v, T: np.sign(q_of(z, T) - q_of(v, T))),
    ("distillation_loss", lambda z, v, T: ((z - v) ** 2).mean()),
]
