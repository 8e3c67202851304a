"""Trackers beside a run: what they are told, and that none of them can stop it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ftcli.errors import RecipeError
from ftcli.events import Noticed
from ftcli.findings import Finding
from ftcli.recipe.dump import dump_recipe
from ftcli.recipe.load import load_recipe, recipe_from
from ftcli.workflows import tracking
from ftcli.workflows.train import train
from tests.toys import ignore, recipe, recorder


class Listening:
    """A tracker that remembers, and fails where it is told to."""

    def __init__(self, fails_at: str = "", errors: type[Exception] = RuntimeError) -> None:
        self.told: list[tuple[str, Any]] = []
        self.fails_at = fails_at
        self.errors = errors

    def _note(self, what: str, value: Any) -> None:
        self.told.append((what, value))
        if what == self.fails_at:
            raise self.errors("the server is gone\nand much more about it")

    def open(self, options: Any, run: Any) -> Listening:
        self._note("open", run)
        return self

    def begin(self, facts: Mapping[str, Any]) -> None:
        self._note("begin", facts)

    def log(self, values: Mapping[str, float], epoch: int) -> None:
        self._note(f"log {epoch}", values)

    def close(self, *, complete: bool) -> None:
        self._note("close", complete)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> list[Listening]:
    """What stands behind the recipe's trackers, in their order; a test fills it."""
    trackers: list[Listening] = []
    left = iter(trackers)
    monkeypatch.setattr(tracking, "implementation", lambda options, function: next(left).open)
    return trackers


def failures(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.rule == "tracker-failed"]


def test_what_a_tracker_is_told(digits: Path, tmp_path: Path, listening: list[Listening]) -> None:
    listening.append(Listening())
    result = train(
        recipe(digits, trackers=["tensorboard"]), out=tmp_path / "run", resume=False, listener=ignore
    )
    told = dict(listening[0].told)
    assert list(told) == ["open", "begin", "log 0", "log 1", "log 2", "close"]
    assert told["open"].path == tmp_path / "run"
    assert told["begin"]["backbone"] == "timm/test_resnet"
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        values = told[f"log {row['epoch']}"]
        assert values["train/loss"] == row["train_loss"]
        assert values["val/accuracy"] == row["val"]["accuracy"]
        assert values["lr/head"] == row["lr_head"]
    assert told["log 2"]["test/accuracy"] == result.test.accuracy
    assert told["close"] is True
    assert failures(result.findings) == []
    without = train(recipe(digits), out=tmp_path / "without", resume=False, listener=ignore)
    assert result.test == without.test
    plans = [json.loads((tmp_path / name / "plan.json").read_text()) for name in ("run", "without")]
    assert plans[0]["fingerprint"] == plans[1]["fingerprint"]


@pytest.mark.parametrize("place", ["open", "log 0"])
def test_one_that_fails_stops_nothing(
    place: str, digits: Path, tmp_path: Path, listening: list[Listening]
) -> None:
    """It is left alone from then on; the other one hears everything; the finding is in the summary."""
    listening += [Listening(place), Listening()]
    asked = recipe(digits, trackers=["wandb", "tensorboard"])
    result = train(asked, out=tmp_path / "run", resume=False, listener=ignore)
    assert listening[0].told[-1][0] == place
    assert [what for what, _ in listening[1].told] == ["open", "begin", "log 0", "log 1", "log 2", "close"]
    (finding,) = failures(result.findings)
    assert finding.message == "wandb is told nothing more: the server is gone; the run goes on"
    assert finding.where == "trackers.wandb"
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "tracker-failed" in [each["rule"] for each in summary["findings"]]


def test_one_that_cannot_be_closed_is_told(digits: Path, tmp_path: Path, listening: list[Listening]) -> None:
    listening.append(Listening("close"))
    events, tell = recorder()
    train(recipe(digits, trackers=["wandb"]), out=tmp_path / "run", resume=False, listener=tell)
    assert failures(tuple(event.finding for event in events if isinstance(event, Noticed)))


def test_a_run_that_is_broken_off_closes_them(
    digits: Path, tmp_path: Path, listening: list[Listening]
) -> None:
    """And goes on as the same one."""
    listening += [Listening(), Listening()]

    def broken(event: object) -> None:
        if type(event).__name__ == "EpochDone":
            raise RuntimeError("a bug")

    asked = recipe(digits, trackers=["wandb"])
    with pytest.raises(RuntimeError, match="a bug"):
        train(asked, out=tmp_path / "run", resume=False, listener=broken)
    assert listening[0].told[-1] == ("close", False)
    train(asked, out=tmp_path / "run", resume=True, listener=ignore)
    first, again = (dict(each.told)["open"].identity for each in listening)
    assert first == again


def test_a_package_that_is_not_there(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    result = train(recipe(digits, trackers=["wandb"]), out=tmp_path / "run", resume=False, listener=ignore)
    (finding,) = failures(result.findings)
    assert "pip install 'ftcli[wandb]'" in finding.remedy


def test_a_real_one_in_a_run(digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = train(
        recipe(digits, trackers=["tensorboard"]), out=tmp_path / "run", resume=False, listener=ignore
    )
    assert failures(result.findings) == []
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()
    (test,) = found.Scalars("test/accuracy")
    assert test.value == pytest.approx(result.test.accuracy)
    assert len(found.Scalars("val/loss")) == result.epochs_run


def test_in_a_recipe(tmp_path: Path) -> None:
    asked = recipe_from(
        {
            "data": "digits",
            "model": {"backbone": "timm/x"},
            "strategy": "full",
            "trackers": ["tensorboard", {"kind": "mlflow", "uri": "sqlite:///x.db"}],
        }
    )
    assert [each.kind for each in asked.trackers] == ["tensorboard", "mlflow"]
    (tmp_path / "again.yaml").write_text(dump_recipe(asked))
    assert load_recipe(tmp_path / "again.yaml").trackers == asked.trackers
    with pytest.raises(RecipeError) as raised:
        recipe_from(
            {
                "data": "digits",
                "model": {"backbone": "timm/x"},
                "strategy": "full",
                "trackers": ["tensorbord"],
            }
        )
    assert "tensorboard" in (raised.value.problems[0].remedy or "")
