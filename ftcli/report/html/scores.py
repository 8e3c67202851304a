"""What it came to: the verdict, the key numbers, floor and ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftcli.events import Scores
from ftcli.report import numbers
from ftcli.report.headline import headline, score, second, told_range
from ftcli.report.html.intervals import Spot, spots_figure
from ftcli.report.html.pieces import note, row, section, table, terms, wide
from ftcli.report.html.text import safe
from ftcli.workflows.report_run import RunRecord
from ftcli.workflows.result import TrainResult, VerdictKind

_HEADINGS: dict[VerdictKind, str] = {
    "gain": "Fine-tuning paid",
    "no_clear_gain": "No clear gain over the linear probe",
    "below_floor": "Fine-tuning did harm",
    "probe_only": "A linear probe",
    "scratch": "Trained from scratch",
}
_MEANINGS = {
    "floor": "a linear probe: the pretrained network as it is, and a new head; on validation",
    "ceiling": "the epoch to keep of those in which the backbone trained; on validation",
    "test": "the weights that were kept, measured once at the end",
    "without leaks": "test, without the examples that the audit found in training too",
}
_OF_TOKENS = {
    "floor": "the language model as it was opened; on validation",
    "ceiling": "the epoch kept; on validation",
    "without leaks": "test, without the sequences of documents that the audit found in training too",
}


def verdict(run: RunRecord) -> str:
    result = run.result
    if result is None:
        return _unfinished(run)
    if result.frozen.changed:
        what = f"{result.frozen.changed} tensors moved though they were frozen: do not trust this model"
        return _verdict("broken", "The proof failed", what)
    heading = _HEADINGS[result.verdict_kind]
    if result.test.perplexity is not None:
        heading = heading.removesuffix(" over the linear probe")
    return _verdict(result.verdict_kind, heading, result.verdict)


def _unfinished(run: RunRecord) -> str:
    if run.diagnosis:
        what = str(run.diagnosis.get("what", "a loss, a gradient or a weight was no number"))
        return _verdict("broken", "The run was broken off", f"{what}; see diagnosis.json")
    epochs = f"{len(run.epochs)} {'epoch' if len(run.epochs) == 1 else 'epochs'} so far"
    return _verdict("unfinished", "Not finished", epochs if run.epochs else "no epoch yet")


def _verdict(kind: str, heading: str, told: str) -> str:
    return f'<div class="verdict {kind}"><p><b>{heading}</b> {safe(told[:1].upper() + told[1:])}</p></div>'


def key_numbers(run: RunRecord) -> str:
    result = run.result
    if result is None:
        return ""
    return terms(_cards(result), "cards")


def _cards(result: TrainResult) -> Iterator[tuple[str, str]]:
    name, metric = headline(result.test)
    sure = f"{_how_sure(result)}; {' '.join(second(result.test))}"
    yield f"Test {name}", f"{score(result.test, metric)}<small>{sure}</small>"
    if result.test_without_leaks is not None:
        told = f"of {result.test_without_leaks.num_examples:,} examples"
        yield "Without leaks", f"{score(result.test_without_leaks, metric)}<small>{told}</small>"
    if result.floor is not None:
        ceiling = "" if result.ceiling is None else f" &rarr; {score(result.ceiling, metric)}"
        label = "Floor" if result.ceiling is None else "Floor to ceiling"
        yield label, f"{score(result.floor, metric)}{ceiling}<small>on validation</small>"
    frozen = result.frozen
    proof = f"{frozen.changed:,} of {frozen.checked:,}<small>compared bit for bit</small>"
    yield "Frozen tensors that changed", proof if frozen.checked else "-<small>nothing was frozen</small>"
    counts = [(kind, sum(f.severity == kind for f in result.findings)) for kind in ("error", "warning")]
    told = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts if count)
    yield "Findings", f'<a href="#findings">{len(result.findings)}</a><small>{told or "no warning"}</small>'
    epochs = f"{result.epochs_run} epochs, kept {result.best_epoch}"
    yield "Time", f"{numbers.duration(result.seconds)}<small>{epochs}</small>"


def _how_sure(result: TrainResult) -> str:
    count = f"of {result.test.num_examples:,} examples"
    metric = headline(result.test)[1]
    between = interval(result.test_report, metric)
    return count if between is None else f"95%: {told_range(metric, *between, ' to ')}; {count}"


def interval(report: Mapping[str, Any] | None, metric: str) -> tuple[float, float] | None:
    found = (report or {}).get("intervals", {}).get(metric)
    return None if found is None else (float(found[0]), float(found[1]))


def floor_and_ceiling(run: RunRecord) -> str:
    result = run.result
    if result is None:
        return ""
    given = {
        "floor": result.floor,
        "ceiling": result.ceiling,
        "test": result.test,
        "without leaks": result.test_without_leaks,
    }
    scores = {name: found for name, found in given.items() if found is not None}
    label, metric = headline(result.test)
    of_tokens = result.test.perplexity is not None
    spots = [
        Spot(
            name,
            float(getattr(found, metric) or 0.0),
            interval(result.test_report, metric) if name == "test" else None,
        )
        for name, found in ({} if of_tokens else scores).items()
    ]
    known = _MEANINGS | _OF_TOKENS if of_tokens else _MEANINGS
    meanings = [(safe(name), known[name]) for name in scores]
    figure = spots_figure(label, spots) if spots else ""  # perplexities are no shares of anything
    side = f'<div class="side">{figure}<div>{_table(scores, label, metric)}</div></div>'
    sure = "the bar through test: 95% by bootstrap, what other test examples might have given"
    return section(
        "floor-and-ceiling",
        "Floor and ceiling",
        side,
        terms(meanings, "facts"),
        note(sure) if spots[-1:] else "",
    )


def _table(scores: Mapping[str, Scores], label: str, metric: str) -> str:
    columns = ("", f">{label}", f">{second(next(iter(scores.values())))[0]}", ">loss", ">examples")
    rows = [row(safe(name), _cells(found, metric), columns) for name, found in scores.items()]
    return wide("Scores", table("Scores", columns, rows))


def _cells(scores: Scores, metric: str) -> Sequence[str]:
    return (
        score(scores, metric),
        second(scores)[1],
        f"{scores.loss:.4f}",
        f"{scores.num_examples:,}",
    )
