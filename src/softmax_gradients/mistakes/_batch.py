"""Mistakes in what the sum over the batch is divided by."""

from math import prod

from ._mistake import Mistake
from ._steps import AVERAGED, Steps, number_of_rows

DIVIDED = Steps(rows=number_of_rows)

ENTRIES = (
    Mistake(
        slug="mean-over-classes",
        title="The mean runs over the classes as well as the rows",
        wrong=r"\frac{1}{N C}\sum_n L_n",
        right=r"\frac{1}{N}\sum_n L_n",
        giveaway="The ratio to the right value is exactly 1/C.",
        page="distillation#which-reduction",
        sources=(
            "pytorch/pytorch#2259",
            "pytorch/pytorch#6622",
            "pytorch/pytorch#7006",
            "pytorch/pytorch#14457",
            "facebookresearch/deit#61",
            "HikariTJU/LD#74",
            "yuanli2333/Teacher-free-Knowledge-Distillation#5",
            "yuanli2333/Teacher-free-Knowledge-Distillation#41",
            "haitongli/knowledge-distillation-pytorch#2",
            "sallymmx/ActionCLIP#24",
            "GMvandeVen/continual-learning#5",
            "labmlai/annotated_deep_learning_paper_implementations:labml_nn/distillation/__init__.py",
        ),
        kinds={kind: (Steps(rows=prod),) for kind in AVERAGED},
    ),
    Mistake(
        slug="batchmean-over-sequences",
        title="A batch of sequences is divided by the sequences, not by their tokens",
        wrong=r"\frac{1}{B}\sum_{b,s} L_{bs}",
        right=r"\frac{1}{B S}\sum_{b,s} L_{bs}",
        giveaway="Right for logits of shape (N, C); S times too large for (B, S, C).",
        page="distillation#which-reduction",
        sources=(
            "huggingface/transformers#1181",
            "neuralmagic/sparseml#592",
        ),
        kinds={
            kind: (Steps(rows=lambda shape: prod(shape[:-1][:1])),) for kind in AVERAGED
        },
    ),
    Mistake(
        slug="missing-batch-mean",
        title="The rows are summed where their mean is meant",
        wrong=r"\sum_n L_n",
        right=r"\frac{1}{N}\sum_n L_n",
        giveaway="The ratio to the right value is the number of rows N.",
        page="gradient-doctor#the-ratio-to-the-right-answer",
        right_if="you meant the sum over the batch",
        sources=(
            "tensorflow/tensorflow#1358",
            "apache/mxnet#2215",
        ),
        kinds={kind: (Steps(rows=lambda shape: 1),) for kind in AVERAGED},
    ),
    Mistake(
        slug="doubled-batch-mean",
        title="The batch is divided by the number of rows twice",
        wrong=r"\frac{1}{N^2}\sum_n L_n",
        right=r"\frac{1}{N}\sum_n L_n",
        giveaway="The ratio to the right value is 1/N.",
        page="gradient-doctor#the-ratio-to-the-right-answer",
        sources=(
            "modelscope/easydistill#16",
            "apache/mxnet#9911",
            "dmlc/gluon-cv#591",
        ),
        kinds={
            kind: (Steps(rows=lambda shape: number_of_rows(shape) ** 2),)
            for kind in AVERAGED
        },
    ),
    Mistake(
        slug="divided-sum",
        title="The sum of the rows, or each row's own loss, is divided by N",
        wrong=r"\frac{1}{N}\sum_n L_n",
        right=r"\sum_n L_n",
        giveaway="The ratio to the right value is 1/N: one row alone does not show it.",
        page="gradient-doctor#the-ratio-to-the-right-answer",
        sources=("paiml/aprender#2182", "cbfinn/maml#70"),
        kinds=dict.fromkeys(AVERAGED, (DIVIDED,)),
        reductions=("sum", "none"),
        right_if="you meant the mean over the batch",
    ),
)
