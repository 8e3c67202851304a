"""Precision, recall and F1 from counts: of what is called a class, of what is of it, and of what is both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Counts:
    """By class, or of all together; double tensors."""

    right: Tensor
    called: Tensor
    there: Tensor

    @property
    def precision(self) -> Tensor:
        """Of what is called so, the share that is; 0 where nothing is called so."""
        return _share(self.right, self.called)

    @property
    def recall(self) -> Tensor:
        """Of what is so, the share that is called so; 0 where nothing is so."""
        return _share(self.right, self.there)

    @property
    def f1(self) -> Tensor:
        """The harmonic mean of the two; 0 where neither is."""
        return _share(2 * self.right, self.called + self.there)

    @property
    def met(self) -> Tensor:
        """Whether a class occurs or is predicted: of another nothing can be said."""
        return self.called + self.there > 0


def confusion(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> Tensor:
    """int64 (C, C). Row: the true class, column: the predicted one."""
    pairs_N = labels_N * num_classes + predicted_N
    return torch.bincount(pairs_N, minlength=num_classes**2).view(num_classes, num_classes)


def counts_of(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> Counts:
    """Where an example is of one class; by class (C,)."""
    of_each = [labels_N[predicted_N == labels_N], predicted_N, labels_N]
    return Counts(*(torch.bincount(each, minlength=num_classes).double() for each in of_each))


def counts_of_several(predicted_NC: Tensor, targets_NC: Tensor) -> Counts:
    """Where an example may be of several: of 0 and 1, by class (C,)."""
    of_each = [predicted_NC * targets_NC, predicted_NC, targets_NC]
    return Counts(*(each.double().sum(dim=0) for each in of_each))


def _share(part: Tensor, whole: Tensor) -> Tensor:
    return torch.where(whole > 0, part / whole.clamp(min=1), 0.0)
