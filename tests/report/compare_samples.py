"""A comparison made by hand: three variants on three sizes, scratch the best at the end."""

from __future__ import annotations

from ftcli.workflows.compare.comparison import Cell, Comparison, Crossover
from ftcli.workflows.compare.paired import Paired

SIZES = (50, 200, 800)
SCORES = {"probe": (0.61, 0.70, 0.73), "full, lr=1e-3": (0.66, 0.85, 0.95), "scratch": (0.20, 0.60, 0.96)}


def cell(variant: str, size: int, score: float) -> Cell:
    return Cell(
        variant=variant,
        num_train=size,
        seeds=(0, 1),
        scores=(score - 0.01, score + 0.01),
        mean=score,
        std=0.0141,
        trainable=12_810 if variant == "probe" else 3_383_818,
        parameters=3_383_818,
        images_seen=8.0 * size,
        training_flops=None if variant == "probe" else 4.56e12,
        seconds=83.0,
        peak_memory=987 * 2**20,
    )


def paired(other: str, difference: float, p: float) -> Paired:
    low, high = difference - 0.01, difference + 0.01
    return Paired("scratch", other, 269, 2, 30, 10, difference, low, high, p, p)


FOUND = Comparison(
    name="digits",
    metric="accuracy",
    cells=tuple(
        cell(name, size, s) for name, row in SCORES.items() for size, s in zip(SIZES, row, strict=True)
    ),
    best="scratch",
    paired=(paired("probe", 0.23, 1e-9), paired("full, lr=1e-3", 0.01, 0.5)),
    unpaired=(),
    crossover=Crossover(("scratch",), ("full, lr=1e-3",), True, 690.2, 0.01),
    runs=(),
)
