"""Opens a backbone, puts a new head in the place of its classifier, and maps its depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ftcli.components import head
from ftcli.components.backbone import Opened, is_classifier, open_backbone, width_of
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
    meta: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Network:
    """The network of a recipe: SOURCE/NAME with its weights, and a head for `num_classes`.

    `image_size` in pixels, None for the weights' own. With `weights` "none" all are random, drawn from `seed`
    alone, as the head's always are; torch's own generator is left as it was. With `meta` the tensors
    have shapes and no values. `config` is that of an earlier `Network` of this backbone, from which the
    architecture is rebuilt without asking where it came from. Raises ModelError.
    """
    with seeded(seed):
        opened = open_backbone(backbone, weights, image_size, meta=meta, config=config)
    return with_head(opened, backbone, head_options, num_classes, seed=seed, meta=meta)


def with_head(
    opened: Opened,
    backbone: str,
    head_options: head.Linear | head.MLP,
    num_classes: int,
    *,
    seed: int,
    meta: bool = False,
) -> Network:
    """The network of an opened backbone, whose model is changed; see `build_network`. A language model's stays."""
    with seeded(seed), torch.device("meta") if meta else nullcontext():
        for path in () if opened.language_model else opened.heads:
            replace_head(opened.model, path, lambda width: head.build(head_options, width, num_classes))
    if not opened.language_model:
        opened.model.num_classes = num_classes  # type: ignore[assignment]  # as timm's own models say it
    layer_map, of_module = layer_map_of(opened.model, opened.head_modules, opened.depth, backbone)
    return Network(
        model=opened.model,
        layer_map=layer_map,
        module_layers=of_module,
        heads=opened.heads,
        preprocessing=opened.preprocessing,
        backbone=backbone,
        weights_note=opened.weights,
        config=opened.config,
        tokenizer=opened.tokenizer,
        tail=opened.tail,
    )


def replace_head(model: nn.Module, head_path: str, build: Callable[[int], nn.Module]) -> None:
    """Put `build(number of features)` in the place of the linear layer, or 1x1 convolution, at `head_path`."""
    classifier = model.get_submodule(head_path)
    if not is_classifier(classifier):
        kind = type(classifier).__name__
        raise ModelError(f"the classifier {head_path} is a {kind}, not a linear layer")
    made = build(width_of(classifier))
    model.set_submodule(head_path, convolutional(made) if isinstance(classifier, nn.Conv2d) else made)


def convolutional(module: nn.Module) -> nn.Module:
    """The same function of every pixel's features: each linear layer as a 1x1 convolution."""
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*map(convolutional, module))
    if not isinstance(module, nn.Linear):
        return module
    made = nn.Conv2d(module.in_features, module.out_features, 1, device=module.weight.device)
    made.weight = nn.Parameter(module.weight.detach()[:, :, None, None].clone())
    made.bias = module.bias
    return made


def with_group_norm(network: Network) -> Network:
    """The network with a GroupNorm for every BatchNorm. Its model is changed; parameter names stay."""
    replace_batch_norm(network.model)
    return replace(network, layer_map=replace(network.layer_map, batch_norms=()))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Networks are made on the CPU, so its generator is the only one to seed and to put back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
