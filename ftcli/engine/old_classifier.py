"""The classifier that a new head has replaced: opened again with its network, and put on another backbone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ftcli.components import head
from ftcli.components.backbone import class_names, open_backbone, read_tensors
from ftcli.engine.batches import ImageBatches
from ftcli.engine.build import replace_head
from ftcli.engine.evaluate import predict_logits
from ftcli.engine.inputs import placed, ready
from ftcli.engine.weights_file import ModelCard, read_card
from ftcli.errors import ModelError, Problem, RecipeError
from ftcli.plans.data_splits import TEST
from ftcli.plans.training_plan import TrainingPlan
from ftcli.registry import kinds

WHERE = "forgetting"


@dataclass(frozen=True)
class OldClassifier:
    """`model` is the network as its weights have it, whose classifier consists of the modules at `heads`."""

    model: nn.Module
    heads: tuple[str, ...]
    names: tuple[str, ...]
    """What its outputs are called, in their order; empty where nobody says."""
    num_classes: int

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {path: self.model.get_submodule(path) for path in self.heads}


def open_old_classifier(backbone: str, weights: str, image_size: int | None) -> OldClassifier:
    """`weights` is "default" or a file. torch's generator is left as it was.

    Raises RecipeError where the weights have no classifier, ModelError where they cannot be read.
    """
    with torch.random.fork_rng(devices=[]):
        opened = open_backbone(backbone, weights, image_size)
        if weights != "default":
            names = _put_in_place(opened.model, opened.heads, Path(weights))
        elif opened.has_classifier:
            names = class_names(backbone)
        else:
            raise _none(opened.weights)
    count = num_outputs(opened.model.get_submodule(opened.heads[0]))
    return OldClassifier(opened.model, opened.heads, names if len(names) == count else (), count)


def num_outputs(classifier: nn.Module) -> int:
    """Of its last layer, linear or a 1x1 convolution."""
    weights = [parameter for parameter in classifier.parameters() if parameter.ndim > 1]
    return len(weights[-1])


@contextmanager
def classifier_on(model: nn.Module, modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """These modules in the places of others, which come back afterwards."""
    own = {path: model.get_submodule(path) for path in modules}
    try:
        for path, module in modules.items():
            model.set_submodule(path, module)
        yield
    finally:
        for path, module in own.items():
            model.set_submodule(path, module)


def right_on(model: nn.Module, batches: ImageBatches, plan: TrainingPlan) -> Tensor:
    """Which images of TEST the model has right (N,), evaluated as the plan evaluates. It is in eval mode afterwards."""

    inputs, device = plan.preprocessing, plan.machine.device

    def forward(images_BCHW: Tensor) -> Tensor:
        logits: Tensor = model(ready(placed(images_BCHW, inputs, device), inputs))
        return logits

    model.train().eval()  # by way of train mode: see enter_eval_mode
    logits_NC, labels_N = predict_logits(forward, batches.evaluation(TEST), device, plan.precision)
    return (logits_NC.argmax(dim=1) == labels_N).cpu()


def _put_in_place(model: nn.Module, heads: tuple[str, ...], file: Path) -> tuple[str, ...]:
    """The file's own classifier, whatever number of classes it has; returns their names."""
    tensors, card = read_tensors(file), _card_of(file)
    if card is not None and card.multi_label:
        what = "the classifier in the weights sees several classes at once: it has no top-1 accuracy"
        raise RecipeError(Problem(WHERE, what, "remove forgetting"))
    options = kinds("head")[card.head["kind"]].model_validate(card.head) if card else head.Linear()
    for path in heads:
        own = {n.removeprefix(f"{path}."): t for n, t in tensors.items() if n.startswith(f"{path}.")}
        outputs = [tensor for tensor in own.values() if tensor.ndim > 1]
        if not outputs:
            raise _none(f"file {file.name}")
        replace_head(model, path, lambda width, n=len(outputs[-1]): head.build(options, width, n))  # type: ignore[misc,arg-type]
        try:
            model.get_submodule(path).load_state_dict(own)
        except RuntimeError as error:
            what = f"the classifier {path} in the weights is not as this version builds it"
            raise ModelError(what, where=str(file), remedy="remove forgetting") from error
    return card.classes if card else ()


def _card_of(file: Path) -> ModelCard | None:
    """None of a file that ftcli did not write."""
    try:
        return read_card(file)
    except ModelError:
        return None


def _none(weights: str) -> RecipeError:
    what = f"{weights} has no classifier that could be asked again: there is nothing to measure"
    return RecipeError(
        Problem(WHERE, what, "remove forgetting, or take weights that were trained to classify")
    )
