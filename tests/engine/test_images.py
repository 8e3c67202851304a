"""Images as the network sees them: what the pretrained weights' own transforms make of them."""

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from ftcli.engine.images import ImageStore, center_crop, normalise, prepare
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits, Example
from ftcli.plans.preprocessing import IMAGENET, Preprocessing


def photographs():
    return [Image.fromarray(array) for array in load_sample_images().images]


def test_equal_to_torchvision_s_transform_of_the_weights():
    from torchvision.models import ResNet18_Weights

    theirs = ResNet18_Weights.DEFAULT.transforms()
    for image in photographs():
        ours = normalise(center_crop(prepare(image, IMAGENET), 224)[None], IMAGENET)[0]
        torch.testing.assert_close(ours, theirs(image), rtol=0, atol=1e-6)


def test_equal_to_timm_s_transform_of_the_weights():
    import timm

    model = timm.create_model("tf_efficientnet_lite0")
    theirs = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    made = Preprocessing(224, 256, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    for image in photographs():
        ours = normalise(center_crop(prepare(image, made), 224)[None], made)[0]
        torch.testing.assert_close(ours, theirs(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize("crop_pct", [0.8, 1.0])
@pytest.mark.parametrize(("mode", "fit"), [("squash", "squash"), ("border", "pad")])
@pytest.mark.parametrize("turned", [False, True], ids=["wide", "tall"])
def test_equal_to_timm_s_transform_however_images_are_fitted(mode, fit, crop_pct, turned):
    """A photograph of 640 by 427 pixels, and one of 640 by 301: with borders of an odd number of pixels."""
    import timm

    mean, std = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    theirs = timm.data.create_transform(
        (3, 224, 224), crop_pct=crop_pct, crop_mode=mode, interpolation="bicubic", mean=mean, std=std
    )
    made = Preprocessing(224, int(224 / crop_pct), "bicubic", mean, std, fit=fit)
    for image in (photographs()[0], photographs()[1].crop((0, 0, 640, 301))):
        image = image.rotate(90, expand=True) if turned else image
        ours = normalise(center_crop(prepare(image, made), 224)[None], made)[0]
        torch.testing.assert_close(ours, theirs(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["coat_lite_medium_384", "deepseek_vit_412m"])
def test_equal_to_timm_s_transform_of_a_model_that_does_not_crop(name):
    import timm

    from ftcli.components.backbone.timm import preprocessing

    config = timm.models.get_pretrained_cfg(name).to_dict()
    theirs = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=config))
    made = preprocessing(name)
    assert made.fit != "crop"
    image = photographs()[0]
    ours = normalise(center_crop(prepare(image, made), made.image_size)[None], made)[0]
    torch.testing.assert_close(ours, theirs(image), rtol=0, atol=1e-6)


def test_the_channels_of_a_network_that_takes_blue_first():
    mean, std = (0.1, 0.2, 0.3), (1.0, 2.0, 4.0)
    image = Image.new("RGB", (64, 32), (255, 51, 0))
    for fit in ("crop", "pad"):
        made = Preprocessing(32, 32, "bilinear", mean, std, fit=fit, bgr=True)
        prepared = prepare(image, made)
        pixel = normalise(prepared[None], made)[0, :, 16, 16]
        torch.testing.assert_close(pixel, torch.tensor([(0 - 0.1) / 1, (0.2 - 0.2) / 2, (1 - 0.3) / 4]))
    border = normalise(prepared[None], made)[0, :, 0, 0]
    assert border.abs().max() < 1 / 255, "borders have the mean colour, in the network's order too"


def test_another_size_keeps_the_fit():
    made = Preprocessing(224, 280, "bicubic", (0.5,) * 3, (0.5,) * 3, fit="pad")
    small = made.at_size(32)
    assert (small.image_size, small.resize_size, small.fit) == (32, 40, "pad")
    assert prepare(Image.new("RGB", (100, 10)), small).shape == (3, 32, 40)
    squashed = Preprocessing(224, 224, "bicubic", (0.5,) * 3, (0.5,) * 3, fit="squash").at_size(32)
    assert prepare(Image.new("RGB", (100, 10)), squashed).shape == (3, 32, 32)


def test_gray_is_repeated_to_three_channels():
    prepared = prepare(Image.new("L", (10, 20), 100), IMAGENET.at_size(32))
    assert prepared.shape == (3, 74, 37)
    assert prepared.unique().tolist() == [100]


def splits_of(images):
    def load(index):
        if images[index] is None:
            raise DataError("cannot read the image: truncated", where=f"{index}.jpg")
        return images[index]

    count = len(images)
    examples = tuple(Example(str(i), 0) for i in range(count))
    return DataSplits(
        "toys", ("a",), examples, {"train": tuple(range(count - 1)), "test": (count - 1,)}, load
    )


def test_every_unreadable_file_is_told_at_once():
    store = ImageStore(splits_of([Image.new("RGB", (8, 8)), None, None]), IMAGENET.at_size(16), 2**20)
    with pytest.raises(DataError) as caught:
        store.scan(1, lambda done, total: None)
    assert "2 of 3 images" in caught.value.what
    assert "1.jpg" in caught.value.what
    assert "2.jpg" in caught.value.what


def test_memory_that_does_not_suffice_keeps_nothing():
    images = [Image.new("RGB", (8, 8), (i, i, i)) for i in range(4)]
    small = ImageStore(splits_of(images), IMAGENET.at_size(16), 100)
    large = ImageStore(splits_of(images), IMAGENET.at_size(16), 2**20)
    for store in (small, large):
        store.scan(2, lambda done, total: None)
    assert (small.in_memory, large.in_memory) == (False, True)
    assert all(torch.equal(small[i], large[i]) for i in range(4))


def test_an_image_that_goes_bad_later_is_told_without_a_worker_s_traceback():
    from ftcli.engine.batches import ImageBatches

    images = [Image.new("RGB", (8, 8)) for _ in range(4)]
    splits = splits_of(images)
    store = ImageStore(splits, IMAGENET.at_size(16), 0)
    images[3] = None
    with pytest.raises(DataError) as caught:
        list(ImageBatches(store, 2, 0, workers=1).evaluation("test"))
    assert caught.value.where == "3.jpg"
    assert "Traceback" not in caught.value.what
