"""Logits and labels of a stream, and the scores they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ftcli.engine.batches import Batch
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.multilabel import multilabel_scores
from ftcli.engine.next_tokens import are_next_tokens, next_token_scores, summed_up
from ftcli.engine.precision import autocast
from ftcli.events import Scores
from ftcli.plans.training_plan import Precision
from ftcli.stopping import at_safe_points, safe_point


@at_safe_points()
@torch.inference_mode()
def predict_logits(
    forward: Callable[[Tensor], Tensor],
    batches: Iterable[Batch],
    device: str,
    precision: Precision,
    micro: MicroBatch | None = None,
) -> tuple[Tensor, Tensor]:
    """Logits (N, C) in fp32 and labels (N,) or (N, C), in the order of the stream, on `device`.

    Of next tokens, whose logits are too many to keep, what they sum up to (N, 2): engine/next_tokens. Where memory runs
    out, batches go through in the smaller parts of `micro`.
    """
    micro = micro or MicroBatch()
    logits, labels, places = [], [], list[int]()

    def logits_of(inputs: Tensor) -> Tensor:
        return forward(inputs.to(device, non_blocking=True)).float()

    for batch in batches:
        safe_point()
        with autocast(precision, device):
            made = micro.through(logits_of, batch.inputs)
        labels.append(batch.labels.to(device))
        logits.append(summed_up(made, labels[-1]) if are_next_tokens(labels[-1]) else made)
        places.extend(batch.places or ())
    logits_NC, labels_N = torch.cat(logits), torch.cat(labels)
    if not places:
        return logits_NC, labels_N
    order = torch.tensor(places).argsort().to(device)
    return logits_NC[order], labels_N[order]


def scores_of(logits_NC: Tensor, labels_N: Tensor) -> Scores:
    """Accuracy, macro F1 and mean recall over the classes that occur, and mean cross-entropy.

    By counting, once an epoch: torchmetrics, which measures the same at the end, takes seconds to import.
    Labels (N, C) are those of multi-label data: engine/multilabel; (N, L) next tokens: engine/next_tokens.
    """
    if are_next_tokens(labels_N):
        return next_token_scores(logits_NC)
    if labels_N.ndim == 2:
        return multilabel_scores(logits_NC, labels_N)
    predicted_N, num_classes = logits_NC.argmax(dim=1), logits_NC.shape[1]
    right_C = torch.bincount(labels_N[predicted_N == labels_N], minlength=num_classes).double()
    there_C = torch.bincount(labels_N, minlength=num_classes).double()
    either_C = there_C + torch.bincount(predicted_N, minlength=num_classes)
    f1_C, recall_C = 2 * right_C / either_C, right_C / there_C
    return Scores(
        accuracy=(right_C.sum() / len(labels_N)).item(),
        macro_f1=f1_C[either_C > 0].mean().item(),
        loss=nn.functional.cross_entropy(logits_NC, labels_N).item(),
        num_examples=len(labels_N),
        balanced_accuracy=recall_C[there_C > 0].mean().item(),
    )
