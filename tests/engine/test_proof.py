import torch
from torch import nn

from ftcli.engine import proof


def test_one_bit_is_enough():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    names = ["0.weight", "1.running_mean", "1.num_batches_tracked"]
    before = proof.digests(model, names)
    assert proof.changed(before, proof.digests(model, names)) == ()
    with torch.no_grad():
        model[0].weight.view(-1).view(torch.int32)[4] ^= 1
    assert proof.changed(before, proof.digests(model, names)) == ("0.weight",)
    model(torch.randn(5, 3))
    assert proof.changed(before, proof.digests(model, names)) == tuple(names)


def test_minus_zero_is_another_bit_pattern_and_nan_is_itself():
    assert proof.digest(torch.tensor([0.0])) != proof.digest(torch.tensor([-0.0]))
    assert proof.digest(torch.tensor([float("nan")])) == proof.digest(torch.tensor([float("nan")]))


def test_layout_does_not_matter():
    image = torch.randn(2, 3, 4, 4)
    assert proof.digest(image) == proof.digest(image.to(memory_format=torch.channels_last))
