"""The audit: every image is fingerprinted, copies are looked for, and what it means for the split is told."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ftcli.engine.audit.fingerprint import Fingerprint
from ftcli.engine.audit.recall import recalled
from ftcli.engine.audit.scan import Scanned, scan
from ftcli.engine.audit.search import NearPairs, near_copies
from ftcli.engine.audit.text_print import NOTHING, TextPrint
from ftcli.engine.audit.text_search import TextPairs, near_texts
from ftcli.errors import DataError
from ftcli.events import Event, Listener, Working
from ftcli.planner.audit_rules import Seen, audit_findings, not_checked
from ftcli.plans.audit import AuditReport, ImageFacts, Pair, worst_first
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits

_RANK = {TRAIN: 0, VAL: 1, TEST: 2}
_CROPPED, _BRIGHTER = 0.012, 0.06
"""A stretch or shift (share of the side), and a change of brightness, that are told."""


def _silent(event: Event) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Looked:
    """What was seen of the images, whichever way they are divided: it serves every split of the same data."""

    scanned: Sequence[Scanned]
    images: tuple[bytes, ...]
    """The digest of each different image or text."""
    near: NearPairs | TextPairs | None
    """Indices into `images`; None when there are too few to compare."""


def look(
    splits: DataSplits, tell: Listener = _silent, *, workers: int | None = None, cached: bool = True
) -> Looked:
    """Every image or text opened once, and the different images compared."""
    used = workers or min(os.cpu_count() or 1, 8)
    what = f"auditing {splits.noun}s"
    scanned = scan(splits, used, lambda done, total: tell(Working(what, done, total)), cached=cached)
    if splits.texts:
        return _looked_at_texts(scanned, f"comparing {splits.noun}s", tell)
    first = {found.digest: found for found in scanned if isinstance(found, Fingerprint)}
    if len(first) < 2:
        return Looked(scanned, tuple(first), None)
    images = list(first.values())
    tell(Working(f"comparing {splits.noun}s", len(images)))
    near = recalled(splits.source, first, lambda: _compared(images)) if cached else _compared(images)
    tell(Working(f"comparing {splits.noun}s", len(images), len(images)))
    return Looked(scanned, tuple(first), near)


def _looked_at_texts(scanned: Sequence[Scanned], what: str, tell: Listener) -> Looked:
    """Nothing is recalled: texts are compared faster than images are opened."""
    first = {found.digest: found for found in scanned if isinstance(found, TextPrint)}
    near = near_texts(list(first.values()), lambda done, total: tell(Working(what, done, total)))
    return Looked(scanned, tuple(first), near)


def _compared(images: Sequence[Fingerprint]) -> NearPairs:
    return near_copies(
        np.stack([image.gray for image in images]),
        np.stack([image.colour for image in images]),
        np.array([min(image.width, image.height) for image in images]),
    )


def report_of(splits: DataSplits, looked: Looked, command: str | None = None) -> AuditReport:
    """What it means for the split. `command` audits these data again, and is named where it helps."""
    facts = [_facts(index, found) for index, found in enumerate(looked.scanned)]
    pairs = sorted(_pairs(splits, looked), key=worst_first)
    seen = Seen(splits, facts, pairs, command)
    return AuditReport(
        source=splits.source,
        classes=splits.classes,
        streams={stream: len(indices) for stream, indices in splits.streams.items()},
        pairs=tuple(pairs),
        findings=audit_findings(seen),
        facts=tuple(facts),
        leaked=_leaked(seen),
        tied=_tied(splits, pairs),
        not_checked=not_checked(seen),
        noun=splits.noun,
    )


def audit_splits(
    splits: DataSplits,
    tell: Listener = _silent,
    *,
    workers: int | None = None,
    cached: bool = True,
    command: str | None = None,
) -> AuditReport:
    """Nothing is raised for what is wrong with the data: images that cannot be read are findings too."""
    return report_of(splits, look(splits, tell, workers=workers, cached=cached), command)


def leak_free(report: AuditReport, splits: DataSplits, stream: str) -> tuple[int, ...]:
    """The examples of a stream that training has seen in no form."""
    return tuple(index for index in splits.streams[stream] if index not in report.leaked)


def _facts(index: int, found: Scanned) -> ImageFacts:
    if isinstance(found, DataError):
        return ImageFacts(index, error=found.what)
    if isinstance(found, TextPrint):
        return ImageFacts(index, words=len(found.words), blank=found.digest == NOTHING)
    return ImageFacts(index, found.width, found.height, found.mean, found.std, found.spread)


def _pairs(splits: DataSplits, looked: Looked) -> list[Pair]:
    """Of all examples that belong to a stream."""
    stream_of = {index: stream for stream, indices in splits.streams.items() for index in indices}
    copies: dict[bytes, list[int]] = {digest: [] for digest in looked.images}
    for index in sorted(stream_of, key=lambda i: (_RANK.get(stream_of[i], 9), i)):
        found = looked.scanned[index]
        if not isinstance(found, DataError):
            copies[found.digest].append(index)
    draw = _Drawer(splits, stream_of)
    exact = [
        draw("exact", group[0], other, "the same words" if splits.texts else "the same pixels", 0.0)
        for group in copies.values()
        for other in group[1:]
    ]
    return exact + _near(list(copies.values()), looked, draw)


class _Drawer:
    """Makes pairs out of indices."""

    def __init__(self, splits: DataSplits, stream_of: Mapping[int, str]) -> None:
        self.splits = splits
        self.stream_of = stream_of

    def __call__(self, kind: str, one: int, other: int, how: str, distance: float) -> Pair:
        first, second = sorted((one, other), key=lambda i: (_RANK.get(self.stream_of[i], 9), i))
        examples = self.splits.examples
        return Pair(
            kind="exact" if kind == "exact" else "near",
            first=first,
            second=second,
            first_key=examples[first].key,
            second_key=examples[second].key,
            streams=(self.stream_of[first], self.stream_of[second]),
            labels=(self.splits.label_name(first), self.splits.label_name(second)),
            how=how,
            distance=distance,
        )


def _near(members: list[list[int]], looked: Looked, draw: _Drawer) -> list[Pair]:
    """Near copies of the different images; of one that is there several times, every copy gets a partner."""
    pairs = []
    for one, other, how, distance in _told(looked):
        if not members[one] or not members[other]:  # it belongs to no stream
            continue
        for first, second in _partners(members[one], members[other], draw.stream_of):
            pairs.append(draw("near", first, second, how, distance))
    return pairs


def _told(looked: Looked) -> Iterator[tuple[int, int, str, float]]:
    """Of each near pair its indices, how one came from the other, and how far they are apart."""
    near = looked.near
    if isinstance(near, TextPairs):
        for (one, other), likeness, contained in zip(near.pairs, near.likeness, near.contained, strict=True):
            how = f"{likeness:.0%} of the words and their neighbours are shared"
            yield one, other, "one stands in the other" if contained and likeness < 1 else how, 1 - likeness
    elif near is not None:
        prints = {found.digest: found for found in looked.scanned if isinstance(found, Fingerprint)}
        for row, (one, other) in enumerate(near.pairs.tolist()):
            how = _how(near, row, prints[looked.images[one]], prints[looked.images[other]])
            yield one, other, how, float(near.rest[row])


def _partners(ones: list[int], others: list[int], stream_of: Mapping[int, str]) -> set[tuple[int, int]]:
    """Each example of either side with one of the other: of another stream where there is one, train first."""
    found = {(one, _partner(one, others, stream_of)) for one in ones}
    return found | {(_partner(other, ones, stream_of), other) for other in others}


def _partner(index: int, others: list[int], stream_of: Mapping[int, str]) -> int:
    """The others are in the order of train, val and test."""
    return next((other for other in others if stream_of[other] != stream_of[index]), others[0])


def _how(found: NearPairs, row: int, one: Fingerprint, other: Fingerprint) -> str:
    gain = float(found.gain[row])
    words = [
        "mirrored" if found.mirrored[row] else "",
        "cropped" if found.zoom[row] > _CROPPED else "",
        "another brightness" if abs(gain - 1) > _BRIGHTER else "",
        "another size" if (one.width, one.height) != (other.width, other.height) else "",
    ]
    return ", ".join(word for word in words if word) or "compressed anew or retouched"


def _leaked(seen: Seen) -> frozenset[int]:
    """Val and test examples of which train has a copy or a member of their group."""
    stream_of = seen.stream_of()
    leaked = {pair.second for pair in seen.pairs if pair.streams[0] == TRAIN and pair.crosses}
    examples = seen.splits.examples
    groups = {i: getattr(examples[i], "group", None) for i in stream_of}
    known = {group for i, group in groups.items() if stream_of[i] == TRAIN and group is not None}
    return frozenset(leaked | {i for i, group in groups.items() if group in known and stream_of[i] != TRAIN})


def _tied(splits: DataSplits, pairs: Iterable[Pair]) -> tuple[tuple[int, ...], ...]:
    """Everything connected by copies and groups, however long the chain."""
    parent = {index: index for indices in splits.streams.values() for index in indices}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for pair in pairs:
        parent[root(pair.first)] = root(pair.second)
    first_of: dict[str, int] = {}
    for index in list(parent):
        group = getattr(splits.examples[index], "group", None)
        if group is not None:
            parent[root(index)] = root(first_of.setdefault(group, index))
    sets: dict[int, list[int]] = defaultdict(list)
    for index in sorted(parent):
        sets[root(index)].append(index)
    return tuple(tuple(members) for members in sets.values() if len(members) > 1)
