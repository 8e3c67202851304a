"""What a run leaves behind, and where: one folder, never overwritten silently."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, get_args

from ftcli.engine import run_lock
from ftcli.engine.files import cannot_write, discard, is_aside, sweep, write_json, write_text
from ftcli.errors import DISK_FULL, MachineError
from ftcli.plans.training_plan import Precision
from ftcli.stopping import at_safe_points

RUNS = Path("runs")
"""Where runs go that were given no folder."""
_PROBE = ".writable"
"""A file that is made and removed at once."""
_TRIES = 100
"""To make a folder that others who try the same remove again."""


@dataclass(frozen=True)
class RunFolder:
    """`recipe.yaml`, `plan.json`, `split.json`, `environment.json` before the first epoch; `metrics.jsonl` and
    `checkpoints` during it; `best.safetensors`, `adapter` where there are any, and `test_predictions.csv` after it;
    `summary.json` last: its presence says the run is complete. A language model leaves `samples.json`. `report.html`
    shows all of it."""

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
    def out_of_fold(self) -> Path:
        """What a fold of several predicted of the examples that validated it."""
        return self.path / "out_of_fold.json"

    @property
    def test_predictions(self) -> Path:
        """What the best weights say of every test example, a line each."""
        return self.path / "test_predictions.csv"

    @property
    def samples(self) -> Path:
        """What a language model made of prompts, before and after."""
        return self.path / "samples.json"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def report(self) -> Path:
        """All of it as one page; made anew by `ftcli report`."""
        return self.path / "report.html"

    @property
    def best(self) -> Path:
        return self.path / "best.safetensors"

    @property
    def adapter(self) -> Path:
        """Of a run with adapters: they and the head, as PEFT loads them."""
        return self.path / "adapter"

    @property
    def checkpoints(self) -> Path:
        """What `--resume` goes on from; gone when the run is complete."""
        return self.path / "checkpoints"

    @property
    def diagnosis(self) -> Path:
        return self.path / "diagnosis.json"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    def recorded_precision(self) -> Precision | None:
        """What `precision: auto` came to when the run began; None where no plan says so."""
        try:
            kept = json.loads(self.plan.read_text(encoding="utf-8"))["precision"]
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return kept if kept in get_args(Precision) else None

    def write_plan(self, plan: dict[str, Any]) -> None:
        write_json(self.plan, plan)

    def write_diagnosis(self, diagnosis: Mapping[str, Any]) -> None:
        """What was known when a loss, a gradient, a weight or a buffer was no number."""
        write_json(self.diagnosis, diagnosis)

    def write_environment(self, environment: dict[str, Any]) -> None:
        write_json(self.environment, environment)

    def write_recipe(self, text: str) -> None:
        write_text(self.recipe, text)

    def write_split(self, record: dict[str, Any]) -> None:
        write_json(self.split, record)

    def write_out_of_fold(self, predictions: dict[str, Any]) -> None:
        write_json(self.out_of_fold, predictions)

    def write_samples(self, samples: list[dict[str, Any]]) -> None:
        write_json(self.samples, samples)

    def write_test_predictions(self, table: str) -> None:
        write_text(self.test_predictions, table)

    def complete(self, summary: dict[str, Any]) -> None:
        """Nothing is left to go on from, nor what a killed process left aside. A signal waits until it is done."""
        with at_safe_points():
            write_json(self.summary, summary)
            self.tidy()

    def tidy(self) -> None:
        """Of a run that is complete."""
        discard(self.checkpoints)
        sweep(self.path)

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """One JSON object a line and an epoch; rewritten whole, so that a resumed run repeats no epoch."""
        write_text(self.metrics, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def new_run_folder(out: Path | None, name: str) -> RunFolder:
    """`out`, or the first free one of runs/NAME, runs/NAME-2, ... Raises MachineError when it is there already,

    RunLockedError when a process is at work in it.
    """
    if out is None:
        return RunFolder(_writable(_next_folder(RUNS, name)))
    run_lock.refuse_if_held(out)
    _refuse_taken(out)
    return RunFolder(_writable(out))


@contextmanager
def claimed_run_folder(out: Path | None, name: str) -> Iterator[RunFolder]:
    """A new run folder, made and locked at once: that it cannot be written is told before any work is done.

    When the work in the context fails before it has left anything there, the folder goes again, and so do those
    that were made around it.
    """
    path = out or RUNS
    there_before = {folder for folder in (path, *path.parents) if os.path.lexists(folder)}
    try:
        run = new_run_folder(out, name)
        path = run.path
        with run_lock.held(path):
            _refuse_taken(path)  # another may have had it in the meantime
            yield run
    except BaseException:
        _remove_empty([folder for folder in (path, *path.parents) if folder not in there_before])
        raise


def check_run_folder(out: Path | None, name: str) -> None:
    """Raises MachineError when a new run could not begin there; what is made for the trial is taken away again.

    For telling so at once: what a run imports takes seconds.
    """
    with suppress(_Tried), claimed_run_folder(out, name):
        raise _Tried


class _Tried(Exception):
    pass


def open_run_folder(path: Path) -> RunFolder:
    """A folder that a run has left. Raises MachineError when it is none."""
    run = RunFolder(path)
    if not run.recipe.is_file():
        what = (
            "this is not a run folder: it has no recipe.yaml"
            if path.is_dir()
            else "there is no such run folder"
        )
        raise MachineError(
            what, where=str(path), remedy="give the folder that `ftcli train` named at its end"
        )
    return run


def _refuse_taken(path: Path) -> None:
    try:
        free = not path.exists() or (path.is_dir() and all(map(_is_of_a_beginning, path.iterdir())))
    except FileNotFoundError:  # another's trial has ended between the two looks
        free = True
    except OSError as error:
        raise _not_writable(path, error) from error
    if free:
        return
    if not path.is_dir():
        raise MachineError("this is a file, not a folder", where=str(path), remedy="give another --out")
    is_run = RunFolder(path).recipe.is_file()
    raise MachineError(
        "the run folder exists and is not empty",
        where=str(path),
        remedy="go on with --resume, or give another --out" if is_run else "give another --out, or empty it",
    )


def _is_of_a_beginning(path: Path) -> bool:
    """What a run leaves that was killed before it had written anything."""
    return path.name in (run_lock.NAME, _PROBE) or is_aside(path)


def _remove_empty(folders: list[Path]) -> None:
    """From the deepest up, as far as they are empty."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _next_folder(parent: Path, name: str) -> Path:
    """Made by the one who finds it free: two runs that start at once get two folders."""
    for number in count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _not_writable(path, error) from error
        return path
    raise AssertionError("there is always a next number")


def _writable(path: Path) -> Path:
    for left in reversed(range(_TRIES)):
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / _PROBE).touch()
            (path / _PROBE).unlink(missing_ok=True)  # another one's trial may have removed it
            break
        except (FileNotFoundError, FileExistsError) as error:
            # Another one's trial has ended, and taken its folder away: for good, or between mkdir's own two looks,
            # of which one saw that it was there and the other that it was no folder.
            if not left:
                raise _not_writable(path, error) from error
        except OSError as error:
            raise _not_writable(path, error) from error
    return path


def _not_writable(path: Path, error: OSError) -> MachineError:
    if error.errno in DISK_FULL:
        return cannot_write(path, error)
    what = f"cannot write to the run folder: {error.strerror}"
    return MachineError(what, where=str(path), remedy="give another --out")
