"""The floor: a linear head on the frozen, pretrained features, trained on the run's own split."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftcli.engine.coming import coming_of
from ftcli.engine.fit import fit
from ftcli.engine.progress import Compared, Progress, compared_by
from ftcli.engine.work import Work
from ftcli.events import Event, Noticed, Scores, StepDone, Working
from ftcli.findings import Finding
from ftcli.planner.compile import compile_plan
from ftcli.plans.data_facts import DataFacts
from ftcli.plans.data_splits import split_record
from ftcli.plans.training_plan import CheckpointRule, TrainingPlan
from ftcli.recipe.schema import Recipe, Train
from ftcli.registry import kinds

if TYPE_CHECKING:
    from ftcli.workflows.prepare import Prepared

PROBE_STEPS = 2000
"""Optimizer steps of the probe: enough for a linear head to settle; a step on cached features takes a millisecond."""
MAX_EPOCHS = 100


@dataclass(frozen=True)
class Floor:
    """What a probe came to, and what was noticed on the way."""

    scores: Scores
    noticed: tuple[Finding, ...]


def floor_of(recipe: Recipe, prepared: Prepared, work: Work, known: dict[str, Floor] | None) -> Scores:
    """The probe's scores; of a run whose probe is the very same they are taken from `known`, and left there else.

    What was noticed on the way is told either way. Everything that decides its bits is compared: the data and how
    they are divided, the backbone and its weights, seed, objective, sampler, batches, precision.
    """
    made, plan = _planned(recipe, prepared)
    said = made.model_dump(mode="json", exclude={"name", "trackers", "checkpoint"})
    streams = split_record(work.batches.store.splits)["sha256"]
    same = json.dumps([said, plan.fingerprint(), prepared.plan.compile, streams], sort_keys=True)
    found = None if known is None else known.get(same)
    if found is None:
        found = probe(plan, work)
        if known is not None:
            known[same] = found
    else:
        for finding in found.noticed:
            work.tell(Noticed(finding))
    return found.scores


def _planned(recipe: Recipe, prepared: Prepared) -> tuple[Recipe, TrainingPlan]:
    """The probe's own recipe and plan."""
    plan = prepared.plan
    epochs = max(1, min(MAX_EPOCHS, PROBE_STEPS // plan.steps_per_epoch))
    probe_recipe = _probe_recipe(recipe, epochs, compared_by(plan.checkpoint_metric), plan.checkpoint_rule)
    facts = DataFacts(
        plan.classes, plan.num_train, plan.preprocessing, plan.class_counts, plan.objective.multi_label
    )
    return probe_recipe, compile_plan(probe_recipe, plan.layer_map, facts, plan.machine, plan.precision)


def probe(plan: TrainingPlan, work: Work) -> Floor:
    """The validation scores of a linear probe. The network's head and modes are as before afterwards."""
    noticed: list[Finding] = []
    none = kinds("augment")["none"](kind="none")
    before = {
        name: tensor.clone()
        for name, tensor in work.network.model.state_dict().items()
        if name in _head(work)
    }
    probing = Work(plan, work.network, work.batches, none, _quiet(work, plan.epochs, noticed))
    probing.prefixes = work.prefixes
    progress = Progress()
    if work.network.prompt is None:  # with virtual tokens the run's network is another one than the probe's
        probing.after = coming_of(work, work.plan.phases)
    fit(probing, progress)
    work.network.model.load_state_dict(before, strict=False)
    assert progress.best is not None
    return Floor(progress.best.scores, tuple(noticed))


def _probe_recipe(recipe: Recipe, epochs: int, metric: Compared, rule: CheckpointRule) -> Recipe:
    """The same data, head, objective and sampler; the plain probe of the literature otherwise.

    Were the classes weighted in the run and not here, floor and ceiling would differ by more than the backbone.
    Its epoch is picked as the run's is, by `rule`, and by the score that the verdict compares, which `metric` names.
    """
    train = Train(
        epochs=epochs,
        batch_size=recipe.train.batch_size,
        sampler=recipe.train.sampler,
        checkpoint_metric=metric,
        checkpoint_rule=rule,
    )
    return recipe.model_copy(
        update={
            "strategy": kinds("strategy")["feature_extraction"](kind="feature_extraction"),
            "augment": None,
            "layer_lr": None,
            "optimizer": kinds("optimizer")["adamw"](kind="adamw"),
            "schedule": kinds("schedule")["cosine"](kind="cosine"),
            "train": train,
        }
    )


def _head(work: Work) -> set[str]:
    return {p.name for p in work.network.layer_map.in_stages(["head"])}


def _quiet(work: Work, epochs: int, noticed: list[Finding]):  # type: ignore[no-untyped-def]
    """The probe's epochs are told as progress of one piece of work; its findings are kept in `noticed` too."""
    steps = work.plan.steps_per_epoch

    def listen(event: Event) -> None:
        if isinstance(event, Noticed):
            noticed.append(event.finding)
        if isinstance(event, Noticed | Working):
            work.tell(event)
        if isinstance(event, StepDone):
            work.tell(Working("linear probe", event.epoch * steps + event.step, epochs * steps))

    return listen
