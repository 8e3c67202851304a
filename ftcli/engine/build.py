"""Opens a backbone, puts a new head in the place of its classifier, and maps its depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import nn

from ftcli.components import head
from ftcli.components.backbone import open_backbone
from ftcli.engine.group_norm import replace_batch_norm
from ftcli.engine.layer_map import layer_map_of
from ftcli.engine.network import Network
from ftcli.errors import ModelError


def build_network(
    backbone: str,
    weights: str,
    head_options: head.Linear | head.MLP,
    num_classes: int,
    *,
    image_size: int | None,
    seed: int,
    pretrained: bool,
    meta: bool = False,
) -> Network:
    """The network of a recipe: SOURCE/NAME with its weights, and a head for `num_classes`.

    `image_size` in pixels, None for the weights' own. Without `pretrained` all weights are random, drawn from
    `seed` alone, as the head's always are; torch's own generator is left as it was. With `meta` the tensors
    have shapes and no values. Raises ModelError.
    """
    with _seeded(seed):
        opened = open_backbone(backbone, weights if pretrained else "none", image_size, meta=meta)
    with _seeded(seed), torch.device("meta") if meta else nullcontext():
        replace_head(
            opened.model, opened.head_path, lambda width: head.build(head_options, width, num_classes)
        )
    opened.model.num_classes = num_classes  # type: ignore[assignment]  # as timm's own models say it
    layer_map, of_module = layer_map_of(opened.model, opened.head_path, opened.depth, backbone)
    return Network(
        model=opened.model,
        layer_map=layer_map,
        module_layers=of_module,
        head_path=opened.head_path,
        preprocessing=opened.preprocessing,
        backbone=backbone,
        weights_note=opened.weights,
    )


def replace_head(model: nn.Module, head_path: str, build: Callable[[int], nn.Module]) -> None:
    """Put `build(number of features)` in the place of the linear layer at `head_path`."""
    classifier = model.get_submodule(head_path)
    if not isinstance(classifier, nn.Linear):
        kind = type(classifier).__name__
        raise ModelError(f"the classifier {head_path} is a {kind}, not a linear layer")
    model.set_submodule(head_path, build(classifier.in_features))


def with_group_norm(network: Network) -> Network:
    """The network with a GroupNorm for every BatchNorm. Its model is changed; parameter names stay."""
    replace_batch_norm(network.model)
    return replace(network, layer_map=replace(network.layer_map, batch_norms=()))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Networks are made on the CPU, so its generator is the only one to seed and to put back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
