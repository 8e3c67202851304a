"""What is kept of a frozen part: when it holds, when it is computed anew, and how much of it there may be."""

import pytest
import torch

from ftcli.components.head import Linear
from ftcli.engine.batches import Batch
from ftcli.engine.build import build_network
from ftcli.engine.prefix_cache import Kept, KeptBatches, Ledger, Pass, PrefixCache
from ftcli.engine.seed import permutation
from ftcli.plans.layer_map import HEAD

COUNT = 6


def opened():
    network = build_network("timm/test_resnet", "none", Linear(), 3, image_size=64, seed=0)
    cache = PrefixCache("cpu", "fp32", lambda images: network.model(images.float() / 255), 2**30)
    return network, cache


def pixels():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (COUNT, 3, 64, 64), generator=generator, dtype=torch.uint8)


def a_pass(name="train"):
    images, labels = pixels(), torch.arange(COUNT)
    batches = [Batch(images[:4], labels[:4], (0, 1, 2, 3)), Batch(images[4:], labels[4:], (4, 5))]
    return Pass(name, None, COUNT, lambda: iter(batches))


def boundary_of(network, stage):
    return next(layer.index for layer in network.layer_map.layers if layer.stage == stage)


def kept(network, cache, stage, *names):
    cut = cache.cut(network, boundary_of(network, stage), pixels)
    found = cache.get(network, cut, [a_pass(name) for name in names or ("train",)])
    return None if found is None else [each.activations for each in found]


@pytest.mark.parametrize("stage", ["layer2", "layer4", HEAD])
def test_the_rest_of_the_network_on_what_is_kept_is_the_whole(stage):
    network, cache = opened()
    (activations,) = kept(network, cache, stage)
    cut = cache.cut(network, boundary_of(network, stage), pixels)
    network.model.eval()
    with torch.no_grad():
        whole = torch.cat([cache.forward(pixels()[:4]), cache.forward(pixels()[4:])])
        parts = torch.cat([cut.suffix(activations[:4]), cut.suffix(activations[4:])])
    assert torch.equal(whole, parts)
    assert cache.ledger.computed == COUNT


def test_only_what_lies_below_is_part_of_the_key():
    network, cache = opened()
    (first,) = kept(network, cache, "layer4")
    with torch.no_grad():
        network.model.fc.weight.add_(1)
        network.model.layer4[0].conv1.weight.add_(1)
    (again,) = kept(network, cache, "layer4")
    assert again is first
    with torch.no_grad():
        network.model.conv1[0].weight.add_(0.1)
    (moved,) = kept(network, cache, "layer4")
    assert not torch.equal(moved, first)


def test_statistics_below_are_part_of_the_key():
    network, cache = opened()
    (first,) = kept(network, cache, "layer4")
    network.model.bn1.running_mean.add_(0.5)
    (moved,) = kept(network, cache, "layer4")
    assert not torch.equal(moved, first)


def test_a_network_that_adds_something_after_its_head_is_not_cut():
    network, _ = opened()
    cache = PrefixCache("cpu", "fp32", lambda images: network.model(images.float() / 255) + 1, 2**30)
    assert cache.cut(network, boundary_of(network, HEAD), pixels) is None


def test_what_was_kept_first_makes_room():
    network, cache = opened()
    (first,) = kept(network, cache, HEAD, "train")
    cache.memory_bytes = int(first.nbytes * 1.5)
    kept(network, cache, HEAD, "val")
    before = cache.ledger.computed
    kept(network, cache, HEAD, "val")
    assert cache.ledger.computed == before, "the last is kept"
    kept(network, cache, HEAD, "train")
    assert cache.ledger.computed == before + COUNT, "the first had to go"


def test_passes_that_are_needed_together_do_not_make_room_for_each_other():
    network, cache = opened()
    (first,) = kept(network, cache, HEAD, "train")
    cache.memory_bytes = int(first.nbytes * 2.5)
    assert len(kept(network, cache, HEAD, "train", "val")) == 2
    assert kept(network, cache, HEAD, "train", "val", "test") is None


def test_what_does_not_fit_is_not_kept():
    network, cache = opened()
    cache.memory_bytes = 100
    assert kept(network, cache, HEAD) is None


def test_epochs_take_the_views_in_turn_and_the_order_of_the_images():
    views = tuple(Kept(torch.full((COUNT, 1), float(view)), 0.5) for view in range(3))
    ledger = Ledger()
    batches = KeptBatches(views, torch.arange(COUNT), 4, 0, "cpu", ledger)
    for epoch in range(5):
        taken = list(batches.training(epoch))
        assert {float(value) for batch in taken for value in batch.inputs.flatten()} == {epoch % 3}
        assert [i for batch in taken for i in batch.indices] == permutation(0, epoch, COUNT)
        assert all(torch.equal(batch.labels, torch.tensor(batch.indices)) for batch in taken)
    assert (ledger.read, ledger.instead) == (5 * COUNT, 5 * COUNT * 0.5)


def test_a_batch_is_a_copy():
    views = (Kept(torch.zeros(COUNT, 2), 0.0),)
    batches = KeptBatches(views, torch.arange(COUNT), 4, 0, "cpu", Ledger())
    next(iter(batches.evaluation())).inputs.add_(1)
    assert views[0].activations.sum() == 0
