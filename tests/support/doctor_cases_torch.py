"""The same in PyTorch, where it is installed."""

# ruff: noqa: N803, N806, N812, E501

import torch
import torch.nn as nn
import torch.nn.functional as F

from tests.support.doctor_cases import Case

TORCH: list[Case] = []


to = torch.from_numpy


OPT = {"to_array": to}


def add(*args, **more):
    TORCH.append(Case(*args, needs="torch", **more))


# T02 Yuting-Gao/DisCo-pytorch kd_ce_loss.py
class Args:
    alpha, T = 1.0, 4.0


def t02_native(outputs, labels, teacher_outputs, args):
    alpha, T = args.alpha, args.T
    soft = nn.KLDivLoss()(
        F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1)
    )
    return soft * (alpha * T * T) + F.cross_entropy(outputs, labels) * (1.0 - alpha)


def t02(z, v, T=1.0):
    args = Args()
    args.T = T
    return t02_native(z, torch.zeros(len(z), dtype=torch.long), v, args)


add(
    "T02",
    "Yuting-Gao/DisCo-pytorch kd_ce_loss.py",
    "element mean (over N and C)",
    {"mean-over-classes"},
    "distillation_loss",
    t02_native,
    t02,
    4,
    options=OPT,
)


# T03 Ilya703/Inheritune: no T^2
def t03(student_logits, teacher_logits, temperature):
    kl = torch.nn.KLDivLoss(reduction="batchmean")
    return kl(
        F.log_softmax(student_logits / temperature, -1),
        F.softmax(teacher_logits / temperature, -1),
    )


add(
    "T03",
    "Ilya703/Inheritune src/utils/distillation_loss.py",
    "no T^2",
    {"missing-t-squared"},
    "distillation_loss",
    t03,
    t03,
    0,
    options=OPT,
)


# T04 ddranking SoftCrossEntropyLoss: cross-entropy, no T^2
class SoftCE(nn.Module):
    def __init__(self, temperature=1.2):
        super().__init__()
        self.temperature = temperature

    def forward(self, stu, tea):
        a = -F.log_softmax(stu / self.temperature, dim=1)
        b = F.softmax(tea / self.temperature, dim=1)
        return torch.sum(a * b) / stu.size(0)


def t04_times(z, v, T=1.0):
    return SoftCE(T)(z, v) * T * T


add(
    "T04b",
    "my variant of ddranking sce.py, times T^2 (as soft-CE losses such as mmrazor KDSoftCELoss)",
    "none (soft cross-entropy times T^2, same gradient)",
    "right-by-convention",
    "distillation_loss",
    t04_times,
    t04_times,
    0,
    options=OPT,
)


# T06 mxnet#20314 / gluon-cv#1665 / warp-ctc PR#170: the upstream gradient is ignored.
class Deaf(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels):
        q = torch.softmax(logits, 1)
        ctx.save_for_backward(q, labels)
        return -torch.log(q[torch.arange(len(q)), labels]).mean()

    @staticmethod
    def backward(ctx, grad_output):
        q, labels = ctx.saved_tensors
        grad = q.clone()
        grad[torch.arange(len(q)), labels] -= 1
        return grad / len(q), None


def t06(z, y):
    z = z.requires_grad_()
    Deaf.apply(z, y).backward()
    return z.grad


add(
    "T06",
    "apache/mxnet#20314 (gluon-cv#1665), warp-ctc PR#170",
    "custom backward ignores the incoming gradient",
    "unseen",
    "gradient",
    Deaf.apply,
    t06,
    3,
    options=OPT,
)


# T08 huggingface/candle#3569, SKaiNET#862: the graph is cut.
def t08(z, g):
    z = z.requires_grad_()
    y = torch.softmax(z.detach(), -1)
    (y * g).sum().requires_grad_().backward()
    return z.grad


add(
    "T08",
    "huggingface/candle#3569, SKaiNET#862",
    "graph cut: the gradient is None",
    "error",
    "vjp",
    t08,
    t08,
    0,
    options=OPT,
)


# T10 jeffdshen/ml-kata: right formula, no shift.
class Kata(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        e = x.exp()
        e = e / e.sum(dim=-1, keepdim=True)
        ctx.save_for_backward(e)
        return e

    @staticmethod
    def backward(ctx, dz):
        (q,) = ctx.saved_tensors
        outer = (q.unsqueeze(-1) @ (q.unsqueeze(-2) @ dz.unsqueeze(-1))).squeeze(-1)
        return dz * q - outer


def vjp_of(function):
    def vjp(z, g):
        z = z.requires_grad_()
        function.apply(z).backward(g)
        return z.grad

    return vjp


t10 = vjp_of(Kata)


add(
    "T10",
    "jeffdshen/ml-kata kata8/softmax.py",
    "no shift (formula right)",
    {"missing-shift"},
    "vjp",
    Kata.backward,
    t10,
    3,
    options=OPT,
)


# T17 pytorch#63004-like use: smoothing and weights of the library.
def t17(z, y):
    return F.cross_entropy(z, y, label_smoothing=0.1)


add(
    "T17",
    "pytorch#148884 (library label smoothing)",
    "none (label smoothing)",
    "right",
    "loss",
    t17,
    None,
    0,
    options=OPT,
    note="no kind for it",
)


ALL = TORCH
