"""`ftcli audit` as it is called."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ftcli import load_recipe, train
from tests.cli.conftest import Ended
from tests.toys import RESNET, write_digits

Call = Callable[..., Ended]


@pytest.fixture
def leaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with photos/train and photos/test of digits; one test image is a training image."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_digits(tmp_path / "photos" / "train", per_class=12, classes=2)
    write_digits(tmp_path / "more", per_class=20, classes=2)
    for image in sorted((tmp_path / "more").rglob("01[2-9].png")):
        target = tmp_path / "photos" / "test" / image.parent.name / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, target)
    shutil.copy("photos/train/digit 1/003.png", "photos/test/digit 1/new.png")
    return tmp_path


def test_a_folder(ftcli: Call, leaky: Path) -> None:
    ended = ftcli("audit", "photos")
    assert ended.code == 0, ended.err
    assert "Audit of photos" in ended.out
    assert "train/digit 1/003.png" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_json_alone_on_stdout(ftcli: Call, leaky: Path) -> None:
    found = ftcli("audit", "photos", "--json").json
    assert found["counts"]["exact"]["train-test"] == 1
    exact = [pair for pair in found["pairs"] if pair["kind"] == "exact"]
    assert exact[0]["second"] == "test/digit 1/new.png"
    assert "duplicate-across-splits" in {finding["rule"] for finding in found["findings"]}


def test_strict_ends_with_6(ftcli: Call, leaky: Path) -> None:
    ended = ftcli("audit", "photos", "--strict")
    assert ended.code == 6
    assert "Audit of photos" in ended.out
    assert "are errors" in ended.err or "is an error" in ended.err
    (finding,) = [
        f for f in ftcli("audit", "photos", "--json").json["findings"] if f["where"] == "train-test"
    ]
    assert finding["message"] not in ended.err
    assert finding["remedy"] not in ended.err
    both = ftcli("audit", "photos", "--strict", "--json")
    assert both.code == 6
    json.loads(both.out)


def test_the_files(ftcli: Call, leaky: Path) -> None:
    ended = ftcli("audit", "photos", "--html", "page.html", "--fix-split", "split.json")
    assert ended.code == 0, ended.err
    assert "data:image/png;base64," in (leaky / "page.html").read_text(encoding="utf-8")
    record = json.loads((leaky / "split.json").read_text())
    where = {key: stream for stream, keys in record["streams"].items() for key in keys}
    assert where["train/digit 1/003.png"] == where["test/digit 1/new.png"]
    assert "audited as it was written" in ended.out
    assert "ftcli audit photos --fix-split split.json" in ended.out
    assert "DATA" not in ended.out
    assert ended.err == ""


def test_a_recipe(ftcli: Call, leaky: Path) -> None:
    Path("photos.yaml").write_text(
        f"data: {{kind: folder, path: nowhere}}\nmodel: {{backbone: {RESNET}}}\nstrategy: full\n"
    )
    assert ftcli("audit", "photos.yaml").code == 4
    assert ftcli("audit", "photos.yaml", "--set", "data.path=photos", "--json").json["source"] == "photos"


GATED = f"""\
data: {{kind: folder, path: photos, image_size: 32}}
model: {{backbone: {RESNET}, weights: none}}
strategy: full
train: {{epochs: 1, batch_size: 8}}
runtime: {{device: cpu}}
"""
STRICT = ("--set", "data.audit=strict")


def command_in(text: str) -> list[str]:
    """The last `ftcli audit ... --fix-split FILE` that is told, as a shell would take it; lines may be broken."""
    told = " ".join(text.split())
    return shlex.split(told[told.rindex("ftcli audit") :].partition(" split.json")[0])[1:]


def test_what_the_gate_says_can_be_typed(ftcli: Call, leaky: Path) -> None:
    """The command of its remedy writes a split that the same training takes, though strict."""
    Path("my photos.yaml").write_text(GATED)
    refused = ftcli("train", "my photos.yaml", *STRICT)
    assert refused.code == 6
    assert not Path("runs").exists()
    command = command_in(refused.err)
    assert command == ["audit", "my photos.yaml", *STRICT, "--fix-split"]
    assert ftcli(*command, "split.json").code == 0
    trained = ftcli("train", "my photos.yaml", *STRICT, "--set", "data.split.file=split.json")
    assert trained.code == 0, trained.err


def test_a_library_s_run_names_its_own_recipe(ftcli: Call, leaky: Path) -> None:
    Path("photos.yaml").write_text(GATED)
    result = train(load_recipe("photos.yaml"), out="kept")
    (leak,) = [found for found in result.findings if found.rule == "duplicate-across-splits"]
    assert leak.remedy is not None
    assert ftcli(*command_in(leak.remedy), "split.json").code == 0


@pytest.mark.parametrize("fold", [("--fold", "1"), ("--folds",)])
def test_a_fold_names_itself(ftcli: Call, leaky: Path, fold: tuple[str, ...]) -> None:
    Path("photos.yaml").write_text(GATED)
    refused = ftcli("train", "photos.yaml", *STRICT, "--set", "data.split.folds=2", *fold)
    assert refused.code == 6
    assert ftcli(*command_in(refused.err), "split.json").code == 0
    number = fold[1] if len(fold) > 1 else "0"
    assert f"data.split.fold={number}" in command_in(refused.err)


def test_a_manifest(ftcli: Call, leaky: Path) -> None:
    rows = [f"{path},{path.parent.name}" for path in sorted(Path("photos").rglob("*.png"))]
    Path("list.csv").write_text("file_name,label\n" + "\n".join(rows) + "\n")
    assert ftcli("audit", "list.csv", "--json").json["classes"] == ["digit 0", "digit 1"]


def test_a_manifest_of_other_columns_without_a_recipe(ftcli: Call, leaky: Path) -> None:
    rows = [
        f"{path},{path.parent.name},{path.parts[1]},p{number // 2}"
        for number, path in enumerate(sorted(Path("photos").rglob("*.png")))
    ]
    Path("data.csv").write_text("img,diagnosis,part,patient\n" + "\n".join(rows) + "\n")
    refused = ftcli("audit", "data.csv")
    assert refused.code == 4
    assert "data.image_column" in refused.err
    columns = {"image": "img", "label": "diagnosis", "split": "part", "group": "patient"}
    changes = [part for name, column in columns.items() for part in ("--set", f"data.{name}_column={column}")]
    found = ftcli("audit", "data.csv", *changes, "--json").json
    assert found["classes"] == ["digit 0", "digit 1"]
    assert found["counts"]["exact"]["train-test"] == 1
    (leak,) = [f for f in found["findings"] if f["rule"] == "duplicate-across-splits"]
    assert leak["remedy"].endswith(f"ftcli audit data.csv {' '.join(changes)} --fix-split split.json")
    assert {line["what"] for line in found["not_checked"]} >= {"time", "a split of their own"}
    assert "groups" not in {line["what"] for line in found["not_checked"]}


def test_another_seed_draws_another_split(ftcli: Call, leaky: Path) -> None:
    def written(seed: int) -> object:
        ended = ftcli("audit", "more", "--set", f"seed={seed}", "--fix-split", f"{seed}.json")
        assert ended.code == 0, ended.err
        return json.loads(Path(f"{seed}.json").read_text())["streams"]

    assert written(1) != written(2)


def test_a_written_split_as_json(ftcli: Call, leaky: Path) -> None:
    """One document, though two audits were made."""
    found = ftcli("audit", "photos", "--json", "--fix-split", "split.json", "--html", "page.html").json
    fixed = found["fixed_split"]
    assert fixed["file"] == "split.json"
    assert fixed["leaked"] == 0 < found["leaked"]
    assert "duplicate-across-splits" not in {finding["rule"] for finding in fixed["findings"]}
    assert fixed["streams"] == json.loads(Path("split.json").read_text())["counts"]
    assert "fixed_split" not in ftcli("audit", "photos", "--json").json


def test_a_split_that_cannot_be_mended(ftcli: Call, leaky: Path) -> None:
    change = ("--set", "data.group=(photo|png)")  # every image is of one group
    ended = ftcli("audit", "photos", *change, "--fix-split", "split.json")
    assert ended.code == 4
    assert "Audit of photos" in ended.out
    assert "no split without leaks can be written" in ended.err
    assert not Path("split.json").exists()
    as_json = ftcli("audit", "photos", *change, "--fix-split", "split.json", "--json")
    assert as_json.code == 4
    assert as_json.json["error"]["exit_code"] == 4


def test_what_cannot_be(ftcli: Call, leaky: Path) -> None:
    assert ftcli("audit", "gone").code == 4
    for change in ("optimizer.lr=1", "data.grup=x", "nonsense", "data.image_column=x"):
        ended = ftcli("audit", "photos", "--set", change)
        assert ended.code == 2, change
        assert change.partition("=")[0] in ended.err
    assert ftcli("audit", "photos", "--html", "no/such/folder.html").code == 3
    assert ftcli("audit", "photos", "--html", "one", "--fix-split", "one").code == 2


@pytest.mark.parametrize("option", ["--html", "--fix-split"])
def test_a_file_that_is_there_is_never_written_over(ftcli, digits, tmp_path, option):
    mine = tmp_path / "mine.csv"
    mine.write_text("my labels")
    ended = ftcli("audit", str(digits), option, str(mine))
    assert (ended.code, mine.read_text()) == (3, "my labels")
    assert "is there already" in ended.err
