"""Texts of the library datasets, built here: what is read of them, what is told, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftcli.components.data.text_hf_dataset import TextHfDataset, open_splits
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from ftcli.workflows.train import train
from tests.text_models import WORDS
from tests.text_toys import some_texts, text_recipe, write_encoder
from tests.toys import ignore

datasets = pytest.importorskip("datasets")


def opened(path: Path, **options: Any) -> DataSplits:
    given = {"kind": "text_hf_dataset", "path": str(path), **options}
    return open_splits(TextHfDataset.model_validate(given), seed=0)


def saved(path: Path, rows: list[tuple[str | None, str]], **columns: Any) -> Path:
    content = {"text": [text for text, _ in rows], "label": [label for _, label in rows], **columns}
    datasets.Dataset.from_dict(content).save_to_disk(path)
    return path


def test_texts_and_their_names(tmp_path: Path) -> None:
    rows = some_texts(40)
    splits = opened(saved(tmp_path / "rows", rows))
    assert splits.texts
    assert splits.classes == ("first", "second")
    assert [splits.load(index) for index in range(40)] == [text for text, _ in rows]
    assert splits.examples[0].key.startswith("train/0000000 ")
    assert set(splits.streams) == {"train", "val", "test"}


def test_a_table_whose_texts_have_changed_has_other_names(tmp_path: Path) -> None:
    rows = some_texts(40)
    before = opened(saved(tmp_path / "one", rows)).examples
    after = opened(saved(tmp_path / "other", [("something else", rows[0][1]), *rows[1:]])).examples
    assert before[0].key != after[0].key
    assert before[1:] == after[1:]


def test_columns_by_other_names_and_their_own_splits(tmp_path: Path) -> None:
    rows = some_texts(40)
    content = {
        "review": [text for text, _ in rows],
        "stars": [i % 2 for i in range(40)],
        "author": [f"author {i // 4}" for i in range(40)],
    }
    features = {"review": datasets.Value("large_string"), "stars": datasets.ClassLabel(names=["bad", "good"])}
    features["author"] = datasets.Value("string")
    table = datasets.Dataset.from_dict(content, features=datasets.Features(features))
    datasets.DatasetDict({"train": table, "test": table.select(range(10))}).save_to_disk(tmp_path / "dict")
    splits = opened(tmp_path / "dict", text_column="review", label_column="stars", group_column="author")
    assert splits.classes == ("bad", "good")
    assert len(splits.streams["test"]) == 10
    assert splits.examples[0].group == "author 0"


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        (
            [("a", "x"), ("b", "y")],
            {"text_column": "body"},
            "no column 'body' in split 'train', but text, label",
        ),
        ([("a", "x"), (None, "y")], {}, "1 rows of split 'train' have no text, row 1 first"),
        ([("a", "x"), ("b", "y")], {"text_column": "number"}, "column 'number' holds no texts"),
    ],
)
def test_what_is_no_table_of_texts_is_refused(
    tmp_path: Path, rows: list[tuple[str | None, str]], options: dict[str, str], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        opened(saved(tmp_path / "rows", rows, number=[1, 2]), **options)


def test_a_run_trains_on_them_and_tells_of_long_and_empty_ones(tmp_path: Path) -> None:
    write_encoder(tmp_path / "encoder")
    saved(tmp_path / "rows", [*some_texts(60), (" ".join(WORDS * 2), "first"), ("", "second")])
    data = {"kind": "text_hf_dataset", "path": str(tmp_path / "rows"), "max_length": 20}
    made = text_recipe(tmp_path, data=data, strategy="feature_extraction", train={"epochs": 1})
    result = train(made, out=tmp_path / "run", resume=False, listener=ignore)
    assert {"texts-cut-off", "empty-texts"} <= {finding.rule for finding in result.findings}
