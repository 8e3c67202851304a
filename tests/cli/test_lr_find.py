"""`ftcli lr-find` as it is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ftcli.recipe.load import load_recipe
from tests.cli.conftest import Ended

Call = Callable[..., Ended]


def test_a_page_a_plot_and_a_recipe(ftcli: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    before = (place / "toy.yaml").read_bytes()
    ended = ftcli("lr-find", "toy.yaml", "--steps", "40", "--plot", "lr.png", "--write", "new.yaml")
    assert ended.code == 0, ended.err
    for told in (
        "phase head",
        "phase fine-tune",
        "valley",
        "diverges at",
        "1e-7",
        "wrote lr.png",
        "wrote new.yaml",
    ):
        assert told in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "\x1b" not in ended.out
    with Image.open("lr.png") as plot:
        assert plot.size == (1200, 1240)
        assert len(plot.getcolors(1 << 20) or []) > 3
    assert (place / "toy.yaml").read_bytes() == before
    assert {path.name for path in place.iterdir()} == {"toy.yaml", "lr.png", "new.yaml"}
    changed = load_recipe("new.yaml", ["name=toy", "optimizer.lr=0.003"])
    assert changed == load_recipe("toy.yaml")
    assert load_recipe("new.yaml").optimizer.lr != 0.003


def test_what_was_set_is_written_too(ftcli: Call, place: Path) -> None:
    """What was tested, and no other recipe."""
    asked = ("--set", "strategy=full", "--set", "data.split.val=0.3")
    ended = ftcli("lr-find", "toy.yaml", "--steps", "40", *asked, "--write", "new.yaml")
    assert ended.code == 0, ended.err
    assert "wrote new.yaml: strategy, data.split.val, optimizer.lr" in ended.out
    written = load_recipe("new.yaml")
    tested = load_recipe("toy.yaml", [*asked[1::2], f"optimizer.lr={written.optimizer.lr}"])
    assert written == tested.model_copy(update={"name": written.name})


def test_a_text_that_cannot_be_changed_is_told_before_the_work(ftcli: Call, place: Path) -> None:
    text = (place / "toy.yaml").read_text().replace("lr: 0.003", "lr: *rate")
    stages = "layer_lr: {kind: stages, lr: {head: &rate 0.003}}"
    Path("shared.yaml").write_text(text.replace("layer_lr: uniform", stages))
    ended = ftcli("lr-find", "shared.yaml", "--write", "new.yaml")
    assert ended.code == 2
    assert "cannot be changed by themselves" in ended.err
    assert "reading images" not in ended.err


def test_json_alone_on_stdout(ftcli: Call, place: Path) -> None:
    asked = ("lr-find", "toy.yaml", "--phase", "fine-tune", "--steps", "12", "--per-stage", "--json")
    found = ftcli(*asked, "--set", "optimizer.kind=sgd").json
    whole, *stages = found["sweeps"]
    assert (whole["phase"], whole["stage"], whole["planned"]) == ("fine-tune", None, 0.003)
    assert [s["stage"] for s in stages][::4] == ["stem", "layer4"]
    assert len(whole["lrs"]) == len(whole["losses"]) - 1
    assert found["written"] is None
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--phase", "tail"], 2, "there is no phase 'tail'"),
        (["--plot", "lr.pdf"], 2, "--plot writes PNG"),
        (["--plot", "x.png", "--write", "x.png"], 2, "name one file"),
        (["--write", "toy.yaml"], 3, "toy.yaml is there already"),
        (["--steps", "1"], 2, "--steps"),
    ],
)
def test_what_cannot_be_asked_for(
    arguments: list[str], code: int, message: str, ftcli: Call, place: Path
) -> None:
    ended = ftcli("lr-find", "toy.yaml", *arguments)
    assert ended.code == code
    assert message in ended.err
