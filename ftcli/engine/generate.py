"""A language model goes on with a text: token by token, the likeliest each time or drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ftcli.engine.seed import derive
from ftcli.stopping import at_safe_points, safe_point


@dataclass(frozen=True)
class Drawing:
    """How tokens are chosen, and when there are enough of them."""

    max_tokens: int
    temperature: float = 0.0
    """0: the likeliest token each time, and no chance; 1: as the model's probabilities say."""
    seed: int = 0


@at_safe_points()
@torch.inference_mode()
def continuation(
    forward: Callable[[Tensor], Tensor],
    prompt: Sequence[int],
    drawing: Drawing,
    *,
    window: int,
    end: int | None,
) -> list[int]:
    """The tokens behind the prompt, until `end`, which is left out, or as many as asked for.

    `forward` maps tokens (1, L) to logits (1, L, V). The model sees the last `window` tokens, all of them computed
    again for every new one: there is no cache of keys and values. Global generators are left alone.
    """
    generator = torch.Generator().manual_seed(derive(drawing.seed, "generate"))
    tokens = list(prompt)
    while len(tokens) - len(prompt) < drawing.max_tokens:
        safe_point()
        seen = torch.tensor([tokens[-window:]], dtype=torch.int32)
        logits_V = forward(seen)[0, -1].float().cpu()
        token = _chosen(logits_V, drawing.temperature, generator)
        if token == end:
            break
        tokens.append(token)
    return tokens[len(prompt) :]


def _chosen(logits_V: Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits_V.argmax())
    probabilities_V = (logits_V.double() / temperature).softmax(dim=0)
    return int(torch.multinomial(probabilities_V, 1, generator=generator))
