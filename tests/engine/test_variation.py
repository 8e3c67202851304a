"""What an epoch makes of an image: by seed, epoch, example and turn, and by nothing else."""

import pytest
import torch

from ftcli.components.augment import Flip, Off, Varied
from ftcli.engine.images import center_crop
from ftcli.engine.variation import MIRRORED, PLAIN, coin, coins, picks_of, variation_of
from ftcli.plans.preprocessing import IMAGENET

INPUTS = IMAGENET.at_size(16)
FLIP = Flip(kind="flip")
IMAGE = torch.randint(0, 256, (3, 20, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
CROP = center_crop(IMAGE, 16)


def test_an_example_is_counted_by_its_turns():
    assert picks_of([4, 7, 4, 4]) == [(4, 0), (7, 0), (4, 1), (4, 2)]


def test_a_coin_is_fair_and_its_own_for_all_that_it_is_drawn_by():
    drawn = torch.stack([coins(seed, epoch, range(500)) for seed in (0, 1) for epoch in (0, 1)])
    again = coins(1, 1, [*range(500), *range(500)])[500:]
    for one in (*drawn, again):
        assert 200 < one.sum() < 300
    for first, second in zip([*drawn], [*drawn[1:], again], strict=True):
        assert 200 < (first == second).sum() < 300
    assert torch.equal(drawn[1], coins(0, 1, range(500)))


@pytest.mark.parametrize("pick", [(number, turn) for number in range(5) for turn in (0, 1)])
def test_the_coin_says_whether_an_image_is_mirrored(pick):
    varied = variation_of(FLIP, INPUTS, seed=3, epoch=2).of(IMAGE, pick)
    assert torch.equal(varied, CROP.flip(-1) if coin(3, 2, pick) == MIRRORED else CROP)


def test_the_views_of_a_flip_are_the_image_and_its_mirror_image():
    plain, mirrored = (
        variation_of(FLIP, INPUTS, 0, view, view).of(IMAGE, (0, 0)) for view in (PLAIN, MIRRORED)
    )
    assert torch.equal(plain, CROP)
    assert torch.equal(mirrored, CROP.flip(-1))


def test_none_is_the_crop_and_a_view_is_an_epoch():
    assert torch.equal(variation_of(Off(kind="none"), INPUTS, 0, 5).of(IMAGE, (0, 0)), CROP)
    light = Varied(kind="light")
    view = variation_of(light, INPUTS, 0, 5, view=1).of(IMAGE, (0, 0))
    assert torch.equal(view, variation_of(light, INPUTS, 0, 1).of(IMAGE, (0, 0)))
    assert not torch.equal(view, variation_of(light, INPUTS, 0, 5).of(IMAGE, (0, 0)))
