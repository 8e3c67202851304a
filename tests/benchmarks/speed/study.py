"""Four strategies on the same images: as one study, or one run after the other as if no other had been."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.speed.launch import Ended, launch
from tests.benchmarks.speed.works import Tool, Work

APART: dict[str, tuple[str, ...]] = {
    "probe": ("strategy=feature_extraction",),
    "lp_ft": (),
    "full": ("strategy=full",),
    "scratch": ("strategy=scratch", "model.weights=none"),
}
"""What `ftcli compare --strategies probe,lp_ft,full,scratch` makes of a recipe whose own strategy is lp_ft."""


def study(place: Any, work: Work, tool: Tool, recipe: dict[str, Any]) -> dict[str, Any]:
    """A record of the four strategies of `recipe`, which is the work's."""
    file, out = place.scratch / "recipe.yaml", place.scratch / "study"
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(place.scratch / "ftcli-cache", ignore_errors=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(recipe))  # JSON is YAML
    started = time.perf_counter()
    for number, command in enumerate(_commands(place, tool, file, out)):
        if tool.empties and number:
            shutil.rmtree(place.scratch / "ftcli-cache")
        ended = _launched(place, work, command, f"{work.name}-{tool.name}-{number}")
        if ended.code != 0 or ended.timed_out:
            return {"status": "late" if ended.timed_out else "failed", "why": ended.stderr[-200:]}
    whole = time.perf_counter() - started
    runs = sorted((out / "runs").iterdir())
    scores = {run.name: json.loads((run / "summary.json").read_text())["test"]["accuracy"] for run in runs}
    shutil.rmtree(out)
    return {
        "status": "ok",
        "whole_seconds": whole,
        "test_accuracies": scores,
        "accuracy": max(scores.values()),
    }


def _commands(place: Any, tool: Tool, file: Path, out: Path) -> Iterator[list[str]]:
    start = [str(place.ours), "-m", "ftcli"]
    changes = [part for change in tool.recipe for part in ("--set", change)]
    if not tool.apart:
        yield [
            *start,
            "compare",
            str(file),
            "--strategies",
            ",".join(APART),
            "--out",
            str(out),
            "--json",
            *changes,
        ]
        return
    for name, overrides in APART.items():
        own = [part for override in overrides for part in ("--set", override)]
        yield [*start, "train", str(file), "--out", str(out / "runs" / name), "--json", *changes, *own]


def _launched(place: Any, work: Work, command: list[str], name: str) -> Ended:
    cache = place.scratch / "ftcli-cache"
    cache.mkdir(parents=True, exist_ok=True)
    log = place.logs / "".join(c if c.isalnum() else "-" for c in name)
    return launch(command, place.environment(cache), log, limit=place.limit)
