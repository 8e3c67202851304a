"""Which classes are taken for which: the matrix, and the pairs that are mixed up most."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from ftcli.report.html.pieces import note, row, section, table, wide
from ftcli.report.html.text import foreign, safe
from ftcli.workflows.report_run import RunRecord

_MOST_CELLS = 25
"""Classes up to which each count stands in a cell; of more a picture is drawn."""
_MOST_PAIRS = 10
_NAME = 18

Matrix = Sequence[Sequence[int]]


def confusion(run: RunRecord) -> str:
    report = run.result.test_report if run.result else None
    matrix: Matrix | None = (report or {}).get("confusion")
    if not matrix:
        return ""
    classes = run.classes
    shown = _cells(matrix, classes) if len(classes) <= _MOST_CELLS else _picture(matrix)
    return section(
        "confusion",
        "Confusion matrix",
        note("Test examples. A row is a true class, a column what the network takes it for."),
        f'<div class="side">{shown}{_pairs(matrix, classes)}</div>',
    )


def _cells(matrix: Matrix, classes: Sequence[str]) -> str:
    heads = "".join(
        f'<th scope="col"><span title="{safe(name)}">{foreign(name, _NAME)}</span></th>' for name in classes
    )
    rows = "\n".join(
        f'<tr><th scope="row">{foreign(name, 32)}</th>'
        + "".join(_cell(count, sum(counts), true == guess) for guess, count in enumerate(counts))
        + "</tr>"
        for true, (name, counts) in enumerate(zip(classes, matrix, strict=True))
    )
    caption = "How many test examples of each class are taken for which"
    return wide(
        "Confusion matrix",
        f'<table class="matrix">\n<caption>{caption}</caption>\n<thead><tr>'
        f'<th scope="col"><b class="unseen">true class</b></th>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>',
    )


def _cell(count: int, total: int, right: bool) -> str:
    """Shaded by the share of its row; what is right in bold, so that colour is not all that tells."""
    if not count:
        return '<td class="none">0</td>'
    style = f'style="--share:{count / max(total, 1):.3f}"'
    return f"<td {style}><b>{count:,}</b></td>" if right else f'<td class="wrong" {style}>{count:,}</td>'


def _picture(matrix: Matrix) -> str:
    """A pixel a cell, as opaque as the share of its row; on whatever ground there is."""
    from PIL import Image

    size = len(matrix)
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    for true, counts in enumerate(matrix):
        total = max(sum(counts), 1)
        for guess, count in enumerate(counts):
            if count:
                colour = (40, 120, 220) if true == guess else (225, 95, 25)
                image.putpixel((guess, true), (*colour, min(255, 60 + round(195 * count / total))))
    packed = io.BytesIO()
    image.save(packed, "PNG", optimize=True)
    code = base64.b64encode(packed.getvalue()).decode("ascii")
    right = sum(counts[true] for true, counts in enumerate(matrix))
    told = f"Confusion matrix of {size} classes: {right:,} of {sum(map(sum, matrix)):,} on the diagonal"
    return (
        f'<figure><img class="heat" alt="{safe(told)}" src="data:image/png;base64,{code}">'
        "<figcaption>The classes in their order, true ones from top to bottom; blue: right, orange: wrong</figcaption>"
        "</figure>"
    )


def _pairs(matrix: Matrix, classes: Sequence[str]) -> str:
    wrong = [
        (count, true, guess)
        for true, counts in enumerate(matrix)
        for guess, count in enumerate(counts)
        if count and true != guess
    ]
    wrong.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    columns = ("true class", "taken for", ">examples", ">of its class")
    rows = [
        row(
            foreign(classes[true], 40),
            (foreign(classes[guess], 40), f"{count:,}", f"{count / sum(matrix[true]):.1%}"),
            columns,
        )
        for count, true, guess in wrong[:_MOST_PAIRS]
    ]
    if not rows:
        return "<p>No test example is taken for another class.</p>"
    return wide("Classes that are mixed up most", table("Mixed up most", columns, rows))
