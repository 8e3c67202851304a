"""What the backbone has forgotten: its old classifier asked again, before the first step and at the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from ftcli.components.data.folder import open_undivided
from ftcli.components.data.image import MAX_PIXELS
from ftcli.engine.batches import ImageBatches
from ftcli.engine.images import ImageStore
from ftcli.engine.network import must_be_images
from ftcli.engine.old_classifier import OldClassifier, classifier_on, open_old_classifier, right_on
from ftcli.engine.placement import num_workers, place
from ftcli.engine.progress import Progress
from ftcli.engine.stopwatch import span
from ftcli.engine.work import Work
from ftcli.events import Listener, Noticed, Working
from ftcli.planner.forgetting import forgot
from ftcli.plans.data_splits import DataSplits
from ftcli.plans.forgetting import Forgetting
from ftcli.plans.training_plan import TrainingPlan
from ftcli.recipe.schema import Recipe
from ftcli.workflows.cache import pixel_cache
from ftcli.workflows.compare.paired import sign_flip_p
from ftcli.workflows.old_classes import outputs_of
from ftcli.workflows.result import TrainResult

WORKING = "reading images of the old kind"


@dataclass(frozen=True)
class ForgettingMeter:
    """`before` (N,): which images the network had right as its weights were opened."""

    modules: dict[str, nn.Module]
    batches: ImageBatches
    before: Tensor

    def measure(self, work: Work) -> Forgetting:
        """Of the network as it is now; afterwards it is in eval mode, with its own head."""
        with span("forgetting"), classifier_on(work.network.model, self.modules):
            after = right_on(work.network.model, self.batches, work.plan)
        changes = (self.before.int() - after.int()).tolist()
        labels = {example.label for example in self.batches.store.splits.examples}
        return Forgetting(
            num_images=len(changes),
            num_classes=len(labels),
            before=self.before.double().mean().item(),
            after=after.double().mean().item(),
            lost=changes.count(1),
            gained=changes.count(-1),
            p=sign_flip_p(changes),
        )


def forgetting_meter(recipe: Recipe, plan: TrainingPlan, tell: Listener) -> ForgettingMeter | None:
    """None where the recipe does not ask. The network is opened anew, so that a run that goes on has the same `before`.

    Raises RecipeError where the weights have no classifier, ModelError, and DataError for folders that are none of its
    classes and for images that cannot be read.
    """
    if recipe.forgetting is None:
        return None
    with span("forgetting"):
        model = recipe.model
        old = open_old_classifier(model.backbone, model.weights, recipe.data.image_size)
        batches = _batches(recipe, plan, _of_its_kind(recipe, old), tell)
        before = right_on(place(old.model, plan.machine.device), batches, plan)
        return ForgettingMeter(old.modules, batches, before)


def _of_its_kind(recipe: Recipe, old: OldClassifier) -> DataSplits:
    """Labels are the classifier's outputs."""
    assert recipe.forgetting is not None
    path = recipe.forgetting.path
    splits = open_undivided(path, getattr(recipe.data, "max_pixels", MAX_PIXELS))
    outputs = outputs_of(splits.classes, old.names, old.num_classes, path)
    examples = tuple(
        replace(example, label=outputs[splits.label_name(index)])
        for index, example in enumerate(splits.examples)
    )
    return replace(splits, classes=old.names or tuple(map(str, range(old.num_classes))), examples=examples)


def _batches(recipe: Recipe, plan: TrainingPlan, splits: DataSplits, tell: Listener) -> ImageBatches:
    workers = num_workers(recipe.runtime.workers)
    memory = int(recipe.runtime.image_memory_gb * 2**30)
    preprocessing = must_be_images(plan.preprocessing, plan.layer_map.backbone)
    store = ImageStore(splits, preprocessing, memory, pixel_cache(recipe))
    skip = recipe.data.on_bad_image == "skip"
    store.scan(workers, lambda done, total: tell(Working(WORKING, done, total)), skip=skip)
    return ImageBatches(store, plan.batch_size, plan.seed, workers)


def with_forgetting(
    result: TrainResult, meter: ForgettingMeter | None, work: Work, progress: Progress
) -> TrainResult:
    """The result of a run whose network holds its best weights, with what they have forgotten."""
    if meter is None:
        return result
    measured = meter.measure(work)
    for finding in forgot(work.plan, measured):
        work.tell(Noticed(finding))
    return replace(result, forgetting=measured, findings=tuple(progress.noticed))
