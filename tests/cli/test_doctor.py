"""`ftcli doctor`, on this machine as it is and beside packages that are broken for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftcli.recipe.examples import find_example

ROOT = Path(__file__).parents[2]
NMS = 'raise RuntimeError("operator torchvision::nms does not exist")\n'
"""What a torchvision for CUDA does at import beside a torch that is not, and the other way round."""
NO_TORCH = 'raise ModuleNotFoundError("No module named \'torch\'", name="torch")\n'
QUICKSTART = str(find_example("quickstart").path)


@pytest.fixture(autouse=True)
def measured_in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftcli.workflows.doctor.speed.SECONDS", 0.01)


def beside(folder: Path, broken: str, content: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """ftcli in a process that finds this package instead of the one that is installed."""
    (folder / broken).mkdir(exist_ok=True)
    (folder / broken / "__init__.py").write_text(content)
    paths = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "ftcli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
    )


def test_this_machine(ftcli, place) -> None:  # type: ignore[no-untyped-def]
    ended = ftcli("doctor", "--json")
    assert ended.code == 0, ended.out
    checks = {check["name"]: check for check in ended.json["checks"]}
    assert ended.json["ok"]
    assert checks["torch"]["facts"]["version"]
    assert 0 < checks["cpu speed"]["facts"]["fp32_gflops"] < 100_000
    assert checks["runs folder"]["facts"]["path"] == str(place / "runs")
    assert not (place / "runs").exists()
    assert "hub" not in checks


def test_the_table_is_readable_at_80_columns(ftcli, place, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("COLUMNS", "80")
    ended = ftcli("doctor")
    assert ended.code == 0
    assert max(len(line) for line in ended.out.splitlines()) <= 80
    assert "\x1b" not in ended.out
    assert ended.out.splitlines()[-1] == "this machine is fit to train on"


def test_a_folder_that_cannot_be_written_is_a_problem(ftcli, place, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """As root everything can be written; a file in the folder's place cannot, by anyone."""
    (place / "runs").write_text("precious")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "runs" / "cache"))
    ended = ftcli("doctor", "--json")
    assert ended.code == 3
    checks = {check["name"]: check for check in ended.json["checks"]}
    assert (checks["runs folder"]["status"], checks["cache"]["status"]) == ("problem", "note")
    assert "Not a directory" in checks["runs folder"]["found"]
    assert (place / "runs").read_text() == "precious"


def test_the_hub_is_asked_when_that_is_wanted_and_not_offline(ftcli, place, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A port of this machine that nobody listens at stands for a hub that does not answer."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (hub,) = (c for c in ftcli("doctor", "--online", "--json").json["checks"] if c["name"] == "hub")
    assert hub["status"] == "note"
    assert "cannot be reached" in hub["found"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (hub,) = (c for c in ftcli("doctor", "--online", "--json").json["checks"] if c["name"] == "hub")
    assert "HF_HUB_OFFLINE" in hub["found"]


def test_a_torchvision_of_another_torch_is_named(tmp_path: Path) -> None:
    ended = beside(tmp_path, "torchvision", NMS, "doctor", "--json")
    assert ended.returncode == 3, ended.stderr
    checks = {check["name"]: check for check in json.loads(ended.stdout)["checks"]}
    assert checks["torch"]["status"] == "ok"
    assert checks["torchvision"]["status"] == "problem"
    assert "torchvision::nms" in checks["torchvision"]["found"]
    assert "install both together" in checks["torchvision"]["remedy"]
    assert checks["runs folder"]["status"] == "ok"
    assert "Traceback" not in ended.stderr


def test_every_other_command_says_the_same_in_one_message(tmp_path: Path) -> None:
    ended = beside(tmp_path, "torchvision", NMS, "plan", QUICKSTART)
    assert ended.returncode == 3, ended.stderr
    assert ended.stdout == ""
    first, remedy = ended.stderr.splitlines()
    assert first.startswith("error: torch and torchvision do not belong together")
    assert remedy.strip().startswith("install both together")
    assert remedy.endswith("then ftcli doctor")


@pytest.mark.parametrize("arguments", [["doctor"], ["train", QUICKSTART], ["validate", QUICKSTART]])
def test_without_torch(tmp_path: Path, arguments: list[str]) -> None:
    ended = beside(tmp_path, "torch", NO_TORCH, *arguments)
    assert "Traceback" not in ended.stderr
    assert "internal error" not in ended.stderr
    if arguments[0] == "validate":
        assert ended.returncode == 0, ended.stderr
    else:
        assert ended.returncode == 3, ended.stderr
        assert "torch" in ended.stdout + ended.stderr
        assert "pip install" in ended.stdout + ended.stderr


@pytest.mark.gpu
def test_a_cuda_device(ftcli, place) -> None:  # type: ignore[no-untyped-def]
    checks = {check["name"]: check for check in ftcli("doctor", "--json").json["checks"]}
    assert checks["cuda:0"]["facts"]["bytes"] > 2**30
    assert checks["cuda:0"]["facts"]["driver"]
    assert checks["cuda speed"]["facts"]["fp32_gflops"] > checks["cpu speed"]["facts"]["fp32_gflops"]
