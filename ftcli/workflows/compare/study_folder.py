"""Where a study lives: its definition and results in study.json, its runs beside it in runs/NAME."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftcli.engine import run_lock
from ftcli.engine.files import is_aside, write_json
from ftcli.engine.run_folder import RunFolder
from ftcli.errors import MachineError, UsageError
from ftcli.plans.study import Failure, Finished, Study, Trial
from ftcli.workflows.same_plan import FREE, SHOWN, differences

NAME = "study.json"
_FREE = ("name", "variants", "sizes", "seeds", *(f"recipe.{path}" for path in FREE))
"""What two calls for the same study may differ in, as long as no finished run is left out."""


@dataclass(frozen=True)
class StudyFolder:
    path: Path

    @property
    def file(self) -> Path:
        return self.path / NAME

    def run(self, trial: Trial) -> RunFolder:
        return RunFolder(self.path / "runs" / trial.name)

    def write(self, content: dict[str, Any]) -> None:
        write_json(self.file, content)

    def read(self) -> tuple[Study, dict[str, Failure]]:
        """What was asked for, and why runs failed, by their names. Raises MachineError."""
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            failed = {run["name"]: Failure(**run["failure"]) for run in content["runs"] if run["failure"]}
            return Study.from_dict(content["study"]), failed
        except (OSError, ValueError, LookupError, TypeError) as error:
            what = f"the study cannot be read: {getattr(error, 'strerror', None) or error}"
            remedy = "compare its runs by their folders, or begin anew with another --out"
            raise MachineError(what, where=str(self.file), remedy=remedy) from error

    def refuse_other(self, study: Study) -> None:
        """A study may grow by variants, sizes and seeds, and lose those of which nothing is finished. Raises
        UsageError, with what differs, where another one lives; MachineError where something else does."""
        if self.file.exists():
            there = self.read()[0]
            found = [*differences(there.to_dict(), study.to_dict(), _FREE), *self._lost(there, study)]
            if found:
                more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
                told = f"{'; '.join(found[:SHOWN])}{more}"
                raise UsageError(
                    f"the folder holds another study (what it is -> what is asked for): {told}",
                    where=str(self.path),
                    remedy="take that back (more seeds, sizes and variants may come to a study; finished ones "
                    "stay), or give another --out",
                )
        elif self.path.exists() and not self.path.is_dir():
            raise MachineError(
                "this is a file, not a folder", where=str(self.path), remedy="give another --out"
            )
        elif self.path.exists() and any(not _is_of_a_beginning(path) for path in self.path.iterdir()):
            what = "the folder is not empty, and holds no study"
            raise MachineError(what, where=str(self.path), remedy="give another --out, or empty it")

    def _lost(self, there: Study, study: Study) -> Iterator[str]:
        """What is finished, and would be shown no more or as something else."""
        asked = {trial.name: trial for trial in study.trials}
        gone = [trial.name for trial in there.trials if trial.name not in asked and self.is_done(trial)]
        if gone:
            yield f"finished, and not asked for: {', '.join(gone)}"
        for trial in there.trials:
            now = asked.get(trial.name, trial)
            if now != trial and self.is_done(trial):
                yield f"{trial.name}: {' '.join(trial.overrides)} -> {' '.join(now.overrides)}"

    def is_done(self, trial: Trial) -> bool:
        return self.run(trial).summary.is_file()


def unfinished(study: Study) -> list[Finished]:
    return [Finished(trial) for trial in study.trials]


def _is_of_a_beginning(path: Path) -> bool:
    """What a study leaves that was killed before it had written anything."""
    return path.name == run_lock.NAME or is_aside(path)
