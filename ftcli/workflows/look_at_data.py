"""The story of `ftcli plan --data`: a folder or a manifest is audited and its domain measured, instead of asked for."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftcli.engine.images import ImageStore
from ftcli.errors import DataError, UsageError
from ftcli.events import Listener
from ftcli.findings import Finding
from ftcli.planner.advice_recipe import Source
from ftcli.planner.advise import Streams
from ftcli.planner.data_remarks import remarks
from ftcli.planner.domain import Domain, parse_domain
from ftcli.planner.table_rows import Case
from ftcli.planner.training_size import image_size
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits
from ftcli.plans.data_summary import DataSummary, summary_of
from ftcli.plans.domain_distance import DomainDistance
from ftcli.plans.preprocessing import IMAGENET
from ftcli.recipe.schema import Recipe
from ftcli.workflows.advise import Task
from ftcli.workflows.audit import audit_splits
from ftcli.workflows.audit_data import open_data
from ftcli.workflows.measure_domain import measure_domain, spread

_TIMED_IMAGES = 32
_OF_DATA = re.compile(r"\s*data[.\[]")


@dataclass(frozen=True)
class LookedAt:
    """`distance` is None where the domain was given."""

    task: Task
    summary: DataSummary
    distance: DomainDistance | None


def look_at_data(
    path: Path, domain: str | None, backbone: str, tell: Listener, overrides: Sequence[str] = ()
) -> LookedAt:
    """`overrides` say how the data are read: data.KEY=VALUE.

    Raises DataError for what cannot be trained on, ModelError where the distance cannot be measured, UsageError and
    RecipeError for overrides.
    """
    if path.suffix.lower() in (".yaml", ".yml") and not path.is_dir():
        raise UsageError("--data takes a folder or a manifest", where=str(path), remedy=f"ftcli plan {path}")
    given = None if domain is None else parse_domain(domain)
    if idle := [override for override in overrides if not _OF_DATA.match(override)]:
        what = f"{idle[0].partition('=')[0].strip()} is not of the data"
        raise UsageError(what, where="--set", remedy="beside --data it takes data.KEY=VALUE")
    opened = open_data(path, overrides)
    splits = opened.splits
    if splits.texts:
        what = f"these are {splits.noun}s: the advice of plan --data is about images"
        raise UsageError(what, where=str(path), remedy=f"see {opened.command}")
    report = audit_splits(splits, tell, command=opened.command)
    if all(each.error is not None for each in report.facts):
        raise DataError("no image can be read", where=str(path), remedy=f"see {opened.command}")
    summary = summary_of(splits, report)
    distance = None if given is not None else measure_domain(splits, backbone, tell)
    found = given or _domain(distance)
    task = Task(
        case=Case(summary.num_images, found, len(splits.classes)),
        streams=_streams(splits),
        source=Source(
            kind=opened.recipe.data.kind,
            path=opened.recipe.data.path,
            options=_options(opened.recipe),
            image_size=opened.recipe.data.image_size or image_size(summary.shorter_side),
            bad_images=summary.unreadable,
            remarks=tuple(remarks(summary, distance, opened.command)),
        ),
        stretch=summary.stretch,
        read_seconds=_read_seconds(splits),
        findings=(*_told(report.findings, opened.command), *(distance.findings if distance else ())),
    )
    return LookedAt(task, summary, distance)


def _options(recipe: Recipe) -> dict[str, Any]:
    """What `overrides` set, and nothing that is so by itself."""
    given = recipe.data.model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in given.items() if name not in ("kind", "path")}


def _domain(distance: DomainDistance | None) -> Domain:
    assert distance is not None
    return Domain(distance.value)


def _streams(splits: DataSplits) -> Streams:
    return Streams(*(len(splits.streams.get(stream, ())) for stream in (TRAIN, VAL, TEST)))


def _told(findings: tuple[Finding, ...], audit: str) -> tuple[Finding, ...]:
    """The errors of the audit, and how many warnings there are beside them."""
    errors = tuple(finding for finding in findings if finding.severity == "error")
    warnings = [finding for finding in findings if finding.severity == "warning"]
    if not warnings:
        return errors
    rules = ", ".join(dict.fromkeys(finding.rule for finding in warnings))
    count = f"{len(warnings)} warning{'s' * (len(warnings) > 1)} of the audit: {rules}"
    return (*errors, Finding("warning", "data", count, f"see {audit}", "audit-warns"))


def _read_seconds(splits: DataSplits) -> float | None:
    """For an image, with all the cores that read at once; of a few, from all over the training images."""
    store, read = ImageStore(splits, IMAGENET, 0), 0
    started = time.perf_counter()
    for index in spread(splits.streams[TRAIN], _TIMED_IMAGES):
        with suppress(DataError):
            store[index]
            read += 1
    took = time.perf_counter() - started
    return took / read / min(os.cpu_count() or 1, 8) if read else None
