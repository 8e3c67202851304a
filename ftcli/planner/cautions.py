"""What deserves a word of caution about a task, whichever row of the tables wins."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.table_rows import Case

MOST_PARAMETERS_PER_EXAMPLE = 100
"""Trainable parameters per training example, beyond which advice warns of overfitting."""
FEWEST_VALIDATION = 100
"""Validation images, below which a single one moves the accuracy by more than a point."""

_BY_SCENARIO = {
    "chest-xray": (
        "left and right differ in X-rays, and images of one patient are alike",
        "no mirror images; split by patient; where you have weights from RadImageNet, set model.weights",
    ),
    "satellite": (
        "tiles of one scene are alike",
        "split by scene, not by tile; with very many images compare with strategy scratch",
    ),
    "microscopy": (
        "photographs have little in common with microscopy",
        "where you have weights pretrained on such images, set model.weights",
    ),
}


def cautions(case: Case, num_train: int, num_val: int, trainable: int) -> Iterator[Finding]:
    """`trainable`: parameters that train."""
    if case.num_classes is None:
        message = "the number of classes is not given, so table B is silent"
        yield Finding(
            "info",
            "--classes",
            message,
            "images per class say more than totals: give it",
            "classes-not-given",
        )
    if warning := overfitting(num_train, trainable):
        yield warning
    if num_val < FEWEST_VALIDATION:
        step = 100 / max(num_val, 1)
        message = f"about {num_val} validation images: accuracy moves in steps of {step:.1f} points"
        yield Finding(
            "warning", "data.split", message, "take small differences for none", "few-validation-images"
        )
    if case.domain.scenario in _BY_SCENARIO:
        message, remedy = _BY_SCENARIO[case.domain.scenario]
        yield Finding("info", "--domain", message, remedy, "domain-note")


def overfitting(num_train: int, trainable: int) -> Finding | None:
    """A warning when there are so many parameters to an example that it can be learned by heart."""
    if trainable <= MOST_PARAMETERS_PER_EXAMPLE * num_train:
        return None
    return Finding(
        "warning",
        "strategy",
        f"{num_train:,} training examples against {trainable:,} trainable parameters overfit easily",
        "augment, and watch validation; train fewer stages when it gets worse",
        "more-parameters-than-examples",
    )
