"""Bad input on the command line: told before any work is done, with what, where and how to mend it, by exit code.

0 ok, 2 usage or recipe, 3 environment, path or permission, 4 data, 5 model, weights or checkpoint.
"""

from __future__ import annotations

import json
import pickle
import re
import shutil
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ftcli.cli.outcome import run
from tests.toys import write_digits

TRAINING = re.compile(r"^phase 0|^epoch ", re.MULTILINE)


@pytest.fixture
def refused(ftcli):
    """`refused(code, told, *arguments)`: the command fails with that code and says all of `told`."""

    def refuse(code: int, told: list[str] | str, *arguments: str | Path) -> str:
        ended = ftcli(*arguments)
        assert ended.code == code, ended.err
        assert "Traceback" not in ended.err
        assert "internal error" not in ended.err
        assert ended.out == ""
        assert not TRAINING.search(ended.err)
        missing = [part for part in ([told] if isinstance(told, str) else told) if part not in ended.err]
        assert missing == [], ended.err
        return ended.err

    return refuse


@pytest.fixture
def train(refused, place):
    """A refusal of `train toy.yaml` with these changes; no run folder is left, nor anything else."""

    def refuse(code: int, told: list[str] | str, *changes: str, options: tuple[str | Path, ...] = ()) -> str:
        before = everything(place)
        sets = [part for change in changes for part in ("--set", change)]
        shown = refused(code, told, "train", "toy.yaml", *sets, *options)
        assert everything(place) == before
        return shown

    return refuse


def everything(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def recipe(place):
    """`recipe("epochs: 5", "epochs: 0")` changes toy.yaml and gives "toy.yaml:LINE:" of the last line changed."""

    def change(old: str, new: str) -> str:
        file = place / "toy.yaml"
        before, found, after = file.read_text().partition(old)
        assert found
        file.write_text(before + new + after)
        return f"toy.yaml:{(before + new.rstrip()).count(chr(10)) + 1}:"

    return change


# The recipe and the command line: 2


def test_a_recipe_that_is_not_there(refused, place):
    refused(2, ["there is no recipe gone.yaml", "ftcli recipes ls"], "train", "gone.yaml")
    refused(2, ["cannot read the recipe", "Is a directory"], "train", place)


@pytest.mark.parametrize("lr", ["0", "-0.001", "nan", "inf", "fast"])
def test_an_lr_that_is_none(train, recipe, lr):
    at = recipe("  lr: 0.003", f"  lr: {lr}")
    train(2, [f"{at}3: optimizer.lr: expected a number", lr])


def test_epochs_that_do_not_cover_the_phases(train, recipe):
    at = recipe("  epochs: 5", "  epochs: 4")
    recipe("head_epochs: 1", "head_epochs: 9")
    train(2, [f"{at}3: train.epochs: 4 epochs do not cover 9 of the head", "at least 10 are needed"])


def test_a_warm_up_longer_than_its_phase(train, recipe):
    """The first phase of LP-FT has one epoch."""
    at = recipe("layer_lr: uniform", "layer_lr: uniform\nschedule:\n  kind: cosine\n  warmup: 3")
    told = "schedule.warmup: a warm-up of 3 epochs does not fit into 1 (phase 'head')"
    train(2, [f"{at}3: {told}", "shorten it"])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "{kind: partial, train: [layr4]}",
            ["strategy.train[0]: 'layr4' matches no stage", "nearest: layer4"],
        ),
        ("{kind: partial, from_stage: layer9}", ["'layer9' matches no stage", "nearest: layer4"]),
        ("{kind: partial, last_stages: 9}", ["strategy.last_stages", "stages: stem, layer1"]),
        (
            "{kind: gradual, schedule: [{stage: layr3, epoch: 1}]}",
            ["strategy.schedule[0].stage: 'layr3' matches no stage", "nearest: layer3"],
        ),
    ],
)
def test_stages_that_are_none(train, recipe, line, told):
    at = recipe("strategy:\n  kind: lp_ft\n  head_epochs: 1\n", f"strategy: {line}\n")
    shown = train(2, told)
    column = re.search(rf"{re.escape(at)}(\d+): strategy", shown)
    assert column is not None, shown
    assert int(column[1]) > len("strategy: {")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("nonsense", "'nonsense' is not PATH=VALUE"),
        ("=1", "is not PATH=VALUE"),
        ("a.b.c=1", "there is no 'a' here"),
        ("optimizer.lrr=1", "did you mean 'lr'?"),
        ("optimizer.lr=[", "not valid YAML"),
        ("optimizer.lr=", "expected a number, got nothing"),
        ("runtime.device=tpu", "expected 'auto', 'cpu' or 'cuda', got 'tpu'"),
    ],
)
def test_nonsense_in_set(train, change, told):
    train(2, [told, f"--set {change}"], change)


def test_every_mistake_at_once(train):
    train(2, ["2 problems", "optimizer.lr", "train.epochs"], "optimizer.lr=0", "train.epochs=0")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trian", "toy.yaml"], "did you mean 'train'?"),
        (["train", "toy.yaml", "--nonsense"], "No such option"),
        (["train"], "Missing argument 'RECIPE'"),
        (["train", "toy.yaml", "--out"], "requires an argument"),
        (["predict", "runs/toy"], "Missing argument"),
        (["evaluate"], "Missing argument 'RUN'"),
    ],
)
def test_a_command_line_that_is_wrong(refused, place, arguments, told):
    refused(2, told, *arguments)


def test_a_backbone_of_no_library(train):
    for name in ("tim/test_resnet", "resnet18"):
        train(2, ["model.backbone", f"got {name!r}", "torchvision/resnet18"], f"model.backbone={name}")


# The machine: 3


def test_a_gpu_that_is_not_there(train, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    train(3, ["no usable CUDA device", "runtime.device", "auto"], "runtime.device=cuda")
    train(2, ["train.precision", "fp16 needs CUDA", "use bf16 or fp32"], "train.precision=fp16")


@pytest.mark.parametrize("out", ["toy.yaml", "toy.yaml/run", "/proc/ftcli/run", "/dev/null/run"])
def test_a_run_folder_that_cannot_be_made_is_told_before_the_data_is_read(train, out):
    train(3, [out, "give another --out"], "data.path=gone", options=("--out", out))


def test_a_run_folder_that_cannot_be_written(train, place, monkeypatch):
    """As a read-only file system answers."""

    def read_only(self, *arguments, **options):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "touch", read_only)
    train(
        3, ["cannot write to the run folder: Read-only file system", "new/run"], options=("--out", "new/run")
    )


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_a_run_folder_with_something_in_it(train, place, options):
    (place / "mine").mkdir()
    (place / "mine" / "thesis.txt").write_text("precious")
    shown = train(3, ["is not empty", "mine", "--out"], "data.path=gone", options=("--out", "mine", *options))
    assert "--resume" not in shown


def test_of_a_run_it_is_said_that_it_can_be_resumed(refused, toy, place):
    told = ["is not empty", str(toy.run), "go on with --resume"]
    refused(3, told, "train", "toy.yaml", "--out", toy.run)


def test_an_empty_run_folder_stays_when_the_run_cannot_begin(train, place):
    (place / "mine").mkdir()
    train(4, "no such folder", "data.path=gone", options=("--out", "mine"))
    assert (place / "mine").is_dir()


def test_runs_that_is_a_file(train, place):
    (place / "runs").write_text("precious")
    train(3, ["runs/toy", "give another --out"])


def test_a_path_that_the_machine_refuses(refused, toy, place):
    long = "x" * 300
    refused(3, ["File name too long", long], "predict", long, toy.images("test")[0])
    refused(3, ["File name too long", long], "train", "toy.yaml", "--out", long)
    refused(3, ["File name too long", long], "train", "toy.yaml", "--resume", "--out", long)


def test_permission_denied_is_no_bug(capsys):
    """Wherever it comes up; told to root it never is."""

    def denied(arguments):
        raise PermissionError(13, "Permission denied", "/theirs/run")

    assert run(denied, []) == 3
    told = "error: Permission denied\n  /theirs/run\n  check the path and its permissions\n"
    assert capsys.readouterr().err == told


def test_too_little_memory_on_the_gpu(refused, place, monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("ftcli.workflows.train.floor_of", full)
    refused(21, ["out of memory: CUDA out of memory", "lower train.batch_size"], "train", "toy.yaml")


def test_what_is_no_run(refused, toy, place):
    image = toy.images("test")[0]
    remedy = "the folder that `ftcli train` named"
    for command in (("predict", toy.path / "digits", image), ("evaluate", toy.path / "digits")):
        refused(3, ["not a run folder", "digits", remedy], *command)
    for command in (("predict", "gone", image), ("evaluate", "gone")):
        refused(3, ["there is no such run folder", "gone", remedy], *command)


def test_a_run_without_a_finished_epoch(refused, toy, place):
    run = shutil.copytree(toy.run, place / "run")
    (run / "best.safetensors").unlink()
    refused(3, ["has not finished an epoch", "run"], "predict", run, toy.images("test")[0])
    refused(3, ["has not finished an epoch", "run"], "evaluate", run)


@pytest.mark.parametrize("content", ["", '{"run":', "[]", "{}"])
def test_a_damaged_summary(refused, toy, place, content):
    run = shutil.copytree(toy.run, place / "run")
    (run / "summary.json").write_text(content)
    told = ["summary cannot be read", "run/summary.json", "--out"]
    refused(3, told, "train", "toy.yaml", "--out", "run", "--resume")


# Data: 4


def test_a_data_folder_that_is_not_there(train):
    train(4, ["no such folder", "gone", "current directory"], "data.path=gone")
    train(4, ["gone.csv"], "data={kind: csv, path: gone.csv}")


def test_an_empty_data_folder(train, place):
    (place / "empty").mkdir()
    train(4, ["no images", "empty", "put the images of each class into a folder"], "data.path=empty")


def test_one_class(train, place):
    write_digits(place / "data", per_class=5, classes=1)
    train(4, ["1 class is not enough", "'digit 0'", "at least two classes"], "data.path=data")


def test_a_class_with_one_image(train, place):
    write_digits(place / "data", per_class=5, classes=3)
    for image in sorted((place / "data" / "digit 1").iterdir())[1:]:
        image.unlink()
    train(4, ["class 'digit 1' has 1 image", "add images to it"], "data.path=data")


@pytest.mark.parametrize("stream", ["train", "val", "test"])
@pytest.mark.parametrize("damage", ["cut off", "not an image", "empty"])
def test_a_corrupt_image_is_told_before_anything_trains(train, place, stream, damage):
    for name in ("train", "val", "test"):
        write_digits(place / "data" / name, per_class=4, classes=2)
    bad = place / "data" / stream / "digit 1" / "002.png"
    content = {"cut off": bad.read_bytes()[:60], "not an image": b"hello", "empty": b""}[damage]
    bad.write_bytes(content)
    told = ["cannot read the image", f"data/{stream}/digit 1/002.png", "replace the file"]
    train(4, told, "data.path=data")


def test_every_corrupt_image_is_named(train, place):
    write_digits(place / "data", per_class=20, classes=2)
    bad = sorted((place / "data").glob("*/*.png"))[::2]
    for path in bad:
        path.write_bytes(b"hello")
    shown = train(
        4,
        [
            "20 of 40 images cannot be read",
            "and 10 more",
            "replace or remove these files",
            "on_bad_image: skip",
        ],
        "data.path=data",
    )
    assert "\\n" not in shown
    assert shown.count("002.png") == 1


def test_predict_on_what_is_no_image(refused, toy, place):
    good = toy.images("test")[0]
    (place / "bad.png").write_bytes(good.read_bytes()[:60])
    for path in ("bad.png", "toy.yaml", "gone.png", place):
        refused(4, ["cannot read the image", str(path)], "predict", toy.run, good, path)


def test_predict_tells_it_as_json_too(ftcli, toy, place):
    ended = ftcli("predict", toy.run, "gone.png", "--json")
    assert ended.code == 4
    assert (ended.json["error"]["where"], ended.json["error"]["exit_code"]) == ("gone.png", 4)


@pytest.fixture
def ours(toy, place):
    """A copy of the run, on a copy of its data."""
    run = shutil.copytree(toy.run, place / "run")
    data = shutil.copytree(toy.path / "digits", place / "data")
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace(str(toy.path / "digits"), str(data)))
    return run, data


def test_evaluate_without_its_data(refused, ours):
    run, data = ours
    shutil.rmtree(data)
    refused(4, ["no such folder", str(data)], "evaluate", run)


def test_evaluate_on_data_that_has_changed(refused, ours, toy):
    run, data = ours
    key = json.loads((run / "split.json").read_text())["streams"]["test"][0]
    image = data / key
    kept = image.read_bytes()
    image.unlink()
    refused(4, ["1 of the recorded examples are gone", key, "restore the data"], "evaluate", run)
    image.write_bytes(b"hello")
    refused(4, ["cannot read the image", key, "replace the file"], "evaluate", run)
    image.write_bytes(kept)
    shutil.copytree(data / "digit 0", data / "another")
    refused(4, ["the classes were digit 0, digit 1, digit 2", "another"], "evaluate", run)


def test_evaluate_looks_at_its_own_split_only(ftcli, ours):
    """New images do not enter the test, and a spoilt training image does not matter."""
    run, data = ours
    before = ftcli("evaluate", run, "--json").json
    Image.new("L", (8, 8)).save(data / "digit 0" / "new.png")
    key = json.loads((run / "split.json").read_text())["streams"]["train"][0]
    (data / key).write_bytes(b"hello")
    assert ftcli("evaluate", run, "--json").json == before


@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff\xfe", b'{"streams": {}}'])
def test_evaluate_without_its_split(refused, ours, content):
    run, _ = ours
    (run / "split.json").unlink()
    if content is not None:
        (run / "split.json").write_bytes(content)
    refused(4, "restore split.json", "evaluate", run)


def test_evaluate_on_a_split_that_there_is_not(refused, toy):
    refused(
        2,
        ["there is no split 'validation'", "train, val, test"],
        "evaluate",
        toy.run,
        "--split",
        "validation",
    )


# Model, weights and checkpoints: 5


def test_a_backbone_that_there_is_not(train):
    train(5, ["timm has no model 'tset_resnet'", "timm/test_resnet"], "model.backbone=timm/tset_resnet")
    nearest = ["torchvision has no model 'resnet19'", "torchvision/resnet18"]
    train(5, nearest, "model.backbone=torchvision/resnet19")


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_weights_that_are_not_there(train):
    train(5, ["no such weights file", "gone.pth", "the path of a file"], "model.weights=gone.pth")


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors", ".bin"])
@pytest.mark.parametrize("content", [b"", bytes(range(256)) * 4])
def test_weights_that_are_none(train, place, suffix, content):
    (place / f"some{suffix}").write_bytes(content)
    train(5, ["weights", f"some{suffix}"], f"model.weights=some{suffix}")


@pytest.mark.parametrize("dump", [pickle.dumps, None], ids=["pickle", "torch.save"])
def test_weights_that_would_run_code_are_not_opened(train, place, dump):
    state = {"conv1.weight": Malicious(place / "owned")}
    if dump:
        (place / "evil.pth").write_bytes(dump(state))
    else:
        torch.save(state, place / "evil.pth")
    train(5, ["not opened", "evil.pth", "save the state_dict alone"], "model.weights=evil.pth")
    assert not (place / "owned").exists()
    with pytest.raises(Exception, match=r".*"):  # the file is malicious indeed
        torch.load(place / "evil.pth", weights_only=False)["conv1.weight"].shape
    assert (place / "owned").exists()


def test_weights_of_another_model(train, toy, place):
    state = load_file(toy.path / "start.safetensors")
    state["stranger.weight"] = state.pop("layer4.0.conv2.weight")
    save_file(state, place / "other.safetensors")
    told = ["1 missing: layer4.0.conv2.weight", "1 not the model's: stranger.weight", "other.safetensors"]
    train(5, told, "model.weights=other.safetensors")


def test_torchvision_weights_that_cannot_be_fetched(ftcli, place, monkeypatch):
    """What the download prints does not get into the JSON."""

    def no_network(url, *arguments, **options):
        print(f"Downloading: {url}")
        raise URLError("Temporary failure in name resolution")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    change = ("--set", "model={backbone: torchvision/resnet18, weights: default}")
    ended = ftcli("train", "toy.yaml", "--json", *change)
    assert ended.code == 5
    assert "Temporary failure in name resolution" in ended.json["error"]["what"]
    assert "weights: FILE" in ended.json["error"]["remedy"]
    assert {path.name for path in place.iterdir()} == {"toy.yaml"}


def test_timm_weights_that_cannot_be_fetched(train, monkeypatch):
    def no_network(*arguments, **options):
        raise OSError("cannot reach the hub")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", no_network)
    told = ["cannot get the weights test_resnet", "cannot reach the hub", "go online once", "weights: none"]
    train(5, told, "model={backbone: timm/test_resnet, weights: default}")


@pytest.mark.parametrize("backbone", ["timm/test_vit", "torchvision/vit_b_16"])
def test_an_image_size_that_a_vision_transformer_refuses(train, backbone):
    change = f"model={{backbone: {backbone}, weights: none}}"
    told = [f"{backbone} cannot take images of 33 pixels", "change data.image_size"]
    train(5, told, change, "data.image_size=33")


def test_images_too_small_for_the_network(train):
    small = "model={backbone: torchvision/densenet121, weights: none}"
    train(5, ["cannot take images of 16 pixels", "data.image_size"], small, "data.image_size=16")


@pytest.mark.parametrize("damage", ["cut off", "random", "empty", "a bit"])
def test_a_damaged_model(refused, toy, place, damage):
    run = shutil.copytree(toy.run, place / "run")
    best = run / "best.safetensors"
    whole = best.read_bytes()
    best.write_bytes(
        {
            "cut off": whole[: len(whole) // 2],
            "random": bytes(range(256)) * 4,
            "empty": b"",
            "a bit": whole[:20] + b"\xff" + whole[21:],
        }[damage]
    )
    for command in (("predict", run, toy.images("test")[0]), ("evaluate", run)):
        refused(5, ["cannot read the weights", "run/best.safetensors", "train again"], *command)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"backbone": "timm/test_resnt"}, "nearest: timm/test_resnet"),
        ({"backbone": "timm/test_vit"}, "tensors "),
        ({"head": {"kind": "cone"}}, "a head that this version does not have"),
        ({"head": {"kind": "linear", "dropout": "wet"}}, "a head that this version does not have"),
        ({"head": None}, "a head that this version does not have"),
        ({"classes": ["a", "b"]}, "tensors 2 of another shape (fc."),
        ({"preprocessing": None}, "not a model that ftcli saved"),
        ({"task": "x", "unknown": 1}, "not a model that ftcli saved"),
    ],
)
def test_a_model_file_of_another_mind(refused, toy, place, change, told):
    with safe_open(toy.run / "best.safetensors", framework="pt") as file:
        card = json.loads(file.metadata()["ftcli"])
    state = load_file(toy.run / "best.safetensors")
    save_file(state, place / "model.safetensors", {"ftcli": json.dumps({**card, **change})})
    shown = refused(5, told, "predict", place / "model.safetensors", toy.images("test")[0])
    assert len(shown) < 1000


def test_a_model_file_that_is_not_ours(refused, toy, place):
    state = load_file(toy.run / "best.safetensors")
    image = toy.images("test")[0]
    for metadata, told in ((None, "does not say which classes"), ({"ftcli": "{"}, "damaged")):
        save_file(state, place / "model.safetensors", metadata)
        refused(5, [told, "model.safetensors"], "predict", place / "model.safetensors", image)


def test_checkpoints_of_which_none_is_whole(refused, toy, place):
    """The command says so, and leaves them for whoever wants to look."""
    run = shutil.copytree(toy.run, place / "run")
    for name in ("summary.json", "best.safetensors"):
        (run / name).unlink()
    damaged = run / "checkpoints" / "000001"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_bytes(b"rubbish")
    told = ["none of the run's checkpoints is whole", "run/checkpoints", "another --out"]
    refused(5, told, "train", "toy.yaml", "--out", "run", "--resume")
    refused(5, ["a checkpoint is damaged", "--resume"], "predict", run, toy.images("test")[0])
    assert damaged.exists()


def test_a_loss_that_is_not_finite(ftcli, place):
    """Told where and how to mend it, with a code of its own; the run folder says how far it came."""
    wild = ("optimizer={kind: sgd, lr: 10}", "train.clip_norm=null", "train.epochs=50", "norm=freeze")
    ended = ftcli("train", "toy.yaml", "--json", *(part for change in wild for part in ("--set", change)))
    assert ended.code == 20, ended.err
    assert ended.json["error"]["remedy"]
    assert "Traceback" not in ended.err
