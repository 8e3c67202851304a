"""What every source of data shares: the options, and the way from what a source has to three streams."""

from __future__ import annotations

import json
import os.path
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from ftcli.errors import DataError
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, apply_split_record
from ftcli.registry import Choice, Options

from . import _groups, _ratio, _times
from ._checks import check_classes, check_groups, check_times, check_train
from ._train_size import cut_train
from .image import MAX_PIXELS

STREAM_NAMES = {"train": TRAIN, "val": VAL, "valid": VAL, "validation": VAL, "test": TEST}
"""What people call the streams, in lower case: names of folders, values of a manifest's split column."""

SourcePath = Annotated[str, Field(min_length=1), AfterValidator(os.path.expanduser)]
"""A file or folder, relative to the current directory; `~` is the home."""


class Split(Options):
    """What trains, validates and tests, of what the source has not split itself."""

    by: Literal["ratio", "group", "time"] = "ratio"
    """ratio: a share of each class. group: whole groups (patient, scene, video). time: the newest are tested on."""
    val: float = Field(default=0.15, gt=0, lt=1)
    """Share that epochs are compared on; at least one example of each class (by ratio)."""
    test: float = Field(default=0.15, gt=0, lt=1)
    """Share kept for one look at the end; at least one example of each class (by ratio)."""
    file: SourcePath | None = None
    """A split that was recorded: the split.json of a run. It decides alone, but for train_size."""
    folds: int | None = Field(default=None, ge=2, le=100)
    """k-fold: what is not the test's is divided into so many parts, one of which validates."""
    fold: int = Field(default=0, ge=0)
    """The part that validates, from 0. `ftcli train --fold K` sets it, --folds runs them all."""
    train_size: int | None = Field(default=None, ge=2)
    """Train on so many of the training examples: of each class its share, the fewer always among the more; null: on
    all. `ftcli compare --sizes` sets it."""

    @model_validator(mode="after")
    def _leaves_something(self) -> Split:
        if self.val + self.test >= 1:
            raise ValueError(f"val {self.val} and test {self.test} leave nothing to train on")
        return self

    @model_validator(mode="after")
    def _folds_agree(self) -> Split:
        if self.fold >= (self.folds or 1):
            raise ValueError(f"fold {self.fold} is none of {self.folds or 1}, counted from 0; set folds")
        if self.folds and self.file:
            raise ValueError("folds divide anew what file has divided; keep one of them")
        if self.folds and self.by == "time":
            raise ValueError("folds would train on what came later; by time there are none")
        return self


class DataOptions(Choice):
    """Fields common to every source of images."""

    task: ClassVar[str] = "image_classification"

    image_size: int | None = Field(default=None, ge=16, le=2048)
    """Side of the network's input in pixels; default the weights' own."""
    split: Split = Split()
    """Stratified by class, the same for the same seed; the run keeps a copy in split.json."""
    on_bad_image: Literal["stop", "skip"] = "stop"
    """stop: files that cannot be read are listed, and nothing is trained. skip: left out, on record in split.json."""
    max_pixels: int = Field(default=MAX_PIXELS, ge=1)
    """Images of more pixels than this are refused before they are decoded."""
    audit: Literal["strict", "warn", "off"] = "warn"
    """What follows from faults of the data: strict stops before training, warn tells them, off does not look."""


def complete(splits: DataSplits, shares: Split, seed: int, kind: str = "") -> DataSplits:
    """The splits with val and test split off train where the source has none, or as `shares` ask for it.

    Errors say what to do with data of this `kind`. Raises DataError when there is one class only, or a class has no
    images in train, or too few to divide.
    """
    check_classes(splits)
    return divided(splits, shares, seed, kind)


def divided(splits: DataSplits, shares: Split, seed: int, kind: str = "") -> DataSplits:
    """`complete` for data that need not have classes."""
    if shares.file is not None:
        done = _as_recorded(splits, shares, shares.file, kind)
    else:
        done = _completed(splits, shares, seed, kind)
    return cut_train(done, shares.train_size, seed)


def _completed(splits: DataSplits, shares: Split, seed: int, kind: str) -> DataSplits:
    check_train(splits)
    if shares.by == "group":
        check_groups(splits, kind)
    if shares.by == "time" and not {VAL, TEST} <= set(splits.streams):
        check_times(splits, kind)
    wanted = {VAL: shares.val, TEST: shares.test}
    divided = _in_folds(splits, shares, seed) if shares.folds else _divided(splits, shares.by, wanted, seed)
    streams = {stream: tuple(sorted(divided.streams[stream])) for stream in (TRAIN, VAL, TEST)}
    done = replace(divided, streams=streams)
    check_train(done)
    if shares.by == "group":
        check_groups(done, kind)
    divided_by_source = splits.streams.keys() - ({VAL} if shares.folds else set())
    given = tuple(s for s in splits.streams if s in divided_by_source) if len(splits.streams) > 1 else ()
    return replace(done, how=_told(splits, done, shares), given=given)


def _divided(splits: DataSplits, by: str, wanted: dict[str, float], seed: int) -> DataSplits:
    """The streams that are wanted and not there, taken from train."""
    missing = {stream: share for stream, share in wanted.items() if stream not in splits.streams}
    if not missing:
        return splits
    take = {"ratio": _ratio.take, "group": _groups.take, "time": _times.take}[by]
    return replace(splits, streams={**splits.streams, **take(splits, missing, seed)})


def _in_folds(splits: DataSplits, shares: Split, seed: int) -> DataSplits:
    """The test is the same for every fold; val is the fold's part of all the rest, the source's val included."""
    rest = (*splits.streams[TRAIN], *splits.streams.get(VAL, ()))
    kept = {stream: splits.streams[stream] for stream in splits.streams if stream != VAL}
    pool = _divided(replace(splits, streams={**kept, TRAIN: rest}), shares.by, {TEST: shares.test}, seed)
    fold = _groups.fold if shares.by == "group" else _ratio.fold
    assert shares.folds is not None
    return replace(pool, streams={**pool.streams, **fold(pool, shares.folds, shares.fold, seed)})


def _as_recorded(splits: DataSplits, shares: Split, file: str, kind: str) -> DataSplits:
    recorded = apply_split_record(splits, _record(file), file)
    empty = [stream for stream in (TRAIN, VAL, TEST) if not recorded.streams.get(stream)]
    if empty:
        what = f"the recorded split has no {', '.join(empty)}"
        raise DataError(what, where=file, remedy="give the split.json of a run")
    streams = {stream: recorded.streams[stream] for stream in (TRAIN, VAL, TEST)}
    done = replace(recorded, streams=streams, how=f"as recorded in {file}", given=tuple(streams))
    check_train(done)
    if shares.by == "group":
        check_groups(done, kind)
    return done


def _record(file: str) -> dict[str, Any]:
    path = Path(file)
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "data.split.file is the split.json of a run"
        raise DataError(f"cannot read the recorded split: {reason}", where=file, remedy=remedy) from error
    if not isinstance(record, dict):
        raise DataError("this is no record of a split", where=file, remedy="give the split.json of a run")
    return record


def _told(source: DataSplits, done: DataSplits, shares: Split) -> str:
    """How it was done, where it was not simply by ratio."""
    parts = []
    if shares.folds:
        parts.append(f"fold {shares.fold} of {shares.folds}")
    if shares.by == "group":
        groups = {s: len({done.examples[i].group for i in of}) for s, of in done.streams.items()}
        parts.append("by group: " + ", ".join(f"{count} {stream}" for stream, count in groups.items()))
    if shares.by == "time":
        parts.append(_times.told(done, [s for s in (VAL, TEST) if s not in source.streams]))
    return "; ".join(part for part in parts if part)
