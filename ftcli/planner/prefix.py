"""What of a phase never changes, and how much of it is kept instead of computed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ftcli.plans.layer_map import LayerMap
from ftcli.plans.prefix import FrozenPrefix, PrefixCost
from ftcli.recipe.schema import Recipe

Images = Literal["same", "mirrored", "augmented", "mixed"]
"""What training images are like from epoch to epoch."""

VIEWS = 4
"""How many variants of an image stand in for a fresh one in each epoch, where the plan may choose: with four and ten
epochs a frozen part is computed 2.5 times less. From twice as many epochs on."""
BOTH = 2
"""An image that may be mirrored has two variants: from three epochs on they are less than what the epochs see."""
LEAST_SHARE = 0.1
"""A frozen part that is less of the network's work than this is computed again: reading it back would cost as much."""


def prefix_of(
    recipe: Recipe,
    layer_map: LayerMap,
    train_layers: frozenset[int],
    images: Images,
    epochs: int,
    costs: Mapping[int, PrefixCost],
) -> FrozenPrefix:
    """The layers below the first that trains, and whether what they make of each image is kept.

    `epochs`: the most that the phase can last. `costs`: by boundary, where they have been measured.
    """
    boundary = min(train_layers, default=0)
    if not any(p.layer < boundary for p in layer_map.parameters):
        return FrozenPrefix(0, 0, "nothing below the first layer that trains")
    views, reason = _views(recipe, images, epochs)
    cost = costs.get(boundary)
    if views and cost is not None and cost.share < LEAST_SHARE:
        views, reason = 0, f"only {cost.share:.0%} of the network's work"
    return FrozenPrefix(boundary, views, reason, cost)


def _views(recipe: Recipe, images: Images, epochs: int) -> tuple[int, str]:
    """How many variants of each image are kept, and why."""
    asked = recipe.cache.views
    if recipe.cache.prefix == "off":
        return 0, "cache.prefix is off"
    if images == "same":
        return 1, f"every epoch sees the same {recipe.noun}s"
    if images == "mirrored":
        return _both(epochs)
    if images == "mixed":
        return 0, "images are augmented and mixed anew in each epoch"
    if isinstance(asked, int):
        return (asked, f"cache.views: {asked}") if asked < epochs else (0, _fresh(epochs))
    if asked == "fresh":
        return 0, "images are augmented anew in each epoch"
    if recipe.runtime.exact:
        return 0, "runtime.exact: images are augmented anew in each epoch"
    if epochs < 2 * VIEWS:
        return 0, f"images are augmented anew in each of {epochs} epochs: too few to repeat {VIEWS} views"
    return VIEWS, f"{VIEWS} augmented views of each image, repeated over {epochs} epochs"


def _both(epochs: int) -> tuple[int, str]:
    """Whatever `cache.views` says: there are no others, and no epoch sees what it would not see anyway."""
    if epochs <= BOTH:
        return 0, f"each image as it is or mirrored in each of {epochs} epochs: no fewer than the two of it"
    return BOTH, f"each image as it is and mirrored, of which each of {epochs} epochs takes one"


def _fresh(epochs: int) -> str:
    return f"images are augmented anew in each of {epochs} epochs: no more than the views asked for"
