"""Scores of examples of one class each, counted class by class.

They are torchmetrics' to the last bit: to import that takes longer (it imports scipy, and transformers where they are
installed) than to measure all of this.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClassCounts:
    """Of each class (C,): how many were told rightly, how many it was said of, how many there are."""

    right_C: Tensor
    predicted_C: Tensor
    there_C: Tensor

    @property
    def precision_C(self) -> Tensor:
        """0 where it was said of none."""
        return _ratio(self.right_C, self.predicted_C)

    @property
    def recall_C(self) -> Tensor:
        """0 where there are none."""
        return _ratio(self.right_C, self.there_C)

    @property
    def f1_C(self) -> Tensor:
        return _ratio(2 * self.right_C, self.predicted_C + self.there_C)

    def macro(self, score_C: Tensor) -> float:
        """The mean over classes that occur or were predicted."""
        counts_C = (self.predicted_C + self.there_C > 0).to(score_C.dtype)
        return float(_ratio(counts_C * score_C, counts_C.sum()).sum())


def count(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> ClassCounts:
    right_N = labels_N[predicted_N == labels_N]
    counted = (torch.bincount(each, minlength=num_classes) for each in (right_N, predicted_N, labels_N))
    return ClassCounts(*counted)


def confusion(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> list[list[int]]:
    """Row: the true class, column: the predicted one."""
    pairs = torch.bincount(labels_N * num_classes + predicted_N, minlength=num_classes**2)
    cells: list[list[int]] = pairs.reshape(num_classes, num_classes).tolist()
    return cells


def auroc(score_N: Tensor, is_class_N: Tensor) -> float:
    """The area under the ROC curve, by trapezoids; equal scores are one threshold. Both classes occur."""
    order_N = score_N.argsort(descending=True)
    score_N, is_class_N = score_N[order_N], is_class_N[order_N].long()
    last = torch.tensor([len(score_N) - 1], device=score_N.device)
    thresholds = torch.cat([torch.where(score_N[1:] - score_N[:-1])[0], last])
    true = is_class_N.cumsum(0)[thresholds]
    false = 1 + thresholds - true
    none = true.new_zeros(1)
    true, false = torch.cat([none, true]), torch.cat([none, false])
    return float(torch.trapz(true / true[-1], false / false[-1]))


def calibration_error(probability_NC: Tensor, labels_N: Tensor, num_bins: int) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy, over bins of confidence."""
    confidence_N, predicted_N = probability_NC.max(dim=1)
    edges = torch.linspace(0, 1, num_bins + 1, device=confidence_N.device)
    bin_N = torch.bucketize(confidence_N, edges, right=True) - 1

    def summed(value_N: Tensor) -> Tensor:
        return torch.zeros_like(edges).scatter_add_(0, bin_N, value_N)

    count = summed(torch.ones_like(confidence_N))
    accuracy = torch.nan_to_num(summed((predicted_N == labels_N).float()) / count)
    confidence = torch.nan_to_num(summed(confidence_N) / count)
    return float(((accuracy - confidence).abs() * (count / count.sum())).sum())


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """0 where the whole is."""
    part, whole = part.float(), whole.float()
    return torch.where(whole != 0, part / whole, torch.zeros_like(part))
