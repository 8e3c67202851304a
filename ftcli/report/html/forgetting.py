"""What the backbone has forgotten: its old classifier on images of its own kind. Where the run measured it."""

from __future__ import annotations

from ftcli.plans.forgetting import SURE
from ftcli.report.html.pieces import note, row, section, table
from ftcli.workflows.report_run import RunRecord

_COLUMNS = ("when", ">accuracy", ">right", ">images")


def forgetting(run: RunRecord) -> str:
    measured = run.result.forgetting if run.result else None
    if measured is None:
        return ""
    count = measured.num_images
    rows = [
        row(name, (f"{share:.1%}", f"{round(share * count):,}", f"{count:,}"), _COLUMNS)
        for name, share in (("before training", measured.before), ("epoch kept", measured.after))
    ]
    chance = (
        "more than chance explains"
        if measured.p < SURE
        else "no more than other images might have shown by chance"
    )
    told = (
        f"Of {measured.num_classes:,} of its classes. {measured.lost:,} images were right before and are not now, "
        f"{measured.gained:,} the other way round: {chance} (p {measured.p:.2g}, exact McNemar test)."
    )
    caption = "The classifier that came with the weights, on images of its own kind"
    return section("forgetting", "What was forgotten", table(caption, _COLUMNS, rows), note(told))
