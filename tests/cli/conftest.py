"""The command line in this process, and one small trained run that the tests of a session share."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftcli.cli.app import call
from ftcli.cli.outcome import run
from tests.toys import RESNET, write_digits

RECIPE = f"""\
data:
  kind: folder
  path: digits
  image_size: 32
model:
  backbone: {RESNET}
  weights: start.safetensors
strategy:
  kind: lp_ft
  head_epochs: 1
augment: none
norm: train
layer_lr: uniform
optimizer:
  kind: adamw
  lr: 0.003
train:
  epochs: 5
  batch_size: 8
runtime:
  device: cpu
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Toy:
    """A place with a recipe, its data and weights, all named relative to it, and a finished run."""

    path: Path
    summary: dict[str, Any]

    @property
    def run(self) -> Path:
        return self.path / "runs" / "toy"

    def images(self, stream: str) -> list[Path]:
        """Of the run's own split."""
        keys = json.loads((self.run / "split.json").read_text())["streams"][stream]
        return [self.path / "digits" / key for key in keys]


def called(*arguments: str | Path) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(call, [str(argument) for argument in arguments])
    return Ended(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def ftcli() -> Callable[..., Ended]:
    """`ftcli("train", "toy.yaml")`: exit code, stdout and stderr."""
    return called


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """toy.yaml, digits/, start.safetensors and the run runs/toy, trained with --json. Leave it as it is."""
    path = write_toy(tmp_path_factory.mktemp("toy"))
    with chdir(path):
        ended = called("train", "toy.yaml", "--json")
    assert ended.code == 0, ended.err
    return Toy(path, ended.json)


@pytest.fixture
def place(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory with toy.yaml in it; its data and weights are the shared ones."""
    text = RECIPE.replace("digits", str(toy.path / "digits")).replace("start.", f"{toy.path}/start.")
    (tmp_path / "toy.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_toy(path: Path) -> Path:
    """Everything but the run."""
    import timm
    import torch
    from safetensors.torch import save_file

    write_digits(path / "digits", classes=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(timm.create_model(RESNET.partition("/")[2]).state_dict(), path / "start.safetensors")
    (path / "toy.yaml").write_text(RECIPE)
    return path
