"""A text is gone on with token by token: what is likeliest, or what a seed draws, seen through a window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ftcli.engine.generate import Drawing, continuation

V = 7


def counting(tokens_BL: Tensor) -> Tensor:
    """Says the number behind the last one, a little less surely the next but one."""
    following = (tokens_BL.long() + 1) % V
    return 4.0 * nn.functional.one_hot(following, V) + 3.0 * nn.functional.one_hot((following + 1) % V, V)


def test_the_likeliest_token_each_time_until_the_end() -> None:
    assert continuation(counting, [2], Drawing(3), window=8, end=None) == [3, 4, 5]
    assert continuation(counting, [2], Drawing(9), window=8, end=5) == [3, 4]
    assert continuation(counting, [2], Drawing(0), window=8, end=None) == []


def test_a_seed_draws_the_same_again_and_leaves_other_generators_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    drawn = [
        continuation(counting, [0], Drawing(40, temperature=1.0, seed=seed), window=8, end=None)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    assert drawn[0] == drawn[1] != drawn[2]
    steps = {(b - a) % V for a, b in zip(drawn[0], drawn[0][1:], strict=False)}
    assert {1, 2} <= steps
    cold = continuation(counting, [0], Drawing(40, temperature=0.01), window=8, end=None)
    assert cold == [(n + 1) % V for n in range(40)]


def test_the_model_sees_the_last_tokens_alone() -> None:
    seen: list[list[int]] = []

    def forward(tokens_BL: Tensor) -> Tensor:
        seen.append(tokens_BL[0].tolist())
        return counting(tokens_BL)

    continuation(forward, [0, 1, 2], Drawing(2), window=3, end=None)
    assert seen == [[0, 1, 2], [1, 2, 3]]
