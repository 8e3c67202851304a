"""What holds for every strategy there is, on a convolutional and a transformer chain."""

import pytest

from ftcli.plans import freeze_mask
from ftcli.registry import implementation, kinds
from tests.maps import resnet, transformer

EPOCHS = 30


@pytest.fixture(params=[resnet, transformer], ids=["resnet", "transformer"])
def layer_map(request):
    return request.param()


@pytest.fixture(params=kinds("strategy"))
def stretches(request, layer_map):
    options = kinds("strategy")[request.param](kind=request.param)
    return implementation(options, "phases")(options, layer_map, EPOCHS)


def test_phases_follow_each_other_and_cover_the_run(stretches):
    ends = [stretch.end_epoch for stretch in stretches]
    assert ends == sorted(set(ends))
    assert ends[0] >= 1
    assert ends[-1] == EPOCHS


def test_masks_name_real_parameters_and_the_head_always_trains(stretches, layer_map):
    for stretch in stretches:
        assert stretch.mask <= freeze_mask.everything(layer_map)
        assert freeze_mask.head(layer_map) <= stretch.mask


def test_nothing_is_frozen_again_later(stretches):
    for before, after in zip(stretches, stretches[1:], strict=False):
        assert before.mask <= after.mask
        assert len(before.mask) < len(after.mask)


def test_phase_names_are_unique(stretches):
    assert len({stretch.name for stretch in stretches}) == len(stretches)
