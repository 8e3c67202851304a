"""The runs of a study, one after the other: what is finished is taken, what was cut off is gone on with."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ftcli.broken_install import broken_install
from ftcli.engine.files import write_text
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.run_lock import held
from ftcli.errors import FtcliError, MachineError, StoppedBySystem, StoppedByUser
from ftcli.events import Event, Listener, Noticed, TrialDone, TrialStarted
from ftcli.plans.study import Failure, Finished, Study, Trial
from ftcli.recipe.schema import Recipe
from ftcli.stopping import Terminated, safe_point
from ftcli.workflows.compare.comparison import Comparison, compare
from ftcli.workflows.compare.failure import failure_of
from ftcli.workflows.compare.foresee import foreseen
from ftcli.workflows.compare.read_run import outcome_of
from ftcli.workflows.compare.study_folder import StudyFolder, unfinished
from ftcli.workflows.compare.training_work import TrainingWork
from ftcli.workflows.decoded import Decoded
from ftcli.workflows.train import train

MakeRecipe = Callable[[Trial], Recipe]


@dataclass
class _Work:
    """What the runs of a study share: decoded images; and what counts their work."""

    folder: StudyFolder
    listener: Listener
    decoded: Decoded = field(default_factory=Decoded)
    counted: TrainingWork = field(default_factory=TrainingWork)


def run_study(study: Study, make: MakeRecipe, out: Path, listener: Listener) -> Comparison:
    """Every trial in a run folder of its own below `out`, by `train`; then all of them side by side.

    A run that fails is on record with its message, and is tried again by the next call; the others go on. Raises
    UsageError where `out` holds another study, RecipeError where a trial's recipe is wrong, StoppedByUser with the
    folder, RunLockedError where another process is at this study.
    """
    recipes = {trial.name: make(trial).model_copy(update={"name": trial.name}) for trial in study.trials}
    work = _Work(StudyFolder(out), listener)
    work.folder.refuse_other(study)
    with held(out):
        runs = unfinished(study)
        left = [trial for trial in study.trials if not work.folder.is_done(trial)]
        for finding in foreseen(left, recipes):
            listener(Noticed(finding))
        try:
            for number, trial in enumerate(study.trials):
                _record(work.folder, study, runs)
                safe_point()
                listener(TrialStarted(number, len(runs), trial))
                runs[number] = _performed(trial, recipes[trial.name], work)
        except KeyboardInterrupt as stop:
            raise _stopped(
                StoppedBySystem if isinstance(stop, Terminated) else StoppedByUser, runs, out
            ) from stop
        except StoppedByUser as stop:
            raise _stopped(type(stop), runs, out) from stop
        found = compare(study.name, runs, study.to_dict())
        work.folder.write(found.to_dict())
    return found


def read_study(path: Path) -> Comparison:
    """A study as it stands: its complete runs side by side. Raises MachineError."""
    folder, counted = StudyFolder(path), TrainingWork()
    study, failed = folder.read()
    runs = [
        _as_it_stands(trial, folder.run(trial), failed.get(trial.name), counted) for trial in study.trials
    ]
    return compare(study.name, runs, study.to_dict())


def _as_it_stands(trial: Trial, run: RunFolder, failure: Failure | None, counted: TrainingWork) -> Finished:
    if not run.summary.is_file():
        return Finished(trial, failure=failure)
    try:
        return Finished(trial, outcome_of(run, trial.variant, counted))
    except FtcliError as error:
        return Finished(trial, failure=failure_of(error))


def _performed(trial: Trial, recipe: Recipe, work: _Work) -> Finished:
    run = work.folder.run(trial)
    anew = not run.summary.exists()
    gc.collect()  # what an earlier run has left in circles is no memory of this one
    try:
        train(
            recipe,
            out=run.path,
            resume=True,
            listener=work.listener if anew else _ignore,
            decoded=work.decoded,
        )
        finished = Finished(trial, outcome_of(run, trial.variant, work.counted))
    except StoppedByUser:
        raise
    except FtcliError as error:
        finished = Finished(trial, failure=failure_of(error))
    except Exception as error:
        told = broken_install(error) or _bug(error, work.folder.path / f"{trial.name}.traceback.txt")
        finished = Finished(trial, failure=failure_of(told))
    work.listener(TrialDone(finished, anew))
    return finished


def _bug(error: Exception, file: Path) -> FtcliError:
    """An error that nobody foresaw ends its own run alone: a study goes on through the night."""
    what = f"internal error: {type(error).__name__}: {error}"
    try:
        write_text(file, traceback.format_exc())
    except MachineError:
        return FtcliError(what)
    return FtcliError(what, where=str(file), remedy="please report the traceback that is in this file")


def _record(folder: StudyFolder, study: Study, runs: list[Finished]) -> None:
    """What is known so far, so that a study that is killed can be gone on with."""
    folder.write({"name": study.name, "study": study.to_dict(), "runs": [run.to_dict() for run in runs]})


def _stopped(kind: type[StoppedByUser], runs: list[Finished], out: Path) -> StoppedByUser:
    done = sum(run.state == "done" for run in runs)
    remedy = "the same command goes on from there"
    return kind(f"stopped; {done} of {len(runs)} runs are finished", where=str(out), remedy=remedy)


def _ignore(event: Event) -> None:
    """For a run that is complete: it has nothing to tell."""
