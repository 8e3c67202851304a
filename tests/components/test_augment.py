import pytest
import torch
from torchvision.transforms import v2

from ftcli.components.augment import Off, Varied, transforms
from ftcli.engine.seed import seeded
from ftcli.plans.preprocessing import IMAGENET

SMALL = IMAGENET.at_size(32)
IMAGE = torch.randint(0, 256, (3, 48, 37), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize("kind", ["light", "standard", "strong"])
def test_the_same_seed_the_same_image(kind):
    transform = v2.Compose(transforms(Varied(kind=kind), SMALL))

    def varied(epoch, index):
        with seeded(0, "augment", epoch, index):
            return transform(IMAGE)

    assert varied(0, 1).shape == (3, 32, 32)
    assert varied(0, 1).dtype == torch.uint8
    assert torch.equal(varied(0, 1), varied(0, 1))
    assert not torch.equal(varied(0, 1), varied(1, 1))
    assert not torch.equal(varied(0, 1), varied(0, 2))


def test_none_is_the_centre():
    (only,) = transforms(Off(kind="none"), SMALL)
    assert torch.equal(only(IMAGE), v2.functional.center_crop(IMAGE, [32, 32]))


@pytest.mark.parametrize("kind", ["light", "standard", "strong"])
def test_flip_can_be_turned_off(kind):
    names = [type(t).__name__ for t in transforms(Varied(kind=kind, flip=False), SMALL)]
    assert "RandomHorizontalFlip" not in names
    assert "RandomHorizontalFlip" in [type(t).__name__ for t in transforms(Varied(kind=kind), SMALL)]
