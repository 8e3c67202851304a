"""Logits and labels of a stream, and the scores they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ftcli.engine.batches import Batch
from ftcli.engine.confusion import counts_of
from ftcli.engine.multilabel import multilabel_scores
from ftcli.engine.precision import autocast
from ftcli.events import Scores
from ftcli.plans.training_plan import Precision
from ftcli.stopping import at_safe_points, safe_point


@at_safe_points()
@torch.inference_mode()
def predict_logits(
    forward: Callable[[Tensor], Tensor], batches: Iterable[Batch], device: str, precision: Precision
) -> tuple[Tensor, Tensor]:
    """Logits (N, C) in fp32 and labels (N,) or (N, C), in the order of the batches, on `device`."""
    logits, labels = [], []
    for batch in batches:
        safe_point()
        with autocast(precision, device):
            logits.append(forward(batch.inputs.to(device, non_blocking=True)).float())
        labels.append(batch.labels.to(device))
    return torch.cat(logits), torch.cat(labels)


def scores_of(logits_NC: Tensor, labels_N: Tensor) -> Scores:
    """Accuracy, macro F1 and mean recall over the classes that occur, and mean cross-entropy.

    Labels (N, C) are those of multi-label data: engine/multilabel.
    """
    if labels_N.ndim == 2:
        return multilabel_scores(logits_NC, labels_N)
    predicted_N, num_classes = logits_NC.argmax(dim=1), logits_NC.shape[1]
    counts = counts_of(predicted_N, labels_N, num_classes)
    return Scores(
        accuracy=(counts.right.sum() / len(labels_N)).item(),
        macro_f1=counts.f1[counts.met].mean().item(),
        loss=nn.functional.cross_entropy(logits_NC, labels_N).item(),
        num_examples=len(labels_N),
        balanced_accuracy=counts.recall[counts.there > 0].mean().item(),
    )
