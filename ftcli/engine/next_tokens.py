"""Scores of a language model: what is kept of its logits, which are too many to keep, and what that comes to.

N sequences of L tokens, a vocabulary of V: of a sequence's logits (L, V) the mean loss stays and the share of places
where the likeliest token is the right one, so that a stream's are (N, 2).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ftcli.engine.seed import derive
from ftcli.events import Scores

MOST_LOSS = 100.0
"""In nats a token: exp of more is of no use to anybody, and of 710 is infinite. A perplexity ends at 2.7e43."""
RESAMPLES = 1000


def are_next_tokens(labels: Tensor) -> bool:
    """Whether labels (B, L) are next tokens: whole numbers, where those of multi-label data are float."""
    return labels.ndim == 2 and not labels.is_floating_point()


def summed_up(logits_BLV: Tensor, labels_BL: Tensor) -> Tensor:
    """Of each sequence its mean loss and its share of right tokens, (B, 2) in fp64."""
    losses = nn.functional.cross_entropy(logits_BLV.flatten(0, 1), labels_BL.flatten(), reduction="none")
    right = logits_BLV.argmax(dim=2) == labels_BL
    loss_B = losses.view(labels_BL.shape).double().mean(dim=1)
    return torch.stack([loss_B, right.double().mean(dim=1)], dim=1)


def perplexity_of(loss: float) -> float:
    """exp of the mean loss of a token."""
    return math.exp(min(loss, MOST_LOSS))


def next_token_scores(kept_N2: Tensor) -> Scores:
    """All sequences are of one length, so that their mean is that of the tokens."""
    loss, accuracy = kept_N2.mean(dim=0).tolist()
    return Scores(
        accuracy=accuracy,
        macro_f1=None,
        loss=loss,
        num_examples=len(kept_N2),
        perplexity=perplexity_of(loss),
        loss_error=loss_error(kept_N2),
    )


def loss_error(kept_N2: Tensor) -> float:
    """The standard error of the mean loss: sequences are independent, tokens of one are not."""
    return kept_N2[:, 0].std().item() / len(kept_N2) ** 0.5 if len(kept_N2) > 1 else 0.0


def next_token_report(kept_N2: Tensor, length: int, seed: int) -> dict[str, Any]:
    """The full report of a stream, as plain values; 95% intervals by the bootstrap over sequences."""
    scores = next_token_scores(kept_N2)
    values_N2 = kept_N2.cpu().numpy()
    generator = np.random.default_rng(derive(seed, "bootstrap"))
    count = len(values_N2)
    drawn_R2 = np.stack(
        [values_N2[generator.integers(count, size=count)].mean(axis=0) for _ in range(RESAMPLES)]
    )
    (low, least), (high, most) = np.percentile(drawn_R2, (2.5, 97.5), axis=0).tolist()
    return {
        "perplexity": scores.perplexity,
        "loss": scores.loss,
        "accuracy": scores.accuracy,
        "tokens": count * length,
        "intervals": {"perplexity": [perplexity_of(low), perplexity_of(high)], "accuracy": [least, most]},
    }
