"""Monitors look on while a run trains: what they find is told once, is found again after a cut, and changes nothing."""

from __future__ import annotations

import json

import pytest

from ftcli.events import EpochDone, Noticed
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.toys import recipe, recorder

TOO_LOW = {
    "optimizer": {"kind": "adamw", "lr": 1e-7},
    "strategy": "scratch",
    "train": {"epochs": 6, "batch_size": 16},
}


def rules(findings):  # type: ignore[no-untyped-def]
    return [finding.rule for finding in findings if finding.rule]


@pytest.fixture(scope="module")
def watched(digits, tmp_path_factory):
    """A run that learns nothing: its folder, its result, what was told."""
    events, listen = recorder()
    out = tmp_path_factory.mktemp("watched") / "run"
    return out, run(recipe(digits, **TOO_LOW), out, listen), events


def test_what_is_found_is_told_after_the_epoch_that_shows_it_and_once(watched):
    _, result, events = watched
    told = [
        event for event in events if isinstance(event, EpochDone) or event_rule(event) == "nothing-learned"
    ]
    assert [event_rule(event) for event in told] == [None] * 4 + ["nothing-learned"] + [None] * 2
    assert rules(result.findings).count("nothing-learned") == 1


def event_rule(event):  # type: ignore[no-untyped-def]
    return event.finding.rule if isinstance(event, Noticed) else None


def test_findings_and_drift_are_in_the_summary_and_each_epoch_s_line(watched):
    out, result, _ = watched
    summary = json.loads((out / "summary.json").read_text())
    assert "nothing-learned" in [finding["rule"] for finding in summary["findings"]]
    assert [stage["stage"] for stage in summary["drift"]] == [stage.stage for stage in result.drift]
    assert 0 < summary["drift"][-1]["weights"] < 0.01
    row = metrics(out)[-1]["signals"]
    assert 0 < row["drift"][-1]["weights"] < 0.01
    assert row["drift"][0]["features"] is None, "in a run so short nobody looks"
    assert 0 < row["top_share"] <= 1


def test_a_result_that_is_read_again_has_its_drift(watched, digits):
    out, result, _ = watched
    assert run(recipe(digits, **TOO_LOW), out, resume=True).drift == result.drift


def test_a_run_that_was_cut_off_after_the_finding_has_it_too(watched, digits, tmp_path):
    whole, result, _ = watched
    made = recipe(digits, **TOO_LOW)
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(5))
    resumed = run(made, tmp_path / "cut", resume=True)
    assert rules(resumed.findings).count("nothing-learned") == 1
    found, again = ([f for f in r.findings if f.rule == "nothing-learned"] for r in (result, resumed))
    assert found == again
    assert resumed.drift == result.drift
    assert metrics(tmp_path / "cut") == metrics(whole)


def test_monitors_change_no_bit_of_the_training(digits, tmp_path, monkeypatch):
    made = recipe(
        digits,
        strategy={"kind": "gradual", "to_stage": "layer3"},
        norm="train",
        augment="light",
        train={"epochs": 4, "batch_size": 8},
    )
    run(made, tmp_path / "watched")
    monkeypatch.setattr("ftcli.workflows.train.DriftMeter", lambda work, start: None)
    monkeypatch.setattr("ftcli.workflows.watch.monitor", lambda history: ())
    run(made, tmp_path / "alone")
    assert same_bits(tmp_path / "watched", tmp_path / "alone")
    one, other = metrics(tmp_path / "watched"), metrics(tmp_path / "alone")
    assert [row.pop("signals") for row in other] == [None] * 4
    assert all(row.pop("signals") for row in one)
    assert one == other
