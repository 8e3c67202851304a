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
from ftcli.plans.study import Failure, Finished, Size, Study, Trial, Variant
from ftcli.workflows.same_plan import FREE, SHOWN, differences

NAME = "study.json"
_GROWS = ("variants", "sizes", "seeds")
_FREE = ("name", *_GROWS, *(f"recipe.{path}" for path in FREE))
"""What two calls for the same study may differ in; of what grows, the later one has all that the earlier had."""


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
        """A study may grow: by variants, sizes and seeds. Raises UsageError, with what differs, where another one
        lives; MachineError where something else does."""
        if self.file.exists():
            there = self.read()[0]
            if found := [*differences(there.to_dict(), study.to_dict(), _FREE), *_left_out(there, study)]:
                more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
                told = f"{'; '.join(found[:SHOWN])}{more}"
                raise UsageError(
                    f"the folder holds another study (what it is -> what is asked for): {told}",
                    where=str(self.path),
                    remedy="take that back (a study may have more seeds, sizes and variants than before, not less), "
                    "or give another --out",
                )
        elif self.path.exists() and not self.path.is_dir():
            raise MachineError(
                "this is a file, not a folder", where=str(self.path), remedy="give another --out"
            )
        elif self.path.exists() and any(not _is_of_a_beginning(path) for path in self.path.iterdir()):
            what = "the folder is not empty, and holds no study"
            raise MachineError(what, where=str(self.path), remedy="give another --out, or empty it")


def _left_out(there: Study, study: Study) -> Iterator[str]:
    """What the study has that is there, and the one asked for has not: its runs would be shown no more."""
    for part in _GROWS:
        names, asked = ([_called(each) for each in getattr(one, part)] for one in (there, study))
        if gone := [name for name in names if name not in asked]:
            yield f"{part}: {', '.join(names)} -> without {', '.join(gone)}"
    now = {variant.name: variant for variant in study.variants}
    for was in there.variants:
        is_now = now.get(was.name, was)
        if was.overrides != is_now.overrides:
            yield f"{was.name}: {' '.join(was.overrides)} -> {' '.join(is_now.overrides)}"
        elif was.slug != is_now.slug:
            yield f"folder of {was.name}: {was.slug} -> {is_now.slug}"


def _called(part: Variant | Size | int | None) -> str:
    return part.name if isinstance(part, Variant) else "the recipe's" if part is None else str(part)


def unfinished(study: Study) -> list[Finished]:
    return [Finished(trial) for trial in study.trials]


def _is_of_a_beginning(path: Path) -> bool:
    """What a study leaves that was killed before it had written anything."""
    return path.name == run_lock.NAME or is_aside(path)
