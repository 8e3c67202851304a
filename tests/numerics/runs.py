"""Whole runs in a temporary folder, and the bits they leave."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import load_file

from ftcli.events import Event, Listener
from ftcli.recipe.schema import Recipe
from ftcli.workflows.result import TrainResult
from ftcli.workflows.train import train
from tests.toys import ignore


def run(recipe: Recipe, out: Path, listener: Listener = ignore, resume: bool = False) -> TrainResult:
    return train(recipe, out=out, resume=resume, listener=listener)


def same_bits(one: Path, other: Path) -> bool:
    """The best models of two runs are equal in every bit."""
    a, b = load_file(one / "best.safetensors"), load_file(other / "best.safetensors")
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def metrics(out: Path) -> list[dict]:  # type: ignore[type-arg]
    """The rows of metrics.jsonl without what a clock says."""
    import json

    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows]


class Stop(Exception):
    """Ends a run from outside, as a power cut would."""


def stop_after(epochs: int) -> Listener:
    from ftcli.events import EpochDone

    def listen(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch + 1 == epochs:
            raise Stop

    return listen


def assert_resumed_is_whole(recipe: Recipe, folder: Path, epochs: int) -> None:
    """A run that is cut off after so many epochs and gone on with ends as one that is not."""
    run(recipe, folder / "whole")
    with suppress(Stop):
        run(recipe, folder / "cut", stop_after(epochs))
        raise AssertionError("the run was not cut off")
    run(recipe, folder / "cut", resume=True)
    assert same_bits(folder / "whole", folder / "cut")
    assert metrics(folder / "whole") == metrics(folder / "cut")
