"""ftcli as a library: the stories of the commands, for scripts, notebooks and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import nn

    from ftcli.engine.live_facts import HasGroups
    from ftcli.events import Event, Listener
    from ftcli.plans.training_plan import TrainingPlan
    from ftcli.recipe.schema import Recipe
    from ftcli.report.freeze_report import FreezeReport
    from ftcli.workflows.generate import Continuation
    from ftcli.workflows.predict import Prediction
    from ftcli.workflows.result import TrainResult
    from ftcli.workflows.saved_model import SavedModel


def load_recipe(source: Path | str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    """A validated recipe from a YAML file, or from the same content as a mapping.

    `overrides` change what a file says, as on the command line: "optimizer.lr=1e-4". Raises RecipeError with every
    problem at once.

    >>> recipe = load_recipe(
    ...     {"data": "digits", "model": {"backbone": "torchvision/resnet18"}, "strategy": "lp_ft"}
    ... )
    >>> recipe.strategy.head_epochs
    3
    """
    from ftcli.recipe.load import load, recipe_from

    return recipe_from(source) if isinstance(source, Mapping) else load(source, overrides).recipe


def plan(recipe: Recipe | Path | str | Mapping[str, Any]) -> TrainingPlan:
    """Everything that `train` would do, decided without weights and without a step.

    Raises RecipeError, ModelError.
    """
    from ftcli.workflows.inspect import inspect_recipe

    return inspect_recipe(_recipe(recipe))


def train(
    recipe: Recipe | Path | str | Mapping[str, Any],
    *,
    out: Path | str | None = None,
    resume: bool = False,
    listener: Listener | None = None,
) -> TrainResult:
    """Perform a recipe and leave a run folder: `out`, or the next free runs/NAME.

    `listener` gets every event (ftcli.events) as it happens; without one nothing is shown. Raises the errors of
    ftcli.errors; FrozenTensorChanged when something frozen moved.
    """
    from ftcli.report.html.when_done import reporting
    from ftcli.workflows.train import train as perform

    folder = None if out is None else Path(out)
    return perform(_recipe(recipe), out=folder, resume=resume, listener=reporting(listener or _ignore))


def inspect_freeze(
    model: nn.Module | TrainingPlan, optimizer: HasGroups | Sequence[HasGroups] | None = None
) -> FreezeReport:
    """What is frozen and what trains: requires_grad, BatchNorm mode, optimizer group and LR of every tensor, joined.

    For any PyTorch model, at any time; nothing is changed. `optimizer` may be one, a list of several, or whatever
    has `param_groups`; without it membership and LRs are not judged. A TrainingPlan is inspected phase by phase.

    >>> from torch import nn, optim
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))
    >>> _ = model[0].requires_grad_(False), model[1].requires_grad_(False)
    >>> report = inspect_freeze(model, optim.SGD(model[3].parameters(), lr=0.1))
    >>> [finding.rule for finding in report.findings]
    ['frozen-bn-drifts']
    """
    from ftcli.plans.training_plan import TrainingPlan
    from ftcli.report.freeze_report import FreezeReport
    from ftcli.workflows.inspect import inspect_model, inspect_plan

    if isinstance(model, TrainingPlan):
        found = inspect_plan(model)
    else:
        found = inspect_model(model, _optimizers(optimizer))
    return FreezeReport(found.subject, found.phases, found.findings)


def open_model(run: Path | str, device: Literal["auto", "cpu", "cuda"] = "auto") -> SavedModel:
    """The best model of a run folder, or of a .safetensors file that ftcli wrote, ready to look at images or texts.

    `.module` is the network, `.classes` and `.preprocessing` say what goes in and comes out. Raises ModelError,
    MachineError.
    """
    from ftcli.workflows.saved_model import load_saved

    return load_saved(Path(run), device)


def predict(model: SavedModel | Path | str, images: Sequence[Path | str | Image]) -> list[Prediction]:
    """Labels and probabilities for image files or PIL images, in their order.

    Of a model that takes texts: for text files, each a Path, or texts, each a str. `model` is what `open_model`
    returned, or what it would take. Raises DataError for a file it cannot read.
    """
    from ftcli.workflows.predict import classify

    opened = open_model(model) if isinstance(model, (str, Path)) else model
    return classify(opened, images)


def generate(
    model: SavedModel | Path | str,
    prompts: Sequence[str],
    *,
    max_tokens: int = 48,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[Continuation]:
    """How a language model goes on with texts, in their order, each as if it were alone.

    `model` is what `open_model` returned, or what it would take. At most `max_tokens` tokens are added to each.
    `temperature` 0 takes the likeliest token each time, 1 draws as the model's probabilities say; `seed` decides what
    is drawn. Raises UsageError for a model that has classes, and for numbers that cannot be; ModelError, MachineError.
    """
    from ftcli.engine.generate import Drawing
    from ftcli.errors import UsageError
    from ftcli.workflows.generate import go_on

    if max_tokens < 1 or not 0 <= temperature < float("inf") or seed < 0:
        what = f"max_tokens {max_tokens}, temperature {temperature:g} and seed {seed} cannot be"
        raise UsageError(what, remedy="give at least one token, and no negative temperature or seed")
    opened = open_model(model) if isinstance(model, (str, Path)) else model
    return go_on(opened, prompts, Drawing(max_tokens, temperature, seed))


def _recipe(recipe: Recipe | Path | str | Mapping[str, Any]) -> Recipe:
    return load_recipe(recipe) if isinstance(recipe, (str, Path, Mapping)) else recipe


def _optimizers(optimizer: HasGroups | Sequence[HasGroups] | None) -> tuple[HasGroups, ...]:
    if optimizer is None:
        return ()
    return tuple(optimizer) if isinstance(optimizer, Sequence) else (optimizer,)


def _ignore(event: Event) -> None:
    """A listener that says nothing."""
