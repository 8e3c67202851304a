"""What a run comes to, once its last epoch is done: floor and ceiling, the verdict, the test, the proof."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict, dataclass

from torch import Tensor

from ftcli.components.data.image import to_rgb
from ftcli.engine.evaluate import scores_of
from ftcli.engine.feed import predict_stream
from ftcli.engine.files import write_text
from ftcli.engine.kept import Ledger
from ftcli.engine.memory import give_back
from ftcli.engine.metrics import report_of
from ftcli.engine.peft_folder import write_adapters
from ftcli.engine.progress import Progress, compared_by
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.stopwatch import span
from ftcli.engine.weights_file import save_model
from ftcli.engine.whole_checkpoint import best_model
from ftcli.engine.work import Work
from ftcli.events import Noticed, Scores, Working
from ftcli.findings import Finding
from ftcli.plans.audit import AuditReport
from ftcli.plans.data_splits import TEST, DataSplits
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.schema import Recipe
from ftcli.workflows.audit_gate import scores_without_leaks
from ftcli.workflows.harm import explain_harm
from ftcli.workflows.last_look import last_look
from ftcli.workflows.out_of_fold import out_of_fold
from ftcli.workflows.perplexity import perplexity_rose, perplexity_verdict
from ftcli.workflows.predictions_table import predictions_table
from ftcli.workflows.prepare import Prepared
from ftcli.workflows.profile import profile_of
from ftcli.workflows.result import Proof, Reuse, TrainResult, VerdictKind
from ftcli.workflows.samples import WORDS
from ftcli.workflows.verdict import verdict_of
from ftcli.workflows.watch import Watch


@dataclass(frozen=True)
class Performed:
    """A run whose epochs are done: all that its result is read off."""

    recipe: Recipe
    prepared: Prepared
    run: RunFolder
    work: Work
    progress: Progress
    watch: Watch


def result_of(done: Performed, audit: AuditReport | None, started: float) -> TrainResult:
    """With the best weights, which are written and stay in the network. `started`: by time.perf_counter."""
    plan, run, work, best = done.work.plan, done.run, done.work, done.progress.best
    assert best is not None
    floor, ceiling = _floor_and_ceiling(plan, done.progress)
    kind, verdict = _verdict(done, floor, ceiling)
    _keep_the_best(done)
    drift = work.meter.measure(features=True) if work.meter else ()
    logits, labels = _tested(done, best.phase)
    with span("report"):
        report = report_of(logits, labels, plan.classes, plan.seed)
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
        frozen=_proof(done.progress),
        findings=tuple(done.progress.noticed),
        epochs_run=done.progress.epoch,
        best_epoch=best.epoch,
        best_phase=best.phase,
        weights=str(run.best),
        predict_command=_predict_command(run, done.prepared.splits),
        seconds=time.perf_counter() - started,
        test_report=report,
        reuse=_reuse(work.prefixes.ledger),
        precision=plan.precision,
        views=max(phase.prefix.views if phase.prefix.kept else 0 for phase in plan.phases),
        augment=plan.transforms,
        depthwise=plan.depthwise,
        fold_bn=plan.fold_bn,
        compile=plan.compile,
        crops=plan.crops,
        test_without_leaks=scores_without_leaks(logits, labels, work.batches.store, audit),
        profile=profile_of(work),
        drift=drift,
    )


def _keep_the_best(done: Performed) -> None:
    """The best weights become best.safetensors, and the network's own."""
    network = done.work.network
    network.model.load_state_dict(_best_written(done.run))
    if network.adapters is not None:
        write_adapters(done.run.adapter, network)


def _best_written(run: RunFolder) -> dict[str, Tensor]:
    """The best weights, which become best.safetensors."""
    with span("checkpoint"):
        found = best_model(run.checkpoints)
        assert found is not None, "a plan has an epoch"
        save_model(run.best, *found)
    return found[0]


def _tested(done: Performed, best_phase: str) -> tuple[Tensor, Tensor]:
    """Logits and labels of the test examples, whose answers are written down, and told of where they are odd."""
    plan, work, splits = done.work.plan, done.work, done.prepared.splits
    work.tell(Working("testing", 0))
    with span("testing", len(done.prepared.counted.streams[TEST])):
        logits, labels = predict_stream(work, _phase_of(plan, best_phase), TEST)
    give_back()  # what steps kept, before libraries for the report are imported
    if plan.floor != "before":  # a language model has no answer for each example
        with span("report"):
            done.run.write_test_predictions(predictions_table(logits, labels, work.batches.store.splits))
    if labels.ndim == 1:
        train_counts = list(splits.count_per_class("train").values())
        evened = plan.objective.weighting != "none" or plan.sampler != "shuffle"
        for finding in last_look(logits, labels, plan.classes, train_counts, evened=evened):
            work.tell(Noticed(finding))
    if done.recipe.data.split.folds:
        done.run.write_out_of_fold(out_of_fold(work, _phase_of(plan, best_phase)))
    return logits, labels


def _floor_and_ceiling(plan: TrainingPlan, progress: Progress) -> tuple[Scores | None, Scores | None]:
    if plan.floor == "none":
        return None, None
    if plan.floor == "itself":
        assert progress.best is not None
        return progress.best.scores, None
    if plan.floor == "before":
        return progress.floor, progress.best.scores if progress.best else None
    return progress.floor, progress.ceiling.scores if progress.ceiling else None


def _verdict(done: Performed, floor: Scores | None, ceiling: Scores | None) -> tuple[VerdictKind, str]:
    """Why the ceiling lies below the floor, where it does, is told."""
    plan = done.work.plan
    if plan.floor == "before" and floor is not None and ceiling is not None:
        kind, verdict = perplexity_verdict(floor, ceiling, plan.pretrained)
    else:
        counts = list(done.prepared.splits.count_per_class("val").values())
        metric = compared_by(plan.checkpoint_metric)
        kind, verdict = verdict_of(floor, ceiling, plan.pretrained, metric, counts)
    if kind == "below_floor":
        with span("explaining"):
            done.work.tell(Noticed(_harm(done.work, done.watch, floor, ceiling)))
    return kind, verdict


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
