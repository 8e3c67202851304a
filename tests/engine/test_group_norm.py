"""GroupNorm in the place of BatchNorm."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ftcli.engine.group_norm import GroupNormAct, num_groups, replace_batch_norm


@pytest.mark.parametrize(
    ("channels", "groups"), [(64, 32), (512, 32), (48, 24), (16, 8), (40, 20), (3, 1), (2, 1), (1, 1), (7, 1)]
)
def test_groups_divide_the_channels_and_hold_two(channels: int, groups: int) -> None:
    assert num_groups(channels) == groups


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_names_of_parameters_and_affine_values_stay(name: str) -> None:
    model = timm.create_model(name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    count = sum(isinstance(module, _BatchNorm) for module in model.modules())
    assert replace_batch_norm(model) == count > 0
    assert not any(isinstance(module, _BatchNorm) for module in model.modules())
    assert [name for name, _ in model.named_parameters()] == list(before)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert not list(model.named_buffers())
    assert model(torch.randn(1, 3, 32, 32)).isfinite().all()


def test_timms_activation_and_dropout_are_kept() -> None:
    model = timm.create_model("test_efficientnet")
    act, drop = model.bn1.act, model.bn1.drop
    replace_batch_norm(model)
    assert isinstance(model.bn1, GroupNormAct)
    assert (model.bn1.act, model.bn1.drop) == (act, drop)
    images = torch.randn(2, model.bn1.num_channels, 4, 4)
    plain = nn.functional.group_norm(
        images, model.bn1.num_groups, model.bn1.weight, model.bn1.bias, model.bn1.eps
    )
    assert torch.equal(model.bn1(images), act(plain))


def test_no_image_sees_another() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    replace_batch_norm(model)
    images = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(model(images)[:1], model(images[:1]))


def test_a_norm_in_two_places_stays_one() -> None:
    norm = nn.BatchNorm1d(4, affine=False)
    model = nn.Sequential(norm, nn.Linear(4, 4), norm)
    assert replace_batch_norm(model) == 1
    assert model[0] is model[2]


def test_mode_and_device_stay() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.BatchNorm2d(8)).eval()
    replace_batch_norm(model)
    assert model[0].weight.is_meta
    assert not model[0].training
