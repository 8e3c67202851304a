"""Whatever is done to a model in between, it is as before: tensors, gradients, flags, modes and random numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ftcli.engine.snapshot import left_as_it_was


class Remembers(nn.Module):
    """With a buffer that a state dict leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(2), persistent=False)

    def forward(self, features):  # type: ignore[no-untyped-def]
        return features


def model() -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), Remembers())
    made[0].weight.requires_grad_(False)
    made[1].eval()
    made(torch.randn(2, 3, 8, 8)).sum().backward()
    return made


def spoil(made: nn.Module) -> None:
    made.requires_grad_(True)
    made.train()
    made.zero_grad(set_to_none=True)
    made(torch.randn(2, 3, 8, 8)).sum().backward()
    torch.optim.SGD(made.parameters(), lr=1e9).step()
    made[3].seen.add_(1)


def end_in_the_middle(made: nn.Module) -> None:
    spoil(made)
    raise ValueError("ends here")


def state(made: nn.Module) -> list[object]:
    tensors = [*made.parameters(), *made.buffers()]
    return [
        [tensor.detach().numpy().tobytes() for tensor in tensors],
        [(p.requires_grad, None if p.grad is None else p.grad.numpy().tobytes()) for p in made.parameters()],
        [module.training for module in made.modules()],
        torch.get_rng_state().tolist(),
    ]


def test_it_is_put_back() -> None:
    made = model()
    before = state(made)
    with left_as_it_was(made, "cpu"):
        spoil(made)
        changed = state(made)
    assert all(now != then for now, then in zip(changed, before, strict=True))
    assert state(made) == before


def test_after_an_error_too() -> None:
    made = model()
    before = state(made)
    with pytest.raises(ValueError, match="ends here"), left_as_it_was(made, "cpu"):
        end_in_the_middle(made)
    assert state(made) == before
