"""Everything that was noticed, the worst first; and apart from it what training may have seen of the test."""

from __future__ import annotations

from ftcli.report.headline import headline, score
from ftcli.report.html.findings_table import findings_table
from ftcli.report.html.pieces import section
from ftcli.workflows.report_run import RunRecord

LEAKS = (
    "duplicate-across-splits",
    "near-duplicate-across-splits",
    "group-in-two-splits",
    "time-overlap",
)
"""Rules of the audit: the test measures less than it seems to."""


def leaks(run: RunRecord) -> str:
    result = run.result
    if result is None:
        return ""
    found = [finding for finding in result.findings if finding.rule in LEAKS]
    return section(
        "leaks", "Leakage", _without(run), findings_table(found, "Leaks") if found else _clean(run)
    )


def _without(run: RunRecord) -> str:
    result = run.result
    if result is None or result.test_without_leaks is None:
        return ""
    label, metric = headline(result.test)
    clean, whole = (score(scores, metric) for scores in (result.test_without_leaks, result.test))
    count = result.test.num_examples - result.test_without_leaks.num_examples
    return (
        f"<p>{count:,} of {result.test.num_examples:,} test examples are in training too, in some form. Without them "
        f"the test {label} is <strong>{clean}</strong>; with them {whole}.</p>"
    )


def _clean(run: RunRecord) -> str:
    asked = getattr(run.recipe.data, "audit", None) if run.recipe else None
    if asked is None:
        return ""
    if asked == "off":
        return "<p>Not looked for: the recipe says <code>data.audit: off</code>.</p>"
    return "<p>None found: no test example is in training, as far as the audit can see.</p>"


def findings(run: RunRecord) -> str:
    result = run.result
    told = result.findings if result else run.plan.findings if run.plan else ()
    shown = findings_table(told, "The worst first") if told else "<p>Nothing was noticed.</p>"
    return section("findings", "Findings", shown)
