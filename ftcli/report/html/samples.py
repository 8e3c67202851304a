"""What the language model made of a few prompts before training and after, as it stands: nothing in it is obeyed."""

from __future__ import annotations

from ftcli.report.html.pieces import note, row, section, table, wide
from ftcli.report.html.text import safe
from ftcli.workflows.report_run import RunRecord

_COLUMNS = ("prompt", "before training", "best epoch")


def samples(run: RunRecord) -> str:
    found = run.result.samples if run.result else ()
    if not found:
        return ""
    rows = [row(_text(each.prompt), (_text(each.before), _text(each.after)), _COLUMNS) for each in found]
    told = "The model goes on where the prompt ends; samples.json holds the same. They show a manner, not a score."
    return section("samples", "Samples", wide("Samples", table("Generated text", _COLUMNS, rows)), note(told))


def _text(text: str | None) -> str:
    """Line by line, each with a direction of its own."""
    if text is None:
        return "-"
    return "<br>".join(f"<bdi>{safe(line)}</bdi>" for line in text.splitlines()) or "(nothing)"
