"""Sources of a corpus: which files are documents, how they are divided, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from ftcli.registry import implementation, union_of
from ftcli.workflows.audit import audit_splits
from tests.corpus_toys import write_corpus


def opened(kind: str, path: Path, seed: int = 0, **more: Any) -> DataSplits:
    content = {"kind": kind, "path": str(path), **more}
    options = TypeAdapter(union_of("data")).validate_json(json.dumps(content))
    splits: DataSplits = implementation(options, "open_splits")(options, seed)
    return splits


def keys_of(splits: DataSplits, stream: str) -> set[str]:
    return {splits.examples[index].key for index in splits.streams[stream]}


def test_a_folder_s_texts_are_documents_and_other_files_are_not(tmp_path: Path) -> None:
    write_corpus(tmp_path, documents=10)
    (tmp_path / "README.MD").write_text("told")
    (tmp_path / "data.bin").write_bytes(b"\x00")
    splits = opened("corpus", tmp_path)
    keys = {example.key for example in splits.examples}
    assert {"README.MD", "one/00.txt"} <= keys
    assert "data.bin" not in keys
    assert (splits.classes, {example.label for example in splits.examples}) == ((), {()})
    assert {s: len(i) for s, i in splits.streams.items()} == {"train": 7, "val": 2, "test": 2}


def test_groups_stay_together(tmp_path: Path) -> None:
    for number in range(30):
        place = tmp_path / f"site{number // 5}"
        place.mkdir(exist_ok=True)
        (place / f"{number}.txt").write_text(f"text {number}")
    splits = opened("corpus", tmp_path, group="(site\\d)/", split={"by": "group"})
    sites = [{key.partition("/")[0] for key in keys_of(splits, stream)} for stream in splits.streams]
    assert sum(map(len, sites)) == len(set().union(*sites)) == 6
    assert splits.how == "by group: 4 train, 1 val, 1 test"
    with pytest.raises(DataError, match="none of the 30 documents has a group") as caught:
        opened("corpus", tmp_path, split={"by": "group"})
    assert "data.group" in str(caught.value.remedy)


def test_one_file_is_divided_in_its_order(tmp_path: Path) -> None:
    text = "".join(f"line {number} of a book\n" for number in range(100))
    file = tmp_path / "book.txt"
    file.write_text(text)
    splits = opened("corpus", file, split={"val": 0.1, "test": 0.2})
    parts = [splits.load(index) for (index,) in splits.streams.values()]
    assert "".join(parts) == text
    assert [part.count("\n") for part in parts] == [70, 10, 20]
    assert splits.examples[2].key == "book.txt:81-100"
    with pytest.raises(DataError, match="divided in its order"):
        opened("corpus", file, split={"by": "group"})
    file.write_text("all in one line")
    with pytest.raises(DataError, match="1 line cannot be divided"):
        opened("corpus", file)


@pytest.mark.parametrize("suffix", [".csv", ".JSONL"])
def test_a_table_is_not_taken_for_one_text(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"table{suffix}"
    file.write_text("".join(f"{number},words\n" for number in range(20)))
    with pytest.raises(DataError, match="this is a table") as caught:
        opened("corpus", file)
    assert str(caught.value.remedy).startswith("data.kind: corpus_csv takes its documents from a column")
    assert len(opened("corpus", file, suffixes=[suffix]).examples) == 3, (
        "its bare text, where that is asked for"
    )


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_table_names_streams_and_groups(tmp_path: Path, suffix: str) -> None:
    rows = [{"body": f"text, {n}", "split": "valid" if n == 3 else "", "group": f"g{n}"} for n in range(8)]
    file = tmp_path / f"table.{suffix}"
    if suffix == "jsonl":
        file.write_text("\n".join(map(json.dumps, rows)))
    else:
        file.write_text(
            "body,split,group\n" + "\n".join(f'"{r["body"]}",{r["split"]},{r["group"]}' for r in rows)
        )
    splits = opened("corpus_csv", file, text_column="body", split={"by": "group"})
    assert [splits.load(i) for i in splits.streams["val"]] == ["text, 3"]
    assert len(splits.streams["test"]) == 1
    assert {splits.examples[i].group for i in splits.streams["val"]} == {"g3"}
    with pytest.raises(DataError, match="'text' "):
        opened("corpus_csv", file)


def test_a_row_of_no_stream_is_told_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("text,split\na,train\nb,tset\n")
    with pytest.raises(DataError, match="line 3: 'tset' in column 'split' is none of train, val, test"):
        opened("corpus_csv", file)


def test_too_few_documents_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(DataError, match="1 document to train on, but at least 3 are needed"):
        opened("corpus", tmp_path)
    with pytest.raises(DataError, match=r"no files of \.rst; 1 other file: \.txt"):
        opened("corpus", tmp_path, suffixes=[".rst"])


def test_one_document_in_two_streams_is_found(tmp_path: Path) -> None:
    rows = [{"text": f"text number {n}", "split": "train"} for n in range(5)]
    rows += [{"text": "another", "split": "val"}, {"text": "Text  number 2", "split": "test"}]
    file = tmp_path / "table.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    report = audit_splits(opened("corpus_csv", file))
    (pair,) = report.pairs
    assert pair.streams == ("train", "test")
    (error,) = report.errors
    assert error.rule == "duplicate-across-splits"


def test_python_s_documentation_is_a_corpus_for_everybody() -> None:
    options = TypeAdapter(union_of("data")).validate_python("python_docs")
    splits: DataSplits = implementation(options, "open_splits")(options, 0)
    assert len(splits.examples) > 200
    assert "json/decoder.py" in {example.key for example in splits.examples}
    assert splits.examples[0].group == splits.examples[0].key.partition("/")[0]
    assert sum(len(splits.load(index)) for index in range(len(splits.examples))) > 1_000_000
