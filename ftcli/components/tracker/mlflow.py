"""MLflow: a run of an experiment, in a folder, a data base or on a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ftcli.registry import Choice

from ._protocol import Facts, TrackedRun, Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient

_IDENTITY = "ftcli.run"
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""A server that does not answer is waited for as long, unless the environment says otherwise; MLflow's own patience is
minutes."""


class MLflow(Choice):
    """A run of an experiment in MLflow. Needs `ftcli[mlflow]`."""

    kind: Literal["mlflow"]
    uri: str | None = None
    """Where: sqlite:///mlflow.db, https://...; null: as MLFLOW_TRACKING_URI says."""
    experiment: str = "ftcli"
    """Its name; made where there is none."""


def open_tracker(options: MLflow, run: TrackedRun) -> Tracker:
    """Goes on with the same MLflow run where a run goes on. Raises ImportError without the package, MlflowException."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=options.uri)
    found = client.get_experiment_by_name(options.experiment)
    experiment = found.experiment_id if found is not None else client.create_experiment(options.experiment)
    known = client.search_runs([experiment], f"tags.`{_IDENTITY}` = '{run.identity}'", max_results=1)
    if known:
        client.update_run(known[0].info.run_id, status="RUNNING")
        return _MLflow(client, known[0].info.run_id)
    made = client.create_run(
        experiment, run_name=run.name, tags={_IDENTITY: run.identity, "path": str(run.path)}
    )
    return _MLflow(client, made.info.run_id)


@dataclass(frozen=True)
class _MLflow:
    client: MlflowClient
    identity: str

    def begin(self, facts: Facts) -> None:
        for name, value in facts.items():
            self.client.log_param(self.identity, name, value)

    def log(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            self.client.log_metric(self.identity, name, value, step=epoch)

    def close(self, *, complete: bool) -> None:
        self.client.set_terminated(self.identity, "FINISHED" if complete else "KILLED")
