"""What every backbone of transformers promises: small ones of each family, made of their configs alone."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from ftcli.components.backbone import hf
from ftcli.components.backbone._decoder_families import DECODERS
from ftcli.components.backbone._text_families import FAMILIES
from ftcli.components.head import Linear
from ftcli.engine.build import build_network
from ftcli.engine.network import Network
from tests.contracts import promises
from tests.contracts.promises import CLASSES

pytest.importorskip("transformers")

_VIT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}
_STAGES: dict[str, Any] = {"hidden_sizes": [8, 16, 16, 32], "depths": [1, 2, 1, 1], "image_size": 64}
_SWIN: dict[str, Any] = {
    "embed_dim": 8,
    "depths": [2, 2],
    "num_heads": [2, 2],
    "window_size": 4,
    "image_size": 32,
}
_RESNET: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2]}
_PVT: dict[str, Any] = {
    "image_size": 64,
    "hidden_sizes": [8, 16, 16, 32],
    "depths": [1, 2, 1, 1],
    "num_attention_heads": [1, 2, 2, 4],
    "mlp_ratios": [2, 2, 2, 2],
}

TINY: dict[str, dict[str, Any]] = {
    "vit": _VIT,
    "deit": _VIT,
    "beit": _VIT | {"use_relative_position_bias": True, "use_mask_token": True},
    "swin": _SWIN,
    "swinv2": _SWIN,
    "convnext": _STAGES,
    "convnextv2": _STAGES,
    "resnet": _RESNET,
    "regnet": _RESNET | {"groups_width": 8},
    "mobilenet_v1": {"depth_multiplier": 0.25},
    "mobilenet_v2": {"depth_multiplier": 0.35, "finegrained_output": False},
    "mobilevit": {
        "hidden_sizes": [16, 16, 16],
        "neck_hidden_sizes": [8, 8, 16, 16, 16, 16, 32],
        "num_attention_heads": 2,
        "image_size": 64,
        "output_stride": 32,
    },
    "mobilevitv2": {"width_multiplier": 0.25, "image_size": 64},
    "efficientnet": {
        "width_coefficient": 0.25,
        "depth_coefficient": 0.5,
        "hidden_dim": 320,
        "image_size": 64,
    },
    "pvt": _PVT,
    "pvt_v2": _PVT | {"num_attention_heads": [1, 2, 2, 4], "sr_ratios": [8, 4, 2, 1]},
    "poolformer": {
        "hidden_sizes": [8, 16, 16, 32],
        "depths": [1, 2, 1, 1],
    },
    "levit": {
        "hidden_sizes": [16, 24, 32],
        "num_attention_heads": [2, 2, 2],
        "key_dim": [4, 4, 4],
        "depths": [2, 1, 1],
        "image_size": 64,
    },
    "focalnet": {"embed_dim": 8, "depths": [1, 1, 2, 1], "image_size": 64},
    "dinov2": _VIT | {"mlp_ratio": 2},
    "dinov3_vit": _VIT | {"num_register_tokens": 2},
    "dinov3_convnext": _STAGES,
    "siglip_vision_model": _VIT,
    "clip_vision_model": _VIT,
    "siglip": {"vision_config": _VIT},
    "clip": {"vision_config": _VIT},
}
OTHERS: dict[str, dict[str, Any]] = {
    "bit": {"embedding_size": 8, "hidden_sizes": [32, 32], "depths": [1, 2], "num_groups": 4},
    "cvt": {"embed_dim": [8, 16, 32], "num_heads": [1, 2, 2], "depth": [1, 2, 3]},
    "data2vec-vision": _VIT | {"use_relative_position_bias": True},
    "dinov2_with_registers": _VIT | {"mlp_ratio": 2},
    "donut-swin": _SWIN,
    "hgnet_v2": {},
    "hiera": {"embed_dim": 16, "depths": [1, 1, 2, 1], "image_size": [64, 64]},
    "ijepa": _VIT,
    "metaclip_2": {"vision_config": _VIT},
    "metaclip_2_vision_model": _VIT,
    "pp_lcnet": {"scale": 0.25},
    "segformer": {
        "hidden_sizes": [8, 16, 16, 32],
        "num_attention_heads": [1, 2, 2, 4],
        "decoder_hidden_size": 16,
    },
    "swiftformer": {"image_size": 64, "embed_dims": [8, 16, 16, 32], "depths": [1, 1, 2, 1]},
    "textnet": {},
    "vit_msn": _VIT,
}
"""Of the less usual families: computed with in the slow tests only."""

WITH_TEACHER = {
    "deit": _VIT | {"architectures": ["DeiTForImageClassificationWithTeacher"]},
    "levit": TINY["levit"] | {"architectures": ["LevitForImageClassificationWithTeacher"]},
}
FINE_TUNED = {
    "clip": {"vision_config": _VIT, "architectures": ["CLIPForImageClassification"]},
    "siglip": {"vision_config": _VIT, "architectures": ["SiglipForImageClassification"]},
    "metaclip_2": {"vision_config": _VIT, "architectures": ["MetaClip2ForImageClassification"]},
}

_EVERY: dict[str, dict[str, Any]] = {
    **TINY,
    **OTHERS,
    **{f"{name}+teacher": values for name, values in WITH_TEACHER.items()},
    **{f"{name}+classifier": values for name, values in FINE_TUNED.items()},
}
KNOWN = set(hf.names()) - set(FAMILIES) - set(DECODERS)
if "metaclip_2_vision_model" not in KNOWN:
    KNOWN.discard("metaclip_2")  # in transformers 5.0 it opens, and what is kept of it does not
CONFIGS = {name: values for name, values in _EVERY.items() if name.partition("+")[0] in KNOWN}
"""Earlier versions of transformers have a few types less."""
EVERY = pytest.mark.parametrize("which", CONFIGS)
COMPUTED = pytest.mark.parametrize(
    "which", [pytest.param(one, marks=pytest.mark.slow if one in OTHERS else ()) for one in CONFIGS]
)


def config_of(which: str) -> dict[str, Any]:
    return {"model_type": which.partition("+")[0], **CONFIGS[which]}


def image_size(which: str) -> int:
    values = CONFIGS[which]
    size = values.get("vision_config", values).get("image_size", 64)
    return size if isinstance(size, int) else size[0]


@cache
def opened(which: str, meta: bool) -> Network:
    return build_network(
        f"hf/{which.partition('+')[0]}",
        "none",
        Linear(),
        CLASSES,
        image_size=image_size(which),
        seed=0,
        meta=meta,
        config=config_of(which),
    )


def image_batch(which: str) -> torch.Tensor:
    size = image_size(which)
    return torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_every_type_is_tried() -> None:
    assert {*TINY, *OTHERS} >= KNOWN
    assert TINY.keys() <= KNOWN, "these are in every version that is supported"


@EVERY
def test_it_opens_without_values(which: str) -> None:
    promises.it_opens_without_values(opened(which, meta=True))


@EVERY
def test_every_tensor_has_its_layer(which: str) -> None:
    promises.every_tensor_has_its_layer(opened(which, meta=True))


@EVERY
def test_layers_run_from_the_stem_to_the_head(which: str) -> None:
    promises.layers_run_from_the_stem_to_the_head(opened(which, meta=True))
    assert len(promises.runs_of_stages(opened(which, meta=True))) > 3


@EVERY
def test_the_head_is_the_new_module_and_nothing_else(which: str) -> None:
    promises.the_head_is_the_new_modules_and_nothing_else(opened(which, meta=True))


@COMPUTED
def test_layers_compute_in_their_order(which: str) -> None:
    promises.layers_compute_in_their_order(opened(which, meta=False), image_batch(which))


@COMPUTED
def test_it_classifies_and_every_parameter_gets_a_gradient(which: str) -> None:
    promises.it_classifies_and_every_parameter_gets_a_gradient(opened(which, meta=False), image_batch(which))


@COMPUTED
def test_meta_and_real_agree(which: str) -> None:
    promises.meta_and_real_agree(opened(which, meta=True), opened(which, meta=False))


@COMPUTED
def test_a_cut_is_right_and_never_refused(which: str) -> None:
    network = opened(which, meta=False)
    copy = replace(network, model=deepcopy(network.model))
    assert promises.a_cut_is_right_or_refused(copy) == []


@EVERY
def test_what_is_kept_rebuilds_it(which: str) -> None:
    """The config that goes into a model's file gives the same network again."""
    network = opened(which, meta=True)
    again = build_network(
        network.backbone,
        "none",
        Linear(),
        CLASSES,
        image_size=image_size(which),
        seed=0,
        meta=True,
        config=network.config,
    )
    assert again.layer_map == network.layer_map
    assert again.config == network.config


@pytest.mark.parametrize("which", ["deit+teacher", "levit+teacher"])
def test_both_heads_of_a_distilled_model_are_replaced(which: str) -> None:
    network = opened(which, meta=True)
    assert len(network.heads) == 2
    assert {network.model.get_submodule(path).out_features for path in network.heads} == {CLASSES}


def test_blocks_in_one_row_are_stages_by_width() -> None:
    """MobileNetV1's table: 64, 128, 256, 512 and 1024 channels; a layer is a depthwise and a pointwise convolution."""
    layers = opened("mobilenet_v1", meta=True).layer_map.layers
    stages = [layer.stage for layer in layers[1:-1]]
    assert {stage: stages.count(stage) for stage in stages} == {
        "stage1": 1,
        "stage2": 2,
        "stage3": 2,
        "stage4": 6,
        "stage5": 2,
    }
