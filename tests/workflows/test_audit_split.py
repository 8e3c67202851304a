"""A mended split: what it moves, what it leaves out, and that the file is audited as it was written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from ftcli.errors import DataError
from ftcli.plans.data_splits import apply_split_record, split_record
from ftcli.workflows import audit_split
from ftcli.workflows.audit import audit_splits, look, report_of
from ftcli.workflows.audit_data import open_data
from ftcli.workflows.audit_split import Mended, write_mended
from tests.toys import write_digits
from tests.workflows.test_audit import write_leaky


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    return write_leaky(tmp_path / "leaky")


def mended(path: Path, file: Path, overrides: Sequence[str] = ()) -> Mended:
    data = open_data(path, overrides)
    looked = look(data.splits)
    return write_mended(data, looked, report_of(data.splits, looked, data.command), file)


def streams_in(file: Path) -> dict[str, str]:
    """Key -> stream."""
    record = json.loads(file.read_text())
    return {key: stream for stream, keys in record["streams"].items() for key in keys}


def manifest(folder: Path, rows: Sequence[str], header: str = "file_name,label,split,time,group") -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def digits(folder: Path, per_class: int = 12) -> list[str]:
    """File names of two classes by turns, so that any stretch of them has both."""
    write_digits(folder, per_class=per_class, classes=2)
    names = [
        sorted(path.relative_to(folder).as_posix() for path in sub.iterdir())
        for sub in sorted(folder.iterdir())
    ]
    return [name for pair in zip(*names, strict=True) for name in pair]


def row(name: str, stream: str, time: str = "", group: str = "") -> str:
    return f"{name},{name.split('/')[0]},{stream},{time},{group}"


def test_a_mended_split_has_no_leaks(leaky: Path, tmp_path: Path) -> None:
    data = open_data(leaky)
    done = mended(leaky, tmp_path / "split.json")
    read = apply_split_record(data.splits, json.loads((tmp_path / "split.json").read_text()))
    again = report_of(read, look(read))
    assert again.leaked == done.report.leaked == frozenset()
    assert not any(pair.crosses for pair in again.pairs)
    assert again.findings == report_of(read, look(read)).findings
    assert done.moved >= 3
    for stream, indices in data.splits.streams.items():
        assert abs(len(read.streams[stream]) - len(indices)) <= 4


def test_one_image_under_two_labels_is_left_out_with_its_copies(leaky: Path, tmp_path: Path) -> None:
    shutil.copy(leaky / "train/china/wrong.png", leaky / "test/flower/again.png")
    done = mended(leaky, tmp_path / "split.json")
    wrong = {"train/china/wrong.png", "train/flower/03.png", "test/flower/again.png"}
    assert set(done.left_out) == wrong
    assert "labelled china and flower" in done.left_out["train/china/wrong.png"]
    assert not wrong & streams_in(tmp_path / "split.json").keys()
    assert json.loads((tmp_path / "split.json").read_text())["left_out"] == done.left_out
    assert "same-image-two-labels" not in {finding.rule for finding in done.report.findings}


def test_what_cannot_be_mended_is_told(leaky: Path, tmp_path: Path) -> None:
    assert "unreadable-image" in {finding.rule for finding in mended(leaky, tmp_path / "split.json").remains}


def test_nothing_remains_of_what_could_be_mended(leaky: Path, tmp_path: Path) -> None:
    (leaky / "test/flower/broken.png").unlink()
    errors = [e for e in mended(leaky, tmp_path / "split.json").remains if e.severity == "error"]
    assert errors == []


def test_it_is_the_file_that_is_audited(leaky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the wrong split written, the result would say so."""
    wrong = split_record(open_data(leaky).splits)
    monkeypatch.setattr(audit_split, "write_json", lambda path, _: path.write_text(json.dumps(wrong)))
    rules = {finding.rule for finding in mended(leaky, tmp_path / "split.json").remains}
    assert "duplicate-across-splits" in rules


def test_the_past_trains_and_the_future_tests(tmp_path: Path) -> None:
    names = digits(tmp_path / "digits")
    days = {name: f"2024-01-{number + 1:02}" for number, name in enumerate(names)}
    stream = ["test", "train", "train", "val", "train", "test"]  # whatever the time
    rows = [row(name, stream[i % 6], days[name]) for i, name in enumerate(names)]
    shutil.move(manifest(tmp_path, rows), tmp_path / "digits" / "list.csv")
    path, file = tmp_path / "digits" / "list.csv", tmp_path / "split.json"
    by_ratio = mended(path, tmp_path / "other.json")
    (late,) = [finding for finding in by_ratio.remains if finding.rule == "time-overlap"]
    assert f"ftcli audit {path} --set data.split.by=time --fix-split" in late.remedy
    done = mended(path, file, ["data.split.by=time"])
    assert "time-overlap" not in {finding.rule for finding in done.report.findings}
    at = {
        s: [days[key] for key, where in streams_in(file).items() if where == s]
        for s in ("train", "val", "test")
    }
    assert max(at["train"]) < min(at["val"]) <= max(at["val"]) < min(at["test"])
    kept = len(names) - len(done.left_out)
    assert [len(at[s]) for s in ("train", "val", "test")] == pytest.approx(
        [kept / 2, kept / 6, kept / 3], abs=2
    )


def test_of_what_belongs_together_across_time_the_fewer_are_left_out(tmp_path: Path) -> None:
    names = digits(tmp_path / "digits")
    group = {names[0]: "anna", names[1]: "anna", names[-1]: "anna"}
    rows = [
        row(name, "test" if i % 3 else "train", f"2024-01-{i + 1:02}", group.get(name, ""))
        for i, name in enumerate(names)
    ]
    rows[2] = row(names[2], "val", "2024-01-03")
    path = shutil.move(manifest(tmp_path, rows), tmp_path / "digits" / "list.csv")
    done = mended(path, tmp_path / "split.json", ["data.split.by=time"])
    assert "of its group, which is in train" in done.left_out[names[-1]]
    where = streams_in(tmp_path / "split.json")
    assert where[names[0]] == where[names[1]] == "train"
    assert not {"group-in-two-splits", "time-overlap"} & {finding.rule for finding in done.report.findings}


def test_by_time_without_times(tmp_path: Path) -> None:
    names = digits(tmp_path / "digits")
    rows = [row(name, "test" if i % 3 else "train", f"2024-01-{i + 1:02}") for i, name in enumerate(names)]
    rows[2], rows[5] = row(names[2], "val", "2024-01-03"), row(names[5], "test")
    path = shutil.move(manifest(tmp_path, rows), tmp_path / "digits" / "list.csv")
    with pytest.raises(DataError, match="have no time"):
        mended(path, tmp_path / "split.json", ["data.split.by=time"])
    assert not (tmp_path / "split.json").exists()


def test_where_everything_is_one_thing_nothing_is_written(tmp_path: Path) -> None:
    """Every image of train and test is of one patient."""
    names = digits(tmp_path / "digits")
    rows = [row(n, ("train", "val", "test")[i // 2 % 3], "", "anna") for i, n in enumerate(names)]
    path = shutil.move(manifest(tmp_path, rows), tmp_path / "digits" / "list.csv")
    with pytest.raises(DataError, match="nothing is left for") as told:
        mended(path, tmp_path / "split.json")
    assert told.value.remedy
    assert not (tmp_path / "split.json").exists()


def test_a_class_that_has_nothing_but_doubtful_labels(tmp_path: Path) -> None:
    names = digits(tmp_path / "digits")
    with Image.open(tmp_path / "digits" / names[0]) as image:
        image.save(tmp_path / "digits" / "other.png")
    rows = [row(name, ("train", "val", "test")[i // 2 % 3]) for i, name in enumerate(names)]
    rows += ["other.png,rare,train,,"]
    path = shutil.move(manifest(tmp_path, rows), tmp_path / "digits" / "list.csv")
    with pytest.raises(DataError, match="no training examples are left of 'rare'"):
        mended(path, tmp_path / "split.json")


@pytest.mark.parametrize("by", ["data.split.by=ratio", "data.split.by=group"])
def test_groups_stay_whole(tmp_path: Path, by: str) -> None:
    """By group too, where training refuses what the source has torn: the audit is what mends it."""
    names = digits(tmp_path / "digits")
    rows = [row(n, ("train", "val", "test")[i % 3], "", f"patient {i // 4}") for i, n in enumerate(names)]
    path = shutil.move(manifest(tmp_path, rows), tmp_path / "digits" / "list.csv")
    assert "group-in-two-splits" in {e.rule for e in audit_splits(open_data(path, [by]).splits).errors}
    done = mended(path, tmp_path / "split.json", [by])
    where = streams_in(tmp_path / "split.json")
    for first in range(0, len(names), 4):
        assert len({where[name] for name in names[first : first + 4]}) == 1
    assert "group-in-two-splits" not in {finding.rule for finding in done.report.findings}


def test_by_group_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    """No split of the source's own is at fault: there are no groups to draw one by."""
    digits(tmp_path / "digits")
    with pytest.raises(DataError, match=r"none of the .* has a group"):
        open_data(tmp_path / "digits", ["data.split.by=group"])


def test_a_fold_is_mended(tmp_path: Path) -> None:
    names = digits(tmp_path / "digits")
    shutil.copy(tmp_path / "digits" / names[0], (tmp_path / "digits" / names[0]).with_name("copy.png"))
    for seed in range(4):
        file = tmp_path / f"{seed}.json"
        done = mended(tmp_path / "digits", file, ["data.split.folds=3", f"seed={seed}"])
        assert done.report.leaked == frozenset()
        assert streams_in(file)[names[0]] == streams_in(file)[f"{Path(names[0]).parent}/copy.png"]
