"""Order and augmentation as functions of seed and epoch."""

from dataclasses import replace

import pytest
import torch

from ftcli.components.augment import Off, Varied
from ftcli.engine.batches import ImageBatches
from ftcli.engine.device_crops import resized
from ftcli.engine.images import ImageStore
from ftcli.errors import DataError
from ftcli.plans.preprocessing import IMAGENET
from tests.engine.test_images import splits_of


def noise(memory_bytes=2**20, preprocessing=IMAGENET.at_size(16)):
    """Seven images, each of a shape of its own."""
    from PIL import Image

    generator = torch.Generator().manual_seed(0)
    images = [
        Image.fromarray(
            torch.randint(0, 256, (24, 24 + wider, 3), generator=generator, dtype=torch.uint8).numpy()
        )
        for wider in range(7)
    ]
    store = ImageStore(splits_of(images), preprocessing, memory_bytes)
    store.scan(1, lambda done, total: None)
    return store


@pytest.fixture(scope="module")
def batches():
    return ImageBatches(noise(), batch_size=4, seed=0, workers=0)


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


LIGHT = Varied(kind="light")
WAYS = {
    "epochs": lambda batches: [b for epoch in range(3) for b in batches.training(epoch, LIGHT)],
    "epochs, not mirrored": lambda batches: batches.training(0, Varied(kind="light", flip=False)),
    "from a batch on": lambda batches: batches.training(2, LIGHT, first=1),
    "examples that come again": lambda batches: batches.training(
        1, LIGHT, order=lambda epoch: [5, 2, 2, 0, 2]
    ),
    "as another epoch": lambda batches: batches.training(1, LIGHT, lambda epoch: [5, 2, 2, 0, 2], view=3),
    "views": lambda batches: [b for number in range(2) for b in batches.view(number, LIGHT)],
    "what is more than a crop": lambda batches: batches.training(0, Varied(kind="standard")),
    "evaluation": lambda batches: batches.evaluation("train"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_crops_of_a_batch_are_those_of_its_images(interpolation, way):
    """The images are noise: a crop that lies a pixel further, or is not mirrored, is another image."""
    one_by_one = ImageBatches(
        noise(preprocessing=replace(IMAGENET.at_size(16), interpolation=interpolation)), 4, 0, 0
    )
    expected, found = list(WAYS[way](one_by_one)), list(WAYS[way](replace(one_by_one, crops="batch")))
    assert [b.indices for b in found] == [b.indices for b in expected]
    for one, other in zip(expected, found, strict=True):
        assert other.inputs.dtype == torch.uint8
        assert (one.inputs.int() - other.inputs.int()).abs().max() <= 1
        assert torch.equal(one.labels, other.labels)


def test_crops_of_a_batch_are_the_same_whoever_loads_it_and_whatever_is_beside_them():
    images = [
        images_by_index(ImageBatches(noise(memory), size, 0, workers, crops="batch").training(3, LIGHT))
        for memory, size, workers in ((2**20, 4, 0), (0, 4, 2), (2**20, 2, 0), (2**20, 6, 0))
    ]
    for others in images[1:]:
        assert all(torch.equal(images[0][index], others[index]) for index in images[0])


def test_an_image_that_cannot_be_read_is_told_as_ever():
    store = noise(0)
    store.splits = replace(store.splits, load=lambda index: None)
    with pytest.raises(DataError):
        list(ImageBatches(store, 4, 0, 0, crops="batch").training(0, LIGHT))


def test_where_the_gpu_has_no_memory_for_crops_the_processor_makes_them(monkeypatch):
    def on_the_processor_alone(crops, preprocessing, device):
        if device != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return resized(crops, preprocessing, device)

    monkeypatch.setattr("ftcli.engine.batches.resized", on_the_processor_alone)
    full, roomy = (
        images_by_index(ImageBatches(noise(2**20), 4, 0, 0, crops="batch", device=device).training(3, LIGHT))
        for device in ("cuda", "cpu")
    )
    assert all(torch.equal(full[index], roomy[index]) for index in roomy)
