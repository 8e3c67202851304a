"""The story of `ftcli lr-find`: a recipe's phases, each tried at its start over eight decades of LR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ftcli.engine.determinism import arithmetic
from ftcli.engine.feed import Feed, feed_of
from ftcli.engine.fit import fit
from ftcli.engine.lr_range import sweep
from ftcli.engine.micro_batch import is_out_of_memory, out_of_memory
from ftcli.engine.progress import Progress
from ftcli.engine.work import Work
from ftcli.errors import UsageError
from ftcli.events import Event, Listener, Noticed, StepDone, Working
from ftcli.findings import Finding
from ftcli.planner.lr_notice import lr_findings
from ftcli.plans.lr_sweep import LrSweep, calm_base_lr, planned_lr, rates_of_groups, sweep_lrs
from ftcli.plans.phase import Phase
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.schema import Recipe
from ftcli.workflows.cache import feature_shelf
from ftcli.workflows.decoded import image_batches
from ftcli.workflows.prepare import machine_for, prepare


@dataclass(frozen=True)
class LrFound:
    """`sweeps`: of each phase all of it first, then its stages where they were asked for."""

    plan: TrainingPlan
    sweeps: tuple[LrSweep, ...]
    findings: tuple[Finding, ...]


@dataclass
class _Tests:
    """How many passes over the LRs there are, and how many of them have begun: what is left can be reckoned."""

    total: int
    begun: int = 0

    def counted(self, what: str) -> str:
        self.begun += 1
        return f"{what} ({self.begun} of {self.total})"


@dataclass(frozen=True)
class _AtStart:
    """A phase that could begin now, in `epoch` of the run, and the LRs to try."""

    work: Work
    phase: Phase
    feed: Feed
    epoch: int
    lrs: tuple[float, ...]
    tests: _Tests

    def sweep(self, base_lr: float, stage: str | None) -> LrSweep:
        """`base_lr` is that of the stages which are not tried."""
        losses = self._losses(base_lr, self.lrs, stage, f"{self.phase.name}, {stage or 'all stages'}")
        reference = None
        if stage is not None:
            still = (0.0,) * max(len(losses) - 1, 1)
            reference = self._losses(base_lr, still, stage, f"{self.phase.name}, all but {stage}")
        planned = planned_lr(self.phase, self.work.plan.optimizer.lr, stage)
        return LrSweep(self.phase.name, stage, planned, self.lrs, losses, reference)

    def _losses(
        self, base_lr: float, lrs: tuple[float, ...], stage: str | None, what: str
    ) -> tuple[float, ...]:
        rates = [rates_of_groups(self.phase, base_lr, lr, stage) for lr in lrs]
        tell, what = self.work.tell, self.tests.counted(what)
        losses = sweep(
            self.work,
            self.phase,
            self.feed,
            self.epoch,
            rates,
            lambda done: tell(Working(what, done, len(rates) + 1)),
        )
        tell(Working(what, len(losses), len(losses)))
        return losses


def lr_find(recipe: Recipe, *, phase: str | None, per_stage: bool, steps: int, listener: Listener) -> LrFound:
    """Every phase of the recipe, or the one named `phase`. Nothing is written but what the cache keeps between runs.

    A phase is tested on the weights that it would start with: the phases before it are performed as planned.
    Raises UsageError where there is no such phase; otherwise as `train` does.
    """
    try:
        with arithmetic(machine_for(recipe).device, listener, repeatable=recipe.runtime.deterministic):
            work, asked = _work_of(recipe, listener, phase)
            sweeps = tuple(_sweeps(work, asked, sweep_lrs(steps), per_stage))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(error) from error
    return LrFound(work.plan, sweeps, lr_findings(sweeps))


def values_to_write(found: LrFound) -> dict[str, str]:
    """Recipe paths to the YAML of what was found; empty where nothing was.

    `optimizer.lr` suits every phase that was tested. Where stages were tested by themselves each has an LR of its own,
    in the place of the recipe's way of telling them apart.
    """
    values = {}
    told = (s for s in found.sweeps if s.stage is None)
    whole = [s.recommended for s in told if s.suggestion is not None or s.diverges_at is not None]
    if whole:
        values["optimizer.lr"] = _yaml(min(whole))
    by_stage: dict[str, float] = {}
    for each in found.sweeps:
        if each.stage is not None:
            by_stage[each.stage] = min(each.recommended, by_stage.get(each.stage, each.recommended))
    if by_stage:
        listed = ", ".join(f"{stage}: {_yaml(lr)}" for stage, lr in by_stage.items())
        values["layer_lr"] = f"{{kind: stages, lr: {{{listed}}}}}"
    return values


def _yaml(lr: float) -> str:
    """Two digits: a range test knows no more."""
    return f"{float(f'{lr:.1e}'):g}"


def _work_of(recipe: Recipe, listener: Listener, phase: str | None) -> tuple[Work, range]:
    """And the positions of the phases asked for; that there is no such one is told before images are read."""

    def reading(done: int, total: int) -> None:
        listener(Working(f"reading {recipe.source_noun}s", done, total))

    prepared = prepare(recipe, reading)
    asked = _phases_asked_for(prepared.plan, phase)
    batches = replace(image_batches(recipe, prepared, reading), tell=listener)
    shelf = feature_shelf(recipe, prepared, batches.store)
    batches.store.listen(lambda finding: listener(Noticed(finding)))
    if shelf is not None:
        shelf.store.listen(lambda finding: listener(Noticed(finding)))
    work = Work(prepared.plan, prepared.network, batches, prepared.augment, listener, shelf=shelf)
    return work, asked


def _phases_asked_for(plan: TrainingPlan, name: str | None) -> range:
    """Their positions among the plan's."""
    names = [phase.name for phase in plan.phases]
    if name is None:
        return range(len(names))
    if name not in names:
        raise UsageError(
            f"there is no phase {name!r}", where="--phase", remedy=f"there are: {', '.join(names)}"
        )
    return range(names.index(name), names.index(name) + 1)


def _sweeps(work: Work, asked: range, lrs: tuple[float, ...], per_stage: bool) -> Iterator[LrSweep]:
    progress = Progress()
    stages = [_stages(work.plan.phases[position]) if per_stage else () for position in asked]
    tests = _Tests(sum(1 + 2 * len(each) for each in stages))  # of a stage: with it, and without
    for position, named in zip(asked, stages, strict=True):
        _perform_up_to(work, progress, position)
        phase = work.plan.phases[position]
        start = _AtStart(work, phase, feed_of(work, phase), progress.epoch, lrs, tests)
        whole = start.sweep(work.plan.optimizer.lr, None)
        yield whole
        base_lr = calm_base_lr(whole)
        for stage in named:
            yield start.sweep(base_lr, stage)


def _stages(phase: Phase) -> tuple[str, ...]:
    return tuple(dict.fromkeys(group.stage for group in phase.groups))


def _perform_up_to(work: Work, progress: Progress, position: int) -> None:
    """The phases before the one at `position`, as far as they are not performed yet, with the plan's own LRs."""
    for number in range(progress.phase, position):
        phase = work.plan.phases[number]
        # What ends the run early in a plan's last phase is what ends this one.
        plan = replace(work.plan, phases=work.plan.phases[: number + 1], early_stopping=phase.plateau)
        performing = Work(plan, work.network, work.batches, work.augment, _as_one_work(work, phase))
        performing.prefixes, performing.remembered = work.prefixes, work.remembered
        progress.finished = False
        fit(performing, progress)
        work.remembered = performing.remembered


def _as_one_work(work: Work, phase: Phase) -> Listener:
    """A phase's epochs are told as progress of one piece of work."""
    steps = work.plan.steps_per_epoch

    def listen(event: Event) -> None:
        if isinstance(event, Noticed):
            work.tell(event)
        if isinstance(event, StepDone):
            done = (event.epoch - phase.start_epoch) * steps + event.step
            work.tell(Working(f"phase {phase.name}, before", done, phase.epochs * steps))

    return listen
