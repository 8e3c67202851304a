"""Each tool does a work once, in a process of its own, and a record of it is made."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.speed.launch import Ended, launch
from tests.benchmarks.speed.machine import ROOT, has_bf16
from tests.benchmarks.speed.study import study
from tests.benchmarks.speed.works import Tool, Work

PEERS = Path(__file__).parent / "peers"
STRATEGIES = {
    "probe": {"kind": "feature_extraction"},
    "partial": {"kind": "partial", "last_stages": 1},
    "full": {"kind": "full"},
    "study": {"kind": "lp_ft", "head_epochs": 1},
}
REFUSED = 2
"""ftcli's exit code for a recipe or a command line that it does not understand."""


@dataclass
class Workplace:
    """Where things lie, and how many threads compute. `scratch` is emptied at will."""

    scratch: Path
    logs: Path
    weights: Path
    ours: Path
    """ftcli's Python."""
    peers: Path
    """The peers' Python."""
    threads: int
    limit: float = 3600
    """Seconds after which a run is ended, and counts as failed."""
    _known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def environment(self, cache: Path) -> dict[str, str]:
        """The same for every tool: threads, no network, caches and settings that are nobody's."""
        threads = {name: str(self.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        homes = {"XDG_CACHE_HOME": cache, "TORCH_HOME": self.weights}
        homes |= {name: cache / name.lower() for name in ("HF_HOME", "FASTAI_HOME", "MPLCONFIGDIR")}
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        told = {name: str(path) for name, path in homes.items()}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return kept | threads | told | offline | {"PYTHONPATH": str(ROOT)}

    def about(self, tool: Tool) -> dict[str, Any]:
        """Versions of a tool, or why it cannot be run.

        It is imported for that, and so has come off the disk before it is timed.
        """
        key = tool.script if tool.script is not None else "ftcli"
        if key not in self._known:
            self._known[key] = self._ask(tool)
        return self._known[key]

    def _ask(self, tool: Tool) -> dict[str, Any]:
        if tool.command:
            return {}
        ours = [str(self.ours), "-c", _VERSIONS]
        command = [str(self.peers), str(PEERS / tool.script), "--versions"] if tool.script else ours
        if not Path(command[0]).exists():
            return {"status": "missing", "why": f"no {command[0]}: make bench-venv"}
        ended = launch(command, self.environment(self.scratch / "cache"), self.logs / "versions", limit=300)
        found = _last_json(ended.stdout)
        return found or {"status": "missing", "why": _reason(ended)}


_VERSIONS = """
import json
import torch, torchvision, timm, sklearn
import ftcli.workflows.train
from importlib.metadata import version
names = ("torch", "torchvision", "timm", "numpy", "pillow")
print(json.dumps({"versions": {name: version(name) for name in names}}))
"""


def perform(
    place: Workplace, work: Work, tool: Tool, data: Path | None, weights: Path | None
) -> dict[str, Any]:
    """A record: `status` is ok, missing, unsupported, failed or late; `why` says more where it is not ok."""
    about = place.about(tool)
    if "status" in about:
        return dict(about)
    if tool.in_bf16 and not has_bf16():
        return {"status": "unsupported", "why": "this processor does not compute in bf16"}
    if tool.command:
        return _command(place, work, tool)
    assert data is not None
    assert weights is not None
    if work.kind == "study":
        return about | study(place, work, tool, recipe_of(work, data, weights))
    if tool.script is None:
        return about | _ftcli(place, work, tool, data, weights)
    return about | _peer(place, work, tool, data, weights)


def _command(place: Workplace, work: Work, tool: Tool) -> dict[str, Any]:
    folders = {"ours": str(place.ours), "peers": str(place.peers.parent)}
    command = [part.format(**folders) for part in tool.command]
    if not Path(command[0]).exists():
        return {"status": "missing", "why": f"no {command[0]}: make bench-venv"}
    ended = launch(
        command, place.environment(place.scratch / "cache"), place.logs / "command", limit=place.limit
    )
    return _measured(ended) if ended.code == 0 else _failed(ended)


def _peer(place: Workplace, work: Work, tool: Tool, data: Path, weights: Path) -> dict[str, Any]:
    job = {
        "data": str(data),
        "backbone": work.backbone,
        "weights": str(weights),
        "work": work.kind,
        "epochs": work.epochs,
        "batch_size": work.batch_size,
        "image_size": work.size,
        "augment": work.augment,
        "lr": work.lr,
        "seed": 0,
        "threads": place.threads,
        **_tuning(tool, place.threads),
        **tool.job,
    }
    path = place.scratch / "job.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(job))
    assert tool.script
    ended = _launched(place, work, tool, [str(place.peers), str(PEERS / tool.script), str(path)])
    found = _last_json(ended.stdout)
    if ended.code != 0 or found is None or ended.timed_out:
        return _failed(ended)
    found["last_accuracy"] = found["accuracies"][-1]
    if "train_seconds" in found:
        found["step_seconds"] = 1000 * found["train_seconds"] / found["images_seen"]
    if tool.tuned:
        found["note"] = f"{job['precision']}, channels_last, {job['workers']} workers"
    return found | _measured(ended)


def _tuning(tool: Tool, threads: int) -> dict[str, Any]:
    """bf16 only where it is computed in: imitated, it is slower, and nobody would call that tuned."""
    if not tool.tuned:
        return {"precision": "fp32", "channels_last": False, "workers": None}
    return {"precision": "bf16" if has_bf16() else "fp32", "channels_last": True, "workers": threads}


def _ftcli(place: Workplace, work: Work, tool: Tool, data: Path, weights: Path) -> dict[str, Any]:
    shutil.rmtree(place.scratch / "ftcli-cache", ignore_errors=True)
    if tool.warm:
        first = _train(place, work, tool, data, weights)
        if first["status"] != "ok":
            return first
    return _train(place, work, tool, data, weights)


def _train(place: Workplace, work: Work, tool: Tool, data: Path, weights: Path) -> dict[str, Any]:
    recipe, run = place.scratch / "recipe.yaml", place.scratch / "run"
    shutil.rmtree(run, ignore_errors=True)
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(json.dumps(recipe_of(work, data, weights), indent=1))  # JSON is YAML
    changes = [part for change in tool.recipe for part in ("--set", change)]
    command = [str(place.ours), "-m", "ftcli", "train", str(recipe), "--out", str(run), "--json", *changes]
    ended = _launched(place, work, tool, command)
    if ended.code == REFUSED:
        return {"status": "unsupported", "why": _reason(ended)}
    if ended.code != 0 or ended.timed_out:
        return _failed(ended)
    epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = read_run(json.loads((run / "summary.json").read_text()), epochs, work.train)
    found |= {"cache_mib": _size(place.scratch / "ftcli-cache"), "run_mib": _size(run)}
    shutil.rmtree(run)
    return found | _measured(ended)


def _size(folder: Path) -> float:
    """MiB of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def recipe_of(work: Work, data: Path, weights: Path) -> dict[str, Any]:
    """The work as a recipe. What it leaves out is at ftcli's defaults."""
    return {
        "data": {"kind": "folder", "path": str(data), "image_size": work.size},
        "model": {"backbone": work.backbone, "weights": str(weights)},
        "strategy": STRATEGIES[work.kind],
        "augment": {"kind": work.augment},
        "optimizer": {"kind": "adamw", "lr": work.lr},
        "train": {"epochs": work.epochs, "batch_size": work.batch_size},
    }


def read_run(summary: dict[str, Any], epochs: Sequence[dict[str, Any]], num_train: int) -> dict[str, Any]:
    """What a run has left behind, by the names of a record.

    `fit_seconds` goes from the first image read to the last result: fine-tuning's own linear probe and the look at
    the test images are in it, which no peer does. `epoch_seconds` is training and validation alone.
    """
    train_seconds = sum(num_train / epoch["images_per_second"] for epoch in epochs)
    accuracies = [epoch["val"]["accuracy"] for epoch in epochs]
    return {
        "fit_seconds": summary["seconds"],
        "epoch_seconds": sum(epoch["seconds"] for epoch in epochs),
        "train_seconds": train_seconds,
        "step_seconds": 1000 * train_seconds / (num_train * len(epochs)),
        "images_seen": num_train * len(epochs),
        "accuracies": accuracies,
        "accuracy": max(accuracies),
        "last_accuracy": accuracies[-1],
        "note": summary["precision"],
    }


def _launched(place: Workplace, work: Work, tool: Tool, command: list[str]) -> Ended:
    """Peers keep what they have in their cache; ftcli's is the one that is emptied."""
    cache = place.scratch / ("ftcli-cache" if tool.script is None else "cache")
    cache.mkdir(parents=True, exist_ok=True)
    log = place.logs / "".join(c if c.isalnum() else "-" for c in f"{work.name} {tool.name}")
    environment = place.environment(cache)
    return launch(command, environment, log, limit=place.limit, samples_memory=work.samples_memory)


def _measured(ended: Ended) -> dict[str, Any]:
    found = {"status": "ok", "whole_seconds": ended.seconds, "peak_rss_mib": ended.peak_rss_mib}
    if ended.peak_mib is not None:
        found |= {"peak_mib": ended.peak_mib, "peak_private_mib": ended.peak_private_mib}
    return found


def _failed(ended: Ended) -> dict[str, Any]:
    return {"status": "late" if ended.timed_out else "failed", "why": _reason(ended)}


def _reason(ended: Ended) -> str:
    """The end of what it wrote; ftcli's errors begin with a line `error:`."""
    lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.lower().startswith("error")]
    told = " ".join(lines[errors[-1] :][:2]) if errors else (lines[-1] if lines else "nothing was said")
    return f"exit {ended.code}: {told}"[:200]


def _last_json(text: str) -> dict[str, Any] | None:
    """Of the last line that is a JSON object: progress bars write to stdout too."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                found: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            return found
    return None
