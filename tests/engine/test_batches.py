"""Order and augmentation as functions of seed and epoch."""

import pytest
import torch

from ftcli.components.augment import Off, Varied
from ftcli.engine.batches import ImageBatches
from ftcli.engine.images import ImageStore
from ftcli.plans.preprocessing import IMAGENET
from tests.engine.test_images import splits_of


@pytest.fixture(scope="module")
def batches():
    from PIL import Image

    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (7, 24, 24, 3), generator=generator, dtype=torch.uint8).numpy()
    store = ImageStore(splits_of([Image.fromarray(p) for p in pixels]), IMAGENET.at_size(16), 2**20)
    store.scan(1, lambda done, total: None)
    return ImageBatches(store, batch_size=4, seed=0, workers=0)


def images_by_index(batches):
    return {
        index: image for batch in batches for index, image in zip(batch.indices, batch.inputs, strict=True)
    }


def test_every_epoch_has_its_own_order_and_every_example_once(batches):
    orders = [
        [i for b in batches.training(epoch, Off(kind="none")) for i in b.indices] for epoch in (0, 1, 0)
    ]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == list(range(6))


def test_every_epoch_has_its_own_augmentation(batches):
    light = Varied(kind="light")
    first, second, again = (images_by_index(batches.training(epoch, light)) for epoch in (0, 1, 0))
    assert all(torch.equal(first[i], again[i]) for i in first)
    assert not any(torch.equal(first[i], second[i]) for i in first)


def test_without_augmentation_training_sees_what_evaluation_sees(batches):
    trained = images_by_index(batches.training(3, Off(kind="none")))
    evaluated = images_by_index(batches.evaluation("train"))
    assert trained.keys() == evaluated.keys()
    assert all(torch.equal(trained[i], evaluated[i]) for i in trained)
    assert all(image.shape == (3, 16, 16) for image in evaluated.values())
