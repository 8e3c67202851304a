"""Whatever stands in a manifest: data, or an error with exit code 4. Never a traceback, never a file changed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event
from hypothesis import strategies as st

from ftcli.components.data.csv import Manifest, open_splits
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from tests.fuzz import fuzz
from tests.hostile.corpus import as_left, page

NAMES = [f"{label}/{number}.png" for label in "ab" for number in range(6)]
ODD = [
    "",
    ".",
    "a",
    "../a/0.png",
    "/etc/passwd",
    "a/0.png\0",
    "a//0.png",
    "./a/0.png",
    "\ud800",
    "x" * 300,
    "é",
    "=1+1",
]
files = st.sampled_from(NAMES) | st.sampled_from(ODD) | st.text(max_size=8)
labels = st.sampled_from(["a", "b", "a|b", "", "nan", "0", "train"]) | st.text(max_size=5)
columns = st.sampled_from(["file_name", "label", "split", "weight", "group", "", "file_name"]) | st.text(
    max_size=5
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | files | labels,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(columns, inner, max_size=2),
    max_leaves=4,
)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"split_column": "split"},
    {"group_column": "group"},
    {"label_column": "labels", "image_column": "image"},
]


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """CSV with every good row and some odd ones; sometimes another header, another delimiter, a damaged stretch."""
    header = draw(st.just(["file_name", "label"]) | st.lists(columns, max_size=4))
    good = [[name, name[0]] for name in NAMES]
    odd = draw(st.lists(st.lists(files | labels, max_size=4), max_size=4))
    rows = draw(st.permutations([*good, *odd]))
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=draw(st.sampled_from(",,,;\t")),
        lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r"])),
    )
    for row in [header, *rows]:
        writer.writerow(row)
    return damaged(draw, text.getvalue().encode("utf-8", "surrogatepass"))


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    good = [{"file_name": name, "label": name[0]} for name in NAMES]
    records = st.dictionaries(columns, anything, max_size=4) | st.fixed_dictionaries(
        {"file_name": files, "label": anything}
    )
    odd = draw(st.lists(records | anything, max_size=4))
    rows = draw(st.permutations([*good, *odd]))
    return damaged(draw, "\n".join(map(json.dumps, rows)).encode())


def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """As it was, in two of three; else with a stretch of it replaced."""
    if draw(st.integers(0, 2)):
        return content
    start = draw(st.integers(0, len(content)))
    return content[:start] + draw(st.binary(max_size=6)) + content[start + draw(st.integers(0, 6)) :]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        page().save(folder / name)
    return folder


def check(manifest: Path, content: bytes, options: dict[str, Any]) -> None:
    manifest.write_bytes(content)
    before = as_left(manifest.parent)
    outcome = data_or_error(manifest, options)
    event(type(outcome).__name__)
    if isinstance(outcome, DataError):
        assert outcome.exit_code == 4
        assert outcome.what
        assert len(str(outcome)) < 5_000
        assert str(outcome).isprintable()
    else:
        assert_within(outcome)
    assert as_left(manifest.parent) == before


def data_or_error(manifest: Path, options: dict[str, Any]) -> DataSplits | DataError:
    try:
        return open_splits(Manifest(kind="csv", path=str(manifest), **options), seed=0)
    except DataError as error:
        return error


def assert_within(splits: DataSplits) -> None:
    """Every image is one of the data, every stream has images, and no image is in two."""
    every = [index for indices in splits.streams.values() for index in indices]
    assert len(every) == len(set(every))
    assert all(splits.streams.values())
    assert len(splits.classes) >= 2


@pytest.mark.fuzz
@pytest.mark.fault(12)
@pytest.mark.parametrize(
    ("name", "content"), [("m.csv", tables()), ("m.jsonl", lines())], ids=["csv", "jsonl"]
)
def test_any_manifest(
    data: Path, name: str, content: st.SearchStrategy[bytes], fault_count: Callable[[int, int], None]
) -> None:
    def trial(raw: bytes, options: dict[str, Any]) -> None:
        check(data / name, raw, options)

    fuzz(150, trial, fault_count, raw=content | st.binary(max_size=60), options=st.sampled_from(OPTIONS))
    (data / name).unlink()
