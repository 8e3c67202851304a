"""The results as tables: Markdown for a file, rich for a terminal, both of the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.speed.results import Judged, Record, Results, judge, measured, ratio, summary
from tests.benchmarks.speed.works import FIT, MEASURES, WHOLE, Form, Tool, Work

SAID = {
    "moonshot": "beyond",
    "commit": "reached",
    "no": "not reached",
    "accuracy": "less accurate",
    "unknown": "-",
}
NOTES = (
    "Times are medians, with the least and the greatest in brackets where there are several. `x` is the tool's time "
    "divided by that of the first row. The accuracy is that of the best epoch on the validation images.",
    "Every tool starts from the same weights, on the same images, with the same batch size, image size, learning "
    "rate, epochs and threads. What else it does is its default: fastai and Lightning keep frozen BatchNorms "
    "trainable, timm-style and HF Trainer run them in train mode, fastai has a head of two layers; timm-style and "
    "fastai leave out the last batch where it is not full.",
    "ftcli's fit goes from the first image read to the last result: the linear probe that fine-tuning is compared "
    "with, and the look at ten test images, are in it. Seconds per 1,000 images trained are those of the steps: "
    "timm-style's without its waiting for batches, ftcli's with the cutting of crops.",
)


@dataclass(frozen=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def work_table(work: Work, results: Results) -> Table:
    columns = work.columns
    first = WHOLE if FIT not in columns else FIT
    scored = work.kind != "help"
    head = ("tool", *(MEASURES[c] for c in columns), "x", *(("accuracy", "images") if scored else ()), "note")
    rows = [_row(work, tool, results, columns, first, scored) for tool in work.tools]
    return Table(f"{work.title} ({_sizes(work)})" if scored else work.title, head, tuple(rows))


def _sizes(work: Work) -> str:
    epochs = f"{work.epochs} epoch{'s' if work.epochs > 1 else ''}"
    return f"{epochs}, {work.train:,} train, {work.val:,} val, {work.size} px, batch {work.batch_size}"


def _row(
    work: Work, tool: Tool, results: Results, columns: Sequence[str], first: str, scored: bool
) -> tuple[str, ...]:
    runs = results.of(work, tool)
    cells = [tool.name, *(spread(list(measured(runs, column).values())) for column in columns)]
    times = ratio(measured(runs, first), measured(results.of(work, work.tools[0]), first))
    cells.append(f"{times.middle:.1f}" if times else "-")
    if scored:
        accuracy = summary(measured(runs, "accuracy").values())
        seen = summary(measured(runs, "images_seen").values())
        cells += [f"{accuracy.middle:.1%}" if accuracy else "-", f"{seen.middle:,.0f}" if seen else "-"]
    return (*cells, _note(runs))


def spread(values: Sequence[float]) -> str:
    found = summary(values)
    if found is None:
        return "-"
    return number(found.middle) + (f" ({number(found.low)}-{number(found.high)})" if len(values) > 1 else "")


def number(value: float) -> str:
    """Three digits, and no more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def work_note(work: Work, tool: Tool, results: Results) -> str:
    """What is to be said of a tool's last run; why there is none."""
    return _note(results.of(work, tool))


def _note(runs: Sequence[Record]) -> str:
    if not runs:
        return "not run"
    last = runs[-1]
    if last["status"] != "ok":
        return f"{last['status']}: {last.get('why', '')}"
    return str(last.get("note", ""))


def goals_table(works: Sequence[Work], results: Results, form: Form) -> Table:
    judged = [judge(goal, work, results) for work in works for goal in work.goals]
    rows = tuple(_goal_row(one, form) for one in judged)
    return Table("Goals", ("goal", "ratio", "in one repetition", "commit", "moonshot", ""), rows)


def _goal_row(one: Judged, form: Form) -> tuple[str, ...]:
    goal, found = one.goal, one.ratio
    times = f"{found.middle:.1f}x" if found else "-"
    within = f"{found.low:.1f}-{found.high:.1f}" if found and found.count > 1 else "-"
    said = SAID[one.reached] if form.name == "full" or one.reached == "unknown" else "not judged"
    said = f"{said}: {one.why}" if one.why else said
    return goal.text, times, within, f"{goal.commit:g}x", f"{goal.moonshot:g}x", said


def versions_table(works: Sequence[Work], results: Results) -> Table:
    told: dict[str, Any] = {}
    for work in works:
        for tool in work.tools:
            for run in results.of(work, tool):
                told.setdefault(tool.name.partition(",")[0], run.get("versions"))
    rows = [
        (name, ", ".join(f"{package} {version}" for package, version in found.items()))
        for name, found in told.items()
        if found
    ]
    return Table("Versions", ("tool", "packages"), tuple(rows))


def markdown(works: Sequence[Work], results: Results, form: Form) -> str:
    """The whole of speed.md, of the works of which something was run."""
    works = [work for work in works if any(results.of(work, tool) for tool in work.tools)]
    parts = ["# Speed", *_about(results.about), form.note.capitalize(), *NOTES]
    tables = [goals_table(works, results, form), *(work_table(work, results) for work in works)]
    parts += [as_markdown(table) for table in (*tables, versions_table(works, results)) if table.rows]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(about: Any) -> list[str]:
    found = about["machine"]
    flags = ", ".join(found["flags"]) or "none of those asked for"
    return [
        f"Commit {about['commit']}, {about['date']}, `{about['command']}`.",
        f"{found['cpu']}, {found['cores']} cores ({flags}), {found['ram_gib']} GiB, {about['threads']} threads; "
        f"Python {found['python']}, {found['system']}. Images of {about['source']}.",
    ]


def as_markdown(table: Table) -> str:
    """Bars within a cell would end it."""
    rows = [table.head, tuple("---" for _ in table.head), *table.rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([f"## {table.title}", "", *lines])


def show(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(title=table.title, title_justify="left")
    for place, name in enumerate(table.head):
        shown.add_column(
            name, overflow="fold", justify="left" if place in (0, len(table.head) - 1) else "right"
        )
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row))
    Console().print(shown)
