"""The test's predictions against no model at all: one class for everything, and the most frequent one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from ftcli.findings import Finding


def last_look(
    logits_NC: Tensor, labels_N: Tensor, classes: Sequence[str], train_counts: Sequence[int], *, evened: bool
) -> Iterator[Finding]:
    """`train_counts`: training examples of each class, the largest of which is what one would guess unseen.

    `evened`: the run weighted its classes already, or drew them evenly, so that this is no remedy.
    Nothing is told of a test of one class: there everybody is right by saying its name.
    """
    if labels_N.unique().numel() < 2:
        return
    predicted_N = logits_NC.argmax(dim=1)
    accuracy = (predicted_N == labels_N).double().mean().item()
    majority = max(range(len(classes)), key=lambda label: train_counts[label])
    baseline = (labels_N == majority).double().mean().item()
    numbers = (
        f"test accuracy {accuracy:.1%}; saying {classes[majority]!r}, the most frequent in training, every time "
        f"has {baseline:.1%}"
    )
    remedy = _LEARN if evened else f"{_LEARN}; {_EVEN_OUT}"
    same = predicted_N.unique().tolist()
    if len(same) == 1:
        message = f"the model calls all {len(labels_N):,} test examples {classes[same[0]]!r}: {numbers}"
        yield Finding("warning", "test", message, remedy, "predicts-one-class")
    elif accuracy <= baseline:
        message = f"the model is no better than no model: {numbers}"
        yield Finding("warning", "test", message, remedy, "no-better-than-majority")


_LEARN = "look at the training loss: where it did not fall, change optimizer.lr or raise train.epochs"
_EVEN_OUT = (
    "where it did, and classes are uneven, set objective.class_weights: balanced or train.sampler: balanced"
)
