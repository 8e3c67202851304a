"""Runs side by side as a page: scores and costs, what differs for sure, and curves over the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.study import LESS_IS_BETTER
from ftcli.report import headline, numbers
from ftcli.report.compare_plot import curves_plot
from ftcli.report.layout import FirstThatFits, add_columns, heading, labelled, table
from ftcli.report.safe_text import plain, shorten
from ftcli.report.style import BAD, QUIET, STRONG

if TYPE_CHECKING:
    from ftcli.workflows.compare.comparison import Cell, Comparison
    from ftcli.workflows.compare.paired import Paired

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "mean_average_precision": "mean average precision",
    "perplexity": "perplexity (less is better)",
}
PAIR_HEADERS = ("against", "points", "95%", "only it", "only the other", "p")
_LONGEST_NAME = 24
_SURE = 0.05


def compare_view(found: Comparison) -> RenderableType:
    """Fits 80 columns, and by tables of fewer columns 40."""
    if not found.cells:
        return Group(Text(""), Text("no run is complete: there is nothing to compare"), *_failures(found))
    parts: list[RenderableType] = [Text(""), heading(_title(found)), Text(""), _side_by_side(found)]
    parts += [Text(""), Text(meanings(found), QUIET)]
    if found.paired or found.unpaired:
        parts += [Text(""), heading("Is the best one better?"), Text(""), *_significance(found)]
    if found.has_curves:
        parts += [Text(""), heading("Learning curves"), Text(""), _curves(found), _plot(found)]
    if found.crossover is not None:
        parts += [Text(""), plain(crossover_sentence(found), STRONG)]
    return Group(*parts, *_failures(found))


def crossover_sentence(found: Comparison) -> str:
    """Of a comparison that has one."""
    crossing, num_trains = found.crossover, found.num_trains
    assert crossing is not None
    tuned = crossing.tuned[0] if len(crossing.tuned) == 1 else "the best fine-tuned variant"
    name = crossing.scratch[0]
    if not crossing.reached or crossing.num_train is None:
        behind = f"it is {_points(found.metric, -crossing.gap)} behind at {max(num_trains):,}"
        return f"crossover: not reached; {name} does not catch up with {tuned}: {behind}"
    if crossing.num_train <= min(num_trains):
        return f"crossover: {name} is no worse than {tuned} from the smallest size on"
    return f"crossover: {name} catches up with {tuned} at about {crossing.num_train:,.0f} training examples"


def _points(metric: str, difference: float) -> str:
    """ "3.1 points" of a percentage."""
    if metric in LESS_IS_BETTER:
        return f"{numbers.perplexity(difference)} of perplexity"
    return f"{100 * difference:.1f} points"


def _title(found: Comparison) -> str:
    counts = [f"{len(found.variants)} variant{'s' if len(found.variants) > 1 else ''}"]
    if any(len(cell.seeds) > 1 for cell in found.cells):
        counts.append(f"{len({seed for cell in found.cells for seed in cell.seeds})} seeds")
    sizes = [cell.num_train for cell in found.finalists]
    images = f"{max(sizes):,}" if len(set(sizes)) == 1 else f"{min(sizes):,} to {max(sizes):,}"
    return f"{found.name}: {', '.join(counts)}, {images} training examples"


def side_by_side(found: Comparison) -> tuple[list[str], list[tuple[str, ...]]]:
    """Headers and rows, the best first; with what each was trained on, where that is not the same."""
    headers = ["variant", "test", "spread", "trains", "examples", "FLOPs", "time", "memory"]
    rows = [(cell.variant, *_scores(cell, found.metric), *_costs(cell)) for cell in found.finalists]
    if len({cell.num_train for cell in found.finalists}) > 1:
        headers.insert(1, "train set")
        rows = [(row[0], f"{c.num_train:,}", *row[1:]) for row, c in zip(rows, found.finalists, strict=True)]
    if any(cell.tokens_seen is not None for cell in found.finalists):
        place = headers.index("FLOPs")
        headers.insert(place, "tokens")
        told = [_short(cell.tokens_seen) for cell in found.finalists]
        rows = [(*row[:place], seen, *row[place:]) for row, seen in zip(rows, told, strict=True)]
    return headers, rows


def _side_by_side(found: Comparison) -> RenderableType:
    headers, rows = side_by_side(found)
    return _that_fits(headers, [(row, STRONG if row[0] == found.best else "") for row in rows])


def _that_fits(headers: Sequence[str], rows: Sequence[tuple[Sequence[str], str]]) -> FirstThatFits:
    """Cells and style of each row: in one table, or in several of three or two columns beside the names."""
    return FirstThatFits(*(_tables(headers, rows, each) for each in (len(headers), 3, 2)))


def _tables(headers: Sequence[str], rows: Sequence[tuple[Sequence[str], str]], each: int) -> Group:
    parts: list[RenderableType] = []
    for start in range(1, len(headers), each):
        made = table()
        add_columns(made, [(headers[0], "<"), *((header, ">") for header in headers[start : start + each])])
        for (name, *cells), style in rows:
            shown = (Text(cell) for cell in cells[start - 1 : start - 1 + each])
            made.add_row(plain(shorten(name, _LONGEST_NAME)), *shown, style=style)
        parts += [Text(""), made] if parts else [made]
    return Group(*parts)


def _scores(cell: Cell, metric: str) -> tuple[str, ...]:
    return headline.told(metric, cell.mean), "-" if cell.std is None else spread(metric, cell.std)


def spread(metric: str, std: float) -> str:
    """In points of a percentage, or of perplexity."""
    return numbers.perplexity(std) if metric in LESS_IS_BETTER else f"{100 * std:.1f}"


def _costs(cell: Cell) -> tuple[str, ...]:
    return (
        _short(cell.trainable),
        _short(cell.images_seen),
        _short(cell.training_flops),
        numbers.duration(cell.seconds),
        "-" if cell.peak_memory is None else numbers.size(cell.peak_memory),
    )


def _short(value: float | None) -> str:
    """3383818 -> "3.38M"."""
    if value is None:
        return "-"
    for unit, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e5)):
        if value >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{value:,.0f}"


def meanings(found: Comparison) -> str:
    """Of the columns side by side."""
    several = any(len(cell.seeds) > 1 for cell in found.cells)
    points = "" if found.metric in LESS_IS_BETTER else " in points"
    over = f"mean over seeds and sample standard deviation{points}" if several else "one seed: no spread"
    return (
        f"test: {METRICS[found.metric]} of the epoch kept, {over}; trains: parameters, where most do; examples: seen "
        "in training; tokens: of these, without padding; FLOPs: forward and backward, frozen parts that are kept once; "
        "time: of the epochs, without what runs share (decoding, the frozen part, the probe for the floor); memory: "
        "the most, of the process or its GPU"
    )


def _significance(found: Comparison) -> Iterator[RenderableType]:
    if found.paired:
        rows = [((pair.other, *pair_cells(pair)), "" if is_sure(pair) else QUIET) for pair in found.paired]
        yield _that_fits(PAIR_HEADERS, rows)
        yield Text("")
    for told in notes_on_tests(found):
        yield plain(told, QUIET)


def notes_on_tests(found: Comparison) -> Iterator[str]:
    """What was tested how, and what could not be."""
    if found.paired:
        pair = found.paired[0]
        seeds = "; examples, not runs, are what is counted" if pair.num_pairs > 1 else ""
        told = f"{found.best} against the others, on the same {pair.num_images:,} test examples"
        yield f"{told}: {_right(found)}, McNemar's exact test, p after Holm{seeds}"
    if found.metric in LESS_IS_BETTER:
        yield "whether a perplexity is lower by more than chance is not tested: see the spread over seeds (--seeds)"
    elif found.unpaired:
        reason = "no seed in common, or other test examples (or none on record)"
        yield f"not compared example by example: {', '.join(found.unpaired)}; {reason}"
    yield from _unequal_seeds(found)


def _unequal_seeds(found: Comparison) -> Iterator[str]:
    seeds = {cell.variant: sorted(cell.seeds) for cell in found.finalists}
    if any(of != next(iter(seeds.values())) for of in seeds.values()):
        told = "; ".join(f"{name} {', '.join(map(str, of))}" for name, of in seeds.items())
        yield f"the means are of different seeds, each with a split of its own: {told}"


def is_sure(pair: Paired) -> bool:
    return pair.p_holm < _SURE


def _right(found: Comparison) -> str:
    """What is counted: an image of several classes is right where every class is."""
    several = any(run.outcome is not None and run.outcome.is_multi_label for run in found.runs)
    return "all classes right" if several else "accuracy"


def pair_cells(pair: Paired) -> Iterator[str]:
    """Below PAIR_HEADERS, without the first."""
    yield f"{100 * pair.difference:+.1f}"
    yield f"{100 * pair.low:+.1f} to {100 * pair.high:+.1f}"
    yield f"{pair.only_best:,}"
    yield f"{pair.only_other:,}"
    yield "<0.001" if pair.p_holm < 0.001 else f"{pair.p_holm:.3f}"


def _curves(found: Comparison) -> RenderableType:
    """Side by side where it fits, else a line for each variant and size."""
    return FirstThatFits(_wide_curves(found), _long_curves(found))


def _plot(found: Comparison) -> RenderableType:
    """Left out where it would be broken: the table has the same numbers."""
    return FirstThatFits(Group(Text(""), curves_plot(found)), Group())


def _wide_curves(found: Comparison) -> RenderableType:
    rows = table()
    add_columns(rows, [("training examples", "<"), *((f"{size:,}", ">") for size in found.num_trains)])
    for name in found.variants:
        cells = [Text(mean_and_spread(found.at(name, size), found.metric)) for size in found.num_trains]
        rows.add_row(plain(shorten(name, _LONGEST_NAME)), *cells)
    return rows


def _long_curves(found: Comparison) -> RenderableType:
    rows = table()
    add_columns(rows, [("variant", "<"), ("examples", ">"), ("test", ">")])
    for name in found.variants:
        for size in found.num_trains:
            rows.add_row(
                plain(shorten(name, _LONGEST_NAME)),
                f"{size:,}",
                mean_and_spread(found.at(name, size), found.metric),
            )
    return rows


def mean_and_spread(cell: Cell | None, metric: str) -> str:
    if cell is None:
        return "-"
    return headline.told(metric, cell.mean) + ("" if cell.std is None else f" ±{spread(metric, cell.std)}")


def _failures(found: Comparison) -> Iterator[RenderableType]:
    missing = [run.trial.name for run in found.runs if run.state == "missing"]
    if found.failed:
        yield Text("")
        yield heading(f"{len(found.failed)} of {len(found.runs)} runs failed")
        told = [(run.trial.name, run.failure) for run in found.failed]
        yield labelled(
            [(name, plain(f"exit {f.exit_code}: {f.what}", BAD)) for name, f in told if f is not None]
        )
    if missing:
        yield Text("")
        yield plain(
            f"{len(missing)} runs are not there yet, {missing[0]} first: the study's command goes on with them"
        )
