"""`ftcli recipes` and `ftcli schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftcli.cli.app import call
from ftcli.cli.outcome import run
from ftcli.recipe.examples import examples, find_example
from ftcli.recipe.json_schema import recipe_schema
from ftcli.recipe.load import load_recipe


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_ls(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["recipes", "ls"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == [example.name for example in examples()]
    assert any(row.endswith(find_example("lp-ft").description) for row in rows)


def test_ls_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["recipes", "ls", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["recipes"]
    assert listed == [{"name": e.name, "description": e.description} for e in examples()]


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["recipes", "show", "quickstart"]) == 0
    assert capsys.readouterr().out == find_example("quickstart").text
    assert run(call, ["recipes", "show", "quickstrat"]) == 2
    assert "did you mean 'vision/quickstart'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("dest", "file"), [([], "lp-ft.yaml"), (["folder"], "folder/lp-ft.yaml"), (["a"], "a")]
)
def test_cp(dest: list[str], file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    assert run(call, ["recipes", "cp", "vision/lp-ft", *dest]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert load_recipe(file).strategy.kind == "lp_ft"


def test_cp_never_overwrites(capsys: pytest.CaptureFixture[str]) -> None:
    Path("lp-ft.yaml").write_text("mine")
    assert run(call, ["recipes", "cp", "lp-ft"]) == 3
    assert "lp-ft.yaml is there already" in capsys.readouterr().err
    assert Path("lp-ft.yaml").read_text() == "mine"


def test_cp_to_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["recipes", "cp", "lp-ft", "no/such/folder.yaml"]) == 3
    assert "cannot write no/such/folder.yaml" in capsys.readouterr().err


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(call, ["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == recipe_schema()
    assert run(call, ["schema", "--out", "s.json"]) == 0
    assert json.loads(Path("s.json").read_text()) == recipe_schema()
    assert run(call, ["schema", "--out", "no/s.json"]) == 3
