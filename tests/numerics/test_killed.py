"""Runs that are killed, or told to stop, at any moment: the same command with --resume ends with the same bits."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.numerics.runs import metrics, same_bits
from tests.toys import RESNET, write_digits
from tests.warm import COUNTS, KILL_AT, Server, warm_server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
RECIPE = f"""\
data: {{kind: folder, path: digits, image_size: 32}}
model: {{backbone: {RESNET}, weights: start.safetensors}}
strategy: {{kind: lp_ft, head_epochs: 1}}
augment: light
norm: train
train: {{epochs: 3, batch_size: 14}}
checkpoint: {{every_steps: 2}}
runtime: {{device: cpu}}
"""
FaultCount = Callable[[int, int], None]
CLOCK = ("seconds", "run", "weights", "predict_command", "reuse", "findings", "peak_memory", "floor_seconds")
STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 143}


@dataclass(frozen=True)
class Place:
    """A folder with a recipe, its data and weights; in it a run that nobody disturbed."""

    path: Path
    server: Server
    seconds: float
    """That the run took."""
    calls: dict[str, int]

    @property
    def whole(self) -> Path:
        return self.path / "whole"

    def command(self, out: Path) -> tuple[str | Path, ...]:
        return ("train", "toy.yaml", "--out", out, "--resume", "--json")

    def ends_as_the_whole_one(self, out: Path) -> None:
        ended = self.server.start(*self.command(out), cwd=self.path)
        assert ended.wait() == 0, ended.log.read_text()
        assert same_bits(self.whole, out)
        assert metrics(self.whole) == metrics(out)
        assert told(out) == told(self.whole)
        assert {path.name for path in out.iterdir()} == {path.name for path in self.whole.iterdir()}
        shutil.rmtree(out)


def told(run: Path) -> dict[str, Any]:
    summary = json.loads((run / "summary.json").read_text())
    return {key: value for key, value in summary.items() if key not in CLOCK}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    import timm
    import torch
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("killed")
    write_digits(path / "digits", classes=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(timm.create_model(RESNET.partition("/")[2]).state_dict(), path / "start.safetensors")
    (path / "toy.yaml").write_text(RECIPE)
    (path / "logs").mkdir()
    with warm_server(path / "logs") as server:
        counts = path / "counts.json"
        for out in ("first", "whole"):  # the first one fills the cache, and takes longer
            started = time.monotonic()
            ended = server.start("train", "toy.yaml", "--out", out, cwd=path, **{COUNTS: str(counts)})
            assert ended.wait() == 0, ended.log.read_text()
        yield Place(path, server, time.monotonic() - started, json.loads(counts.read_text()))


@pytest.mark.fault(1)
@pytest.mark.parametrize(
    ("target", "from_the_end"),
    [("step", 60), ("update", 4), ("evaluation", 2), ("phase", 1), ("write", 3), ("pointer", 2), ("page", 1)],
    ids=["floor", "in a step", "evaluation", "unfreezing", "saving", "saved", "complete"],
)
def test_killed_at(place: Place, target: str, from_the_end: int, tmp_path: Path) -> None:
    """kill -9 where one of the last calls begins: in the floor, a step, an evaluation, before a checkpoint is there."""
    number = place.calls[target] + 1 - from_the_end
    killed = place.server.start(
        *place.command(tmp_path / "cut"), cwd=place.path, **{KILL_AT: f"{target}:{number}"}
    )
    assert killed.wait() == -signal.SIGKILL, killed.log.read_text()
    place.ends_as_the_whole_one(tmp_path / "cut")


@pytest.mark.fault(1)
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_killed_five_times_at_random(
    place: Place, seed: int, tmp_path: Path, fault_count: FaultCount
) -> None:
    """40 runs, 200 kills."""
    draw = random.Random(seed)
    kills = 0
    while kills < 5:
        process = place.server.start(*place.command(tmp_path / "cut"), cwd=place.path)
        time.sleep(draw.uniform(0, 0.9 * place.seconds))
        process.send(signal.SIGKILL)
        code = process.wait()
        kills += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL), process.log.read_text()
        if (tmp_path / "cut" / "summary.json").exists():
            place.ends_as_the_whole_one(tmp_path / "cut")
    place.ends_as_the_whole_one(tmp_path / "cut")
    fault_count(kills, kills)


def await_handlers(pid: int) -> None:
    """Until then a signal ends a process as the system does it, before anything has begun."""
    status, bit = Path(f"/proc/{pid}/status"), 1 << (signal.SIGUSR1 - 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        caught = re.search(r"SigCgt:\s*(\w+)", status.read_text())
        if caught and int(caught[1], 16) & bit:
            return
        time.sleep(0.002)
    raise TimeoutError(f"process {pid} never listened")


def stopped_at_random(place: Place, seed: int, out: Path) -> float:
    """Seconds from the signal to the end, or 0 where the run was faster."""
    draw = random.Random(seed)
    number = draw.choice(list(STOPS))
    process = place.server.start(*place.command(out), cwd=place.path)
    await_handlers(process.pid)
    time.sleep(draw.uniform(0, 0.9 * place.seconds))
    process.send(number)
    sent = time.monotonic()
    code = process.wait()
    seconds = time.monotonic() - sent
    said = process.log.read_text()
    assert "Traceback" not in said
    assert code in (0, STOPS[number]), said
    assert not list(out.glob("**/*.tmp"))
    place.ends_as_the_whole_one(out)
    return seconds if code else 0.0


@pytest.mark.fault(4)
@pytest.mark.parametrize("seed", range(5))
def test_told_to_stop_at_random(place: Place, seed: int, tmp_path: Path) -> None:
    stopped_at_random(place, seed, tmp_path / "cut")


@pytest.mark.fault(4)
@pytest.mark.slow
def test_told_to_stop_50_times_and_gone_in_10_seconds(
    place: Place, tmp_path: Path, fault_count: FaultCount
) -> None:
    seconds = [stopped_at_random(place, seed, tmp_path / "cut") for seed in range(100, 150)]
    assert sum(each > 0 for each in seconds) > 25
    assert max(seconds) < 10
    fault_count(len(seconds), len(seconds))


def two_at_once(place: Place, out: Path) -> None:
    """One has the folder and is killed at last, the other one is told who has it; then anyone may have it."""
    arguments = ("train", "toy.yaml", "--out", out, "--json")
    both = [place.server.start(*arguments, cwd=place.path) for _ in range(2)]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any("in use by" in each.log.read_text() for each in both):
        time.sleep(0.01)
    loser = next(each for each in both if "in use by" in each.log.read_text())
    winner = next(each for each in both if each is not loser)
    assert loser.wait() == 24
    winner.send(signal.SIGKILL)
    assert winner.wait() == -signal.SIGKILL, "it was at work all the time"
    named = re.search(r"in use by (process (\d+) on |another process)", loser.log.read_text())
    assert named is not None
    assert named[2] in (None, str(winner.pid)), "None: it had not signed yet"


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    "pairs", [5, pytest.param(50, marks=pytest.mark.slow)], ids=lambda pairs: f"{pairs} pairs"
)
def test_two_runs_in_one_folder(place: Place, pairs: int, tmp_path: Path, fault_count: FaultCount) -> None:
    for number in range(pairs):
        two_at_once(place, tmp_path / str(number))
    place.ends_as_the_whole_one(tmp_path / "0")
    fault_count(pairs, pairs)
