"""What strategies share: the errors that name the recipe path at fault."""

from __future__ import annotations

from collections.abc import Callable

from ftcli.errors import Problem, RecipeError
from ftcli.plans.freeze_mask import FreezeMask, NoSuchStage
from ftcli.plans.layer_map import LayerMap


def mask_at(
    path: str, select: Callable[..., FreezeMask], layer_map: LayerMap, *arguments: object
) -> FreezeMask:
    """`select(layer_map, *arguments)`, its complaint told as a problem of the recipe at `path`."""
    try:
        return select(layer_map, *arguments)
    except NoSuchStage as error:
        near = ", ".join(error.nearest)
        raise RecipeError(
            Problem(path, f"{error.pattern!r} matches no stage of {layer_map.backbone}", f"nearest: {near}")
        ) from error
    except ValueError as error:
        raise RecipeError(Problem(path, str(error), f"stages: {', '.join(layer_map.stages)}")) from error


def too_few_epochs(epochs: int, needed: int, why: str) -> RecipeError:
    """The error for phases that the training does not cover."""
    return RecipeError(
        Problem("train.epochs", f"{epochs} epochs do not cover {why}", f"at least {needed} are needed")
    )
