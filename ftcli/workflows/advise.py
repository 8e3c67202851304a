"""The story of `ftcli plan --dataset-size`: a size and a domain become advice, and a recipe."""

from __future__ import annotations

from dataclasses import dataclass

from ftcli.errors import UsageError
from ftcli.planner.advice_recipe import recipe_text
from ftcli.planner.advise import Advice, recommend
from ftcli.planner.domain import parse_domain
from ftcli.planner.table_rows import Case
from ftcli.recipe.load import recipe_from

BACKBONE = "torchvision/resnet18"


@dataclass(frozen=True)
class AdviseResult:
    """`recipe` is the text of a recipe that validates; its data path is still to be filled in."""

    advice: Advice
    recipe: str


def advise(
    num_images: int, domain: str, num_classes: int | None = None, backbone: str = BACKBONE
) -> AdviseResult:
    """Raises UsageError for sizes that no data set has and unknown domains, RecipeError for the backbone."""
    if num_images < 2:
        raise UsageError(
            f"{num_images:,} images are no data set", where="--dataset-size", remedy="give 2 or more"
        )
    if num_classes is not None and not 2 <= num_classes <= num_images:
        told = f"{num_classes:,} classes do not fit {num_images:,} images"
        raise UsageError(told, where="--classes", remedy="at least 2 classes, at least one image in each")
    recipe_from({"data": "digits", "model": {"backbone": backbone}, "strategy": "full"})
    advice = recommend(Case(num_images, parse_domain(domain), num_classes), backbone)
    return AdviseResult(advice, recipe_text(advice))
