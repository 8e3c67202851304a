"""The main job: a recipe is compiled, shown, performed and proved, and what it comes to is written down."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from ftcli.engine.fit import Work, fit
from ftcli.engine.keep import RunKeeper
from ftcli.engine.keep import resume as resume_from
from ftcli.engine.progress import Progress
from ftcli.engine.run_folder import RunFolder, new_run_folder
from ftcli.engine.weights_file import load_model
from ftcli.errors import FrozenTensorChanged
from ftcli.events import Listener, Noticed, PlanReady, Scores, Working
from ftcli.findings import Finding
from ftcli.plan.data_splits import DataSplits, split_record
from ftcli.plan.training_plan import TrainingPlan
from ftcli.recipe.dump import dump_recipe
from ftcli.recipe.schema import Recipe
from ftcli.workflows.environment import environment
from ftcli.workflows.harm import explain_harm
from ftcli.workflows.prepare import Prepared, image_batches, model_card, prepare, with_absolute_paths
from ftcli.workflows.probe import probe
from ftcli.workflows.result import Proof, TrainResult
from ftcli.workflows.resume import find_run, saved_result
from ftcli.workflows.verdict import verdict_of


@dataclass
class _Findings:
    """Everything noticed during the run, in order, told to the listener as well."""

    tell: Listener
    seen: list[Finding]

    def __call__(self, event: object) -> None:
        if isinstance(event, Noticed):
            self.seen.append(event.finding)
        self.tell(event)  # type: ignore[arg-type]


def train(recipe: Recipe, *, out: Path | None, resume: bool, listener: Listener) -> TrainResult:
    """Run a recipe to its end, or go on with it.

    A run that is complete already is returned as it is. Raises the errors of ftcli.errors; a frozen tensor that
    moved raises FrozenTensorChanged after the summary is written.
    """
    run = find_run(out, recipe.name) if resume else None
    if run is not None and run.summary.exists():
        return saved_result(run)
    prepared = prepare(recipe)
    resumed = (
        resume_from(run.last, prepared.plan.fingerprint(), prepared.network) if run is not None else None
    )
    if run is None:
        run = new_run_folder(out, recipe.name)
    if resumed is None:
        _write_intent(run, recipe, prepared)
    tell = _Findings(listener, list(prepared.plan.findings))
    tell(PlanReady(prepared.plan, str(run.path), prepared.notes))
    result = _perform(recipe, prepared, run, resumed, tell)
    run.write_summary(result.to_dict())
    run.last.unlink(missing_ok=True)
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
    resumed: tuple[Progress, dict] | None,
    tell: _Findings,
) -> TrainResult:
    plan, network = prepared.plan, prepared.network
    started = time.perf_counter()
    store_batches = image_batches(recipe, prepared, lambda d, n: tell(Working("reading images", d, n)))
    work = Work(plan, network, store_batches, prepared.augment, tell)
    progress, work.remembered = resumed or (Progress(), {})
    if progress.floor is None and plan.floor == "probe":
        progress.floor = probe(recipe, prepared, work)
    work.keeper = RunKeeper(run, model_card(recipe, prepared), plan.fingerprint())
    fit(work, progress)
    network.model.load_state_dict(load_model(run.best)[0])
    floor, ceiling = _floor_and_ceiling(plan, progress)
    kind, verdict = verdict_of(floor, ceiling, plan.pretrained)
    if kind == "below_floor":
        tell(Noticed(explain_harm(recipe, work)))
    tell(Working("testing", 0))
    test = work.evaluate("test")
    best = progress.best
    assert best is not None
    return TrainResult(
        run=str(run.path),
        backbone=plan.layer_map.backbone,
        strategy=plan.strategy,
        classes=plan.classes,
        floor=floor,
        ceiling=ceiling,
        test=test,
        verdict=verdict,
        verdict_kind=kind,
        frozen=_proof(progress),
        findings=tuple(tell.seen),
        epochs_run=progress.epoch,
        best_epoch=best.epoch,
        best_phase=best.phase,
        weights=str(run.best),
        predict_command=_predict_command(run, prepared.splits),
        seconds=time.perf_counter() - started,
    )


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
    return progress.floor, progress.ceiling.scores if progress.ceiling else None


def _proof(progress: Progress) -> Proof:
    names = tuple(dict.fromkeys(name for proof in progress.proofs for name in proof.changed))
    checked = max((proof.checked for proof in progress.proofs), default=0)
    return Proof(checked, len(names), names)


def _predict_command(run: RunFolder, splits: DataSplits) -> str:
    """A command that works as it stands: on a test image, which is saved first when the data has no files."""
    index = splits.streams["test"][0]
    if splits.files is not None:
        path = splits.files[index]
    else:
        path = run.path / "example.png"
        splits.load(index).save(path)
    return shlex.join(["ftcli", "predict", str(run.path), str(path)])
