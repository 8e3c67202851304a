"""The report object: asserted, printed, and as plain data."""

from __future__ import annotations

import io
import json
import sys

import pytest
from rich.console import Console

from ftcli.findings import Finding
from ftcli.plans.freeze_facts import plan_facts
from ftcli.report.freeze_report import FreezeReport
from tests.report.freeze_samples import but, small, without_optimizer
from tests.report.report_samples import plan

DRIFTS = Finding("error", "stem", "the BatchNorm drifts", "put it into eval mode", "frozen-bn-drifts")
HEAD_LR = Finding("warning", "body", "as fast as the head", "slow it down", "backbone-at-head-lr")


def report(*findings: Finding) -> FreezeReport:
    return FreezeReport("ResNet", (small(),), findings)


def test_printing_shows_the_table_and_the_findings() -> None:
    text = str(report(DRIFTS))
    assert text.splitlines()[0] == "ResNet"
    assert "error  stem: the BatchNorm drifts" in text
    assert "put it into eval mode" in text
    assert "\x1b" not in text


def test_without_findings_it_says_so() -> None:
    assert "no findings" in str(report())


def test_printing_takes_the_width_of_the_terminal_and_80_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    narrow = str(report(DRIFTS))
    assert 70 < max(map(len, narrow.splitlines())) <= 80
    long = Finding("info", "x", "word " * 60, "")
    monkeypatch.setenv("COLUMNS", "120")
    assert 80 < max(map(len, str(report(long)).splitlines())) <= 120


def test_printing_on_a_stdout_of_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    print(FreezeReport("Net\u00e9", plan_facts(plan("gradual")), ()))
    assert b"#" in raw.getvalue()


def test_rich_shows_it() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(report(HEAD_LR))
    assert "as fast as the head" in console.file.getvalue()  # type: ignore[attr-defined]


def test_its_repr_is_short() -> None:
    assert repr(report(DRIFTS)) == "<FreezeReport of ResNet: 1 phase, 1 finding; print it to see it>"


def test_plain_data_holds_every_fact() -> None:
    told = report(DRIFTS).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert (told["model"], told["parameters"]) == ("ResNet", 168)
    (phase,) = told["phases"]
    assert {key: phase[key] for key in ("name", "optimizer", "num_groups", "epochs", "trainable")} == {
        "name": "now",
        "optimizer": "AdamW",
        "num_groups": 1,
        "epochs": None,
        "trainable": 20,
    }
    assert phase["trainable_share"] == pytest.approx(20 / 168)
    assert phase["stages"][0] == {
        "name": "stem",
        "parameters": 48,
        "share": 48 / 168,
        "trainable": 0,
        "trainable_share": 0.0,
        "in_optimizer": 0,
        "groups": [],
        "lr_low": None,
        "lr_high": None,
        "weight_decay": [],
        "batch_norm": {"layers": 1, "updates_stats": 0, "trains_affine": 0},
        "dtypes": ["float32"],
    }
    assert told["findings"][0]["rule"] == "frozen-bn-drifts"


def test_plain_data_of_a_parameter() -> None:
    parameters = {p["name"]: p for p in report().to_dict()["phases"][0]["parameters"]}
    head = parameters["fc.weight"]
    assert (head["shape"], head["numel"], head["stage"], head["layer_name"]) == ([5, 4], 20, "head", "fc")
    assert (head["trains"], head["groups"], head["lr"], head["weight_decay"]) == (True, [0], 1e-3, 0.01)
    assert head["norm"] is None
    assert parameters["conv.bn.bias"]["norm"]["updates_stats"] is False


def test_plain_data_of_several_phases() -> None:
    told = FreezeReport("net", plan_facts(plan("lp_ft")), ()).to_dict()
    assert [(phase["name"], phase["epochs"]) for phase in told["phases"]] == [
        ("head", [0, 3]),
        ("fine-tune", [3, 10]),
    ]
    assert [phase["stages"][0]["trainable"] for phase in told["phases"]] == [0, 9_536]


def test_without_an_optimizer_the_data_says_null() -> None:
    (phase,) = FreezeReport("net", (without_optimizer(),), ()).to_dict()["phases"]
    assert (phase["optimizer"], phase["num_groups"]) == (None, 0)
    assert phase["parameters"][-1]["lr"] is None


def test_clean_is_asserted_from_a_severity_on() -> None:
    report().assert_clean()
    report(HEAD_LR).assert_clean(severity="error")
    with pytest.raises(AssertionError, match="backbone-at-head-lr"):
        report(HEAD_LR).assert_clean()
    report(HEAD_LR).assert_clean(ignore=["backbone-at-head-lr"])
    with pytest.raises(AssertionError, match="frozen-bn-drifts"):
        report(HEAD_LR, DRIFTS).assert_clean(severity="error")


def test_the_marks_of_membership_are_printed() -> None:
    odd = FreezeReport("net", (but(small(), "block.weight", trains=True),), ())
    assert "none (!)" in str(odd)
