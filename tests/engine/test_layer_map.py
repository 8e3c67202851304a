"""The LayerMap of real networks, and of a few made to be awkward."""

from __future__ import annotations

import pytest
from torch import nn

from ftcli.components.backbone import Depth, open_backbone
from ftcli.engine.layer_map import is_norm, layer_map_of
from ftcli.errors import ModelError
from ftcli.plans.layer_map import LayerMap


def mapped(backbone: str) -> tuple[LayerMap, dict[str, int]]:
    opened = open_backbone(backbone, "none", meta=True)
    return layer_map_of(opened.model, opened.heads, opened.depth, backbone)


def stage_of(layer_map: LayerMap, name: str) -> str:
    return layer_map.by_name[name].stage


@pytest.mark.parametrize("backbone", ["torchvision/resnet18", "timm/resnet18"])
def test_resnet18(backbone: str) -> None:
    layer_map, _ = mapped(backbone)
    assert layer_map.stages == ("stem", "layer1", "layer2", "layer3", "layer4", "head")
    assert [layer.name for layer in layer_map.layers][:3] == ["stem", "layer1.0", "layer1.1"]
    backbone_parameters = [p.name for p in layer_map.in_stages(layer_map.backbone_stages)]
    assert layer_map.numel(backbone_parameters) == 11_176_512
    assert len(layer_map.batch_norms) == 20
    assert layer_map.buffers == ()


def test_a_norm_is_known_by_its_type() -> None:
    layer_map, _ = mapped("torchvision/resnet18")
    downsampling = layer_map.by_name["layer2.0.downsample.1.weight"]
    assert downsampling.is_norm
    assert not downsampling.decays
    assert not layer_map.by_name["layer2.0.downsample.0.weight"].is_norm


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet_ln", "test_efficientnet_evos", "test_vit3"])
def test_timms_norms_are_norms(name: str) -> None:
    model = open_backbone(f"timm/{name}", "none", meta=True).model
    kinds = {type(m).__name__: is_norm(m) for m in model.modules() if not list(m.children())}
    assert {kind for kind, norm in kinds.items() if norm} == {
        kind for kind in kinds if "Norm" in kind and kind != "Identity"
    }


def test_a_batch_norm_with_its_tensors() -> None:
    norm = next(n for n in mapped("torchvision/resnet18")[0].batch_norms if n.name == "layer4.0.downsample.1")
    assert (norm.stage, norm.params) == (
        "layer4",
        ("layer4.0.downsample.1.weight", "layer4.0.downsample.1.bias"),
    )
    assert [name.rpartition(".")[2] for name in norm.buffers] == [
        "running_mean",
        "running_var",
        "num_batches_tracked",
    ]


@pytest.mark.parametrize("backbone", ["torchvision/densenet121", "timm/densenet121"])
def test_densenets_transitions_and_last_norm(backbone: str) -> None:
    layer_map, _ = mapped(backbone)
    blocks = [f"denseblock{n}" for n in (1, 2, 3, 4)]
    assert layer_map.stages == ("stem", *blocks, "head")
    assert stage_of(layer_map, "features.transition1.conv.weight") == "denseblock1"
    assert layer_map.by_name["features.transition1.conv.weight"].layer == 6
    last = layer_map.by_name["features.norm5.weight"]
    assert (last.stage, last.layer) == ("denseblock4", layer_map.layers[-2].index)


@pytest.mark.parametrize(
    ("backbone", "name", "stage"),
    [
        ("torchvision/convnext_tiny", "features.2.1.weight", "features.3"),
        ("torchvision/convnext_tiny", "classifier.0.weight", "features.7"),
        ("torchvision/swin_t", "features.4.reduction.weight", "features.5"),
        ("torchvision/swin_t", "norm.weight", "features.7"),
        ("torchvision/efficientnet_b0", "features.8.0.weight", "features.7"),
        ("torchvision/mobilenet_v2", "features.3.conv.2.weight", "stage2"),
        ("torchvision/mobilenet_v2", "features.18.0.weight", "stage7"),
        ("torchvision/mobilenet_v3_large", "classifier.0.weight", "stage6"),
        ("torchvision/vit_b_16", "class_token", "stem"),
        ("torchvision/vit_b_16", "encoder.ln.weight", "encoder_layer_11"),
        ("torchvision/vgg16_bn", "features.8.weight", "block2"),
        ("torchvision/vgg16_bn", "classifier.3.weight", "block5"),
        ("torchvision/shufflenet_v2_x0_5", "conv5.0.weight", "stage4"),
        ("timm/efficientnet_b0", "conv_head.weight", "blocks.6"),
        ("timm/mobilenetv3_small_050", "conv_head.weight", "blocks.5"),
        ("timm/convnext_atto", "stages.1.downsample.1.weight", "stages.1"),
        ("timm/convnext_atto", "head.norm.weight", "stages.3"),
        ("timm/vit_tiny_patch16_224", "pos_embed", "stem"),
        ("timm/vit_tiny_patch16_224", "norm.weight", "blocks.11"),
        ("timm/swin_s3_tiny_224", "layers.2.downsample.reduction.weight", "layers.2"),
        ("timm/cait_xxs24_224", "blocks.3.gamma_1", "blocks.3"),
        ("timm/cait_xxs24_224", "norm.weight", "blocks_token_only.1"),
        ("timm/csatv2", "stages.1.0.weight", "stages.1"),
        ("timm/csatv2", "stages.1.3.weight", "stages.1"),
        ("timm/efficientvim_m1", "norm.0.weight", "stages.0"),
        ("timm/efficientvim_m1", "norm.3.weight", "stages.2"),
        ("timm/levit_128s", "head_dist.bn.weight", "stages.2"),
        ("timm/pit_ti_224", "transformers.1.pool.conv.weight", "transformers.1"),
        ("timm/poolformer_s12", "stages.1.downsample.conv.weight", "stages.1"),
        ("timm/rdnet_tiny", "dense_stages.2.1.weight", "dense_stages.2"),
        ("timm/selecsls42", "head.0.0.weight", "blocks_head"),
        ("timm/vit_srelpos_small_patch16_224", "shared_rel_pos.mlp.fc1.weight", "stem"),
    ],
)
def test_what_stands_between_the_blocks(backbone: str, name: str, stage: str) -> None:
    assert stage_of(mapped(backbone)[0], name) == stage


def test_every_other_buffer_has_its_layer() -> None:
    layer_map, _ = mapped("torchvision/swin_t")
    table = dict(layer_map.buffers)["features.7.1.attn.relative_position_index"]
    assert layer_map.layers[table].name == "features.7.1"


@pytest.mark.parametrize(
    ("backbone", "module", "layer"),
    [
        ("torchvision/resnet18", "maxpool", "stem"),
        ("torchvision/resnet18", "layer2.1.relu", "layer2.1"),
        ("torchvision/efficientnet_b0", "features.2.1.stochastic_depth", "features.2.1"),
        ("torchvision/efficientnet_b0", "classifier.0", "head"),
        ("torchvision/vgg16_bn", "classifier.2", "features.40"),
        ("torchvision/vgg16_bn", "classifier.5", "head"),
        ("torchvision/vit_b_16", "encoder.layers.encoder_layer_3.self_attention", "encoder_layer_3"),
        ("torchvision/vit_b_16", "encoder.dropout", "stem"),
        ("timm/vit_tiny_patch16_224", "pos_drop", "stem"),
        ("timm/vit_tiny_patch16_224", "blocks.4.attn.attn_drop", "blocks.4"),
        ("timm/vit_tiny_patch16_224", "head_drop", "head"),
        ("timm/convnext_atto", "head.drop", "head"),
        ("timm/levit_128s", "head.drop", "head"),
        ("timm/levit_128s", "head_dist.drop", "head"),
        ("timm/deit_tiny_distilled_patch16_224", "head_drop", "head"),
        ("timm/volo_d1_224", "head_drop", "head"),
        ("timm/csatv2", "stages.1.3", "stages.1.2"),
        ("timm/rdnet_tiny", "dense_stages.2.1", "dense_stages.2.2.dense_block0"),
        ("timm/efficientnet_b0", "bn2.act", "blocks.6.0"),
        ("timm/efficientnet_b0", "blocks.3.2.drop_path", "blocks.3.2"),
    ],
)
def test_modules_without_parameters(backbone: str, module: str, layer: str) -> None:
    layer_map, module_layers = mapped(backbone)
    assert layer_map.layers[module_layers[module]].name == layer


@pytest.mark.parametrize("container", ["", "layer1"])
def test_a_container_of_several_layers_has_none(container: str) -> None:
    assert container not in mapped("torchvision/resnet18")[1]


class Tied(nn.Module):
    """Two blocks that share a weight, and a norm without parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.blocks = nn.ModuleList([nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)])
        self.blocks[1].weight = self.blocks[0].weight
        self.norm = nn.BatchNorm1d(4, affine=False)
        self.last = nn.Linear(4, 4)
        self.fc = nn.Linear(4, 2)


DEPTH = Depth({"stem": "^stem", "blocks": r"^blocks\.(\d+)"}, {"stem": "^stem", "blocks": r"^blocks\.(\d+)"})


def test_tied_parameters_stand_once() -> None:
    layer_map, _ = layer_map_of(Tied(), ("fc",), DEPTH, "tied")
    assert [p.name for p in layer_map.parameters if p.name.startswith("blocks")] == ["blocks.0.weight"]
    assert layer_map.stages == ("stem", "blocks.0", "head")
    assert layer_map.by_name["last.weight"].stage == "blocks.0"


def test_a_batch_norm_without_parameters_has_a_layer() -> None:
    (norm,) = layer_map_of(Tied(), ("fc",), DEPTH, "tied")[0].batch_norms
    assert (norm.stage, norm.params) == ("blocks.0", ())


def test_what_only_the_stages_speak_of_joins_its_stage() -> None:
    model = nn.Module()
    model.s0, model.s1, model.fc = nn.ModuleDict(), nn.ModuleDict(), nn.Linear(2, 2)
    for stage in (model.s0, model.s1):
        stage["block0"], stage["extra"] = nn.Linear(2, 2), nn.Linear(2, 2)  # type: ignore[index]
    depth = Depth({"blocks": r"^s(\d+)"}, {"blocks": r"^s(\d+)\.block(\d+)"})
    layer_map, _ = layer_map_of(model, ("fc",), depth, "model")
    assert [layer_map.by_name[f"s{n}.extra.weight"].layer for n in (0, 1)] == [0, 1]


def test_a_depth_that_fits_nothing() -> None:
    with pytest.raises(ModelError, match="declares a depth"):
        layer_map_of(Tied(), ("fc",), Depth({"stem": "^x"}, {"stem": "^x"}), "tied")


def test_a_block_that_no_stage_speaks_of_is_in_the_stage_below() -> None:
    depth = Depth({"stem": "^stem"}, {"stem": "^stem", "blocks": r"^blocks\.(\d+)"})
    layer_map, _ = layer_map_of(Tied(), ("fc",), depth, "tied")
    assert [(layer.name, layer.stage) for layer in layer_map.layers] == [
        ("stem", "stem"),
        ("blocks.0", "stem"),
        ("head", "head"),
    ]
