"""What every backbone promises, whatever its family and source: each function fails where it is broken."""

from __future__ import annotations

import torch
from torch import Tensor

from ftcli.components.backbone import is_below
from ftcli.engine.cut import Cut, highest_cut
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.network import Network
from ftcli.plans.layer_map import HEAD
from tests.cuts import boundaries, forward_of, freeze_below, gradients, some_images

CLASSES = 7


def it_opens_without_values(network: Network) -> None:
    assert all(tensor.is_meta for tensor in network.model.state_dict().values())


def every_tensor_has_its_layer(network: Network) -> None:
    layer_map = network.layer_map
    shapes = {name: tuple(tensor.shape) for name, tensor in network.model.named_parameters()}
    assert {p.name: p.shape for p in layer_map.parameters} == shapes
    assert len(layer_map.parameters) == len(shapes), "a parameter is in one layer"
    assert all(p.stage == layer_map.layers[p.layer].stage for p in layer_map.parameters)
    buffers = [name for norm in layer_map.batch_norms for name in norm.buffers]
    buffers += [name for name, _ in layer_map.buffers]
    assert sorted(buffers) == sorted(name for name, _ in network.model.named_buffers())


def layers_run_from_the_stem_to_the_head(network: Network) -> None:
    layers = network.layer_map.layers
    assert [layer.index for layer in layers] == list(range(len(layers)))
    assert len({layer.name for layer in layers}) == len(layers)
    assert (layers[0].stage, layers[-1].stage) == ("stem", HEAD)
    runs = runs_of_stages(network)
    assert len(runs) == len(set(runs)), "a stage is one run of layers"
    assert {p.layer for p in network.layer_map.parameters} == set(range(len(layers))), "no layer is empty"


def runs_of_stages(network: Network) -> list[str]:
    """The stages as layers come by them: one that is left and entered again stands there twice."""
    stages = [layer.stage for layer in network.layer_map.layers]
    return [stage for i, stage in enumerate(stages) if i == 0 or stage != stages[i - 1]]


def the_head_is_the_new_modules_and_nothing_else(network: Network) -> None:
    assert network.heads
    head = {p.name for p in network.layer_map.in_stages([HEAD])}
    assert head == {f"{path}.{field}" for path in network.heads for field in ("weight", "bias")}
    classes = {len(network.model.get_submodule(path).weight) for path in network.heads}
    assert classes == {CLASSES}
    assert all(is_below(name, network.heads) for name in head)


def layers_compute_in_their_order(network: Network, images: Tensor) -> None:
    """The first module of each layer to run does so after the first one of the layer below."""
    network.model.eval()
    with torch.no_grad():
        seen, _ = watched(network, images)
    assert seen == sorted(seen)
    assert seen[-1] == network.layer_map.layers[-1].index


def watched(network: Network, images: Tensor) -> tuple[list[int], Tensor]:
    """Layers by when they first compute in a forward pass, and its logits. The network is left without a hook."""
    seen: list[int] = []
    hooks = []
    for name, module in network.model.named_modules():
        if name in network.module_layers and list(module.parameters(recurse=False)):
            layer = network.module_layers[name]
            hooks.append(module.register_forward_pre_hook(lambda *_, layer=layer: seen.append(layer)))
    logits = network.model(images)
    for hook in hooks:
        hook.remove()
    return list(dict.fromkeys(seen)), logits


def it_classifies_and_every_parameter_gets_a_gradient(network: Network, images: Tensor) -> None:
    logits = network.model.train()(images)
    assert logits.shape == (len(images), CLASSES)
    logits.square().sum().backward()
    assert not [name for name, p in network.model.named_parameters() if p.grad is None]


def meta_and_real_agree(meta: Network, real: Network) -> None:
    assert meta.layer_map == real.layer_map
    assert meta.module_layers == real.module_layers
    assert meta.preprocessing == real.preprocessing


def a_cut_is_right_or_refused(network: Network) -> list[int]:
    """Before the head, before the last stage and in the middle; returns the boundaries where it is refused.

    What was proved on one batch holds on another one, of another size, and for the gradients of a training step.
    """
    forward, refused = forward_of(network), []
    for boundary in boundaries(network):
        cut = highest_cut(network, forward, boundary, some_images(network, 2))
        if cut is None or cut.boundary < boundary:
            refused.append(boundary)
        if cut is not None:
            _the_parts_are_the_whole(network, cut)
    return refused


def _the_parts_are_the_whole(network: Network, cut: Cut) -> None:
    forward, images = forward_of(network), some_images(network, 3, seed=1)
    freeze_below(network, cut.boundary)
    whole = gradients(network, forward, images)
    parts = gradients(network, cut.suffix, cut.prefix(images))
    network.model.requires_grad_(True).zero_grad(set_to_none=True)
    assert whole.keys() == parts.keys()
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    enter_eval_mode(network)
    with torch.no_grad():
        assert torch.equal(cut.suffix(cut.prefix(images)), forward(images))
