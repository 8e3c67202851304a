"""Which examples an epoch takes: a function of seed and epoch, the same for images and for features."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from ftcli.components.augment import Flip, Off, Varied
from ftcli.engine.batches import ImageBatches
from ftcli.engine.images import ImageStore
from ftcli.engine.kept import Kept, KeptBatches, Ledger
from ftcli.engine.sampler import order_of
from ftcli.engine.seed import permutation
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits, Example
from ftcli.plans.preprocessing import IMAGENET

LABELS = [0] * 180 + [1] * 18 + [2] * 2


def splits(labels=LABELS, weights=None):
    from PIL import Image

    weights = weights or [1.0] * len(labels)
    examples = tuple(
        Example(str(i), label, weight=w) for i, (label, w) in enumerate(zip(labels, weights, strict=True))
    )
    pixels = torch.randint(0, 256, (len(labels), 24, 24, 3), generator=torch.Generator().manual_seed(0))
    streams = {name: tuple(range(len(labels))) for name in ("train", "val", "test")}
    images = pixels.to(torch.uint8).numpy()
    return DataSplits("toys", ("a", "b", "c"), examples, streams, lambda i: Image.fromarray(images[i]))


def test_shuffle_is_every_example_once():
    order = order_of("shuffle", splits(), 3)
    assert order(4) == permutation(3, 4, 200)


def test_balanced_takes_each_class_equally_often_on_the_mean():
    order = order_of("balanced", splits(), 0)
    epochs = [order(epoch) for epoch in range(50)]
    assert {len(epoch) for epoch in epochs} == {200}
    counts = Counter(LABELS[position] for epoch in epochs for position in epoch)
    # 10,000 draws at a third: the standard deviation is 47.
    assert all(abs(counts[label] - 10_000 / 3) < 4 * 47 for label in range(3))


def test_weighted_takes_by_weight_and_never_what_weighs_nothing():
    order = order_of("weighted", splits([0, 1, 2, 0], [1.0, 3.0, 0.0, 0.0]), 0)
    counts = Counter(position for epoch in range(1000) for position in order(epoch))
    assert counts.keys() == {0, 1}
    assert counts[1] / 4000 == pytest.approx(0.75, abs=0.03)


def test_weights_that_are_all_nothing_are_refused():
    with pytest.raises(DataError, match="weighs 0"):
        order_of("weighted", splits([0, 1], [0.0, 0.0]), 0)


@pytest.mark.parametrize("sampler", ["balanced", "weighted"])
def test_seed_and_epoch_decide(sampler):
    order, other = order_of(sampler, splits(), 0), order_of(sampler, splits(), 1)
    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != other(0)


@pytest.mark.parametrize("sampler", ["shuffle", "balanced", "weighted"])
def test_images_and_features_come_in_the_same_order(sampler):
    made = splits()
    kept = (Kept(torch.arange(200.0)[:, None], 0.0),)
    features = KeptBatches(kept, torch.tensor(LABELS), 16, 0, "cpu", Ledger())
    order = order_of(sampler, made, 0)
    of_images = [b.indices for b in image_batches(made).training(2, Off(kind="none"), order)]
    assert of_images == [b.indices for b in features.training(2, order)]


def test_an_example_taken_twice_is_varied_anew():
    made = splits([0, 1, 2])
    (batch,) = image_batches(made).training(0, Varied(kind="light"), lambda epoch: [1, 1, 1])
    assert batch.indices == (1, 1, 1)
    assert not torch.equal(batch.inputs[0], batch.inputs[1])
    assert not torch.equal(batch.inputs[1], batch.inputs[2])
    (once,) = image_batches(made).training(0, Varied(kind="light"), lambda epoch: [1, 0, 2])
    assert torch.equal(once.inputs[0], batch.inputs[0])


def test_kept_views_are_taken_by_the_coins_that_mirror_images():
    """Also where the epoch takes an example more than once, and where it goes on at a later batch."""
    batches, flip = image_batches(splits()), Flip(kind="flip")
    views = tuple(pixels(batches.view(view, flip)) for view in (0, 1))
    labels = torch.tensor(LABELS)
    kept = KeptBatches(views, labels, 16, 0, "cpu", Ledger(), tuple(range(len(LABELS))), by_coin=True)
    order = order_of("balanced", splits(), 0)
    for epoch, first in ((0, 0), (1, 0), (1, 3)):
        shown = list(batches.training(epoch, flip, order, first=first))
        taken = list(kept.training(epoch, order, first))
        assert [batch.indices for batch in shown] == [batch.indices for batch in taken]
        assert all(torch.equal(one.inputs, two.inputs) for one, two in zip(shown, taken, strict=True))
    assert not torch.equal(
        shown[0].inputs, next(batches.training(1, Off(kind="none"), order, first=3)).inputs
    )


def pixels(batches):
    return Kept(torch.cat([batch.inputs for batch in batches]), 0.0)


def test_positions_are_those_of_the_train_stream():
    made = replace(splits([0, 1, 2, 0]), streams={"train": (3, 2), "val": (0,), "test": (1,)})
    (batch,) = image_batches(made).training(0, Off(kind="none"), lambda epoch: [0, 1])
    assert batch.indices == (3, 2)


def image_batches(made):
    store = ImageStore(made, IMAGENET.at_size(16), 2**24)
    store.scan(1, lambda done, total: None)
    return ImageBatches(store, batch_size=16, seed=0, workers=0)
