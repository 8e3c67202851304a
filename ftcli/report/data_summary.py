"""What was seen of a folder of images, above the advice that follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.planner.domain_scale import meaning
from ftcli.plans.data_summary import DataSummary, Sides
from ftcli.plans.domain_distance import DomainDistance
from ftcli.report.layout import heading, labelled
from ftcli.report.safe_text import plain

_MOST_CLASSES = 6
_ALIKE = 1.05


def data_summary_view(summary: DataSummary, distance: DomainDistance | None) -> RenderableType:
    lines = (*_data(summary), *(_distance(distance) if distance is not None else ()))
    return Group(heading("What was seen"), labelled((label, plain(text)) for label, text in lines), Text(""))


def _data(summary: DataSummary) -> Iterator[tuple[str, str]]:
    streams = ", ".join(f"{count:,} {stream}" for stream, count in summary.streams.items())
    bad = f"; {summary.unreadable:,} cannot be read" if summary.unreadable else ""
    yield "images", f"{summary.num_images:,} of {summary.source}: {streams}{bad}"
    yield "classes", _classes(summary)
    yield "sizes", f"{_sides(summary.width)} x {_sides(summary.height)} pixels"
    yield "copies", _copies(summary)


def _classes(summary: DataSummary) -> str:
    """The largest and the smallest where there are too many to name."""
    ordered = sorted(summary.classes.items(), key=lambda item: -item[1])
    shown = ordered if len(ordered) <= _MOST_CLASSES else [*ordered[:3], *ordered[-2:]]
    told = [f"{name} {count:,}" for name, count in shown]
    if len(ordered) > len(shown):
        told.insert(3, "...")
    alike = summary.imbalance < _ALIKE
    ratio = "of one size" if alike else f"the largest {summary.imbalance:.2g} times the smallest"
    return f"{len(ordered):,}: {', '.join(told)}; {ratio}"


def _sides(sides: Sides) -> str:
    return f"{sides.least:,}" if sides.least == sides.most else f"{sides.least:,}-{sides.most:,}"


def _copies(summary: DataSummary) -> str:
    if not summary.exact_copies + summary.near_copies:
        return "none"
    pairs = f"{summary.exact_copies:,} exact, {summary.near_copies:,} near"
    return f"{pairs}; {summary.crossing:,} between train, val and test"


def _distance(distance: DomainDistance) -> Iterator[tuple[str, str]]:
    yield (
        "distance",
        f"{distance.value:g} from the pretraining's images, {meaning(distance.value)}; by the BatchNorms of "
        f"{distance.backbone} on {distance.num_images:,} images",
    )
    stages = ", ".join(f"{stage} {divergence:.2g}" for stage, divergence in distance.stages.items())
    yield "by stage", f"{stages} (KL in nats: first how images look, last what they show)"
