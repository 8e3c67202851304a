"""WebDataset shards: tar files in which an image and its label have one name, read where they lie.

A first pass over the headers notes where each image begins; nothing is ever extracted, so that a member's name,
whatever it is, names nothing on the disk.
"""

from __future__ import annotations

import json
import os.path
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example

from ._common import DataOptions, SourcePath, complete
from ._files import is_text, name_of
from ._labels import MaybeMultiLabel, Names, every_name, names_of, numbers_of
from .image import SUFFIXES, decode

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_LABEL = 1_000_000
"""Bytes of a .cls or .json member."""
MOST_SHARDS = 100_000
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class WebDataset(DataOptions, MaybeMultiLabel):
    """Tar shards of NAME.jpg beside NAME.cls or NAME.json. A val or test that is not given is split off train."""

    kind: Literal["webdataset"]
    path: SourcePath
    """A .tar, a folder of them, or a range: data-{000..009}.tar."""
    val_path: SourcePath | None = None
    """The shards of validation, likewise."""
    test_path: SourcePath | None = None
    """The shards of the test, likewise."""
    label_key: str = "label"
    """The field of a .json member that holds the class; beside it `group`, `time` and `weight` are read."""


@dataclass(frozen=True)
class _Place:
    """The bytes of an image in a shard."""

    shard: Path
    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class _Sample:
    key: str
    labels: Names
    stream: str
    place: _Place
    facts: dict[str, Any]


def open_splits(options: WebDataset, seed: int) -> DataSplits:
    paths = {TRAIN: options.path, VAL: options.val_path, TEST: options.test_path}
    shards = {stream: _shards(path) for stream, path in paths.items() if path is not None}
    name = _names(shard for found in shards.values() for shard in found)
    samples = [
        sample
        for stream, found in shards.items()
        for shard in found
        for sample in _samples(options, stream, shard, name[shard])
    ]
    samples.sort(key=lambda sample: sample.key)
    _check_keys(options, samples)
    names = every_name(sample.labels for sample in samples)
    numbered = all(name.isascii() and name.isdigit() for name in names)
    classes = tuple(sorted(names, key=int) if numbered else sorted(names))
    label = {name: number for number, name in enumerate(classes)}
    many = options.multi_label
    streams = {stream: _indices(samples, stream) for stream in shards}
    splits = DataSplits(
        source=options.path,
        classes=classes,
        examples=tuple(
            Example(s.key, numbers_of(s.labels, label, multi_label=many), **s.facts) for s in samples
        ),
        streams=streams,
        load=partial(_load, tuple(sample.place for sample in samples), options.max_pixels),
        multi_label=many,
    )
    return complete(splits, options.split, seed, options.kind)


def _indices(samples: list[_Sample], stream: str) -> tuple[int, ...]:
    return tuple(i for i, sample in enumerate(samples) if sample.stream == stream)


def _check_keys(options: WebDataset, samples: list[_Sample]) -> None:
    if len({sample.key for sample in samples}) == len(samples):
        return
    keys = [sample.key for sample in samples]
    twice = next(key for key, after in zip(keys, keys[1:], strict=False) if key == after)
    raise DataError(f"sample {twice!r} stands there twice", where=options.path, remedy="rename one of them")


def _shards(path: str) -> list[Path]:
    """Raises DataError when there is none."""
    if Path(path).is_dir():
        found = sorted(Path(path).glob("*.tar"))
    else:
        found = [Path(name) for name in _expanded(path)]
    missing = [shard for shard in found if not shard.is_file()]
    if not found or missing:
        what = f"no shard {missing[0].name}" if missing else "no .tar file"
        raise DataError(what, where=path, remedy="paths are relative to the current directory")
    return found


def _expanded(path: str) -> Iterator[str]:
    """data-{000..009}.tar -> data-000.tar ... data-009.tar, with as many digits as written."""
    match = _RANGE.search(path)
    if match is None:
        yield path
        return
    first, last = match.groups()
    if len(first) > 9 or len(last) > 9 or not 0 <= int(last) - int(first) < MOST_SHARDS:
        raise DataError(f"{match.group()} is no range of shards", where=path, remedy="write {000..009}")
    for number in range(int(first), int(last) + 1):
        name = f"{path[: match.start()]}{number:0{len(first)}}"
        yield from (f"{name}{rest}" for rest in _expanded(path[match.end() :]))


def _names(shards: Iterable[Path]) -> dict[Path, str]:
    """Shards by their path below the folder that holds them all: train/000.tar beside test/000.tar are two."""
    whole = {shard: os.path.abspath(shard) for shard in shards}
    root = os.path.commonpath([os.path.dirname(path) for path in whole.values()])
    return {shard: Path(os.path.relpath(path, root)).as_posix() for shard, path in whole.items()}


def _samples(options: WebDataset, stream: str, shard: Path, name: str) -> Iterator[_Sample]:
    """The shard's images with their labels. Raises DataError for one without, and for a damaged shard."""
    images: dict[str, _Place] = {}
    labels: dict[str, dict[str, Any]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                stem, suffix = _stem_and_suffix(member.name)
                if not member.isreg() or member.issparse():
                    continue
                if suffix in SUFFIXES:
                    if stem in images and images[stem].name != member.name:
                        raise ValueError(f"{images[stem].name!a} and {member.name!a} are of one sample")
                    images[stem] = _Place(shard, member.name, member.offset_data, member.size)
                elif suffix in (".cls", ".json"):
                    labels[stem] = labels.get(stem, {}) | _facts(options, tar, member, suffix)
    except (tarfile.TarError, OSError, ValueError, RecursionError) as error:
        what = f"cannot read the shard: {str(error)[:200] or type(error).__name__}"
        raise DataError(what, where=str(shard), remedy="shards are uncompressed .tar files") from error
    for stem, place in images.items():
        facts = dict(labels.get(stem, {}))
        label = facts.pop("label", None)
        if label is None or not (label or options.multi_label) or not is_text(stem):
            what = f"{place.name!a} has no .cls or .json that names its class"
            raise DataError(what, where=str(shard), remedy=f"add one, or name its field: {options.label_key}")
        try:
            names = names_of(options, label)
        except ValueError as error:
            raise DataError(f"{place.name!a}: {error}", where=str(shard)) from error
        yield _Sample(name_of(PurePosixPath(name) / stem), names, stream, place, facts)


def _stem_and_suffix(name: str) -> tuple[str, str]:
    """a/b.seg.jpg -> a/b.seg and .jpg. What would lead anywhere is no part of a key."""
    path = PurePosixPath(name)
    parts = [part for part in path.with_suffix("").parts if part not in ("/", "..", ".")] if path.name else []
    return "/".join(parts).replace("\\", "_"), path.suffix.lower()


def _facts(options: WebDataset, tar: tarfile.TarFile, member: tarfile.TarInfo, suffix: str) -> dict[str, Any]:
    """Label, group, time and weight as far as the member tells them. Raises ValueError."""
    if member.size > LARGEST_LABEL:
        raise ValueError(f"{member.name!r} has {member.size:,} bytes, which is no label")
    file = tar.extractfile(member)
    assert file is not None  # it is a regular file
    text = file.read().decode("utf-8").strip()
    if suffix == ".cls":
        return {"label": text}
    content = json.loads(text)
    if not isinstance(content, dict):
        return {}
    told = {name: content.get(name) for name in ("group", "time")}
    label = content.get(options.label_key)
    told["label"] = json.dumps(label) if isinstance(label, list) else label
    facts: dict[str, Any] = {name: str(value) for name, value in told.items() if value not in (None, "")}
    weight = content.get("weight", 1.0)
    if not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
        raise ValueError(f"weight of {member.name!r} is no number of at least 0")
    return {**facts, "weight": float(weight)}


def _load(places: tuple[_Place, ...], max_pixels: int, index: int) -> Image:
    place = places[index]
    where = f"{place.shard}: {place.name}"
    try:
        with place.shard.open("rb") as file:
            file.seek(place.offset)
            content = file.read(place.size)
    except OSError as error:
        raise DataError(f"cannot read the shard: {error.strerror}", where=where) from error
    return decode(BytesIO(content), where, max_pixels)
