"""From a cut to a higher one: what is kept at the lower is gone on with, and nothing below it runs again."""

from __future__ import annotations

import torch
from torch import Tensor

from ftcli.engine.crossing import by_token
from ftcli.engine.cut import Cut


@torch.no_grad()
def goes_on(upper: Cut, lower: Cut, examples: Tensor) -> bool:
    """Whether the same crosses the upper cut, bit for bit, from the examples and from what is kept of them below.

    `examples`: uint8 images (B, 3, S, S), or tokens (B, L). The network is in eval mode.
    """
    if upper.onward is None:
        return False
    kept = lower.prefix(examples)
    if lower.by_token:  # behind the end of a text stands nothing, once it has been kept
        kept = torch.where(kept[:, :, -1:] > 0, kept, 0)
    try:
        reached = upper.onward(lower, kept)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # the two are not of one kind, or the glue asks for what is not there
        return False
    whole = upper.prefix(examples)
    return torch.equal(by_token(reached), by_token(whole)) if upper.by_token else torch.equal(reached, whole)
