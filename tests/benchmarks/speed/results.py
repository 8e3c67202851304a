"""Every single run, kept as it is made, and the arithmetic on them: medians, ratios, goals reached."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from tests.benchmarks.speed.works import FP32, Goal, Tool, Work

Record = dict[str, Any]
Reached = Literal["moonshot", "commit", "no", "accuracy", "unknown"]


@dataclass
class Results:
    """The content of speed.json; written after each run, so that an interrupted measurement goes on from there."""

    path: Path
    about: Mapping[str, Any]
    """Machine, commit, threads, form: a file that was made with others is put aside, for runs are compared with runs
    of the same measurement only."""
    runs: list[Record] = field(default_factory=list)

    @classmethod
    def opened(cls, path: Path, about: Mapping[str, Any], *, fresh: bool = False) -> Results:
        results = cls(path, about)
        if path.exists():
            kept = json.loads(path.read_text())
            if not fresh and _same(kept["about"], about):
                results.runs = kept["runs"]
            else:
                path.replace(path.with_name("before.json"))
        return results

    def has(self, work: Work, tool: Tool, repetition: int) -> bool:
        """Whether it is finished: measured, or known not to be in this version."""
        keys = (work.name, tool.name, repetition)
        done = ("ok", "unsupported")
        return any((r["work"], r["tool"], r["repetition"]) == keys and r["status"] in done for r in self.runs)

    def add(self, work: Work, tool: Tool, repetition: int, record: Record) -> None:
        keys = {"work": work.name, "tool": tool.name, "repetition": repetition}
        self.runs = [run for run in self.runs if any(run[key] != keys[key] for key in keys)]
        self.runs.append(keys | record)
        self.save()

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({"about": dict(self.about), "runs": self.runs}, indent=1))
        part.replace(self.path)

    def of(self, work: Work, tool: Tool) -> list[Record]:
        found = [run for run in self.runs if (run["work"], run["tool"]) == (work.name, tool.name)]
        return sorted(found, key=lambda run: run["repetition"])


def _same(kept: Mapping[str, Any], about: Mapping[str, Any]) -> bool:
    passing = ("date", "command")
    return {k: v for k, v in kept.items() if k not in passing} == {
        k: v for k, v in json.loads(json.dumps(dict(about))).items() if k not in passing
    }


@dataclass(frozen=True)
class Summary:
    """The median of some runs, the smallest and the largest."""

    middle: float
    low: float
    high: float
    count: int


def summary(values: Iterable[float]) -> Summary | None:
    """None of none."""
    kept = sorted(values)
    return Summary(median(kept), kept[0], kept[-1], len(kept)) if kept else None


def measured(runs: Iterable[Record], measure: str) -> dict[int, float]:
    """Repetition -> value, of the runs that ended well and measured it."""
    return {r["repetition"]: r[measure] for r in runs if r["status"] == "ok" and r.get(measure) is not None}


def ratio(peer: Mapping[int, float], ours: Mapping[int, float]) -> Summary | None:
    """How many times ours the peer's is: the ratio of the medians, with the least and the greatest of the ratios
    within one repetition, for the machine drifts from one to the next.
    """
    if not peer or not ours:
        return None
    pairs = [peer[number] / ours[number] for number in peer.keys() & ours.keys()]
    middle = median(peer.values()) / median(ours.values())
    return Summary(middle, min(pairs, default=middle), max(pairs, default=middle), len(pairs))


def standard_error(accuracy: float, number: int) -> float:
    """Of a share of `number` images; that of one image where all are right, or none."""
    share = min(max(accuracy, 1 / number), 1 - 1 / number)
    return math.sqrt(share * (1 - share) / number)


@dataclass(frozen=True)
class Judged:
    """A goal beside what was measured."""

    goal: Goal
    ratio: Summary | None
    reached: Reached
    why: str = ""


def judge(goal: Goal, work: Work, results: Results) -> Judged:
    """A goal is reached by the ratio, and only with the accuracy of the fp32 run, within one standard error."""
    ours, peer = results.of(work, goal.ours), results.of(work, goal.peer)
    found = ratio(measured(peer, goal.measure), measured(ours, goal.measure))
    if found is None:
        return Judged(goal, None, "unknown", _why_not((goal.ours, ours), (goal.peer, peer)))
    worse = _accuracy_lost(work, ours, results.of(work, FP32))
    if worse:
        return Judged(goal, found, "accuracy", worse)
    return Judged(goal, found, reached(found.middle, goal))


def reached(value: float, goal: Goal) -> Reached:
    if value >= goal.moonshot:
        return "moonshot"
    return "commit" if value >= goal.commit else "no"


def _accuracy_lost(work: Work, ours: Sequence[Record], exact: Sequence[Record]) -> str:
    mine, theirs = (summary(measured(runs, "accuracy").values()) for runs in (ours, exact))
    if mine is None or theirs is None:
        return ""
    error = standard_error(theirs.middle, work.val)
    if theirs.middle - mine.middle <= error:
        return ""
    return f"accuracy {mine.middle:.1%}, {theirs.middle:.1%} in fp32 (standard error {error:.1%})"


def _why_not(*sides: tuple[Tool, Sequence[Record]]) -> str:
    told = []
    for tool, runs in sides:
        bad = [run for run in runs if run["status"] != "ok"]
        if bad:
            told.append(f"{tool.name}: {bad[-1]['status']}, {bad[-1].get('why', '')}")
        elif not runs:
            told.append(f"{tool.name}: not run")
    return "; ".join(told)
