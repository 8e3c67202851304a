"""What an epoch shows beside its scores, for monitors and the report."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ftcli.engine.next_tokens import are_next_tokens, loss_error
from ftcli.plans.signals import Signals, StageDrift


@torch.no_grad()
def signals_of(logits_NC: Tensor, labels_N: Tensor, drift: tuple[StageDrift, ...]) -> Signals:
    """From the validation's logits; labels (N, C) are those of multi-label data.

    Of a language model only the loss's error: no class can be said all the time.
    """
    if are_next_tokens(labels_N):
        return Signals(drift, loss_error(logits_NC), 1.0)
    mean_C = logits_NC.mean(dim=0)
    norm = logits_NC.square().sum().item()
    spread = (logits_NC - mean_C).square().sum().item() / norm if norm else 0.0
    error = _standard_error(_losses(logits_NC, labels_N))
    if labels_N.ndim == 2:
        return Signals(drift, error, spread)
    counts_C = torch.bincount(logits_NC.argmax(dim=1), minlength=logits_NC.shape[1])
    top = int(counts_C.argmax())
    return Signals(drift, error, spread, top, counts_C[top].item() / len(labels_N))


def _losses(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """Of each example, as the scores have their mean."""
    if labels_N.ndim == 1:
        return nn.functional.cross_entropy(logits_NC, labels_N, reduction="none")
    losses_NC = nn.functional.binary_cross_entropy_with_logits(logits_NC, labels_N, reduction="none")
    return losses_NC.mean(dim=1)


def _standard_error(losses_N: Tensor) -> float:
    return losses_N.std().item() / len(losses_N) ** 0.5 if len(losses_N) > 1 else 0.0
