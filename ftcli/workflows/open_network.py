"""The network of a recipe: the backbone with its new head, and what its strategy adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ftcli.engine.build import build_network, with_group_norm
from ftcli.engine.network import Network
from ftcli.engine.peft_layers import with_adapters
from ftcli.errors import ModelError, Problem, RecipeError
from ftcli.plans.inputs import size_of
from ftcli.plans.peft_adapters import Adapters
from ftcli.recipe.schema import Recipe
from ftcli.registry import implementation, offers


def open_network(
    recipe: Recipe, num_classes: int, *, meta: bool = False, config: Mapping[str, Any] | None = None
) -> Network:
    """The backbone with its new head; on the meta device it has shapes and no weights.

    With `config`, which a model's file keeps, the architecture is rebuilt from it, and the weights are random; the
    recipe's own changes that of an architecture.
    """
    if config is None and recipe.model.config is not None:
        config = {"model_type": recipe.model.backbone.removeprefix("hf/"), **recipe.model.config}
    network = build_network(
        recipe.model.backbone,
        recipe.model.weights if recipe.pretrained and config is None else "none",
        recipe.model.head,
        num_classes,
        image_size=recipe.input_size,
        seed=recipe.seed,
        meta=meta,
        config=config,
    )
    network = with_group_norm(network) if recipe.norm.kind == "group_norm" else network
    return _adapted(recipe, network)


def _adapted(recipe: Recipe, network: Network) -> Network:
    """With the adapters of its strategy, where that has any."""
    if not offers(recipe.strategy, "adapters"):
        return network
    if recipe.norm.kind == "group_norm":
        what = "new norms would have to train, and an adapter leaves all but itself and the head as it was"
        raise RecipeError(Problem("norm.kind", what, "remove norm, or take another strategy"))
    asked: Adapters = implementation(recipe.strategy, "adapters")(recipe.strategy)
    adapted = with_adapters(network, asked, recipe.seed)
    _must_keep_the_length(recipe, adapted)
    return adapted


def _must_keep_the_length(recipe: Recipe, network: Network) -> None:
    """Raises RecipeError where virtual tokens take the places of those that a recipe asks for."""
    room = size_of(network.preprocessing)
    if recipe.input_size is None or recipe.input_size <= room:
        return
    where = "data.sequence_length" if recipe.learns_tokens else "data.max_length"
    what = f"with the virtual tokens there are positions for {room} tokens of a text, not for {recipe.input_size}"
    raise RecipeError(Problem(where, what, f"at most {room}, or fewer strategy.tokens"))


def must_take_images(network: Network, device: str) -> None:
    """An empty image through the network: a size that it cannot take is told before any image is read.

    Raises ModelError.
    """
    size = network.images.image_size
    was_training = network.model.training
    network.model.eval()
    try:
        with torch.no_grad():
            network.model(torch.zeros(1, 3, size, size, device=device))
    except torch.OutOfMemoryError:
        raise
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ModelError(
            f"{network.backbone} cannot take images of {size} pixels: {reason}",
            where="data.image_size",
            remedy="change data.image_size, or leave it out: the weights' own size",
        ) from error
    finally:
        network.model.train(was_training)
