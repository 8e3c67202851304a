"""Each tracker against the real thing, where that is installed: what it was told can be read again."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from ftcli.components.tracker._protocol import TrackedRun
from ftcli.registry import implementation, kinds

FACTS = {"backbone": "timm/x", "lr": 1e-3, "epochs": 2}
pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries about themselves


def track(kind: str, run: TrackedRun, *epochs: int, **options: Any) -> None:
    choice = kinds("tracker")[kind].model_validate({"kind": kind, **options})
    tracker = implementation(choice, "open_tracker")(choice, run)
    tracker.begin(FACTS)
    for epoch in epochs:
        tracker.log({"val/accuracy": 0.5 + epoch / 10, "train/loss": 1.0 / (epoch + 1)}, epoch)
    tracker.close(complete=True)


@pytest.fixture
def run(tmp_path: Path) -> TrackedRun:
    return TrackedRun(tmp_path, "pets", "0123456789abcdef")


def test_every_kind_is_an_extra() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert (
        set(kinds("tracker")) == {"mlflow", "tensorboard", "wandb"} <= set(project["optional-dependencies"])
    )


def test_tensorboard(run: TrackedRun) -> None:
    """Two processes, as when a run goes on: their event files are read as one."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    track("tensorboard", run, 0, 1)
    track("tensorboard", run, 2)
    found = EventAccumulator(str(run.path / "tensorboard"))
    found.Reload()
    scalars = found.Scalars("val/accuracy")
    assert [(each.step, round(each.value, 4)) for each in scalars] == [(0, 0.5), (1, 0.6), (2, 0.7)]
    assert [round(each.value, 4) for each in found.Scalars("train/loss")] == [1.0, 0.5, 0.3333]
    (text, *_) = found.Tensors("run/text_summary")
    assert b"| backbone | timm/x |" in text.tensor_proto.string_val[0]


def test_mlflow(run: TrackedRun) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    from mlflow import MlflowClient

    uri = f"sqlite:///{run.path}/mlflow.db"
    track("mlflow", run, 0, uri=uri, experiment="mine")
    track("mlflow", run, 1, uri=uri, experiment="mine")
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "pets"
    assert found.data.params["backbone"] == "timm/x"
    history = client.get_metric_history(found.info.run_id, "val/accuracy")
    assert [(each.step, each.value) for each in history] == [(0, 0.5), (1, 0.6)]


@pytest.mark.slow
def test_wandb(run: TrackedRun) -> None:
    """Offline: a run's file, which a process of its own writes to its end; nobody is asked for an account."""
    pytest.importorskip("wandb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        track("wandb", run, 0, 1, mode="offline")
    (file,) = (run.path / "wandb").glob("offline-run-*/*.wandb")
    assert "0123456789abcdef" in file.name
    for _ in range(300):
        if b"val/accuracy" in file.read_bytes():
            break
        time.sleep(0.1)
    assert b"val/accuracy" in file.read_bytes()
