import pytest
import torch
from torchvision.transforms import v2

from ftcli.components.augment import Features, Flip, Off, Strong, Varied, described, mixing, transforms
from ftcli.engine.seed import seeded
from ftcli.plans.preprocessing import IMAGENET

SMALL = IMAGENET.at_size(32)
IMAGE = torch.randint(0, 256, (3, 48, 37), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def varied(kind, **options):
    return (Strong if kind == "strong" else Varied)(kind=kind, **options)


@pytest.mark.parametrize("kind", ["light", "standard", "strong"])
def test_the_same_seed_the_same_image(kind):
    transform = v2.Compose(transforms(varied(kind), SMALL))

    def drawn(epoch, index):
        with seeded(0, "augment", epoch, index):
            return transform(IMAGE)

    assert drawn(0, 1).shape == (3, 32, 32)
    assert drawn(0, 1).dtype == torch.uint8
    assert torch.equal(drawn(0, 1), drawn(0, 1))
    assert not torch.equal(drawn(0, 1), drawn(1, 1))
    assert not torch.equal(drawn(0, 1), drawn(0, 2))


def test_none_is_the_centre():
    (only,) = transforms(Off(kind="none"), SMALL)
    assert torch.equal(only(IMAGE), v2.functional.center_crop(IMAGE, [32, 32]))


@pytest.mark.parametrize("kind", ["light", "standard", "strong"])
def test_flip_can_be_turned_off(kind):
    names = [type(t).__name__ for t in transforms(varied(kind, flip=False), SMALL)]
    assert "RandomHorizontalFlip" not in names
    assert "RandomHorizontalFlip" in [type(t).__name__ for t in transforms(varied(kind), SMALL)]


EVERY = [
    Off(kind="none"),
    Flip(kind="flip"),
    *(varied(kind, flip=flip) for kind in ("light", "standard", "strong") for flip in (True, False)),
    Strong(kind="strong", policy="rand_augment"),
]


@pytest.mark.parametrize("options", EVERY, ids=repr)
def test_what_the_plan_names_is_what_is_done(options):
    named = [name.partition("(")[0] for name in described(options, SMALL)]
    assert named == [type(t).__name__ for t in transforms(options, SMALL)]


def test_the_plan_names_sizes_and_shares():
    light = Varied(kind="light", mix="mixup")
    assert described(light, SMALL) == ("RandomResizedCrop(32, 0.7-1)", "RandomHorizontalFlip", "MixUp(0.2)")
    (crop, _) = transforms(light, SMALL)
    assert (tuple(crop.size), tuple(crop.scale)) == ((32, 32), (0.7, 1.0))
    assert described(Varied(kind="light", mix="cutmix", mix_alpha=0.5), SMALL)[-1] == "CutMix(0.5)"
    rand = next(t for t in transforms(EVERY[-1], SMALL) if isinstance(t, v2.RandAugment))
    assert f"RandAugment({rand.num_ops}, {rand.magnitude})" in described(EVERY[-1], SMALL)


def test_features_are_named_with_what_is_done_to_them():
    for given, named in (
        ({}, "FeatureBrightness(0.1, per channel)"),
        ({"op": "posterize", "per_channel": False, "strength": 0.5}, "FeaturePosterize(0.5)"),
    ):
        assert described(Features(kind="features", **given), SMALL) == ("CenterCrop(32)", named)


def test_nothing_is_mixed_unless_asked_for():
    assert mixing(Off(kind="none"), 3) is None
    assert mixing(Varied(kind="light"), 3) is None
    assert isinstance(mixing(Varied(kind="light", mix="cutmix"), 3), v2.CutMix)


def test_an_alpha_without_mixing_is_a_mistake():
    with pytest.raises(ValueError, match="mix_alpha needs mix"):
        Varied(kind="light", mix_alpha=0.4)


def test_of_policies_only_strong_has_one():
    with pytest.raises(ValueError, match="policy"):
        Varied.model_validate({"kind": "light", "policy": "rand_augment"})
