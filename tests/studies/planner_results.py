"""What the planner's study found: accuracy by cell, and what it costs to do as the planner says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

PUBLISHED, PLANNER = "published", "planner"
"""What the published tables alone advise, and what `ftcli plan` does, which knows what was measured here, too."""
BEHIND = "points_behind"
"""Stands in the line of a strategy that was not run on a seed, for it was so far behind the best on others."""
LAST = "last"
"""The last epoch, one of the ways to pick the epoch that is tested."""
Cell = tuple[str, int, int]
"""A source, a number of labelled pictures, a seed."""
Means = Mapping[tuple[str, int], Mapping[str, float]]
"""By source and size, the accuracy of each strategy: the mean over seeds."""


def results(file: Path, pick: str = LAST) -> dict[Cell, dict[str, dict[str, Any]]]:
    """The runs of a file by cell and strategy, with the accuracy of the epoch that `pick` takes. Lines that say how
    they were measured are left out, and runs of which that is not known."""
    found: dict[Cell, dict[str, dict[str, Any]]] = defaultdict(dict)
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        each = json.loads(line)
        if pick in each.get("picked_by", {}):
            each["accuracy"] = each["picked_by"][pick]
        elif BEHIND not in each:
            continue
        found[each["source"], each["size"], each["seed"]][each["strategy"]] = each
    return dict(found)


def means(found: Mapping[Cell, Mapping[str, Mapping[str, Any]]]) -> Means:
    """Over the seeds that are through, of the strategies that all of them have. One that was left behind stands as far
    from the planner as on the seeds on which it ran: another seed draws other pictures, and is easier or harder."""
    seeds: dict[tuple[str, int], list[Mapping[str, Mapping[str, Any]]]] = defaultdict(list)
    for (source, size, _), runs in sorted(found.items(), key=lambda each: (each[0][1], each[0])):
        if PLANNER in runs:  # its line is the last of a seed
            seeds[source, size].append(runs)
    return {
        cell: {
            name: fmean(run[PLANNER]["accuracy"] for run in runs) + _ahead(name, runs)
            for name in runs[0]
            if all(name in run for run in runs)
        }
        for cell, runs in seeds.items()
    }


def _ahead(name: str, runs: list[Mapping[str, Mapping[str, Any]]]) -> float:
    """Of the planner, where both ran."""
    both = (run for run in runs if BEHIND not in run[name])
    return fmean(run[name]["accuracy"] - run[PLANNER]["accuracy"] for run in both)


def regrets(accuracy: Means, name: str, among: list[str]) -> dict[tuple[str, int], float]:
    """What the best of `among` has above strategy `name`, by cell where that was run; 0 where it is better."""
    return {
        cell: max(run[other] for other in (*among, name) if other in run) - run[name]
        for cell, run in accuracy.items()
        if name in run
    }


def regrets_without_hindsight(
    found: Mapping[Cell, Mapping[str, Mapping[str, Any]]], name: str, among: list[str]
) -> dict[tuple[str, int], float]:
    """What the strategy that was best on the other seeds of a cell has above `name`, the mean over its seeds.

    The best of ten in a cell owes some of its lead to chance; what another seed would have chosen does not. Below 0
    where `name` is better.
    """
    told: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (source, size, seed), runs in found.items():
        others = {
            cell: each for cell, each in found.items() if cell[:2] == (source, size) and cell[2] != seed
        }
        known = means(others).get((source, size), {})
        choice = max(
            (other for other in among if other in known and "accuracy" in runs.get(other, {})),
            key=lambda n: known[n],
            default=None,
        )
        if choice is not None and "accuracy" in runs.get(name, {}):
            told[source, size].append(runs[choice]["accuracy"] - runs[name]["accuracy"])
    return {cell: fmean(each) for cell, each in told.items()}


def left_behind(
    found: Mapping[Cell, Mapping[str, Mapping[str, Any]]], cell: Cell, names: list[str], points: float
) -> dict[str, float]:
    """Of strategies, those more than so many points behind the best on the other seeds of a cell, and how far."""
    source, size, seed = cell
    others = {each: runs for each, runs in found.items() if each[:2] == (source, size) and each[2] != seed}
    known = {name: mean for name, mean in means(others).get((source, size), {}).items() if name in names}
    behind = {name: 100 * (max(known.values()) - mean) for name, mean in known.items()}
    return {name: round(by, 2) for name, by in behind.items() if by > points}


def show(found: Mapping[Cell, Mapping[str, Mapping[str, Any]]], strategies: list[str]) -> None:
    """Accuracy by cell, the mean over seeds; the regret of the planner and of always doing the same."""
    accuracy = means(found)
    known = (*strategies, PUBLISHED)
    names = [*(name for name in known if any(name in run for run in accuracy.values())), PLANNER]
    regret = regrets(accuracy, PLANNER, strategies)
    print(f"{'':<24}{'':>6}" + "".join(f"{name:>15}" for name in names) + f"{'regret':>9}")
    for cell, run in accuracy.items():
        cells = "".join(f"{run[name]:>15.1%}" if name in run else f"{'-':>15}" for name in names)
        print(f"{cell[0]:<24}{cell[1]:>6}" + cells + (f"{regret[cell]:>9.1%}" if cell in regret else ""))
    every = {name: list(regrets(accuracy, name, strategies).values()) for name in names}
    blind = {name: list(regrets_without_hindsight(found, name, strategies).values()) for name in names}
    for told, of, among in (
        ("regret, mean", _mean, every),
        ("regret, greatest", _greatest, every),
        ("within one point", _within_a_point, every),
        ("without hindsight, mean", _mean, blind),
        ("within one point", _within_a_point, blind),
        ("cells", lambda each: f"{len(each)}", every),
    ):
        print(f"{told:<30}" + "".join(f"{of(among[name]) if among[name] else '-':>15}" for name in names))


def _mean(each: list[float]) -> str:
    return f"{fmean(each):.1%}"


def _greatest(each: list[float]) -> str:
    return f"{max(each):.1%}"


def _within_a_point(each: list[float]) -> str:
    return f"{fmean(one <= 0.01 for one in each):.0%}"
