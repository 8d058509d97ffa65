"""Mutants: right code with one thing changed, made from its syntax tree.

`python -m tests.test_doctor_mutants` prints the doctor's precision and recall on them.
"""

import ast
import copy
import warnings

import numpy as np

SOURCES = {
    "softmax": [
        """
def f(z, T=1.0):
    s = z / T
    e = np.exp(s - np.max(s, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)
""",
    ],
    "jacobian": [
        """
def f(z, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    n = q.shape[-1]
    return (np.eye(n) * q[:, :, None] - q[:, :, None] * q[:, None, :]) / T
""",
    ],
    "vjp": [
        """
def f(z, g, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    return q * (g - np.sum(q * g, axis=-1, keepdims=True)) / T
""",
    ],
    "log_softmax_vjp": [
        """
def f(z, g, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    return (g - q * np.sum(g, axis=-1, keepdims=True)) / T
""",
    ],
    "loss": [
        """
def f(z, t, T=1.0):
    s = (z - np.max(z, axis=-1, keepdims=True)) / T
    logq = s - np.log(np.sum(np.exp(s), axis=-1, keepdims=True))
    return -np.sum(t * logq) / z.shape[0]
""",
        """
def f(z, y, T=1.0):
    s = (z - np.max(z, axis=-1, keepdims=True)) / T
    lse = np.log(np.sum(np.exp(s), axis=-1))
    return np.mean(lse - s[np.arange(z.shape[0]), y])
""",
    ],
    "gradient": [
        """
def f(z, t, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    return (q * np.sum(t, axis=-1, keepdims=True) - t) / (T * z.shape[0])
""",
        """
def f(z, y, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    q[np.arange(z.shape[0]), y] -= 1
    return q / T / z.shape[0]
""",
        """
def f(z, t, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    J = np.eye(z.shape[1]) * q[:, :, None] - q[:, :, None] * q[:, None, :]
    g = np.sum(J * (-t / q)[:, :, None], axis=1)
    return g / T / z.shape[0]
""",
    ],
    "hessian": [
        """
def f(z, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    n = q.shape[-1]
    return (np.eye(n) * q[:, :, None] - q[:, :, None] * q[:, None, :]) / T ** 2
""",
    ],
    "temperature_gradient": [
        """
def f(z, t, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    d = np.sum(t * z, axis=-1) - np.sum(t, axis=-1) * np.sum(q * z, axis=-1)
    return np.sum(d) / T ** 2 / z.shape[0]
""",
    ],
    "distillation_loss": [
        """
def f(z, v, T=1.0):
    s = (z - np.max(z, axis=-1, keepdims=True)) / T
    u = (v - np.max(v, axis=-1, keepdims=True)) / T
    logq = s - np.log(np.sum(np.exp(s), axis=-1, keepdims=True))
    logp = u - np.log(np.sum(np.exp(u), axis=-1, keepdims=True))
    return T ** 2 * np.sum(np.exp(logp) * (logp - logq)) / z.shape[0]
""",
    ],
    "kl_divergence_gradient": [
        """
def f(z, v, T=1.0):
    e = np.exp((z - np.max(z, axis=-1, keepdims=True)) / T)
    h = np.exp((v - np.max(v, axis=-1, keepdims=True)) / T)
    q = e / np.sum(e, axis=-1, keepdims=True)
    p = h / np.sum(h, axis=-1, keepdims=True)
    return (q - p) / T / z.shape[0]
""",
    ],
}

OPERATORS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
}
FUNCTIONS = {
    "sum": ("max", "mean"),
    "max": ("min", "sum", "mean"),
    "mean": ("sum", "max"),
    "exp": ("log", "expm1"),
    "log": ("exp", "log1p", "log10"),
}
CONSTANTS = {1: (0, 2), 2: (1, 3), 0: (1,)}


def changes(node):
    """Yield what one node can be changed into: operator, function, number, name."""
    if isinstance(node, ast.BinOp):
        for operator in OPERATORS[type(node.op)]:
            yield ast.BinOp(node.left, operator(), node.right)
        yield node.left
        yield node.right
        yield ast.BinOp(node.right, node.op, node.left)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    if isinstance(node, ast.Attribute) and node.attr in FUNCTIONS:
        for name in FUNCTIONS[node.attr]:
            yield ast.Attribute(node.value, name, node.ctx)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for number in CONSTANTS[node.value]:
            yield ast.Constant(number)
    if isinstance(node, ast.Constant) and node.value is True:
        yield ast.Constant(False)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for one, other in (("z", "v"), ("q", "p"), ("q", "e"), ("t", "q"), ("T", "z")):
            if node.id == one:
                yield ast.Name(other, ast.Load())
        if node.id == "T":
            yield ast.BinOp(node, ast.Pow(), ast.Constant(2))
        if node.id in ("q", "t", "p", "logq"):
            yield ast.UnaryOp(ast.USub(), node)


def mutated(source):
    """Yield the source of every mutant of a function, each once."""
    tree = ast.parse(source)
    (function,) = tree.body
    seen = {ast.unparse(tree)}
    places = [
        (number, name, index)
        for number, node in enumerate(ast.walk(ast.Module(function.body, [])))
        for name, value in ast.iter_fields(node)
        for index in (range(len(value)) if isinstance(value, list) else (None,))
    ]
    for number, name, index in places:
        target = list(ast.walk(ast.Module(function.body, [])))[number]
        value = getattr(target, name)
        child = value if index is None else value[index]
        if not isinstance(child, ast.AST):
            continue
        for changed in changes(child):
            replaced = copy.deepcopy(changed)
            if index is None:
                setattr(target, name, replaced)
            else:
                value[index] = replaced
            text = ast.unparse(ast.fix_missing_locations(tree))
            if index is None:
                setattr(target, name, child)
            else:
                value[index] = child
            if text not in seen:
                seen.add(text)
                yield text


def compiled(text):
    """Return the function that the source of a mutant defines."""
    space = {"np": np}
    exec(compile(text, "<mutant>", "exec"), space)
    function = space["f"]

    def quiet(*arguments):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments)

    return quiet, function


def all_mutants():
    """Return (kind, whether targets are class indices, source) of every mutant."""
    return [
        (kind, "y, T" in source, text)
        for kind, sources in SOURCES.items()
        for source in sources
        for text in mutated(source)
    ]
