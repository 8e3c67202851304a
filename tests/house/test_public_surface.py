"""What other programs may rely on: the names, their signatures, and the examples in the documents."""

from __future__ import annotations

import doctest
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ftcli
from tests.toys import RESNET, write_digits

ROOT = Path(__file__).parents[2]
SURFACE = {
    "load_recipe": "(source: Path | str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe",
    "plan": "(recipe: Recipe | Path | str | Mapping[str, Any]) -> TrainingPlan",
    "train": (
        "(recipe: Recipe | Path | str | Mapping[str, Any], *, out: Path | str | None = None, "
        "resume: bool = False, listener: Listener | None = None) -> TrainResult"
    ),
    "inspect_freeze": (
        "(model: nn.Module | TrainingPlan, "
        "optimizer: HasGroups | Sequence[HasGroups] | None = None) -> FreezeReport"
    ),
    "open_model": "(run: Path | str, device: Literal['auto', 'cpu', 'cuda'] = 'auto') -> SavedModel",
    "predict": "(model: SavedModel | Path | str, images: Sequence[Path | str | Image]) -> list[Prediction]",
    "generate": (
        "(model: SavedModel | Path | str, prompts: Sequence[str], *, max_tokens: int = 48, "
        "temperature: float = 0.0, seed: int = 0) -> list[Continuation]"
    ),
    "Continuation": "(prompt: str, text: str, tokens: int, ended: bool) -> None",
    "Finding": "(severity: Severity, where: str, message: str, remedy: str, rule: str = '') -> None",
    "FreezeReport": ("(model: str, phases: tuple[FreezeFacts, ...], findings: tuple[Finding, ...]) -> None"),
    "FtcliError": "(what: str, *, where: str | None = None, remedy: str | None = None) -> None",
    "Prediction": (
        "(image: str, label: str, probability: float, top: tuple[Guess, ...], "
        "labels: tuple[Guess, ...] | None = None) -> None"
    ),
    "SavedModel": "(card: ModelCard, network: Network, device: str) -> None",
    "TrainResult": None,
}
RESULT = (
    "run, backbone, strategy, classes, floor, ceiling, test, verdict, verdict_kind, frozen, findings, "
    "epochs_run, best_epoch, best_phase, weights, predict_command, seconds, test_report, test_without_leaks, val, "
    "reuse, profile, precision, views, depthwise, fold_bn, compile, peak_memory, floor_seconds, drift, samples, "
    "forgetting, augment, crops"
)


def test_the_names() -> None:
    assert list(SURFACE) == ftcli.__all__
    assert set(ftcli.__all__) <= set(dir(ftcli))
    assert all(getattr(ftcli, name).__doc__ for name in SURFACE)


@pytest.mark.parametrize("name", [name for name, pinned in SURFACE.items() if pinned])
def test_a_signature(name: str) -> None:
    found = str(inspect.signature(getattr(ftcli, name)))
    assert re.sub(r"[\"']", "", found) == re.sub(r"[\"']", "", SURFACE[name] or "")


def test_the_fields_of_a_result() -> None:
    assert ", ".join(ftcli.TrainResult.__dataclass_fields__) == RESULT


def test_what_is_not_there_is_said_as_ever() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'fit'"):
        ftcli.fit


def test_a_name_stays_itself_whatever_else_is_imported() -> None:
    """A package of the same name would take the function's place as soon as it is imported."""
    code = "import ftcli, pkgutil; print({m.name for m in pkgutil.iter_modules(ftcli.__path__)} & set(ftcli.__all__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_reading_a_recipe_needs_no_torch() -> None:
    code = (
        "import sys, ftcli\n"
        "ftcli.load_recipe({'data': 'digits', 'model': {'backbone': 'timm/x'}, 'strategy': 'full'})\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_examples_in_the_docstrings() -> None:
    import ftcli.api

    result = doctest.testmod(ftcli.api)
    assert result.attempted >= 6
    assert result.failed == 0


def test_the_examples_in_the_readme(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """Every block of Python, in order, beside a recipe and an image of the names that it uses."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert len(blocks) >= 2
    monkeypatch.chdir(tmp_path)
    write_digits(tmp_path / "photos")
    (tmp_path / "photos.yaml").write_text(
        "data: {kind: folder, path: photos, image_size: 32}\n"
        f"model: {{backbone: {RESNET}, weights: none}}\n"
        "strategy: lp_ft\n"
        "train: {batch_size: 8}\n"
    )
    (tmp_path / "new.png").write_bytes(next((tmp_path / "photos").rglob("*.png")).read_bytes())
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert "digit" in capsys.readouterr().out
