"""What the names of parameters say about their meaning, and no more than that."""

import re

LOGITS = frozenset({"z", "logits", "logit", "x", "scores", "score", "inputs", "input"})
PROBABILITIES = frozenset(
    [
        "p",
        "probs",
        "prob",
        "probabilities",
        "s",
        "q",
        "y_hat",
        "yhat",
        "y_pred",
        "ypred",
        "pred",
        "preds",
        "prediction",
        "predictions",
        "predt",
        "output",
        "outputs",
        "out",
        "softmax_output",
        "softmax_outputs",
        "softmax",
        "activations",
        "sm",
        "proba",
    ]
)
TARGETS = frozenset(
    [
        "t",
        "y",
        "y_true",
        "ytrue",
        "target",
        "targets",
        "label",
        "labels",
        "truth",
        "gt",
        "true",
        "one_hot",
        "onehot",
        "y_onehot",
        "ground_truth",
        "expected",
        "actual",
        "desired",
        "correct",
        "classes",
        "actuals",
    ]
)
COTANGENTS = frozenset(
    [
        "g",
        "grad",
        "grads",
        "gradient",
        "grad_output",
        "grad_out",
        "output_gradient",
        "output_grad",
        "dout",
        "dy",
        "dvalues",
        "upstream",
        "delta",
        "da",
        "dl",
        "dz_out",
        "cotangent",
        "gy",
        "gradients",
        "upstream_grad",
        "upstream_gradient",
        "grad_outputs",
        "d_out",
        "loss_gradient",
        "accum_grad",
        "error",
    ]
)
# Those of a linear layer, where they come first.
WEIGHTS = frozenset({"w", "weights", "weight", "theta", "w_out"})
OPTIONS = frozenset(
    [
        "args",
        "opt",
        "opts",
        "options",
        "cfg",
        "config",
        "conf",
        "params",
        "hparams",
        "hyperparameters",
        "settings",
        "flags",
    ]
)
KNOWN_NUMBERS = {
    **dict.fromkeys(("lr", "learning_rate", "eta", "step_size"), 0.1),
    **dict.fromkeys(("eps", "epsilon", "smoothing", "label_smoothing"), 0.0),
    **dict.fromkeys(("reg", "lambda_", "l2", "weight_decay", "reg_strength"), 0.0),
    **dict.fromkeys(("axis", "dim"), -1),
}
# How much of a mixed loss is the soft one.
MIXTURES = frozenset({"alpha", "lambd", "lam", "kd_weight", "soft_weight", "gamma"})
CLASS_COUNTS = frozenset(
    [
        "num_classes",
        "n_classes",
        "nb_classes",
        "classes_num",
        "n_class",
        "c",
        "k",
        "num_class",
        "num_labels",
        "n_labels",
    ]
)
ROW_COUNTS = frozenset({"batch_size", "n", "m", "num_examples", "n_samples"})
BUFFERS = frozenset({"buffer", "dx", "dz", "result", "dst", "out_grad", "grad_in"})
INVERSES = frozenset(
    {"beta", "inv_temp", "inverse_temperature", "inv_temperature", "invtemp"}
)
MASKS = frozenset({"mask", "weights_mask", "valid"})
ROW_WEIGHTS = frozenset(
    f"{what}_{weights}"
    for what in ("sample", "example", "row", "instance", "token")
    for weights in ("weight", "weights")
)
# Weights of rows where the caller says so; else they may be those of the classes.
ANY_WEIGHTS = ROW_WEIGHTS | {"w", "weight", "weights"}
# Parameters that are known not to be a temperature, though their default is 1.
NOT_TEMPERATURES = frozenset(
    {"axis", "dim", "reduction", "eps", "epsilon", "ignore_index", "dout"}
)


def is_temperature(name: str) -> bool:
    """Tell whether a parameter is called T, tau or temperature."""
    return name in ("T", "tau", "temp", "temperature") or bool(
        re.search(r"temperature", name, re.IGNORECASE)
    )


def says(name: str, meaning: frozenset[str]) -> bool:
    """Tell whether a name is one of those that have the meaning."""
    return name.lower().strip("_") in meaning and not is_temperature(name)


def says_teacher(name: str) -> bool:
    """Tell whether a name is that of the teacher's logits."""
    return bool(re.match(r"(t_|tea|teacher)|.*_teacher|.*_t$", name.lower()))


def says_student(name: str) -> bool:
    """Tell whether a name is that of the student's logits."""
    return bool(re.match(r"(s_|stu|student)|.*_student|.*_s$", name.lower()))
