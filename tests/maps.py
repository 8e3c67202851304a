"""Layer maps made by hand, so that tests of the plan need no network."""

from __future__ import annotations

from ftcli.plans.layer_map import BatchNorm, Layer, LayerMap, Parameter

RESNET18_STAGES = ("stem", "layer1", "layer2", "layer3", "layer4", "head")


def chain(*stages: str, blocks: int = 1, batch_norm: bool = True, backbone: str = "toy/chain") -> LayerMap:
    """Stages of `blocks` layers each (the stem and the head have one): a weight, a bias and a BatchNorm per layer."""
    layers: list[Layer] = []
    parameters: list[Parameter] = []
    norms: list[BatchNorm] = []
    for stage in stages:
        single = stage in (stages[0], "head")
        for block in range(1 if single else blocks):
            name = stage if single else f"{stage}.{block}"
            index = len(layers)
            layers.append(Layer(index, name, stage))
            parameters.append(Parameter(f"{name}.weight", (4, 4), index, stage, is_norm=False))
            parameters.append(Parameter(f"{name}.bias", (4,), index, stage, is_norm=False))
            if batch_norm and stage != "head":
                bn = f"{name}.bn"
                affine = (f"{bn}.weight", f"{bn}.bias")
                stats = tuple(f"{bn}.{s}" for s in ("running_mean", "running_var", "num_batches_tracked"))
                parameters += [Parameter(a, (4,), index, stage, is_norm=True) for a in affine]
                norms.append(BatchNorm(bn, index, stage, affine, stats))
    return LayerMap(backbone, tuple(layers), tuple(parameters), tuple(norms))


def resnet(blocks: int = 2) -> LayerMap:
    """The stages of a ResNet."""
    return chain(*RESNET18_STAGES, blocks=blocks, backbone="toy/resnet")


def transformer(depth: int = 12) -> LayerMap:
    """A stem, `depth` blocks that are a stage each, and a head; no BatchNorm."""
    names = ("stem", *(f"blocks.{i}" for i in range(depth)), "head")
    return chain(*names, batch_norm=False, backbone="toy/transformer")
