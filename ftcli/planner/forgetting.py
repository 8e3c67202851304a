"""What to change in a recipe whose backbone has forgotten what it was trained for."""

from __future__ import annotations

from collections.abc import Iterator

from ftcli.findings import Finding
from ftcli.planner.monitors.history import History
from ftcli.planner.monitors.words import slower_backbone
from ftcli.plans.forgetting import Forgetting
from ftcli.plans.layer_map import HEAD
from ftcli.plans.training_plan import TrainingPlan

SLOWER = 10
"""By how much the backbone's LR is to be lower. Measured on EfficientNet-Lite0 that knew the digits 0 to 4 (99.0% of
301 images) and learned 5 to 9: 76.1% as the recipe had it, 97.3% at a tenth of the backbone's LR, 95.3% with lp_ft,
97.3% where the last stage alone trained, and 76.4% where the upper half of the stages did: that is no advice."""


def forgot(plan: TrainingPlan, measured: Forgetting) -> Iterator[Finding]:
    """Nothing of a fall that other images of the kind might not have shown."""
    if not measured.is_sure:
        return
    message = (
        f"the old head has {measured.after:.1%} on {measured.num_images:,} images of its own kind, and had "
        f"{measured.before:.1%}: {measured.lost} were right before and are not now, {measured.gained} the other way "
        f"round (p {measured.p:.1g})"
    )
    remedy = f"where the old classes still matter: {', or '.join(_remedies(plan))}"
    yield Finding("warning", "forgetting", message, remedy, "forgot")


def _remedies(plan: TrainingPlan) -> Iterator[str]:
    """By what the plan does: a discarded norm first, then what moves, how fast, and how much of it."""
    if plan.norm.to_group_norm:
        yield "norm: freeze_stats, for group_norm discards the statistics that the old head was trained on"
    elif any(mode.updates_stats for phase in plan.phases for mode in phase.batch_norms):
        yield "norm: freeze_stats"
    trained = {group.stage for phase in plan.phases for group in phase.groups} - {HEAD}
    if not trained:
        return
    yield slower_backbone(History(plan), SLOWER)
    if plan.strategy == "full":
        yield "strategy: lp_ft"
    yield "strategy: feature_extraction" if len(trained) == 1 else "strategy: {kind: partial, last_stages: 1}"
