"""The audit: every image is fingerprinted, copies are looked for, and what it means for the split is told."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ftcli.engine.audit.fingerprint import Fingerprint
from ftcli.engine.audit.scan import Scanned, scan
from ftcli.engine.audit.search import NearPairs, near_copies
from ftcli.engine.files import write_json
from ftcli.errors import DataError
from ftcli.planner.audit_rules import Seen, audit_findings
from ftcli.plans.audit import AuditReport, ImageFacts, Pair, worst_first
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, split_record
from ftcli.recipe.load import load_recipe
from ftcli.registry import implementation

_RANK = {TRAIN: 0, VAL: 1, TEST: 2}
_CROPPED, _BRIGHTER = 0.012, 0.06
"""A stretch or shift (share of the side), and a change of brightness, that are told."""
_DEFAULT_SEED = 0
MANIFESTS = (".csv", ".jsonl", ".ndjson")
"""Suffixes of files that `kind: csv` reads."""


def audit_splits(
    splits: DataSplits,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    workers: int | None = None,
    cached: bool = True,
) -> AuditReport:
    """Nothing is raised for what is wrong with the data: images that cannot be read are findings too."""
    used = workers or min(os.cpu_count() or 1, 8)
    scanned = scan(splits, used, on_progress, cached=cached)
    facts = [_facts(index, found) for index, found in enumerate(scanned)]
    pairs = sorted(_pairs(splits, scanned), key=worst_first)
    seen = Seen(splits, facts, pairs)
    tied = _tied(splits, pairs)
    return AuditReport(
        source=splits.source,
        classes=splits.classes,
        streams={stream: len(indices) for stream, indices in splits.streams.items()},
        pairs=tuple(pairs),
        findings=audit_findings(seen),
        facts=tuple(facts),
        leaked=_leaked(seen),
        tied=tied,
    )


def open_data(path: Path, overrides: Sequence[str] = ()) -> DataSplits:
    """The data of a recipe, or what a folder or a manifest holds, split as training would with seed 0."""
    if path.suffix.lower() in (".yaml", ".yml") and not path.is_dir():
        recipe = load_recipe(path, overrides)
        return _opened(recipe.data, recipe.seed)
    return _opened(_options(path), _DEFAULT_SEED)


def audit_path(
    path: Path,
    overrides: Sequence[str] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> AuditReport:
    return audit_splits(open_data(path, overrides), on_progress)


def leak_free(report: AuditReport, splits: DataSplits, stream: str) -> tuple[int, ...]:
    """The examples of a stream that training has seen in no form."""
    return tuple(index for index in splits.streams[stream] if index not in report.leaked)


def fixed_split(report: AuditReport, splits: DataSplits) -> DataSplits:
    """The same data with everything that is tied in one stream each; what is tied to nothing stays where it is.

    A tied set goes to the one of its own streams that lacks its classes most, so that the sizes stay near; to
    train where a class would else be left without training images.
    """
    stream_of = {index: stream for stream, indices in splits.streams.items() for index in indices}
    label_of = splits.strata
    torn = [ties for ties in report.tied if len({stream_of[i] for i in ties}) > 1]
    lacking: dict[tuple[str, int], int] = defaultdict(int)
    for index in (index for ties in torn for index in ties):
        lacking[stream_of[index], label_of[index]] += 1
    for ties in sorted(torn, key=lambda ties: (-len(ties), ties)):
        streams = sorted({stream_of[i] for i in ties}, key=lambda stream: _RANK.get(stream, 9))
        chosen = max(streams, key=lambda s: sum(lacking[s, label_of[i]] for i in ties))
        for index in ties:
            stream_of[index] = chosen
            lacking[chosen, label_of[index]] -= 1
    _keep_classes_in_train(splits, torn, stream_of)
    return replace(
        splits,
        streams={s: tuple(sorted(i for i, at in stream_of.items() if at == s)) for s in splits.streams},
    )


def write_fixed_split(report: AuditReport, splits: DataSplits, path: Path) -> DataSplits:
    """`fixed_split` as a file in the format of a run's split.json. Raises MachineError when it cannot be written."""
    fixed = fixed_split(report, splits)
    write_json(path, split_record(fixed))
    return fixed


def _options(path: Path) -> object:
    from ftcli.recipe.schema import Recipe

    if not path.exists():
        raise DataError(
            "no such file or folder", where=str(path), remedy="give a folder, a manifest or a recipe"
        )
    is_manifest = path.suffix.lower() in MANIFESTS
    kind = "folder" if path.is_dir() else "csv"
    content = {
        "data": {"kind": kind, "path": str(path)},
        "model": {"backbone": "timm/none"},
        "strategy": "full",
    }
    if not path.is_dir() and not is_manifest:
        raise DataError(
            "this is no folder, no manifest (.csv, .jsonl) and no recipe (.yaml)",
            where=str(path),
            remedy="give one of these",
        )
    data: object = Recipe.model_validate(content).data
    return data


def _opened(options: object, seed: int) -> DataSplits:
    splits: DataSplits = implementation(options, "open_splits")(options, seed)  # type: ignore[arg-type]
    return splits


def _facts(index: int, found: Scanned) -> ImageFacts:
    if isinstance(found, DataError):
        return ImageFacts(index, error=found.what)
    return ImageFacts(index, found.width, found.height, found.mean, found.std, found.spread)


def _pairs(splits: DataSplits, scanned: Sequence[Scanned]) -> list[Pair]:
    """Of all examples that belong to a stream."""
    stream_of = {index: stream for stream, indices in splits.streams.items() for index in indices}
    copies: dict[bytes, list[int]] = defaultdict(list)
    for index in sorted(stream_of, key=lambda i: (_RANK.get(stream_of[i], 9), i)):
        found = scanned[index]
        if isinstance(found, Fingerprint):
            copies[found.digest].append(index)
    members = list(copies.values())
    draw = _Drawer(splits, stream_of)
    exact = [
        draw("exact", group[0], other, "the same pixels", 0.0) for group in members for other in group[1:]
    ]
    return exact + _near(members, [scanned[group[0]] for group in members], draw)


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


def _near(members: list[list[int]], prints: Sequence[Scanned], draw: _Drawer) -> list[Pair]:
    """Near copies of the different images; of one that is there several times, every copy gets a partner."""
    images = [found for found in prints if isinstance(found, Fingerprint)]
    if len(images) < 2:
        return []
    found = near_copies(
        np.stack([image.gray for image in images]),
        np.stack([image.colour for image in images]),
        np.array([min(image.width, image.height) for image in images]),
    )
    pairs = []
    for row, (one, other) in enumerate(found.pairs.tolist()):
        how = _how(found, row, images[one], images[other])
        for first, second in _partners(members[one], members[other], draw.stream_of):
            pairs.append(draw("near", first, second, how, float(found.rest[row])))
    return pairs


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


def _keep_classes_in_train(
    splits: DataSplits, torn: list[tuple[int, ...]], stream_of: dict[int, str]
) -> None:
    """Sets go back to train until every class that had training images has some again."""
    wanted = {splits.strata[i] for i in splits.streams[TRAIN]}
    for ties in torn:
        there = {splits.strata[i] for i, stream in stream_of.items() if stream == TRAIN}
        if not wanted - there:
            return
        if {splits.strata[i] for i in ties} & (wanted - there):
            stream_of.update(dict.fromkeys(ties, TRAIN))
