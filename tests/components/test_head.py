import pytest
import torch
from torch import nn

from ftcli.components.head import MLP, Linear, build


@pytest.mark.parametrize(
    ("options", "num_linear", "parameters"),
    [
        (Linear(), 1, 512 * 5 + 5),
        (Linear(dropout=0.5), 1, 512 * 5 + 5),
        # 512 -> 128 -> 2 of the worked example has 65,664 + 258; here five classes.
        (MLP(kind="mlp", hidden=(128,)), 2, 65_664 + 128 * 5 + 5),
        (MLP(kind="mlp", hidden=(128, 64)), 3, 65_664 + 128 * 64 + 64 + 64 * 5 + 5),
    ],
)
def test_heads(options, num_linear, parameters):
    head = build(options, 512, 5)
    assert sum(isinstance(module, nn.Linear) for module in head.modules()) == num_linear
    assert sum(p.numel() for p in head.parameters()) == parameters
    assert head(torch.zeros(3, 512)).shape == (3, 5)
