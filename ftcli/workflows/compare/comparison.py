"""Runs side by side: means and spread over seeds, curves over data size, and where they cross."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ftcli.engine.run_folder import RunFolder
from ftcli.plans.study import LESS_IS_BETTER, Finished, Outcome
from ftcli.workflows.compare.paired import Paired, Right, compare_pair, with_holm
from ftcli.workflows.predictions_table import read_predictions

SCRATCH = "scratch"
FEWEST_SIZES = 2
"""Of a curve, and of one that another may cross."""


@dataclass(frozen=True)
class Cell:
    """A variant on so many training images, over its seeds. Costs are means; of memory the most."""

    variant: str
    num_train: int
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    """On test, of the comparison's metric, by seed."""
    mean: float
    std: float | None
    """The sample standard deviation; None of one seed."""
    trainable: int | None
    parameters: int | None
    images_seen: float
    training_flops: float | None
    seconds: float
    peak_memory: int | None
    tokens_seen: float | None = None
    """Of texts."""


@dataclass(frozen=True)
class Crossover:
    """From how many training images on random weights are no worse than the best fine-tuned variant of each size.

    Interpolated between two sizes, in the logarithm of the size.
    """

    scratch: tuple[str, ...]
    tuned: tuple[str, ...]
    reached: bool
    num_train: float | None
    """None where it is not reached; the smallest size where it is so from the beginning."""
    gap: float
    """By how much scratch is better than fine-tuned at the largest size; below 0 where it is worse."""


@dataclass(frozen=True)
class Comparison:
    """What `ftcli compare` tells. `best` has the best mean of the finalists, which `paired` compares."""

    name: str
    metric: str
    cells: tuple[Cell, ...]
    best: str | None
    paired: tuple[Paired, ...]
    unpaired: tuple[str, ...]
    """Variants without a test against the best: no seed in common, or not the same test images on record."""
    crossover: Crossover | None
    runs: tuple[Finished, ...]
    study: Mapping[str, Any] | None = None
    """What was asked for; None of runs that were there."""

    @property
    def num_trains(self) -> tuple[int, ...]:
        """The sizes, ascending."""
        return tuple(sorted({cell.num_train for cell in self.cells}))

    @property
    def finalists(self) -> tuple[Cell, ...]:
        """What stands side by side, the best first."""
        return _finalists(self.cells, self.metric)

    @property
    def has_curves(self) -> bool:
        """Whether a variant was trained on more than one size."""
        return len(self.cells) > len(self.variants)

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.variant for cell in self.cells))

    @property
    def failed(self) -> tuple[Finished, ...]:
        return tuple(run for run in self.runs if run.state == "failed")

    def at(self, variant: str, num_train: int) -> Cell | None:
        found = (c for c in self.cells if (c.variant, c.num_train) == (variant, num_train))
        return next(found, None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "study": None if self.study is None else dict(self.study),
            "metric": self.metric,
            "best": self.best,
            "cells": [asdict(cell) for cell in self.cells],
            "paired": [asdict(pair) for pair in self.paired],
            "unpaired": list(self.unpaired),
            "crossover": None if self.crossover is None else asdict(self.crossover),
            "runs": [run.to_dict() for run in self.runs],
        }


def compare(name: str, runs: Sequence[Finished], study: Mapping[str, Any] | None = None) -> Comparison:
    """Of whatever runs are complete. A size at which a variant has none is a gap in its curve."""
    done = [run for run in runs if run.outcome is not None]
    metric = _metric(run.outcome for run in done if run.outcome is not None)
    by_cell: dict[tuple[str, object], list[Outcome]] = {}
    for run in done:
        assert run.outcome is not None
        by_cell.setdefault((run.trial.variant, run.trial.size), []).append(run.outcome)
    sizes = _num_trains(by_cell)
    cells = tuple(
        _cell(variant, sizes[size], several, metric) for (variant, size), several in by_cell.items()
    )
    finalists = _finalists(cells, metric)
    at_largest = {
        cell.variant: by_cell[key] for cell, key in zip(cells, by_cell, strict=True) if cell in finalists
    }
    best = finalists[0].variant if finalists else None
    paired = with_holm(list(_pairs(best, at_largest)) if best is not None else [])
    judged = {best, *(pair.other for pair in paired)}
    unpaired = tuple(name for name in at_largest if name not in judged)
    every = [outcome for outcomes in by_cell.values() for outcome in outcomes]
    crossing = crossover_of(cells, every, metric)
    return Comparison(name, metric, cells, best, paired, unpaired, crossing, tuple(runs), study)


def _finalists(cells: Sequence[Cell], metric: str) -> tuple[Cell, ...]:
    """The cells of the largest size, the best first; all of them where no variant has two: none has a curve to end."""
    largest = max((cell.num_train for cell in cells), default=0)
    single = len({cell.variant for cell in cells}) == len(cells)
    here = (cell for cell in cells if single or cell.num_train == largest)
    return tuple(sorted(here, key=lambda cell: -_gain(cell, metric)))


def _gain(cell: Cell, metric: str) -> float:
    """A number of which more is better."""
    return -cell.mean if metric in LESS_IS_BETTER else cell.mean


def crossover_of(
    cells: Sequence[Cell], outcomes: Iterable[Outcome], metric: str = "accuracy"
) -> Crossover | None:
    """None without variants of both sorts that have two sizes in common.

    Fine-tuned are those whose pretrained backbone trains; where none does, the linear probes.
    """
    kinds = {o.variant: (o.pretrained, o.trains_backbone) for o in outcomes}
    scratch = {name for name, (pretrained, _) in kinds.items() if not pretrained}
    tuned = {name for name, kind in kinds.items() if kind == (True, True)}
    tuned = tuned or {name for name, (pretrained, _) in kinds.items() if pretrained}
    upper, lower = (_envelope(cells, names, metric) for names in (tuned, scratch))
    sizes = sorted(upper.keys() & lower.keys())
    if len(sizes) < FEWEST_SIZES:
        return None
    gaps = [lower[size] - upper[size] for size in sizes]
    found = crossing(sizes, gaps)
    names = [tuple(name for name in kinds if name in group) for group in (scratch, tuned)]
    return Crossover(names[0], names[1], found is not None, found, gaps[-1])


def crossing(sizes: Sequence[int], gaps: Sequence[float]) -> float | None:
    """The size from which on no gap is negative, between two sizes on a straight line over log(size)."""
    caught_up = len(gaps)
    while caught_up and gaps[caught_up - 1] >= 0:
        caught_up -= 1
    if caught_up == len(gaps):
        return None
    if caught_up == 0:
        return float(sizes[0])
    before, after = gaps[caught_up - 1], gaps[caught_up]
    share = before / (before - after)
    start, end = log(sizes[caught_up - 1]), log(sizes[caught_up])
    return exp(start + share * (end - start))


def _metric(outcomes: Iterable[Outcome]) -> str:
    """The verdicts' own where all have the same."""
    metrics = {outcome.metric for outcome in outcomes}
    return metrics.pop() if len(metrics) == 1 else "accuracy"


def _num_trains(by_cell: Mapping[tuple[str, object], Sequence[Outcome]]) -> dict[object, int]:
    """By size: of `all` the mean, for where groups are divided each seed leaves another number to train on."""
    found: dict[object, list[int]] = {}
    for (_, size), outcomes in by_cell.items():
        found.setdefault(size, []).extend(outcome.num_train for outcome in outcomes)
    return {size: round(fmean(numbers)) for size, numbers in found.items()}


def _cell(variant: str, num_train: int, outcomes: Sequence[Outcome], metric: str) -> Cell:
    scores = tuple(outcome.scored(metric) for outcome in outcomes)
    flops = [o.training_flops for o in outcomes if o.training_flops is not None]
    tokens = [o.tokens_seen for o in outcomes if o.tokens_seen is not None]
    memory = [o.peak_memory for o in outcomes if o.peak_memory is not None]
    return Cell(
        variant=variant,
        num_train=num_train,
        seeds=tuple(o.seed for o in outcomes),
        scores=scores,
        mean=fmean(scores),
        std=stdev(scores) if len(scores) > 1 else None,
        trainable=outcomes[0].trainable,
        parameters=outcomes[0].parameters,
        images_seen=fmean(o.images_seen for o in outcomes),
        training_flops=fmean(flops) if len(flops) == len(outcomes) else None,
        seconds=fmean(o.seconds for o in outcomes),
        peak_memory=max(memory, default=None),
        tokens_seen=fmean(tokens) if tokens else None,
    )


def _envelope(cells: Iterable[Cell], variants: set[str], metric: str) -> dict[int, float]:
    """By size the best mean of any of the variants, as a number of which more is better."""
    found: dict[int, float] = {}
    for cell in cells:
        if cell.variant in variants:
            gain = _gain(cell, metric)
            found[cell.num_train] = max(gain, found.get(cell.num_train, gain))
    return found


def _pairs(best: str, outcomes: Mapping[str, Sequence[Outcome]]) -> Iterator[Paired]:
    for other in outcomes:
        both = [(_right(one), _right(two)) for one, two in _by_seed(outcomes[best], outcomes[other])]
        known = [(one, two) for one, two in both if one is not None and two is not None]
        pair = compare_pair(best, other, known) if other != best and len(known) == len(both) else None
        if pair is not None:
            yield pair


def _by_seed(ones: Sequence[Outcome], others: Sequence[Outcome]) -> list[tuple[Outcome, Outcome]]:
    """Those of one seed; a single run on each side is a pair whatever its seed, if the test images are the same."""
    if len(ones) == len(others) == 1:
        return [(ones[0], others[0])]
    by_seed = {outcome.seed: outcome for outcome in others}
    return [(one, by_seed[one.seed]) for one in ones if one.seed in by_seed]


def _right(outcome: Outcome) -> Right | None:
    """None of a run that kept no predictions, or has damaged ones."""
    table = RunFolder(Path(outcome.run)).test_predictions
    try:
        answers = read_predictions(table, multi_label=outcome.is_multi_label)
    except (OSError, ValueError):
        return None
    return {line.name: set(line.labels) == set(line.predicted) for line in answers.lines}
