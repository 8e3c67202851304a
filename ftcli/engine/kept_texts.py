"""Where what was kept of a stream of texts stands, and how a batch is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ftcli.engine.crossing import in_batch
from ftcli.plans.tokenization import Tokenization


@dataclass(frozen=True)
class TextRows:
    """Texts went through in an order of their own: (N,) of each place in the stream its row there, its tokens, and
    how many tokens came before it.
    """

    order: tuple[int, ...]
    """The places of the stream, as they went through."""
    rows: Tensor
    lengths: Tensor
    starts: Tensor
    inputs: Tokenization
    by_token: bool
    """Whether a row is a token's, or a text's."""

    def batch(self, activations: Tensor, places: Tensor) -> Tensor:
        """Of kept rows (N, ...) or (T, D) those of some texts, in their order: (B, ...), or (B, L, D + 1)."""
        if not self.by_token:
            return activations[self.rows[places].to(activations.device)]
        lengths = self.lengths[places]
        spans = zip(self.starts[places].tolist(), lengths.tolist(), strict=True)
        taken = torch.cat([torch.arange(start, start + length) for start, length in spans])
        width = self.inputs.width_of(int(lengths.max()))
        return in_batch(activations[taken.to(activations.device)], lengths, width)


def text_rows(
    order: Sequence[int], lengths: Sequence[int], inputs: Tokenization, *, by_token: bool
) -> TextRows:
    """`lengths` in the order of the stream."""
    places, tokens = torch.tensor(order), torch.tensor(lengths)
    passed = tokens[places].cumsum(0) - tokens[places]
    return TextRows(tuple(order), places.argsort(), tokens, passed[places.argsort()], inputs, by_token)
