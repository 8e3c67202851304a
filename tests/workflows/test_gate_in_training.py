"""The audit as a gate: a leak is told before the first batch, and the test score is given without it."""

from __future__ import annotations

import re
import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ftcli.components.data._common import Split
from ftcli.errors import GateError
from ftcli.events import EpochDone, Noticed
from ftcli.report.summary import evaluate_view
from ftcli.workflows import audit_gate
from ftcli.workflows.decoded import Decoded
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.prepare import open_splits
from ftcli.workflows.train import train
from tests.toys import recipe, recorder, write_digits

LEAKS = 6


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Digits in train, val and test; six test images of one class are copies of training images."""
    whole = write_digits(tmp_path / "whole", per_class=30, classes=3)
    for folder in sorted(whole.iterdir()):
        images = sorted(folder.iterdir())
        for stream, part in (("train", images[:18]), ("val", images[18:24]), ("test", images[24:])):
            target = tmp_path / "data" / stream / folder.name
            target.mkdir(parents=True)
            for image in part:
                shutil.copy(image, target)
    for image in sorted((tmp_path / "data" / "train" / "digit 0").iterdir())[:LEAKS]:
        shutil.copy(image, tmp_path / "data" / "test" / "digit 0" / f"copy of {image.name}")
    return tmp_path / "data"


def made(leaky: Path, audit: str):  # type: ignore[no-untyped-def]
    return recipe(leaky, data={"kind": "folder", "path": str(leaky), "image_size": 32, "audit": audit})


def test_a_leak_is_told_first_and_taken_out_of_a_second_score(leaky: Path, tmp_path: Path) -> None:
    events, listen = recorder()
    result = train(made(leaky, "warn"), out=tmp_path / "run", resume=False, listener=listen)
    told = [e.finding for e in events if isinstance(e, Noticed)]
    (leak,) = [finding for finding in told if finding.rule == "duplicate-across-splits"]
    assert leak.severity == "error"
    first_epoch = next(i for i, e in enumerate(events) if isinstance(e, EpochDone))
    assert events.index(Noticed(leak)) < first_epoch
    assert leak in result.findings
    assert result.test_without_leaks is not None
    assert result.test.num_examples - result.test_without_leaks.num_examples >= LEAKS
    again = evaluate(tmp_path / "run")
    assert again["accuracy"] == result.test.accuracy
    assert again["without_leaks"] == result.test_without_leaks.to_dict()
    assert "without_leaks" not in evaluate(tmp_path / "run", "val")
    shown = StringIO()
    Console(file=shown, width=100).print(evaluate_view(again))
    assert re.search(rf"no leaks +.*of {result.test_without_leaks.num_examples} examples", shown.getvalue())
    (tmp_path / "run" / "summary.json").write_text("{}")
    assert "without_leaks" not in evaluate(tmp_path / "run")


def test_strict_ends_the_run_before_it_begins(leaky: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError):
        train(made(leaky, "strict"), out=tmp_path / "run", resume=False, listener=lambda event: None)
    assert not (tmp_path / "run").exists()


def test_off_says_nothing(leaky: Path, tmp_path: Path) -> None:
    result = train(made(leaky, "off"), out=tmp_path / "run", resume=False, listener=lambda event: None)
    assert result.test_without_leaks is None
    assert not [finding for finding in result.findings if "duplicate" in finding.rule]


def test_a_run_is_evaluated_without_the_split_file_it_began_with(leaky: Path, tmp_path: Path) -> None:
    flat = write_digits(tmp_path / "flat", per_class=12, classes=3)
    first = recipe(flat)
    train(first, out=tmp_path / "one", resume=False, listener=lambda event: None)
    record = shutil.copy(tmp_path / "one" / "split.json", tmp_path / "split.json")
    data = {"kind": "folder", "path": str(flat), "image_size": 32, "split": {"file": str(record)}}
    second = train(recipe(flat, data=data), out=tmp_path / "two", resume=False, listener=lambda event: None)
    Path(record).unlink()
    assert evaluate(tmp_path / "two")["accuracy"] == second.test.accuracy


def test_the_same_streams_are_looked_at_once_for_several_runs(
    leaky: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the findings are told to each of them."""
    looked: list[int] = []
    audit_splits = audit_gate.audit_splits
    monkeypatch.setattr(audit_gate, "audit_splits", lambda *a, **k: looked.append(1) or audit_splits(*a, **k))
    asked, known = made(leaky, "warn"), Decoded().audits
    told: list[list[object]] = []
    for _ in range(2):
        events, listen = recorder()
        report = audit_gate.gate(asked, open_splits(asked), listen, known=known)
        assert report is not None
        assert len(report.leaked) >= LEAKS
        told.append([event for event in events if isinstance(event, Noticed)])
    assert looked == [1]
    assert told[0] == told[1] != []
    fewer = asked.model_copy(update={"data": asked.data.model_copy(update={"split": Split(train_size=30)})})
    audit_gate.gate(fewer, open_splits(fewer), lambda event: None, known=known)
    assert looked == [1, 1], "other streams are looked at anew"
