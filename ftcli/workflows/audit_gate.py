"""The audit as a gate of training: before the first batch, and once more for the test score."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from ftcli.errors import GateError
from ftcli.events import Listener, Noticed, Scores, Working
from ftcli.plans.audit import AuditReport
from ftcli.plans.data_splits import TEST, DataSplits
from ftcli.workflows.audit import audit_splits, leak_free

if TYPE_CHECKING:
    from ftcli.engine.fit import Work
    from ftcli.recipe.schema import Recipe


def gate(recipe: Recipe, splits: DataSplits, tell: Listener) -> AuditReport | None:
    """What `data.audit` asks for: off does nothing, warn tells findings, strict also ends the run on errors.

    Images that cannot be read are told by whoever reads them for training. Raises GateError.
    """
    asked = getattr(recipe.data, "audit", "warn")
    if asked == "off":
        return None
    report = audit_splits(splits, lambda done, total: tell(Working("auditing images", done, total)))
    for finding in report.findings:
        if finding.severity != "info" and finding.rule != "unreadable-image":
            tell(Noticed(finding))
    if asked == "strict":
        refuse_errors(report, skips_unreadable=recipe.data.on_bad_image == "skip")
    return report


def refuse_errors(report: AuditReport, *, skips_unreadable: bool = False) -> None:
    """Raises GateError when a finding is an error; images that are left out on record are none then."""
    errors = [e for e in report.errors if not (skips_unreadable and e.rule == "unreadable-image")]
    if not errors:
        return
    count = "1 finding is an error" if len(errors) == 1 else f"{len(errors)} findings are errors"
    raise GateError(
        f"the audit of {report.source}: {count}; {errors[0].message}",
        where=errors[0].where,
        remedy=errors[0].remedy,
    )


def scores_without_leaks(work: Work, report: AuditReport | None) -> Scores | None:
    """The test score on what training has seen in no form; None when that is all of it, or nothing."""
    if report is None:
        return None
    store = work.batches.store
    clean = leak_free(report, store.splits, TEST)
    if not clean or len(clean) == len(store.splits.streams[TEST]):
        return None
    reduced = copy(store)  # shares the decoded images
    reduced.splits = replace(store.splits, streams={**store.splits.streams, TEST: clean})
    part = copy(work)
    part.batches = replace(work.batches, store=reduced)
    return part.evaluate(TEST)
