"""Weights that would run code: none runs, and each is refused in one clear message."""

from __future__ import annotations

import copyreg
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from ftcli.cli.app import call
from ftcli.cli.outcome import run
from tests.hostile.pickles import EVERY, EXTENSION, PAYLOADS, in_dict, tarred, zipped
from tests.toys import write_digits

RECIPE = """\
data: {{kind: folder, path: {data}, image_size: 32}}
model: {{backbone: timm/test_resnet, weights: {weights}}}
strategy: full
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_digits(tmp_path_factory.mktemp("data"), per_class=8, classes=2)


@pytest.fixture
def sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What is there once a payload has run."""
    path = tmp_path / "owned"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "evil_module.py").write_text(f"import os; nothing = os.mkdir({str(path)!r})")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    copyreg.add_extension("os", "mkdir", EXTENSION)
    yield path
    copyreg.remove_extension("os", "mkdir", EXTENSION)


def refused(folder: Path, data: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything else is done, by every command that would open them."""
    recipe = folder / "x.yaml"
    recipe.write_text(RECIPE.format(data=data, weights=file))
    out = folder / "run"
    assert run(call, ["train", str(recipe), "--out", str(out)]) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    error, *rest = [line for line in shown.err.splitlines() if line]
    assert error.startswith("error: ")
    assert str(file) in shown.err
    assert len(rest) <= 2
    assert not out.exists()


def opened_without_care(file: Path) -> None:
    """As a tool would that believes what it is given."""
    if tarfile.is_tarfile(file):
        with tarfile.open(file) as archive:
            pickle.load(archive.extractfile("pickle"))  # type: ignore[arg-type]
    else:
        torch.load(file, weights_only=False)


def test_there_are_as_many_as_promised() -> None:
    assert len({name for name, *_ in EVERY}) == len(EVERY) >= 35


@pytest.mark.fault(9)
@pytest.mark.parametrize(("payload", "place", "form"), [e[1:] for e in EVERY], ids=[e[0] for e in EVERY])
def test_it_does_not_run(
    tmp_path: Path,
    data: Path,
    sign: Path,
    capsys: pytest.CaptureFixture[str],
    payload: str,
    place: Callable[[bytes], bytes],
    form: Callable[[bytes], bytes],
) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(form(place(PAYLOADS[payload](str(sign)))))
    refused(tmp_path, data, file, capsys)
    assert not sign.exists()
    with suppress(Exception):  # code has run by then
        opened_without_care(file)
    assert sign.is_dir(), "the file is harmless: the test proves nothing"


@pytest.mark.fault(9)
@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".pt", ".ckpt"])
@pytest.mark.parametrize("form", [zipped, tarred, bytes], ids=["zipped", "tarred", "plain"])
def test_another_name_opens_no_door(
    tmp_path: Path,
    data: Path,
    sign: Path,
    capsys: pytest.CaptureFixture[str],
    suffix: str,
    form: Callable[[bytes], bytes],
) -> None:
    file = tmp_path / f"w{suffix}"
    file.write_bytes(form(in_dict(PAYLOADS["os.mkdir"](str(sign)))))
    refused(tmp_path, data, file, capsys)
    assert not sign.exists()


@pytest.mark.fault(9)
@pytest.mark.parametrize("command", [["inspect-freeze"], ["evaluate"], ["predict"]], ids=lambda c: c[0])
def test_as_a_model_of_ftcli_s(
    tmp_path: Path, data: Path, sign: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """A run folder in which a pickle lies where the best weights should."""
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    file = run_folder / "best.safetensors"
    file.write_bytes(zipped(in_dict(PAYLOADS["os.mkdir"](str(sign)))))
    image = os.fspath(next(data.rglob("*.png")))
    given = [str(file), image] if command == ["predict"] else [str(file)]
    assert run(call, [*command, *given]) in (3, 5)
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert "Traceback" not in shown.err
    assert not sign.exists()


@pytest.mark.fault(9)
def test_in_place_of_weights_that_torchvision_has_downloaded(
    tmp_path: Path,
    data: Path,
    sign: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is in its cache it neither checks again nor opens with care by itself."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    kept = tmp_path / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(zipped(in_dict(PAYLOADS["os.mkdir"](str(sign)))))
    (tmp_path / "x.yaml").write_text(
        RECIPE.format(data=data, weights="default").replace("timm/test_resnet", "torchvision/resnet18")
    )
    assert run(call, ["train", str(tmp_path / "x.yaml"), "--out", str(tmp_path / "run")]) == 5
    told = capsys.readouterr().err
    assert str(kept) in told
    assert "remove it" in told
    assert not sign.exists()
    with suppress(Exception):
        opened_without_care(kept)
    assert sign.is_dir()
