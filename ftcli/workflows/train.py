"""The main job: a recipe is compiled, shown, performed and proved, and what it comes to is written down."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import Tensor

from ftcli.components.data.image import to_rgb
from ftcli.engine.cadence import Cadence
from ftcli.engine.determinism import arithmetic
from ftcli.engine.drift import DriftMeter, start_of
from ftcli.engine.evaluate import scores_of
from ftcli.engine.feed import predict_stream
from ftcli.engine.files import write_text
from ftcli.engine.fit import fit
from ftcli.engine.forecast import forecast
from ftcli.engine.keep import RunKeeper
from ftcli.engine.kept import Ledger
from ftcli.engine.metrics import report_of
from ftcli.engine.micro_batch import is_out_of_memory, out_of_memory
from ftcli.engine.peak_memory import PeakMemory
from ftcli.engine.peft_folder import write_adapters
from ftcli.engine.preload import preload
from ftcli.engine.progress import Progress, compared_by
from ftcli.engine.run_folder import RunFolder, claimed_run_folder
from ftcli.engine.run_lock import held, remove_left
from ftcli.engine.stopwatch import span
from ftcli.engine.weights_file import save_model
from ftcli.engine.whole_checkpoint import best_model
from ftcli.engine.work import Work
from ftcli.errors import FrozenTensorChanged, NonFiniteError, StoppedBySystem, StoppedByUser
from ftcli.events import Listener, Noticed, PlanReady, RunDone, Scores, Working
from ftcli.findings import Finding
from ftcli.plans.audit import AuditReport
from ftcli.plans.data_splits import TEST, VAL, DataSplits, split_record
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.dump import dump_recipe
from ftcli.recipe.schema import Recipe
from ftcli.stopping import Terminated
from ftcli.workflows.absolute_paths import with_absolute_paths
from ftcli.workflows.audit_gate import audit_of, gate, scores_without_leaks
from ftcli.workflows.cache import feature_shelf
from ftcli.workflows.decoded import Decoded, image_batches
from ftcli.workflows.environment import environment
from ftcli.workflows.forgetting import forgetting_meter, with_forgetting
from ftcli.workflows.harm import explain_harm
from ftcli.workflows.last_look import last_look
from ftcli.workflows.out_of_fold import out_of_fold
from ftcli.workflows.perplexity import perplexity_rose, perplexity_verdict
from ftcli.workflows.predictions_table import predictions_table
from ftcli.workflows.prepare import Prepared, machine_for, model_card, prepare
from ftcli.workflows.probe import floor_of
from ftcli.workflows.profile import profile_of
from ftcli.workflows.report_images import images_by_name
from ftcli.workflows.result import Proof, Reuse, TrainResult, VerdictKind
from ftcli.workflows.resume import find_run, saved_result
from ftcli.workflows.same_plan import refuse_another_plan
from ftcli.workflows.samples import WORDS, samples_after, samples_before
from ftcli.workflows.tracking import tracked
from ftcli.workflows.verdict import verdict_of
from ftcli.workflows.watch import Watch


@dataclass
class _Findings:
    """Everything noticed goes into the run's progress, and to the listener."""

    tell: Listener
    progress: Progress

    def __call__(self, event: object) -> None:
        if isinstance(event, Noticed):
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
        expected = forecast(prepared.plan, prepared.network, len(prepared.counted.streams[VAL]))
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
        preload()
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
        if tell.progress.floor is None and prepared.plan.floor == "probe":
            with span("floor"):
                floors = None if decoded is None else decoded.floors
                with prepared.network.pretrained_alone():
                    tell.progress.floor = floor_of(recipe, prepared, work, floors)
        if tell.progress.floor is None and prepared.plan.floor == "before":
            with span("floor"), prepared.network.pretrained_alone():
                tell.progress.floor = work.evaluate(VAL)
        probed = time.perf_counter() - probing
        with prepared.network.pretrained_alone():
            samples = samples_before(recipe, work, run, resumed=resumed is not None)
        result = _perform(recipe, prepared, run, work, tell.progress, audit, started)
        result = replace(result, samples=samples_after(recipe, work, run, samples))
        result = with_forgetting(result, meter, work, tell.progress)
        result = replace(result, peak_memory=peak.bytes, floor_seconds=probed)
        run.complete(result.to_dict())
        told(RunDone(result.run, result.test, result.seconds, images_by_name(batches.store.splits)))
    return _proved(result)


def _proved(result: TrainResult) -> TrainResult:
    """It, as often as it is asked for: raises FrozenTensorChanged where a frozen tensor moved."""
    if result.frozen.changed:
        raise FrozenTensorChanged(
            f"{result.frozen.changed} of {result.frozen.checked} frozen tensors moved",
            where=", ".join(result.frozen.names[:5]),
            remedy="a bug of ftcli, or a module of this backbone changes its own state: please report it",
        )
    return result


def _perform(
    recipe: Recipe,
    prepared: Prepared,
    run: RunFolder,
    work: Work,
    progress: Progress,
    audit: AuditReport | None,
    started: float,
) -> TrainResult:
    plan, network = work.plan, work.network
    val_counts = list(prepared.splits.count_per_class("val").values())
    watch = Watch(work.tell, plan, progress, tuple(val_counts))
    work.tell = watch
    fit(work, progress)
    watch.end()
    floor, ceiling = _floor_and_ceiling(plan, progress)
    kind, verdict = _verdict(plan, floor, ceiling, val_counts)
    if kind == "below_floor":
        with span("explaining"):
            work.tell(Noticed(_harm(work, watch, floor, ceiling)))
    network.model.load_state_dict(_best_written(run))
    if network.adapters is not None:
        write_adapters(run.adapter, network)
    drift = work.meter.measure(features=True) if work.meter else ()
    best = progress.best
    assert best is not None
    work.tell(Working("testing", 0))
    with span("testing", len(prepared.counted.streams[TEST])):
        logits, labels = predict_stream(work, _phase_of(plan, best.phase), TEST)
    with span("report"):
        if plan.floor != "before":  # a language model has no answer for each example
            run.write_test_predictions(predictions_table(logits, labels, work.batches.store.splits))
        report = report_of(logits, labels, plan.classes, plan.seed)
    train_counts = list(prepared.splits.count_per_class("train").values())
    if labels.ndim == 1:
        evened = plan.objective.weighting != "none" or plan.sampler != "shuffle"
        for finding in last_look(logits, labels, plan.classes, train_counts, evened=evened):
            work.tell(Noticed(finding))
    if recipe.data.split.folds:
        run.write_out_of_fold(out_of_fold(work, _phase_of(plan, best.phase)))
    return TrainResult(
        run=str(run.path),
        backbone=plan.layer_map.backbone,
        strategy=plan.strategy,
        classes=plan.classes,
        floor=floor,
        ceiling=ceiling,
        test=scores_of(logits, labels),
        val=best.scores,
        verdict=verdict,
        verdict_kind=kind,
        frozen=_proof(progress),
        findings=tuple(progress.noticed),
        epochs_run=progress.epoch,
        best_epoch=best.epoch,
        best_phase=best.phase,
        weights=str(run.best),
        predict_command=_predict_command(run, prepared.splits),
        seconds=time.perf_counter() - started,
        test_report=report,
        reuse=_reuse(work.prefixes.ledger),
        precision=plan.precision,
        views=max(phase.prefix.views if phase.prefix.kept else 0 for phase in plan.phases),
        augment=plan.transforms,
        depthwise=plan.depthwise,
        fold_bn=plan.fold_bn,
        test_without_leaks=scores_without_leaks(logits, labels, work.batches.store, audit),
        profile=profile_of(work),
        drift=drift,
    )


def _keeper(recipe: Recipe, prepared: Prepared, run: RunFolder) -> RunKeeper:
    card, fingerprint = model_card(recipe, prepared), prepared.plan.fingerprint()
    return RunKeeper(run, card, fingerprint, recipe.checkpoint.keep)


def _best_written(run: RunFolder) -> dict[str, Tensor]:
    """The best weights, which become best.safetensors."""
    with span("checkpoint"):
        found = best_model(run.checkpoints)
        assert found is not None, "a plan has an epoch"
        save_model(run.best, *found)
    return found[0]


def _complete(run: RunFolder) -> Finding:
    message = "the run is complete: nothing is left to do, and its result is given again"
    return Finding("info", str(run.path), message, "leave --resume out to run the recipe anew")


def _write_intent(run: RunFolder, recipe: Recipe, prepared: Prepared) -> None:
    """What will be done, before anything is: enough to repeat the run."""
    run.write_recipe(dump_recipe(with_absolute_paths(recipe)))
    run.write_plan(prepared.plan.to_dict() | {"fingerprint": prepared.plan.fingerprint()})
    run.write_split(split_record(prepared.splits))
    run.write_environment(environment(prepared.plan.machine))


def _floor_and_ceiling(plan: TrainingPlan, progress: Progress) -> tuple[Scores | None, Scores | None]:
    if plan.floor == "none":
        return None, None
    if plan.floor == "itself":
        assert progress.best is not None
        return progress.best.scores, None
    if plan.floor == "before":
        return progress.floor, progress.best.scores if progress.best else None
    return progress.floor, progress.ceiling.scores if progress.ceiling else None


def _verdict(
    plan: TrainingPlan, floor: Scores | None, ceiling: Scores | None, val_counts: list[int]
) -> tuple[VerdictKind, str]:
    if plan.floor == "before" and floor is not None and ceiling is not None:
        return perplexity_verdict(floor, ceiling, plan.pretrained)
    return verdict_of(floor, ceiling, plan.pretrained, compared_by(plan.checkpoint_metric), val_counts)


def _harm(work: Work, watch: Watch, floor: Scores | None, ceiling: Scores | None) -> Finding:
    if work.plan.floor == "before" and floor is not None and ceiling is not None:
        return perplexity_rose(work.plan, floor, ceiling)
    return explain_harm(work, watch.history())


def _reuse(ledger: Ledger) -> Reuse | None:
    return Reuse(**asdict(ledger)) if ledger.read else None


def _phase_of(plan: TrainingPlan, name: str) -> Phase:
    return next(phase for phase in plan.phases if phase.name == name)


def _proof(progress: Progress) -> Proof:
    names = tuple(dict.fromkeys(name for proof in progress.proofs for name in proof.changed))
    checked = max((proof.checked for proof in progress.proofs), default=0)
    return Proof(checked, len(names), names)


def _predict_command(run: RunFolder, splits: DataSplits) -> str:
    """A command that works as it stands: on a test image, which is saved first when the data has no files."""
    index = splits.streams["test"][0]
    if not splits.classes:
        return shlex.join(["ftcli", "generate", str(run.path), " ".join(splits.load(index).split()[:WORDS])])
    if splits.files is not None:
        path = splits.files[index]
    elif splits.texts:
        path = run.path / "example.txt"
        write_text(path, splits.load(index))
    else:
        path = run.path / "example.png"
        to_rgb(splits.load(index)).save(path)  # PNG has no CMYK, which a JPEG may be of
    return shlex.join(["ftcli", "predict", str(run.path), str(path)])
