"""The floor: a linear head on the frozen, pretrained features, trained on the run's own split."""

from __future__ import annotations

from ftcli.engine.fit import fit
from ftcli.engine.progress import Compared, Progress, compared_by
from ftcli.engine.work import Work
from ftcli.events import Event, Noticed, Scores, StepDone, Working
from ftcli.planner.compile import DataFacts, compile_plan
from ftcli.recipe.schema import Recipe, Train
from ftcli.registry import kinds
from ftcli.workflows.prepare import Prepared

PROBE_STEPS = 2000
"""Optimizer steps of the probe: enough for a linear head to settle; a step on cached features takes a millisecond."""
MAX_EPOCHS = 100


def probe(recipe: Recipe, prepared: Prepared, work: Work) -> Scores:
    """The best validation scores of a linear probe. The network's head and modes are as before afterwards."""
    plan = prepared.plan
    epochs = max(1, min(MAX_EPOCHS, PROBE_STEPS // plan.steps_per_epoch))
    probe_recipe = _probe_recipe(recipe, epochs, compared_by(plan.checkpoint_metric))
    facts = DataFacts(
        plan.classes, plan.num_train, plan.preprocessing, plan.class_counts, plan.objective.multi_label
    )
    probe_plan = compile_plan(probe_recipe, plan.layer_map, facts, plan.machine, plan.precision)
    none = kinds("augment")["none"](kind="none")
    before = {
        name: tensor.clone()
        for name, tensor in work.network.model.state_dict().items()
        if name in _head(work)
    }
    probing = Work(probe_plan, work.network, work.batches, none, _quiet(work, epochs))
    probing.prefixes = work.prefixes
    progress = Progress()
    fit(probing, progress)
    work.network.model.load_state_dict(before, strict=False)
    assert progress.best is not None
    return progress.best.scores


def _probe_recipe(recipe: Recipe, epochs: int, metric: Compared) -> Recipe:
    """The same data, head, objective and sampler; the plain probe of the literature otherwise.

    Were the classes weighted in the run and not here, floor and ceiling would differ by more than the backbone.
    Its best epoch is that of the score that the verdict compares, which `metric` names.
    """
    train = Train(
        epochs=epochs,
        batch_size=recipe.train.batch_size,
        sampler=recipe.train.sampler,
        checkpoint_metric=metric,
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


def _quiet(work: Work, epochs: int):  # type: ignore[no-untyped-def]
    """The probe's epochs are told as progress of one piece of work."""
    steps = work.plan.steps_per_epoch

    def listen(event: Event) -> None:
        if isinstance(event, Noticed):
            work.tell(event)
        if isinstance(event, StepDone):
            work.tell(Working("linear probe", event.epoch * steps + event.step, epochs * steps))

    return listen
