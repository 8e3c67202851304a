"""What a run leaves behind, and where: one folder, never overwritten silently."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftcli.engine.files import write_json, write_text
from ftcli.errors import MachineError


@dataclass(frozen=True)
class RunFolder:
    """`recipe.yaml`, `plan.json`, `split.json`, `environment.json` before the first epoch; `metrics.jsonl` and the
    weights during it; `summary.json` last, so that its presence says the run is complete."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def split(self) -> Path:
        return self.path / "split.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def best(self) -> Path:
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """What `--resume` goes on from."""
        return self.path / "last.safetensors"

    def write_plan(self, plan: dict[str, Any]) -> None:
        write_json(self.path / "plan.json", plan)

    def write_environment(self, environment: dict[str, Any]) -> None:
        write_json(self.path / "environment.json", environment)

    def write_recipe(self, text: str) -> None:
        write_text(self.recipe, text)

    def write_split(self, record: dict[str, Any]) -> None:
        write_json(self.split, record)

    def write_summary(self, summary: dict[str, Any]) -> None:
        write_json(self.summary, summary)

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """One JSON object a line and an epoch; rewritten whole, so that a resumed run repeats no epoch."""
        write_text(self.metrics, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def new_run_folder(out: Path | None, name: str) -> RunFolder:
    """`out`, or the first free one of runs/NAME, runs/NAME-2, ... Raises MachineError when it is there already."""
    path = out if out is not None else _free(Path("runs"), name)
    if path.is_dir() and not any(path.iterdir()):
        return RunFolder(_writable(path))
    if path.exists():
        raise MachineError(
            "the run folder exists and is not empty",
            where=str(path),
            remedy="give another --out, go on with --resume, or remove it yourself",
        )
    return RunFolder(_writable(path))


def open_run_folder(path: Path) -> RunFolder:
    """A folder that a run has left. Raises MachineError when it is none."""
    run = RunFolder(path)
    if not run.recipe.is_file():
        what = (
            "is not a run folder: it has no recipe.yaml" if path.is_dir() else "there is no such run folder"
        )
        raise MachineError(
            what, where=str(path), remedy="give the folder that `ftcli train` named at its end"
        )
    return run


def _free(parent: Path, name: str) -> Path:
    path, number = parent / name, 2
    while path.exists():
        path, number = parent / f"{name}-{number}", number + 1
    return path


def _writable(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MachineError(
            f"cannot write to the run folder: {error.strerror}", where=str(path), remedy="give another --out"
        ) from error
    return path
