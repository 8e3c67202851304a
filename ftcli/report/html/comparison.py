"""A study's variants in a page: means and costs side by side, what differs for sure, curves over the data."""

from __future__ import annotations

from math import log

from ftcli.plans.study import LESS_IS_BETTER
from ftcli.report import numbers
from ftcli.report.compare import (
    METRICS,
    PAIR_HEADERS,
    crossover_sentence,
    is_sure,
    mean_and_spread,
    meanings,
    notes_on_tests,
    pair_cells,
    side_by_side,
)
from ftcli.report.headline import told as score
from ftcli.report.html.curves import percent
from ftcli.report.html.pieces import note, row, section, table, terms, wide
from ftcli.report.html.svg import Chart, Line, figure
from ftcli.report.html.text import foreign, safe
from ftcli.workflows.compare.comparison import Comparison

_MOST_LINES = 8
_WIDTH = 40
"""Of a variant's name in a table."""
_MARGIN = 0.05
"""Beside the smallest and the largest size, as a part of what lies between them."""


def best_variant(found: Comparison) -> str:
    """Of a study with a complete run."""
    first, others = found.finalists[0], len(found.finalists) - 1
    seeds = f", mean of {len(first.seeds)} seeds" if len(first.seeds) > 1 else ""
    told = f"{score(found.metric, first.mean)} test {METRICS[found.metric]} on {first.num_train:,} training examples"
    sure = sum(is_sure(pair) and pair.difference > 0 for pair in found.paired)
    tested = others and found.metric not in LESS_IS_BETTER
    told += f"{seeds}; surely better than {sure} of {others} others" if tested else seeds
    crossing = ""
    if found.crossover is not None:
        sentence = crossover_sentence(found)
        crossing = f"<p>{safe(sentence[:1].upper() + sentence[1:])}.</p>"
    return f'<div class="verdict"><p><b>Best: {foreign(first.variant)}</b> {told}</p>{crossing}</div>'


def comparison_sections(found: Comparison) -> tuple[str, ...]:
    """Nothing for what the study does not have."""
    return _variants(found), _tests(found), _curves(found), _failed(found)


def _variants(found: Comparison) -> str:
    headers, rows = side_by_side(found)
    columns = (headers[0], *(f">{header}" for header in headers[1:]))
    told = [row(foreign(name, _WIDTH), map(safe, cells), columns) for name, *cells in rows]
    shown = wide("Variants", table("Variants, the best first", columns, told))
    return section("variants", "Variants", shown, note(safe(meanings(found))))


def _tests(found: Comparison) -> str:
    columns = (PAIR_HEADERS[0], *(f">{header}" for header in PAIR_HEADERS[1:]), "")
    rows = [
        row(
            foreign(pair.other, _WIDTH),
            (*map(safe, pair_cells(pair)), "sure" if is_sure(pair) else ""),
            columns,
        )
        for pair in found.paired
    ]
    caption = (
        "The best one against each other: points of difference, and test examples that only one has right"
    )
    shown = wide("Tests", table(caption, columns, rows)) if rows else ""
    return section("tests", "Is the best one better?", shown, *map(note, map(safe, notes_on_tests(found))))


def _curves(found: Comparison) -> str:
    if not found.has_curves:
        return ""
    sizes = found.num_trains
    columns = ("variant", *(f">{size:,}" for size in sizes))
    rows = [
        row(
            foreign(name, _WIDTH),
            (mean_and_spread(found.at(name, size), found.metric) for size in sizes),
            columns,
        )
        for name in found.variants
    ]
    shown = wide("Learning curves", table("Test score by training examples", columns, rows))
    left_out = len(found.variants) - _MOST_LINES
    more = note(f"The first {_MOST_LINES} variants are drawn.") if left_out > 0 else ""
    drawn = f'<div class="charts">{figure(_chart(found))}</div>'
    return section("learning-curves", "Learning curves", drawn, more, shown)


def _chart(found: Comparison) -> Chart:
    """Over the logarithm of the size, from 0 to 1 between the margins."""
    sizes = found.num_trains
    whole = log(sizes[-1] / sizes[0])
    at = {size: _MARGIN + log(size / sizes[0]) / whole for size in sizes}
    lines = []
    for name in found.variants[:_MOST_LINES]:
        cells = [cell for size in sizes if (cell := found.at(name, size)) is not None]
        lines.append(Line(name, [(at[cell.num_train], cell.mean) for cell in cells]))
    ends = "; ".join(f"{line.name} ends at {score(found.metric, line.points[-1][1])}" for line in lines)
    told = f"Line chart. Test score by the number of training examples: {ends}."
    places = [(at[size], f"{size:,}") for size in _apart(sizes, at)]
    end = 1 + 2 * _MARGIN
    tick = numbers.perplexity if found.metric in LESS_IS_BETTER else percent
    return Chart("Test score", told, lines, end, tick, places=places, axis="training examples")


def _apart(sizes: tuple[int, ...], at: dict[int, float]) -> list[int]:
    """Those whose numbers do not run into each other, the last among them."""
    chosen = [sizes[-1]]
    for size in reversed(sizes[:-1]):
        if at[chosen[-1]] - at[size] > 0.13:
            chosen.append(size)
    return chosen


def _failed(found: Comparison) -> str:
    told = [
        (foreign(run.trial.name), f"exit {run.failure.exit_code}: {safe(run.failure.what)}")
        for run in found.failed
        if run.failure is not None
    ]
    told += [
        (foreign(run.trial.name), "not run to its end yet") for run in found.runs if run.state == "missing"
    ]
    return section("failed", "Runs that are not there", terms(told, "facts") if told else "")
