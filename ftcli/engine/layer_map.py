"""The LayerMap of a network: every tensor in one layer, every layer in one stage, the head last.

What a model's declaration of depth leaves out (a last norm or convolution, a linear layer before the
classifier) joins the last layer of the backbone.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from ftcli.components.backbone import Depth, Groups, group, is_below
from ftcli.engine.module_layers import module_layers
from ftcli.errors import ModelError
from ftcli.plans.layer_map import HEAD, BatchNorm, Layer, LayerMap, Parameter

STEM = "stem"

_NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_TIMM_NORMS = tuple(
    f"timm.layers.{file}" for file in ("norm", "norm_act", "evo_norm", "filter_response_norm")
)
"""Files of nothing but norms; some are related to none of torch's."""


def layer_map_of(
    model: nn.Module, heads: Sequence[str], depth: Depth, backbone: str
) -> tuple[LayerMap, dict[str, int]]:
    """The LayerMap, and the layer of each module (see `module_layers`).

    `heads` name the modules that are the head. Tied parameters stand once, by their first name. Raises
    ModelError when the declared depth fits no parameter.
    """
    names = [name for name, _ in model.named_parameters() if not is_below(name, heads)]
    stages, blocks = _named(group(names, depth.stages)), _named(group(names, depth.layers))
    if not stages.names or not blocks.names:
        raise ModelError(f"{backbone} declares a depth that none of its parameters has")
    layers = _layers(stages, blocks)
    layer_of = {name: _layer_of(name, layers, stages, blocks) for name in names}
    head = layers[-1].index
    layer_of |= {name: head for name, _ in model.named_parameters() if name not in layer_of}
    return mapped(model, heads, backbone, layers, layer_of)


def mapped(
    model: nn.Module,
    heads: Sequence[str],
    backbone: str,
    layers: tuple[Layer, ...],
    layer_of: Mapping[str, int],
    adapters: Container[str] = (),
) -> tuple[LayerMap, dict[str, int]]:
    """Of a model whose parameters are in these layers; `adapters` names those that were put beside them."""
    of_module = module_layers(model, heads, layer_of)
    layer_map = LayerMap(
        backbone=backbone,
        layers=layers,
        parameters=tuple(_parameters(model, layer_of, layers, adapters)),
        batch_norms=tuple(_batch_norms(model, of_module, layers)),
        buffers=tuple(_other_buffers(model, of_module)),
    )
    return layer_map, of_module


def _named(groups: Groups) -> Groups:
    """With names to write in a recipe: `stem` first, then without the path that all the others share.

    `encoder.layers.encoder_layer_0` becomes `encoder_layer_0`; `features.2` stays, as 2 says too little.
    """
    paths = [name.split(".") for name in groups.names[1:]]
    while len({path[0] for path in paths}) == 1 and all(
        len(path) > 1 and not path[1][0].isdigit() for path in paths
    ):
        paths = [path[1:] for path in paths]
    return replace(groups, names=(STEM, *(".".join(path) for path in paths))[: len(groups.names)])


def _layers(stages: Groups, blocks: Groups) -> tuple[Layer, ...]:
    """The blocks from the input to the output, each in the stage of its first parameter, and the head."""
    stage_of: dict[int, str] = {}
    for name, block in blocks.index.items():
        if name in stages.index:
            stage_of.setdefault(block, stages.names[stages.index[name]])
    layers: list[Layer] = []
    stage = STEM
    for index, name in enumerate(blocks.names):
        stage = stage_of.get(index, stage)
        layers.append(Layer(index, name, stage))
    return (*layers, Layer(len(layers), HEAD, HEAD))


def _layer_of(name: str, layers: Sequence[Layer], stages: Groups, blocks: Groups) -> int:
    """The layer of a backbone parameter; one that is in a stage but in no block joins the stage's last."""
    if name in blocks.index:
        return blocks.index[name]
    stage = stages.names[stages.index[name]] if name in stages.index else None
    return max((layer.index for layer in layers if layer.stage == stage), default=layers[-2].index)


def _parameters(
    model: nn.Module, layer_of: Mapping[str, int], layers: Sequence[Layer], adapters: Container[str]
) -> Iterator[Parameter]:
    for name, tensor in model.named_parameters():
        layer = layers[layer_of[name]]
        owner = model.get_submodule(name.rpartition(".")[0])
        yield Parameter(
            name,
            _shape(tensor),
            layer.index,
            layer.stage,
            is_norm(owner),
            is_adapter=name in adapters,
        )


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """That of the weights which a tensor holds: bitsandbytes packs those of a layer into one column of bytes."""
    packed = getattr(tensor, "quant_state", None)
    return tuple(tensor.shape if packed is None else packed.shape)


def is_norm(module: nn.Module) -> bool:
    """Whether it normalises, by its type."""
    families = {family.__module__ for family in type(module).__mro__}
    return isinstance(module, _NORMS) or not families.isdisjoint(_TIMM_NORMS)


def _batch_norms(
    model: nn.Module, of_module: Mapping[str, int], layers: Sequence[Layer]
) -> Iterator[BatchNorm]:
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            layer = layers[of_module[name]]
            params = tuple(f"{name}.{field}" for field, _ in module.named_parameters(recurse=False))
            buffers = tuple(f"{name}.{field}" for field, _ in module.named_buffers(recurse=False))
            yield BatchNorm(name, layer.index, layer.stage, params, buffers)


def _other_buffers(model: nn.Module, of_module: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """A buffer of a module that spans several layers counts as the first layer's, as it serves them all."""
    for name, _ in model.named_buffers():
        owner = name.rpartition(".")[0]
        if not isinstance(model.get_submodule(owner), _BatchNorm):
            yield name, of_module.get(owner, 0)
