"""A run read from its folder: all of it, what is left of it, and what is damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftcli.errors import MachineError
from ftcli.recipe.dump import dump_recipe
from ftcli.workflows.report_run import RunRecord, read_run
from tests.report.html.run_samples import record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the sample would have left."""
    run = record()
    assert run.plan is not None
    assert run.result is not None
    assert run.recipe is not None
    path = tmp_path / "pets"
    path.mkdir()
    (path / "recipe.yaml").write_text(dump_recipe(run.recipe))
    (path / "plan.json").write_text(json.dumps(run.plan.to_dict() | {"fingerprint": run.fingerprint}))
    (path / "metrics.jsonl").write_text("".join(json.dumps(row.to_dict()) + "\n" for row in run.epochs))
    (path / "summary.json").write_text(json.dumps(run.result.to_dict() | {"later": 1}))
    (path / "environment.json").write_text(json.dumps(run.environment))
    return path


def test_the_nouns_come_back(folder: Path) -> None:
    found, meant = read_run(folder), record()
    assert found.unreadable == ()
    assert found.result == meant.result
    assert found.plan is not None
    assert meant.plan is not None
    assert found.plan.phases == meant.plan.phases
    assert found.fingerprint == meant.fingerprint
    assert found.epochs == meant.epochs
    assert found.recipe == meant.recipe
    assert found.name == "pets"
    assert found.answers is None


def test_a_run_that_goes_on(folder: Path) -> None:
    (folder / "summary.json").unlink()
    found = read_run(folder)
    assert found.result is None
    assert len(found.epochs) == 6
    assert found.classes == record().classes


@pytest.mark.parametrize("name", ["plan.json", "metrics.jsonl", "environment.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"epoch": "x"}\n', b"null"])
def test_a_damaged_file_is_told_and_the_rest_is_shown(folder: Path, name: str, content: bytes) -> None:
    if name == "environment.json" and content.startswith(b'{"e'):
        pytest.skip("any object may be one")
    (folder / name).write_bytes(content)
    found = read_run(folder)
    assert [problem for problem in found.unreadable if problem.startswith(name)]
    assert found.result == record().result


@pytest.mark.parametrize("content", ["{", "[]", '{"run": 1}', '{"test": null}'])
def test_a_damaged_summary_is_an_error(folder: Path, content: str) -> None:
    (folder / "summary.json").write_text(content)
    with pytest.raises(MachineError, match="cannot be read") as raised:
        read_run(folder)
    assert raised.value.where == str(folder / "summary.json")


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="not a run folder"):
        read_run(tmp_path)


def test_no_torch_is_needed(folder: Path) -> None:
    code = (
        "import sys, pathlib; from ftcli.report.html.write import write_report\n"
        "print(write_report(pathlib.Path(sys.argv[1])), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{folder / 'report.html'} False"
    shutil.rmtree(folder)


def test_a_record_is_whole(folder: Path) -> None:
    """Every field of a record that a complete run has is read from its folder."""
    found = read_run(folder)
    missing = {name for name in RunRecord.__dataclass_fields__ if getattr(found, name) in (None, "", (), {})}
    assert missing == {"split", "answers", "diagnosis", "unreadable", "image"}
