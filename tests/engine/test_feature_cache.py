"""Cutting a network before its head: the head on the features is the whole network."""

import pytest
import torch

from ftcli.components.head import MLP, Linear
from ftcli.engine.batches import Batch
from ftcli.engine.build import build_network
from ftcli.engine.feature_cache import FeatureCache

BACKBONES = [
    "timm/test_resnet",
    "timm/test_vit",
    "timm/test_convnext",
    "timm/resnetv2_18",
    "timm/dla46_c",
    "torchvision/resnet18",
    "torchvision/mobilenet_v3_small",
    "torchvision/densenet121",
]


def cache_for(network):
    return FeatureCache("cpu", "fp32", 4, 0, lambda images: network.model(images.float() / 255))


def images(count=6):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, 64, 64), generator=generator, dtype=torch.uint8)
    labels = torch.arange(count)
    return lambda: [
        Batch(pixels[:4], labels[:4], (0, 1, 2, 3)),
        Batch(pixels[4:], labels[4:], (4, 5)),
    ], pixels


@pytest.mark.parametrize("head", [Linear(), MLP(kind="mlp", hidden=(8,))], ids=["linear", "mlp"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_head_on_features_is_the_whole(backbone, head):
    network = build_network(backbone, "none", head, 3, image_size=64, seed=0)
    batches, _ = images()
    features = cache_for(network).get(network, "train", batches)
    assert features is not None, f"{backbone} cannot be cut"
    assert len(features.features) == 6
    taken = next(iter(features.evaluation()))
    assert torch.equal(taken.labels, torch.arange(4))
    assert not features.features.is_inference()


def test_a_backbone_that_has_moved_is_computed_anew():
    network = build_network("timm/test_resnet", "none", Linear(), 3, image_size=64, seed=0)
    cache = cache_for(network)
    batches, _ = images()
    first = cache.get(network, "train", batches)
    with torch.no_grad():
        network.model.fc.weight.add_(1)
    assert cache.get(network, "train", batches) is first, "the head is no part of the key"
    with torch.no_grad():
        network.model.conv1[0].weight.add_(0.01)
    moved = cache.get(network, "train", batches)
    assert moved is not first
    assert not torch.equal(moved.features, first.features)


def test_a_network_that_adds_something_after_its_head_is_not_cut():
    network = build_network("timm/test_resnet", "none", Linear(), 3, image_size=64, seed=0)
    cache = FeatureCache("cpu", "fp32", 4, 0, lambda images: network.model(images.float() / 255) + 1)
    assert cache.get(network, "train", images()[0]) is None


@pytest.mark.parametrize("head", [Linear(), MLP(kind="mlp", hidden=(8,))], ids=["linear", "mlp"])
def test_several_heads_take_their_parts_of_the_features(head):
    """A distilled network gives the mean of two classifiers, on two tokens."""
    network = build_network("timm/deit_tiny_distilled_patch16_224", "none", head, 3, image_size=64, seed=0)
    assert len(network.heads) == 2
    features = cache_for(network).get(network, "train", images()[0])
    assert features is not None
    assert features.features.shape == (6, 2 * 192)


def test_heads_that_are_joined_in_another_way_are_not_cut():
    """VOLO adds half of the largest of its tokens' logits: found out by the proof."""
    network = build_network("timm/volo_d1_224", "none", Linear(), 3, image_size=64, seed=0)
    assert len(network.heads) == 2
    assert cache_for(network).get(network, "train", images()[0]) is None


def test_training_batches_come_in_the_order_of_the_images():
    from ftcli.engine.seed import permutation

    network = build_network("timm/test_resnet", "none", Linear(), 3, image_size=64, seed=0)
    features = cache_for(network).get(network, "train", images()[0])
    order = [index for batch in features.training(epoch=2) for index in batch.indices]
    assert order == permutation(0, 2, 6)
