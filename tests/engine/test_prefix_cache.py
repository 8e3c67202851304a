"""What is kept of a frozen part: when it holds, when it is computed anew, and how much of it there may be."""

import weakref
from dataclasses import dataclass, field

import pytest
import torch

from ftcli.components.head import Linear
from ftcli.engine.asked import Pass
from ftcli.engine.batches import Batch
from ftcli.engine.build import build_network
from ftcli.engine.cache.store import Store
from ftcli.engine.cut import Cut
from ftcli.engine.kept import Kept, KeptBatches, Ledger
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.prefix_cache import PrefixCache
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


@dataclass
class Shelf:
    """A real store behind keys that say in words what decides them here."""

    store: Store
    made: list[str] = field(default_factory=list)

    def key(self, below, boundary, stream, view, at_once):
        return f"{stream} {at_once} {boundary} {below}".replace(" ", "-")

    def open(self, key):
        return self.store.open(key)

    def create(self, key, name, shape, dtype):
        self.made.append(key)
        return self.store.create(key, "features", shape, dtype, {"what": name})


class Counted:
    """The cut before the first stage of a network that is only its head: an image's row is its own pixels' sums.

    It sums a batch in one, divided by what was summed: another size of batch rounds otherwise, as real layers may.
    Memory takes `most` images at once.
    """

    def __init__(self, network, most=10**9):
        self.most, self.seen = most, []
        self.cut = Cut(boundary_of(network, HEAD), self.prefix, lambda features: features)

    def prefix(self, images):
        self.seen.append(len(images))
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return images.flatten(1).float().sum(1, keepdim=True) + len(images) * 1000


def cache_on(shelf, network):
    return PrefixCache("cpu", "fp32", network.model, 2**30, shelf, MicroBatch())


@pytest.fixture
def shelf(tmp_path):
    return Shelf(Store(tmp_path / "store", 2**30))


def test_what_was_made_in_parts_is_not_taken_for_what_was_made_whole(shelf):
    """Memory ends in the second batch of a pass: of the first, made whole, nothing is left in what is kept."""
    network, _ = opened()
    small, roomy = Counted(network, most=3), Counted(network)
    halved = cache_on(shelf, network)
    (parts,) = halved.get(network, small.cut, [a_pass()])
    assert small.seen == [4, 2, 2, 2, 2, 2], "tried whole, then all anew in parts"
    assert parts.at_once == halved.micro.size == 2
    (whole,) = cache_on(shelf, network).get(network, roomy.cut, [a_pass()])
    assert roomy.seen == [4, 2]
    assert not torch.equal(whole.activations, parts.activations)
    assert len(shelf.made) == 2


def test_a_run_whose_memory_ends_too_finds_what_was_made_in_parts(shelf):
    network, _ = opened()
    first, second = Counted(network, most=3), Counted(network, most=3)
    (made,) = cache_on(shelf, network).get(network, first.cut, [a_pass()])
    (found,) = cache_on(shelf, network).get(network, second.cut, [a_pass()])
    assert second.seen == [4, 2, 2], "the attempt that told how much memory takes, and nothing more"
    assert torch.equal(found.activations, made.activations)


def test_memory_that_ends_later_makes_it_anew(shelf):
    """As the rest of the network would get it from now on, were it not kept."""
    network, _ = opened()
    counted, cache = Counted(network), cache_on(None, network)
    (whole,) = cache.get(network, counted.cut, [a_pass()])
    cache.micro.size = 2
    (parts,) = cache.get(network, counted.cut, [a_pass()])
    assert not torch.equal(whole.activations, parts.activations)
    assert cache.get(network, counted.cut, [a_pass()]) == (parts,)


def test_memory_that_ends_in_a_later_pass_leaves_the_one_before(shelf):
    network, _ = opened()
    counted, cache = Counted(network), cache_on(shelf, network)

    def batches():
        counted.most = 3
        return iter([Batch(pixels(), torch.arange(COUNT), tuple(range(COUNT)))])

    train, val = cache.get(network, counted.cut, [a_pass(), Pass("val", None, COUNT, batches)])
    assert (train.at_once, val.at_once) == (None, 3)


def test_what_is_mapped_and_not_needed_any_more_is_let_go_of(shelf):
    """While a pass of a phase that is over is in use, the store cannot make room for the next one's."""
    network, _ = opened()
    counted, cache = Counted(network), cache_on(shelf, network)
    (first,) = cache.get(network, counted.cut, [a_pass("train")])
    shelf.store.max_bytes = first.activations.nbytes
    gone = weakref.ref(first.activations)
    del first
    (second,) = cache.get(network, counted.cut, [a_pass("val")])
    assert gone() is None
    assert second.on_disk
    assert [entry.manifest.key for entry in shelf.store.entries()] == shelf.made[1:]


def test_in_memory_there_is_one_copy_of_it():
    """Parts that are joined at the end would be twice as much at that moment."""
    network, _ = opened()
    counted, cache = Counted(network), cache_on(None, network)
    seen, alive = [], []

    def prefix(images):
        alive.append(sum(part() is not None for part in seen))
        part = counted.prefix(images)
        seen.append(weakref.ref(part))
        return part

    images = pixels()
    batches = [Batch(image[None], torch.zeros(1), (0,)) for image in images]
    cut = Cut(counted.cut.boundary, prefix, counted.cut.suffix)
    (kept,) = cache.get(network, cut, [Pass("train", None, COUNT, lambda: iter(batches))])
    assert len(seen) == COUNT
    assert max(alive) <= 1
    assert torch.equal(kept.activations, torch.cat([counted.prefix(image[None]) for image in images]))


def test_a_fold_is_not_looked_for_where_this_run_has_made_it(shelf):
    network, cache = opened()
    cache.shelf, boundary = shelf, boundary_of(network, HEAD)
    assert cache.find_folded(network, boundary, [a_pass()]) == ""
    fold = cache.fold(network, boundary, pixels)
    cut = cache.cut(network, boundary, pixels, fold)
    assert cut.rounding == fold.name
    cache.get(network, cut, [a_pass()])
    assert cache.find_folded(network, boundary, [a_pass()]) == ""
    assert cache_on(shelf, network).find_folded(network, boundary, [a_pass()]) == fold.name
    assert cache_on(shelf, network).find_folded(network, boundary, [a_pass(), a_pass("val")]) == ""
    with torch.no_grad():
        network.model.conv1[0].weight.add_(0.1)
    assert cache_on(shelf, network).find_folded(network, boundary, [a_pass()]) == ""
