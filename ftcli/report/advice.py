"""Advice as a page: what to train, why, what follows, and what would change the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.planner.advice_recipe import epochs_told, norm_told
from ftcli.planner.advise import Advice, Fired
from ftcli.planner.domain import FAR_FROM
from ftcli.planner.stage_rates import stage_rates
from ftcli.planner.table_rows import Row
from ftcli.plans.data_summary import DataSummary
from ftcli.plans.domain_distance import DomainDistance
from ftcli.plans.estimate import Estimate
from ftcli.report import numbers
from ftcli.report.findings import findings_view
from ftcli.report.layout import heading, labelled
from ftcli.report.safe_text import plain
from ftcli.report.style import CAUTION, QUIET, STRONG


def advice_view(advice: Advice, estimate: Estimate) -> RenderableType:
    row = advice.chosen
    return Group(
        Text.assemble(("advice: ", STRONG), (f"train {row.trains}", STRONG), f" (strategy {row.strategy})"),
        Text(f"for {_case(advice)}"),
        Text(f"because of table {row.table}: {row.text}; {advice.why}"),
        *([Text(f"but {advice.shortened}", CAUTION)] if advice.shortened else []),
        Text(""),
        heading("Tables, most trusted first"),
        labelled((f"table {fired.table}", _fired(fired, row)) for fired in advice.tables),
        Text(""),
        heading("What follows"),
        labelled((label, plain(text)) for label, text in _settings(advice)),
        Text(""),
        heading("What it takes, estimated"),
        labelled((label, plain(text)) for label, text in _costs(advice, estimate)),
        findings_view(advice.findings),
        Text(""),
        heading("What would change the answer"),
        labelled(("-", Text(change)) for change in advice.changes or ("neither size nor domain",)),
    )


def advice_json(
    advice: Advice, estimate: Estimate, seen: tuple[DataSummary, DomainDistance | None] | None
) -> dict[str, Any]:
    """The content of `ftcli plan --json`; `seen` of the data, where they were looked at."""
    told = {**advice.to_dict(), "stage_lr": stage_rates(advice), "estimate": estimate.to_dict()}
    if seen is None:
        return told
    summary, distance = seen
    return {**told, "data": summary.to_dict(), "distance": None if distance is None else distance.to_dict()}


def _case(advice: Advice) -> str:
    case = advice.case
    named = f"{case.domain.scenario}, a " if case.domain.scenario else ""
    each = f" in {case.num_classes:,} classes, {case.images_per_class:,} a class" if case.num_classes else ""
    distance = f"distance {case.domain.distance:g}, far from {FAR_FROM:g} on"
    return f"{case.num_images:,} images{each}; {named}{case.domain.word} domain ({distance})"


def _fired(fired: Fired, winner: Row) -> Text:
    told = Text.assemble((f"{fired.title}: ", QUIET))
    if fired.row is None:
        return told.append("no row fires")
    told.append(fired.row, STRONG if (fired.table, fired.row) == (winner.table, winner.text) else "")
    if not fired.agrees:
        told.append(f" - disagrees: {fired.trains}", CAUTION)
    return told


def _settings(advice: Advice) -> Iterator[tuple[str, str]]:
    row = advice.chosen
    yield "backbone", advice.backbone
    yield "trains", row.trains
    yield "LR", stage_rates_told(stage_rates(advice))
    yield "head", "linear: the fewest parameters, and its probe is the floor to beat"
    yield "norm", norm_told(advice)
    yield (
        "augment",
        row.augment if advice.flip or row.augment == "none" else f"{row.augment}, no mirror images",
    )
    first = f", the first {advice.head_epochs} of them for the head alone" if row.strategy == "lp_ft" else ""
    yield "epochs", f"{advice.epochs}{first}: {epochs_told(advice)}"
    yield "batch", f"{advice.batch_size}, for {advice.streams.train:,} training images"


def _costs(advice: Advice, estimate: Estimate) -> Iterator[tuple[str, str]]:
    trained, num_train = estimate.trainable, advice.streams.train
    share = numbers.share(trained / estimate.parameters)
    each = f"{trained / num_train:,.0f} for each of {num_train:,} training images"
    yield "parameters", f"{trained:,} train, {share} of {estimate.parameters:,}: {each}"
    yield "memory", _memory(estimate)
    yield "time", _time(estimate)
    yield (
        "disk",
        f"{numbers.size(estimate.pixel_bytes)} for resized images, {numbers.size(estimate.feature_bytes)} for "
        "what the frozen part makes of them; kept for the next run",
    )


def _memory(estimate: Estimate) -> str:
    memory = estimate.memory
    parts = (
        ("weights", memory.weights),
        ("gradients and optimizer", memory.gradients + memory.optimizer),
        ("activations", memory.activations + memory.working),
    )
    told = ", ".join(f"{name} {numbers.size(count)}" for name, count in parts)
    where = "on the GPU" if estimate.device == "cuda" else "beside Python and its libraries"
    return f"{numbers.size(memory.total)} in fp32 {where}: {told}"


def _time(estimate: Estimate) -> str:
    if estimate.seconds is None:
        return "not known: there is no GPU here to time it on"
    reading = estimate.reading_seconds
    first = (
        "reading images apart" if reading is None else f"and {numbers.duration(reading)} to read the images"
    )
    device = "GPU" if estimate.device == "cuda" else "CPU"
    return f"about {numbers.duration(estimate.seconds)} on this machine's {device}, {first}"


def stage_rates_told(rates: Mapping[str, float | None]) -> str:
    """Neighbours of one LR together: "stem to layer3 frozen, layer4 1e-4, head 1e-3"."""
    runs = []
    for rate, group in groupby(rates, key=rates.__getitem__):
        stages = list(group)
        named = stages[0] if len(stages) == 1 else f"{stages[0]} to {stages[-1]}"
        runs.append(f"{named} {'frozen' if rate is None else numbers.rate(rate)}")
    return ", ".join(runs)
