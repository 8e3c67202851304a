"""An audit of texts: near copies between train and test, splits without them, and what pages show of a text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftcli.errors import GateError
from ftcli.events import Event, Noticed
from ftcli.report.audit_html import audit_html
from ftcli.workflows.audit import audit_splits, look, report_of
from ftcli.workflows.audit_data import AuditedData, open_data
from ftcli.workflows.audit_gate import gate
from ftcli.workflows.audit_split import write_mended
from ftcli.workflows.prepare import open_splits
from ftcli.workflows.train_folds import train_folds
from tests.text_toys import some_texts, text_recipe, write_encoder, write_table
from tests.toys import ignore

HOSTILE = "<script>alert('gotcha')</script> & \x1b[31mred"


def dropped(text: str) -> str:
    return " ".join(text.split()[1:])


def write(folder: Path, **row: str) -> Path:
    """Forty texts to train on, of which six stand changed in test; one of them under the other label."""
    texts = [text for text, _ in some_texts(70, words=(10, 14))]
    labels = [label for _, label in some_texts(70)]
    rows = [{"text": t, "label": n, "split": "train"} for t, n in zip(texts[:40], labels, strict=False)]
    rows += [{"text": t, "label": n, "split": "val"} for t, n in zip(texts[40:54], labels, strict=False)]
    rows += [{"text": t, "label": n, "split": "test"} for t, n in zip(texts[54:], labels, strict=False)]
    rows += [{"text": dropped(texts[n]), "label": labels[n], "split": "test"} for n in range(5)]
    rows += [{"text": dropped(texts[5]), "label": labels[4], "split": "test"}]
    for each in rows:
        each["text"] = f"{row.get('before', '')}{each['text']}"
    path = folder / "texts.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> AuditedData:
    write(tmp_path)
    made = tmp_path / "recipe.yaml"
    made.write_text(text_recipe(tmp_path).model_dump_json(exclude_unset=True))
    return open_data(made)


def test_changed_copies_are_found_and_named(data: AuditedData) -> None:
    report = report_of(data.splits, look(data.splits))
    assert report.counts() == {"exact": {}, "near": {"train-test": 6}}
    assert len(report.leaked) == 6
    assert {pair.first for pair in report.pairs} == set(range(6))
    rules = {finding.rule: finding.severity for finding in report.findings}
    assert rules["near-duplicate-across-splits"] == "error"
    assert rules["near-duplicate-two-labels"] == "warning"
    assert "near copies" not in {each.what for each in report.not_checked}


def test_a_split_without_them_can_be_written_and_is_read_again(data: AuditedData, tmp_path: Path) -> None:
    looked = look(data.splits)
    mended = write_mended(data, looked, report_of(data.splits, looked), tmp_path / "split.json")
    assert mended.moved == 6
    assert not mended.report.leaked
    assert not [f for f in mended.remains if f.rule != "near-duplicate-two-labels"]
    split = {"split": {"file": str(tmp_path / "split.json")}}
    read = open_splits(text_recipe(tmp_path, data={**data.recipe.data.model_dump(), **split}))
    assert not audit_splits(read).leaked
    assert sum(map(len, read.streams.values())) == 76


def test_the_gate_warns_or_refuses(data: AuditedData) -> None:
    told: list[Event] = []
    assert gate(data.recipe, data.splits, told.append) is not None
    assert "near-duplicate-across-splits" in {e.finding.rule for e in told if isinstance(e, Noticed)}
    changed = data.recipe.data.model_copy(update={"audit": "strict"})
    with pytest.raises(GateError, match="6 near duplicate pairs in train and test"):
        gate(data.recipe.model_copy(update={"data": changed}), data.splits, told.append)


def test_every_text_but_those_of_the_test_validates_one_fold(tmp_path: Path) -> None:
    write_encoder(tmp_path / "encoder")
    path = write_table(tmp_path / "texts.jsonl", some_texts(60, words=(8, 14)))
    made = text_recipe(
        tmp_path,
        data={"kind": "text_csv", "path": str(path), "split": {"folds": 3}},
        strategy="feature_extraction",
        train={"epochs": 1, "batch_size": 16},
    )
    result = train_folds(made, out=tmp_path / "runs", resume=False, listener=ignore)
    records = [json.loads((Path(fold.run) / "split.json").read_text()) for fold in result.folds]
    streams = [record["streams"] for record in records]
    assert streams[0]["test"] == streams[1]["test"] == streams[2]["test"]
    validated = [key for each in streams for key in each["val"]]
    assert len(validated) == len(set(validated)) == 60 - len(streams[0]["test"])
    assert result.pooled is not None
    assert result.pooled.num_examples == len(validated)
    for fold, record in zip(result.folds, records, strict=True):
        left = json.loads((Path(fold.run) / "out_of_fold.json").read_text())
        assert left["keys"] == record["streams"]["val"]
        right = [a == b for a, b in zip(left["labels"], left["predicted"], strict=True)]
        assert fold.val is not None
        assert sum(right) / len(right) == pytest.approx(fold.val.accuracy)


def test_texts_stand_in_the_page_as_they_are_and_do_nothing(tmp_path: Path) -> None:
    write(tmp_path, before=HOSTILE + " ")
    splits = open_splits(text_recipe(tmp_path))
    page = audit_html(audit_splits(splits), splits.load)
    assert page.count('<blockquote class="passage"') == 12
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(&#x27;gotcha&#x27;)&lt;/script&gt; &amp; " in page
    assert "\x1b" not in page
