import pytest
import torch

from ftcli.components.optimizer import SGD, AdamW, build, spec


@pytest.mark.parametrize("options", [AdamW(), SGD(kind="sgd"), SGD(kind="sgd", momentum=0.0)])
def test_a_spec_builds_its_optimizer(options):
    made = spec(options)
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = build(made.kind, [{"params": [weight], "lr": made.lr}], dict(made.settings))
    weight.sum().backward()
    optimizer.step()
    assert (weight < 1).all()
    assert type(optimizer).__name__.lower() == made.kind
