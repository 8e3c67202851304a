"""Advice as a page: what to train, why, what follows, and what would change the answer."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.planner.advise import Advice, Fired
from ftcli.planner.domain import FAR_FROM
from ftcli.planner.table_rows import Rates
from ftcli.report import numbers
from ftcli.report.findings import findings_view
from ftcli.report.layout import heading, labelled
from ftcli.report.safe_text import plain
from ftcli.report.style import CAUTION, QUIET, STRONG


def advice_view(advice: Advice) -> RenderableType:
    row = advice.chosen
    return Group(
        Text.assemble(("advice: ", STRONG), (f"train {row.trains}", STRONG), f" (strategy {row.strategy})"),
        Text(f"for {_case(advice)}"),
        Text(f"because of table {row.table}: {row.text}; {advice.why}"),
        Text(""),
        heading("Tables, most trusted first"),
        labelled((f"table {fired.table}", _fired(fired, row.text)) for fired in advice.tables),
        Text(""),
        heading("What follows"),
        labelled((label, plain(text)) for label, text in _settings(advice)),
        findings_view(advice.findings),
        Text(""),
        heading("What would change the answer"),
        *(Text(f"  {change}") for change in advice.changes or ("neither size nor domain",)),
    )


def _case(advice: Advice) -> str:
    case = advice.case
    named = f"{case.domain.scenario}, a " if case.domain.scenario else ""
    each = f" in {case.num_classes:,} classes, {case.images_per_class:,} a class" if case.num_classes else ""
    distance = f"distance {case.domain.distance:g}, far from {FAR_FROM:g} on"
    return f"{case.num_images:,} images{each}; {named}{case.domain.word} domain ({distance})"


def _fired(fired: Fired, winner: str) -> Text:
    told = Text.assemble((f"{fired.title}: ", QUIET))
    if fired.row is None:
        return told.append("no row fires")
    told.append(fired.row, STRONG if fired.row == winner else "")
    if not fired.agrees:
        told.append(f" - disagrees: {fired.trains}", CAUTION)
    return told


def _settings(advice: Advice) -> Iterator[tuple[str, str]]:
    row = advice.chosen
    yield "backbone", advice.backbone
    yield (
        "trains",
        row.trains + (f", {advice.trainable:,} parameters" if advice.trainable is not None else ""),
    )
    yield "LR", _rates(row.rates, scratch=row.strategy == "scratch")
    yield "head", "linear, the fewest parameters"
    yield "norm", _norm(advice)
    yield (
        "augment",
        row.augment if advice.flip or row.augment == "none" else f"{row.augment}, no mirror images",
    )
    first = f", the first {advice.head_epochs} of them for the head alone" if row.strategy == "lp_ft" else ""
    yield "epochs", f"{advice.epochs}{first}"
    yield "batch", f"{advice.batch_size}, for about {advice.num_train:,} training images"


def _norm(advice: Advice) -> str:
    if advice.chosen.strategy == "feature_extraction":
        return "eval mode throughout, for the backbone is frozen"
    return f"{advice.norm.kind} - {advice.norm.reason}"


def _rates(rates: Rates, *, scratch: bool) -> str:
    head = f"head {numbers.rate(rates.head)}"
    if scratch:
        return f"{numbers.rate(rates.head)} throughout"
    if rates.late is None:
        return head
    if rates.early in (None, rates.late):
        return f"backbone {numbers.rate(rates.late)}, {head}"
    assert rates.early is not None
    return f"lower half {numbers.rate(rates.early)}, upper half {numbers.rate(rates.late)}, {head}"
