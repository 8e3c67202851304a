"""The main job: a recipe is compiled, shown, performed and proved, and what it comes to is written down."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from ftcli.engine.cadence import Cadence
from ftcli.engine.determinism import arithmetic
from ftcli.engine.drift import DriftMeter, start_of
from ftcli.engine.fit import fit
from ftcli.engine.forecast import forecast
from ftcli.engine.keep import RunKeeper
from ftcli.engine.micro_batch import is_out_of_memory, out_of_memory
from ftcli.engine.peak_memory import PeakMemory
from ftcli.engine.preload import preload
from ftcli.engine.progress import Progress
from ftcli.engine.run_folder import RunFolder, claimed_run_folder
from ftcli.engine.run_lock import held, remove_left
from ftcli.engine.stopwatch import span
from ftcli.engine.work import Work
from ftcli.errors import FrozenTensorChanged, NonFiniteError, StoppedBySystem, StoppedByUser
from ftcli.events import Listener, Noticed, PlanReady, RunDone, Scores, Working
from ftcli.findings import Finding
from ftcli.plans.data_splits import VAL, split_record
from ftcli.recipe.dump import dump_recipe
from ftcli.recipe.schema import Recipe
from ftcli.stopping import Terminated
from ftcli.workflows.absolute_paths import with_absolute_paths
from ftcli.workflows.audit_gate import audit_of, gate
from ftcli.workflows.cache import feature_shelf, open_store
from ftcli.workflows.decoded import Decoded, image_batches
from ftcli.workflows.environment import environment
from ftcli.workflows.forgetting import forgetting_meter, with_forgetting
from ftcli.workflows.outcome import Performed, result_of
from ftcli.workflows.prepare import Prepared, machine_for, model_card, prepare
from ftcli.workflows.probe import floor_of
from ftcli.workflows.report_images import images_by_name
from ftcli.workflows.result import TrainResult
from ftcli.workflows.resume import find_run, saved_result
from ftcli.workflows.same_plan import refuse_another_plan
from ftcli.workflows.samples import samples_after, samples_before
from ftcli.workflows.tracking import tracked
from ftcli.workflows.watch import Watch


@dataclass
class _Findings:
    """Everything noticed goes into the run's progress, and to the listener: once, however often it is found."""

    tell: Listener
    progress: Progress
    told: set[Finding] = field(default_factory=set)

    def __call__(self, event: object) -> None:
        if isinstance(event, Noticed):
            if event.finding in self.told:
                return
            self.told.add(event.finding)
            self.progress.notice(event.finding)
        self.tell(event)  # type: ignore[arg-type]

    def go_on_with(self, progress: Progress) -> None:
        """What was noticed while a run was prepared follows what it had noticed before it was cut off."""
        progress.notice(*self.progress.noticed)
        self.progress = progress


def train(
    recipe: Recipe,
    *,
    out: Path | None,
    resume: bool,
    listener: Listener,
    decoded: Decoded | None = None,
    audit_command: str | None = None,
) -> TrainResult:
    """Run a recipe to its end, or go on with it. `decoded`: what runs on the same data hand on.

    `audit_command` is what a person types to audit these data; without it findings name the run's own recipe.

    A run that is complete already is returned as it is. Raises the errors of ftcli.errors; a frozen tensor that
    moved raises FrozenTensorChanged after the summary is written, and whenever that is read again.
    """
    run = find_run(out, recipe.name) if resume else None
    if run is None:
        with claimed_run_folder(out, recipe.name) as run:
            return _stoppable(recipe, run, listener, decoded, audit_command)
    if not run.summary.exists():
        with held(run.path):
            return _stoppable(recipe, run, listener, decoded, audit_command)
    return _proved(_complete_already(run, listener))


def _complete_already(run: RunFolder, listener: Listener) -> TrainResult:
    """The result again, and what is missing or left over where the process was killed after its last word."""
    run.tidy()
    remove_left(run.path)
    listener(Noticed(_complete(run)))
    result = saved_result(run)
    if not run.report.exists():
        listener(RunDone(str(run.path), result.test, result.seconds))
    return result


def _stoppable(
    recipe: Recipe, run: RunFolder, listener: Listener, decoded: Decoded | None, audit_command: str | None
) -> TrainResult:
    """Raises StoppedByUser for Ctrl-C or SIGTERM; its `where` is the folder to go on with, None when there is none.

    Raises OutOfMemory where no batch could be made smaller. What is known of a loss that is no number is kept.
    """
    try:
        tell = _Findings(listener, Progress())
        with arithmetic(machine_for(recipe).device, tell, repeatable=recipe.runtime.deterministic):
            return _train(recipe, run, tell, decoded, audit_command)
    except NonFiniteError as error:
        if error.diagnosis and run.recipe.exists():
            run.write_diagnosis(error.diagnosis)
        raise
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(error) from error
    except KeyboardInterrupt as stop:
        stopped = StoppedBySystem if isinstance(stop, Terminated) else StoppedByUser
        if not run.recipe.exists():
            raise stopped("stopped before anything was trained") from stop
        finished = "what is finished" if recipe.train.on_non_finite == "stop" else "every finished epoch"
        kept = f"{finished} is kept" if run.checkpoints.exists() else "nothing was kept yet"
        raise stopped(f"stopped; {kept}", where=str(run.path), remedy="go on with --resume") from stop


def _train(
    recipe: Recipe, run: RunFolder, tell: _Findings, decoded: Decoded | None, audit_command: str | None
) -> TrainResult:
    """Nothing is written before every image has been read: a run that cannot begin leaves nothing behind."""
    recorded, peak = run.recorded_precision(), PeakMemory(machine_for(recipe).device)
    reading = f"reading {recipe.source_noun}s"
    with span("opening"):
        prepared = prepare(recipe, lambda done, total: tell(Working(reading, done, total)), recorded)
    refuse_another_plan(run, recipe, prepared)
    keeper, start = _keeper(recipe, prepared, run), start_of(prepared.network, prepared.plan)
    resumed = keeper.resume(prepared.network)
    if resumed is not None:
        tell.go_on_with(resumed[0])
    tell.progress.notice(*prepared.plan.findings)
    with span("forecast"):
        num_val, shared = len(prepared.counted.streams[VAL]), open_store(recipe) is not None
        expected = forecast(prepared.plan, prepared.network, num_val, shared=shared)
    tell(PlanReady(prepared.plan, str(run.path), prepared.notes, expected))
    for finding in keeper.noticed:
        tell(Noticed(finding))
    started = time.perf_counter()
    meter = forgetting_meter(recipe, prepared.plan, tell)
    with span("audit"):
        known = None if decoded is None else decoded.audits
        audit = gate(recipe, prepared.splits, tell, audit_command or audit_of(run, recipe), known)
    with span(reading, len(prepared.splits.examples)):
        batches = image_batches(recipe, prepared, lambda d, n: tell(Working(reading, d, n)), decoded)
    batches = replace(batches, tell=tell)
    batches.store.listen(lambda finding: tell(Noticed(finding)))
    if batches.store.in_memory:  # else loaders fork processes, which must not inherit an import half done
        preload(len(prepared.splits.examples))
    if resumed is None:
        _write_intent(run, recipe, prepared)
    shelf = feature_shelf(recipe, prepared, batches.store)
    if shelf is not None:
        shelf.store.listen(lambda finding: tell(Noticed(finding)))
    with tracked(recipe, run.path, prepared.plan, tell) as told:
        work = Work(prepared.plan, prepared.network, batches, prepared.augment, told, keeper, shelf)
        work.cadence = Cadence(recipe.checkpoint.every_steps, recipe.checkpoint.every_minutes)
        work.remembered = resumed[1] if resumed else {}
        work.meter = DriftMeter(work, start)
        probing = time.perf_counter()
        with prepared.network.pretrained_alone():
            if tell.progress.floor is None:
                tell.progress.floor = _floor(recipe, prepared, work, decoded)
            probed = time.perf_counter() - probing
            samples = samples_before(recipe, work, run, resumed=resumed is not None)
        result = result_of(_perform(recipe, prepared, run, work, tell.progress), audit, started)
        result = replace(result, samples=samples_after(recipe, work, run, samples))
        result = with_forgetting(result, meter, work, tell.progress)
        result = replace(result, peak_memory=peak.bytes, floor_seconds=probed)
        run.complete(result.to_dict())
        told(RunDone(result.run, result.test, result.seconds, images_by_name(batches.store.splits)))
    return _proved(result)


def _floor(recipe: Recipe, prepared: Prepared, work: Work, decoded: Decoded | None) -> Scores | None:
    """What the training has to beat; None where it is seen only as it goes."""
    if prepared.plan.floor not in ("probe", "before"):
        return None
    with span("floor"):
        if prepared.plan.floor == "before":
            return work.evaluate(VAL)
        return floor_of(recipe, prepared, work, None if decoded is None else decoded.floors)


def _proved(result: TrainResult) -> TrainResult:
    """It, as often as it is asked for: raises FrozenTensorChanged where a frozen tensor moved."""
    if result.frozen.changed:
        raise FrozenTensorChanged(
            f"{result.frozen.changed} of {result.frozen.checked} frozen tensors moved",
            where=", ".join(result.frozen.names[:5]),
            remedy="a bug of ftcli, or a module of this backbone changes its own state: please report it",
        )
    return result


def _perform(recipe: Recipe, prepared: Prepared, run: RunFolder, work: Work, progress: Progress) -> Performed:
    """Every epoch that is left to do."""
    val_counts = tuple(prepared.splits.count_per_class("val").values())
    work.tell = watch = Watch(work.tell, work.plan, progress, val_counts)
    fit(work, progress)
    watch.end()
    return Performed(recipe, prepared, run, work, progress, watch)


def _keeper(recipe: Recipe, prepared: Prepared, run: RunFolder) -> RunKeeper:
    card, fingerprint = model_card(recipe, prepared), prepared.plan.fingerprint()
    return RunKeeper(run, card, fingerprint, recipe.checkpoint.keep)


def _complete(run: RunFolder) -> Finding:
    message = "the run is complete: nothing is left to do, and its result is given again"
    return Finding("info", str(run.path), message, "leave --resume out to run the recipe anew")


def _write_intent(run: RunFolder, recipe: Recipe, prepared: Prepared) -> None:
    """What will be done, before anything is: enough to repeat the run."""
    run.write_recipe(dump_recipe(with_absolute_paths(recipe)))
    run.write_plan(prepared.plan.to_dict() | {"fingerprint": prepared.plan.fingerprint()})
    run.write_split(split_record(prepared.splits))
    run.write_environment(environment(prepared.plan.machine))
