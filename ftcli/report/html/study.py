"""Several runs side by side in one page: which came out best, how they went, and in what their recipes differ."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftcli.report import numbers
from ftcli.report.headline import comparable, second
from ftcli.report.html.comparison import best_variant, comparison_sections
from ftcli.report.html.curves import percent
from ftcli.report.html.intervals import Spot, spots_figure
from ftcli.report.html.page import frame
from ftcli.report.html.pieces import note, row, section, table, terms, wide
from ftcli.report.html.scores import interval
from ftcli.report.html.svg import Chart, Line, figure
from ftcli.report.html.text import foreign, safe
from ftcli.workflows.compare.comparison import Comparison
from ftcli.workflows.report_run import RunRecord

_MOST_LINES = 8
_MOST_DIFFERENCES = 60


def study_page(runs: Sequence[RunRecord], compared: Comparison | None = None) -> str:
    """`compared`: the study that they belong to, whose variants are told before the single runs."""
    names = _names(runs)
    is_study = compared is not None and bool(compared.cells)
    sections = (
        *(comparison_sections(compared) if compared is not None and is_study else ()),
        _results(runs, names),
        _curves(runs, names),
        _differences(runs, names),
        _single(runs, names),
    )
    title = "1 run" if len(runs) == 1 else f"{len(runs)} runs side by side"
    best = best_variant(compared) if compared is not None and is_study else _best(runs, names)
    header = f"<h1>{title}</h1>\n{best}"
    return frame(title, header, [told for told in sections if told])


def _names(runs: Sequence[RunRecord]) -> list[str]:
    """The folders' names, or their paths where two are called alike."""
    short = [run.name for run in runs]
    return short if len(set(short)) == len(short) else [str(run.path) for run in runs]


def _value(run: RunRecord) -> float:
    assert run.result is not None
    return float(getattr(run.result.test, comparable(run.result.test)[1]) or 0.0)


def _best(runs: Sequence[RunRecord], names: Sequence[str]) -> str:
    """Told with the others whose intervals reach as high: they may be as good."""
    done = [(run, name) for run, name in zip(runs, names, strict=True) if run.result is not None]
    if not done:
        return '<div class="verdict"><p><b>No run is complete</b></p></div>'
    first, name = max(done, key=lambda pair: _value(pair[0]))
    assert first.result is not None
    label, metric = comparable(first.result.test)
    reach = [
        other
        for run, other in done
        if run is not first and (between := interval(run.result.test_report if run.result else None, metric))
        if between[1] >= _value(first)
    ]
    doubt = f"; the 95% intervals of {len(reach)} of {len(done) - 1} others reach as high" if reach else ""
    told = f"{numbers.accuracy(_value(first))} test {label}{doubt}"
    return f'<div class="verdict"><p><b>Best: {foreign(name)}</b> {told}</p>{_comparable(runs)}</div>'


def _comparable(runs: Sequence[RunRecord]) -> str:
    if len(runs) < 2:
        return ""
    tested = {json.dumps((run.split.get("streams") or {}).get("test")) for run in runs}
    if len(tested) == 1:
        return "<p>All of them were tested on the same examples.</p>"
    return '<p class="caution">They were not tested on the same examples: their scores do not compare.</p>'


def _results(runs: Sequence[RunRecord], names: Sequence[str]) -> str:
    done = [(run, name) for run, name in zip(runs, names, strict=True) if run.result is not None]
    spots = [Spot(name, _value(run), _between(run)) for run, name in done]
    columns = (
        "run",
        "backbone",
        "strategy",
        ">floor",
        ">ceiling",
        ">test",
        ">macro F1",
        ">findings",
        ">time",
    )
    rows = [row(foreign(name, 40), _cells(run), columns) for run, name in zip(runs, names, strict=True)]
    label = comparable(done[0][0].result.test)[0] if done and done[0][0].result else "accuracy"
    return section(
        "results",
        "Results",
        spots_figure(f"test {label}", spots),
        wide("Results", table("Floor and ceiling on validation; test with its 95% interval", columns, rows)),
    )


def _between(run: RunRecord) -> tuple[float, float] | None:
    assert run.result is not None
    return interval(run.result.test_report, comparable(run.result.test)[1])


def _cells(run: RunRecord) -> Sequence[str]:
    result = run.result
    if result is None:
        return ("", "", "", "", "not finished", "", "", "")
    metric = comparable(result.test)[1]

    def score(scores: Any) -> str:
        return "-" if scores is None else numbers.accuracy(float(getattr(scores, metric) or 0.0))

    between = _between(run)
    sure = f"<br>{100 * between[0]:.1f} to {100 * between[1]:.1f}" if between else ""
    return (
        foreign(result.backbone, 40),
        safe(result.strategy),
        score(result.floor),
        score(result.ceiling),
        f"<strong>{score(result.test)}</strong>{sure}",
        "-" if result.test.macro_f1 is None else second(result.test)[1],
        str(len(result.findings)),
        numbers.duration(result.seconds),
    )


def _curves(runs: Sequence[RunRecord], names: Sequence[str]) -> str:
    """Of validation alone: what training makes small may be another thing in each."""
    begun = [(run, name) for run, name in zip(runs, names, strict=True) if run.epochs][:_MOST_LINES]
    if not begun:
        return ""
    end = max(run.epochs[-1].epoch + 1.0 for run, _ in begun)
    metric = comparable(begun[0][0].epochs[0].val)[1]
    scores, losses = (
        [
            Line(name, [(each.epoch + 0.5, float(getattr(each.val, field) or 0.0)) for each in run.epochs])
            for run, name in begun
        ]
        for field in (metric, "loss")
    )
    charts = (
        Chart("Score on validation", _told("Score", scores), scores, end, percent),
        Chart("Loss on validation", _told("Loss", losses), losses, end, "{:g}".format),
    )
    shown = "" if len(begun) == len(runs) else note(f"The first {len(begun)} runs.")
    return section("curves", "Training", f'<div class="charts">{"".join(map(figure, charts))}</div>', shown)


def _told(what: str, lines: Sequence[Line]) -> str:
    ends = "; ".join(f"{line.name} ends at {line.points[-1][1]:.3f}" for line in lines)
    return f"Line chart. {what} on validation by epoch: {ends}."


def _differences(runs: Sequence[RunRecord], names: Sequence[str]) -> str:
    recipes = [dict(_flat(run.recipe.model_dump(mode="json"))) if run.recipe else {} for run in runs]
    keys = [
        key
        for key in dict.fromkeys(key for recipe in recipes for key in recipe)
        if len({json.dumps(recipe.get(key)) for recipe in recipes}) > 1
    ]
    if not keys:
        return section("differences", "What differs", "<p>The recipes are the same.</p>")
    columns = ("", *(foreign(name, 24) for name in names))
    rows = [
        row(
            f"<code>{safe(key)}</code>", (foreign(_shown(recipe.get(key)), 40) for recipe in recipes), columns
        )
        for key in keys[:_MOST_DIFFERENCES]
    ]
    return section(
        "differences", "What differs", wide("What differs", table("In the recipes", columns, rows))
    )


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths and what stands there."""
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{before}{key}.")
        else:
            yield f"{before}{key}", inner


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _single(runs: Sequence[RunRecord], names: Sequence[str]) -> str:
    """Each in a sentence, and how its own page is made."""
    told = []
    for run, name in zip(runs, names, strict=True):
        command = shlex.join(["ftcli", "report", str(run.path)])
        verdict = run.result.verdict if run.result else f"not finished: {len(run.epochs)} epochs so far"
        told.append((foreign(name), f"{safe(verdict)}<br><code>{safe(command)}</code>"))
    return section("single", "Each run", terms(told, "facts"))
