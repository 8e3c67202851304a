"""What `ftcli audit` takes data for: images, texts with labels, or documents; and what could be two of these."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftcli.errors import DataError, RecipeError, UsageError
from ftcli.plans.audit import AuditReport
from ftcli.report.audit import what_is_audited
from ftcli.workflows.audit import look, report_of
from ftcli.workflows.audit_data import open_data
from ftcli.workflows.data_kind import kind_of
from ftcli.workflows.look_at_data import look_at_data
from tests.text_toys import some_texts
from tests.toys import ignore


def write(path: Path, content: str = "ba be") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "asked", "kind"),
    [
        ("file_name,label", {}, "csv"),
        ("text,label", {}, "text_csv"),
        ("text,label,split,group,title", {}, "text_csv"),
        ("text", {}, "corpus_csv"),
        ("text,split,group", {}, "corpus_csv"),
        ("text,title", {"sequence_length": 64}, "corpus_csv"),
        ("body,label", {"text_column": "body"}, "text_csv"),
        ("body,mood", {"text_column": "body", "label_column": "mood"}, "text_csv"),
        ("text,good,bad", {"label_columns": ["good", "bad"]}, "text_csv"),
        ("text,photo,label", {"image_column": "photo"}, "csv"),
        ("text,file_name,label", {"max_length": 16}, "text_csv"),
        ("body,label", {"image_column": "photo"}, "csv"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_table_is_known_by_its_columns(tmp_path, header, asked, kind, suffix):
    cells = ", ".join(f'"{name}": "ba"' for name in header.split(","))
    content = f"{header}\n" if suffix == "csv" else f"{{{cells}}}\n"
    path = write(tmp_path / f"table.{suffix}", content)
    assert kind_of(path, {"path": str(path), **asked}) == kind


@pytest.mark.parametrize(
    ("header", "what", "remedy"),
    [
        ("text,file_name,label", "could be images or texts: column 'file_name'", "data.kind=text_csv"),
        ("body,label", "neither a column 'file_name' of images nor a column 'text'", "data.text_column=NAME"),
        ("text,mood", "texts without a column 'label' of labels: mood, text", "data.kind=corpus_csv"),
    ],
)
def test_a_table_that_could_be_anything_is_not_guessed(tmp_path, header, what, remedy):
    path = write(tmp_path / "table.csv", f"{header}\n")
    with pytest.raises(DataError, match=what) as caught:
        kind_of(path, {"path": str(path)})
    assert remedy in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (("a/1.png", "b/1.jpg"), "folder"),
        (("a/1.txt", "b/1.md"), "text_folder"),
        (("train/a/1.txt", "train/b/1.txt", "test/a/2.txt"), "text_folder"),
        (("1.txt", "2.txt", "deep/3.txt"), "corpus"),
        (("train/x/1.txt", "notes/2.txt"), "corpus"),
        (("a/1.py", "b/1.py"), "corpus"),
        (("a/1.pdf",), "folder"),
        ((*(f"a/{n}.png" for n in range(20)), "README.md"), "folder"),
        ((*(f"{'ab'[n % 2]}/{n}.txt" for n in range(20)), "cover.png"), "text_folder"),
    ],
)
def test_a_folder_is_known_by_its_files(tmp_path, files, kind):
    for name in files:
        write(tmp_path / name)
    assert kind_of(tmp_path, {"path": str(tmp_path)}) == kind


def test_pictures_with_captions_are_not_guessed(tmp_path):
    for name in ("a/1.png", "a/1.txt", "b/2.png", "b/2.txt"):
        write(tmp_path / name)
    with pytest.raises(DataError, match="2 images and 2 texts") as caught:
        open_data(tmp_path)
    assert "data.kind=text_folder" in str(caught.value.remedy)
    with pytest.raises(DataError, match="class 'a' has 1 text"):
        open_data(tmp_path, ["data.kind=text_folder"])


def audited(path: Path, *overrides: str) -> AuditReport:
    opened = open_data(path, overrides)
    return report_of(opened.splits, look(opened.splits), opened.command)


def test_a_table_of_texts_is_audited_as_texts(tmp_path):
    rows = some_texts(60, words=(8, 14))
    copy = " ".join(rows[0][0].split()[1:])
    lines = [f"{text},{label},train" for text, label in rows[:40]]
    lines += [f"{text},{label},{'val' if n % 2 else 'test'}" for n, (text, label) in enumerate(rows[40:])]
    lines += [f"{copy},{rows[0][1]},test", f",{rows[0][1]},train", f"{'ba ' * 600},{rows[0][1]},train"]
    report = audited(write(tmp_path / "mails.csv", "\n".join(["text,label,split", *lines])))
    assert (report.noun, report.counts()["near"]) == ("text", {"train-test": 1})
    found = {finding.rule: finding for finding in report.findings}
    assert found.keys() >= {"near-duplicate-across-splits", "empty-texts", "texts-of-many-words"}
    assert "1 text is empty" in found["empty-texts"].message
    assert "1 text of 63 has more than 512 words, the longest 600" in found["texts-of-many-words"].message
    assert what_is_audited(report).startswith("texts of 2 classes, 0 to 600 words each, ")


def test_documents_without_labels_are_audited_too(tmp_path):
    rows = some_texts(12, words=(20, 30))
    for number, (text, _) in enumerate([*rows, rows[0]]):
        write(tmp_path / "docs" / f"{number:02}.txt", text)
    report = audited(tmp_path / "docs")
    assert (report.noun, report.classes, sum(map(len, report.counts().values()))) == ("document", (), 1)
    assert what_is_audited(report).startswith("documents, 2")


def test_an_override_decides_and_a_wrong_one_is_told(tmp_path):
    rows = "\n".join(f"{text},{label}" for text, label in some_texts(30))
    path = write(tmp_path / "table.csv", f"text,label\n{rows}")
    assert open_data(path).splits.noun == "text"
    assert open_data(path, ["data.kind=corpus_csv"]).splits.noun == "document"
    with pytest.raises(RecipeError) as caught:
        open_data(path, ["data.suffixes=.py"])
    assert "suffixes" in caught.value.problems[0].message
    with pytest.raises(UsageError, match="these are texts"):
        look_at_data(path, None, "timm/resnet18", ignore)
