"""An audit of real files: what it reports, the split it mends, and the gate before training."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from ftcli.engine.audit.search import NearPairs, near_copies
from ftcli.engine.files import write_json
from ftcli.errors import DataError, GateError
from ftcli.events import Noticed, Working
from ftcli.findings import Finding
from ftcli.plans.data_splits import DataSplits, split_record
from ftcli.workflows import audit as auditing
from ftcli.workflows.audit import audit_splits, leak_free
from ftcli.workflows.audit_data import open_data
from ftcli.workflows.audit_gate import gate
from ftcli.workflows.audit_split import mended_split
from tests.toys import recipe, recorder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_leaky(folder: Path) -> Path:
    """train and test of two classes: pieces of photographs, with three leaks and a file that is no image."""
    from sklearn.datasets import load_sample_images

    pieces: dict[str, list[Image.Image]] = {}
    for name, photo in zip(("china", "flower"), load_sample_images().images, strict=True):
        whole = Image.fromarray(photo)
        corners = [(x, y) for x in range(0, 600, 100) for y in range(100, 400, 100)]
        pieces[name] = [whole.crop((x, y, x + 100, y + 100)) for x, y in corners]
        for stream, part in (("train", pieces[name][:12]), ("test", pieces[name][12:])):
            target = folder / stream / name
            target.mkdir(parents=True)
            for number, piece in enumerate(part):
                piece.save(target / f"{number:02}.png")
    pieces["china"][0].save(folder / "test/china/same.webp", lossless=True)
    ImageOps.mirror(pieces["china"][1]).save(folder / "test/china/turned.png")
    pieces["flower"][2].resize((60, 60)).save(folder / "test/flower/small.jpg", quality=70)
    pieces["flower"][3].save(folder / "train/china/wrong.png")
    (folder / "test/flower/broken.png").write_bytes(b"\x89PNG no")
    return folder


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    return write_leaky(tmp_path / "leaky")


def opened(folder: Path) -> DataSplits:
    return open_data(folder).splits


def test_the_planted_leaks_are_told(leaky: Path) -> None:
    splits = opened(leaky)
    report = audit_splits(splits)
    pairs = {
        Path(p.second_key).name: p for p in report.pairs if p.streams[0] == "train" and p.streams[1] == "test"
    }
    assert {"same.webp", "turned.png", "small.jpg"} <= set(pairs)
    assert (pairs["same.webp"].kind, pairs["same.webp"].first_key) == ("exact", "train/china/00.png")
    assert "mirrored" in pairs["turned.png"].how
    assert "another size" in pairs["small.jpg"].how
    rules = {finding.rule: finding.severity for finding in report.findings}
    assert rules["duplicate-across-splits"] == rules["near-duplicate-across-splits"] == "error"
    assert rules["same-image-two-labels"] == rules["unreadable-image"] == "error"
    assert json.loads(json.dumps(report.to_dict()))["counts"]["exact"]["train-test"] == 1


def test_the_leak_free_part_of_the_test_stream(leaky: Path) -> None:
    splits = opened(leaky)
    report = audit_splits(splits)
    left = {Path(splits.examples[i].key).name for i in leak_free(report, splits, "test")}
    assert not left & {"same.webp", "turned.png", "small.jpg"}
    assert len(left) >= 5


def test_a_second_audit_lays_no_image_on_another(leaky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way the data are divided; an image that was replaced under its name is compared anew."""
    compared: list[int] = []

    def counted(gray: np.ndarray, *rest: np.ndarray) -> NearPairs:
        compared.append(len(gray))
        return near_copies(gray, *rest)

    monkeypatch.setattr(auditing, "near_copies", counted)
    first = audit_splits(opened(leaky))
    assert audit_splits(opened(leaky)) == first
    assert audit_splits(open_data(leaky, ["data.split.folds=3"]).splits).streams != first.streams
    assert len(compared) == 1
    shutil.copy(leaky / "train/flower/00.png", leaky / "test/china/turned.png")
    names = {Path(pair.second_key).name: pair.kind for pair in audit_splits(opened(leaky)).pairs}
    assert names["turned.png"] == "exact"
    assert len(compared) == 2


def test_groups_and_chains_stay_together(leaky: Path) -> None:
    splits = opened(leaky)
    test = splits.streams["test"]
    tied = {splits.streams["train"][3]: "scene", test[-1]: "scene", test[-2]: "scene"}
    examples = tuple(replace(e, group=tied.get(i)) for i, e in enumerate(splits.examples))
    splits = replace(splits, examples=examples)
    report = audit_splits(splits)
    assert {test[-1], test[-2]} <= report.leaked
    fixed = mended_split(report, splits)
    where = {i: s for s, indices in fixed.streams.items() for i in indices}
    assert len({where[i] for i in tied}) == 1
    assert all(len({where[i] for i in ties if i in where}) <= 1 for ties in report.tied)


def test_clean_data_are_clean(tmp_path: Path, leaky: Path) -> None:
    for name in ("test/china/same.webp", "test/china/turned.png", "test/flower/small.jpg"):
        (leaky / name).unlink()
    (leaky / "train/china/wrong.png").unlink()
    (leaky / "test/flower/broken.png").unlink()
    report = audit_splits(opened(leaky))
    assert [pair for pair in report.pairs if pair.kind == "exact"] == []
    assert report.errors == ()


def test_which_streams_the_source_has_not_divided(tmp_path: Path, leaky: Path) -> None:
    def drawn(*overrides: str) -> tuple[str, ...]:
        return open_data(leaky, overrides).splits.drawn

    assert drawn() == drawn("data.split.folds=3") == ("val",)
    write_json(tmp_path / "split.json", split_record(opened(leaky)))
    assert drawn(f"data.split.file={tmp_path / 'split.json'}") == ()
    shutil.copytree(leaky / "test", leaky / "val")
    assert drawn() == ()
    assert drawn("data.split.folds=3") == ("val",)
    assert open_data(leaky / "train").splits.drawn == ("val", "test")


def test_what_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such"):
        open_data(tmp_path / "nothing")
    (tmp_path / "notes.pdf").write_text("")
    with pytest.raises(DataError, match="no folder"):
        open_data(tmp_path / "notes.pdf")


def noticed(folder: Path, asked: str) -> list[Finding]:
    made = recipe(folder)
    data = made.data.model_copy(update={"audit": asked})
    events, tell = recorder()
    gate(made.model_copy(update={"data": data}), opened(folder), tell)
    return [event.finding for event in events if isinstance(event, Noticed)]


def gated(folder: Path, asked: str):  # type: ignore[no-untyped-def]
    made = recipe(folder)
    data = made.data.model_copy(update={"audit": asked})
    events, tell = recorder()
    report = gate(made.model_copy(update={"data": data}), opened(folder), tell)
    return report, [event.finding.rule for event in events if isinstance(event, Noticed)]


def test_the_gate_warns_by_default_and_refuses_when_strict(leaky: Path) -> None:
    report, told = gated(leaky, "warn")
    assert report is not None
    assert "duplicate-across-splits" in told
    with pytest.raises(GateError, match="duplicate") as refused:
        gated(leaky, "strict")
    assert refused.value.exit_code == 6
    assert "ftcli audit, of this recipe, with --fix-split" in str(refused.value.remedy)
    assert gated(leaky, "off") == (None, [])


def test_the_remedy_is_a_command_where_one_is_known(leaky: Path) -> None:
    events, tell = recorder()
    gate(recipe(leaky), opened(leaky), tell, "ftcli audit 'my run.yaml'")
    (remedy,) = {
        e.finding.remedy
        for e in events
        if isinstance(e, Noticed) and e.finding.rule == "duplicate-across-splits"
    }
    assert remedy.endswith("ftcli audit 'my run.yaml' --fix-split split.json")


def test_strict_tells_each_finding_once(leaky: Path) -> None:
    """The error that ends the run stands in the exception, all others are noticed."""
    warned = [finding for finding in noticed(leaky, "warn") if finding.rule != "unreadable-image"]
    events, tell = recorder()
    made = recipe(leaky)
    data = made.data.model_copy(update={"audit": "strict"})
    with pytest.raises(GateError) as refused:
        gate(made.model_copy(update={"data": data}), opened(leaky), tell)
    told = [event.finding.message for event in events if isinstance(event, Noticed)]
    (first,) = [finding.message for finding in warned if finding.message not in told]
    assert first in refused.value.what
    assert sorted([*told, first]) == sorted(finding.message for finding in warned)


def test_every_example_is_looked_at_once(leaky: Path) -> None:
    splits = opened(leaky)
    events, tell = recorder()
    audit_splits(splits, tell)
    number = len(splits.examples)
    assert events[:number] == [Working("auditing images", done, number) for done in range(1, number + 1)]
    begun, done = events[number:]
    assert isinstance(begun, Working)
    assert (begun.what, begun.total) == ("comparing images", None)
    assert done == Working("comparing images", begun.done, begun.done)
