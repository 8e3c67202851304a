"""The audit as a gate of training: before the first batch, and once more for the test score."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftcli.engine.evaluate import scores_of
from ftcli.engine.packing import PackedStore
from ftcli.errors import GateError
from ftcli.events import Listener, Noticed, Scores
from ftcli.findings import Finding
from ftcli.plans.audit import AuditReport
from ftcli.plans.data_splits import TEST, DataSplits, split_record
from ftcli.workflows.audit import audit_splits, leak_free

if TYPE_CHECKING:
    from torch import Tensor

    from ftcli.engine.inputs import ExampleStore
    from ftcli.engine.run_folder import RunFolder
    from ftcli.recipe.schema import Recipe

_TOLD_BY_READERS = ("unreadable-image", "empty-texts")
"""Rules of which whoever reads the examples for training says the same."""


def audit_of(run: RunFolder, recipe: Recipe) -> str | None:
    """The command that audits the data of a run by the recipe that it keeps; a run that is refused keeps none."""
    return None if recipe.data.audit == "strict" else shlex.join(["ftcli", "audit", str(run.recipe)])


def gate(
    recipe: Recipe,
    splits: DataSplits,
    tell: Listener,
    command: str | None = None,
    known: dict[str, AuditReport] | None = None,
) -> AuditReport | None:
    """What `data.audit` asks for: off does nothing, warn tells findings, strict also ends the run on errors.

    `command` audits the same data; remedies name it. `known`: what runs before saw of their streams, by the digest of
    their record; taken where they are the same, and left there for the next run. Images that cannot be read, and
    empty texts, are told by whoever reads them for training. Raises GateError.
    """
    asked = getattr(recipe.data, "audit", "warn")
    if asked == "off":
        return None
    report = _known_or_new({} if known is None else known, splits, tell, command)
    refused = refusing(report, recipe) if asked == "strict" else ()
    for finding in report.findings:
        first = bool(refused) and finding is refused[0]  # the error that ends the run tells it
        if finding.severity != "info" and finding.rule not in _TOLD_BY_READERS and not first:
            tell(Noticed(finding))
    if refused:
        raise GateError(
            f"{verdict(report, refused)}: {refused[0].message}",
            where=refused[0].where,
            remedy=refused[0].remedy,
        )
    return report


def _known_or_new(
    known: dict[str, AuditReport], splits: DataSplits, tell: Listener, command: str | None
) -> AuditReport:
    streams = split_record(splits)["sha256"]
    if streams not in known:
        known.clear()
        known[streams] = audit_splits(splits, tell, command=command)
    return known[streams]


def refusing(report: AuditReport, recipe: Recipe) -> tuple[Finding, ...]:
    """The errors that end a strict run; images that are left out on record are none."""
    skips = not recipe.takes_texts and recipe.data.on_bad_image == "skip"
    return tuple(e for e in report.errors if not (skips and e.rule == "unreadable-image"))


def verdict(report: AuditReport, refused: Sequence[Finding]) -> str:
    count = "1 finding is an error" if len(refused) == 1 else f"{len(refused)} findings are errors"
    return f"the audit of {report.source}: {count}"


def scores_without_leaks(
    logits_NC: Tensor, labels_N: Tensor, store: ExampleStore, report: AuditReport | None
) -> Scores | None:
    """The test score on what training has seen in no form; None when that is all of it, or nothing.

    `logits_NC` and `labels_N` are those of the whole test stream, in its order.
    """
    if report is None:
        return None
    places = [place for place, clean in enumerate(_is_clean(store, report)) if clean]
    if not places or len(places) == len(labels_N):
        return None
    return scores_of(logits_NC[places], labels_N[places])


def _is_clean(store: ExampleStore, report: AuditReport) -> list[bool]:
    """Of each test example; of each sequence of a corpus, whether all its documents are."""
    indices = store.splits.streams[TEST]
    if isinstance(store, PackedStore):
        documents = set(leak_free(report, store.documents, TEST))
        return [documents.issuperset(store.documents_of(index)) for index in indices]
    clean = set(leak_free(report, store.splits, TEST))
    return [index in clean for index in indices]
