"""How the training went: loss, scores and the LR of each stage by epoch, with the phases behind them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TypeVar

from ftcli.events import EpochDone
from ftcli.plans.training_plan import TrainingPlan
from ftcli.report import numbers
from ftcli.report.headline import comparable, score
from ftcli.report.html.phases import Performed, bands, performed, phase_list
from ftcli.report.html.pieces import folded, note, row, section, table, wide
from ftcli.report.html.svg import Chart, Line, Point, figure
from ftcli.report.html.text import foreign
from ftcli.report.safe_text import listed
from ftcli.workflows.report_run import RunRecord

T = TypeVar("T")

_MOST_LINES = 8
_SAMPLES = 240
"""Points of an LR curve, over all epochs."""
_MOST_EPOCHS = 200
"""Rows of the table of numbers."""


def curves(run: RunRecord) -> str:
    if not run.epochs:
        return ""
    phases = performed(run)
    charts = "\n".join(
        figure(chart) for chart in (loss_chart(run, phases), score_chart(run, phases), lr_chart(run, phases))
    )
    told = "train: the mean over the epoch's steps, of what training makes small; validation: after the epoch"
    return section(
        "curves",
        "Training",
        f'<div class="charts">{charts}</div>',
        phase_list(phases, run.plan),
        note(f"{told}. Epochs and phases count from 0."),
        folded("The numbers of every epoch", _table(run.epochs)),
    )


def loss_chart(run: RunRecord, phases: tuple[Performed, ...]) -> Chart:
    rows = run.epochs
    lowest = min(rows, key=lambda row: row.val.loss)
    told = (
        f"Line chart. Training loss from {rows[0].train_loss:.3f} to {rows[-1].train_loss:.3f} over "
        f"{len(rows)} epochs; validation loss from {rows[0].val.loss:.3f} to {rows[-1].val.loss:.3f}, "
        f"lowest {lowest.val.loss:.3f} in epoch {lowest.epoch}."
    )
    lines = (
        Line("train", [(_at(row), row.train_loss) for row in rows]),
        Line("validation", [(_at(row), row.val.loss) for row in rows]),
    )
    return Chart("Loss", told, lines, _end(run), _plain, bands(phases), mark=_best(run, "loss"))


def score_chart(run: RunRecord, phases: tuple[Performed, ...]) -> Chart:
    """What the checkpoint is chosen by, or the accuracy, and macro F1 beside it; of a language model the accuracy."""
    rows = run.epochs
    label, name = comparable(rows[0].val)
    label = "mean average precision" if label == "mAP" else label
    probe = "the linear probe" if rows[0].val.perplexity is None else "the network as it was opened"
    values = [float(getattr(row.val, name) or 0.0) for row in rows]
    top = max(range(len(rows)), key=lambda number: values[number])
    floor = None
    if run.result is not None and run.result.floor is not None:
        floor = float(getattr(run.result.floor, name) or 0.0)
    told = (
        f"Line chart. {label.capitalize()} on validation from {values[0]:.1%} to {values[-1]:.1%}, highest "
        f"{values[top]:.1%} in epoch {rows[top].epoch}."
    ) + ("" if floor is None else f" {probe.capitalize()} has {floor:.1%}.")
    lines = (
        Line(label, [(_at(row), value) for row, value in zip(rows, values, strict=True)]),
        *_macro_f1(rows),
    )
    level = None if floor is None else (f"floor: {label} of {probe}", floor)
    title = "Scores on validation"
    return Chart(title, told, lines, _end(run), percent, bands(phases), level, _best(run, name))


def _macro_f1(rows: Sequence[EpochDone]) -> tuple[Line, ...]:
    points = [(_at(row), row.val.macro_f1) for row in rows if row.val.macro_f1 is not None]
    return (Line("macro F1", points),) if points else ()


def lr_chart(run: RunRecord, phases: tuple[Performed, ...]) -> Chart:
    """As the plan's curve has it, scaled by what the epochs say that was set (a rollback lowers it)."""
    lines = lr_lines(run.plan, phases, run.epochs) if run.plan else _lr_of_epochs(run.epochs)
    told = "Line chart, logarithmic. Learning rate by stage: " + "; ".join(
        f"{line.name} at most {numbers.rate(max(y for _, y in _drawn(line.points)))}" for line in lines
    )
    return Chart("Learning rate of each stage", told, lines, _end(run), numbers.rate, bands(phases), log=True)


def lr_lines(
    plan: TrainingPlan, phases: Sequence[Performed], epochs: Sequence[EpochDone]
) -> tuple[Line, ...]:
    """From the head down. Stages that have the same LR wherever they train share a line; a dot is where one begins."""
    rows = {row.epoch: row for row in epochs}
    samples = max(2, min(16, _SAMPLES // max(len(rows), 1)))
    lines: list[tuple[list[str], list[Point], list[Point]]] = []
    for stage in reversed(plan.layer_map.stages):
        points = [point for phase in phases for point in _stage_points(plan, phase, stage, rows, samples)]
        if not points:
            continue
        known = next((line for line in lines if set(_drawn(points)) <= set(_drawn(line[1]))), None)
        if known is None:
            lines.append(([stage], points, [points[0]]))
        else:
            known[0].append(stage)
            known[2].append(points[0])
    return tuple(Line(listed(stages, 40), points, dots) for stages, points, dots in _some(lines))


def _some(lines: list[T]) -> list[T]:
    """Of very many as many as can be told apart, the first and the last among them."""
    if len(lines) <= _MOST_LINES:
        return lines
    chosen = {round(number * (len(lines) - 1) / (_MOST_LINES - 1)) for number in range(_MOST_LINES)}
    return [lines[number] for number in sorted(chosen)]


def _drawn(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if isfinite(point[1])]


def _stage_points(
    plan: TrainingPlan, phase: Performed, stage: str, rows: dict[int, EpochDone], samples: int
) -> list[Point]:
    """Of a phase in which it trains; a gap follows."""
    planned = phase.phase
    scales = [group.lr_scale for group in planned.groups if group.stage == stage] if planned else []
    if planned is None or not scales:
        return []
    peak, steps, points = plan.optimizer.lr * max(scales), plan.steps_per_epoch, []
    for epoch in range(phase.start, phase.end):
        head = (
            plan.optimizer.lr * planned.groups[-1].lr_scale * planned.lr_factor(epoch + (steps - 1) / steps)
        )
        ratio = rows[epoch].lr_head / head if head and epoch in rows else 1.0
        for number in range(samples):
            at = epoch + round(number * (steps - 1) / (samples - 1)) / steps
            points.append((at, peak * planned.lr_factor(at) * ratio))
    return [*points, (phase.end, float("nan"))]


def _lr_of_epochs(epochs: Sequence[EpochDone]) -> tuple[Line, ...]:
    """Where the plan cannot be read."""
    return (
        Line("head", [(_at(row), row.lr_head) for row in epochs]),
        Line("lowest stage that trains", [(_at(row), row.lr_lowest) for row in epochs]),
    )


def _table(epochs: Sequence[EpochDone]) -> str:
    shown = epochs[-_MOST_EPOCHS:]
    columns = (
        "epoch",
        "phase",
        ">LR head",
        ">LR lowest",
        ">train loss",
        ">val. loss",
        ">accuracy",
        ">perplexity" if shown[0].val.macro_f1 is None else ">macro F1",
    )
    rows = [
        row(
            f"{each.epoch}{' (kept so far)' if each.best else ''}",
            (
                foreign(each.phase, 24),
                numbers.rate(each.lr_head),
                numbers.rate(each.lr_lowest),
                f"{each.train_loss:.4f}",
                f"{each.val.loss:.4f}",
                numbers.accuracy(each.val.accuracy),
                score(each.val, "perplexity") if each.val.macro_f1 is None else f"{each.val.macro_f1:.3f}",
            ),
            columns,
        )
        for each in shown
    ]
    left_out = "" if len(shown) == len(epochs) else f", the last {len(shown)} of {len(epochs):,}"
    return wide("The numbers of every epoch", table(f"Every epoch{left_out}", columns, rows))


def _best(run: RunRecord, name: str) -> tuple[str, Point] | None:
    """The epoch of the weights that were kept."""
    best = next((row for row in reversed(run.epochs) if row.best), None)
    if best is None:
        return None
    return f"epoch {best.epoch}, whose weights were kept", (_at(best), float(getattr(best.val, name) or 0.0))


def _at(row: EpochDone) -> float:
    """Scores of an epoch stand in its middle."""
    return row.epoch + 0.5


def _end(run: RunRecord) -> float:
    return run.epochs[-1].epoch + 1.0


def _plain(value: float) -> str:
    return f"{value:g}"


def percent(value: float) -> str:
    return f"{100 * value:g}%"
