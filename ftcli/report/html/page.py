"""The report of a run: everything that it came to, in one page that can be sent to somebody."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ftcli.plans.inputs import noun_of
from ftcli.report.html.calibration import calibration
from ftcli.report.html.classes import classes
from ftcli.report.html.confusion import confusion
from ftcli.report.html.curves import curves
from ftcli.report.html.drift import drift
from ftcli.report.html.findings import findings, leaks
from ftcli.report.html.forgetting import forgetting
from ftcli.report.html.freeze import freeze
from ftcli.report.html.mistakes import mistakes
from ftcli.report.html.pieces import document
from ftcli.report.html.repeat import repeat
from ftcli.report.html.report_style import REPORT
from ftcli.report.html.samples import samples
from ftcli.report.html.scores import floor_and_ceiling, key_numbers, verdict
from ftcli.report.html.style import BASE
from ftcli.report.html.text import foreign, safe
from ftcli.workflows.report_run import RunRecord

SECTIONS = (
    floor_and_ceiling,
    curves,
    freeze,
    drift,
    forgetting,
    samples,
    confusion,
    classes,
    calibration,
    mistakes,
    leaks,
    findings,
    repeat,
)
_HEADING = re.compile(r'<h2 id="([a-z-]+)">([^<]*)</h2>')


def report_page(run: RunRecord) -> str:
    sections = [told for make in SECTIONS if (told := make(run))]
    return frame(f"Report of {run.name}", _header(run), sections)


def frame(title: str, header: str, sections: Sequence[str]) -> str:
    """The landmarks around sections, and a list of them."""
    links = "".join(
        f'<li><a href="#{name}">{heading}</a></li>'
        for told in sections
        for name, heading in _HEADING.findall(told)
    )
    body = (
        '<a class="skip" href="#main">Skip to the content</a>',
        f'<header class="page">\n{header}\n<nav aria-label="On this page"><ul>{links}</ul></nav>\n</header>',
        '<main id="main" tabindex="-1">',
        *sections,
        "</main>",
        '<footer class="page">Made by ftcli from what the run left in its folder.</footer>',
    )
    return document(title, BASE + REPORT, body)


def _header(run: RunRecord) -> str:
    return "\n".join(
        (
            f"<h1>{foreign(run.name, 120)}</h1>",
            f"<p>{_about(run)}</p>",
            verdict(run),
            key_numbers(run),
        )
    )


def _about(run: RunRecord) -> str:
    told = []
    if run.plan is not None:
        told += [foreign(run.plan.layer_map.backbone), safe(run.plan.strategy)]
    elif run.result is not None:
        told += [foreign(run.result.backbone), safe(run.result.strategy)]
    if run.classes:
        told.append(f"{len(run.classes):,} classes")
    if run.plan is not None:
        told.append(f"{run.plan.num_train:,} training {noun_of(run.plan.preprocessing)}s")
    return ", ".join(told)
