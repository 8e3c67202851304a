"""Crops of a whole batch are those that torchvision makes one by one."""

from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_sample_images
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ftcli.engine.device_crops import AT_ONCE, FILTERS, Crop, _weights, padded, resized
from ftcli.plans.preprocessing import IMAGENET

MODES = ["bilinear", "bicubic"]
BOXES = [
    (0, 0, 427, 640, False),  # the whole of it
    (0, 0, 427, 640, True),
    (13, 40, 256, 300, False),
    (13, 40, 300, 256, True),
    (100, 17, 224, 224, True),
    (400, 601, 20, 31, False),
    (3, 7, 1, 500, True),
    (420, 639, 7, 1, False),
]
"""Top, left, height, width, and whether mirrored."""


def prepared(size, mode):
    return replace(IMAGENET.at_size(size), interpolation=mode)


def images(kind):
    """uint8 (3, 427, 640)."""
    if kind == "photograph":
        return torch.from_numpy(load_sample_images().images[0].copy()).permute(2, 0, 1)
    drawn = torch.Generator().manual_seed(0)
    low, high = {"noise": (0, 256), "noise of middling greys": (64, 192)}[kind]
    return torch.randint(low, high, (3, 427, 640), generator=drawn, dtype=torch.uint8)


def part(image_CHW, box):
    top, left, height, width, mirrored = box
    return Crop(image_CHW[:, top : top + height, left : left + width], mirrored)


def together(image_CHW, size, mode):
    return resized(padded([part(image_CHW, box) for box in BOXES]), prepared(size, mode), "cpu")


def one_by_one(image_CHW, size, mode):
    made = [
        F.resized_crop(image_CHW, *box, [size, size], interpolation=InterpolationMode(mode), antialias=True)
        for *box, _ in BOXES
    ]
    return torch.stack([crop.flip(-1) if box[-1] else crop for crop, box in zip(made, BOXES, strict=True)])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [16, 224, 320])
@pytest.mark.parametrize("kind", ["photograph", "noise"])
def test_as_torchvision_makes_them_of_bytes(kind, size, mode):
    image_CHW = images(kind)
    apart = (together(image_CHW, size, mode).int() - one_by_one(image_CHW, size, mode).int()).abs()
    assert apart.max() <= 1
    assert (apart > 0).float().mean() < 0.02


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [16, 224, 320])
def test_as_torchvision_makes_them_of_numbers_that_are_not_rounded(size, mode):
    """Of greys that no filter takes out of 0..255, where bytes are cut off between the axes."""
    image_CHW = images("noise of middling greys")
    exact = one_by_one(image_CHW.float(), size, mode)
    assert (together(image_CHW, size, mode) - exact.round()).abs().max() <= 1


@pytest.mark.parametrize("mode", MODES)
def test_the_whole_of_an_image_at_its_own_size_is_the_image(mode):
    image_CHW = images("noise")[:, :224, :224]
    plain, mirrored = resized(
        padded([Crop(image_CHW, False), Crop(image_CHW, True)]), prepared(224, mode), "cpu"
    )
    assert torch.equal(plain, image_CHW)
    assert torch.equal(mirrored, image_CHW.flip(-1))


@pytest.mark.parametrize("mode", MODES)
def test_one_colour_stays_that_colour(mode):
    image_CHW = torch.tensor([0, 255, 7], dtype=torch.uint8)[:, None, None].expand(3, 427, 640)
    assert torch.equal(
        together(image_CHW, 32, mode), image_CHW[None, :, :32, :32].expand(len(BOXES), -1, -1, -1)
    )


@pytest.mark.parametrize("mode", MODES)
def test_neighbours_change_no_bit(mode):
    image_CHW, asked = images("noise"), prepared(64, mode)
    crops = [part(image_CHW, BOXES[number % len(BOXES)]) for number in range(AT_ONCE + 3)]
    alone = torch.cat([resized(padded([crop]), asked, "cpu") for crop in crops])
    assert torch.equal(resized(padded(crops), asked, "cpu"), alone)
    assert torch.equal(resized(padded(crops[::-1]), asked, "cpu"), alone.flip(0))


@pytest.mark.parametrize("mode", FILTERS)
@pytest.mark.parametrize("size", [7, 32, 224])
def test_no_sum_is_too_large_to_be_exact(size, mode):
    """In whatever order: that of all that counts up, and of all that counts down."""
    lengths_B = torch.arange(1, 700, 3)
    weights_BSL, unit_B = _weights(lengths_B, 700, size, mode)
    assert torch.equal(weights_BSL, weights_BSL.round())
    assert (255 * weights_BSL.abs().sum(2) + unit_B[:, None] / 2).max() < 2**24
