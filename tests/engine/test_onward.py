"""What is kept at a cut is gone on with: the same crosses a higher one, and nothing below the lower runs again."""

import pytest
import torch
from torch import nn

from ftcli.engine import prefix_cache
from ftcli.engine.asked import Below, Pass
from ftcli.engine.batches import Batch
from ftcli.engine.cache.store import Store
from ftcli.engine.cut import Cut, cut_at, highest_cut
from ftcli.engine.folded import UNFOLDED
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.onward import goes_on
from ftcli.engine.prefix_cache import PrefixCache
from tests.cuts import boundaries, forward_of, some_images
from tests.engine.test_cut import SAMPLE, opened
from tests.engine.test_prefix_cache import Shelf

COUNT = 6


def cuts_of(network, forward, images):
    """The highest first."""
    found = [highest_cut(network, forward, boundary, images) for boundary in boundaries(network)]
    enter_eval_mode(network)
    return found


@pytest.mark.parametrize("backbone", SAMPLE)
def test_from_each_cut_to_each_higher_one(backbone):
    network = opened(backbone)
    forward, images = forward_of(network), some_images(network)
    head, last, middle = cuts_of(network, forward, images)
    assert goes_on(head, last, images)
    assert goes_on(head, middle, images)
    assert goes_on(last, middle, images)


@pytest.mark.parametrize("which", ["bert", "modernbert", pytest.param("umt5", marks=pytest.mark.slow)])
def test_of_texts_too(which):
    pytest.importorskip("transformers")
    from tests.text_models import some_tokens, text_network

    network, tokens = text_network(which), some_tokens(5, 32)
    head = network.layer_map.layers[-1].index
    upper, middle, lower = (highest_cut(network, network.model, index, tokens) for index in (head, 3, 2))
    enter_eval_mode(network)
    assert (upper.by_token, middle.by_token, lower.by_token) == (False, True, True)
    assert goes_on(upper, lower, tokens)
    assert goes_on(middle, lower, tokens)


def test_nothing_below_runs_again():
    network = opened("torchvision/resnet18")
    forward, images = forward_of(network), some_images(network)
    head, last, _ = cuts_of(network, forward, images)
    kept, computed = last.prefix(images), []
    for name, module in network.model.named_modules():
        if isinstance(module, nn.Conv2d):
            own = module.forward
            module.forward = lambda x, own=own, name=name: computed.append(name) or own(x)
    head.onward(last, kept)
    assert {name.partition(".")[0] for name in computed} == {"layer4"}


def test_what_is_another_function_of_what_is_kept_is_told():
    """As where glue between the modules takes something from below that is not kept."""
    network = opened("timm/test_resnet", 64)
    forward, images = forward_of(network), some_images(network)
    head, last, _ = cuts_of(network, forward, images)

    def off(images):
        return last.prefix(images) + 1e-6

    assert not goes_on(head, Cut(last.boundary, off, last.suffix, recording=last.recording), images)
    assert not goes_on(last, last, images), "nothing lies between them"
    assert not goes_on(last, head, images), "the head is not below"
    assert not goes_on(Cut(head.boundary, head.prefix, head.suffix), last, images)


def test_what_crosses_both_boundaries_is_not_gone_on_with():
    """In a dense block all that was made before is used by every layer."""
    network = opened("torchvision/densenet121", 32)
    forward, images = forward_of(network), some_images(network)
    lower, upper = (cut_at(network, forward, boundary) for boundary in (4, 6))
    enter_eval_mode(network)
    with pytest.raises(RuntimeError, match="crosses the upper one too"):
        upper.onward(lower, lower.prefix(images))
    assert not goes_on(upper, lower, images)


def pixels(network):
    return some_images(network, COUNT)


def a_pass(network, name="train"):
    """In batches of four and two, from images or from what was kept of them."""

    def batches(rows):
        return iter([Batch(rows[:4], torch.arange(4), ()), Batch(rows[4:], torch.arange(2), ())])

    again = lambda kept, by_token: batches(kept.activations.clone())  # noqa: E731
    return Pass(name, None, COUNT, lambda: batches(pixels(network)), from_kept=again)


def opened_on(shelf, network):
    seen = []

    def forward(images):
        seen.append(len(images))
        return forward_of(network)(images)

    return PrefixCache("cpu", "fp32", forward, 2**30, shelf, MicroBatch()), seen


@pytest.fixture
def shelf(tmp_path):
    return Shelf(Store(tmp_path / "store", 2**30))


def kept(cache, network, boundary, fold=False, keep=lambda missing: None, ahead=False):
    images = lambda: pixels(network)[:2]  # noqa: E731
    folded = cache.fold(network, boundary, images) if fold else UNFOLDED
    assert bool(folded.convolutions) is fold
    cut = cache.cut(network, boundary, images, folded)
    below = Below(lambda: pixels(network)[:4], keep)
    found = cache.get(network, cut, [a_pass(network)], below=below, ahead=ahead)
    return found and found[0]


@pytest.mark.parametrize("fold", [False, True], ids=["apart", "folded"])
def test_what_lies_above_is_made_of_what_is_kept_below(shelf, tmp_path, fold):
    """The same bits as from the images, under the same key; of the network's input only the proof's examples run."""
    network = opened("timm/test_resnet", 64)
    head, last, middle = boundaries(network)
    (cache, seen), (other, _) = opened_on(shelf, network), opened_on(None, network)
    wanted = [kept(other, network, boundary, fold).activations for boundary in (last, head)]
    lower = kept(cache, network, middle, fold)
    for boundary, from_images in zip((last, head), wanted, strict=True):
        seen.clear()
        found = kept(cache, network, boundary, fold)
        assert found.on_disk
        assert torch.equal(found.activations, from_images)
        assert [size for size in seen if size > 2][-2:] == [4, 4], "four examples, up to both boundaries"
        assert seen.count(4) == 2
        assert found.seconds_each > lower.seconds_each > 0


def test_what_memory_holds_is_not_gone_on_with():
    """It might have to make room for what is made of it."""
    network = opened("timm/test_resnet", 64)
    head, last, _ = boundaries(network)
    cache, seen = opened_on(None, network)
    kept(cache, network, last)
    seen.clear()
    kept(cache, network, head)
    assert seen[-2:] == [4, 2]


def test_what_was_made_whole_is_no_source_once_memory_takes_less(shelf):
    network = opened("timm/test_resnet", 64)
    head, last, _ = boundaries(network)
    cache, seen = opened_on(shelf, network)
    kept(cache, network, last)
    cache.micro.size = 2
    seen.clear()
    found = kept(cache, network, head)
    assert found.at_once == 2
    assert seen[-3:] == [2, 2, 2]


def test_what_was_made_unfolded_is_no_source_of_what_is_folded(shelf, monkeypatch):
    """It is not even tried: what four examples show may be chance."""
    network = opened("timm/test_resnet", 64)
    head, last, _ = boundaries(network)
    cache, _ = opened_on(shelf, network)
    tried = []
    monkeypatch.setattr(prefix_cache, "goes_on", lambda upper, lower, examples: tried.append(upper))
    kept(cache, network, last)
    kept(cache, network, head, fold=True)
    assert not tried
    kept(cache, network, head)
    assert [cut.boundary for cut in tried] == [head]


def test_what_is_there_asks_for_nothing_below(shelf):
    network = opened("timm/test_resnet", 64)
    head = boundaries(network)[0]
    asked = []
    kept(opened_on(shelf, network)[0], network, head, keep=asked.append)
    assert [[each.name for each in missing] for missing in asked] == [["train"]]
    kept(opened_on(shelf, network)[0], network, head, keep=asked.append)
    assert len(asked) == 1


def test_what_is_kept_ahead_takes_no_memory(shelf):
    """Where the disk has no room it is left for its phase."""
    network = opened("timm/test_resnet", 64)
    cache, seen = opened_on(shelf, network)
    shelf.store.max_bytes = 100
    assert kept(cache, network, boundaries(network)[1], ahead=True) is None
    assert 2 not in seen[-1:], "the second batch is not computed"
    assert kept(cache, network, boundaries(network)[1]) is not None


def test_what_is_gone_on_from_makes_room_where_there_is_none_beside_it(shelf):
    """It is in use as long as it is read: what is needed now is then made of the images."""
    network = opened("timm/test_resnet", 64)
    _, last, middle = boundaries(network)
    cache, seen = opened_on(shelf, network)
    lower = kept(cache, network, middle, ahead=True).activations.nbytes
    shelf.store.max_bytes = lower + 100
    seen.clear()
    found = kept(cache, network, last)
    assert found.on_disk
    assert seen[-2:] == [4, 2]
    assert len(shelf.store.entries()) == 1


def test_what_is_kept_ahead_does_not_drive_out_what_it_is_made_of(shelf):
    network = opened("timm/test_resnet", 64)
    _, last, middle = boundaries(network)
    cache, _ = opened_on(shelf, network)
    shelf.store.max_bytes = kept(cache, network, middle, ahead=True).activations.nbytes + 100
    (lower,) = shelf.store.entries()
    assert kept(cache, network, last, ahead=True) is None
    assert [entry.folder for entry in shelf.store.entries()] == [lower.folder]


def test_weights_that_have_moved_are_no_source(shelf):
    network = opened("timm/test_resnet", 64)
    head, last, _ = boundaries(network)
    cache, seen = opened_on(shelf, network)
    kept(cache, network, last)
    with torch.no_grad():
        network.model.conv1[0].weight.add_(0.1)
    seen.clear()
    kept(cache, network, head)
    assert seen[-2:] == [4, 2]
